//! Every tick of the stand-in exactly once, whatever becomes of the bridge.

use super::process::Bridge;
use crate::support::{bounded, symbol, terminal, until};
use mymt5_gateway::broker::{Broker, Events, TickPlace};
use mymt5_model::{BrokerTime, Tick};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long one session is listened to.
const SESSION: Duration = Duration::from_millis(2_500);

async fn listen(events: &mut Events, into: &mut Vec<Tick>) {
    let until = Instant::now() + SESSION;
    while let Ok(Some(batch)) = timeout(until - Instant::now(), events.ticks.recv()).await {
        into.extend(batch);
        if Instant::now() >= until {
            break;
        }
    }
}

fn drain(mut events: Events, into: &mut Vec<Tick>) {
    events.ticks.close();
    while let Ok(batch) = events.ticks.try_recv() {
        into.extend(batch);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bridge_restarts_lose_and_double_no_tick() {
    let mut bridge = Bridge::start(&["ticks_per_second=50"]);
    let terminal = terminal(bridge.settings(""));
    let mut all = Vec::new();
    for round in 0..3 {
        let mut events = bounded(terminal.open()).await.unwrap();
        listen(&mut events, &mut all).await;
        if round == 1 {
            bridge.kill();
            bridge.launch();
        }
        drain(events, &mut all);
    }
    for name in ["EURUSD", "USDJPY"] {
        let ours: Vec<(i64, f64, f64)> = all
            .iter()
            .filter(|tick| tick.symbol == symbol(name))
            .map(|tick| (tick.time.0, tick.bid.to_f64(), tick.ask.to_f64()))
            .collect();
        assert!(ours.len() > 200, "{}", ours.len());
        let span = [ours[0].0 / 1_000, ours.last().unwrap().0 / 1_000 + 1];
        let words = ["ticks", name, &span[0].to_string(), &span[1].to_string()];
        let theirs = bridge.broker(&words);
        let theirs: Vec<(i64, f64, f64)> = theirs
            .lines()
            .map(|line| serde_json::from_str::<Vec<f64>>(line).unwrap())
            .map(|row| (row[0] as i64, row[1], row[2]))
            .collect();
        // The first tick handed on is the newest of its second by then; where equal rows stand
        // beside each other only their number tells.
        let begin = (0..theirs.len())
            .find(|&at| theirs[at..].starts_with(&ours))
            .is_some();
        assert!(begin, "{name}: lost or doubled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_past_lose_and_double_no_tick() {
    let bridge = Bridge::start(&["ticks_per_second=50"]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    let now = until(async || terminal.snapshot(0).await.unwrap().time).await;
    let (from, to) = (now.0 - 9_500, now.0 - 5_000);
    let span = [(from / 1_000).to_string(), (to / 1_000 + 1).to_string()];
    let theirs = bridge.broker(&["ticks", "EURUSD", &span[0], &span[1]]);
    let theirs: Vec<(i64, f64, f64)> = theirs
        .lines()
        .map(|line| serde_json::from_str::<Vec<f64>>(line).unwrap())
        .map(|row| (row[0] as i64, row[1], row[2]))
        .filter(|(ms, ..)| (from..to).contains(ms))
        .collect();
    assert!(theirs.len() > 150, "{}", theirs.len());
    let eurusd = symbol("EURUSD");
    // A page of 7 is less than a second has.
    for page in [7, 200, 5_000] {
        let mut place = Some(TickPlace {
            time: BrokerTime(from),
            skip: 0,
        });
        let mut ours = Vec::new();
        while let Some(from) = place {
            let part = terminal.ticks(&eurusd, from, BrokerTime(to), page);
            let part = bounded(part).await.unwrap();
            ours.extend(
                part.rows
                    .iter()
                    .map(|tick| (tick.time.0, tick.bid.to_f64(), tick.ask.to_f64())),
            );
            place = part.rest;
        }
        assert!(ours == theirs, "pages of {page}: lost or doubled");
    }
}
