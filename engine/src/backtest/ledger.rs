//! Each order as it ended and each deal, in the order in which they came: what the sums are made of.
//! The words are those of the gateway's `ListOrders` and `ListDeals`.

use mymt5_model::{BrokerTime, DealKind, DealRow, OrderId, Price};
use mymt5_orders::{Order, Purpose};
use mymt5_proto::v1;
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, Write},
};

/// Rows that are kept; those beyond them are left out.
const MOST: usize = 1_000_000;

/// The rows.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<Row>,
    /// Where the orders stand among them.
    ended: HashMap<OrderId, usize>,
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

    /// Takes an order that ended. Where later evidence corrects its end, its row tells the last one.
    pub(super) fn order(&mut self, order: &Order) {
        let action = match order.purpose {
            Purpose::Entry => v1::OrderAction::Submit,
            Purpose::Exit(_) => v1::OrderAction::Close,
        };
        let row = Row::Order(Ended {
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
        });
        if let Some(at) = self.ended.get(&order.id) {
            self.rows[*at] = row;
            return;
        }
        if self.rows.len() < MOST {
            self.ended.insert(order.id, self.rows.len());
        }
        self.push(row);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{
        ClientName, Levels, Lots, Magic, Moment, OrderState, OrderType, RequestId, Side, Symbol,
        TimeInForce,
    };

    fn order(id: u64, state: OrderState) -> Order {
        Order {
            id: OrderId(id),
            client: ClientName::local(),
            request_id: RequestId::of_number(id.into()),
            purpose: Purpose::Entry,
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Buy,
            kind: OrderType::Market,
            state,
            lots: Lots::from_f64(0.5).unwrap(),
            closes_all: false,
            filled: Lots::ZERO,
            filled_points: 0,
            price: None,
            stop_limit_price: None,
            digits: 5,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            retcode: None,
            reason: String::new(),
            retryable: false,
            cancel_pending: false,
            created: Moment::default(),
            updated: Moment::default(),
            position: None,
            tag: "jumps".to_owned(),
            magic: Magic::NONE,
            ticket: None,
            trace_id: String::new(),
        }
    }

    #[test]
    fn an_order_whose_end_is_corrected_stands_once_with_the_last_one() {
        let mut ledger = Ledger::default();
        ledger.order(&order(1, OrderState::Rejected));
        ledger.order(&order(2, OrderState::Canceled));
        ledger.order(&order(1, OrderState::Filled));
        let mut written = Vec::new();
        ledger.write(&mut written).unwrap();
        let read = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).unwrap();
        let lines = written.split(|byte| *byte == b'\n');
        let rows = lines.filter(|line| !line.is_empty()).map(read);
        let states: Vec<_> = rows.map(|row| row["order"]["state"].clone()).collect();
        assert_eq!(states, ["ORDER_STATE_FILLED", "ORDER_STATE_CANCELED"]);
    }
}
