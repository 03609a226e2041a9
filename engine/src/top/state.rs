//! What is known, by what gateway and engine said. Pure: times come with the calls.

use super::{
    engine::{Count, EngineFigures},
    refusals::{Refusal, Refusals, Refuser},
};
use mymt5_model::OrderState;
use mymt5_proto::v1;
use std::collections::BTreeMap;
use v1::stream_events_response::Event;

/// Something that was said.
#[derive(Clone, Debug)]
pub enum Update {
    /// The specifications of the symbols.
    Symbols(Vec<v1::SymbolSpec>),
    /// How the gateway stands.
    Status(Box<v1::GetStatusResponse>),
    /// The account, positions and orders.
    Snapshot(Box<v1::GetSnapshotResponse>),
    /// Orders of the past.
    Past(Vec<v1::Order>),
    /// Quotes.
    Ticks(Vec<v1::Tick>),
    /// An event.
    Event(Box<v1::StreamEventsResponse>),
    /// How the engine stands; none: its port does not answer.
    Engine(Option<EngineFigures>),
    /// The gateway does not answer, and why.
    Lost(String),
}

/// How this side stands to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// Nothing came yet.
    #[default]
    Connecting,
    /// It answers.
    Up,
    /// It does not, and why. What it said last is shown.
    Lost(String),
}

/// How the engine stands to this side.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Engine {
    /// Not asked yet.
    #[default]
    Unasked,
    /// Its port does not answer.
    Silent,
    /// What its port told last.
    Runs(EngineFigures),
}

/// The newest quote of a symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// Best bid.
    pub bid: f64,
    /// Best ask.
    pub ask: f64,
    /// When it came, in milliseconds UTC. None: before the screen began, and the time is not told.
    pub at_ms: Option<i64>,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The gateway.
    pub(super) connection: Connection,
    /// How it stands.
    pub(super) status: Option<v1::GetStatusResponse>,
    /// The account's figures.
    pub(super) account: Option<v1::Account>,
    /// What this client may do.
    pub(super) trading_state: v1::TradingState,
    /// By their ids.
    pub(super) positions: BTreeMap<u64, v1::Position>,
    /// Orders that have not ended, by their ids.
    pub(super) orders: BTreeMap<u64, v1::Order>,
    /// By their symbols.
    pub(super) quotes: BTreeMap<String, Quote>,
    /// The engine.
    pub(super) engine: Engine,
    /// What was refused.
    pub(super) refusals: Refusals,
    /// How often the engine had counted each refusal.
    counted: Vec<Count>,
    /// Decimals of prices, by symbols.
    digits: BTreeMap<String, usize>,
    /// Which sequence positions and orders are of, and up to where.
    journal_id: String,
    sequence: u64,
    has_snapshot: bool,
}

impl State {
    /// Most rows of a kind that are kept.
    const MOST: usize = 1_000;

    /// Takes what was said at that time, in milliseconds UTC.
    pub fn apply(&mut self, update: Update, now_ms: i64) {
        match update {
            Update::Symbols(symbols) => {
                let digits = symbols.into_iter().take(Self::MOST);
                let digits = digits.map(|spec| (spec.symbol, spec.digits.min(12) as usize));
                self.digits = digits.collect();
            }
            Update::Status(status) => {
                self.connection = Connection::Up;
                self.status = Some(*status);
            }
            Update::Snapshot(snapshot) => self.on_snapshot(*snapshot),
            Update::Past(orders) => {
                orders.iter().for_each(|order| self.judge(order, now_ms));
            }
            Update::Ticks(ticks) => ticks.iter().for_each(|tick| self.on_tick(tick, now_ms)),
            Update::Event(event) => self.on_event(*event, now_ms),
            Update::Engine(told) => self.on_engine(told, now_ms),
            Update::Lost(why) => self.connection = Connection::Lost(why),
        }
    }

    /// True once everything was told that a frame shows, quotes of so many symbols among it.
    #[must_use]
    pub fn is_whole(&self, symbols: usize) -> bool {
        self.has_figures() && self.engine != Engine::Unasked && self.quotes.len() >= symbols
    }

    /// True once the gateway told how it, the account and the positions stand.
    #[must_use]
    pub fn has_figures(&self) -> bool {
        self.status.is_some() && self.has_snapshot
    }

