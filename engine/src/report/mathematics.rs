//! The little mathematics that the statistics need.

/// The mean. None: there are no values.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample. None: fewer than two values.
pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The quotient. None: it has no finite value.
pub(super) fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    Some(dividend / divisor).filter(|ratio| ratio.is_finite())
}

/// A line through points, by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Regression {
    /// Pearson's correlation of the two coordinates, -1 to 1. None: one of them never changes.
    pub(super) correlation: Option<f64>,
    /// The root of the squared distances from the line over the points less two. None: fewer than
    /// three points.
    pub(super) standard_error: Option<f64>,
}

impl Regression {
    /// Through points. None: there are fewer than two, or all have the same first coordinate.
    pub(super) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let (x_mean, y_mean) = (mean(&xs)?, mean(&ys)?);
        let sum = |of: fn(f64, f64) -> f64| -> f64 {
            let terms = points.iter().map(|(x, y)| of(x - x_mean, y - y_mean));
            terms.sum()
        };
        let xx = sum(|x, _| x * x);
        let yy = sum(|_, y| y * y);
        let xy = sum(|x, y| x * y);
        if points.len() < 2 || xx <= 0.0 {
            return None;
        }
        let residual = (yy - xy * xy / xx).max(0.0);
        let freedom = points.len() as f64 - 2.0;
        let correlation = ratio(xy, (xx * yy).sqrt());
        Some(Self {
            correlation: correlation.map(|value| value.clamp(-1.0, 1.0)),
            standard_error: (freedom > 0.0).then(|| (residual / freedom).sqrt()),
        })
    }
}

/// The share of a normal distribution within so many standard deviations of its mean, 0 to 1:
/// Abramowitz and Stegun's approximation 7.1.26, exact to seven decimals.
pub(super) fn within(deviations: f64) -> f64 {
    const TERMS: [f64; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let x = deviations.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    1.0 - polynomial * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shares_of_a_normal_distribution_are_those_of_the_tables() {
        for (deviations, share) in [(0.0, 0.0), (1.0, 0.682_689_5), (-1.96, 0.950_004_2)] {
            assert!((within(deviations) - share).abs() < 3e-7, "{deviations}");
        }
        assert!((within(3.0) - 0.997_300_2).abs() < 3e-7);
    }

    #[test]
    fn a_regression_knows_its_line_and_what_is_off_it() {
        let straight = Regression::of(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert_eq!(straight.correlation, Some(1.0));
        assert_eq!(straight.standard_error, Some(0.0));
        // y = 1, 3, 2: mean 2, xx 2, yy 2, xy 1; residual 2 - 1/2 over one degree of freedom.
        let bent = Regression::of(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)]).unwrap();
        assert_eq!(bent.correlation, Some(0.5));
        assert_eq!(bent.standard_error, Some(1.5f64.sqrt()));
        let flat = Regression::of(&[(0.0, 1.0), (1.0, 1.0)]).unwrap();
        assert_eq!(flat.correlation, None);
        assert_eq!(flat.standard_error, None);
        assert_eq!(Regression::of(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    #[test]
    fn what_has_no_value_is_absent() {
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(0.0, 0.0), None);
        assert_eq!(mean(&[]), None);
        assert_eq!(deviation(&[1.0]), None);
        assert_eq!(deviation(&[1.0, 3.0]), Some(2.0f64.sqrt()));
    }
}
