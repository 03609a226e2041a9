//! What a refused call tells its caller: a sample of each limit, and of each level and volume that
//! the core judges.
#![allow(clippy::unwrap_used)]

use crate::{
    entries::check_sides,
    exits::{check_size, lots_of_exit},
};
use mymt5_chassis::testing::messages::Messages;
use mymt5_guard::{EntryFacts, Exposure, Limits, Percent, StopFacts};
use mymt5_model::{Levels, Lots, Money, Price, Side, Symbol, SymbolSpec};
use std::{collections::BTreeSet, path::Path};

#[test]
fn every_refusal_names_what_is_wrong_and_what_to_do() {
    let mut messages = Messages::default();
    of_limits(&mut messages);
    of_levels(&mut messages);
    of_lots(&mut messages);
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/messages.txt");
    messages.compare(&list).unwrap();
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

fn limits() -> Limits {
    let percent = |share: f64| Percent::try_from(share).ok();
    Limits {
        symbols: None,
        max_lots_per_order: Some(lots(0.5)),
        max_lots_per_symbol: Some(lots(1.0)),
        max_lots_total: Some(lots(2.0)),
        max_open_positions: Some(3),
        max_open_orders: Some(4),
        max_orders_per_minute: Some(5),
        require_stop_loss: true,
        min_stop_distance_points: Some(20),
        max_stop_distance_points: Some(500),
        max_price_distance: percent(2.5),
        max_spread_points: Some(30),
        max_margin_use: percent(50.0),
        max_risk_per_trade: percent(1.5),
    }
}

fn facts() -> EntryFacts {
    EntryFacts {
        symbol: Symbol::parse("EURUSD").unwrap(),
        lots: lots(0.5),
        stop: Some(StopFacts {
            distance_points: Some(100),
            risk: Money::from_f64(100.0).ok(),
        }),
        price_distance_percent: Some(0.0),
        spread_points: Some(10),
        exposure: Exposure::default(),
        equity: Money::from_f64(10_000.0).ok(),
        margin_after: Money::from_f64(1_000.0).ok(),
    }
}

/// Each limit, and each fact that is missing, alone in an entry's way.
fn of_limits(messages: &mut Messages) {
    type Case = (&'static str, fn(&mut Limits, &mut EntryFacts));
    let cases: [Case; 17] = [
        ("limits.symbols", |limits, _| {
            limits.symbols = Some(BTreeSet::new());
        }),
        ("limits.max_lots_per_order", |_, facts| {
            facts.lots = lots(0.6)
        }),
        ("limits.max_lots_per_symbol", |_, facts| {
            facts.exposure.lots_of_symbol = lots(0.8);
        }),
        ("limits.max_lots_total", |_, facts| {
            facts.exposure.lots_total = lots(1.8);
        }),
        ("limits.max_open_positions", |_, facts| {
            facts.exposure.positions = 3;
        }),
        ("limits.max_open_orders", |_, facts| {
            facts.exposure.orders = 4
        }),
        ("limits.max_orders_per_minute", |_, facts| {
            facts.exposure.recent_entries = 5;
        }),
        ("limits.require_stop_loss", |_, facts| facts.stop = None),
        ("limits.min_stop_distance_points", |_, facts| {
            stop(facts).distance_points = Some(600);
        }),
        ("limits.max_price_distance_percent", |_, facts| {
            facts.price_distance_percent = Some(3.0);
        }),
        ("limits.max_spread_points", |_, facts| {
            facts.spread_points = Some(31);
        }),
        ("limits.max_margin_use_percent", |_, facts| {
            facts.margin_after = Money::from_f64(6_000.0).ok();
        }),
        ("limits.max_risk_per_trade_percent", |_, facts| {
            stop(facts).risk = Money::from_f64(200.0).ok();
        }),
        ("stop distance", |_, facts| {
            stop(facts).distance_points = None;
        }),
        ("risk to the stop", |_, facts| stop(facts).risk = None),
        ("margin", |_, facts| facts.margin_after = None),
        ("spread", |_, facts| facts.spread_points = None),
    ];
    for (subject, stand_in_the_way) in cases {
        let (mut limits, mut facts) = (limits(), facts());
        stand_in_the_way(&mut limits, &mut facts);
        messages.error(subject, &limits.check(&facts).unwrap_err());
    }
}

fn stop(facts: &mut EntryFacts) -> &mut StopFacts {
    facts.stop.as_mut().unwrap()
}

fn spec() -> SymbolSpec {
    let mut spec = mymt5_simulator::catalogue::spec(&Symbol::parse("EURUSD").unwrap());
    spec.stops_level_points = 10;
    spec
}

fn of_levels(messages: &mut Messages) {
    let price = |points| Price::from_points(points, 5);
    for points in [110_100, 109_995] {
        let levels = Levels {
            stop_loss: Some(price(points)),
            take_profit: None,
        };
        let refused = check_sides(Side::Buy, levels, price(110_000), &spec());
        messages.error("stop_loss", &refused.unwrap_err());
    }
    for points in [109_900, 110_005] {
        let levels = Levels {
            stop_loss: None,
            take_profit: Some(price(points)),
        };
        let refused = check_sides(Side::Buy, levels, price(110_000), &spec());
        messages.error("take_profit", &refused.unwrap_err());
    }
}

fn of_lots(messages: &mut Messages) {
    for wrong in [-1.0, 0.001, 0.015] {
        let refused = lots_of_exit(wrong, lots(1.0), Some(&spec()));
        messages.error("lots", &refused.unwrap_err());
    }
    let refused = check_size(lots(250.0), Some(&spec()));
    messages.error("lots", &refused.unwrap_err());
}
