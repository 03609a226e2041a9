//! What the rules remember of one account counts for no other, and is forgotten by an operator's word alone.

use super::*;
use crate::risk::{FILE, RiskRefused};

const LIMIT: &str = "drawdown.percent = 5.0\ndrawdown.action = \"block\"";

/// A trader that goes on from what the folder holds, on that account; none: its gateway tells none.
fn started(account: Option<&str>, folder: &Path) -> Trader {
    started_under(LIMIT, account, folder)
}

/// The same under other rules.
fn started_under(keys: &str, account: Option<&str>, folder: &Path) -> Trader {
    let settings = rules(&format!("{FREE}\n{keys}"));
    let risk = Risk::open(settings, false, &folder.join(FILE));
    let mut trader = trader_without_snapshot(risk, jumps());
    meet(&mut trader, account);
    trader
}

/// Another session begins, on that account.
fn meet(trader: &mut Trader, account: Option<&str>) {
    trader.on_snapshot(Snapshot {
        account_id: account.map(|id| AccountId::parse(id).unwrap()),
        account: None,
        ..snapshot(TradingState::Active)
    });
}

/// Whether an account of that balance, with as much equity, may be traded.
fn may_trade(trader: &mut Trader, balance: f64) -> bool {
    tell_with_balance(trader, MONDAY, balance, balance);
    trades_at(trader, MONDAY)
}

#[test]
fn an_account_is_not_traded_by_the_levels_of_another_which_stay_as_they_are() {
    for restarts in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let go_on = |trader: &mut Trader, account: &str| {
            if restarts {
                *trader = started(Some(account), folder.path());
            } else {
                meet(trader, Some(account));
            }
        };
        // A level alone, and a latch.
        for (equity, later) in [(10_000.0, 9_500.0), (9_500.0, 9_900.0)] {
            let mut trader = started(Some("first"), folder.path());
            tell(&mut trader, MONDAY, equity);
            let kept = fs::read(&file).unwrap();
            for other in ["second", "third", "second"] {
                go_on(&mut trader, other);
                assert!(!may_trade(&mut trader, 1_000_000.0), "{restarts} {other}");
                let told = trader.figures().refused_by_state;
                assert_eq!(told, Some(RiskRefused::OtherAccount));
                trader.on_event(&opened(Side::Buy));
                let exit = sell_at(&mut trader, MONDAY).unwrap();
                assert!(matches!(exit, Intent::Close(_)), "exits go on: {exit:?}");
                trader.on_event(&CLOSED);
                trader.on_event(&order(exit.request_id().as_str(), OrderState::Filled));
                assert_eq!(fs::read(&file).unwrap(), kept, "{restarts} {other}");
            }
            go_on(&mut trader, "first");
            assert_eq!(trader.figures().refused_by_state, None);
            tell(&mut trader, MONDAY, later);
            assert!(!trades_at(&mut trader, MONDAY), "{restarts} {equity}");
        }
    }
}

#[test]
fn an_account_that_is_back_is_traded_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut trader = started(Some("first"), folder.path());
    tell(&mut trader, MONDAY, 10_000.0);
    for account in ["second", "first"] {
        meet(&mut trader, Some(account));
        let is_first = account == "first";
        assert_eq!(may_trade(&mut trader, 10_000.0), is_first, "{account}");
    }
}

#[test]
fn the_balance_of_an_account_that_is_back_is_held_against_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut trader = started(Some("first"), folder.path());
    tell_with_balance(&mut trader, MONDAY, 10_000.0, 10_000.0);
    meet(&mut trader, Some("second"));
    tell_with_balance(&mut trader, MONDAY, 1_000.0, 1_000.0);
    let first = AccountId::parse("first").unwrap();
    trader.meet(Some(&first));
    let gap = trader.balance_gap(Money::from_f64(9_900.0).unwrap());
    assert_eq!(gap.map(|gap| gap.amount), Money::from_f64(-100.0).ok());
}

#[test]
fn another_account_is_closed_by_its_own_losses_alone() {
    let limit = "drawdown.percent = 5.0\ndrawdown.kind = \"static\"\n\
                 drawdown.initial_balance = 10000.0";
    let folder = tempfile::tempdir().unwrap();
    let mut trader = started_under(limit, Some("first"), folder.path());
    tell(&mut trader, MONDAY, 10_000.0);
    meet(&mut trader, Some("second"));
    trader.on_event(&opened(Side::Buy));
    // What the first reading of a session reaches closes nothing on its day alone.
    for time in [MONDAY, MONDAY + DAY] {
        tell_with_balance(&mut trader, time, 1_000.0, 1_000.0);
        assert_eq!(tick_at(&mut trader, time, 100_000), None);
    }
    let later = MONDAY + DAY + MINUTE;
    tell_with_balance(&mut trader, later, 940.0, 1_000.0);
    let close = tick_at(&mut trader, later, 100_000);
    assert!(matches!(close, Some(Intent::Close(_))), "{close:?}");
}

#[test]
fn the_clock_of_another_account_dates_no_loss_of_the_one_that_is_back() {
    let rest = "cooldown.losses = 1\ncooldown.minutes = 60";
    let folder = tempfile::tempdir().unwrap();
    let mut trader = started_under(rest, Some("first"), folder.path());
    tell(&mut trader, MONDAY, 10_000.0);
    trader.on_event(&opened(Side::Buy));
    meet(&mut trader, Some("second"));
    tell(&mut trader, MONDAY - 5 * HOUR, 10_000.0);
    // The position was closed meanwhile: what it made is not known, which counts as a loss.
    meet(&mut trader, Some("first"));
    for (minutes, trades) in [(1, false), (61, true)] {
        let time = MONDAY + minutes * MINUTE;
        tell(&mut trader, time, 10_000.0);
        assert_eq!(trades_at(&mut trader, time), trades, "{minutes}");
    }
}

#[test]
fn an_operator_lets_another_account_be_traded_and_a_reset_of_latches_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    tell(&mut started(Some("first"), folder.path()), MONDAY, 10_000.0);
    Risk::reset(&rules(LIMIT), &file).unwrap();
    assert!(!may_trade(
        &mut started(Some("second"), folder.path()),
        9_000.0
    ));
    Risk::forget(&file).unwrap();
    assert!(may_trade(
        &mut started(Some("second"), folder.path()),
        9_000.0
    ));
    assert!(!may_trade(
        &mut started(Some("first"), folder.path()),
        10_000.0
    ));
}

#[test]
fn what_no_gateway_told_the_account_of_is_of_the_first_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    tell(&mut started(None, folder.path()), MONDAY, 10_000.0);
    for (account, trades) in [
        (Some("first"), true),
        (Some("second"), false),
        // A gateway of before.
        (None, true),
    ] {
        let mut trader = started(account, folder.path());
        assert_eq!(may_trade(&mut trader, 10_000.0), trades, "{account:?}");
    }
    let mut trader = started(Some("first"), folder.path());
    tell(&mut trader, MONDAY, 9_500.0);
    assert!(
        !trades_at(&mut trader, MONDAY),
        "its levels are gone on from"
    );
}
