//! Chance from a seed: the same seed always gives the same plan, in every process that asks.

/// A small seeded generator (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The generator of a seed and of one purpose under it.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        dice.draw();
        dice
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `0..end`; 0 for an empty range.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len() as u64) as usize)
    }

    /// The entry that the dice fall on, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, all: &[(T, u32)]) -> Option<T> {
        let sum: u64 = all.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut at = self.below(sum);
        all.iter()
            .find(|(_, weight)| {
                let weight = u64::from(*weight);
                let here = at < weight;
                at = at.saturating_sub(weight);
                here
            })
            .map(|(item, _)| *item)
    }
}

#[test]
fn a_seed_repeats_and_weights_are_kept() {
    let table = [('a', 3), ('b', 0), ('c', 1)];
    let draw = |seed| {
        let mut dice = Dice::new(seed, 1);
        (0..400)
            .map(|_| dice.weighted(&table).unwrap())
            .collect::<String>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    let count = |c| draw(7).chars().filter(|drawn| *drawn == c).count();
    assert_eq!(count('b'), 0);
    assert!((250..350).contains(&count('a')), "{}", count('a'));
}
