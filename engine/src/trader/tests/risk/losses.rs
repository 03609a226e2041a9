//! The limits of losses: what they stop and what they close; and what the rules remember over a restart.

use super::*;
use crate::risk::FILE;

/// A trader that goes on from what the folder holds, and holds nothing.
fn restarted(keys: &str, folder: &Path) -> Trader {
    restarted_with(keys, folder, Vec::new())
}

fn restarted_with(keys: &str, folder: &Path, positions: Vec<Held>) -> Trader {
    let settings = rules(&format!("{FREE}\n{keys}"));
    let risk = Risk::open(settings, false, &folder.join(FILE));
    let mut trader = trader_without_snapshot(risk, jumps());
    trader.on_snapshot(Snapshot {
        account: None,
        positions,
        ..snapshot(TradingState::Active)
    });
    trader
}

#[test]
fn the_loss_of_a_day_alone_stops_an_entry_until_the_reset() {
    let limit = "daily_loss.percent = 5.0\ndaily_loss.action = \"block\"\nreset_hour = 17";
    let lose = |trader: &mut Trader| tell(trader, MONDAY, 9_500.0);
    alone_stops(limit, MONDAY, lose);
    let mut trader = under(limit);
    tell(&mut trader, MONDAY - MINUTE, 10_000.0);
    lose(&mut trader);
    tell(&mut trader, MONDAY + HOUR, 9_900.0);
    assert!(!trades_at(&mut trader, MONDAY + HOUR), "until the reset");
    tell(&mut trader, MONDAY + 5 * HOUR, 9_900.0);
    assert!(trades_at(&mut trader, MONDAY + 5 * HOUR));
}

#[test]
fn the_drawdown_alone_stops_entries_for_good() {
    let fixed = "drawdown.percent = 10.0\ndrawdown.kind = \"static\"\n\
                 drawdown.initial_balance = 10000.0\ndrawdown.action = \"block\"";
    alone_stops(fixed, MONDAY, |trader| tell(trader, MONDAY, 9_000.0));
    let trailing = "drawdown.amount = 1000.0\ndrawdown.action = \"block\"";
    let rise_and_fall = |trader: &mut Trader| {
        tell(trader, MONDAY, 12_000.0);
        tell(trader, MONDAY, 11_000.0);
    };
    alone_stops(trailing, MONDAY, rise_and_fall);
    let mut trader = under(trailing);
    tell(&mut trader, MONDAY, 10_000.0);
    rise_and_fall(&mut trader);
    tell(&mut trader, MONDAY + 7 * DAY, 13_000.0);
    assert!(!trades_at(&mut trader, MONDAY + 7 * DAY), "it is latched");
}

#[test]
fn a_withdrawal_is_no_loss() {
    let mut trader = under("daily_loss.percent = 5.0\ndrawdown.percent = 10.0");
    tell(&mut trader, MONDAY, 10_000.0);
    let withdrawn = Money::from_f64(-2_000.0).unwrap();
    trader.on_event(&Event::Flow(withdrawn));
    tell_with_balance(&mut trader, MONDAY, 8_000.0, 8_000.0);
    assert!(trades_at(&mut trader, MONDAY));
}

#[test]
fn a_withdrawal_that_is_told_after_its_reading_closes_nothing() {
    let mut trader = under("drawdown.percent = 10.0");
    tell(&mut trader, MONDAY, 10_000.0);
    trader.on_event(&opened(Side::Buy));
    tell_with_balance(&mut trader, MONDAY + 1_000, 8_000.0, 8_000.0);
    assert_eq!(tick_at(&mut trader, MONDAY + 1_000, 100_000), None);
    trader.on_event(&Event::Flow(Money::from_f64(-2_000.0).unwrap()));
    assert_eq!(tick_at(&mut trader, MONDAY + 10_000, 100_000), None);
    tell_with_balance(&mut trader, MONDAY + 11_000, 7_000.0, 7_000.0);
    let held_back = tick_at(&mut trader, MONDAY + 15_999, 100_000);
    assert_eq!(
        held_back, None,
        "a loss, or a withdrawal that is not told yet"
    );
    let close = tick_at(&mut trader, MONDAY + 16_000, 100_000);
    assert!(matches!(close, Some(Intent::Close(_))));
}

