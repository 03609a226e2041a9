//! What this engine holds, as the gateway reported it: from the snapshot on, by events only.

use crate::risk::{Account, Open, PositionDeal};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountId, AccountMode, BrokerTime, Levels, Lots, Money, OrderId, OrderState, OrderType,
    PositionId, Price, RequestId, Retcode, RetcodeClass, Side, Symbol,
};
use std::collections::{BTreeMap, BTreeSet};

/// A position of this engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The broker's name of it.
    pub position_id: PositionId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Long or short.
    pub side: Side,
    /// Its volume.
    pub lots: Lots,
    /// Its average opening price; none: it is not known.
    pub open_price: Option<Price>,
    /// When it was opened; none: it is not known.
    pub opened: Option<BrokerTime>,
    /// Its stop loss and take profit.
    pub levels: Levels,
    /// The strategy that opened it; empty: none did.
    pub tag: String,
}

impl Held {
    /// True where it has all that the position is later.
    fn has(&self, later: &Self) -> bool {
        self.side == later.side && self.lots >= later.lots
    }
}

/// An order of this engine that waits for its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingOrder {
    /// The gateway's name of it.
    pub order_id: OrderId,
    /// The intent that made it.
    pub request_id: RequestId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Limit, stop or stop-limit.
    pub kind: OrderType,
    /// Volume asked for.
    pub lots: Lots,
    /// Its price; none: it is not known.
    pub price: Option<Price>,
    /// The stop loss and take profit of its position.
    pub levels: Levels,
    /// The strategy that placed it; empty: none did.
    pub tag: String,
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The intent that made it; none: the gateway's own, or foreign.
    pub request_id: Option<RequestId>,
    /// The position that it closes; none: it closes none.
    pub closes: Option<PositionId>,
    /// Its state.
    pub state: OrderState,
    /// Volume filled so far.
    pub filled: Lots,
    /// Nothing of it was done, for certain: it never left, or the trade server refused it.
    pub refused: bool,
    /// The order while it waits for its price; none: it does not, or not any more.
    pub working: Option<WorkingOrder>,
}

/// True for an order of which nothing was done for certain. An end that was concluded from an absence,
/// or from an operator's word, is none: what is told later may contradict it.
#[must_use]
pub(crate) fn is_refused(state: OrderState, reason: &str, retcode: Option<Retcode>) -> bool {
    // Without a retcode, the last one is the gateway's own word on an exit that waited.
    const UNSENT: [&str; 3] = ["NOT_SENT", "EXPIRED_BEFORE_SEND", "EXIT_EXCEEDS_POSITION"];
    let says_no = |retcode: Retcode| {
        let class = retcode.class();
        !matches!(class, RetcodeClass::Accepted | RetcodeClass::Unknown) && retcode.text() == reason
    };
    match state {
        OrderState::Rejected if retcode.is_none() => UNSENT.contains(&reason),
        OrderState::Rejected => retcode.is_some_and(says_no),
        OrderState::Expired => UNSENT.contains(&reason),
        _ => false,
    }
}

impl OrderUpdate {
    /// True when some of it was filled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == OrderState::Filled || !self.filled.is_zero()
    }

    /// True unless it is certain that nothing of it was done.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        self.is_done() || !self.refused
    }
}

/// What the gateway reports of this engine's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order changed.
    Order(OrderUpdate),
    /// A position was opened or changed.
    PositionChanged(Held),
    /// A position was opened or changed in a way that is not understood.
    PositionUnknown(PositionId),
    /// A deal of a position was done; none: it is not understood.
    Deal(PositionId, Option<PositionDeal>),
    /// A position is gone, and what it made without commission, in the account's currency, as far as
    /// the gateway knows; none: that is not known.
    PositionClosed(PositionId, Option<Money>),
    /// The account's figures; none: they are not known.
    Account(Option<Account>),
    /// Money that came in, or went out below 0, and is neither gained nor lost.
    Flow(Money),
    /// The trading state of a scope changed.
    TradingState(Scope, TradingState),
}

/// Whose trading state it is. New risk may be taken while both are active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The account's, which binds each client.
    Account,
    /// This client's own.
    Client,
}

