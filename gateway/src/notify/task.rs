//! The tasks around the synchronous values: one that watches and folds, one for each channel. Each is
//! fed by a bounded queue that never keeps its feeder waiting.

use super::{
    alert::{Alert, Kind, Message, Severity},
    channel::Channel,
    email::Email,
    fold::Folds,
    heartbeat,
    queue::{Queue, Taken},
    raised::{Admission, Raise, Raised},
    settings::NotifySettings,
    telegram::Telegram,
    undelivered::Undelivered,
    watch::{CoreView, Standing, Watch},
};
use crate::{desk::Orders, journal::Disk, link::Link};
use futures_util::future::join_all;
use mymt5_chassis::{
    clock, letters,
    redact::Redactor,
    secrets::{Credential, SecretReader},
    tls::ServerIdentity,
};
use mymt5_model::{ClientName, UtcTime};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Between two looks at how the gateway stands.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Longest wait for the orders core.
const CORE_ANSWERS: Duration = Duration::from_secs(2);
/// Alerts of clients that may wait, and messages that may wait for a channel's task.
const INBOX: usize = 256;
/// Most characters of an alert.
const LONGEST: usize = 1_500;

/// What is watched.
pub struct Sources {
    /// The events, and the core.
    pub orders: Orders,
    /// The link.
    pub link: Link,
    /// The journal's disk.
    pub disk: Disk,
    /// The gateway's certificate.
    pub identity: watch::Receiver<ServerIdentity>,
    /// The secrets: those of the channels, and whether any was replaced.
    pub secrets: SecretReader,
    /// The names of all secrets.
    pub names: &'static [&'static str],
    /// What all text passes.
    pub redactor: Redactor,
}

/// The way to an operator. Clones are one.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    inbox: Option<mpsc::Sender<Alert>>,
    channels: Vec<Arc<Channel>>,
    raised: Mutex<Raised>,
    /// One trial at a time.
    testing: tokio::sync::Mutex<()>,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The channel.
    pub channel: &'static str,
    /// Why the message was not delivered; none: it was.
    pub failure: Option<String>,
}

impl Notifier {
    /// Starts the tasks of what is configured; they end with `stop`. `first` are the first alerts.
    #[must_use]
    pub fn start(
        settings: &NotifySettings,
        sources: Sources,
        first: Vec<Alert>,
        stop: CancellationToken,
    ) -> Self {
        let channels = channels(settings, &sources.secrets);
        let (inbox, alerts) = mpsc::channel(INBOX);
        let notifier = Self(Arc::new(Shared {
            inbox: settings.is_on().then_some(inbox),
            channels: channels.clone(),
            raised: Mutex::default(),
            testing: tokio::sync::Mutex::default(),
        }));
        let outboxes = channels.into_iter().map(|channel| {
            let (outbox, messages) = mpsc::channel(INBOX);
            let name = channel.name();
            tokio::spawn(deliver(channel, messages, Queue::new(settings.give_up)));
            (name, outbox)
        });
        let hub = Hub {
            least: settings.least_severity,
            watch: Watch::default(),
            folds: Folds::new(settings.repeat),
            outboxes: outboxes.collect(),
            origin: Instant::now(),
            answered: watch::Sender::new(Some(Instant::now())),
            sources,
        };
        if let Some(address) = settings.heartbeat.clone() {
            let beating =
                heartbeat::beat(address, settings.trust.clone(), hub.answered.subscribe());
            tokio::spawn(stop.clone().run_until_cancelled_owned(beating));
        }
        if settings.is_on() || settings.heartbeat.is_some() {
            tokio::spawn(stop.run_until_cancelled_owned(hub.run(alerts, first)));
        }
        notifier
    }

    /// Takes a client's alert. Without a channel it stays in the log.
    #[must_use]
    pub fn raise(&self, client: &ClientName, raise: Raise) -> Admission {
        let now = UtcTime(clock::utc_now_ms());
        let mut raised = self.0.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let admission = raised.admit(client, &raise, now);
        drop(raised);
        let alert = raise.alert;
        if admission == Admission::New {
            let severity = alert.severity.name();
            tracing::warn!(
                client = client.as_str(),
                severity,
                text = alert.text,
                "alert of a client"
            );
            let refused = |inbox: &mpsc::Sender<Alert>| inbox.try_send(alert).is_err();
            if self.0.inbox.as_ref().is_some_and(refused) {
                undelivered("all", "crowded", 1);
            }
        }
        admission
    }

