//! The link's state as a value: facts in, state and news out. No clock, no waiting.

use super::{Calendar, LinkState};
use mymt5_model::UtcTime;
use std::{collections::BTreeMap, time::Duration};

/// Backoff: full jitter below a ceiling that doubles; forgotten after a stable minute.
const FIRST: Duration = Duration::from_millis(500);
const LAST: Duration = Duration::from_secs(30);
const STABLE_MS: i64 = 60_000;
/// A link that is down for so long while the market trades is an alert. Milliseconds.
const ALERT_MS: i64 = 30_000;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The broker is being reached.
    Opening,
    /// It answers; which account it has is being asked.
    Identifying,
    /// All is known: orders can be sent.
    Up,
    /// It broke, or could not be made.
    Lost(String),
    /// The broker refused the credentials: only other ones, or an operator, lead on.
    Refused(String),
    /// It works, but not as it should; none: it does again.
    Trouble(Trouble, Option<String>),
    /// No tick will come any more: why.
    FeedOver(String),
    /// Nothing but time has passed.
    Nothing,
    /// The gateway stops.
    Stopping,
}

/// What can be wrong with a link that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// It says nothing. Until it does, nothing can be sent and nothing counts.
    Silence,
    /// It takes long over what it is asked.
    Slow,
    /// The account could not be read for long.
    AccountUnreadable,
    /// The broker or the terminal forbids trading.
    Permission,
    /// The broker's clock is not the configured one.
    Clock,
    /// Configured symbols have no specification at the broker that can be read.
    Symbols,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Opening,
    Identifying,
    Up,
    Waiting,
    Refused,
}

/// What is to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) state: LinkState,
    pub(super) reason: String,
    pub(super) up: bool,
}

/// The link's memory.
#[derive(Debug)]
pub(super) struct Machine {
    calendar: Option<Calendar>,
    phase: Phase,
    why: String,
    /// What is wrong, and whether that was reported.
    troubles: BTreeMap<Trouble, (String, bool)>,
    feed_over: Option<String>,
    ceiling: Duration,
    up_since: Option<i64>,
    /// Since when it is down while the market trades.
    down_since: Option<i64>,
    alerted: bool,
}

impl Machine {
    pub(super) fn new(calendar: Option<Calendar>) -> Self {
        Self {
            calendar,
            phase: Phase::Idle,
            why: String::new(),
            troubles: BTreeMap::new(),
            feed_over: None,
            ceiling: FIRST,
            up_since: None,
            down_since: None,
            alerted: false,
        }
    }

    /// Takes a fact. What it returns is an alert for the operator.
    pub(super) fn on(&mut self, fact: Fact, now: UtcTime) -> Option<String> {
        match fact {
            Fact::Opening => self.phase = Phase::Opening,
            Fact::Identifying => self.phase = Phase::Identifying,
            Fact::Up => {
                self.phase = Phase::Up;
                self.up_since = Some(now.0);
                self.why.clear();
            }
            Fact::Lost(why) => {
                self.leave(now);
                (self.phase, self.why) = (Phase::Waiting, why);
            }
            Fact::Refused(why) => {
                self.leave(now);
                let news = self.phase != Phase::Refused;
                (self.phase, self.why) = (Phase::Refused, why.clone());
                return news.then(|| format!("the broker refused the credentials: {why}"));
            }
            Fact::Trouble(trouble, Some(why)) => {
                self.troubles.entry(trouble).or_default().0 = why;
            }
            Fact::Trouble(trouble, None) => drop(self.troubles.remove(&trouble)),
            Fact::FeedOver(why) => self.feed_over = Some(why),
            Fact::Nothing => {}
            Fact::Stopping => {
                self.leave(now);
                (self.phase, self.why) = (Phase::Idle, "the gateway is stopping".into());
            }
        }
        self.alert(now)
    }

    fn leave(&mut self, now: UtcTime) {
        if self
            .up_since
            .take()
            .is_some_and(|since| now.0 - since > STABLE_MS)
        {
            self.ceiling = FIRST;
        }
        self.troubles.clear();
        self.feed_over = None;
    }

    /// Trouble, or down for too long, while the market trades: each once per time.
    fn alert(&mut self, now: UtcTime) -> Option<String> {
        let stable = self.up_since.is_some_and(|since| now.0 - since > STABLE_MS);
        if (stable && self.is_up()) || self.phase == Phase::Idle || self.is_closed(now) {
            (self.down_since, self.alerted) = (None, false);
        }
        if self.is_closed(now) || self.phase == Phase::Idle {
            return None;
        }
        if self.is_up() {
            let news = |(trouble, (_, told)): &(&Trouble, &mut (String, bool))| {
                **trouble != Trouble::Slow && !told
            };
            let (_, (why, told)) = self.troubles.iter_mut().find(news)?;
            *told = true;
            return Some(why.clone());
        }
        let since = *self.down_since.get_or_insert(now.0);
        if self.alerted || self.phase == Phase::Refused || now.0 - since < ALERT_MS {
            return None;
        }
        self.alerted = true;
        let seconds = (now.0 - since) / 1_000;
        Some(format!(
            "the broker is out of reach for {seconds} s: {}",
            self.silence().unwrap_or(&self.why)
        ))
    }

    /// True when orders can be sent.
    fn is_up(&self) -> bool {
        self.phase == Phase::Up && self.silence().is_none()
    }

    fn silence(&self) -> Option<&String> {
        let silence = self.troubles.get(&Trouble::Silence);
        silence.map(|(why, _)| why)
    }

    fn is_closed(&self, now: UtcTime) -> bool {
        self.calendar
            .as_ref()
            .is_some_and(|calendar| !calendar.is_open(now))
    }

    /// How long to wait before the next attempt; `jitter` is a random number of 0 to 1.
    pub(super) fn pause(&mut self, jitter: f64) -> Duration {
        let pause = self.ceiling.mul_f64(jitter.clamp(0.0, 1.0));
        self.ceiling = (self.ceiling * 2).min(LAST);
        pause
    }

    pub(super) fn view(&self, now: UtcTime) -> View {
        let why = self.silence().unwrap_or(&self.why).clone();
        let (state, reason) = match self.phase {
            Phase::Idle => (LinkState::Disconnected, why),
            Phase::Refused => (LinkState::Refused, why),
            Phase::Up if self.feed_over.is_some() => {
                let why = self.feed_over.clone().unwrap_or_default();
                (LinkState::MarketClosed, why)
            }
            _ if self.is_closed(now) && !why.is_empty() => {
                let why = format!("outside trading sessions, and not connected: {why}");
                (LinkState::MarketClosed, why)
            }
            Phase::Up if self.is_closed(now) => {
                (LinkState::MarketClosed, "outside trading sessions".into())
            }
            Phase::Up if !self.troubles.is_empty() => {
                let all: Vec<_> = self.troubles.values().map(|(why, _)| why.clone()).collect();
                (LinkState::Degraded, all.join("; "))
            }
            Phase::Up => (LinkState::Ready, why),
            Phase::Opening => (LinkState::Connecting, why),
            Phase::Identifying => (LinkState::Identifying, why),
            Phase::Waiting => (LinkState::BackingOff, why),
        };
        View {
            state,
            reason,
            up: self.is_up(),
        }
    }
}
