//! Trading states, for the account and for a client, across restarts; flattening; dead men.

use super::{
    events,
    support::{call, core, entry, name, quote, restart, rows, sent},
};
use crate::{
    broker::{History, SendFailure},
    records::Loaded,
    testing::deal,
    {Call, Core, Effect, Event},
};
use mymt5_guard::TradingState::{self, Active, Halted, Reducing};
use mymt5_model::Reason;
use mymt5_model::{Entry, OrderState, PositionId, RequestId, Side, TradeRequest, UtcTime};

fn enter(core: &mut Core, id: &str, client: Option<&str>, state: TradingState) {
    let (entered, _) = core
        .set_state(&call(id), client.map(name), state, "test")
        .unwrap();
    assert_eq!(entered, state);
}

fn refusal(core: &mut Core, id: &str) -> Option<Reason> {
    let taken = core.submit(call(id), Ok(entry(0.1)), Some(&quote()));
    taken.err().map(|refusal| refusal.reason())
}

/// A position of alpha's, by a deal of its order.
fn holding(core: &mut Core, id: &str) {
    let (_, magic) = sent(core, id, 0.1);
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
}

fn exit() -> crate::Exit {
    super::exit(Some(0.1))
}

#[test]
fn each_state_holds_for_its_scope_and_across_a_restart() {
    for scope in [None, Some("alpha"), Some("beta")] {
        for state in [Active, Reducing, Halted] {
            let (mut core, mut kept) = (core(), Loaded::default());
            holding(&mut core, "a");
            enter(&mut core, "state", scope, state);
            let mut again = restart(&mut core, &mut kept);
            let row = core.book().position(PositionId(1)).unwrap().row.clone();
            let deals = core
                .deals_before(None)
                .map(|deal| deal.deal.clone())
                .collect();
            let history = History {
                orders: vec![],
                deals,
            };
            assert!(again.on_pass(rows(vec![row], 1), history));
            for core in [&mut core, &mut again] {
                let free = state == Active || scope == Some("beta");
                let expected = (!free).then_some(Reason::TradingStateForbids);
                assert_eq!(refusal(core, "entry"), expected, "{scope:?} {state:?}");
                assert!(
                    core.close(call("exit"), Ok(exit()), |_| Some(super::spec()))
                        .is_ok()
                );
            }
        }
    }
}

#[test]
fn a_state_is_entered_once_per_request_and_told() {
    let mut core = core();
    enter(&mut core, "halt", None, Halted);
    enter(&mut core, "resume", None, Active);
    enter(&mut core, "halt", None, Halted);
    assert_eq!(core.account_state(), Active);
    let entered = |event: &Event| matches!(event, Event::TradingState(None, ..));
    assert_eq!(
        events(&mut core)
            .iter()
            .filter(|told| entered(&told.event))
            .count(),
        2
    );
    let nobody = core.set_state(&call("x"), Some(name("nobody")), Halted, "test");
    assert_eq!(nobody.unwrap_err().reason(), Reason::ClientUnknown);
}

