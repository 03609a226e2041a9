//! `orders_get` and `history_orders_get`.

use super::{
    super::wire::{Fields, RowError},
    Context, levels, linked, lots, magic, moment, price, ticket, time,
};
use mymt5_model::{
    BrokerTime, Moment, OrderRow, OrderType, PositionId, RowState, Side, Ticket, TimeInForce,
};
use serde_json::value::RawValue;

/// `ORDER_TYPE_CLOSE_BY`.
const CLOSE_BY: u32 = 8;

/// Reads an order. None for one that closes a position by another: it has no side, the gateway
/// makes none, and its deals show all that it does.
pub(crate) fn order(raw: &RawValue, context: &Context) -> Result<Option<OrderRow>, RowError> {
    let fields = Fields::of("order", raw)?;
    let code = fields.code("type")?;
    if code == CLOSE_BY {
        return Ok(None);
    }
    let (side, kind) = side_and_kind(code).ok_or_else(|| fields.error("type", "is not known"))?;
    let symbol = context.symbol(&fields)?;
    let digits = context.digits(&symbol);
    let pending = kind != OrderType::Market;
    Ok(Some(OrderRow {
        ticket: Ticket(ticket(&fields, "ticket")?),
        position_id: linked(&fields, "position_id")?.map(PositionId),
        magic: magic(&fields)?,
        side,
        kind,
        state: state(&fields)?,
        lots: lots(&fields, "volume_initial")?,
        lots_left: lots(&fields, "volume_current")?,
        price: price(&fields, "price_open", digits)?.filter(|_| pending),
        stop_limit_price: price(&fields, "price_stoplimit", digits)?
            .filter(|_| kind == OrderType::StopLimit),
        levels: levels(&fields, digits)?,
        time_in_force: time_in_force(&fields)?,
        created: moment(&fields, "time_setup_msc")?,
        done: time(&fields, "time_done_msc")?,
        comment: fields.text("comment")?,
        symbol,
    }))
}

fn side_and_kind(code: u32) -> Option<(Side, OrderType)> {
    let kind = match code {
        0 | 1 => OrderType::Market,
        2 | 3 => OrderType::Limit,
        4 | 5 => OrderType::Stop,
        6 | 7 => OrderType::StopLimit,
        _ => return None,
    };
    let side = if code.is_multiple_of(2) {
        Side::Buy
    } else {
        Side::Sell
    };
    Some((side, kind))
}

fn state(fields: &Fields<'_>) -> Result<RowState, RowError> {
    Ok(match fields.code("state")? {
        // Started, placed, and on their way into, through or out of the trade server.
        0 | 1 | 7..=9 => RowState::Placed,
        2 => RowState::Canceled,
        3 => RowState::Partial,
        4 => RowState::Filled,
        5 => RowState::Rejected,
        6 => RowState::Expired,
        _ => return Err(fields.error("state", "is not known")),
    })
}

fn time_in_force(fields: &Fields<'_>) -> Result<TimeInForce, RowError> {
    let until = || {
        let seconds = fields.whole("time_expiration")?;
        let ms = seconds.checked_mul(1_000).filter(|ms| *ms > 0);
        let ms = ms.ok_or_else(|| fields.error("time_expiration", "is no time"))?;
        Ok(Moment {
            utc: None,
            broker: Some(BrokerTime(ms)),
        })
    };
    Ok(match fields.code("type_time")? {
        0 => TimeInForce::Gtc,
        1 => TimeInForce::Day,
        2 => TimeInForce::Gtd(until()?),
        3 => TimeInForce::GtdDay(until()?),
        _ => return Err(fields.error("type_time", "is not known")),
    })
}
