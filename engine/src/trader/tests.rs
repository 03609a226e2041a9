#![allow(clippy::unwrap_used)]

pub(crate) mod bars;
mod care;
mod exits;
mod flat;
mod halves;
mod in_flight;
mod late;
mod nobodys;
mod risk;
mod states;
mod turns;
mod unseen;

use super::*;
use crate::care::CareSettings;
use crate::risk::{
    Budget,
    testing::{account, settings as rules},
};
use crate::strategy::{At, Bar, Context, Distances, Entry, Level, Reverse, Series, Strategy};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountMode, BrokerTime, Edit, Execution, FillingModes, Levels, Money, OrderId, OrderType,
    PositionId, Price, Side, Tick, TradeMode, VolumeGrid,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
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
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let bid = tick.bid.points();
        let jump = bid - self.0.replace(bid).unwrap_or(bid);
        let side = if jump > 0 { Side::Buy } else { Side::Sell };
        let distances = Distances {
            stop: Some(200),
            take_profit: None,
        };
        if jump.abs() >= 100 {
            context.reverse(distances.market(side));
        }
    }
}

pub(crate) fn settings(name: &str, strategy: impl Strategy + 'static) -> StrategySettings {
    StrategySettings {
        name: name.into(),
        symbol: spec().symbol,
        budget: Budget::WHOLE,
        reverse: Reverse::CloseFirst,
        care: CareSettings::default(),
        strategy: Box::new(strategy),
    }
}

fn trader() -> Trader {
    trader_of(vec![settings("jumps", Jumps(None))])
}

fn trader_of(strategies: Vec<StrategySettings>) -> Trader {
    trader_under(Risk::new(rules("max_per_trade = 1.0")), strategies)
}

/// The trader under these rules, ready to trade an account of 10,000.
fn trader_under(risk: Risk, strategies: Vec<StrategySettings>) -> Trader {
    let mut trader = trader_without_snapshot(risk, strategies);
    trader.on_snapshot(snapshot(TradingState::Active));
    trader
}

pub(crate) fn trader_without_snapshot(risk: Risk, strategies: Vec<StrategySettings>) -> Trader {
    let mut ids = 0;
    let new_id = Box::new(move || {
        ids += 1;
        id(&format!("id-{ids}"))
    });
    let mut trader = Trader::new(strategies, risk, new_id);
    trader.specify(vec![spec()]);
    trader
}

fn id(text: &str) -> RequestId {
    RequestId::parse(text).unwrap()
}

pub(crate) fn snapshot(trading_state: TradingState) -> Snapshot {
    Snapshot {
        account_id: None,
        mode: AccountMode::Netting,
        positions: Vec::new(),
        is_whole: true,
        orders: Vec::new(),
        account: Some(account(10_000.0)),
        trading_state,
    }
}

/// Feeds quotes; the intents they led to.
fn feed(trader: &mut Trader, points: &[i64]) -> Vec<Intent> {
    let ticks = points.iter().map(|points| tick(0, *points));
    ticks
        .flat_map(|tick| trader.on_tick(&tick).intents)
        .collect()
}

