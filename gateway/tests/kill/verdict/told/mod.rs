//! What was told on the way, in answers and in events, against what the broker did: fills and their
//! prices, deals and their money, lots of positions, and whose all of it is.

mod halts;
#[cfg(test)]
mod tests;

use super::{Finding, Wrong, units};
use crate::ledger::Line;
use halts::Halts;
use mymt5_model::{Lots, Side, Ticket};
use mymt5_proto::v1::{self, stream_events_response::Event};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Half of the smallest step of a price, and of money.
const HALF_POINT: f64 = 0.000_005;
const HALF_CENT: f64 = 0.005;

/// What became of one request at the broker.
#[derive(Default)]
struct Filled {
    lots: Lots,
    /// Price times lots.
    worth: f64,
}

struct Deal<'a> {
    owner: Option<String>,
    position: u64,
    symbol: &'a str,
    side: Side,
    lots: Lots,
    price: f64,
    result: f64,
}

#[derive(Default)]
struct Position {
    owner: Option<String>,
    /// Signed lots after each of its deals, in units.
    lives: Vec<i64>,
}

/// The ledger, gathered by what is told of it.
#[derive(Default)]
struct Truth<'a> {
    filled: HashMap<&'a str, Filled>,
    deals: BTreeMap<u64, Deal<'a>>,
    positions: HashMap<u64, Position>,
    /// What was deposited or withdrawn, by the deal's number.
    booked: BTreeMap<u64, f64>,
}

/// Whose a request is, by its id.
fn owner_of(id: &str) -> Option<String> {
    let number = id.strip_prefix('t')?.split('-').next()?;
    Some(format!("trader-{number}"))
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap_or(Lots::ZERO)
}

impl<'a> Truth<'a> {
    fn of(ledger: &'a [Line]) -> Self {
        let orders = ledger.iter().filter_map(|line| match line {
            Line::Order { ticket, id, .. } => Some((*ticket, id.as_str())),
            _ => None,
        });
        let orders: HashMap<Ticket, &str> = orders.collect();
        let mut deals: Vec<&Line> = ledger.iter().collect();
        deals.sort_by_key(|line| match line {
            Line::Deal { ticket, .. } => ticket.0,
            _ => 0,
        });
        let booked = ledger.iter().filter_map(|line| match line {
            Line::Booked { ticket, amount } => Some((ticket.0, *amount)),
            _ => None,
        });
        let mut truth = Self {
            booked: booked.collect(),
            ..Self::default()
        };
        for line in deals {
            truth.add(line, &orders);
        }
        truth
    }

    fn add(&mut self, line: &'a Line, orders: &HashMap<Ticket, &'a str>) {
        let Line::Deal {
            ticket,
            order,
            position,
            symbol,
            side,
            lots,
            price,
            result,
        } = line
        else {
            return;
        };
        let id = order.and_then(|order| orders.get(&order).copied());
        let own = id.and_then(owner_of);
        let held = self.positions.entry(*position).or_default();
        let before = held.lives.last().copied().unwrap_or(0);
        held.lives.push(before + units(*side, *lots));
        if held.owner.is_none() {
            held.owner.clone_from(&own);
        }
        let owner = own.or_else(|| held.owner.clone());
        if let Some(id) = id {
            let filled = self.filled.entry(id).or_default();
            filled.lots = filled.lots.plus(*lots);
            filled.worth += price * lots.to_f64();
        }
        let deal = Deal {
            owner,
            position: *position,
            symbol,
            side: *side,
            lots: *lots,
            price: *price,
            result: *result,
        };
        self.deals.insert(ticket.0, deal);
    }

    fn has_order(&self, order: &v1::Order) -> bool {
        let id = order.client_order_id.as_str();
        let nothing = Filled::default();
        let truth = self.filled.get(id).unwrap_or(&nothing);
        let told = lots(order.filled_lots);
        let price = order.average_price.unwrap_or(0.0);
        let same_price = told != truth.lots
            || told.is_zero()
            || (price - truth.worth / told.to_f64()).abs() <= HALF_POINT;
        let own = owner_of(id).is_none_or(|owner| owner == order.client);
        told <= truth.lots && same_price && own
    }

    fn has_deal(&self, told: &v1::Deal) -> bool {
        self.deals.get(&told.deal_id).is_some_and(|deal| {
            let side = match told.side() {
                v1::Side::Sell => Side::Sell,
                _ => Side::Buy,
            };
            let result = told.profit + told.swap + told.commission;
            (deal.symbol, deal.side, deal.lots) == (told.symbol.as_str(), side, lots(told.lots))
                && (deal.price - told.price).abs() <= HALF_POINT
                && (deal.result - result).abs() <= HALF_CENT
                && deal.owner.as_deref().unwrap_or("") == told.client
        })
    }

    /// Money that came or went is nobody's of the clients.
    fn has_booked(&self, told: &v1::Deal) -> bool {
        let booked = self.booked.get(&told.deal_id);
        let same = booked.is_some_and(|amount| (amount - told.profit).abs() <= HALF_CENT);
        same && told.client.is_empty()
    }

