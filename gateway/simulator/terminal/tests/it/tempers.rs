//! What goes wrong on purpose.

use crate::support::{Asked, hedging, limit, login, market, moody};
use mymt5_simulated_terminal::{
    Fate, Status,
    layout::{Account, SymbolInfo, TerminalInfo, Tick, Wire},
    number, text,
};
use std::time::Duration;

fn is_connected(asked: &mut Asked) -> bool {
    asked.one::<TerminalInfo>(number::TERMINAL, &[]).connected
}

fn tick(asked: &mut Asked) -> Tick {
    asked.one(number::TICK, &text("EURUSD"))
}

#[test]
fn without_its_server_nothing_moves() {
    let mut asked = moody(&["not-connected"]);
    let before = tick(&mut asked);
    asked.wait(10_000);
    assert!(!is_connected(&mut asked));
    assert_eq!(asked.one::<u32>(number::READY, &[]), 2);
    assert_eq!(asked.retcode(&market(0, 0.1)), 10_031);
    assert_eq!(tick(&mut asked), before);
    asked.terminal.clear_tempers(Some("not-connected"));
    assert!(is_connected(&mut asked) && tick(&mut asked).time_msc > before.time_msc);
    assert_eq!(asked.retcode(&market(0, 0.1)), 10_009);
}

#[test]
fn a_start_takes_its_time() {
    let mut asked = moody(&["connecting=3"]);
    assert_eq!(asked.one::<u32>(number::READY, &[]), 1);
    assert!(!is_connected(&mut asked));
    asked.wait(2_999);
    assert_eq!(asked.one::<u32>(number::READY, &[]), 1);
    asked.wait(1);
    assert_eq!(asked.one::<u32>(number::READY, &[]), 2);
    assert!(is_connected(&mut asked));
}

#[test]
fn a_wrong_password_may_be_acknowledged() {
    let mut asked = moody(&["wrong-password-acknowledged"]);
    let wrong = login(10_000_001, "wrong", "");
    assert_eq!(asked.raw(number::LOGIN, &wrong), Ok(Vec::new()));
    assert!(!is_connected(&mut asked));
    let right = login(10_000_001, "right", "");
    assert_eq!(asked.raw(number::LOGIN, &right), Ok(Vec::new()));
    assert!(is_connected(&mut asked));
}

#[test]
fn algo_trading_may_be_off_and_the_account_another() {
    let mut asked = moody(&["algo-trading-off", "other-account=42"]);
    let terminal: TerminalInfo = asked.one(number::TERMINAL, &[]);
    assert!(!terminal.trade_allowed && terminal.connected);
    assert_eq!(asked.retcode(&market(0, 0.1)), 10_027);
    assert_eq!(asked.one::<Account>(number::ACCOUNT, &[]).login, 42);
}

#[test]
fn history_may_come_late() {
    let mut asked = moody(&["history-late=500"]);
    assert_eq!(asked.deals().len(), 1);
    let deal = asked.send(&market(0, 0.1)).deal.to_bytes();
    assert_eq!(asked.positions().len(), 1);
    asked.wait(499);
    assert_eq!((asked.deals().len(), asked.past_orders().len()), (1, 0));
    assert_eq!(asked.raw(number::DEAL, &deal), Err(Status::NOT_FOUND));
    asked.wait(1);
    assert_eq!((asked.deals().len(), asked.past_orders().len()), (2, 1));
    assert!(asked.raw(number::DEAL, &deal).is_ok());
}

#[test]
fn rows_may_lag_each_other() {
    let mut asked = moody(&["rows-late=1000"]);
    asked.send(&market(0, 0.1));
    asked.send(&limit(0.9));
    let mut seen = Vec::new();
    for _ in 0..100 {
        asked.wait(10);
        let deals = asked.deals().len() - 1;
        seen.push((asked.positions().len(), asked.orders().len(), deals));
    }
    // Each comes once and stays, and not all of them come together.
    assert_eq!(seen.last(), Some(&(1, 1, 1)));
    assert!(seen.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1 && a.2 <= b.2));
    assert!(seen.iter().any(|(p, o, d)| p != o || o != d), "{seen:?}");
    asked.terminal.clear_tempers(None);
    asked.send(&market(0, 0.1));
    assert_eq!((asked.positions().len(), asked.deals().len()), (2, 3));
}

#[test]
fn finished_orders_may_be_purged() {
    let mut asked = moody(&["orders-purged"]);
    let order = asked.send(&market(0, 0.1)).order.to_bytes();
    assert!(asked.past_orders().is_empty());
    assert_eq!(
        asked.raw(number::PAST_ORDER, &order),
        Err(Status::NOT_FOUND)
    );
    assert_eq!(asked.deals().len(), 2);
}

#[test]
fn answers_are_spoilt_by_their_command() {
    let mut asked = hedging();
    for temper in [
        "slow=order_send:250",
        "hang=account_info",
        "close-mid-answer=173",
        "other-length=terminal_info",
    ] {
        asked.set(temper);
    }
    let now = asked.now;
    let mut reply = |command, body: &[u8]| asked.terminal.answer(command, body, now);
    let sent = reply(number::SEND, &market(0, 0.1).to_bytes());
    assert_eq!(
        (sent.delay, sent.fate),
        (Duration::from_millis(250), Fate::Whole)
    );
    assert_eq!(reply(number::ACCOUNT, &[]).fate, Fate::Never);
    assert_eq!(reply(number::SYMBOLS_TOTAL, &[]).fate, Fate::Torn);
    assert_eq!(
        reply(number::TERMINAL, &[]).body.len(),
        TerminalInfo::SIZE + 8
    );
    assert_eq!(reply(number::TICK, &text("EURUSD")).delay, Duration::ZERO);
    assert_eq!(asked.positions().len(), 1);
}

#[test]
fn a_command_may_be_lost_or_done_when_nobody_waits_any_more() {
    let mut asked = moody(&["lost=order_send"]);
    let order = market(0, 0.1).to_bytes();
    let sent = |asked: &mut Asked| asked.terminal.answer(number::SEND, &order, asked.now).fate;
    assert_eq!(sent(&mut asked), Fate::Never);
    asked.wait(5_000);
    assert!(asked.positions().is_empty());
    asked.terminal.clear_tempers(None);
    asked.set("late=order_send:700");
    assert_eq!(sent(&mut asked), Fate::Never);
    asked.wait(699);
    assert!(asked.positions().is_empty());
    asked.wait(1);
    assert_eq!(asked.positions().len(), 1);
}

#[test]
fn lists_may_be_long() {
    let mut asked = moody(&["symbols=2000", "deals=20000"]);
    assert_eq!(asked.one::<u32>(number::SYMBOLS_TOTAL, &[]), 2_000);
    let symbols: Vec<SymbolInfo> = asked.list(number::SYMBOLS, &[]);
    assert_eq!(symbols.iter().filter(|symbol| symbol.select).count(), 2);
    let deals = asked.deals();
    assert_eq!(deals.len(), 20_001);
    assert!(deals.is_sorted_by_key(|deal| deal.time_msc));
    let result: f64 = deals.iter().map(|deal| deal.profit).sum();
    let account: Account = asked.one(number::ACCOUNT, &[]);
    assert!((account.balance - result).abs() < 1e-6);
    assert!(asked.positions().is_empty());
    assert!(deals.last().unwrap().time_msc <= tick(&mut asked).time_msc);
}
