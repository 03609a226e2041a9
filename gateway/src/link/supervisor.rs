//! The supervisor's loop.

use super::{LinkState, LinkStatus};
use crate::{
    broker::{Broker, BrokerError, Change, Events, Pace},
    journal::Identity,
    market::{Hub, Instruments},
    orders::{Core, Event, Orders, look},
};
use mymt5_chassis::{clock, health::Health};
use mymt5_model::{AccountRow, BrokerZone, SymbolSpec, Tick};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Specifications are read again after so long; sooner while a rate is missing.
const REFRESH: Duration = Duration::from_secs(60);
const REFRESH_SOON: Duration = Duration::from_millis(500);
const PING_EVERY: Duration = Duration::from_secs(5);
/// Backoff: full jitter below a ceiling that doubles; forgotten after a stable minute.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const STABLE: Duration = Duration::from_secs(60);

/// How the link stands, for whoever asks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link(watch::Sender<LinkStatus>);

/// The rooms that the link feeds.
pub struct Wiring {
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The account that it must be logged in to.
    pub identity: Identity,
    /// Its zone, where configured.
    pub zone: Option<BrokerZone>,
    /// Ticks go there.
    pub hub: Hub,
    /// Specifications go there.
    pub instruments: Instruments,
    /// Changes go there.
    pub orders: Orders,
    /// The trading service's health follows the link.
    pub health: Health,
    /// Its name there.
    pub service: &'static str,
}

impl Default for Link {
    fn default() -> Self {
        Self(watch::Sender::new(LinkStatus {
            state: LinkState::Disconnected,
            reason: String::new(),
            ping: None,
        }))
    }
}

impl Link {
    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.0.borrow().clone()
    }

    /// Keeps the link up until the shutdown.
    pub async fn supervise(self, wiring: Wiring, shutdown: CancellationToken) {
        let mut ceiling = BACKOFF_FIRST;
        while !shutdown.is_cancelled() {
            let begun = Instant::now();
            let error = tokio::select! {
                () = shutdown.cancelled() => break,
                error = self.session(&wiring) => error,
            };
            let refused = matches!(error, BrokerError::Refused(_));
            if begun.elapsed() > STABLE {
                ceiling = BACKOFF_FIRST;
            }
            tracing::warn!(%error, "link to the broker lost");
            let state = if refused {
                LinkState::Refused
            } else {
                LinkState::BackingOff
            };
            self.enter(&wiring, state, &error.to_string()).await;
            let pause = if refused {
                BACKOFF_MAX
            } else {
                ceiling.mul_f64(rand::random::<f64>())
            };
            ceiling = (ceiling * 2).min(BACKOFF_MAX);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep(pause) => {}
            }
        }
        self.enter(&wiring, LinkState::Disconnected, "the gateway is stopping")
            .await;
    }

    /// One life of the link. Returns why it ended.
    async fn session(&self, wiring: &Wiring) -> BrokerError {
        match self.establish(wiring).await {
            Ok(events) => {
                let Events {
                    ticks,
                    changes,
                    pace,
                } = events;
                tokio::select! {
                    error = pump_ticks(wiring, ticks, pace) => error,
                    error = self.pump_changes(wiring, changes) => error,
                    error = self.ping(wiring) => error,
                    error = refresh(wiring) => error,
                }
            }
            Err(error) => error,
        }
    }

    async fn establish(&self, wiring: &Wiring) -> Result<Events, BrokerError> {
        self.enter(wiring, LinkState::Connecting, "").await;
        let events = wiring.broker.open().await?;
        self.enter(wiring, LinkState::Identifying, "").await;
        let account: AccountRow = wiring.broker.identify().await?;
        if account.account != wiring.identity.account || account.server != wiring.identity.server {
            return Err(BrokerError::Refused(
                "it is logged in to another account".into(),
            ));
        }
        renew(wiring, wiring.broker.symbols().await?).await;
        tracing::info!(account = %account.account, kind = ?account.kind, mode = ?account.mode, "broker identified");
        let reach = wiring.orders.ask(|core| core.reach()).await;
        let reach = reach.map_err(|refusal| BrokerError::Unreachable(refusal.to_string()))?;
        let (snapshot, history) = look(wiring.broker.as_ref(), reach).await?;
        wiring.orders.look(snapshot, history).await;
        self.enter(wiring, LinkState::Ready, "").await;
        Ok(events)
    }

    async fn pump_changes(
        &self,
        wiring: &Wiring,
        mut changes: mpsc::Receiver<Change>,
    ) -> BrokerError {
        while let Some(change) = changes.recv().await {
            match change {
                Change::LinkLost(why) => return BrokerError::Unreachable(why),
                Change::FeedEnded => {
                    self.enter(wiring, LinkState::MarketClosed, "the replay is over")
                        .await
                }
                change => wiring.orders.report(change).await,
            }
        }
        BrokerError::Unreachable("the broker closed the link".into())
    }

    async fn ping(&self, wiring: &Wiring) -> BrokerError {
        let mut every = interval(PING_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            match wiring.broker.ping().await {
                Ok(latency) => {
                    self.0
                        .send_modify(|status| status.ping = Some((clock::utc_now_ms(), latency)));
                }
                Err(error) => return error,
            }
        }
    }

    async fn enter(&self, wiring: &Wiring, state: LinkState, reason: &str) {
        self.0.send_modify(|status| {
            status.state = state;
            reason.clone_into(&mut status.reason);
        });
        let told = reason.to_owned();
        wiring
            .orders
            .tell(move |core| {
                core.link(state.is_up());
                core.announce(Event::Link(state, told));
            })
            .await;
        let trades = state.is_up() && *wiring.orders.journal_up().borrow();
        wiring.health.set(wiring.service, trades).await;
    }
}

/// Reads the specifications again: soon while a rate is missing, rarely otherwise.
async fn refresh(wiring: &Wiring) -> BrokerError {
    loop {
        let complete = wiring
            .instruments
            .all()
            .iter()
            .all(|spec| spec.tick_value.is_some());
        sleep(if complete { REFRESH } else { REFRESH_SOON }).await;
        match wiring.broker.symbols().await {
            Ok(specs) => renew(wiring, specs).await,
            Err(error) => return error,
        }
    }
}

/// Takes new specifications, and tells which symbols changed.
async fn renew(wiring: &Wiring, specs: Vec<SymbolSpec>) {
    let changed = wiring.instruments.replace(specs);
    if changed.is_empty() {
        return;
    }
    let announce = move |core: &mut Core| {
        let events = changed.into_iter().map(Event::Symbol);
        events.for_each(|event| core.announce(event));
    };
    wiring.orders.tell(announce).await;
}

async fn pump_ticks(
    wiring: &Wiring,
    mut ticks: mpsc::Receiver<Vec<Tick>>,
    pace: Pace,
) -> BrokerError {
    let utc = |tick: &Tick| wiring.zone.as_ref().and_then(|zone| zone.to_utc(tick.time));
    while let Some(batch) = ticks.recv().await {
        if pace == Pace::OnDemand {
            wiring.hub.demand().await;
        }
        metrics::counter!("mymt5_ticks_total").increment(batch.len() as u64);
        wiring.hub.publish(batch, utc);
    }
    // The feed's end is told by a change; until the link ends there is nothing more to hand on.
    std::future::pending().await
}
