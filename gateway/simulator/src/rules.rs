//! What a trade server refuses, one question a function: volumes, prices, levels, directions,
//! lifetimes, fillings. Pure; the answer is a return code.

use mymt5_model::{
    BrokerTime, Execution, FillingModes, Levels, Lots, OrderRow, OrderType, Price, Retcode, Side,
    SymbolSpec, Tick, TimeInForce, TradeMode,
};

/// The greatest price in points; beyond it no money could be counted exactly.
pub(crate) const MOST_POINTS: i64 = 1_000_000_000_000;

/// How much of an order must be done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// All or nothing.
    Fok,
    /// What there is; the rest is cancelled.
    Ioc,
    /// What there is; the rest works on.
    Return,
}

/// The filling mode of a market order, as the execution mode and the symbol's mask have it.
pub(crate) fn filling(spec: &SymbolSpec) -> Result<Filling, Retcode> {
    let has = |bit| spec.filling.has(bit);
    match spec.execution {
        Execution::Request | Execution::Instant if !has(FillingModes::FOK) => {
            Err(Retcode::INVALID_FILL)
        }
        Execution::Request | Execution::Instant => Ok(Filling::Fok),
        Execution::Market if has(FillingModes::FOK) => Ok(Filling::Fok),
        Execution::Market if has(FillingModes::IOC) => Ok(Filling::Ioc),
        Execution::Market | Execution::Exchange => Ok(Filling::Return),
    }
}

/// A volume of the symbol's grid.
pub(crate) fn volume(spec: &SymbolSpec, lots: Lots) -> Result<(), Retcode> {
    let grid = &spec.volume;
    let above = lots.units().saturating_sub(grid.min.units());
    if above < 0 || lots > grid.max || above % grid.step.units() != 0 {
        return Err(Retcode::INVALID_VOLUME);
    }
    Ok(())
}

/// Whether the symbol may be opened in that direction.
pub(crate) fn direction(spec: &SymbolSpec, side: Side) -> Result<(), Retcode> {
    match (spec.trade_mode, side) {
        (TradeMode::Disabled, _) => Err(Retcode::TRADE_DISABLED),
        (TradeMode::CloseOnly, _) => Err(Retcode::CLOSE_ONLY),
        (TradeMode::LongOnly, Side::Sell) => Err(Retcode::LONG_ONLY),
        (TradeMode::ShortOnly, Side::Buy) => Err(Retcode::SHORT_ONLY),
        _ => Ok(()),
    }
}

fn on_grid(spec: &SymbolSpec, price: Price) -> bool {
    price.digits() == spec.digits
        && (1..=MOST_POINTS).contains(&price.points())
        && price.points() % spec.tick_size_points == 0
}

/// Points by which `price` lies above `from` on that side: positive is above for a buy and below
/// for a sell.
fn beyond(side: Side, from: Price, price: Price) -> i64 {
    side.sign() * (price.points() - from.points())
}

/// The least distance: the stops level, and never on the price itself.
fn gap(spec: &SymbolSpec) -> i64 {
    spec.stops_level_points.max(1)
}

/// Stop loss behind and take profit before `reference`, both far enough from it.
pub(crate) fn levels(
    spec: &SymbolSpec,
    side: Side,
    reference: Price,
    levels: Levels,
) -> Result<(), Retcode> {
    let far = |price: Price, sign: i64| {
        on_grid(spec, price) && sign * beyond(side, reference, price) >= gap(spec)
    };
    let fits = levels.stop_loss.is_none_or(|price| far(price, -1))
        && levels.take_profit.is_none_or(|price| far(price, 1));
    if fits {
        Ok(())
    } else {
        Err(Retcode::INVALID_STOPS)
    }
}

/// Type, prices and levels of a pending order against the market.
pub(crate) fn pending(spec: &SymbolSpec, row: &OrderRow, quote: &Tick) -> Result<(), Retcode> {
    let price = row.price.ok_or(Retcode::INVALID)?;
    let needs_limit = row.kind == OrderType::StopLimit;
    if row.kind == OrderType::Market || row.stop_limit_price.is_some() != needs_limit {
        return Err(Retcode::INVALID);
    }
    if !on_grid(spec, price) {
        return Err(Retcode::INVALID_PRICE);
    }
    let ahead = beyond(row.side, touch_of(row.side, quote), price);
    let fits = match row.kind {
        OrderType::Limit => -ahead >= gap(spec),
        _ => ahead >= gap(spec),
    };
    let limit_fits = row
        .stop_limit_price
        .is_none_or(|limit| on_grid(spec, limit) && -beyond(row.side, price, limit) >= gap(spec));
    if !fits || !limit_fits {
        return Err(Retcode::INVALID_PRICE);
    }
    levels(
        spec,
        row.side,
        row.stop_limit_price.unwrap_or(price),
        row.levels,
    )
}

/// The price at which that side is dealt.
pub(crate) fn touch_of(side: Side, quote: &Tick) -> Price {
    match side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    }
}

/// When an order's life ends; none for never. A lifetime without broker time has ended.
pub(crate) fn expires(time_in_force: TimeInForce, created: BrokerTime) -> Option<BrokerTime> {
    match time_in_force {
        TimeInForce::Gtc => None,
        TimeInForce::Day => Some(created.day_end()),
        TimeInForce::Gtd(end) => Some(end.broker.unwrap_or(created)),
        TimeInForce::GtdDay(end) => Some(end.broker.map_or(created, BrokerTime::day_end)),
    }
}

/// A lifetime that has not ended yet.
pub(crate) fn lifetime(
    time_in_force: TimeInForce,
    created: BrokerTime,
    now: BrokerTime,
) -> Result<(), Retcode> {
    match expires(time_in_force, created) {
        Some(end) if end <= now => Err(Retcode::INVALID_EXPIRATION),
        _ => Ok(()),
    }
}

/// Whether one of the prices is too near to the market to be touched.
pub(crate) fn frozen(
    spec: &SymbolSpec,
    market: Price,
    prices: impl IntoIterator<Item = Option<Price>>,
) -> Result<(), Retcode> {
    let near = |price: Price| (price.points() - market.points()).abs() <= spec.freeze_level_points;
    if spec.freeze_level_points > 0 && prices.into_iter().flatten().any(near) {
        return Err(Retcode::FROZEN);
    }
    Ok(())
}
