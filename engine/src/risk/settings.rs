//! `[risk]`: every rule reads its own keys.

use super::{
    cooldown::Cooldown,
    day_time::DayTime,
    holdings::Holdings,
    keys::{POINTS, count},
    losses,
    margin_use::MarginUse,
    news::Calendar,
    open_risk::OpenRisk,
    sessions::Sessions,
    sizing::Sizing,
    stop_distance::StopDistance,
};
use mymt5_chassis::loader::Section;
use mymt5_guard::{LossSettings, ResetHour};

/// What may be risked. None: that rule is off.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskSettings {
    /// The volume of an entry.
    pub sizing: Sizing,
    /// When a day of trading begins, by the broker's clock.
    pub reset_hour: ResetHour,
    /// The loss of a day and in total.
    pub losses: LossSettings,
    /// When entries may be made.
    pub sessions: Option<Sessions>,
    /// From then on, on Friday, nothing is held until Monday.
    pub friday_flat: Option<DayTime>,
    /// Releases around which nothing is opened.
    pub news: Option<Calendar>,
    /// How long to rest after losses in a row.
    pub cooldown: Option<Cooldown>,
    /// Most entries of a day.
    pub max_trades_per_day: Option<u32>,
    /// So many failed orders in a row end a day's entries.
    pub max_errors: Option<u32>,
    /// Largest spread, points.
    pub max_spread_points: Option<u32>,
    /// How near and how far a stop loss may be.
    pub stop_distance: StopDistance,
    /// How much may be held.
    pub holdings: Holdings,
    /// How much may be lost if all stops were hit.
    pub open_risk: OpenRisk,
    /// How much margin may be used.
    pub margin_use: Option<MarginUse>,
}

impl RiskSettings {
    /// Reads all keys. None: there were faults.
    pub fn read(section: &mut Section<'_>) -> Option<Self> {
        let reset_hour = section.or("reset_hour", "an hour, 0 to 23", ResetHour::default());
        let sizing = Sizing::read(section);
        Some(Self {
            reset_hour,
            losses: losses::read(section, reset_hour),
            sessions: Sessions::read(section),
            friday_flat: DayTime::read(section, "friday_flat"),
            news: Calendar::read(section),
            cooldown: Cooldown::read(section),
            max_trades_per_day: count(section, "max_trades_per_day"),
            max_errors: count(section, "max_errors"),
            max_spread_points: section.optional("max_spread_points", POINTS),
            stop_distance: StopDistance::read(section),
            holdings: Holdings::read(section),
            open_risk: OpenRisk::read(section),
            margin_use: MarginUse::read(section),
            sizing: sizing?,
        })
    }

    /// True when a rule must remember what happened before a restart.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.losses != LossSettings::default()
            || self.cooldown.is_some()
            || self.max_trades_per_day.is_some()
            || self.max_errors.is_some()
    }
}
