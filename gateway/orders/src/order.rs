//! An order of ours, and what a caller wants when it makes one.

use mymt5_model::{
    ClientName, Comment, Levels, Lots, Magic, Moment, Money, OrderId, OrderState, OrderType,
    PositionId, Price, RequestId, Retcode, Side, Symbol, SymbolSpec, Ticket, TimeInForce,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who calls, for what, under which id.
#[derive(Clone, Debug)]
pub struct Call {
    /// The client.
    pub client: ClientName,
    /// The idempotency of this call.
    pub request_id: RequestId,
    /// The RPC, for the record.
    pub method: &'static str,
    /// Digest of the method and the request's content.
    pub content: [u8; 32],
    /// W3C trace id.
    pub correlation: String,
    /// Unix milliseconds after which nothing may be sent any more.
    pub send_before_ms: i64,
}

/// A checked request for a new order.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Specification of the symbol it was checked against.
    pub spec: Arc<SymbolSpec>,
    /// Buy or sell.
    pub side: Side,
    /// How it meets the market.
    pub kind: OrderType,
    /// Volume.
    pub lots: Lots,
    /// Order price; none for market orders.
    pub price: Option<Price>,
    /// Limit price of a stop-limit order.
    pub stop_limit_price: Option<Price>,
    /// Stop loss and take profit.
    pub levels: Levels,
    /// Lifetime.
    pub time_in_force: TimeInForce,
    /// Largest slip where execution is instant, points.
    pub max_deviation_points: Option<u32>,
    /// The strategy's name.
    pub tag: String,
    /// Cosmetic.
    pub comment: Comment,
}

/// A checked request to close a position.
#[derive(Clone, Debug)]
pub struct Exit {
    /// The position.
    pub position: PositionId,
    /// Volume as the caller gave it; none: all.
    pub lots: Option<f64>,
    /// Largest slip where execution is instant, points.
    pub max_deviation_points: Option<u32>,
    /// The strategy's name.
    pub tag: String,
    /// Cosmetic.
    pub comment: Comment,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Opens, adds, or nets.
    Entry,
    /// Closes that position.
    Exit(PositionId),
}

/// An order as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The gateway's id.
    pub id: OrderId,
    /// Who made it.
    pub client: ClientName,
    /// The call that made it.
    pub request_id: RequestId,
    /// What it is for.
    pub purpose: Purpose,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How it meets the market.
    pub kind: OrderType,
    /// State.
    pub state: OrderState,
    /// Volume asked for.
    pub lots: Lots,
    /// Volume the broker said it will do, where that is less (no remainder works on).
    pub lots_accepted: Option<Lots>,
    /// Volume filled: from deals.
    pub filled: Lots,
    /// Sum of deal price points times units of lots: the average price's numerator.
    #[serde(with = "as_text")]
    pub filled_points: i128,
    /// Order price.
    pub price: Option<Price>,
    /// Limit price of a stop-limit order.
    pub stop_limit_price: Option<Price>,
    /// Digits of the symbol's prices.
    pub digits: u8,
    /// Stop loss and take profit.
    pub levels: Levels,
    /// Margin that it is reckoned to need when all of it is filled, in the account currency; none
    /// where that is not known.
    pub margin: Option<Money>,
    /// Lifetime.
    pub time_in_force: TimeInForce,
    /// The trade server's return code.
    pub retcode: Option<Retcode>,
    /// Why it is in this state.
    pub reason: String,
    /// True when a new order may succeed.
    pub retryable: bool,
    /// A cancellation is on its way.
    pub cancel_pending: bool,
    /// When it was taken.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// The position it opened or changed.
    pub position: Option<PositionId>,
    /// The strategy's name.
    pub tag: String,
    /// How the broker's rows name it.
    pub magic: Magic,
    /// Its ticket, once known.
    pub ticket: Option<Ticket>,
    /// W3C trace id of its call.
    pub correlation: String,
    /// Unix milliseconds after which it must not be sent.
    pub send_before_ms: i64,
}

impl Order {
    /// Volume-weighted price of its deals.
    #[must_use]
    pub fn average_price(&self) -> Option<f64> {
        if self.filled.is_zero() {
            return None;
        }
        let points = self.filled_points as f64 / self.filled.units() as f64;
        Some(points * 10f64.powi(-i32::from(self.digits)))
    }

    /// True once the broker's word on it is known: what a caller waits for.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self.state, OrderState::Accepted | OrderState::Sent)
    }

    /// Lots that may still add exposure: not yet filled and not settled.
    #[must_use]
    pub const fn lots_open(&self) -> Lots {
        if self.state.is_final() {
            Lots::ZERO
        } else {
            self.lots.minus(self.filled)
        }
    }
}

/// A number wider than JSON readers bear, as text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
