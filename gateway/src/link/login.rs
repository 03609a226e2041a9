//! Credentials that the broker refused are not tried again: an account that is hammered with a
//! wrong password is locked. What was refused is kept across restarts, as a keyed fingerprint.

use hmac::{Hmac, KeyInit, Mac};
use mymt5_chassis::{clock, process::write_atomically, secrets::SecretReader};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{fs, io, path::PathBuf, sync::Arc};
use tokio::sync::Notify;

/// Longest text kept of what the broker said.
const TEXT: usize = 200;
const NAMES: [&str; 3] = ["MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER"];

/// The memory of what was refused, and what ends it.
pub struct LoginGate {
    file: PathBuf,
    secrets: SecretReader,
    retry: Arc<Notify>,
}

#[derive(Serialize, Deserialize)]
struct Refused {
    fingerprint: String,
    /// Unix milliseconds.
    at: i64,
    why: String,
}

impl LoginGate {
    /// Kept in that file; `retry` is an operator's wish to try the same credentials once more.
    #[must_use]
    pub fn new(file: PathBuf, secrets: SecretReader, retry: Arc<Notify>) -> Self {
        Self {
            file,
            secrets,
            retry,
        }
    }

    /// What stands for the credentials: without the bridge's secret, which is kept elsewhere,
    /// nobody can guess a password from it.
    pub(super) fn fingerprint(&self) -> String {
        let all = self.secrets.all();
        let key = all
            .get("BRIDGE_SECRET")
            .map_or("", |secret| secret.expose());
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
            return String::new();
        };
        for name in NAMES {
            let value = all.get(name).map_or("", |secret| secret.expose());
            mac.update(&value.len().to_le_bytes());
            mac.update(value.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// Why these credentials must not be tried, if so.
    pub(super) fn refused(&self) -> Option<String> {
        let bytes = fs::read(&self.file).ok()?;
        let Ok(kept) = serde_json::from_slice::<Refused>(&bytes) else {
            tracing::warn!(file = %self.file.display(), "what the broker refused cannot be read, it is forgotten");
            return None;
        };
        (kept.fingerprint == self.fingerprint()).then_some(kept.why)
    }

    /// Keeps that the broker refused the credentials of that fingerprint: those that were tried,
    /// which others may have replaced meanwhile.
    pub(super) fn keep(&self, fingerprint: String, why: &str) -> io::Result<()> {
        let refused = Refused {
            fingerprint,
            at: clock::utc_now_ms(),
            why: why.chars().take(TEXT).collect(),
        };
        write_atomically(&self.file, &serde_json::to_vec(&refused)?)
    }

    /// Forgets it: the broker took them, or an operator says to try.
    pub(super) fn forget(&self) {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %self.file.display(), "an old refusal cannot be removed");
            }
            _ => {}
        }
    }

    /// Waits for other credentials, or for an operator's wish.
    pub(super) async fn opens(&self) {
        tokio::select! {
            () = self.retry.notified() => self.forget(),
            () = self.renewed() => {}
        }
    }

    /// Waits until the account's secrets are others than now. Other secrets do not matter.
    pub(super) async fn renewed(&self) {
        let (mut secrets, before) = (self.secrets.clone(), self.fingerprint());
        while self.fingerprint() == before {
            if !secrets.changed().await {
                // Nobody can change them any more.
                std::future::pending::<()>().await;
            }
        }
    }
}
