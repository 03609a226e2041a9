//! The parts of a chart: its frame, its axes and its lines, as SVG within a page. Colours come from
//! the page's style, so that they follow light, dark and print.

use super::{
    calendar::{DAY_MS, Month, civil},
    columns::{Column, Span},
    text::{escape, number},
};
use mymt5_model::BrokerTime;
use std::fmt::Write;

/// Width of a chart, in its own units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// Columns that a chart can tell apart.
pub(super) const COLUMNS: usize = 878;

/// The plane of a chart: how its values become places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    height: f64,
    low: f64,
    high: f64,
}

impl Plane {
    /// A plane of that height which holds values from `low` to `high`, and a little more.
    pub(super) fn new(height: f64, low: f64, high: f64) -> Self {
        let finite = low.is_finite() && high.is_finite() && low <= high;
        let (low, high) = if finite { (low, high) } else { (0.0, 1.0) };
        let margin = (high - low) * 0.04;
        let flat = if margin > 0.0 {
            0.0
        } else {
            high.abs().max(1.0) * 0.01
        };
        Self {
            height,
            low: low - margin - flat,
            high: high + margin + flat,
        }
    }

    /// The same, without a margin below 0 or above it: 0 is its edge.
    pub(super) fn from_zero(height: f64, low: f64, high: f64) -> Self {
        let plane = Self::new(height, low, high);
        Self {
            low: if low < 0.0 { plane.low } else { 0.0 },
            high: if high > 0.0 || low >= 0.0 {
                plane.high
            } else {
                0.0
            },
            ..plane
        }
    }

    /// Where a value is, from the top.
    pub(super) fn y(&self, value: f64) -> f64 {
        let height = self.height - TOP - BOTTOM;
        TOP + (self.high - value) / (self.high - self.low) * height
    }

    /// Where a column is, from the left.
    pub(super) fn x(column: usize) -> f64 {
        LEFT + column as f64
    }

    /// Where a share of the width is, from the left.
    pub(super) fn x_share(share: f64) -> f64 {
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }
}

/// A chart under construction.
pub(super) struct Chart {
    plane: Plane,
    body: String,
}

impl Chart {
    /// Begins with horizontal lines at round values, each with its name.
    pub(super) fn new(plane: Plane, name: impl Fn(f64, usize) -> String) -> Self {
        let mut chart = Self {
            plane,
            body: String::new(),
        };
        let (ticks, decimals) = ticks(plane.low, plane.high, plane.height / 48.0);
        for tick in ticks {
            let y = plane.y(tick);
            let class = if tick == 0.0 { "zero" } else { "grid" };
            let right = WIDTH - RIGHT;
            chart.add(&format!(
                "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{right}\"/>"
            ));
            let label = escape(&name(tick, decimals));
            let (x, y) = (LEFT - 8.0, y + 4.0);
            chart.add(&format!(
                "<text class=\"y\" x=\"{x}\" y=\"{y:.1}\">{label}</text>"
            ));
        }
        chart
    }

    /// Adds the names of times below.
    pub(super) fn times(&mut self, span: Span) {
        for (time, name) in time_ticks(span) {
            let Some(column) = span.column(time, COLUMNS) else {
                continue;
            };
            self.name_below(Plane::x(column), &name);
        }
    }

    /// Adds a name below a place.
    pub(super) fn name_below(&mut self, x: f64, name: &str) {
        let (line, text) = (self.plane.height - BOTTOM, self.plane.height - 8.0);
        let mark = line + 4.0;
        self.add(&format!(
            "<path class=\"zero\" d=\"M{x:.1} {line}V{mark}\"/>"
        ));
        let name = escape(name);
        self.add(&format!(
            "<text class=\"x\" x=\"{x:.1}\" y=\"{text}\">{name}</text>"
        ));
    }

    /// Adds a piece of SVG.
    pub(super) fn add(&mut self, piece: &str) {
        self.body.push_str(piece);
        self.body.push('\n');
    }

    /// Adds a path of that class.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            self.add(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// Adds the line of columns: within each from the first over both extremes to the last, and
    /// level until the next, as an account is.
    pub(super) fn line(&mut self, class: &str, columns: &[Column]) {
        let mut path = String::new();
        for column in columns {
            let x = Plane::x(column.at);
            let y = self.plane.y(column.first);
            let _ = if path.is_empty() {
                write!(path, "M{x:.0} {y:.1}")
            } else {
                write!(path, "H{x:.0}V{y:.1}")
            };
            let mut at = column.first;
            for value in [column.low, column.high, column.last] {
                if value != at {
                    let _ = write!(path, "V{:.1}", self.plane.y(value));
                    at = value;
                }
            }
        }
        self.path(class, &path);
    }

    /// Adds the area between columns of values and 0.
    pub(super) fn area(&mut self, class: &str, values: &[(usize, f64)]) {
        let (Some((first, _)), Some((last, _))) = (values.first(), values.last()) else {
            return;
        };
        let zero = self.plane.y(0.0);
        let mut path = format!("M{:.0} {zero:.1}", Plane::x(*first));
        for (at, value) in values {
            let (x, y) = (Plane::x(*at), self.plane.y(*value));
            let _ = write!(path, "H{x:.0}V{y:.1}");
        }
        let _ = write!(path, "H{:.0}V{zero:.1}Z", Plane::x(*last) + 1.0);
        self.path(class, &path);
    }

