//! The header of an export and the reading of its fields: bytes to numbers, without strings in
//! between.

use mymt5_model::{BrokerTime, Price};

/// Most columns of an export.
const MOST: usize = 32;

/// The column separator and which of the named columns is where.
pub(super) struct Columns<const N: usize> {
    separator: u8,
    /// For each column of the file up to the last that is named, its name's number.
    named: Vec<Option<usize>>,
}

impl<const N: usize> Columns<N> {
    /// Reads a header such as `<DATE>,<TIME>,<BID>`; brackets and case do not matter.
    pub(super) fn parse(header: &[u8], names: [&str; N]) -> Self {
        let separator = if header.contains(&b'\t') { b'\t' } else { b',' };
        let bare = |field: &[u8]| {
            let field = field.trim_ascii();
            let field = field.strip_prefix(b"<").unwrap_or(field);
            field
                .strip_suffix(b">")
                .unwrap_or(field)
                .to_ascii_uppercase()
        };
        let fields: Vec<Vec<u8>> = header.split(|b| *b == separator).map(bare).collect();
        let mut named = Vec::new();
        for (column, name) in names.iter().enumerate() {
            let place = fields.iter().take(MOST).position(|f| f == name.as_bytes());
            if let Some(place) = place {
                named.resize(named.len().max(place + 1), None);
                named[place] = Some(column);
            }
        }
        Self { separator, named }
    }

    /// Whether the file has that column.
    pub(super) fn has(&self, column: usize) -> bool {
        self.named.contains(&Some(column))
    }

    /// The fields of a line in the order of the names; missing ones are empty.
    pub(super) fn split<'a>(&self, line: &'a [u8]) -> [&'a [u8]; N] {
        let mut fields: [&[u8]; N] = [&[]; N];
        let mut rest = line;
        for name in &self.named {
            let end = rest.iter().position(|byte| *byte == self.separator);
            let (field, next) = rest.split_at(end.unwrap_or(rest.len()));
            if let Some(column) = name {
                fields[*column] = field.trim_ascii();
            }
            // Without the separator; nothing follows the last field.
            rest = next.get(1..).unwrap_or_default();
        }
        fields
    }
}

