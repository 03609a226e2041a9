//! The gateway's metrics: the list of them, which the sources use and the README shows, and what they
//! say after a play that is known.

use crate::{
    harness::{BOUND, Gateway},
    orders::market,
};
use mymt5_chassis::{metrics::COMMON, operations::metric, testing::metrics};
use mymt5_gateway::telemetry::METRICS;
use mymt5_proto::v1::{self, control_service_client::ControlServiceClient};
use std::{collections::BTreeSet, path::Path};
use tokio::time::{Duration, Instant, sleep};

#[test]
fn what_the_sources_count_is_listed_and_nothing_else() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed: BTreeSet<String> = METRICS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(metrics::used(&sources).unwrap(), listed);
    assert_eq!(listed.len(), METRICS.len(), "a name stands twice");
}

#[test]
fn the_readme_shows_the_list() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/README.md");
    metrics::compare(&readme, "both", &COMMON).unwrap();
    metrics::compare(&readme, "gateway", METRICS).unwrap();
}

/// Waits until all of these stand there.
async fn stand(gateway: &Gateway, wanted: &[(&str, f64)]) {
    let end = Instant::now() + BOUND;
    loop {
        let text = gateway.metrics().await;
        let other = |(name, value): &&(&str, f64)| metric(&text, name) != Some(*value);
        let Some(other) = wanted.iter().find(other) else {
            return;
        };
        assert!(Instant::now() < end, "never {other:?}: {text}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn orders_refusals_and_states_are_counted_where_they_happen() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let before = [
        ("mymt5_link_up", 1.0),
        ("mymt5_orders_total{outcome=\"FILLED\"}", 0.0),
        ("mymt5_refusals_total{reason=\"SYMBOL_UNKNOWN\"}", 0.0),
        ("mymt5_trading_state{state=\"ACTIVE\"}", 1.0),
        ("mymt5_symbol_frozen{symbol=\"EURUSD\"}", 0.0),
        ("mymt5_order_duration_seconds_count", 0.0),
        ("mymt5_account_balance", 100_000.0),
    ];
    stand(&gateway, &before).await;
    let mut trading = gateway.trading().await;
    let filled = trading
        .submit_order(market("one", v1::Side::Buy, 0.1))
        .await;
    filled.unwrap();
    let unknown = v1::SubmitOrderRequest {
        symbol: "NOSUCH".into(),
        ..market("two", v1::Side::Buy, 0.1)
    };
    trading.submit_order(unknown).await.unwrap_err();
    let mut control = ControlServiceClient::new(gateway.channel(Some("all")).await);
    let halt = v1::SetTradingStateRequest {
        request_id: "halt".into(),
        state: v1::TradingState::Halted.into(),
        reason: "a trial".into(),
        ..Default::default()
    };
    control.set_trading_state(halt).await.unwrap();
    let after = [
        ("mymt5_orders_taken_total", 1.0),
        ("mymt5_fills_total", 1.0),
        ("mymt5_orders_total{outcome=\"FILLED\"}", 1.0),
        ("mymt5_orders_total{outcome=\"REJECTED\"}", 0.0),
        ("mymt5_orders_open", 0.0),
        ("mymt5_orders_unknown", 0.0),
        ("mymt5_orders_oldest_unsettled_seconds", 0.0),
        ("mymt5_order_duration_seconds_count", 1.0),
        ("mymt5_broker_answer_duration_seconds_count", 1.0),
        ("mymt5_refusals_total{reason=\"SYMBOL_UNKNOWN\"}", 1.0),
        ("mymt5_trading_state{state=\"ACTIVE\"}", 0.0),
        ("mymt5_trading_state{state=\"HALTED\"}", 1.0),
        ("mymt5_obstacles{kind=\"HALTED\"}", 1.0),
    ];
    stand(&gateway, &after).await;
}
