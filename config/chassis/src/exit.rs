//! Exit codes, after sysexits.h, so that a supervisor can tell a wrong set-up from a crash.

/// The configuration is wrong; starting again without a change is useless.
pub const CONFIG: u8 = 78;
/// The process runs with rights it must not have, such as root.
pub const NO_PERMISSION: u8 = 77;
/// An error inside the program.
pub const SOFTWARE: u8 = 70;
/// What the program was asked to check does not hold.
pub const DATA: u8 = 65;
/// Something the program needs, such as a port or a folder, is not to be had.
pub const UNAVAILABLE: u8 = 69;

/// A port or another process is not to be had; the process ends with [`UNAVAILABLE`]. It holds
/// what was wanted, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);