/// A whole number; none for anything else.
pub(super) fn whole(field: &[u8]) -> Option<u64> {
    if field.is_empty() || field.len() > 18 {
        return None;
    }
    field.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

/// A price above zero of at most so many decimals (zeros beyond them do not count).
pub(super) fn price(field: &[u8], digits: u8) -> Option<Price> {
    if field.len() > 24 {
        return None;
    }
    let point = field.iter().position(|byte| *byte == b'.');
    let whole = &field[..point.unwrap_or(field.len())];
    let part = point.map_or(&[][..], |at| &field[at + 1..]);
    let (part, beyond) = part.split_at(part.len().min(digits.into()));
    if beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let points = whole.iter().chain(part).try_fold(0i64, |points, byte| {
        let digit = byte.wrapping_sub(b'0');
        let more = points.checked_mul(10)?.checked_add(i64::from(digit));
        more.filter(|_| digit < 10)
    })?;
    let missing = u32::from(digits) - part.len() as u32;
    let points = points.checked_mul(10i64.pow(missing))?;
    (points > 0).then(|| Price::from_points(points, digits))
}

/// How many digits a price has after its point; none: it is blank.
pub(super) fn decimals(field: &[u8]) -> Option<u8> {
    if field.is_empty() {
        return None;
    }
    let point = field.iter().position(|byte| *byte == b'.');
    let digits = point.map_or(0, |at| field.len() - at - 1);
    u8::try_from(digits).ok()
}

/// A number of any form that a double may have, at least 0.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// Date and time of the broker's wall clock; remembers the day, which seldom changes.
#[derive(Default)]
pub(super) struct Clock {
    date: [u8; 10],
    day_ms: i64,
}

impl Clock {
    /// `2020.01.30` (or with `-` or `/`) and `15:28`, `15:28:09` or `15:28:09.820`; no time means
    /// midnight.
    pub(super) fn read(&mut self, date: &[u8], time: &[u8]) -> Option<BrokerTime> {
        if date != self.date {
            let date: [u8; 10] = date.try_into().ok()?;
            self.day_ms = day(&date)? * 86_400_000;
            self.date = date;
        }
        Some(BrokerTime(self.day_ms + time_of_day(time)?))
    }
}

/// Days since 1970-01-01.
fn day(date: &[u8; 10]) -> Option<i64> {
    let separated = date[4] == date[7] && matches!(date[4], b'.' | b'-' | b'/');
    let number = |part: &[u8]| whole(part).map(|n| n as i64);
    let (y, m, d) = (
        number(&date[..4])?,
        number(&date[5..7])?,
        number(&date[8..])?,
    );
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let length = match m {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !separated || !(1..=length).contains(&d) {
        return None;
    }
    // Years that begin in March put the leap day last.
    let (years, months) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
    let leap_days = years / 4 - years / 100 + years / 400;
    Some(years * 365 + leap_days + (months * 153 + 2) / 5 + d - 1 - 719_468)
}

/// Milliseconds since midnight.
fn time_of_day(time: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, rest @ ..] = time else {
        return time.is_empty().then_some(0);
    };
    let two = |tens: &u8, ones: &u8| whole(&[*tens, *ones]);
    let h = two(h1, h2)?;
    let m = two(m1, m2)?;
    let (s, ms) = match rest {
        [] => (0, 0),
        [b':', s1, s2] => (two(s1, s2)?, 0),
        [b':', s1, s2, b'.', ms @ ..] if ms.len() <= 3 => {
            let scale = 10u64.pow(3 - ms.len() as u32);
            (two(s1, s2)?, whole(ms)? * scale)
        }
        _ => return None,
    };
    let of_day = ((h * 60 + m) * 60 + s) * 1000 + ms;
    (h < 24 && m < 60 && s < 60).then_some(of_day as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_prices_of_the_symbols_digits_only() {
        let points = |text: &str, digits| price(text.as_bytes(), digits).map(Price::points);
        assert_eq!(points("0.67067", 5), Some(67_067));
        assert_eq!(points("0.6700", 5), Some(67_000));
        assert_eq!(points("150", 3), Some(150_000));
        assert_eq!(points("4712.5700", 2), Some(471_257));
        for bad in [
            "",
            "0",
            "0.00000",
            "-1",
            "1e3",
            "1.2.3",
            "0.670671",
            "1,2",
            "99999999999999999999",
        ] {
            assert_eq!(points(bad, 5), None, "{bad}");
        }
    }

    #[test]
    fn reads_times() {
        let read = |date: &str, time: &str| {
            Clock::default()
                .read(date.as_bytes(), time.as_bytes())
                .map(|t| t.0)
        };
        assert_eq!(read("2020.01.30", "15:28:09.820"), Some(1_580_398_089_820));
        assert_eq!(read("2020-01-30", "15:28:09"), Some(1_580_398_089_000));
        assert_eq!(read("2020/01/30", "15:28"), Some(1_580_398_080_000));
        assert_eq!(read("2020.01.30", ""), Some(1_580_342_400_000));
        for (date, time) in [
            ("2020.02.30", "00:00"),
            ("2019.02.29", "00:00"),
            ("2020.13.01", "00:00"),
            ("2020.1.30", "00:00"),
            ("2020.01-30", "00:00"),
            ("", "00:00"),
            ("2020.01.30", "24:00"),
            ("2020.01.30", "12:60"),
            ("2020.01.30", "12-00"),
            ("2020.01.30", "1:00:00"),
            ("2020.01.30", "12:00:00.1234"),
        ] {
            assert_eq!(read(date, time), None, "{date} {time}");
        }
    }

    proptest! {
        #[test]
        fn days_agree_with_the_calendar(days in -25_000i64..80_000) {
            let date = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().days(days))
                .map(|d| format!("{:04}.{:02}.{:02}", d.year(), d.month(), d.day()));
            let date = date.unwrap_or_default();
            let read = Clock::default().read(date.as_bytes(), b"00:00");
            prop_assert_eq!(read, Some(BrokerTime(days * 86_400_000)));
        }
    }
}
