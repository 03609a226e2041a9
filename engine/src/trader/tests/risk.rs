//! Each rule alone stops an entry, and holds no exit back.

mod accounts;
mod losses;

use super::*;
use crate::risk::PositionDeal;
use mymt5_model::{Entry as DealEntry, Moment, UtcTime};
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

/// A deal of the position.
fn dealt(entry: DealEntry, lots: f64, made: f64) -> Event {
    let deal = PositionDeal {
        entry,
        lots: Lots::from_f64(lots).unwrap(),
        made: Money::from_f64(made).unwrap(),
    };
    Event::Deal(POSITION, Some(deal))
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
fn an_order_that_was_not_sent_is_over_and_neither_failed_nor_a_trade_of_the_day() {
    let mut trader = under("max_errors = 1\nmax_trades_per_day = 1");
    let intent = sell_at(&mut trader, MONDAY).unwrap();
    let request_id = intent.request_id().clone();
    let step = trader.on_unsent(&request_id, "NOT_DURABLE".into());
    let outcome = Outcome::Refused("NOT_DURABLE".into());
    let settled = Settled {
        request_id,
        outcome,
    };
    assert_eq!(step.settled, Some(settled));
    assert!(trader.is_idle());
    assert!(trades_at(&mut trader, MONDAY));
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
fn a_position_that_the_margin_lacks_still_counts() {
    // 0.5 lots at 1.00002 with a leverage of 100: 500.01 of 10,000.
    let idle: fn(&mut Context<'_>) = |_| {};
    let others = script(&[idle, buy, buy, buy]);
    let pair = vec![settings("jumps", script(&[buy])), settings("other", others)];
    let mut trader = trader_without_snapshot(free_but("max_margin_use_percent = 6.0"), pair);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    tell(&mut trader, MONDAY, 10_000.0);
    let first = tick_at(&mut trader, MONDAY, 100_000);
    assert!(matches!(&first, Some(Intent::Submit(submit)) if submit.tag == "jumps"));
    trader.on_event(&opened(Side::Buy));
    trader.on_event(&order("id-1", OrderState::Filled));
    assert_eq!(tick_at(&mut trader, MONDAY + 200, 100_000), None);
    // Figures of before the position lack it, too.
    tell_again(&mut trader, MONDAY);
    assert_eq!(tick_at(&mut trader, MONDAY + 400, 100_000), None);
    // The broker may take less than the leverage tells: what it told counts, and nothing beside that.
    let known = trader.risk.account().unwrap();
    let measured = Account {
        margin: Money::from_f64(90.0).unwrap(),
        ..known
    };
    trader.on_event(&Event::Account(Some(measured)));
    tell_again(&mut trader, MONDAY + 1_000);
    let second = tick_at(&mut trader, MONDAY + 1_000, 100_000);
    assert!(matches!(&second, Some(Intent::Submit(submit)) if submit.tag == "other"));
}

#[test]
fn the_margin_lacks_a_position_until_figures_of_after_it_are_told() {
    let lacks = |portfolio: &Portfolio| portfolio.open_but(None)[0].unmeasured;
    let told = |time: i64| {
        Event::Account(Some(Account {
            as_of: Moment {
                utc: None,
                broker: Some(BrokerTime(time)),
            },
            ..account(10_000.0)
        }))
    };
    let position = |volume: f64| {
        Event::PositionChanged(Held {
            lots: Lots::from_f64(volume).unwrap(),
            opened: Some(BrokerTime(MONDAY + 30)),
            ..held(Side::Buy)
        })
    };
    let mut portfolio = Portfolio::default();
    portfolio.at(BrokerTime(MONDAY));
    for (event, expected) in [
        (position(0.4), true),
        (told(MONDAY + 20), true),
        (told(MONDAY + 29), true),
        (Event::Account(None), true),
        (told(MONDAY + 30), false),
        (position(0.3), false),
        (position(0.5), true),
        (told(MONDAY + 30), true),
        (told(MONDAY + 31), false),
    ] {
        portfolio.apply(&event);
        assert_eq!(lacks(&portfolio), expected, "{event:?}");
    }
    // Figures of the very moment at which it was opened have it.
    let mut at_once = Portfolio::default();
    at_once.at(BrokerTime(MONDAY + 30));
    at_once.apply(&position(0.4));
    assert!(lacks(&at_once));
    at_once.apply(&told(MONDAY + 30));
    assert!(!lacks(&at_once));
    // A clock that was ahead for a moment holds nothing back for longer than figures take.
    portfolio.apply(&position(0.6));
    portfolio.at(BrokerTime(MONDAY + HOUR));
    portfolio.apply(&position(0.7));
    for (time, expected) in [
        (MONDAY + 40, true),
        (MONDAY + 5_039, true),
        (MONDAY + 5_040, false),
    ] {
        portfolio.apply(&told(time));
        assert_eq!(lacks(&portfolio), expected, "{time}");
    }
    // A snapshot's figures may be older than its positions.
    portfolio.at(BrokerTime(MONDAY + 31));
    portfolio.apply(&position(0.8));
    let mut find = |time: i64, opened: i64, volume: f64| {
        let Event::Account(account) = told(time) else {
            unreachable!()
        };
        portfolio.read(Snapshot {
            account,
            positions: vec![Held {
                lots: Lots::from_f64(volume).unwrap(),
                opened: Some(BrokerTime(opened)),
                ..held(Side::Buy)
            }],
            ..snapshot(TradingState::Active)
        });
        lacks(&portfolio)
    };
    assert!(find(MONDAY + 31, MONDAY + 30, 0.8), "it grew");
    assert!(!find(MONDAY + 32, MONDAY + 30, 0.8));
    assert!(find(MONDAY + 32, MONDAY + 30, 0.9), "it grew meanwhile");
    assert!(find(MONDAY + 32, MONDAY + 33, 0.6), "it is another one");
    // With delayed quotes the broker's clock is behind what a deal is dated.
    assert!(find(MONDAY + 40, MONDAY + 900_000, 0.6));
    portfolio.apply(&told(MONDAY + 5_040));
    assert!(!lacks(&portfolio));
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
fn a_position_that_is_closed_in_parts_is_one_trade() {
    // The rest of it lost 1.
    for (part, trades) in [(2.0, true), (0.5, false)] {
        let mut trader = under("cooldown.losses = 1\ncooldown.minutes = 60");
        let intent = sell_at(&mut trader, MONDAY).unwrap();
        trader.on_event(&dealt(DealEntry::In, 0.5, 0.0));
        trader.on_event(&opened(Side::Sell));
        trader.on_event(&order(intent.request_id().as_str(), OrderState::Filled));
        trader.on_event(&dealt(DealEntry::Out, 0.2, part));
        trader.on_event(&dealt(DealEntry::Out, 0.3, -1.0));
        let rest = Money::from_f64(-1.0).ok();
        trader.on_event(&Event::PositionClosed(POSITION, rest));
        assert_eq!(trades_at(&mut trader, MONDAY + MINUTE), trades, "{part}");
    }
}

#[test]
fn a_position_that_was_turned_ended_with_what_its_deals_made() {
    let mut trader = under("cooldown.losses = 1\ncooldown.minutes = 60");
    tick_at(&mut trader, MONDAY, 100_000);
    trader.on_event(&dealt(DealEntry::In, 0.5, 0.0));
    trader.on_event(&opened(Side::Sell));
    trader.on_event(&dealt(DealEntry::Out, 0.2, 5.0));
    trader.on_event(&dealt(DealEntry::InOut, 0.8, -1.0));
    // By its prices alone it lost.
    let turned = Held {
        open_price: Some(price(100_200)),
        ..held(Side::Buy)
    };
    trader.on_event(&Event::PositionChanged(turned));
    trader.on_event(&dealt(DealEntry::Out, 0.5, 1.0));
    trader.on_event(&Event::PositionClosed(POSITION, None));
    assert!(trades_at(&mut trader, MONDAY + MINUTE));
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
