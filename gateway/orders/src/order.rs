//! An order of ours, and what a caller wants when it makes one.

use mymt5_model::{
    ClientName, Comment, DealRow, Levels, Lots, Magic, Moment, OrderId, OrderState, OrderType,
    PositionId, Price, RequestId, Retcode, Side, Symbol, SymbolSpec, Ticket, TimeInForce,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A checked request for a new order.
#[derive(Clone, Debug)]
pub struct NewOrder {
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
    /// Volume as the caller gave it; none: all that the position has when the close is executed.
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
    /// The gateway's id: the counter of its magic.
    pub id: OrderId,
    /// Who made it.
    pub client: ClientName,
    /// The call that made it, or a name of the gateway's own.
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
    /// Volume asked for. For a close of all: what that is expected to be, until it was executed.
    pub lots: Lots,
    /// A close of all that there is when it is executed, of which nobody said yet how much that was.
    pub closes_all: bool,
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
    /// Lifetime.
    pub time_in_force: TimeInForce,
    /// The trade server's return code.
    pub retcode: Option<Retcode>,
    /// Why it is in this state. Empty: nothing to tell.
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
    #[serde(rename = "trace")]
    pub trace_id: String,
}

/// Where an order comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) id: OrderId,
    pub(crate) magic: Magic,
    pub(crate) client: ClientName,
    pub(crate) request_id: RequestId,
    pub(crate) trace_id: String,
}

/// What an order trades.
#[derive(Clone, Debug)]
pub(crate) struct Traded {
    pub(crate) purpose: Purpose,
    pub(crate) symbol: Symbol,
    /// Digits of the symbol's prices.
    pub(crate) digits: u8,
    pub(crate) side: Side,
    pub(crate) lots: Lots,
}

impl Order {
    /// An accepted market order without levels.
    pub(crate) fn new(origin: Origin, traded: Traded, now: Moment) -> Self {
        Self {
            id: origin.id,
            client: origin.client,
            request_id: origin.request_id,
            purpose: traded.purpose,
            symbol: traded.symbol,
            side: traded.side,
            kind: OrderType::Market,
            state: OrderState::Accepted,
            lots: traded.lots,
            closes_all: false,
            filled: Lots::ZERO,
            filled_points: 0,
            price: None,
            stop_limit_price: None,
            digits: traded.digits,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            retcode: None,
            reason: String::new(),
            retryable: false,
            cancel_pending: false,
            created: now,
            updated: now,
            position: None,
            tag: String::new(),
            magic: origin.magic,
            ticket: None,
            trace_id: origin.trace_id,
        }
    }

    /// Digits of an average price beyond those of the symbol.
    const AVERAGE_DIGITS: i32 = 3;

    /// Volume-weighted price of its deals, to three digits more than the symbol's prices have.
    #[must_use]
    pub fn average_price(&self) -> Option<f64> {
        if self.filled.is_zero() {
            return None;
        }
        let points = self.filled_points as f64 / self.filled.units() as f64;
        let fine = 10f64.powi(Self::AVERAGE_DIGITS);
        let scale = 10f64.powi(i32::from(self.digits) + Self::AVERAGE_DIGITS);
        Some((points * fine).round() / scale)
    }

    /// Counts a deal of it.
    pub(crate) fn add_fill(&mut self, deal: &DealRow) {
        let price = deal.price.map(|price| price.with_digits(self.digits));
        let points = price.map_or(0, Price::points);
        self.filled = self.filled.plus(deal.lots);
        self.filled_points += i128::from(points) * i128::from(deal.lots.units());
        self.position = self.position.or(deal.position_id);
        self.updated.broker = Some(deal.time);
    }

    /// True once the broker's word on it is known: what a caller waits for.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self.state, OrderState::Accepted | OrderState::Sent)
    }

    /// True while it works at the broker.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(
            self.state,
            OrderState::Working | OrderState::PartiallyFilled
        )
    }

    /// True for what may be pending at the broker under a known ticket.
    #[must_use]
    pub fn may_work(&self) -> bool {
        let unknown = self.state == OrderState::Unknown && self.price.is_some();
        self.ticket.is_some() && (self.works() || unknown)
    }

    /// Lots that may still be done: not yet filled and not settled.
    #[must_use]
    pub const fn lots_open(&self) -> Lots {
        if self.state.is_final() {
            Lots::ZERO
        } else {
            self.lots.minus(self.filled)
        }
    }

    /// True for what may open a position.
    #[must_use]
    pub fn is_entry(&self) -> bool {
        self.purpose == Purpose::Entry
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
