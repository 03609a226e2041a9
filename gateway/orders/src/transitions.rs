//! The one table of an order's life. What it does not list is refused and logged.

use mymt5_model::OrderState::{
    self, Accepted, Canceled, Expired, Filled, PartiallyFilled, Rejected, Sent, Unknown, Working,
};

/// True when an order in `from` may become `to`.
#[must_use]
pub(super) const fn may_become(from: OrderState, to: OrderState) -> bool {
    match from {
        // Unknown: the process ended while it was on its way.
        Accepted => matches!(to, Sent | Rejected | Expired | Unknown),
        Sent => matches!(
            to,
            Working | PartiallyFilled | Filled | Rejected | Canceled | Expired | Unknown
        ),
        Working | PartiallyFilled => {
            matches!(to, PartiallyFilled | Filled | Canceled | Expired | Rejected)
        }
        Unknown => matches!(
            to,
            Working | PartiallyFilled | Filled | Rejected | Canceled | Expired
        ),
        // Evidence that comes late: a deal crossed the cancellation, or a row appears after all.
        Rejected => matches!(to, Filled | PartiallyFilled | Canceled | Working | Expired),
        Canceled | Expired => matches!(to, Filled | PartiallyFilled | Canceled),
        Filled => false,
    }
}

/// True when the change contradicts what the client was told: adopted, with an alarm.
#[must_use]
pub(super) const fn alarms(from: OrderState, to: OrderState) -> bool {
    matches!(from, Rejected | Expired) && !matches!(to, Rejected | Expired)
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
            assert_eq!(may_become(from, Unknown), matches!(from, Accepted | Sent));
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
        assert!(alarms(Rejected, Filled) && !alarms(Canceled, Filled));
    }
}
