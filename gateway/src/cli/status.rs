//! `status`: how a running gateway stands, asked over its control socket.

use super::operator::{READING, Target, json_line, leftovers, plain};
use mymt5_chassis::{cli::say, clock};
use mymt5_proto::v1::{
    Account, BrokerClock, Disk, Flattening, GetSnapshotRequest, GetStatusRequest,
    GetStatusResponse, LossLimit, Moment, Obstacle, ScopeLosses,
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What the gateway says of itself, and the account as it last saw it.
///
/// # Errors
/// See [`Target::talk`].
pub(super) fn asked(target: &Target) -> anyhow::Result<(GetStatusResponse, Account)> {
    target.talk(READING, async |channel| {
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
        Ok((status, account.unwrap_or_default()))
    })
}

pub(super) fn status(target: &Target) -> anyhow::Result<ExitCode> {
    let (status, account) = asked(target)?;
    if target.json {
        say(&json_line(&object(&status, &account)));
    } else {
        rows(&status, &account)
            .iter()
            .for_each(|(name, value)| say(&format!("{name:<16} {}", plain(value))));
        status
            .obstacles
            .iter()
            .for_each(|it| say(&format!("{:<16} {}", "obstacle", line(it))));
    }
    Ok(ExitCode::SUCCESS)
}

/// All of it for programs: numbers are numbers, lists are lists.
fn object(status: &GetStatusResponse, account: &Account) -> Value {
    let link = status.link.clone().unwrap_or_default();
    let clock = status.broker_clock.clone().unwrap_or_default();
    let counters = status.counters.unwrap_or_default();
    let disk = status.disk.unwrap_or_default();
    // Before the first reading there are no figures, which a zero would be.
    let known = (!account.account.is_empty()).then_some(account);
    let flattening = |it: &Flattening| json!({ "client": it.client, "left": leftovers(&it.left) });
    json!({
        "version": status.version,
        "account": account.account,
        "account_kind": short(status.account_kind().as_str_name(), "ACCOUNT_KIND_"),
        "link": short(link.state().as_str_name(), "LINK_STATE_"),
        "link_reason": link.reason,
        "link_error_rate": link.error_rate,
        "last_ping_utc_ms": link.last_ping.and_then(|at| at.utc_ms),
        "ping_latency_us": link.ping_latency_us,
        "trade_obstacle": link.trade_obstacle,
        "broker_time_zone": clock.time_zone,
        "broker_offset_seconds": clock.offset_seconds,
        "trading": short(status.trading_state().as_str_name(), "TRADING_STATE_"),
        "trading_reasons": status.trading_reasons,
        "unknown_orders": status.unknown_orders,
        "frozen_symbols": status.frozen_symbols,
        "flattening": status.flattens.iter().map(flattening).collect::<Vec<_>>(),
        "balance": known.map(|account| account.balance),
        "equity": known.map(|account| account.equity),
        "currency": account.currency,
        "losses": status.losses.iter().map(losses).collect::<Vec<_>>(),
        "ticks": counters.ticks,
        "orders": counters.orders,
        "fills": counters.fills,
        "rejected": counters.rejected,
        "disk_free_bytes": disk.free_bytes,
        "disk_alarm_bytes": disk.alarm_bytes,
        "disk_low": disk.low,
        "obstacles": status.obstacles.iter().map(obstacle).collect::<Vec<_>>(),
    })
}

/// How the losses of a scope stand, for programs.
fn losses(losses: &ScopeLosses) -> Value {
    let limit = |it: &LossLimit| json!({ "name": it.name, "allowed": it.allowed, "left": it.left });
    json!({
        "client": losses.client,
        "profit_today": losses.profit_today,
        "limits": losses.limits.iter().map(limit).collect::<Vec<_>>(),
    })
}

/// The profit of today and what is left of each limit of losses, for people: a line for each scope.
fn losses_line(losses: &ScopeLosses, currency: &str) -> (&'static str, String) {
    let limits = losses.limits.iter().map(|it| {
        let LossLimit {
            name,
            allowed,
            left,
        } = it;
        format!("; {left:.2} of {allowed:.2} left of {name}")
    });
    let client = match losses.client.as_str() {
        "" => String::new(),
        client => format!("{client}: "),
    };
    let profit = losses.profit_today;
    let limits: String = limits.collect();
    let text = format!("{client}{profit:.2} {currency}{limits}");
    ("profit_today", text)
}

/// The name of an enum's value without that of the enum.
fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_owned()
}

