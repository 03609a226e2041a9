//! The terminal, its account, its symbols, ticks and bars.

use crate::support::{AHEAD_MS, Asked, START, hedging, login, settings, started};
use mymt5_model::AccountMode;
use mymt5_simulated_terminal::{
    Status,
    layout::{Account, Rate, SymbolInfo, TerminalInfo, Tick, Wire},
    number, text,
};
use std::fs;

const ALL: u32 = u32::MAX;
const INFO: u32 = 1;
const TRADE: u32 = 2;

fn tick(asked: &mut Asked) -> Tick {
    asked.one(number::TICK, &text("EURUSD"))
}

fn ticks_from(asked: &mut Asked, from: i64, count: u32, flags: u32) -> Vec<Tick> {
    let rest = [from.to_bytes(), count.to_bytes(), flags.to_bytes()].concat();
    asked.list(number::TICKS_FROM, &[text("EURUSD"), rest].concat())
}

fn rates(asked: &mut Asked, command: u32, timeframe: u32, rest: &[u8]) -> Vec<Rate> {
    let body = [text("EURUSD"), timeframe.to_bytes(), rest.to_vec()].concat();
    asked.list(command, &body)
}

#[test]
fn a_session_opens() {
    let mut asked = hedging();
    let hello = [3u32.to_bytes(), text("python")].concat();
    assert_eq!(asked.one::<u32>(number::SESSION, &hello), 6231);
    assert_eq!(asked.one::<u32>(number::READY, &[]), 2);
    let version = asked.raw(number::VERSION, &0u32.to_bytes()).unwrap();
    assert_eq!(version[..8], [0xf4, 1, 0, 0, 0x57, 0x18, 0, 0]);
    let right = login(10_000_001, "right", "MyMT5-Simulator");
    assert_eq!(asked.raw(number::LOGIN, &right), Ok(Vec::new()));
    let terminal: TerminalInfo = asked.one(number::TERMINAL, &[]);
    assert!(terminal.connected && terminal.trade_allowed && !terminal.tradeapi_disabled);
    assert_eq!(
        (terminal.build, terminal.path.0.as_str()),
        (6231, r"C:\terminal")
    );
    assert_eq!(asked.raw(2, &[]), Err(Status::UNSUPPORTED));
}

#[test]
fn a_wrong_password_is_refused_until_the_right_one_comes() {
    let mut asked = hedging();
    for wrong in [
        login(10_000_001, "wrong", "MyMT5-Simulator"),
        login(10_000_002, "right", "MyMT5-Simulator"),
        login(10_000_001, "right", "Another"),
        login(-1, "right", ""),
    ] {
        assert_eq!(asked.raw(number::LOGIN, &wrong), Err(Status::AUTH_FAILED));
        assert!(!asked.one::<TerminalInfo>(number::TERMINAL, &[]).connected);
    }
    let torn = &login(1, "right", "")[..20];
    assert_eq!(asked.raw(number::LOGIN, torn), Err(Status::INVALID_PARAMS));
    let right = login(10_000_001, "right", "");
    assert_eq!(asked.raw(number::LOGIN, &right), Ok(Vec::new()));
    assert!(asked.one::<TerminalInfo>(number::TERMINAL, &[]).connected);
}

#[test]
fn the_account_has_its_deposit() {
    let mut asked = hedging();
    let account: Account = asked.one(number::ACCOUNT, &[]);
    assert_eq!((account.login, account.margin_mode), (10_000_001, 2));
    assert_eq!((account.balance, account.equity), (100_000.0, 100_000.0));
    assert_eq!((account.margin_level, account.leverage), (0.0, 100));
    assert_eq!(account.currency.0, "USD");
    let deals = asked.deals();
    let deposit = &deals[0];
    assert_eq!(
        (deals.len(), deposit.kind, deposit.profit),
        (1, 2, 100_000.0)
    );
    assert_eq!((deposit.order, deposit.symbol.0.as_str()), (0, ""));
    let mut netting = started(settings(AccountMode::Netting), &[]);
    assert_eq!(netting.one::<Account>(number::ACCOUNT, &[]).margin_mode, 0);
}

#[test]
fn symbols_are_listed_and_found() {
    let mut asked = hedging();
    assert_eq!(asked.one::<u32>(number::SYMBOLS_TOTAL, &[]), 2);
    let all: Vec<SymbolInfo> = asked.list(number::SYMBOLS, &[]);
    assert_eq!(all[1].name.0, "USDJPY");
    assert_eq!((all[1].digits, all[1].point), (3, 0.001));
    let mut names = |group: &str| {
        let rows: Vec<SymbolInfo> = asked.list(number::SYMBOLS_OF_GROUP, &text(group));
        rows.into_iter().map(|row| row.name.0).collect::<Vec<_>>()
    };
    assert_eq!(names("*USD*"), ["EURUSD", "USDJPY"]);
    assert_eq!(names("*, !*JPY"), ["EURUSD"]);
    assert_eq!(names("E*D,XAUUSD"), ["EURUSD"]);
    assert!(names("EUR").is_empty());
    let info: SymbolInfo = asked.one(number::SYMBOL, &text("EURUSD"));
    let quote = tick(&mut asked);
    assert_eq!(
        (info.bid, info.ask, info.time),
        (quote.bid, quote.ask, quote.time)
    );
    assert_eq!(
        (info.trade_tick_value, info.trade_contract_size),
        (1.0, 100_000.0)
    );
    assert_eq!(
        (info.filling_mode, info.trade_exemode, info.trade_mode),
        (2, 2, 4)
    );
    assert!(info.bidlow <= info.bid && info.bid <= info.bidhigh);
    for command in [
        number::SYMBOL,
        number::TICK,
        number::SELECT,
        number::BOOK_ADD,
    ] {
        assert_eq!(asked.raw(command, &text("NONE")), Err(Status::NOT_FOUND));
    }
    for command in [number::BOOK_ADD, number::BOOK_RELEASE, number::BOOK] {
        assert_eq!(asked.raw(command, &text("EURUSD")), Err(Status::FAIL));
    }
}

