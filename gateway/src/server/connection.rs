//! One connection, whatever it came in by: who is at its other end, and its calls until it ends.

use http::{Request, Response};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{ServiceExt, util::BoxCloneSyncService};

/// Streams of one connection, and so the calls it may have in hand.
const STREAMS: u32 = 128;
/// Header list of a request, bytes.
const HEADERS: u32 = 16 * 1024;
/// Streams a peer may reset before its connection is closed.
const RESETS: usize = 20;
/// A silent peer is asked whether it lives so often, and is gone without an answer for so long.
const ASK: Duration = Duration::from_secs(20);
const NO_ANSWER: Duration = Duration::from_secs(10);
/// Until its first call a connection may wait, and hold a place, for so long.
const FIRST_CALL: Duration = Duration::from_secs(30);
/// How long a connection's stop may take after the streams were asked to end.
const STOP: Duration = Duration::from_millis(1_500);

/// All services behind all layers.
pub(super) type Services = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// What a connection itself proves.
#[derive(Clone, Debug)]
pub(crate) enum PeerProof {
    /// Nothing: a token may come with the call.
    None,
    /// The name in a verified certificate.
    Certificate(String),
    /// The gateway's own user, on the control socket.
    SameUser,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) proof: PeerProof,
    /// For the log.
    pub(crate) address: String,
}

/// Answers a connection's calls until it ends, or for a moment more once `stop` says so.
pub(super) async fn serve_connection<T>(
    stream: T,
    peer: Peer,
    services: Services,
    stop: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spoken = Arc::new(Notify::new());
    let called = spoken.clone();
    let proven = peer.clone();
    let services = services.map_request(move |request: Request<_>| {
        called.notify_one();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(proven.clone());
        request
    });
    let builder = builder();
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(services));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = spoken.notified() => tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stop.cancelled() => None,
        },
        () = sleep(FIRST_CALL) => {
            tracing::debug!(peer = peer.address, "connection closed, it asked for nothing");
            return;
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match timeout(STOP, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::warn!(
                        peer = peer.address,
                        "connection cut at the end of the drain"
                    );
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = peer.address, error, "connection broke");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(RESETS)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(NO_ANSWER);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;
    use tower::service_fn;

    fn idle(stop: CancellationToken) -> (tokio::io::DuplexStream, impl Future<Output = ()>) {
        let (ours, theirs) = tokio::io::duplex(1_024);
        let peer = Peer {
            proof: PeerProof::None,
            address: "test".to_owned(),
        };
        let services = Services::new(service_fn(|_| async { Ok(Response::new(Body::empty())) }));
        (theirs, serve_connection(ours, peer, services, stop))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_asks_for_nothing_loses_its_place() {
        let start = Instant::now();
        let (_peer, serving) = idle(CancellationToken::new());
        serving.await;
        assert!(start.elapsed() >= FIRST_CALL && start.elapsed() < 2 * FIRST_CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_a_bounded_time_for_a_silent_peer() {
        let (start, stop) = (Instant::now(), CancellationToken::new());
        let (_peer, serving) = idle(stop.clone());
        stop.cancel();
        serving.await;
        assert!(start.elapsed() < FIRST_CALL, "{:?}", start.elapsed());
    }
}
