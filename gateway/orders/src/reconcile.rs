//! How the broker is compared with what is known: how far back a pass must read, which orders are
//! searched for, what is at the broker in a slot of ours and unknown here.

use crate::{
    Record,
    broker::{RowKind, Unreadable},
    outbox::Out,
    time::Now,
    unread::Unread,
};
use mymt5_model::{BrokerTime, ClientName, DealRow, OrderId, OrderRow, Ticket};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// Passes so far apart, and twice their period, tell nothing of what came between them: the process
/// may have stood still.
const UNATTENDED_MS: i64 = 120_000;
/// Deals that wait for a pass, at most, and for how long.
const AWAITED: usize = 256;
const AWAITED_MS: i64 = 600_000;
/// Deals that no known order made, at most: their order may be adopted.
const ORPHAN_FILLS: usize = 256;
/// Complete passes without a trace that absence takes.
const PASSES: u32 = 3;
/// Absence of what the broker acknowledged takes so many times the grace.
const ACKNOWLEDGED: i64 = 10;
const DAY_MS: i64 = 86_400_000;
/// A pass reads back to the last complete one, and so much further: history that comes late.
const OVERLAP_MS: i64 = 600_000;
/// Newest deals that a complete history must hold.
const PROBES: usize = 500;
/// How far a history may lag behind deals that came with an answer, or were pushed.
const HISTORY_LAG_MS: i64 = 15_000;

/// How long the core waits: for evidence, and for signs of life.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileConfig {
    /// How long a client's process holds its lease after a heartbeat.
    pub lease: Duration,
    /// From an unknown outcome until its absence at the broker is believed, milliseconds.
    pub grace_ms: i64,
    /// Least time between two passes that count, milliseconds.
    pub between_passes_ms: i64,
    /// Between two passes when nothing is unknown, milliseconds.
    pub period_ms: i64,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            grace_ms: 30_000,
            between_passes_ms: 5_000,
            period_ms: 60_000,
        }
    }
}

/// How far back a pass must read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookback {
    /// Since when evidence of an order is sought; none: no order needs any.
    pub oldest: Option<BrokerTime>,
    /// All deals up to then are known; none: the broker was never compared.
    pub compared: Option<BrokerTime>,
    /// That was since the link came up.
    pub routine: bool,
}

impl Lookback {
    /// The time span of the history to read, raw broker time. Everything where the broker's clock is
    /// not known yet.
    #[must_use]
    pub fn window(self, time: Option<BrokerTime>) -> (BrokerTime, BrokerTime) {
        let Some(now) = time else {
            return (BrokerTime(0), BrokerTime(i64::MAX));
        };
        let overlap = if self.routine { OVERLAP_MS } else { DAY_MS };
        let compared = self
            .compared
            .map_or(now.0, |compared| compared.0.min(now.0));
        let evidence = self.oldest.map(|taken| taken.0.min(now.0) - DAY_MS);
        let from = compared - overlap;
        let from = evidence.map_or(from, |evidence| from.min(evidence));
        (BrokerTime(from), BrokerTime(now.0 + DAY_MS))
    }
}

/// What the journal knows of earlier comparisons.
pub(crate) struct Known {
    pub(crate) deals: Vec<(Ticket, BrokerTime)>,
    pub(crate) archived: BTreeSet<Ticket>,
    pub(crate) orphan_deals: BTreeMap<Ticket, ClientName>,
    pub(crate) accepted: BTreeSet<Unreadable>,
    pub(crate) compared: Option<BrokerTime>,
}

/// An order of which the passes find no trace.
#[derive(Clone, Copy, Debug)]
struct Search {
    since: i64,
    passes: u32,
    last: i64,
}

