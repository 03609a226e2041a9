//! What opens the account.

use mymt5_chassis::secrets::{Credential, Secret};

/// The account at the broker, and the secret shared with the bridge.
#[derive(Clone, Debug)]
pub struct Account {
    /// Account number.
    pub login: Secret,
    /// Its password, read for each login where it stands in a file.
    pub password: Credential,
    /// Trade server's name.
    pub server: Secret,
    /// What gateway and bridge prove to each other: at least 32 characters.
    pub bridge: Secret,
}
