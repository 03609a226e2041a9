//! Ticks as the bridge pushes them, and where each symbol stands. The cursor outlives sessions and
//! moves only past what was handed on: a bridge that restarts resumes without loss or doubling.

use super::{
    rows::is_time,
    wire::{Cursor, RawTick, TicksPush},
};
use mymt5_model::{BrokerTime, Price, Symbol, Tick};
use std::collections::BTreeMap;

/// Where the symbols stand.
#[derive(Debug, Default)]
pub(crate) struct Cursors(BTreeMap<Symbol, Cursor>);

impl Cursors {
    pub(crate) fn of(&self, symbol: &Symbol) -> Option<Cursor> {
        self.0.get(symbol).copied()
    }

    /// True for rows that were handed on before.
    pub(crate) fn has(&self, symbol: &Symbol, at: Cursor) -> bool {
        self.of(symbol).is_some_and(|stands| at <= stands)
    }

    pub(crate) fn advance(&mut self, symbol: &Symbol, at: Cursor) {
        self.0.insert(symbol.clone(), at);
    }
}

/// The ticks of a push, in their order, and how many of its rows are not quotes: without a bid or
/// an ask (a trade before the first quote), or without a time, there is nothing to hand on.
pub(crate) fn batch(push: &TicksPush, symbol: &Symbol, digits: u8) -> (Vec<Tick>, u64) {
    let ticks = of_rows(&push.rows, symbol, digits);
    let quoteless = push.rows.len() - ticks.len();
    (ticks, quoteless as u64)
}

/// The ticks of rows, but for those without a quote or a time.
pub(super) fn of_rows(rows: &[RawTick], symbol: &Symbol, digits: u8) -> Vec<Tick> {
    let ticks = rows.iter().map(|row| tick(row, symbol, digits));
    ticks.flatten().collect()
}

fn tick(row: &RawTick, symbol: &Symbol, digits: u8) -> Option<Tick> {
    let (time, bid, ask, last, volume, flags, volume_real) = *row;
    if !is_time(time) {
        return None;
    }
    let price = |raw: Option<f64>| Price::nearest(raw?, digits).ok();
    let amount = |raw: Option<f64>| raw.filter(|amount| amount.is_finite() && *amount > 0.0);
    Some(Tick {
        symbol: symbol.clone(),
        time: BrokerTime(time),
        bid: price(bid)?,
        ask: price(ask)?,
        last: price(last),
        volume: amount(volume_real).or(amount(volume)).unwrap_or(0.0),
        // The mask's known bits are the lowest; others occur.
        flags: (flags & u64::from(u32::MAX)) as u32,
        is_continuous: false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn equal_milliseconds_stay_and_rows_without_a_quote_are_counted() {
        let symbol = Symbol::parse("EURUSD").unwrap();
        let quote = (
            1_500,
            Some(1.1),
            Some(1.10009),
            Some(0.0),
            Some(0.0),
            134,
            None,
        );
        let trade = (1_500, Some(0.0), None, Some(1.1), Some(3.0), 8, Some(2.5));
        let push = TicksPush {
            symbol: "EURUSD.m".into(),
            rows: vec![
                quote,
                quote,
                trade,
                (
                    1_600,
                    Some(1.1),
                    Some(1.2),
                    Some(1.15),
                    Some(3.0),
                    8,
                    Some(2.5),
                ),
            ],
            at: (1, 4),
        };
        let (ticks, quoteless) = batch(&push, &symbol, 5);
        assert_eq!((ticks.len(), quoteless), (3, 1));
        assert_eq!(ticks[0], ticks[1]);
        assert_eq!(
            (ticks[0].bid.points(), ticks[0].flags, ticks[0].last),
            (110_000, 134, None)
        );
        assert_eq!(
            (ticks[2].volume, ticks[2].last.map(Price::points)),
            (2.5, Some(115_000))
        );
    }

    #[test]
    fn rows_dated_beyond_all_times_are_left_out() {
        let symbol = Symbol::parse("EURUSD").unwrap();
        for (ms, ticks) in [(i64::MIN, 0), (0, 0), (1, 1), (i64::MAX, 0)] {
            let row = (ms, Some(1.1), Some(1.2), None, None, 6, None);
            assert_eq!(of_rows(&[row], &symbol, 5).len(), ticks, "{ms}");
        }
    }

    #[test]
    fn the_cursor_knows_what_was_handed_on() {
        let symbol = Symbol::parse("EURUSD").unwrap();
        let mut cursors = Cursors::default();
        assert!(!cursors.has(&symbol, (0, 0)));
        cursors.advance(&symbol, (5, 2));
        assert_eq!(cursors.of(&symbol), Some((5, 2)));
        assert!(cursors.has(&symbol, (5, 2)) && cursors.has(&symbol, (4, 9)));
        assert!(!cursors.has(&symbol, (5, 3)) && !cursors.has(&symbol, (6, 1)));
    }
}
