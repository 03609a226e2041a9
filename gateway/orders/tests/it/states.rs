//! Trading states, for the account and for a client, across restarts; leases and dead men.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::TradingState::{Active, Halted, Reducing};
use mymt5_model::{AccountKind, Entry, OrderState, Reason, Retcode, Side, TradeRequest};
use mymt5_orders::{
    Acceptance, Answer, Command, DeadMan, DeadManAction, Event, Input, ObstacleKind, SendFailure,
    Snapshot,
};

#[test]
fn an_entry_that_waits_when_the_account_is_flattened_does_not_leave_once_it_is_resumed() {
    let mut shell = ready();
    shell.step_call("alpha", "waits", submit(buy(0.1)));
    shell.step_call("local", "flatten", flatten(None, false));
    shell.step_call("local", "resume", state(None, Active));
    shell.settle();
    assert!(shell.left().is_empty());
    let order = shell.order_of("alpha", "waits");
    let ended = (order.state, order.reason.as_str());
    assert_eq!(ended, (OrderState::Rejected, "TRADING_STATE"));
}

#[test]
fn no_entry_leaves_by_a_state_that_is_not_durable() {
    let mut shell = ready_by(|config| config.max_in_flight = 1);
    let (busy, _) = shell.send("beta", "busy", buy(0.1));
    shell.must("alpha", "waits", submit(buy(0.1)));
    shell.must("local", "flatten", flatten(None, false));
    shell.step_call("local", "resume", state(None, Active));
    shell.step(Input::Answered {
        job: busy.into(),
        outcome: Err(rejected(Retcode::PRICE_OFF)),
        late: false,
    });
    assert!(shell.left().is_empty());
}

#[test]
fn each_state_holds_for_its_scope_and_across_a_restart() {
    for scope in [None, Some("alpha"), Some("beta")] {
        for state in [Active, Reducing, Halted] {
            for restarts in [false, true] {
                let mut shell = holding();
                shell.enter("state", scope, state);
                if restarts {
                    shell.restart_and_connect();
                }
                let free = state == Active || scope == Some("beta");
                let expected = (!free).then_some(Reason::TradingStateForbids);
                let entry = shell.entry_refusal("alpha", "entry");
                assert_eq!(entry, expected, "{scope:?} {state:?} {restarts}");
                shell.must("alpha", "exit", close(HELD, Some(0.1)));
            }
        }
    }
}

#[test]
fn a_state_is_entered_once_per_request_and_told() {
    let mut shell = ready();
    shell.enter("halt", None, Halted);
    shell.enter("resume", None, Active);
    let again = shell.ask("local", "halt", state(None, Halted));
    assert!(matches!(again, Some(Answer::State(Halted))));
    assert_eq!(shell.core.account_state(), Active);
    let entered = |event: &Event| matches!(event, Event::TradingState(None, ..));
    assert_eq!(shell.told(entered), 2);
    let nobody = shell.refusal("local", "x", state(Some("nobody"), Halted));
    assert_eq!(nobody, Some(Reason::ClientUnknown));
}

