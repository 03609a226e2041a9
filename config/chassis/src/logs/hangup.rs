//! SIGHUP: the log level is read again, without a restart.

use super::LogGuard;
use std::sync::Weak;
use tokio::signal::unix::{SignalKind, signal};

/// Sets the level that `read` finds at each SIGHUP, until the log ends. A level that cannot be
/// read keeps the old one.
pub async fn follow_hangups(log: Weak<LogGuard>, read: impl Fn() -> Option<String> + Send) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        tracing::warn!("SIGHUP cannot be heard");
        return;
    };
    while hangups.recv().await.is_some() {
        let Some(log) = log.upgrade() else { return };
        match read().map(|level| log.set_level(&level).map(|()| level)) {
            Some(Ok(level)) => tracing::warn!(level, "log level set"),
            Some(Err(error)) => tracing::error!(%error, "log level kept"),
            None => tracing::error!("log level kept: the configuration cannot be read"),
        }
    }
}
