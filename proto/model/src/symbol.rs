//! Symbols and their contract specifications.

use crate::{Lots, LotsError, Price, PriceError, Reason, VolumeGrid};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A canonical symbol, e.g. `EURUSD`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Symbol(Arc<str>);

/// A text that is not a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a symbol of 1 to 32 printable characters without blanks")]
pub struct SymbolError;

impl Symbol {
    /// Reads a symbol: 1 to 32 printable ASCII characters, no blanks.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SymbolError);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The symbol's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;
    fn try_from(text: String) -> Result<Self, SymbolError> {
        Self::parse(&text)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may be done in a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TradeMode {
    /// Nothing.
    Disabled,
    /// Only buying and closing.
    LongOnly,
    /// Only selling and closing.
    ShortOnly,
    /// Only closing.
    CloseOnly,
    /// Everything.
    Full,
}

/// How the broker executes market orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Execution {
    /// Price on request.
    Request,
    /// At the quoted price or a requote.
    Instant,
    /// At whatever price the market has.
    Market,
    /// In an order book.
    Exchange,
}

/// `symbol_info.filling_mode`: a bit mask, not an `ORDER_FILLING_*` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FillingModes(pub u32);

impl FillingModes {
    /// Fill or kill.
    pub const FOK: u32 = 1;
    /// Immediate or cancel.
    pub const IOC: u32 = 2;
    /// Book or cancel.
    pub const BOC: u32 = 4;

    /// True when the bit is set.
    #[must_use]
    pub const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// The contract specification of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymbolSpec {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Human name, e.g. `Euro vs US Dollar`.
    pub description: String,
    /// Decimal digits of prices; a point is `10^-digits`.
    pub digits: u8,
    /// Price grid in points, at least 1.
    pub tick_size_points: i64,
    /// Units of the base in one lot.
    pub contract_size: f64,
    /// Volumes that trade.
    pub volume: VolumeGrid,
    /// Least distance of stops and pending prices from the market, in points; 0 may float.
    pub stops_level_points: i64,
    /// Distance inside which orders and positions are frozen, in points.
    pub freeze_level_points: i64,
    /// What may be done.
    pub trade_mode: TradeMode,
    /// How market orders are executed.
    pub execution: Execution,
    /// Filling modes the symbol allows.
    pub filling: FillingModes,
    /// Currency of the contract, e.g. `EUR`.
    pub base_currency: String,
    /// Currency of the price and so of the profit, e.g. `USD`.
    pub quote_currency: String,
    /// Value of one tick of one lot in the account currency; none while no rate is known.
    pub tick_value: Option<f64>,
    /// Swap of a long position of one lot and night, in points.
    pub swap_long_points: f64,
    /// Swap of a short position of one lot and night, in points.
    pub swap_short_points: f64,
}

impl SymbolSpec {
    /// Reads a wire price of this symbol.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn price(&self, price: f64) -> Result<Price, PriceError> {
        Price::on_grid(price, self.digits, self.tick_size_points)
    }

    /// Reads wire lots of this symbol; the text says what would be right.
    ///
    /// # Errors
    /// Not a number, off the grid, or outside the bounds.
    pub fn lots_of_request(&self, lots: f64) -> Result<Lots, (Reason, String)> {
        let grid = &self.volume;
        grid.parse(lots).map_err(|error| match error {
            LotsError::NotANumber => (Reason::NumberInvalid, error.to_string()),
            LotsError::OutOfBounds => (
                Reason::LotsOutOfBounds,
                format!("expected {} to {}", grid.min, grid.max),
            ),
            LotsError::OffGrid => (
                Reason::LotsOffGrid,
                format!("expected {} plus a multiple of {}", grid.min, grid.step),
            ),
        })
    }

    /// Reads a wire price of this symbol; the text says what would be right.
    ///
    /// # Errors
    /// Not a number, or off the grid.
    pub fn price_of_request(&self, price: f64) -> Result<Price, (Reason, String)> {
        self.price(price).map_err(|error| match error {
            PriceError::NotANumber => (Reason::NumberInvalid, error.to_string()),
            PriceError::OffGrid => {
                let tick = Price::from_points(self.tick_size_points, self.digits);
                (
                    Reason::PriceOffGrid,
                    format!("expected a multiple of {tick}"),
                )
            }
        })
    }

    /// One point as a price difference.
    #[must_use]
    pub fn point(&self) -> f64 {
        10f64.powi(-i32::from(self.digits))
    }
}
