//! A position is what its newest row says or what its deals sum up to, never a mixture, however the two
//! lag behind each other; and an exit never exceeds the newest row.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    DealRow, Lots, Magic, OrderState, PositionId, PositionRow, Reason, Side, TradeRequest,
};
use mymt5_orders::{Event, Input, Snapshot};
use proptest::prelude::*;

/// Volumes that position events told.
fn told_lots(scene: &Scene) -> Vec<Lots> {
    let told = scene.events().filter_map(|event| match event {
        Event::Position(held) | Event::PositionClosed(held) => Some(held.row.lots),
        _ => None,
    });
    told.collect()
}

/// Its own opening shows in the rows at once, and in the history only later.
#[test]
fn a_close_of_all_after_a_lagging_history_is_of_what_there_is() {
    for rows_first in [false, true] {
        let mut scene = scene();
        for n in 0..30 {
            let open = format!("o{n}");
            scene.submit("alpha", &open, buy(0.01));
            let sent = scene.sent();
            let receipt = scene.execute(&sent).unwrap();
            let deal = receipt.deals[0].clone();
            let receipt = mymt5_model::Receipt {
                deals: Vec::new(),
                ..receipt
            };
            scene.say(sent.job, Ok(receipt));
            let rows = scene.snapshot();
            if rows_first {
                scene.shell.feed(Input::Rows(rows));
                scene.shell.feed(Input::Deal(deal));
            } else {
                scene.shell.feed(Input::Deal(deal));
                scene.shell.feed(Input::Rows(rows));
            }
            let held = scene.order("alpha", &open).position.unwrap().0;
            assert_eq!(scene.position(held).unwrap().row.lots, lots(0.01));
            scene.close("alpha", &format!("c{n}"), held, None);
            scene.obey();
            assert_eq!(scene.state("alpha", &format!("c{n}")), OrderState::Filled);
        }
        assert!(told_lots(&scene).iter().all(|told| *told == lots(0.01)));
        scene.live(61);
        assert_eq!(scene.obstacles(), []);
    }
}

#[test]
fn an_exit_is_never_of_more_than_the_newest_row_has() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    scene.reduce(PositionId(held), lots(0.1), Magic::NONE);
    scene.rows();
    let more = scene.close("alpha", "c", held, Some(0.2));
    assert_eq!(scene.refusal(more), Reason::ExitExceedsPosition);
    let all = scene.close("alpha", "d", held, None);
    assert!(scene.answers(all).is_empty());
    let sent = scene.sent();
    assert_eq!(closed_by(&sent).1, None);
    assert_eq!(scene.order("alpha", "d").lots, lots(0.1));
}

#[test]
fn closes_in_flight_count_as_gone() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    scene.close("alpha", "c", held, Some(0.15));
    let more = scene.close("alpha", "d", held, Some(0.1));
    assert_eq!(scene.refusal(more), Reason::ExitExceedsPosition);
    scene.close("alpha", "e", held, Some(0.05));
    let nothing = scene.close("alpha", "f", held, None);
    assert_eq!(scene.refusal(nothing), Reason::ExitExceedsPosition);
    scene.obey_all();
    assert!(scene.position(held).is_none());
}

#[test]
fn a_close_of_all_is_of_what_closes_in_flight_leave() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    scene.close("alpha", "c", held, Some(0.15));
    scene.close("alpha", "d", held, None);
    assert_eq!(scene.order("alpha", "d").lots, lots(0.05));
    scene.obey_all();
    assert_eq!(scene.state("alpha", "d"), OrderState::Filled);
    assert_eq!(scene.notices("other_lots"), 0);
}

#[test]
fn a_close_needs_neither_quote_nor_specification_nor_state() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    scene.set_state("h", None, TradingState::Halted);
    scene.shell.prices.specs.clear();
    scene.shell.prices.ticks.clear();
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
}

#[test]
fn a_volume_off_the_grid_is_refused_and_all_that_is_left_is_not() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    let off = scene.close("alpha", "c", held, Some(0.015));
    assert_eq!(scene.refusal(off), Reason::LotsOffGrid);
    for nonsense in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let asker = scene.close("alpha", "c", held, Some(nonsense));
        assert!(matches!(
            scene.refusal(asker),
            Reason::NumberInvalid | Reason::LotsOutOfBounds
        ));
    }
    scene.reduce(PositionId(held), Lots::from_units(500_000), Magic::NONE);
    scene.rows();
    scene.live(10);
    scene.close("alpha", "d", held, Some(0.195));
    scene.obey();
    assert_eq!(scene.state("alpha", "d"), OrderState::Filled);
}

