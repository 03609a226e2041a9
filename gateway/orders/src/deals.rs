//! Deals: the only proof of a fill, counted once by their ticket.

use crate::{
    Audience, Core, Event, Notice, Order, OwnedDeal, Record,
    book::{Owner, PositionChange},
    broker::{ROWS_LAG_MS, RowKind},
    core::{Filled, Owners},
    foreign::is_foreign,
    orders::{ended_unseen, reason},
    records::Target,
};
use mymt5_model::{
    BrokerTime, ClientName, DealKind, DealReason, DealRow, Entry, Levels, Money, OrderId,
    OrderState, PositionId, Retcode, Symbol, Ticket,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How a deal came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// In the order in which deals were done.
    InOrder,
    /// With its order's answer, or while one before it cannot be read.
    Early,
}

/// What goes with the report of a position of which deals came.
#[derive(Default)]
struct PositionReport {
    levels: Levels,
    trace_id: String,
}

/// What a new deal changed, still to be reported: a position before the order that changed it.
#[derive(Default)]
struct Touched {
    positions: BTreeMap<PositionId, PositionReport>,
    orders: BTreeSet<OrderId>,
}

/// Whose a deal is, and the order that it fills.
struct Attribution {
    order: Option<OrderId>,
    client: Option<ClientName>,
    tag: String,
    levels: Levels,
    trace_id: String,
}

impl Core {
    /// Deals of the broker's stream or history, all of one reading, in their order; seen for the
    /// first time or again. Their positions and orders are reported once they are all known.
    /// `hidden`: a deal that could not be read; what came after it is not known to be in its order.
    pub(crate) fn on_deals(&mut self, deals: Vec<DealRow>, hidden: Option<Ticket>) {
        let mut touched = Touched::default();
        for deal in deals {
            let known = self.knows_deal(&deal);
            let arrival = if hidden.is_some_and(|hidden| hidden < deal.ticket) {
                Arrival::Early
            } else {
                Arrival::InOrder
            };
            if !known {
                self.on_new_deal(&deal, arrival, &mut touched);
            } else if arrival == Arrival::InOrder
                && let Some(id) = deal.position_id
                && self.book.has_early(id, deal.ticket)
            {
                self.book.add(&deal, self.news);
                touched.positions.entry(id).or_default();
            }
        }
        self.report_touched(touched);
    }

    /// A deal of the broker's stream. What was done to a position that nobody knows waits for the
    /// next pass: the opening shows whose it is.
    pub(crate) fn on_told_deal(&mut self, deal: DealRow) {
        let known = self.reconciliation.knows(deal.ticket);
        if matches!(deal.kind, DealKind::Trade(_)) && !known && !self.has_owner(&deal) {
            self.reconciliation.await_deal(deal.ticket, self.out.now);
        } else if self.reconciliation.compared {
            let hidden = self.reconciliation.unread_past.oldest(RowKind::Deal);
            self.on_deals(vec![deal], hidden);
        } else {
            self.on_early_deal(&deal);
        }
    }

    /// A deal that came with its order's answer, or before the first pass: others before it may not
    /// be known yet. What moves the balance alone waits for the pass.
    pub(crate) fn on_early_deal(&mut self, deal: &DealRow) {
        if matches!(deal.kind, DealKind::Trade(_)) && !self.knows_deal(deal) {
            let mut touched = Touched::default();
            self.on_new_deal(deal, Arrival::Early, &mut touched);
            self.report_touched(touched);
        }
    }

    /// True when it is known whose a deal is.
    fn has_owner(&self, deal: &DealRow) -> bool {
        let position = deal.position_id;
        let own = self.order_of(deal).is_some() || self.clients.of_magic(deal.magic).is_some();
        let held = position.is_some_and(|id| self.owner_of(id).is_some());
        begins(deal) || own || held || self.owner_of_past(deal).is_some()
    }

    /// True for a deal that is known. Memory keeps it from now on.
    fn knows_deal(&mut self, deal: &DealRow) -> bool {
        let known =
            self.reconciliation.knows(deal.ticket) || self.found.deals.contains(&deal.ticket);
        self.reconciliation
            .note_deal(deal.ticket, deal.time, self.out.now);
        known
    }

    fn report_touched(&mut self, touched: Touched) {
        for (id, report) in touched.positions {
            self.report_position(id, report);
        }
        for id in touched.orders {
            self.report_fills(id);
        }
    }

