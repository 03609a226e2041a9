//! Trade requests as the package takes them. Everything a broker is particular about is decided
//! here: filling modes, both levels at once, pinned positions, prices where execution is instant.

use super::rows::Basics;
use mymt5_model::{
    Comment, Edit, Execution, FillingModes, Levels, LevelsEdit, Lots, Magic, OrderType, Price,
    Side, TermsEdit, Ticket, TimeInForce, TradeRequest,
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
    /// How it is executed.
    pub(crate) basics: Option<Basics>,
    /// The price at which a market order meets the market now.
    pub(crate) touch: Option<Price>,
}

/// Why a request cannot be put into the package's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("how the broker executes the symbol is not known: check broker.terminal.symbols")]
    Symbol,
    #[error("no price is known yet, and this symbol's execution is instant")]
    Price,
    #[error("the broker's time is not known: set broker.time_zone")]
    Time,
}

/// True for what may open a position: it is checked first. Whatever else is sent closes, protects
/// or removes, and no check may stop it.
pub(crate) const fn is_entry(request: &TradeRequest) -> bool {
    matches!(
        request,
        TradeRequest::Market { .. } | TradeRequest::Pending { .. }
    )
}

/// True where the market's price must be named.
pub(crate) fn wants_price(execution: Execution) -> bool {
    matches!(execution, Execution::Request | Execution::Instant)
}

/// A request in the package's terms, and what the bridge fills in from the target's row right before
/// it sends: what is to be kept, and all that there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) request: RawRequest,
    pub(crate) take: Vec<&'static str>,
}

impl From<RawRequest> for Written {
    fn from(request: RawRequest) -> Self {
        Self {
            request,
            take: Vec::new(),
        }
    }
}

/// Puts a request into the package's terms.
///
/// # Errors
/// See [`RequestError`].
pub(crate) fn written(request: &TradeRequest, target: &Target) -> Result<Written, RequestError> {
    match request {
        TradeRequest::Market {
            side,
            lots,
            levels,
            max_deviation_points,
            magic,
            comment,
            ..
        } => {
            let mut raw = market(
                target,
                (*side, *lots),
                *max_deviation_points,
                (*magic, comment),
            )?;
            set_levels(&mut raw, *levels);
            Ok(raw.into())
        }
        TradeRequest::Close {
            side,
            position,
            lots,
            all,
            max_deviation_points,
            magic,
            comment,
            ..
        } => {
            let mut raw = market(
                target,
                (*side, *lots),
                *max_deviation_points,
                (*magic, comment),
            )?;
            raw.position = Some(position.0);
            // Where the row is not there yet, what is expected is closed: the ticket pins it.
            Ok(Written {
                request: raw,
                take: if *all { vec!["volume"] } else { Vec::new() },
            })
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
            raw.price = Some(price.to_f64());
            raw.stoplimit = stop_limit_price.map(Price::to_f64);
            set_lifetime(&mut raw, *time_in_force)?;
            Ok(raw.into())
        }
        TradeRequest::ModifyPosition {
            position, levels, ..
        } => {
            let mut written = Written::from(RawRequest {
                action: SLTP,
                symbol: target.name.clone(),
                position: Some(position.0),
                ..RawRequest::default()
            });
            edit_levels(&mut written, *levels);
            Ok(written)
        }
        TradeRequest::ModifyOrder { order, terms, .. } => edited(*order, *terms, target),
        TradeRequest::Cancel { order, .. } => Ok(of_order(REMOVE, *order, target).into()),
    }
}

fn market(
    target: &Target,
    (side, lots): (Side, Lots),
    max_deviation_points: Option<u32>,
    origin: (Magic, &Comment),
) -> Result<RawRequest, RequestError> {
    let base = deal(target, side, OrderType::Market, lots, origin)?;
    let execution = target.basics.ok_or(RequestError::Symbol)?.execution;
    let mut raw = RawRequest {
        action: DEAL,
        ..base
    };
    if wants_price(execution) {
        raw.price = Some(target.touch.ok_or(RequestError::Price)?.to_f64());
        raw.deviation = Some(max_deviation_points.unwrap_or(DEVIATION).max(1));
    }
    Ok(raw)
}

