//! Repeats become one message. Of each kind a few different alerts go out at once within a window;
//! what is beyond them, or says the same again, is counted, and told as one when the window is over.
//! What is more urgent than all that was told of the kind always goes out, and so does that a state is
//! over: after it the same is news again.

use super::alert::{Alert, Kind, Severity};
use mymt5_chassis::clock::rfc3339;
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
    /// The texts that went out since something was over.
    told: Vec<String>,
    highest: Severity,
    /// The last of the most urgent that were folded, and how many were.
    folded: Option<(Alert, u64)>,
    /// How things stand: the text that came last, folded or not.
    last: String,
}

impl Window {
    fn begun_by(alert: &Alert, now: UtcTime) -> Self {
        Self {
            since: now,
            told: vec![alert.text.clone()],
            highest: alert.severity,
            folded: None,
            last: alert.text.clone(),
        }
    }

    /// A clock that was set back ends it, too.
    fn is_over(&self, now: UtcTime, window_ms: i64) -> bool {
        !(0..window_ms).contains(&now.0.saturating_sub(self.since.0))
    }

    /// The alert, where it goes out at once.
    fn take(&mut self, alert: Alert) -> Option<Alert> {
        self.last.clone_from(&alert.text);
        if alert.is_end {
            self.told.clear();
            self.highest = alert.severity;
            return Some(alert);
        }
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
            let since = rfc3339(window.since.0);
            let worst = std::mem::take(&mut alert.text);
            let last = std::mem::take(&mut window.last);
            alert.text = format!("{count} more since {since}, such as: {worst}");
            if last != worst {
                alert.text += &format!("; the last: {last}");
            }
            *window = Window {
                since: now,
                told: vec![last.clone()],
                highest: alert.severity,
                folded: None,
                last,
            };
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
        let text = "9 more since 1970-01-01T00:00:00.000Z, such as: lost";
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
        assert!(
            out[0].text.ends_with("such as: as bad; the last: mild"),
            "{out:?}"
        );
    }

    fn back() -> Alert {
        Alert::end(Kind::Link, "back")
    }

    #[test]
    fn what_is_lost_again_after_it_was_back_is_told_again() {
        let mut folds = folds();
        let lost = || alert(Severity::Critical, "lost");
        for minute in [0, 2, 4] {
            assert_eq!(take(&mut folds, lost(), minute), ["lost"]);
            assert_eq!(take(&mut folds, back(), minute + 1), ["back"]);
        }
        assert!(folds.take(Vec::new(), UtcTime(60 * MINUTE)).is_empty());
    }

    #[test]
    fn that_something_is_over_is_never_folded_and_is_a_summarys_last_word() {
        let mut folds = folds();
        for n in 0..BURST {
            take(&mut folds, alert(Severity::Critical, &n.to_string()), 0);
        }
        assert!(take(&mut folds, alert(Severity::Critical, "lost"), 1).is_empty());
        assert_eq!(take(&mut folds, back(), 2), ["back"]);
        let out = folds.take(Vec::new(), UtcTime(10 * MINUTE));
        assert_eq!(out[0].severity, Severity::Critical);
        assert!(
            out[0].text.ends_with("such as: lost; the last: back"),
            "{out:?}"
        );
        // It is lost anew.
        let lost = alert(Severity::Critical, "lost");
        assert_eq!(take(&mut folds, lost, 11), ["lost"]);
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
