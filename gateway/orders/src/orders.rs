//! The orders in memory: those that are not settled, and the last that ended. Every change of an
//! order passes the one table of transitions here, and leaves a record and an event.

use crate::{
    Audience, Event, Record,
    notices::Notice,
    order::{Order, Purpose},
    outbox::Out,
    transitions::may_become,
};
use mymt5_model::{BrokerTime, Lots, Magic, OrderId, OrderState, PositionId, Ticket, UtcTime};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Ended orders that stay in memory: late answers and deals are mostly theirs.
const REMEMBERED: usize = 1_024;
/// 2024-01-01 UTC: where the counter of magics begins, Unix milliseconds.
const EPOCH_2024_MS: i64 = 1_704_067_200_000;

/// The id of an order that is taken at that time, unless another has it or a higher one already.
#[must_use]
pub fn order_id_at(now: UtcTime) -> OrderId {
    OrderId(u64::try_from(now.0 - EPOCH_2024_MS).unwrap_or(0))
}

/// Reasons that the gateway gives for a state.
pub mod reason {
    /// The outcome is unknown: no answer, or the process ended meanwhile.
    pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
    /// It worked, and the broker lists it no more.
    pub const NOT_LISTED: &str = "NOT_LISTED";
    /// The broker said that it is done, and no deal tells so.
    pub const DONE_WITHOUT_DEAL: &str = "DONE_WITHOUT_DEAL";
    /// Complete passes over the grace time found no trace of it.
    pub const NOT_FOUND: &str = "NOT_FOUND_AT_BROKER";
    /// An operator's word: not done.
    pub const RESOLVED_NOT_DONE: &str = "RESOLVED_NOT_DONE";
    /// An operator's word: done.
    pub const RESOLVED_DONE: &str = "RESOLVED_DONE";
    /// It never left for the broker.
    pub const NOT_SENT: &str = "NOT_SENT";
    /// Its time passed before it could be sent.
    pub const EXPIRED_BEFORE_SEND: &str = "EXPIRED_BEFORE_SEND";
    /// Evidence contradicts what was told before.
    pub const LATE_EVIDENCE: &str = "LATE_EVIDENCE";
    /// An operator took it into the books.
    pub const ADOPTED: &str = "ADOPTED";
}

/// An order in memory, and what no journal keeps of it.
#[derive(Debug)]
struct Kept {
    order: Order,
    /// So many records must be durable before it may be forgotten.
    recorded: u64,
    /// The news by which its terms were last changed: what was read before may lack them.
    changed: u64,
    /// The newest reading that lists it as working.
    listed: Option<Listing>,
}

/// A reading that lists a working order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// The news when it began.
    pub(crate) begun: u64,
    /// The broker's clock.
    pub(crate) time: Option<BrokerTime>,
}

/// The orders in memory.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Each in a box: the nodes of the map stay small.
    all: BTreeMap<OrderId, Box<Kept>>,
    open: BTreeSet<OrderId>,
    by_ticket: HashMap<Ticket, OrderId>,
    by_magic: HashMap<Magic, OrderId>,
    /// Ended ones, the first that ended first.
    ended: VecDeque<OrderId>,
    dirty: BTreeSet<OrderId>,
    last: u64,
    /// Orders taken and deals of ours since the start.
    pub(crate) taken: u64,
    pub(crate) fills: u64,
    /// How often an order came to that state since the start.
    outcomes: HashMap<OrderState, u64>,
}

impl Orders {
    pub(crate) fn new(open: Vec<Order>, last: u64) -> Self {
        let mut orders = Self {
            last,
            ..Self::default()
        };
        for order in open {
            orders.index(order);
        }
        orders
    }

    /// Takes an order into the indices.
    fn index(&mut self, order: Order) {
        self.last = self.last.max(order.id.0);
        if let Some(ticket) = order.ticket {
            self.by_ticket.insert(ticket, order.id);
        }
        self.by_magic.insert(order.magic, order.id);
        if order.state.is_final() {
            self.ended.push_back(order.id);
        } else {
            self.open.insert(order.id);
        }
        let kept = Box::new(Kept {
            order,
            recorded: 0,
            changed: 0,
            listed: None,
        });
        self.all.insert(kept.order.id, kept);
    }

