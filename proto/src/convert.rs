//! Messages of the wire and values of the model. Towards the wire everything fits; from it,
//! everything is checked.

use crate::v1;
use mymt5_model as model;

/// A message that does not hold what it should; the text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {0} is missing or out of range")]
pub struct WireError(pub &'static str);

impl From<model::Moment> for v1::Moment {
    fn from(moment: model::Moment) -> Self {
        Self {
            utc_ms: moment.utc.map(|t| t.0),
            broker_ms: moment.broker.map(|t| t.0),
        }
    }
}

impl From<v1::Moment> for model::Moment {
    fn from(moment: v1::Moment) -> Self {
        Self {
            utc: moment.utc_ms.map(model::UtcTime),
            broker: moment.broker_ms.map(model::BrokerTime),
        }
    }
}

impl From<&model::SymbolSpec> for v1::SymbolSpec {
    fn from(spec: &model::SymbolSpec) -> Self {
        Self {
            symbol: spec.symbol.to_string(),
            description: spec.description.clone(),
            digits: u32::from(spec.digits),
            tick_size: model::Price::from_points(spec.tick_size_points, spec.digits).to_f64(),
            tick_value: spec.tick_value,
            contract_size: spec.contract_size,
            volume_min: spec.volume.min.to_f64(),
            volume_step: spec.volume.step.to_f64(),
            volume_max: spec.volume.max.to_f64(),
            stops_level_points: u32::try_from(spec.stops_level_points).unwrap_or(u32::MAX),
            freeze_level_points: u32::try_from(spec.freeze_level_points).unwrap_or(u32::MAX),
            trade_mode: v1::TradeMode::from(spec.trade_mode).into(),
            base_currency: spec.base_currency.clone(),
            quote_currency: spec.quote_currency.clone(),
            swap_long_points: spec.swap_long_points,
            swap_short_points: spec.swap_short_points,
        }
    }
}

impl TryFrom<&v1::SymbolSpec> for model::SymbolSpec {
    type Error = WireError;
    fn try_from(wire: &v1::SymbolSpec) -> Result<Self, WireError> {
        let digits = u8::try_from(wire.digits)
            .ok()
            .filter(|d| *d <= model::Price::MAX_DIGITS);
        let digits = digits.ok_or(WireError("digits"))?;
        let lots = |value, field| model::Lots::from_f64(value).map_err(|_| WireError(field));
        let step = lots(wire.volume_step, "volume_step")?;
        if step.is_zero() {
            return Err(WireError("volume_step"));
        }
        if !(wire.contract_size.is_finite() && wire.contract_size > 0.0) {
            return Err(WireError("contract_size"));
        }
        let tick_size =
            model::Price::nearest(wire.tick_size, digits).map_err(|_| WireError("tick_size"))?;
        Ok(Self {
            symbol: model::Symbol::parse(&wire.symbol).map_err(|_| WireError("symbol"))?,
            description: wire.description.clone(),
            digits,
            tick_size_points: tick_size.points().max(1),
            contract_size: wire.contract_size,
            volume: model::VolumeGrid {
                min: lots(wire.volume_min, "volume_min")?,
                step,
                max: lots(wire.volume_max, "volume_max")?,
            },
            stops_level_points: i64::from(wire.stops_level_points),
            freeze_level_points: i64::from(wire.freeze_level_points),
            trade_mode: wire
                .trade_mode()
                .try_into()
                .map_err(|()| WireError("trade_mode"))?,
            // How market orders are filled is the gateway's business and not sent.
            execution: model::Execution::Market,
            filling: model::FillingModes(0),
            base_currency: wire.base_currency.clone(),
            quote_currency: wire.quote_currency.clone(),
            tick_value: wire
                .tick_value
                .filter(|value| value.is_finite() && *value > 0.0),
            swap_long_points: wire.swap_long_points,
            swap_short_points: wire.swap_short_points,
        })
    }
}

impl v1::Tick {
    /// A tick of the model for the wire.
    #[must_use]
    pub fn of(tick: &model::Tick, utc: Option<model::UtcTime>, kind: v1::TickKind) -> Self {
        Self {
            symbol: tick.symbol.to_string(),
            time: Some(
                model::Moment {
                    utc,
                    broker: Some(tick.time),
                }
                .into(),
            ),
            bid: tick.bid.to_f64(),
            ask: tick.ask.to_f64(),
            last: tick.last.map(model::Price::to_f64),
            volume: tick.volume,
            flags: tick.flags,
            kind: kind.into(),
            folded: 0,
        }
    }

    /// The tick of the model; `symbol` and `digits` come from the symbol's specification.
    ///
    /// # Errors
    /// A price that is none, or no broker time.
    pub fn read(&self, symbol: &model::Symbol, digits: u8) -> Result<model::Tick, WireError> {
        let price =
            |value, field| model::Price::nearest(value, digits).map_err(|_| WireError(field));
        Ok(model::Tick {
            symbol: symbol.clone(),
            time: self
                .time
                .and_then(|t| t.broker_ms)
                .map(model::BrokerTime)
                .ok_or(WireError("time"))?,
            bid: price(self.bid, "bid")?,
            ask: price(self.ask, "ask")?,
            last: self.last.map(|last| price(last, "last")).transpose()?,
            volume: self.volume,
            flags: self.flags,
            is_continuous: false,
        })
    }
}

impl v1::Bar {
    /// A bar of the model for the wire.
    #[must_use]
    pub fn of(bar: &model::Bar, utc: Option<model::UtcTime>, finished: bool) -> Self {
        Self {
            time: Some(
                model::Moment {
                    utc,
                    broker: Some(bar.time),
                }
                .into(),
            ),
            open: bar.open.to_f64(),
            high: bar.high.to_f64(),
            low: bar.low.to_f64(),
            close: bar.close.to_f64(),
            tick_volume: bar.tick_volume,
            real_volume: bar.real_volume,
            spread_points: bar.spread_points,
            finished,
        }
    }

    /// The bar of the model; `symbol` and `digits` come from the symbol's specification.
    ///
    /// # Errors
    /// A price that is none, or no broker time.
    pub fn read(&self, symbol: &model::Symbol, digits: u8) -> Result<model::Bar, WireError> {
        let price =
            |value, field| model::Price::nearest(value, digits).map_err(|_| WireError(field));
        let time = self.time.and_then(|time| time.broker_ms);
        Ok(model::Bar {
            symbol: symbol.clone(),
            time: time.map(model::BrokerTime).ok_or(WireError("time"))?,
            open: price(self.open, "open")?,
            high: price(self.high, "high")?,
            low: price(self.low, "low")?,
            close: price(self.close, "close")?,
            tick_volume: self.tick_volume,
            real_volume: self.real_volume,
            spread_points: self.spread_points,
        })
    }
}

impl v1::Account {
    /// The account's row for the wire.
    #[must_use]
    pub fn of(row: &model::AccountRow, as_of: model::Moment) -> Self {
        Self {
            account: row.account.to_string(),
            mode: v1::AccountMode::from(row.mode).into(),
            kind: v1::AccountKind::from(row.kind).into(),
            currency: row.currency.clone(),
            currency_digits: u32::from(row.currency_digits),
            leverage: row.leverage,
            balance: row.balance.to_f64(),
            equity: row.equity.to_f64(),
            margin: row.margin.to_f64(),
            free_margin: row.free_margin.to_f64(),
            margin_level: row.margin_level,
            as_of: Some(as_of.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{BrokerTime, Price, Symbol};

    #[test]
    fn a_tick_survives_the_wire() {
        let tick = model::Tick {
            symbol: Symbol::parse("AUDUSD").unwrap(),
            time: BrokerTime(1_580_398_080_123),
            bid: Price::from_points(67_123, 5),
            ask: Price::from_points(67_130, 5),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        };
        let wire = v1::Tick::of(&tick, None, v1::TickKind::Live);
        assert_eq!(wire.read(&tick.symbol, 5).unwrap(), tick);
        assert_eq!(
            v1::Tick {
                bid: f64::NAN,
                ..wire
            }
            .read(&tick.symbol, 5),
            Err(WireError("bid"))
        );
    }
    #[test]
    fn a_bar_survives_the_wire() {
        let price = |points| Price::from_points(points, 5);
        let bar = model::Bar {
            symbol: Symbol::parse("AUDUSD").unwrap(),
            time: BrokerTime(1_580_398_080_000),
            open: price(67_123),
            high: price(67_150),
            low: price(67_100),
            close: price(67_101),
            tick_volume: 9,
            real_volume: 0,
            spread_points: 7,
        };
        let wire = v1::Bar::of(&bar, None, true);
        assert_eq!(wire.read(&bar.symbol, 5).unwrap(), bar);
        let timeless = v1::Bar { time: None, ..wire };
        assert_eq!(timeless.read(&bar.symbol, 5), Err(WireError("time")));
    }
}
