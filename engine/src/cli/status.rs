//! `status`: how a running engine stands, read from its operations port.

use super::say;
use anyhow::{Context, ensure};
use mymt5_chassis::clock;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(3);
/// Most of an answer that is read, bytes.
const ANSWER: u64 = 1024 * 1024;

pub(super) fn status(operations: SocketAddr) -> anyhow::Result<ExitCode> {
    let metrics = metrics(operations)
        .context("the operations port does not answer; is the engine running?")?;
    rows(&metrics, clock::utc_now_ms())
        .iter()
        .for_each(|(name, value)| say(&format!("{name:<16} {value}")));
    Ok(ExitCode::SUCCESS)
}

fn metrics(operations: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&operations, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {operations}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(ANSWER).read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "it serves no metrics");
    Ok(answer)
}

fn rows(metrics: &str, now_ms: i64) -> Vec<(&'static str, String)> {
    let value = |name: &str| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok())
    };
    let count = |name: &str| value(name).unwrap_or(0.0).to_string();
    let age = |name: &str| match value(name) {
        Some(seconds) => format!("{:.1} s ago", (now_ms as f64 / 1000.0 - seconds).max(0.0)),
        None => "never".to_owned(),
    };
    let failed = value("mymt5_engine_calls_total{outcome=\"failed\"}").unwrap_or(0.0);
    let calls = failed + value("mymt5_engine_calls_total{outcome=\"answered\"}").unwrap_or(0.0);
    vec![
        (
            "connected",
            if value("mymt5_engine_connected") == Some(1.0) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ),
        (
            "last success",
            age("mymt5_engine_last_success_timestamp_seconds"),
        ),
        ("last tick", age("mymt5_engine_last_tick_timestamp_seconds")),
        (
            "error rate",
            format!("{:.2} % of {calls} calls", failed / calls.max(1.0) * 100.0),
        ),
        ("reconnects", count("mymt5_engine_reconnects_total")),
        ("ticks", count("mymt5_engine_ticks_received_total")),
        ("orders", count("mymt5_engine_orders_submitted_total")),
        (
            "refused by risk",
            count("mymt5_engine_decisions_refused_total"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_port_tells() {
        let metrics = "mymt5_engine_connected 1\nmymt5_engine_last_success_timestamp_seconds 98.5\n\
                       mymt5_engine_calls_total{outcome=\"failed\"} 1\nmymt5_engine_calls_total{outcome=\"answered\"} 3\n";
        let rows = rows(metrics, 100_000);
        let value = |name: &str| {
            rows.iter()
                .find(|(row, _)| *row == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("connected"), Some("yes"));
        assert_eq!(value("last success"), Some("1.5 s ago"));
        assert_eq!(value("last tick"), Some("never"));
        assert_eq!(value("error rate"), Some("25.00 % of 4 calls"));
    }
}
