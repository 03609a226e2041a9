//! When a reading of the account is measured. The reading that shows a withdrawal may come before the
//! word of it: one whose balance nothing explains waits a while, so that a withdrawal is no loss.

use super::{BalanceGap, RiskRefused, losses};
use mymt5_guard::{Breach, LossMeter, LossSettings};
use mymt5_model::{BrokerTime, Money, Reason};
use serde::{Deserialize, Serialize};

/// How long a flow may come after the reading that shows it, milliseconds.
const WAIT_MS: i64 = 5_000;
/// Most readings that wait; the last one takes the place of the one before it then.
const MOST: usize = 64;

/// The account at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) time: BrokerTime,
    pub(super) equity: Money,
    pub(super) balance: Money,
}

/// The days on which the first reading of a session reached a limit with a balance that nothing
/// explains: flows before it may be missed, so that nothing is closed on that day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spared {
    pub(super) daily: Option<BrokerTime>,
    pub(super) drawdown: Option<BrokerTime>,
}

/// The meter of losses, and the readings that wait for a flow.
#[derive(Debug)]
pub(super) struct LossWatch {
    meter: LossMeter,
    spared: Spared,
    /// The balance last measured, and flows since, over sessions; none: nothing is measured yet.
    balance: Option<Money>,
    /// Nothing is measured yet in this session.
    is_first: bool,
    waiting: Vec<Reading>,
    /// When a balance was read first that nothing explains.
    since: Option<BrokerTime>,
}

impl LossWatch {
    /// Goes on from what was spared, and from the balance that was measured last.
    pub(super) const fn new(meter: LossMeter, spared: Spared, balance: Option<Money>) -> Self {
        Self {
            meter,
            spared,
            balance,
            is_first: true,
            waiting: Vec::new(),
            since: None,
        }
    }

    pub(super) const fn meter(&self) -> &LossMeter {
        &self.meter
    }

    pub(super) const fn spared(&self) -> Spared {
        self.spared
    }

    pub(super) const fn balance(&self) -> Option<Money> {
        self.balance
    }

    /// True where losses are limited, or a limit of before still holds.
    pub(super) fn is_used(&self) -> bool {
        self.is_limited() || self.meter.state().is_some()
    }

    fn is_limited(&self) -> bool {
        self.meter.settings() != LossSettings::default()
    }

    /// A session begins: flows before it may be missed, which another balance shows.
    pub(super) fn begin(&mut self) {
        self.is_first = true;
        self.forget();
    }

    /// What leads from the balance measured last, and flows since, to this one; none: nothing does, or
    /// nobody asks. A deal may be told that long after its time.
    pub(super) fn gap(&self, balance: Money) -> Option<BalanceGap> {
        let measured = self.balance.filter(|_| self.is_limited())?;
        let state = self.meter.state()?;
        let gap = BalanceGap {
            since: BrokerTime(state.last_seen.0 - WAIT_MS),
            amount: balance - measured,
        };
        (gap.amount != Money::ZERO).then_some(gap)
    }

    /// Trades led to this balance: the reading that shows it is measured as any other.
    pub(super) fn explain(&mut self, balance: Money) {
        self.balance = Some(balance);
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.since = None;
    }

    /// Takes a reading; what is breached by those that are measured now.
    pub(super) fn observe(&mut self, reading: Reading) -> Vec<Breach> {
        let mut breaches = self.pass(reading.time);
        let more = match self.balance {
            Some(balance) if balance == reading.balance => {
                self.forget();
                self.measure(reading)
            }
            _ if self.is_first => self.measure_first(reading),
            _ => {
                self.hold(reading);
                self.pass(reading.time)
            }
        };
        breaches.extend(more);
        breaches
    }

    /// Time passes: what waited long enough for a flow is measured.
    pub(super) fn pass(&mut self, now: BrokerTime) -> Vec<Breach> {
        let waits = |since: BrokerTime| (0..WAIT_MS).contains(&(now.0 - since.0));
        if self.waiting.is_empty() || self.since.is_none_or(waits) {
            return Vec::new();
        }
        self.since = None;
        let waited = std::mem::take(&mut self.waiting);
        let measured = waited.into_iter().map(|reading| self.measure(reading));
        measured.flatten().collect()
    }

