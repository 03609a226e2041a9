//! A record of what a gateway knows: its deals and orders of the past.

use super::{Deal, Point, Positions, Record};
use mymt5_model::{BrokerTime, Entry, Lots, Money, PositionId, Side};
use mymt5_proto::{parse_enum, v1};
use std::collections::{BTreeMap, HashMap};
use v1::DealEntry;

/// The first moment beyond the times that are taken: 2100-01-01, broker time.
const TIMES_END: i64 = 4_102_444_800_000;

/// The past as a gateway lists it, in any order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Deals.
    pub deals: Vec<v1::Deal>,
    /// Orders.
    pub orders: Vec<v1::Order>,
}

impl History {
    /// Makes the record of an account that is `now` so; the caller adds title, account and
    /// settings. A trade is what a closing deal fixed; it bears its share of the commission of the
    /// opening.
    #[must_use]
    pub fn record(mut self, now: &v1::Account) -> Record {
        let count = self.deals.len();
        self.deals.retain(has_time);
        let timeless = count - self.deals.len();
        self.deals.sort_by_key(|deal| (time_of(deal), deal.deal_id));
        let all: f64 = self.deals.iter().map(amount).sum();
        let mut record = Record {
            currency: now.currency.clone(),
            currency_digits: u8::try_from(now.currency_digits).unwrap_or(2).min(8),
            initial: now.balance - all,
            deals: self.deals.iter().filter(|deal| !is_balance(deal)).count() as u64,
            refusals: refusals(&self.orders),
            notes: self.notes(timeless),
            ..Record::default()
        };
        self.series(&mut record);
        let stops = stops(&self.orders);
        let mut positions = Positions::default();
        let mut unreadable = 0;
        for deal in self.deals.iter().filter(|deal| !is_balance(deal)) {
            match read(deal, &stops) {
                Some(deal) => {
                    let closed = positions.take(&deal);
                    record.trades.extend(closed.map(|closed| closed.trade));
                }
                None => unreadable += 1,
            }
        }
        record.notes.extend(untold(&positions, unreadable));
        record
    }

    /// What these deals do not tell.
    fn notes(&self, timeless: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if timeless > 0 {
            notes.push(format!(
                "{timeless} deals without a usable time are in the initial deposit, not among the trades."
            ));
        }
        let others = self.deals.iter().filter(|deal| is_balance(deal));
        match others.count() {
            0 if !self.deals.is_empty() => notes.push(
                "No deposit is among these deals: the initial deposit is the balance now less what these deals made, so that it has what others made in the account."
                    .to_owned(),
            ),
            count if self.has_charges() => notes.push(format!(
                "Which of {count} balance rows are deposits, and which are charges or bonuses, is not told: all count as paid in or out, none as gained or lost."
            )),
            _ => {}
        }
        notes
    }

    /// True where a balance row after the first trade may be a charge.
    fn has_charges(&self) -> bool {
        let later = self.deals.iter().skip_while(|deal| is_balance(deal));
        let mut rows = later.filter(|deal| is_balance(deal));
        rows.any(|deal| amount(deal) != 0.0)
    }

    /// The balance after each deal. What was paid in before the first trade is where it begins.
    fn series(&self, record: &mut Record) {
        let mut balance = record.initial;
        for deal in &self.deals {
            let amount = amount(deal);
            balance += amount;
            if is_balance(deal) && record.series.is_empty() {
                record.initial = balance;
                continue;
            }
            record.series.push(Point {
                time: time_of(deal),
                balance,
                equity: None,
                paid_in: if is_balance(deal) { amount } else { 0.0 },
            });
        }
    }
}

/// What is not among the trades.
fn untold(positions: &Positions, unreadable: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if unreadable > 0 {
        notes.push(format!(
            "{unreadable} deals have figures that cannot be read, and are not among the trades."
        ));
    }
    if positions.unopened() > 0 {
        notes.push(format!(
            "{} closings of positions that were opened before these deals begin are in the balance, not among the trades.",
            positions.unopened()
        ));
    }
    if positions.count() > 0 {
        notes.push(format!(
            "{} positions are still open and not among the trades.",
            positions.count()
        ));
    }
    notes
}

