//! SIGHUP: something is read again, without a restart.

use super::LogGuard;
use std::sync::Weak;
use tokio::signal::unix::{SignalKind, signal};

/// Does it at each SIGHUP. Never ends, unless signals cannot be heard.
pub async fn on_sighup(mut act: impl AsyncFnMut()) {
    let Ok(mut sighups) = signal(SignalKind::hangup()) else {
        tracing::warn!("SIGHUP cannot be heard");
        return;
    };
    while sighups.recv().await.is_some() {
        act().await;
    }
}

/// Sets the level, as far as the log has not ended. A level that cannot be read keeps the old one.
pub fn set_level(log: &Weak<LogGuard>, level: Option<String>) {
    let Some(log) = log.upgrade() else { return };
    match level.map(|level| log.set_level(&level).map(|()| level)) {
        Some(Ok(level)) => tracing::warn!(level, "log level set"),
        Some(Err(error)) => tracing::error!(%error, "log level kept"),
        None => tracing::error!("log level kept: the configuration cannot be read"),
    }
}
