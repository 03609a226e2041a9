//! Between the wire and the trader's words: what comes in is checked here, and trusted from here on.

use crate::{
    bars::{History, Timeframe},
    portfolio::{Scope, is_refused},
    strategy::At,
    trader::{Account, Event, Held, Intent, OrderUpdate, Outcome, Snapshot, WarmUp, WorkingOrder},
};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountId, AccountMode, Bar, BrokerTime, Edit, Levels, Lots, Moment, Money, OrderId,
    OrderState, OrderType, PositionId, Price, RequestId, Retcode, Side, Symbol, SymbolSpec,
};
use mymt5_proto::{parse_enum, v1};
use prost::Message;
use std::collections::HashMap;
use v1::stream_events_response::Event as WireEvent;

/// An intent as it is sent.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Submit(v1::SubmitOrderRequest),
    Close(v1::ClosePositionRequest),
    Move(v1::ModifyPositionRequest),
    Cancel(v1::CancelOrderRequest),
}

/// The symbols that the trader knows, by their names.
pub(super) type Specs = HashMap<String, SymbolSpec>;

impl Request {
    /// Binds an intent to a process and a time: past that time of the gateway's clock it is refused, so
    /// that a call which was held up on the way never trades.
    pub(super) fn of(intent: &Intent, session_id: &str, not_after_ms: i64) -> Self {
        let session_id = session_id.to_owned();
        let not_after = Some(not_after_ms);
        match intent {
            Intent::Submit(submit) => Self::Submit(v1::SubmitOrderRequest {
                request_id: submit.request_id.to_string(),
                symbol: submit.symbol.to_string(),
                side: v1::Side::from(submit.side).into(),
                r#type: order_type(submit.at).into(),
                price: price(submit.at),
                lots: submit.lots.to_f64(),
                stop_loss: submit.levels.stop_loss.map(|price| price.to_f64()),
                take_profit: submit.levels.take_profit.map(|price| price.to_f64()),
                tag: submit.tag.clone(),
                not_after,
                session_id,
                ..Default::default()
            }),
            Intent::Close(close) => Self::Close(v1::ClosePositionRequest {
                request_id: close.request_id.to_string(),
                position_id: close.position_id.0,
                lots: close.lots.map(Lots::to_f64),
                tag: close.tag.clone(),
                not_after,
                session_id,
                ..Default::default()
            }),
            Intent::Move(change) => Self::Move(v1::ModifyPositionRequest {
                request_id: change.request_id.to_string(),
                position_id: change.position_id.0,
                stop_loss: edit(change.levels.stop_loss),
                take_profit: edit(change.levels.take_profit),
                not_after,
                session_id,
            }),
            Intent::Cancel(cancel) => Self::Cancel(v1::CancelOrderRequest {
                request_id: cancel.request_id.to_string(),
                order_id: cancel.order_id.0,
                not_after,
                session_id,
            }),
        }
    }

    /// The method that takes it.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Submit(_) => "SubmitOrder",
            Self::Close(_) => "ClosePosition",
            Self::Move(_) => "ModifyPosition",
            Self::Cancel(_) => "CancelOrder",
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Submit(request) => request.encode_to_vec(),
            Self::Close(request) => request.encode_to_vec(),
            Self::Move(request) => request.encode_to_vec(),
            Self::Cancel(request) => request.encode_to_vec(),
        }
    }
}

const fn order_type(at: At) -> v1::OrderType {
    match at {
        At::Market => v1::OrderType::Market,
        At::Limit(_) => v1::OrderType::Limit,
        At::Stop(_) => v1::OrderType::Stop,
    }
}

fn price(at: At) -> Option<f64> {
    match at {
        At::Market => None,
        At::Limit(price) | At::Stop(price) => Some(price.to_f64()),
    }
}

/// An absent level is kept, 0 removes it.
fn edit(edit: Edit<Price>) -> Option<f64> {
    match edit {
        Edit::Keep => None,
        Edit::Remove => Some(0.0),
        Edit::Set(price) => Some(price.to_f64()),
    }
}

