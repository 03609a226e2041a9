//! The few indicators that the shipped strategies need, by their plain definitions. Each takes one
//! input at a time, oldest first.

use std::collections::VecDeque;

/// The exponential average of `n` inputs: alpha is 2 / (n + 1), the first input is the first value.
#[derive(Clone, Debug)]
pub struct Ema {
    alpha: f64,
    value: Option<f64>,
}

impl Ema {
    /// Of so many inputs, at least 1.
    #[must_use]
    pub fn of(inputs: u32) -> Self {
        Self {
            alpha: 2.0 / (f64::from(inputs) + 1.0),
            value: None,
        }
    }

    /// The value with this input.
    pub fn next(&mut self, input: f64) -> f64 {
        let value = self
            .value
            .map_or(input, |value| value + self.alpha * (input - value));
        self.value = Some(value);
        value
    }
}

/// Wilder's relative strength index of `n` changes, 0 to 100: the first averages of gains and losses
/// are plain means, each later one moves by 1/n of the distance.
#[derive(Clone, Debug)]
pub struct Rsi {
    changes: u32,
    seen: u32,
    before: Option<f64>,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// Of so many changes, at least 1.
    #[must_use]
    pub const fn of(changes: u32) -> Self {
        Self {
            changes,
            seen: 0,
            before: None,
            gain: 0.0,
            loss: 0.0,
        }
    }

    /// The value with this input; none before there were enough changes. 50 where nothing moved.
    pub fn next(&mut self, input: f64) -> Option<f64> {
        let change = input - self.before.replace(input)?;
        self.seen = self.seen.saturating_add(1);
        // Until all are there this is the mean of those seen.
        let count = f64::from(self.seen.min(self.changes));
        self.gain += (change.max(0.0) - self.gain) / count;
        self.loss += ((-change).max(0.0) - self.loss) / count;
        let sum = self.gain + self.loss;
        let value = if sum > 0.0 {
            100.0 * self.gain / sum
        } else {
            50.0
        };
        (self.seen >= self.changes).then_some(value)
    }
}

/// The newest `n` inputs.
#[derive(Clone, Debug)]
pub struct Window<T> {
    length: usize,
    inputs: VecDeque<T>,
}

impl<T: Copy + PartialOrd> Window<T> {
    /// Of so many inputs, at least 1.
    #[must_use]
    pub fn of(length: usize) -> Self {
        Self {
            length,
            inputs: VecDeque::with_capacity(length),
        }
    }

    /// Takes an input; the oldest one leaves where there are too many.
    pub fn push(&mut self, input: T) {
        if self.inputs.len() == self.length {
            self.inputs.pop_front();
        }
        self.inputs.push_back(input);
    }

    /// True once there were enough inputs.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inputs.len() == self.length
    }

    /// The largest of the inputs; none before there are enough.
    #[must_use]
    pub fn highest(&self) -> Option<T> {
        self.best(|input, best| input > best)
    }

    /// The smallest of the inputs; none before there are enough.
    #[must_use]
    pub fn lowest(&self) -> Option<T> {
        self.best(|input, best| input < best)
    }

    fn best(&self, is_better: impl Fn(T, T) -> bool) -> Option<T> {
        let inputs = self.inputs.iter().copied().filter(|_| self.is_full());
        inputs.reduce(|best, input| if is_better(input, best) { input } else { best })
    }
}

/// Bollinger's bands: the mean of `n` inputs, and so many standard deviations (of the population)
/// above and below it.
#[derive(Clone, Debug)]
pub struct Bollinger {
    inputs: Window<f64>,
    deviations: f64,
}

/// The bands at one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// Mean less the deviations.
    pub lower: f64,
    /// The mean.
    pub middle: f64,
    /// Mean and the deviations.
    pub upper: f64,
}

impl Bands {
    /// Distance of the outer bands, as a part of the middle.
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.upper - self.lower) / self.middle
    }
}

impl Bollinger {
    /// Of so many inputs, at least 1.
    #[must_use]
    pub fn of(inputs: usize, deviations: f64) -> Self {
        Self {
            inputs: Window::of(inputs),
            deviations,
        }
    }

