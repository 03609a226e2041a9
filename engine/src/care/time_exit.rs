//! Time exit: a trade that has not come to its end by then is closed, whatever the price.

use super::{Facts, keys};
use mymt5_chassis::loader::Section;

/// A position is closed after a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeExit {
    /// Minutes of the broker's clock from its opening on, 1 to 525600; hours without a market count.
    pub minutes: u32,
}

impl TimeExit {
    /// Reads its key. None: it is off, or there are faults.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let part = "time_exit.minutes";
        let minutes = keys::within(section, part, "1 to 525600 minutes", 1..=525_600)?;
        Some(Self { minutes })
    }

    pub(super) fn is_due(self, facts: &Facts<'_>) -> bool {
        let lasts = i64::from(self.minutes) * 60_000;
        let is_over = |since| facts.now.0.saturating_sub(since) >= lasts;
        facts.may_close && facts.since.is_some_and(|since| is_over(since.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{care::testing::facts, trader::tests::spec};
    use mymt5_model::{BrokerTime, Side};

    #[test]
    fn a_position_ends_with_its_last_minute() {
        let rule = TimeExit { minutes: 5 };
        let spec = spec();
        let mut facts = facts(&spec, Side::Buy, 100_000);
        facts.since = Some(BrokerTime(1_000));
        for (now, due) in [(1_000, false), (300_999, false), (301_000, true)] {
            facts.now = BrokerTime(now);
            assert_eq!(rule.is_due(&facts), due, "{now}");
        }
        facts.may_close = false;
        assert!(!rule.is_due(&facts), "it was just tried");
        facts.may_close = true;
        facts.since = None;
        assert!(!rule.is_due(&facts), "nothing is guessed");
    }
}