    /// Takes an ended order back into memory.
    pub(crate) fn recall(&mut self, order: Order) {
        if !self.all.contains_key(&order.id) {
            self.index(order);
        }
    }

    /// A new order: recorded, and told.
    pub(crate) fn add(&mut self, order: Order, out: &mut Out) {
        self.taken += 1;
        self.dirty.insert(order.id);
        emit(&order, out, false);
        self.index(order);
    }

    pub(crate) fn get(&self, id: OrderId) -> Option<&Order> {
        self.all.get(&id).map(|kept| &kept.order)
    }

    /// The order in memory with that magic.
    pub(crate) fn by_magic(&self, magic: Magic) -> Option<&Order> {
        self.get(*self.by_magic.get(&magic)?)
    }

    pub(crate) fn by_ticket(&self, ticket: Ticket) -> Option<OrderId> {
        self.by_ticket.get(&ticket).copied()
    }

    /// The news by which an order's terms were last changed.
    pub(crate) fn changed(&self, id: OrderId) -> u64 {
        self.all.get(&id).map_or(0, |kept| kept.changed)
    }

    /// An order's terms were changed by that news.
    pub(crate) fn note_change(&mut self, id: OrderId, news: u64) {
        if let Some(kept) = self.all.get_mut(&id) {
            kept.changed = news;
        }
    }

    /// The newest reading that lists an order as working.
    pub(crate) fn listed(&self, id: OrderId) -> Option<Listing> {
        self.all.get(&id)?.listed
    }

    /// A reading lists an order as working.
    pub(crate) fn note_listing(&mut self, id: OrderId, listing: Listing) {
        if let Some(kept) = self.all.get_mut(&id) {
            kept.listed = Some(listing);
        }
    }

