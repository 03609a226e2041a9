//! What became of an order is told by evidence: deals and rows, whatever an answer said or did not say.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    DealReason, Magic, OrderState, PositionId, Reason, Receipt, Retcode, RowState, Ticket,
    TradeRequest,
};
use mymt5_orders::{Answer, Input, Notice, ObstacleKind, Resolution, SendFailure, reason};

/// A market order whose answer is lost, of which the broker has nothing.
fn unknown(scene: &mut Scene, request: &str) -> mymt5_orders::Job {
    scene.submit("alpha", request, buy(0.1));
    scene.lose().job
}

#[test]
fn a_lost_answer_freezes_entries_of_everybody_in_the_symbol_and_no_exit() {
    let mut scene = scene();
    let held = scene.hold("beta", "b", 0.1);
    unknown(&mut scene, "a");
    let entry = scene.submit("beta", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::SymbolFrozen);
    scene.close("beta", "c", held, None);
    scene.obey();
    assert_eq!(scene.state("beta", "c"), OrderState::Filled);
}

#[test]
fn a_lost_answer_is_told_as_unknown_and_then_as_what_the_deals_say() {
    let mut scene = scene();
    let asker = scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let told = scene.order_told(asker);
    assert_eq!(told.state, OrderState::Unknown);
    assert_eq!(told.reason, reason::OUTCOME_UNKNOWN);
    scene.pass();
    let order = scene.order("alpha", "a");
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Filled, "")
    );
    let repeat = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.order_told(repeat).state, OrderState::Filled);
    assert!(scene.shell.sent.is_empty());
}

#[test]
fn absence_takes_three_passes_and_the_grace_time() {
    let mut scene = scene();
    unknown(&mut scene, "a");
    scene.live(29);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.live(12);
    let order = scene.order("alpha", "a");
    assert_eq!(order.state, OrderState::Rejected);
    assert_eq!(order.reason, reason::NOT_FOUND);
    assert_eq!(scene.obstacles(), []);
}

/// A machine that slept looked for nothing meanwhile.
#[test]
fn absence_does_not_count_while_nobody_looked() {
    let mut scene = scene();
    unknown(&mut scene, "a");
    scene.live(20);
    scene.shell.pass(86_400_000);
    scene.live(20);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.live(21);
    assert_eq!(scene.state("alpha", "a"), OrderState::Rejected);
}

#[test]
fn absence_counts_only_while_the_link_is_up_throughout() {
    let mut scene = scene();
    unknown(&mut scene, "a");
    for _ in 0..5 {
        scene.live(25);
        scene.shell.feed(Input::Link(false));
        scene.shell.pass(60_000);
        scene.connect();
    }
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
}

#[test]
fn a_late_answer_decides_what_was_unknown() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    scene.say(sent.job, lost());
    let receipt = scene.execute(&sent);
    scene.say_late(sent.job, receipt);
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
    let refused = unknown(&mut scene, "b");
    scene.say_late(refused, Err(SendFailure::Rejected(Retcode::NO_MONEY)));
    assert_eq!(scene.state("alpha", "b"), OrderState::Rejected);
    assert_eq!(scene.order("alpha", "b").retcode, Some(Retcode::NO_MONEY));
    let unsent = unknown(&mut scene, "c");
    scene.say_late(unsent, not_sent());
    assert_eq!(scene.state("alpha", "c"), OrderState::Rejected);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_late_answer_frees_no_lane_twice() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.3);
    let job = unknown(&mut scene, "a");
    for n in 0..3 {
        scene.close("alpha", &format!("c{n}"), held, Some(0.1));
    }
    assert_eq!(scene.shell.sent.len(), 1);
    scene.say_late(job, Err(SendFailure::Rejected(Retcode::REJECT)));
    assert_eq!(scene.shell.sent.len(), 1);
    scene.obey();
    assert_eq!(scene.shell.sent.len(), 1);
}

