//! A market that never was: endless, seeded, several symbols interleaved in the order of time.
//! Prices move in trends that outweigh their noise, with bursts in which everything is faster, wider
//! and wilder. It is a fair walk: the jump that ends a trend takes back, on average, what the trend
//! gained, so that no strategy can earn more than its spread costs.

use super::FeedError;
use crate::{catalogue::beginning, dice::Dice};
use mymt5_model::{BrokerTime, Price, SymbolSpec, Tick, Weekday};

/// A tick's usual step as a part of the price.
const STEP: f64 = 1e-6;
/// Least step in points: trends of less drown in the rounding to points.
const LEAST_STEP: f64 = 0.1;
/// Chance that a tick ends a trend: they last 800 ticks on average.
const TREND_ENDS: f64 = 1.0 / 800.0;
const DAY_MS: i64 = 86_400_000;

/// An endless feed of ticks.
pub struct Synthetic {
    walks: Vec<Walk>,
    mean_interval_ms: f64,
    weekends: bool,
}

/// One symbol's path.
struct Walk {
    spec: SymbolSpec,
    dice: Dice,
    /// Time of the next tick, in fractions of milliseconds.
    next_ms: f64,
    /// Middle price in points.
    middle: f64,
    /// Drift in steps per tick.
    drift: f64,
    burst_left: u32,
    spread: i64,
    last: Option<(Price, Price)>,
}

impl Synthetic {
    /// A market of these symbols from a time on; each symbol ticks every `mean_interval_ms`
    /// milliseconds (at least 1) on average. It never rests, see [`Self::with_weekends`].
    #[must_use]
    pub fn new(
        seed: u64,
        symbols: &[SymbolSpec],
        start: BrokerTime,
        mean_interval_ms: u32,
    ) -> Self {
        let walk = |(spec, n): (&SymbolSpec, u64)| Walk::new(spec, seed.wrapping_add(n), start);
        Self {
            walks: symbols.iter().zip(1..).map(walk).collect(),
            mean_interval_ms: f64::from(mean_interval_ms.max(1)),
            weekends: false,
        }
    }

    /// The same market with weekends: no ticks on Saturday and Sunday of broker time, and a gap
    /// in the price after them.
    #[must_use]
    pub fn with_weekends(mut self) -> Self {
        self.weekends = true;
        for walk in &mut self.walks {
            walk.skip_weekend();
        }
        self
    }
}

impl Iterator for Synthetic {
    type Item = Result<Tick, FeedError>;

    /// The earliest next tick of all symbols; none only without symbols.
    fn next(&mut self) -> Option<Self::Item> {
        let walks = self.walks.iter_mut();
        let walk = walks.min_by(|a, b| a.next_ms.total_cmp(&b.next_ms))?;
        let tick = walk.tick();
        walk.wait(self.mean_interval_ms);
        if self.weekends {
            walk.skip_weekend();
        }
        Some(Ok(tick))
    }
}

impl Walk {
    fn new(spec: &SymbolSpec, seed: u64, start: BrokerTime) -> Self {
        let (price, spread) = beginning(spec);
        let mut dice = Dice::new(seed, 0);
        let scale = 10f64.powi(i32::from(spec.digits));
        Self {
            spec: spec.clone(),
            next_ms: start.0 as f64 + dice.between(0.0, 100.0),
            middle: price * scale * dice.between(0.99, 1.01),
            drift: any_drift(&mut dice),
            dice,
            burst_left: 0,
            spread,
            last: None,
        }
    }

    fn tick(&mut self) -> Tick {
        self.burst();
        self.walk();
        let (bid, ask) = self.quote();
        let (before_bid, before_ask) = self.last.unzip();
        let bid_flag = if before_bid == Some(bid) { 0 } else { 2 };
        let ask_flag = if before_ask == Some(ask) { 0 } else { 4 };
        self.last = Some((bid, ask));
        Tick {
            symbol: self.spec.symbol.clone(),
            time: BrokerTime(self.next_ms as i64),
            bid,
            ask,
            last: None,
            volume: 0.0,
            flags: bid_flag | ask_flag,
            is_continuous: false,
        }
    }

    fn step(&self) -> f64 {
        (self.middle * STEP).max(LEAST_STEP)
    }

    /// Moves the middle on; the mean of all moves from here is none.
    fn walk(&mut self) {
        let ends = self.dice.unit() < TREND_ENDS;
        let drift = if ends {
            -self.drift * (1.0 - TREND_ENDS) / TREND_ENDS
        } else {
            self.drift
        };
        let wild = if self.burst_left > 0 { 3.0 } else { 1.0 };
        let noise = self.dice.between(-1.0, 1.0);
        self.middle += self.step() * wild * (drift + noise);
        if ends {
            self.drift = any_drift(&mut self.dice);
        }
    }

    /// Begins and ends bursts.
    fn burst(&mut self) {
        self.burst_left = self.burst_left.saturating_sub(1);
        if self.burst_left == 0 && self.dice.unit() < 1.0 / 5000.0 {
            self.burst_left = self.dice.between(50.0, 300.0) as u32;
        }
    }

    /// Bid and ask on the price grid around the middle.
    fn quote(&mut self) -> (Price, Price) {
        let grid = self.spec.tick_size_points;
        let wide = match self.dice.unit() {
            chance if chance < 0.02 => self.dice.between(1.2, 2.0),
            _ if self.burst_left > 0 => 1.5,
            _ => 1.0,
        };
        let ticks = ((self.spread as f64 * wide / grid as f64).round() as i64).max(1);
        let below = (self.middle - (ticks * grid) as f64 / 2.0) / grid as f64;
        let bid = (below.round() as i64).max(1) * grid;
        let price = |points| Price::from_points(points, self.spec.digits);
        (price(bid), price(bid + ticks * grid))
    }

    /// Waits for the next tick: memoryless, thrice as short in a burst.
    fn wait(&mut self, mean_ms: f64) {
        let mean = if self.burst_left > 0 {
            mean_ms / 3.0
        } else {
            mean_ms
        };
        self.next_ms += -mean * (1.0 - self.dice.unit()).ln();
    }

    /// Moves a tick of the weekend to Monday, behind a gap.
    fn skip_weekend(&mut self) {
        let time = BrokerTime(self.next_ms as i64);
        let days = match Weekday::of(time) {
            Weekday::Saturday => 2,
            Weekday::Sunday => 1,
            _ => return,
        };
        self.next_ms = (time.day_start().0 + days * DAY_MS) as f64 + self.dice.between(0.0, 500.0);
        self.middle *= 1.0 + self.dice.between(-0.002, 0.002);
    }
}

/// A trend's drift: either direction, strong enough to be seen through the noise.
fn any_drift(dice: &mut Dice) -> f64 {
    let sign = if dice.unit() < 0.5 { -1.0 } else { 1.0 };
    sign * dice.between(0.8, 1.4)
}
