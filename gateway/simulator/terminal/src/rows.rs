//! How the account's rows look on the wire, with the package's numbers for what they are.

use crate::{layout, quotes::Quoted};
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, DealKind, DealReason, DealRow, Entry, Execution, Magic,
    OrderRow, OrderType, PositionRow, Price, RowState, Side, SymbolSpec, TimeInForce, TradeMode,
    Weekday,
};
use mymt5_simulator::AccountConfig;

/// An order may be placed at any time to come: until cancelled, for a day, until a time or a day.
const EXPIRATIONS: i32 = 1 | 2 | 4 | 8;
/// Every type of order; only on a hedging account does one close a position by its opposite.
const ORDERS: i32 = 1 | 2 | 4 | 8 | 16 | 32;
const CLOSE_BY_ORDERS: i32 = 64;
/// The type of that order.
const CLOSE_BY: i32 = 8;
/// A margin mode of the package.
const RETAIL_NETTING: i32 = 0;
const RETAIL_HEDGING: i32 = 2;
/// Reasons of the package.
const CLIENT: i32 = 0;
const EXPERT: i32 = 3;

pub(crate) const fn seconds(time: BrokerTime) -> i64 {
    time.0.div_euclid(1000)
}

fn price(price: Option<Price>) -> f64 {
    price.map_or(0.0, Price::to_f64)
}

/// What the package calls that type of order.
pub(crate) const fn order_type(kind: OrderType, side: Side) -> i32 {
    let buy = match kind {
        OrderType::Market => 0,
        OrderType::Limit => 2,
        OrderType::Stop => 4,
        OrderType::StopLimit => 6,
    };
    buy + side_code(side)
}

const fn side_code(side: Side) -> i32 {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

const fn reason(reason: DealReason) -> i32 {
    match reason {
        DealReason::Client => CLIENT,
        DealReason::Mobile => 1,
        DealReason::Web => 2,
        DealReason::Expert => EXPERT,
        DealReason::StopLoss => 4,
        DealReason::TakeProfit => 5,
        DealReason::StopOut => 6,
        DealReason::Rollover => 7,
        DealReason::Other => 8,
    }
}

/// Who asked: a program, where there is a magic.
fn asked_by(magic: Magic) -> i32 {
    if magic == Magic::NONE { CLIENT } else { EXPERT }
}

pub(crate) fn account(row: &AccountRow, config: &AccountConfig, login: u64) -> layout::Account {
    layout::Account {
        login: login as i64,
        trade_mode: 0,
        leverage: row.leverage as i32,
        limit_orders: config.max_orders.map_or(0, |most| most as i32),
        margin_so_mode: 0,
        trade_allowed: row.trade_allowed,
        trade_expert: row.trade_allowed,
        margin_mode: match row.mode {
            AccountMode::Netting => RETAIL_NETTING,
            AccountMode::Hedging => RETAIL_HEDGING,
        },
        currency_digits: i32::from(row.currency_digits),
        balance: row.balance.to_f64(),
        credit: row.credit.to_f64(),
        profit: row.profit.to_f64(),
        equity: row.equity.to_f64(),
        margin: row.margin.to_f64(),
        margin_free: row.free_margin.to_f64(),
        margin_level: row.margin_level.unwrap_or(0.0),
        margin_so_call: config.margin_call_level,
        margin_so_so: config.stop_out_level,
        name: "Simulated".into(),
        server: row.server.as_str().into(),
        currency: row.currency.as_str().into(),
        company: "MyMT5".into(),
        ..layout::Account::default()
    }
}

pub(crate) fn position(
    row: &PositionRow,
    current: Option<Price>,
    comment: &str,
) -> layout::Position {
    layout::Position {
        ticket: row.ticket.0,
        time: seconds(row.opened),
        time_msc: row.opened.0,
        time_update: seconds(row.updated),
        time_update_msc: row.updated.0,
        kind: side_code(row.side),
        magic: row.magic.raw(),
        identifier: row.id.0,
        reason: asked_by(row.magic),
        volume: row.lots.to_f64(),
        price_open: row.open_price.to_f64(),
        sl: price(row.levels.stop_loss),
        tp: price(row.levels.take_profit),
        price_current: price(current),
        swap: row.swap.to_f64(),
        profit: row.profit.to_f64(),
        symbol: row.symbol.as_str().into(),
        comment: comment.into(),
        ..layout::Position::default()
    }
}

/// What an order's row does not tell of it.
pub(crate) struct OrderExtra<'a> {
    pub(crate) filling: i32,
    /// The opposite position that it closes by.
    pub(crate) position_by: u64,
    pub(crate) comment: &'a str,
    pub(crate) current: Option<Price>,
    pub(crate) servers_reason: Option<DealReason>,
}

