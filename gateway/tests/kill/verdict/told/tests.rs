//! One test per wrong that the judge of what was told must find, and one where all is right.

use super::{Line, Wrong, deals_of, judge_told};
use crate::ledger::BY_HAND;
use mymt5_model::{Lots, RowState, Side, Ticket};
use mymt5_proto::v1::{self, stream_events_response::Event};
use std::collections::BTreeSet;

const LOT: Lots = Lots::from_units(Lots::SCALE);
const ID: &str = "t0-0-1";
const OWNER: &str = "trader-0";

/// One order that bought a lot at 1.1, and the broker's stop that sold it at 1.2.
fn ledger() -> Vec<Line> {
    let order = |ticket, id: &str| Line::Order {
        ticket: Ticket(ticket),
        magic: 100,
        id: id.into(),
        symbol: "EURUSD".into(),
        lots: LOT,
    };
    let ended = |ticket| Line::Ended {
        ticket: Ticket(ticket),
        state: RowState::Filled,
    };
    let deal = |ticket, side, price, result| Line::Deal {
        ticket: Ticket(ticket),
        order: Some(Ticket(ticket)),
        position: 1,
        symbol: "EURUSD".into(),
        side,
        lots: LOT,
        price,
        result,
    };
    vec![
        order(1, ID),
        ended(1),
        deal(1, Side::Buy, 1.1, -3.5),
        order(2, "[tp 1.2]"),
        ended(2),
        deal(2, Side::Sell, 1.2, 9_996.5),
    ]
}

fn order() -> v1::Order {
    v1::Order {
        client: OWNER.into(),
        client_order_id: ID.into(),
        lots: 1.0,
        filled_lots: 1.0,
        average_price: Some(1.1),
        ..Default::default()
    }
}

fn deal(deal_id: u64, side: v1::Side, price: f64, profit: f64) -> v1::Deal {
    v1::Deal {
        deal_id,
        position_id: 1,
        client: OWNER.into(),
        symbol: "EURUSD".into(),
        side: side.into(),
        lots: 1.0,
        price,
        profit,
        commission: -3.5,
        ..Default::default()
    }
}

fn position() -> v1::Position {
    v1::Position {
        position_id: 1,
        client: OWNER.into(),
        symbol: "EURUSD".into(),
        side: v1::Side::Buy.into(),
        lots: 1.0,
        ..Default::default()
    }
}

fn of_order(order: v1::Order) -> Event {
    Event::OrderChanged(v1::OrderChanged { order: Some(order) })
}

fn of_deal(deal: v1::Deal) -> Event {
    Event::DealAdded(v1::DealAdded { deal: Some(deal) })
}

fn of_position(held: v1::Position) -> Event {
    let position = Some(held);
    Event::PositionChanged(v1::PositionChanged { position })
}

fn of_end(held: v1::Position) -> Event {
    let position = Some(held);
    Event::PositionClosed(v1::PositionClosed { position })
}

/// All that is to be told.
fn events() -> Vec<Event> {
    vec![
        of_deal(deal(1, v1::Side::Buy, 1.1, 0.0)),
        of_position(position()),
        of_order(order()),
        of_deal(deal(2, v1::Side::Sell, 1.2, 10_000.0)),
        of_end(position()),
    ]
}

fn numbered(events: Vec<Event>) -> Vec<v1::StreamEventsResponse> {
    let numbered = (1..).zip(events).map(|(sequence, event)| {
        let event = Some(event);
        v1::StreamEventsResponse {
            sequence,
            event,
            ..Default::default()
        }
    });
    numbered.collect()
}

fn wrongs(answered: &[v1::Order], events: Vec<Event>) -> Vec<Wrong> {
    let ledger = ledger();
    let findings = judge_told(&ledger, &deals_of(&ledger), answered, &numbered(events));
    findings.iter().map(|finding| finding.wrong).collect()
}

/// The same events, one of them another.
fn with(at: usize, event: Event) -> Vec<Event> {
    let mut events = events();
    events[at] = event;
    events
}

#[test]
fn what_was_so_is_right() {
    assert_eq!(wrongs(&[order()], events()), []);
    let before = v1::Order {
        filled_lots: 0.0,
        average_price: None,
        ..order()
    };
    assert_eq!(wrongs(std::slice::from_ref(&before), events()), []);
    assert_eq!(wrongs(&[], with(2, of_order(before))), []);
}

