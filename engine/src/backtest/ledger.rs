//! Each order as it ended and each deal, in the order in which they came: what the sums are made of.
//! The words are those of the gateway's `ListOrders` and `ListDeals`.

use mymt5_model::{BrokerTime, DealKind, DealRow, Price};
use mymt5_orders::{Order, Purpose};
use mymt5_proto::v1;
use serde::Serialize;
use std::io::{self, Write};

/// Rows that are kept; those beyond them are left out.
const MOST: usize = 1_000_000;

/// The rows.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<Row>,
    left_out: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Row {
    Order(Ended),
    Deal(Done),
    /// So many of both came after these.
    LeftOut(u64),
}

/// An order that ended.
#[derive(Debug, Serialize)]
struct Ended {
    action: &'static str,
    symbol: String,
    side: &'static str,
    r#type: &'static str,
    state: &'static str,
    lots: f64,
    filled_lots: f64,
    average_price: Option<f64>,
    price: Option<f64>,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
    reason: String,
    tag: String,
}

/// A deal.
#[derive(Debug, Serialize)]
struct Done {
    /// Milliseconds of the broker's wall clock, encoded as if it were UTC.
    broker_ms: BrokerTime,
    symbol: String,
    side: &'static str,
    entry: &'static str,
    reason: &'static str,
    lots: f64,
    price: f64,
    profit: f64,
    swap: f64,
    commission: f64,
    tag: String,
}

impl Ledger {
    /// Writes them, one JSON object a line: `{"order": ...}` or `{"deal": ...}`, and after the first
    /// million how many are left out: `{"left_out": ...}`. Money is in the account's currency.
    ///
    /// # Errors
    /// What `to` has against it.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let left_out = Some(Row::LeftOut(self.left_out)).filter(|_| self.left_out > 0);
        for row in self.rows.iter().chain(&left_out) {
            serde_json::to_writer(&mut to, row)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }

    /// Takes an order that ended. One whose end later evidence corrects has a row for each end: the
    /// last one holds.
    pub(super) fn order(&mut self, order: &Order) {
        let action = match order.purpose {
            Purpose::Entry => v1::OrderAction::Submit,
            Purpose::Exit(_) => v1::OrderAction::Close,
        };
        self.push(Row::Order(Ended {
            action: action.as_str_name(),
            symbol: order.symbol.to_string(),
            side: v1::Side::from(order.side).as_str_name(),
            r#type: v1::OrderType::from(order.kind).as_str_name(),
            state: v1::OrderState::from(order.state).as_str_name(),
            lots: order.lots.to_f64(),
            filled_lots: order.filled.to_f64(),
            average_price: order.average_price(),
            price: order.price.map(Price::to_f64),
            stop_loss: order.levels.stop_loss.map(Price::to_f64),
            take_profit: order.levels.take_profit.map(Price::to_f64),
            reason: order.reason.clone(),
            tag: order.tag.clone(),
        }));
    }

    /// Takes a deal.
    pub(super) fn deal(&mut self, deal: &DealRow, tag: &str) {
        let side = match deal.kind {
            DealKind::Trade(side) => v1::Side::from(side),
            DealKind::Balance | DealKind::Credit | DealKind::Correction | DealKind::Other => {
                v1::Side::Unspecified
            }
        };
        let entry = deal.entry;
        let entry = entry.map_or(v1::DealEntry::Unspecified, v1::DealEntry::from);
        let symbol = deal.symbol.as_ref();
        self.push(Row::Deal(Done {
            broker_ms: deal.time,
            symbol: symbol.map(ToString::to_string).unwrap_or_default(),
            side: side.as_str_name(),
            entry: entry.as_str_name(),
            reason: v1::DealReason::from(deal.reason).as_str_name(),
            lots: deal.lots.to_f64(),
            price: deal.price.map_or(0.0, Price::to_f64),
            profit: deal.profit.to_f64(),
            swap: deal.swap.to_f64(),
            commission: deal.commission.to_f64(),
            tag: tag.to_owned(),
        }));
    }

    fn push(&mut self, row: Row) {
        if self.rows.len() < MOST {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }
}
