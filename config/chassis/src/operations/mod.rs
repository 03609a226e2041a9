//! The operations port: health and `/metrics` in plain text, and nothing else. Probes speak no
//! TLS, so this port is apart from the service's own and stays on loopback unless allowed out.
//! `/healthz` and `/readyz` tell what speaks no gRPC, with 200 or 503, how liveness and readiness are.

mod client;
#[cfg(test)]
mod tests;

pub use client::{OperationsClient, ServingStatus, metric};

use crate::health::{Health, LIVENESS, READINESS};
use crate::loader::Reader;
use crate::server::{self, Bounds, Limits, Pace, Places};
use http::{Method, Request, Response, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tower::{ServiceExt, service_fn};

const PLACES: Bounds = Bounds {
    each: 32,
    early: 64,
    all: 64,
};
const LIMITS: Limits = Limits {
    streams: 16,
    first_call: Duration::from_secs(5),
    http1: true,
};
/// A probe is a matter of moments.
const MAX_AGE: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_millis(300);
/// Between two times at which what histograms took is added up, though nobody asks: until then each
/// measurement is kept.
const UPKEEP: Duration = Duration::from_secs(5);

/// Where the operations port listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationsSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether an address beyond loopback is allowed.
    pub allow_remote: bool,
}

impl OperationsSettings {
    /// Where a command on this host finds the port: one that listens everywhere is here, too.
    #[must_use]
    pub fn here(&self) -> SocketAddr {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }

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

/// Serves until `shutdown`; then ends within a second, whatever is under way.
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
    let port = Port {
        health,
        handle: handle.clone(),
    };
    let places = Places::new(PLACES);
    let connections = TaskTracker::new();
    let take = |(stream, address): (TcpStream, SocketAddr)| {
        let place = places.take(server::network(address.ip()));
        let port = port.clone();
        let service = service_fn(move |request| port.clone().answer(request));
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let end = async {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = place.lost() => {}
                    () = sleep(MAX_AGE) => {}
                }
                DRAIN
            };
            // Nobody proves anything here. Errors end here: the prober sees them on its side.
            let stream = Pace::default().apply(stream);
            let _ended = server::serve(stream, service, LIMITS, end).await;
        });
    };
    let accepting = server::accept(|| listener.accept(), take);
    let working = async { tokio::join!(accepting, keep_up(handle)) };
    shutdown.run_until_cancelled(working).await;
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

/// Adds up what histograms took, for ever.
async fn keep_up(handle: PrometheusHandle) {
    let mut turns = interval(UPKEEP);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        handle.run_upkeep();
    }
}

#[derive(Clone)]
struct Port {
    health: Health,
    handle: PrometheusHandle,
}

impl Port {
    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if path == "/grpc.health.v1.Health/Check" {
            return self.health.service().oneshot(request).await;
        }
        // A watch would hold a place; clients that get this answer check again and again.
        if path.starts_with("/grpc.health.v1.Health/") {
            return Ok(Status::unimplemented("only Check is served here").into_http());
        }
        let probed = match path {
            "/healthz" => Some(LIVENESS),
            "/readyz" => Some(READINESS),
            _ => None,
        };
        if probed.is_none() && path != "/metrics" {
            return Ok(plain(StatusCode::NOT_FOUND, "not found\n".to_owned()));
        }
        if request.method() != Method::GET {
            return Ok(plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "use GET\n".to_owned(),
            ));
        }
        if let Some(service) = probed {
            return Ok(self.probe(service).await);
        }
        Ok(plain(StatusCode::OK, self.handle.render()))
    }

    async fn probe(&self, service: &str) -> Response<Body> {
        if self.health.serves(service).await {
            plain(StatusCode::OK, "ok\n".to_owned())
        } else {
            plain(StatusCode::SERVICE_UNAVAILABLE, "not serving\n".to_owned())
        }
    }
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
