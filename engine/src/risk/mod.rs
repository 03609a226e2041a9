//! What may be traded, and how much: one rule a file, composed in order. Only entries are judged; a
//! fact that is missing refuses one. Whatever lowers risk never comes here.
//!
//! # Rooms
//! * What rules judge by: `facts`, and what happened before a restart: `memory`, with what each open
//!   position made so far: `results`.
//! * What they say: `refused`, a closed list.
//! * Before the volume is known: `losses`, measured by `loss_watch` over a `balance_gap`, `sessions`,
//!   `friday_flat` (both in `day_time`), `news`, `cooldown`, `day`, `spread`, `stop_distance`.
//! * The volume: `sizing`, of a strategy's `budget`. With it: `holdings`, `open_risk`, `margin_use`.
//! * What the configuration says: `settings`, read with `keys`.

mod balance_gap;
mod budget;
mod cooldown;
mod day;
mod day_time;
mod facts;
mod friday_flat;
mod holdings;
mod keys;
mod loss_watch;
mod losses;
mod margin_use;
mod memory;
mod news;
mod open_risk;
mod refused;
mod results;
mod sessions;
mod settings;
mod sizing;
mod spread;
mod stop_distance;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use balance_gap::BalanceGap;
pub use budget::Budget;
pub use cooldown::Cooldown;
pub use day_time::DayTime;
pub use facts::{Account, Entry, Facts, Open};
pub use holdings::Holdings;
pub use margin_use::MarginUse;
pub use memory::{FILE, MemoryError};
pub use news::Calendar;
pub use open_risk::OpenRisk;
pub use refused::RiskRefused;
pub use results::PositionDeal;
pub use sessions::Sessions;
pub use settings::RiskSettings;
pub use sizing::{Capital, SizeBy, Sizing};
pub use stop_distance::StopDistance;

use crate::care::Book;
use loss_watch::{LossWatch, Reading, Spared};
use memory::Memory;
use mymt5_guard::{Breach, DrawdownKind, Headroom, LimitAction, LossMeter, LossSettings};
use mymt5_model::{AccountId, BrokerTime, Lots, Money, PositionId, Symbol, SymbolSpec, UtcTime};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::{Path, PathBuf},
};

/// Figures of the account that are older than that are not known, milliseconds by the broker's clock.
const FRESH_MS: i64 = 60_000;

/// The rules at work.
#[derive(Debug)]
pub struct Risk {
    settings: RiskSettings,
    watch: LossWatch,
    memory: Memory,
    keeper: Keeper,
    account: Option<Account>,
    /// The broker's clock, as last told.
    now: Option<BrokerTime>,
    /// How far UTC is ahead of it, milliseconds.
    utc_ahead_ms: Option<i64>,
    /// How often each rule refused an entry, by its name.
    refusals: BTreeMap<&'static str, u64>,
}

/// Where the memory is kept.
#[derive(Debug)]
enum Keeper {
    /// Nowhere: it ends with the process.
    Nowhere,
    /// A file that could not be read, and is not overwritten.
    Unreadable,
    /// A file and what it holds; none: writing failed.
    File(PathBuf, Option<Box<Memory>>),
    /// A file of another account, and what is to be gone on from there. It is not overwritten.
    OtherAccount(PathBuf, Box<Memory>),
}

impl Keeper {
    /// Why no entry can be judged by what is kept; none: it can.
    const fn refuses(&self) -> Option<RiskRefused> {
        match self {
            Self::Unreadable => Some(RiskRefused::StateUnreadable),
            Self::OtherAccount(..) => Some(RiskRefused::OtherAccount),
            Self::Nowhere | Self::File(..) => None,
        }
    }
}

impl Risk {
    /// Rules that remember nothing of before.
    #[must_use]
    pub fn new(settings: RiskSettings) -> Self {
        Self::with(settings, Memory::default(), Keeper::Nowhere)
    }

