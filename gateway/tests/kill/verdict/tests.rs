//! One test per wrong that the judge must find, and one for each story that is right.

use super::{
    Case, Finding, Purpose, Told, Word, Wrong, deals_of, is_late, judge, judge_flat, judge_halt,
    own_closes,
};
use crate::{
    ledger::{BY_HAND, Line},
    standin::Fault,
};
use mymt5_model::{Lots, OrderState, RowState, Side, Ticket};
use std::collections::{BTreeMap, BTreeSet};

const LOT: Lots = Lots::from_units(Lots::SCALE);
const ID: &str = "a-1";

fn received(send: u64, fault: Fault) -> Line {
    Line::Received {
        send,
        at: 0,
        fault: fault.name().to_owned(),
        held: fault == Fault::Late,
        order: Some((send + 100, ID.into())),
    }
}

fn order(ticket: u64) -> Line {
    Line::Order {
        ticket: Ticket(ticket),
        magic: 100,
        id: ID.into(),
        symbol: "EURUSD".into(),
        lots: LOT,
    }
}

fn ended(ticket: u64) -> Line {
    Line::Ended {
        ticket: Ticket(ticket),
        state: RowState::Filled,
    }
}

fn deal(ticket: u64, order: u64) -> Line {
    Line::Deal {
        ticket: Ticket(ticket),
        order: Some(Ticket(order)),
        position: order,
        symbol: "EURUSD".into(),
        side: Side::Buy,
        lots: LOT,
        price: 1.1,
        result: -3.5,
    }
}

/// A send that was done.
fn bought() -> Vec<Line> {
    vec![received(0, Fault::Execute), order(1), ended(1), deal(1, 1)]
}

fn told(state: OrderState, filled: Lots) -> Told {
    Told {
        order: 5,
        state,
        lots: LOT,
        filled,
        contradicted: false,
    }
}

fn case(told: Option<Told>) -> Case {
    Case {
        id: ID.into(),
        purpose: Purpose::Order,
        heard: told.iter().map(|told| told.order).collect(),
        mismatched: false,
        withdrawn: false,
        word: None,
        told,
    }
}

fn filled() -> Case {
    case(Some(told(OrderState::Filled, LOT)))
}

/// What is wrong, where the positions told are those of the broker.
fn wrongs(ledger: &[Line], case: Case) -> Vec<Wrong> {
    let deals = ledger
        .iter()
        .filter(|line| matches!(line, Line::Deal { .. }));
    let lots = deals.count() as i64 * LOT.units();
    let positions = BTreeMap::from([("EURUSD".to_owned(), lots)]);
    let positions = if lots == 0 {
        BTreeMap::new()
    } else {
        positions
    };
    let findings = judge(ledger, &[case], &positions);
    findings.iter().map(|finding| finding.wrong).collect()
}

#[test]
fn what_was_done_and_told_is_right() {
    assert_eq!(wrongs(&bought(), filled()), []);
    assert_eq!(wrongs(&[], case(None)), []);
    let rejected = case(Some(told(OrderState::Rejected, Lots::ZERO)));
    assert_eq!(wrongs(&[received(0, Fault::Lose)], rejected.clone()), []);
    assert_eq!(wrongs(&[], rejected), []);
    let mut canceled = case(Some(told(OrderState::Canceled, Lots::ZERO)));
    canceled.withdrawn = true;
    assert_eq!(wrongs(&[], canceled), []);
    let working = case(Some(told(OrderState::Working, Lots::ZERO)));
    assert_eq!(
        wrongs(&[received(0, Fault::Execute), order(1)], working),
        []
    );
}