impl Scope {
    /// That of an event which names this client, or nobody.
    #[must_use]
    pub const fn of(client: &str) -> Self {
        if client.is_empty() {
            Self::Account
        } else {
            Self::Client
        }
    }
}

/// All that events report, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which account it is; none: the gateway does not tell it.
    pub account_id: Option<AccountId>,
    /// How positions of one symbol live together.
    pub mode: AccountMode,
    /// What is held.
    pub positions: Vec<Held>,
    /// All that is held is understood, and among these.
    pub is_whole: bool,
    /// What waits for its price.
    pub orders: Vec<WorkingOrder>,
    /// The account's figures; none: they are not known.
    pub account: Option<Account>,
    /// Whether new risk may be taken: the stricter of the account's state and this client's.
    pub trading_state: TradingState,
}

/// The state of each scope; none: it may be restricted, as the snapshot told of one that is, and not
/// which.
#[derive(Debug, Default)]
struct TradingStates {
    account: Option<TradingState>,
    client: Option<TradingState>,
}

impl TradingStates {
    /// As a snapshot tells them: where the stricter is active, both are.
    fn found(stricter: TradingState) -> Self {
        let both = Some(stricter).filter(|state| *state == TradingState::Active);
        Self {
            account: both,
            client: both,
        }
    }

    fn enter(&mut self, scope: Scope, state: TradingState) {
        match scope {
            Scope::Account => self.account = Some(state),
            Scope::Client => self.client = Some(state),
        }
    }

    /// Both were active after the snapshot. What an event told stays: its end is told by one, too.
    fn confirm_active(&mut self) {
        self.account.get_or_insert(TradingState::Active);
        self.client.get_or_insert(TradingState::Active);
    }

    const fn are_active(&self) -> bool {
        use TradingState::Active;
        matches!((self.account, self.client), (Some(Active), Some(Active)))
    }
}

/// An entry on its way, until its position is reported.
#[derive(Debug)]
struct InFlight {
    entry: Open,
    /// The strategy that sent it; none: whatever its symbol has is that strategy's.
    tag: Option<String>,
    /// It is filled.
    filled: bool,
    /// A position that may be its own was reported since it was made, or since it waits for its price.
    reported: bool,
}

impl InFlight {
    /// True for a position that may be its own. Where positions net, a symbol has one alone, of whatever
    /// strategy.
    fn may_open(&self, held: &Held, nets: bool) -> bool {
        let is_sent_by = |tag: &String| nets || *tag == held.tag;
        self.entry.symbol == held.symbol
            && self.entry.side == held.side
            && self.tag.as_ref().is_none_or(is_sent_by)
    }
}

/// So long after a fill, at most, figures of the account lack it, milliseconds.
const FIGURES_MS: i64 = 5_000;

/// Positions, orders, entries in flight, and whether new risk may be taken.
#[derive(Debug, Default)]
pub struct Portfolio {
    positions: BTreeMap<PositionId, Held>,
    /// Positions that the account's margin may lack in part, and from when on its figures have them; none:
    /// the next ones do.
    unmeasured: BTreeMap<PositionId, Option<BrokerTime>>,
    /// The broker's clock as it was told last.
    now: Option<BrokerTime>,
    orders: BTreeMap<RequestId, WorkingOrder>,
    in_flight: BTreeMap<RequestId, InFlight>,
    nets: bool,
    states: TradingStates,
    /// All positions since the snapshot were understood.
    is_whole: bool,
}

