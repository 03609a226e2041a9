//! An exit that was decided is not lost before what it closes is closed, and fires no later.

use super::*;

fn exit(context: &mut Context<'_>) {
    context.exit();
}

fn trail(context: &mut Context<'_>) {
    context.move_stop(price(99_950));
}

/// A new session begins, and finds a position that was bought.
fn begin_again(trader: &mut Trader) {
    trader.on_snapshot(Snapshot {
        positions: vec![held(Side::Buy)],
        ..snapshot(TradingState::Active)
    });
}

fn is_close(intents: &[Intent]) -> bool {
    matches!(intents, [Intent::Close(close)] if close.position_id == POSITION)
}

/// A trader whose strategy decided to exit while the change of a stop was under way.
fn exits_beside_a_change() -> Trader {
    let mut trader = deciding(&[trail, exit]);
    trader.on_event(&opened(Side::Buy));
    assert!(matches!(&go(&mut trader)[..], [Intent::Move(_)]));
    assert_eq!(go(&mut trader), [], "the change is under way");
    trader
}

#[test]
fn an_exit_that_waited_when_the_session_broke_closes_with_the_first_tick_of_the_next() {
    let mut trader = exits_beside_a_change();
    begin_again(&mut trader);
    let intents = go(&mut trader);
    assert!(is_close(&intents), "{intents:?}");
}

#[test]
fn an_exit_decided_before_an_entry_was_found_done_closes_what_that_opened() {
    let mut trader = deciding(&[buy, exit]);
    assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
    assert_eq!(go(&mut trader), [], "the entry is under way");
    begin_again(&mut trader);
    trader.on_recalled(&id("id-1"), true);
    let intents = go(&mut trader);
    assert!(is_close(&intents), "{intents:?}");
}

#[test]
fn an_exit_whose_close_was_not_done_for_certain_is_tried_again_in_the_next_session() {
    for (may_be_done, again) in [(false, true), (true, false)] {
        let mut trader = deciding(&[exit]);
        trader.on_event(&opened(Side::Buy));
        assert!(is_close(&go(&mut trader)));
        begin_again(&mut trader);
        trader.on_recalled(&id("id-1"), may_be_done);
        let intents = go(&mut trader);
        assert_eq!(is_close(&intents), again, "{may_be_done}: {intents:?}");
    }
}

#[test]
fn an_exit_that_finds_nothing_in_the_next_session_is_over() {
    let mut trader = exits_beside_a_change();
    trader.on_snapshot(snapshot(TradingState::Active));
    assert_eq!(go(&mut trader), []);
    assert_eq!(trader.on_event(&opened(Side::Buy)).intents, []);
    assert_eq!(go(&mut trader), []);
}