pub(crate) fn tick(time: i64, points: i64) -> Tick {
    Tick {
        symbol: spec().symbol,
        time: BrokerTime(time),
        bid: Price::from_points(points, 5),
        ask: Price::from_points(points + 2, 5),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}

const DOWN: &[i64] = &[100_000, 100_010, 100_020, 99_900];
const UP: &[i64] = &[100_500];

fn order(request_id: &str, state: OrderState) -> Event {
    Event::Order(OrderUpdate {
        request_id: Some(id(request_id)),
        closes: None,
        state,
        filled: Lots::ZERO,
        refused: state == OrderState::Rejected,
        working: None,
    })
}

const POSITION: PositionId = PositionId(7);

pub(crate) fn held(side: Side) -> Held {
    Held {
        position_id: POSITION,
        symbol: spec().symbol,
        side,
        lots: Lots::from_f64(0.49).unwrap(),
        open_price: Some(Price::from_points(100_000, 5)),
        opened: None,
        levels: Levels::default(),
        tag: "jumps".into(),
    }
}

fn opened(side: Side) -> Event {
    Event::PositionChanged(held(side))
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
        trader.on_event(&order("id-1", OrderState::Filled)).intents,
        []
    );
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(close)] if close.position_id == POSITION));
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert!(matches!(&step.intents[..], [Intent::Submit(submit)] if submit.side == Side::Buy));
    assert_eq!(
        step.settled.unwrap().outcome,
        Outcome::Ended(OrderState::Filled)
    );
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
    assert!(step.intents.is_empty() && step.settled.is_some());
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
        (step.settled.map(|settled| settled.request_id), step.intents),
        (Some(id("old")), Vec::new())
    );
}

#[test]
fn an_order_may_end_before_its_position_is_told() {
    let mut trader = trader();
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    let step = trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(step.intents, [], "what is wanted is reached");
    assert_eq!(trader.on_event(&opened(Side::Sell)).intents, []);
    let intents = feed(&mut trader, UP);
    assert!(matches!(&intents[..], [Intent::Close(_)]), "{intents:?}");
    let filled = OrderUpdate {
        request_id: Some(intents[0].request_id().clone()),
        closes: Some(POSITION),
        state: OrderState::Filled,
        filled: Lots::from_f64(0.49).unwrap(),
        refused: false,
        working: None,
    };
    let step = trader.on_event(&Event::Order(filled));
    assert!(matches!(&step.intents[..], [Intent::Submit(_)]), "{step:?}");
    assert_eq!(trader.on_event(&CLOSED).intents, []);
}

