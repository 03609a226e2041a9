//! Requests by name. The play puts the magic in.

use crate::support::symbol;
use mymt5_model::{
    BrokerTime, Comment, Levels, Lots, Magic, Moment, OrderType, Price, Side, Ticket, TimeInForce,
    TradeRequest,
};

pub fn px(points: i64) -> Price {
    Price::from_points(points, 5)
}

pub fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

pub fn levels(stop_loss: Option<i64>, take_profit: Option<i64>) -> Levels {
    Levels {
        stop_loss: stop_loss.map(px),
        take_profit: take_profit.map(px),
    }
}

/// Deals in EURUSD at the market.
pub fn deal(side: Side, volume: f64) -> TradeRequest {
    TradeRequest::Market {
        symbol: symbol("EURUSD"),
        side,
        lots: lots(volume),
        levels: Levels::default(),
        position: None,
        max_deviation_points: None,
        magic: Magic::NONE,
        comment: Comment::fitting("conform"),
    }
}

/// Closes a position, or a part of it.
pub fn close(ticket: Ticket, side: Side, volume: f64) -> TradeRequest {
    let mut request = deal(side, volume);
    if let TradeRequest::Market { position, .. } = &mut request {
        *position = Some(ticket);
    }
    request
}

/// A pending order of 1 lot.
pub fn pending(side: Side, kind: OrderType, price: i64) -> TradeRequest {
    TradeRequest::Pending {
        symbol: symbol("EURUSD"),
        side,
        kind,
        lots: lots(1.0),
        price: px(price),
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        magic: Magic::NONE,
        comment: Comment::fitting("waits"),
    }
}

pub fn stop_limit(side: Side, price: i64, limit: i64) -> TradeRequest {
    let mut request = pending(side, OrderType::StopLimit, price);
    if let TradeRequest::Pending {
        stop_limit_price, ..
    } = &mut request
    {
        *stop_limit_price = Some(px(limit));
    }
    request
}

/// Another price for a pending order.
pub fn modify(order: Ticket, price: i64) -> TradeRequest {
    TradeRequest::ModifyOrder {
        order,
        price: px(price),
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
    }
}

/// Other levels for a position.
pub fn protect(position: Ticket, levels: Levels) -> TradeRequest {
    TradeRequest::ModifyPosition { position, levels }
}

/// Names of what tests change of a request.
pub trait With: Sized {
    fn with_levels(self, stop_loss: Option<i64>, take_profit: Option<i64>) -> Self;
    fn in_symbol(self, name: &str) -> Self;
    fn lasting(self, life: TimeInForce) -> Self;
}

impl With for TradeRequest {
    fn with_levels(mut self, stop_loss: Option<i64>, take_profit: Option<i64>) -> Self {
        if let Self::Market { levels: old, .. }
        | Self::Pending { levels: old, .. }
        | Self::ModifyPosition { levels: old, .. }
        | Self::ModifyOrder { levels: old, .. } = &mut self
        {
            *old = levels(stop_loss, take_profit);
        }
        self
    }

    fn in_symbol(mut self, name: &str) -> Self {
        if let Self::Market { symbol: old, .. } | Self::Pending { symbol: old, .. } = &mut self {
            *old = symbol(name);
        }
        self
    }

    fn lasting(mut self, life: TimeInForce) -> Self {
        if let Self::Pending { time_in_force, .. } | Self::ModifyOrder { time_in_force, .. } =
            &mut self
        {
            *time_in_force = life;
        }
        self
    }
}

/// So long after the beginning of the play.
pub fn until(ms: i64) -> Moment {
    Moment {
        utc: None,
        broker: Some(BrokerTime(super::stage::begin() + ms)),
    }
}
