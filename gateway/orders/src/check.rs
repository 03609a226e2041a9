//! What would become of an order, were it submitted now.

use mymt5_model::{Money, Refusal};

/// What the broker itself calculates for an order; none where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerFigures {
    /// The margin that it takes.
    pub margin: Option<Money>,
    /// What is lost when its stop loss is hit, as a positive amount.
    pub loss_at_stop: Option<Money>,
}

/// What would become of an order, were it submitted now. Amounts are in the account currency.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Every rule that would refuse it. Empty: it would be sent.
    pub refusals: Vec<Refusal>,
    /// The margin that it takes; none while that is not known.
    pub margin: Option<Money>,
    /// What is lost when its stop loss is hit; none without a stop loss, or while it is not known.
    pub loss_at_stop: Option<Money>,
}
