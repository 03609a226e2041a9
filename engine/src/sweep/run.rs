//! Points on all cores. Each is traded in one thread, with files of its own; only which thread takes
//! which point is left to chance.

use super::{Figures, Part, Period, Plan, Row, Shard, Sweep, SweepError, plan::reason};
use crate::{backtest::Backtest, report};
use mymt5_model::{BrokerTime, Tick};
use std::{
    panic,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

impl Plan {
    /// Trades the points of a shard, so many at a time; `done` is called after each.
    ///
    /// # Errors
    /// The files cannot be read any more, or are not as before.
    pub fn run(&self, shard: Shard, jobs: usize, done: impl Fn() + Sync) -> anyhow::Result<Part> {
        let points: Vec<usize> = shard.points(self.sweep().vary.count()).collect();
        let next = AtomicUsize::new(0);
        let has_failed = AtomicBool::new(false);
        let work = || -> anyhow::Result<Vec<Row>> {
            let mut rows = Vec::new();
            while !has_failed.load(Ordering::Relaxed) {
                let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                let row = self.trade(*point);
                if row.is_err() {
                    has_failed.store(true, Ordering::Relaxed);
                }
                rows.push(row?);
                done();
            }
            Ok(rows)
        };
        let worked = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.clamp(1, points.len().max(1)))
                .map(|_| scope.spawn(work))
                .collect();
            let ended = workers.into_iter().map(|worker| worker.join());
            ended.collect::<Vec<_>>()
        });
        let mut rows = Vec::with_capacity(points.len());
        for worked in worked {
            match worked {
                Ok(of_worker) => rows.extend(of_worker?),
                Err(panicked) => panic::resume_unwind(panicked),
            }
        }
        rows.sort_unstable_by_key(|row| row.point);
        Ok(Part {
            sweep: self.sweep().clone(),
            shard,
            rows,
        })
    }

    /// Trades one point.
    fn trade(&self, point: usize) -> anyhow::Result<Row> {
        let row = Row {
            point,
            values: self.sweep().vary.values(point),
            figures: None,
            parts: Vec::new(),
            misfit: None,
        };
        let misfit = |error: &anyhow::Error| Row {
            misfit: Some(reason(error)),
            ..row.clone()
        };
        let conditions = match self.setup(point) {
            Ok(setup) => setup.conditions,
            Err(error) => return Ok(misfit(&error)),
        };
        let mut ticks = self.past().open(&conditions)?;
        let mut whole = match self.begin(point, &ticks) {
            Ok(backtest) => backtest,
            Err(error) => return Ok(misfit(&error)),
        };
        let mut parts = Parts::of(self.parts());
        let mut seen = Seen::default();
        while let Some(tick) = ticks.next_tick()? {
            seen.take(&tick);
            whole.on_tick(&tick);
            parts.on_tick(&tick, || self.begin(point, &ticks))?;
        }
        if !seen.is_all_of(self.sweep()) {
            return Err(SweepError::Changed.into());
        }
        Ok(Row {
            figures: Some(figures(whole)),
            parts: parts.finish(),
            ..row
        })
    }
}

/// What tells the ticks of a reading from those of another one.
#[derive(Debug, Default)]
struct Seen {
    /// Times of the first and the last one.
    span: Option<(BrokerTime, BrokerTime)>,
    count: u64,
}

impl Seen {
    fn take(&mut self, tick: &Tick) {
        let (first, _) = self.span.unwrap_or((tick.time, tick.time));
        self.span = Some((first, tick.time));
        self.count += 1;
    }

    fn is_all_of(&self, sweep: &Sweep) -> bool {
        self.count == sweep.ticks && self.span == Some((sweep.first, sweep.last))
    }
}

/// What a backtest came to.
fn figures(backtest: Backtest) -> Figures {
    let (outcome, record) = backtest.finish();
    let statistics = report::statistics(record);
    Figures::of(&outcome, statistics.sharpe_ratio)
}

/// The parts of a past, each traded by a backtest of its own.
struct Parts<'a> {
    periods: &'a [Period],
    /// The part under way.
    current: Option<Backtest>,
    /// Of the parts that have ended, with those that have no tick.
    ended: Vec<Figures>,
}

impl<'a> Parts<'a> {
    const fn of(periods: &'a [Period]) -> Self {
        Self {
            periods,
            current: None,
            ended: Vec::new(),
        }
    }

    fn on_tick(
        &mut self,
        tick: &Tick,
        begin: impl FnOnce() -> anyhow::Result<Backtest>,
    ) -> anyhow::Result<()> {
        while let Some(period) = self.periods.get(self.ended.len())
            && tick.time >= period.to
        {
            self.end();
        }
        if self.ended.len() == self.periods.len() {
            return Ok(());
        }
        if self.current.is_none() {
            self.current = Some(begin()?);
        }
        if let Some(current) = &mut self.current {
            current.on_tick(tick);
        }
        Ok(())
    }

    fn end(&mut self) {
        let ended = self.current.take().map(figures);
        self.ended.push(ended.unwrap_or_default());
    }

    fn finish(mut self) -> Vec<Figures> {
        while self.ended.len() < self.periods.len() {
            self.end();
        }
        self.ended
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{grid, sweep};
    use mymt5_model::{Price, Symbol};

    fn seen(times: impl Iterator<Item = i64>) -> Seen {
        let mut seen = Seen::default();
        for time in times {
            seen.take(&Tick {
                symbol: Symbol::parse("EURUSD").unwrap(),
                time: BrokerTime(time),
                bid: Price::from_points(1, 5),
                ask: Price::from_points(2, 5),
                last: None,
                volume: 0.0,
                flags: 6,
                is_continuous: false,
            });
        }
        seen
    }

    #[test]
    fn files_that_changed_since_they_were_read_have_other_ticks() {
        let sweep = sweep(grid(&["a=0..4"]));
        assert!(seen(0..200).is_all_of(&sweep));
        for other in [0..199, 1..200, 0..201, 1..201, 0..0] {
            assert!(!seen(other.clone()).is_all_of(&sweep), "{other:?}");
        }
    }
}
