//! What a send and its check return.

use super::{
    super::wire::{Fields, RowError},
    Context, deal,
};
use mymt5_model::{DealRow, Lots, Price, Receipt, Retcode, Ticket};
use serde_json::value::RawValue;

/// Reads a result. All but the return code is a hint: it may be 0, missing (a check has no
/// tickets) or out of bounds, and then it is none.
pub(crate) fn receipt(raw: &RawValue) -> Result<Receipt, RowError> {
    let fields = Fields::of("result", raw)?;
    let number = |field| fields.number(field).ok().filter(|number| *number > 0.0);
    let ticket = |field| fields.count(field).ok().filter(|number| *number != 0);
    let lots = |field| number(field).and_then(|lots| Lots::from_f64(lots).ok());
    Ok(Receipt {
        order: ticket("order").map(Ticket),
        deal: ticket("deal").map(Ticket),
        lots: lots("volume"),
        lots_sent: lots("volume_sent"),
        price: number("price").and_then(|price| Price::nearest(price, Price::MAX_DIGITS).ok()),
        comment: fields.text("comment").unwrap_or_default(),
        ..Receipt::bare(Retcode(fields.code("retcode")?))
    })
}

/// The rows of the order's deals that came with a result. Hints too: one that cannot be understood
/// is left to the history.
pub(crate) fn early_deals(raw: &RawValue, context: &Context) -> Vec<DealRow> {
    let rows = Fields::of("result", raw).and_then(|fields| fields.rows("deals"));
    let rows = rows.unwrap_or_default().into_iter();
    rows.filter_map(|raw| deal(raw, context).ok()).collect()
}