fn is_taken(answer: &Answer) -> bool {
    match answer {
        Answer::State(_) => true,
        Answer::Refused(refusal) => {
            assert_eq!(refusal.reason(), Reason::ClientAlreadyActive);
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_process_of_a_client_holds_the_lease() {
    let mut shell = ready();
    let one = shell.heartbeat("alpha", "one");
    assert!(matches!(one, Answer::State(Active)));
    assert!(!is_taken(&shell.heartbeat("alpha", "two")));
    assert!(is_taken(&shell.heartbeat("beta", "two")));
    shell.pass(4_999);
    assert!(!is_taken(&shell.heartbeat("alpha", "two")));
    shell.pass(1);
    assert!(is_taken(&shell.heartbeat("alpha", "two")));
    assert!(!is_taken(&shell.heartbeat("alpha", "one")));
}

#[test]
fn somebody_elses_trade_beside_ours_freezes_the_symbol_until_an_operator_resumes() {
    let mut shell = ready();
    let foreign = |ticket| deal(ticket, ticket, Side::Sell, Entry::In, 5_000_000, 110_000);
    shell.feed(Input::Deal(foreign(1)));
    let first = shell.entry_refusal("alpha", "not-ours");
    assert_eq!(first, None, "no position of ours there");
    shell.feed(Input::Deal(foreign(2)));
    let frozen = shell.entry_refusal("alpha", "frozen");
    assert_eq!(frozen, Some(Reason::SymbolFrozen));
    shell.restart();
    assert!(shell.is_hindered_by(ObstacleKind::ForeignTrade));
    shell.enter("seen", None, Active);
    assert!(!shell.is_hindered_by(ObstacleKind::ForeignTrade));
    shell.restart();
    assert!(!shell.is_hindered_by(ObstacleKind::ForeignTrade));
}

#[test]
fn an_operator_accepts_somebody_elses_trade_in_its_symbol() {
    let mut shell = holding();
    let mut by_hand = deal(2, 2, Side::Sell, Entry::In, 5_000_000, 110_000);
    by_hand.reason = mymt5_model::DealReason::Client;
    shell.feed(Input::Deal(by_hand));
    assert!(shell.is_hindered_by(ObstacleKind::ForeignTrade));
    let accept = |of: &str| Command::Accept {
        what: Acceptance::Symbol(symbol(of)),
        reason: "seen".to_owned(),
    };
    let elsewhere = shell.refusal("local", "elsewhere", accept("GBPUSD"));
    assert_eq!(elsewhere, Some(Reason::NothingToAccept));
    shell.must("local", "here", accept("EURUSD"));
    shell.must("local", "here", accept("EURUSD"));
    assert!(!shell.is_hindered_by(ObstacleKind::ForeignTrade));
    let lifted = |event: &Event| matches!(event, Event::Foreign { frozen: false, .. });
    assert_eq!(shell.told(lifted), 1);
    assert_eq!(shell.entry_refusal("alpha", "entry"), None);
    let again = shell.refusal("local", "again", accept("EURUSD"));
    assert_eq!(again, Some(Reason::NothingToAccept));
}

#[test]
fn a_real_account_starts_halted_the_first_time_and_only_then() {
    let mut shell = fresh();
    let mut real = account();
    real.kind = AccountKind::Real;
    shell.feed(Input::Link(true));
    shell.compare_account(real.clone());
    assert_eq!(shell.core.account_state(), Halted);
    shell.enter("resume", None, Active);
    shell.restart();
    shell.feed(Input::Link(true));
    shell.compare_account(real);
    assert_eq!(shell.core.account_state(), Active);
}

#[test]
fn the_callers_name_is_on_what_it_did() {
    let mut shell = ready();
    shell.must("beta", "halt", state(None, Halted));
    let row = shell.core.restrictions().next().unwrap();
    assert_eq!((row.by.as_str(), row.reason.as_str()), ("beta", "test"));
}

#[test]
fn an_entry_that_waits_when_the_account_is_halted_never_leaves() {
    let mut shell = ready();
    shell.step_call("alpha", "waits", submit(buy(0.1)));
    shell.step_call("local", "halt", state(None, Halted));
    shell.settle();
    assert!(shell.left().is_empty());
    let order = shell.order_of("alpha", "waits");
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Rejected, "TRADING_STATE")
    );
}

#[test]
fn a_close_of_a_position_that_was_reversed_meanwhile_never_leaves() {
    let mut shell = holding();
    shell.step_call("alpha", "exit", close(HELD, Some(0.1)));
    let mut row = shell.position(HELD);
    row.side = Side::Sell;
    let rows = Snapshot {
        positions: vec![row],
        ..rows(&shell)
    };
    shell.step(Input::Rows(rows));
    shell.settle();
    assert!(shell.left().is_empty());
    let order = shell.order_of("alpha", "exit");
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Rejected, "EXIT_EXCEEDS_POSITION")
    );
}

#[test]
fn a_close_never_adds_to_a_position_that_a_deal_turned() {
    let mut shell = holding();
    shell.step_call("alpha", "exit", close(HELD, Some(0.1)));
    let turns = deal(2, 1, Side::Sell, Entry::InOut, 20_000_000, 110_000);
    shell.step(Input::Deal(turns));
    let row = shell.position(HELD);
    assert_eq!((row.side, row.lots), (Side::Sell, lots(0.1)));
    let rows = shell.known_rows();
    shell.step(Input::Rows(rows));
    shell.settle();
    assert!(shell.left().is_empty());
    let order = shell.order_of("alpha", "exit");
    assert_eq!(order.reason, "EXIT_EXCEEDS_POSITION");
}

#[test]
fn a_cancellation_that_is_refused_again_and_again_is_asked_for_less_and_less() {
    let mut shell = ready();
    shell.work("alpha", "limit", 1);
    shell.enter("halt", None, Halted);
    let mut asked = 0;
    for _ in 1..=120 {
        shell.pass(1_000);
        for sent in shell.left() {
            asked += 1;
            shell.answer(sent.job, Err(SendFailure::Throttled(Retcode::FROZEN)));
        }
        shell.second();
    }
    assert!((6..=10).contains(&asked), "{asked}");
    assert!(shell.left().is_empty());
    shell.feed(Input::Link(false));
    shell.pass(10_000_000);
    shell.second();
    assert!(shell.left().is_empty());
}

/// A core whose clients' silence of five seconds leads to that.
fn with_dead_man(action: DeadManAction) -> Shell {
    let dead_man = DeadMan {
        after_ms: 5_000,
        action,
    };
    let mut shell = ready_by(|config| {
        let grants = config.grants.values_mut();
        grants.for_each(|grant| grant.dead_man = Some(dead_man));
    });
    shell.second();
    shell
}

#[test]
fn what_comes_to_work_after_its_client_fell_silent_is_cancelled() {
    let mut shell = with_dead_man(DeadManAction::Cancel);
    shell.pass(5_500);
    shell.second();
    assert!(shell.left().is_empty(), "nothing works yet");
    let id = shell.work("alpha", "limit", 7);
    shell.pass(1_500);
    shell.second();
    let TradeRequest::Cancel { order, .. } = shell.leaves().request else {
        panic!()
    };
    assert_eq!(Some(order), shell.order(id).ticket);
}

#[test]
fn a_silent_client_may_only_reduce_until_it_speaks_again() {
    let mut shell = with_dead_man(DeadManAction::Reduce);
    shell.pass(4_999);
    shell.second();
    assert_eq!(shell.core.state_of(&name("alpha")), Active);
    shell.pass(1);
    shell.second();
    assert_eq!(shell.core.state_of(&name("alpha")), Reducing);
    let answer = shell.heartbeat("alpha", "one");
    assert!(matches!(answer, Answer::State(Active)));
    assert_eq!(shell.core.state_of(&name("beta")), Reducing);
}
