//! The one table of an order's life. What it does not list is refused and logged.

use mymt5_model::OrderState::{
    self, Accepted, Canceled, Expired, Filled, PartiallyFilled, Rejected, Sent, Unknown, Working,
};

/// True when an order in `from` may become `to`.
#[must_use]
pub(crate) const fn may_become(from: OrderState, to: OrderState) -> bool {
    match from {
        // Unknown: the process ended while it was on its way.
        // Canceled: withdrawn before it left.
        Accepted => matches!(to, Sent | Rejected | Canceled | Expired | Unknown),
        Sent => matches!(
            to,
            Working | PartiallyFilled | Filled | Rejected | Canceled | Expired | Unknown
        ),
        // Unknown: the broker lists it no more, and says nothing of its end.
        Working | PartiallyFilled => matches!(
            to,
            PartiallyFilled | Filled | Canceled | Expired | Rejected | Unknown
        ),
        Unknown => matches!(
            to,
            Working | PartiallyFilled | Filled | Rejected | Canceled | Expired
        ),
        // Evidence that comes late: a deal crossed the end, or a row appears after all.
        Rejected | Expired => matches!(to, Filled | PartiallyFilled | Canceled | Working | Expired),
        Canceled => matches!(to, Filled | PartiallyFilled | Working),
        Filled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OrderState; 9] = [
        Accepted,
        Sent,
        Working,
        PartiallyFilled,
        Filled,
        Rejected,
        Canceled,
        Expired,
        Unknown,
    ];

    #[test]
    fn nothing_leads_back_before_the_sending() {
        for from in ALL {
            assert!(!may_become(from, Accepted));
            assert_eq!(may_become(from, Sent), from == Accepted);
            let open = !from.is_final() && from != Unknown;
            assert_eq!(may_become(from, Unknown), open, "{from:?}");
        }
    }

    #[test]
    fn a_filled_order_stays_filled() {
        assert!(ALL.into_iter().all(|to| !may_become(Filled, to)));
    }

    #[test]
    fn late_deals_are_believed() {
        for from in [Canceled, Expired, Rejected, Unknown] {
            assert!(may_become(from, Filled));
        }
    }
}
