//! Ticks of the past: the package reads so many from a whole second on, the seam asks from a place
//! inside a millisecond.

use super::{
    super::{BrokerError, Part, TickPlace},
    Terminal, past, ticks,
    wire::{Cursor, RawTick},
};
use mymt5_model::{BrokerTime, Symbol, Tick};
use serde_json::{json, value::RawValue};

/// Ticks that a call brings at first: the terminal may have to load them.
const FIRST: usize = 2_000;
/// Ticks that one brings where a second has more. What is beyond these cannot be read.
const MOST: usize = 65_536;

impl Terminal {
    /// Up to `limit` ticks from that place on and before `to`.
    ///
    /// # Errors
    /// Too many ticks of one second, a place that is none, or no answer.
    pub(super) async fn read_ticks(
        &self,
        symbol: &Symbol,
        from: TickPlace,
        to: BrokerTime,
        limit: usize,
    ) -> Result<Part<Tick, TickPlace>, BrokerError> {
        let (name, digits) = self.name_and_digits(symbol)?;
        let newest = self.shared.lock().cursors.of(symbol);
        let second = from.time.0.div_euclid(1_000).max(1);
        let mut count = limit.saturating_add(from.skip).min(FIRST);
        loop {
            let args = json!({ "symbol": name, "from": second, "count": count });
            let raw = self.ask_past("ticks", &args).await?;
            let rows = parse(&raw)?;
            let ticks = ticks::of_rows(&rows, symbol, digits);
            let beside = ticks.iter().filter(|tick| tick.time == from.time).count();
            let later = later(ticks, from);
            if later.is_empty() && rows.len() >= count {
                if count == MOST {
                    let what = "more ticks of one second than a call brings";
                    return Err(BrokerError::NotAvailable(what));
                }
                count = (count * 2).min(MOST);
                continue;
            }
            if beside < from.skip {
                let what = "as many ticks of that millisecond as the page before had";
                return Err(BrokerError::NotAvailable(what));
            }
            if later.is_empty() && !reaches(&rows, second, newest) {
                return Err(past::loading());
            }
            return Ok(part(later, from, to, limit));
        }
    }
}

pub(super) fn parse(raw: &RawValue) -> Result<Vec<RawTick>, BrokerError> {
    serde_json::from_str(raw.get()).map_err(|_| {
        BrokerError::Unreachable(
            "a tick cannot be read; look at the symbol's ticks in the terminal".into(),
        )
    })
}

/// True where the ticks from that second on, of which none is new, go as far as the newest that
/// was pushed. Else the terminal is still loading them.
fn reaches(rows: &[RawTick], second: i64, newest: Option<Cursor>) -> bool {
    let last = rows.last().map_or(second, |row| row.0.div_euclid(1_000));
    newest.is_some_and(|(newest, _)| newest <= last)
}

/// The ticks from that place on.
fn later(mut ticks: Vec<Tick>, from: TickPlace) -> Vec<Tick> {
    let mut left_out = 0;
    ticks.retain(|tick| {
        let skipped = tick.time == from.time && left_out < from.skip;
        left_out += usize::from(skipped);
        tick.time >= from.time && !skipped
    });
    ticks
}

/// What is asked for of the ticks from that place on. A terminal may still be loading what comes
/// next: only where it has nothing more at all has it no rest.
fn part(
    mut later: Vec<Tick>,
    from: TickPlace,
    to: BrokerTime,
    limit: usize,
) -> Part<Tick, TickPlace> {
    let asked = later.partition_point(|tick| tick.time < to).min(limit);
    let ends = later.get(asked).is_some_and(|tick| tick.time >= to);
    later.truncate(asked);
    let rest = (!ends && asked > 0).then(|| from.after(&later));
    Part { rows: later, rest }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Price;
    use proptest::prelude::*;

    fn tick(ms: i64, number: i64) -> Tick {
        Tick {
            symbol: Symbol::parse("EURUSD").unwrap(),
            time: BrokerTime(ms),
            bid: Price::from_points(1 + number, 5),
            ask: Price::from_points(2 + number, 5),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        }
    }

    #[test]
    fn no_tick_more_is_believed_only_up_to_the_newest_that_was_pushed() {
        let row = |ms| (ms, Some(1.1), Some(1.2), None, None, 6, None);
        assert!(reaches(&[], 9, Some((9, 1))));
        assert!(reaches(&[row(10_500)], 9, Some((10, 1))));
        assert!(!reaches(&[], 9, Some((10, 1))));
        assert!(!reaches(&[], 9, None));
    }

    proptest! {
        #[test]
        fn pages_lose_and_double_no_tick(
            mut times in prop::collection::vec(0_i64..6_000, 0..60), limit in 1_usize..9,
            from in 0_i64..6_000, to in 0_i64..7_000,
        ) {
            times.iter_mut().for_each(|ms| *ms -= *ms % 7);
            times.sort_unstable();
            let all: Vec<Tick> = times.iter().zip(0..).map(|(ms, n)| tick(*ms, n)).collect();
            let (mut place, mut read) = (Some(TickPlace { time: BrokerTime(from), skip: 0 }), Vec::new());
            while let Some(from) = place {
                let second = from.time.0 / 1_000 * 1_000;
                let answer = all.iter().filter(|tick| tick.time.0 >= second).cloned().collect();
                let page = part(later(answer, from), from, BrokerTime(to), limit);
                prop_assert!(page.rows.len() <= limit);
                read.extend(page.rows);
                place = page.rest;
            }
            let asked = |tick: &&Tick| (from..to).contains(&tick.time.0);
            prop_assert_eq!(read, all.iter().filter(asked).cloned().collect::<Vec<_>>());
        }
    }
}
