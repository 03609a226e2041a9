//! The wish to end, as a token that everything long-lived watches.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token cancelled by the first SIGTERM or SIGINT. Call it within a runtime.
///
/// A process that cannot hear signals could never drain, so then the token comes back cancelled.
#[must_use]
pub fn on_signals() -> CancellationToken {
    let token = CancellationToken::new();
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(terminate), Ok(interrupt)) => {
            tokio::spawn(wait(terminate, interrupt, token.clone()));
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be heard, ending");
            token.cancel();
        }
    }
    token
}

async fn wait(mut terminate: Signal, mut interrupt: Signal, token: CancellationToken) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = token.cancelled() => return,
    };
    tracing::info!(signal = name, "shutdown asked for");
    token.cancel();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{Signal as Sent, getpid, kill_process};
    use std::time::Duration;

    #[tokio::test]
    async fn a_signal_cancels_the_token() {
        let token = on_signals();
        assert!(!token.is_cancelled());
        kill_process(getpid(), Sent::TERM).unwrap();
        tokio::time::timeout(Duration::from_secs(10), token.cancelled())
            .await
            .unwrap();
    }
}