/// How far the comparison has come.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    pub(crate) config: ReconcileConfig,
    searches: BTreeMap<OrderId, Search>,
    /// Compared since the link came up.
    pub(crate) compared: bool,
    /// The account cannot be read.
    pub(crate) unreadable: bool,
    /// When the last pass was taken, on the clock that never goes back; none: one is due.
    last_pass: Option<i64>,
    /// All deals up to then are known.
    complete: Option<BrokerTime>,
    /// Orders that should work and were not among the rows last read.
    missed: BTreeSet<OrderId>,
    /// Known deals that the last history lacks.
    missing: BTreeSet<Ticket>,
    /// Those that an operator accepted as lacking.
    archived: BTreeSet<Ticket>,
    /// The newest known deals and their times.
    deals: BTreeMap<Ticket, BrokerTime>,
    /// When those were heard of that a lagging history may lack.
    heard: BTreeMap<Ticket, i64>,
    /// Deals that were reported and wait for a pass, and since when.
    awaited: BTreeMap<Ticket, i64>,
    /// Working orders in a slot of ours that the journal does not know.
    pub(crate) orphan_orders: BTreeMap<Ticket, OrderRow>,
    /// Working orders that are in no slot of ours.
    pub(crate) foreign_orders: BTreeMap<Ticket, OrderRow>,
    /// Deals in a slot of ours that no known order made.
    orphan_deals: BTreeMap<Ticket, ClientName>,
    orphan_deals_changed: bool,
    /// The newest that ever were such, whole.
    orphan_fills: VecDeque<DealRow>,
    /// Rows of the newest reading that could not be understood: of the present, and of the past.
    pub(crate) unread: Unread,
    pub(crate) unread_past: Unread,
    /// Those that an operator accepted, ever.
    accepted: BTreeSet<Unreadable>,
}

impl Reconciliation {
    pub(crate) fn new(config: ReconcileConfig, known: Known) -> Self {
        Self {
            config,
            searches: BTreeMap::new(),
            compared: false,
            unreadable: false,
            last_pass: None,
            complete: known.compared,
            missed: BTreeSet::new(),
            missing: BTreeSet::new(),
            archived: known.archived,
            deals: known.deals.into_iter().collect(),
            heard: BTreeMap::new(),
            awaited: BTreeMap::new(),
            orphan_orders: BTreeMap::new(),
            foreign_orders: BTreeMap::new(),
            orphan_deals: known.orphan_deals,
            orphan_deals_changed: false,
            orphan_fills: VecDeque::new(),
            unread: Unread::default(),
            unread_past: Unread::default(),
            accepted: known.accepted,
        }
    }

    /// The link went down: what was not seen throughout does not count.
    pub(crate) fn lost(&mut self) {
        self.searches.clear();
        self.compared = false;
        self.last_pass = None;
    }

    /// Orders that should work and are not among the rows.
    pub(crate) fn miss(&mut self, missed: BTreeSet<OrderId>) {
        self.missed = missed;
    }

    pub(crate) fn is_missed(&self, id: OrderId) -> bool {
        self.missed.contains(&id)
    }

    /// The next pass is due at once.
    pub(crate) const fn sync_soon(&mut self) {
        self.last_pass = None;
    }

    /// True when the broker should be compared again: rows and history. `unsettled`: an order needs
    /// evidence.
    pub(crate) fn wants_pass(&self, unsettled: bool, now: Now) -> bool {
        let lacks = !self.compared || !self.missing.is_empty() || !self.awaited.is_empty();
        let hurried = unsettled || !self.missed.is_empty() || lacks;
        let pause = if hurried {
            self.config.between_passes_ms
        } else {
            self.config.period_ms
        };
        let last = self.last_pass;
        last.is_none_or(|last| now.elapsed_ms - last >= pause)
    }

    pub(crate) fn lookback(&self, oldest: Option<BrokerTime>) -> Lookback {
        Lookback {
            oldest,
            compared: self.complete,
            routine: self.compared && self.unread_past.is_empty(),
        }
    }

    /// All deals up to then are known.
    pub(crate) const fn complete(&self) -> Option<BrokerTime> {
        self.complete
    }

    /// True when the deal was seen before, as far as memory tells.
    pub(crate) fn knows(&self, deal: Ticket) -> bool {
        self.deals.contains_key(&deal)
    }

    /// Notes a known deal. Memory holds what a pass may meet again.
    pub(crate) fn note_deal(&mut self, ticket: Ticket, time: BrokerTime, now: Now) {
        self.awaited.remove(&ticket);
        if self.deals.insert(ticket, time).is_none() {
            self.heard.insert(ticket, now.elapsed_ms);
        }
    }