/// On netting, a close of what the newest rows lack could open the other side.
#[test]
fn on_netting_nothing_closes_what_the_newest_rows_lack() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.reduce(PositionId(held), lots(0.1), Magic::NONE);
    scene.rows();
    let asker = scene.close("alpha", "c", held, None);
    assert_eq!(scene.refusal(asker), Reason::ExitExceedsPosition);
}

#[test]
fn a_reversal_on_netting_keeps_position_and_owner() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 0.1);
    let sell = mymt5_orders::NewOrder {
        side: Side::Sell,
        ..buy(0.3)
    };
    scene.submit("alpha", "b", sell);
    scene.obey();
    scene.rows();
    let told = scene.position(held).unwrap();
    assert_eq!((told.row.side, told.row.lots), (Side::Sell, lots(0.2)));
    assert_eq!(told.client, Some(name("alpha")));
    scene.live(61);
    assert_eq!(scene.obstacles(), []);
    let sent = {
        scene.close("alpha", "c", held, None);
        scene.sent()
    };
    assert!(matches!(
        sent.request,
        TradeRequest::Close {
            side: Side::Buy,
            ..
        }
    ));
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    Opens(Side, i64),
    Closes(i64),
    DealComes,
    RowsCome,
    OldRowsCome,
}

fn happens() -> impl Strategy<Value = Happens> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    prop_oneof![
        (side, 1..4i64).prop_map(|(side, n)| Happens::Opens(side, n)),
        (1..4i64).prop_map(Happens::Closes),
        Just(Happens::DealComes),
        Just(Happens::DealComes),
        Just(Happens::RowsCome),
        Just(Happens::OldRowsCome),
    ]
}

/// What the deals so far make of a position: its side and lots by signed units.
fn signed(deals: &[DealRow], id: PositionId) -> i64 {
    let own = deals.iter().filter(|deal| deal.position_id == Some(id));
    own.map(|deal| match deal.kind {
        mymt5_model::DealKind::Trade(side) => side.sign() * deal.lots.units(),
        _ => 0,
    })
    .sum()
}

fn signed_row(row: &PositionRow) -> i64 {
    row.side.sign() * row.lots.units()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_position_is_a_row_or_the_sum_of_its_deals(
        netting in any::<bool>(), happenings in prop::collection::vec(happens(), 1..40)
    ) {
        let mut scene = if netting { netting_scene() } else { scene() };
        let mut untold: Vec<DealRow> = Vec::new();
        let mut told: Vec<DealRow> = Vec::new();
        let mut read: Vec<Snapshot> = Vec::new();
        let mut newest: Option<Snapshot> = None;
        for what in happenings {
            let before = scene.deals.len();
            match what {
                Happens::Opens(side, n) => {
                    scene.open(side, lots(0.01 * n as f64), Magic::new(1, 1).unwrap());
                }
                Happens::Closes(n) => {
                    if let Some(held) = scene.positions.first().cloned() {
                        let most = lots(0.01 * n as f64).min(held.lots);
                        scene.reduce(held.id, most, Magic::NONE);
                    }
                }
                Happens::DealComes => {
                    if !untold.is_empty() {
                        let deal = untold.remove(0);
                        told.push(deal.clone());
                        scene.shell.feed(Input::Deal(deal));
                    }
                }
                Happens::RowsCome => {
                    let rows = scene.snapshot();
                    read.push(rows.clone());
                    newest = Some(rows.clone());
                    scene.shell.pass(100);
                    scene.shell.feed(Input::Rows(rows));
                }
                Happens::OldRowsCome => {
                    if let Some(rows) = read.first().cloned() {
                        // What newer rows overtook tells nothing.
                        if newest.as_ref().is_none_or(|newest| newest.begun <= rows.begun) {
                            newest = Some(rows.clone());
                        }
                        scene.shell.feed(Input::Rows(rows));
                    }
                }
            }
            untold.extend(scene.deals[before..].iter().cloned());
            for held in scene.shell.core.book().positions() {
                let now = signed_row(&held.row);
                // A deal of which others may be missing before it waits for a row.
                let mut sums = (0..=told.len()).map(|n| signed(&told[..n], held.row.id));
                let own = |row: &&PositionRow| row.id == held.row.id;
                let rows = read.iter().flat_map(|rows| &rows.positions).filter(own);
                let mut rows = rows.map(signed_row);
                let seen = rows.clone().next().is_some();
                prop_assert!(
                    sums.any(|sum| sum == now) || rows.any(|row| row == now),
                    "{now}: deals {told:?}"
                );
                let newest = newest.iter().flat_map(|rows| &rows.positions).find(own);
                let closable = scene.shell.core.book().closable(held.row.id);
                match newest {
                    Some(row) => prop_assert!(closable <= row.lots),
                    None => prop_assert!(!netting || !seen || closable.is_zero()),
                }
            }
        }
    }
}

