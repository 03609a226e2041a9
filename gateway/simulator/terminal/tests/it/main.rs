//! The terminal from outside, as the package meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod hostile;
mod kept;
mod market;
mod shell;
mod support;
mod tempers;
mod trading;
