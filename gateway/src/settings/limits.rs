//! `[limits]` of the account and `[clients.NAME.limits]`: the same keys, and one ceiling of risk.

use mymt5_chassis::loader::Reader;
use mymt5_guard::Percent;

/// The key of `RISK_MAX_PER_TRADE`.
pub(super) const RISK_CEILING: &str = "risk.max_per_trade";
const PERCENT: &str = "a percentage above 0 and at most 100";

/// The most that any trade of anybody may lose at its stop loss, of equity.
pub(super) fn risk_ceiling(reader: &mut Reader) -> Option<Percent> {
    reader.optional(RISK_CEILING, PERCENT)
}

#[cfg(test)]
mod tests;