    /// A deal was reported that only a pass can place: one is due now, and soon again until it is
    /// known.
    pub(crate) fn await_deal(&mut self, ticket: Ticket, now: Now) {
        self.last_pass = None;
        if self.awaited.len() < AWAITED {
            self.awaited.insert(ticket, now.elapsed_ms);
        }
    }

    /// A history of that window was read. How many known deals it lacks: one that cannot be
    /// understood may be any, and one that was heard of just now may still be on its way there.
    pub(crate) fn check_history(
        &mut self,
        tickets: &BTreeSet<Ticket>,
        window: (BrokerTime, BrokerTime),
        now: Now,
    ) -> usize {
        self.heard
            .retain(|_, heard| now.elapsed_ms - *heard < HISTORY_LAG_MS);
        let newest = self.deals.iter().rev().take(PROBES);
        let due = newest.filter(|(_, time)| (window.0..window.1).contains(time));
        let missing = due.map(|(ticket, _)| *ticket);
        let missing = missing.filter(|ticket| {
            let hidden = self.unread_past.may_hide(RowKind::Deal, Some(*ticket));
            !hidden && !tickets.contains(ticket) && !self.heard.contains_key(ticket)
        });
        let missing: BTreeSet<Ticket> = missing.collect();
        self.archived.retain(|ticket| !tickets.contains(ticket));
        self.missing = missing.difference(&self.archived).copied().collect();
        self.missing.len()
    }

    /// A pass was taken that began there. Older deals are forgotten: where one comes again, the
    /// journal knows it, but for one that was heard of just now and may not be durable yet.
    pub(crate) fn passed(&mut self, from: BrokerTime, time: Option<BrokerTime>, out: &mut Out) {
        self.last_pass = Some(out.now.elapsed_ms);
        self.awaited
            .retain(|_, since| out.now.elapsed_ms - *since < AWAITED_MS);
        if self.missing.is_empty() {
            self.compared = true;
            self.complete_to(from, time, out);
        } else {
            self.searches.clear();
        }
        let most = self.deals.len().saturating_sub(PROBES);
        let old: Vec<Ticket> = self
            .deals
            .iter()
            .take(most)
            .filter(|(ticket, time)| **time < from && !self.heard.contains_key(ticket))
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in old {
            self.deals.remove(&ticket);
        }
    }

    /// All deals are known up to now. While rows cannot be understood, later passes reach them, too.
    fn complete_to(&mut self, from: BrokerTime, time: Option<BrokerTime>, out: &mut Out) {
        let to = if self.unread_past.is_empty() {
            time
        } else {
            let begun = BrokerTime(from.0.saturating_add(DAY_MS));
            self.complete.is_none().then_some(begun)
        };
        if let Some(to) = to {
            self.complete = Some(to);
            out.record_patiently(Record::Compared(to));
        }
    }

    /// Known deals that the broker's history lacks.
    pub(crate) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// An operator accepts that the history lacks what it lacks. None: it lacks nothing.
    pub(crate) fn accept_missing(&mut self) -> Option<BTreeSet<Ticket>> {
        if self.missing.is_empty() {
            return None;
        }
        self.archived.append(&mut self.missing);
        self.last_pass = None;
        Some(self.archived.clone())
    }

    /// Counts a complete pass without a trace of the order. True: its absence is believed.
    /// `acknowledged`: the broker said once that it has it.
    pub(crate) fn absent(&mut self, id: OrderId, acknowledged: bool, now: Now) -> bool {
        let begun = Search {
            since: now.elapsed_ms,
            passes: 0,
            last: i64::MIN / 2,
        };
        let unattended = UNATTENDED_MS.max(2 * self.config.period_ms);
        let search = self.searches.entry(id).or_insert(begun);
        if search.passes > 0 && now.elapsed_ms - search.last > unattended {
            *search = begun;
        }
        if now.elapsed_ms - search.last >= self.config.between_passes_ms {
            search.passes += 1;
            search.last = now.elapsed_ms;
        }
        let grace = if acknowledged {
            self.config.grace_ms * ACKNOWLEDGED
        } else {
            self.config.grace_ms
        };
        search.passes >= PASSES && now.elapsed_ms - search.since >= grace
    }

