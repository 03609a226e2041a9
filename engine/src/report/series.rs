//! The curve of the account: its days and its months.

use super::{
    calendar::{DAY_MS, Month, is_weekend},
    record::{Point, Record, Trade},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The balance after each trade.
pub(super) fn of_trades(initial: f64, trades: &[Trade]) -> Vec<Point> {
    let points = trades.iter().scan(initial, |balance, trade| {
        *balance += trade.net();
        Some(Point {
            time: trade.closed,
            balance: *balance,
            equity: None,
            paid_in: 0.0,
        })
    });
    points.collect()
}

/// True where every point has its equity.
pub(super) fn has_equity(series: &[Point]) -> bool {
    !series.is_empty() && series.iter().all(|point| point.equity.is_some())
}

/// Equity where it is known throughout, else the balance.
pub(super) fn curve(series: &[Point]) -> impl Iterator<Item = (Point, f64)> {
    let equity = has_equity(series);
    series.iter().map(move |point| {
        let value = if equity { point.equity } else { None };
        (*point, value.unwrap_or(point.balance))
    })
}

/// Points of which the last of a day, and of a month, is how that ended.
fn end_points(record: &Record) -> &[Point] {
    if record.days.is_empty() {
        &record.series
    } else {
        &record.days
    }
}

/// The gain of a span as a share of what it began with. What was paid in counts from the span's
/// beginning. None: it began with nothing.
fn gain(start: f64, end: f64, paid_in: f64) -> Option<f64> {
    let base = start + paid_in;
    (base > 0.0).then(|| (end - base) / base)
}

/// The gain of each weekday from the first to the last, 0.01 for one percent. A day without a point
/// has none; what happened at a weekend counts to the weekday after it.
pub(super) fn daily_gains(record: &Record) -> Vec<f64> {
    let mut gains = Vec::new();
    let mut ends: Vec<(i64, f64, f64)> = Vec::new();
    for (point, value) in curve(end_points(record)) {
        let mut day = point.time.0.div_euclid(DAY_MS);
        while is_weekend(day) {
            day += 1;
        }
        match ends.last_mut() {
            Some((of, end, paid_in)) if *of == day => {
                *end = value;
                *paid_in += point.paid_in;
            }
            _ => ends.push((day, value, point.paid_in)),
        }
    }
    let mut before: Option<(i64, f64)> = None;
    for (day, end, paid_in) in ends {
        let (last, start) = before.unwrap_or((day - 1, record.initial));
        let idle = (last + 1..day).filter(|day| !is_weekend(*day)).count();
        gains.extend(std::iter::repeat_n(0.0, idle));
        gains.extend(gain(start, end, paid_in));
        before = Some((day, end));
    }
    gains
}

/// The gains of a year, 0.01 for one percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Year {
    /// From January on. None: nothing is known of the month.
    pub months: [Option<f64>; 12],
    /// All of them, compounded.
    pub total: f64,
}

/// The gains of each year.
pub(super) fn years(record: &Record) -> BTreeMap<i16, Year> {
    let mut ends: Vec<(Month, f64, f64)> = Vec::new();
    for (point, value) in curve(end_points(record)) {
        let Some(month) = Month::of(point.time) else {
            continue;
        };
        match ends.last_mut() {
            Some((of, end, paid_in)) if *of == month => {
                *end = value;
                *paid_in += point.paid_in;
            }
            _ => ends.push((month, value, point.paid_in)),
        }
    }
    let mut years: BTreeMap<i16, Year> = BTreeMap::new();
    let mut start = record.initial;
    for (month, end, paid_in) in ends {
        let gain = gain(start, end, paid_in);
        let year = years.entry(month.year).or_default();
        year.months[month.month as usize - 1] = gain;
        year.total = (1.0 + year.total) * (1.0 + gain.unwrap_or_default()) - 1.0;
        start = end;
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_model::BrokerTime;

    // 2024-01-01, a Monday.
    const MONDAY: i64 = 1_704_067_200_000;

    fn points(points: &[(i64, f64, f64)]) -> Vec<Point> {
        let points = points.iter().map(|(day, balance, paid_in)| Point {
            time: BrokerTime(MONDAY + day * DAY_MS),
            balance: *balance,
            equity: None,
            paid_in: *paid_in,
        });
        points.collect()
    }

    fn record(series: &[(i64, f64, f64)]) -> Record {
        Record {
            initial: 100.0,
            series: points(series),
            ..Record::default()
        }
    }

    #[test]
    fn days_and_months_end_as_their_ends_tell_not_as_the_series_does() {
        // January ends on a Wednesday, after a fall that the series has and its end not.
        let mut record = record(&[(0, 110.0, 0.0), (30, 55.0, 0.0), (31, 130.0, 0.0)]);
        record.days = points(&[(0, 110.0, 0.0), (30, 121.0, 0.0), (31, 133.1, 0.0)]);
        let percent = |gain: f64| (gain * 100.0).round() as i64;
        let months = years(&record)[&2024].months;
        assert_eq!(months[0].map(percent), Some(21));
        assert_eq!(months[1].map(percent), Some(10));
        let gains: Vec<i64> = daily_gains(&record).into_iter().map(percent).collect();
        // The 21 weekdays between have no point.
        let mut expected = vec![0; 24];
        for day in [0, 22, 23] {
            expected[day] = 10;
        }
        assert_eq!(gains, expected);
    }

    #[test]
    fn days_between_trades_gain_nothing_and_weekends_are_no_days() {
        // Monday, Thursday, Saturday and Monday: the last two are one day.
        let gains = daily_gains(&record(&[
            (0, 110.0, 0.0),
            (3, 99.0, 0.0),
            (5, 105.0, 0.0),
            (7, 108.9, 0.0),
        ]));
        let rounded: Vec<i64> = gains
            .iter()
            .map(|gain| (gain * 1e6).round() as i64)
            .collect();
        assert_eq!(rounded, [100_000, 0, 0, -100_000, 0, 100_000]);
    }

    #[test]
    fn what_is_paid_in_is_no_gain() {
        let record = record(&[(0, 110.0, 0.0), (40, 220.0, 110.0), (41, 242.0, 0.0)]);
        let year = &years(&record)[&2024];
        let rounded = |gain: f64| (gain * 1e6).round();
        assert_eq!(year.months[0].map(rounded), Some(100_000.0));
        assert_eq!(year.months[1].map(rounded), Some(100_000.0));
        assert_eq!(year.months[2], None);
        assert_eq!(rounded(year.total), 210_000.0);
    }

    #[test]
    fn equity_counts_where_every_point_has_it() {
        let mut record = record(&[(0, 100.0, 0.0), (1, 100.0, 0.0)]);
        record.series[0].equity = Some(90.0);
        assert!(curve(&record.series).all(|(_, value)| value == 100.0));
        record.series[1].equity = Some(120.0);
        assert!(curve(&record.series).any(|(_, value)| value == 90.0));
    }
}
