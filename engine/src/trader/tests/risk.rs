//! Each rule alone stops an entry, remembers over a restart what it must, and holds no exit back.

use super::*;
use crate::risk::FILE;
use mymt5_model::{Moment, UtcTime};
use std::{fs, path::Path};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Noon of the first Monday of 1970.
pub(super) const MONDAY: i64 = 4 * DAY + 12 * HOUR;
const FRIDAY: i64 = MONDAY + 4 * DAY;
/// No rule but a volume.
const FREE: &str = "lots = 0.5";

pub(super) fn free_but(keys: &str) -> Risk {
    Risk::new(rules(&format!("{FREE}\n{keys}")))
}

fn jumps() -> Vec<StrategySettings> {
    vec![settings("jumps", Jumps(None))]
}

pub(super) fn under(keys: &str) -> Trader {
    trader_under(free_but(keys), jumps())
}

/// A trader that goes on from what the folder holds.
fn restarted(keys: &str, folder: &Path) -> Trader {
    let settings = rules(&format!("{FREE}\n{keys}"));
    let risk = Risk::open(settings, false, &folder.join(FILE));
    let mut trader = trader_without_snapshot(risk, jumps());
    trader.on_snapshot(Snapshot {
        account: None,
        ..snapshot(TradingState::Active)
    });
    trader
}

pub(super) fn tick_at(trader: &mut Trader, time: i64, points: i64) -> Option<Intent> {
    let mut intents = trader.on_tick(&tick(time, points)).intents;
    assert!(intents.len() < 2, "{intents:?}");
    intents.pop()
}

/// What a signal to sell at that time leads to.
fn sell_at(trader: &mut Trader, time: i64) -> Option<Intent> {
    tell_again(trader, time);
    // Small steps are no signal.
    tick_at(trader, time, 99_950);
    tick_at(trader, time, 100_000);
    tick_at(trader, time, 99_900)
}

pub(super) fn trades_at(trader: &mut Trader, time: i64) -> bool {
    matches!(sell_at(trader, time), Some(Intent::Submit(_)))
}

/// Tells an equity of a balance of 10,000.
fn tell(trader: &mut Trader, time: i64, equity: f64) {
    tell_with_balance(trader, time, equity, 10_000.0);
}

fn tell_with_balance(trader: &mut Trader, time: i64, equity: f64, balance: f64) {
    let told = Account {
        balance: Money::from_f64(balance).unwrap(),
        as_of: Moment {
            utc: Some(UtcTime(time - 2 * HOUR)),
            broker: Some(BrokerTime(time)),
        },
        ..account(equity)
    };
    trader.on_event(&Event::Account(Some(told)));
}

/// Tells the figures that are known once more, as the gateway does time and again.
fn tell_again(trader: &mut Trader, time: i64) {
    let Some(known) = trader.risk.account() else {
        return;
    };
    let told = Account {
        as_of: Moment {
            utc: known.as_of.utc.map(|_| UtcTime(time - 2 * HOUR)),
            broker: Some(BrokerTime(time)),
        },
        ..known
    };
    trader.on_event(&Event::Account(Some(told)));
}

/// A trade, from its signal to its result.
fn trade(trader: &mut Trader, time: i64, result: f64) {
    let intent = sell_at(trader, time).unwrap();
    trader.on_event(&opened(Side::Sell));
    trader.on_event(&order(intent.request_id().as_str(), OrderState::Filled));
    let result = Money::from_f64(result).ok();
    trader.on_event(&Event::PositionClosed(POSITION, result));
}

fn fail(trader: &mut Trader, time: i64) {
    let intent = sell_at(trader, time).unwrap();
    trader.on_event(&order(intent.request_id().as_str(), OrderState::Rejected));
}

