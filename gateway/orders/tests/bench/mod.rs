//! A core on the bench: a journal in memory, a shell that commits by hand, and rows of a broker. Both
//! test programs of this crate use it, each a part of it. A test plays the broker `by_hand`, row by
//! row, or has one that does as it is told in its `scenes`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod by_hand;
pub mod disk;
pub mod rows;
pub mod scenes;
pub mod shell;

pub use disk::Disk;
pub use shell::Shell;
