//! A whole sweep, and what it says.

use super::{Fold, Part, Row, Sweep, folds};

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
    pub(super) fn score(&self, row: &Row) -> Option<f64> {
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
        let scored = traded.map(|row| (self.score(row).unwrap_or(f64::NEG_INFINITY), row));
        let mut scored: Vec<(f64, &Row)> = scored.collect();
        scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        scored.into_iter().map(|(_, row)| row).collect()
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