/// Asserts that the same happens to both, and that only these keys stop the entry then.
fn alone_stops(keys: &str, time: i64, happen: impl Fn(&mut Trader)) {
    let trades = |keys: &str| {
        let mut trader = under(keys);
        tell(&mut trader, MONDAY - MINUTE, 10_000.0);
        happen(&mut trader);
        trades_at(&mut trader, time)
    };
    assert!(trades(""), "without {keys}");
    assert!(!trades(keys), "{keys}");
}

fn nothing(_: &mut Trader) {}

/// A file with a release of the dollar on that Monday at noon of the broker's clock.
fn calendar(folder: &Path) -> String {
    let file = folder.join("news.csv");
    let text = "time,currency,impact\n1970-01-05 10:00,USD,high\n1970-01-05 12:00,JPY,high\n\
                1970-01-05 13:00,USD,low\n1970-01-06 12:00,CHF,low\n";
    fs::write(&file, text).unwrap();
    format!(
        "news.calendar = '{}'\nnews.minutes_before = 30\nnews.minutes_after = 15",
        file.display()
    )
}

#[test]
fn the_spread_alone_stops_an_entry() {
    alone_stops("max_spread_points = 1", MONDAY, nothing);
    assert!(trades_at(&mut under("max_spread_points = 2"), MONDAY));
}

#[test]
fn the_distance_of_the_stop_alone_stops_an_entry() {
    // 200 points, and the spread.
    alone_stops("min_stop_distance_points = 203", MONDAY, nothing);
    alone_stops("max_stop_distance_points = 201", MONDAY, nothing);
    let range = "min_stop_distance_points = 202\nmax_stop_distance_points = 202";
    assert!(trades_at(&mut under(range), MONDAY));
}

#[test]
fn the_session_alone_stops_an_entry() {
    let windows = "sessions.monday = [\"08:00-12:00\", \"13:00-17:00\"]";
    alone_stops(windows, MONDAY, nothing);
    alone_stops(windows, MONDAY + DAY, nothing);
    assert!(trades_at(&mut under(windows), MONDAY + HOUR));
}

#[test]
fn the_end_of_the_week_alone_stops_an_entry_and_closes_what_is_open() {
    let flat = "friday_flat = \"20:30\"";
    let end = FRIDAY + 8 * HOUR + 30 * MINUTE;
    alone_stops(flat, end, nothing);
    alone_stops(flat, end + DAY, nothing);
    let mut trader = under(flat);
    assert!(trades_at(&mut trader, end - 1));
    trader.on_event(&opened(Side::Sell));
    trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(tick_at(&mut trader, end - 1, 99_900), None);
    let close = tick_at(&mut trader, end, 99_900);
    assert!(matches!(close, Some(Intent::Close(close)) if close.position_id == POSITION));
}

#[test]
fn news_alone_stop_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let news = calendar(folder.path());
    for (time, free) in [
        (-31, true),
        (-30, false),
        (15, false),
        (16, true),
        (180, true),
    ] {
        let time = MONDAY + time * MINUTE;
        let mut trader = under(&news);
        tell(&mut trader, time, 10_000.0);
        assert_eq!(trades_at(&mut trader, time), free, "{time}");
    }
    alone_stops(&news, MONDAY, nothing);
    let mut low = under(&format!("{news}\nnews.min_impact = \"low\""));
    tell(&mut low, MONDAY, 10_000.0);
    assert!(!trades_at(&mut low, MONDAY + 180 * MINUTE));
}

#[test]
fn a_calendar_that_ended_and_a_time_that_is_unknown_stop_entries() {
    let folder = tempfile::tempdir().unwrap();
    let news = calendar(folder.path());
    alone_stops(&news, MONDAY + 2 * DAY, nothing);
    let mut untold = under(&news);
    assert!(!trades_at(&mut untold, MONDAY - 2 * HOUR));
}

