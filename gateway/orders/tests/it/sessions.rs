//! One process of a client trades; another one may only make the client's positions smaller.

use crate::bench::{by_hand::order_row, rows::*, scenes::*};
use mymt5_guard::{LimitAction, ScopeLimits, TradingState};
use mymt5_model::{Entry, OrderRow, OrderState, Reason, RowState, Side, Ticket, TradeRequest};
use mymt5_orders::{
    Answer, Asker, ChangeOutcome, Command, DeadMan, DeadManAction, Input, OrderEdit, RequestKey,
};

fn as_process(scene: &mut Scene, session: Option<&str>, request: &str, command: Command) -> Asker {
    let mut call = scene.call("alpha", request, command);
    call.session = session.map(id);
    scene.take(call)
}

fn submit(order: mymt5_orders::NewOrder) -> Command {
    Command::Submit(Ok(Box::new(order)))
}

fn is_active(answer: &Answer) -> bool {
    matches!(answer, Answer::State(TradingState::Active))
}

fn after(seconds: i64, action: DeadManAction) -> DeadMan {
    DeadMan {
        after_ms: seconds * 1_000,
        action,
    }
}

fn state(scene: &Scene) -> TradingState {
    scene.shell.core.state_of(&name("alpha"))
}

#[test]
fn a_second_process_opens_nothing_and_closes_all_the_same() {
    let mut scene = scene();
    let held = scene.hold("alpha", "h", 0.2);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    assert!(is_active(&scene.beat("alpha", "one", false)));
    for session in [Some("two"), None] {
        let opens = as_process(&mut scene, session, "e", submit(buy(0.1)));
        assert_eq!(scene.refusal(opens), Reason::ClientAlreadyActive);
        let edit = OrderEdit {
            price: Some(points(BID - 900).to_f64()),
            stop_limit_price: None,
            stop_loss: Default::default(),
            take_profit: Default::default(),
            time_in_force: None,
        };
        let changes = Command::ModifyOrder(order, Ok(edit));
        let changes = as_process(&mut scene, session, "m", changes);
        assert_eq!(scene.refusal(changes), Reason::ClientAlreadyActive);
        let id = mymt5_model::PositionId(held);
        let loosens = Command::ModifyPosition(id, Ok(stop_at(BID - 600)));
        let loosens = as_process(&mut scene, session, "l", loosens);
        assert_eq!(scene.refusal(loosens), Reason::ClientAlreadyActive);
    }
    let id = mymt5_model::PositionId(held);
    let tightens = Command::ModifyPosition(id, Ok(stop_at(BID - 400)));
    let tightens = as_process(&mut scene, Some("two"), "t", tightens);
    scene.obey();
    let told = scene.change_told(tightens);
    assert_eq!(told.outcome, ChangeOutcome::Done);
    as_process(&mut scene, Some("two"), "x", Command::Cancel(order));
    as_process(&mut scene, None, "c", Command::Close(Ok(exit(held, None))));
    scene.obey_all();
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert!(scene.position(held).is_none());
    as_process(&mut scene, Some("one"), "e", submit(buy(0.1)));
    scene.obey();
}

#[test]
fn a_refused_process_binds_nothing() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    as_process(&mut scene, Some("two"), "e", submit(buy(0.1)));
    let key = RequestKey(name("alpha"), id("e"));
    assert!(!scene.shell.disk.requests.contains_key(&key));
}

#[test]
fn a_second_process_waits_for_the_lease_to_end() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    scene.live(4);
    let Answer::Refused(refusal) = scene.beat("alpha", "two", false) else {
        panic!()
    };
    assert_eq!(refusal.reason(), Reason::ClientAlreadyActive);
    scene.live(1);
    assert!(is_active(&scene.beat("alpha", "two", false)));
    let Answer::Refused(refusal) = scene.beat("alpha", "one", false) else {
        panic!()
    };
    assert_eq!(refusal.reason(), Reason::ClientAlreadyActive);
}

#[test]
fn a_process_that_leaves_gives_its_lease_back_at_once() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    scene.beat("alpha", "one", true);
    as_process(&mut scene, Some("two"), "e", submit(buy(0.1)));
    scene.obey();
    assert!(is_active(&scene.beat("alpha", "two", false)));
}

#[test]
fn nobody_gives_back_the_lease_of_another() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    let told = scene.beat("alpha", "two", true);
    assert!(matches!(told, Answer::Refused(_)), "{told:?}");
    let opens = as_process(&mut scene, Some("two"), "e", submit(buy(0.1)));
    assert_eq!(scene.refusal(opens), Reason::ClientAlreadyActive);
}