fn edited(order: Ticket, terms: TermsEdit, target: &Target) -> Result<Written, RequestError> {
    let mut written = Written::from(of_order(MODIFY, order, target));
    match terms.price {
        Some(price) => written.request.price = Some(price.to_f64()),
        None => written.take.push("price"),
    }
    match terms.stop_limit_price {
        Some(price) => written.request.stoplimit = Some(price.to_f64()),
        None => written.take.push("stoplimit"),
    }
    match terms.time_in_force {
        Some(time_in_force) => set_lifetime(&mut written.request, time_in_force)?,
        None => written.take.extend(["type_time", "expiration"]),
    }
    edit_levels(&mut written, terms.levels);
    Ok(written)
}

fn deal(
    target: &Target,
    side: Side,
    kind: OrderType,
    lots: Lots,
    (magic, comment): (Magic, &Comment),
) -> Result<RawRequest, RequestError> {
    let (Some(name), Some(basics)) = (&target.name, target.basics) else {
        return Err(RequestError::Symbol);
    };
    Ok(RawRequest {
        magic: Some(magic.raw()),
        symbol: Some(name.clone()),
        volume: Some(lots.to_f64()),
        kind: Some(code(side, kind)),
        type_filling: Some(filling(basics, kind)),
        type_time: Some(0),
        comment: Some(comment.as_str().to_owned()),
        ..RawRequest::default()
    })
}

fn of_order(action: u32, order: Ticket, target: &Target) -> RawRequest {
    RawRequest {
        action,
        order: Some(order.0),
        symbol: target.name.clone(),
        ..RawRequest::default()
    }
}

/// Both, always: a level that is not named would be wiped all the same.
fn set_levels(raw: &mut RawRequest, levels: Levels) {
    let level = |price: Option<Price>| Some(price.map_or(0.0, Price::to_f64));
    raw.sl = level(levels.stop_loss);
    raw.tp = level(levels.take_profit);
}

/// Both, always: what is kept is taken from the row.
fn edit_levels(written: &mut Written, levels: LevelsEdit) {
    let mut edit = |name: &'static str, edit: Edit<Price>| match edit {
        Edit::Set(price) => Some(price.to_f64()),
        Edit::Remove => Some(0.0),
        Edit::Keep => {
            written.take.push(name);
            None
        }
    };
    let stop_loss = edit("sl", levels.stop_loss);
    let take_profit = edit("tp", levels.take_profit);
    written.request.sl = stop_loss;
    written.request.tp = take_profit;
}

fn set_lifetime(raw: &mut RawRequest, time_in_force: TimeInForce) -> Result<(), RequestError> {
    let (code, until) = match time_in_force {
        TimeInForce::Gtc => (0, None),
        TimeInForce::Day => (1, None),
        TimeInForce::Gtd(until) => (2, Some(until.broker.ok_or(RequestError::Time)?)),
        TimeInForce::GtdDay(until) => (3, Some(until.broker.ok_or(RequestError::Time)?)),
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
fn filling(basics: Basics, kind: OrderType) -> u32 {
    match (kind, basics.execution) {
        (OrderType::Limit | OrderType::StopLimit, _) => RETURN,
        (_, Execution::Request | Execution::Instant) => FOK,
        (_, Execution::Market | Execution::Exchange) if basics.filling.has(FillingModes::FOK) => {
            FOK
        }
        (_, Execution::Market | Execution::Exchange) if basics.filling.has(FillingModes::IOC) => {
            IOC
        }
        (_, Execution::Market | Execution::Exchange) => RETURN,
    }
}

#[cfg(test)]
mod tests;
