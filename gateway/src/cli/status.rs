//! `status`: how a running gateway stands, asked over its control socket.

use super::{
    operator::{READING, Target},
    say,
};
use mymt5_proto::v1::{
    Account, GetSnapshotRequest, GetStatusRequest, GetStatusResponse,
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};
use std::process::ExitCode;

pub(super) fn status(target: &Target) -> anyhow::Result<ExitCode> {
    let rows = target.talk(READING, async |channel| {
        let status = ControlServiceClient::new(channel.clone())
            .get_status(GetStatusRequest {})
            .await?
            .into_inner();
        let snapshot = TradingServiceClient::new(channel)
            .get_snapshot(GetSnapshotRequest {})
            .await;
        let account = snapshot
            .ok()
            .and_then(|snapshot| snapshot.into_inner().account);
        Ok(rows(status, account.unwrap_or_default()))
    })?;
    if target.json {
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
