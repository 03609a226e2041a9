//! The broker's rows and history, as they are read: what they tell of positions and orders.

use crate::{
    Core, Event, Notice, Order,
    broker::{History, ROWS_LAG_MS, RowKind, Snapshot},
    core::Owners,
    orders::{Listing, ended_unseen},
    records::Target,
    states::GATEWAY,
};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountKind, DealRow, Magic, OrderId, OrderRow, OrderState, OrderType, PositionId, PositionRow,
    RowState, Ticket,
};
use std::collections::{BTreeMap, BTreeSet};

/// A fill that no position has after so long is of one that is over.
const UNPLACED_MS: i64 = 300_000;

/// The orders of ours that left a trace in a reading.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// Among the working ones, by ticket.
    pub(crate) listed: BTreeSet<Ticket>,
    /// In any row.
    pub(crate) orders: BTreeSet<OrderId>,
    /// Those whose end says that more was filled than the known deals tell.
    pub(crate) waiting: BTreeSet<OrderId>,
}

/// Among which rows one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The working orders.
    Working,
    /// The history.
    Past,
}

impl Core {
    /// Takes rows of the broker.
    pub(crate) fn on_rows(&mut self, snapshot: Snapshot) {
        self.read(snapshot);
        self.measure();
    }

    /// Takes rows of the broker and, read after them, its history: one complete pass.
    pub(crate) fn on_pass(&mut self, snapshot: Snapshot, history: History) {
        let time = snapshot.time;
        let begun = snapshot.begun;
        let account = snapshot.account.clone();
        let mut traces = self.read(snapshot);
        let new = |deal: &DealRow| !self.reconciliation.knows(deal.ticket);
        let new = history.deals.iter().any(new);
        let begins = self.losses.begins(&account, time, &history.deals, new);
        let tickets: BTreeSet<Ticket> = history.deals.iter().map(|deal| deal.ticket).collect();
        if self.reconciliation.read_unread_past(history.unreadable) {
            self.notice_unread();
        }
        let hidden = self.reconciliation.unread_past.oldest(RowKind::Deal);
        self.openers = openers(&history.orders);
        self.on_deals(history.deals, hidden);
        self.openers.clear();
        for row in &history.orders {
            self.on_traced(row, Place::Past, begun, &mut traces);
        }
        self.revive_listed(&history.orders);
        self.forget_canceled(begun, &history.orders);
        self.halt_first();
        let window = (history.from, history.to);
        let before = self.reconciliation.missing();
        let missing = self
            .reconciliation
            .check_history(&tickets, window, self.out.now);
        if missing != before {
            self.out.notice(Notice::HistoryLacks(missing));
        }
        self.reconciliation
            .passed(history.from, time, &mut self.out);
        let deals_hidden = self
            .reconciliation
            .unread_past
            .may_hide(RowKind::Deal, None);
        if missing == 0 && !deals_hidden {
            self.losses.compare(&account, begins, &mut self.out);
        }
        if missing == 0 {
            self.search(&traces);
        }
        self.measure();
    }

    fn read(&mut self, snapshot: Snapshot) -> Traces {
        let Snapshot {
            account,
            positions,
            orders,
            unreadable,
            time,
            begun,
        } = snapshot;
        if self.reconciliation.read_unread(unreadable) {
            self.notice_unread();
        }
        // Rows that a slower reading brings after newer ones tell nothing of now.
        if begun >= self.rows_begun {
            self.rows_begun = begun;
            if let Some(time) = time {
                self.losses.read(&account, time);
            }
            self.book.read_account(account, time);
            self.read_positions(positions, begun);
            self.forget_filled(begun);
        }
        let listing = Listing { begun, time };
        let traces = self.read_orders(&orders, listing);
        self.settle_unknown_changes(&orders, begun);
        traces
    }

    /// Fills that rows have by now count no more. Rows that were read after a fill may lack it for a
    /// while: where no deals tell the position, it is counted beside them until then; where they do,
    /// its stop loss counts until the row has as much.
    fn forget_filled(&mut self, begun: u64) {
        let book = &self.book;
        let now = self.out.now.elapsed_ms;
        self.filled_since.retain_mut(|filled| {
            let position = filled.position;
            let tells = position.is_some_and(|id| book.reports_deal(id, filled.deal));
            let waits = position.is_some_and(|id| book.waits(id, filled.deal));
            filled.read = filled.news <= begun && !waits;
            let age = now - filled.at;
            let lacks = if tells {
                position.is_some_and(|id| book.row_lags(id))
            } else {
                age < ROWS_LAG_MS
            };
            (!filled.read || lacks) && age < UNPLACED_MS
        });
    }

