//! `status`: how a running gateway stands, asked over its control socket.

use super::{CONTROL_SOCKET, say};
use anyhow::Context;
use hyper_util::rt::TokioIo;
use mymt5_proto::v1::{
    Account, GetSnapshotRequest, GetStatusRequest, GetStatusResponse,
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};
use std::{path::Path, process::ExitCode, time::Duration};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn status(data_folder: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let socket = data_folder.join(CONTROL_SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rows = runtime.block_on(async {
        let channel = connect(&socket).await?;
        let status = ControlServiceClient::new(channel.clone())
            .get_status(GetStatusRequest {})
            .await;
        let status = status
            .context("the gateway does not tell its status")?
            .into_inner();
        let snapshot = TradingServiceClient::new(channel)
            .get_snapshot(GetSnapshotRequest {})
            .await;
        let account = snapshot
            .ok()
            .and_then(|snapshot| snapshot.into_inner().account);
        anyhow::Ok(rows(status, account.unwrap_or_default()))
    })?;
    if json {
        let object: serde_json::Map<_, _> = rows
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        say(&serde_json::Value::Object(object).to_string());
    } else {
        rows.iter()
            .for_each(|(name, value)| say(&format!("{name:<16} {value}")));
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(socket: &Path) -> anyhow::Result<Channel> {
    let path = socket.to_path_buf();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is a formality: the connector knows the way.
    let endpoint = Endpoint::from_static("http://control.socket").timeout(PATIENCE);
    let missing = || {
        format!(
            "{} does not answer; is the gateway running, and are you its user?",
            socket.display()
        )
    };
    endpoint
        .connect_with_connector(connector)
        .await
        .with_context(missing)
}

fn rows(status: GetStatusResponse, account: Account) -> Vec<(&'static str, String)> {
    let short = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_owned();
    let kind = short(status.account_kind().as_str_name(), "ACCOUNT_KIND_");
    let trading = short(status.trading_state().as_str_name(), "TRADING_STATE_");
    let (link, counters) = (
        status.link.unwrap_or_default(),
        status.counters.unwrap_or_default(),
    );
    vec![
        ("version", status.version),
        ("account", account.account),
        ("account_kind", kind),
        ("link", short(link.state().as_str_name(), "LINK_STATE_")),
        ("link_reason", link.reason),
        ("trading", trading),
        ("trading_reasons", status.trading_reasons.join(", ")),
        ("unknown_orders", status.unknown_orders.to_string()),
        ("frozen_symbols", status.frozen_symbols.join(", ")),
        (
            "equity",
            format!("{:.2} {}", account.equity, account.currency),
        ),
        ("ticks", counters.ticks.to_string()),
        ("orders", counters.orders.to_string()),
        ("fills", counters.fills.to_string()),
        ("rejected", counters.rejected.to_string()),
    ]
}
