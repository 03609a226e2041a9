//! How large a sweep may be.

/// Most points.
pub(super) const MOST_POINTS: usize = 100_000;
/// Most backtests: the points, each in the whole past and in every part of it.
pub(super) const MOST_RESULTS: u64 = 1_000_000;
/// Most folds of a walk forward.
pub(super) const MOST_FOLDS: usize = 50;
/// Largest file of a part, bytes.
pub(super) const MOST_BYTES: u64 = 1 << 30;
