//! The judge: what the stand-in executed, beside what clients asked for and what was told of it.

use crate::real::Bridge;
use mymt5_proto::v1::{self, OrderState, Side, stream_events_response::Event};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Lots in units: above 0 where long, below 0 where short.
type Units = i64;

/// What is wrong, by position or by order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A deal closed more than the position had: the other side was opened, or grew.
    Reversed(u64),
    /// It is open at the end.
    LeftOpen(u64),
    /// It was not opened and closed as a client asked for, or nobody did.
    NotAsked(u64),
    /// A client was told of a position that the broker never had.
    NotThere(u64),
    /// An event tells lots, a side, an owner or a symbol that the position never had.
    NeverWas(u64),
    /// An event tells it after its end, or its end was not told once.
    AfterItsEnd(u64),
    /// An order was told UNKNOWN, or with more lots than it asked for.
    Order(u64),
    /// A symbol was frozen: why.
    Frozen(String),
}

/// What a client was told of a position that it opened and closed.
#[derive(Clone, Debug)]
pub struct Trade {
    pub client: String,
    pub symbol: String,
    pub position: u64,
    pub side: Side,
    pub lots: f64,
    /// What was closed before all that was left.
    pub part: f64,
}

/// The type of a balance row.
const BALANCE: u32 = 2;

/// A row of the stand-in's own.
#[derive(Deserialize)]
struct Deal {
    #[serde(rename = "type")]
    kind: u32,
    position_id: u64,
    volume: f64,
    symbol: String,
}

/// All that the stand-in executed: each position's deals, in their order.
pub struct Ledger(BTreeMap<u64, Vec<Deal>>);

impl Trade {
    /// What its position must be after each of its deals.
    fn lives(&self) -> Vec<Units> {
        let (all, part) = (units(self.side, self.lots), units(self.side, self.part));
        let parted = (part != 0).then_some(all - part);
        [Some(all), parted, Some(0)].into_iter().flatten().collect()
    }
}

fn units(side: Side, lots: f64) -> Units {
    let lots = (lots * 1e8).round() as Units;
    if side == Side::Buy { lots } else { -lots }
}

impl Deal {
    fn units(&self) -> Units {
        let side = if self.kind == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        units(side, self.volume)
    }
}

impl Ledger {
    pub fn read(bridge: &Bridge) -> Self {
        let mut positions = BTreeMap::<_, Vec<_>>::new();
        for line in bridge.broker(&["show", "deals"]).lines() {
            let deal: Deal = serde_json::from_str(line).unwrap();
            if deal.kind != BALANCE {
                positions.entry(deal.position_id).or_default().push(deal);
            }
        }
        Self(positions)
    }

    /// What a position was after each of its deals.
    fn lives(deals: &[Deal]) -> Vec<Units> {
        let mut held = 0;
        let lives = deals.iter().map(|deal| {
            held += deal.units();
            held
        });
        lives.collect()
    }

    /// No close is of more than the position has, and every position closed.
    pub fn closes(&self) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        for (id, deals) in &self.0 {
            let lives = Self::lives(deals);
            let turned = |pair: &[Units]| pair[0] == 0 || pair[0].signum() == -pair[1].signum();
            let reversed = lives.windows(2).any(turned);
            wrongs.extend(reversed.then_some(Wrong::Reversed(*id)));
            let open = lives.last() != Some(&0);
            wrongs.extend(open.then_some(Wrong::LeftOpen(*id)));
        }
        wrongs
    }

    /// Each position is one that a client asked for, with its lots, and the other way round.
    pub fn asked(&self, trades: &[Trade]) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        let mut left: BTreeSet<_> = self.0.keys().collect();
        for trade in trades {
            if !left.remove(&trade.position) {
                wrongs.push(Wrong::NotThere(trade.position));
                continue;
            }
            let deals = &self.0[&trade.position];
            let fits = Self::lives(deals) == trade.lives() && deals[0].symbol == trade.symbol;
            wrongs.extend((!fits).then_some(Wrong::NotAsked(trade.position)));
        }
        wrongs.extend(left.into_iter().map(|id| Wrong::NotAsked(*id)));
        wrongs
    }

    /// No event tells what never was, and each position's end is told once.
    pub fn told(&self, trades: &[Trade], events: &[Event]) -> Vec<Wrong> {
        let owners = trades.iter().map(|trade| (trade.position, trade));
        let owners: BTreeMap<_, _> = owners.collect();
        let (mut wrongs, mut ended) = (Vec::new(), BTreeSet::new());
        let was = |position: &v1::Position| {
            let deals = self.0.get(&position.position_id);
            let lives = deals.map(|deals| Self::lives(deals)).unwrap_or_default();
            let held = units(position.side(), position.lots);
            let owner = owners.get(&position.position_id).is_some_and(|trade| {
                (&trade.client, &trade.symbol) == (&position.client, &position.symbol)
            });
            owner && held != 0 && lives.contains(&held)
        };
        for event in events {
            let position = match event {
                Event::PositionChanged(changed) => changed.position.as_ref(),
                Event::PositionClosed(closed) => closed.position.as_ref(),
                _ => None,
            };
            wrongs.extend(order(event));
            let Some(position) = position else { continue };
            let id = position.position_id;
            wrongs.extend((!was(position)).then_some(Wrong::NeverWas(id)));
            let again = match event {
                Event::PositionClosed(_) => !ended.insert(id),
                _ => ended.contains(&id),
            };
            wrongs.extend(again.then_some(Wrong::AfterItsEnd(id)));
        }
        let never = self.0.keys().filter(|id| !ended.contains(id));
        wrongs.extend(never.map(|id| Wrong::AfterItsEnd(*id)));
        wrongs
    }
}

/// What is wrong with an event that tells no position.
fn order(event: &Event) -> Option<Wrong> {
    match event {
        Event::OrderChanged(changed) => {
            let order = changed.order.as_ref()?;
            let unknown = order.state() == OrderState::Unknown;
            let wrong = unknown || order.filled_lots > order.lots + 1e-9;
            wrong.then_some(Wrong::Order(order.order_id))
        }
        Event::ForeignActivity(foreign) => foreign
            .frozen
            .then(|| Wrong::Frozen(foreign.description.clone())),
        _ => None,
    }
}
