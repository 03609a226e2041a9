//! A terminal on the stage: a session of the gateway's link with a bridge, and a market behind that
//! bridge which is moved by hand.

use super::{setup::Setup, stage::Stage};
use crate::support::{bounded, terminal};
use async_trait::async_trait;
use mymt5_gateway::broker::{
    Broker, BrokerEvent, Events,
    terminal::{Terminal, TerminalSettings},
};
use mymt5_model::Tick;
use std::time::Duration;

/// What the bridge's package asks for quotes.
pub trait Market: Send {
    /// Moves the market to a tick.
    fn quote(&self, tick: &Tick);
}

pub struct BridgedStage<M> {
    broker: Terminal,
    events: Events,
    /// Dropped last: the next play may take it over then.
    market: M,
    last: Tick,
}

impl<M: Market> BridgedStage<M> {
    /// Opens a session through that bridge, whose market is set up and was quoted once.
    pub async fn open(market: M, bridge: TerminalSettings, setup: &Setup, first: &Tick) -> Self {
        let names = setup.specs.iter().map(|spec| &spec.symbol);
        let broker = terminal(TerminalSettings {
            symbols: names
                .map(|name| (name.clone(), name.as_str().to_owned()))
                .collect(),
            poll_interval: Duration::from_millis(5),
            ..bridge
        });
        let events = bounded(broker.open()).await.unwrap();
        let mut stage = Self {
            broker,
            events,
            market,
            last: first.clone(),
        };
        stage.arrived().await;
        stage
    }

    /// Waits until the last tick was handed on.
    async fn arrived(&mut self) {
        loop {
            let ticks = bounded(self.events.ticks.recv()).await.unwrap();
            let last = |tick: &Tick| (tick.time, tick.bid, tick.ask);
            if ticks.iter().any(|tick| last(tick) == last(&self.last)) {
                return;
            }
        }
    }
}

#[async_trait]
impl<M: Market> Stage for BridgedStage<M> {
    fn broker(&self) -> &dyn Broker {
        &self.broker
    }

    async fn move_to(&mut self, tick: &Tick) {
        self.market.quote(tick);
        self.last = tick.clone();
        self.arrived().await;
    }

    fn told(&mut self) -> Vec<BrokerEvent> {
        std::iter::from_fn(|| self.events.changes.try_recv().ok()).collect()
    }
}
