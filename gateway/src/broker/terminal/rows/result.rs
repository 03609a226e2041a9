//! What `order_send` and `order_check` return.

use super::super::wire::{Fields, RowError};
use mymt5_model::{Lots, Price, Receipt, Retcode, Ticket};
use serde_json::value::RawValue;

/// Reads a result. All but the return code is a hint: it may be 0, missing (a check has no
/// tickets) or out of bounds, and then it is none.
pub(crate) fn receipt(raw: &RawValue) -> Result<Receipt, RowError> {
    let fields = Fields::of("result", raw)?;
    let number = |field| fields.number(field).ok().filter(|number| *number > 0.0);
    let ticket = |field| fields.count(field).ok().filter(|number| *number != 0);
    Ok(Receipt {
        retcode: Retcode(fields.code("retcode")?),
        order: ticket("order").map(Ticket),
        deal: ticket("deal").map(Ticket),
        lots: number("volume").and_then(|lots| Lots::from_f64(lots).ok()),
        price: number("price").and_then(|price| Price::nearest(price, Price::MAX_DIGITS).ok()),
        comment: fields.text("comment").unwrap_or_default(),
    })
}