    /// Decimals of a symbol's prices.
    pub(super) fn digits(&self, symbol: &str) -> usize {
        self.digits.get(symbol).copied().unwrap_or(5)
    }

    /// One that events went past is left out: the next one comes soon.
    fn on_snapshot(&mut self, snapshot: v1::GetSnapshotResponse) {
        let is_same = self.journal_id == snapshot.journal_id;
        if self.has_snapshot && is_same && snapshot.sequence < self.sequence {
            return;
        }
        self.has_snapshot = true;
        self.trading_state = snapshot.trading_state();
        self.journal_id = snapshot.journal_id;
        self.sequence = snapshot.sequence;
        self.account = snapshot.account.or(self.account.take());
        let positions = snapshot.positions.into_iter().take(Self::MOST);
        self.positions = positions.map(|row| (row.position_id, row)).collect();
        let orders = snapshot.orders.into_iter().take(Self::MOST);
        self.orders = orders.map(|row| (row.order_id, row)).collect();
    }

    fn on_tick(&mut self, tick: &v1::Tick, now_ms: i64) {
        if self.quotes.len() >= Self::MOST && !self.quotes.contains_key(&tick.symbol) {
            return;
        }
        let told_ms = tick.time.as_ref().and_then(|time| time.utc_ms);
        // What is replayed now has times of the past.
        let at_ms = match tick.kind() {
            v1::TickKind::Live => Some(now_ms),
            _ => told_ms,
        };
        let quote = Quote {
            bid: tick.bid,
            ask: tick.ask,
            at_ms,
        };
        self.quotes.insert(tick.symbol.clone(), quote);
    }

    fn on_event(&mut self, told: v1::StreamEventsResponse, now_ms: i64) {
        let Some(event) = told.event else {
            return;
        };
        match &event {
            Event::AccountUpdate(update) => {
                self.account = update.account.clone().or(self.account.take());
            }
            Event::OrderChanged(changed) => {
                changed
                    .order
                    .iter()
                    .for_each(|order| self.judge(order, now_ms));
            }
            Event::LimitLatched(latched) => self.refusals.add(Refusal {
                at_ms: told.time.and_then(|time| time.utc_ms).or(Some(now_ms)),
                by: Refuser::Gateway,
                order_id: None,
                what: "new risk".to_owned(),
                reason: format!("{} latched", latched.reason),
                times: 1,
            }),
            _ => {}
        }
        if told.sequence > self.sequence {
            self.sequence = told.sequence;
            self.follow(event);
        }
    }

    /// Takes what a snapshot does not have yet.
    fn follow(&mut self, event: Event) {
        match event {
            Event::OrderChanged(v1::OrderChanged { order: Some(order) }) => {
                let is_final = OrderState::try_from(order.state()).is_ok_and(OrderState::is_final);
                if is_final {
                    self.orders.remove(&order.order_id);
                } else if self.orders.len() < Self::MOST {
                    self.orders.insert(order.order_id, order);
                }
            }
            Event::PositionChanged(v1::PositionChanged {
                position: Some(position),
            }) if self.positions.len() < Self::MOST => {
                self.positions.insert(position.position_id, position);
            }
            Event::PositionClosed(v1::PositionClosed {
                position: Some(position),
            }) => {
                self.positions.remove(&position.position_id);
            }
            _ => {}
        }
    }

    fn judge(&mut self, order: &v1::Order, now_ms: i64) {
        if let Some(refusal) = Refusal::of_order(order, now_ms) {
            self.refusals.add(refusal);
        }
    }

    /// Counts that grew are refusals of now, those of the first answer of before.
    fn on_engine(&mut self, told: Option<EngineFigures>, now_ms: i64) {
        let Some(figures) = told else {
            self.engine = Engine::Silent;
            return;
        };
        let before = std::mem::replace(&mut self.counted, figures.refused.clone());
        let at_ms = (!before.is_empty()).then_some(now_ms);
        for (at, count) in figures.refused.iter().enumerate() {
            let known = before.get(at).map_or(0, |before| before.times);
            // A process that began again counts from 0.
            let times = count.times.checked_sub(known).unwrap_or(count.times);
            if times > 0 {
                self.refusals.add(Refusal {
                    at_ms,
                    by: count.by,
                    order_id: None,
                    what: "decision".to_owned(),
                    reason: count.reason.clone(),
                    times,
                });
            }
        }
        self.engine = Engine::Runs(figures);
    }
}