    /// Takes a flow; what is breached by the reading that it explains. Of readings that it does not, and
    /// of earlier ones, nobody knows whether they show it.
    pub(super) fn flow(&mut self, amount: Money) -> Vec<Breach> {
        self.meter.flow(amount);
        let Some(balance) = &mut self.balance else {
            return Vec::new();
        };
        *balance += amount;
        let expected = *balance;
        let last = self.waiting.pop();
        self.waiting.clear();
        let explained = last.filter(|reading| reading.balance == expected);
        let Some(reading) = explained else {
            return Vec::new();
        };
        self.forget();
        self.measure(reading)
    }

    fn hold(&mut self, reading: Reading) {
        self.since.get_or_insert(reading.time);
        if self.waiting.len() == MOST {
            self.waiting.pop();
        }
        self.waiting.push(reading);
    }

    fn measure(&mut self, reading: Reading) -> Vec<Breach> {
        self.balance = Some(reading.balance);
        self.is_first = false;
        let Reading {
            time,
            equity,
            balance,
        } = reading;
        self.meter.observe(time, equity, balance)
    }

    fn measure_first(&mut self, reading: Reading) -> Vec<Breach> {
        let breaches = self.measure(reading);
        let day = self.meter.state().map(|state| state.day);
        for breach in &breaches {
            match breach.limit {
                Reason::LimitDailyLoss => self.spared.daily = day,
                _ => self.spared.drawdown = day,
            }
        }
        breaches
    }

    /// True where that limit closes nothing today.
    pub(super) fn spares(&self, limit: Reason) -> bool {
        let spared = match limit {
            Reason::LimitDailyLoss => self.spared.daily,
            _ => self.spared.drawdown,
        };
        let day = self.meter.state().map(|state| state.day);
        spared.is_some() && spared == day
    }

    /// Refuses entries while a limit holds, or would by what waits; and where losses are limited, while
    /// nothing was measured.
    pub(super) fn check(&self, account_known: bool) -> Result<(), RiskRefused> {
        losses::check(&self.meter)?;
        if !self.is_limited() {
            return Ok(());
        }
        let untold = self.since.is_some() && self.waiting.is_empty();
        if untold || !account_known {
            return Err(RiskRefused::AccountUnknown);
        }
        let mut meter = self.meter.clone();
        for reading in &self.waiting {
            meter.observe(reading.time, reading.equity, reading.balance);
        }
        losses::check(&meter)
    }