pub(crate) fn order(row: &OrderRow, extra: &OrderExtra<'_>) -> layout::Order {
    let (type_time, end) = match row.time_in_force {
        TimeInForce::Gtc => (0, None),
        TimeInForce::Day => (1, None),
        TimeInForce::Gtd(end) => (2, end.broker),
        TimeInForce::GtdDay(end) => (3, end.broker),
    };
    layout::Order {
        ticket: row.ticket.0,
        time_setup: seconds(row.created),
        time_setup_msc: row.created.0,
        time_done: row.done.map_or(0, seconds),
        time_done_msc: row.done.map_or(0, |done| done.0),
        time_expiration: end.map_or(0, seconds),
        kind: match extra.position_by {
            0 => order_type(row.kind, row.side),
            _ => CLOSE_BY,
        },
        position_by_id: extra.position_by,
        type_time,
        type_filling: extra.filling,
        state: match row.state {
            RowState::Placed => 1,
            RowState::Canceled => 2,
            RowState::Partial => 3,
            RowState::Filled => 4,
            RowState::Rejected => 5,
            RowState::Expired => 6,
        },
        magic: row.magic.raw(),
        position_id: row.position_id.map_or(0, |id| id.0),
        reason: extra
            .servers_reason
            .map_or_else(|| asked_by(row.magic), reason),
        volume_initial: row.lots.to_f64(),
        volume_current: row.lots_left.to_f64(),
        price_open: price(row.price),
        price_current: price(extra.current),
        sl: price(row.levels.stop_loss),
        tp: price(row.levels.take_profit),
        price_stoplimit: price(row.stop_limit_price),
        symbol: row.symbol.as_str().into(),
        comment: extra.comment.into(),
        ..layout::Order::default()
    }
}

pub(crate) fn deal(row: &DealRow, comment: &str) -> layout::Deal {
    layout::Deal {
        ticket: row.ticket.0,
        order: row.order.map_or(0, |order| order.0),
        time: seconds(row.time),
        time_msc: row.time.0,
        kind: match row.kind {
            DealKind::Trade(side) => side_code(side),
            DealKind::Balance => 2,
            DealKind::Credit => 3,
            DealKind::Other => 4,
            DealKind::Correction => 5,
        },
        entry: match row.entry {
            None | Some(Entry::In) => 0,
            Some(Entry::Out) => 1,
            Some(Entry::InOut) => 2,
            Some(Entry::OutBy) => 3,
        },
        magic: row.magic.raw(),
        position_id: row.position_id.map_or(0, |id| id.0),
        reason: reason(row.reason),
        volume: row.lots.to_f64(),
        price: price(row.price),
        commission: row.commission.to_f64(),
        swap: row.swap.to_f64(),
        profit: row.profit.to_f64(),
        symbol: row
            .symbol
            .as_ref()
            .map_or("", |symbol| symbol.as_str())
            .into(),
        comment: comment.into(),
        ..layout::Deal::default()
    }
}

