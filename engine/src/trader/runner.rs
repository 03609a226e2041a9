//! One strategy at work: what it decided, the order it waits for, and the next step from one to the
//! other. One order in flight, never two.

mod ends;

use super::{
    carer::{self, Carer, Moment},
    entry::{self, EntryRefused, Order, World},
    feed::Feed,
    in_flight::{InFlight, Moved, What},
    intent::Intent,
    next::Next,
    replaced::Replaced,
    turn::Turn,
    unseen::Unseen,
};
use crate::{
    bars::{History, Timeframe},
    care::Action,
    portfolio::{Held, OrderUpdate, Portfolio, WorkingOrder},
    strategy::{
        At, Context, Owner, Plan, Quote, Reverse, Strategy, StrategySettings, View, Wanted,
    },
};
use mymt5_model::{
    BrokerTime, LevelsEdit, Lots, OrderId, PositionId, RequestId, Side, Symbol, Tick,
};
use std::collections::BTreeSet;

/// Between two tries to close what may not stay open, or to cancel for an exit, milliseconds.
const CLOSE_AGAIN_MS: i64 = 1_000;

pub(super) struct StrategyRunner {
    settings: StrategySettings,
    feeds: Vec<Feed>,
    plan: Plan,
    /// What is left of these positions is closed: an earlier process was to close all of each.
    rests: BTreeSet<PositionId>,
    carer: Carer,
    in_flight: Option<InFlight>,
    /// The newest order that was to turn a position, or that stands beside a late part of the one before it,
    /// until what is open is known.
    turn: Option<Turn>,
    /// The position of an entry that is filled is still to be told.
    unseen: Unseen,
    /// A part of what it cancelled may still be told.
    replaced: Replaced,
    /// Another strategy trades the symbol, too: what belongs to this one bears its name.
    shares: bool,
    /// The names of all that trade the symbol, for the first of those that share it: what bears another
    /// name is closed by it where nothing may stay open.
    names: Option<BTreeSet<String>>,
    /// All symbols that are traded, for the first strategy of all: what waits on another one is cancelled
    /// by it where nothing may stay open.
    symbols: Option<BTreeSet<Symbol>>,
    /// Nothing may stay open now.
    closes_out: bool,
    time: BrokerTime,
    quote: Option<Quote>,
    /// When it last tried to close, to trim or to cancel; none: that was done.
    tried: Option<BrokerTime>,
    /// The close that was tried last failed.
    close_failed: bool,
    /// The position of an exit that lapsed as its close failed: it may turn out to have ended before.
    lapsed_exit: Option<PositionId>,
    /// The order that could not be cancelled last: others have their turn before it is tried again.
    uncancelled: Option<OrderId>,
}

impl StrategyRunner {
    pub(super) fn new(
        settings: StrategySettings,
        shares: bool,
        names: Option<BTreeSet<String>>,
        symbols: Option<BTreeSet<Symbol>>,
    ) -> Self {
        let series = settings.strategy.series();
        Self {
            carer: Carer::new(settings.care),
            settings,
            feeds: series.into_iter().map(Feed::new).collect(),
            plan: Plan::default(),
            rests: BTreeSet::new(),
            in_flight: None,
            turn: None,
            unseen: Unseen::default(),
            replaced: Replaced::default(),
            shares,
            names,
            symbols,
            closes_out: false,
            time: BrokerTime(0),
            quote: None,
            tried: None,
            close_failed: false,
            lapsed_exit: None,
            uncancelled: None,
        }
    }

    pub(super) const fn settings(&self) -> &StrategySettings {
        &self.settings
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    /// True where positions are cared for.
    pub(super) fn cares(&self) -> bool {
        self.carer.is_on()
    }

    pub(super) fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter().chain(self.carer.feed())
    }

    pub(super) fn await_history(&mut self) {
        self.feeds.iter_mut().for_each(Feed::await_history);
        self.carer.await_history();
    }

