//! Credentials that the broker refused are not tried again: an account that is hammered with a
//! wrong password is locked. Those that led nowhere are tried rarely: a terminal may take a wrong
//! password, and only never come to the trade server. Both are kept across restarts, under a keyed
//! fingerprint.

use hmac::{Hmac, KeyInit, Mac};
use mymt5_chassis::{
    clock,
    process::write_atomically,
    secrets::{Credential, SecretReader},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Longest text kept of what the broker said.
const TEXT: usize = 200;
const NAMES: [&str; 3] = ["MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER"];

/// Logins that may lead nowhere in a row before there is a pause before each further one.
const UNANSWERED: u32 = 4;
const UNANSWERED_PAUSE_MS: i64 = 120_000;
/// Credentials that worked are trusted for so long, milliseconds.
const PROVEN_MS: i64 = 86_400_000;

/// The memory of what was refused, and what ends it.
pub struct LoginGate {
    file: PathBuf,
    secrets: SecretReader,
    retry: Arc<Notify>,
    /// As the file has it, or should.
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    fingerprint: String,
    /// Unix milliseconds.
    at: i64,
    outcome: Outcome,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// For this reason.
    Refused(String),
    /// So many times.
    Unanswered(u32),
    /// The broker took them.
    Worked,
}

/// Why credentials are not to be tried now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The broker refused them, and why.
    Refused(String),
    /// They led nowhere too often: until then.
    For(Duration),
}