#[test]
fn a_rest_after_losses_alone_stops_an_entry() {
    let rest = "cooldown.losses = 2\ncooldown.minutes = 60";
    let lose = |results: &'static [f64]| {
        move |trader: &mut Trader| {
            for result in results {
                trade(trader, MONDAY, *result);
            }
        }
    };
    alone_stops(rest, MONDAY + 59 * MINUTE, lose(&[-1.0, -1.0]));
    for (results, time) in [
        (&[-1.0, -1.0][..], MONDAY + HOUR),
        (&[-1.0, 1.0, -1.0], MONDAY),
        (&[-1.0], MONDAY),
    ] {
        let mut trader = under(rest);
        tell(&mut trader, MONDAY, 10_000.0);
        lose(results)(&mut trader);
        assert!(trades_at(&mut trader, time), "{results:?}");
    }
}

#[test]
fn the_trades_of_a_day_alone_stop_an_entry_until_the_reset() {
    let most = "max_trades_per_day = 1\nreset_hour = 17";
    let once = |trader: &mut Trader| trade(trader, MONDAY, 1.0);
    alone_stops(most, MONDAY + HOUR, once);
    let mut trader = under(most);
    once(&mut trader);
    assert!(!trades_at(&mut trader, MONDAY + 5 * HOUR - 1));
    assert!(trades_at(&mut trader, MONDAY + 5 * HOUR));
}

#[test]
fn an_entry_that_failed_is_no_trade_of_the_day() {
    let mut trader = under("max_trades_per_day = 1");
    fail(&mut trader, MONDAY);
    trade(&mut trader, MONDAY, 1.0);
    assert!(!trades_at(&mut trader, MONDAY));
}

#[test]
fn failed_orders_in_a_row_alone_stop_an_entry_until_the_reset() {
    let most = "max_errors = 2";
    let twice = |trader: &mut Trader| {
        fail(trader, MONDAY);
        fail(trader, MONDAY);
    };
    alone_stops(most, MONDAY, twice);
    let mut trader = under(most);
    twice(&mut trader);
    assert!(!trades_at(&mut trader, MONDAY + 12 * HOUR - 1));
    assert!(trades_at(&mut trader, MONDAY + 12 * HOUR));
    let mut trader = under(most);
    fail(&mut trader, MONDAY);
    trade(&mut trader, MONDAY, 1.0);
    fail(&mut trader, MONDAY);
    assert!(trades_at(&mut trader, MONDAY), "not in a row");
}

#[test]
fn an_order_that_the_gateway_refused_has_failed_too() {
    let mut trader = under("max_errors = 1");
    let intent = sell_at(&mut trader, MONDAY).unwrap();
    trader.on_refused(intent.request_id(), "LIMIT_SPREAD".into());
    assert!(!trades_at(&mut trader, MONDAY));
}

#[test]
fn what_is_held_alone_stops_an_entry() {
    alone_stops("max_lots_per_symbol = 0.49", MONDAY, nothing);
    alone_stops("max_lots_total = 0.49", MONDAY, nothing);
    let foreign = |trader: &mut Trader| {
        trader.on_event(&held_in("GBPUSD", Some(price(120_000))));
    };
    alone_stops("max_lots_total = 0.98", MONDAY, foreign);
    alone_stops("max_open_positions = 1", MONDAY, foreign);
}

#[test]
fn the_open_risk_alone_stops_an_entry() {
    // 0.5 lots over 200 points, twice the spread and a tick: 102.50 of 10,000.
    for limit in [
        "max_open_risk_percent",
        "max_open_risk_per_symbol_percent",
        "max_open_risk_per_currency_percent",
    ] {
        alone_stops(&format!("{limit} = 1.02"), MONDAY, nothing);
        assert!(trades_at(&mut under(&format!("{limit} = 1.03")), MONDAY));
        let commission = format!("{limit} = 1.03\ncommission_per_lot = 3.0");
        assert!(!trades_at(&mut under(&commission), MONDAY));
        let without_stop = |trader: &mut Trader| {
            trader.on_event(&held_in("GBPUSD", None));
        };
        alone_stops(&format!("{limit} = 100.0"), MONDAY, without_stop);
    }
}

