//! The past, in windows that the bridge can answer: one with too many rows is halved.

use super::{super::BrokerError, calls::ask, connection::Connection, rows::Listed, wire::Fields};
use mymt5_model::BrokerTime;
use serde_json::{json, value::RawValue};
use std::{sync::Arc, time::Duration};

/// Calls that one question may take: a million rows and more.
const CALLS: usize = 2_048;
/// Beyond the gateway's own clock no broker's clock shows, whole days in seconds.
const AHEAD: i64 = 2 * 86_400;

/// Whole seconds, both ends included, as the package takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// The seconds of `[from, to)`, cut to what can be. `now`: Unix milliseconds.
    pub(super) fn of(from: BrokerTime, to: BrokerTime, now: i64) -> Self {
        let latest = now.div_euclid(1_000) + AHEAD;
        // The package takes a date of 0 for none at all.
        let from = from.0.div_euclid(1_000).clamp(1, latest);
        let to = to.0.div_euclid(1_000).saturating_add(1).clamp(from, latest);
        Self { from, to }
    }

    /// Both halves; none of one second.
    fn halves(self) -> Option<(Self, Self)> {
        let middle = self.from + (self.to - self.from) / 2;
        (middle < self.to).then(|| {
            let (first, second) = (self.from, middle + 1);
            (
                Self {
                    from: first,
                    to: middle,
                },
                Self {
                    from: second,
                    to: self.to,
                },
            )
        })
    }
}

/// All rows of a window, in order; `read` takes those of one answer.
///
/// # Errors
/// The bridge did not answer, or there are too many rows.
pub(super) async fn read<T>(
    connection: &Arc<Connection>,
    call: &str,
    window: Window,
    timeout: Duration,
    read: impl Fn(&[&RawValue]) -> Listed<T>,
) -> Result<Listed<T>, BrokerError> {
    let mut left = vec![window];
    let mut all = Listed {
        rows: Vec::new(),
        unreadable: Vec::new(),
    };
    for _ in 0..CALLS {
        let Some(window) = left.pop() else {
            return Ok(all);
        };
        let args = json!({ "from": window.from, "to": window.to });
        let raw = ask(connection, call, &args, timeout).await?;
        let fields = Fields::of("history", &raw)?;
        if let Ok(rows) = fields.rows("rows") {
            let mut listed = read(&rows);
            all.rows.append(&mut listed.rows);
            all.unreadable.append(&mut listed.unreadable);
            continue;
        }
        fields.count("total")?;
        let (first, second) = window.halves().ok_or_else(too_many)?;
        left.extend([second, first]);
    }
    Err(too_many())
}

fn too_many() -> BrokerError {
    BrokerError::Unreachable(
        "the history has more rows in a second than can be read; look at it in the terminal".into(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_covers_its_span_and_nothing_impossible() {
        let now = 1_800_000_000_000;
        let window = |from, to| Window::of(BrokerTime(from), BrokerTime(to), now);
        assert_eq!(window(1_500, 2_001), Window { from: 1, to: 3 });
        let latest = 1_800_000_000 + AHEAD;
        assert_eq!(
            window(0, i64::MAX),
            Window {
                from: 1,
                to: latest
            }
        );
        assert_eq!(window(-5, 1), Window { from: 1, to: 1 });
        assert_eq!(window(9_000, 2_000), Window { from: 9, to: 9 });
    }

    proptest! {
        #[test]
        fn halves_cover_the_whole_without_overlap(from in 0i64..1_000_000, length in 0i64..1_000_000) {
            let whole = Window { from, to: from + length };
            match whole.halves() {
                Some((first, second)) => {
                    prop_assert_eq!((first.from, second.to), (whole.from, whole.to));
                    prop_assert_eq!(first.to + 1, second.from);
                    prop_assert!(first.from <= first.to && second.from <= second.to);
                }
                None => prop_assert_eq!(length, 0),
            }
        }
    }
}
