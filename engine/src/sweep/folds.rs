//! The walk forward. The past is cut into parts of equal length, one more than there are folds: in each
//! fold the best point of one part is chosen, in sample, and the next part tells what it made out of
//! sample.

use super::{Criterion, Figures, Row, exact};
use mymt5_model::BrokerTime;
use serde::Serialize;
use std::cmp::Reverse;

/// A span of the broker's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// From then on.
    #[serde(with = "exact::time")]
    pub from: BrokerTime,
    /// Up to, and without, that time.
    #[serde(with = "exact::time")]
    pub to: BrokerTime,
}

/// One choice and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold<'a> {
    /// In which part is chosen.
    pub in_sample: Period,
    /// In which part the chosen point is tried: the next one.
    pub out_of_sample: Period,
    /// None: in sample no point has the figure to choose by.
    pub chosen: Option<Choice<'a>>,
}

/// The point of a fold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice<'a> {
    /// Its index.
    pub point: usize,
    /// Its values.
    pub values: &'a [String],
    /// What it was chosen by.
    pub in_sample: &'a Figures,
    /// What it then made.
    pub out_of_sample: &'a Figures,
}

/// The parts of a past from its first to its last tick. None without folds.
pub(super) fn parts(first: BrokerTime, last: BrokerTime, folds: usize) -> Vec<Period> {
    if folds == 0 {
        return Vec::new();
    }
    let count = folds as i128 + 1;
    let length = i128::from(last.0) - i128::from(first.0) + 1;
    let bound = |at: i128| BrokerTime(first.0 + (length * at / count) as i64);
    let parts = (0..count).map(|at| Period {
        from: bound(at),
        to: bound(at + 1),
    });
    parts.collect()
}

/// The best of some rows by one of their figures; of equals that with more net profit, and of those
/// the first.
pub(super) fn best<'a>(
    rows: &'a [Row],
    by: Criterion,
    figures: impl Fn(&'a Row) -> Option<&'a Figures>,
) -> Option<&'a Row> {
    let scored = rows.iter().filter_map(|row| {
        let score = by.score(figures(row)?)?;
        Some((score, Reverse(row.point), row))
    });
    let best = scored.max_by_key(|(score, point, _)| (*score, *point));
    best.map(|(_, _, row)| row)
}

/// The folds of rows that have these parts.
pub(super) fn folds<'a>(rows: &'a [Row], parts: &[Period], by: Criterion) -> Vec<Fold<'a>> {
    let pairs = parts.windows(2).enumerate();
    let folds = pairs.map(|(at, pair)| {
        let best = best(rows, by, |row| row.parts.get(at));
        let chosen = best.and_then(|row| {
            Some(Choice {
                point: row.point,
                values: &row.values,
                in_sample: row.parts.get(at)?,
                out_of_sample: row.parts.get(at + 1)?,
            })
        });
        Fold {
            in_sample: pair[0],
            out_of_sample: pair[1],
            chosen,
        }
    });
    folds.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{figures, row};
    use proptest::prelude::*;

    #[test]
    fn a_choice_is_tried_in_the_next_part() {
        let parts = parts(BrokerTime(0), BrokerTime(299), 2);
        let bounds: Vec<_> = parts.iter().map(|part| (part.from.0, part.to.0)).collect();
        assert_eq!(bounds, [(0, 100), (100, 200), (200, 300)]);
        let rows = [
            row(0, &[5.0, -1.0, 2.0]),
            row(1, &[4.0, 3.0, -7.0]),
            row(2, &[5.0, 3.0, 9.0]),
        ];
        let folds = folds(&rows, &parts, Criterion::NetProfit);
        let made: Vec<_> = folds
            .iter()
            .map(|fold| {
                let chosen = fold.chosen.as_ref().unwrap();
                let net = |figures: &Figures| figures.net_profit.to_f64();
                (
                    chosen.point,
                    net(chosen.in_sample),
                    net(chosen.out_of_sample),
                )
            })
            .collect();
        assert_eq!(made, [(0, 5.0, -1.0), (1, 3.0, -7.0)]);
        assert_eq!(folds[1].in_sample, parts[1]);
        assert_eq!(folds[1].out_of_sample, parts[2]);
    }

    #[test]
    fn what_was_not_traded_or_has_no_figure_is_never_chosen() {
        let idle = Row {
            figures: Some(Figures::default()),
            ..row(0, &[])
        };
        let lossless = Row {
            figures: Some(Figures {
                trades: 1,
                ..Figures::default()
            }),
            ..row(1, &[])
        };
        let misfit = Row {
            figures: None,
            ..row(2, &[])
        };
        let lost = Row {
            figures: Some(figures(-8.0)),
            ..row(3, &[])
        };
        let rows = [idle, lossless, misfit, lost];
        let of = |by: Criterion| best(&rows, by, |row| row.figures.as_ref()).unwrap().point;
        assert_eq!(of(Criterion::ProfitFactor), 3);
        assert_eq!(of(Criterion::NetProfit), 1);
        assert_eq!(of(Criterion::Drawdown), 1);
        let none = best(&rows[..1], Criterion::Drawdown, |row| row.figures.as_ref());
        assert!(none.is_none());
    }

    #[test]
    fn what_gained_without_a_loss_is_chosen_and_of_those_what_gained_more() {
        let parts = parts(BrokerTime(0), BrokerTime(199), 1);
        let rows = [
            row(0, &[-5.0, 1.0]),
            row(1, &[4.0, 2.0]),
            row(2, &[6.0, 3.0]),
            row(3, &[6.0, 4.0]),
        ];
        for by in [Criterion::ProfitFactor, Criterion::RecoveryFactor] {
            let folds = folds(&rows, &parts, by);
            assert_eq!(folds[0].chosen.as_ref().unwrap().point, 2, "{by}");
        }
    }

    #[test]
    fn without_folds_there_are_no_parts() {
        assert!(parts(BrokerTime(0), BrokerTime(9), 0).is_empty());
        assert!(folds(&[], &[], Criterion::Sharpe).is_empty());
    }

    proptest! {
        #[test]
        fn parts_cover_the_past_without_a_gap(
            first in any::<i32>(),
            length in any::<u32>(),
            folds in 1usize..51,
        ) {
            let first = i64::from(first);
            let last = first + i64::from(length);
            let parts = parts(BrokerTime(first), BrokerTime(last), folds);
            prop_assert_eq!(parts.len(), folds + 1);
            prop_assert_eq!(parts[0].from.0, first);
            prop_assert_eq!(parts[folds].to.0, last + 1);
            prop_assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from));
            prop_assert!(parts.iter().all(|part| part.from <= part.to));
        }
    }
}