/// An intent's end for the record.
pub(super) fn outcome_name(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Ended(state) => v1::OrderState::from(*state).as_str_name(),
        Outcome::Refused(reason) => reason,
    }
}

/// What a trader begins with.
pub(super) fn snapshot(wire: &v1::GetSnapshotResponse, specs: &Specs) -> Snapshot {
    let positions = wire.positions.iter();
    let positions: Vec<Held> = positions.filter_map(|wire| held(wire, specs)).collect();
    let orders = wire.orders.iter();
    let mode = wire.account.as_ref().map_or(0, |account| account.mode);
    let mode = parse_enum::<v1::AccountMode, AccountMode>(mode, "");
    Snapshot {
        account_id: AccountId::parse(&wire.account_id).ok(),
        // Where positions do not net, a close names its position: that is right on both.
        mode: mode.unwrap_or(AccountMode::Hedging),
        is_whole: positions.len() == wire.positions.len(),
        positions,
        orders: orders.filter_map(|wire| working(wire, specs)).collect(),
        account: wire.account.as_ref().and_then(figures),
        trading_state: trading_state(wire.trading_state()),
    }
}

/// What a trader learns by an event; none: it does not concern it.
pub(super) fn event(wire: &WireEvent, specs: &Specs) -> Option<Event> {
    match wire {
        WireEvent::OrderChanged(changed) => {
            let order = changed.order.as_ref();
            let update = order.and_then(|wire| self::order(wire, specs));
            update.map(Event::Order)
        }
        WireEvent::PositionChanged(changed) => {
            let position = changed.position.as_ref();
            position.map(|wire| {
                let unknown = Event::PositionUnknown(PositionId(wire.position_id));
                held(wire, specs).map_or(unknown, Event::PositionChanged)
            })
        }
        WireEvent::DealAdded(added) => added.deal.as_ref().and_then(super::deals::event),
        WireEvent::PositionClosed(closed) => {
            let position = closed.position.as_ref();
            position.map(|position| {
                let result = Money::from_f64(position.profit + position.swap).ok();
                Event::PositionClosed(PositionId(position.position_id), result)
            })
        }
        WireEvent::BalanceChanged(changed) => {
            let amount = changed.deal.as_ref().map(|deal| deal.profit);
            let amount = amount.and_then(|amount| Money::from_f64(amount).ok());
            amount.map(Event::Flow)
        }
        WireEvent::AccountUpdate(update) => update.account.as_ref().map(account),
        WireEvent::TradingStateChanged(changed) => {
            let state = trading_state(changed.state());
            Some(Event::TradingState(Scope::of(&changed.client), state))
        }
        _ => None,
    }
}

/// The account's figures.
pub(super) fn account(wire: &v1::Account) -> Event {
    Event::Account(figures(wire))
}

fn figures(wire: &v1::Account) -> Option<Account> {
    Some(Account {
        balance: Money::from_f64(wire.balance).ok()?,
        equity: Money::from_f64(wire.equity).ok()?,
        margin: Money::from_f64(wire.margin).ok()?,
        leverage: wire.leverage,
        as_of: wire.as_of.map(Moment::from).unwrap_or_default(),
    })
}

/// What is not understood takes no new risk.
fn trading_state(wire: v1::TradingState) -> TradingState {
    match wire {
        v1::TradingState::Active => TradingState::Active,
        v1::TradingState::Reducing => TradingState::Reducing,
        v1::TradingState::Halted | v1::TradingState::Unspecified => TradingState::Halted,
    }
}

/// How an order stands.
pub(super) fn order(wire: &v1::Order, specs: &Specs) -> Option<OrderUpdate> {
    let state = parse_enum::<v1::OrderState, OrderState>(wire.state, "").ok()?;
    let is_close = wire.action() == v1::OrderAction::Close;
    Some(OrderUpdate {
        request_id: RequestId::parse(&wire.client_order_id).ok(),
        closes: is_close.then_some(PositionId(wire.position_id)),
        state,
        filled: Lots::from_f64(wire.filled_lots).unwrap_or_default(),
        refused: is_refused(state, &wire.reason, wire.retcode.map(Retcode)),
        working: working(wire, specs),
    })
}

