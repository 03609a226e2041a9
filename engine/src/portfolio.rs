//! What this engine holds, as the gateway reported it: from the snapshot on, by events only.

use crate::risk::{Account, Open};
use mymt5_guard::TradingState;
use mymt5_model::{AccountMode, Lots, Money, OrderState, PositionId, RequestId, Side, Symbol};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A position of this engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The broker's name of it.
    pub position_id: PositionId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Long or short.
    pub side: Side,
    /// Its volume.
    pub lots: Lots,
    /// Average opening price.
    pub open_price: f64,
    /// Stop loss; none: it has none.
    pub stop_loss: Option<f64>,
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
}

impl OrderUpdate {
    /// True when some of it was filled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == OrderState::Filled || !self.filled.is_zero()
    }
}

/// What the gateway reports of this engine's account.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An order changed.
    Order(OrderUpdate),
    /// A position was opened or changed.
    PositionChanged(Held),
    /// A position is gone, and what it made without commission, in the account's currency; none: that
    /// is not known.
    PositionClosed(PositionId, Option<Money>),
    /// The account's figures; none: they are not known.
    Account(Option<Account>),
    /// Money that came in, or went out below 0, and is neither gained nor lost.
    Flow(Money),
    /// Whether new risk may be taken.
    TradingState(TradingState),
}

/// All that events report, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How positions of one symbol live together.
    pub mode: AccountMode,
    /// What is held.
    pub positions: Vec<Held>,
    /// The account's figures; none: they are not known.
    pub account: Option<Account>,
    /// Whether new risk may be taken.
    pub trading_state: TradingState,
}

/// An entry on its way, until its position is reported.
#[derive(Debug)]
struct InFlight {
    entry: Open,
    /// It is filled.
    filled: bool,
    /// A position of its symbol was reported since it was made.
    reported: bool,
}

/// Positions, entries in flight, and whether new risk may be taken.
#[derive(Debug, Default)]
pub struct Portfolio {
    positions: BTreeMap<PositionId, Held>,
    in_flight: HashMap<RequestId, InFlight>,
    active: bool,
    nets: bool,
}

impl Portfolio {
    /// Replaces everything by a snapshot; what is still on its way stays.
    pub fn read(&mut self, snapshot: &Snapshot) {
        let positions = snapshot.positions.iter().cloned();
        self.positions = positions.map(|held| (held.position_id, held)).collect();
        self.in_flight.retain(|_, order| !order.filled);
        self.nets = snapshot.mode == AccountMode::Netting;
        self.active = snapshot.trading_state == TradingState::Active;
    }

    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::PositionChanged(held) => {
                self.on_reported(&held.symbol);
                self.positions.insert(held.position_id, held.clone());
            }
            Event::PositionClosed(position_id, _) => {
                if let Some(held) = self.positions.remove(position_id) {
                    self.on_reported(&held.symbol);
                }
            }
            Event::Order(order) => {
                // A close that is done may be reported before its position.
                let closed = order.closes.filter(|_| order.state == OrderState::Filled);
                if let Some(position_id) = closed {
                    self.reduce(position_id, order.filled);
                }
                if let Some(request_id) = &order.request_id
                    && order.state.is_final()
                {
                    self.end(request_id, order.is_done());
                }
            }
            Event::Account(_) | Event::Flow(_) => {}
            Event::TradingState(state) => self.active = *state == TradingState::Active,
        }
    }

    /// Takes an entry that is on its way from now on.
    pub fn send(&mut self, request_id: RequestId, entry: Open) {
        let order = InFlight {
            entry,
            filled: false,
            reported: false,
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

    fn on_reported(&mut self, symbol: &Symbol) {
        self.in_flight.retain(|_, order| {
            let same = order.entry.symbol == *symbol;
            order.reported |= same;
            !(same && order.filled)
        });
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
            stop: held.stop_loss,
            in_flight: false,
        });
        let in_flight = self.in_flight.values().map(|order| order.entry.clone());
        held.chain(in_flight).collect()
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
            self.positions.remove(&position_id);
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

    /// Positions of a symbol, oldest first.
    pub fn of<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = &'a Held> {
        self.positions
            .values()
            .filter(move |held| held.symbol == *symbol)
    }

    /// True where an order against a position changes that position, and opens none beside it.
    #[must_use]
    pub const fn nets(&self) -> bool {
        self.nets
    }

    /// True while the gateway lets this client open positions.
    #[must_use]
    pub const fn may_open(&self) -> bool {
        self.active
    }
}
