//! What the rules must know after a restart: a small file, written whole before it is relied upon.

use mymt5_chassis::process::write_atomically;
use mymt5_guard::LossState;
use mymt5_model::{BrokerTime, PositionId};
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
    /// The losses' levels and latches.
    pub(super) losses: Option<LossState>,
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
    /// Positions whose result is to come.
    pub(super) open: BTreeSet<PositionId>,
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
    pub(super) fn end(&mut self, lost: bool, now: BrokerTime) {
        if lost {
            self.losses_in_a_row = self.losses_in_a_row.saturating_add(1);
            self.last_loss = Some(now);
        } else {
            self.losses_in_a_row = 0;
        }
    }

    /// True where a restart with `kept` in place of this one would decide otherwise. The equity last
    /// seen matters only for a reset that is missed.
    pub(super) fn differs(&self, kept: &Self) -> bool {
        let levels = |memory: &Self| {
            memory.losses.clone().map(|losses| LossState {
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
        levels(self) != levels(kept)
            || rest(self) != rest(kept)
            || (seen(self) - seen(kept)).abs() >= OFTEN
    }
}
