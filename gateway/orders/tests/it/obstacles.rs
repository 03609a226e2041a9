//! Each closed or frozen state by its name: it is listed with a reason, refuses entries by it, lets
//! exits go, and ends by what it says ends it.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{LimitAction, ScopeLimits, TradingState};
use mymt5_model::{
    ClientName, Magic, OrderRow, OrderType, PositionId, Reason, Receipt, Retcode, RowState, Side,
    Symbol, Ticket,
};
use mymt5_orders::{
    Acceptance, Adoption, Answer, DeadMan, DeadManAction, Input, Job, Obstacle,
    ObstacleKind as Kind, Resolution, RowKind, SendFailure, Unreadable,
};

const ORPHAN: Ticket = Ticket(4_000);

/// Alpha holds a position of two tenths of a lot, which is the first in the book.
fn held(scene: Scene) -> Scene {
    let mut scene = scene;
    scene.hold("alpha", "held", 0.2);
    scene
}

fn position(scene: &Scene) -> u64 {
    scene.positions[0].id.0
}

fn unreadable_order() -> Unreadable {
    Unreadable {
        kind: RowKind::Order,
        ticket: Ticket(77),
        symbol: None,
        why: "state: expected 0 to 9".to_owned(),
    }
}

fn see_unreadable(scene: &mut Scene, unreadable: Vec<Unreadable>) {
    let mut rows = scene.snapshot();
    rows.unreadable = unreadable;
    scene.shell.feed(Input::Rows(rows));
}

fn orphan_order(scene: &Scene) -> OrderRow {
    let magic = Magic::new(1, 78).unwrap();
    let row = scene.market_row(ORPHAN.0, Side::Buy, lots(0.1), magic);
    OrderRow {
        kind: OrderType::Limit,
        state: RowState::Placed,
        lots_left: lots(0.1),
        price: Some(points(BID - 1_000)),
        done: None,
        ..row
    }
}

/// 500 may be lost in total.
fn drawdown() -> ScopeLimits {
    let mut limits = ScopeLimits::default();
    limits.loss.drawdown = Some(mymt5_guard::Drawdown {
        allowance: mymt5_guard::Allowance::Amount(money(500.0)),
        kind: mymt5_guard::DrawdownKind::Static,
        initial_balance: None,
        action: LimitAction::Block,
    });
    limits
}

fn lose_close(scene: &mut Scene) {
    let position = position(scene);
    scene.close("alpha", "lost", position, Some(0.01));
    scene.lose();
}

/// A core in that state, and alpha with a position.
fn bring(kind: Kind) -> Scene {
    let loss = daily(500.0, LimitAction::Block);
    let mut scene = match kind {
        Kind::DailyLoss | Kind::LossUnmeasured => held(limited_scene(ScopeLimits::default(), loss)),
        Kind::Drawdown => held(limited_scene(ScopeLimits::default(), drawdown())),
        Kind::CloseUnknown | Kind::SymbolShared => held(netting_scene()),
        _ => held(scene()),
    };
    match kind {
        Kind::LinkDown => scene.shell.feed(Input::Link(false)),
        Kind::Draining => scene.shell.feed(Input::Drain),
        Kind::TradeNotAllowed => {
            scene.submit("alpha", "refused", buy(0.1));
            scene.refuse(Retcode::CLIENT_DISABLES_AT);
        }
        Kind::NotCompared => {
            scene.shell.feed(Input::Link(false));
            scene.shell.feed(Input::Link(true));
        }
        Kind::AccountUnreadable => scene.shell.feed(Input::Unreadable(true)),
        Kind::HistoryIncomplete => {
            scene.deals.clear();
            scene.live(16);
            scene.pass();
        }
        Kind::UnreadableRows => see_unreadable(&mut scene, vec![unreadable_order()]),
        Kind::OrphanRows => {
            let row = orphan_order(&scene);
            scene.orders.push(row);
            scene.rows();
        }
        Kind::OrphanDeals => {
            let magic = Magic::new(1, 78).unwrap();
            let position = scene.open(Side::Buy, lots(0.1), magic).order.unwrap();
            scene.reduce(PositionId(position.0), lots(0.1), magic);
            scene.live(61);
        }
        Kind::Reducing => drop(scene.set_state("in", None, TradingState::Reducing)),
        Kind::Halted => drop(scene.set_state("in", Some("alpha"), TradingState::Halted)),
        Kind::Flattening => {
            scene.flatten("in", None, false);
            scene.refuse(Retcode::REJECT);
        }
        Kind::DailyLoss | Kind::Drawdown => {
            scene.positions[0].profit = money(-500.0);
            scene.refresh();
            scene.rows();
        }
        Kind::LossUnmeasured => {
            scene.shell.pass(61_000);
            scene.tick(BID, ASK);
            scene.shell.feed(Input::Second);
        }
        Kind::OrderUnknown => {
            scene.submit("alpha", "lost", buy(0.1));
            scene.lose();
        }
        Kind::ForeignTrade => {
            let position = position(&scene);
            let deal = scene.close_by_hand(position, 0.01);
            scene.shell.feed(Input::Deal(deal));
        }
        Kind::RowsDisagree => {
            scene.positions[0].lots = lots(0.15);
            scene.live(7);
        }
        Kind::SymbolShared => {
            let row = orphan_order(&scene);
            scene.orders.push(row);
            scene.rows();
            scene.adopt("in", "beta", Adoption::Order(ORPHAN));
        }
        Kind::SymbolClosed => {
            scene.submit("alpha", "refused", buy(0.1));
            scene.refuse(Retcode::MARKET_CLOSED);
        }
        Kind::CloseUnknown => lose_close(&mut scene),
    }
    scene
}