/// A position whose opening nobody here saw, and which alpha adopted.
fn of_unknown_origin(scene: &mut Scene) -> u64 {
    let held = scene.open(Side::Buy, lots(0.2), Magic::NONE).order.unwrap();
    scene.deals.clear();
    scene.rows();
    let position = mymt5_orders::Adoption::Position(PositionId(held.0));
    scene.adopt("x", "alpha", position);
    scene.rows();
    held.0
}

#[test]
fn a_deal_since_the_newest_row_counts_as_gone() {
    let mut scene = scene();
    let held = of_unknown_origin(&mut scene);
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    let more = scene.close("alpha", "c", held, Some(0.2));
    assert_eq!(scene.refusal(more), Reason::ExitExceedsPosition);
    scene.close("alpha", "d", held, Some(0.1));
    scene.obey();
    scene.rows();
    assert!(scene.position(held).is_none());
}

#[test]
fn a_position_of_unknown_origin_is_not_gone_with_one_read_that_lacks_it() {
    let mut scene = scene();
    let held = of_unknown_origin(&mut scene);
    let rows = std::mem::take(&mut scene.positions);
    scene.live(2);
    assert!(scene.position(held).is_some());
    scene.positions = rows;
    scene.live(10);
    assert!(scene.position(held).is_some());
    scene.positions.clear();
    scene.live(10);
    assert!(scene.position(held).is_none());
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_position_that_was_closed_in_part_is_not_gone_with_one_read_that_lacks_it() {
    let mut scene = scene();
    let held = of_unknown_origin(&mut scene);
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    scene.live(10);
    let rows = std::mem::take(&mut scene.positions);
    scene.rows();
    assert!(scene.position(held).is_some());
    scene.positions = rows;
    scene.rows();
    let closed = scene.events();
    let closed = closed.filter(|event| matches!(event, Event::PositionClosed(_)));
    assert_eq!(closed.count(), 0);
}

#[test]
fn a_position_that_was_closed_and_opened_again_by_its_row_keeps_its_owner() {
    let mut scene = scene();
    let held = of_unknown_origin(&mut scene);
    let rows = std::mem::take(&mut scene.positions);
    scene.live(10);
    assert!(scene.position(held).is_none());
    scene.positions = rows;
    scene.live(2);
    assert_eq!(scene.position(held).unwrap().client, Some(name("alpha")));
}

#[test]
fn a_position_of_ours_that_comes_back_is_no_orphan() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.restart();
    let rows = std::mem::take(&mut scene.positions);
    scene.live(10);
    assert!(scene.position(held).is_none());
    scene.positions = rows;
    scene.live(10);
    let told = scene.position(held).unwrap();
    assert_eq!(
        (told.client.clone(), told.orphan),
        (Some(name("alpha")), false)
    );
}

#[test]
fn a_close_of_more_than_one_order_may_have_says_how_much_that_is() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 2.5);
    let mut spec = mymt5_model::SymbolSpec::clone(&spec());
    spec.volume.max = lots(1.0);
    let specs = &mut scene.shell.prices.specs;
    specs.insert(symbol("EURUSD"), std::sync::Arc::new(spec));
    let asker = scene.close("alpha", "c", held, None);
    let mymt5_orders::Answer::Refused(refusal) = scene.answer(asker) else {
        panic!()
    };
    assert_eq!(refusal.reason(), Reason::LotsOutOfBounds);
    let text = refusal.to_string();
    assert!(
        text.contains("volume_max 1.00") && text.contains("in parts"),
        "{text}"
    );
    for (n, part) in [1.0, 1.0, 0.5].into_iter().enumerate() {
        scene.close("alpha", &format!("c{n}"), held, Some(part));
        scene.obey();
    }
    assert!(scene.position(held).is_none());
}