#[test]
fn fills_that_never_were_mislead() {
    let more = v1::Order {
        filled_lots: 1.01,
        ..order()
    };
    let elsewhere = v1::Order {
        average_price: Some(1.100_01),
        ..order()
    };
    let another = v1::Order {
        client: "trader-1".into(),
        ..order()
    };
    for told in [more, elsewhere, another] {
        let answered = std::slice::from_ref(&told);
        assert_eq!(wrongs(answered, events()), [Wrong::Misled]);
        assert_eq!(wrongs(&[], with(2, of_order(told))), [Wrong::Misled]);
    }
}

#[test]
fn deals_that_never_were_so_mislead() {
    let right = || deal(2, v1::Side::Sell, 1.2, 10_000.0);
    let wrong = [
        v1::Deal {
            profit: 9_999.99,
            ..right()
        },
        v1::Deal {
            price: 1.200_01,
            ..right()
        },
        v1::Deal {
            lots: 0.99,
            ..right()
        },
        v1::Deal {
            client: String::new(),
            ..right()
        },
    ];
    for told in wrong {
        assert_eq!(wrongs(&[], with(3, of_deal(told))), [Wrong::Misled]);
    }
    let mut unknown = events();
    unknown.push(of_deal(deal(3, v1::Side::Sell, 1.2, 0.0)));
    assert_eq!(wrongs(&[], unknown), [Wrong::Misled]);
}

#[test]
fn positions_that_never_were_mislead() {
    let more = v1::Position {
        lots: 2.0,
        ..position()
    };
    let another = v1::Position {
        client: "trader-1".into(),
        ..position()
    };
    for told in [more, another] {
        assert_eq!(wrongs(&[], with(1, of_position(told))), [Wrong::Misled]);
    }
    let another = v1::Position {
        client: "trader-1".into(),
        ..position()
    };
    assert_eq!(wrongs(&[], with(4, of_end(another))), [Wrong::Misled]);
    let mut after = events();
    after.push(of_position(position()));
    assert_eq!(wrongs(&[], after), [Wrong::Misled]);
    let open = &ledger()[..3];
    let early = numbered(vec![of_end(position())]);
    let early = judge_told(open, &BTreeSet::new(), &[], &early);
    assert_eq!(early[0].wrong, Wrong::Misled);
}

#[test]
fn what_was_done_by_hand_is_no_clients() {
    let mut ledger = ledger();
    ledger[0] = Line::Order {
        ticket: Ticket(1),
        magic: 0,
        id: BY_HAND.into(),
        symbol: "EURUSD".into(),
        lots: LOT,
    };
    ledger.truncate(3);
    let told = |event| {
        let findings = judge_told(&ledger, &BTreeSet::new(), &[], &numbered(vec![event]));
        let wrongs = findings.iter().map(|finding| finding.wrong);
        wrongs.collect::<Vec<_>>()
    };
    let bought = deal(1, v1::Side::Buy, 1.1, 0.0);
    let nobodys = v1::Deal {
        client: String::new(),
        ..bought.clone()
    };
    assert_eq!(told(of_deal(nobodys)), []);
    assert_eq!(told(of_deal(bought)), [Wrong::Misled]);
    let nobodys = v1::Position {
        client: String::new(),
        ..position()
    };
    assert_eq!(told(of_position(nobodys)), []);
    assert_eq!(told(of_position(position())), [Wrong::Misled]);
    assert_eq!(told(of_order(order())), [Wrong::Misled]);
}

#[test]
fn money_that_comes_or_goes_is_told_as_it_was() {
    let ledger = [Line::Booked {
        ticket: Ticket(3),
        amount: -40.0,
    }];
    let booked = |profit, client: &str| {
        let deal = v1::Deal {
            deal_id: 3,
            client: client.into(),
            profit,
            ..Default::default()
        };
        let deal = Some(deal);
        Event::BalanceChanged(v1::BalanceChanged { deal, balance: 0.0 })
    };
    let told = |events| {
        let findings = judge_told(&ledger, &deals_of(&ledger), &[], &numbered(events));
        let wrongs = findings.iter().map(|finding| finding.wrong);
        wrongs.collect::<Vec<_>>()
    };
    assert_eq!(told(vec![booked(-40.0, "")]), []);
    assert_eq!(told(vec![booked(40.0, "")]), [Wrong::Misled]);
    assert_eq!(told(vec![booked(-40.0, OWNER)]), [Wrong::Misled]);
    assert_eq!(told(vec![]), [Wrong::Untold]);
    let twice = vec![booked(-40.0, ""), booked(-40.0, "")];
    assert_eq!(told(twice), [Wrong::Repeated]);
}

