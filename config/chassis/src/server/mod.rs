//! A bounded server of HTTP/2: who finds a place, how fast a stranger is read, how long a connection
//! waits for its first call, and how it ends. What it is asked is its user's matter.

mod pace;
mod places;

pub use pace::{Pace, Paced};
pub use places::{Bounds, Place, Places, network};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// Header list of a request, bytes.
const HEADERS: u32 = 16 * 1024;
/// Streams a peer may reset before its connection is closed.
const RESETS: usize = 20;
/// A silent peer is asked whether it lives so often, and is gone without an answer for so long.
const ASK: Duration = Duration::from_secs(20);
const NO_ANSWER: Duration = Duration::from_secs(10);
/// After a failed accept (no descriptors left), before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// What one connection may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams, and so calls, that it may have in hand.
    pub streams: u32,
    /// Until its first call it may wait, and hold a place, for so long.
    pub first_call: Duration,
    /// HTTP/1 is spoken, too, one call per connection.
    pub http1: bool,
}

/// How a connection ended, other than well.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No call came in time.
    #[error("it asked for nothing")]
    Silent,
    /// Calls were under way when the drain was over.
    #[error("it was cut at the end of the drain")]
    Cut,
    /// The peer broke it, or the protocol.
    #[error("it broke")]
    Broke(#[source] Box<dyn Error + Send + Sync>),
}

/// Takes connections in, for ever.
pub async fn accept<T, F>(next: impl Fn() -> F, mut take: impl FnMut(T))
where
    F: Future<Output = io::Result<T>>,
{
    loop {
        match next().await {
            Ok(connection) => take(connection),
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers a connection's calls until its peer ends it, or `end` does: then the peer is told to
/// leave, and calls under way have as long as `end` says.
///
/// # Errors
/// See [`ConnectionError`].
pub async fn serve<T, S>(
    stream: T,
    service: S,
    limits: Limits,
    end: impl Future<Output = Duration>,
) -> Result<(), ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let spoken = Arc::new(Notify::new());
    let called = spoken.clone();
    let service = service.map_request(move |request: Request<Incoming>| {
        called.notify_one();
        request.map(Body::new)
    });
    let silence = async {
        if timeout(limits.first_call, spoken.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let builder = builder(limits);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let drain = tokio::select! {
        ended = connection.as_mut() => return ended.map_err(ConnectionError::Broke),
        () = silence => return Err(ConnectionError::Silent),
        drain = end => drain,
    };
    connection.as_mut().graceful_shutdown();
    match timeout(drain, connection).await {
        Ok(ended) => ended.map_err(ConnectionError::Broke),
        Err(_) => Err(ConnectionError::Cut),
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if limits.http1 {
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.first_call)
            .max_buf_size(HEADERS as usize)
            .keep_alive(false);
    } else {
        builder = builder.http2_only();
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(RESETS)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(NO_ANSWER);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::io::DuplexStream;
    use tokio::time::Instant;
    use tower::service_fn;

    const FIRST_CALL: Duration = Duration::from_secs(30);
    const DRAIN: Duration = Duration::from_secs(2);

    fn idle(
        end: impl Future<Output = Duration>,
    ) -> (
        DuplexStream,
        impl Future<Output = Result<(), ConnectionError>>,
    ) {
        let (ours, theirs) = tokio::io::duplex(1_024);
        let answer = |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
        let limits = Limits {
            streams: 1,
            first_call: FIRST_CALL,
            http1: false,
        };
        (theirs, serve(ours, service_fn(answer), limits, end))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_asks_for_nothing_loses_its_place() {
        let start = Instant::now();
        let (_peer, serving) = idle(pending());
        assert!(matches!(serving.await, Err(ConnectionError::Silent)));
        assert!(start.elapsed() >= FIRST_CALL && start.elapsed() < 2 * FIRST_CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_waits_a_bounded_time_for_a_silent_peer() {
        for drain in [Duration::ZERO, DRAIN] {
            let start = Instant::now();
            let (_peer, serving) = idle(ready(drain));
            let _ended = serving.await;
            assert!(start.elapsed() <= 2 * DRAIN, "{:?}", start.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_accept_is_tried_again() {
        let start = Instant::now();
        let mut taken = 0;
        let fails = || async move {
            if start.elapsed() < PAUSE {
                return Err(io::Error::other("no descriptors left"));
            }
            sleep(PAUSE).await;
            Ok(())
        };
        let taking = accept(fails, |()| taken += 1);
        let _endless = timeout(10 * PAUSE, taking).await;
        assert!((5..10).contains(&taken), "{taken}");
    }
}
