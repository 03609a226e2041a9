//! Chance with a memory: a seeded generator that knows how often it was asked, so that a
//! restored account goes on with the very numbers it would have drawn.

use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};

/// A seeded generator and the count of its draws.
#[derive(Clone)]
pub(crate) struct Dice {
    generator: Pcg64,
    draws: u64,
}

impl Dice {
    /// The generator of that seed after so many draws.
    pub(crate) fn new(seed: u64, draws: u64) -> Self {
        let mut generator = Pcg64::seed_from_u64(seed);
        generator.advance(u128::from(draws));
        Self { generator, draws }
    }

    pub(crate) fn draws(&self) -> u64 {
        self.draws
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.draws += 1;
        (self.generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..=max`.
    pub(crate) fn up_to(&mut self, max: u32) -> i64 {
        (self.unit() * (f64::from(max) + 1.0)) as i64
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_it_was() {
        let mut dice = Dice::new(7, 0);
        let first: Vec<f64> = (0..10).map(|_| dice.unit()).collect();
        let mut later = Dice::new(7, 4);
        let rest: Vec<f64> = (0..6).map(|_| later.unit()).collect();
        assert_eq!(first[4..], rest);
        assert_eq!(dice.draws(), later.draws());
        assert!(first.iter().all(|n| (0.0..1.0).contains(n)));
    }

    #[test]
    fn reaches_both_ends() {
        let mut dice = Dice::new(1, 0);
        let drawn: Vec<i64> = (0..200).map(|_| dice.up_to(3)).collect();
        assert_eq!(
            (drawn.iter().min(), drawn.iter().max()),
            (Some(&0), Some(&3))
        );
    }
}