/// Three deals of one position: the second is in the history after the third.
#[test]
fn lots_are_those_of_the_deals_told_so_far() {
    let deal_of = |ticket, side, lots| Line::Deal {
        ticket: Ticket(ticket),
        order: Some(Ticket(1)),
        position: 1,
        symbol: "EURUSD".into(),
        side,
        lots: Lots::from_units(lots * Lots::SCALE),
        price: 1.1,
        result: -3.5,
    };
    let mut ledger = ledger();
    ledger.truncate(2);
    ledger.extend([
        deal_of(1, Side::Buy, 4),
        deal_of(2, Side::Sell, 1),
        deal_of(3, Side::Sell, 2),
    ]);
    let deal = |id, side, lots| {
        of_deal(v1::Deal {
            lots,
            ..deal(id, side, 1.1, 0.0)
        })
    };
    let held = |lots| of_position(v1::Position { lots, ..position() });
    let late = |told| {
        let events = vec![
            deal(1, v1::Side::Buy, 4.0),
            deal(3, v1::Side::Sell, 2.0),
            held(told),
            deal(2, v1::Side::Sell, 1.0),
            held(1.0),
        ];
        judge_told(&ledger, &deals_of(&ledger), &[], &numbered(events))
    };
    assert_eq!(late(2.0), []);
    let wrong = late(2.5);
    assert_eq!(wrong[0].wrong, Wrong::Misled);
}

#[test]
fn what_is_not_told_once_is_untold_or_repeated() {
    let mut silent = events();
    silent.remove(0);
    assert_eq!(wrongs(&[], silent), [Wrong::Untold]);
    let mut twice = events();
    twice.push(of_deal(deal(1, v1::Side::Buy, 1.1, 0.0)));
    assert_eq!(wrongs(&[], twice), [Wrong::Repeated]);
    let mut again = numbered(events());
    again.push(again[4].clone());
    let findings = judge_told(&ledger(), &BTreeSet::new(), &[], &again);
    assert_eq!(findings[0].wrong, Wrong::Repeated);
}

/// An order of that client that leaves.
fn sent(order_id: u64, client: &str, action: v1::OrderAction) -> Event {
    of_order(v1::Order {
        order_id,
        client: client.into(),
        client_order_id: format!("{action:?}-{order_id}"),
        action: action.into(),
        state: v1::OrderState::Sent.into(),
        ..Default::default()
    })
}

fn entered(client: &str, state: v1::TradingState) -> Event {
    Event::TradingStateChanged(v1::TradingStateChanged {
        client: client.into(),
        state: state.into(),
        ..Default::default()
    })
}

/// What is wrong where that is told while the scope is in that state.
fn restricted(scope: &str, state: v1::TradingState, event: Event) -> Vec<Wrong> {
    let submit = v1::OrderAction::Submit;
    let events = vec![
        sent(7, OWNER, submit),
        entered(scope, state),
        event,
        entered(scope, v1::TradingState::Active),
        sent(9, OWNER, submit),
    ];
    let findings = judge_told(&[], &BTreeSet::new(), &[], &numbered(events));
    findings.iter().map(|finding| finding.wrong).collect()
}

#[test]
fn entries_that_leave_in_a_halt_or_a_reduction_defy_it() {
    let entry = || sent(8, OWNER, v1::OrderAction::Submit);
    for state in [v1::TradingState::Halted, v1::TradingState::Reducing] {
        for scope in ["", OWNER] {
            assert_eq!(restricted(scope, state, entry()), [Wrong::Defied]);
            let close = sent(8, OWNER, v1::OrderAction::Close);
            assert_eq!(restricted(scope, state, close), []);
            let left_before = sent(7, OWNER, v1::OrderAction::Submit);
            assert_eq!(restricted(scope, state, left_before), []);
        }
        assert_eq!(restricted("trader-1", state, entry()), []);
    }
}
