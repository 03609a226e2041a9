//! A rest after losses in a row.

use super::{RiskRefused, keys, memory::Memory};
use mymt5_chassis::loader::Section;
use mymt5_model::BrokerTime;

/// So many losses in a row hold entries back for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// Losing trades in a row, above 0.
    pub losses: u32,
    /// Minutes after the last of them.
    pub minutes: u32,
}

impl Cooldown {
    /// Reads both keys, of which none stands without the other.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let losses = keys::count(section, "cooldown.losses");
        let minutes = keys::count(section, "cooldown.minutes");
        if losses.is_some() != minutes.is_some() {
            section.reject(
                "cooldown",
                "has only one of losses and minutes",
                "set both or neither",
            );
        }
        Some(Self {
            losses: losses?,
            minutes: minutes?,
        })
    }

    pub(super) fn check(self, memory: &Memory, now: BrokerTime) -> Result<(), RiskRefused> {
        let Some(last) = memory.last_loss else {
            return Ok(());
        };
        let over = last.0.saturating_add(i64::from(self.minutes) * 60_000);
        if memory.losses_in_a_row >= self.losses && now.0 < over {
            return Err(RiskRefused::Cooldown);
        }
        Ok(())
    }
}
