#![allow(clippy::unwrap_used)]

mod risk;

use super::*;
use crate::risk::{
    Open,
    testing::{account, settings},
};
use crate::strategy::{Distances, Reverse, Signal, Strategy};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountMode, BrokerTime, Execution, FillingModes, Lots, Money, PositionId, Price, Side, Tick,
    TradeMode, VolumeGrid,
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
            stop: Some(200),
            take_profit: None,
        };
        (jump.abs() >= 100).then_some(Signal { side, distances })
    }
}

fn trader() -> Trader {
    trader_of(Risk::new(settings("max_per_trade = 1.0")))
}

/// The trader under these rules, ready to trade an account of 10,000.
fn trader_of(risk: Risk) -> Trader {
    let mut trader = trader_without_snapshot(risk, Reverse::CloseFirst);
    trader.on_snapshot(snapshot(TradingState::Active));
    trader
}

fn trader_that(reverse: Reverse) -> Trader {
    let risk = Risk::new(settings("max_per_trade = 1.0"));
    let mut trader = trader_without_snapshot(risk, reverse);
    trader.on_snapshot(snapshot(TradingState::Active));
    trader
}

fn trader_without_snapshot(risk: Risk, reverse: Reverse) -> Trader {
    let strategy = StrategySettings {
        name: "jumps".into(),
        symbol: spec().symbol,
        reverse,
        strategy: Box::new(Jumps(None)),
    };
    let mut ids = 0;
    let new_id = Box::new(move || {
        ids += 1;
        id(&format!("id-{ids}"))
    });
    let mut trader = Trader::new(vec![strategy], risk, new_id);
    trader.specify(vec![spec()]);
    trader
}

fn id(text: &str) -> RequestId {
    RequestId::parse(text).unwrap()
}

fn snapshot(trading_state: TradingState) -> Snapshot {
    Snapshot {
        mode: AccountMode::Hedging,
        positions: Vec::new(),
        account: Some(account(10_000.0)),
        trading_state,
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

fn order(request_id: &str, state: OrderState) -> Event {
    Event::Order(OrderUpdate {
        request_id: Some(id(request_id)),
        closes: None,
        state,
        filled: Lots::ZERO,
    })
}

const POSITION: PositionId = PositionId(7);

fn opened(side: Side) -> Event {
    Event::PositionChanged(Held {
        position_id: POSITION,
        symbol: spec().symbol,
        side,
        lots: Lots::from_f64(0.49).unwrap(),
        open_price: 1.0,
        stop_loss: None,
    })
}

const CLOSED: Event = Event::PositionClosed(POSITION, Some(Money::ZERO));

#[test]
fn a_signal_opens_with_a_stop_sized_by_risk() {
    let intents = feed(&mut trader(), DOWN);
    let [Intent::Submit(submit)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(
        (submit.side, submit.request_id.as_str(), submit.tag.as_str()),
        (Side::Sell, "id-1", "jumps")
    );
    let stop = Price::from_points(100_102, 5);
    assert_eq!(submit.levels.stop_loss, Some(stop));
    // 100.00 at risk over 200 points, twice the spread of 2, and one tick.
    assert_eq!(submit.lots, Lots::from_f64(0.48).unwrap());
}

#[test]
fn a_reversal_closes_first_and_opens_once_the_close_is_filled() {
    let mut trader = trader();
    feed(&mut trader, DOWN);
    trader.on_event(&opened(Side::Sell));
    assert_eq!(
        trader.on_event(&order("id-1", OrderState::Filled)).intent,
        None
    );
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(close)] if close.position_id == POSITION));
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert!(matches!(step.intent, Some(Intent::Submit(submit)) if submit.side == Side::Buy));
    assert_eq!(
        step.settled.unwrap().outcome,
        Outcome::Ended(OrderState::Filled)
    );
}

#[test]
fn one_order_reverses_a_position_where_positions_net() {
    let mut trader = trader_that(Reverse::OneOrder);
    let nets = |mode| Snapshot {
        mode,
        ..snapshot(TradingState::Active)
    };
    trader.on_snapshot(nets(AccountMode::Netting));
    trader.on_event(&opened(Side::Sell));
    feed(&mut trader, &DOWN[..3]);
    let intents = feed(&mut trader, UP);
    let [Intent::Submit(submit)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(submit.side, Side::Buy);
    // What is held, and the 0.48 lots that the risk allows.
    assert_eq!(submit.lots, Lots::from_f64(0.97).unwrap());

    let mut trader = trader_that(Reverse::OneOrder);
    trader.on_snapshot(nets(AccountMode::Hedging));
    trader.on_event(&opened(Side::Sell));
    feed(&mut trader, &DOWN[..3]);
    assert!(matches!(&feed(&mut trader, UP)[..], [Intent::Close(_)]));
}

#[test]
fn one_order_in_flight_never_two() {
    let mut trader = trader();
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    assert!(feed(&mut trader, &[100_500, 99_000, 101_000, 98_000]).is_empty());
    for state in [OrderState::Accepted, OrderState::Sent, OrderState::Unknown] {
        assert_eq!(trader.on_event(&order("id-1", state)), Step::default());
    }
}

#[test]
fn it_is_idle_while_no_order_is_under_way() {
    let mut trader = trader();
    assert!(trader.is_idle());
    feed(&mut trader, DOWN);
    trader.on_event(&order("id-1", OrderState::Sent));
    assert!(!trader.is_idle());
    trader.on_event(&order("id-1", OrderState::Filled));
    assert!(trader.is_idle());
}

#[test]
fn a_rejected_order_waits_for_the_next_signal() {
    let mut trader = trader();
    feed(&mut trader, DOWN);
    let step = trader.on_event(&order("id-1", OrderState::Rejected));
    assert!(step.intent.is_none() && step.settled.is_some());
    assert_eq!(feed(&mut trader, UP).len(), 1);
}

#[test]
fn nothing_is_opened_while_the_gateway_forbids_it_and_exits_still_go() {
    let mut trader = trader();
    trader.on_snapshot(snapshot(TradingState::Halted));
    assert!(feed(&mut trader, DOWN).is_empty());
    trader.on_event(&opened(Side::Sell));
    assert!(matches!(&feed(&mut trader, UP)[..], [Intent::Close(_)]));
}

#[test]
fn the_order_of_another_run_ends_without_a_step() {
    let mut trader = trader();
    let step = trader.on_event(&order("old", OrderState::Filled));
    assert_eq!(
        (step.settled.map(|settled| settled.request_id), step.intent),
        (Some(id("old")), None)
    );
}

#[test]
fn an_order_may_end_before_its_position_is_told() {
    let mut trader = trader();
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    let step = trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(step.intent, None, "what is wanted is reached");
    assert_eq!(trader.on_event(&opened(Side::Sell)).intent, None);
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(_)]), "{intents:?}");
    let filled = OrderUpdate {
        request_id: Some(intents[0].request_id().clone()),
        closes: Some(POSITION),
        state: OrderState::Filled,
        filled: Lots::from_f64(0.49).unwrap(),
    };
    let step = trader.on_event(&Event::Order(filled));
    assert!(matches!(step.intent, Some(Intent::Submit(_))), "{step:?}");
    assert_eq!(trader.on_event(&CLOSED).intent, None);
}