/// On netting: what somebody else added is not known yet, and rows lag behind the opening.
#[test]
fn rows_that_never_had_a_position_do_not_close_it() {
    let mut scene = netting_scene();
    scene.submit("alpha", "a", buy(0.03));
    scene.obey_early();
    let held = scene.positions[0].id.0;
    scene.open(Side::Buy, lots(0.04), Magic::NONE);
    scene.deals.pop();
    scene.close("alpha", "c", held, Some(0.03));
    scene.obey_early();
    let lagging = Snapshot {
        positions: Vec::new(),
        ..scene.snapshot()
    };
    scene.shell.feed(Input::Rows(lagging));
    assert!(scene.position(held).is_some());
}

/// On netting: somebody added and took away as much, and the history shows it late and bit by bit.
#[test]
fn a_late_deal_does_not_open_again_what_is_closed() {
    let mut scene = netting_scene();
    scene.submit("alpha", "a", buy(0.12));
    scene.obey_early();
    let held = scene.positions[0].id;
    let known = scene.deals.len();
    scene.open(Side::Buy, lots(0.03), Magic::NONE);
    scene.reduce(held, lots(0.03), Magic::NONE);
    scene.rows();
    scene.close("alpha", "c", held.0, None);
    scene.obey_early();
    scene.rows();
    let mut late = scene.deals.split_off(known + 1);
    scene.pass();
    assert!(scene.position(held.0).is_none());
    scene.deals.append(&mut late);
    scene.pass();
    assert!(scene.position(held.0).is_none());
    assert!(told_lots(&scene).iter().all(|told| *told == lots(0.12)));
}

/// Alpha closed 0.04 of 0.1 lots, and the row of a reading that had begun before its answer has that.
fn with_a_part_closed_early(mut scene: Scene) -> (Scene, u64) {
    let held = scene.hold("alpha", "a", 0.1);
    let begun = scene.shell.core.news();
    scene.close("alpha", "part", held, Some(0.04));
    scene.obey_early();
    let rows = Snapshot {
        begun,
        ..scene.snapshot()
    };
    scene.shell.feed(Input::Rows(rows));
    (scene, held)
}

/// The next row tells whether the one before had the close of the part.
#[test]
fn on_netting_a_close_of_the_rest_waits_while_a_row_may_lack_the_close_before_it() {
    for (scene_of, waits) in [(scene as fn() -> Scene, false), (netting_scene, true)] {
        for rest in [None, Some(0.06)] {
            let (mut scene, held) = with_a_part_closed_early(scene_of());
            scene.close("alpha", "rest", held, rest);
            assert_eq!(scene.shell.sent.is_empty(), waits);
            scene.rows();
            let request = scene.sent().request;
            assert!(
                matches!(request, TradeRequest::Close { lots: of, .. } if of == lots(0.06)),
                "{request:?}"
            );
        }
    }
}

/// The row has a close by hand that no deal tells yet, and may lack the close of the part: 0.02 of the
/// 0.06 lots are sure, and closes of 0.01 each are sure of them one by one.
#[test]
fn on_netting_closes_that_left_count_beside_the_next() {
    for outcome in [None, Some(Ok(())), Some(Err(()))] {
        let mut scene = netting_scene();
        let held = scene.hold("alpha", "a", 0.1);
        let begun = scene.shell.core.news();
        scene.reduce(PositionId(held), lots(0.04), Magic::NONE);
        let hidden = scene.deals.pop();
        let lagging = scene.snapshot();
        scene.close("alpha", "part", held, Some(0.04));
        scene.obey_early();
        scene.shell.feed(Input::Rows(Snapshot { begun, ..lagging }));
        for n in 0..6 {
            scene.close("alpha", &format!("c{n}"), held, Some(0.01));
        }
        let mut left = 0;
        while let Some(sent) = scene.shell.sent.pop() {
            left += 1;
            match outcome {
                None => {}
                Some(Ok(())) => scene.say(sent.job, Ok(done(900 + left, Vec::new()))),
                Some(Err(())) => scene.say(sent.job, lost()),
            }
        }
        assert!(left <= 2, "{left} closes of 0.01 left, {outcome:?}");
        assert!(hidden.is_some());
    }
}

#[test]
fn a_close_that_waits_for_a_row_in_vain_expires() {
    let (mut scene, held) = with_a_part_closed_early(netting_scene());
    let asker = scene.close("alpha", "rest", held, None);
    for _ in 0..60 {
        scene.shell.pass(1_000);
        scene.shell.feed(Input::Second);
    }
    assert_eq!(scene.order_told(asker).state, OrderState::Expired);
    assert!(scene.shell.sent.is_empty());
}
