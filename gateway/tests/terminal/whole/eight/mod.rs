//! Eight clients open and close through the bridge, on a stand-in that shows rows, deals and history
//! each as they were up to 600 ms ago: judged by what the stand-in executed.

mod judge;
mod trader;

use super::stage::{Scene, Stage};
use crate::{
    real::{Bridge, market},
    support::{BOUND, bounded, send, terminal, until},
};
use judge::{Ledger, Trade, Wrong};
use mymt5_gateway::broker::{Broker, SendFailure};
use mymt5_model::{Comment, Levels, Magic, Retcode, TradeRequest};
use mymt5_proto::v1::{
    self, LinkState, Side, stream_events_response::Event,
    trading_service_client::TradingServiceClient,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::time::sleep;
use trader::{Traded, Trader};

const CLIENTS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// On netting a symbol has one owner.
const SYMBOLS: [&str; 8] = [
    "EURUSD", "USDJPY", "GBPUSD", "AUDUSD", "NZDUSD", "USDCHF", "USDCAD", "EURJPY",
];

/// How often all of them together open and close: `MYMT5_EIGHT_ROUNDS=20000` for as often as is
/// promised.
fn rounds() -> usize {
    let asked = std::env::var("MYMT5_EIGHT_ROUNDS");
    let asked = asked.ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(96_usize).div_ceil(CLIENTS.len())
}

/// A gateway over a stand-in that lags.
async fn stage(margin_mode: &str, symbols: &[&str]) -> Stage {
    let broker = [margin_mode, "lag_ms=600", "balance=10000000"];
    let bridge = Bridge::start(&broker);
    let port = bridge.port();
    let scene = Scene {
        traders: &CLIENTS,
        symbols,
        poll_ms: 100,
        level: "info",
    };
    let mut stage = Stage::play(bridge, port, &scene);
    stage.launch();
    stage.link(LinkState::Ready).await;
    // Right after the link is up, trading is not open yet.
    until(async || stage.status().await.obstacles.is_empty().then_some(())).await;
    stage
}

/// All events, as an operator is told them, until that sequence.
async fn listen(stage: &Stage, until: Arc<AtomicU64>) -> impl Future<Output = Vec<Event>> + use<> {
    let snapshot = stage.snapshot().await;
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id,
        after_sequence: snapshot.sequence,
    };
    let stream = stage.trading().await.stream_events(from).await;
    let (mut stream, mut events) = (stream.unwrap().into_inner(), Vec::new());
    async move {
        let mut last = 0;
        while last < until.load(Ordering::Relaxed) {
            let told = bounded(stream.message()).await.unwrap().unwrap();
            last = last.max(told.sequence);
            events.extend(told.event);
        }
        events
    }
}

