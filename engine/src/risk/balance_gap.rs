//! A balance that is another one than was measured last: trades made that, as their deals tell, or a
//! deposit or withdrawal did.

use mymt5_model::{BrokerTime, Money};

/// A change of the balance that no event told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceGap {
    /// Deals before that are in the balance that was measured last.
    pub since: BrokerTime,
    /// The balance now less that one, in the account's currency; not zero.
    pub amount: Money,
}

impl BalanceGap {
    /// True where the newest deals made just that, with all their costs. The newest one comes first; which
    /// of them the older balance had already need not be known.
    #[must_use]
    pub fn is_made_by(&self, deals: impl IntoIterator<Item = Money>) -> bool {
        let mut sum = Money::ZERO;
        deals.into_iter().any(|made| {
            sum += made;
            sum == self.amount
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_deals_that_made_just_that_explain_it() {
        let money = |amount: f64| Money::from_f64(amount).unwrap();
        let gap = BalanceGap {
            since: BrokerTime(0),
            amount: money(-500.0),
        };
        for (deals, is_made) in [
            (&[-500.0][..], true),
            (&[-503.5, 3.5], true),
            // The oldest one is in the balance that was measured last.
            (&[-503.5, 3.5, 80.0], true),
            (&[], false),
            (&[-499.99], false),
            (&[3.5, -500.0], false),
        ] {
            let made = deals.iter().map(|made| money(*made));
            assert_eq!(gap.is_made_by(made), is_made, "{deals:?}");
        }
    }
}
