//! Which account a journal belongs to. The file keeps no login and no server's name: only their
//! salted digest, and four digits for the eye.

use super::{JournalError, load::fact, store::put_meta};
use mymt5_chassis::secrets::Secret;
use mymt5_model::MaskedAccount;
use rusqlite::Connection;
use sha2::{Digest, Sha256};

/// Which account a journal belongs to.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `simulator`, `replay` or `terminal`.
    pub broker: &'static str,
    /// The trade server's name.
    pub server: String,
    /// The masked login.
    pub account: MaskedAccount,
    /// The whole login.
    pub login: Secret,
}

impl Identity {
    fn digest(&self, salt: &str) -> String {
        let login = self.login.expose().trim();
        let whole = format!("{salt}\n{}\n{}\n{login}", self.broker, self.server);
        hex::encode(Sha256::digest(whole))
    }

    /// Makes an empty journal this account's.
    pub(super) fn found(&self, connection: &Connection) -> Result<(), JournalError> {
        let id = || uuid::Uuid::new_v4().simple().to_string();
        let salt = id();
        put_meta(connection, "journal_id", &id())?;
        put_meta(connection, "account_digest", &self.digest(&salt))?;
        put_meta(connection, "salt", &salt)?;
        put_meta(connection, "broker", &self.broker)?;
        put_meta(connection, "account", &self.account)
    }

    /// Refuses the journal of another account.
    pub(super) fn check(&self, connection: &Connection) -> Result<(), JournalError> {
        let kept = |key: &str| fact::<String>(connection, key);
        if kept("account_digest")? == self.digest(&kept("salt")?) {
            return Ok(());
        }
        let broker = kept("broker")?;
        let account = kept("account")?;
        Err(JournalError::OtherAccount {
            kept: format!("{broker} {account}"),
        })
    }
}
