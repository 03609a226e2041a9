//! The one loop: event -> strategy -> risk -> intent. Synchronous, and the same wherever events
//! come from and intents go to.

mod intent;
mod runner;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::{
    portfolio::{Event, Held, OrderUpdate, Snapshot},
    risk::Account,
};
pub use intent::{Close, Intent, Outcome, Settled, Submit};

use crate::{
    portfolio::Portfolio,
    risk::{Risk, RiskRefused},
    strategy::StrategySettings,
};
use mymt5_model::{OrderState, RequestId, Symbol, SymbolSpec};
use runner::{Gate, StrategyRunner};
use std::collections::HashMap;

/// Makes request ids, none of them twice.
pub type NewId = Box<dyn FnMut() -> RequestId + Send>;

/// What a step led to.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// Intents that ended.
    pub settled: Option<Settled>,
    /// An intent to record and send.
    pub intent: Option<Intent>,
}

/// The trader.
pub struct Trader {
    runners: HashMap<Symbol, StrategyRunner>,
    specs: HashMap<Symbol, SymbolSpec>,
    portfolio: Portfolio,
    risk: Risk,
    new_id: NewId,
}

impl Trader {
    /// A trader without any knowledge of the market yet.
    #[must_use]
    pub fn new(strategies: Vec<StrategySettings>, risk: Risk, new_id: NewId) -> Self {
        let runners = strategies
            .into_iter()
            .map(|settings| (settings.symbol.clone(), StrategyRunner::new(settings)))
            .collect();
        Self {
            runners,
            specs: HashMap::new(),
            portfolio: Portfolio::default(),
            risk,
            new_id,
        }
    }

    /// What it trades.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        self.runners.keys().cloned().collect()
    }

    /// Takes the specifications; those of other symbols do not matter.
    pub fn specify(&mut self, specs: Vec<SymbolSpec>) {
        let ours = specs
            .into_iter()
            .filter(|spec| self.runners.contains_key(&spec.symbol));
        self.specs = ours.map(|spec| (spec.symbol.clone(), spec)).collect();
    }

    /// The specification of a symbol it trades.
    #[must_use]
    pub fn spec(&self, symbol: &str) -> Option<&SymbolSpec> {
        self.specs.get(&Symbol::parse(symbol).ok()?)
    }

    /// True while a symbol's value in the account's currency is not known.
    #[must_use]
    pub fn lacks_rates(&self) -> bool {
        self.specs.values().any(|spec| spec.tick_value.is_none())
    }

    /// True when no order is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.runners.values().all(StrategyRunner::is_idle)
    }

    /// Starts again from a snapshot.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) {
        self.portfolio.read(&snapshot);
        self.risk.on_account(snapshot.account);
        self.risk.on_positions(&self.portfolio.ids());
        self.portfolio.measure(self.runners.keys().cloned());
    }

    /// A live tick.
    pub fn on_tick(&mut self, tick: &mymt5_model::Tick) -> Step {
        let Some(runner) = self.runners.get_mut(&tick.symbol) else {
            return Step::default();
        };
        self.risk.at(tick.time);
        let signals = runner.on_tick(tick);
        if let Some(why) = self.risk.must_close() {
            self.close_out(tick, why)
        } else if signals {
            self.act(&tick.symbol)
        } else {
            Step::default()
        }
    }

    /// An event of the gateway. These alone report an order's end.
    pub fn on_event(&mut self, event: &Event) -> Step {
        self.portfolio.apply(event);
        match event {
            Event::Account(account) => self.risk.on_account(*account),
            Event::Flow(amount) => self.risk.on_flow(*amount),
            Event::PositionChanged(held) => self.risk.on_opened(held.position_id),
            Event::PositionClosed(position, result) => self.risk.on_closed(*position, *result),
            Event::Order(_) | Event::TradingState(_) => {}
        }
        if matches!(event, Event::PositionChanged(_) | Event::PositionClosed(..)) {
            self.portfolio.measure(self.runners.keys().cloned());
        }
        match event {
            Event::Order(order) => self.on_order(order),
            _ => Step::default(),
        }
    }

    /// An intent of before the snapshot that has ended. The runner waits for the next signal: what
    /// it wanted then is no reason to trade now.
    pub fn on_recalled(&mut self, request_id: &RequestId) {
        if let Some(runner) = self
            .runners
            .values_mut()
            .find(|runner| runner.waits_for(request_id))
        {
            runner.end(false);
        }
        self.portfolio.end(request_id, false);
    }

    fn on_order(&mut self, order: &OrderUpdate) -> Step {
        match &order.request_id {
            Some(request_id) if order.state.is_final() => {
                self.end(request_id, Outcome::Ended(order.state), order.is_done())
            }
            _ => Step::default(),
        }
    }

    /// An intent that the gateway definitely did not take.
    pub fn on_refused(&mut self, request_id: &RequestId, reason: String) -> Step {
        self.portfolio.end(request_id, false);
        self.end(request_id, Outcome::Refused(reason), false)
    }

    fn end(&mut self, request_id: &RequestId, outcome: Outcome, traded: bool) -> Step {
        let done = outcome == Outcome::Ended(OrderState::Filled);
        let waiting = self
            .runners
            .iter_mut()
            .find(|(_, runner)| runner.waits_for(request_id));
        let symbol = waiting.map(|(symbol, runner)| {
            let opened = runner.end(done);
            if traded {
                self.risk.on_done();
            } else {
                self.risk.on_failed(opened);
            }
            symbol.clone()
        });
        let settled = Settled {
            request_id: request_id.clone(),
            outcome,
        };
        let next = symbol.map(|symbol| self.act(&symbol)).unwrap_or_default();
        Step {
            settled: Some(settled),
            ..next
        }
    }

    fn act(&mut self, symbol: &Symbol) -> Step {
        let (Some(runner), Some(spec)) = (self.runners.get_mut(symbol), self.specs.get(symbol))
        else {
            return Step::default();
        };
        let mut gate = Gate {
            risk: &mut self.risk,
            portfolio: &mut self.portfolio,
            specs: &self.specs,
        };
        Step {
            settled: None,
            intent: runner.act(spec, &mut gate, &mut self.new_id),
        }
    }

    /// Closes what is held of a tick's symbol, where nothing may stay open.
    fn close_out(&mut self, tick: &mymt5_model::Tick, why: RiskRefused) -> Step {
        let runner = self.runners.get_mut(&tick.symbol);
        let intent = runner
            .and_then(|runner| runner.close_out(tick.time, &self.portfolio, &mut self.new_id));
        if intent.is_some() {
            tracing::warn!(symbol = %tick.symbol, reason = why.name(), "closed out by risk");
        }
        Step {
            settled: None,
            intent,
        }
    }
}
