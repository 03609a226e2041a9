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

    /// The fingerprint of the credentials, and why they must not be tried, if so.
    pub(super) fn refused(&self) -> Option<(String, String)> {
        let bytes = fs::read(&self.file).ok()?;
        let Ok(kept) = serde_json::from_slice::<Refused>(&bytes) else {
            tracing::warn!(file = %self.file.display(), "what the broker refused cannot be read, it is forgotten");
            return None;
        };
        (kept.fingerprint == self.fingerprint()).then_some((kept.fingerprint, kept.why))
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

    /// Waits for other credentials than those that were refused, or for an operator's wish.
    pub(super) async fn opens(&self, refused: &str) {
        tokio::select! {
            () = self.retry.notified() => self.forget(),
            () = self.renewed(refused) => {}
        }
    }

    /// Waits until the account's secrets are others than those of that fingerprint; at once where
    /// they are already. Other secrets do not matter.
    pub(super) async fn renewed(&self, from: &str) {
        let mut secrets = self.secrets.clone();
        while self.fingerprint() == from {
            if !secrets.changed().await {
                // Nobody can change them any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::{
        loader::{Environment, Reader},
        redact::Redactor,
        secrets::SecretStore,
    };
    use std::{path::Path, time::Duration};
    use tokio::time::timeout;

    fn write(folder: &Path, password: &str) {
        let all = [
            ("MT5_LOGIN", "10000001"),
            ("MT5_PASSWORD", password),
            ("MT5_SERVER", "Demo-Server"),
            ("BRIDGE_SECRET", "a secret of both sides, long enough"),
        ];
        for (name, value) in all {
            fs::write(folder.join(name), value).unwrap();
        }
    }

    /// A gate over secrets of a folder, and their store.
    fn gate(folder: &Path) -> (LoginGate, SecretStore) {
        let secrets = folder.join("secrets");
        fs::create_dir(&secrets).unwrap();
        write(&secrets, "first password");
        let config = folder.join("gateway.toml");
        fs::write(&config, format!("[secrets]\nfolder = {secrets:?}\n")).unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&crate::settings::TABLE, &config, nothing).unwrap();
        for name in crate::settings::TABLE.secrets {
            reader.secret(name);
        }
        let store = SecretStore::new(reader.found_secrets(), &Redactor::new());
        let (file, retry) = (folder.join("refused.json"), Arc::new(Notify::new()));
        (LoginGate::new(file, store.reader(), retry), store)
    }

    #[tokio::test]
    async fn credentials_that_change_before_they_are_waited_for_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, store) = gate(folder.path());
        let tried = gate.fingerprint();
        gate.keep(tried.clone(), "wrong password").unwrap();
        let (refused, why) = gate.refused().unwrap();
        assert_eq!((&refused, why.as_str()), (&tried, "wrong password"));
        write(&folder.path().join("secrets"), "other password");
        store.reload().unwrap();
        let bound = Duration::from_secs(10);
        timeout(bound, gate.opens(&refused)).await.unwrap();
        assert!(gate.refused().is_none() && gate.fingerprint() != tried);
        timeout(bound, gate.renewed(&tried)).await.unwrap();
    }

    #[test]
    fn what_is_kept_holds_no_secret_and_is_for_those_credentials_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, _store) = gate(folder.path());
        gate.keep("of others".into(), "why").unwrap();
        assert!(gate.refused().is_none());
        gate.keep(gate.fingerprint(), "why").unwrap();
        assert!(gate.refused().is_some());
        let kept = fs::read_to_string(&gate.file).unwrap();
        assert!(!kept.contains("first password") && !kept.contains("10000001"));
        gate.forget();
        assert!(gate.refused().is_none());
    }
}
