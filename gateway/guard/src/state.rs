//! Trading state x action: the table that says who may still do what.

use serde::{Deserialize, Serialize};

/// Whether new risk may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingState {
    /// Everything.
    Active,
    /// Only what lowers risk.
    Reducing,
    /// As reducing, and latched: only an operator resumes.
    Halted,
}

/// What a call wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open a position or add to one.
    Open,
    /// Cancel a working order.
    Cancel,
    /// Reduce a named position.
    Exit,
    /// Move a stop loss nearer to the market.
    TightenStop,
    /// Move a stop loss away from the market, or remove it.
    LoosenStop,
}

impl TradingState {
    /// The table.
    #[must_use]
    pub const fn allows(self, action: Action) -> bool {
        match (self, action) {
            (Self::Active, _) | (_, Action::Cancel | Action::Exit | Action::TightenStop) => true,
            (Self::Reducing | Self::Halted, Action::Open | Action::LoosenStop) => false,
        }
    }

    /// The stricter of two states: a client is bound by its own and by the account's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_state_adds_risk() {
        use Action::{Cancel, Exit, LoosenStop, Open, TightenStop};
        for state in [
            TradingState::Active,
            TradingState::Reducing,
            TradingState::Halted,
        ] {
            assert!(
                [Cancel, Exit, TightenStop]
                    .into_iter()
                    .all(|action| state.allows(action))
            );
            let active = state == TradingState::Active;
            assert!(
                [Open, LoosenStop]
                    .into_iter()
                    .all(|action| state.allows(action) == active)
            );
        }
    }

    #[test]
    fn the_stricter_state_binds() {
        assert_eq!(
            TradingState::Active.and(TradingState::Halted),
            TradingState::Halted
        );
        assert_eq!(
            TradingState::Reducing.and(TradingState::Active),
            TradingState::Reducing
        );
    }
}
