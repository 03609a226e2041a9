//! A whole sweep, and what it says.

use super::{Fold, Part, Row, Sweep, criterion::Score, folds};
use std::cmp::Reverse;

/// A sweep and a row for each of its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    sweep: Sweep,
    /// In the order of the points.
    rows: Vec<Row>,
}

impl Swept {
    /// Of all rows of a sweep, in any order.
    pub(super) fn new(sweep: Sweep, mut rows: Vec<Row>) -> Self {
        rows.sort_unstable_by_key(|row| row.point);
        Self { sweep, rows }
    }

    /// What was swept.
    #[must_use]
    pub const fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// The rows, in the order of the points.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The score of a point. None: it has none.
    pub(super) fn score(&self, row: &Row) -> Option<Score> {
        let figures = row.figures.as_ref();
        figures.and_then(|figures| self.sweep.by.score(figures))
    }

    /// The best point. None: no point has the figure to choose by.
    #[must_use]
    pub fn best(&self) -> Option<&Row> {
        folds::best(&self.rows, self.sweep.by, |row| row.figures.as_ref())
    }

    /// The points that were traded, the best first; those without the figure to choose by come last.
    #[must_use]
    pub fn ranked(&self) -> Vec<&Row> {
        let traded = self.rows.iter().filter(|row| row.figures.is_some());
        let mut ranked: Vec<&Row> = traded.collect();
        ranked.sort_by_cached_key(|row| Reverse(self.score(row)));
        ranked
    }

    /// The folds of the walk forward. None without one.
    #[must_use]
    pub fn folds(&self) -> Vec<Fold<'_>> {
        folds::folds(&self.rows, &self.sweep.parts(), self.sweep.by)
    }
}

impl From<Part> for Swept {
    /// Of a part that is the whole.
    fn from(part: Part) -> Self {
        Self::new(part.sweep, part.rows)
    }
}
