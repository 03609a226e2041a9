//! `health`: asks the operations port of a running engine.

use super::say;
use anyhow::Context;
use mymt5_chassis::exit::Unavailable;
use std::{net::SocketAddr, process::ExitCode, time::Duration};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn health(operations: SocketAddr, service: &str) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{operations}"))?
            .connect_timeout(TIMEOUT);
        let channel = endpoint.connect().await.context(Unavailable(
            "the operations port does not answer; start the engine, or name its port with --operations".to_owned(),
        ))?;
        let mut request = tonic::Request::new(HealthCheckRequest {
            service: service.to_owned(),
        });
        request.set_timeout(TIMEOUT);
        let answer = HealthClient::new(channel)
            .check(request)
            .await
            .context(Unavailable("the health check failed; check --service, and look at the engine's log".to_owned()))?;
        anyhow::Ok(answer.into_inner().status())
    })?;
    say(status.as_str_name());
    Ok(if status == ServingStatus::Serving {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
