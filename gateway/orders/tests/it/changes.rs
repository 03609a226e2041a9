//! Changes of levels and orders: what is not named is kept, a stop may always be tightened, a later
//! change has the last word, and an unknown outcome is decided by the rows.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::{
    Limits, Percent,
    TradingState::{self, Active, Halted, Reducing},
};
use mymt5_model::{
    Edit, Levels, LevelsEdit, OrderId, OrderRow, OrderState, Price, Reason, Receipt, Retcode,
    Ticket, TradeRequest,
};
use mymt5_orders::{
    Answer, ChangeOutcome, Command, History, Input, Job, OrderEdit, Outgoing, PositionEdit,
    Snapshot,
};

fn some(points_of: i64) -> Option<Price> {
    Some(points(points_of))
}

/// A change of the stop loss of alpha's position.
fn stop(stop_loss: Edit<f64>) -> Command {
    levels(stop_loss, Edit::Keep)
}

fn levels(stop_loss: Edit<f64>, take_profit: Edit<f64>) -> Command {
    let edit = PositionEdit {
        stop_loss,
        take_profit,
    };
    Command::ModifyPosition(HELD, Ok(edit))
}

/// A long position of alpha's with a stop loss at 1.09.
fn protected() -> Shell {
    let mut shell = holding();
    set(&mut shell, "first", Edit::Set(1.09));
    assert_eq!(known(&shell).stop_loss, some(109_000));
    shell
}

fn known(shell: &Shell) -> Levels {
    shell.position(HELD).levels
}

/// Changes the stop loss, and the broker does it.
fn set(shell: &mut Shell, id: &str, stop_loss: Edit<f64>) {
    shell.must("alpha", id, stop(stop_loss));
    done(shell);
}

/// The broker does the one change that left.
fn done(shell: &mut Shell) {
    let job = shell.leaves().job;
    shell.answer(job, Ok(Receipt::bare(Retcode::DONE)));
}

