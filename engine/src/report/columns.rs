//! What a chart can show: of any number of samples, what falls into each column of pixels.

/// From when until when, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    /// The column of a time, of so many. None: outside.
    pub(super) fn column(self, time: i64, columns: usize) -> Option<usize> {
        if time < self.from || time > self.to || columns == 0 {
            return None;
        }
        let width = (i128::from(self.to) - i128::from(self.from)).max(1);
        let at = (i128::from(time) - i128::from(self.from)) * columns as i128 / width;
        usize::try_from(at).ok().map(|at| at.min(columns - 1))
    }
}

/// The samples of one column: the first, the lowest, the highest and the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) at: usize,
    pub(super) first: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) last: f64,
}

/// Samples in the order of time, by columns. Each extreme stays, columns without a sample are left
/// out, and so are samples that are no finite numbers or outside the span.
pub(super) fn columns(
    samples: impl IntoIterator<Item = (i64, f64)>,
    span: Span,
    count: usize,
) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (time, value) in samples {
        let Some(at) = span.column(time, count).filter(|_| value.is_finite()) else {
            continue;
        };
        match columns.last_mut() {
            Some(column) if column.at == at => {
                column.low = column.low.min(value);
                column.high = column.high.max(value);
                column.last = value;
            }
            _ => columns.push(Column {
                at,
                first: value,
                low: value,
                high: value,
                last: value,
            }),
        }
    }
    columns
}

/// The highest level within each column, of a level that begins at 0 and changes by so much at each
/// of these times, which are in order.
pub(super) fn peaks(changes: &[(i64, f64)], span: Span, count: usize) -> Vec<f64> {
    let mut level = 0.0;
    let mut peaks: Vec<f64> = Vec::with_capacity(count);
    for (time, change) in changes {
        let Some(at) = span.column(*time, count) else {
            continue;
        };
        while peaks.len() <= at {
            peaks.push(level);
        }
        level += change;
        if let Some(peak) = peaks.last_mut() {
            *peak = peak.max(level);
        }
    }
    peaks.resize(count, level);
    peaks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span { from: 0, to: 99 };

    #[test]
    fn a_column_keeps_its_extremes() {
        let samples = [(0, 5.0), (1, 9.0), (2, 1.0), (3, 4.0), (98, 7.0), (99, 8.0)];
        let columns = columns(samples, SPAN, 2);
        let first = columns[0];
        assert_eq!(
            (first.first, first.low, first.high, first.last),
            (5.0, 1.0, 9.0, 4.0)
        );
        assert_eq!(columns[1].at, 1);
        assert_eq!(columns.len(), 2);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let samples = [(-1, 1.0), (5, f64::NAN), (6, f64::INFINITY), (100, 1.0)];
        assert!(columns(samples, SPAN, 10).is_empty());
        assert_eq!(SPAN.column(5, 0), None);
        let instant = Span { from: 7, to: 7 };
        assert_eq!(instant.column(7, 10), Some(0));
    }

    #[test]
    fn a_level_lasts_until_it_changes() {
        let changes = [(10, 1.0), (15, 2.0), (16, -3.0), (70, 0.5)];
        assert_eq!(
            peaks(&changes, SPAN, 10),
            [0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5]
        );
        assert_eq!(peaks(&[], SPAN, 3), [0.0; 3]);
    }

    proptest! {
        #[test]
        fn any_number_of_samples_fits_and_no_extreme_is_lost(
            values in prop::collection::vec(-1e6f64..1e6, 1..500),
            count in 1usize..50,
        ) {
            let samples = values.iter().enumerate().map(|(at, value)| (at as i64, *value));
            let span = Span { from: 0, to: values.len() as i64 - 1 };
            let columns = columns(samples, span, count);
            prop_assert!(columns.len() <= count);
            prop_assert!(columns.windows(2).all(|pair| pair[0].at < pair[1].at));
            let low = columns.iter().map(|column| column.low).fold(f64::MAX, f64::min);
            let high = columns.iter().map(|column| column.high).fold(f64::MIN, f64::max);
            prop_assert_eq!(low, values.iter().copied().fold(f64::MAX, f64::min));
            prop_assert_eq!(high, values.iter().copied().fold(f64::MIN, f64::max));
        }
    }
}