    /// Its lots are those of a moment, or of the deals told so far: what the history shows later
    /// than the deals after it is missing until then.
    fn had_position(&self, told: &v1::Position, deals: &BTreeSet<u64>) -> bool {
        let side = match told.side() {
            v1::Side::Sell => Side::Sell,
            _ => Side::Buy,
        };
        let held = units(side, lots(told.lots));
        self.positions.get(&told.position_id).is_some_and(|truth| {
            let own = truth.owner.as_deref().unwrap_or("") == told.client;
            own && (truth.lives.contains(&held) || self.held(told.position_id, deals) == held)
        })
    }

    /// What those deals leave of the position: signed lots, in units.
    fn held(&self, position: u64, deals: &BTreeSet<u64>) -> i64 {
        let deals = deals.iter().filter_map(|deal| self.deals.get(deal));
        let of_it = deals.filter(|deal| deal.position == position);
        of_it.map(|deal| units(deal.side, deal.lots)).sum()
    }

    /// It was closed, and its owner is told so.
    fn ended(&self, told: &v1::Position) -> bool {
        self.positions.get(&told.position_id).is_some_and(|truth| {
            let own = truth.owner.as_deref().unwrap_or("") == told.client;
            own && truth.lives.contains(&0)
        })
    }

    /// Of what one event tells what never was. `deals`: those told before it.
    fn misled(&self, event: &Event, deals: &BTreeSet<u64>) -> Option<String> {
        match event {
            Event::OrderChanged(v1::OrderChanged { order: Some(order) }) => {
                (!self.has_order(order)).then(|| order.client_order_id.clone())
            }
            Event::DealAdded(v1::DealAdded { deal: Some(deal) }) => {
                (!self.has_deal(deal)).then(|| format!("deal {}", deal.deal_id))
            }
            Event::BalanceChanged(v1::BalanceChanged {
                deal: Some(deal), ..
            }) => (!self.has_booked(deal)).then(|| format!("deal {}", deal.deal_id)),
            Event::PositionChanged(v1::PositionChanged { position }) => {
                let held = position.as_ref();
                let held = held.filter(|held| !self.had_position(held, deals))?;
                Some(format!("position {}", held.position_id))
            }
            Event::PositionClosed(v1::PositionClosed { position }) => {
                let held = position.as_ref().filter(|held| !self.ended(held))?;
                Some(format!("position {}", held.position_id))
            }
            _ => None,
        }
    }
}

/// The deals that the broker did since it was first sent an order: what is older is never told.
pub(crate) fn deals_of(ledger: &[Line]) -> BTreeSet<u64> {
    let is_send = |line: &Line| matches!(line, Line::Received { .. });
    let past = ledger.iter().position(is_send).unwrap_or(0);
    let deals = ledger[past..].iter().filter_map(|line| match line {
        Line::Deal { ticket, .. } | Line::Booked { ticket, .. } => Some(ticket.0),
        _ => None,
    });
    deals.collect()
}

/// Of which deal an event tells.
pub(crate) fn deal_in(told: &v1::StreamEventsResponse) -> Option<u64> {
    match &told.event {
        Some(
            Event::DealAdded(v1::DealAdded { deal })
            | Event::BalanceChanged(v1::BalanceChanged { deal, .. }),
        ) => Some(deal.as_ref()?.deal_id),
        _ => None,
    }
}

/// Judges all orders that were answered, and all events in the order in which they came. `due`: the
/// deals of which one of them must tell.
pub(crate) fn judge_told(
    ledger: &[Line],
    due: &BTreeSet<u64>,
    answered: &[v1::Order],
    events: &[v1::StreamEventsResponse],
) -> Vec<Finding> {
    let truth = Truth::of(ledger);
    let finding = |wrong, whose| Finding { wrong, whose };
    let misled = answered.iter().filter(|order| !truth.has_order(order));
    let misled = misled.map(|order| finding(Wrong::Misled, order.client_order_id.clone()));
    let mut findings: BTreeSet<Finding> = misled.collect();
    let (mut last, mut deals, mut over) = (0, BTreeSet::new(), BTreeSet::new());
    let mut halts = Halts::default();
    for told in events {
        if told.sequence <= last {
            findings.insert(finding(Wrong::Repeated, format!("event {}", told.sequence)));
        }
        last = told.sequence;
        let event = told.event.as_ref();
        let misled = event.and_then(|event| truth.misled(event, &deals));
        findings.extend(misled.map(|whose| finding(Wrong::Misled, whose)));
        let defied = event.and_then(|event| halts.defied(event));
        findings.extend(defied.map(|whose| finding(Wrong::Defied, whose)));
        let again = deal_in(told).filter(|deal| !deals.insert(*deal));
        findings.extend(again.map(|deal| finding(Wrong::Repeated, format!("deal {deal}"))));
        let whose = |held: &v1::Position| format!("position {}", held.position_id);
        match &told.event {
            Some(Event::PositionClosed(v1::PositionClosed {
                position: Some(held),
            })) => {
                over.insert(held.position_id);
            }
            Some(Event::PositionChanged(v1::PositionChanged {
                position: Some(held),
            })) if over.contains(&held.position_id) => {
                findings.insert(finding(Wrong::Misled, whose(held)));
            }
            _ => {}
        }
    }
    let untold = due.difference(&deals);
    findings.extend(untold.map(|deal| finding(Wrong::Untold, format!("deal {deal}"))));
    findings.into_iter().collect()
}
