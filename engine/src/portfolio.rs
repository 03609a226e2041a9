//! What this engine holds, as the gateway reported it: from the snapshot on, by events only.

use mymt5_guard::TradingState;
use mymt5_model::{Lots, Money, OrderState, PositionId, RequestId, Side, Symbol};
use std::collections::BTreeMap;

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

/// What the gateway reports of this engine's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order changed.
    Order(OrderUpdate),
    /// A position was opened or changed.
    PositionChanged(Held),
    /// A position is gone.
    PositionClosed(PositionId),
    /// Equity in the account's currency; none: it is not known.
    Equity(Option<Money>),
    /// Whether new risk may be taken.
    TradingState(TradingState),
}

/// All that events report, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What is held.
    pub positions: Vec<Held>,
    /// Equity in the account's currency; none: it is not known.
    pub equity: Option<Money>,
    /// Whether new risk may be taken.
    pub trading_state: TradingState,
}

/// Positions, equity and whether new risk may be taken.
#[derive(Debug, Default)]
pub struct Portfolio {
    positions: BTreeMap<PositionId, Held>,
    equity: Option<Money>,
    active: bool,
}

impl Portfolio {
    /// Replaces everything by a snapshot.
    pub fn read(&mut self, snapshot: Snapshot) {
        let positions = snapshot.positions.into_iter();
        self.positions = positions.map(|held| (held.position_id, held)).collect();
        self.equity = snapshot.equity;
        self.active = snapshot.trading_state == TradingState::Active;
    }

    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::PositionChanged(held) => {
                self.positions.insert(held.position_id, held.clone());
            }
            Event::PositionClosed(position_id) => {
                self.positions.remove(position_id);
            }
            Event::Order(order) => {
                // A close that is done may be reported before its position.
                let closed = order.closes.filter(|_| order.state == OrderState::Filled);
                if let Some(position_id) = closed {
                    self.reduce(position_id, order.filled);
                }
            }
            Event::Equity(equity) => self.equity = *equity,
            Event::TradingState(state) => self.active = *state == TradingState::Active,
        }
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

    /// Equity in the account's currency; none before the first snapshot.
    #[must_use]
    pub const fn equity(&self) -> Option<Money> {
        self.equity
    }

    /// True while the gateway lets this client open positions.
    #[must_use]
    pub const fn may_open(&self) -> bool {
        self.active
    }
}
