//! What the rules must know after a restart: a small file, written whole before it is relied upon.

use super::{loss_watch::Spared, results::Results};
use crate::care::Book;
use mymt5_chassis::process::write_atomically;
use mymt5_guard::LossState;
use mymt5_model::{AccountId, BrokerTime, Money, PositionId};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The name of the file in `process.data_folder`.
pub const FILE: &str = "risk.json";
/// Its largest size, bytes.
const LARGEST: u64 = 1 << 20;
/// The equity last seen is kept at least as often, milliseconds.
const OFTEN: i64 = 60_000;
/// The part of the highest equity by which it may have risen without being kept.
const STEP: f64 = 0.000_5;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Reading failed.
    #[error(
        "cannot read risk.json in process.data_folder; restore it, or run `mymt5-engine reset-risk`"
    )]
    Read(#[source] io::Error),
    /// Writing failed.
    #[error(
        "cannot write risk.json in process.data_folder; make room on its disk, and let this user write it"
    )]
    Write(#[source] io::Error),
}

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// Whose it is; none: no gateway told it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<AccountId>,
    /// The losses' levels and latches.
    pub(super) losses: Option<LossState>,
    /// Limits that close nothing today.
    #[serde(default)]
    pub(super) spared: Spared,
    /// The balance that these measured last, and flows since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) balance: Option<Money>,
    /// The reset that began the day.
    pub(super) day: Option<BrokerTime>,
    /// Entries of the day.
    pub(super) trades: u32,
    /// Orders that failed in a row, on that day.
    pub(super) errors: u32,
    /// Losing trades in a row.
    pub(super) losses_in_a_row: u32,
    /// When the last of them ended.
    pub(super) last_loss: Option<BrokerTime>,
    /// It ended while no time was known: it counts from the next one on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_loss_untimed: bool,
    /// Positions whose result is to come.
    pub(super) open: BTreeSet<PositionId>,
    /// What their deals made so far.
    #[serde(default, skip_serializing_if = "Results::is_empty")]
    pub(super) results: Results,
    /// What position care must know later.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(super) care: Book,
}

/// Nothing is written where there is no care, so that an earlier version can read the file.
fn is_blank(care: &Book) -> bool {
    *care == Book::default()
}

impl Memory {
    /// Reads the file; nothing happened yet where there is none.
    pub(super) fn read(path: &Path) -> Result<Self, MemoryError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file.map_err(MemoryError::Read)?,
        };
        let mut text = String::new();
        let read = file.take(LARGEST).read_to_string(&mut text);
        read.map_err(MemoryError::Read)?;
        serde_json::from_str(&text).map_err(|error| MemoryError::Read(error.into()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), MemoryError> {
        let bytes = serde_json::to_vec(self).map_err(|error| MemoryError::Write(error.into()))?;
        write_atomically(path, &bytes).map_err(MemoryError::Write)
    }

    /// A new day counts from 0.
    pub(super) fn begin(&mut self, day: BrokerTime) {
        if self.day.is_none_or(|begun| begun < day) {
            self.day = Some(day);
            self.trades = 0;
            self.errors = 0;
        }
    }

    /// Takes a trade's result; an unknown one counts as a loss.
    pub(super) fn end(&mut self, lost: bool, now: Option<BrokerTime>) {
        if lost {
            self.losses_in_a_row = self.losses_in_a_row.saturating_add(1);
            self.last_loss = now;
            self.is_loss_untimed = now.is_none();
        } else {
            self.losses_in_a_row = 0;
        }
    }

    /// Gives a loss of a time that was not known this one. True: there was such a loss.
    pub(super) fn date_loss(&mut self, now: BrokerTime) -> bool {
        let is_untimed = std::mem::take(&mut self.is_loss_untimed);
        if is_untimed {
            self.last_loss = Some(now);
        }
        is_untimed
    }

    /// True where a restart with `kept` in place of this one would decide otherwise. The equity last
    /// seen matters only for a reset that is missed, and the highest one only for a drawdown that
    /// `trails`, and by steps.
    pub(super) fn differs(&self, kept: &Self, trails: bool) -> bool {
        let levels = |memory: &Self| {
            memory.losses.clone().map(|losses| LossState {
                high_water: losses.base,
                last_equity: losses.base,
                last_seen: losses.day,
                ..losses
            })
        };
        let seen = |memory: &Self| {
            memory
                .losses
                .as_ref()
                .map_or(0, |losses| losses.last_seen.0)
        };
        let rest = |memory: &Self| Self {
            losses: None,
            ..memory.clone()
        };
        let highest = |memory: &Self| {
            let losses = memory.losses.as_ref();
            losses.map_or(0.0, |losses| losses.high_water.to_f64())
        };
        let rise = highest(self) - highest(kept);
        levels(self) != levels(kept)
            || (trails && rise > STEP * highest(kept))
            || rest(self) != rest(kept)
            || (seen(self) - seen(kept)).abs() >= OFTEN
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_high_is_kept_by_steps_and_for_a_trailing_drawdown_alone() {
        let memory = |high: f64, seen: i64| {
            let start = Money::from_f64(10_000.0).unwrap();
            let high = Money::from_f64(high).unwrap();
            let losses = LossState {
                day: BrokerTime(0),
                base: start,
                start,
                high_water: high,
                last_equity: high,
                last_seen: BrokerTime(seen),
                daily_reached: false,
                drawdown_latched: false,
            };
            Memory {
                losses: Some(losses),
                ..Memory::default()
            }
        };
        let kept = memory(10_000.0, 0);
        for (now, trails, differs) in [
            (memory(10_004.0, 1), true, false),
            (memory(10_006.0, 1), true, true),
            (memory(10_006.0, 1), false, false),
            (memory(10_001.0, OFTEN), true, true),
        ] {
            assert_eq!(now.differs(&kept, trails), differs, "{now:?}");
        }
    }
}