    /// Adds the band between the lowest and the highest of each column.
    pub(super) fn band(&mut self, class: &str, columns: &[Column]) {
        let mut path = String::new();
        for column in columns {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (x, y) = (Plane::x(column.at), self.plane.y(column.high));
            let _ = write!(path, "{command}{x:.0} {y:.1}");
        }
        for column in columns.iter().rev() {
            let (x, y) = (Plane::x(column.at), self.plane.y(column.low));
            let _ = write!(path, "L{x:.0} {y:.1}");
        }
        if !path.is_empty() {
            path.push('Z');
        }
        self.path(class, &path);
    }

    /// The finished chart, with its name and what it shows for those who cannot see it.
    pub(super) fn finish(self, id: &str, title: &str, description: &str) -> String {
        let Self { plane, body } = self;
        let (height, title, description) = (plane.height, escape(title), escape(description));
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n{body}</svg>\n"
        )
    }
}

/// At most so many round values between two, and the decimals that they need.
pub(super) fn ticks(low: f64, high: f64, most: f64) -> (Vec<f64>, usize) {
    let rough = (high - low) / most.max(1.0);
    let power = 10f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = factors.iter().find(|factor| *factor * power >= rough);
    let step = step.unwrap_or(&10.0) * power;
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first).clamp(0.0, 50.0) as i64;
    let ticks = (0..=count).map(|at| (first + at as f64) * step);
    let decimals = (0..=8).find(|decimals| {
        let shown = step * 10f64.powi(*decimals);
        (shown - shown.round()).abs() < 1e-6 * shown
    });
    (ticks.collect(), decimals.unwrap_or(8) as usize)
}

/// The name of a round number.
pub(super) fn plain(value: f64, decimals: usize) -> String {
    number(value, decimals)
}

/// Some round times within a span, and their names.
fn time_ticks(span: Span) -> Vec<(i64, String)> {
    const MOST: i64 = 11;
    const MONTH_MS: i64 = 31 * DAY_MS;
    let width = span.to.saturating_sub(span.from);
    let months = [1, 2, 3, 6, 12, 24, 60, 120];
    let step = months
        .iter()
        .find(|months| width / (i64::from(**months) * MONTH_MS) < MOST);
    if width >= 3 * MONTH_MS
        && let Some(step) = step
    {
        return month_ticks(span, *step);
    }
    let hour = DAY_MS / 24;
    let steps = [
        hour,
        3 * hour,
        6 * hour,
        12 * hour,
        DAY_MS,
        2 * DAY_MS,
        5 * DAY_MS,
    ];
    let step = steps.iter().find(|step| width / **step < MOST);
    let step = step.copied().unwrap_or(10 * DAY_MS);
    let format = if step < DAY_MS {
        "%m-%d %H:%M"
    } else {
        "%Y-%m-%d"
    };
    let first = span.from.div_euclid(step) + 1;
    (0..MOST)
        .map(|at| (first + at) * step)
        .filter_map(|time| {
            let at = civil(BrokerTime(time))?;
            Some((time, at.strftime(format).to_string()))
        })
        .collect()
}

fn month_ticks(span: Span, step: i32) -> Vec<(i64, String)> {
    let Some(begin) = Month::of(BrokerTime(span.from)) else {
        return Vec::new();
    };
    let count = i32::from(begin.year) * 12 + i32::from(begin.month) - 1;
    let to_first = (step - count.rem_euclid(step)) % step;
    (0..20)
        .map(|at| begin.later(to_first + at * step))
        .filter_map(|month| {
            let name = if step >= 12 {
                month.year.to_string()
            } else {
                format!("{}-{:02}", month.year, month.month)
            };
            Some((month.start()?.0, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.3, 9.7, 5.0), (vec![2.0, 4.0, 6.0, 8.0], 0));
        let (prices, decimals) = ticks(1.081, 1.0845, 4.0);
        assert_eq!((prices.len(), decimals), (4, 3));
        assert_eq!(ticks(-1.0, 1.0, 4.0).0, [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert!(ticks(5.0, 5.0, 4.0).0.len() <= 51);
    }

    #[test]
    fn times_are_named_by_their_span() {
        let year = 365 * DAY_MS;
        let from = 1_353_042_000_000;
        let named = |width: i64| {
            let span = Span {
                from,
                to: from + width,
            };
            let inside = |(time, _): &(i64, String)| span.column(*time, 2).is_some();
            let ticks: Vec<_> = time_ticks(span).into_iter().filter(inside).collect();
            assert!((2..=12).contains(&ticks.len()), "{width}: {ticks:?}");
            ticks[0].1.clone()
        };
        assert_eq!(named(10 * year), "2013");
        assert_eq!(named(year), "2013-01");
        assert_eq!(named(40 * DAY_MS), "2012-11-21");
        assert_eq!(named(DAY_MS), "11-16 06:00");
    }

    #[test]
    fn a_flat_line_has_a_plane() {
        let plane = Plane::new(100.0, 5.0, 5.0);
        assert!(plane.y(5.0).is_finite());
        assert!(Plane::new(100.0, f64::NAN, 1.0).y(0.5).is_finite());
        assert_eq!(Plane::from_zero(100.0, 0.0, 0.0).y(0.0), 100.0 - BOTTOM);
        assert_eq!(Plane::from_zero(100.0, -1.0, 0.0).y(0.0), TOP);
    }
}