#[test]
fn a_late_answer_changes_nothing_that_deals_have_told() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.lose_answer();
    scene.pass();
    for outcome in [
        Err(SendFailure::Rejected(Retcode::REJECT)),
        not_sent(),
        lost(),
        Ok(Receipt::bare(Retcode::DONE)),
    ] {
        scene.say_late(sent.job, outcome);
        assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
    }
    assert_eq!(scene.order("alpha", "a").filled, lots(0.1));
}

/// The broker refused to take it, or so it was said, and it works after all.
fn told_as_not_sent(scene: &mut Scene, request: &str) -> Ticket {
    scene.submit("alpha", request, buy_limit(0.1, BID - 1_000));
    let sent = scene.sent();
    let receipt = scene.execute(&sent).unwrap();
    scene.say(sent.job, not_sent());
    assert_eq!(scene.state("alpha", request), OrderState::Rejected);
    receipt.order.unwrap()
}

#[test]
fn what_was_told_as_not_sent_and_works_is_seen_told_and_cancelled_by_a_halt() {
    let mut scene = scene();
    let ticket = told_as_not_sent(&mut scene, "p");
    scene.rows();
    let order = scene.order("alpha", "p");
    assert_eq!(order.state, OrderState::Working);
    assert_eq!(order.reason, reason::LATE_EVIDENCE);
    assert_eq!(scene.notices("late_evidence"), 1);
    scene.set_state("h", None, TradingState::Halted);
    let sent = scene.obey();
    assert!(matches!(sent.request, TradeRequest::Cancel { order, .. } if order == ticket));
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
}

#[test]
fn what_was_told_as_not_sent_counts_as_exposure_once_it_is_seen() {
    let limits = mymt5_guard::Limits {
        max_lots_total: Some(lots(0.15)),
        ..mymt5_guard::Limits::default()
    };
    let mut scene = limited_scene(entry_limits(limits), entry_limits(Default::default()));
    told_as_not_sent(&mut scene, "p");
    scene.rows();
    let more = scene.submit("alpha", "q", buy(0.1));
    assert_eq!(scene.refusal(more), Reason::LimitLotsTotal);
}

#[test]
fn what_exists_after_all_invites_no_retry() {
    let mut scene = scene();
    told_as_not_sent(&mut scene, "p");
    assert!(scene.order("alpha", "p").retryable);
    scene.rows();
    assert!(!scene.order("alpha", "p").retryable);
}

#[test]
fn a_deal_of_what_was_not_found_fills_it_with_an_alarm() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.lose();
    scene.live(45);
    assert_eq!(scene.state("alpha", "a"), OrderState::Rejected);
    let receipt = scene.execute(&sent).unwrap();
    scene.shell.feed(Input::Deal(receipt.deals[0].clone()));
    let order = scene.order("alpha", "a");
    assert_eq!(order.state, OrderState::Filled);
    assert_eq!(order.reason, reason::LATE_EVIDENCE);
    let alarm = scene.errors().into_iter().any(|notice| {
        matches!(notice, Notice::LateEvidence { from, .. } if *from == OrderState::Rejected)
    });
    assert!(alarm);
    scene.live(61);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_position_is_evidence_while_its_deals_are_missing() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let deals = std::mem::take(&mut scene.deals);
    scene.ended.clear();
    scene.live(120);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.deals = deals;
    scene.live(6);
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
}

#[test]
fn a_rejection_that_is_certain_is_a_result_and_not_a_refused_call() {
    let mut scene = scene();
    let asker = scene.submit("alpha", "a", buy(0.1));
    scene.refuse(Retcode::NO_MONEY);
    let told = scene.order_told(asker);
    assert_eq!(told.state, OrderState::Rejected);
    assert_eq!(told.retcode, Some(Retcode::NO_MONEY));
    assert!(!told.retryable);
    for (request, code) in [("b", Retcode::REQUOTE), ("c", Retcode::PRICE_OFF)] {
        let asker = scene.submit("alpha", request, buy(0.1));
        scene.refuse(code);
        assert!(scene.order_told(asker).retryable);
    }
    let asker = scene.submit("alpha", "d", buy(0.1));
    let sent = scene.sent();
    let locked = SendFailure::Throttled(Retcode::LOCKED);
    scene.say(sent.job, Err(locked));
    let told = scene.order_told(asker);
    assert!(told.retryable && told.retcode == Some(Retcode::LOCKED));
}

