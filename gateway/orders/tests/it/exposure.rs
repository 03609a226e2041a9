//! What is on its way, or filled a moment ago, counts against the limits as if it were there already.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{Limits, Percent, ScopeLimits};
use mymt5_model::{Magic, PositionId, Reason, Side};
use mymt5_orders::{Adoption, Answer, Input, ObstacleKind, Resolution, Snapshot};
use proptest::prelude::*;

fn at_most(volume: f64) -> ScopeLimits {
    entry_limits(Limits {
        max_lots_total: Some(lots(volume)),
        ..Limits::default()
    })
}

fn margin_at_most(percent: f64) -> ScopeLimits {
    entry_limits(Limits {
        max_margin_use: Some(Percent::try_from(percent).unwrap()),
        ..Limits::default()
    })
}

/// So many entries of a tenth of a lot are taken before one is refused for that reason.
fn taken(scene: &mut Scene, reason: Reason, mut then: impl FnMut(&mut Scene)) -> usize {
    for n in 0..20 {
        let asker = scene.submit("alpha", &format!("a{n}"), buy(0.1));
        if let [Answer::Refused(refusal)] = &scene.answers(asker)[..] {
            assert_eq!(refusal.reason(), reason);
            return n;
        }
        then(scene);
    }
    panic!("never refused")
}

#[test]
fn orders_on_their_way_count() {
    let mut scene = limited_scene(at_most(0.3), ScopeLimits::default());
    assert_eq!(taken(&mut scene, Reason::LimitLotsTotal, |_| {}), 3);
}

#[test]
fn unknown_orders_count_once_their_symbol_is_accepted() {
    let mut scene = limited_scene(at_most(0.3), ScopeLimits::default());
    for n in 0..3 {
        scene.submit("alpha", &format!("u{n}"), buy(0.1));
    }
    for _ in 0..3 {
        scene.lose();
    }
    let more = scene.check("alpha", buy(0.1));
    let Answer::Check(report) = more else {
        panic!()
    };
    let reasons = report.refusals.iter().map(|refusal| refusal.reason());
    let reasons: Vec<Reason> = reasons.collect();
    assert_eq!(reasons, [Reason::SymbolFrozen, Reason::LimitLotsTotal]);
}

#[test]
fn filled_orders_count_before_their_rows_come() {
    for netting in [false, true] {
        for early in [false, true] {
            let mut scene = Scene::unseen(limited(at_most(0.3), ScopeLimits::default()));
            if netting {
                scene.account.mode = mymt5_model::AccountMode::Netting;
            }
            scene.connect();
            let obey = |scene: &mut Scene| match early {
                true => drop(scene.obey_early()),
                false => drop(scene.obey()),
            };
            assert_eq!(taken(&mut scene, Reason::LimitLotsTotal, obey), 3);
        }
    }
}

#[test]
fn what_is_added_to_a_position_of_unknown_origin_counts_before_its_row_comes() {
    let mut scene = Scene::unseen(limited(at_most(0.3), ScopeLimits::default()));
    scene.account.mode = mymt5_model::AccountMode::Netting;
    let opened = scene.open(mymt5_model::Side::Buy, lots(0.1), mymt5_model::Magic::NONE);
    scene.deals.clear();
    scene.connect();
    let position = PositionId(opened.order.unwrap().0);
    scene.adopt("x", "alpha", Adoption::Position(position));
    let obey = |scene: &mut Scene| drop(scene.obey());
    assert_eq!(taken(&mut scene, Reason::LimitLotsTotal, obey), 2);
}

#[test]
fn margin_of_orders_on_their_way_is_reserved() {
    let mut scene = limited_scene(margin_at_most(2.5), ScopeLimits::default());
    assert_eq!(taken(&mut scene, Reason::LimitMargin, |_| {}), 2);
}