#[test]
fn the_margin_alone_stops_an_entry() {
    // 0.5 lots at 0.999 with a leverage of 100: 499.50 of 10,000.
    alone_stops("max_margin_use_percent = 4.9", MONDAY, nothing);
    assert!(trades_at(
        &mut under("max_margin_use_percent = 5.0"),
        MONDAY
    ));
    let unknown = |trader: &mut Trader| {
        trader.on_event(&Event::Account(None));
    };
    alone_stops("max_margin_use_percent = 5.0", MONDAY, unknown);
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

#[test]
fn figures_that_are_old_refuse_entries_that_need_them_and_no_exit() {
    for keys in ["max_margin_use_percent = 50.0", "daily_loss.percent = 5.0"] {
        for (age, trades) in [(MINUTE, true), (MINUTE + 1, false)] {
            let mut trader = under(keys);
            tell(&mut trader, MONDAY, 10_000.0);
            tick_at(&mut trader, MONDAY + age, 100_000);
            let intent = tick_at(&mut trader, MONDAY + age, 99_900);
            assert_eq!(intent.is_some(), trades, "{keys} {age}");
        }
        let mut trader = under(keys);
        tell(&mut trader, MONDAY, 10_000.0);
        trader.on_event(&opened(Side::Buy));
        tick_at(&mut trader, MONDAY + HOUR, 100_000);
        let exit = tick_at(&mut trader, MONDAY + HOUR, 99_900);
        assert!(matches!(exit, Some(Intent::Close(_))), "{keys}");
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
fn no_rule_holds_an_exit_back() {
    let folder = tempfile::tempdir().unwrap();
    let news = calendar(folder.path());
    let all = format!(
        "{news}\nmax_spread_points = 1\nmax_stop_distance_points = 1\nsessions.sunday = []\n\
         cooldown.losses = 1\ncooldown.minutes = 60\nmax_trades_per_day = 1\nmax_errors = 1\n\
         max_lots_total = 0.01\nmax_open_positions = 1\nmax_open_risk_percent = 0.1\n\
         max_margin_use_percent = 0.1\ndaily_loss.percent = 1.0\ndaily_loss.action = \"block\"\n\
         drawdown.percent = 1.0\ndrawdown.action = \"block\""
    );
    let mut trader = under(&all);
    tell(&mut trader, MONDAY, 10_000.0);
    tell(&mut trader, MONDAY, 5_000.0);
    trader.on_event(&opened(Side::Buy));
    assert!(matches!(
        sell_at(&mut trader, MONDAY),
        Some(Intent::Close(_))
    ));
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
fn a_position_that_one_order_turned_ended_as_a_trade() {
    // Sold at 1.00000, and turned where the other side opened.
    for (turned_at, trades) in [
        (Some(price(100_200)), false),
        (Some(price(99_800)), true),
        (None, false),
    ] {
        let mut trader = under("cooldown.losses = 2\ncooldown.minutes = 60");
        tick_at(&mut trader, MONDAY, 100_000);
        trader.on_event(&opened(Side::Sell));
        let turned = Held {
            open_price: turned_at,
            ..held(Side::Buy)
        };
        trader.on_event(&Event::PositionChanged(turned));
        let lost = Money::from_f64(-1.0).ok();
        trader.on_event(&Event::PositionClosed(POSITION, lost));
        let traded = trades_at(&mut trader, MONDAY + MINUTE);
        assert_eq!(traded, trades, "{turned_at:?}");
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

fn held_in(symbol: &str, stop_loss: Option<Price>) -> Event {
    Event::PositionChanged(Held {
        position_id: PositionId(8),
        symbol: Symbol::parse(symbol).unwrap(),
        side: Side::Buy,
        lots: Lots::from_f64(0.49).unwrap(),
        open_price: Some(price(120_000)),
        opened: None,
        levels: Levels {
            stop_loss,
            take_profit: None,
        },
        tag: String::new(),
    })
}
