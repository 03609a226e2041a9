//! The points of a sweep: every value of each key with every value of the others, in a fixed order.

use super::{Axis, SweepError, limits::MOST_POINTS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The keys and their values. A point is named by its index: of the last key the values change
/// fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Axis>", into = "Vec<Axis>")]
pub struct Grid {
    axes: Vec<Axis>,
    count: usize,
}

impl Grid {
    /// The grid of these keys.
    ///
    /// # Errors
    /// A key is named twice, or there are more than 100,000 points.
    pub fn new(axes: Vec<Axis>) -> Result<Self, SweepError> {
        let mut keys = BTreeSet::new();
        if let Some(twice) = axes.iter().find(|axis| !keys.insert(axis.key.as_str())) {
            return Err(SweepError::Twice(twice.key.clone()));
        }
        let sizes = axes.iter().map(|axis| axis.values.len() as u128);
        let points = sizes.fold(1u128, u128::saturating_mul);
        let count = usize::try_from(points).ok();
        let count = count.filter(|count| (1..=MOST_POINTS).contains(count));
        let count = count.ok_or(SweepError::Points(points))?;
        Ok(Self { axes, count })
    }

    /// The keys and their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many points there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Which value of that axis a point has.
    #[must_use]
    pub fn at(&self, point: usize, axis: usize) -> usize {
        let faster = self.axes[axis + 1..].iter();
        let stride: usize = faster.map(|axis| axis.values.len()).product();
        point / stride % self.axes[axis].values.len()
    }

    /// The settings of a point: each key and its value.
    pub fn settings(&self, point: usize) -> impl Iterator<Item = (&str, &str)> {
        let axes = self.axes.iter().enumerate();
        axes.map(move |(axis, of)| {
            let value = &of.values[self.at(point, axis)];
            (of.key.as_str(), value.as_str())
        })
    }

    /// The values of a point, in the order of the keys.
    #[must_use]
    pub fn values(&self, point: usize) -> Vec<String> {
        let settings = self.settings(point);
        settings.map(|(_, value)| value.to_owned()).collect()
    }
}

impl TryFrom<Vec<Axis>> for Grid {
    type Error = SweepError;

    fn try_from(axes: Vec<Axis>) -> Result<Self, SweepError> {
        Self::new(axes)
    }
}

impl From<Grid> for Vec<Axis> {
    fn from(grid: Grid) -> Self {
        grid.axes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::grid;

    #[test]
    fn points_have_a_fixed_order() {
        let grid = grid(&["a=1,2", "b=x,y,z"]);
        assert_eq!(grid.count(), 6);
        let points: Vec<_> = (0..6).map(|point| grid.values(point).concat()).collect();
        assert_eq!(points, ["1x", "1y", "1z", "2x", "2y", "2z"]);
        let settings: Vec<_> = grid.settings(5).collect();
        assert_eq!(settings, [("a", "2"), ("b", "z")]);
        assert_eq!((grid.at(4, 0), grid.at(4, 1)), (1, 1));
    }

    #[test]
    fn a_grid_has_a_bound_and_each_key_once() {
        let axis = |text: &str| text.parse::<Axis>().unwrap();
        let most = Grid::new(vec![axis("a=1..1000"), axis("b=1..100")]).unwrap();
        assert_eq!(most.count(), 100_000);
        let more = Grid::new(vec![axis("a=1..1000"), axis("b=1..101")]);
        assert!(matches!(more, Err(SweepError::Points(101_000))));
        let huge = Grid::new(vec![axis("a=1..100000"); 9]);
        assert!(matches!(huge, Err(SweepError::Twice(_))));
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let axes = names.map(|name| axis(&format!("{name}=1..100000")));
        let huge = Grid::new(axes.to_vec());
        assert!(matches!(huge, Err(SweepError::Points(u128::MAX))));
        let empty = Axis {
            key: "a".to_owned(),
            values: Vec::new(),
        };
        assert!(matches!(Grid::new(vec![empty]), Err(SweepError::Points(0))));
    }
}