    /// Sends one message by each channel, at once, and waits for what comes of it.
    pub async fn test(&self) -> Vec<Tested> {
        let _turn = self.0.testing.lock().await;
        let text = "a trial: alerts of this gateway arrive here";
        let message = Message {
            at: UtcTime(clock::utc_now_ms()),
            alert: Alert::new(Kind::Test, Severity::Info, text),
        };
        let channels = self.0.channels.iter();
        join_all(channels.map(async |channel| {
            Tested {
                channel: channel.name(),
                failure: channel
                    .try_out(&message)
                    .await
                    .err()
                    .map(|failed| failed.why),
            }
        }))
        .await
    }
}

fn channels(settings: &NotifySettings, secrets: &SecretReader) -> Vec<Arc<Channel>> {
    let email = settings.email.iter().map(|email| {
        Channel::Email(Email {
            settings: email.clone(),
            trust: settings.trust.clone(),
            secrets: secrets.clone(),
            name: settings.name.clone(),
        })
    });
    let telegram = settings.telegram.iter().map(|telegram| {
        Channel::Telegram(Telegram {
            settings: telegram.clone(),
            trust: settings.trust.clone(),
            secrets: secrets.clone(),
            name: settings.name.clone(),
        })
    });
    email.chain(telegram).map(Arc::new).collect()
}

/// Watches, folds, and hands on.
struct Hub {
    least: Severity,
    watch: Watch,
    folds: Folds,
    outboxes: Vec<(&'static str, mpsc::Sender<Message>)>,
    /// What the watch counts from: a clock that is set neither delays an alert nor repeats one.
    origin: Instant,
    /// When the core answered; none: it did not, the last time.
    answered: watch::Sender<Option<Instant>>,
    sources: Sources,
}

impl Hub {
    async fn run(mut self, mut alerts: mpsc::Receiver<Alert>, first: Vec<Alert>) {
        let log = self.sources.orders.log().clone();
        let mut newest = log.watch();
        let mut cursor = log.last();
        let mut polls = interval(POLL_INTERVAL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tell(first);
        loop {
            tokio::select! {
                _ = polls.tick() => self.look().await,
                Ok(()) = newest.changed() => cursor = self.read(cursor).await,
                Some(alert) = alerts.recv() => self.tell(vec![alert]),
            }
        }
    }

    async fn look(&mut self) {
        let standing = self.standing().await;
        let now = Instant::now();
        let answered = standing.core.is_some().then_some(now);
        self.answered.send_replace(answered);
        let elapsed = now.duration_since(self.origin).as_millis();
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        let alerts = self.watch.look(&standing, elapsed);
        self.tell(alerts);
    }

    async fn standing(&self) -> Standing {
        let Sources {
            orders,
            link,
            disk,
            identity,
            secrets,
            names,
            ..
        } = &self.sources;
        let core = timeout(CORE_ANSWERS, orders.ask(CoreView::of)).await;
        let free = disk.free().ok();
        let secrets = secrets.all();
        let digests = names.iter().filter_map(|name| {
            let digest = secrets.credential(name).map(Credential::digest);
            Some((*name, digest?))
        });
        Standing {
            link: link.status(),
            core: core.ok().and_then(Result::ok),
            journal_up: *orders.journal_up().borrow(),
            core_broke: orders.is_broken(),
            disk_low: free.filter(|free| disk.is_low(*free)),
            disk_known: free.is_some(),
            certificate_days: identity.borrow().days_left(clock::utc_now_ms()),
            secrets: digests.collect(),
        }
    }

    /// Reads the events after a cursor; the new cursor.
    async fn read(&mut self, mut cursor: u64) -> u64 {
        let log = self.sources.orders.log().clone();
        while let Ok(page) = log.after(cursor).await {
            let Some(last) = page.last() else {
                return cursor;
            };
            cursor = last.sequence;
            let events = page.iter().map(|recorded| &recorded.event);
            let alerts = events.filter_map(Watch::event).collect();
            self.tell(alerts);
        }
        // Those in between are gone.
        log.last()
    }

    fn tell(&mut self, mut alerts: Vec<Alert>) {
        let now = UtcTime(clock::utc_now_ms());
        // What is over makes the same news again, though it may not be told itself.
        alerts.retain(|alert| alert.severity >= self.least || alert.is_end);
        for alert in &mut alerts {
            alert.text = self.clean(&alert.text);
        }
        let told = self.folds.take(alerts, now);
        for alert in told
            .into_iter()
            .filter(|alert| alert.severity >= self.least)
        {
            let message = Message { at: now, alert };
            for (name, outbox) in &self.outboxes {
                if outbox.try_send(message.clone()).is_err() {
                    undelivered(name, "crowded", 1);
                }
            }
        }
    }

    /// A text as it may leave: masked, in one line, and not too long.
    fn clean(&self, text: &str) -> String {
        let masked = self.sources.redactor.clean(text);
        let letters = masked.chars().take(LONGEST);
        let plain = |letter| if letters::steers(letter) { ' ' } else { letter };
        letters.map(plain).collect()
    }
}

/// Counts messages that never arrive.
fn undelivered(channel: &'static str, why: &'static str, count: u64) {
    metrics::counter!("mymt5_notify_undelivered_total", "channel" => channel, "why" => why)
        .increment(count);
}

/// Sends what comes, one after the other, until the feeder is gone.
async fn deliver(channel: Arc<Channel>, mut messages: mpsc::Receiver<Message>, mut queue: Queue) {
    let name = channel.name();
    loop {
        let now = Instant::now();
        let expired = queue.expire(now);
        if expired > 0 {
            tracing::error!(
                channel = name,
                expired,
                "alerts were given up, they are too old"
            );
            undelivered(name, "too_old", expired);
        }
        measure(queue.len(), name);
        if let Some(taken) = queue.take(now) {
            let sending = channel.send(&taken.message);
            let sent = send(sending, &mut messages, &mut queue, name).await;
            judge(&mut queue, taken, sent, name);
            continue;
        }
        let pause = queue.pause(now);
        tokio::select! {
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            message = messages.recv() => match message {
                Some(message) => push(&mut queue, message, name),
                None => return leave(&queue, name),
            },
        }
    }
}

/// Waits until a message is sent; what comes meanwhile waits behind it.
async fn send(
    sending: impl Future<Output = Result<(), Undelivered>>,
    messages: &mut mpsc::Receiver<Message>,
    queue: &mut Queue,
    name: &'static str,
) -> Result<(), Undelivered> {
    let mut sending = pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return sent,
            Some(next) = messages.recv() => {
                push(queue, next, name);
                measure(queue.len() + 1, name);
            }
        }
    }
}