#[test]
fn margin_of_filled_orders_is_reserved_until_the_account_shows_it() {
    let mut scene = limited_scene(margin_at_most(2.5), ScopeLimits::default());
    let obey = |scene: &mut Scene| drop(scene.obey());
    assert_eq!(taken(&mut scene, Reason::LimitMargin, obey), 2);
    scene.account.margin = money(110.01);
    scene.rows();
    let obey = |scene: &mut Scene| drop(scene.obey());
    scene.submit("alpha", "b", buy(0.1));
    obey(&mut scene);
}

#[test]
fn margin_is_reserved_though_the_rows_were_read_before_the_deal() {
    let mut scene = limited_scene(margin_at_most(2.0), ScopeLimits::default());
    let ticket = scene.work("alpha", "p", 0.1);
    let rows = scene.snapshot();
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.shell.feed(Input::Deal(deal));
    scene.shell.feed(Input::Rows(rows));
    let more = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.refusal(more), Reason::LimitMargin);
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    Market(u8),
    Pending(u8),
    Cancel(u8),
    Close(u8),
    Obey,
    Refuse,
    Fill(u8, bool),
    Rows,
    Keep,
    Stale,
    Pass,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens as H;
    prop_oneof![
        4 => (1..4u8).prop_map(H::Market),
        4 => (1..4u8).prop_map(H::Pending),
        2 => (0..4u8).prop_map(H::Cancel),
        2 => (0..4u8).prop_map(H::Close),
        8 => Just(H::Obey),
        1 => Just(H::Refuse),
        4 => (0..4u8, any::<bool>()).prop_map(|(n, told)| H::Fill(n, told)),
        2 => Just(H::Rows),
        1 => Just(H::Keep),
        1 => Just(H::Stale),
        1 => Just(H::Pass),
    ]
}

/// Lots that the broker has open or working, and those of entries on their way.
fn at_the_broker(scene: &Scene) -> mymt5_model::Lots {
    let held = scene.positions.iter().map(|row| row.lots);
    let works = scene.orders.iter().map(|row| row.lots_left);
    let flies = scene.shell.sent.iter().map(|sent| match &sent.request {
        mymt5_model::TradeRequest::Market { lots, .. }
        | mymt5_model::TradeRequest::Pending { lots, .. } => *lots,
        _ => mymt5_model::Lots::ZERO,
    });
    let all = held.chain(works).chain(flies);
    all.fold(mymt5_model::Lots::ZERO, mymt5_model::Lots::plus)
}

fn nth_working(scene: &Scene, nth: u8) -> Option<mymt5_model::OrderId> {
    let open = scene.shell.core.open_orders();
    let mut works = open.filter(|order| order.works());
    Some(works.nth(usize::from(nth))?.id)
}