pub(crate) fn symbol(
    spec: &SymbolSpec,
    config: &AccountConfig,
    quoted: Option<&Quoted>,
    watched: bool,
) -> layout::SymbolInfo {
    let newest = quoted.and_then(Quoted::newest).cloned().unwrap_or_default();
    let day = quoted.map(|quoted| quoted.day).unwrap_or_default();
    let scale = 10f64.powi(i32::from(spec.digits));
    let points = |count| Price::from_points(count, spec.digits).to_f64();
    let value = spec.tick_value.unwrap_or(0.0);
    layout::SymbolInfo {
        select: watched,
        visible: watched,
        time: newest.time,
        digits: i32::from(spec.digits),
        spread: ((newest.ask - newest.bid) * scale).round() as i32,
        spread_float: true,
        // Margin of a currency pair is in its base, of another contract in its price.
        trade_calc_mode: if spec.base_currency == spec.quote_currency {
            4
        } else {
            0
        },
        trade_mode: match spec.trade_mode {
            TradeMode::Disabled => 0,
            TradeMode::LongOnly => 1,
            TradeMode::ShortOnly => 2,
            TradeMode::CloseOnly => 3,
            TradeMode::Full => 4,
        },
        trade_stops_level: spec.stops_level_points as i32,
        trade_freeze_level: spec.freeze_level_points as i32,
        trade_exemode: execution(spec.execution),
        swap_mode: 1,
        swap_rollover3days: weekday(config.triple_swap_day),
        margin_hedged_use_leg: true,
        expiration_mode: EXPIRATIONS,
        filling_mode: spec.filling.0 as i32,
        order_mode: match config.mode {
            AccountMode::Netting => ORDERS,
            AccountMode::Hedging => ORDERS | CLOSE_BY_ORDERS,
        },
        bid: newest.bid,
        bidhigh: day.bid.0,
        bidlow: day.bid.1,
        ask: newest.ask,
        askhigh: day.ask.0,
        asklow: day.ask.1,
        last: newest.last,
        volume_real: newest.volume_real,
        volume: newest.volume,
        point: points(1),
        trade_tick_value: value,
        trade_tick_value_profit: value,
        trade_tick_value_loss: value,
        trade_tick_size: points(spec.tick_size_points),
        trade_contract_size: spec.contract_size,
        volume_min: spec.volume.min.to_f64(),
        volume_max: spec.volume.max.to_f64(),
        volume_step: spec.volume.step.to_f64(),
        volume_limit: config.max_symbol_lots.map_or(0.0, |most| most.to_f64()),
        swap_long: spec.swap_long_points,
        swap_short: spec.swap_short_points,
        currency_base: spec.base_currency.as_str().into(),
        currency_profit: spec.quote_currency.as_str().into(),
        currency_margin: spec.base_currency.as_str().into(),
        description: spec.description.as_str().into(),
        path: layout::Text(format!("Simulated\\{}", spec.symbol)),
        name: spec.symbol.as_str().into(),
        ..layout::SymbolInfo::default()
    }
}

const fn execution(execution: Execution) -> i32 {
    match execution {
        Execution::Request => 0,
        Execution::Instant => 1,
        Execution::Market => 2,
        Execution::Exchange => 3,
    }
}

/// The package counts from Sunday.
const fn weekday(day: Weekday) -> i32 {
    (day as i32 + 1) % 7
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Symbol;
    use mymt5_simulator::catalogue;

    #[test]
    fn prices_are_the_very_doubles_that_are_written_so() {
        let spec = catalogue::spec(&Symbol::parse("EURUSD").unwrap());
        let info = symbol(&spec, &AccountConfig::default(), None, true);
        assert_eq!((info.point, info.trade_tick_size), (1e-5, 1e-5));
        assert_eq!((info.volume_min, info.volume_step), (0.01, 0.01));
        let open = Price::from_points(110_007, 5);
        assert_eq!(price(Some(open)), 1.10007);
        assert_eq!(price(None), 0.0);
    }

    #[test]
    fn days_count_from_sunday() {
        assert_eq!(weekday(Weekday::Sunday), 0);
        assert_eq!(weekday(Weekday::Wednesday), 3);
        assert_eq!(weekday(Weekday::Saturday), 6);
    }
}
