//! What no command can do, whatever stands on the machine: its options contradict each other.

/// The code of options that cannot be read, as the parser of the command line gives it.
pub(super) const CODE: u8 = 2;

/// Options that do not fit together; the command ends with [`CODE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) &'static str);
