//! `positions_get`.

use super::{
    super::wire::{Fields, RowError},
    Context, levels, lots, magic, moment, needed, ticket,
};
use mymt5_model::{PositionId, PositionRow, Side, Ticket};
use serde_json::value::RawValue;

/// Reads a position.
pub(crate) fn position(raw: &RawValue, context: &Context) -> Result<PositionRow, RowError> {
    let fields = Fields::of("position", raw)?;
    let symbol = context.symbol(&fields)?;
    let digits = context.digits(&symbol);
    let side = match fields.code("type")? {
        0 => Side::Buy,
        1 => Side::Sell,
        _ => return Err(fields.error("type", "is not known")),
    };
    Ok(PositionRow {
        ticket: Ticket(ticket(&fields, "ticket")?),
        id: PositionId(ticket(&fields, "identifier")?),
        magic: magic(&fields)?,
        side,
        lots: lots(&fields, "volume")?,
        open_price: needed(&fields, "price_open", digits)?,
        levels: levels(&fields, digits)?,
        profit: context.money(&fields, "profit")?,
        swap: context.money(&fields, "swap")?,
        opened: moment(&fields, "time_msc")?,
        updated: moment(&fields, "time_update_msc")?,
        comment: fields.text("comment")?,
        symbol,
    })
}