/// What ends the state: an operator's command where there is one.
fn end(kind: Kind, scene: &mut Scene) {
    match kind {
        Kind::LinkDown => scene.connect(),
        Kind::Draining => scene.restart(),
        Kind::TradeNotAllowed => scene.live(60),
        Kind::NotCompared => scene.pass(),
        Kind::AccountUnreadable => scene.shell.feed(Input::Unreadable(false)),
        Kind::HistoryIncomplete => {
            scene.accept("out", Acceptance::MissingDeals);
            scene.pass();
        }
        Kind::UnreadableRows => {
            scene.accept("out", Acceptance::UnreadableRows);
            see_unreadable(scene, vec![unreadable_order()]);
        }
        Kind::OrphanRows => drop(scene.adopt("out", "alpha", Adoption::Order(ORPHAN))),
        Kind::OrphanDeals => {
            let orphans = scene.shell.disk.orphan_deals.clone();
            for ticket in orphans.keys() {
                let request = format!("out-{ticket}");
                scene.adopt(&request, "alpha", Adoption::Deal(*ticket));
            }
        }
        Kind::Reducing | Kind::Flattening | Kind::Drawdown => {
            scene.set_state("out", None, TradingState::Active);
        }
        Kind::SymbolShared => {
            let mut open = scene.shell.core.open_orders();
            let order = open.find(|order| order.ticket == Some(ORPHAN)).unwrap().id;
            drop(open);
            scene.cancel("beta", "out", order);
            scene.obey();
            scene.pass();
        }
        Kind::Halted => drop(scene.set_state("out", Some("alpha"), TradingState::Active)),
        Kind::DailyLoss => {
            scene.positions[0].profit = money(0.0);
            scene.refresh();
            let left = scene.broker_time().day_end().0 - scene.broker_time().0;
            scene.shell.pass(left - 1_000);
            scene.live(2);
        }
        Kind::LossUnmeasured => scene.rows(),
        Kind::OrderUnknown | Kind::CloseUnknown => {
            let order = scene.id("alpha", "lost");
            scene.resolve("out", order, Resolution::NotDone);
        }
        Kind::ForeignTrade | Kind::RowsDisagree => {
            scene.accept("out", Acceptance::Symbol(symbol("EURUSD")));
        }
        Kind::SymbolClosed => {
            scene.shell.feed(Input::SymbolChanged(symbol("EURUSD")));
        }
    }
}

/// The reason with which an entry is refused; none: it left.
fn entry(scene: &mut Scene, request: &str) -> Option<Reason> {
    let before = scene.shell.sent.len();
    let asker = scene.submit("alpha", request, buy(0.01));
    if scene.shell.sent.len() > before {
        scene.shell.sent.truncate(before);
        return None;
    }
    Some(scene.refusal(asker))
}