/// The most that was at the broker, while a limit allows one lot.
fn most(netting: bool, happenings: Vec<Happens>) -> mymt5_model::Lots {
    let mut most = mymt5_model::Lots::ZERO;
    let mut scene = Scene::unseen(limited(at_most(1.0), ScopeLimits::default()));
    if netting {
        scene.account.mode = mymt5_model::AccountMode::Netting;
    }
    scene.connect();
    let mut stale = None;
    for (n, what) in happenings.into_iter().enumerate() {
        let request = format!("r{n}");
        scene.shell.pass(100);
        match what {
            Happens::Market(tenths) => {
                scene.submit("alpha", &request, buy(0.1 * f64::from(tenths)));
            }
            Happens::Pending(tenths) => {
                let new = buy_limit(0.1 * f64::from(tenths), BID - 1_000);
                scene.submit("alpha", &request, new);
            }
            Happens::Cancel(nth) => {
                if let Some(order) = nth_working(&scene, nth) {
                    scene.cancel("alpha", &request, order);
                }
            }
            Happens::Close(nth) => {
                if let Some(held) = scene.positions.get(usize::from(nth)) {
                    let position = held.id.0;
                    scene.close("alpha", &request, position, None);
                }
            }
            Happens::Obey if !scene.shell.sent.is_empty() => {
                scene.obey();
            }
            Happens::Refuse if !scene.shell.sent.is_empty() => {
                scene.refuse(mymt5_model::Retcode::REJECT);
            }
            Happens::Obey | Happens::Refuse => {}
            Happens::Fill(nth, told) => {
                if let Some(row) = scene.orders.get(usize::from(nth)) {
                    let (ticket, half) = (row.ticket, row.lots_left.min(lots(0.1)));
                    let deal = scene.fill_pending(ticket, half);
                    if told {
                        scene.shell.feed(Input::Deal(deal));
                    }
                }
            }
            Happens::Rows => scene.rows(),
            Happens::Keep => stale = Some(scene.snapshot()),
            Happens::Stale => {
                if let Some(rows) = stale.take() {
                    scene.shell.feed(Input::Rows(rows));
                }
            }
            Happens::Pass => scene.pass(),
        }
        most = most.max(at_the_broker(&scene));
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn there_is_never_more_at_the_broker_than_the_limit_allows(
        happenings in prop::collection::vec(happens(), 1..80)
    ) {
        prop_assert!(most(false, happenings) <= lots(1.0));
    }

    #[test]
        fn there_is_never_more_at_the_broker_than_the_limit_allows_on_netting(
        happenings in prop::collection::vec(happens(), 1..80)
    ) {
        prop_assert!(most(true, happenings) <= lots(1.0));
    }
}

#[test]
fn a_fill_that_rows_lack_counts_beside_a_position_that_no_deals_tell() {
    let mut scene = netting_scene();
    let limits = at_most(0.25).entry;
    let grant = scene.shell.config.grants.get_mut(&name("alpha"));
    grant.unwrap().limits = limits;
    scene.regrant();
    scene.open(Side::Buy, lots(0.1), Magic::NONE);
    scene.deals.clear();
    scene.live(61);
    let held = scene.positions[0].id;
    scene.adopt("adopt", "alpha", Adoption::Position(held));
    let before = scene.positions.clone();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    let late = Snapshot {
        positions: before,
        ..scene.snapshot()
    };
    scene.shell.feed(Input::Rows(late));
    let more = scene.submit("alpha", "b", buy(0.1));
    assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
    scene.live(6);
    scene.submit("alpha", "c", buy(0.05));
    scene.obey();
}

/// The chain is not whole, since somebody else opened the position; the orders are over by then.
#[test]
fn fills_of_orders_that_are_over_count_while_rows_lack_them() {
    let mut scene = netting_scene();
    let limits = at_most(0.25).entry;
    let grant = scene.shell.config.grants.get_mut(&name("alpha"));
    grant.unwrap().limits = limits;
    scene.regrant();
    scene.open(Side::Sell, lots(0.01), Magic::NONE);
    scene.deals.clear();
    for request in ["a", "b"] {
        scene.submit("alpha", request, buy(0.1));
        scene.obey();
    }
    let more = scene.submit("alpha", "c", buy(0.1));
    assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
    let other = scene.submit("beta", "d", buy(0.1));
    assert_eq!(scene.refusal(other), Reason::SymbolShared);
}

/// Until the next reading the position is told as that of somebody else, who was there first.
#[test]
fn a_fill_in_a_position_of_somebody_else_counts_as_a_position() {
    let mut scene = netting_scene();
    let limits = Limits {
        max_open_positions: Some(1),
        ..Limits::default()
    };
    let grant = scene.shell.config.grants.get_mut(&name("alpha"));
    grant.unwrap().limits = limits;
    scene.regrant();
    scene.submit("alpha", "a", buy(0.1));
    scene.open(Side::Buy, lots(0.01), Magic::NONE);
    scene.pass();
    scene.obey();
    let Answer::Check(report) = scene.check("alpha", buy(0.1)) else {
        panic!()
    };
    let mut reasons = report.refusals.iter().map(|refusal| refusal.reason());
    assert!(reasons.any(|reason| reason == Reason::LimitOpenPositions));
}

/// Its opening is unknown for ever, so that its deals are in no order.
#[test]
fn a_fill_of_a_position_that_is_over_counts_no_more_after_a_while() {
    let mut scene = netting_scene();
    scene.open(Side::Sell, lots(0.01), Magic::NONE);
    scene.deals.clear();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    scene.close_by_hand(scene.positions[0].id.0, 0.09);
    scene.deals.clear();
    let other = scene.submit("beta", "b", buy(0.1));
    assert_eq!(scene.refusal(other), Reason::SymbolShared);
    scene.live(301);
    assert!(
        scene.obstacle(ObstacleKind::SymbolShared).is_none(),
        "{:?}",
        scene.obstacles()
    );
}

/// Its deal lags, and so do the rows, though they were read after the answer.
#[test]
fn what_an_order_filled_before_it_was_canceled_counts_before_its_deal_is_known() {
    for netting in [false, true] {
        let mut scene = Scene::unseen(limited(at_most(0.3), ScopeLimits::default()));
        if netting {
            scene.account.mode = mymt5_model::AccountMode::Netting;
        }
        scene.connect();
        let ticket = scene.work("alpha", "p", 0.2);
        let order = scene.id("alpha", "p");
        let before = scene.snapshot();
        scene.fill_pending(ticket, lots(0.1));
        scene.cancel("alpha", "c", order);
        scene.obey();
        let late = Snapshot {
            begun: scene.shell.core.news(),
            ..before
        };
        scene.shell.feed(Input::Rows(late));
        if netting {
            let other = scene.submit("beta", "o", buy(0.1));
            assert_eq!(scene.refusal(other), Reason::SymbolShared);
        }
        let more = scene.submit("alpha", "a", buy(0.25));
        assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
        scene.pass();
        scene.submit("alpha", "b", buy(0.2));
        scene.obey();
    }
}

#[test]
fn a_canceled_order_of_which_no_row_is_left_counts_no_more_after_the_grace_time() {
    let mut scene = limited_scene(at_most(0.3), ScopeLimits::default());
    scene.work("alpha", "p", 0.2);
    let order = scene.id("alpha", "p");
    scene.cancel("alpha", "c", order);
    scene.obey();
    scene.ended.clear();
    scene.live(25);
    let more = scene.submit("alpha", "a", buy(0.2));
    assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
    scene.live(10);
    scene.submit("alpha", "b", buy(0.2));
    scene.obey();
}

/// It came with its order's answer and waits for its place; the next process knows its deal alone.
#[test]
fn a_fill_that_its_position_was_told_without_counts_after_a_start_before_its_row_comes() {
    for lacks_all in [false, true] {
        let mut scene = Scene::unseen(limited(at_most(0.3), ScopeLimits::default()));
        scene.account.mode = mymt5_model::AccountMode::Netting;
        scene.connect();
        scene.submit("alpha", "a", buy(0.1));
        scene.obey();
        let before = if lacks_all {
            Vec::new()
        } else {
            scene.positions.clone()
        };
        scene.submit("alpha", "b", buy(0.1));
        scene.obey_early();
        scene.shell.restart();
        scene.tick(BID, ASK);
        scene.shell.feed(Input::Link(true));
        let late = Snapshot {
            positions: before,
            ..scene.snapshot()
        };
        let history = scene.history();
        scene.shell.feed(Input::Pass(late, history));
        let more = scene.submit("alpha", "c", buy(0.15));
        assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
        scene.live(6);
        scene.submit("alpha", "d", buy(0.1));
        scene.obey();
    }
}

/// Its deal adds to a position that another order opened.
#[test]
fn an_order_that_an_operator_called_not_done_counts_again_once_its_deal_is_known() {
    let mut scene = Scene::unseen(limited(at_most(0.3), ScopeLimits::default()));
    scene.account.mode = mymt5_model::AccountMode::Netting;
    scene.connect();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.lose();
    let order = scene.id("alpha", "a");
    scene.resolve("r", order, Resolution::NotDone);
    scene.submit("alpha", "b", buy(0.2));
    scene.obey();
    drop(scene.execute(&sent));
    scene.pass();
    let more = scene.submit("alpha", "c", buy(0.01));
    assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
}
