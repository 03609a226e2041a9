#![allow(clippy::unwrap_used)]
//! A synthetic feed that is opened again.

use super::*;
use mymt5_simulator::catalogue;
use tokio::time::timeout;

/// A Saturday's first moment.
const SATURDAY: BrokerTime = BrokerTime(2 * 86_400_000);

/// A market that rests until Monday, which the feed passes over at once.
fn resting() -> Simulated {
    let symbol = Symbol::parse("EURUSD").unwrap();
    let settings = SimulatedSettings {
        account: AccountConfig::default(),
        symbols: vec![catalogue::spec(&symbol)],
        feed: Feed::Synthetic,
        speed: Speed::Times(100.0),
        start: (SATURDAY, Instant::now()),
        rests: true,
        keep_in: None,
    };
    Simulated::new(settings).unwrap()
}

async fn next(events: &mut Events) -> Vec<Tick> {
    let next = timeout(Duration::from_secs(30), events.ticks.recv());
    next.await.unwrap().unwrap()
}

#[tokio::test]
async fn it_goes_on_from_what_its_account_has_seen() {
    let broker = resting();
    let mut events = broker.open().await.unwrap();
    for _ in 0..10 {
        next(&mut events).await;
    }
    let seen = broker.snapshot(0).await.unwrap().time.unwrap();
    drop(events);
    let mut events = broker.open().await.unwrap();
    let first = next(&mut events).await[0].time;
    assert!(first >= seen, "{first} after {seen}");
}