    fn report_position(&mut self, id: PositionId, report: PositionReport) {
        let owners = Owners::of(&self.orders, &self.clients);
        let owner = |magic| owners.of_magic(magic);
        for change in self.book.report(id, report.levels, owner) {
            self.emit_position(change, &report.trace_id);
        }
        self.end_changes_of_ended(Target::Position(id));
    }

    /// Counts a deal, fills its order, judges whether it is foreign. What it touched is still to be
    /// told.
    fn on_new_deal(&mut self, deal: &DealRow, arrival: Arrival, touched: &mut Touched) {
        if !matches!(deal.kind, DealKind::Trade(_)) {
            self.on_balance(deal.clone());
            return;
        }
        self.news += 1;
        let slot = self.clients.of_magic(deal.magic).cloned();
        if slot.is_some() {
            self.orders.advance(deal.magic);
        }
        let attribution = self.attribute(deal, slot.clone());
        let foreign = is_foreign(deal, slot.is_some());
        // A close by hand may leave nothing there, and rows that tell so may have come before it.
        let owned = attribution.client.is_some()
            || deal
                .symbol
                .as_ref()
                .is_some_and(|symbol| self.owns_in(symbol));
        self.record_deal(deal, &attribution);
        let position = match arrival {
            Arrival::InOrder => self.book.add(deal, self.news),
            Arrival::Early => {
                let order = attribution.order.and_then(|id| self.orders.get(id));
                let whole = order.is_some_and(|order| order.lots == deal.lots);
                self.book.add_early(deal, whole, self.news)
            }
        };
        match attribution.order {
            Some(id) => {
                self.fill(id, deal);
                touched.orders.insert(id);
            }
            None if deal.reason == DealReason::Expert => self.on_orphan_deal(deal, slot),
            None => {}
        }
        if foreign {
            self.foreign.saw(deal, owned, &mut self.out);
        }
        let Some(id) = position else { return };
        let report = touched.positions.entry(id).or_default();
        report.trace_id = attribution.trace_id;
        // Whatever closes a position leaves it the levels that its opening order had.
        if opens(deal) {
            report.levels = attribution.levels;
        }
    }

    /// Deposit, withdrawal, credit, charge and the like.
    fn on_balance(&mut self, deal: DealRow) {
        let owned = OwnedDeal {
            deal: deal.clone(),
            order: None,
            client: None,
            tag: String::new(),
        };
        self.losses.add(&owned, &mut self.out);
        self.out.record(Record::Deal(Arc::new(owned)));
        let read = self.book.account().map(|account| account.balance);
        let balance = self.losses.balance().or(read).unwrap_or(Money::ZERO);
        self.out
            .emit("", Audience::All, Event::Balance(deal, balance));
    }

    fn attribute(&self, deal: &DealRow, slot: Option<ClientName>) -> Attribution {
        let order = self.order_of(deal);
        if let Some(order) = order.and_then(|id| self.orders.get(id)) {
            return Attribution {
                order: Some(order.id),
                client: Some(order.client.clone()),
                tag: order.tag.clone(),
                levels: order.levels,
                trace_id: order.trace_id.clone(),
            };
        }
        // What an expert did in a client's slot is the client's, whatever position it was done to.
        let own = slot.clone().filter(|_| deal.reason == DealReason::Expert);
        let own = own.map(|client| (Some(client), String::new()));
        // What begins a position is of nobody who had it later.
        let position = deal.position_id.filter(|_| !begins(deal));
        let held = position.and_then(|id| self.owner_of(id));
        let held = held.map(|owner| (owner.client, owner.tag));
        let past = self.owner_of_past(deal);
        let past = past.map(|owned| (owned.client.clone(), owned.tag.clone()));
        let (client, tag) = own.or(held).or(past).unwrap_or((slot, String::new()));
        Attribution {
            order: None,
            client,
            tag,
            levels: Levels::default(),
            trace_id: String::new(),
        }
    }