#[test]
fn what_the_first_reading_after_a_start_reaches_blocks_until_it_is_reset_and_closes_nothing() {
    for keys in ["daily_loss.percent = 5.0", "drawdown.percent = 5.0"] {
        let folder = tempfile::tempdir().unwrap();
        tell(&mut restarted(keys, folder.path()), MONDAY, 10_000.0);
        let mut next = restarted(keys, folder.path());
        next.on_event(&opened(Side::Buy));
        tell_with_balance(&mut next, MONDAY + HOUR, 9_000.0, 9_000.0);
        assert_eq!(tick_at(&mut next, MONDAY + HOUR, 100_000), None, "{keys}");
        next.on_event(&CLOSED);
        assert!(!trades_at(&mut next, MONDAY + HOUR), "{keys}");
        Risk::reset(&rules(keys), &folder.path().join(FILE)).unwrap();
        let mut next = restarted(keys, folder.path());
        tell_with_balance(&mut next, MONDAY + HOUR, 9_000.0, 9_000.0);
        assert!(trades_at(&mut next, MONDAY + HOUR), "{keys}");
    }
}

/// A trader with a limit for the day that measured 10,000 in a session, then was started again or not.
fn between_sessions(restarts: bool, folder: &Path) -> Trader {
    let limit = "daily_loss.percent = 5.0";
    let mut trader = restarted(limit, folder);
    tell(&mut trader, MONDAY, 10_000.0);
    if restarts {
        trader = restarted(limit, folder);
    }
    trader
}

#[test]
fn a_limit_that_is_reached_between_two_sessions_closes_where_the_balance_is_the_same() {
    for restarts in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut trader = between_sessions(restarts, folder.path());
        trader.on_snapshot(Snapshot {
            account: None,
            positions: vec![held(Side::Buy)],
            ..snapshot(TradingState::Active)
        });
        tell(&mut trader, MONDAY + MINUTE, 9_000.0);
        let close = tick_at(&mut trader, MONDAY + MINUTE, 100_000);
        assert!(matches!(close, Some(Intent::Close(_))), "{restarts}");
    }
}

#[test]
fn a_limit_that_trades_reached_between_two_sessions_closes() {
    for restarts in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut trader = between_sessions(restarts, folder.path());
        let left = Money::from_f64(9_000.0).unwrap();
        assert!(trader.balance_gap(left).is_some(), "{restarts}");
        trader.on_explained(left);
        trader.on_snapshot(Snapshot {
            account: None,
            positions: vec![held(Side::Buy)],
            ..snapshot(TradingState::Active)
        });
        tell_with_balance(&mut trader, MONDAY + MINUTE, 9_000.0, 9_000.0);
        let close = tick_at(&mut trader, MONDAY + MINUTE, 100_000);
        assert!(matches!(close, Some(Intent::Close(_))), "{restarts}");
    }
}

#[test]
fn a_limit_that_is_removed_lifts_no_latch() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = restarted("drawdown.percent = 5.0", folder.path());
    tell(&mut first, MONDAY, 10_000.0);
    tell(&mut first, MONDAY, 9_000.0);
    let mut next = restarted("", folder.path());
    assert!(!trades_at(&mut next, MONDAY));
    Risk::reset(&rules(FREE), &folder.path().join(FILE)).unwrap();
    assert!(trades_at(&mut restarted("", folder.path()), MONDAY));
}

