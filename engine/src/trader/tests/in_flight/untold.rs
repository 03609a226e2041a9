//! Where a part of a cancelled order is told late, the position of that part is none of the entry beside it,
//! whichever of both is told first, and whether before its order or after it.

use super::*;

fn lots(volume: f64) -> Lots {
    Lots::from_f64(volume).unwrap()
}

fn filled(request_id: &str, volume: f64) -> Event {
    Event::Order(OrderUpdate {
        state: OrderState::Filled,
        filled: lots(volume),
        working: None,
        ..working(request_id)
    })
}

/// The late part of the order that was cancelled.
fn late() -> Event {
    canceled("id-1", 0.4)
}

/// The entry beside it.
fn entry() -> Event {
    filled("id-3", 0.48)
}

/// The one intent that these lead to: a close of 0.40 lots.
fn closes_the_part(trader: &mut Trader, told: &[Event]) -> PositionId {
    let steps = told.iter().map(|event| trader.on_event(event));
    let intents: Vec<Intent> = steps.flat_map(|step| step.intents).collect();
    let [Intent::Close(close)] = &intents[..] else {
        panic!("{told:?}: {intents:?}")
    };
    assert_eq!(close.lots, Some(lots(0.4)), "{told:?}");
    close.position_id
}

#[test]
fn where_positions_net_all_of_a_late_part_beside_the_entry_is_closed() {
    for told in [
        vec![bought(7, 0.4), late(), entry(), bought(7, 0.88)],
        vec![bought(7, 0.4), entry(), late(), bought(7, 0.88)],
        vec![bought(7, 0.48), late(), entry(), bought(7, 0.88)],
        vec![bought(7, 0.48), entry(), late(), bought(7, 0.88)],
        vec![late(), bought(7, 0.4), entry(), bought(7, 0.88)],
        vec![late(), entry(), bought(7, 0.4), bought(7, 0.88)],
        vec![late(), entry(), bought(7, 0.5), bought(7, 0.88)],
        vec![entry(), late(), bought(7, 0.48), bought(7, 0.88)],
        vec![late(), entry(), bought(7, 0.88)],
    ] {
        let mut trader = entering(AccountMode::Netting, &[limit, buy]);
        let closed = closes_the_part(&mut trader, &told);
        assert_eq!(closed, PositionId(7), "{told:?}");
        for event in [bought(7, 0.48), order("id-4", OrderState::Filled)] {
            assert_eq!(trader.on_event(&event).intents, [], "{told:?}");
        }
        assert_eq!(go(&mut trader), [], "{told:?}");
    }
}

#[test]
fn where_positions_stand_side_by_side_that_of_a_late_part_is_closed() {
    for told in [
        vec![bought(8, 0.4), late(), entry(), bought(7, 0.48)],
        vec![bought(8, 0.4), entry(), late(), bought(7, 0.48)],
        vec![bought(7, 0.48), late(), entry(), bought(8, 0.4)],
        vec![bought(7, 0.48), entry(), late(), bought(8, 0.4)],
        vec![late(), entry(), bought(7, 0.48), bought(8, 0.4)],
        vec![late(), entry(), bought(8, 0.4), bought(7, 0.48)],
    ] {
        let mut trader = entering(AccountMode::Hedging, &[limit, buy]);
        let closed = closes_the_part(&mut trader, &told);
        assert_eq!(closed, PositionId(8), "{told:?}");
        let gone = Event::PositionClosed(PositionId(8), None);
        for event in [gone, order("id-4", OrderState::Filled)] {
            assert_eq!(trader.on_event(&event).intents, [], "{told:?}");
        }
        assert_eq!(go(&mut trader), [], "{told:?}");
    }
}

#[test]
fn of_an_order_that_is_told_to_be_filled_before_its_position_what_risk_admitted_stays() {
    for (mode, position) in [
        (AccountMode::Netting, bought(7, 0.88)),
        (AccountMode::Hedging, bought(8, 0.48)),
    ] {
        for answer_first in [true, false] {
            let mut trader = cancelling_beside(mode, 0.4);
            let ended = canceled("id-3", 0.48);
            if answer_first {
                assert_eq!(trader.on_changed(&id("id-4"), true), Step::default());
                assert_eq!(trader.on_event(&ended).intents, []);
            } else {
                assert_eq!(trader.on_event(&ended).intents, []);
                assert_eq!(trader.on_changed(&id("id-4"), false), Step::default());
            }
            let mut intents = trader.on_event(&position).intents;
            intents.extend(trader.on_tick(&tick(1_000, 100_000)).intents);
            let [Intent::Close(close)] = &intents[..] else {
                panic!("{mode:?} {answer_first}: {intents:?}")
            };
            assert_eq!(close.position_id, POSITION, "{mode:?} {answer_first}");
            assert_eq!(close.lots, Some(lots(0.4)), "{mode:?} {answer_first}");
        }
    }
}

#[test]
fn an_entry_counts_until_its_own_position_is_told() {
    let open = |trader: &Trader| {
        let open = trader.portfolio.open_but(None);
        let all = open.iter().map(|open| open.lots);
        all.fold(Lots::ZERO, Lots::plus)
    };
    let mut trader = entering(AccountMode::Netting, &[limit, buy]);
    for event in [bought(7, 0.4), late(), entry()] {
        assert_eq!(trader.on_event(&event).intents, []);
        assert_eq!(open(&trader), lots(0.88), "{event:?}");
    }
    assert_eq!(trader.on_event(&bought(7, 0.88)).intents.len(), 1);
    assert_eq!(open(&trader), lots(0.88), "once");
}

#[test]
fn a_position_beside_a_late_part_that_is_never_told_is_waited_for_a_minute() {
    let mut trader = entering(AccountMode::Netting, &[limit, buy]);
    for event in [bought(7, 0.4), late(), entry()] {
        assert_eq!(trader.on_event(&event).intents, []);
    }
    for second in 0..=60 {
        assert_eq!(tick_at(&mut trader, second * 1_000, 100_000), None);
    }
    let adopted = trader.on_event(&bought(7, 0.88));
    assert_eq!(adopted.intents, [], "it is none of what was waited for");
}
