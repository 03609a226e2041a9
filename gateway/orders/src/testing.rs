//! Rows for unit tests.
#![allow(clippy::unwrap_used)]

use mymt5_model::{
    AccountKind, AccountMode, AccountRow, BrokerTime, DealKind, DealReason, DealRow, Entry, Lots,
    Magic, MaskedAccount, Money, PositionId, Price, Side, Symbol, Ticket,
};

/// A hedging account with money.
pub(crate) fn account() -> AccountRow {
    let amount = Money::from_f64(10_000.0).unwrap();
    AccountRow {
        account: MaskedAccount::of(70_000_001),
        server: "Simulator".into(),
        mode: AccountMode::Hedging,
        kind: AccountKind::Simulated,
        currency: "USD".into(),
        currency_digits: 2,
        leverage: 100,
        balance: amount,
        credit: Money::ZERO,
        profit: Money::ZERO,
        equity: amount,
        margin: Money::ZERO,
        free_margin: amount,
        margin_level: None,
        trade_allowed: true,
    }
}

/// A trade of EURUSD; lots in units of 1e-8.
pub(crate) fn deal(
    ticket: u64,
    position: u64,
    side: Side,
    entry: Entry,
    lots: i64,
    points: i64,
) -> DealRow {
    DealRow {
        ticket: Ticket(ticket),
        order: Some(Ticket(ticket)),
        position_id: Some(PositionId(position)),
        magic: Magic::NONE,
        symbol: Some(Symbol::parse("EURUSD").unwrap()),
        kind: DealKind::Trade(side),
        entry: Some(entry),
        reason: DealReason::Expert,
        lots: Lots::from_units(lots),
        price: Some(Price::from_points(points, 5)),
        profit: Money::ZERO,
        swap: Money::ZERO,
        commission: Money::ZERO,
        time: BrokerTime(0),
        comment: String::new(),
    }
}
