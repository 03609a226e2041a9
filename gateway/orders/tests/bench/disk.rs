//! What a journal keeps, in memory: batches in, and what a start or a look-up needs out.

use mymt5_model::{AccountMode, BrokerTime, ClientName, OrderId, PositionId, Ticket, UtcTime};
use mymt5_orders::{
    ChangeOutcome, DAYS_RESULTS_MS, Disagreement, Found, Freeze, LedgerRow, Loaded, LossRow, Order,
    OwnedDeal, Position, Purpose, Record, Recorded, Request, RequestKey, StateRow, Subject,
    Unreadable, Wanted,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Newest deals that a start is given.
const NEWEST: usize = 500;
const MINUTE_MS: i64 = 60_000;

/// The tables.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub slots: BTreeMap<ClientName, u16>,
    pub requests: BTreeMap<RequestKey, Request>,
    pub orders: BTreeMap<OrderId, Order>,
    pub deals: BTreeMap<Ticket, Arc<OwnedDeal>>,
    pub positions: BTreeMap<PositionId, Position>,
    pub events: Vec<Arc<Recorded>>,
    pub states: BTreeMap<Option<ClientName>, StateRow>,
    pub losses: BTreeMap<Option<ClientName>, LossRow>,
    pub ledger: Option<LedgerRow>,
    pub mode: Option<AccountMode>,
    pub compared: Option<BrokerTime>,
    pub frozen: BTreeMap<mymt5_model::Symbol, Freeze>,
    pub archived: BTreeSet<Ticket>,
    pub orphan_deals: BTreeMap<Ticket, ClientName>,
    pub disagreements: BTreeMap<PositionId, Disagreement>,
    pub accepted_unreadable: BTreeSet<Unreadable>,
    open: BTreeSet<OrderId>,
    pending: BTreeSet<RequestKey>,
    of_position: BTreeMap<PositionId, Vec<Ticket>>,
    /// The highest number of an order's id that the folder has seen, by the mark beside the journal.
    pub mark: u64,
}

impl Disk {
    /// A journal in which these clients have the slots 1, 2, and so on.
    pub fn new(clients: &[&str]) -> Self {
        let names = clients.iter().map(|name| ClientName::parse(name).unwrap());
        Self {
            slots: names.zip(1..).collect(),
            ..Self::default()
        }
    }

