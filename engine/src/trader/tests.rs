#![allow(clippy::unwrap_used)]
use super::*;
use crate::strategy::{Distances, Signal, Strategy};
use mymt5_model::{
    BrokerTime, Execution, FillingModes, Lots, Price, Side, Tick, TradeMode, VolumeGrid,
};

/// EURUSD in a USD account: a point of one lot is worth 1 USD.
pub(crate) fn spec() -> SymbolSpec {
    SymbolSpec {
        symbol: Symbol::parse("EURUSD").unwrap(),
        description: String::new(),
        digits: 5,
        tick_size_points: 1,
        contract_size: 100_000.0,
        volume: VolumeGrid {
            min: Lots::from_units(1_000_000),
            step: Lots::from_units(1_000_000),
            max: Lots::from_units(10_000_000_000),
        },
        stops_level_points: 0,
        freeze_level_points: 0,
        trade_mode: TradeMode::Full,
        execution: Execution::Market,
        filling: FillingModes(0),
        base_currency: "EUR".into(),
        quote_currency: "USD".into(),
        tick_value: Some(1.0),
        swap_long_points: 0.0,
        swap_short_points: 0.0,
    }
}

/// Follows each jump of 100 points or more.
#[derive(Debug)]
struct Jumps(Option<i64>);

impl Strategy for Jumps {
    fn on_tick(&mut self, tick: &Tick) -> Option<Signal> {
        let bid = tick.bid.points();
        let jump = bid - self.0.replace(bid)?;
        let side = if jump > 0 { Side::Buy } else { Side::Sell };
        let distances = Distances {
            stop: 200,
            take_profit: None,
        };
        (jump.abs() >= 100).then_some(Signal { side, distances })
    }
}

fn trader() -> Trader {
    let strategy = StrategySettings {
        name: "jumps".into(),
        symbol: spec().symbol,
        strategy: Box::new(Jumps(None)),
    };
    let mut ids = 0;
    let new_id = Box::new(move || {
        ids += 1;
        format!("id-{ids}")
    });
    let risk = RiskSettings {
        max_per_trade_percent: 1.0,
        max_lots: None,
    };
    let mut trader = Trader::new(vec![strategy], risk, new_id);
    trader.specify(vec![spec()]);
    trader.on_snapshot(&snapshot(v1::TradingState::Active));
    trader
}

fn snapshot(state: v1::TradingState) -> v1::GetSnapshotResponse {
    let account = v1::Account {
        equity: 10_000.0,
        ..Default::default()
    };
    v1::GetSnapshotResponse {
        account: Some(account),
        trading_state: state.into(),
        ..Default::default()
    }
}

/// Feeds quotes; the intents they led to.
fn feed(trader: &mut Trader, points: &[i64]) -> Vec<Intent> {
    let tick = |points: i64| Tick {
        symbol: spec().symbol,
        time: BrokerTime(0),
        bid: Price::from_points(points, 5),
        ask: Price::from_points(points + 2, 5),
        last: None,
        volume: 0.0,
        flags: 6,
    };
    points
        .iter()
        .filter_map(|points| trader.on_tick(&tick(*points)).intent)
        .collect()
}

const DOWN: &[i64] = &[100_000, 100_010, 100_020, 99_900];
const UP: &[i64] = &[100_500];

fn order(id: &str, state: v1::OrderState) -> Event {
    let order = v1::Order {
        client_order_id: id.into(),
        state: state.into(),
        ..Default::default()
    };
    Event::OrderChanged(v1::OrderChanged { order: Some(order) })
}

fn position(side: Side) -> v1::Position {
    let side = v1::Side::from(side).into();
    v1::Position {
        position_id: 7,
        symbol: "EURUSD".into(),
        side,
        lots: 0.49,
        ..Default::default()
    }
}

fn opened(side: Side) -> Event {
    Event::PositionChanged(v1::PositionChanged {
        position: Some(position(side)),
    })
}

fn closed(side: Side) -> Event {
    Event::PositionClosed(v1::PositionClosed {
        position: Some(position(side)),
    })
}

