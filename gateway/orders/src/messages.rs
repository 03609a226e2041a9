//! What a refused call tells its caller: a sample of each limit, and of each level and volume that
//! the core judges.
#![allow(clippy::unwrap_used)]

use crate::{
    entries::check_sides,
    exits::{check_size, lots_of_exit},
    exposure::{Whose, entry_refusal},
};
use mymt5_chassis::{every_variant, testing::messages::Messages};
use mymt5_guard::{Fact, LimitReached, Limits, Percent};
use mymt5_model::{Levels, Lots, Price, Side, Symbol, SymbolSpec};
use std::path::Path;

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

fn of_limits(messages: &mut Messages) {
    for limit in every_variant!(LimitReached:
        LimitReached::Symbol => LimitReached::Symbol,
        LimitReached::LotsPerOrder => LimitReached::LotsPerOrder,
        LimitReached::LotsPerSymbol => LimitReached::LotsPerSymbol,
        LimitReached::LotsTotal => LimitReached::LotsTotal,
        LimitReached::OpenPositions => LimitReached::OpenPositions,
        LimitReached::OpenOrders => LimitReached::OpenOrders,
        LimitReached::OrdersPerMinute => LimitReached::OrdersPerMinute,
        LimitReached::StopLossMissing => LimitReached::StopLossMissing,
        LimitReached::StopDistance => LimitReached::StopDistance,
        LimitReached::PriceCollar => LimitReached::PriceCollar,
        LimitReached::Spread => LimitReached::Spread,
        LimitReached::Margin => LimitReached::Margin,
        LimitReached::Risk => LimitReached::Risk,
        LimitReached::DailyLoss => LimitReached::DailyLoss,
        LimitReached::Drawdown => LimitReached::Drawdown,
        LimitReached::FactMissing(_) => LimitReached::FactMissing(Fact::Equity),
    ) {
        let subject = match limit {
            LimitReached::FactMissing(_) => "equity",
            _ => "limits.",
        };
        messages.error(subject, &entry_refusal(Whose::Account, &limits(), limit));
    }
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