#[test]
fn a_symbol_leaves_the_market_watch_and_comes_back() {
    let mut asked = hedging();
    for (enable, seen) in [(0, false), (1, true)] {
        let body = [text("EURUSD"), vec![enable]].concat();
        assert_eq!(asked.raw(number::SELECT, &body), Ok(Vec::new()));
        let info: SymbolInfo = asked.one(number::SYMBOL, &text("EURUSD"));
        assert_eq!((info.select, info.visible), (seen, seen));
    }
}

#[test]
fn time_is_the_brokers_and_ticks_come_with_it() {
    let mut asked = hedging();
    let before = tick(&mut asked);
    let broker = START.0 + AHEAD_MS;
    assert!(
        (broker - 10_000..=broker).contains(&before.time_msc),
        "{}",
        before.time_msc
    );
    asked.wait(60_000);
    let after = tick(&mut asked);
    assert!(after.time_msc > broker && after.time_msc <= broker + 60_000);
    let new = ticks_from(&mut asked, before.time_msc + 1, 10_000, ALL);
    assert!((100..500).contains(&new.len()), "{}", new.len());
    assert_eq!(new.last(), Some(&after));
    assert!(new.is_sorted_by_key(|tick| tick.time_msc));
    assert_eq!(ticks_from(&mut asked, 0, 2, ALL), new[new.len() - 2..]);
    assert_eq!(ticks_from(&mut asked, new[0].time_msc, 3, ALL), new[..3]);
    let info = ticks_from(&mut asked, new[0].time_msc, 10_000, INFO);
    assert!(info == new && new.iter().all(|tick| tick.flags & 6 != 0));
    assert!(ticks_from(&mut asked, new[0].time_msc, 10_000, TRADE).is_empty());
    let ends = [
        new[0].time_msc.to_bytes(),
        new[4].time_msc.to_bytes(),
        ALL.to_bytes(),
    ]
    .concat();
    let body = [text("EURUSD"), ends].concat();
    assert_eq!(asked.list::<Tick>(number::TICKS_RANGE, &body), new[..5]);
}

#[test]
fn bars_are_made_of_the_ticks() {
    let mut asked = hedging();
    let quote = tick(&mut asked);
    let count = |start: u32, count: u32| [start.to_bytes(), count.to_bytes()].concat();
    let all = rates(&mut asked, number::RATES_FROM_POS, 1, &count(0, 100));
    assert!((5..=6).contains(&all.len()), "{}", all.len());
    let last = all.last().unwrap();
    assert_eq!((last.close, last.time), (quote.bid, quote.time / 60 * 60));
    let one = rates(&mut asked, number::RATES_FROM_POS, 1, &count(1, 1));
    assert_eq!(one, all[all.len() - 2..all.len() - 1]);
    let until = [all[2].time.to_bytes(), 2u32.to_bytes()].concat();
    assert_eq!(rates(&mut asked, number::RATES_FROM, 1, &until), all[1..3]);
    let span = [all[1].time.to_bytes(), all[2].time.to_bytes()].concat();
    assert_eq!(rates(&mut asked, number::RATES_RANGE, 1, &span), all[1..3]);
    let backwards = [all[2].time.to_bytes(), all[1].time.to_bytes()].concat();
    assert!(rates(&mut asked, number::RATES_RANGE, 1, &backwards).is_empty());
    let days = rates(&mut asked, number::RATES_FROM_POS, 16_408, &count(0, 9));
    assert_eq!((days.len(), days[0].time % 86_400), (1, 0));
    let ticks: u64 = all.iter().map(|bar| bar.tick_volume).sum();
    assert_eq!(days[0].tick_volume, ticks);
    let body = [text("EURUSD"), 7u32.to_bytes(), count(0, 9)].concat();
    assert_eq!(
        asked.raw(number::RATES_FROM_POS, &body),
        Err(Status::INVALID_PARAMS)
    );
}

#[test]
fn a_replay_brings_the_ticks_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("EURUSD_ticks.csv");
    let lines = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n\
        2026.07.01\t11:00:00.051\t1.10007\t1.10010\t\t\t6\n\
        2026.07.01\t11:00:00.051\t1.10006\t\t\t\t2\n\
        2026.07.01\t11:00:02.000\t\t1.10012\t\t\t4\n";
    fs::write(&file, lines).unwrap();
    let mut settings = settings(AccountMode::Hedging);
    settings.replays.push(file);
    settings.speed = 2.0;
    let mut asked = started(settings, &[]);
    let first = tick(&mut asked);
    assert_eq!((first.bid, first.ask, first.flags), (1.10006, 1.1001, 2));
    assert_eq!(
        (first.time, first.time_msc),
        (1_782_903_600, 1_782_903_600_051)
    );
    asked.wait(974);
    assert_eq!(tick(&mut asked), first);
    asked.wait(1);
    assert_eq!(tick(&mut asked).ask, 1.10012);
    assert_eq!(ticks_from(&mut asked, 1, 9, ALL).len(), 3);
}