#[test]
fn a_signal_opens_with_a_stop_sized_by_risk() {
    let intents = feed(&mut trader(), DOWN);
    let [Intent::Submit(request)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(
        (
            request.side(),
            request.request_id.as_str(),
            request.tag.as_str()
        ),
        (v1::Side::Sell, "id-1", "jumps")
    );
    assert_eq!(request.stop_loss, Some(1.00102));
    // 100.00 at risk over 200 points, twice the spread of 2, and one tick.
    assert_eq!(request.lots, 0.48);
}

#[test]
fn a_reversal_closes_first_and_opens_once_the_close_is_filled() {
    let mut trader = trader();
    feed(&mut trader, DOWN);
    trader.on_event(&opened(Side::Sell));
    assert_eq!(
        trader
            .on_event(&order("id-1", v1::OrderState::Filled))
            .intent,
        None
    );
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(request)] if request.position_id == 7));
    trader.on_event(&closed(Side::Sell));
    let step = trader.on_event(&order("id-2", v1::OrderState::Filled));
    assert!(
        matches!(step.intent, Some(Intent::Submit(request)) if request.side() == v1::Side::Buy)
    );
    assert_eq!(step.settled.unwrap().outcome, "ORDER_STATE_FILLED");
}

#[test]
fn one_order_in_flight_never_two() {
    let mut trader = trader();
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    assert!(feed(&mut trader, &[100_500, 99_000, 101_000, 98_000]).is_empty());
    for state in [
        v1::OrderState::Accepted,
        v1::OrderState::Sent,
        v1::OrderState::Unknown,
    ] {
        assert_eq!(trader.on_event(&order("id-1", state)), Step::default());
    }
}

#[test]
fn it_is_idle_while_no_order_is_under_way() {
    let mut trader = trader();
    assert!(trader.is_idle());
    feed(&mut trader, DOWN);
    trader.on_event(&order("id-1", v1::OrderState::Sent));
    assert!(!trader.is_idle());
    trader.on_event(&order("id-1", v1::OrderState::Filled));
    assert!(trader.is_idle());
}

#[test]
fn a_rejected_order_waits_for_the_next_signal() {
    let mut trader = trader();
    feed(&mut trader, DOWN);
    let step = trader.on_event(&order("id-1", v1::OrderState::Rejected));
    assert!(step.intent.is_none() && step.settled.is_some());
    assert_eq!(feed(&mut trader, UP).len(), 1);
}

#[test]
fn nothing_is_opened_while_the_gateway_forbids_it_and_exits_still_go() {
    let mut trader = trader();
    trader.on_snapshot(&snapshot(v1::TradingState::Halted));
    assert!(feed(&mut trader, DOWN).is_empty());
    trader.on_event(&opened(Side::Sell));
    assert!(matches!(&feed(&mut trader, UP)[..], [Intent::Close(_)]));
}

#[test]
fn the_order_of_another_run_ends_without_a_step() {
    let mut trader = trader();
    let step = trader.on_event(&order("old", v1::OrderState::Filled));
    assert_eq!(
        (step.settled.map(|settled| settled.request_id), step.intent),
        (Some("old".into()), None)
    );
}

#[test]
fn an_order_may_end_before_its_position_is_told() {
    let mut trader = trader();
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    let step = trader.on_event(&order("id-1", v1::OrderState::Filled));
    assert_eq!(step.intent, None, "what is wanted is reached");
    assert_eq!(trader.on_event(&opened(Side::Sell)).intent, None);
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(_)]), "{intents:?}");
    let filled = v1::Order {
        client_order_id: intents[0].request_id().to_owned(),
        action: v1::OrderAction::Close.into(),
        state: v1::OrderState::Filled.into(),
        position_id: 7,
        filled_lots: 0.49,
        ..Default::default()
    };
    let step = trader.on_event(&Event::OrderChanged(v1::OrderChanged {
        order: Some(filled),
    }));
    assert!(matches!(step.intent, Some(Intent::Submit(_))), "{step:?}");
    assert_eq!(trader.on_event(&closed(Side::Sell)).intent, None);
}