    /// The bands with this input; none before there are enough.
    pub fn next(&mut self, input: f64) -> Option<Bands> {
        self.inputs.push(input);
        if !self.inputs.is_full() {
            return None;
        }
        let inputs = &self.inputs.inputs;
        let count = inputs.len() as f64;
        let middle = inputs.iter().sum::<f64>() / count;
        let squares = inputs.iter().map(|input| (input - middle).powi(2));
        let distance = self.deviations * (squares.sum::<f64>() / count).sqrt();
        Some(Bands {
            lower: middle - distance,
            middle,
            upper: middle + distance,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
    }

    #[test]
    fn an_ema_begins_with_its_first_input() {
        let mut ema = Ema::of(3);
        let values: Vec<f64> = [8.0, 4.0, 6.0, 0.0].map(|input| ema.next(input)).to_vec();
        assert_eq!(values, [8.0, 6.0, 6.0, 3.0]);
    }

    #[test]
    fn an_rsi_of_known_changes() {
        // Changes +2, -1, +1: means 1 and 1/3, so 75. Then -3: gain 2/3, loss 2/9 + 1 = 11/9.
        let mut rsi = Rsi::of(3);
        let values: Vec<_> = [10.0, 12.0, 11.0, 12.0, 9.0]
            .map(|input| rsi.next(input))
            .to_vec();
        assert_eq!(values[..3], [None, None, None]);
        assert!(near(values[3].unwrap(), 75.0), "{values:?}");
        assert!(near(values[4].unwrap(), 100.0 * 6.0 / 17.0), "{values:?}");
    }

    #[test]
    fn an_rsi_knows_its_ends() {
        let mut up = Rsi::of(2);
        let mut down = Rsi::of(2);
        let mut still = Rsi::of(2);
        let inputs = [1.0, 2.0, 3.0];
        assert_eq!(inputs.map(|input| up.next(input))[2], Some(100.0));
        assert_eq!(inputs.map(|input| down.next(-input))[2], Some(0.0));
        assert_eq!(inputs.map(|_| still.next(1.0))[2], Some(50.0));
    }

    #[test]
    fn bands_of_known_inputs() {
        // Mean 5, standard deviation of the population 2.
        let mut bollinger = Bollinger::of(8, 2.0);
        let bands = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].map(|input| bollinger.next(input));
        assert_eq!(bands[6], None);
        let bands = bands[7].unwrap();
        assert_eq!((bands.lower, bands.middle, bands.upper), (1.0, 5.0, 9.0));
        assert!(near(bands.width(), 1.6));
    }

    #[test]
    fn a_window_tells_nothing_before_it_is_full() {
        let mut window = Window::of(2);
        window.push(3);
        assert_eq!((window.highest(), window.lowest()), (None, None));
        window.push(1);
        window.push(2);
        assert_eq!((window.highest(), window.lowest()), (Some(2), Some(1)));
    }

    proptest! {
        #[test]
        fn each_value_is_as_defined(inputs in prop::collection::vec(1.0f64..2.0, 15..60), n in 2usize..14) {
            let mut rsi = Rsi::of(n as u32);
            let mut bollinger = Bollinger::of(n, 2.5);
            let changes: Vec<f64> = inputs.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let wilder = |part: fn(f64) -> f64, upto: usize| {
                let first = changes[..n].iter().map(|change| part(*change)).sum::<f64>() / n as f64;
                changes[n..upto].iter().fold(first, |mean, change| (mean * (n as f64 - 1.0) + part(*change)) / n as f64)
            };
            for (at, input) in inputs.iter().enumerate() {
                let value = rsi.next(*input);
                prop_assert_eq!(value.is_some(), at >= n);
                if let Some(value) = value {
                    let gain = wilder(|change| change.max(0.0), at);
                    let loss = wilder(|change| (-change).max(0.0), at);
                    let defined = 100.0 - 100.0 / (1.0 + gain / loss);
                    prop_assert!(near(value, defined), "{value} {defined}");
                }
                if let Some(bands) = bollinger.next(*input) {
                    let window = &inputs[at + 1 - n..=at];
                    let mean = window.iter().sum::<f64>() / n as f64;
                    let variance = window.iter().map(|x| x * x).sum::<f64>() / n as f64 - mean * mean;
                    prop_assert!((bands.upper - (mean + 2.5 * variance.max(0.0).sqrt())).abs() < 1e-6);
                    prop_assert!(near(bands.middle, mean));
                }
            }
        }
    }
}