impl LoginGate {
    /// Kept in that file; `retry` is an operator's wish to try the same credentials once more.
    #[must_use]
    pub fn new(file: PathBuf, secrets: SecretReader, retry: Arc<Notify>) -> Self {
        let kept = Mutex::new(read(&file));
        Self {
            file,
            secrets,
            retry,
            kept,
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
            let digest = all.credential(name).map(Credential::digest);
            mac.update(&digest.unwrap_or_default());
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// The fingerprint of the credentials, and why they are not to be tried, if so.
    pub(super) fn held(&self) -> Option<(String, Held)> {
        let kept = self.kept()?;
        let held = match kept.outcome {
            Outcome::Refused(why) => Held::Refused(why),
            Outcome::Unanswered(times) if times > UNANSWERED => {
                // A clock that was set makes it no longer.
                let since = clock::utc_now_ms().saturating_sub(kept.at).max(0);
                let left = u64::try_from(UNANSWERED_PAUSE_MS - since).ok()?;
                Held::For(Duration::from_millis(left))
            }
            Outcome::Unanswered(_) | Outcome::Worked => return None,
        };
        Some((kept.fingerprint, held))
    }

    /// What is kept of the credentials.
    fn kept(&self) -> Option<Kept> {
        let kept = self.memory().clone();
        kept.filter(|kept| kept.fingerprint == self.fingerprint())
    }

    fn memory(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps that the broker refused the credentials of that fingerprint: those that were tried,
    /// which others may have replaced meanwhile.
    pub(super) fn keep_refused(&self, fingerprint: String, why: &str) -> io::Result<()> {
        let why = why.chars().take(TEXT).collect();
        self.keep(fingerprint, Outcome::Refused(why))
    }

    /// Keeps that they led nowhere, once more. Those that worked not long ago are not to blame for
    /// it.
    pub(super) fn keep_unanswered(&self, fingerprint: String) -> io::Result<()> {
        let kept = self.kept();
        let worked = kept.as_ref().is_some_and(|kept| {
            let since = clock::utc_now_ms().saturating_sub(kept.at);
            matches!(kept.outcome, Outcome::Worked) && (0..PROVEN_MS).contains(&since)
        });
        if worked {
            return Ok(());
        }
        let times = match kept.map(|kept| kept.outcome) {
            Some(Outcome::Unanswered(times)) => times,
            _ => 0,
        };
        self.keep(fingerprint, Outcome::Unanswered(times.saturating_add(1)))
    }

    fn keep(&self, fingerprint: String, outcome: Outcome) -> io::Result<()> {
        let kept = Kept {
            fingerprint,
            at: clock::utc_now_ms(),
            outcome,
        };
        let bytes = serde_json::to_vec(&kept)?;
        // Where the file cannot be written it holds until a restart.
        *self.memory() = Some(kept);
        write_atomically(&self.file, &bytes)
    }

    /// Keeps that the broker took them, just now.
    pub(super) fn keep_worked(&self) {
        if let Err(error) = self.keep(self.fingerprint(), Outcome::Worked) {
            tracing::warn!(%error, "that the login worked cannot be kept");
        }
    }

    /// Forgets it: an operator says to try.
    pub(super) fn forget(&self) {
        *self.memory() = None;
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

fn read(file: &Path) -> Option<Kept> {
    let bytes = fs::read(file).ok()?;
    let kept = serde_json::from_slice(&bytes);
    if kept.is_err() {
        tracing::warn!(file = %file.display(), "what came of the last login cannot be read, it is forgotten");
    }
    kept.ok()
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
    use std::time::Duration;
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

    /// Looks until what was written is taken up: by two looks that agree.
    fn take_up(store: &SecretStore) {
        assert!(store.poll_once().is_empty());
        assert_eq!(store.poll_once(), ["MT5_PASSWORD"]);
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
        gate.keep_refused(tried.clone(), "wrong password").unwrap();
        let (refused, why) = gate.held().unwrap();
        assert_eq!(
            (&refused, why),
            (&tried, Held::Refused("wrong password".into()))
        );
        write(&folder.path().join("secrets"), "other password");
        take_up(&store);
        let bound = Duration::from_secs(10);
        timeout(bound, gate.opens(&refused)).await.unwrap();
        assert!(gate.held().is_none() && gate.fingerprint() != tried);
        timeout(bound, gate.renewed(&tried)).await.unwrap();
    }

    #[test]
    fn what_is_kept_holds_no_secret_and_is_for_those_credentials_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, _store) = gate(folder.path());
        gate.keep_refused("of others".into(), "why").unwrap();
        assert!(gate.held().is_none());
        gate.keep_refused(gate.fingerprint(), "why").unwrap();
        assert!(gate.held().is_some());
        let kept = fs::read_to_string(&gate.file).unwrap();
        assert!(!kept.contains("first password") && !kept.contains("10000001"));
        gate.forget();
        assert!(gate.held().is_none());
        // Where nothing can be written it holds all the same, as long as the process lives.
        fs::create_dir(&gate.file).unwrap();
        assert!(gate.keep_refused(gate.fingerprint(), "why").is_err());
        assert!(gate.held().is_some());
    }

    #[test]
    fn what_led_nowhere_is_tried_rarely_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, store) = gate(folder.path());
        for _ in 0..UNANSWERED {
            assert_eq!(gate.held(), None);
            gate.keep_unanswered(gate.fingerprint()).unwrap();
        }
        assert_eq!(gate.held(), None);
        gate.keep_unanswered(gate.fingerprint()).unwrap();
        let again = LoginGate::new(gate.file.clone(), store.reader(), Arc::default());
        let Some((_, Held::For(left))) = again.held() else {
            panic!("{:?}", again.held());
        };
        assert!(left > Duration::from_secs(60) && left <= Duration::from_secs(120));
        // Long ago, and in a future that a clock told: neither holds for longer.
        for (at, held) in [(0, false), (i64::MAX, true)] {
            let (fingerprint, outcome) = (gate.fingerprint(), Outcome::Unanswered(9));
            let kept = serde_json::to_vec(&Kept {
                fingerprint,
                at,
                outcome,
            });
            fs::write(&gate.file, kept.unwrap()).unwrap();
            let again = LoginGate::new(gate.file.clone(), store.reader(), Arc::default());
            assert_eq!(again.held().is_some(), held);
        }
        // Other credentials are tried at once, and count from zero.
        write(&folder.path().join("secrets"), "other password");
        take_up(&store);
        assert_eq!(gate.held(), None);
        gate.keep_unanswered(gate.fingerprint()).unwrap();
        assert_eq!(gate.held(), None);
    }
}