#[test]
fn a_second_order_is_doubled_and_a_second_send_resent() {
    let mut ledger = bought();
    ledger.extend([received(1, Fault::Execute), order(2), ended(2), deal(2, 2)]);
    let mut twice = filled();
    twice.told = Some(told(OrderState::Filled, Lots::from_units(2 * Lots::SCALE)));
    assert_eq!(wrongs(&ledger, twice), [Wrong::Doubled, Wrong::Resent]);
    let rejected = case(Some(told(OrderState::Rejected, Lots::ZERO)));
    let lost = [received(0, Fault::Lose), received(1, Fault::Lose)];
    assert_eq!(wrongs(&lost, rejected), [Wrong::Resent]);
}

#[test]
fn what_the_gateway_does_not_tell_is_lost() {
    assert_eq!(wrongs(&bought(), case(None)), [Wrong::Lost]);
    for state in [OrderState::Rejected, OrderState::Canceled] {
        let case = case(Some(told(state, Lots::ZERO)));
        assert_eq!(wrongs(&bought(), case), [Wrong::Lost], "{state:?}");
    }
    let ended = case(Some(told(OrderState::Canceled, Lots::ZERO)));
    assert_eq!(
        wrongs(&[received(0, Fault::Execute), order(1)], ended),
        [Wrong::Lost]
    );
    let mut stranger = filled();
    stranger.id = "b-1".into();
    stranger.told = None;
    stranger.heard.clear();
    assert_eq!(wrongs(&bought(), stranger), [Wrong::Lost]);
}

#[test]
fn what_the_broker_did_not_do_is_invented() {
    assert_eq!(wrongs(&[], filled()), [Wrong::Invented]);
    assert_eq!(
        wrongs(&[received(0, Fault::Lose)], filled()),
        [Wrong::Invented]
    );
    let canceled = case(Some(told(OrderState::Canceled, Lots::ZERO)));
    assert_eq!(wrongs(&[], canceled), [Wrong::Invented]);
    let works = [received(0, Fault::Execute), order(1)];
    let part = told(OrderState::PartiallyFilled, Lots::from_units(1));
    assert_eq!(wrongs(&works, case(Some(part))), [Wrong::Invented]);
    let half = told(OrderState::Filled, Lots::ZERO);
    let canceled = [received(0, Fault::Execute), order(1), ended(1)];
    assert_eq!(wrongs(&canceled, case(Some(half))), [Wrong::Invented]);
    let working = case(Some(told(OrderState::Working, Lots::ZERO)));
    let found = wrongs(&canceled, working);
    assert_eq!(found, [Wrong::Invented, Wrong::Unsettled]);
    let mut other = filled();
    other.told = Some(Told {
        lots: Lots::from_units(1),
        ..told(OrderState::Filled, LOT)
    });
    assert_eq!(wrongs(&bought(), other), [Wrong::Invented]);
}

#[test]
fn an_answer_must_stay_true() {
    let mut forgotten = case(None);
    forgotten.heard.insert(5);
    assert_eq!(wrongs(&[], forgotten), [Wrong::Forgotten]);
    let mut rebound = filled();
    rebound.heard = [4].into();
    assert_eq!(wrongs(&bought(), rebound.clone()), [Wrong::Rebound]);
    rebound.heard = [4, 5].into();
    assert_eq!(wrongs(&bought(), rebound), [Wrong::Rebound]);
    let mut mismatched = filled();
    mismatched.mismatched = true;
    assert_eq!(wrongs(&bought(), mismatched), [Wrong::Rebound]);
    let mut cancel = case(None);
    cancel.purpose = Purpose::Change;
    cancel.heard = [5].into();
    assert_eq!(wrongs(&[], cancel.clone()), []);
    cancel.heard = [5, 6].into();
    assert_eq!(wrongs(&[], cancel), [Wrong::Rebound]);
}

