//! Trade requests as the package takes them. Everything a broker is particular about is decided
//! here: filling modes, both levels at once, pinned positions, prices where execution is instant.

use mymt5_model::{
    Comment, Execution, FillingModes, Levels, Lots, Magic, OrderType, Price, Side, SymbolSpec,
    Ticket, TimeInForce, TradeRequest,
};
use serde::Serialize;

/// `TRADE_ACTION_*`.
const DEAL: u32 = 1;
const PENDING: u32 = 5;
const SLTP: u32 = 6;
const MODIFY: u32 = 7;
const REMOVE: u32 = 8;
/// `ORDER_FILLING_*`: not the bits of `symbol_info.filling_mode`.
const FOK: u32 = 0;
const IOC: u32 = 1;
const RETURN: u32 = 2;
/// The slip accepted where none is named: some brokers refuse 0.
const DEVIATION: u32 = 10;

/// The package's request: only what is set is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct RawRequest {
    action: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    magic: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stoplimit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<u32>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_filling: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_time: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

/// What is known of the request's symbol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// The broker's name of it.
    pub(crate) name: Option<String>,
    /// Its specification.
    pub(crate) spec: Option<SymbolSpec>,
    /// The price at which a market order meets the market now.
    pub(crate) touch: Option<Price>,
}

/// Why a request cannot be put into the package's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the symbol is not in broker.terminal.symbols")]
    Symbol,
    #[error("no price is known yet, and this symbol's execution is instant")]
    Price,
    #[error("the broker's time is not known: set broker.time_zone")]
    Time,
}

/// True for what may open a position: it is checked first. Whatever else is sent closes, protects
/// or removes, and no check may stop it.
pub(crate) fn is_entry(request: &TradeRequest) -> bool {
    match request {
        TradeRequest::Market { position, .. } => position.is_none(),
        TradeRequest::Pending { .. } => true,
        TradeRequest::ModifyPosition { .. }
        | TradeRequest::ModifyOrder { .. }
        | TradeRequest::Cancel { .. } => false,
    }
}

/// True where the market's price must be named.
pub(crate) fn wants_price(execution: Execution) -> bool {
    matches!(execution, Execution::Request | Execution::Instant)
}

/// Puts a request into the package's terms.
///
/// # Errors
/// See [`Unfit`].
pub(crate) fn raw(request: &TradeRequest, target: &Target) -> Result<RawRequest, Unfit> {
    match request {
        TradeRequest::Market {
            side,
            lots,
            levels,
            position,
            max_deviation_points,
            magic,
            comment,
            ..
        } => {
            let base = deal(target, *side, OrderType::Market, *lots, (*magic, comment))?;
            let execution = target.spec.as_ref().ok_or(Unfit::Symbol)?.execution;
            let mut raw = RawRequest {
                action: DEAL,
                position: position.map(|ticket| ticket.0),
                ..base
            };
            if position.is_none() {
                set_levels(&mut raw, *levels);
            }
            if wants_price(execution) {
                raw.price = Some(target.touch.ok_or(Unfit::Price)?.to_f64());
                raw.deviation = Some(max_deviation_points.unwrap_or(DEVIATION).max(1));
            }
            Ok(raw)
        }
        TradeRequest::Pending {
            side,
            kind,
            lots,
            price,
            stop_limit_price,
            levels,
            time_in_force,
            magic,
            comment,
            ..
        } => {
            let mut raw = RawRequest {
                action: PENDING,
                ..deal(target, *side, *kind, *lots, (*magic, comment))?
            };
            set_levels(&mut raw, *levels);
            set_waiting(&mut raw, *price, *stop_limit_price, *time_in_force)?;
            Ok(raw)
        }
        TradeRequest::ModifyPosition { position, levels } => {
            let mut raw = RawRequest {
                action: SLTP,
                symbol: target.name.clone(),
                position: Some(position.0),
                ..RawRequest::default()
            };
            set_levels(&mut raw, *levels);
            Ok(raw)
        }
        TradeRequest::ModifyOrder {
            order,
            price,
            stop_limit_price,
            levels,
            time_in_force,
        } => {
            let mut raw = RawRequest {
                symbol: target.name.clone(),
                ..of_order(MODIFY, *order)
            };
            set_levels(&mut raw, *levels);
            set_waiting(&mut raw, *price, *stop_limit_price, *time_in_force)?;
            Ok(raw)
        }
        TradeRequest::Cancel { order } => Ok(of_order(REMOVE, *order)),
    }
}

fn deal(
    target: &Target,
    side: Side,
    kind: OrderType,
    lots: Lots,
    (magic, comment): (Magic, &Comment),
) -> Result<RawRequest, Unfit> {
    let (Some(name), Some(spec)) = (&target.name, &target.spec) else {
        return Err(Unfit::Symbol);
    };
    Ok(RawRequest {
        magic: Some(magic.raw()),
        symbol: Some(name.clone()),
        volume: Some(lots.to_f64()),
        kind: Some(code(side, kind)),
        type_filling: Some(filling(spec, kind)),
        type_time: Some(0),
        comment: Some(comment.as_str().to_owned()),
        ..RawRequest::default()
    })
}

fn of_order(action: u32, order: Ticket) -> RawRequest {
    RawRequest {
        action,
        order: Some(order.0),
        ..RawRequest::default()
    }
}

/// Both, always: a level that is not named would be wiped all the same.
fn set_levels(raw: &mut RawRequest, levels: Levels) {
    let level = |price: Option<Price>| Some(price.map_or(0.0, Price::to_f64));
    (raw.sl, raw.tp) = (level(levels.stop_loss), level(levels.take_profit));
}

fn set_waiting(
    raw: &mut RawRequest,
    price: Price,
    stop_limit: Option<Price>,
    time_in_force: TimeInForce,
) -> Result<(), Unfit> {
    raw.price = Some(price.to_f64());
    raw.stoplimit = stop_limit.map(Price::to_f64);
    let (code, until) = match time_in_force {
        TimeInForce::Gtc => (0, None),
        TimeInForce::Day => (1, None),
        TimeInForce::Gtd(until) => (2, Some(until.broker.ok_or(Unfit::Time)?)),
        TimeInForce::GtdDay(until) => (3, Some(until.broker.ok_or(Unfit::Time)?)),
    };
    raw.type_time = Some(code);
    raw.expiration = until.map(|until| until.0.div_euclid(1_000));
    Ok(())
}

/// `ORDER_TYPE_*`.
fn code(side: Side, kind: OrderType) -> u32 {
    let kind = match kind {
        OrderType::Market => 0,
        OrderType::Limit => 2,
        OrderType::Stop => 4,
        OrderType::StopLimit => 6,
    };
    kind + u32::from(side == Side::Sell)
}

/// The filling mode that this symbol's execution allows.
fn filling(spec: &SymbolSpec, kind: OrderType) -> u32 {
    match (kind, spec.execution) {
        (OrderType::Limit | OrderType::StopLimit, _) => RETURN,
        (_, Execution::Request | Execution::Instant) => FOK,
        (_, Execution::Market | Execution::Exchange) if spec.filling.has(FillingModes::FOK) => FOK,
        (_, Execution::Market | Execution::Exchange) if spec.filling.has(FillingModes::IOC) => IOC,
        (_, Execution::Market | Execution::Exchange) => RETURN,
    }
}

#[cfg(test)]
mod tests;