#[test]
fn leases_of_two_clients_are_apart() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    assert!(is_active(&scene.beat("beta", "two", false)));
    as_process(&mut scene, Some("one"), "a", submit(buy(0.1)));
    scene.obey();
}

#[test]
fn a_silent_client_is_reduced_until_it_speaks() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Reduce));
    scene.work("alpha", "p", 0.1);
    scene.beat("alpha", "one", false);
    scene.live(4);
    assert_eq!(state(&scene), TradingState::Active);
    scene.live_and_obey(3);
    assert_eq!(state(&scene), TradingState::Reducing);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert_eq!(scene.notices("client_silent"), 1);
    assert!(is_active(&scene.beat("alpha", "one", false)));
    assert_eq!(state(&scene), TradingState::Active);
}

#[test]
fn a_client_that_never_spoke_is_silent_too() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Reduce));
    scene.live(7);
    assert_eq!(state(&scene), TradingState::Reducing);
}

#[test]
fn a_dead_man_is_armed_again_when_an_operator_resumes() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Reduce));
    scene.live(7);
    assert_eq!(state(&scene), TradingState::Reducing);
    scene.set_state("r", Some("alpha"), TradingState::Active);
    scene.live(4);
    assert_eq!(state(&scene), TradingState::Active);
    scene.live(3);
    assert_eq!(state(&scene), TradingState::Reducing);
}

#[test]
fn a_dead_mans_cancellations_go_on_while_the_silence_does() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Cancel));
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    let sent = scene.sent();
    scene.beat("alpha", "one", false);
    scene.live(6);
    let outcome = scene.execute(&sent);
    scene.say(sent.job, outcome);
    scene.live(1);
    let cancel = scene.obey();
    assert!(matches!(cancel.request, TradeRequest::Cancel { .. }));
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert_eq!(state(&scene), TradingState::Active);
}

#[test]
fn a_dead_man_cancels_no_exit_that_is_filled_in_part() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Cancel));
    let held = scene.hold("alpha", "h", 0.2);
    scene.beat("alpha", "one", false);
    scene.close("alpha", "c", held, None);
    let sent = scene.sent();
    let ticket = scene.next_ticket();
    let mut part = deal(ticket, held, Side::Sell, Entry::Out, lots(0.1).units(), BID);
    part.magic = sent.request.magic().unwrap();
    part.order = Some(Ticket(ticket));
    part.time = scene.broker_time();
    let part = scene.add_deal(part);
    scene.positions[0].lots = lots(0.1);
    scene.shell.feed(Input::Deal(part));
    let exit = scene.order("alpha", "c");
    assert_eq!(exit.state, OrderState::PartiallyFilled);
    scene.orders.push(OrderRow {
        state: RowState::Partial,
        ..order_row(exit)
    });
    scene.live(7);
    assert!(scene.shell.sent.is_empty(), "{:?}", scene.shell.sent);
}

#[test]
fn a_heartbeat_lifts_what_its_silence_entered_and_nothing_else() {
    let mut scene = scene();
    scene.arm("alpha", after(5, DeadManAction::Reduce));
    scene.live(7);
    scene.set_state("h", Some("alpha"), TradingState::Halted);
    scene.beat("alpha", "one", false);
    assert_eq!(state(&scene), TradingState::Halted);
}

#[test]
fn a_client_that_is_silent_stays_reduced_when_another_reason_ends() {
    let mut scene = limited_scene(daily(500.0, LimitAction::Reduce), ScopeLimits::default());
    scene.arm("alpha", after(120, DeadManAction::Reduce));
    scene.hold("alpha", "a", 1.0);
    scene.positions[0].profit = money(-500.0);
    scene.refresh();
    scene.rows();
    assert_eq!(state(&scene), TradingState::Reducing);
    scene.live(130);
    scene.positions[0].profit = money(0.0);
    scene.refresh();
    let left = scene.broker_time().day_end().0 - scene.broker_time().0;
    scene.shell.pass(left - 1_000);
    scene.live(3);
    assert_eq!(state(&scene), TradingState::Reducing);
}

#[test]
fn a_heartbeat_tells_the_state_that_binds_the_client() {
    let mut scene = scene();
    scene.set_state("h", None, TradingState::Halted);
    let told = scene.beat("alpha", "one", false);
    assert!(matches!(told, Answer::State(TradingState::Halted)));
}