    pub(super) const fn shares(&self) -> bool {
        self.shares
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            symbol: &self.settings.symbol,
            tag: self.shares.then_some(self.settings.name.as_str()),
        }
    }

    pub(super) fn owns_position(&self, held: &Held) -> bool {
        self.owner().owns(&held.symbol, &held.tag)
    }

    pub(super) fn owns_order(&self, order: &WorkingOrder) -> bool {
        self.owner().owns(&order.symbol, &order.tag)
    }

    /// True for what no strategy of the symbol owns, while nothing may stay open.
    fn closes_out(&self, symbol: &Symbol, tag: &str) -> bool {
        let is_nobodys = |names: &BTreeSet<String>| !names.contains(tag);
        self.closes_out
            && *symbol == self.settings.symbol
            && self.names.as_ref().is_some_and(is_nobodys)
    }

    /// True for a symbol that no strategy trades, while nothing may stay open.
    fn cancels_on(&self, symbol: &Symbol) -> bool {
        let is_nobodys = |symbols: &BTreeSet<Symbol>| !symbols.contains(symbol);
        self.closes_out && self.symbols.as_ref().is_some_and(is_nobodys)
    }

    /// Tells the strategy something. What it decides upon the past is dropped.
    fn tell(
        &mut self,
        world: &World<'_>,
        is_live: bool,
        tell: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) {
        let StrategySettings {
            strategy,
            name,
            symbol,
            ..
        } = &mut self.settings;
        let view = View {
            time: self.time,
            quote: self.quote,
            spec: world.spec,
            owner: Owner {
                symbol,
                tag: self.shares.then_some(name.as_str()),
            },
            portfolio: world.portfolio,
            equity: world.risk.account().map(|account| account.equity),
            is_busy: self.in_flight.is_some(),
            is_live,
        };
        let mut dropped = Plan::default();
        let plan = if is_live {
            &mut self.plan
        } else {
            &mut dropped
        };
        tell(strategy.as_mut(), &mut Context::new(view, plan));
    }

    pub(super) fn on_tick(&mut self, tick: &Tick, world: &mut World<'_>) {
        self.time = tick.time;
        self.closes_out = false;
        if self.unseen.is_awaited() {
            for entry in self.unseen.on_tick(tick.time) {
                self.give_up_unseen(&entry, world);
                // An exit that waited for it is over.
                self.plan.is_fresh = true;
            }
        }
        self.quote = Some(Quote {
            bid: tick.bid,
            ask: tick.ask,
        });
        for at in 0..self.feeds.len() {
            let feed = &mut self.feeds[at];
            let timeframe = feed.series.timeframe;
            if let Some(bar) = feed.on_tick(tick) {
                self.tell(world, true, |strategy, context| {
                    strategy.on_bar(timeframe, &bar, context);
                });
            }
        }
        self.tell(world, true, |strategy, context| {
            strategy.on_tick(tick, context);
        });
        if self.cares() {
            self.care(tick, world);
        }
    }

    /// The position of a filled entry was never told: it holds nothing back any more.
    fn give_up_unseen(&self, entry: &RequestId, world: &mut World<'_>) {
        world.portfolio.forget_unreported(entry);
        tracing::warn!(
            strategy = self.settings.name,
            symbol = %self.settings.symbol,
            "the position of a filled entry was never told: it counts as closed again; compare the positions of the gateway with those of the terminal"
        );
    }

    /// Looks at what it holds.
    fn care(&mut self, tick: &Tick, world: &World<'_>) {
        self.carer.on_tick(tick);
        let moment = Moment {
            strategy: &self.settings.name,
            spec: world.spec,
            now: tick.time,
            quote: Quote {
                bid: tick.bid,
                ask: tick.ask,
            },
            may_close: !self.failed_lately(),
            is_busy: self.in_flight.is_some(),
        };
        let owner = Owner {
            symbol: &self.settings.symbol,
            tag: self.shares.then_some(self.settings.name.as_str()),
        };
        let positions = world.portfolio.positions();
        let own = positions.filter(|held| owner.owns(&held.symbol, &held.tag));
        self.carer.look(&moment, own, world.risk.cared());
    }

    pub(super) fn on_history(
        &mut self,
        timeframe: Timeframe,
        history: &History,
        world: &World<'_>,
    ) {
        for at in 0..self.feeds.len() {
            if self.feeds[at].series.timeframe != timeframe {
                continue;
            }
            for bar in self.feeds[at].on_history(history.clone()) {
                self.tell(world, false, |strategy, context| {
                    strategy.on_bar(timeframe, &bar, context);
                });
            }
        }
        self.carer.on_history(timeframe, history);
    }

    /// A position of its own changed, or is gone.
    pub(super) fn on_position(&mut self, held: &Held, world: &World<'_>) {
        if held.lots.is_zero() {
            self.rests.remove(&held.position_id);
            self.carer.retain(|id| id != held.position_id);
            self.turn = self.turn.filter(|turn| !turn.opens(held));
            let lapsed = self.lapsed_exit.take_if(|id| *id == held.position_id);
            self.plan.exit |= lapsed.is_some() && self.failed_lately();
        }
        let is_awaited = |entry: &RequestId| world.portfolio.awaits_position(entry);
        // Beside a late part the position of one order alone is not all that is to come.
        if !self.is_untold(world.portfolio) && !self.unseen.awaits(is_awaited) {
            self.unseen.end();
        }
        self.replaced.on_position(self.holds(world.portfolio));
        // An exit may have waited for it.
        self.plan.is_fresh = true;
        self.note_told(held.side);
        self.tell(world, true, |strategy, context| {
            strategy.on_position(held, context);
        });
    }

    /// A position of its own on that side is told: that of the entry under way, unless it is what that
    /// closes, which may change or end before it opens anything.
    fn note_told(&mut self, of: Side) {
        if let Some(in_flight) = &mut self.in_flight
            && let What::Open { side, told, .. } = &mut in_flight.what
        {
            *told |= of == *side;
        }
    }

    /// An order of its own changed. One that waits for its price is not in flight any more.
    pub(super) fn on_order(&mut self, order: &OrderUpdate, world: &World<'_>) {
        let awaited = order.request_id.as_ref();
        if self.holds(world.portfolio) {
            self.replaced.on_standing_part(order);
        }
        if order.working.is_some() && awaited.is_some_and(|id| self.waits_for(id)) {
            self.in_flight = None;
        }
        // One that waited for its price ends while nobody waits for it.
        if let Some(entry) = awaited.filter(|id| world.portfolio.awaits_position(id)) {
            self.unseen.begin(entry.clone());
        }
        self.tell(world, true, |strategy, context| {
            strategy.on_order(order, context);
        });
    }

    /// True for the end of an order that it cancelled, or for a part of one.
    pub(super) fn on_cancelled(&mut self, order: &OrderUpdate, portfolio: &Portfolio) -> bool {
        let holds = self.holds(portfolio);
        let waited = order.state.is_final() && self.waited(order, portfolio);
        if waited {
            self.end_waiting(order, portfolio);
        }
        let is_own = self.replaced.on_order(order, holds);
        let is_filled = is_own && self.replaced.is_filled();
        self.plan.exit |= is_filled && self.replaced.is_for_exit();
        // An entry that waits is cancelled, and may be filled before.
        if is_filled && self.turn.is_none() {
            self.turn = self.replaced.beside(order, portfolio.nets());
        }
        let is_untold = (is_own || waited) && self.is_untold(portfolio);
        let awaits = is_untold || (is_filled && !holds);
        if let Some(part) = order.request_id.as_ref().filter(|_| awaits) {
            self.unseen.begin(part.clone());
        }
        is_own
    }

    /// True for an order of its own that waits for its price, or whose cancellation was answered.
    fn waited(&self, order: &OrderUpdate, portfolio: &Portfolio) -> bool {
        order.request_id.as_ref().is_some_and(|id| {
            let waiting = portfolio.order(id);
            self.replaced.awaits(id) || waiting.is_some_and(|order| self.owns_order(order))
        })
    }

    fn holds(&self, portfolio: &Portfolio) -> bool {
        let mut positions = portfolio.positions();
        positions.any(|held| self.owns_position(held))
    }

    /// True when no order is under way, nor waits for the end of a cancelled one: to take its place, or to
    /// close what became of it.
    pub(super) const fn is_idle(&self) -> bool {
        let goes_on = self.plan.entry.is_some() || self.replaced.is_for_exit();
        let waits = self.replaced.is_ending() && goes_on;
        self.in_flight.is_none() && !waits
    }

    /// The order or change that is under way.
    pub(super) fn awaited(&self) -> Option<&RequestId> {
        let in_flight = self.in_flight.as_ref();
        in_flight.map(|in_flight| &in_flight.request_id)
    }

    pub(super) fn waits_for(&self, request_id: &RequestId) -> bool {
        let in_flight = self.in_flight.as_ref();
        in_flight.is_some_and(|in_flight| in_flight.request_id == *request_id)
    }

    /// True while it waits for the close of all of a position.
    pub(super) fn awaits_close(&self, request_id: &RequestId) -> bool {
        self.waits_for(request_id) && matches!(self.what(), Some(What::Close(_)))
    }

    fn what(&self) -> Option<What> {
        self.in_flight.as_ref().map(|in_flight| in_flight.what)
    }

    /// True when something was decided, and not yet looked at.
    pub(super) const fn has_decided(&self) -> bool {
        self.plan.is_fresh || self.carer.wants()
    }

    /// Nothing may stay open now: what is held is closed and what waits is cancelled, whatever else is
    /// wanted. What failed is tried again after a while.
    pub(super) fn close_out(&mut self) {
        self.closes_out = true;
        self.plan.lapse();
        self.carer.lapse();
        if !self.failed_lately() {
            self.plan.exit();
        }
    }

    fn failed_lately(&self) -> bool {
        let lately = |tried: BrokerTime| (0..CLOSE_AGAIN_MS).contains(&(self.time.0 - tried.0));
        self.tried.is_some_and(lately)
    }

    /// The next step towards what is decided, if there is one to take now.
    pub(super) fn act(
        &mut self,
        world: &mut World<'_>,
        new_id: &mut dyn FnMut() -> RequestId,
    ) -> Option<Intent> {
        self.plan.is_fresh = false;
        if self.in_flight.is_some() {
            return None;
        }
        let may_close = !self.failed_lately();
        let care = self
            .carer
            .next(world.portfolio, world.risk.cared(), may_close);
        let next = self.next(care, world)?;
        self.replaced
            .on_next(&next, self.plan.exit, world.portfolio);
        let intent = next.intent(&self.settings, new_id(), self.plan.exit);
        match next {
            Next::Close(id) => self.carer.on_asked(id, |_| true),
            Next::Reduce(id, _) => {
                let is_part = |action: &Action| matches!(action, Action::Reduce(_));
                self.carer.on_asked(id, is_part);
            }
            Next::Move(id, _) => self.carer.on_asked(id, carer::is_move),
            Next::Open(_) | Next::Trim(..) | Next::Cancel(_) => {}
        }
        let what = match next {
            Next::Open(order) => {
                self.note_entry(&order, world);
                self.turn = Turn::of(&order);
                let open = order.open(&self.settings.symbol);
                let sent = intent.request_id().clone();
                world.portfolio.send(sent, open, self.owner().tag);
                What::Open {
                    side: order.side,
                    told: false,
                    closes: order.closes,
                }
            }
            Next::Close(position_id) => What::Close(position_id),
            Next::Reduce(position_id, _) => {
                if !self.note_part(position_id, intent.request_id(), world) {
                    return None;
                }
                What::Reduce(position_id)
            }
            Next::Trim(..) => What::Trim,
            Next::Cancel(order_id) => What::Cancel(order_id),
            Next::Move(position_id, levels) => {
                let held = world.portfolio.position(position_id)?;
                self.carer.on_move(position_id, self.time);
                What::Move(Moved {
                    position_id,
                    side: held.side,
                    before: held.levels,
                    after: levels.after(held.levels),
                })
            }
        };
        if matches!(what, What::Close(_) | What::Cancel(_) | What::Trim) {
            self.tried = Some(self.time);
        }
        // What ends that position from now on may be this, and is no reason to go on with an older exit.
        if !matches!(what, What::Reduce(_) | What::Move(_)) {
            self.lapsed_exit = None;
        }
        self.in_flight = Some(InFlight {
            request_id: intent.request_id().clone(),
            what,
        });
        Some(intent)
    }

    /// Lets position care know with which stop loss the strategy entered.
    fn note_entry(&self, order: &Order, world: &mut World<'_>) {
        if self.cares() {
            let stop = order.levels.stop_loss;
            world
                .risk
                .remember(|book, _| book.on_entry(&self.settings.name, stop));
        }
    }

    /// Notes that a part of a position is about to be closed, so that it is closed once. False: that
    /// would not outlive this process, and it is not closed.
    fn note_part(
        &mut self,
        position_id: PositionId,
        order: &RequestId,
        world: &mut World<'_>,
    ) -> bool {
        let asked = order.clone();
        if world
            .risk
            .remember(|book, _| book.on_asked(position_id, asked))
        {
            return true;
        }
        world.risk.remember(|book, _| book.on_ended(order, false));
        self.carer.on_part_failed(position_id, self.time);
        false
    }

    /// Exits first, and never an entry beside an order that waits for its price. What position care
    /// wants, but for an exit, comes after what the strategy wants.
    fn next(&mut self, care: Option<(PositionId, Action)>, world: &mut World<'_>) -> Option<Next> {
        let owner = self.owner();
        let held: Vec<Held> = world
            .portfolio
            .positions()
            .filter(|held| owner.owns(&held.symbol, &held.tag))
            .cloned()
            .collect();
        let cancel = self.waiting(world.portfolio).map(Next::Cancel);
        if self.plan.exit {
            // A close that fails for ever must not keep what waits for its price.
            let cancels = self.close_failed && cancel.is_some() && !self.failed_lately();
            let close = self.closing(world.portfolio).filter(|_| !cancels);
            if let Some(position_id) = close {
                return Some(Next::Close(position_id));
            }
            if cancel.is_some() {
                // The exit stays, and is looked at again with the next tick.
                self.plan.is_fresh = self.failed_lately();
                return cancel.filter(|_| !self.failed_lately());
            }
            self.replaced.on_exit();
            self.plan.exit = self.unseen.is_awaited();
        }
        let rest = held
            .iter()
            .find(|held| self.rests.contains(&held.position_id));
        if let Some(rest) = rest {
            return Some(Next::Close(rest.position_id));
        }
        if let Some((position_id, Action::Close)) = care {
            return Some(Next::Close(position_id));
        }
        // How much stands beyond what risk admitted is known once what waits has ended.
        if cancel.is_none() && !self.replaced.is_ending() {
            let trim = self.trim(&held, world.spec.volume.min);
            if trim.is_some() {
                return trim;
            }
        }
        self.plan.cancel |= self.replaced.is_filled() && !held.is_empty();
        if self.plan.cancel && cancel.is_some() {
            return cancel;
        }
        self.plan.cancel = false;
        if self.unseen.is_awaited() || self.replaced.is_ending() {
            return None;
        }
        if let Some(wanted) = self.plan.entry {
            let step = cancel.or_else(|| self.towards(&wanted, &held, world));
            if !matches!(step, Some(Next::Close(_) | Next::Cancel(_))) {
                self.plan.entry = None;
            }
            if step.is_some() {
                return step;
            }
        }
        let levels = std::mem::take(&mut self.plan.levels);
        let held = held.first().filter(|_| levels != LevelsEdit::default());
        let moved = held.map(|held| Next::moved(held.position_id, levels, world.spec));
        moved.or_else(|| care.map(Next::of_care))
    }

    /// The close of what was opened beyond what risk admitted, of the smallest position that has all of it.
    /// One that failed is tried again after a while.
    fn trim(&mut self, held: &[Held], smallest: Lots) -> Option<Next> {
        let turn = self.turn?;
        let opened = held.iter().filter(|held| turn.opens(held));
        let stands = opened.clone().map(|held| held.lots);
        let stands = stands.fold(Lots::ZERO, Lots::plus);
        let is_awaited = turn.is_untold(stands) && self.unseen.is_awaited();
        if stands.is_zero() || is_awaited {
            return None;
        }
        let Some(excess) = turn.excess(stands, smallest) else {
            self.turn = None;
            return None;
        };
        if self.failed_lately() {
            self.plan.is_fresh = true;
            return None;
        }
        tracing::warn!(
            strategy = self.settings.name,
            %excess,
            "a position ended before the order that was to turn it, or a cancelled order was filled in part before the one in its place: what is open beyond what risk admits is closed"
        );
        let of = opened.min_by_key(|held| (held.lots < excess, held.lots))?;
        Some(Next::Trim(of.position_id, excess.min(of.lots)))
    }

    /// The position that an exit closes next.
    fn closing(&self, portfolio: &Portfolio) -> Option<PositionId> {
        let mut positions = portfolio.positions();
        let own = positions.find(|held| self.owns_position(held));
        let nobodys = || {
            let mut positions = portfolio.positions();
            positions.find(|held| self.closes_out(&held.symbol, &held.tag))
        };
        own.or_else(nobodys).map(|held| held.position_id)
    }

    /// The order that waits for its price and is cancelled next.
    fn waiting(&self, portfolio: &Portfolio) -> Option<OrderId> {
        let orders = portfolio.orders().filter(|order| {
            self.owns_order(order)
                || self.closes_out(&order.symbol, &order.tag)
                || self.cancels_on(&order.symbol)
        });
        let turn = |id: &OrderId| (self.uncancelled >= Some(*id), *id);
        orders.map(|order| order.order_id).min_by_key(turn)
    }

    fn towards(&self, wanted: &Wanted, held: &[Held], world: &mut World<'_>) -> Option<Next> {
        let against = held.iter().find(|held| held.side != wanted.entry.side);
        match against {
            Some(against) if wanted.reverses => {
                let at_once = self.reversal(wanted, against, world).map(Next::Open);
                Some(at_once.unwrap_or(Next::Close(against.position_id)))
            }
            _ if !held.is_empty() => None,
            _ => self.order(wanted, None, world).map(Next::Open),
        }
    }

    /// One order that closes what is held and opens the other side: where the account nets, nothing
    /// keeps the entry from being made, and what is held is known. A part that was closed may be told
    /// before its position; then that is closed first, whatever is left of it.
    fn reversal(&self, wanted: &Wanted, against: &Held, world: &mut World<'_>) -> Option<Order> {
        let is_one = self.settings.reverse == Reverse::OneOrder
            && wanted.entry.at == At::Market
            && world.portfolio.nets()
            && world.portfolio.may_open()
            && !world.risk.cared().is_cut(against.position_id);
        is_one.then(|| self.order(wanted, Some(against), world))?
    }

    fn order(
        &self,
        wanted: &Wanted,
        closes: Option<&Held>,
        world: &mut World<'_>,
    ) -> Option<Order> {
        let shared = self.shares && world.portfolio.nets();
        let order = if shared {
            Err(EntryRefused::Shared)
        } else if wanted.is_late(self.time) {
            Err(EntryRefused::Late)
        } else {
            entry::order(
                &wanted.entry,
                self.quote,
                self.settings.budget,
                closes,
                world,
            )
        };
        order
            .inspect_err(|refused| self.tell_refused(*refused))
            .ok()
    }

    fn tell_refused(&self, refused: EntryRefused) {
        let reason = refused.name();
        metrics::counter!("mymt5_engine_decisions_refused_total", "reason" => reason).increment(1);
        tracing::warn!(strategy = self.settings.name, %refused, "decision refused");
    }

    /// The order whose cancellation is under way.
    pub(super) fn cancels(&self) -> Option<OrderId> {
        match self.in_flight.as_ref()?.what {
            What::Cancel(order_id) => Some(order_id),
            _ => None,
        }
    }

    /// The change of a position's levels that is under way.
    pub(super) fn moves(&self) -> Option<Moved> {
        match self.in_flight.as_ref()?.what {
            What::Move(moved) => Some(moved),
            _ => None,
        }
    }
}