/// Waits until nothing is open, working, frozen or unknown, neither here nor at the broker; the
/// sequence by then.
async fn at_rest(stage: &Stage) -> u64 {
    const OPEN: &str = "SELECT (SELECT count(*) FROM positions) + (SELECT count(*) FROM orders)";
    assert_eq!(stage.bridge.count(OPEN), 0);
    let end = Instant::now() + BOUND;
    loop {
        let (snapshot, status) = (stage.snapshot().await, stage.status().await);
        let nothing = snapshot.positions.is_empty() && snapshot.orders.is_empty();
        if nothing && status.obstacles.is_empty() {
            assert_eq!(status.unknown_orders, 0, "{status:?}");
            assert!(status.frozen_symbols.is_empty(), "{status:?}");
            return snapshot.sequence;
        }
        assert!(Instant::now() < end, "{:?}: {status:?}", snapshot.positions);
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// All of them at once; what became of it.
async fn trade(stage: &Stage, symbols: &[&str]) -> Traded {
    let mut traders = Vec::new();
    for (number, name) in CLIENTS.iter().enumerate() {
        let trader = Trader {
            number,
            name: (*name).to_owned(),
            symbol: symbols[number % symbols.len()].to_owned(),
            trading: TradingServiceClient::new(stage.channel_of(name).await),
            traded: Traded::default(),
        };
        traders.push(tokio::spawn(trader.trade(rounds())));
    }
    let mut all = Traded::default();
    for trader in traders {
        let traded = trader.await.unwrap();
        all.trades.extend(traded.trades);
        for (why, times) in traded.again {
            *all.again.entry(why).or_default() += times;
        }
    }
    all
}

/// Plays it, and judges. What is printed is for those who measure.
async fn play(margin_mode: &str, symbols: &[&str]) {
    let stage = stage(margin_mode, symbols).await;
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let events = tokio::spawn(listen(&stage, end.clone()).await);
    let begun = Instant::now();
    let Traded { trades, again } = trade(&stage, symbols).await;
    let (number, took) = (trades.len(), begun.elapsed());
    println!("{margin_mode}: {number} opened and closed in {took:?}, asked again for {again:?}");
    assert_eq!(number, CLIENTS.len() * rounds());
    end.store(at_rest(&stage).await, Ordering::Relaxed);
    let events = events.await.unwrap();
    let ledger = Ledger::read(&stage.bridge);
    let told = ledger.told(&trades, &events);
    let wrongs = [ledger.closes(), ledger.asked(&trades), told].concat();
    assert_eq!(wrongs, [], "{number} positions, {} events", events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_open_and_close_while_rows_deals_and_history_lag_each_other() {
    play("margin_mode=2", &SYMBOLS[..2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_open_and_close_on_netting_which_reverses() {
    play("margin_mode=0", &SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_was_too_large_and_lots_that_never_were_are_seen() {
    let bridge = Bridge::start(&["margin_mode=0"]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    bounded(send(&terminal, &market(1, None))).await.unwrap();
    let held = terminal.snapshot(0).await.unwrap().positions.remove(0);
    let too_large = TradeRequest::Close {
        symbol: held.symbol.clone(),
        side: held.side.opposite(),
        position: held.ticket,
        lots: held.lots.plus(held.lots),
        all: false,
        max_deviation_points: None,
        magic: Magic::new(1, 2).unwrap(),
        comment: Comment::default(),
    };
    // The bridge looks before it sends.
    let refused = bounded(send(&terminal, &too_large)).await;
    let more = SendFailure::Rejected(Retcode::INVALID_CLOSE_VOLUME);
    assert_eq!(refused, Err(more));
    // The stand-in itself does not: so it is sent as nobody's close.
    let turns = TradeRequest::Market {
        symbol: held.symbol.clone(),
        side: held.side.opposite(),
        lots: held.lots.plus(held.lots),
        levels: Levels::default(),
        max_deviation_points: None,
        magic: Magic::new(1, 3).unwrap(),
        comment: Comment::default(),
    };
    bounded(send(&terminal, &turns)).await.unwrap();
    let (ledger, id) = (Ledger::read(&bridge), held.id.0);
    assert_eq!(ledger.closes(), [Wrong::Reversed(id), Wrong::LeftOpen(id)]);
    let trade = Trade {
        client: "a".into(),
        symbol: held.symbol.as_str().into(),
        position: id,
        side: Side::Buy,
        lots: held.lots.to_f64(),
        part: 0.0,
    };
    let wrongs = ledger.told(
        std::slice::from_ref(&trade),
        &[0.1, 0.2].map(|lots| told(&trade, lots)),
    );
    assert_eq!(wrongs, [Wrong::NeverWas(id), Wrong::AfterItsEnd(id)]);
    assert_eq!(ledger.asked(&[trade]), [Wrong::NotAsked(id)]);
}

/// An event that tells a position of so many lots.
fn told(trade: &Trade, lots: f64) -> Event {
    let position = v1::Position {
        position_id: trade.position,
        client: trade.client.clone(),
        symbol: trade.symbol.clone(),
        side: trade.side.into(),
        lots,
        ..Default::default()
    };
    Event::PositionChanged(v1::PositionChanged {
        position: Some(position),
    })
}
