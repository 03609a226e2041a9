//! Requests by name. The play puts the magic in.

use crate::support::symbol;
use mymt5_model::{
    BrokerTime, Comment, Levels, LevelsEdit, Lots, Magic, Moment, OrderType, Price, Side,
    TermsEdit, Ticket, TimeInForce, TradeRequest,
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
        max_deviation_points: None,
        magic: Magic::NONE,
        comment: Comment::fitting("conform"),
    }
}

/// Closes a position, or a part of it.
pub fn close(ticket: Ticket, side: Side, volume: f64) -> TradeRequest {
    TradeRequest::Close {
        symbol: symbol("EURUSD"),
        side,
        position: ticket,
        lots: lots(volume),
        all: false,
        max_deviation_points: None,
        magic: Magic::NONE,
        comment: Comment::fitting("conform"),
    }
}

/// Closes all that a position has, which is expected to be so much.
pub fn close_all(ticket: Ticket, side: Side, expected: f64) -> TradeRequest {
    let mut request = close(ticket, side, expected);
    if let TradeRequest::Close { all, .. } = &mut request {
        *all = true;
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

/// Another price for a pending order. All its other terms are named too, as they are made by default.
pub fn modify(order: Ticket, price: i64) -> TradeRequest {
    TradeRequest::ModifyOrder {
        order,
        symbol: symbol("EURUSD"),
        terms: TermsEdit {
            price: Some(px(price)),
            stop_limit_price: None,
            levels: LevelsEdit::to(Levels::default()),
            time_in_force: Some(TimeInForce::Gtc),
        },
    }
}

/// Changes of a pending order; the rest is kept.
pub fn edit(order: Ticket, terms: TermsEdit) -> TradeRequest {
    TradeRequest::ModifyOrder {
        order,
        symbol: symbol("EURUSD"),
        terms,
    }
}

/// Other levels for a position.
pub fn protect(position: Ticket, levels: Levels) -> TradeRequest {
    keep(position, LevelsEdit::to(levels))
}

/// Changes of a position's levels; the rest is kept.
pub fn keep(position: Ticket, levels: LevelsEdit) -> TradeRequest {
    TradeRequest::ModifyPosition {
        position,
        symbol: symbol("EURUSD"),
        levels,
    }
}

/// Removes a pending order.
pub fn cancel(order: Ticket) -> TradeRequest {
    TradeRequest::Cancel {
        order,
        symbol: symbol("EURUSD"),
    }
}

/// Names of what tests change of a request.
pub trait With: Sized {
    fn with_levels(self, stop_loss: Option<i64>, take_profit: Option<i64>) -> Self;
    fn in_symbol(self, name: &str) -> Self;
    fn lasting(self, life: TimeInForce) -> Self;
}

impl With for TradeRequest {
    fn with_levels(mut self, stop_loss: Option<i64>, take_profit: Option<i64>) -> Self {
        let new = levels(stop_loss, take_profit);
        match &mut self {
            Self::Market { levels, .. } | Self::Pending { levels, .. } => *levels = new,
            Self::ModifyPosition { levels, .. } => *levels = LevelsEdit::to(new),
            Self::ModifyOrder { terms, .. } => terms.levels = LevelsEdit::to(new),
            Self::Close { .. } | Self::Cancel { .. } => {}
        }
        self
    }

    fn in_symbol(mut self, name: &str) -> Self {
        match &mut self {
            Self::Market { symbol: old, .. }
            | Self::Close { symbol: old, .. }
            | Self::Pending { symbol: old, .. }
            | Self::ModifyPosition { symbol: old, .. }
            | Self::ModifyOrder { symbol: old, .. }
            | Self::Cancel { symbol: old, .. } => *old = symbol(name),
        }
        self
    }

    fn lasting(mut self, life: TimeInForce) -> Self {
        match &mut self {
            Self::Pending { time_in_force, .. } => *time_in_force = life,
            Self::ModifyOrder { terms, .. } => terms.time_in_force = Some(life),
            _ => {}
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
