//! The certificate, its key and the trusted authorities: polled, since whatever renews them
//! (cert-manager, an operator's script) does not always notify.

use super::Reloader;
use mymt5_chassis::tls::{IdentityError, ServerIdentity};
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Between two checks.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The three files, and a digest of what stood in them.
#[derive(Clone)]
pub(super) struct Files {
    paths: [PathBuf; 3],
    seen: [u8; 32],
}

impl Files {
    pub(super) fn of(tls: (PathBuf, PathBuf, PathBuf)) -> Self {
        let (certificate, key, client_ca) = tls;
        let paths = [certificate, key, client_ca];
        let seen = digest(&paths);
        Self { paths, seen }
    }

    /// The identity, where other bytes stand there than before.
    fn poll(&mut self) -> Option<Result<ServerIdentity, IdentityError>> {
        let now = digest(&self.paths);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(self.load())
    }

    /// The identity that they make up now.
    pub(super) fn load(&self) -> Result<ServerIdentity, IdentityError> {
        let [certificate, key, client_ca] = &self.paths;
        ServerIdentity::load(certificate, key, client_ca)
    }
}

fn digest(paths: &[PathBuf]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for path in paths {
        // One that is away for a moment reads as empty, and as itself once it is back.
        let bytes = fs::read(path).unwrap_or_default();
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    }
    hash.finalize().into()
}

impl Reloader {
    /// Takes up a changed certificate for new connections; those that are open go on, but for
    /// clients of an authority that is gone. One that does not hold together, such as a new
    /// certificate beside the old key, keeps the old one until the rest is there too. Never ends.
    pub async fn follow_certificate(self) {
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            let mut taken = self.0.turn.lock().await;
            let mut polling = taken.files.clone();
            let polled = tokio::task::spawn_blocking(move || {
                let found = polling.poll();
                (polling, found)
            });
            let Ok((polled, found)) = polled.await else {
                continue;
            };
            taken.files = polled;
            match found {
                Some(Ok(identity)) => {
                    self.0.deps.identity.send_replace(identity);
                    tracing::warn!("a new certificate is in use");
                }
                Some(Err(error)) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, "the certificate's files changed and do not hold together, the old one stays in use");
                }
                None => {}
            }
        }
    }
}