#[test]
fn a_loss_that_closes_goes_on_until_nothing_is_open() {
    for limit in ["daily_loss.percent = 5.0", "drawdown.percent = 5.0"] {
        let mut trader = under(limit);
        tell(&mut trader, MONDAY, 10_000.0);
        assert!(trades_at(&mut trader, MONDAY));
        trader.on_event(&opened(Side::Sell));
        trader.on_event(&order("id-1", OrderState::Filled));
        tell(&mut trader, MONDAY, 9_500.0);
        let close = tick_at(&mut trader, MONDAY, 99_900).unwrap();
        assert!(matches!(&close, Intent::Close(close) if close.position_id == POSITION));
        assert_eq!(tick_at(&mut trader, MONDAY + 1, 99_900), None, "in flight");
        let id = close.request_id().as_str();
        trader.on_event(&order(id, OrderState::Rejected));
        assert_eq!(tick_at(&mut trader, MONDAY + 999, 99_900), None, "paced");
        let again = tick_at(&mut trader, MONDAY + 1_000, 99_900);
        assert!(matches!(again, Some(Intent::Close(_))), "{limit}");
        trader.on_event(&CLOSED);
        let id = again.unwrap();
        trader.on_event(&order(id.request_id().as_str(), OrderState::Filled));
        assert_eq!(sell_at(&mut trader, MONDAY + 2_000), None, "{limit}");
    }
}

#[test]
fn a_restart_forgets_no_loss() {
    let away = 3 * HOUR;
    for (limit, equities) in [
        ("daily_loss.percent = 5.0", &[10_000.0, 9_500.0][..]),
        ("drawdown.percent = 5.0", &[10_000.0, 9_500.0]),
        // The high-water mark; the loss itself is seen by the next process.
        ("drawdown.percent = 5.0", &[10_000.0, 11_000.0]),
        // The base of the day.
        ("daily_loss.percent = 5.0", &[10_400.0]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = restarted(limit, folder.path());
        for equity in equities {
            tell(&mut first, MONDAY, *equity);
        }
        drop(first);
        for (folder, trades) in [(folder, false), (tempfile::tempdir().unwrap(), true)] {
            let mut next = restarted(limit, folder.path());
            tell(&mut next, MONDAY + away, 9_850.0);
            let traded = trades_at(&mut next, MONDAY + away);
            assert_eq!(traded, trades, "{limit} {equities:?}");
        }
    }
}

#[test]
fn a_restart_goes_on_closing() {
    let folder = tempfile::tempdir().unwrap();
    let limit = "drawdown.percent = 5.0";
    let mut first = restarted(limit, folder.path());
    tell(&mut first, MONDAY, 10_000.0);
    tell(&mut first, MONDAY, 9_000.0);
    let mut next = restarted(limit, folder.path());
    next.on_event(&opened(Side::Buy));
    let close = tick_at(&mut next, MONDAY, 100_000);
    assert!(matches!(close, Some(Intent::Close(_))));
}

#[test]
fn a_restart_forgets_neither_trades_nor_failures_nor_losses_in_a_row() {
    type Happens = fn(&mut Trader);
    let rules: [(&str, Happens); 3] = [
        ("max_trades_per_day = 1", |trader| {
            trade(trader, MONDAY, 1.0)
        }),
        ("max_errors = 1", |trader| fail(trader, MONDAY)),
        ("cooldown.losses = 1\ncooldown.minutes = 60", |trader| {
            trade(trader, MONDAY, -1.0);
        }),
    ];
    for (keys, happen) in rules {
        let folder = tempfile::tempdir().unwrap();
        happen(&mut restarted(keys, folder.path()));
        let mut next = restarted(keys, folder.path());
        assert!(!trades_at(&mut next, MONDAY + MINUTE), "{keys}");
        let fresh = tempfile::tempdir().unwrap();
        assert!(trades_at(
            &mut restarted(keys, fresh.path()),
            MONDAY + MINUTE
        ));
    }
}

#[test]
fn a_trade_that_is_decided_counts_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "max_trades_per_day = 1";
    assert!(trades_at(&mut restarted(keys, folder.path()), MONDAY));
    assert!(!trades_at(&mut restarted(keys, folder.path()), MONDAY));
}