fn levels_sent(sent: &Outgoing) -> LevelsEdit {
    match sent.request {
        TradeRequest::ModifyPosition { levels, .. } => levels,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_may_be_tightened_in_every_state_and_loosened_only_when_active() {
    for state in [Active, Reducing, Halted] {
        let mut shell = protected();
        shell.enter("state", None, state);
        for (id, edit) in [("loosen", Edit::Set(1.08)), ("remove", Edit::Remove)] {
            let refused = shell.refusal("alpha", id, stop(edit));
            let expected = (state != Active).then_some(Reason::TradingStateForbids);
            assert_eq!(refused, expected, "{state:?}");
            for sent in shell.left() {
                shell.answer(sent.job, Err(rejected(Retcode::REJECT)));
            }
        }
        set(&mut shell, "tighten", Edit::Set(1.095));
        assert_eq!(known(&shell).stop_loss, some(109_500));
    }
}

#[test]
fn a_tightened_stop_leaves_before_the_entries_that_were_asked_for_before() {
    let mut shell = protected();
    shell.step_call("alpha", "entry", submit(buy(0.1)));
    shell.step_call("alpha", "tighten", stop(Edit::Set(1.095)));
    shell.settle();
    let left = shell.left();
    let is_change = |sent: &Outgoing| matches!(sent.job, Job::Change(_));
    assert_eq!(
        left.iter().map(is_change).collect::<Vec<_>>(),
        [true, false]
    );
    let mut shell = protected();
    shell.step_call("alpha", "entry", submit(buy(0.1)));
    shell.step_call("alpha", "loosen", stop(Edit::Set(1.08)));
    shell.settle();
    assert_eq!(
        shell.left().iter().map(is_change).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn a_stop_behind_a_looser_one_under_way_is_not_tightened() {
    let mut shell = protected();
    shell.must("alpha", "tighten", stop(Edit::Set(1.095)));
    // Nearer than the level that is known, and farther than the one under way.
    shell.enter("reduce", None, Reducing);
    let refused = shell.refusal("alpha", "between", stop(Edit::Set(1.092)));
    assert_eq!(refused, Some(Reason::TradingStateForbids));
}

#[test]
fn what_is_not_named_is_kept_by_the_broker_and_a_repeat_sends_nothing() {
    let mut shell = protected();
    let take_profit = || levels(Edit::Keep, Edit::Set(1.2));
    shell.must("alpha", "tp", take_profit());
    let sent = shell.leaves();
    let expected = LevelsEdit {
        stop_loss: Edit::Keep,
        take_profit: Edit::Set(points(120_000)),
    };
    assert_eq!(levels_sent(&sent), expected);
    assert!(shell.ask("alpha", "tp", take_profit()).is_none());
    assert!(shell.left().is_empty());
    shell.answer(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    let both = Levels {
        stop_loss: some(109_000),
        take_profit: some(120_000),
    };
    assert_eq!(known(&shell), both);
    let Some(Answer::Change(repeated)) = shell.ask("alpha", "tp", take_profit()) else {
        panic!()
    };
    assert_eq!(repeated.outcome, ChangeOutcome::Done);
    assert_eq!(repeated.position.unwrap().row.levels, both);
    assert!(shell.left().is_empty());
}

#[test]
fn another_id_with_other_content_is_refused() {
    let mut shell = protected();
    let mut call = call(&shell, "alpha", "first", stop(Edit::Set(1.095)));
    call.content = [8; 32];
    let asker = call.asker;
    shell.feed(Input::Call(Box::new(call)));
    let Some(Answer::Refused(refusal)) = shell.answer_to(asker) else {
        panic!()
    };
    assert_eq!(refusal.reason(), Reason::IdempotencyMismatch);
}

#[test]
fn changes_of_one_position_leave_one_after_the_other() {
    let mut shell = protected();
    shell.must("alpha", "m-0", stop(Edit::Set(1.091)));
    let first = shell.leaves();
    for n in 1..16 {
        shell.must("alpha", &format!("m-{n}"), stop(Edit::Set(1.092)));
    }
    let full = shell.refusal("alpha", "m-16", stop(Edit::Set(1.092)));
    assert_eq!(full, Some(Reason::ChangeInFlight));
    assert!(shell.left().is_empty());
    shell.answer(first.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(known(&shell).stop_loss, some(109_100));
    let second = shell.leaves();
    assert_eq!(
        levels_sent(&second).stop_loss,
        Edit::Set(points(109_200)),
        "the next in turn"
    );
}

#[test]
fn levels_that_are_there_already_are_done_and_not_sent() {
    let mut shell = protected();
    shell.compare();
    let Some(Answer::Change(told)) = shell.ask("alpha", "same", stop(Edit::Set(1.09))) else {
        panic!()
    };
    assert_eq!(told.outcome, ChangeOutcome::Done);
    assert!(shell.left().is_empty());
}

/// The rows and the history of a broker that did the change, or did not.
fn with_stop(shell: &Shell, happened: bool) -> (Snapshot, History) {
    let mut rows = shell.known_rows();
    if happened {
        rows.positions[0].levels.stop_loss = some(109_500);
    }
    (rows, shell.known_history())
}

#[test]
fn rows_decide_an_unknown_change_also_after_a_restart() {
    for restarts in [false, true] {
        for (happened, expected) in [(true, ChangeOutcome::Done), (false, ChangeOutcome::NotDone)] {
            let mut shell = protected();
            shell.must("alpha", "change", stop(Edit::Set(1.095)));
            let sent = shell.leaves();
            if restarts {
                shell.restart();
                shell.feed(Input::Link(true));
            } else {
                shell.answer(sent.job, Err(lost()));
            }
            assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::Unknown);
            let (rows, history) = with_stop(&shell, happened);
            shell.feed(Input::Pass(rows, history));
            let early = if happened {
                expected
            } else {
                ChangeOutcome::Unknown
            };
            assert_eq!(shell.outcome("alpha", "change"), early);
            for _ in 0..6 {
                shell.pass(5_000);
                let (rows, _) = with_stop(&shell, happened);
                shell.feed(Input::Rows(rows));
            }
            assert_eq!(shell.outcome("alpha", "change"), expected);
        }
    }
}

#[test]
fn who_gives_up_is_told_how_a_change_stands() {
    let mut shell = protected();
    let asker = shell.step_call("alpha", "change", stop(Edit::Set(1.095)));
    shell.settle();
    let sent = shell.leaves();
    shell.answer(sent.job, Err(lost()));
    assert_unknown(shell.answer_to(asker));
    let repeat = shell.step_call("alpha", "change", stop(Edit::Set(1.095)));
    shell.settle();
    shell.feed(Input::GiveUp(repeat));
    assert_unknown(shell.answer_to(repeat));
}

#[test]
fn a_link_loss_starts_the_grace_of_an_unknown_change_again() {
    let mut shell = protected();
    shell.must("alpha", "change", stop(Edit::Set(1.095)));
    let sent = shell.leaves();
    shell.answer(sent.job, Err(lost()));
    shell.pass(20_000);
    shell.feed(Input::Link(false));
    shell.feed(Input::Link(true));
    for _ in 0..5 {
        shell.pass(5_000);
        shell.compare();
    }
    shell.pass(4_999);
    shell.compare();
    assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::Unknown);
    shell.pass(1);
    shell.compare();
    assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::NotDone);
}

#[test]
fn a_repeat_of_an_unknown_change_is_answered_as_it_stands() {
    for restarts in [false, true] {
        let mut shell = protected();
        let first = shell.step_call("alpha", "change", stop(Edit::Set(1.095)));
        shell.settle();
        let sent = shell.leaves();
        if restarts {
            shell.restart();
        } else {
            shell.answer(sent.job, Err(lost()));
            assert_unknown(shell.answer_to(first));
        }
        assert_unknown(shell.ask("alpha", "change", stop(Edit::Set(1.095))));
    }
}

fn assert_unknown(answer: Option<Answer>) {
    match answer {
        Some(Answer::Change(told)) => assert_eq!(told.outcome, ChangeOutcome::Unknown),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_late_answer_wins_over_an_absence_that_was_believed() {
    let mut shell = protected();
    shell.must("alpha", "change", stop(Edit::Set(1.095)));
    let sent = shell.leaves();
    shell.answer(sent.job, Err(lost()));
    for _ in 0..7 {
        shell.compare();
        shell.pass(5_000);
    }
    assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::NotDone);
    shell.answer_late(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::Done);
    assert_eq!(known(&shell).stop_loss, some(109_500));
}

#[test]
fn a_refused_change_keeps_its_return_code() {
    let mut shell = protected();
    shell.must("alpha", "change", stop(Edit::Set(1.095)));
    let sent = shell.leaves();
    shell.answer(sent.job, Err(rejected(Retcode::INVALID_STOPS)));
    let refused = ChangeOutcome::Refused(Retcode::INVALID_STOPS);
    assert_eq!(shell.outcome("alpha", "change"), refused);
    assert_eq!(known(&shell).stop_loss, some(109_000));
    shell.must("alpha", "next", stop(Edit::Set(1.095)));
    shell.leaves();
    let theirs = shell.refusal("beta", "theirs", stop(Edit::Remove));
    assert_eq!(theirs, Some(Reason::PositionNotFound));
}

#[test]
fn no_changes_means_that_the_change_is_there() {
    let mut shell = protected();
    shell.must("alpha", "change", stop(Edit::Set(1.095)));
    let sent = shell.leaves();
    shell.answer(sent.job, Err(rejected(Retcode::NO_CHANGES)));
    assert_eq!(shell.outcome("alpha", "change"), ChangeOutcome::Done);
    assert_eq!(known(&shell).stop_loss, some(109_500));
}

#[test]
fn a_change_goes_without_waiting_for_rows_of_a_new_link() {
    let mut shell = protected();
    shell.feed(Input::Link(false));
    let down = shell.refusal("alpha", "a", stop(Edit::Set(1.091)));
    assert_eq!(down, Some(Reason::LinkDown));
    shell.feed(Input::Link(true));
    shell.must("alpha", "a", stop(Edit::Set(1.091)));
    // Somebody may have moved the other level meanwhile: it is kept as it is at the broker.
    assert_eq!(levels_sent(&shell.leaves()).take_profit, Edit::Keep);
}

fn edit(price: f64) -> OrderEdit {
    OrderEdit {
        price: Some(price),
        stop_limit_price: None,
        stop_loss: Edit::Set(1.08),
        take_profit: Edit::Keep,
        time_in_force: None,
    }
}

fn modify(id: OrderId, price: f64) -> Command {
    Command::ModifyOrder(id, Ok(edit(price)))
}

/// A core with a buy limit at 1.09 that works under ticket 1.
fn working() -> (Shell, OrderId) {
    let mut shell = ready();
    let id = shell.work("alpha", "limit", 1);
    (shell, id)
}

/// Rows in which the order of ticket 1 is like that.
fn with_row(shell: &Shell, change: impl Fn(&mut OrderRow)) -> Snapshot {
    let mut rows = shell.known_rows();
    rows.orders.iter_mut().for_each(change);
    rows
}

#[test]
fn an_order_takes_its_new_terms_once_the_broker_did() {
    let (mut shell, id) = working();
    shell.must("alpha", "m", modify(id, 1.0895));
    let sent = shell.leaves();
    let TradeRequest::ModifyOrder { order, terms, .. } = sent.request else {
        panic!("{sent:?}")
    };
    assert_eq!((order, terms.price), (Ticket(1), some(108_950)));
    assert_eq!(terms.levels.take_profit, Edit::Keep);
    assert_eq!(shell.order(id).price, some(109_000));
    shell.answer(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    let order = shell.order(id);
    assert_eq!(
        (order.price, order.levels.stop_loss),
        (some(108_950), some(108_000))
    );
    let off_grid = shell.refusal("alpha", "g", modify(id, 1.089_550_1));
    assert_eq!(off_grid, Some(Reason::PriceOffGrid));
}

#[test]
fn a_cancellation_waits_behind_a_modification_and_has_the_last_word() {
    let (mut shell, id) = working();
    shell.must("alpha", "m", modify(id, 1.0895));
    let sent = shell.leaves();
    shell.must("alpha", "c", Command::Cancel(id));
    assert!(shell.left().is_empty(), "one change at a time");
    assert!(shell.order(id).cancel_pending);
    let late = shell.refusal("alpha", "n", modify(id, 1.0895));
    assert_eq!(late, Some(Reason::ChangeInFlight));
    shell.answer(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(shell.order(id).price, some(108_950));
    let cancel = shell.leaves();
    assert!(matches!(
        cancel.request,
        TradeRequest::Cancel {
            order: Ticket(1),
            ..
        }
    ));
    shell.answer(cancel.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(shell.order(id).state, OrderState::Canceled);
    assert_eq!(shell.outcome("alpha", "c"), ChangeOutcome::Done);
}

/// A working order of which a change to 1.0895 has an unknown outcome.
fn unanswered() -> (Shell, OrderId, Job) {
    let (mut shell, id) = working();
    shell.must("alpha", "m", modify(id, 1.0895));
    let sent = shell.leaves();
    shell.answer(sent.job, Err(lost()));
    assert_eq!(shell.order(id).price, some(109_000));
    (shell, id, sent.job)
}

#[test]
fn rows_tell_what_an_unanswered_change_of_an_order_led_to() {
    let (mut shell, id, _) = unanswered();
    let rows = with_row(&shell, |row| row.price = some(108_950));
    shell.feed(Input::Rows(rows));
    let order = shell.order(id);
    assert_eq!(
        (order.price, order.state),
        (some(108_950), OrderState::Working)
    );
    assert_eq!(shell.outcome("alpha", "m"), ChangeOutcome::Unknown);
    let rows = with_row(&shell, |row| row.levels.stop_loss = some(108_000));
    shell.feed(Input::Rows(rows));
    assert_eq!(shell.order(id).levels.stop_loss, some(108_000));
    assert_eq!(shell.outcome("alpha", "m"), ChangeOutcome::Done);
}

#[test]
fn an_unknown_change_stands_in_the_way_of_no_later_one() {
    let (mut shell, id, _) = unanswered();
    shell.must("alpha", "n", modify(id, 1.0896));
    let sent = shell.leaves();
    let TradeRequest::ModifyOrder { terms, .. } = sent.request else {
        panic!("{sent:?}")
    };
    assert_eq!(terms.price, some(108_960), "all its own terms");
    shell.answer(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(shell.order(id).price, some(108_960));
    assert_eq!(shell.outcome("alpha", "n"), ChangeOutcome::Done);
    // Rows that were read before that answer have the old price.
    let begun = shell.core.news() - 1;
    let mut rows = with_row(&shell, |row| row.price = some(109_000));
    rows.begun = begun;
    shell.feed(Input::Rows(rows));
    assert_eq!(shell.order(id).price, some(108_960));
}

#[test]
fn what_was_changed_again_before_its_outcome_was_known_has_none() {
    let (mut shell, id, _) = unanswered();
    shell.must("alpha", "n", modify(id, 1.0896));
    done(&mut shell);
    shell.compare();
    shell.pass(30_000);
    shell.compare();
    assert_eq!(shell.outcome("alpha", "m"), ChangeOutcome::Moot);
}

/// A cancellation of the one working order left.
fn cancels(shell: &mut Shell) -> Job {
    let sent = shell.leaves();
    let TradeRequest::Cancel {
        order: Ticket(1), ..
    } = sent.request
    else {
        panic!("{sent:?}")
    };
    sent.job
}

#[test]
fn leaving_active_cancels_what_could_open() {
    for scope in [None, Some("alpha")] {
        for state in [Reducing, Halted] {
            let (mut shell, id) = working();
            shell.enter("state", scope, state);
            let cancel = cancels(&mut shell);
            assert!(shell.order(id).cancel_pending);
            shell.second();
            assert!(shell.left().is_empty(), "it is on its way");
            shell.answer(cancel, Ok(Receipt::bare(Retcode::DONE)));
            assert_eq!(shell.order(id).state, OrderState::Canceled);
        }
    }
}

#[test]
fn a_cancellation_that_was_lost_with_the_process_is_asked_for_again() {
    let (mut shell, id) = working();
    shell.enter("halt", None, Halted);
    cancels(&mut shell);
    shell.restart_and_connect();
    assert_eq!(shell.order(id).state, OrderState::Working);
    assert!(shell.left().is_empty(), "nothing is sent at a restart");
    shell.second();
    cancels(&mut shell);
    shell.second();
    assert!(shell.left().is_empty());
}

#[test]
fn an_order_that_works_on_after_a_restart_is_not_being_cancelled() {
    let (mut shell, id) = working();
    shell.enter("halt", None, Halted);
    cancels(&mut shell);
    shell.restart_and_connect();
    assert!(
        !shell.order(id).cancel_pending,
        "it works on: the cancellation was not done"
    );
}

#[test]
fn a_changed_order_passes_the_limits_of_a_new_one() {
    let (mut shell, id) = working();
    let collar = Limits {
        max_price_distance: Some(Percent::try_from(1.2).unwrap()),
        ..Limits::default()
    };
    shell.regulate(Limits::default(), collar);
    let far = shell.refusal("alpha", "far", modify(id, 1.085));
    assert_eq!(far, Some(Reason::LimitPriceCollar));
    shell.must("alpha", "near", modify(id, 1.0995));
    done(&mut shell);
    shell.enter("halt", None, Halted);
    let cancel = cancels(&mut shell);
    shell.answer(cancel, Err(rejected(Retcode::FROZEN)));
    let halted = shell.refusal("alpha", "halted", modify(id, 1.0995));
    assert_eq!(halted, Some(Reason::TradingStateForbids));
}

/// What one core lets pass of the table's five actions.
fn passes(shell: &mut Shell, id: OrderId) -> [bool; 5] {
    let open = shell.entry_refusal("alpha", "open-2").is_none();
    let cancel = shell.refusal("alpha", "cancel", Command::Cancel(id));
    let exit = shell.refusal("alpha", "exit", close(HELD, Some(0.05)));
    shell.left();
    let tightened = shell.refusal("alpha", "tighten", stop(Edit::Set(1.095)));
    if tightened.is_none() {
        done(shell);
    }
    let loosened = shell.refusal("alpha", "loosen", stop(Edit::Set(1.08)));
    let rest = [cancel, exit, tightened, loosened].map(|refused| refused.is_none());
    [open, rest[0], rest[1], rest[2], rest[3]]
}

/// A position, and an order whose cancellation by the gateway was refused, in that state.
fn in_state(state: TradingState) -> (Shell, OrderId) {
    let mut shell = protected();
    let id = shell.work("alpha", "limit", 7);
    shell.enter("state", None, state);
    for sent in shell.left() {
        shell.answer(sent.job, Err(rejected(Retcode::MARKET_CLOSED)));
    }
    (shell, id)
}

#[test]
fn every_cell_of_the_table_holds_also_after_a_restart() {
    for state in [Active, Reducing, Halted] {
        for restarts in [false, true] {
            let (mut shell, id) = in_state(state);
            if restarts {
                shell.restart_and_connect();
            }
            let active = state == Active;
            let expected = [active, true, true, true, active];
            assert_eq!(passes(&mut shell, id), expected, "{state:?} {restarts}");
        }
    }
}

#[test]
fn a_loosened_stop_that_waits_when_a_state_forbids_it_never_leaves() {
    for scope in [None, Some("alpha")] {
        let mut shell = protected();
        shell.must("alpha", "tp", levels(Edit::Keep, Edit::Set(1.2)));
        let first = shell.leaves();
        shell.must("alpha", "loosen", stop(Edit::Set(1.08)));
        shell.must("alpha", "tighten", stop(Edit::Set(1.095)));
        shell.enter("halt", scope, Halted);
        assert_eq!(shell.outcome("alpha", "loosen"), ChangeOutcome::NotSent);
        shell.enter("resume", scope, Active);
        shell.answer(first.job, Ok(Receipt::bare(Retcode::DONE)));
        let next = shell.leaves();
        assert_eq!(levels_sent(&next).stop_loss, Edit::Set(points(109_500)));
    }
}

#[test]
fn a_halt_leaves_the_first_stop_where_a_tighter_one_before_it_is_refused() {
    for (answer, leaves) in [
        (Err(rejected(Retcode::INVALID_STOPS)), true),
        (Ok(Receipt::bare(Retcode::DONE)), false),
        (Err(lost()), false),
    ] {
        let mut shell = holding();
        shell.must("alpha", "tight", stop(Edit::Set(1.09)));
        let tight = shell.leaves();
        shell.must("alpha", "loose", stop(Edit::Set(1.08)));
        shell.enter("halt", None, Halted);
        assert_eq!(shell.outcome("alpha", "loose"), ChangeOutcome::Pending);
        shell.answer(tight.job, answer);
        if leaves {
            let loose = shell.leaves();
            assert_eq!(levels_sent(&loose).stop_loss, Edit::Set(points(108_000)));
        } else {
            assert!(shell.left().is_empty());
            assert_eq!(shell.outcome("alpha", "loose"), ChangeOutcome::NotSent);
        }
    }
}

#[test]
fn a_loosened_stop_that_is_not_durable_when_a_state_forbids_it_never_leaves() {
    let mut shell = protected();
    shell.step_call("alpha", "loosen", stop(Edit::Set(1.08)));
    shell.step_call("local", "halt", state(None, Halted));
    shell.step_call("local", "resume", state(None, Active));
    shell.settle();
    assert!(shell.left().is_empty());
    assert_eq!(shell.outcome("alpha", "loosen"), ChangeOutcome::NotSent);
}

#[test]
fn new_terms_that_wait_when_a_state_forbids_them_never_leave() {
    let (mut shell, id) = working();
    shell.must("alpha", "first", modify(id, 1.0895));
    let first = shell.leaves();
    shell.must("alpha", "next", modify(id, 1.0896));
    shell.enter("reduce", Some("alpha"), Reducing);
    assert_eq!(shell.outcome("alpha", "next"), ChangeOutcome::NotSent);
    shell.answer(first.job, Ok(Receipt::bare(Retcode::DONE)));
    cancels(&mut shell);
}

#[test]
fn new_terms_that_wait_while_their_symbol_freezes_never_leave() {
    let (mut shell, id) = working();
    shell.must("alpha", "first", modify(id, 1.0895));
    let first = shell.leaves();
    shell.must("alpha", "next", modify(id, 1.0896));
    shell.unknown("freezes");
    shell.answer(first.job, Ok(Receipt::bare(Retcode::DONE)));
    assert!(shell.left().is_empty());
    assert_eq!(shell.outcome("alpha", "next"), ChangeOutcome::NotSent);
}

/// A change of an order's price (none: kept) and stop loss.
fn reshape(id: OrderId, price: Option<f64>, stop_loss: Edit<f64>) -> Command {
    let terms = OrderEdit {
        price,
        stop_loss,
        ..edit(1.09)
    };
    Command::ModifyOrder(id, Ok(terms))
}

#[test]
fn two_changes_of_one_order_pass_no_limit_together() {
    for is_lost in [false, true] {
        let (mut shell, id) = working();
        let far = Limits {
            max_stop_distance_points: Some(2_000),
            ..Limits::default()
        };
        shell.regulate(Limits::default(), far);
        shell.must("alpha", "first", reshape(id, None, Edit::Set(1.072)));
        done(&mut shell);
        shell.must("alpha", "stop", reshape(id, None, Edit::Set(1.0705)));
        let sent = shell.leaves();
        if is_lost {
            shell.answer(sent.job, Err(lost()));
        }
        // Within the limit beside the stop loss that is known, and beyond it beside the new one.
        let beyond = reshape(id, Some(1.0915), Edit::Keep);
        let refused = shell.refusal("alpha", "beyond", beyond);
        assert_eq!(refused, Some(Reason::ChangeInFlight));
        shell.must("alpha", "within", reshape(id, Some(1.0895), Edit::Keep));
    }
}
