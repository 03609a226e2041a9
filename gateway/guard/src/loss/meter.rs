//! The meter: figures in, breaches out, a state to keep in between.

use super::settings::{BaseKind, DrawdownKind, LimitAction, LossSettings, ResetHour};
use crate::Fact;
use mymt5_model::{BrokerTime, Money, Reason, Refusal};
use serde::{Deserialize, Serialize};

/// A limit of losses was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which: `LimitDailyLoss` or `LimitDrawdown`.
    pub limit: Reason,
    /// What is to follow.
    pub action: LimitAction,
}

/// What must survive a restart. Amounts are in the account currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossState {
    /// The reset that began the day.
    pub day: BrokerTime,
    /// What the day's loss is measured from.
    pub base: Money,
    /// The balance that a static drawdown is measured from.
    pub start: Money,
    /// The highest equity, which a trailing drawdown is measured from.
    pub high_water: Money,
    /// The equity last seen.
    pub last_equity: Money,
    /// When that was.
    pub last_seen: BrokerTime,
    /// The day's loss was reached; holds until the next reset.
    pub daily_reached: bool,
    /// The drawdown was reached; holds until an operator clears it.
    pub drawdown_latched: bool,
}

/// Measures the losses of one scope.
///
/// A shell makes it with [`LossMeter::resume`] from the state it kept, replays what happened
/// meanwhile ([`LossMeter::missed_reset`], [`LossMeter::catch_up`], [`LossMeter::flow`]), and then
/// calls [`LossMeter::observe`] with every reading of the account, acts on the breaches and keeps
/// [`LossMeter::state`] durably: at once after a breach, a reset, a flow or a clearance, else now
/// and then. An entry asks [`LossMeter::blocks`].
///
/// A reading must reflect exactly the deposits and withdrawals reported before it; else a
/// withdrawal looks like a loss. Its time must be the broker's clock, which runs also while no
/// tick comes.
#[derive(Clone, Debug, PartialEq)]
pub struct LossMeter {
    settings: LossSettings,
    state: Option<LossState>,
}

impl LossMeter {
    /// Readings farther apart than this leave a reset between them unattended.
    const ATTENDED_MS: i64 = 60_000;
    const DAY_MS: i64 = 86_400_000;

    /// Goes on from a kept state; none: the scope was never seen before.
    #[must_use]
    pub const fn resume(settings: LossSettings, state: Option<LossState>) -> Self {
        Self { settings, state }
    }

    /// What it measures.
    #[must_use]
    pub const fn settings(&self) -> LossSettings {
        self.settings
    }

    /// What must be kept; none before the first reading.
    #[must_use]
    pub const fn state(&self) -> Option<&LossState> {
        self.state.as_ref()
    }

    /// A reset that was missed: the balance at that time, rebuilt from deals,
    /// belongs to [`LossMeter::catch_up`].
    #[must_use]
    pub fn missed_reset(&self, now: BrokerTime) -> Option<BrokerTime> {
        let state = self.state.as_ref()?;
        let day = self.last_reset(now);
        let attended = now.0 - state.last_seen.0 <= Self::ATTENDED_MS;
        (day > state.day && !attended).then_some(day)
    }

    /// Begins the day of a missed reset: its base is the greater of the last equity kept and the
    /// balance at the reset. Flows before the reset must have been reported; later ones follow.
    /// Nothing happens when no reset was missed.
    pub fn catch_up(&mut self, now: BrokerTime, balance_at_reset: Money) {
        let missed = self.missed_reset(now);
        if let (Some(day), Some(state)) = (missed, &mut self.state) {
            state.begin(day, state.last_equity.max(balance_at_reset));
        }
    }

