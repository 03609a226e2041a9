//! The scenarios, by what they are about.

mod execution;
mod figures;
mod levels;
mod market;
mod past;
mod pending;
mod refusals;
mod walks;