/// Something that stands in the way, for programs.
fn obstacle(obstacle: &Obstacle) -> Value {
    json!({
        "name": obstacle.name, "client": obstacle.client, "symbol": obstacle.symbol,
        "why": obstacle.why, "closes": obstacle.closes, "ends": obstacle.ends,
    })
}

/// The same, for people.
fn line(obstacle: &Obstacle) -> String {
    let of = |text: &str| match text {
        "" => String::new(),
        text => format!(" {text}"),
    };
    let client = of(&obstacle.client);
    let symbol = of(&obstacle.symbol);
    let Obstacle {
        name,
        why,
        closes,
        ends,
        ..
    } = obstacle;
    plain(&format!(
        "{name}{client}{symbol}: {why}; closes {closes}; ends: {ends}"
    ))
}

fn rows(status: &GetStatusResponse, account: &Account) -> Vec<(&'static str, String)> {
    let kind = short(status.account_kind().as_str_name(), "ACCOUNT_KIND_");
    let trading = short(status.trading_state().as_str_name(), "TRADING_STATE_");
    let link = status.link.clone().unwrap_or_default();
    let counters = status.counters.unwrap_or_default();
    let clock = broker_clock(status.broker_clock.clone().unwrap_or_default());
    let flattens = status.flattens.iter().map(|flatten| {
        let scope = match flatten.client.as_str() {
            "" => "account",
            client => client,
        };
        format!("{scope}: {}", leftovers(&flatten.left))
    });
    let mut rows = vec![
        ("version", status.version.clone()),
        ("account", account.account.clone()),
        ("account_kind", kind),
        ("link", short(link.state().as_str_name(), "LINK_STATE_")),
        ("link_reason", link.reason),
        ("last_ping", ping(link.last_ping, link.ping_latency_us)),
        (
            "link_error_rate",
            format!("{:.1} %", link.error_rate * 100.0),
        ),
        ("trade_obstacle", link.trade_obstacle),
        ("broker_clock", clock),
        ("trading", trading),
        ("trading_reasons", status.trading_reasons.join(", ")),
        ("unknown_orders", status.unknown_orders.to_string()),
        ("frozen_symbols", status.frozen_symbols.join(", ")),
        ("flattening", flattens.collect::<Vec<_>>().join("; ")),
        ("equity", equity(account)),
        ("ticks", counters.ticks.to_string()),
        ("orders", counters.orders.to_string()),
        ("fills", counters.fills.to_string()),
        ("rejected", counters.rejected.to_string()),
        ("disk", disk(status.disk.unwrap_or_default())),
    ];
    let losses = status.losses.iter();
    rows.extend(losses.map(|it| losses_line(it, &account.currency)));
    rows
}

/// Before the first reading there is no figure, which a zero would be.
fn equity(account: &Account) -> String {
    if account.account.is_empty() {
        return "unknown".to_owned();
    }
    format!("{:.2} {}", account.equity, account.currency)
}

/// How long ago, and how long it took.
fn ping(last: Option<Moment>, latency_us: u64) -> String {
    let Some(at) = last.and_then(|last| last.utc_ms) else {
        return "none yet".to_owned();
    };
    let seconds = (clock::utc_now_ms() - at).max(0) / 1_000;
    format!("{seconds} s ago, {:.1} ms", latency_us as f64 / 1_000.0)
}

fn disk(disk: Disk) -> String {
    let mib = |bytes: u64| bytes >> 20;
    let alarm = mib(disk.alarm_bytes);
    match disk.free_bytes.map(mib) {
        None => "unknown".to_owned(),
        Some(free) if disk.low => {
            format!("ALMOST FULL: {free} MiB free, the alarm is on below {alarm} MiB; make room")
        }
        Some(free) => format!("{free} MiB free"),
    }
}

/// For people: zone, offset, and where that comes from.
pub(super) fn broker_clock(clock: BrokerClock) -> String {
    let Some(offset) = clock.offset_seconds else {
        return "unknown: set broker.time_zone".to_owned();
    };
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!(
        "{}, UTC{sign}{:02}:{:02}, by {}",
        clock.time_zone,
        minutes / 60,
        minutes % 60,
        clock.source
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_was_not_read_has_no_equity() {
        let mut account = Account::default();
        assert_eq!(equity(&account), "unknown");
        account.account = "****0001".to_owned();
        account.currency = "USD".to_owned();
        assert_eq!(equity(&account), "0.00 USD");
    }
}
