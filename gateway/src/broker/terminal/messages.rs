//! What an operator is told of a terminal that cannot be used: a sample of each fault.
#![allow(clippy::unwrap_used)]

use super::{
    super::{Broker, BrokerError},
    Terminal, TerminalSettings,
    calls::{not_understood, unknown, value},
    expected_account::{ExpectedAccount, tests::account},
    failure::{CallOutcome, explained},
    opening::unread,
    past,
    rows::{
        self, Specifications, TerminalRow, UnreadSymbol,
        tests::{raw, raw_account, raw_symbol, with},
    },
    wire::{Answer, WireError, frame::FrameError},
};
use mymt5_chassis::{
    every_variant,
    secrets::read_file,
    testing::messages::{Messages, PLANTED},
};
use mymt5_model::{AccountKind, Symbol};
use serde_json::{Value, json};
use std::{io, path::Path, time::Duration};

#[tokio::test]
async fn every_fault_names_what_is_wrong_and_what_to_do() {
    let mut messages = Messages::default();
    of_the_way(&mut messages).await;
    of_frames(&mut messages);
    of_answers(&mut messages);
    of_symbols(&mut messages);
    of_other_accounts(&mut messages);
    of_obstacles(&mut messages);
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/broker/terminal/messages.txt");
    messages.compare(&list).unwrap();
}

async fn of_the_way(messages: &mut Messages) {
    let second = Duration::from_secs(1);
    let settings = TerminalSettings {
        address: "127.0.0.1:1".into(),
        certificate: None,
        symbols: [(Symbol::parse("EURUSD").unwrap(), "EURUSD.m".into())].into(),
        kind: AccountKind::Real,
        poll_interval: second,
        rows_interval: second,
        call_timeout: second,
    };
    let terminal = Terminal::new(settings, || account("10005678", "Live-1")).unwrap();
    messages.error("127.0.0.1:1", &terminal.open().await.unwrap_err());
    messages.error("the terminal", &terminal.identify().await.unwrap_err());
    let lost = read_file("MT5_PASSWORD", Path::new("/nowhere/password"));
    let lost = lost.unwrap_err().to_string();
    messages.error("MT5_PASSWORD", &unread(&lost));
    messages.error("a rate", &BrokerError::NotAvailable("a rate"));
    messages.error("the terminal", &past::loading());
    for why in [past::BUSY, past::HELD, past::UNANSWERED] {
        messages.text("the terminal", why);
    }
}

fn of_frames(messages: &mut Messages) {
    for error in every_variant!(WireError:
        WireError::Malformed => WireError::Malformed,
        WireError::Reflected => WireError::Reflected,
    ) {
        messages.error("the bridge", &error);
    }
    let ended = io::ErrorKind::UnexpectedEof;
    messages.error("the bridge", &FrameError::Ended(ended.into()));
    messages.error("the bridge", &FrameError::Length(0));
}

fn of_answers(messages: &mut Messages) {
    for answer in every_variant!(Answer:
        Answer::Ok(_) => Answer::Ok(raw(&json!({}))),
        Answer::None(..) => Answer::None(-6, PLANTED.into()),
        Answer::Refused(_) => Answer::Refused("queue full".into()),
        Answer::Checked(_) => Answer::Checked(raw(&json!({}))),
        Answer::Raised(_) => Answer::Raised("TypeError".into()),
    ) {
        if let Err(error) = value(CallOutcome::Answer(answer)) {
            messages.error("the broker", &error);
        }
    }
    for code in (-10_005..=-10_000).chain(-8..=-1).chain([1]) {
        messages.text(&code.to_string(), &explained(code));
    }
    messages.error("MT5_PASSWORD", &BrokerError::Refused(explained(-6)));
}

fn of_symbols(messages: &mut Messages) {
    let gold = Symbol::parse("GOLD").unwrap();
    let odd = rows::symbol(&with(raw_symbol(), "volume_step", json!(0.0)), &gold);
    let odd = not_understood(&gold, "XAUUSD", &odd.unwrap_err());
    messages.text("GOLD", &unknown(&gold, "XAUUSD"));
    messages.text("GOLD", &odd);
    let told = Specifications {
        read: Vec::new(),
        unread: vec![
            UnreadSymbol {
                symbol: gold,
                basics: None,
                why: odd,
            };
            8
        ],
    };
    messages.text("GOLD", &told.fault().unwrap());
}

fn of_other_accounts(messages: &mut Messages) {
    let expected = ExpectedAccount::to(&account("10005678", "Live-1"), AccountKind::Real);
    for (subject, login, server, kind) in [
        ("MT5_LOGIN", 20_005_678, "Live-1", AccountKind::Real),
        ("MT5_SERVER", 10_005_678, "Live-2", AccountKind::Real),
        ("account_kind", 10_005_678, "Live-1", AccountKind::Demo),
    ] {
        let differs = expected.differs(login, server, kind).unwrap();
        messages.error(subject, &BrokerError::OtherAccount(differs));
    }
    let other = expected.takes(&account("20005678", "Live-1"));
    messages.error("MT5_LOGIN", &other.unwrap_err());
}

fn of_obstacles(messages: &mut Messages) {
    let on = json!({"connected": true, "trade_allowed": true, "tradeapi_disabled": false});
    let mut take = |subject: &str, terminal: &Value, account: &Value| {
        let terminal = TerminalRow::read(&raw(terminal)).unwrap();
        let (_, _, obstacle) = rows::account(&raw(account), terminal).unwrap();
        messages.text(subject, obstacle.unwrap());
    };
    for (subject, key, value) in [
        ("the terminal", "connected", false),
        ("Algo Trading", "trade_allowed", false),
        ("Python API", "tradeapi_disabled", true),
    ] {
        let mut terminal = on.clone();
        terminal[key] = json!(value);
        take(subject, &terminal, &raw_account());
    }
    for key in ["trade_allowed", "trade_expert"] {
        let mut account = raw_account();
        account[key] = json!(false);
        take("account", &on, &account);
    }
}