#[test]
fn a_position_that_closed_while_nobody_looked_counts_as_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "cooldown.losses = 1\ncooldown.minutes = 60";
    let mut first = restarted(keys, folder.path());
    tick_at(&mut first, MONDAY, 100_000);
    first.on_event(&opened(Side::Sell));
    let mut next = trader_without_snapshot(
        Risk::open(rules(keys), false, &folder.path().join(FILE)),
        jumps(),
    );
    let told = Account {
        as_of: Moment {
            utc: None,
            broker: Some(BrokerTime(MONDAY)),
        },
        ..account(10_000.0)
    };
    let snapshot = Snapshot {
        account: Some(told),
        ..snapshot(TradingState::Active)
    };
    next.on_snapshot(snapshot);
    assert!(!trades_at(&mut next, MONDAY + MINUTE));
    assert!(trades_at(&mut next, MONDAY + HOUR));
}

#[test]
fn a_loss_that_is_found_before_any_time_is_known_holds_entries_back_from_the_first_one_on() {
    for restarts in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let keys = "cooldown.losses = 1\ncooldown.minutes = 60";
        let mut first = restarted(keys, folder.path());
        tick_at(&mut first, MONDAY, 100_000);
        first.on_event(&opened(Side::Sell));
        let mut next = restarted(keys, folder.path());
        if restarts {
            next = restarted(keys, folder.path());
        }
        assert!(!trades_at(&mut next, MONDAY + 2 * HOUR), "{restarts}");
        assert!(!trades_at(&mut next, MONDAY + 2 * HOUR + 59 * MINUTE));
        assert!(trades_at(&mut next, MONDAY + 3 * HOUR), "{restarts}");
    }
}

#[test]
fn a_restart_forgets_no_part_of_a_trade() {
    for (seen, trades) in [(true, true), (false, false)] {
        let folder = tempfile::tempdir().unwrap();
        let keys = "cooldown.losses = 1\ncooldown.minutes = 60";
        let mut first = restarted(keys, folder.path());
        tick_at(&mut first, MONDAY, 100_000);
        first.on_event(&dealt(DealEntry::In, 0.5, 0.0));
        first.on_event(&opened(Side::Sell));
        if seen {
            first.on_event(&dealt(DealEntry::Out, 0.2, 2.0));
        }
        let mut next = restarted_with(keys, folder.path(), vec![held(Side::Sell)]);
        tick_at(&mut next, MONDAY, 100_000);
        next.on_event(&dealt(DealEntry::Out, 0.3, -1.0));
        let rest = Money::from_f64(-1.0).ok();
        next.on_event(&Event::PositionClosed(POSITION, rest));
        let traded = trades_at(&mut next, MONDAY + MINUTE);
        assert_eq!(
            traded, trades,
            "a part that nobody saw is not guessed: {seen}"
        );
    }
}

#[test]
fn a_state_that_cannot_be_read_refuses_entries_until_it_is_reset() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let keys = "max_errors = 3";
    for spoilt in ["", "{}", "{\"losses\": 3", "\u{0}"] {
        fs::write(&file, spoilt).unwrap();
        let mut trader = restarted(keys, folder.path());
        assert!(!trades_at(&mut trader, MONDAY), "{spoilt}");
        trader.on_event(&opened(Side::Buy));
        let exit = sell_at(&mut trader, MONDAY);
        assert!(matches!(exit, Some(Intent::Close(_))), "exits go on");
        assert_eq!(fs::read_to_string(&file).unwrap(), spoilt, "evidence stays");
    }
    Risk::reset(&rules(keys), &file).unwrap();
    assert!(trades_at(&mut restarted(keys, folder.path()), MONDAY));
}

#[test]
fn a_state_that_cannot_be_written_refuses_entries_and_no_exit() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let mut trader = restarted("max_trades_per_day = 9", &gone);
    fs::remove_dir(&gone).unwrap();
    assert!(!trades_at(&mut trader, MONDAY));
    trader.on_event(&opened(Side::Buy));
    let exit = sell_at(&mut trader, MONDAY).unwrap();
    assert!(matches!(exit, Intent::Close(_)));
    trader.on_event(&CLOSED);
    let done = order(exit.request_id().as_str(), OrderState::Filled);
    assert_eq!(trader.on_event(&done).intents, []);
    fs::create_dir(&gone).unwrap();
    assert!(trades_at(&mut trader, MONDAY), "it is written again");
}

