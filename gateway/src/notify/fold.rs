//! Repeats become one message. Of each kind a few different alerts go out at once within a window;
//! what is beyond them, or says the same again, is counted, and told as one when the window is over.
//! What is more urgent than all that was told of the kind always goes out.

use super::alert::{Alert, Kind, Severity, moment};
use mymt5_model::UtcTime;
use std::{collections::BTreeMap, time::Duration};

/// Alerts of a kind that go out at once within a window.
const BURST: usize = 5;

/// A kind, and of a client's own alerts its name: one client's flood folds no other's.
type Key = (Kind, String);

/// The windows that are open.
#[derive(Debug)]
pub(super) struct Folds {
    window_ms: i64,
    open: BTreeMap<Key, Window>,
}

#[derive(Debug)]
struct Window {
    since: UtcTime,
    /// The texts that went out.
    told: Vec<String>,
    highest: Severity,
    /// The last of the most urgent that were folded, and how many were.
    folded: Option<(Alert, u64)>,
}

impl Window {
    fn begun_by(alert: &Alert, now: UtcTime) -> Self {
        Self {
            since: now,
            told: vec![alert.text.clone()],
            highest: alert.severity,
            folded: None,
        }
    }

    /// A clock that was set back ends it, too.
    fn is_over(&self, now: UtcTime, window_ms: i64) -> bool {
        !(0..window_ms).contains(&now.0.saturating_sub(self.since.0))
    }

    /// The alert, where it goes out at once.
    fn take(&mut self, alert: Alert) -> Option<Alert> {
        let repeats = self.told.contains(&alert.text);
        let has_room = self.told.len() < BURST && !repeats;
        if has_room || alert.severity > self.highest {
            self.told.push(alert.text.clone());
            self.highest = self.highest.max(alert.severity);
            return Some(alert);
        }
        self.folded = Some(match self.folded.take() {
            Some((kept, count)) if kept.severity > alert.severity => (kept, count + 1),
            folded => (alert, folded.map_or(1, |(_, count)| count + 1)),
        });
        None
    }
}

impl Folds {
    /// With windows of that length.
    #[must_use]
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window_ms: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            open: BTreeMap::new(),
        }
    }

    /// Takes alerts; those that go out now, and before them what was folded in windows that are over.
    pub(super) fn take(&mut self, alerts: Vec<Alert>, now: UtcTime) -> Vec<Alert> {
        let mut out = self.due(now);
        for alert in alerts {
            let key = (alert.kind, alert.client.clone());
            match self.open.get_mut(&key) {
                Some(window) => out.extend(window.take(alert)),
                None => {
                    self.open.insert(key, Window::begun_by(&alert, now));
                    out.push(alert);
                }
            }
        }
        out
    }

    /// What was folded in windows that are over: each begins the next window of its kind.
    fn due(&mut self, now: UtcTime) -> Vec<Alert> {
        let mut out = Vec::new();
        let window_ms = self.window_ms;
        self.open.retain(|_, window| {
            if !window.is_over(now, window_ms) {
                return true;
            }
            let Some((mut alert, count)) = window.folded.take() else {
                return false;
            };
            let since = moment(window.since);
            *window = Window::begun_by(&alert, now);
            alert.text = format!("{count} more since {since}, such as: {}", alert.text);
            out.push(alert);
            true
        });
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: i64 = 60_000;

    fn alert(severity: Severity, text: &str) -> Alert {
        Alert::new(Kind::Link, severity, text)
    }

    fn folds() -> Folds {
        Folds::new(Duration::from_secs(600))
    }

    fn take(folds: &mut Folds, alert: Alert, minutes: i64) -> Vec<String> {
        let out = folds.take(vec![alert], UtcTime(minutes * MINUTE));
        out.into_iter().map(|alert| alert.text).collect()
    }

    #[test]
    fn repeats_are_told_as_one_when_the_window_is_over() {
        let mut folds = folds();
        let lost = || alert(Severity::Warning, "lost");
        assert_eq!(take(&mut folds, lost(), 0), ["lost"]);
        for minute in 1..=9 {
            assert!(take(&mut folds, lost(), minute).is_empty());
        }
        assert!(folds.take(Vec::new(), UtcTime(10 * MINUTE - 1)).is_empty());
        let told = folds.take(Vec::new(), UtcTime(10 * MINUTE));
        let text = "9 more since 1970-01-01 00:00:00 UTC, such as: lost";
        assert_eq!(told, [alert(Severity::Warning, text)]);
        // The next window has begun, and ends without a word.
        assert!(take(&mut folds, lost(), 11).is_empty());
        assert_eq!(folds.take(Vec::new(), UtcTime(20 * MINUTE)).len(), 1);
        assert!(folds.take(Vec::new(), UtcTime(30 * MINUTE)).is_empty());
        assert!(folds.open.is_empty());
        assert_eq!(take(&mut folds, lost(), 31), ["lost"]);
    }

    #[test]
    fn a_few_of_a_kind_go_out_at_once_and_the_rest_is_counted() {
        let mut folds = folds();
        let alerts = (0..20).map(|n| alert(Severity::Info, &n.to_string()));
        let out = folds.take(alerts.collect(), UtcTime(0));
        let texts: Vec<_> = out.iter().map(|alert| alert.text.as_str()).collect();
        assert_eq!(texts, ["0", "1", "2", "3", "4"]);
        let out = folds.take(Vec::new(), UtcTime(10 * MINUTE));
        assert!(out[0].text.starts_with("15 more since "), "{out:?}");
        assert!(out[0].text.ends_with("such as: 19"), "{out:?}");
    }

    #[test]
    fn what_is_more_urgent_goes_out_and_is_what_a_summary_quotes() {
        let mut folds = folds();
        for n in 0..9 {
            take(&mut folds, alert(Severity::Info, &n.to_string()), 0);
        }
        let critical = |text: &str| alert(Severity::Critical, text);
        assert_eq!(take(&mut folds, critical("worse"), 1), ["worse"]);
        assert!(take(&mut folds, critical("as bad"), 2).is_empty());
        assert!(take(&mut folds, alert(Severity::Info, "mild"), 3).is_empty());
        let out = folds.take(Vec::new(), UtcTime(10 * MINUTE));
        assert_eq!(out[0].severity, Severity::Critical);
        assert!(out[0].text.ends_with("such as: as bad"), "{out:?}");
    }

    #[test]
    fn kinds_and_clients_do_not_fold_each_other() {
        let mut folds = folds();
        let mut of = |kind, client: &str| {
            let mut alert = Alert::new(kind, Severity::Info, "same");
            alert.client = client.into();
            take(&mut folds, alert, 0).len()
        };
        assert_eq!(of(Kind::Link, ""), 1);
        assert_eq!(of(Kind::Order, ""), 1);
        assert_eq!(of(Kind::Raised, "a"), 1);
        assert_eq!(of(Kind::Raised, "b"), 1);
        assert_eq!(of(Kind::Raised, "a"), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing_folded() {
        let mut folds = folds();
        let lost = || alert(Severity::Warning, "lost");
        take(&mut folds, lost(), 1_000);
        take(&mut folds, lost(), 1_001);
        assert_eq!(folds.take(Vec::new(), UtcTime(0)).len(), 1);
    }
}
