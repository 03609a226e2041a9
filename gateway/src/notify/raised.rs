//! Alerts that clients raise: so many of each within a minute, and each but once. What is remembered is
//! bounded, and gone with the process.

use super::alert::Alert;
use mymt5_model::{ClientName, RequestId, UtcTime};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Alerts of a client within a minute.
const MOST: usize = 10;
const MINUTE_MS: i64 = 60_000;
/// Ids of a client's alerts that are remembered: a repeat of one of them is not told again.
const REMEMBERED: usize = 128;

/// The alerts that clients raised last.
#[derive(Debug, Default)]
pub(super) struct Raised(BTreeMap<ClientName, VecDeque<Known>>);

/// An alert that was taken.
#[derive(Debug)]
struct Known {
    at: UtcTime,
    id: RequestId,
    content: [u8; 32],
}

/// A client's request to raise an alert.
#[derive(Clone, Debug)]
pub struct Raise {
    /// Its id.
    pub id: RequestId,
    /// What it tells.
    pub alert: Alert,
    /// When it is too late for it; none: never.
    pub not_after: Option<UtcTime>,
}

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is told.
    New,
    /// It was told already.
    Repeat,
    /// Another one was told under its id.
    Mismatch,
    /// It came too late.
    Late,
    /// There were too many: that long.
    Wait(Duration),
}

impl Raised {
    /// Takes an alert of a client, by its id. A repeat is one however late it comes.
    pub(super) fn admit(&mut self, client: &ClientName, raise: &Raise, now: UtcTime) -> Admission {
        let last = self.0.entry(client.clone()).or_default();
        let content = content(&raise.alert);
        if let Some(known) = last.iter().find(|known| known.id == raise.id) {
            let repeats = known.content == content;
            return if repeats {
                Admission::Repeat
            } else {
                Admission::Mismatch
            };
        }
        if raise.not_after.is_some_and(|end| end < now) {
            return Admission::Late;
        }
        // A clock that was set back keeps nobody waiting for longer than a minute.
        let left = |at: &UtcTime| at.0.saturating_add(MINUTE_MS).saturating_sub(now.0);
        let recent = last
            .iter()
            .filter(|known| (1..=MINUTE_MS).contains(&left(&known.at)));
        let recent: Vec<i64> = recent.map(|known| left(&known.at)).collect();
        if recent.len() >= MOST {
            let soonest = recent.iter().min().copied().unwrap_or_default();
            return Admission::Wait(Duration::from_millis(u64::try_from(soonest).unwrap_or(0)));
        }
        last.push_back(Known {
            at: now,
            id: raise.id.clone(),
            content,
        });
        if last.len() > REMEMBERED {
            last.pop_front();
        }
        Admission::New
    }
}

/// What of an alert a repeat must have as well.
fn content(alert: &Alert) -> [u8; 32] {
    let urgency = Sha256::new_with_prefix(alert.severity.name());
    urgency.chain_update(&alert.text).finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notify::alert::{Kind, Severity};

    fn raise(id: usize, text: &str) -> Raise {
        Raise {
            id: RequestId::parse(&format!("id-{id}")).unwrap(),
            alert: Alert::new(Kind::Raised, Severity::Info, text),
            not_after: None,
        }
    }

    fn admit(raised: &mut Raised, client: &str, id: usize, now: i64) -> Admission {
        let client = ClientName::parse(client).unwrap();
        raised.admit(&client, &raise(id, "same"), UtcTime(now))
    }

    #[test]
    fn each_is_told_once_and_so_many_within_a_minute() {
        let mut raised = Raised::default();
        for id in 0..MOST {
            assert_eq!(admit(&mut raised, "a", id, 1_000), Admission::New);
            assert_eq!(admit(&mut raised, "a", id, 1_000), Admission::Repeat);
        }
        let wait = Admission::Wait(Duration::from_secs(59));
        assert_eq!(admit(&mut raised, "a", 99, 2_000), wait);
        assert_eq!(admit(&mut raised, "a", 3, 2_000), Admission::Repeat);
        assert_eq!(admit(&mut raised, "b", 99, 2_000), Admission::New);
        assert_eq!(admit(&mut raised, "a", 99, 61_000), Admission::New);
        assert_eq!(admit(&mut raised, "a", 3, 900_000), Admission::Repeat);
    }

    #[test]
    fn an_id_stands_for_one_content_and_a_repeat_is_never_late() {
        let mut raised = Raised::default();
        let client = ClientName::parse("a").unwrap();
        let mut until = |id, text: &str, end, now| {
            let raise = Raise {
                not_after: Some(UtcTime(end)),
                ..raise(id, text)
            };
            raised.admit(&client, &raise, UtcTime(now))
        };
        assert_eq!(until(1, "one", 10, 10), Admission::New);
        assert_eq!(until(1, "one", 10, 20), Admission::Repeat);
        assert_eq!(until(1, "two", 30, 20), Admission::Mismatch);
        assert_eq!(until(2, "two", 10, 20), Admission::Late);
        assert_eq!(until(2, "two", 30, 20), Admission::New);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut raised = Raised::default();
        for id in 0..1_000 {
            let now = i64::try_from(id).unwrap() * MINUTE_MS;
            assert_eq!(admit(&mut raised, "a", id, now), Admission::New);
        }
        assert_eq!(raised.0.values().next().unwrap().len(), REMEMBERED);
    }
}
