//! Between the wire and the trader's words: what comes in is checked here, and trusted from here on.

use crate::trader::{Account, Event, Held, Intent, OrderUpdate, Outcome, Snapshot};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountMode, Lots, Moment, Money, OrderState, PositionId, RequestId, Side, Symbol,
};
use mymt5_proto::{parse_enum, v1};
use prost::Message;
use v1::stream_events_response::Event as WireEvent;

/// An intent as it is sent.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Submit(v1::SubmitOrderRequest),
    Close(v1::ClosePositionRequest),
}

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
                r#type: v1::OrderType::Market.into(),
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
                tag: close.tag.clone(),
                not_after,
                session_id,
                ..Default::default()
            }),
        }
    }

    /// The method that takes it.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Submit(_) => "SubmitOrder",
            Self::Close(_) => "ClosePosition",
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Submit(request) => request.encode_to_vec(),
            Self::Close(request) => request.encode_to_vec(),
        }
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
pub(super) fn snapshot(wire: &v1::GetSnapshotResponse) -> Snapshot {
    let mode = wire.account.as_ref().map_or(0, |account| account.mode);
    let mode = parse_enum::<v1::AccountMode, AccountMode>(mode, "");
    Snapshot {
        // Where positions do not net, a close names its position: that is right on both.
        mode: mode.unwrap_or(AccountMode::Hedging),
        positions: wire.positions.iter().filter_map(held).collect(),
        account: wire.account.as_ref().and_then(figures),
        trading_state: trading_state(wire.trading_state()),
    }
}

/// What a trader learns by an event; none: it does not concern it.
pub(super) fn event(wire: &WireEvent) -> Option<Event> {
    match wire {
        WireEvent::OrderChanged(changed) => changed.order.as_ref().and_then(order),
        WireEvent::PositionChanged(changed) => {
            let held = changed.position.as_ref().and_then(held);
            held.map(Event::PositionChanged)
        }
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
            Some(Event::TradingState(trading_state(changed.state())))
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

fn order(wire: &v1::Order) -> Option<Event> {
    let state = parse_enum::<v1::OrderState, OrderState>(wire.state, "").ok()?;
    let is_close = wire.action() == v1::OrderAction::Close;
    Some(Event::Order(OrderUpdate {
        request_id: RequestId::parse(&wire.client_order_id).ok(),
        closes: is_close.then_some(PositionId(wire.position_id)),
        state,
        filled: Lots::from_f64(wire.filled_lots).unwrap_or_default(),
    }))
}

fn held(wire: &v1::Position) -> Option<Held> {
    let side = parse_enum::<v1::Side, Side>(wire.side, "").ok();
    let symbol = Symbol::parse(&wire.symbol).ok();
    let lots = Lots::from_f64(wire.lots).ok();
    let position_id = PositionId(wire.position_id);
    let read = side.zip(symbol).zip(lots);
    let Some(((side, symbol), lots)) = read else {
        let symbol = &wire.symbol;
        tracing::warn!(%position_id, symbol, "position not understood; look at it by GetSnapshot");
        return None;
    };
    Some(Held {
        position_id,
        symbol,
        side,
        lots,
        open_price: wire.open_price,
        stop_loss: wire.stop_loss,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trader::{Close, Submit};
    use mymt5_model::{BrokerTime, Levels, Price, UtcTime};

    fn wire_position(side: v1::Side, lots: f64) -> v1::Position {
        v1::Position {
            position_id: 7,
            symbol: "EURUSD".into(),
            side: side.into(),
            lots,
            open_price: 1.1,
            stop_loss: Some(1.09),
            ..Default::default()
        }
    }

    fn submit() -> Intent {
        Intent::Submit(Submit {
            request_id: RequestId::parse("id-1").unwrap(),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Sell,
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
        let close = Intent::Close(Close {
            request_id: RequestId::parse("id-2").unwrap(),
            position_id: PositionId(7),
            tag: "jumps".into(),
        });
        let Request::Close(request) = Request::of(&close, "process", 18) else {
            panic!("a close is one")
        };
        let expected = v1::ClosePositionRequest {
            request_id: "id-2".into(),
            position_id: 7,
            tag: "jumps".into(),
            not_after: Some(18),
            session_id: "process".into(),
            ..Default::default()
        };
        assert_eq!(request, expected);
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
            trading_state: v1::TradingState::Active.into(),
            ..Default::default()
        };
        let held = Held {
            position_id: PositionId(7),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Buy,
            lots: Lots::from_f64(0.49).unwrap(),
            open_price: 1.1,
            stop_loss: Some(1.09),
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
            mode: AccountMode::Netting,
            positions: vec![held],
            account: Some(account),
            trading_state: TradingState::Active,
        };
        assert_eq!(snapshot(&wire), expected);
    }

    #[test]
    fn what_is_missing_or_not_understood_takes_no_new_risk() {
        let empty = snapshot(&v1::GetSnapshotResponse::default());
        assert_eq!(empty.account, None);
        assert_eq!(empty.trading_state, TradingState::Halted);
        let changed = v1::TradingStateChanged {
            state: 99,
            ..Default::default()
        };
        assert_eq!(
            event(&WireEvent::TradingStateChanged(changed)),
            Some(Event::TradingState(TradingState::Halted))
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
            event(&WireEvent::PositionClosed(v1::PositionClosed { position }))
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
        assert_eq!(event(&withdrawn), Some(Event::Flow(amount)));
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
            event(&WireEvent::OrderChanged(v1::OrderChanged {
                order: Some(order),
            }))
        };
        let update = |request_id: Option<&str>| OrderUpdate {
            request_id: request_id.map(|id| RequestId::parse(id).unwrap()),
            closes: Some(PositionId(7)),
            state: OrderState::Filled,
            filled: Lots::from_f64(0.25).unwrap(),
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
