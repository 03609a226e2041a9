//! The operations port of a running program, as its commands and the demo ask it.

use crate::exit::Unavailable;
use anyhow::{Context, ensure};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{Request, transport::Endpoint};
pub use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Most of an answer that is read, bytes.
const ANSWER: u64 = 1024 * 1024;

/// Asks one program's port.
#[derive(Clone, Copy, Debug)]
pub struct OperationsClient {
    /// The program, such as `gateway`.
    pub program: &'static str,
    /// Where its port is.
    pub address: SocketAddr,
}

impl OperationsClient {
    /// How a service is, by its name.
    ///
    /// # Errors
    /// The port does not answer, or the service is unknown.
    pub async fn health(&self, service: &str) -> anyhow::Result<ServingStatus> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let connecting = endpoint.connect_timeout(TIMEOUT).connect().await;
        let channel = connecting.with_context(|| self.silent())?;
        let mut request = Request::new(HealthCheckRequest {
            service: service.to_owned(),
        });
        request.set_timeout(TIMEOUT);
        let answer = HealthClient::new(channel)
            .check(request)
            .await
            .with_context(|| {
                Unavailable(format!(
                    "the health check failed; check --service, and look at the {}'s log",
                    self.program
                ))
            })?;
        Ok(answer.into_inner().status())
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// The port does not answer, or answers something else.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let fetched = timeout(TIMEOUT, fetch(self.address)).await;
        fetched
            .map_err(anyhow::Error::from)
            .flatten()
            .with_context(|| self.silent())
    }

    pub(crate) fn silent(&self) -> Unavailable {
        Unavailable(format!(
            "the operations port does not answer; start the {}, or name its port with --operations",
            self.program
        ))
    }
}

async fn fetch(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER).read_to_string(&mut answer).await?;
    ensure!(
        answer.starts_with("HTTP/1.1 200"),
        "what answers serves no metrics; name the port that does with --operations"
    );
    Ok(answer)
}

/// The value of a metric, by its name with its labels, in the text of `/metrics`.
#[must_use]
pub fn metric(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}
