//! `symbol_info`.

use super::{
    super::wire::{Fields, RowError},
    lots,
};
use mymt5_model::{Execution, FillingModes, Price, Symbol, SymbolSpec, TradeMode, VolumeGrid};
use serde_json::value::RawValue;

/// Further symbols without a specification that are named.
const NAMED: usize = 5;

/// A symbol's specification, and its prices as the terminal knows them.
#[derive(Clone, Debug)]
pub(crate) struct RawSymbol {
    pub(crate) spec: SymbolSpec,
    pub(crate) bid: Option<Price>,
    pub(crate) ask: Option<Price>,
}

/// What an exit needs to know of a symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Basics {
    /// Digits of its prices; the most, where more of the row was not understood.
    pub(crate) digits: u8,
    pub(crate) execution: Execution,
    pub(crate) filling: FillingModes,
}

/// A symbol's basics, and its prices as the terminal knows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawBasics {
    pub(crate) basics: Basics,
    pub(crate) bid: Option<Price>,
    pub(crate) ask: Option<Price>,
}

impl From<&RawSymbol> for RawBasics {
    fn from(raw: &RawSymbol) -> Self {
        Self {
            basics: Basics {
                digits: raw.spec.digits,
                execution: raw.spec.execution,
                filling: raw.spec.filling,
            },
            bid: raw.bid,
            ask: raw.ask,
        }
    }
}

/// A symbol whose specification cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct UnreadSymbol {
    pub(crate) symbol: Symbol,
    /// None: not even these, as where the broker does not have it.
    pub(crate) basics: Option<RawBasics>,
    /// With the fix.
    pub(crate) why: String,
}

/// What was told of symbols.
#[derive(Debug, Default)]
pub(crate) struct Specifications {
    pub(crate) read: Vec<RawSymbol>,
    pub(crate) unread: Vec<UnreadSymbol>,
}

impl Specifications {
    /// True where they tell nothing of any symbol: not even an exit is possible then.
    pub(crate) fn is_blank(&self) -> bool {
        self.read.is_empty() && self.unread.iter().all(|unread| unread.basics.is_none())
    }

    /// Why symbols cannot be traded, with the fix; none: all can.
    pub(crate) fn fault(&self) -> Option<String> {
        let (first, others) = self.unread.split_first()?;
        let why = &first.why;
        if others.is_empty() {
            return Some(why.clone());
        }
        let named = others.iter().take(NAMED);
        let named: Vec<&str> = named.map(|unread| unread.symbol.as_str()).collect();
        let names = named.join(", ");
        let more = match others.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("{why}; look at {names}{more} too"))
    }
}

/// Reads a symbol.
pub(crate) fn symbol(raw: &RawValue, symbol: &Symbol) -> Result<RawSymbol, RowError> {
    let fields = Fields::of("symbol", raw)?;
    let digits = digits(&fields)?;
    let spec = SymbolSpec {
        symbol: symbol.clone(),
        description: fields.text("description")?,
        digits,
        tick_size_points: tick_size(&fields, digits)?,
        contract_size: positive(&fields, "trade_contract_size")?,
        volume: grid(&fields)?,
        stops_level_points: i64::from(fields.code("trade_stops_level")?),
        freeze_level_points: i64::from(fields.code("trade_freeze_level")?),
        trade_mode: trade_mode(&fields)?,
        execution: execution(&fields)?,
        filling: FillingModes(fields.code("filling_mode")?),
        base_currency: fields.text("currency_base")?,
        quote_currency: fields.text("currency_profit")?,
        tick_value: Some(fields.number("trade_tick_value")?).filter(|value| *value > 0.0),
        swap_long_points: swap(&fields, "swap_long")?,
        swap_short_points: swap(&fields, "swap_short")?,
    };
    Ok(RawSymbol {
        bid: super::price(&fields, "bid", digits)?,
        ask: super::price(&fields, "ask", digits)?,
        spec,
    })
}

/// Reads what an exit needs: no more of the row has to be understood for that. Its digits may be what is
/// wrong with it: the most lose nothing of a price.
pub(crate) fn basics(raw: &RawValue) -> Result<RawBasics, RowError> {
    let fields = Fields::of("symbol", raw)?;
    let digits = Price::MAX_DIGITS;
    let price = |field| super::price(&fields, field, digits).ok().flatten();
    Ok(RawBasics {
        basics: Basics {
            digits,
            execution: execution(&fields)?,
            filling: FillingModes(fields.code("filling_mode")?),
        },
        bid: price("bid"),
        ask: price("ask"),
    })
}

fn digits(fields: &Fields<'_>) -> Result<u8, RowError> {
    u8::try_from(fields.code("digits")?)
        .ok()
        .filter(|digits| *digits <= Price::MAX_DIGITS)
        .ok_or_else(|| fields.error("digits", "is beyond 8"))
}

fn positive(fields: &Fields<'_>, field: &'static str) -> Result<f64, RowError> {
    let number = fields.number(field)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err(fields.error(field, "is not above 0"))
    }
}

fn tick_size(fields: &Fields<'_>, digits: u8) -> Result<i64, RowError> {
    let points = positive(fields, "trade_tick_size")? * 10f64.powi(i32::from(digits));
    let whole = points.round();
    if (1.0..=1e12).contains(&whole) && (points - whole).abs() < 1e-6 * whole {
        Ok(whole as i64)
    } else {
        Err(fields.error("trade_tick_size", "is no multiple of a point"))
    }
}

fn grid(fields: &Fields<'_>) -> Result<VolumeGrid, RowError> {
    let grid = VolumeGrid {
        min: lots(fields, "volume_min")?,
        step: lots(fields, "volume_step")?,
        max: lots(fields, "volume_max")?,
    };
    if grid.step.is_zero() {
        return Err(fields.error("volume_step", "is not above 0"));
    }
    if grid.max < grid.min {
        return Err(fields.error("volume_max", "is below volume_min"));
    }
    Ok(grid)
}

fn trade_mode(fields: &Fields<'_>) -> Result<TradeMode, RowError> {
    Ok(match fields.code("trade_mode")? {
        0 => TradeMode::Disabled,
        1 => TradeMode::LongOnly,
        2 => TradeMode::ShortOnly,
        3 => TradeMode::CloseOnly,
        4 => TradeMode::Full,
        _ => return Err(fields.error("trade_mode", "is not known")),
    })
}

fn execution(fields: &Fields<'_>) -> Result<Execution, RowError> {
    Ok(match fields.code("trade_exemode")? {
        0 => Execution::Request,
        1 => Execution::Instant,
        2 => Execution::Market,
        3 => Execution::Exchange,
        _ => return Err(fields.error("trade_exemode", "is not known")),
    })
}

/// Swaps in points; 0 where the broker counts them otherwise (`swap_mode` is not 1), since what
/// they come to is not known before they are booked.
fn swap(fields: &Fields<'_>, field: &'static str) -> Result<f64, RowError> {
    let value = fields.number(field)?;
    Ok(if fields.code("swap_mode")? == 1 {
        value
    } else {
        0.0
    })
}
