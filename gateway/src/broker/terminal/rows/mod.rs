//! Raw rows of the package into the domain's rows. Strict: what cannot be understood is an error
//! that names the field, never a guess.

mod account;
mod deals;
mod orders;
mod positions;
mod result;
mod symbols;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use account::{TerminalRow, account, call_level};
pub(crate) use deals::deal;
pub(crate) use orders::order;
pub(crate) use positions::position;
pub(crate) use result::{early_deals, receipt};
pub(crate) use symbols::{
    Basics, RawBasics, RawSymbol, Specifications, UnreadSymbol, basics, symbol,
};

use super::{symbol_map::SymbolMap, wire::Fields, wire::RowError};
use mymt5_model::{BrokerTime, Levels, Lots, Magic, Money, Price, Symbol, Ticket};
use mymt5_orders::{RowKind, Unreadable};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// What rows are read with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) symbol_map: SymbolMap,
    /// Digits of the configured symbols' prices.
    pub(crate) digits: HashMap<Symbol, u8>,
    /// Digits of the account's currency.
    pub(crate) money: u8,
}

impl Context {
    fn symbol(&self, fields: &Fields<'_>) -> Result<Symbol, RowError> {
        let name = fields.text("symbol")?;
        let symbol = self.symbol_map.symbol(&name);
        symbol.ok_or_else(|| fields.error("symbol", "is empty"))
    }

    /// Digits of a symbol's prices. Those of a symbol that is not ours are kept as finely as
    /// prices can be.
    fn digits(&self, symbol: &Symbol) -> u8 {
        self.digits
            .get(symbol)
            .copied()
            .unwrap_or(Price::MAX_DIGITS)
    }

    fn money(&self, fields: &Fields<'_>, field: &'static str) -> Result<Money, RowError> {
        let amount = Money::from_f64(fields.number(field)?);
        let amount = amount.map_err(|_| fields.error(field, "is no amount of money"))?;
        Ok(amount.rounded(self.money))
    }
}

/// A price; 0 is none.
fn price(fields: &Fields<'_>, field: &'static str, digits: u8) -> Result<Option<Price>, RowError> {
    let raw = fields.number(field)?;
    if raw == 0.0 {
        return Ok(None);
    }
    let price = Price::nearest(raw, digits);
    Ok(Some(price.map_err(|_| fields.error(field, "is no price"))?))
}

fn needed(fields: &Fields<'_>, field: &'static str, digits: u8) -> Result<Price, RowError> {
    price(fields, field, digits)?.ok_or_else(|| fields.error(field, "is no price"))
}

fn levels(fields: &Fields<'_>, digits: u8) -> Result<Levels, RowError> {
    Ok(Levels {
        stop_loss: price(fields, "sl", digits)?,
        take_profit: price(fields, "tp", digits)?,
    })
}

fn lots(fields: &Fields<'_>, field: &'static str) -> Result<Lots, RowError> {
    Lots::from_f64(fields.number(field)?).map_err(|_| fields.error(field, "is no volume"))
}

/// True for milliseconds of the broker's clock. Beyond the year 5000 they are no time but garbage, and
/// sums of them would overflow.
pub(crate) fn is_time(ms: i64) -> bool {
    (1..=95_617_584_000_000).contains(&ms)
}

/// Milliseconds; 0 is none.
fn time(fields: &Fields<'_>, field: &'static str) -> Result<Option<BrokerTime>, RowError> {
    match fields.whole(field)? {
        0 => Ok(None),
        ms if is_time(ms) => Ok(Some(BrokerTime(ms))),
        _ => Err(fields.error(field, "is no time")),
    }
}

fn moment(fields: &Fields<'_>, field: &'static str) -> Result<BrokerTime, RowError> {
    time(fields, field)?.ok_or_else(|| fields.error(field, "is no time"))
}

/// A number that is not 0.
fn ticket(fields: &Fields<'_>, field: &'static str) -> Result<u64, RowError> {
    linked(fields, field)?.ok_or_else(|| fields.error(field, "is 0"))
}

/// A number; 0 is none. The journal's are signed: one beyond them would be taken for another.
fn linked(fields: &Fields<'_>, field: &'static str) -> Result<Option<u64>, RowError> {
    let number = fields.count(field)?;
    if i64::try_from(number).is_err() {
        return Err(fields.error(field, "is beyond 63 bits"));
    }
    Ok(Some(number).filter(|number| *number != 0))
}

/// Other programs may use negative numbers: theirs are not ours, whatever they become here.
fn magic(fields: &Fields<'_>) -> Result<Magic, RowError> {
    let raw = fields.whole("magic")?;
    Ok(Magic::from_raw(raw.cast_unsigned()))
}

/// Rows that were understood, and those that were not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// Reads all rows of a list. One that cannot be understood does not hide the others.
pub(crate) fn all<T>(
    raw: &[&RawValue],
    kind: RowKind,
    context: &Context,
    read: impl Fn(&RawValue, &Context) -> Result<T, RowError>,
) -> Listed<T> {
    let mut listed = Listed {
        rows: Vec::with_capacity(raw.len()),
        unreadable: Vec::new(),
    };
    for raw in raw {
        match read(raw, context) {
            Ok(row) => listed.rows.push(row),
            Err(error) => listed
                .unreadable
                .push(unreadable(raw, kind, context, &error)),
        }
    }
    listed
}

fn unreadable(raw: &RawValue, kind: RowKind, context: &Context, error: &RowError) -> Unreadable {
    let fields = Fields::of("row", raw).ok();
    let ticket = fields.as_ref().and_then(|row| row.count("ticket").ok());
    Unreadable {
        kind,
        ticket: Ticket(ticket.unwrap_or(0)),
        symbol: fields.and_then(|fields| context.symbol(&fields).ok()),
        why: error.to_string(),
    }
}