/// Tells how many messages wait, with the one under way.
fn measure(waiting: usize, name: &'static str) {
    metrics::gauge!("mymt5_notify_waiting", "channel" => name).set(waiting as f64);
}

fn push(queue: &mut Queue, message: Message, name: &'static str) {
    let dropped = queue.push(message, Instant::now());
    give_way(queue, dropped, name);
}

/// Counts a message that gave way; of a burst the first is logged.
fn give_way(queue: &mut Queue, dropped: Option<Message>, name: &'static str) {
    if dropped.is_none() {
        return;
    }
    undelivered(name, "crowded", 1);
    if queue.begins_to_give_way() {
        tracing::error!(
            channel = name,
            "alerts give way, too many wait: look at why the channel does not deliver"
        );
    }
}

/// The end: what still waits never arrives.
fn leave(queue: &Queue, name: &'static str) {
    let waiting = queue.len() as u64;
    if waiting > 0 {
        tracing::error!(channel = name, waiting, "alerts still waited at the end");
        undelivered(name, "stopped", waiting);
    }
}

fn judge(queue: &mut Queue, taken: Taken, sent: Result<(), Undelivered>, name: &'static str) {
    match sent {
        Ok(()) => {
            queue.delivered();
            metrics::counter!("mymt5_notify_delivered_total", "channel" => name).increment(1);
        }
        Err(Undelivered { why, again, asked }) => {
            tracing::warn!(channel = name, why, again, "an alert was not delivered");
            if again {
                let dropped = queue.failed(taken, asked, Instant::now());
                give_way(queue, dropped, name);
            } else {
                queue.delivered();
                undelivered(name, "refused", 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::FutureExt;
    use mymt5_chassis::testing::metrics::recorded;

    #[test]
    fn what_comes_while_a_message_is_under_way_is_counted_at_once() {
        let (outbox, mut messages) = mpsc::channel(INBOX);
        for _ in 0..2 {
            let message = Message {
                at: UtcTime(0),
                alert: Alert::new(Kind::Test, Severity::Info, "a trial"),
            };
            outbox.try_send(message).unwrap();
        }
        let mut queue = Queue::new(Duration::from_secs(60));
        let told = recorded(|| {
            let hangs = std::future::pending();
            let sent = send(hangs, &mut messages, &mut queue, "email").now_or_never();
            assert_eq!(sent, None);
        });
        let waiting = "mymt5_notify_waiting{channel=\"email\"} 3\n";
        assert!(told.contains(waiting), "{told}");
    }
}