fn exit_now(scene: &mut Scene, request: &str) -> Option<Reason> {
    let before = scene.shell.sent.len();
    let position = position(scene);
    let asker = scene.close("alpha", request, position, Some(0.01));
    if scene.shell.sent.len() > before {
        scene.shell.sent.truncate(before);
        return None;
    }
    Some(scene.refusal(asker))
}

#[test]
fn each_obstacle_is_listed_with_its_reason_and_refuses_entries_by_it() {
    for kind in Kind::ALL {
        let mut scene = bring(kind);
        let obstacle = scene.obstacle(kind);
        let obstacle = obstacle.unwrap_or_else(|| panic!("{kind} is not listed"));
        assert!(!obstacle.why.is_empty(), "{kind}");
        let refused = entry(&mut scene, "entry");
        // An unknown close freezes its symbol for entries, whatever it does to other closes.
        let expected = match kind {
            Kind::CloseUnknown => Reason::SymbolFrozen,
            _ => kind.reason(),
        };
        assert_eq!(refused, Some(expected), "{kind}");
    }
}

#[test]
fn no_obstacle_but_a_definite_fact_holds_an_exit_back() {
    for kind in Kind::ALL {
        let mut scene = bring(kind);
        let refused = exit_now(&mut scene, "exit");
        let expected = match kind {
            Kind::LinkDown | Kind::Draining | Kind::CloseUnknown => Some(kind.reason()),
            _ => None,
        };
        assert_eq!(refused, expected, "{kind}");
    }
}

#[test]
fn each_obstacle_ends_by_what_it_says() {
    for kind in Kind::ALL {
        let mut scene = bring(kind);
        end(kind, &mut scene);
        assert_eq!(scene.obstacles(), [], "{kind}");
        assert_eq!(entry(&mut scene, "after"), None, "{kind}");
        assert!(!kind.ends().is_empty() && !kind.closes().is_empty());
    }
}

#[test]
fn what_ends_an_obstacle_names_whose_and_where_it_is() {
    let ends = |kind, client: Option<&str>, symbol: Option<&str>| {
        let obstacle = Obstacle {
            kind,
            client: client.map(|name| ClientName::parse(name).unwrap()),
            symbol: symbol.map(|name| Symbol::parse(name).unwrap()),
            why: String::new(),
        };
        obstacle.ends()
    };
    for (kind, command) in [
        (Kind::Reducing, "`mymt5-gateway resume --client alpha`"),
        (Kind::Halted, "`mymt5-gateway resume --client alpha`"),
        (Kind::Flattening, "`mymt5-gateway resume --client alpha`"),
        (Kind::Drawdown, "`mymt5-gateway resume --client alpha`"),
        (Kind::OrphanDeals, "--all-deals --client alpha`"),
    ] {
        let told = ends(kind, Some("alpha"), None);
        assert!(told.contains(command), "{told}");
    }
    let told = ends(Kind::ForeignTrade, None, Some("EURUSD"));
    assert_eq!(told, "`mymt5-gateway accept --symbol EURUSD`");
    for kind in Kind::ALL {
        assert_eq!(ends(kind, None, None), kind.ends());
    }
}

#[test]
fn a_history_that_lags_behind_an_answer_lacks_nothing_yet() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    let deals = std::mem::take(&mut scene.deals);
    scene.pass();
    assert_eq!(scene.obstacles(), []);
    scene.live(16);
    scene.pass();
    assert!(scene.obstacle(Kind::HistoryIncomplete).is_some());
    scene.deals = deals;
    scene.pass();
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn each_obstacle_that_can_end_by_itself_does() {
    for kind in Kind::ALL {
        let mut scene = bring(kind);
        match kind {
            Kind::HistoryIncomplete => {
                let known = scene.shell.disk.deals.values();
                scene.deals = known.map(|owned| owned.deal.clone()).collect();
                scene.live(6);
            }
            Kind::UnreadableRows => scene.rows(),
            Kind::OrphanRows => {
                scene.remove(ORPHAN, RowState::Canceled).unwrap();
                scene.rows();
            }
            Kind::OrderUnknown => scene.live(45),
            Kind::CloseUnknown => scene.live(45),
            Kind::RowsDisagree => {
                let position = PositionId(position(&scene));
                scene.positions[0].lots = lots(0.2);
                scene.reduce(position, lots(0.05), Magic::NONE);
                let deal = scene.deals.last_mut().unwrap();
                deal.reason = mymt5_model::DealReason::StopLoss;
                scene.live(61);
            }
            Kind::Flattening => {
                scene.live_and_obey(5);
                assert_eq!(scene.obstacle(kind), None, "{kind}");
                let halted = scene.shell.core.account_state();
                assert_eq!(halted, TradingState::Halted);
                continue;
            }
            _ => continue,
        }
        assert_eq!(scene.obstacles(), [], "{kind}");
        assert_eq!(entry(&mut scene, "after"), None, "{kind}");
    }
}

