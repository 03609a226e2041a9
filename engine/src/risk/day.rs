//! What a day has room for: entries, and orders that fail in a row.

use super::{RiskRefused, memory::Memory};

/// Refuses one more entry than so many of a day.
pub(super) fn check_trades(most: Option<u32>, memory: &Memory) -> Result<(), RiskRefused> {
    match most {
        Some(most) if memory.trades >= most => Err(RiskRefused::TradesPerDay),
        _ => Ok(()),
    }
}

/// Refuses entries after so many failed orders in a row.
pub(super) fn check_errors(most: Option<u32>, memory: &Memory) -> Result<(), RiskRefused> {
    match most {
        Some(most) if memory.errors >= most => Err(RiskRefused::Errors),
        _ => Ok(()),
    }
}
