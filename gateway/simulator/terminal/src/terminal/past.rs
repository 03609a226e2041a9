//! What was before the start: the synthetic past, the deposit, and as many deals as are wanted.

use super::Terminal;
use mymt5_model::{
    AccountMode, BrokerTime, Comment, DealKind, Levels, Magic, Side, SymbolSpec, Tick, Ticket,
    TradeRequest, UtcTime,
};
use std::collections::BTreeMap;

/// Between two trades of the past.
const STEP_MS: i64 = 60_000;

impl Terminal {
    /// Quotes what is due; a new account gets its deposit and its deals before that.
    pub(super) fn begin(&mut self, is_new: bool, deals: u64) {
        let broker = self.broker_now();
        let mut newest = BTreeMap::new();
        while let Some(tick) = self.feed.due(self.now, broker) {
            self.quotes.add(&tick);
            newest.insert(tick.symbol.clone(), tick);
        }
        let mut ticks: Vec<Tick> = newest.into_values().collect();
        ticks.sort_by_key(|tick| tick.time);
        if is_new {
            let trades = i64::try_from(deals / 2).unwrap_or(0);
            let first = ticks.first().map_or(broker, |tick| tick.time);
            self.move_to(&ticks, BrokerTime(first.0 - (trades + 1) * STEP_MS));
            let deposit = self.settings.account.balance;
            self.simulator.book(DealKind::Balance, deposit, "Deposit");
            self.trade(&ticks, trades, first);
        }
        for tick in &ticks {
            self.changed |= !self.simulator.on_tick(tick).is_empty();
        }
        let (orders, deals) = self.simulator.history_since(self.listed);
        self.listed = self.simulator.past();
        // What was before the start is no news, however late news come.
        self.ledger.add(orders, deals, UtcTime(0));
    }

    fn move_to(&mut self, ticks: &[Tick], time: BrokerTime) {
        for tick in ticks {
            let tick = Tick {
                time,
                ..tick.clone()
            };
            self.simulator.on_tick(&tick);
        }
    }

    /// Buys and sells again, each time a step later, until just before `end`.
    fn trade(&mut self, ticks: &[Tick], trades: i64, end: BrokerTime) {
        let spec = self.settings.symbols.first().cloned();
        let found = |spec: &SymbolSpec| ticks.iter().find(|t| t.symbol == spec.symbol);
        let Some((spec, tick)) = spec.as_ref().and_then(|s| Some((s, found(s)?))) else {
            return;
        };
        for number in 0..trades {
            let tick = Tick {
                time: BrokerTime(end.0 - (trades - number) * STEP_MS),
                bid: tick.bid.moved(number % 7 * spec.tick_size_points),
                ask: tick.ask.moved(number % 7 * spec.tick_size_points),
                ..tick.clone()
            };
            self.simulator.on_tick(&tick);
            let (bought, _) = self.simulator.send(&market(spec, Side::Buy));
            let close = match (self.account.mode, bought.order) {
                (AccountMode::Hedging, Some(position)) => closing(spec, position),
                _ => market(spec, Side::Sell),
            };
            self.simulator.send(&close);
        }
    }
}

fn market(spec: &SymbolSpec, side: Side) -> TradeRequest {
    TradeRequest::Market {
        symbol: spec.symbol.clone(),
        side,
        lots: spec.volume.min,
        levels: Levels::default(),
        max_deviation_points: None,
        magic: Magic::NONE,
        comment: Comment::default(),
    }
}

fn closing(spec: &SymbolSpec, position: Ticket) -> TradeRequest {
    TradeRequest::Close {
        symbol: spec.symbol.clone(),
        side: Side::Sell,
        position,
        lots: spec.volume.min,
        all: true,
        max_deviation_points: None,
        magic: Magic::NONE,
        comment: Comment::default(),
    }
}