#[test]
fn unknown_needs_a_reason_that_is_still_true() {
    let unknown = case(Some(told(OrderState::Unknown, Lots::ZERO)));
    let held = [received(0, Fault::Late)];
    assert_eq!(wrongs(&held, unknown.clone()), []);
    let released = [received(0, Fault::Late), Line::Released { send: 0 }];
    assert_eq!(wrongs(&released, unknown.clone()), [Wrong::Unsettled]);
    assert_eq!(
        wrongs(&[received(0, Fault::Lose)], unknown.clone()),
        [Wrong::Unsettled]
    );
    assert_eq!(wrongs(&[], unknown), [Wrong::Unsettled]);
    for state in [OrderState::Accepted, OrderState::Sent] {
        let case = case(Some(told(state, Lots::ZERO)));
        assert_eq!(
            wrongs(&[received(0, Fault::Lose)], case.clone()),
            [Wrong::Unsettled]
        );
        assert_eq!(wrongs(&[], case), [Wrong::Unsettled]);
    }
}

#[test]
fn an_operators_word_excuses_a_state_and_no_fill() {
    let of = |word, state, filled, contradicted| Case {
        word,
        ..case(Some(Told {
            contradicted,
            ..told(state, filled)
        }))
    };
    let lost = [received(0, Fault::Lose)];
    let done = |filled| of(Some(Word::Done), OrderState::Filled, filled, false);
    assert!(done(Lots::ZERO).is_contradicted());
    for ledger in [lost.as_slice(), &[]] {
        assert_eq!(wrongs(ledger, done(Lots::ZERO)), []);
        assert_eq!(wrongs(ledger, done(LOT)), [Wrong::Invented]);
    }
    assert_eq!(wrongs(&bought(), done(LOT)), []);
    assert_eq!(wrongs(&bought(), done(Lots::ZERO)), [Wrong::Lost]);
    let not_done =
        |state, filled, contradicted| of(Some(Word::NotDone), state, filled, contradicted);
    let rejected = not_done(OrderState::Rejected, Lots::ZERO, false);
    assert!(!rejected.is_contradicted());
    assert_eq!(wrongs(&lost, rejected), []);
    let righted = |contradicted| not_done(OrderState::Filled, LOT, contradicted);
    assert!(righted(true).is_contradicted());
    assert_eq!(wrongs(&bought(), righted(true)), []);
    assert_eq!(wrongs(&bought(), righted(false)), [Wrong::Unalarmed]);
    let obeyed = not_done(OrderState::Rejected, Lots::ZERO, true);
    assert_eq!(wrongs(&bought(), obeyed), [Wrong::Lost]);
}

#[test]
fn positions_are_the_sum_of_the_deals() {
    let exposed = |positions: &[(&str, i64)]| {
        let positions = positions
            .iter()
            .map(|(symbol, lots)| ((*symbol).to_owned(), *lots));
        let findings = judge(&bought(), &[filled()], &positions.collect());
        findings.len() == 1 && findings[0].wrong == Wrong::Exposure
    };
    assert!(exposed(&[]));
    assert!(exposed(&[("EURUSD", 1)]));
    assert!(exposed(&[("EURUSD", LOT.units()), ("GBPUSD", 1)]));
    assert!(!exposed(&[("EURUSD", LOT.units())]));
}

/// The gateway's own close: order 7 of a client's slot, done in so many units of position 1.
fn own_close(units: i64) -> Vec<Line> {
    let ticket = Ticket(2);
    let lots = Lots::from_units(units);
    let (symbol, id) = ("EURUSD".to_owned(), "flatten-7".to_owned());
    vec![
        Line::Received {
            send: 1,
            at: 0,
            fault: Fault::Execute.name().to_owned(),
            held: false,
            order: Some((7, id.clone())),
        },
        Line::Order {
            ticket,
            magic: 7,
            id,
            symbol: symbol.clone(),
            lots,
        },
        ended(2),
        Line::Deal {
            ticket,
            order: Some(ticket),
            position: 1,
            symbol,
            side: Side::Sell,
            lots,
            price: 1.1,
            result: -3.5,
        },
    ]
}