/// Decides what it is told to, each on one tick; and hears of everything.
#[derive(Debug)]
struct Script {
    decisions: VecDeque<fn(&mut Context<'_>)>,
    series: Vec<Series>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Strategy for Script {
    fn series(&self) -> Vec<Series> {
        self.series.clone()
    }

    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        if let Some(decide) = self.decisions.pop_front() {
            decide(context);
        }
    }

    fn on_bar(&mut self, timeframe: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        let when = if context.is_live() { "live" } else { "past" };
        self.hear(format!("{when} {timeframe} {}", bar.time.0 / 60_000));
        context.reverse(Entry::market(Side::Buy).with_stop_loss(Level::Points(200)));
    }

    fn on_order(&mut self, order: &OrderUpdate, _: &mut Context<'_>) {
        self.hear(format!("order {:?}", order.state));
    }

    fn on_position(&mut self, position: &Held, _: &mut Context<'_>) {
        self.hear(format!("position {}", position.lots));
    }
}

impl Script {
    fn hear(&self, what: String) {
        self.heard.lock().unwrap().push(what);
    }
}

fn script(decisions: &[fn(&mut Context<'_>)]) -> Script {
    Script {
        decisions: decisions.iter().copied().collect(),
        series: Vec::new(),
        heard: Arc::default(),
    }
}

/// A trader whose one strategy decides so, a tick each.
fn deciding(decisions: &[fn(&mut Context<'_>)]) -> Trader {
    trader_of(vec![settings("jumps", script(decisions))])
}

/// One tick of a bid of 1.00000 and an ask of 1.00002.
fn go(trader: &mut Trader) -> Vec<Intent> {
    feed(trader, &[100_000])
}

fn price(points: i64) -> Price {
    Price::from_points(points, 5)
}

fn limit(context: &mut Context<'_>) {
    let entry = Entry::limit(Side::Buy, price(99_900));
    context.enter(entry.with_stop_loss(Level::Price(price(99_698))));
}

fn buy(context: &mut Context<'_>) {
    context.enter(Entry::market(Side::Buy).with_stop_loss(Level::Points(200)));
}

fn turn_to_buy(context: &mut Context<'_>) {
    context.reverse(Entry::market(Side::Buy).with_stop_loss(Level::Points(200)));
}

fn working(request_id: &str) -> OrderUpdate {
    OrderUpdate {
        request_id: Some(id(request_id)),
        closes: None,
        state: OrderState::Working,
        filled: Lots::ZERO,
        refused: false,
        working: Some(WorkingOrder {
            order_id: OrderId(9),
            request_id: id(request_id),
            symbol: spec().symbol,
            side: Side::Buy,
            kind: OrderType::Limit,
            lots: Lots::from_f64(0.48).unwrap(),
            price: Some(price(99_900)),
            levels: Levels {
                stop_loss: Some(price(99_698)),
                take_profit: None,
            },
            tag: "jumps".into(),
        }),
    }
}

#[test]
fn an_entry_with_a_price_is_placed_with_its_levels_and_cancelled() {
    let cancel: fn(&mut Context<'_>) = |context| {
        assert!(context.pending().is_some());
        context.cancel();
    };
    let mut trader = deciding(&[limit, cancel]);
    let intents = go(&mut trader);
    let [Intent::Submit(submit)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(submit.at, At::Limit(price(99_900)));
    assert_eq!(submit.levels.stop_loss, Some(price(99_698)));
    // It would be closed at the bid, 2 below: 200 points, twice the spread, and one tick.
    assert_eq!(submit.lots, Lots::from_f64(0.48).unwrap());
    assert!(!trader.is_idle());
    trader.on_event(&Event::Order(working("id-1")));
    assert!(trader.is_idle(), "it waits at the broker");
    let intents = go(&mut trader);
    assert!(matches!(&intents[..], [Intent::Cancel(cancel)] if cancel.order_id == OrderId(9)));
    assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
    assert!(trader.is_idle());
}

#[test]
fn a_new_entry_takes_the_place_of_the_order_that_waits() {
    let mut trader = deciding(&[limit, buy]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
    let step = trader.on_event(&order("id-1", OrderState::Canceled));
    assert!(matches!(&step.intents[..], [Intent::Submit(submit)] if submit.at == At::Market));
}

#[test]
fn an_exit_closes_the_position_and_then_cancels_what_waits() {
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let mut trader = deciding(&[limit, exit]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    trader.on_event(&opened(Side::Buy));
    assert!(matches!(&go(&mut trader)[..], [Intent::Close(_)]));
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert!(matches!(&step.intents[..], [Intent::Cancel(_)]), "{step:?}");
}

#[test]
fn an_exit_decided_before_the_position_is_told_is_not_lost() {
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let mut trader = deciding(&[buy, exit]);
    go(&mut trader);
    assert_eq!(go(&mut trader), [], "the entry is under way");
    let step = trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(step.intents, []);
    let step = trader.on_event(&opened(Side::Buy));
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
}

#[test]
fn of_a_reversal_decided_while_an_entry_is_under_way_the_exit_is_left() {
    let sell: fn(&mut Context<'_>) =
        |context| context.enter(Entry::market(Side::Sell).with_stop_loss(Level::Points(200)));
    let mut trader = deciding(&[sell, turn_to_buy]);
    go(&mut trader);
    go(&mut trader);
    trader.on_event(&order("id-1", OrderState::Filled));
    let step = trader.on_event(&opened(Side::Sell));
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert_eq!(step.intents, [], "it was decided before the entry's end");
}

#[test]
fn an_entry_lapses_where_a_position_is_held() {
    let mut trader = deciding(&[buy]);
    trader.on_event(&opened(Side::Sell));
    assert_eq!(go(&mut trader), []);
}

#[test]
fn the_stop_of_a_position_is_moved() {
    let trail: fn(&mut Context<'_>) = |context| context.move_stop(price(99_950));
    let mut trader = deciding(&[trail, trail]);
    assert_eq!(go(&mut trader), [], "nothing is held");
    trader.on_event(&opened(Side::Buy));
    let intents = go(&mut trader);
    let [Intent::Move(change)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(change.position_id, POSITION);
    assert_eq!(change.levels.stop_loss, Edit::Set(price(99_950)));
    assert_eq!(change.levels.take_profit, Edit::Keep);
    assert!(!trader.is_idle());
    assert_eq!(trader.on_changed(&id("id-1"), true), Step::default());
    assert!(trader.is_idle());
}

#[test]
fn a_stop_on_the_wrong_side_or_none_refuses_the_entry() {
    let wrong: fn(&mut Context<'_>) = |context| {
        let entry = Entry::market(Side::Buy);
        context.enter(entry.with_stop_loss(Level::Price(price(100_100))));
    };
    let none: fn(&mut Context<'_>) = |context| context.enter(Entry::market(Side::Buy));
    let mut trader = deciding(&[wrong, none]);
    assert_eq!(go(&mut trader), []);
    assert_eq!(go(&mut trader), []);
    assert!(trader.is_idle());
}

fn at_once(decisions: &[fn(&mut Context<'_>)]) -> Trader {
    let settings = StrategySettings {
        reverse: Reverse::OneOrder,
        ..settings("jumps", script(decisions))
    };
    trader_of(vec![settings])
}

#[test]
fn a_reversal_at_once_is_one_order_of_both_volumes() {
    let mut trader = at_once(&[turn_to_buy]);
    trader.on_event(&opened(Side::Sell));
    let intents = go(&mut trader);
    let [Intent::Submit(submit)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(submit.side, Side::Buy);
    assert_eq!(submit.lots, Lots::from_f64(0.48 + 0.49).unwrap());
}

#[test]
fn a_reversal_at_once_only_closes_where_nothing_may_be_opened_or_positions_do_not_net() {
    for (state, mode) in [
        (TradingState::Halted, AccountMode::Netting),
        (TradingState::Active, AccountMode::Hedging),
    ] {
        let mut trader = at_once(&[turn_to_buy]);
        trader.on_snapshot(Snapshot {
            mode,
            ..snapshot(state)
        });
        trader.on_event(&opened(Side::Sell));
        assert!(
            matches!(&go(&mut trader)[..], [Intent::Close(_)]),
            "{mode:?}"
        );
    }
}

#[test]
fn strategies_share_a_symbol_only_where_positions_do_not_net() {
    let pair = || {
        let other = settings("other", script(&[turn_to_buy]));
        trader_of(vec![settings("jumps", script(&[turn_to_buy])), other])
    };
    let mut netting = pair();
    assert_eq!(netting.shared_symbol(), Some(&spec().symbol));
    assert_eq!(go(&mut netting), []);
    let mut hedging = pair();
    hedging.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    assert_eq!(hedging.shared_symbol(), None);
    // The position is the first one's, which turns it; the other one opens its own.
    hedging.on_event(&opened(Side::Sell));
    let intents = go(&mut hedging);
    assert!(
        matches!(&intents[..], [Intent::Close(close), Intent::Submit(submit)]
            if close.tag == "jumps" && submit.tag == "other"),
        "{intents:?}"
    );
}

#[test]
fn each_strategy_has_a_budget_of_its_own() {
    // The whole is 1 % of 10,000: 0.48 lots.
    for (budget, lots) in [
        (Budget::Share(50.0), 0.24),
        (Budget::Own(0.25), 0.12),
        (Budget::Own(5.0), 0.48),
    ] {
        let settings = StrategySettings {
            budget,
            ..settings("jumps", script(&[buy]))
        };
        let intents = go(&mut trader_of(vec![settings]));
        let [Intent::Submit(submit)] = &intents[..] else {
            panic!("{intents:?}")
        };
        assert_eq!(submit.lots, Lots::from_f64(lots).unwrap(), "{budget:?}");
    }
}

#[test]
fn a_strategy_hears_of_its_orders_and_positions() {
    let script = script(&[turn_to_buy]);
    let heard = Arc::clone(&script.heard);
    let mut trader = trader_of(vec![settings("jumps", script)]);
    trader.on_event(&opened(Side::Sell));
    go(&mut trader);
    let closed = OrderUpdate {
        closes: Some(POSITION),
        filled: Lots::from_f64(0.49).unwrap(),
        refused: false,
        working: None,
        state: OrderState::Filled,
        request_id: Some(id("id-1")),
    };
    trader.on_event(&Event::Order(closed));
    trader.on_event(&CLOSED);
    trader.on_refused(&id("id-2"), "LIMIT_LOTS".into());
    let heard = heard.lock().unwrap();
    let expected = [
        "position 0.49",
        "order Filled",
        "position 0.00",
        "order Rejected",
    ];
    assert_eq!(*heard, expected);
}

#[test]
fn bars_wait_for_their_past_which_decides_nothing() {
    let m1 = Series {
        timeframe: Timeframe::M1,
        warm_up: 2,
    };
    let script = Script {
        series: vec![m1],
        ..script(&[])
    };
    let heard = Arc::clone(&script.heard);
    let mut trader = trader_of(vec![settings("jumps", script)]);
    trader.await_history();
    let wanted = WarmUp {
        symbol: spec().symbol,
        timeframe: Timeframe::M1,
        bars: 3,
    };
    assert_eq!(trader.warm_ups(), [wanted]);
    let minute = 60_000;
    trader.on_tick(&tick(0, 100_000));
    trader.on_tick(&tick(minute, 100_000));
    assert!(heard.lock().unwrap().is_empty());
    let bar = |minutes: i64| Bar {
        symbol: spec().symbol,
        time: BrokerTime(minutes * minute),
        open: price(100_000),
        high: price(100_000),
        low: price(100_000),
        close: price(100_000),
        tick_volume: 1,
        real_volume: 0,
        spread_points: 2,
    };
    let history = History {
        finished: vec![bar(-3), bar(-2), bar(-1)],
        running: Some(bar(0)),
    };
    trader.on_history(&spec().symbol, Timeframe::M1, &history);
    assert_eq!(trader.warm_ups(), []);
    assert!(trader.is_idle(), "the past decides nothing");
    assert_eq!(trader.on_tick(&tick(1, 100_000)).intents, []);
    let step = trader.on_tick(&tick(minute, 100_000));
    assert!(matches!(&step.intents[..], [Intent::Submit(_)]), "{step:?}");
    assert_eq!(
        *heard.lock().unwrap(),
        ["past M1 -2", "past M1 -1", "live M1 0"]
    );
}

#[test]
fn an_order_that_could_not_be_recorded_is_not_waited_for() {
    let mut trader = deciding(&[buy, buy]);
    go(&mut trader);
    trader.on_snapshot(snapshot(TradingState::Active));
    trader.on_records(|_| Ok(Record::Open)).unwrap();
    assert!(!trader.is_idle());
    trader.on_records(|_| Ok(Record::Never)).unwrap();
    assert!(trader.is_idle());
    assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
}

#[test]
fn what_was_wanted_before_a_new_session_is_no_reason_to_trade_now() {
    let mut trader = deciding(&[turn_to_buy, limit]);
    trader.on_event(&opened(Side::Sell));
    assert!(matches!(&go(&mut trader)[..], [Intent::Close(_)]));
    trader.on_snapshot(snapshot(TradingState::Active));
    let step = trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(step.intents, [], "{step:?}");
    // An order that waits at the broker is not waited for here.
    go(&mut trader);
    assert!(!trader.is_idle());
    trader.on_snapshot(Snapshot {
        orders: working("id-2").working.into_iter().collect(),
        ..snapshot(TradingState::Active)
    });
    assert!(trader.is_idle());
}