    /// Rules that go on from what the file holds, and keep it there, where one of them must, or one of
    /// before did, or a strategy cares for its positions: to remove a limit lifts no latch. While it
    /// cannot be read they refuse every entry.
    #[must_use]
    pub fn open(settings: RiskSettings, cares: bool, file: &Path) -> Self {
        let remembers = cares || settings.remembers();
        if !remembers && !file.try_exists().unwrap_or(true) {
            return Self::new(settings);
        }
        match Memory::read(file) {
            Ok(memory) => {
                let keeper = Keeper::File(file.to_owned(), Some(Box::new(memory.clone())));
                Self::with(settings, memory, keeper)
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "entries are refused");
                Self::with(settings, Memory::default(), Keeper::Unreadable)
            }
        }
    }

    fn with(settings: RiskSettings, memory: Memory, keeper: Keeper) -> Self {
        Self {
            watch: watch(settings.losses, &memory),
            settings,
            memory,
            keeper,
            account: None,
            now: None,
            utc_ahead_ms: None,
            refusals: BTreeMap::new(),
        }
    }

    /// An operator's word that trading may go on: lifts the latch of the drawdown, which is measured
    /// again from the equity last seen, as is the loss of a day that the first reading of a session
    /// reached, and forgets failed orders and losses in a row. A file that cannot be read is replaced by
    /// an empty one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn reset(settings: &RiskSettings, file: &Path) -> Result<(), MemoryError> {
        let memory = Memory::read(file).unwrap_or_default();
        let mut meter = LossMeter::resume(settings.losses, memory.losses.clone());
        meter.clear();
        let mut losses = meter.state().cloned();
        if let Some(state) = &mut losses
            && memory.spared.daily == Some(state.day)
        {
            state.daily_reached = false;
            state.base = state.last_equity;
        }
        let memory = Memory {
            losses,
            spared: Spared::default(),
            errors: 0,
            losses_in_a_row: 0,
            last_loss: None,
            is_loss_untimed: false,
            ..memory
        };
        memory.write(file)
    }

    /// An operator's word that the account of the next session is another one: what is kept of the one
    /// before is forgotten.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(file: &Path) -> Result<(), MemoryError> {
        Memory::default().write(file)
    }

    /// Takes the broker's time.
    pub fn at(&mut self, time: BrokerTime) {
        self.now = Some(time);
        self.memory.begin(self.settings.reset_hour.last(time));
        if self.memory.date_loss(time) {
            self.keep();
        }
        let breaches = self.watch.pass(time);
        if !breaches.is_empty() {
            self.on_breaches(&breaches);
        }
    }

    /// A session begins. Deposits and withdrawals before it may be missed, which another balance shows.
    pub fn begin(&mut self) {
        self.watch.begin();
    }

    /// The account that the gateway serves. What is kept of another one stays as it is until that one is
    /// back, and no entry is made meanwhile: neither its levels count for this account, nor does a change of
    /// accounts lift a latch. False: it is the same account.
    pub fn meet(&mut self, account: &AccountId) -> bool {
        let known = self.memory.account.get_or_insert_with(|| account.clone());
        let is_same = *known == *account;
        self.keep();
        if is_same {
            return false;
        }
        let nothing_yet = Memory {
            account: Some(account.clone()),
            ..Memory::default()
        };
        let left = mem::replace(&mut self.memory, nothing_yet);
        self.keeper = match mem::replace(&mut self.keeper, Keeper::Nowhere) {
            Keeper::File(path, _) => {
                tracing::error!(error = %RiskRefused::OtherAccount, "entries are refused");
                Keeper::OtherAccount(path, Box::new(left))
            }
            Keeper::OtherAccount(path, kept) if kept.account.as_ref() == Some(account) => {
                tracing::info!("the account of risk.json is back");
                self.memory = *kept;
                Keeper::File(path, None)
            }
            keeper => keeper,
        };
        self.watch = watch(self.losses(), &self.memory);
        // The clock of the one broker dates nothing of the other's.
        self.now = None;
        self.utc_ahead_ms = None;
        true
    }

    /// The limits of losses of the account that is served. The balance that the configuration names is
    /// that of the kept one: another one is measured from its own first reading, and not closed by it.
    fn losses(&self) -> LossSettings {
        let mut losses = self.settings.losses;
        if matches!(self.keeper, Keeper::OtherAccount(..))
            && let Some(drawdown) = &mut losses.drawdown
        {
            drawdown.initial_balance = None;
        }
        losses
    }

    /// What a reading of that balance would leave to be explained, where losses are limited; none: nothing.
    #[must_use]
    pub fn balance_gap(&self, balance: Money) -> Option<BalanceGap> {
        self.watch.gap(balance)
    }

    /// Deals tell that trades, and no deposit or withdrawal, led from the balance measured last to this
    /// one.
    pub fn on_explained(&mut self, balance: Money) {
        self.watch.explain(balance);
    }

    /// Takes the account's figures; none: they are not known.
    pub fn on_account(&mut self, account: Option<Account>) {
        self.account = account;
        let Some(account) = account else { return };
        if let Some(time) = account.as_of.broker {
            self.at(time);
            self.utc_ahead_ms = account.as_of.utc.map(|utc| utc.0 - time.0);
        }
        if let Some(time) = self.now
            && self.watch.is_used()
        {
            let breaches = self.watch.observe(Reading {
                time,
                equity: account.equity,
                balance: account.balance,
            });
            self.on_breaches(&breaches);
        }
    }

    fn on_breaches(&mut self, breaches: &[Breach]) {
        for breach in breaches {
            let limit = breach.limit.name();
            if breach.action == LimitAction::Flatten && self.watch.spares(breach.limit) {
                tracing::error!(
                    limit,
                    "the first reading of a session reached a limit of losses with a balance that nothing explains: entries are refused, and nothing is closed today; run `mymt5-engine reset-risk` after a deposit or withdrawal, else close what is open"
                );
            } else {
                tracing::error!(limit, "a limit of losses is reached");
            }
        }
        self.keep();
    }

    /// The account's figures, as last told; none: they are not known.
    #[must_use]
    pub const fn account(&self) -> Option<Account> {
        self.account
    }

    /// A deposit, or a withdrawal below 0.
    pub fn on_flow(&mut self, amount: Money) {
        let breaches = self.watch.flow(amount);
        self.on_breaches(&breaches);
    }

    /// A position is open.
    pub fn on_opened(&mut self, position: PositionId) {
        if self.settings.cooldown.is_some() && self.memory.open.insert(position) {
            self.keep();
        }
    }

    /// A deal of a position was done; none: it is not understood.
    pub fn on_deal(&mut self, position: PositionId, deal: Option<PositionDeal>) {
        if self.settings.cooldown.is_some() {
            let told = self.memory.open.contains(&position);
            self.memory.results.take(position, deal, told);
            self.keep();
        }
    }

    /// A position is gone, and what the gateway knows that it made: its deals tell it better, where all
    /// of them came. None: nobody knows, which counts as a loss.
    pub fn on_closed(&mut self, position: PositionId, told: Option<Money>) {
        if self.settings.cooldown.is_none() || !self.memory.open.remove(&position) {
            return;
        }
        let result = self.memory.results.end(position).or(told);
        self.end_trade(result.is_none_or(Money::is_negative));
    }

    /// All positions that are open now. What closed unseen has no known result.
    pub fn on_positions(&mut self, open: &BTreeSet<PositionId>) {
        let gone: Vec<PositionId> = self.memory.open.difference(open).copied().collect();
        for position in gone {
            self.on_closed(position, None);
        }
        self.memory.results.retain(open);
        for position in open {
            self.on_opened(*position);
        }
    }

    /// One order turned a position to its other side: what it was before has ended, and lost by its
    /// prices or not, unless its deals tell it. None: that is not known, which counts as a loss.
    pub fn on_turned(&mut self, position: PositionId, lost: Option<bool>) {
        if self.settings.cooldown.is_some() && self.memory.open.contains(&position) {
            let made = self.memory.results.turn(position);
            let lost = made.map(Money::is_negative).or(lost);
            self.end_trade(lost.unwrap_or(true));
        }
    }

    fn end_trade(&mut self, lost: bool) {
        self.memory.end(lost, self.now);
        self.keep();
    }

    /// What position care remembers.
    pub(crate) const fn cared(&self) -> &Book {
        &self.memory.care
    }

    /// Lets position care remember something, at that time of the broker's clock. False: it does not
    /// outlive this process.
    pub(crate) fn remember(&mut self, note: impl FnOnce(&mut Book, Option<BrokerTime>)) -> bool {
        note(&mut self.memory.care, self.now);
        self.keep() && self.keeper.refuses().is_none()
    }

    /// An order of ours was done, at least in part.
    pub fn on_done(&mut self) {
        if self.memory.errors > 0 {
            self.memory.errors = 0;
            self.keep();
        }
    }

    /// An order of ours failed; an entry that did is no trade of the day.
    pub fn on_failed(&mut self, is_entry: bool) {
        self.memory.errors = self.memory.errors.saturating_add(1);
        self.on_unsent(is_entry);
    }

    /// An order of ours was not sent: nothing failed at the broker, and an entry is no trade of the day.
    pub fn on_unsent(&mut self, is_entry: bool) {
        if is_entry {
            self.memory.trades = self.memory.trades.saturating_sub(1);
        }
        self.keep();
    }

    /// Why nothing may stay open now; none: it may.
    #[must_use]
    pub fn must_close(&self) -> Option<RiskRefused> {
        let flat = || self.check_week(self.now?).err();
        self.watch.closes().or_else(flat)
    }

    fn check_week(&self, now: BrokerTime) -> Result<(), RiskRefused> {
        let flat = self.settings.friday_flat;
        flat.map_or(Ok(()), |from| friday_flat::check(from, now))
    }

    /// The volume with which an entry may be made. It counts as made from then on.
    ///
    /// # Errors
    /// The first rule in the way.
    pub fn admit(
        &mut self,
        entry: &Entry<'_>,
        open: &[Open],
        specs: &BTreeMap<Symbol, SymbolSpec>,
    ) -> Result<Lots, RiskRefused> {
        let admitted = self.judge(entry, open, specs).and_then(|lots| {
            self.memory.trades = self.memory.trades.saturating_add(1);
            if self.keep() {
                return Ok(lots);
            }
            self.memory.trades -= 1;
            Err(RiskRefused::StateUnwritable)
        });
        if let Err(refused) = admitted {
            *self.refusals.entry(refused.name()).or_default() += 1;
        }
        admitted
    }

    /// Why what is kept over restarts refuses every entry now: one of [`RiskRefused::OF_STATE`]; none: it
    /// does not.
    #[must_use]
    pub const fn refused_by_state(&self) -> Option<RiskRefused> {
        self.keeper.refuses()
    }

    /// How often each rule refused an entry, by its name.
    #[must_use]
    pub const fn refusals(&self) -> &BTreeMap<&'static str, u64> {
        &self.refusals
    }

    /// What may be lost if all stops of what is open were hit, as a share of equity; none: it is not
    /// known.
    #[must_use]
    pub fn open_risk(&self, open: &[Open], specs: &BTreeMap<Symbol, SymbolSpec>) -> Option<f64> {
        let facts = self.facts(open, specs).ok()?;
        open_risk::share(&facts, &self.settings.sizing).ok()
    }

    /// What of that `max_open_risk_percent` allows, as a share of equity; none: any.
    #[must_use]
    pub fn open_risk_limit(&self) -> Option<f64> {
        let total = self.settings.open_risk.total;
        total.map(|percent| percent.get() / 100.0)
    }

    /// What is left of each limit of losses.
    #[must_use]
    pub fn headroom(&self) -> Vec<Headroom> {
        let meter = self.watch.meter();
        let state = meter.state();
        state.map_or_else(Vec::new, |state| state.headroom(&meter.settings()))
    }

    fn facts<'a>(
        &self,
        open: &'a [Open],
        specs: &'a BTreeMap<Symbol, SymbolSpec>,
    ) -> Result<Facts<'a>, RiskRefused> {
        let now = self.now.ok_or(RiskRefused::AccountUnknown)?;
        let is_fresh = |account: &Account| {
            let told = account.as_of.broker;
            told.is_some_and(|told| now.0 - told.0 <= FRESH_MS)
        };
        Ok(Facts {
            time: now,
            utc: self.utc_ahead_ms.map(|ahead| UtcTime(now.0 + ahead)),
            account: self.account.filter(is_fresh),
            open,
            specs,
        })
    }

    fn judge(
        &self,
        entry: &Entry<'_>,
        open: &[Open],
        specs: &BTreeMap<Symbol, SymbolSpec>,
    ) -> Result<Lots, RiskRefused> {
        let facts = &self.facts(open, specs)?;
        self.judge_time(entry, facts)?;
        let rules = &self.settings;
        spread::check(rules.max_spread_points, entry)?;
        rules.stop_distance.check(entry)?;
        let lots = rules.sizing.lots(entry, facts)?;
        rules.holdings.check(entry, lots, facts)?;
        rules.open_risk.check(entry, lots, facts, &rules.sizing)?;
        if let Some(margin_use) = rules.margin_use {
            margin_use.check(entry, lots, facts)?;
        }
        Ok(lots)
    }

    /// The rules that ask what happened and what time it is.
    fn judge_time(&self, entry: &Entry<'_>, facts: &Facts<'_>) -> Result<(), RiskRefused> {
        if let Some(refused) = self.keeper.refuses() {
            return Err(refused);
        }
        let rules = &self.settings;
        self.watch.check(facts.account.is_some())?;
        self.check_week(facts.time)?;
        if let Some(sessions) = &rules.sessions {
            sessions.check(facts.time)?;
        }
        if let Some(news) = &rules.news {
            news.check(entry, facts)?;
        }
        if let Some(cooldown) = rules.cooldown {
            cooldown.check(&self.memory, facts.time)?;
        }
        day::check_trades(rules.max_trades_per_day, &self.memory)?;
        day::check_errors(rules.max_errors, &self.memory)
    }

    /// Keeps what must outlive the process; false: it is not kept.
    fn keep(&mut self) -> bool {
        let Keeper::File(path, kept) = &mut self.keeper else {
            return true;
        };
        self.memory.losses = self.watch.meter().state().cloned();
        self.memory.spared = self.watch.spared();
        self.memory.balance = self.watch.balance();
        let drawdown = self.settings.losses.drawdown;
        let trails = drawdown.is_some_and(|limit| limit.kind == DrawdownKind::Trailing);
        let is_kept = |kept: &Memory| !self.memory.differs(kept, trails);
        if kept.as_deref().is_some_and(is_kept) {
            return true;
        }
        let written = self.memory.write(path);
        if let Err(error) = &written
            && kept.is_some()
        {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "entries are refused until it can be written");
        }
        *kept = written.is_ok().then(|| Box::new(self.memory.clone()));
        kept.is_some()
    }
}

/// The limits of losses, as they go on from what is remembered.
fn watch(settings: LossSettings, memory: &Memory) -> LossWatch {
    let meter = LossMeter::resume(settings, memory.losses.clone());
    LossWatch::new(meter, memory.spared, memory.balance)
}