    /// The limit that closes everything now.
    pub(super) fn closes(&self) -> Option<RiskRefused> {
        losses::closes(&self.meter, |limit| self.spares(limit))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::risk::testing::settings;

    fn money(amount: f64) -> Money {
        Money::from_f64(amount).unwrap()
    }

    /// A watch of a drawdown of 1,000 that measured 10,000 at 0.
    fn watch() -> LossWatch {
        let mut watch = unread();
        assert_eq!(read(&mut watch, 0, 10_000.0, 10_000.0), 0);
        watch
    }

    fn unread() -> LossWatch {
        let limits = settings("drawdown.amount = 1000.0").losses;
        LossWatch::new(LossMeter::resume(limits, None), Spared::default(), None)
    }

    /// The same watch in another process, or another session of this one.
    fn again(mut watch: LossWatch, restarts: bool) -> LossWatch {
        if restarts {
            let state = watch.meter().state().cloned();
            let meter = LossMeter::resume(watch.meter().settings(), state);
            return LossWatch::new(meter, watch.spared(), watch.balance());
        }
        watch.begin();
        watch
    }

    /// How many limits the reading breaches.
    fn read(watch: &mut LossWatch, time: i64, equity: f64, balance: f64) -> usize {
        let reading = Reading {
            time: BrokerTime(time),
            equity: money(equity),
            balance: money(balance),
        };
        watch.observe(reading).len()
    }

    #[test]
    fn a_withdrawal_is_no_loss_whether_it_is_told_before_its_reading_or_after() {
        let mut before = watch();
        assert!(before.flow(money(-2_000.0)).is_empty());
        assert_eq!(read(&mut before, 1_000, 8_000.0, 8_000.0), 0);
        let mut after = watch();
        assert_eq!(read(&mut after, 1_000, 8_000.0, 8_000.0), 0);
        assert_eq!(after.check(true), Err(RiskRefused::Drawdown));
        assert_eq!(after.closes(), None);
        assert!(after.flow(money(-2_000.0)).is_empty());
        for mut watch in [before, after] {
            assert_eq!(watch.check(true), Ok(()));
            assert_eq!(read(&mut watch, 60_000, 8_000.0, 8_000.0), 0);
            assert_eq!(watch.closes(), None);
            assert_eq!(read(&mut watch, 61_000, 7_000.0, 8_000.0), 1);
        }
    }

    #[test]
    fn a_floating_loss_is_measured_at_once_and_a_realized_one_after_a_while() {
        let mut floating = watch();
        assert_eq!(read(&mut floating, 1_000, 9_000.0, 10_000.0), 1);
        assert_eq!(floating.closes(), Some(RiskRefused::Drawdown));
        let mut realized = watch();
        assert_eq!(read(&mut realized, 1_000, 9_000.0, 9_000.0), 0);
        assert_eq!(realized.check(true), Err(RiskRefused::Drawdown));
        assert!(realized.pass(BrokerTime(5_999)).is_empty());
        assert_eq!(realized.pass(BrokerTime(6_000)).len(), 1);
        assert_eq!(realized.closes(), Some(RiskRefused::Drawdown));
        // A flow that explains nothing gives it no more time.
        let mut both = watch();
        assert_eq!(read(&mut both, 1_000, 8_900.0, 8_900.0), 0);
        assert!(both.flow(money(-500.0)).is_empty());
        assert_eq!(both.check(true), Err(RiskRefused::AccountUnknown));
        assert_eq!(read(&mut both, 6_000, 8_400.0, 8_400.0), 1);
    }

    #[test]
    fn what_the_first_reading_reaches_with_the_same_balance_closes() {
        for restarts in [true, false] {
            let mut floating = again(watch(), restarts);
            assert_eq!(read(&mut floating, 1_000, 9_000.0, 10_000.0), 1);
            assert_eq!(floating.closes(), Some(RiskRefused::Drawdown));
            // Flows that were told count.
            let mut told = watch();
            assert!(told.flow(money(-2_000.0)).is_empty());
            let mut told = again(told, restarts);
            assert_eq!(read(&mut told, 1_000, 7_000.0, 8_000.0), 1);
            assert_eq!(told.closes(), Some(RiskRefused::Drawdown));
        }
    }

    #[test]
    fn what_the_first_reading_reaches_with_another_balance_closes_nothing_on_that_day() {
        let mut watch = watch();
        watch.begin();
        assert_eq!(read(&mut watch, 1_000, 9_000.0, 9_000.0), 1);
        assert_eq!(watch.check(true), Err(RiskRefused::Drawdown));
        assert_eq!(watch.closes(), None);
        let mut restarted = again(watch, true);
        read(&mut restarted, 2_000, 9_000.0, 9_000.0);
        assert_eq!(restarted.closes(), None);
        read(&mut restarted, 86_400_000, 9_000.0, 9_000.0);
        assert_eq!(restarted.closes(), Some(RiskRefused::Drawdown));
    }

    #[test]
    fn what_the_first_reading_reaches_with_a_balance_that_trades_made_closes() {
        for restarts in [true, false] {
            let mut watch = again(watch(), restarts);
            let gap = watch.gap(money(9_000.0)).unwrap();
            assert_eq!(gap.amount, money(-1_000.0));
            assert_eq!(gap.since, BrokerTime(-WAIT_MS));
            watch.explain(money(9_000.0));
            assert_eq!(watch.gap(money(9_000.0)), None);
            assert_eq!(read(&mut watch, 1_000, 9_000.0, 9_000.0), 1);
            assert_eq!(watch.closes(), Some(RiskRefused::Drawdown));
        }
        // Another balance than was explained is not.
        let mut other = again(watch(), false);
        other.explain(money(9_500.0));
        assert_eq!(read(&mut other, 1_000, 8_900.0, 8_900.0), 1);
        assert_eq!(other.closes(), None);
    }

    #[test]
    fn nothing_is_to_be_explained_where_the_balance_is_the_same_or_nothing_is_limited() {
        assert_eq!(watch().gap(money(10_000.0)), None);
        assert_eq!(unread().gap(money(9_000.0)), None);
        let unlimited = LossMeter::resume(LossSettings::default(), None);
        let balance = Some(money(10_000.0));
        let unlimited = LossWatch::new(unlimited, Spared::default(), balance);
        assert_eq!(unlimited.gap(money(9_000.0)), None);
    }

    #[test]
    fn unknown_figures_refuse_where_losses_are_limited() {
        assert_eq!(watch().check(false), Err(RiskRefused::AccountUnknown));
        assert_eq!(unread().check(true), Err(RiskRefused::AccountUnknown));
        let unlimited = LossMeter::resume(LossSettings::default(), None);
        let unlimited = LossWatch::new(unlimited, Spared::default(), None);
        assert_eq!(unlimited.check(false), Ok(()));
    }
}
