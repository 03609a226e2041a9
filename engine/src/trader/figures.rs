//! What a monitor is told of the trader.

use super::Trader;
use crate::risk::RiskRefused;
use mymt5_guard::Headroom;

/// What it holds and risks, at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Equity, in the account's currency; none: it is not known.
    pub equity: Option<f64>,
    /// What all stops together may lose, as a share of equity; none: it is not known.
    pub open_risk: Option<f64>,
    /// What of that is allowed; none: any.
    pub open_risk_limit: Option<f64>,
    /// What is left of each limit of losses.
    pub limits: Vec<Headroom>,
    /// Why what risk keeps over restarts refuses every entry; none: it does not.
    pub refused_by_state: Option<RiskRefused>,
}

impl Trader {
    /// How it stands now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let account = self.risk.account();
        let open = self.portfolio.open_but(None);
        Figures {
            equity: account.map(|account| account.equity.to_f64()),
            open_risk: self.risk.open_risk(&open, &self.specs),
            open_risk_limit: self.risk.open_risk_limit(),
            limits: self.risk.headroom(),
            refused_by_state: self.risk.refused_by_state(),
        }
    }
}
