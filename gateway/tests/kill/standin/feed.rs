//! The market: a fixed triangle around each symbol's price, by the clock.

use super::desk::Desk;
use crate::{
    scene::{SYMBOLS, Scene},
    wire::Said,
};
use mymt5_chassis::clock;
use mymt5_model::{BrokerTime, Price, Symbol, Tick};
use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// Ticks from the middle to the edge of the triangle, and points from tick to tick.
const SLOPE: i64 = 20;
const STEP: i64 = 3;
/// Ticks from one act by hand to the next: the first comes with each life of the broker, while no
/// gateway is linked to it.
const BY_HAND: i64 = 50;
/// Spread in points.
const SPREAD: i64 = 8;

pub(super) fn run(desk: &Mutex<Desk>, scene: &Scene) {
    for number in 0.. {
        {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            let last = desk.simulator.time().map_or(0, |time| time.0);
            let time = BrokerTime(clock::utc_now_ms().max(last + 1));
            let ticks = ticks(number, time);
            ticks.iter().for_each(|tick| desk.on_tick(tick));
            if number % BY_HAND == 0 {
                desk.act_by_hand();
            }
            desk.tell(&Said::Ticks(ticks));
        }
        thread::sleep(scene.tick());
    }
}

/// One tick of each symbol.
pub(crate) fn ticks(number: i64, time: BrokerTime) -> Vec<Tick> {
    let tick = |(symbol, middle): &(&str, i64)| tick(symbol, *middle, number, time);
    SYMBOLS.iter().map(tick).collect()
}

fn tick(symbol: &str, middle: i64, number: i64, time: BrokerTime) -> Tick {
    let bid = middle + STEP * ((number % (4 * SLOPE) - 2 * SLOPE).abs() - SLOPE);
    Tick {
        symbol: Symbol::parse(symbol).unwrap(),
        time,
        bid: Price::from_points(bid, 5),
        ask: Price::from_points(bid + SPREAD, 5),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}
