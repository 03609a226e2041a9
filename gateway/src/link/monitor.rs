//! The state of the link, and who is notified of it.

use super::{
    Calendar, ClockCheck, LinkState, LinkStatus, LoginGate,
    errors::Outcomes,
    machine::{Fact, Machine},
};
use crate::{
    broker::Broker,
    desk::Orders,
    journal::Identity,
    market::{Hub, Instruments},
};
use mymt5_chassis::{clock, health::Health, secrets::SecretReader};
use mymt5_model::{AccountKind, BrokerZone, UtcTime};
use mymt5_orders::{Event, Input};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// The state of the link. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link(watch::Sender<LinkStatus>);

/// The rooms that the link feeds, and what it must find.
pub struct LinkDeps {
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The account that it must be logged in to.
    pub identity: Identity,
    /// Its kind.
    pub kind: AccountKind,
    /// Its zone, where configured.
    pub zone: Option<BrokerZone>,
    /// When it trades; none: at any time.
    pub calendar: Option<Calendar>,
    /// The secrets: the broker is logged in to again when they change.
    pub secrets: SecretReader,
    /// Keeps refused credentials from being tried again; none: there are none.
    pub login: Option<LoginGate>,
    /// An operator's wish to try at once.
    pub retry: Arc<Notify>,
    /// Ticks go there.
    pub hub: Hub,
    /// Specifications go there.
    pub instruments: Instruments,
    /// Changes go there.
    pub orders: Orders,
    /// The health of market data and of trading follows the link.
    pub health: Health,
    /// Their names there, in this order.
    pub services: [&'static str; 2],
}

impl Default for Link {
    fn default() -> Self {
        Self(watch::Sender::new(LinkStatus {
            state: LinkState::Disconnected,
            reason: String::new(),
            up: false,
            ping: None,
            error_rate: 0.0,
            trade_obstacle: None,
            clock: ClockCheck::default(),
        }))
    }
}

impl Link {
    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.0.borrow().clone()
    }
}

/// What is known of the link, and who is notified.
pub(super) struct Monitor {
    link: Link,
    machine: Mutex<(Machine, Outcomes)>,
    telling: tokio::sync::Mutex<()>,
    pub(super) clock: Mutex<ClockCheck>,
    pub(super) deps: LinkDeps,
}

impl Monitor {
    pub(super) fn new(link: Link, deps: LinkDeps) -> Self {
        Self {
            link,
            machine: Mutex::new((Machine::new(deps.calendar.clone()), Outcomes::default())),
            telling: tokio::sync::Mutex::default(),
            clock: Mutex::default(),
            deps,
        }
    }

    /// How long to wait before the next attempt.
    pub(super) fn pause(&self) -> Duration {
        self.machine().0.pause(rand::random())
    }

    fn machine(&self) -> MutexGuard<'_, (Machine, Outcomes)> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a fact, and notifies all when it changes the state. The link's status comes last: a
    /// call that is dropped on the way leaves the notification to the next.
    pub(super) async fn report(&self, fact: Fact) {
        let now = UtcTime(clock::utc_now_ms());
        if let Some(alert) = self.machine().0.on(fact, now) {
            metrics::counter!("mymt5_alerts_total", "kind" => "link").increment(1);
            tracing::error!(alert, "somebody must look at the link to the broker");
        }
        let _turn = self.telling.lock().await;
        let view = self.machine().0.view(now);
        let before = self.link.status();
        if (before.state, before.up, &before.reason) == (view.state, view.up, &view.reason) {
            return;
        }
        tracing::info!(state = ?view.state, reason = view.reason, "link");
        let up = view.up;
        let event = Event::Link(view.state, view.reason.clone());
        let orders = &self.deps.orders;
        orders.tell(Input::Link(up)).await;
        orders.tell(Input::Announce(event)).await;
        let trades = up && *self.deps.orders.journal_up().borrow();
        let [market_data, trading] = self.deps.services;
        self.deps.health.set(market_data, up).await;
        self.deps.health.set(trading, trades).await;
        self.link.0.send_modify(|status| {
            (status.state, status.up, status.reason) = (view.state, view.up, view.reason);
        });
    }

    /// Counts an outcome: of a ping, with its latency, or of an attempt to connect.
    pub(super) fn count(&self, latency: Option<Duration>, succeeded: bool) {
        let now = clock::utc_now_ms();
        let error_rate = {
            let outcomes = &mut self.machine().1;
            outcomes.add(now, succeeded);
            outcomes.error_rate(now)
        };
        self.link.0.send_modify(|status| {
            status.error_rate = error_rate;
            if let Some(latency) = latency {
                status.ping = Some((now, latency));
            }
        });
    }

    /// Publishes what is known of permission and clock.
    pub(super) fn publish(&self, trade_obstacle: Option<String>, clock: ClockCheck) {
        self.link.0.send_modify(|status| {
            status.trade_obstacle = trade_obstacle;
            status.clock = clock;
        });
    }
}