    /// Commits a batch.
    pub fn commit(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.write(record));
    }

    fn write(&mut self, record: &Record) {
        match record {
            Record::Request(request) => {
                let known = self.requests.insert(request.key(), request.clone());
                assert!(known.is_none(), "request id bound twice: {known:?}");
                self.note_pending(request.key());
            }
            Record::Outcome(key, subject) => {
                let request = self.requests.get_mut(key).expect("a bound request");
                request.subject = subject.clone();
                self.note_pending(key.clone());
            }
            Record::Order(order) => {
                let known = self.orders.insert(order.id, Order::clone(order));
                let same = known.is_none_or(|known| known.magic == order.magic);
                assert!(same, "order id {} given twice", order.id);
                if order.state.is_final() {
                    self.open.remove(&order.id);
                } else {
                    self.open.insert(order.id);
                }
            }
            Record::Deal(deal) => {
                let known = self.deals.insert(deal.deal.ticket, deal.clone());
                assert!(known.is_none(), "deal counted twice: {deal:?}");
                if let Some(position) = deal.deal.position_id {
                    let tickets = self.of_position.entry(position).or_default();
                    tickets.push(deal.deal.ticket);
                }
            }
            Record::Position(position) => {
                let position = Position::clone(position);
                self.positions.insert(position.row.id, position);
            }
            Record::PositionClosed(id) => drop(self.positions.remove(id)),
            Record::Event(event) => {
                let last = self.events.last().map_or(0, |event| event.sequence);
                assert!(last == 0 || event.sequence == last + 1, "gap in the events");
                self.events.push(event.clone());
            }
            Record::State(state) => drop(self.states.insert(state.client.clone(), state.clone())),
            Record::Losses(row) => drop(self.losses.insert(row.client.clone(), row.clone())),
            Record::Ledger(row, mode) => {
                self.ledger = Some(*row);
                self.mode = Some(*mode);
            }
            Record::Compared(time) => self.compared = Some(*time),
            Record::Slot(client, slot) => drop(self.slots.insert(client.clone(), *slot)),
            Record::Frozen(frozen) => self.frozen = frozen.clone(),
            Record::Archived(archived) => self.archived = archived.clone(),
            Record::OrphanDeals(deals) => self.orphan_deals = deals.clone(),
            Record::Disagreements(all) => self.disagreements = all.clone(),
            Record::AcceptedUnreadable(rows) => self.accepted_unreadable = rows.clone(),
            Record::Denial(_) => {}
        }
    }

    fn note_pending(&mut self, key: RequestKey) {
        let subject = &self.requests[&key].subject;
        let open = |outcome: &ChangeOutcome| !outcome.is_final();
        if matches!(subject, Subject::Change(_, _, outcome) if open(outcome)) {
            self.pending.insert(key);
        } else {
            self.pending.remove(&key);
        }
    }

    /// What a start reads.
    pub fn load(&self, now: UtcTime) -> Loaded {
        let deals = self.positions.keys().flat_map(|id| self.deals_of(*id));
        let newest = self.deals.values().rev().take(NEWEST);
        let time = |owned: &&Arc<OwnedDeal>| owned.deal.time.0;
        let last = self.deals.values().map(|owned| time(&owned)).max();
        let from = last.unwrap_or(0) - DAYS_RESULTS_MS;
        let recent_deals = self.deals.values().filter(|owned| time(owned) >= from);
        let entries = self
            .orders
            .values()
            .rev()
            .filter(|order| order.purpose == Purpose::Entry);
        let recent = entries.filter_map(|order| Some((order.client.clone(), order.created.utc?)));
        let mut recent: Vec<_> = recent
            .take_while(|(_, at)| now.0 - at.0 < MINUTE_MS)
            .collect();
        recent.reverse();
        Loaded {
            journal_id: "bench".to_owned(),
            account_id: "account".to_owned(),
            slots: self.slots.clone(),
            requests: self
                .pending
                .iter()
                .map(|key| self.requests[key].clone())
                .collect(),
            orders: self.open.iter().map(|id| self.orders[id].clone()).collect(),
            last_order: self.last_order().max(self.mark),
            recent_entries: recent,
            deals: deals.collect(),
            recent_deals: recent_deals.map(|owned| OwnedDeal::clone(owned)).collect(),
            newest_deals: newest
                .map(|owned| (owned.deal.ticket, owned.deal.time))
                .collect(),
            archived: self.archived.clone(),
            positions: self.positions.values().cloned().collect(),
            events: Vec::new(),
            sequence: self.events.last().map_or(0, |event| event.sequence),
            states: self.states.values().cloned().collect(),
            losses: self.losses.values().cloned().collect(),
            ledger: self.ledger,
            mode: self.mode,
            compared: self.compared,
            frozen: self.frozen.clone(),
            orphan_deals: self.orphan_deals.clone(),
            disagreements: self.disagreements.clone(),
            accepted_unreadable: self.accepted_unreadable.clone(),
        }
    }

    /// The highest number of an order's id.
    pub fn last_order(&self) -> u64 {
        self.orders.keys().next_back().map_or(0, |id| id.0)
    }

    fn deals_of(&self, id: PositionId) -> impl Iterator<Item = OwnedDeal> {
        let tickets = self.of_position.get(&id).into_iter().flatten();
        let mut tickets: Vec<Ticket> = tickets.copied().collect();
        tickets.sort_unstable();
        tickets
            .into_iter()
            .map(|ticket| OwnedDeal::clone(&self.deals[&ticket]))
    }

    /// What a step needs of the past.
    pub fn find(&self, wanted: &Wanted) -> Found {
        let mut found = Found::default();
        let mut orders = wanted.orders.clone();
        for key in &wanted.requests {
            if let Some(request) = self.requests.get(key) {
                if let Subject::Order(id) = request.subject {
                    orders.insert(id);
                }
                found.requests.insert(key.clone(), request.clone());
            }
        }
        for id in orders {
            if let Some(order) = self.orders.get(&id) {
                found.orders.insert(id, order.clone());
            }
        }
        let known = wanted
            .deals
            .iter()
            .filter(|ticket| self.deals.contains_key(ticket));
        found.deals = known.copied().collect();
        for id in &wanted.positions {
            let deals: Vec<OwnedDeal> = self.deals_of(*id).collect();
            if !deals.is_empty() {
                found.positions.insert(*id, deals);
            }
        }
        found
    }
}