#[test]
fn flattening_closes_what_the_scope_owns_once() {
    let mut core = core();
    holding(&mut core, "a");
    let foreign = deal(2, 2, Side::Sell, Entry::In, 5_000_000, 110_000);
    core.on_deal(foreign);
    let beta = core
        .flatten(&call("beta"), Some(name("beta")), false)
        .unwrap();
    assert_eq!(beta, ((0, 0), vec![]));
    let ((_, closes), effects) = core.flatten(&call("all"), None, false).unwrap();
    let [
        Effect::Send(
            id,
            TradeRequest::Market {
                position,
                lots,
                side,
                ..
            },
            true,
        ),
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((closes, position.unwrap().0, *side), (1, 1, Side::Sell));
    assert_eq!(*lots, core.order(*id).unwrap().lots);
    assert_eq!(
        core.flatten(&call("all"), None, false).unwrap(),
        ((0, 1), vec![])
    );
    let ((_, closes), _) = core.flatten(&call("foreign"), None, true).unwrap();
    assert_eq!(closes, 1, "the own one is closing already");
}

#[test]
fn one_process_of_a_client_holds_the_lease() {
    let mut core = core();
    let (one, two) = (
        RequestId::parse("one").unwrap(),
        RequestId::parse("two").unwrap(),
    );
    assert_eq!(core.heartbeat(&name("alpha"), &one).unwrap(), Active);
    let refused = core.heartbeat(&name("alpha"), &two).unwrap_err();
    assert_eq!(refused.reason(), Reason::ClientAlreadyActive);
    assert!(core.heartbeat(&name("beta"), &two).is_ok());
    core.at(mymt5_model::UtcTime(6_000));
    assert!(core.heartbeat(&name("alpha"), &two).is_ok());
    assert!(core.heartbeat(&name("alpha"), &one).is_err());
}

#[test]
fn somebody_elses_trade_beside_ours_freezes_the_symbol_until_an_operator_resumes() {
    let (mut core, mut kept) = (core(), Loaded::default());
    core.on_deal(deal(1, 9, Side::Sell, Entry::In, 5_000_000, 110_000));
    assert_eq!(
        refusal(&mut core, "not-ours"),
        None,
        "no position of ours there"
    );
    core.on_deal(deal(2, 9, Side::Sell, Entry::In, 5_000_000, 110_000));
    assert_eq!(refusal(&mut core, "frozen"), Some(Reason::SymbolFrozen));
    let mut again = restart(&mut core, &mut kept);
    assert_eq!(again.frozen().len(), 1);
    enter(&mut again, "seen", None, Active);
    assert!(again.touched.is_empty());
    let again = restart(&mut again, &mut kept);
    assert!(again.touched.is_empty());
}

#[test]
fn a_real_account_starts_halted_the_first_time_and_only_then() {
    let (mut core, mut kept) = (
        super::support::restored(Loaded::default()),
        Loaded::default(),
    );
    let real = || {
        let mut snapshot = rows(vec![], 0);
        snapshot.account.kind = mymt5_model::AccountKind::Real;
        snapshot
    };
    assert!(core.on_pass(real(), History::default()));
    assert_eq!(core.account_state(), Halted);
    enter(&mut core, "resume", None, Active);
    let mut again = restart(&mut core, &mut kept);
    assert!(again.on_pass(real(), History::default()));
    assert_eq!(again.account_state(), Active);
}

#[test]
fn the_callers_name_is_on_what_it_did() {
    let mut core = core();
    let operator = Call {
        client: name("beta"),
        ..call("halt")
    };
    core.set_state(&operator, None, Halted, "test").unwrap();
    let row = core.restrictions().next().unwrap();
    assert_eq!((row.by.as_str(), row.reason.as_str()), ("beta", "test"));
}

#[test]
fn an_entry_that_waits_when_the_account_is_halted_never_leaves() {
    let mut core = core();
    let (taken, _) = core
        .submit(call("waits"), Ok(entry(0.1)), Some(&quote()))
        .unwrap();
    enter(&mut core, "halt", None, Halted);
    assert!(!core.sending(taken.order, Some(&quote())));
    let order = core.order(taken.order).unwrap();
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Rejected, "TRADING_STATE")
    );
}

#[test]
fn a_close_of_a_position_that_was_reversed_meanwhile_never_leaves() {
    let mut core = core();
    holding(&mut core, "a");
    let (taken, _) = core
        .close(call("exit"), Ok(exit()), |_| Some(super::spec()))
        .unwrap();
    let mut row = core.book().position(PositionId(1)).unwrap().row.clone();
    row.side = Side::Sell;
    assert!(core.on_snapshot(rows(vec![row], 1)));
    assert!(!core.sending(taken.order, None));
    assert_eq!(
        core.order(taken.order).unwrap().reason,
        "EXIT_EXCEEDS_POSITION"
    );
}

#[test]
fn a_cancellation_that_is_refused_again_and_again_is_asked_for_less_and_less() {
    let mut core = core();
    let (id, _) = super::modify::working(&mut core);
    core.set_state(&call("halt"), None, Halted, "test").unwrap();
    let mut asked = 0;
    for second in 1..=120 {
        core.at(UtcTime(1_000 * second));
        let refused = SendFailure::Throttled(mymt5_model::Retcode(10_029));
        core.on_change_sent(id, crate::Change::Cancel, Err(refused));
        asked += core.watch().len();
    }
    assert!((5..=9).contains(&asked), "{asked}");
    core.link(false);
    core.at(UtcTime(10_000_000));
    assert_eq!(core.watch(), []);
}

#[test]
fn what_comes_to_work_after_its_client_fell_silent_is_cancelled() {
    let mut core = core();
    let dead_man = crate::DeadMan {
        after_ms: 5_000,
        action: crate::DeadManAction::Cancel,
    };
    core.rules.get_mut(&name("alpha")).unwrap().grant.dead_man = Some(dead_man);
    core.watch();
    core.at(UtcTime(6_500));
    assert_eq!(core.watch(), [], "nothing works yet");
    core.at(UtcTime(1_500));
    let (id, _) = super::modify::working(&mut core);
    core.at(UtcTime(8_000));
    assert!(matches!(core.watch()[..], [Effect::SendChange(of, ..)] if of == id));
}