    fn read_positions(&mut self, rows: Vec<PositionRow>, begun: u64) {
        let owners = Owners::of(&self.orders, &self.clients);
        let unread = &self.reconciliation.unread;
        let owner = |magic| owners.of_magic(magic);
        let reading = self.book.read(rows, unread, begun, self.out.now, owner);
        if reading.doubts {
            self.reconciliation.sync_soon();
        }
        let mut ended = Vec::new();
        for change in reading.changes {
            if let crate::book::PositionChange::Closed(position) = &change {
                ended.push(Target::Position(position.row.id));
            }
            self.emit_position(change, "");
        }
        for (position, symbol) in reading.unexplained {
            self.out.notice(Notice::RowsDisagree {
                position,
                symbol: symbol.clone(),
            });
            let event = Event::Foreign {
                symbol: Some(symbol),
                description: format!("position {position} is not what its deals say"),
                frozen: true,
            };
            self.out.emit("", crate::Audience::Control, event);
        }
        for target in ended {
            self.end_changes_of_ended(target);
        }
    }

    fn read_orders(&mut self, rows: &[OrderRow], listing: Listing) -> Traces {
        let mut traces = Traces::default();
        for row in rows {
            self.on_traced(row, Place::Working, listing.begun, &mut traces);
            traces.listed.insert(row.ticket);
            if let Some(id) = self.orders.by_ticket(row.ticket) {
                self.orders.note_listing(id, listing);
            }
        }
        self.count_listed(rows, listing.begun);
        self.find_orphans(rows);
        let unread = &self.reconciliation.unread;
        let missed = self.orders.open_ids(|order| {
            let listed = order.ticket.is_none_or(|ticket| {
                let hidden = unread.may_hide(RowKind::Order, Some(ticket));
                hidden || traces.listed.contains(&ticket)
            });
            order.works() && !listed && self.orders.changed(order.id) <= listing.begun
        });
        self.reconciliation.miss(missed.into_iter().collect());
        traces
    }

    /// Orders that were told as over and work all the same are open again.
    fn revive_listed(&mut self, ended: &[OrderRow]) {
        let orders = &self.orders;
        let ended = ended.iter();
        let ended = ended.filter_map(|row| orders.by_ticket(row.ticket));
        for id in self.canceled.take_listed(ended) {
            if let Some(state) = self.orders.get(id).and_then(works_as) {
                self.orders.change(id, state, &mut self.out, |_| {});
            }
        }
    }

    fn notice_unread(&mut self) {
        let count = self.reconciliation.unread().count();
        let first = self.reconciliation.unread().next();
        let first = first.map_or_else(String::new, |row| row.why.clone());
        self.out.notice(Notice::UnreadableRows(count, first));
    }

    /// Working orders in a slot of ours that the journal does not know.
    fn find_orphans(&mut self, rows: &[OrderRow]) {
        let is_orphan = |row: &&OrderRow| {
            self.clients.of_magic(row.magic).is_some()
                && self.orders.by_ticket(row.ticket).is_none()
                && self.orders.by_magic(row.magic).is_none()
        };
        let orphans = rows.iter().filter(is_orphan);
        let orphans = orphans.map(|row| (row.ticket, row.clone())).collect();
        let foreign = rows.iter();
        let foreign = foreign.filter(|row| self.clients.of_magic(row.magic).is_none());
        let foreign = foreign.map(|row| (row.ticket, row.clone())).collect();
        self.reconciliation.foreign_orders = foreign;
        let known = std::mem::replace(&mut self.reconciliation.orphan_orders, orphans);
        let orphans = self.reconciliation.orphan_orders.values();
        for row in orphans.filter(|row| !known.contains_key(&row.ticket)) {
            self.orders.advance(row.magic);
            let what = format!("working order {}", row.ticket);
            self.out.notice(Notice::Orphan { what });
        }
    }

    /// Real money is not traded before an operator said so, once.
    fn halt_first(&mut self) {
        let account = self.book.account();
        let real = account.is_some_and(|account| account.kind == AccountKind::Real);
        if real && !self.states.knows(&None) {
            let halted = TradingState::Halted;
            self.states
                .enter(None, halted, "FIRST_START", GATEWAY, &mut self.out);
        }
    }

    fn on_traced(&mut self, row: &OrderRow, place: Place, begun: u64, traces: &mut Traces) {
        if self.on_row(row, place, begun) {
            traces.waiting.extend(self.orders.by_ticket(row.ticket));
        }
        traces.orders.extend(self.order_of_row(row));
    }