#[test]
fn a_symbol_that_closed_is_open_with_its_next_tick() {
    let mut scene = bring(Kind::SymbolClosed);
    scene.shell.pass(1_000);
    scene.tick(BID, ASK);
    assert_eq!(entry(&mut scene, "after"), None);
}

#[test]
fn a_symbol_that_is_open_again_is_listed_no_more() {
    let mut scene = bring(Kind::SymbolClosed);
    scene.live(5);
    assert_eq!(scene.obstacle(Kind::SymbolClosed), None);
}

#[test]
fn a_symbol_that_closed_refuses_until_something_moves_there() {
    let mut scene = bring(Kind::SymbolClosed);
    scene.shell.feed(Input::Second);
    scene.rows();
    assert_eq!(entry(&mut scene, "again"), Some(Reason::MarketClosed));
}

#[test]
fn an_account_whose_rows_forbid_trading_opens_nothing_until_they_allow_it() {
    let mut scene = held(scene());
    scene.account.trade_allowed = false;
    scene.rows();
    assert!(scene.obstacle(Kind::TradeNotAllowed).is_some());
    assert_eq!(entry(&mut scene, "e"), Some(Reason::TradeNotAllowed));
    assert_eq!(exit_now(&mut scene, "x"), None);
    scene.account.trade_allowed = true;
    scene.rows();
    assert_eq!(entry(&mut scene, "f"), None);
}

#[test]
fn a_drawdown_refuses_by_its_own_name() {
    let mut scene = held(limited_scene(drawdown(), ScopeLimits::default()));
    scene.positions[0].profit = money(-500.0);
    scene.refresh();
    scene.rows();
    let listed = scene.obstacle(Kind::Drawdown).unwrap();
    assert_eq!(listed.client, Some(name("alpha")));
    assert_eq!(entry(&mut scene, "e"), Some(Reason::LimitDrawdown));
    scene.set_state("out", Some("alpha"), TradingState::Active);
    assert_eq!(entry(&mut scene, "f"), None);
}

#[test]
fn a_real_account_starts_halted_once() {
    let mut scene = Scene::unseen(fresh());
    scene.account.kind = mymt5_model::AccountKind::Real;
    scene.connect();
    assert_eq!(scene.shell.core.account_state(), TradingState::Halted);
    scene.set_state("r", None, TradingState::Active);
    scene.restart();
    scene.live(61);
    assert_eq!(scene.shell.core.account_state(), TradingState::Active);
}

#[test]
fn a_halt_from_before_the_start_holds() {
    let mut scene = scene();
    scene.set_state("h", Some("beta"), TradingState::Halted);
    scene.restart();
    assert!(scene.obstacle(Kind::Halted).is_some());
    let refused = scene.submit("beta", "b", buy(0.1));
    assert_eq!(scene.refusal(refused), Reason::TradingStateForbids);
    assert_eq!(entry(&mut scene, "a"), None);
}

#[test]
fn a_dead_mans_reduction_is_listed_with_who_entered_it() {
    let mut scene = scene();
    let dead_man = DeadMan {
        after_ms: 1_000,
        action: DeadManAction::Reduce,
    };
    scene.arm("alpha", dead_man);
    scene.live(3);
    let listed = scene.obstacle(Kind::Reducing).unwrap();
    assert_eq!(listed.why, "DEAD_MAN (by gateway)");
    assert!(matches!(
        scene.beat("alpha", "one", false),
        Answer::State(_)
    ));
    assert_eq!(scene.obstacle(Kind::Reducing), None);
}