/// An order of this engine that waits for its price.
fn working(wire: &v1::Order, specs: &Specs) -> Option<WorkingOrder> {
    use v1::OrderState::{PartiallyFilled, Working};
    let waits = matches!(wire.state(), Working | PartiallyFilled)
        && wire.action() == v1::OrderAction::Submit;
    let kind = parse_enum::<v1::OrderType, OrderType>(wire.r#type, "").ok();
    let kind = kind.filter(|kind| waits && *kind != OrderType::Market)?;
    Some(WorkingOrder {
        order_id: OrderId(wire.order_id),
        request_id: RequestId::parse(&wire.client_order_id).ok()?,
        symbol: Symbol::parse(&wire.symbol).ok()?,
        side: parse_enum::<v1::Side, Side>(wire.side, "").ok()?,
        kind,
        lots: Lots::from_f64(wire.lots).ok()?,
        price: level(wire.price, &wire.symbol, specs),
        levels: levels(wire.stop_loss, wire.take_profit, &wire.symbol, specs),
        tag: wire.tag.clone(),
    })
}

/// A price of a symbol that the trader knows.
pub(super) fn level(wire: Option<f64>, symbol: &str, specs: &Specs) -> Option<Price> {
    Price::nearest(wire?, specs.get(symbol)?.digits).ok()
}

fn levels(stop: Option<f64>, profit: Option<f64>, symbol: &str, specs: &Specs) -> Levels {
    Levels {
        stop_loss: level(stop, symbol, specs),
        take_profit: level(profit, symbol, specs),
    }
}

fn held(wire: &v1::Position, specs: &Specs) -> Option<Held> {
    let side = parse_enum::<v1::Side, Side>(wire.side, "").ok();
    let symbol = Symbol::parse(&wire.symbol).ok();
    let lots = Lots::from_f64(wire.lots).ok();
    let position_id = PositionId(wire.position_id);
    let read = side.zip(symbol).zip(lots);
    let Some(((side, symbol), lots)) = read else {
        let symbol = &wire.symbol;
        tracing::warn!(%position_id, symbol, "position not understood: entries are refused; look at it by GetSnapshot");
        return None;
    };
    Some(Held {
        position_id,
        symbol,
        side,
        lots,
        open_price: level(Some(wire.open_price), &wire.symbol, specs),
        opened: wire
            .opened
            .and_then(|opened| opened.broker_ms)
            .map(BrokerTime),
        levels: levels(wire.stop_loss, wire.take_profit, &wire.symbol, specs),
        tag: wire.tag.clone(),
    })
}

/// The question for bars of the past.
pub(super) fn bars_request(warm_up: &WarmUp) -> v1::ListBarsRequest {
    v1::ListBarsRequest {
        symbol: warm_up.symbol.to_string(),
        timeframe: v1::Timeframe::from(warm_up.timeframe).into(),
        limit: warm_up.bars,
        ..Default::default()
    }
}

impl From<Timeframe> for v1::Timeframe {
    fn from(timeframe: Timeframe) -> Self {
        match timeframe {
            Timeframe::M1 => Self::M1,
            Timeframe::M5 => Self::M5,
            Timeframe::M15 => Self::M15,
            Timeframe::M30 => Self::M30,
            Timeframe::H1 => Self::H1,
            Timeframe::H4 => Self::H4,
            Timeframe::D1 => Self::D1,
        }
    }
}

/// Bars of the past; one that is not understood is left out.
pub(super) fn history(wire: &v1::ListBarsResponse, spec: &SymbolSpec) -> History {
    let mut history = History::default();
    for wire in &wire.bars {
        let Some(bar) = bar(wire, spec) else {
            tracing::warn!(symbol = %spec.symbol, "bar not understood");
            continue;
        };
        if wire.finished {
            history.finished.push(bar);
        } else {
            history.running = Some(bar);
        }
    }
    history
}

fn bar(wire: &v1::Bar, spec: &SymbolSpec) -> Option<Bar> {
    let price = |price| Price::nearest(price, spec.digits).ok();
    Some(Bar {
        symbol: spec.symbol.clone(),
        time: BrokerTime(wire.time?.broker_ms?),
        open: price(wire.open)?,
        high: price(wire.high)?,
        low: price(wire.low)?,
        close: price(wire.close)?,
        tick_volume: wire.tick_volume,
        real_volume: wire.real_volume,
        spread_points: wire.spread_points,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::testing::close;
    use crate::trader::{Cancel, Move, Submit, tests::spec};
    use mymt5_model::{LevelsEdit, UtcTime};

    fn wire_position(side: v1::Side, lots: f64) -> v1::Position {
        v1::Position {
            position_id: 7,
            symbol: "EURUSD".into(),
            side: side.into(),
            lots,
            open_price: 1.1,
            stop_loss: Some(1.09),
            opened: Some(v1::Moment {
                broker_ms: Some(5),
                ..Default::default()
            }),
            tag: "jumps".into(),
            ..Default::default()
        }
    }

    fn wire_order(kind: v1::OrderType, state: v1::OrderState) -> v1::Order {
        v1::Order {
            order_id: 9,
            client_order_id: "id-1".into(),
            action: v1::OrderAction::Submit.into(),
            symbol: "EURUSD".into(),
            side: v1::Side::Buy.into(),
            r#type: kind.into(),
            state: state.into(),
            lots: 0.2,
            price: Some(1.08),
            stop_loss: Some(1.07),
            tag: "jumps".into(),
            ..Default::default()
        }
    }

    fn specs() -> Specs {
        [("EURUSD".to_owned(), spec())].into()
    }

    fn submit() -> Intent {
        Intent::Submit(Submit {
            request_id: RequestId::parse("id-1").unwrap(),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Sell,
            at: At::Market,
            lots: Lots::from_f64(0.48).unwrap(),
            levels: Levels {
                stop_loss: Some(Price::from_points(100_102, 5)),
                take_profit: None,
            },
            tag: "jumps".into(),
        })
    }

    #[test]
    fn an_intent_is_sent_with_its_process_and_its_time() {
        let Request::Submit(request) = Request::of(&submit(), "process", 17) else {
            panic!("a submit is one")
        };
        let expected = v1::SubmitOrderRequest {
            request_id: "id-1".into(),
            symbol: "EURUSD".into(),
            side: v1::Side::Sell.into(),
            r#type: v1::OrderType::Market.into(),
            lots: 0.48,
            stop_loss: Some(1.00102),
            tag: "jumps".into(),
            not_after: Some(17),
            session_id: "process".into(),
            ..Default::default()
        };
        assert_eq!(request, expected);
        let close = close("id-2", Lots::from_f64(0.24).ok());
        let Request::Close(request) = Request::of(&close, "process", 18) else {
            panic!("a close is one")
        };
        let expected = v1::ClosePositionRequest {
            request_id: "id-2".into(),
            position_id: 7,
            lots: Some(0.24),
            tag: "jumps".into(),
            not_after: Some(18),
            session_id: "process".into(),
            ..Default::default()
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn an_order_with_a_price_and_changes_are_sent_as_they_are() {
        let Intent::Submit(submit) = submit() else {
            panic!("a submit is one")
        };
        let at = At::Stop(Price::from_points(99_900, 5));
        let pending = Intent::Submit(Submit { at, ..submit });
        let Request::Submit(request) = Request::of(&pending, "process", 17) else {
            panic!("a submit is one")
        };
        assert_eq!(request.r#type(), v1::OrderType::Stop);
        assert_eq!(request.price, Some(0.999));
        let change = Intent::Move(Move {
            request_id: RequestId::parse("id-2").unwrap(),
            position_id: PositionId(7),
            levels: LevelsEdit {
                stop_loss: Edit::Set(Price::from_points(109_000, 5)),
                take_profit: Edit::Keep,
            },
        });
        let Request::Move(request) = Request::of(&change, "process", 18) else {
            panic!("a move is one")
        };
        assert_eq!((request.position_id, request.stop_loss), (7, Some(1.09)));
        assert_eq!((request.take_profit, request.not_after), (None, Some(18)));
        let cancel = Intent::Cancel(Cancel {
            request_id: RequestId::parse("id-3").unwrap(),
            order_id: OrderId(9),
        });
        let Request::Cancel(request) = Request::of(&cancel, "process", 19) else {
            panic!("a cancel is one")
        };
        assert_eq!((request.order_id, request.not_after), (9, Some(19)));
        assert!(!cancel.is_order() && !change.is_order() && pending.is_order());
    }

    #[test]
    fn bars_are_asked_for_and_read() {
        let warm_up = WarmUp {
            symbol: spec().symbol,
            timeframe: Timeframe::H4,
            bars: 21,
        };
        let request = bars_request(&warm_up);
        assert_eq!(
            (request.timeframe(), request.limit),
            (v1::Timeframe::H4, 21)
        );
        let wire = |time: i64, finished: bool| v1::Bar {
            time: Some(v1::Moment {
                broker_ms: Some(time),
                ..Default::default()
            }),
            open: 1.1,
            high: 1.2,
            low: 1.0,
            close: 1.15,
            tick_volume: 3,
            real_volume: 0,
            spread_points: 2,
            finished,
        };
        let odd = v1::Bar {
            low: f64::NAN,
            ..wire(1, true)
        };
        let response = v1::ListBarsResponse {
            bars: vec![wire(0, true), odd, wire(2, false)],
            ..Default::default()
        };
        let history = history(&response, &spec());
        let times = |bars: &[Bar]| bars.iter().map(|bar| bar.time.0).collect::<Vec<_>>();
        assert_eq!(times(&history.finished), [0]);
        assert_eq!(history.finished[0].high, Price::from_points(120_000, 5));
        assert_eq!(history.running.map(|bar| bar.time.0), Some(2));
    }

    #[test]
    fn a_snapshot_is_read_whole() {
        let wire = v1::GetSnapshotResponse {
            account: Some(v1::Account {
                balance: 10_100.0,
                equity: 10_000.5,
                margin: 50.0,
                leverage: 100,
                as_of: Some(v1::Moment {
                    utc_ms: Some(1),
                    broker_ms: Some(2),
                }),
                mode: v1::AccountMode::Netting.into(),
                ..Default::default()
            }),
            positions: vec![
                wire_position(v1::Side::Buy, 0.49),
                wire_position(v1::Side::Unspecified, 0.49),
                wire_position(v1::Side::Buy, f64::NAN),
            ],
            orders: vec![
                wire_order(v1::OrderType::Limit, v1::OrderState::Working),
                wire_order(v1::OrderType::Limit, v1::OrderState::Sent),
                wire_order(v1::OrderType::Market, v1::OrderState::PartiallyFilled),
            ],
            trading_state: v1::TradingState::Active.into(),
            account_id: "main".into(),
            ..Default::default()
        };
        let held = Held {
            position_id: PositionId(7),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Buy,
            lots: Lots::from_f64(0.49).unwrap(),
            open_price: Some(Price::from_points(110_000, 5)),
            opened: Some(BrokerTime(5)),
            levels: Levels {
                stop_loss: Some(Price::from_points(109_000, 5)),
                take_profit: None,
            },
            tag: "jumps".into(),
        };
        let waiting = WorkingOrder {
            order_id: OrderId(9),
            request_id: RequestId::parse("id-1").unwrap(),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Buy,
            kind: OrderType::Limit,
            lots: Lots::from_f64(0.2).unwrap(),
            price: Some(Price::from_points(108_000, 5)),
            levels: Levels {
                stop_loss: Some(Price::from_points(107_000, 5)),
                take_profit: None,
            },
            tag: "jumps".into(),
        };
        let money = |amount| Money::from_f64(amount).unwrap();
        let account = Account {
            balance: money(10_100.0),
            equity: money(10_000.5),
            margin: money(50.0),
            leverage: 100,
            as_of: Moment {
                utc: Some(UtcTime(1)),
                broker: Some(BrokerTime(2)),
            },
        };
        let expected = Snapshot {
            account_id: AccountId::parse("main").ok(),
            mode: AccountMode::Netting,
            positions: vec![held],
            is_whole: false,
            orders: vec![waiting],
            account: Some(account),
            trading_state: TradingState::Active,
        };
        assert_eq!(snapshot(&wire, &specs()), expected);
        let understood = v1::GetSnapshotResponse {
            positions: vec![wire_position(v1::Side::Buy, 0.49)],
            ..wire
        };
        assert!(snapshot(&understood, &specs()).is_whole);
    }

    #[test]
    fn what_is_missing_or_not_understood_takes_no_new_risk() {
        let empty = snapshot(&v1::GetSnapshotResponse::default(), &specs());
        assert_eq!((empty.account, empty.account_id), (None, None));
        assert_eq!(empty.trading_state, TradingState::Halted);
        let position = wire_position(v1::Side::Unspecified, 0.49);
        let unread = v1::PositionChanged {
            position: Some(position),
        };
        assert_eq!(
            event(&WireEvent::PositionChanged(unread), &specs()),
            Some(Event::PositionUnknown(PositionId(7)))
        );
        let no_price = v1::Position {
            open_price: f64::NAN,
            ..wire_position(v1::Side::Buy, 0.49)
        };
        let unpriced = held(&no_price, &specs()).unwrap();
        assert_eq!(unpriced.open_price, None);
        let changed = v1::TradingStateChanged {
            state: 99,
            ..Default::default()
        };
        assert_eq!(
            event(&WireEvent::TradingStateChanged(changed), &specs()),
            Some(Event::TradingState(Scope::Account, TradingState::Halted))
        );
        let account_of = |equity| v1::Account {
            equity,
            ..Default::default()
        };
        assert_eq!(account(&account_of(f64::NAN)), Event::Account(None));
    }

    #[test]
    fn results_and_flows_are_read_and_what_is_no_number_is_an_unknown_result() {
        let closed = |profit| {
            let position = v1::Position {
                profit,
                swap: -1.5,
                ..wire_position(v1::Side::Buy, 0.49)
            };
            let position = Some(position);
            event(
                &WireEvent::PositionClosed(v1::PositionClosed { position }),
                &specs(),
            )
        };
        let told = |result| Some(Event::PositionClosed(PositionId(7), result));
        assert_eq!(closed(1.0), told(Money::from_f64(-0.5).ok()));
        assert_eq!(closed(f64::NAN), told(None));
        let row = v1::Deal {
            profit: -250.0,
            ..Default::default()
        };
        let withdrawn = WireEvent::BalanceChanged(v1::BalanceChanged {
            deal: Some(row),
            balance: 0.0,
        });
        let amount = Money::from_f64(-250.0).unwrap();
        assert_eq!(event(&withdrawn, &specs()), Some(Event::Flow(amount)));
    }

    #[test]
    fn an_order_of_nobody_and_a_state_of_another_version_end_no_intent() {
        let wire = |id: &str, state: i32| {
            let order = v1::Order {
                client_order_id: id.into(),
                action: v1::OrderAction::Close.into(),
                state,
                position_id: 7,
                filled_lots: 0.25,
                ..Default::default()
            };
            let changed = v1::OrderChanged { order: Some(order) };
            event(&WireEvent::OrderChanged(changed), &specs())
        };
        let update = |request_id: Option<&str>| OrderUpdate {
            request_id: request_id.map(|id| RequestId::parse(id).unwrap()),
            closes: Some(PositionId(7)),
            state: OrderState::Filled,
            filled: Lots::from_f64(0.25).unwrap(),
            refused: false,
            working: None,
        };
        let filled = v1::OrderState::Filled.into();
        assert_eq!(wire("", filled), Some(Event::Order(update(None))));
        assert_eq!(
            wire("id-1", filled),
            Some(Event::Order(update(Some("id-1"))))
        );
        assert_eq!(wire("id-1", 99), None);
    }

    #[test]
    fn an_end_is_recorded_by_its_name() {
        let refused = Outcome::Refused("LIMIT_LOTS".into());
        assert_eq!(outcome_name(&refused), "LIMIT_LOTS");
        let filled = Outcome::Ended(OrderState::Filled);
        assert_eq!(outcome_name(&filled), "ORDER_STATE_FILLED");
    }
}
