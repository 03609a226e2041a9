//! What opens the account.

use mymt5_chassis::secrets::{Credential, Secret};

/// Most characters of a password and of a trade server's name: the bridge takes no more. The
/// terminal's protocol has no limit of its own, and its records hold servers' names of 63.
pub(crate) const LONGEST_CREDENTIAL: usize = 128;

/// Whether the bridge would refuse a password or a server's name for its length.
pub(crate) fn is_too_long(secret: &Secret) -> bool {
    secret.expose().chars().count() > LONGEST_CREDENTIAL
}

/// The account at the broker, and the secret shared with the bridge.
#[derive(Clone, Debug)]
pub struct Account {
    /// Account number.
    pub login: Secret,
    /// Its password, read for each login where it stands in a file.
    pub password: Credential,
    /// Trade server's name.
    pub server: Secret,
    /// What gateway and bridge prove to each other: at least 32 characters, not easily guessed.
    pub bridge: Secret,
}