#[test]
fn whatever_is_asked_is_answered_once() {
    let mut scene = scene();
    let asker = scene.submit("alpha", "a", buy(0.1));
    let repeat = scene.submit("alpha", "a", buy(0.1));
    scene.give_up(repeat);
    assert_eq!(scene.order_told(repeat).state, OrderState::Sent);
    scene.obey();
    scene.give_up(asker);
    scene.give_up(repeat);
    assert_eq!(scene.order_told(asker).state, OrderState::Filled);
    assert!(matches!(scene.answer(repeat), Answer::Order(_)));
}

#[test]
fn an_order_that_was_not_found_is_no_obstacle_to_its_own_late_row() {
    let mut scene = scene();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    let sent = scene.lose();
    scene.live(45);
    assert_eq!(scene.state("alpha", "p"), OrderState::Rejected);
    scene.execute(&sent).unwrap();
    scene.rows();
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
    assert!(scene.obstacle(ObstacleKind::OrphanRows).is_none());
    scene.restart();
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
}

#[test]
fn a_pending_order_that_was_resolved_as_done_and_works_is_seen() {
    let mut scene = scene();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    scene.lose_answer();
    let order = scene.id("alpha", "p");
    scene.resolve("r", order, Resolution::Done);
    scene.live(61);
    let is_listed = !scene.shell.core.obstacles().is_empty();
    assert!(is_listed || scene.order("alpha", "p").works());
    scene.set_state("h", None, TradingState::Halted);
    scene.live_and_obey(2);
    assert!(scene.orders.is_empty());
}

#[test]
fn time_alone_is_no_absence() {
    let mut scene = scene();
    unknown(&mut scene, "a");
    for _ in 0..2 {
        scene.shell.pass(40_000);
        scene.pass();
    }
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.shell.pass(5_000);
    scene.pass();
    assert_eq!(scene.state("alpha", "a"), OrderState::Rejected);
}

#[test]
fn a_history_that_lacks_known_deals_tells_no_absence() {
    let mut scene = scene();
    scene.hold("alpha", "h", 0.1);
    unknown(&mut scene, "a");
    scene.deals.clear();
    scene.live(120);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.accept("ok", mymt5_orders::Acceptance::MissingDeals);
    scene.live(45);
    assert_eq!(scene.state("alpha", "a"), OrderState::Rejected);
}

#[test]
fn the_row_of_a_stop_loss_is_not_taken_for_the_order_that_opened() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.lose_answer();
    let opened = scene.positions[0].ticket;
    let magic = sent.request.magic().unwrap();
    scene.reduce(PositionId(opened.0), lots(0.1), magic);
    scene.deals.last_mut().unwrap().reason = DealReason::StopLoss;
    scene.ended.reverse();
    scene.pass();
    let order = scene.order("alpha", "a");
    assert_eq!(order.ticket, Some(opened));
    assert_eq!((order.state, order.filled), (OrderState::Filled, lots(0.1)));
}

#[test]
fn a_position_that_closed_tells_what_its_deals_realised() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.2);
    scene.positions[0].profit = money(148.5);
    scene.rows();
    for profit in [40.0, 103.55] {
        let receipt = scene.realise(PositionId(held), lots(0.1), Magic::NONE, profit);
        let mut deal = receipt.deals[0].clone();
        deal.reason = DealReason::StopLoss;
        scene.shell.feed(Input::Deal(deal));
    }
    let closed = scene.events().find_map(|event| match event {
        mymt5_orders::Event::PositionClosed(position) => Some(position.row.profit),
        _ => None,
    });
    assert_eq!(closed, Some(money(143.55)));
}

