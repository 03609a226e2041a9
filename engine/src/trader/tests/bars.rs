//! Bars where ticks were missed.

use super::*;

const MINUTE: i64 = 60_000;

/// A trader whose strategy follows bars of EURUSD of these lengths.
pub(crate) fn trader_of_bars(timeframes: &[Timeframe]) -> Trader {
    trader_that_tells(timeframes, Arc::default())
}

fn trader_that_tells(timeframes: &[Timeframe], heard: Arc<Mutex<Vec<String>>>) -> Trader {
    let series = |timeframe: &Timeframe| Series {
        timeframe: *timeframe,
        warm_up: 2,
    };
    let script = Script {
        series: timeframes.iter().map(series).collect(),
        heard,
        ..script(&[])
    };
    trader_of(vec![settings("jumps", script)])
}

#[test]
fn bars_of_a_gap_are_those_that_are_listed_after_it() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut trader = trader_that_tells(&[Timeframe::M1], Arc::clone(&heard));
    trader.on_tick(&tick(0, 100_000));
    trader.await_history_of("GBPUSD");
    trader.await_history_of("no symbol");
    assert_eq!(trader.warm_ups(), []);
    trader.await_history_of("EURUSD");
    assert_eq!(trader.warm_ups().len(), 1);
    // It would end the bar before the gap without what came in it.
    trader.on_tick(&tick(2 * MINUTE, 100_000));
    assert!(heard.lock().unwrap().is_empty());
    let bar = |minutes: i64| Bar {
        symbol: spec().symbol,
        time: BrokerTime(minutes * MINUTE),
        open: price(100_000),
        high: price(100_700),
        low: price(99_000),
        close: price(100_000),
        tick_volume: 9,
        real_volume: 0,
        spread_points: 2,
    };
    let history = History {
        finished: vec![bar(-1), bar(0), bar(1)],
        running: Some(bar(2)),
    };
    trader.on_history(&spec().symbol, Timeframe::M1, &history);
    trader.on_tick(&tick(3 * MINUTE, 100_000));
    assert_eq!(
        *heard.lock().unwrap(),
        ["past M1 0", "past M1 1", "live M1 2"]
    );
}