    /// Whose a position is, also before it is told for the first time, and before the deal is known
    /// that opened it: it has the number of its order.
    fn owner_of(&self, id: PositionId) -> Option<Owner> {
        let owners = Owners::of(&self.orders, &self.clients);
        let ordered = || {
            let order = self.orders.by_ticket(Ticket(id.0))?;
            Some(self.orders.get(order)?.magic)
        };
        // The journal may be older than the order, and the deal that opened it lacking.
        let listed = || self.openers.get(&id).copied();
        let opener = || self.book.opener(id).or_else(ordered).or_else(listed);
        let opened = || Some(owners.of_magic(opener()?));
        self.book.owner_of(id).cloned().or_else(opened)
    }

    /// A known deal of the owner of a deal's position, where that is gone: the newest that opened or
    /// reversed it. Who added to it or closed it need not have owned it, as an operator closes what
    /// is everybody's. The deal that begins it has none before it.
    fn owner_of_past(&self, deal: &DealRow) -> Option<&OwnedDeal> {
        if begins(deal) {
            return None;
        }
        let known = self.found.positions.get(&deal.position_id?)?;
        let opened = known.iter().rev().find(|owned| takes_over(&owned.deal));
        opened.or_else(|| known.last().filter(|_| !opens(deal)))
    }

    /// The order that a deal fills. A stop loss or take profit carries its position's magic, yet is
    /// no fill of its order.
    fn order_of(&self, deal: &DealRow) -> Option<OrderId> {
        let by_ticket = deal.order.and_then(|ticket| self.orders.by_ticket(ticket));
        let by_magic = || {
            let order = self.orders.by_magic(deal.magic);
            order.filter(|_| deal.reason == DealReason::Expert)
        };
        by_ticket.or_else(|| by_magic().map(|order| order.id))
    }

    /// Fills of the journal's last moments count as if they came just now: their positions may have
    /// been told without them, and rows may lack them still.
    pub(crate) fn recall_fills(&mut self, recent: &[OwnedDeal], compared: Option<BrokerTime>) {
        let newest = recent.iter().map(|owned| owned.deal.time).max();
        let Some(newest) = newest.max(compared) else {
            return;
        };
        let at = self.out.now.elapsed_ms;
        let late = recent.iter();
        let late = late.filter(|owned| newest.0 - owned.deal.time.0 < ROWS_LAG_MS);
        let fills = late.filter_map(|owned| recalled(owned, at));
        self.filled_since.extend(fills);
    }

    /// Fills of the journal's last days of which no order is known: theirs may be adopted.
    pub(crate) fn recall_orphan_fills(&mut self, recent: &[OwnedDeal]) {
        let orphans = recent.iter().filter(|owned| {
            let orphan = owned.order.is_none() && owned.client.is_some();
            orphan && owned.deal.reason == DealReason::Expert
        });
        for owned in orphans {
            self.reconciliation.keep_orphan_fill(owned.deal.clone());
        }
    }

    fn record_deal(&mut self, deal: &DealRow, of: &Attribution) {
        let owned = Arc::new(OwnedDeal {
            deal: deal.clone(),
            order: of.order,
            client: of.client.clone(),
            tag: of.tag.clone(),
        });
        self.losses.add(&owned, &mut self.out);
        self.out.record(Record::Deal(owned));
        let event = Event::Deal {
            deal: deal.clone(),
            order: of.order,
            tag: of.tag.clone(),
        };
        let audience = Audience::of_owner(&of.client);
        self.out.emit(&of.trace_id, audience, event);
    }

    /// A deal in a client's slot of which no known order is: made after a backup that was restored,
    /// or by another gateway. Its owner opens nothing before an operator has checked it.
    fn on_orphan_deal(&mut self, deal: &DealRow, slot: Option<ClientName>) {
        let Some(client) = slot else { return };
        let what = format!("deal {} of client {client}", deal.ticket);
        self.out.notice(Notice::Orphan { what });
        self.reconciliation.note_orphan_deal(deal.ticket, client);
        self.reconciliation.keep_orphan_fill(deal.clone());
    }

    fn fill(&mut self, id: OrderId, deal: &DealRow) {
        self.orders.fills += 1;
        if let Some(order) = self.orders.get(id).filter(|order| order.is_entry()) {
            self.filled_since.push(Filled {
                at: self.out.now.elapsed_ms,
                read: false,
                client: order.client.clone(),
                symbol: order.symbol.clone(),
                side: order.side,
                price: deal.price,
                deal: deal.ticket,
                position: deal.position_id,
                lots: deal.lots,
                stop_loss: order.levels.stop_loss,
                recalled: false,
                news: self.news,
            });
        }
        if let Some(ticket) = deal.order {
            self.orders.set_ticket(id, ticket);
        }
        let Some(order) = self.orders.edit(id) else {
            return;
        };
        let full = order.filled >= order.lots && !order.closes_all;
        order.add_fill(deal);
        if full {
            self.out.notice(Notice::Overfilled(deal.ticket));
        }
    }

