//! The operations port: health and `/metrics` in plain text, and nothing else. Probes speak no
//! TLS, so this port is apart from the service's own and stays on loopback unless allowed out.

#[cfg(test)]
mod tests;

use crate::{health::Health, loader::Reader};
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use metrics_exporter_prometheus::PrometheusHandle;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt;

const MAX_CONNECTIONS: usize = 64;
const MAX_STREAMS: u32 = 16;
const MAX_HEADER_BYTES: u32 = 16 * 1024;
const FIRST_REQUEST: Duration = Duration::from_secs(5);
const MAX_AGE: Duration = Duration::from_secs(3_600);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const LAST_ANSWERS: Duration = Duration::from_millis(300);
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Where the operations port listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationsSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether an address beyond loopback is allowed.
    pub allow_remote: bool,
}

impl OperationsSettings {
    /// Reads `operations.listen` and `operations.allow_remote`; a fault is recorded when the
    /// address is beyond loopback and not allowed.
    pub fn read(reader: &mut Reader, default_listen: &str) -> Option<Self> {
        let key = "operations.listen";
        let text = reader.or(
            key,
            "an address like 127.0.0.1:9090",
            default_listen.to_owned(),
        );
        let allow_remote = reader.or("operations.allow_remote", "true or false", false);
        let Ok(listen) = text.parse::<SocketAddr>() else {
            reader.reject(
                key,
                "is not an address with a port",
                "write it like 127.0.0.1:9090",
            );
            return None;
        };
        if !listen.ip().is_loopback() && !allow_remote {
            reader.reject(
                key,
                "is reachable from other machines, in plain text",
                "listen on 127.0.0.1, or set operations.allow_remote = true",
            );
            return None;
        }
        Some(Self {
            listen,
            allow_remote,
        })
    }
}

/// The address is taken, not this machine's, or a port that needs rights.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; stop what listens there, or set {key} to a free address")]
pub struct ListenError {
    /// The key that names the address.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Binds the port, before the runtime and its threads exist.
///
/// # Errors
/// See [`ListenError`].
pub fn bind(settings: &OperationsSettings) -> Result<TcpListener, ListenError> {
    listen("operations.listen", settings.listen)
}

/// Binds the address that a key names.
///
/// # Errors
/// See [`ListenError`].
pub fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| ListenError {
        key,
        address,
        source,
    })
}

/// Serves until `shutdown`; then ends within a second, whatever streams are open.
///
/// # Errors
/// The listener cannot be handed to the runtime.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    handle: PrometheusHandle,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let port = Arc::new(Port {
        health: health.service(),
        handle,
        shutdown: shutdown.clone(),
    });
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let port = Arc::clone(&port);
                connections.spawn(async move {
                    port.serve_connection(stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "operations port could not accept");
                sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    if timeout(2 * LAST_ANSWERS, rest).await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

/// Waits for a free place first: a connection beyond the limit stays in the backlog.
async fn accept(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

struct Port {
    health: HealthServer<HealthService>,
    handle: PrometheusHandle,
    shutdown: CancellationToken,
}

impl Port {
    /// One connection, bounded by the time to its first request and by its age.
    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        let spoken = Arc::new(Notify::new());
        let shutdown = self.shutdown.clone();
        let service = service_fn({
            let spoken = Arc::clone(&spoken);
            move |request| {
                spoken.notify_one();
                Arc::clone(&self).answer(request)
            }
        });
        let builder = builder();
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = spoken.notified() => {}
            () = sleep(FIRST_REQUEST) => return,
            () = shutdown.cancelled() => {}
        }
        tokio::select! {
            _ = connection.as_mut() => return,
            () = sleep(MAX_AGE) => {}
            () = shutdown.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        // Errors end here: the prober sees them on its side.
        let _ended = timeout(LAST_ANSWERS, connection).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.Health/") {
            return self.health.clone().oneshot(request).await;
        }
        if path != "/metrics" {
            return Ok(plain(StatusCode::NOT_FOUND, "not found\n".to_owned()));
        }
        if request.method() != Method::GET {
            return Ok(plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "use GET\n".to_owned(),
            ));
        }
        self.handle.run_upkeep();
        Ok(plain(StatusCode::OK, self.handle.render()))
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(FIRST_REQUEST)
        .max_buf_size(MAX_HEADER_BYTES as usize)
        .keep_alive(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
