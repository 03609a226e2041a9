//! Where ticks come from: each when it is due.

use crate::settings::{Settings, StartError};
use mymt5_model::{BrokerTime, SymbolSpec, Tick, UtcTime};
use mymt5_simulator::feed::{FeedError, Synthetic, TickFile, symbol_of};
use std::iter::Peekable;

/// A filler's mean time between two ticks, milliseconds.
const FILLER_TICK_MS: u32 = 60_000;
const MINUTE_MS: i64 = 60_000;

type Source = Peekable<Box<dyn Iterator<Item = Result<Tick, FeedError>> + Send>>;

/// Several sources in the order of their times.
pub(crate) struct Feed {
    sources: Vec<Source>,
    /// A replay: how fast, and its first tick with the moment at which it came.
    replay: Option<(f64, Option<(BrokerTime, UtcTime)>)>,
}

impl Feed {
    /// The feed from `now` on; a synthetic one begins with its past.
    pub(crate) fn open(
        settings: &Settings,
        fillers: &[SymbolSpec],
        now: BrokerTime,
    ) -> Result<Self, StartError> {
        let mut sources: Vec<Source> = Vec::new();
        for path in &settings.replays {
            let named = symbol_of(path);
            let spec = settings
                .symbols
                .iter()
                .find(|s| Some(&s.symbol) == named.as_ref());
            let spec = spec.ok_or_else(|| StartError::Nameless(path.clone()))?;
            let ticks: Box<dyn Iterator<Item = _> + Send> = Box::new(TickFile::open(path, spec)?);
            sources.push(ticks.peekable());
        }
        let replay = (!sources.is_empty()).then_some((settings.speed, None));
        if replay.is_none() {
            let past = i64::from(settings.past_minutes) * MINUTE_MS;
            let from = BrokerTime(now.0 - past);
            let seed = settings.account.seed;
            let symbols = &settings.symbols;
            sources.push(synthetic(seed, symbols, from, settings.tick_ms));
            let from = BrokerTime(now.0 - MINUTE_MS);
            sources.push(synthetic(!seed, fillers, from, FILLER_TICK_MS));
        }
        Ok(Self { sources, replay })
    }

    /// The next tick, if it is due.
    pub(crate) fn due(&mut self, now: UtcTime, broker: BrokerTime) -> Option<Tick> {
        let mut next = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            match source.peek() {
                Some(Ok(tick)) if next.is_none_or(|(time, _)| tick.time < time) => {
                    next = Some((tick.time, place));
                }
                Some(Err(error)) => {
                    tracing::error!(error = %error.without_path(), "a replay ends early");
                    source.next();
                }
                _ => {}
            }
        }
        let (time, place) = next?;
        let until = match &mut self.replay {
            Some((speed, origin)) => {
                let (first, at) = origin.get_or_insert((time, now));
                BrokerTime(first.0 + ((now.0 - at.0) as f64 * *speed) as i64)
            }
            None => broker,
        };
        let due = self.sources[place].next_if(|_| time <= until)?;
        due.ok()
    }
}

fn synthetic(seed: u64, symbols: &[SymbolSpec], from: BrokerTime, tick_ms: u32) -> Source {
    let ticks: Box<dyn Iterator<Item = _> + Send> =
        Box::new(Synthetic::new(seed, symbols, from, tick_ms));
    ticks.peekable()
}