#[test]
fn an_operator_lifts_the_latch_and_it_is_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "drawdown.percent = 10.0\nmax_errors = 1";
    let mut first = restarted(keys, folder.path());
    tell(&mut first, MONDAY, 10_000.0);
    fail(&mut first, MONDAY);
    tell(&mut first, MONDAY, 9_000.0);
    Risk::reset(&rules(keys), &folder.path().join(FILE)).unwrap();
    let mut next = restarted(keys, folder.path());
    tell(&mut next, MONDAY, 8_200.0);
    assert!(trades_at(&mut next, MONDAY));
    tell(&mut next, MONDAY, 8_100.0);
    assert_eq!(sell_at(&mut next, MONDAY), None);
}

#[test]
fn a_loss_that_closes_cancels_what_waits_for_its_price_and_goes_on_until_it_is_gone() {
    let strategy = settings("jumps", script(&[limit]));
    let mut trader = trader_under(free_but("drawdown.percent = 5.0"), vec![strategy]);
    tell(&mut trader, MONDAY, 10_000.0);
    assert!(tick_at(&mut trader, MONDAY, 100_000).is_some());
    trader.on_event(&Event::Order(working("id-1")));
    tell(&mut trader, MONDAY, 9_500.0);
    let cancel = tick_at(&mut trader, MONDAY, 100_000).unwrap();
    assert!(matches!(&cancel, Intent::Cancel(cancel) if cancel.order_id == OrderId(9)));
    assert_eq!(tick_at(&mut trader, MONDAY + 1, 100_000), None, "in flight");
    let failed = trader.on_changed(cancel.request_id(), false);
    assert_eq!(failed, Step::default());
    let paced = tick_at(&mut trader, MONDAY + 999, 100_000);
    assert_eq!(paced, None, "paced");
    let again = tick_at(&mut trader, MONDAY + 1_000, 100_000).unwrap();
    assert!(matches!(&again, Intent::Cancel(_)));
    assert_eq!(trader.on_changed(again.request_id(), true), Step::default());
    assert_eq!(tick_at(&mut trader, MONDAY + 3_000, 100_000), None);
}

#[test]
fn a_close_that_fails_keeps_no_order_and_a_cancel_that_fails_keeps_no_position() {
    for cancelled in [true, false] {
        let strategy = settings("jumps", script(&[limit]));
        let mut trader = trader_under(free_but("drawdown.percent = 5.0"), vec![strategy]);
        tell(&mut trader, MONDAY, 10_000.0);
        tick_at(&mut trader, MONDAY, 100_000);
        trader.on_event(&Event::Order(working("id-1")));
        trader.on_event(&opened(Side::Buy));
        tell(&mut trader, MONDAY, 9_500.0);
        let close = tick_at(&mut trader, MONDAY, 100_000).unwrap();
        assert!(matches!(&close, Intent::Close(_)), "{close:?}");
        let failed = order(close.request_id().as_str(), OrderState::Rejected);
        assert_eq!(trader.on_event(&failed).intents, []);
        let cancel = tick_at(&mut trader, MONDAY + 1_000, 100_000).unwrap();
        assert!(matches!(&cancel, Intent::Cancel(_)), "{cancel:?}");
        let step = trader.on_changed(cancel.request_id(), cancelled);
        assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
    }
}

#[test]
fn a_loss_that_closes_goes_on_with_what_waits_once_the_position_is_closed() {
    let strategy = settings("jumps", script(&[limit]));
    let mut trader = trader_under(free_but("drawdown.percent = 5.0"), vec![strategy]);
    tell(&mut trader, MONDAY, 10_000.0);
    tick_at(&mut trader, MONDAY, 100_000);
    trader.on_event(&Event::Order(working("id-1")));
    trader.on_event(&opened(Side::Buy));
    tell(&mut trader, MONDAY, 9_500.0);
    let close = tick_at(&mut trader, MONDAY, 100_000).unwrap();
    assert!(matches!(&close, Intent::Close(_)));
    trader.on_event(&CLOSED);
    let done = order(close.request_id().as_str(), OrderState::Filled);
    let step = trader.on_event(&done);
    assert!(matches!(&step.intents[..], [Intent::Cancel(_)]), "{step:?}");
}
