//! Why a sweep cannot be made, or its parts not be merged.

use super::{
    Shard,
    limits::{MOST_POINTS, MOST_RESULTS},
};
use std::{io, path::PathBuf};

/// What is wrong with a sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Too many points, or none.
    #[error(
        "--vary makes {0} points; give ranges of fewer values or larger steps, for at most {MOST_POINTS}"
    )]
    Points(u128),
    /// Too many backtests.
    #[error(
        "--walk-forward makes {0} backtests of all points and parts; give fewer folds or points, for at most {MOST_RESULTS}"
    )]
    Results(u64),
    /// One key by two options.
    #[error("--vary names {0} twice; give all of its values in one")]
    Twice(String),
    /// A key that a backtest does not read.
    #[error("--vary: a backtest does not read {key}; name {known}")]
    Unknown {
        /// The key.
        key: String,
        /// Which are, in words.
        known: String,
    },
    /// A value with which no point can be traded.
    #[error("--vary: {key} = {value} fits no values of the others: {reason}")]
    Misfit {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with the first point that has it.
        reason: String,
    },
    /// No ticks to trade.
    #[error("the files have no ticks between --from and --to; give another span, or other files")]
    Empty,
    /// The files changed while they were traded.
    #[error(
        "the files have other ticks than when the sweep began; let them be, and run it once more"
    )]
    Changed,
    /// A file that cannot be read.
    #[error("cannot read {}; name a file that is there, and let this user read it", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file that cannot be written.
    #[error("cannot write {}; name a file in a folder that this user may write", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// Another file has that name.
    #[error("{} is there already, and not of a sweep; move it away, or name another file", .0.display())]
    Foreign(PathBuf),
    /// A file that is no part.
    #[error("{} is not a whole part of a sweep; run its shard once more", .0.display())]
    NotAPart(PathBuf, #[source] Option<serde_json::Error>),
    /// A file beyond the bound.
    #[error("{} is larger than 1 GiB; run the sweep in more shards", .0.display())]
    Large(PathBuf),
    /// Parts that do not belong together.
    #[error(
        "{} and {} are parts of two sweeps, with other {what}; merge parts of one sweep alone",
        .one.display(), .other.display()
    )]
    Other {
        /// A part.
        one: PathBuf,
        /// A part of another sweep.
        other: PathBuf,
        /// What they have otherwise.
        what: &'static str,
    },
    /// One shard twice.
    #[error("{} and {} are both shard {shard}; give it once", .one.display(), .other.display())]
    Doubled {
        /// A part.
        one: PathBuf,
        /// The same part.
        other: PathBuf,
        /// Their shard.
        shard: Shard,
    },
    /// Shards without a part.
    #[error("{missing} of {of} shards are missing, the first is {first}; give their parts as well")]
    Missing {
        /// How many.
        missing: usize,
        /// Of how many.
        of: usize,
        /// The first of them.
        first: Shard,
    },
}