/// The broker's time; where only UTC is known, that.
fn time_of(deal: &v1::Deal) -> BrokerTime {
    let moment = deal.time.unwrap_or_default();
    BrokerTime(moment.broker_ms.or(moment.utc_ms).unwrap_or_default())
}

/// True where a deal's time may be one: neither absent nor beyond all that a report can draw.
fn has_time(deal: &v1::Deal) -> bool {
    (1..TIMES_END).contains(&time_of(deal).0)
}

/// True for deposits, withdrawals, credits and charges.
fn is_balance(deal: &v1::Deal) -> bool {
    deal.position_id == 0
}

/// What a deal did to the balance.
fn amount(deal: &v1::Deal) -> f64 {
    deal.profit + deal.swap + deal.commission
}

/// How often each reason had an order rejected.
fn refusals(orders: &[v1::Order]) -> BTreeMap<String, u64> {
    let mut refusals = BTreeMap::new();
    for order in orders {
        if order.state() == v1::OrderState::Rejected {
            let reason = if order.reason.is_empty() {
                "REJECTED"
            } else {
                &order.reason
            };
            *refusals.entry(reason.to_owned()).or_default() += 1;
        }
    }
    refusals
}

/// Stop losses of the orders, by their ids.
fn stops(orders: &[v1::Order]) -> HashMap<u64, f64> {
    let stop = |order: &v1::Order| Some((order.order_id, order.stop_loss?));
    orders.iter().filter_map(stop).collect()
}

