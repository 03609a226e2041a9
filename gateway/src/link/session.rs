//! One life of the link: open, identify, compare, and then keep everything flowing until it
//! breaks. New credentials reopen it between two orders, unnoticed above.

use super::{
    ClockCheck,
    machine::{Fact, Trouble},
    monitor::{LinkDeps, Monitor},
    pumps::{LiveFrom, Ticks},
};
use crate::{
    broker::{BrokerError, BrokerEvent, Events, OTHER_NUMBER, OTHER_SERVER, Pace, other_kind},
    desk::read_pass,
};
use mymt5_chassis::clock;
use mymt5_model::{AccountRow, BrokerZone, SymbolSpec, UtcTime};
use mymt5_orders::{Event, Input};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// Specifications are read again after so long; sooner while a rate is missing.
const REFRESH: Duration = Duration::from_secs(60);
const REFRESH_SOON: Duration = Duration::from_millis(500);
/// So often a symbol is looked for soon.
const SEARCHES: u64 = 20;
const PING_EVERY: Duration = Duration::from_secs(1);
/// A repeated login that takes longer is reported.
const UNNOTICED: Duration = Duration::from_secs(3);
pub(super) const SLOW: &str =
    "the terminal takes long over its calls; check whether its host or its network is busy";
pub(super) const ACCOUNT_UNREADABLE: &str = "the account cannot be read, nothing new is opened; look at the log for what was not understood or not answered";
/// A ping that takes longer was not answered.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) struct Session<'a> {
    monitor: &'a Monitor,
    deps: &'a LinkDeps,
    live_from: LiveFrom,
}

impl<'a> Session<'a> {
    /// Lives until the link breaks; returns why. `tried` becomes the fingerprint of the credentials
    /// used.
    pub(super) async fn run(monitor: &'a Monitor, tried: &mut String) -> BrokerError {
        let session = Self {
            monitor,
            deps: &monitor.deps,
            live_from: LiveFrom::new(),
        };
        monitor.report(Fact::Opening).await;
        let mut opened = session.open(tried, None).await;
        loop {
            monitor.count(None, opened.is_ok());
            let (mut ticks, mut changes) = match opened {
                Ok(opened) => opened,
                Err(error) => return error,
            };
            monitor.report(Fact::Up).await;
            let end = tokio::select! {
                never = ticks.pump() => match never {},
                error = session.pump_changes(&mut changes) => Some(error),
                error = session.ping() => Some(error),
                () = session.refresh() => None,
                () = session.renewed(tried) => None,
            };
            if let Some(error) = end {
                ticks.drain().await;
                return error;
            }
            tracing::info!("the credentials changed, logging in anew");
            let opening = session.open(tried, Some(&mut ticks));
            tokio::pin!(opening);
            opened = match timeout(UNNOTICED, &mut opening).await {
                Ok(opened) => opened,
                Err(_) => {
                    monitor.report(Fact::Opening).await;
                    opening.await
                }
            };
        }
    }

    /// Waits until the credentials are others than those that were tried.
    async fn renewed(&self, tried: &str) {
        match &self.deps.login {
            Some(gate) => gate.renewed(tried).await,
            None => std::future::pending().await,
        }
    }

    /// Opens the link and compares what is there with what must be. Ticks flow meanwhile: what was
    /// handed over is never lost, whatever comes of it. `old`: of the session before, while nobody
    /// above knows that there is another.
    async fn open(
        &self,
        tried: &mut String,
        old: Option<&mut Ticks<'_>>,
    ) -> Result<(Ticks<'_>, mpsc::Receiver<BrokerEvent>), BrokerError> {
        if let Some(gate) = &self.deps.login {
            *tried = gate.fingerprint();
        }
        let first = old.is_none();
        let opening = self.deps.broker.open();
        let opened = match old {
            Some(old) => old.pump_until(opening).await,
            None => opening.await,
        };
        let Events {
            ticks,
            changes,
            pace,
        } = opened?;
        self.live_from.set(self.deps, true);
        let clock = &self.monitor.clock;
        let live = matches!(pace, Pace::Live);
        let mut ticks = Ticks::new((self.deps, clock), &self.live_from, ticks, pace);
        let verified = tokio::select! {
            verified = self.verify(first) => verified,
            never = ticks.pump(), if live => match never {},
        };
        match verified {
            Ok(()) => Ok((ticks, changes)),
            Err(error) => {
                ticks.drain().await;
                Err(error)
            }
        }
    }

    async fn verify(&self, first: bool) -> Result<(), BrokerError> {
        let deps = self.deps;
        if let Some(gate) = &deps.login {
            gate.keep_worked();
        }
        if first {
            self.monitor.report(Fact::Identifying).await;
        }
        let account = deps.broker.identify().await?;
        check(deps, &account)?;
        renew(deps, deps.broker.symbols().await?).await;
        tracing::info!(account = %account.account, kind = ?account.kind, mode = ?account.mode, "broker identified");
        if !first {
            // Sends went on all the time: the orders task alone knows which rows are too old for
            // them.
            deps.orders.tell(Input::SyncSoon).await;
            return Ok(());
        }
        let begun = deps.orders.ask(|core| (core.news(), core.lookback()));
        let begun = begun.await;
        let (news, lookback) =
            begun.map_err(|refusal| BrokerError::Unreachable(refusal.to_string()))?;
        let (snapshot, history) = read_pass(deps.broker.as_ref(), news, lookback).await?;
        check(deps, &snapshot.account)?;
        deps.orders.tell(Input::Pass(snapshot, history)).await;
        Ok(())
    }

