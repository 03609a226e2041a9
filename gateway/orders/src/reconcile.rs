//! What the broker has against what the journal says. Evidence decides an unknown order: a row or
//! a deal with its magic, or their absence in several complete looks over a grace time.

use super::{
    core::{Core, Patience},
    losses::GATEWAY,
    modify::LevelChange,
    order::Order,
};
use crate::broker::{History, SendFailure, Snapshot};
use mymt5_guard::TradingState;
use mymt5_model::Reason;
use mymt5_model::{
    AccountKind, BrokerTime, Magic, OrderId, OrderRow, OrderState, PositionId, Ticket,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Why an unknown order ended REJECTED.
pub(super) const NOT_FOUND: &str = "NOT_FOUND_AT_BROKER";
/// Complete looks without a trace that it takes.
const PASSES: u32 = 3;
/// Newest deals of the journal that a complete history must hold.
const PROBES: usize = 500;
const DAY_MS: i64 = 86_400_000;

/// A row at the broker in a slot of ours that the journal does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stray {
    /// A working order.
    Order(Ticket),
    /// An open position.
    Position(PositionId),
}

#[derive(Clone, Copy, Debug)]
struct Search {
    since: i64,
    passes: u32,
    last: i64,
}

/// How far the comparison has come.
#[derive(Debug)]
pub(super) struct Reconciliation {
    pub(super) patience: Patience,
    searches: HashMap<OrderId, Search>,
    /// Orders with a row in the last look.
    seen: HashSet<OrderId>,
    /// Compared since the link came up.
    compared: bool,
    /// Rows were read since the link came up.
    pub(super) fresh: bool,
    /// The account cannot be read.
    blind: bool,
    /// The broker's history holds what the journal knows.
    complete: bool,
    last_pass: Option<i64>,
    /// Orders believed to work that the broker lists no more.
    missing: bool,
    pub(super) strays: BTreeSet<Stray>,
    pub(super) stray_orders: HashMap<Ticket, OrderRow>,
}

impl Reconciliation {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            searches: HashMap::new(),
            seen: HashSet::new(),
            compared: false,
            fresh: false,
            blind: false,
            complete: true,
            last_pass: None,
            missing: false,
            strays: BTreeSet::new(),
            stray_orders: HashMap::new(),
        }
    }
}

/// How far back a look must go: to what is not settled, and to the newest deal that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Age of the oldest order that is not settled, milliseconds.
    pub age_ms: i64,
    /// Time of the newest deal.
    pub newest_deal: Option<BrokerTime>,
}

impl Reach {
    /// The time span of the history to read, raw broker time: a day more on both sides. Everything
    /// where the broker's clock is not known yet.
    #[must_use]
    pub fn window(self, time: Option<BrokerTime>) -> (BrokerTime, BrokerTime) {
        let Some(now) = time else {
            return (BrokerTime(0), BrokerTime(i64::MAX));
        };
        let oldest = now.0 - self.age_ms;
        let oldest = self.newest_deal.map_or(oldest, |deal| oldest.min(deal.0));
        (BrokerTime(oldest - DAY_MS), BrokerTime(now.0 + DAY_MS))
    }
}

