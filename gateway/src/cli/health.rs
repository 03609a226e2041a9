//! `health`: asks the operations port of a running gateway.

use super::say;
use crate::settings::{OPERATIONS, TABLE};
use anyhow::Context;
use mymt5_chassis::{
    exit::Unavailable,
    loader::{Environment, Reader},
    operations::OperationsSettings,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::Duration,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const TIMEOUT: Duration = Duration::from_secs(3);

/// Where the configuration has the operations port; the default where it cannot be read.
fn configured(config: &Path) -> SocketAddr {
    let reader = Reader::open(&TABLE, config, Environment::of_process());
    let read = reader.ok().and_then(|mut reader| {
        let settings = OperationsSettings::read(&mut reader, OPERATIONS)?;
        Some(settings.listen)
    });
    let mut address = read.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9101)));
    if address.ip().is_unspecified() {
        // It listens everywhere: here, too.
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

pub(super) fn health(
    operations: Option<SocketAddr>,
    config: &Path,
    service: &str,
) -> anyhow::Result<ExitCode> {
    let operations = operations.unwrap_or_else(|| configured(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{operations}"))?
            .connect_timeout(TIMEOUT);
        let channel = endpoint.connect().await.context(Unavailable(
            "the operations port does not answer; start the gateway, or name its port with --operations".to_owned(),
        ))?;
        let mut request = tonic::Request::new(HealthCheckRequest {
            service: service.to_owned(),
        });
        request.set_timeout(TIMEOUT);
        let answer = HealthClient::new(channel)
            .check(request)
            .await
            .context(Unavailable("the health check failed; check --service, and look at the gateway's log".to_owned()))?;
        anyhow::Ok(answer.into_inner().status())
    })?;
    say(status.as_str_name());
    Ok(if status == ServingStatus::Serving {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
