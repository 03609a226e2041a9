//! The ledger, gathered by request id.

use super::units;
use crate::ledger::{BY_HAND, Line};
use mymt5_model::{Lots, Ticket};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the broker did under one request id.
#[derive(Debug, Default)]
pub(super) struct Did {
    /// Sends that arrived.
    pub(super) received: u32,
    /// Of these, held back and not yet done.
    pub(super) held: u32,
    pub(super) orders: BTreeSet<Ticket>,
    ended: BTreeSet<Ticket>,
    /// Lots asked of the first order.
    pub(super) lots: Option<Lots>,
    /// Lots of all deals.
    pub(super) filled: Lots,
}

impl Did {
    /// True while an order of it works.
    pub(super) fn works(&self) -> bool {
        self.orders.len() > self.ended.len()
    }
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    requests: BTreeMap<String, Did>,
    exposure: BTreeMap<String, i64>,
}

impl Broker {
    pub(super) fn of(ledger: &[Line]) -> Self {
        let mut broker = Self::default();
        let (mut tickets, mut sends) = (HashMap::new(), HashMap::new());
        for line in ledger {
            broker.add(line, &mut tickets, &mut sends);
        }
        broker
    }

    fn add(
        &mut self,
        line: &Line,
        tickets: &mut HashMap<Ticket, String>,
        sends: &mut HashMap<u64, String>,
    ) {
        match line {
            Line::Received {
                send, held, order, ..
            } => {
                let Some((_, id)) = order else { return };
                let did = self.requests.entry(id.clone()).or_default();
                did.received += 1;
                if *held {
                    did.held += 1;
                    sends.insert(*send, id.clone());
                }
            }
            Line::Released { send } => {
                if let Some(did) = self.of_known(sends.get(send)) {
                    did.held -= 1;
                }
            }
            Line::Order {
                ticket, id, lots, ..
            } => {
                tickets.insert(*ticket, id.clone());
                let did = self.requests.entry(id.clone()).or_default();
                did.orders.insert(*ticket);
                did.lots.get_or_insert(*lots);
            }
            Line::Ended { ticket, .. } => {
                if let Some(did) = self.of_known(tickets.get(ticket)) {
                    did.ended.insert(*ticket);
                }
            }
            Line::Deal {
                order,
                symbol,
                side,
                lots,
                ..
            } => {
                *self.exposure.entry(symbol.clone()).or_default() += units(*side, *lots);
                let id = order.as_ref().and_then(|order| tickets.get(order));
                if let Some(did) = self.of_known(id) {
                    did.filled = did.filled.plus(*lots);
                }
            }
            Line::Booked { .. } => {}
        }
    }

    fn of_known(&mut self, id: Option<&String>) -> Option<&mut Did> {
        self.requests.get_mut(id?)
    }

    pub(super) fn did(&self, id: &str) -> Option<&Did> {
        self.requests.get(id)
    }

    /// The request ids under which the broker has orders of the gateway's.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let with_orders = |(id, did): (_, &Did)| (!did.orders.is_empty()).then_some(id);
        // The broker's own orders, of stops that were hit, have a comment in brackets.
        self.requests
            .iter()
            .map(|(id, did)| (id.as_str(), did))
            .filter_map(with_orders)
            .filter(|id| !id.starts_with('[') && *id != BY_HAND)
    }

    /// True while a send that was held back may still be done.
    pub(super) fn holds(&self) -> bool {
        self.requests.values().any(|did| did.held > 0)
    }

    /// Signed lots by symbol, in units, of all deals.
    pub(super) fn exposure(&self) -> impl Iterator<Item = (&str, i64)> {
        self.exposure
            .iter()
            .map(|(symbol, lots)| (symbol.as_str(), *lots))
    }

    pub(super) fn traded(&self, symbol: &str) -> bool {
        self.exposure.contains_key(symbol)
    }
}

/// The ledger's lines about a request, or about a symbol.
pub(super) fn lines_of<'a>(whose: &str, ledger: &'a [Line]) -> Vec<&'a Line> {
    let mut tickets = BTreeSet::new();
    let about = |line: &&Line| match *line {
        Line::Received { order, .. } => order.as_ref().is_some_and(|(_, id)| id == whose),
        Line::Order { ticket, id, .. } => id == whose && tickets.insert(*ticket),
        Line::Ended { ticket, .. } => tickets.contains(ticket),
        Line::Deal { order, symbol, .. } => {
            symbol == whose || order.is_some_and(|order| tickets.contains(&order))
        }
        Line::Released { .. } | Line::Booked { .. } => false,
    };
    ledger.iter().filter(about).collect()
}