impl Core {
    /// How far back the next look must go.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let created = self.open_orders().filter_map(|order| order.created.utc);
        let oldest = created.min().map_or(self.now.0, |at| at.0);
        Reach {
            age_ms: (self.now.0 - oldest).max(0),
            newest_deal: self.deals.last_key_value().map(|(_, deal)| deal.deal.time),
        }
    }

    /// What was on its way when the process ended may have arrived: only evidence tells.
    pub(super) fn take_up(&mut self) {
        let flying = |state| matches!(state, OrderState::Accepted | OrderState::Sent);
        let ids: Vec<OrderId> = self
            .open_orders()
            .filter(|order| flying(order.state))
            .map(|order| order.id)
            .collect();
        for id in ids {
            self.change(id, OrderState::Unknown, |order| {
                "OUTCOME_UNKNOWN".clone_into(&mut order.reason);
            });
        }
        for (key, position, _) in self.requests.pending_levels() {
            let change = LevelChange {
                position,
                correlation: String::new(),
                unknown_since: self.now.0,
            };
            self.level_changes.insert(key.clone(), change);
            self.on_levels_sent(&key, Err(SendFailure::Unknown("the gateway ended".into())));
        }
    }

    /// The link came up or went down. Nothing counts that was not seen throughout.
    pub fn link(&mut self, up: bool) {
        if !up {
            self.reconciliation.searches.clear();
            self.reconciliation.compared = false;
            self.reconciliation.fresh = false;
            self.book.forget_doubts();
        } else if !self.link_up {
            self.restart_grace();
        }
        self.link_up = up;
    }

    /// What is unknown is waited for from now on again: absence counts only where it is seen.
    fn restart_grace(&mut self) {
        let now = self.now.0;
        let levels = self.level_changes.values_mut();
        let levels = levels.map(|change| &mut change.unknown_since);
        let terms = self.unknown_terms.values_mut().map(|(_, since)| since);
        for since in levels.chain(terms).filter(|since| **since < now) {
            *since = now;
        }
    }

    /// The account could not be read for long, or could again.
    pub fn blind(&mut self, blind: bool) {
        self.reconciliation.blind = blind;
    }

    /// True while the account cannot be read, though the link is up.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        self.reconciliation.blind
    }

    /// Why entries are closed for everybody, trading states aside. Empty: they are open.
    #[must_use]
    pub fn closed(&self) -> Vec<Reason> {
        let trade_allowed = self
            .book
            .account()
            .is_none_or(|account| account.trade_allowed);
        let reasons = [
            (
                !self.link_up || self.book.account().is_none(),
                Reason::LinkDown,
            ),
            (
                !trade_allowed || self.is_account_shut(),
                Reason::TradeNotAllowed,
            ),
            (
                !self.reconciliation.compared || self.reconciliation.blind,
                Reason::PendingReconciliation,
            ),
            (!self.reconciliation.complete, Reason::HistoryIncomplete),
            (!self.reconciliation.strays.is_empty(), Reason::StraysFound),
        ];
        let holding = reasons.into_iter().filter(|(holds, _)| *holds);
        holding.map(|(_, reason)| reason).collect()
    }

    /// True when the broker should be looked through again: rows and history.
    #[must_use]
    pub fn wants_pass(&self) -> bool {
        let state = &self.reconciliation;
        let unknown = self
            .open_orders()
            .any(|order| order.state == OrderState::Unknown);
        let hurried = unknown || state.missing || !state.compared || !state.complete;
        let pause = if hurried {
            state.patience.between_passes_ms
        } else {
            state.patience.period_ms
        };
        state
            .last_pass
            .is_none_or(|last| self.now.0 - last >= pause)
    }

    /// Takes rows of the broker. False: they are older than what is known; read others.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) -> bool {
        let fresh = self.read(snapshot);
        if fresh {
            self.measure();
        }
        fresh
    }

    /// Takes rows of the broker and, read after them, its history: one complete look. False: the
    /// rows are older than what is known; look again.
    pub fn on_pass(&mut self, snapshot: Snapshot, history: History) -> bool {
        let window = self.reach().window(snapshot.time);
        if !self.read(snapshot) {
            return false;
        }
        for row in &history.orders {
            self.on_row(row);
            self.reconciliation.seen.extend(self.of_row(row));
        }
        let tickets: HashSet<Ticket> = history.deals.iter().map(|deal| deal.ticket).collect();
        history
            .deals
            .into_iter()
            .for_each(|deal| self.on_deal(deal));
        self.halt_first();
        self.measure();
        let complete = self.is_complete(&tickets, window);
        if complete != self.reconciliation.complete {
            tracing::error!(complete, "the broker's history against the journal");
        }
        self.reconciliation.complete = complete;
        self.reconciliation.last_pass = Some(self.now.0);
        if complete {
            self.reconciliation.compared = true;
            self.search();
        } else {
            self.reconciliation.searches.clear();
        }
        true
    }

    fn read(&mut self, snapshot: Snapshot) -> bool {
        let mut book = std::mem::take(&mut self.book);
        let Snapshot {
            account,
            positions,
            orders,
            last_deal,
            time,
        } = snapshot;
        let reading = book.read(account, positions, last_deal, (time, self.now), |magic| {
            self.owner(magic)
        });
        self.book = book;
        let Some(reading) = reading else {
            return false;
        };
        self.unread.clear();
        self.reconciliation.fresh = true;
        for change in reading.changes {
            self.tell_position(change, "");
        }
        for (id, client, symbol) in reading.unexplained {
            self.tell_unexplained(id, client.is_some(), symbol);
        }
        orders.iter().for_each(|row| self.on_row(row));
        self.reconciliation.seen = orders.iter().filter_map(|row| self.of_row(row)).collect();
        let working: HashSet<Ticket> = orders.iter().map(|row| row.ticket).collect();
        self.reconciliation.missing = self.is_missing(&working);
        self.weigh_levels();
        self.end_partial(&working);
        let unknown = orders.iter().filter(|row| self.is_stray(row.magic));
        self.reconciliation.stray_orders = unknown.map(|row| (row.ticket, row.clone())).collect();
        let orders = orders
            .iter()
            .map(|row| (Stray::Order(row.ticket), row.magic));
        let positions = self.book.positions().filter(|held| held.client.is_none());
        let positions = positions.map(|held| (Stray::Position(held.row.id), held.row.magic));
        let strays = orders
            .chain(positions)
            .filter(|(_, magic)| self.is_stray(*magic));
        let strays: BTreeSet<Stray> = strays.map(|(stray, _)| stray).collect();
        for stray in strays.difference(&self.reconciliation.strays) {
            tracing::error!(
                ?stray,
                "a row of ours at the broker that the journal does not know"
            );
        }
        self.reconciliation.strays = strays;
        true
    }

    /// The next look is due at once.
    pub fn look_again(&mut self) {
        self.reconciliation.last_pass = None;
    }

    pub(super) fn is_stray(&self, magic: Magic) -> bool {
        self.of_slot(magic).is_some() && !self.by_magic.contains_key(&magic)
    }

    /// A fill in part, of which the broker said that it is all: it ends once no row of it works on.
    fn end_partial(&mut self, working: &HashSet<Ticket>) {
        let ended = |order: &&Order| {
            let all = order.lots_accepted.is_some_and(|lots| order.filled >= lots);
            let works = order.ticket.is_none_or(|ticket| working.contains(&ticket));
            order.state == OrderState::PartiallyFilled && all && !works
        };
        let ids: Vec<OrderId> = self
            .open_orders()
            .filter(ended)
            .map(|order| order.id)
            .collect();
        for id in ids {
            self.change(id, OrderState::Canceled, |order| {
                order.cancel_pending = false
            });
        }
    }

    /// Real money is not traded before somebody said so, once.
    fn halt_first(&mut self) {
        let real = self
            .book
            .account()
            .is_some_and(|account| account.kind == AccountKind::Real);
        if real && !self.states.knows(&None) {
            let effects = self.enter(None, TradingState::Halted, "FIRST_START", GATEWAY);
            self.effects.extend(effects);
        }
    }

    fn is_missing(&self, working: &HashSet<Ticket>) -> bool {
        let works = |state| matches!(state, OrderState::Working | OrderState::PartiallyFilled);
        self.open_orders()
            .filter(|order| works(order.state))
            .filter_map(|order| order.ticket)
            .any(|ticket| !working.contains(&ticket))
    }

    /// True when the history holds the newest deals that the journal knows in that window.
    fn is_complete(&self, tickets: &HashSet<Ticket>, window: (BrokerTime, BrokerTime)) -> bool {
        let newest = self.deals.values().rev().take(PROBES);
        let mut due = newest.filter(|deal| (window.0..window.1).contains(&deal.deal.time));
        due.all(|deal| tickets.contains(&deal.deal.ticket))
    }

    /// Counts a look without a trace for every order still unknown.
    fn search(&mut self) {
        let (now, patience) = (self.now.0, self.reconciliation.patience);
        let unknown = self
            .open_orders()
            .filter(|order| order.state == OrderState::Unknown);
        let unknown: Vec<OrderId> = unknown.map(|order| order.id).collect();
        let Reconciliation { searches, seen, .. } = &mut self.reconciliation;
        // A row is evidence, even where it does not say yet what becomes of the order.
        let unknown = unknown.into_iter().filter(|id| !seen.contains(id));
        let unknown: BTreeSet<OrderId> = unknown.collect();
        searches.retain(|id, _| unknown.contains(id));
        for id in unknown {
            let search = self.reconciliation.searches.entry(id).or_insert(Search {
                since: now,
                passes: 0,
                last: i64::MIN / 2,
            });
            if now - search.last >= patience.between_passes_ms {
                (search.passes, search.last) = (search.passes + 1, now);
            }
            let searched = search.passes >= PASSES && now - search.since >= patience.grace_ms;
            if searched && !self.holds_position_of(id) {
                tracing::warn!(order_id = %id, "unknown order not found at the broker");
                self.change(id, OrderState::Rejected, |order| {
                    NOT_FOUND.clone_into(&mut order.reason);
                });
            }
        }
    }

    /// A position with an order's magic is evidence, even while its deals are missing.
    fn holds_position_of(&self, id: OrderId) -> bool {
        let magic = self.orders.get(&id).map(|order| order.magic);
        self.book
            .positions()
            .any(|held| Some(held.row.magic) == magic)
    }

    /// The magic counter jumps past whatever was seen at the broker in a slot of ours.
    pub(super) fn jump(&mut self, magic: Magic) {
        if self.of_slot(magic).is_some() {
            self.last_magic = self.last_magic.max(magic.counter());
        }
    }
}