    /// The order left a trace, or needs none any more.
    pub(crate) fn found(&mut self, id: OrderId) {
        self.searches.remove(&id);
    }

    /// A pass that may have overlooked something proves no absence.
    pub(crate) fn forget_searches(&mut self) {
        self.searches.clear();
    }

    /// Forgets searches of orders that need none any more.
    pub(crate) fn keep_searches(&mut self, lives: impl Fn(OrderId) -> bool) {
        self.searches.retain(|id, _| lives(*id));
    }

    /// Rows of the present that could not be understood. True: they are others than before.
    pub(crate) fn read_unread(&mut self, rows: Vec<Unreadable>) -> bool {
        let unread = Unread::new(rows, &self.accepted);
        let before = std::mem::replace(&mut self.unread, unread);
        before.open() != self.unread.open()
    }

    /// Rows of the past that could not be understood. True: they are others than before.
    pub(crate) fn read_unread_past(&mut self, rows: Vec<Unreadable>) -> bool {
        let unread = Unread::new(rows, &self.accepted);
        let before = std::mem::replace(&mut self.unread_past, unread);
        before.open() != self.unread_past.open()
    }

    /// Rows that could not be understood and that nobody accepted.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Unreadable> {
        self.unread.open().iter().chain(self.unread_past.open())
    }

    /// An operator accepts that they cannot be understood. All that ever were; none: there are none
    /// now.
    pub(crate) fn accept_unread(&mut self) -> Option<BTreeSet<Unreadable>> {
        let before = self.accepted.len();
        self.accepted.append(&mut self.unread.accept());
        self.accepted.append(&mut self.unread_past.accept());
        (self.accepted.len() > before).then(|| self.accepted.clone())
    }

    /// Deals in a slot of ours that no known order made.
    pub(crate) const fn orphan_deals(&self) -> &BTreeMap<Ticket, ClientName> {
        &self.orphan_deals
    }

    /// A deal in a client's slot that no known order made.
    pub(crate) fn note_orphan_deal(&mut self, deal: Ticket, client: ClientName) {
        self.orphan_deals.insert(deal, client);
        self.orphan_deals_changed = true;
    }

    /// Keeps such a deal for the adoption of its order.
    pub(crate) fn keep_orphan_fill(&mut self, deal: DealRow) {
        if self.orphan_fills.len() == ORPHAN_FILLS {
            self.orphan_fills.pop_front();
        }
        self.orphan_fills.push_back(deal);
    }

    /// The newest deals in a slot of ours that no order made which was known when they came.
    pub(crate) fn orphan_fills(&self) -> impl Iterator<Item = &DealRow> {
        self.orphan_fills.iter()
    }

    /// An operator has checked such a deal. False: it is none.
    pub(crate) fn adopt_deal(&mut self, deal: Ticket) -> bool {
        let known = self.orphan_deals.remove(&deal).is_some();
        self.orphan_deals_changed |= known;
        known
    }

    /// An operator has checked all such deals of a client. False: there are none.
    pub(crate) fn adopt_deals_of(&mut self, client: &ClientName) -> bool {
        let before = self.orphan_deals.len();
        self.orphan_deals.retain(|_, owner| owner != client);
        let adopts = self.orphan_deals.len() < before;
        self.orphan_deals_changed |= adopts;
        adopts
    }

    /// Those deals, where they changed since they were last asked for.
    pub(crate) fn take_orphan_deals(&mut self) -> Option<BTreeMap<Ticket, ClientName>> {
        let changed = std::mem::take(&mut self.orphan_deals_changed);
        changed.then(|| self.orphan_deals.clone())
    }

    /// What is in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.deals.len()
            + self.heard.len()
            + self.searches.len()
            + self.missed.len()
            + self.missing.len()
            + self.archived.len()
            + self.awaited.len()
            + self.orphan_orders.len()
            + self.foreign_orders.len()
            + self.orphan_deals.len()
            + self.orphan_fills.len()
            + self.accepted.len()
    }
}
