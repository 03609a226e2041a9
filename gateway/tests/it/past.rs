//! Orders of years: what each leaves in a journal, written by the journal's own writer.

use mymt5_gateway::journal::{Journal, Sqlite};
use mymt5_model::{
    BrokerTime, ClientName, DealKind, DealReason, DealRow, Entry, Levels, Lots, Magic, Moment,
    Money, OrderId, OrderState, OrderType, PositionId, Price, RequestId, Retcode, Side, Symbol,
    Ticket, TimeInForce, UtcTime,
};
use mymt5_orders::{
    Audience, Event, Loaded, Order, OwnedDeal, Purpose, Record, Recorded, Request, Subject,
    order_id_at,
};
use std::{fs, path::Path, sync::Arc};

/// Records of so many orders are written at a time.
const BATCH: u64 = 500;
/// 2025-01-06 12:00 UTC, a Monday: the first order; one every five seconds follows.
const BEGUN: i64 = 1_736_164_800_000;
const EVERY_MS: i64 = 5_000;
/// Tickets as brokers give them: not those of the simulated account.
const TICKETS: u64 = 50_000_000_000;

/// Who traded for years, and how far its journal had come.
pub(crate) struct Past {
    client: ClientName,
    slot: u16,
    sequence: u64,
}

impl Past {
    /// Of the client `all` in that journal.
    pub(crate) fn after(loaded: &Loaded) -> Self {
        let client = ClientName::parse("all").unwrap();
        Self {
            slot: loaded.slots[&client],
            client,
            sequence: loaded.sequence,
        }
    }

    /// What one order left: its request, itself, its deal, and its events.
    pub(crate) fn records(&mut self, number: u64) -> Vec<Record> {
        let at = UtcTime(BEGUN + number as i64 * EVERY_MS);
        let filled = self.order(number, at);
        let accepted = Order {
            state: OrderState::Accepted,
            filled: Lots::ZERO,
            filled_points: 0,
            retcode: None,
            ..filled.clone()
        };
        let sent = Order {
            state: OrderState::Sent,
            ..accepted.clone()
        };
        let request = Request {
            client: self.client.clone(),
            request_id: filled.request_id.clone(),
            method: "SubmitOrder".into(),
            content: [(number % 251) as u8; 32],
            subject: Subject::Order(filled.id),
            at,
            trace_id: filled.trace_id.clone(),
        };
        let deal = Self::deal(number, &filled);
        let told = [
            Event::Order(Box::new(accepted)),
            Event::Order(Box::new(sent)),
            Event::Deal {
                deal: deal.deal.clone(),
                order: deal.order,
                tag: deal.tag.clone(),
            },
            Event::Order(Box::new(filled.clone())),
        ];
        let mut records = vec![Record::Request(request), Record::Deal(deal)];
        for event in told {
            self.sequence += 1;
            records.push(Record::Event(Arc::new(Recorded {
                sequence: self.sequence,
                at,
                trace_id: filled.trace_id.clone(),
                audience: Audience::Client(self.client.clone()),
                event,
            })));
        }
        records.push(Record::Order(Box::new(filled)));
        records
    }

    fn order(&self, number: u64, at: UtcTime) -> Order {
        let OrderId(id) = order_id_at(at);
        let lots = Lots::from_f64(0.1).unwrap();
        let price = 110_000 + (number % 997) as i64;
        let moment = Moment {
            utc: Some(at),
            broker: Some(BrokerTime(at.0 + 7_200_000)),
        };
        let purpose = if number.is_multiple_of(2) {
            Purpose::Entry
        } else {
            Purpose::Exit(position(number))
        };
        Order {
            id: OrderId(id),
            client: self.client.clone(),
            request_id: RequestId::parse(&past_id(number)).unwrap(),
            purpose,
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: [Side::Buy, Side::Sell][number as usize % 2],
            kind: OrderType::Market,
            state: OrderState::Filled,
            lots,
            closes_all: false,
            filled: lots,
            filled_points: i128::from(price) * i128::from(lots.units()),
            price: None,
            stop_limit_price: None,
            digits: 5,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            retcode: Some(Retcode::DONE),
            reason: String::new(),
            retryable: false,
            cancel_pending: false,
            created: moment,
            updated: moment,
            position: Some(position(number)),
            tag: "trend".into(),
            magic: Magic::new(self.slot, id).unwrap(),
            ticket: Some(Ticket(TICKETS + number)),
            trace_id: format!("{number:032x}"),
        }
    }

    fn deal(number: u64, order: &Order) -> Arc<OwnedDeal> {
        let price = 110_000 + (number % 997) as i64;
        let profit = if number.is_multiple_of(2) { 0.0 } else { 1.23 };
        Arc::new(OwnedDeal {
            deal: DealRow {
                ticket: Ticket(TICKETS + number),
                order: order.ticket,
                position_id: order.position,
                magic: order.magic,
                symbol: Some(order.symbol.clone()),
                kind: DealKind::Trade(order.side),
                entry: Some([Entry::In, Entry::Out][number as usize % 2]),
                reason: DealReason::Expert,
                lots: order.lots,
                price: Some(Price::from_points(price, 5)),
                profit: Money::from_f64(profit).unwrap(),
                swap: Money::ZERO,
                commission: Money::from_f64(-0.35).unwrap(),
                time: order.created.broker.unwrap(),
                comment: order.request_id.to_string(),
            },
            order: Some(order.id),
            client: Some(order.client.clone()),
            tag: order.tag.clone(),
        })
    }
}

/// The request id of one of them.
pub(crate) fn past_id(number: u64) -> String {
    format!("trend-{number}")
}

/// An entry and its exit share it.
fn position(number: u64) -> PositionId {
    PositionId(TICKETS + number - number % 2)
}

/// Writes that many orders into a journal. Gives the bytes that each of the later half took.
pub(crate) fn fill(path: &Path, orders: u64) -> f64 {
    let (mut journal, loaded) = Sqlite::open_as_it_is(path).unwrap();
    let mut past = Past::after(&loaded);
    let size = || fs::metadata(path).unwrap().len();
    let mut half = 0;
    for begin in (0..orders).step_by(BATCH as usize) {
        if begin == orders / 2 {
            drop(journal);
            half = size();
            journal = Sqlite::open_as_it_is(path).unwrap().0;
        }
        let batch = begin..(begin + BATCH).min(orders);
        let records: Vec<Record> = batch.flat_map(|number| past.records(number)).collect();
        journal.commit(&records).unwrap();
        if begin % 100_000 == 0 {
            println!("{begin} orders written");
        }
    }
    drop(journal);
    (size() - half) as f64 / (orders - orders / 2) as f64
}