/// A deal of a position. None: it is none that a gateway tells.
fn read<'a>(deal: &'a v1::Deal, stops: &HashMap<u64, f64>) -> Option<Deal<'a>> {
    let entry = parse_enum::<DealEntry, Entry>(deal.entry, "an effect on the position").ok()?;
    Some(Deal {
        position: PositionId(deal.position_id),
        symbol: &deal.symbol,
        strategy: &deal.tag,
        side: parse_enum::<v1::Side, Side>(deal.side, "buy or sell").ok()?,
        entry,
        lots: Lots::from_f64(deal.lots).ok()?,
        price: Some(deal.price).filter(|price| price.is_finite())?,
        profit: Money::from_f64(deal.profit).ok()?,
        swap: Money::from_f64(deal.swap).ok()?,
        commission: Money::from_f64(deal.commission).ok()?,
        time: time_of(deal),
        stop: stops.get(&deal.order_id).copied(),
        value: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::Trade;

    fn deal(id: u64, position: u64, entry: DealEntry, side: v1::Side) -> v1::Deal {
        v1::Deal {
            deal_id: id,
            order_id: id,
            position_id: position,
            symbol: "EURUSD".to_owned(),
            side: side.into(),
            entry: entry.into(),
            lots: 1.0,
            time: Some(v1::Moment {
                broker_ms: Some(id as i64 * 1000),
                utc_ms: None,
            }),
            ..v1::Deal::default()
        }
    }

    fn account(balance: f64) -> v1::Account {
        v1::Account {
            balance,
            currency: "USD".to_owned(),
            currency_digits: 2,
            ..v1::Account::default()
        }
    }

    #[test]
    fn a_position_closed_in_parts_is_a_trade_each_with_its_share() {
        let mut enter = deal(2, 7, DealEntry::In, v1::Side::Buy);
        enter.lots = 2.0;
        enter.price = 1.1;
        enter.commission = -8.0;
        let mut part = deal(3, 7, DealEntry::Out, v1::Side::Sell);
        part.lots = 0.5;
        part.price = 1.102;
        part.profit = 100.0;
        part.commission = -2.0;
        let mut rest = deal(4, 7, DealEntry::Out, v1::Side::Sell);
        rest.lots = 1.5;
        rest.price = 1.1;
        rest.swap = -1.0;
        let mut paid = deal(1, 0, DealEntry::Unspecified, v1::Side::Unspecified);
        paid.profit = 1000.0;
        let stop = v1::Order {
            order_id: 2,
            stop_loss: Some(1.099),
            ..v1::Order::default()
        };
        let history = History {
            deals: vec![rest, part, enter, paid],
            orders: vec![stop],
        };
        let record = history.record(&account(1089.0));
        assert_eq!(record.initial, 1000.0);
        assert_eq!(record.deals, 3);
        let nets: Vec<f64> = record.trades.iter().map(Trade::net).collect();
        assert_eq!(nets, [96.0, -7.0]);
        assert!((record.trades[0].risk.unwrap() - 50.0).abs() < 1e-6);
        assert_eq!(record.trades[1].risk, None);
        assert_eq!(record.series.last().unwrap().balance, 1089.0);
        assert_eq!(record.notes, [""; 0]);
    }

    #[test]
    fn a_reversal_closes_and_opens() {
        let mut enter = deal(1, 7, DealEntry::In, v1::Side::Buy);
        enter.price = 1.0;
        let mut turn = deal(2, 7, DealEntry::Inout, v1::Side::Sell);
        turn.lots = 3.0;
        turn.price = 1.5;
        turn.profit = 50.0;
        turn.commission = -3.0;
        let mut exit = deal(3, 7, DealEntry::Out, v1::Side::Buy);
        exit.lots = 2.0;
        exit.price = 1.25;
        exit.profit = 25.0;
        let history = History {
            deals: vec![enter, turn, exit],
            orders: Vec::new(),
        };
        let record = history.record(&account(0.0));
        let told: Vec<_> = record
            .trades
            .iter()
            .map(|trade| {
                (
                    trade.side,
                    trade.lots,
                    trade.open_price,
                    trade.net().round(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [(Side::Buy, 1.0, 1.0, 49.0), (Side::Sell, 2.0, 1.5, 23.0)]
        );
    }

    #[test]
    fn what_is_not_whole_is_told() {
        let closing = deal(2, 7, DealEntry::Out, v1::Side::Sell);
        let open = deal(3, 8, DealEntry::In, v1::Side::Buy);
        let mut rejected = v1::Order::default();
        rejected.set_state(v1::OrderState::Rejected);
        let mut late = rejected.clone();
        late.reason = "EXPIRED_BEFORE_SEND".to_owned();
        let history = History {
            deals: vec![closing, open],
            orders: vec![rejected.clone(), late, rejected],
        };
        let record = history.record(&account(0.0));
        assert!(record.trades.is_empty());
        assert_eq!(record.notes.len(), 3);
        assert!(record.notes[0].contains("No deposit"), "{record:?}");
        let counts: Vec<_> = record.refusals.into_iter().collect();
        assert_eq!(
            counts,
            [
                ("EXPIRED_BEFORE_SEND".to_owned(), 1),
                ("REJECTED".to_owned(), 2)
            ]
        );
    }

    #[test]
    fn a_deal_without_a_usable_time_makes_no_day() {
        let mut paid = deal(1, 0, DealEntry::Unspecified, v1::Side::Unspecified);
        paid.profit = 1000.0;
        let at = |ms: Option<i64>| {
            let mut deal = deal(9, 0, DealEntry::Unspecified, v1::Side::Unspecified);
            deal.profit = 1.0;
            deal.time = ms.map(|ms| v1::Moment {
                broker_ms: Some(ms),
                utc_ms: None,
            });
            deal
        };
        let wild = [None, Some(0), Some(-1), Some(i64::MAX), Some(i64::MIN)];
        let mut deals: Vec<v1::Deal> = wild.into_iter().map(at).collect();
        deals.push(paid);
        let history = History {
            deals,
            orders: Vec::new(),
        };
        let record = history.record(&account(1005.0));
        assert_eq!(record.initial, 1005.0);
        assert!(record.series.is_empty());
        assert!(record.notes[0].contains("5 deals"), "{record:?}");
    }

    #[test]
    fn a_balance_row_between_trades_may_be_a_charge() {
        let enter = deal(1, 7, DealEntry::In, v1::Side::Buy);
        let mut row = deal(2, 0, DealEntry::Unspecified, v1::Side::Unspecified);
        row.profit = -12.0;
        let exit = deal(3, 7, DealEntry::Out, v1::Side::Sell);
        let history = History {
            deals: vec![enter, row, exit],
            orders: Vec::new(),
        };
        let notes = history.record(&account(988.0)).notes;
        assert!(notes[0].contains("1 balance rows"), "{notes:?}");
    }
}