    /// Takes a reading of the account; returns what it breaches, each breach once. A missed reset
    /// that was not caught up takes the balance of this reading for that at the reset.
    pub fn observe(&mut self, now: BrokerTime, equity: Money, balance: Money) -> Vec<Breach> {
        self.catch_up(now, balance);
        let day = self.last_reset(now);
        let base = self.base_kind().of(equity, balance);
        let initial = self.settings.drawdown.and_then(|d| d.initial_balance);
        let state = self.state.get_or_insert_with(|| {
            let start = initial.unwrap_or(balance);
            LossState {
                day,
                base,
                start,
                high_water: start,
                last_equity: equity,
                last_seen: now,
                daily_reached: false,
                drawdown_latched: false,
            }
        });
        if day > state.day {
            state.begin(day, base);
        }
        state.high_water = state.high_water.max(equity);
        state.last_equity = equity;
        state.last_seen = now;
        state.breaches(&self.settings)
    }

    /// A deposit (positive) or withdrawal (negative), reported once: it moves the levels that losses
    /// are measured from, and is itself neither gain nor loss.
    pub fn flow(&mut self, amount: Money) {
        if let Some(state) = &mut self.state {
            for level in [
                &mut state.base,
                &mut state.start,
                &mut state.high_water,
                &mut state.last_equity,
            ] {
                *level += amount;
            }
        }
    }

    /// The limit that holds entries back now. While losses are limited and nothing was ever read,
    /// that is a missing fact. A latch holds even when its limit is configured no more.
    #[must_use]
    pub fn blocks(&self) -> Option<Refusal> {
        match &self.state {
            Some(state) if state.drawdown_latched => Some(Refusal::new(Reason::LimitDrawdown)),
            Some(state) if state.daily_reached => Some(Refusal::new(Reason::LimitDailyLoss)),
            None if self.settings != LossSettings::default() => Some(Fact::Equity.missing()),
            _ => None,
        }
    }

    /// An operator lifts the drawdown's latch: it is measured again, from the equity last seen.
    /// False: there was no latch, and nothing changed.
    pub fn clear(&mut self) -> bool {
        match &mut self.state {
            Some(state) if state.drawdown_latched => {
                state.drawdown_latched = false;
                (state.start, state.high_water) = (state.last_equity, state.last_equity);
                true
            }
            _ => false,
        }
    }

    /// The last reset at or before that time. A day whose limit is configured no more ends as it
    /// began: another hour would end it early.
    fn last_reset(&self, now: BrokerTime) -> BrokerTime {
        match (self.settings.daily, &self.state) {
            (Some(daily), _) => daily.reset_hour.last(now),
            (None, Some(state)) => {
                BrokerTime(now.0 - (now.0 - state.day.0).rem_euclid(Self::DAY_MS))
            }
            (None, None) => ResetHour::default().last(now),
        }
    }

    fn base_kind(&self) -> BaseKind {
        self.settings
            .daily
            .map_or_else(BaseKind::default, |daily| daily.base)
    }
}

impl LossState {
    fn begin(&mut self, day: BrokerTime, base: Money) {
        (self.day, self.base, self.daily_reached) = (day, base, false);
    }

    /// What a drawdown is measured from.
    pub(super) const fn reference(&self, kind: DrawdownKind) -> Money {
        match kind {
            DrawdownKind::Static => self.start,
            DrawdownKind::Trailing => self.high_water,
        }
    }

    fn breaches(&mut self, settings: &LossSettings) -> Vec<Breach> {
        let equity = self.last_equity;
        let lost = |level: Money, allowed: Money| level > equity && level - equity >= allowed;
        let mut breaches = Vec::new();
        if let Some(daily) = settings.daily
            && !self.daily_reached
            && lost(self.base, daily.allowance.of(self.base))
        {
            self.daily_reached = true;
            breaches.push(Breach {
                limit: Reason::LimitDailyLoss,
                action: daily.action,
            });
        }
        if let Some(drawdown) = settings.drawdown
            && !self.drawdown_latched
        {
            let reference = self.reference(drawdown.kind);
            if lost(reference, drawdown.allowance.of(reference)) {
                self.drawdown_latched = true;
                breaches.push(Breach {
                    limit: Reason::LimitDrawdown,
                    action: drawdown.action,
                });
            }
        }
        breaches
    }
}
