//! The spread.

use super::{Entry, RiskRefused};

/// Refuses an entry while the spread is wider than so many points.
pub(super) fn check(most: Option<u32>, entry: &Entry<'_>) -> Result<(), RiskRefused> {
    match most {
        Some(most) if entry.spread > i64::from(most) => Err(RiskRefused::Spread),
        _ => Ok(()),
    }
}
