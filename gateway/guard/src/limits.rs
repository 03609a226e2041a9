//! Limits of a client, from a closed list. Exits are free of them.

use mymt5_model::Lots;
use std::collections::VecDeque;

/// The limits of one client; none: unlimited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Most lots of one order.
    pub max_lots_per_order: Option<Lots>,
    /// Most open positions and orders that could open one.
    pub max_open_positions: Option<u32>,
    /// Most entries within a minute.
    pub max_orders_per_minute: Option<u32>,
    /// Every entry must carry a stop loss.
    pub require_stop_loss: bool,
}

/// A limit stands in the way of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// One order is too large.
    #[error("more lots than limits.max_lots_per_order allows")]
    LotsPerOrder,
    /// Too many positions, counting orders in flight.
    #[error("limits.max_open_positions is reached")]
    OpenPositions,
    /// Too many entries within a minute.
    #[error("limits.max_orders_per_minute is reached")]
    OrdersPerMinute,
    /// No stop loss.
    #[error("limits.require_stop_loss asks for a stop loss")]
    StopLossMissing,
}

impl Limits {
    /// Checks an entry. `open` counts positions and whatever is in flight or unknown.
    ///
    /// # Errors
    /// The first limit in the way.
    pub fn check(
        &self,
        lots: Lots,
        has_stop_loss: bool,
        open: u32,
        recent: u32,
    ) -> Result<(), LimitReached> {
        let reached = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
        if self.max_lots_per_order.is_some_and(|limit| lots > limit) {
            Err(LimitReached::LotsPerOrder)
        } else if self.require_stop_loss && !has_stop_loss {
            Err(LimitReached::StopLossMissing)
        } else if reached(self.max_open_positions, open) {
            Err(LimitReached::OpenPositions)
        } else if reached(self.max_orders_per_minute, recent) {
            Err(LimitReached::OrdersPerMinute)
        } else {
            Ok(())
        }
    }
}

/// Counts what happened within the last minute; remembers no more than that.
#[derive(Clone, Debug, Default)]
pub struct Rate(VecDeque<i64>);

impl Rate {
    const WINDOW_MS: i64 = 60_000;

    /// Events in the minute before `now_ms`.
    pub fn recent(&mut self, now_ms: i64) -> u32 {
        while self
            .0
            .front()
            .is_some_and(|at| now_ms - at >= Self::WINDOW_MS)
        {
            self.0.pop_front();
        }
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Notes one event.
    pub fn note(&mut self, now_ms: i64) {
        self.0.push_back(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_stands_alone() {
        let lots = Lots::from_units(5);
        let check = |limits: Limits| limits.check(lots, false, 3, 7);
        assert_eq!(check(Limits::default()), Ok(()));
        let limits = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits
        };
        assert_eq!(
            check(limits(|l| l.max_lots_per_order = Some(Lots::from_units(4)))),
            Err(LimitReached::LotsPerOrder)
        );
        assert_eq!(
            check(limits(|l| l.max_open_positions = Some(3))),
            Err(LimitReached::OpenPositions)
        );
        assert_eq!(
            check(limits(|l| l.max_orders_per_minute = Some(7))),
            Err(LimitReached::OrdersPerMinute)
        );
        assert_eq!(
            check(limits(|l| l.require_stop_loss = true)),
            Err(LimitReached::StopLossMissing)
        );
    }

    #[test]
    fn a_minute_is_forgotten() {
        let mut rate = Rate::default();
        rate.note(0);
        rate.note(30_000);
        assert_eq!(
            (
                rate.recent(59_999),
                rate.recent(60_000),
                rate.recent(90_000)
            ),
            (2, 1, 0)
        );
    }
}
