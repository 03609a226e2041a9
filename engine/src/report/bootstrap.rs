//! How deep the drawdown could have been: the same trades in a thousand other orders.

use super::drawdown::Drawdown;
use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};
use serde::Serialize;

/// How many orders are drawn.
const ORDERS: usize = 1_000;
/// The same trades give the same figures.
const SEED: u64 = 20_240_101;

/// Percentiles of the balance drawdown over shuffled orders of the trades: of so many orders in a
/// hundred, the drawdown was at most that deep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bootstrap {
    /// Orders drawn.
    pub orders: usize,
    /// The largest falls in money.
    pub maximal: Percentiles,
    /// The largest falls in percent of their highs.
    pub relative_percent: Percentiles,
}

/// Three percentiles, by the nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// Exceeded in one of twenty orders.
    pub p95: f64,
    /// Exceeded in one of a hundred orders.
    pub p99: f64,
}

impl Bootstrap {
    /// Of trades with these net profits. None: fewer than two trades have no other order.
    pub(super) fn of(initial: f64, nets: &[f64]) -> Option<Self> {
        if nets.len() < 2 {
            return None;
        }
        let mut random = Pcg64::seed_from_u64(SEED);
        let mut nets = nets.to_vec();
        let drawdowns: Vec<Drawdown> = (0..ORDERS)
            .map(|_| {
                shuffle(&mut nets, &mut random);
                let balances = nets.iter().scan(initial, |balance, net| {
                    *balance += net;
                    Some((*balance, 0.0))
                });
                Drawdown::of(initial, balances)
            })
            .collect();
        let of = |figure: fn(&Drawdown) -> f64| Percentiles::of(drawdowns.iter().map(figure));
        Some(Self {
            orders: ORDERS,
            maximal: of(|drawdown| drawdown.maximal),
            relative_percent: of(|drawdown| drawdown.relative_percent),
        })
    }
}

/// Fisher and Yates' shuffle. The generator's remainder favours some orders by less than one part
/// in 2^40.
fn shuffle(values: &mut [f64], random: &mut Pcg64) {
    for last in (1..values.len()).rev() {
        let other = random.next_u64() % (last as u64 + 1);
        values.swap(last, other as usize);
    }
}

impl Percentiles {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values[rank - 1]
        };
        Self {
            p50: at(50),
            p95: at(95),
            p99: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let percentiles = Percentiles::of((1..=1000).rev().map(f64::from));
        assert_eq!(percentiles.p50, 500.0);
        assert_eq!(percentiles.p95, 950.0);
        assert_eq!(percentiles.p99, 990.0);
    }

    #[test]
    fn it_lies_between_the_best_and_the_worst_order() {
        // Best: losses apart, 10 at a time. Worst: all four in a row.
        let nets = [-10.0, 20.0, -10.0, 20.0, -10.0, 20.0, -10.0, 20.0];
        let bootstrap = Bootstrap::of(1000.0, &nets).unwrap();
        let falls = bootstrap.maximal;
        assert!(10.0 <= falls.p50 && falls.p50 <= falls.p95);
        assert!(falls.p95 <= falls.p99 && falls.p99 <= 40.0);
        assert!(falls.p99 > falls.p50);
    }

    #[test]
    fn the_same_trades_give_the_same_figures() {
        let nets = [-5.0, 3.0, 8.0, -2.0, -9.0];
        assert_eq!(Bootstrap::of(50.0, &nets), Bootstrap::of(50.0, &nets));
        assert_eq!(Bootstrap::of(50.0, &[1.0]), None);
    }
}
