//! What part of the allowed risk a strategy takes.

use mymt5_chassis::loader::Section;

/// What one trade of a strategy may lose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// That percentage of what the engine's risk allows; above 0, at most 100.
    Share(f64),
    /// That percentage of equity; above 0, at most what the engine's risk allows.
    Own(f64),
}

impl Budget {
    /// All that the engine's risk allows.
    pub const WHOLE: Self = Self::Share(100.0);

    /// Reads its keys.
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        const PERCENT: &str = "a percentage above 0 and at most 100";
        let share: Option<f64> = section.optional("risk_share", PERCENT);
        let own: Option<f64> = section.optional("max_per_trade", PERCENT);
        let is_percentage = |percent: f64| percent > 0.0 && percent <= 100.0;
        if share.is_some_and(|share| !is_percentage(share)) {
            section.reject(
                "risk_share",
                "is out of range",
                format!("set it to {PERCENT}, of risk.max_per_trade"),
            );
        }
        if own.is_some_and(|own| !is_percentage(own)) {
            section.reject(
                "max_per_trade",
                "is out of range",
                format!("set it to {PERCENT}, of equity"),
            );
        }
        match (share, own) {
            (Some(_), Some(_)) => {
                section.reject(
                    "risk_share",
                    "stands beside max_per_trade",
                    "remove one of both",
                );
                Self::WHOLE
            }
            (Some(share), None) => Self::Share(share),
            (None, Some(own)) => Self::Own(own),
            (None, None) => Self::WHOLE,
        }
    }
}
