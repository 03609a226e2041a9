//! Many backtests over ranges of settings, and what to make of them. Each point of the grid trades the
//! whole past, and each part of it where a walk forward is asked for: what a choice of one part made in
//! the next one is then told by rows alone, whoever worked them out.
//!
//! # The way of a sweep
//! [`Axis`] (a key and its values) -> [`Grid`] (the points, in a fixed order) -> [`Plan`] (the
//! settings and the files, looked at before anything trades) -> `run` (points on all cores, those of
//! one [`Shard`]) -> [`Row`] -> [`Part`] (a shard's rows in a file) -> [`merge()`] -> [`Swept`] (the
//! best, the walk forward of `folds`) -> `output`: `document` (JSON, CSV, text) and `page` with its
//! `heat` map.
//!
//! The same sweep gives the same bytes however many cores or shards work it out.

mod axis;
mod criterion;
mod document;
mod errors;
mod exact;
mod figures;
mod folds;
mod grid;
mod heat;
mod identity;
mod limits;
mod merge;
mod output;
mod page;
mod part;
mod plan;
mod run;
mod shard;
mod swept;
#[cfg(test)]
mod testing;

pub use axis::{Axis, AxisError};
pub use criterion::Criterion;
pub use errors::SweepError;
pub use figures::{Figures, Row};
pub use folds::{Choice, Fold, Period};
pub use grid::Grid;
pub use identity::{PastFile, Sweep};
pub use merge::merge;
pub use part::Part;
pub use plan::{Asked, Plan};
pub use shard::{Shard, ShardError};
pub use swept::Swept;
