//! Deals.

use super::{Columns, Stored, Values};
use mymt5_model::{
    BrokerTime, ClientName, DealKind, DealRow, Lots, Magic, Money, OrderId, PositionId, Side,
    Symbol, Ticket,
};
use mymt5_orders::OwnedDeal;

/// The name of a deal's kind: a trade is named by its side.
const fn kind_name(kind: DealKind) -> &'static str {
    match kind {
        DealKind::Trade(Side::Buy) => "Buy",
        DealKind::Trade(Side::Sell) => "Sell",
        DealKind::Balance => "Balance",
        DealKind::Credit => "Credit",
        DealKind::Correction => "Correction",
        DealKind::Other => "Other",
    }
}

fn kind(name: &str) -> Option<DealKind> {
    Some(match name {
        "Buy" => DealKind::Trade(Side::Buy),
        "Sell" => DealKind::Trade(Side::Sell),
        "Balance" => DealKind::Balance,
        "Credit" => DealKind::Credit,
        "Correction" => DealKind::Correction,
        "Other" => DealKind::Other,
        _ => return None,
    })
}

/// No money takes no room.
fn some(amount: Money) -> Option<Money> {
    (amount != Money::ZERO).then_some(amount)
}

impl Stored for OwnedDeal {
    const TABLE: &'static str = "deals";
    const COLUMNS: &'static [&'static str] = &[
        "ticket",
        "order_ticket",
        "position_id",
        "magic",
        "symbol",
        "type",
        "entry",
        "reason",
        "lots",
        "price",
        "profit",
        "swap",
        "commission",
        "broker_ms",
        "comment",
        "order_id",
        "client",
        "tag",
    ];

    fn values(&self) -> Values {
        let mut values = Values::default();
        let deal = &self.deal;
        // Magics of other programs use the sign, and SQLite's integers have one.
        let magic = deal.magic.raw().cast_signed();
        values
            .number(deal.ticket.0)
            .maybe_number(deal.order.map(|ticket| ticket.0))
            .maybe_number(deal.position_id.map(|id| id.0))
            .put((magic != 0).then_some(magic))
            .maybe_shown(deal.symbol.as_ref())
            .shown(kind_name(deal.kind));
        match &deal.entry {
            Some(entry) => values.word(entry),
            None => values.text(""),
        };
        values
            .word(&deal.reason)
            .maybe_shown((!deal.lots.is_zero()).then_some(deal.lots))
            .maybe_shown(deal.price)
            .maybe_shown(some(deal.profit))
            .maybe_shown(some(deal.swap))
            .maybe_shown(some(deal.commission))
            .put(deal.time.0)
            .text(&deal.comment)
            .maybe_number(self.order.map(|id| id.0))
            .maybe_shown(self.client.as_ref())
            .text(&self.tag);
        values
    }

    fn read(from: &mut Columns) -> Option<Self> {
        let symbol = |text: String| Symbol::parse(&text).ok();
        let client = |text: String| ClientName::parse(&text).ok();
        let deal = DealRow {
            ticket: Ticket(from.number()?),
            order: from.maybe_number()?.map(Ticket),
            position_id: from.maybe_number()?.map(PositionId),
            magic: Magic::from_raw(from.maybe_int()?.unwrap_or(0).cast_unsigned()),
            symbol: from
                .maybe_text()?
                .map_or(Some(None), |text| symbol(text).map(Some))?,
            kind: kind(&from.text()?)?,
            entry: from.maybe_word()?,
            reason: from.word()?,
            lots: from.maybe_shown()?.unwrap_or(Lots::ZERO),
            price: from.maybe_shown()?,
            profit: from.maybe_shown()?.unwrap_or(Money::ZERO),
            swap: from.maybe_shown()?.unwrap_or(Money::ZERO),
            commission: from.maybe_shown()?.unwrap_or(Money::ZERO),
            time: BrokerTime(from.int()?),
            comment: from.text()?,
        };
        Some(Self {
            deal,
            order: from.maybe_number()?.map(OrderId),
            client: from
                .maybe_text()?
                .map_or(Some(None), |text| client(text).map(Some))?,
            tag: from.text()?,
        })
    }
}
