//! What this engine holds, as the gateway reported it: from the snapshot on, by events only.

use mymt5_model::{Side, Symbol};
use mymt5_proto::{parse_enum, v1};
use std::collections::BTreeMap;
use v1::stream_events_response::Event;

/// A position of this engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The gateway's name of it.
    pub position_id: u64,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Long or short.
    pub side: Side,
    /// Volume in lots.
    pub lots: f64,
}

/// Positions, equity and whether new risk may be taken.
#[derive(Debug, Default)]
pub struct Portfolio {
    positions: BTreeMap<u64, Held>,
    equity: Option<f64>,
    active: bool,
}

impl Portfolio {
    /// Replaces everything by a snapshot.
    pub fn read(&mut self, snapshot: &v1::GetSnapshotResponse) {
        self.positions = snapshot
            .positions
            .iter()
            .filter_map(held)
            .map(|held| (held.position_id, held))
            .collect();
        self.equity = snapshot.account.as_ref().map(|account| account.equity);
        self.active = snapshot.trading_state() == v1::TradingState::Active;
    }

    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::PositionChanged(v1::PositionChanged {
                position: Some(position),
            }) => {
                if let Some(held) = held(position) {
                    self.positions.insert(held.position_id, held);
                }
            }
            Event::PositionClosed(v1::PositionClosed {
                position: Some(position),
            }) => {
                self.positions.remove(&position.position_id);
            }
            // A close that is done may be reported before its position.
            Event::OrderChanged(v1::OrderChanged { order: Some(order) })
                if order.action() == v1::OrderAction::Close
                    && order.state() == v1::OrderState::Filled =>
            {
                self.reduce(order.position_id, order.filled_lots);
            }
            Event::AccountUpdate(v1::AccountUpdate {
                account: Some(account),
            }) => self.equity = Some(account.equity),
            Event::TradingStateChanged(changed) => {
                self.active = changed.state() == v1::TradingState::Active
            }
            _ => {}
        }
    }

    /// Takes so many lots from a position; its own event reports what is left.
    fn reduce(&mut self, position_id: u64, lots: f64) {
        let left = self
            .positions
            .get(&position_id)
            .map(|held| held.lots - lots);
        // Lots are multiples of 1e-8.
        if left.is_some_and(|left| left < 0.5e-8) {
            self.positions.remove(&position_id);
        }
    }

    /// Exports what is held as metrics: lots per symbol, negative when short.
    pub fn measure(&self, symbols: impl Iterator<Item = Symbol>) {
        for symbol in symbols {
            let signed = |held: &Held| held.lots * held.side.sign() as f64;
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
    pub const fn equity(&self) -> Option<f64> {
        self.equity
    }

    /// True while the gateway lets this client open positions.
    #[must_use]
    pub const fn may_open(&self) -> bool {
        self.active
    }
}

fn held(position: &v1::Position) -> Option<Held> {
    let side = parse_enum::<v1::Side, Side>(position.side, "").ok()?;
    let symbol = Symbol::parse(&position.symbol).ok()?;
    Some(Held {
        position_id: position.position_id,
        symbol,
        side,
        lots: position.lots,
    })
}
