//! `history_deals_get`.

use super::{
    super::wire::{Fields, RowError},
    Context, linked, lots, magic, moment, price, ticket,
};
use mymt5_model::{DealKind, DealReason, DealRow, Entry, PositionId, Price, Side, Ticket};
use serde_json::value::RawValue;

/// Reads a deal.
pub(crate) fn deal(raw: &RawValue, context: &Context) -> Result<DealRow, RowError> {
    let fields = Fields::of("deal", raw)?;
    let kind = match fields.code("type")? {
        0 => DealKind::Trade(Side::Buy),
        1 => DealKind::Trade(Side::Sell),
        2 => DealKind::Balance,
        3 => DealKind::Credit,
        // Correction, bonus.
        5 | 6 => DealKind::Correction,
        _ => DealKind::Other,
    };
    let trades = matches!(kind, DealKind::Trade(_));
    let symbol = if trades || !fields.text("symbol")?.is_empty() {
        Some(context.symbol(&fields)?)
    } else {
        None
    };
    let digits = symbol.as_ref().map_or(0, |symbol| context.digits(symbol));
    // A trade without a price was at none: what a broker books when a symbol became worthless.
    let none = trades.then(|| Price::from_points(0, digits));
    let price = match &symbol {
        Some(_) => price(&fields, "price", digits)?.or(none),
        None => None,
    };
    let entry = if trades { Some(entry(&fields)?) } else { None };
    Ok(DealRow {
        ticket: Ticket(ticket(&fields, "ticket")?),
        order: linked(&fields, "order")?.map(Ticket),
        position_id: linked(&fields, "position_id")?.map(PositionId),
        magic: magic(&fields)?,
        symbol,
        kind,
        entry,
        reason: reason(fields.code("reason")?),
        lots: lots(&fields, "volume")?,
        price,
        profit: context.money(&fields, "profit")?,
        swap: context.money(&fields, "swap")?,
        commission: context.money(&fields, "commission")? + context.money(&fields, "fee")?,
        time: moment(&fields, "time_msc")?,
        comment: fields.text("comment")?,
    })
}

fn entry(fields: &Fields<'_>) -> Result<Entry, RowError> {
    Ok(match fields.code("entry")? {
        0 => Entry::In,
        1 => Entry::Out,
        2 => Entry::InOut,
        3 => Entry::OutBy,
        _ => return Err(fields.error("entry", "is not known")),
    })
}

fn reason(code: u32) -> DealReason {
    match code {
        0 => DealReason::Client,
        1 => DealReason::Mobile,
        2 => DealReason::Web,
        3 => DealReason::Expert,
        4 => DealReason::StopLoss,
        5 => DealReason::TakeProfit,
        6 => DealReason::StopOut,
        7 => DealReason::Rollover,
        _ => DealReason::Other,
    }
}
