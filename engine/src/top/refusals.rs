//! What was refused lately, and why.

use mymt5_proto::v1;
use std::cmp::Reverse;

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuser {
    /// The engine's own risk.
    Engine,
    /// The gateway.
    Gateway,
    /// The broker.
    Broker,
}

impl Refuser {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Gateway => "gateway",
            Self::Broker => "broker",
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When, in milliseconds UTC. None: before the screen began.
    pub at_ms: Option<i64>,
    /// Who refused.
    pub by: Refuser,
    /// The gateway's id of the order. None: there is none.
    pub order_id: Option<u64>,
    /// What was refused.
    pub what: String,
    /// Why.
    pub reason: String,
    /// How many of the kind.
    pub times: u64,
}

impl Refusal {
    /// That of an order; none: it was not refused. `now_ms` stands in for a time that is not told.
    #[must_use]
    pub fn of_order(order: &v1::Order, now_ms: i64) -> Option<Self> {
        let is_late = order.state() == v1::OrderState::Expired
            && order.filled_lots == 0.0
            && !order.reason.is_empty();
        if order.state() != v1::OrderState::Rejected && !is_late {
            return None;
        }
        let told_ms = order.updated.as_ref().and_then(|moment| moment.utc_ms);
        let side = match order.side() {
            v1::Side::Buy => "buy",
            v1::Side::Sell => "sell",
            v1::Side::Unspecified => "trade",
        };
        Some(Self {
            at_ms: Some(told_ms.unwrap_or(now_ms)),
            by: match order.retcode {
                Some(_) => Refuser::Broker,
                None => Refuser::Gateway,
            },
            order_id: Some(order.order_id),
            what: format!("{side} {:.2} {}", order.lots, order.symbol),
            reason: order.reason.clone(),
            times: 1,
        })
    }
}

/// The newest refusals first, each order's once.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// Most that are kept.
    pub const MOST: usize = 100;

    /// Takes one.
    pub fn add(&mut self, refusal: Refusal) {
        let is_known = |known: &Refusal| known.order_id == refusal.order_id;
        if refusal.order_id.is_some() && self.0.iter().any(is_known) {
            return;
        }
        self.0.insert(0, refusal);
        self.0.sort_by_key(|refusal| Reverse(refusal.at_ms));
        self.0.truncate(Self::MOST);
    }

    /// All that are kept.
    #[must_use]
    pub fn all(&self) -> &[Refusal] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn order(order_id: u64, state: v1::OrderState, at_ms: i64) -> v1::Order {
        v1::Order {
            order_id,
            state: state.into(),
            side: v1::Side::Sell.into(),
            lots: 0.5,
            symbol: "EURUSD".to_owned(),
            reason: "NO_MONEY".to_owned(),
            updated: Some(v1::Moment {
                utc_ms: Some(at_ms),
                broker_ms: None,
            }),
            ..v1::Order::default()
        }
    }

    #[test]
    fn an_order_is_refused_by_whom_its_return_code_tells() {
        let rejected = order(7, v1::OrderState::Rejected, 5);
        let refusal = Refusal::of_order(&rejected, 9).unwrap();
        assert_eq!(refusal.by, Refuser::Gateway);
        assert_eq!(refusal.what, "sell 0.50 EURUSD");
        assert_eq!(refusal.at_ms, Some(5));
        let by_broker = v1::Order {
            retcode: Some(10_019),
            updated: None,
            ..rejected
        };
        let refusal = Refusal::of_order(&by_broker, 9).unwrap();
        assert_eq!((refusal.by, refusal.at_ms), (Refuser::Broker, Some(9)));
        let late = order(8, v1::OrderState::Expired, 5);
        assert!(Refusal::of_order(&late, 9).is_some());
        for state in [v1::OrderState::Filled, v1::OrderState::Unknown] {
            assert_eq!(Refusal::of_order(&order(9, state, 5), 9), None);
        }
    }

    #[test]
    fn the_newest_come_first_each_order_once_and_no_more_than_there_is_room_for() {
        let mut refusals = Refusals::default();
        let earlier = Refusal {
            at_ms: None,
            by: Refuser::Engine,
            order_id: None,
            what: "entry".to_owned(),
            reason: "a limit".to_owned(),
            times: 3,
        };
        refusals.add(earlier.clone());
        for (id, at_ms) in [(1, 10), (2, 30), (3, 20), (2, 40)] {
            let rejected = order(id, v1::OrderState::Rejected, at_ms);
            refusals.add(Refusal::of_order(&rejected, 0).unwrap());
        }
        let ids: Vec<_> = refusals.all().iter().map(|it| it.order_id).collect();
        assert_eq!(ids, [Some(2), Some(3), Some(1), None]);
        for _ in 0..Refusals::MOST {
            refusals.add(Refusal {
                at_ms: Some(50),
                ..earlier.clone()
            });
        }
        assert_eq!(refusals.all().len(), Refusals::MOST);
        assert!(refusals.all().iter().all(|it| it.at_ms == Some(50)));
    }
}
