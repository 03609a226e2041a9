//! The wish to end, as a token that everything long-lived watches.

use crate::supervisor::Supervisor;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token cancelled by the first SIGTERM or SIGINT, of which the supervisor is told. Call it within
/// a runtime.
///
/// A process that cannot hear signals could never drain, so then the token comes back cancelled.
#[must_use]
pub fn on_signals(supervisor: &Supervisor) -> CancellationToken {
    let token = CancellationToken::new();
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(terminate), Ok(interrupt)) => {
            let heard = wait(terminate, interrupt, token.clone());
            let supervisor = supervisor.clone();
            tokio::spawn(async move {
                heard.await;
                supervisor.stopping();
            });
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
        let token = on_signals(&Supervisor::default());
        assert!(!token.is_cancelled());
        kill_process(getpid(), Sent::TERM).unwrap();
        tokio::time::timeout(Duration::from_secs(10), token.cancelled())
            .await
            .unwrap();
    }
}