#[test]
fn nothing_that_is_not_there_is_accepted_or_adopted() {
    let mut scene = held(scene());
    let own = position(&scene);
    for what in [
        Acceptance::Symbol(symbol("EURUSD")),
        Acceptance::MissingDeals,
        Acceptance::UnreadableRows,
    ] {
        let asker = scene.accept("ok", what);
        assert_eq!(scene.refusal(asker), Reason::NothingToAccept);
    }
    for (what, reason) in [
        (
            Adoption::Position(PositionId(own)),
            Reason::PositionNotFound,
        ),
        (Adoption::Order(ORPHAN), Reason::OrderNotFound),
        (Adoption::Deal(ORPHAN), Reason::DealNotFound),
    ] {
        let asker = scene.adopt("ok", "beta", what);
        assert_eq!(scene.refusal(asker), reason);
    }
    let nobody = scene.adopt("ok", "gamma", Adoption::Deal(ORPHAN));
    assert_eq!(scene.refusal(nobody), Reason::ClientUnknown);
}

#[test]
fn a_link_that_was_never_up_is_the_first_thing_told() {
    let mut scene = Scene::unseen(fresh());
    scene.shell.prices.specs.clear();
    let levels = scene.stop("alpha", "s", 1, BID - 100);
    assert_eq!(scene.refusal(levels), Reason::LinkDown);
    let cancelled = scene.cancel("alpha", "c", mymt5_model::OrderId(1));
    assert_eq!(scene.refusal(cancelled), Reason::LinkDown);
    let closed = scene.close("alpha", "x", 1, None);
    assert_eq!(scene.refusal(closed), Reason::LinkDown);
}

#[test]
fn a_shared_symbol_is_listed_as_what_stands_in_the_way() {
    let mut scene = netting_scene();
    scene.hold_foreign(0.1);
    assert_eq!(entry(&mut scene, "e"), Some(Reason::SymbolShared));
    assert!(!scene.shell.core.obstacles().is_empty());
}

#[test]
fn an_exit_that_is_done_without_a_deal_holds_no_other_back_for_ever() {
    let mut scene = held(netting_scene());
    let position = position(&scene);
    scene.close("alpha", "done", position, None);
    let sent = scene.sent();
    assert!(matches!(sent.job, Job::Order(_)));
    scene.say(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(exit_now(&mut scene, "x"), Some(Reason::ExitExceedsPosition));
    scene.live(60);
    assert!(scene.obstacle(Kind::CloseUnknown).is_some());
    assert_eq!(
        exit_now(&mut scene, "y"),
        Some(Reason::PendingReconciliation)
    );
    let order = scene.id("alpha", "done");
    scene.resolve("r", order, Resolution::NotDone);
    assert_eq!(exit_now(&mut scene, "z"), None);
}

#[test]
fn an_account_that_may_not_trade_is_tried_again_after_a_while() {
    let mut scene = held(scene());
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    let forbidden = SendFailure::Rejected(Retcode::SERVER_DISABLES_AT);
    scene.say(sent.job, Err(forbidden));
    assert_eq!(scene.notices("account_may_not_trade"), 1);
    assert_eq!(entry(&mut scene, "b"), Some(Reason::TradeNotAllowed));
    assert_eq!(exit_now(&mut scene, "x"), None);
    scene.live(60);
    assert_eq!(entry(&mut scene, "c"), None);
}

/// Before the first link no symbol is known, so that nothing of an order can be understood.
#[test]
fn what_cannot_be_understood_yet_is_refused_by_the_link_that_is_down() {
    let unknown = || mymt5_model::Refusal::new(Reason::SymbolUnknown);
    for (up, expected) in [(false, Reason::LinkDown), (true, Reason::SymbolUnknown)] {
        let mut scene = Scene::unseen(fresh());
        scene.shell.feed(Input::Link(up));
        let commands = [
            mymt5_orders::Command::Submit(Err(unknown())),
            mymt5_orders::Command::Close(Err(unknown())),
        ];
        for command in commands {
            let asker = scene.ask("alpha", "a", command);
            assert_eq!(scene.refusal(asker), expected);
        }
    }
}