fn kinds(findings: &[Finding]) -> Vec<Wrong> {
    findings.iter().map(|finding| finding.wrong).collect()
}

#[test]
fn a_close_of_the_gateways_own_is_judged_as_any_other() {
    let ledger = [bought(), own_close(LOT.units())].concat();
    let own = own_closes(&ledger);
    assert_eq!(own, BTreeMap::from([("flatten-7".to_owned(), 7)]));
    let wrongs = |told: Option<Told>| {
        let close = Case::of_own_close("flatten-7".into(), told);
        kinds(&judge(&ledger, &[filled(), close], &BTreeMap::new()))
    };
    assert_eq!(wrongs(Some(told(OrderState::Filled, LOT))), []);
    assert_eq!(wrongs(None), [Wrong::Lost]);
    let rejected = told(OrderState::Rejected, Lots::ZERO);
    assert_eq!(wrongs(Some(rejected)), [Wrong::Lost]);
}

#[test]
fn what_a_flatten_leaves_is_found() {
    let left = |ledger: &[Line]| kinds(&judge_flat(ledger, &BTreeSet::new()));
    assert_eq!(left(&[]), []);
    assert_eq!(left(&bought()), [Wrong::Left]);
    let closed = |units| [bought(), own_close(units)].concat();
    assert_eq!(left(&closed(LOT.units())), []);
    assert_eq!(left(&closed(LOT.units() / 2)), [Wrong::Left]);
    assert_eq!(
        left(&[received(0, Fault::Execute), order(1)]),
        [Wrong::Left]
    );
}

#[test]
fn a_close_of_more_than_is_held_is_overdone() {
    let more = [bought(), own_close(2 * LOT.units())].concat();
    let overdone = |before: &BTreeSet<u64>| kinds(&judge_flat(&more, before));
    let both = [Wrong::Overdone, Wrong::Left];
    assert_eq!(overdone(&BTreeSet::new()), both);
    assert_eq!(overdone(&deals_of(&bought())), both);
    // What was held back and is done late may do so.
    assert_eq!(overdone(&deals_of(&more)), [Wrong::Left]);
}

/// A lot bought by hand.
fn by_hand() -> Vec<Line> {
    let order = Line::Order {
        ticket: Ticket(1),
        magic: 0,
        id: BY_HAND.into(),
        symbol: "EURUSD".into(),
        lots: LOT,
    };
    vec![order, ended(1), deal(1, 1)]
}

#[test]
fn what_is_done_by_hand_is_no_request_and_no_flatten_closes_it() {
    let bought = by_hand();
    let held = BTreeMap::from([("EURUSD".to_owned(), LOT.units())]);
    assert_eq!(judge(&bought, &[], &held), []);
    let untold = judge(&bought, &[], &BTreeMap::new());
    assert_eq!(kinds(&untold), [Wrong::Exposure]);
    let before = deals_of(&bought);
    assert_eq!(judge_flat(&bought, &before), []);
    let closed = [bought, own_close(LOT.units())].concat();
    assert_eq!(kinds(&judge_flat(&closed, &before)), [Wrong::Overdone]);
}

#[test]
fn an_entry_that_is_sent_in_a_halt_defies_it() {
    let asked = |id: &str| BTreeSet::from([id.to_owned()]);
    let found = |ledger: &[Line], id: &str| kinds(&judge_halt(ledger, &asked(id)));
    assert_eq!(found(&bought(), ID), [Wrong::Defied]);
    assert_eq!(found(&[received(0, Fault::Lose)], ID), [Wrong::Defied]);
    assert_eq!(found(&bought(), "a-2"), []);
    assert_eq!(found(&[], ID), []);
}

#[test]
fn a_send_that_is_held_back_is_late_until_it_is_done() {
    let held = [received(0, Fault::Late), Line::Released { send: 0 }];
    assert!(is_late(&held[..1]));
    assert!(!is_late(&held));
    assert!(!is_late(&bought()));
}