    async fn pump_changes(&self, changes: &mut mpsc::Receiver<BrokerEvent>) -> BrokerError {
        while let Some(change) = changes.recv().await {
            match change {
                BrokerEvent::LinkLost(why) => return BrokerError::Unreachable(why),
                BrokerEvent::FeedEnded(why) => self.monitor.report(Fact::FeedOver(why)).await,
                // Dropped once that is so.
                BrokerEvent::Barrier(_barrier) => self.deps.orders.settled().await,
                change => self.deps.orders.report(change).await,
            }
        }
        BrokerError::Unreachable("the broker closed the link; look at its log".into())
    }

    /// Asks whether it lives, whether it may trade, and whether its clock is the configured one.
    async fn ping(&self) -> BrokerError {
        let broker = &self.deps.broker;
        let mut silent = false;
        let mut every = interval(PING_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let answered = timeout(PING_TIMEOUT, broker.ping()).await;
            let answered = answered.unwrap_or_else(|_| {
                let why =
                    format!("no answer to a ping in {PING_TIMEOUT:?}; look at the bridge's log");
                Err(BrokerError::Unreachable(why))
            });
            self.monitor
                .count(answered.as_ref().ok().copied(), answered.is_ok());
            let silence = match answered {
                Ok(_) => None,
                Err(BrokerError::Silent(why)) => Some(why.to_owned()),
                Err(error) => return error,
            };
            if silence.is_some() != silent {
                silent = silence.is_some();
                self.live_from.set(self.deps, !silent);
            }
            self.trouble(Trouble::Silence, silence).await;
            let slow = broker.slow().then(|| SLOW.to_owned());
            self.trouble(Trouble::Slow, slow).await;
            let unreadable = self.deps.orders.ask(|core| core.is_unreadable()).await;
            let unreadable = unreadable
                .is_ok_and(|it| it)
                .then(|| ACCOUNT_UNREADABLE.to_owned());
            self.trouble(Trouble::AccountUnreadable, unreadable).await;
            let obstacle = broker.trade_obstacle();
            let clock = self.clock_check();
            self.monitor.publish(obstacle.clone(), clock);
            self.trouble(Trouble::Permission, obstacle).await;
            let clock = clock.differs.map(wrong_zone);
            self.trouble(Trouble::Clock, clock).await;
            self.trouble(Trouble::Symbols, broker.unread_symbols())
                .await;
        }
    }

    async fn trouble(&self, trouble: Trouble, why: Option<String>) {
        self.monitor.report(Fact::Trouble(trouble, why)).await;
    }

    fn clock_check(&self) -> ClockCheck {
        *self
            .monitor
            .clock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Reads the specifications again: soon while a rate is missing, and a few times while a symbol
    /// is, which a terminal that just started may not have yet; rarely otherwise. A broker that is
    /// too busy for it keeps the old ones: pings show whether it lives.
    async fn refresh(&self) {
        let deps = self.deps;
        for round in 0_u64.. {
            let specs = deps.instruments.all();
            let rates = specs.iter().all(|spec| spec.tick_value.is_some());
            let symbols = round >= SEARCHES || deps.broker.unread_symbols().is_none();
            let complete = rates && symbols;
            sleep(if complete { REFRESH } else { REFRESH_SOON }).await;
            match deps.broker.symbols().await {
                Ok(specs) => renew(deps, specs).await,
                Err(error) => tracing::warn!(%error, "specifications not read again"),
            }
        }
    }
}

/// Zones that brokers' servers have, the usual one first.
const USUAL: [&str; 4] = ["new_york+7", "Europe/Athens", "Europe/London", "UTC"];

pub(super) fn wrong_zone(offset_ms: i64) -> String {
    let hours = offset_ms.abs() / 3_600_000;
    let minutes = offset_ms.abs() / 60_000 % 60;
    let sign = if offset_ms < 0 { '-' } else { '+' };
    let shown = format!("UTC{sign}{hours:02}:{minutes:02}");
    let now = UtcTime(clock::utc_now_ms());
    let fits = |name: &&str| {
        let zone = BrokerZone::parse(name).ok();
        let there = zone.and_then(|zone| zone.to_broker(now));
        there.is_some_and(|there| there.0 - now.0 == offset_ms)
    };
    let named: Vec<String> = USUAL
        .into_iter()
        .filter(fits)
        .map(|name| format!("\"{name}\""))
        .collect();
    let proposed = if named.is_empty() {
        format!("\"{shown}\"")
    } else {
        named.join(" or ")
    };
    format!(
        "ticks show a broker's clock of {shown}, broker.time_zone says another one; set it to {proposed}"
    )
}

/// Another account than the configured one is never traded.
fn check(deps: &LinkDeps, account: &AccountRow) -> Result<(), BrokerError> {
    let other = |what: &str| Err(BrokerError::OtherAccount(what.to_owned()));
    if account.account != deps.identity.account {
        return other(OTHER_NUMBER);
    }
    if account.server != deps.identity.server {
        return other(OTHER_SERVER);
    }
    if account.kind != deps.kind {
        return other(&other_kind(account.kind, deps.kind));
    }
    Ok(())
}

/// Takes new specifications, and announces which symbols changed.
async fn renew(deps: &LinkDeps, specs: Vec<SymbolSpec>) {
    let changed = deps.instruments.replace(specs);
    if changed.is_empty() {
        return;
    }
    for symbol in changed {
        let orders = &deps.orders;
        orders.tell(Input::SymbolChanged(symbol.clone())).await;
        orders.tell(Input::Announce(Event::Symbol(symbol))).await;
    }
}
