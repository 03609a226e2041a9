//! How near and how far a stop loss may be.

use super::{Entry, RiskRefused, keys::POINTS};
use mymt5_chassis::loader::Section;

/// From the opening price to the stop loss, points; either asks for a stop loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopDistance {
    /// At least.
    pub least: Option<u32>,
    /// At most.
    pub most: Option<u32>,
}

impl StopDistance {
    /// Reads both keys.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let least = section.optional("min_stop_distance_points", POINTS);
        let most = section.optional("max_stop_distance_points", POINTS);
        let range = Self { least, most };
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            section.reject(
                "min_stop_distance_points",
                "is more than max_stop_distance_points",
                "set it to at most max_stop_distance_points",
            );
        }
        range
    }

    pub(super) fn check(self, entry: &Entry<'_>) -> Result<(), RiskRefused> {
        if self == Self::default() {
            return Ok(());
        }
        let distance = entry.stop.ok_or(RiskRefused::StopMissing)?;
        let near = self.least.is_some_and(|least| distance < i64::from(least));
        let far = self.most.is_some_and(|most| distance > i64::from(most));
        if near || far {
            return Err(RiskRefused::StopDistance);
        }
        Ok(())
    }
}