    /// Orders that are not settled, by id.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Order> {
        self.open.iter().filter_map(|id| self.get(*id))
    }

    /// Those of them that hold, by id.
    pub(crate) fn open_ids(&self, holds: impl Fn(&Order) -> bool) -> Vec<OrderId> {
        let open = self.open().filter(|order| holds(order));
        open.map(|order| order.id).collect()
    }

    /// Lots of closing orders on a position: in flight, and unknown.
    pub(crate) fn closing(&self, position: PositionId) -> (Lots, Lots) {
        let exits = self
            .open()
            .filter(|order| order.purpose == Purpose::Exit(position));
        exits.fold((Lots::ZERO, Lots::ZERO), |(flying, unknown), order| {
            if order.state == OrderState::Unknown {
                (flying, unknown.plus(order.lots_open()))
            } else {
                (flying.plus(order.lots_open()), unknown)
            }
        })
    }

    /// Lots of closing orders on a position that have left, whatever becomes of them.
    pub(crate) fn left_closing(&self, position: PositionId) -> Lots {
        let left = self.open().filter(|order| {
            order.purpose == Purpose::Exit(position) && order.state != OrderState::Accepted
        });
        left.fold(Lots::ZERO, |lots, order| lots.plus(order.lots_open()))
    }

    /// The next id and the magic that goes with it: never used before, and by time also after a
    /// lost memory. None: no room in the magic.
    pub(crate) fn next(&mut self, slot: u16, now: UtcTime) -> Option<(OrderId, Magic)> {
        let counter = order_id_at(now).0.max(self.last + 1);
        let magic = Magic::new(slot, counter)?;
        self.last = counter;
        Some((OrderId(counter), magic))
    }

    /// An id for an order that got its magic elsewhere: the magic's counter, unless another order has
    /// that number.
    pub(crate) fn id_for(&self, magic: Magic) -> OrderId {
        let own = OrderId(magic.counter());
        if self.all.contains_key(&own) {
            OrderId(self.last + 1)
        } else {
            own
        }
    }

    /// The counter jumps past whatever was seen at the broker in a slot of ours.
    pub(crate) fn advance(&mut self, magic: Magic) {
        self.last = self.last.max(magic.counter());
    }

    /// The ticket under which the broker has an order.
    pub(crate) fn set_ticket(&mut self, id: OrderId, ticket: Ticket) {
        if let Some(kept) = self.all.get_mut(&id)
            && kept.order.ticket.is_none()
        {
            kept.order.ticket = Some(ticket);
            self.by_ticket.insert(ticket, id);
            self.dirty.insert(id);
        }
    }

    /// An order about to change in something other than its state.
    pub(crate) fn edit(&mut self, id: OrderId) -> Option<&mut Order> {
        let kept = self.all.get_mut(&id)?;
        self.dirty.insert(id);
        Some(&mut kept.order)
    }

    /// Changes an order and tells it; a transition that the table does not list is refused.
    pub(crate) fn change(
        &mut self,
        id: OrderId,
        to: OrderState,
        out: &mut Out,
        also: impl FnOnce(&mut Order),
    ) -> bool {
        let Some(kept) = self.all.get_mut(&id) else {
            return false;
        };
        let order = &mut kept.order;
        let from = order.state;
        let unseen = ended_unseen(order);
        // An unseen end gives way to evidence, as if nothing had been known.
        let known = if unseen { OrderState::Unknown } else { from };
        if from != to && !may_become(known, to) {
            out.notice(Notice::TransitionRefused {
                order: id,
                from,
                to,
            });
            return false;
        }
        let works = matches!(to, OrderState::Working | OrderState::PartiallyFilled);
        let revives = from.is_final() && works;
        let contradicts = from != to && (from == OrderState::Rejected || unseen || revives);
        if from == OrderState::Unknown && from != to {
            order.reason.clear();
        }
        order.state = to;
        order.updated.utc = Some(out.now.utc);
        also(order);
        if contradicts {
            reason::LATE_EVIDENCE.clone_into(&mut order.reason);
            order.retryable = false;
            out.notice(Notice::LateEvidence {
                order: id,
                from,
                to,
            });
        }
        order.cancel_pending &= !to.is_final();
        if to.is_final() && self.open.remove(&id) {
            self.ended.push_back(id);
        } else if !to.is_final() && self.open.insert(id) {
            self.ended.retain(|ended| *ended != id);
        }
        self.dirty.insert(id);
        if from != to {
            *self.outcomes.entry(to).or_default() += 1;
        }
        // That it was sent changes nothing for the next start: what was taken may be there.
        emit(order, out, to == OrderState::Sent);
        true
    }

    /// How often an order came to that state since the start.
    pub(crate) fn outcomes(&self, state: OrderState) -> u64 {
        self.outcomes.get(&state).copied().unwrap_or(0)
    }

    /// Records what changed in this step. A caller that waits for a change waits for its event or its
    /// answer: what has neither, such as the return code of an order that was filled before it was
    /// answered, goes with the next ones.
    pub(crate) fn flush(&mut self, out: &mut Out) {
        while let Some(id) = self.dirty.pop_first() {
            if let Some(kept) = self.all.get_mut(&id) {
                out.record_patiently(Record::Order(Box::new(kept.order.clone())));
                kept.recorded = out.recorded;
            }
        }
    }

    /// Forgets the oldest ended orders, once they are durable as they are.
    pub(crate) fn forget(&mut self, durable: u64, keep: impl Fn(OrderId) -> bool) {
        while self.ended.len() > REMEMBERED {
            let Some(id) = self.ended.front().copied() else {
                return;
            };
            let recorded = self.all.get(&id).map_or(0, |kept| kept.recorded);
            if recorded > durable || keep(id) {
                return;
            }
            self.ended.pop_front();
            if let Some(kept) = self.all.remove(&id) {
                let order = &kept.order;
                self.by_magic.remove(&order.magic);
                if let Some(ticket) = order.ticket {
                    self.by_ticket.remove(&ticket);
                }
            }
        }
    }

    /// How many orders are in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.all.len()
    }
}

/// True for an order whose end was not seen: it was concluded from an absence, an operator, or the
/// gateway that did not send it.
pub(crate) fn ended_unseen(order: &Order) -> bool {
    const UNSEEN: [&str; 5] = [
        reason::NOT_FOUND,
        reason::RESOLVED_NOT_DONE,
        reason::RESOLVED_DONE,
        reason::NOT_SENT,
        reason::EXPIRED_BEFORE_SEND,
    ];
    order.state.is_final() && UNSEEN.contains(&order.reason.as_str())
}

fn emit(order: &Order, out: &mut Out, patiently: bool) {
    let audience = Audience::Client(order.client.clone());
    let event = Event::Order(Box::new(order.clone()));
    if patiently {
        out.emit_patiently(&order.trace_id, audience, event);
    } else {
        out.emit(&order.trace_id, audience, event);
    }
}