impl Portfolio {
    /// Replaces everything by a snapshot; what is still on its way stays.
    pub fn read(&mut self, snapshot: Snapshot) {
        self.nets = snapshot.mode == AccountMode::Netting;
        for held in &snapshot.positions {
            self.on_found(held);
        }
        let told = snapshot.account.and_then(|account| account.as_of.broker);
        self.now = told.or(self.now);
        let found = |id: &PositionId| {
            snapshot
                .positions
                .iter()
                .any(|held| held.position_id == *id)
        };
        self.unmeasured
            .retain(|id, since| *since > told && found(id));
        for held in &snapshot.positions {
            self.note_found(held);
        }
        let positions = snapshot.positions.into_iter();
        self.positions = positions.map(|held| (held.position_id, held)).collect();
        let orders = snapshot.orders.into_iter();
        self.orders = orders
            .map(|order| (order.request_id.clone(), order))
            .collect();
        self.in_flight.retain(|_, order| !order.filled);
        self.states = TradingStates::found(snapshot.trading_state);
        self.is_whole = snapshot.is_whole;
    }

    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::PositionChanged(held) => {
                self.on_reported(held);
                self.note_growth(held);
                self.positions.insert(held.position_id, held.clone());
            }
            Event::PositionUnknown(_) => self.is_whole = false,
            Event::PositionClosed(position_id, _) => {
                if let Some(held) = self.remove(*position_id) {
                    self.on_reported(&held);
                }
            }
            Event::Order(order) => {
                self.follow(order);
                // A close that is done may be reported before its position.
                let closed = order.closes.filter(|_| order.state == OrderState::Filled);
                if let Some(position_id) = closed {
                    self.reduce(position_id, order.filled);
                }
            }
            Event::Account(Some(account)) => self.on_account(account),
            Event::Deal(..) | Event::Account(None) | Event::Flow(_) => {}
            Event::TradingState(scope, state) => self.states.enter(*scope, *state),
        }
    }

    /// The broker's clock is told.
    pub const fn at(&mut self, time: BrokerTime) {
        self.now = Some(time);
    }

    /// The account's figures are told. Those that the broker told before a position lack its margin.
    fn on_account(&mut self, account: &Account) {
        let Some(told) = account.as_of.broker else {
            return;
        };
        self.at(told);
        self.unmeasured.retain(|_, since| *since > Some(told));
        // A clock that went ahead for a moment is not waited for.
        let latest = BrokerTime(told.0.saturating_add(FIGURES_MS));
        for since in self.unmeasured.values_mut().flatten() {
            *since = latest.min(*since);
        }
    }

    /// Notes a position that is new, grew or turned: the account's figures may be older. When it was opened
    /// is told; when it grew or turned is not, so that only figures of after the newest moment known have it.
    fn note_growth(&mut self, held: &Held) {
        let known = self.positions.get(&held.position_id);
        if known.is_some_and(|known| known.has(held)) {
            return;
        }
        let opened = held.opened.filter(|_| known.is_none());
        self.note_unmeasured(held.position_id, opened);
    }

    /// Notes a position of a snapshot, whose account's figures may be older than its positions.
    fn note_found(&mut self, held: &Held) {
        let opened = held.opened.filter(|opened| Some(*opened) > self.now);
        let known = self.positions.get(&held.position_id);
        let grew = known.is_some_and(|known| !known.has(held));
        if grew || opened.is_some() {
            self.note_unmeasured(held.position_id, opened);
        }
    }

    /// `opened`: when it came to be what it is; none: at some time up to now. Where quotes are delayed the
    /// broker's clock is behind that time, for much longer than figures are.
    fn note_unmeasured(&mut self, id: PositionId, opened: Option<BrokerTime>) {
        let since = self.now.map(|now| {
            let at = |ms| BrokerTime(now.0.saturating_add(ms));
            opened.map_or(at(1), |opened| opened.clamp(now, at(FIGURES_MS)))
        });
        self.unmeasured.insert(id, since.or(opened));
    }

    /// The gateway, asked after the snapshot, restricted neither the account nor this client.
    pub fn confirm_active(&mut self) {
        self.states.confirm_active();
    }

    /// Keeps the orders that wait for their prices.
    fn follow(&mut self, order: &OrderUpdate) {
        match (&order.working, &order.request_id) {
            (Some(working), _) => {
                self.await_position(&working.request_id);
                self.orders
                    .insert(working.request_id.clone(), working.clone());
            }
            (None, Some(request_id)) if order.state.is_final() => {
                self.orders.remove(request_id);
                self.end(request_id, order.is_done());
            }
            _ => {}
        }
    }

    /// Forgets an order that is cancelled: its own event may come later.
    pub fn cancel(&mut self, order_id: OrderId) {
        let mut orders = self.orders.values();
        let cancelled = orders.find(|order| order.order_id == order_id);
        if let Some(request_id) = cancelled.map(|order| order.request_id.clone()) {
            self.orders.remove(&request_id);
            self.end(&request_id, false);
        }
    }

    /// Notes the levels of a position that a change is answered to have moved: its own event may come later.
    /// One that ended, turned or got other levels meanwhile is as its events told it.
    pub fn on_moved(&mut self, position_id: PositionId, side: Side, before: Levels, after: Levels) {
        let held = self.positions.get_mut(&position_id);
        if let Some(held) = held.filter(|held| held.side == side && held.levels == before) {
            held.levels = after;
        }
    }

    /// Takes an entry that is on its way from now on, of the strategy of that tag; none: what its symbol
    /// has is of one strategy.
    pub fn send(&mut self, request_id: RequestId, entry: Open, tag: Option<&str>) {
        self.follow_entry(request_id, entry, tag, false);
    }

    /// Takes an entry that is on its way already; its position may be reported.
    pub fn follow_entry(
        &mut self,
        request_id: RequestId,
        entry: Open,
        tag: Option<&str>,
        reported: bool,
    ) {
        let order = InFlight {
            entry,
            tag: tag.map(str::to_owned),
            filled: false,
            reported,
        };
        self.in_flight.insert(request_id, order);
    }

    /// An entry has ended. One that is done counts until its position is reported.
    pub fn end(&mut self, request_id: &RequestId, done: bool) {
        if let Some(order) = self.in_flight.get_mut(request_id) {
            order.filled = done;
            if !done || order.reported {
                self.in_flight.remove(request_id);
            }
        }
    }

    /// True for an entry that is filled and whose position is not reported yet.
    #[must_use]
    pub fn awaits_position(&self, request_id: &RequestId) -> bool {
        let order = self.in_flight.get(request_id);
        order.is_some_and(|order| order.filled)
    }

    /// What was reported so far is not the position of that entry.
    pub fn await_position(&mut self, request_id: &RequestId) {
        if let Some(order) = self.in_flight.get_mut(request_id) {
            order.reported = false;
        }
    }

    /// A filled entry whose position was not reported counts no more.
    pub fn forget_unreported(&mut self, request_id: &RequestId) {
        self.in_flight.remove(request_id);
    }

    /// True while an entry of that side is on its way: a new position of the symbol is its own.
    #[must_use]
    pub fn expects(&self, symbol: &Symbol, side: Side) -> bool {
        let mut sent = self.in_flight.values().map(|order| &order.entry);
        let mut waiting = self.orders.values();
        sent.any(|entry| entry.symbol == *symbol && entry.side == side)
            || waiting.any(|order| order.symbol == *symbol && order.side == side)
    }

    /// A snapshot has this position. One that is new or changed may be that of an entry of its side, and
    /// no event tells it again.
    fn on_found(&mut self, held: &Held) {
        if self.positions.get(&held.position_id) == Some(held) {
            return;
        }
        for order in self.in_flight.values_mut() {
            order.reported |= order.may_open(held, self.nets);
        }
    }

    /// A position changed or ended. Where positions net, an entry may have reduced, closed or turned the
    /// one of its symbol: of whatever side that is, it was told.
    fn on_reported(&mut self, held: &Held) {
        let nets = self.nets;
        self.in_flight.retain(|_, order| {
            let is_netted = nets && order.entry.symbol == held.symbol;
            let is_told = is_netted || order.may_open(held, nets);
            order.reported |= is_told;
            !(is_told && order.filled)
        });
    }

    fn remove(&mut self, position_id: PositionId) -> Option<Held> {
        self.unmeasured.remove(&position_id);
        self.positions.remove(&position_id)
    }

    /// All that is open or may become so, but for a position that is about to close.
    #[must_use]
    pub fn open_but(&self, closing: Option<PositionId>) -> Vec<Open> {
        let staying = self.positions.values();
        let staying = staying.filter(|held| Some(held.position_id) != closing);
        let held = staying.map(|held| Open {
            symbol: held.symbol.clone(),
            side: held.side,
            lots: held.lots,
            price: held.open_price,
            stop: held.levels.stop_loss,
            in_flight: false,
            unmeasured: self.unmeasured.contains_key(&held.position_id),
        });
        let sent = self.in_flight.values().map(|order| order.entry.clone());
        // Those of an earlier process; what this one sent counts already.
        let orders = self.orders.values();
        let others = orders.filter(|order| !self.in_flight.contains_key(&order.request_id));
        let waiting = others.map(|order| Open {
            symbol: order.symbol.clone(),
            side: order.side,
            lots: order.lots,
            price: order.price,
            stop: order.levels.stop_loss,
            in_flight: true,
            unmeasured: false,
        });
        held.chain(sent).chain(waiting).collect()
    }

    /// The positions' names.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<PositionId> {
        self.positions.keys().copied().collect()
    }

    /// Takes so many lots from a position; its own event reports what is left.
    fn reduce(&mut self, position_id: PositionId, lots: Lots) {
        let held = self.positions.get(&position_id);
        if held.is_some_and(|held| held.lots <= lots) {
            self.remove(position_id);
        }
    }

    /// Exports what is held as metrics: lots per symbol, negative when short.
    pub fn measure(&self, symbols: impl Iterator<Item = Symbol>) {
        for symbol in symbols {
            let signed = |held: &Held| held.lots.to_f64() * held.side.sign() as f64;
            let lots: f64 = self.of(&symbol).map(signed).sum();
            metrics::gauge!("mymt5_engine_position_lots", "symbol" => symbol.to_string()).set(lots);
        }
    }

    /// All positions, oldest first.
    pub fn positions(&self) -> impl Iterator<Item = &Held> {
        self.positions.values()
    }

    /// A position.
    #[must_use]
    pub fn position(&self, position_id: PositionId) -> Option<&Held> {
        self.positions.get(&position_id)
    }

    /// What waits for its price.
    pub fn orders(&self) -> impl Iterator<Item = &WorkingOrder> {
        self.orders.values()
    }

    /// The order that an intent made, while it waits for its price.
    #[must_use]
    pub fn order(&self, request_id: &RequestId) -> Option<&WorkingOrder> {
        self.orders.get(request_id)
    }

    /// True where an order against a position changes that position, and opens none beside it.
    #[must_use]
    pub const fn nets(&self) -> bool {
        self.nets
    }

    /// Positions of a symbol, oldest first.
    pub fn of<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = &'a Held> {
        self.positions
            .values()
            .filter(move |held| held.symbol == *symbol)
    }

    /// True where all is known, and there is nothing; before the first snapshot nothing is.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.is_whole
            && self.positions.is_empty()
            && self.orders.is_empty()
            && self.in_flight.is_empty()
    }

    /// True while the gateway lets this client open positions, and all that is held is known.
    #[must_use]
    pub const fn may_open(&self) -> bool {
        self.states.are_active() && self.is_whole
    }

    /// True while all that is held is known.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_definite_word_is_a_refusal() {
        use OrderState::{Canceled, Expired, Filled, Rejected};
        let closed = Some(Retcode::MARKET_CLOSED);
        let text = Retcode::MARKET_CLOSED.text();
        for (state, reason, retcode, refused) in [
            (Rejected, text, closed, true),
            (Rejected, "NOT_SENT", None, true),
            (Expired, "EXPIRED_BEFORE_SEND", None, true),
            (Rejected, "NOT_FOUND_AT_BROKER", None, false),
            (Rejected, "NOT_FOUND_AT_BROKER", closed, false),
            (Rejected, "RESOLVED_NOT_DONE", None, false),
            (Rejected, Retcode::DONE.text(), Some(Retcode::DONE), false),
            (Rejected, "", None, false),
            (Expired, "", None, false),
            (Canceled, text, closed, false),
            (Filled, text, closed, false),
        ] {
            assert_eq!(
                is_refused(state, reason, retcode),
                refused,
                "{state:?} {reason}"
            );
        }
    }
}
