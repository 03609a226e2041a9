//! Parts become the sweep that one run of it would have been.

use super::{Part, Shard, SweepError, Swept};
use std::{collections::BTreeMap, path::PathBuf};

/// Puts the parts of a sweep together, in whatever order they come.
///
/// # Errors
/// Parts of different sweeps, a shard twice, or one that is missing.
pub fn merge(parts: Vec<(PathBuf, Part)>) -> Result<Swept, SweepError> {
    let Some((first, of_first)) = parts.first() else {
        return Err(SweepError::Missing {
            missing: 1,
            of: 1,
            first: Shard::WHOLE,
        });
    };
    let mut held: BTreeMap<usize, &PathBuf> = BTreeMap::new();
    for (path, part) in &parts {
        if let Some(what) = difference(of_first, part) {
            return Err(SweepError::Other {
                one: first.clone(),
                other: path.clone(),
                what,
            });
        }
        if let Some(one) = held.insert(part.shard.index, path) {
            return Err(SweepError::Doubled {
                one: one.clone(),
                other: path.clone(),
                shard: part.shard,
            });
        }
    }
    let of = of_first.shard.of;
    let mut missing = (0..of).filter(|index| !held.contains_key(index));
    if let Some(index) = missing.next() {
        return Err(SweepError::Missing {
            missing: 1 + missing.count(),
            of,
            first: Shard { index, of },
        });
    }
    let sweep = of_first.sweep.clone();
    let rows = parts.into_iter().flat_map(|(_, part)| part.rows);
    Ok(Swept::new(sweep, rows.collect()))
}

/// What two parts have otherwise that those of one sweep have in common.
fn difference(one: &Part, other: &Part) -> Option<&'static str> {
    if one.shard.of != other.shard.of {
        return Some("numbers of shards");
    }
    one.sweep.difference(&other.sweep)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{grid, row, sweep};

    fn part(index: usize, of: usize) -> (PathBuf, Part) {
        let shard = Shard { index, of };
        let part = Part {
            sweep: sweep(grid(&["a=0..6"])),
            shard,
            rows: shard
                .points(7)
                .map(|point| row(point, &[point as f64, -1.0]))
                .collect(),
        };
        (format!("part-{index}.json").into(), part)
    }

    #[test]
    fn parts_of_any_number_and_order_are_one_run() {
        let one = merge(vec![part(0, 1)]).unwrap();
        for of in 2..9 {
            let parts = (0..of).rev().map(|index| part(index, of)).collect();
            assert_eq!(merge(parts).unwrap(), one, "{of}");
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let refused = |parts: Vec<(PathBuf, Part)>| merge(parts).unwrap_err().to_string();
        let mut other = part(1, 2);
        other.1.sweep.files.clear();
        assert_eq!(
            refused(vec![part(0, 2), other]),
            "part-0.json and part-1.json are parts of two sweeps, with other files; merge parts of one sweep alone"
        );
        let said = refused(vec![part(0, 2), part(1, 3)]);
        assert!(said.contains("with other numbers of shards"), "{said}");
        assert_eq!(
            refused(vec![part(1, 2), part(0, 2), part(1, 2)]),
            "part-1.json and part-1.json are both shard 1/2; give it once"
        );
        assert_eq!(
            refused(vec![part(0, 4), part(2, 4)]),
            "2 of 4 shards are missing, the first is 1/4; give their parts as well"
        );
    }
}
