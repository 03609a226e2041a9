//! Logging in, and what a session knows.

use super::{process::Bridge, trading::market};
use crate::support::{SERVER, account, bounded, change, send, settings, symbol, terminal, until};
use mymt5_chassis::secrets::Secret;
use mymt5_gateway::broker::{Broker, BrokerError, BrokerEvent, terminal::Terminal};
use mymt5_model::{AccountKind, AccountMode, BrokerTime, Execution, Lots, Money, Price, Side};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_knows_its_account_and_its_symbols() {
    let bridge = Bridge::start(&["suffix=.m"]);
    let terminal = terminal(bridge.settings(".m"));
    let mut events = bounded(terminal.open()).await.unwrap();

    let row = terminal.identify().await.unwrap();
    assert_eq!(
        (row.account.to_string().as_str(), row.server.as_str()),
        ("****0001", SERVER)
    );
    assert_eq!(
        (row.kind, row.mode),
        (AccountKind::Demo, AccountMode::Hedging)
    );
    assert_eq!(
        (row.balance, row.trade_allowed),
        (Money::from_f64(100_000.0).unwrap(), true)
    );

    let specs = terminal.symbols().await.unwrap();
    let spec = specs
        .iter()
        .find(|spec| spec.symbol == symbol("EURUSD"))
        .unwrap();
    assert_eq!((specs.len(), spec.digits, spec.tick_size_points), (2, 5, 1));
    assert_eq!(
        (spec.execution, spec.tick_value),
        (Execution::Market, Some(1.0))
    );

    let ticks = bounded(events.ticks.recv()).await.unwrap();
    assert!(ticks.iter().all(|tick| tick.ask > tick.bid));
    let snapshot = terminal.snapshot(0).await.unwrap();
    assert!(snapshot.time.is_some() && snapshot.positions.is_empty());
    assert!(terminal.ping().await.is_ok());

    let one = Lots::from_f64(1.0).unwrap();
    let (open, close) = (
        Price::from_points(110_000, 5),
        Price::from_points(110_100, 5),
    );
    let (euro, side) = (symbol("EURUSD"), Side::Buy);
    let profit = terminal.profit_for(&euro, side, one, open, close).await;
    assert_eq!(profit, Ok(Money::from_f64(100.0).unwrap()));
    let margin = terminal.margin_for(&euro, side, one, open).await;
    assert_eq!(margin, Ok(Money::from_f64(1_100.0).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_begin_where_they_are_asked_for() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    let now = until(async || terminal.snapshot(0).await.unwrap().time).await;
    let from = BrokerTime(now.0 - 10 * 60_000);
    let euro = symbol("EURUSD");
    let bars = terminal.bars(&euro, 1, from, now, 5).await.unwrap();
    let first = from.0.div_euclid(60_000) * 60_000 + 60_000;
    assert_eq!(
        bars.rest,
        bars.rows.last().map(|bar| BrokerTime(bar.time.0 + 1))
    );
    let times: Vec<i64> = bars
        .rows
        .iter()
        .map(|bar| (bar.time.0 - first) / 60_000)
        .collect();
    assert_eq!(times, [0, 1, 2, 3, 4]);
    let newest = terminal.newest_bars(&euro, 1, 3).await.unwrap();
    assert_eq!(newest.len(), 3);
    assert!(newest[2].time.0 > now.0 - 60_000);
    let odd = terminal.bars(&euro, 7, from, now, 5).await;
    assert!(matches!(odd, Err(BrokerError::NotAvailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused_and_new_ones_are_taken_at_the_next_opening() {
    let bridge = Bridge::start(&[]);
    let wrong = mymt5_gateway::broker::terminal::Account {
        password: Secret::new("wrong").into(),
        ..account()
    };
    let credentials = Arc::new(Mutex::new(wrong));
    let now = credentials.clone();
    let now = move || now.lock().unwrap().clone();
    let terminal = Terminal::new(bridge.settings(""), now).unwrap();
    let Err(BrokerError::Refused(why)) = bounded(terminal.open()).await else {
        panic!("not refused");
    };
    assert!(why.contains("MT5_PASSWORD"), "{why}");
    assert_eq!(bridge.count("SELECT count(*) FROM logins"), 1);

    *credentials.lock().unwrap() = account();
    let _events = bounded(terminal.open()).await.unwrap();
    assert_eq!(bridge.count("SELECT count(*) FROM logins WHERE ok"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_is_told_from_a_bridge_that_is_not_there() {
    let bridge = Bridge::start(&[]);
    let other = mymt5_gateway::broker::terminal::Account {
        bridge: Secret::new("another secret of some forty characters!"),
        ..account()
    };
    let terminal = Terminal::new(bridge.settings(""), move || other.clone()).unwrap();
    let Err(BrokerError::Unreachable(why)) = bounded(terminal.open()).await else {
        panic!("not turned away");
    };
    assert!(why.contains("BRIDGE_SECRET"), "{why}");
    assert_eq!(bridge.count("SELECT count(*) FROM logins"), 0);

    let nowhere = crate::support::terminal(settings("127.0.0.1:1".into(), ""));
    let Err(BrokerError::Unreachable(why)) = bounded(nowhere.open()).await else {
        panic!("reached");
    };
    assert!(why.contains("start the bridge there"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_prove_nothing_keep_no_gateway_out() {
    let bridge = Bridge::start_with_tls(&[]);
    let mut strangers = Vec::new();
    for number in [6, 300] {
        for _ in 0..number {
            let stranger = TcpStream::connect(("127.0.0.1", bridge.port()));
            strangers.push(stranger.await.unwrap());
        }
        let terminal = terminal(bridge.settings(""));
        bounded(terminal.open()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_secret_is_not_used() {
    let bridge = Bridge::start(&[]);
    let weak = mymt5_gateway::broker::terminal::Account {
        bridge: Secret::new("*".repeat(33)),
        ..account()
    };
    let terminal = Terminal::new(bridge.settings(""), move || weak.clone()).unwrap();
    let Err(BrokerError::Unreachable(why)) = bounded(terminal.open()).await else {
        panic!("used");
    };
    assert!(why.contains("easily guessed"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_be_as_long_as_the_bridge_takes_it() {
    let bridge = Bridge::start(&[]);
    for (length, fits) in [(128, true), (129, false)] {
        let long = mymt5_gateway::broker::terminal::Account {
            password: Secret::new("p".repeat(length)).into(),
            ..account()
        };
        bridge.broker(&["password", &"p".repeat(length)]);
        let terminal = Terminal::new(bridge.settings(""), move || long.clone()).unwrap();
        match bounded(terminal.open()).await {
            Ok(_) => assert!(fits),
            Err(BrokerError::Refused(why)) => assert!(!fits && why.contains("128"), "{why}"),
            Err(other) => panic!("{length}: {other}"),
        }
    }
    assert_eq!(bridge.count("SELECT count(*) FROM logins"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_symbol_is_named() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(".x"));
    let Err(BrokerError::Unreachable(why)) = bounded(terminal.open()).await else {
        panic!("opened");
    };
    assert!(
        why.contains("EURUSD.x") && why.contains("broker.terminal.symbols"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_forbids_trading_is_told_with_its_fix() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(""));
    let mut events = bounded(terminal.open()).await.unwrap();
    assert_eq!(terminal.status().trade_obstacle, None);
    let cases = [
        ("terminal_trade_allowed", "0", "1", "Algo Trading"),
        ("tradeapi_disabled", "1", "0", "Python API"),
        ("account_trade_allowed", "0", "1", "investor"),
        ("account_trade_expert", "0", "1", "broker forbids"),
    ];
    for (key, off, on, told) in cases {
        bridge.change(&format!(
            "UPDATE settings SET value = '{off}' WHERE key = '{key}'"
        ));
        until(async || {
            let why = terminal.status().trade_obstacle?;
            why.contains(told).then_some(())
        })
        .await;
        assert!(!terminal.identify().await.unwrap().trade_allowed);
        bridge.change(&format!(
            "UPDATE settings SET value = '{on}' WHERE key = '{key}'"
        ));
        until(async || terminal.status().trade_obstacle.is_none().then_some(())).await;
    }
    change(&mut events, |change| {
        matches!(change, BrokerEvent::RowsChanged).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_through_tls_too() {
    let bridge = Bridge::start_with_tls(&[]);
    let terminal = terminal(bridge.settings(""));
    let mut events = bounded(terminal.open()).await.unwrap();
    bounded(events.ticks.recv()).await.unwrap();
    assert!(terminal.identify().await.unwrap().trade_allowed);

    let mut bare = bridge.settings("");
    bare.certificate = None;
    let bare = crate::support::terminal(bare);
    assert!(matches!(
        bounded(bare.open()).await,
        Err(BrokerError::Unreachable(_))
    ));
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_holds_the_password_or_the_account_number() {
    let bridge = Bridge::start_with_tls(&[]);
    let kept = Kept::default();
    let writer = kept.clone();
    let logs = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // One thread runs the whole test, tasks included.
    let _guard = tracing::subscriber::set_default(logs);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    bridge.fault("initialize", "none:-6", "{}");
    let error = bounded(terminal.open()).await.unwrap_err();
    tracing::trace!("the log is kept");
    let mut told = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(told.contains("the log is kept"));
    told.push_str(&format!("{error:?} {error}"));
    for secret in [
        crate::support::PASSWORD,
        "staple",
        crate::support::LOGIN,
        crate::support::SECRET,
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_deal_is_known_however_old_it_is() {
    const DAY_MS: i64 = 86_400_000;
    let bridge = Bridge::start(&[]);
    let first = terminal(bridge.settings(""));
    let events = bounded(first.open()).await.unwrap();
    bounded(send(&first, &market(1, None))).await.unwrap();
    drop((first, events));
    for (days, number) in [(3, 2), (100, 3), (1_000, 4)] {
        let back = format!("{days} * {DAY_MS}");
        bridge.change(&format!(
            "UPDATE deals SET time_msc = (SELECT max(time_msc) FROM deals) - {back};
             UPDATE deals SET time = time_msc / 1000;"
        ));
        let again = terminal(bridge.settings(""));
        let mut events = bounded(again.open()).await.unwrap();
        let receipt = bounded(send(&again, &market(number, None))).await.unwrap();
        // What is past was told by the history: a push tells what is new.
        let told = change(&mut events, |change| match change {
            BrokerEvent::Deal(deal) => Some(deal.order),
            _ => None,
        });
        assert_eq!(told.await, receipt.order, "{days} days");
    }
}