    /// A row of an order of ours. `begun`: the news when the reading began. True: it tells an end,
    /// which waits for deals.
    fn on_row(&mut self, row: &OrderRow, place: Place, begun: u64) -> bool {
        let by_ticket = self.orders.by_ticket(row.ticket);
        let Some(id) = by_ticket.or_else(|| self.first_row_of(row)) else {
            return false;
        };
        self.orders.set_ticket(id, row.ticket);
        if row.kind == OrderType::Market || row.state != RowState::Placed {
            self.take_size(id, row.lots);
        }
        let placed = self.orders.get(id).map(|order| order.position);
        if placed == Some(None)
            && row.position_id.is_some()
            && let Some(order) = self.orders.edit(id)
        {
            order.position = row.position_id;
        }
        let Some(order) = self.orders.get(id) else {
            return false;
        };
        let reported = state_by(row, place, order);
        if reported.is_some_and(OrderState::is_final) && self.waits_for_deals(id, row) {
            return true;
        }
        let order = self.orders.get(id);
        let moved = order.is_some_and(|order| self.is_moved(order, row, begun));
        if let Some(state) = reported {
            self.orders.change(id, state, &mut self.out, |order| {
                order.levels = row.levels;
            });
            if state.is_final() {
                self.end_changes_of_ended(Target::Order(id));
            }
        } else if moved && let Some(state) = self.orders.get(id).map(|order| order.state) {
            self.orders.change(id, state, &mut self.out, |order| {
                order.price = row.price;
                order.stop_limit_price = row.stop_limit_price;
                order.levels = row.levels;
                if !order.time_in_force.is_same_at_broker(row.time_in_force) {
                    order.time_in_force = row.time_in_force;
                }
            });
        }
        false
    }

    /// True where a working order has other terms than is known, and no change of ours explains it.
    fn is_moved(&self, order: &Order, row: &OrderRow, begun: u64) -> bool {
        let terms = (order.price, order.stop_limit_price, order.levels);
        let lives_on = order.time_in_force.is_same_at_broker(row.time_in_force);
        row.state == RowState::Placed
            && order.works()
            && self.orders.changed(order.id) <= begun
            && !self.changes.is_busy(Target::Order(order.id))
            && (terms != (row.price, row.stop_limit_price, row.levels) || !lives_on)
    }

    /// The order whose first row this is. The order of a stop loss or take profit carries its
    /// position's magic, too, and is another.
    fn first_row_of(&self, row: &OrderRow) -> Option<OrderId> {
        let order = self.orders.by_magic(row.magic)?;
        let kind = order.kind == row.kind || is_triggered(order, row);
        let size = order.closes_all || order.lots == row.lots;
        let first = order.ticket.is_none() && order.side == row.side && kind && size;
        first.then_some(order.id)
    }

    /// The order that a row belongs to, or that it came of, as a stop loss does.
    fn order_of_row(&self, row: &OrderRow) -> Option<OrderId> {
        let by_ticket = self.orders.by_ticket(row.ticket);
        by_ticket.or_else(|| Some(self.orders.by_magic(row.magic)?.id))
    }
}

/// True for a stop-limit order that was triggered: it has become a limit order at its second price.
pub(crate) fn is_triggered(order: &Order, row: &OrderRow) -> bool {
    (order.kind, row.kind) == (OrderType::StopLimit, OrderType::Limit)
}

/// The state that a row reports, where it is new. Only deals report fills.
fn state_by(row: &OrderRow, place: Place, order: &Order) -> Option<OrderState> {
    // What ended unseen is there after all. A broker that refused an order may keep a row of that,
    // too.
    let refused = order.state == OrderState::Rejected;
    let late = ended_unseen(order) || (refused && place == Place::Working);
    let state = match row.state {
        RowState::Placed | RowState::Partial if place == Place::Working => {
            works_as(order).filter(|_| order.price.is_some() || late)?
        }
        // Part of it was done, and it works no more.
        RowState::Partial if row.lots_left < row.lots => OrderState::Canceled,
        RowState::Filled if place == Place::Past && has_rest(row) => OrderState::Canceled,
        RowState::Placed | RowState::Partial | RowState::Filled => return None,
        RowState::Canceled => OrderState::Canceled,
        RowState::Expired => OrderState::Expired,
        RowState::Rejected => OrderState::Rejected,
    };
    (state != order.state && (late || !order.state.is_final())).then_some(state)
}

/// True where a part of the order was done, and a part was not.
fn has_rest(row: &OrderRow) -> bool {
    !row.lots_left.is_zero() && row.lots_left < row.lots
}

/// The state of an order that works; none: its deals fill all of it.
fn works_as(order: &Order) -> Option<OrderState> {
    if order.filled.is_zero() {
        Some(OrderState::Working)
    } else {
        (order.filled < order.lots).then_some(OrderState::PartiallyFilled)
    }
}

/// Under which magic each position was opened: it has the number of the order that did.
fn openers(rows: &[OrderRow]) -> BTreeMap<PositionId, Magic> {
    let opened = rows.iter().filter_map(|row| {
        let id = PositionId(row.ticket.0);
        (row.position_id == Some(id)).then_some((id, row.magic))
    });
    opened.collect()
}
