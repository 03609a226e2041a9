//! The embedded broker on the stage: each tick is a replay of one.

use super::{setup::Setup, stage::Stage};
use crate::support::bounded;
use async_trait::async_trait;
use mymt5_gateway::broker::{
    Broker, BrokerEvent, Events, Feed, Pace, Simulated, SimulatedSettings, Speed,
};
use mymt5_model::{BrokerTime, Tick};
use std::{fs, time::Instant};
use tempfile::TempDir;

pub struct SimulatedStage {
    broker: Simulated,
    folder: TempDir,
    /// Dropped, the link would be down.
    events: Option<Events>,
    told: Vec<BrokerEvent>,
}

impl SimulatedStage {
    pub fn new(setup: &Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Simulated::new(SimulatedSettings {
            account: setup.account.clone(),
            symbols: setup.specs.clone(),
            feed: Feed::Ticks(folder.path().join("ticks.csv")),
            speed: Speed::Max,
            start: (BrokerTime(0), Instant::now()),
            rests: false,
            keep_in: None,
        });
        Self {
            broker: broker.unwrap(),
            folder,
            events: None,
            told: Vec::new(),
        }
    }
}

#[async_trait]
impl Stage for SimulatedStage {
    fn broker(&self) -> &dyn Broker {
        &self.broker
    }

    async fn move_to(&mut self, tick: &Tick) {
        self.told
            .extend(self.events.take().into_iter().flat_map(rest));
        let file = self.folder.path().join("ticks.csv");
        fs::write(file, as_export(tick)).unwrap();
        let mut events = self.broker.open().await.unwrap();
        let Pace::OnDemand(ask) = &events.pace else {
            panic!("a replay at full speed waits to be asked")
        };
        bounded(ask.send(usize::MAX)).await.unwrap();
        loop {
            match bounded(events.changes.recv()).await.unwrap() {
                BrokerEvent::FeedEnded(_) => break,
                BrokerEvent::Barrier(_) => {}
                change => self.told.push(change),
            }
        }
        let moved = bounded(events.ticks.recv()).await.unwrap();
        assert_eq!((moved[0].bid, moved[0].ask), (tick.bid, tick.ask));
        self.events = Some(events);
    }

    fn told(&mut self) -> Vec<BrokerEvent> {
        let changes = self.events.as_mut().map(|events| &mut events.changes);
        let new = changes
            .into_iter()
            .flat_map(|changes| std::iter::from_fn(|| changes.try_recv().ok()));
        self.told.extend(new);
        std::mem::take(&mut self.told)
    }
}

fn rest(mut events: Events) -> impl Iterator<Item = BrokerEvent> {
    std::iter::from_fn(move || events.changes.try_recv().ok())
}

/// A tick as the terminal exports it.
pub fn as_export(tick: &Tick) -> String {
    let at = jiff::Timestamp::from_millisecond(tick.time.0).unwrap();
    let at = at.strftime("%Y.%m.%d\t%H:%M:%S%.3f");
    format!(
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n{at}\t{}\t{}\t\t\t6\r\n",
        tick.bid, tick.ask
    )
}
