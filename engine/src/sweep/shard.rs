//! A share of the points, for one of several machines.

use super::limits::MOST_POINTS;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The points whose index leaves `index` when divided by `of`: neighbours, which take about the same
/// time, so go to different shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 0 to below `of`, as the index of a Kubernetes job's completion counts.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

/// A text that is not a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N, with I from 0 to N - 1, and N from 1 to {MOST_POINTS}")]
pub struct ShardError;

impl Shard {
    /// All points.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// True for numbers that are a shard.
    pub(super) fn is_valid(self) -> bool {
        self.index < self.of && self.of <= MOST_POINTS
    }

    /// Its points, of so many.
    pub fn points(self, count: usize) -> impl Iterator<Item = usize> {
        (self.index..count).step_by(self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, of) = text.split_once('/').ok_or(ShardError)?;
        let read = |number: &str| number.parse().map_err(|_| ShardError);
        let shard = Self {
            index: read(index)?,
            of: read(of)?,
        };
        if shard.is_valid() {
            Ok(shard)
        } else {
            Err(ShardError)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shard_is_a_number_below_their_count() {
        let shard: Shard = "2/5".parse().unwrap();
        assert_eq!((shard.index, shard.of), (2, 5));
        assert_eq!(shard.to_string(), "2/5");
        for text in [
            "", "1", "5/5", "1/0", "0/0", "-1/2", "a/2", "0/100001", "0/2/3",
        ] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shards_have_each_point_once(count in 0usize..300, of in 1usize..40) {
            let shards = (0..of).map(|index| Shard { index, of });
            let mut points: Vec<usize> = shards.flat_map(|shard| shard.points(count)).collect();
            points.sort_unstable();
            prop_assert_eq!(points, (0..count).collect::<Vec<_>>());
        }
    }
}
