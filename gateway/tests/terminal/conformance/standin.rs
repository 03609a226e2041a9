//! The stand-in on the stage: the real bridge, with a stand-in for the terminal's package whose
//! market is moved by rows of its state.

use super::{
    bridged::{BridgedStage, Market},
    setup::Setup,
    stage::begin,
};
use crate::real::Bridge;
use mymt5_model::{AccountMode, Execution, Lots, SymbolSpec, Tick, TradeMode};
use mymt5_simulator::{AccountConfig, Week};
use serde_json::json;
use std::{fmt::Display, sync::Arc};

const TABLES: [&str; 9] = [
    "symbols",
    "faults",
    "ticks",
    "sends",
    "seen",
    "orders",
    "history_orders",
    "positions",
    "deals",
];

impl Market for Arc<Bridge> {
    fn quote(&self, tick: &Tick) {
        self.change(&insert(tick));
    }
}

/// Makes the stand-in another account, quoted once, and opens a session with it.
pub async fn open(bridge: Arc<Bridge>, setup: &Setup, first: &Tick) -> BridgedStage<Arc<Bridge>> {
    let mut reset = String::from("BEGIN IMMEDIATE;");
    for table in TABLES {
        reset += &format!("DELETE FROM {table};");
    }
    for (key, value) in account(&setup.account) {
        reset += &format!("INSERT OR REPLACE INTO settings VALUES ('{key}', '{value}');");
    }
    for spec in &setup.specs {
        let fields = symbol(spec, setup.account.max_symbol_lots);
        reset += &format!(
            "INSERT INTO symbols VALUES ('{}', '{fields}');",
            spec.symbol.as_str()
        );
    }
    reset += &insert(first);
    for (pair, rate) in &setup.account.rates {
        reset += &quoted(pair, first.time.0, rate, rate);
    }
    if let Some(part) = setup.part() {
        let partial = format!("'order_send', 'partial', '{{\"fraction\": {part}}}'");
        reset += &format!("INSERT INTO faults (on_call, kind, args) VALUES ({partial});");
    }
    bridge.change(&(reset + "COMMIT"));
    let settings = bridge.settings("");
    BridgedStage::open(bridge, settings, setup, first).await
}

fn insert(tick: &Tick) -> String {
    quoted(tick.symbol.as_str(), tick.time.0, &tick.bid, &tick.ask)
}

fn quoted(symbol: &str, at: i64, bid: &impl Display, ask: &impl Display) -> String {
    format!(
        "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES ('{symbol}', {at}, {bid}, {ask});"
    )
}

/// The account's conditions as the stand-in's settings.
fn account(account: &AccountConfig) -> Vec<(&'static str, String)> {
    let flag = |on: bool| u8::from(on).to_string();
    vec![
        ("feed", "manual".into()),
        ("clock_ms", begin().to_string()),
        (
            "margin_mode",
            if account.mode == AccountMode::Hedging {
                "2"
            } else {
                "0"
            }
            .into(),
        ),
        ("currency", account.currency.clone()),
        ("leverage", account.leverage.to_string()),
        ("balance", account.balance.to_f64().to_string()),
        (
            "commission_per_lot",
            account.commission_per_lot.to_f64().to_string(),
        ),
        ("limit_orders", account.max_orders.unwrap_or(0).to_string()),
        (
            "limit_positions",
            account
                .max_positions
                .map(|most| most.to_string())
                .unwrap_or_default(),
        ),
        ("account_trade_expert", flag(account.trade_allowed)),
        ("market_open", flag(account.sessions == Week::always())),
    ]
}

/// A contract as the fields of `symbol_info`.
fn symbol(spec: &SymbolSpec, most: Option<Lots>) -> serde_json::Value {
    let point = 10f64.powi(-i32::from(spec.digits));
    json!({
        "description": spec.description,
        "digits": spec.digits,
        "trade_tick_size": format!("{:.*}", usize::from(spec.digits), point * spec.tick_size_points as f64).parse::<f64>().unwrap(),
        "trade_contract_size": spec.contract_size,
        "volume_min": spec.volume.min.to_f64(),
        "volume_step": spec.volume.step.to_f64(),
        "volume_max": spec.volume.max.to_f64(),
        "volume_limit": most.map_or(0.0, Lots::to_f64),
        "trade_stops_level": spec.stops_level_points,
        "trade_freeze_level": spec.freeze_level_points,
        "trade_mode": match spec.trade_mode {
            TradeMode::Disabled => 0,
            TradeMode::LongOnly => 1,
            TradeMode::ShortOnly => 2,
            TradeMode::CloseOnly => 3,
            TradeMode::Full => 4,
        },
        "trade_exemode": match spec.execution {
            Execution::Request => 0,
            Execution::Instant => 1,
            Execution::Market => 2,
            Execution::Exchange => 3,
        },
        "filling_mode": spec.filling.0,
        "swap_mode": 1,
        "swap_long": spec.swap_long_points,
        "swap_short": spec.swap_short_points,
    })
}
