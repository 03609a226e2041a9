//! Alerts that clients raise: so many of each within a minute, and each but once.

use mymt5_model::{ClientName, RequestId, UtcTime};
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
pub(super) struct Raised(BTreeMap<ClientName, VecDeque<(UtcTime, RequestId)>>);

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is told.
    New,
    /// It was told already.
    Repeat,
    /// There were too many: that long.
    Wait(Duration),
}

impl Raised {
    /// Takes an alert of a client, by its id.
    pub(super) fn admit(&mut self, client: &ClientName, id: &RequestId, now: UtcTime) -> Admission {
        let last = self.0.entry(client.clone()).or_default();
        if last.iter().any(|(_, known)| known == id) {
            return Admission::Repeat;
        }
        // A clock that was set back keeps nobody waiting for longer than a minute.
        let left = |at: &UtcTime| at.0.saturating_add(MINUTE_MS).saturating_sub(now.0);
        let recent = last
            .iter()
            .filter(|(at, _)| (1..=MINUTE_MS).contains(&left(at)));
        let recent: Vec<i64> = recent.map(|(at, _)| left(at)).collect();
        if recent.len() >= MOST {
            let soonest = recent.iter().min().copied().unwrap_or_default();
            return Admission::Wait(Duration::from_millis(u64::try_from(soonest).unwrap_or(0)));
        }
        last.push_back((now, id.clone()));
        if last.len() > REMEMBERED {
            last.pop_front();
        }
        Admission::New
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn admit(raised: &mut Raised, client: &str, id: usize, now: i64) -> Admission {
        let client = ClientName::parse(client).unwrap();
        let id = RequestId::parse(&format!("id-{id}")).unwrap();
        raised.admit(&client, &id, UtcTime(now))
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
    fn what_is_remembered_is_bounded() {
        let mut raised = Raised::default();
        for id in 0..1_000 {
            let now = i64::try_from(id).unwrap() * MINUTE_MS;
            assert_eq!(admit(&mut raised, "a", id, now), Admission::New);
        }
        assert_eq!(raised.0.values().next().unwrap().len(), REMEMBERED);
    }
}