    /// Reports an order whose size is known now, where its deals sum up to another state so.
    pub(crate) fn report_known_size(&mut self, id: OrderId) {
        let order = self.orders.get(id);
        let differs = order.is_some_and(|order| {
            let state = filled_state(order);
            state.is_some_and(|state| state != order.state)
        });
        if differs {
            self.report_fills(id);
        }
    }

    /// Reports an order, in the state that its deals sum up to.
    pub(crate) fn report_fills(&mut self, id: OrderId) {
        let order = self.orders.get(id);
        let state = order.map(|order| filled_state(order).unwrap_or(order.state));
        let Some(state) = state else { return };
        self.orders.change(id, state, &mut self.out, |order| {
            if order.filled >= order.lots && order.reason == reason::RESOLVED_DONE {
                order.reason.clear();
            }
        });
        if state.is_final() {
            self.end_changes_of_ended(Target::Order(id));
        }
    }

    /// True when a client has a position or an order in the symbol.
    fn owns_in(&self, symbol: &Symbol) -> bool {
        let mut owners = self.owners();
        owners.any(|(of, owner)| of == symbol && owner.is_some())
    }

    pub(crate) fn emit_position(&mut self, change: PositionChange, trace_id: &str) {
        match change {
            PositionChange::Changed(position) => {
                let record = Record::Position(Box::new(position.clone()));
                self.out.record(record);
                let audience = Audience::of_owner(&position.client);
                self.out.emit(trace_id, audience, Event::Position(position));
            }
            PositionChange::Closed(position) => {
                self.out.record(Record::PositionClosed(position.row.id));
                let audience = Audience::of_owner(&position.client);
                let event = Event::PositionClosed(position);
                self.out.emit(trace_id, audience, event);
            }
        }
    }
}

/// True for a deal that opens a position, adds to it or reverses it.
const fn opens(deal: &DealRow) -> bool {
    matches!(deal.entry, Some(Entry::In | Entry::InOut))
}

/// True for the deal of the order that opened its position: it has the order's number.
fn begins(deal: &DealRow) -> bool {
    let both = deal.order.zip(deal.position_id);
    both.is_some_and(|(order, position)| order.0 == position.0)
}

/// True for a deal whose order makes its position its own.
fn takes_over(deal: &DealRow) -> bool {
    begins(deal) || deal.entry == Some(Entry::InOut)
}

/// What an order's deals sum up to; none: it has none.
pub(crate) fn filled_state(order: &Order) -> Option<OrderState> {
    let ended = matches!(order.state, OrderState::Canceled | OrderState::Expired);
    let decided = order.state == OrderState::Filled || (ended && !ended_unseen(order));
    if order.filled.is_zero() {
        None
    } else if order.filled >= order.lots && is_size_known(order) {
        Some(OrderState::Filled)
    } else if decided {
        Some(order.state)
    } else {
        Some(OrderState::PartiallyFilled)
    }
}

/// True when an order's lots are what it was sent with. A close of all may take more than was
/// expected, until its answer or its row tells.
fn is_size_known(order: &Order) -> bool {
    let answered = order.retcode;
    let answered = answered.is_some_and(|retcode| retcode != Retcode::DONE_PARTIAL);
    !order.closes_all || answered
}

/// The fill of an entry as the journal tells it; none: the deal opens nothing by an order of ours.
fn recalled(owned: &OwnedDeal, at: i64) -> Option<Filled> {
    let deal = &owned.deal;
    let DealKind::Trade(side) = deal.kind else {
        return None;
    };
    owned.order.filter(|_| opens(deal))?;
    Some(Filled {
        at,
        read: false,
        client: owned.client.clone()?,
        symbol: deal.symbol.clone()?,
        side,
        price: deal.price,
        deal: deal.ticket,
        position: deal.position_id,
        lots: deal.lots,
        stop_loss: None,
        recalled: true,
        news: 0,
    })
}
