//! What the broker closed: nothing is opened there until something moves, and exits go.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_model::{BrokerTime, Reason, Retcode, Tick};
use mymt5_orders::{Input, Notice, ObstacleKind};

/// A position of 0.1 lots, and then an entry that the broker refuses like that.
fn refused(retcode: u32) -> Shell {
    let mut shell = holding();
    let (id, _) = shell.send("alpha", "refused", buy(0.1));
    shell.answer(id, Err(rejected(Retcode(retcode))));
    shell
}

fn assert_exits_go(shell: &mut Shell) {
    shell.must("alpha", "exit", close(HELD, None));
    assert_eq!(closed_by(&shell.leaves()).0.0, HELD.0);
}

#[test]
fn a_closed_symbol_opens_with_its_next_tick_or_another_specification() {
    for retcode in [10_017, 10_018, 10_042, 10_043, 10_044] {
        let mut shell = refused(retcode);
        let entry = shell.entry_refusal("alpha", "a");
        assert_eq!(entry, Some(Reason::MarketClosed), "{retcode}");
        let only = [ObstacleKind::SymbolClosed];
        assert_eq!(shell.obstacles(), only, "others trade on");
        assert_exits_go(&mut shell);
        shell.prices.tick(Tick {
            time: BrokerTime(quote().time.0 + 1),
            ..quote()
        });
        assert_eq!(shell.entry_refusal("alpha", "b"), None);
        let mut shell = refused(retcode);
        shell.feed(Input::SymbolChanged(symbol("EURUSD")));
        assert_eq!(shell.entry_refusal("alpha", "c"), None);
        assert!(shell.obstacles().is_empty());
    }
    let mut shell = refused(10_019);
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}

#[test]
fn a_closed_symbol_is_no_obstacle_any_more_once_it_ticks() {
    let mut shell = refused(10_018);
    shell.prices.tick(Tick {
        time: BrokerTime(quote().time.0 + 1),
        ..quote()
    });
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
    shell.second();
    assert!(shell.obstacles().is_empty());
}

#[test]
fn a_closed_account_is_left_alone_for_a_while() {
    for retcode in [10_026, 10_027] {
        let mut shell = refused(retcode);
        assert_eq!(shell.obstacles(), [ObstacleKind::TradeNotAllowed]);
        assert!(shell.noticed(|notice| matches!(notice, Notice::AccountMayNotTrade(_))));
        let entry = shell.entry_refusal("alpha", "a");
        assert_eq!(entry, Some(Reason::TradeNotAllowed));
        assert_exits_go(&mut shell);
        shell.pass(60_000);
        shell.second();
        assert!(shell.obstacles().is_empty());
        shell.quote_again();
        assert_eq!(shell.entry_refusal("alpha", "b"), None);
    }
}

#[test]
fn an_account_whose_rows_forbid_trading_opens_nothing() {
    let mut shell = holding();
    let mut forbidden = account();
    forbidden.trade_allowed = false;
    shell.compare_account(forbidden);
    let entry = shell.entry_refusal("alpha", "a");
    assert_eq!(entry, Some(Reason::TradeNotAllowed));
    assert_exits_go(&mut shell);
    shell.compare();
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}