#[test]
fn what_is_counted_is_counted_since_the_start() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.submit("alpha", "b", buy(0.1));
    scene.refuse(Retcode::NO_MONEY);
    assert_eq!(scene.shell.core.counts(), (2, 1, 1));
    scene.restart();
    assert_eq!(scene.shell.core.counts(), (0, 0, 0));
}

#[test]
fn an_old_quote_is_none() {
    let mut scene = limited_scene(
        entry_limits(mymt5_guard::Limits {
            max_spread_points: Some(20),
            ..mymt5_guard::Limits::default()
        }),
        entry_limits(Default::default()),
    );
    scene.shell.pass(61_000);
    scene.rows();
    let refused = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.refusal(refused), Reason::QuoteMissing);
    scene.tick(BID, ASK);
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
}

/// Servers answer the placing of an order either way.
#[test]
fn a_pending_order_works_once_the_broker_says_under_which_ticket() {
    for (retcode, ticket, works) in [
        (Retcode::PLACED, Some(Ticket(7)), OrderState::Working),
        (Retcode::PLACED, None, OrderState::Working),
        (Retcode::DONE, Some(Ticket(7)), OrderState::Working),
        (Retcode::DONE, None, OrderState::Sent),
    ] {
        let mut scene = scene();
        scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
        let sent = scene.sent();
        let receipt = Receipt {
            order: ticket,
            ..Receipt::bare(retcode)
        };
        scene.say(sent.job, Ok(receipt));
        assert_eq!(scene.state("alpha", "p"), works, "{retcode} {ticket:?}");
    }
}

#[test]
fn a_market_order_that_is_done_waits_for_its_deals_all_the_same() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    let outcome = Ok(Receipt {
        order: Some(Ticket(7)),
        ..Receipt::bare(Retcode::DONE)
    });
    scene.say(sent.job, outcome);
    assert_eq!(scene.state("alpha", "a"), OrderState::Sent);
}

#[test]
fn a_late_word_that_an_order_was_placed_asks_for_a_look_at_once() {
    let mut scene = scene();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    let sent = scene.sent();
    scene.say(sent.job, lost());
    scene.live(45);
    assert_eq!(scene.state("alpha", "p"), OrderState::Rejected);
    scene.pass();
    assert!(!scene.shell.core.wants_pass());
    let outcome = scene.execute(&sent);
    scene.say_late(sent.job, outcome);
    assert!(scene.shell.core.wants_pass());
    scene.pass();
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
    assert_eq!(scene.order("alpha", "p").reason, reason::LATE_EVIDENCE);
}

/// The broker's last word on it is believed against a history that lacks the deals of it.
#[test]
fn an_unknown_order_whose_end_speaks_of_deals_that_never_come_ends() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 1.0);
    scene.fill_pending(ticket, lots(0.4));
    scene.deals.pop();
    let rows = std::mem::take(&mut scene.orders);
    scene.live(60);
    assert_eq!(scene.state("alpha", "p"), OrderState::Unknown);
    scene.orders = rows;
    scene.remove(ticket, RowState::Canceled).unwrap();
    scene.live(60);
    let order = scene.order("alpha", "p");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Canceled, lots(0.0))
    );
    assert_eq!(scene.notices("deals_missing"), 1);
}

#[test]
fn what_was_filled_before_it_was_over_is_told_before_its_end() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 1.0);
    scene.fill_pending(ticket, lots(0.4));
    scene.remove(ticket, RowState::Canceled).unwrap();
    scene.pass();
    let order = scene.id("alpha", "p");
    let told = scene.told_of(order);
    let told: Vec<_> = told
        .iter()
        .map(|order| (order.state, order.filled))
        .collect();
    let ended = (OrderState::Canceled, lots(0.4));
    let filled = (OrderState::PartiallyFilled, lots(0.4));
    assert_eq!(told[told.len() - 2..], [filled, ended]);
}
