//! Ticks of the past: the package reads so many from a whole second on, the seam asks from a place
//! inside a millisecond.

use super::{
    super::{BrokerError, Part, TickPlace},
    Terminal,
    calls::ask,
    ticks,
    wire::RawTick,
};
use mymt5_model::{BrokerTime, Symbol, Tick};
use serde_json::{json, value::RawValue};

/// Most ticks that one call brings: more than these of one second cannot be read.
const MOST: usize = 65_536;

impl Terminal {
    /// Up to `limit` ticks from that place on and before `to`.
    ///
    /// # Errors
    /// Too many ticks of one second, or no answer.
    pub(super) async fn read_ticks(
        &self,
        symbol: &Symbol,
        from: TickPlace,
        to: BrokerTime,
        limit: usize,
    ) -> Result<Part<Tick, TickPlace>, BrokerError> {
        let (name, digits) = self.name_and_digits(symbol)?;
        let _alone = self.past.lock().await;
        let second = from.time.0.div_euclid(1_000).max(1);
        let mut count = limit.saturating_add(from.skip).min(MOST);
        loop {
            let args = json!({ "symbol": name, "from": second, "count": count });
            let raw = ask(&self.link()?, "ticks", &args, self.settings.call_timeout).await?;
            let rows = parse(&raw)?;
            let later = later(ticks::of_rows(&rows, symbol, digits), from);
            if later.is_empty() && rows.len() >= count {
                if count == MOST {
                    let what = "more ticks of one second than a call brings";
                    return Err(BrokerError::NotAvailable(what));
                }
                count = (count * 2).min(MOST);
                continue;
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
        }
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
