//! How a picture looks, and how it writes times, bars and names.

use mymt5_chassis::clock;
use ratatui::style::Style;

/// How a picture looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The time, in milliseconds UTC.
    pub now_ms: i64,
    /// Nothing but ASCII.
    pub ascii: bool,
}

impl Look {
    /// Letters of a bar.
    const BAR: usize = 10;

    /// How long ago that was, in milliseconds UTC.
    pub(super) fn age(self, at_ms: i64) -> String {
        let seconds = self.now_ms.saturating_sub(at_ms).max(0) as f64 / 1_000.0;
        if seconds < 100.0 {
            format!("{seconds:.1} s")
        } else if seconds < 6_000.0 {
            format!("{:.0} min", seconds / 60.0)
        } else {
            format!("{:.0} h", seconds / 3_600.0)
        }
    }

    /// A share of 0 to 1 as a bar.
    pub(super) fn bar(self, share: f64) -> String {
        let full = (share.clamp(0.0, 1.0) * Self::BAR as f64).round() as usize;
        let (on, off) = if self.ascii {
            ("#", ".")
        } else {
            ("█", "░")
        };
        on.repeat(full) + &off.repeat(Self::BAR - full)
    }

    /// A text that has so many letters at most; where some are left out it ends in a mark.
    pub(super) fn cut(self, text: &str, most: usize) -> String {
        if text.chars().count() <= most {
            return text.to_owned();
        }
        let mark = if self.ascii { '~' } else { '…' };
        let kept = text.chars().take(most.saturating_sub(1));
        kept.chain([mark]).collect()
    }
}

/// `23:59:59` of `2026-01-31T23:59:59.999Z`.
pub(super) fn time_of_day(ms: i64) -> String {
    clock::rfc3339(ms).chars().skip(11).take(8).collect()
}

/// A name without what all of its kind begin with.
pub(super) fn short<'a>(name: &'a str, kind: &str) -> &'a str {
    name.strip_prefix(kind).unwrap_or(name)
}

/// Marks what stands in the way.
pub(super) fn mark(is_alert: bool) -> Style {
    if is_alert {
        Style::new().red().bold()
    } else {
        Style::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_bars_and_cuts_are_short() {
        let look = Look {
            now_ms: 100_000_000,
            ascii: false,
        };
        assert_eq!(look.age(99_999_600), "0.4 s");
        assert_eq!(look.age(100_000_001), "0.0 s", "a clock that is ahead");
        assert_eq!(look.age(99_400_000), "10 min");
        assert_eq!(look.age(0), "28 h");
        assert_eq!(look.bar(0.25), "███░░░░░░░");
        assert_eq!(look.bar(7.0), "█".repeat(10));
        assert_eq!(look.bar(f64::NAN), "░".repeat(10));
        assert_eq!(look.cut("LIMIT_LOTS", 7), "LIMIT_…");
        assert_eq!(look.cut("LOTS", 4), "LOTS");
        let ascii = Look {
            ascii: true,
            ..look
        };
        assert_eq!(ascii.bar(0.25), "###.......");
        assert_eq!(ascii.cut("LIMIT_LOTS", 7), "LIMIT_~");
        assert_eq!(time_of_day(1_000), "00:00:01");
    }
}
