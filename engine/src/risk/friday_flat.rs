//! The end of the week: from a time on Friday until Monday nothing is opened, and nothing is held.

use super::{DayTime, RiskRefused};
use mymt5_model::{BrokerTime, Weekday};

/// Refuses entries once the week is closed; what is open then is to be closed.
pub(super) fn check(from: DayTime, time: BrokerTime) -> Result<(), RiskRefused> {
    let (day, now) = DayTime::of(time);
    match day {
        Weekday::Saturday | Weekday::Sunday => Err(RiskRefused::FridayFlat),
        Weekday::Friday if now >= from => Err(RiskRefused::FridayFlat),
        _ => Ok(()),
    }
}
