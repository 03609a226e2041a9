//! What was lost, for the account and for each client whose losses are limited. Credit is left out:
//! it is not the account's own. A client's figures are the account's balance when it was first
//! measured, moved by its own results alone.

use crate::{LossRow, OwnedDeal, Record, ledger::Ledger, outbox::Out, records::Scope};
use mymt5_guard::{Breach, Fact, LimitAction, LossMeter, LossSettings};
use mymt5_model::{AccountRow, BrokerTime, ClientName, DealKind, DealRow, Money, Refusal};
use std::collections::BTreeMap;

/// Between two records of a state that moved a little, milliseconds.
const RECORD_EVERY_MS: i64 = 10_000;
/// A measurement older than this says nothing of now, milliseconds.
const MEASURED_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
/// How many hours of results are kept, for a day's reset that was missed.
const KEPT_HOURS: i64 = 48;
/// So far back from the newest deal a start needs them all.
pub const DAYS_RESULTS_MS: i64 = KEPT_HOURS * HOUR_MS;

#[derive(Debug)]
struct Meter {
    meter: LossMeter,
    /// The account's balance when the scope was first measured.
    first: Option<Money>,
    /// Results of the scope's own deals since.
    realised: Money,
    measured: Option<i64>,
    recorded: Option<(i64, LossRow)>,
}

/// A reading of the account that waits for its deals.
#[derive(Clone, Copy, Debug)]
struct Reading {
    time: BrokerTime,
    balance: Money,
    /// Without credit.
    equity: Money,
}

/// Results by the hour of the broker's clock and by whose they are, for the day's base.
type Results = BTreeMap<(i64, Option<ClientName>), Money>;

/// The meters, and the ledger they are read by.
#[derive(Debug)]
pub(crate) struct Losses {
    ledger: Ledger,
    meters: BTreeMap<Scope, Meter>,
    reading: Option<Reading>,
    recent: Results,
}

impl Meter {
    fn new(settings: LossSettings, kept: Option<LossRow>) -> Self {
        let state = kept.as_ref().and_then(|row| row.state.clone());
        Self {
            meter: LossMeter::resume(settings, state),
            first: kept.as_ref().and_then(|row| row.first_balance),
            realised: kept.as_ref().map_or(Money::ZERO, |row| row.realised),
            measured: None,
            recorded: kept.map(|row| (i64::MIN / 2, row)),
        }
    }

    fn row(&self, scope: &Scope) -> LossRow {
        LossRow {
            client: scope.clone(),
            state: self.meter.state().cloned(),
            first_balance: self.first,
            realised: self.realised,
        }
    }

    /// Records it at once after anything but a small move.
    fn record(&mut self, scope: &Scope, out: &mut Out) {
        let row = self.row(scope);
        let now = out.now.elapsed_ms;
        let marks = |row: &LossRow| {
            let flags = |state: &mymt5_guard::LossState| {
                (
                    state.day,
                    state.base,
                    state.start,
                    state.daily_reached,
                    state.drawdown_latched,
                )
            };
            (
                row.first_balance,
                row.realised,
                row.state.as_ref().map(flags),
            )
        };
        let worth = self.recorded.as_ref().is_none_or(|(at, kept)| {
            marks(&row) != marks(kept) || (row != *kept && now - at >= RECORD_EVERY_MS)
        });
        if worth {
            out.record(Record::Losses(row.clone()));
            self.recorded = Some((now, row));
        }
    }
}

impl Losses {
    /// Goes on from what the journal has, as a process that never ended would.
    pub(crate) fn new<'a>(
        account: LossSettings,
        clients: impl Iterator<Item = (&'a ClientName, LossSettings)>,
        kept: Vec<LossRow>,
        recent: &[OwnedDeal],
        ledger: Ledger,
    ) -> Self {
        let kept = kept.into_iter().map(|row| (row.client.clone(), row));
        let mut kept: BTreeMap<Scope, LossRow> = kept.collect();
        let limited = clients.map(|(name, loss)| (Some(name.clone()), loss));
        let limited = limited.filter(|(_, loss)| *loss != LossSettings::default());
        let limited = limited.chain([(None, account)]);
        let limited = limited.map(|(scope, settings)| {
            let row = kept.remove(&scope);
            (scope, Meter::new(settings, row))
        });
        let mut meters: BTreeMap<Scope, Meter> = limited.collect();
        // What is limited no more goes on, too: its limits may come back before the day is over.
        let unlimited = kept.into_iter().map(|(scope, row)| {
            let meter = Meter::new(LossSettings::default(), Some(row));
            (scope, meter)
        });
        meters.extend(unlimited);
        let mut losses = Self {
            ledger,
            meters,
            reading: None,
            recent: Results::new(),
        };
        for owned in recent {
            losses.remember(owned);
        }
        losses
    }

    /// Other limits for a scope; what is latched stays so. Nothing is measured by them yet.
    pub(crate) fn regulate(&mut self, scope: Scope, settings: LossSettings) {
        match self.meters.get_mut(&scope) {
            Some(meter) if meter.meter.settings() != settings => {
                meter.meter = LossMeter::resume(settings, meter.meter.state().cloned());
                meter.measured = None;
            }
            Some(_) => {}
            None if settings != LossSettings::default() => {
                self.meters.insert(scope, Meter::new(settings, None));
            }
            None => {}
        }
    }

    /// A deal that is new: a flow moves the account's levels, a result its owner's balance, in the
    /// same step as the deal is recorded.
    pub(crate) fn add(&mut self, owned: &OwnedDeal, out: &mut Out) {
        let deal = &owned.deal;
        self.remember(owned);
        if !self.ledger.counts(deal) {
            return;
        }
        self.ledger.add(deal, out);
        let account = self.meters.get_mut(&None);
        if let Some(account) = account.filter(|_| is_flow(deal)) {
            account.meter.flow(deal.result());
            account.record(&None, out);
        }
        let own = self.meters.get_mut(&owned.client);
        if let Some(own) = own.filter(|own| owned.client.is_some() && own.first.is_some()) {
            own.realised += deal.result();
            own.record(&owned.client, out);
        }
    }

    fn remember(&mut self, owned: &OwnedDeal) {
        if is_flow(&owned.deal) || owned.deal.kind == DealKind::Credit {
            return;
        }
        let hour = owned.deal.time.0.div_euclid(HOUR_MS);
        let results = self.recent.entry((hour, owned.client.clone()));
        *results.or_insert(Money::ZERO) += owned.deal.result();
        let newest = self.recent.last_key_value();
        let oldest = newest.map_or(hour, |((newest, _), _)| newest - KEPT_HOURS);
        while let Some(first) = self.recent.first_entry()
            && first.key().0 < oldest
        {
            first.remove();
        }
    }

    /// From when on deals count, where the ledger begins with this pass.
    pub(crate) fn begins(
        &mut self,
        account: &AccountRow,
        time: Option<BrokerTime>,
        deals: &[DealRow],
        new: bool,
    ) -> Option<BrokerTime> {
        let empty = self.ledger.is_empty();
        let time = time.filter(|_| empty)?;
        self.ledger.begins((time, account.balance), deals, new)
    }

    /// A complete pass: the balance should be what its deals make of it.
    pub(crate) fn compare(
        &mut self,
        account: &AccountRow,
        begins: Option<BrokerTime>,
        out: &mut Out,
    ) {
        self.ledger
            .compare(account.balance, account.mode, begins, out);
    }

    /// True while another pass may tell what cannot be measured now: the ledger has not begun, though
    /// losses are limited or a reading waits for it, or deals are missing in it. `hidden`: deals cannot
    /// be understood, so that it cannot begin; where nothing is limited that has time.
    pub(crate) fn wants_pass(&self, hidden: bool) -> bool {
        let unlimited = LossSettings::default();
        let mut meters = self.meters.values();
        let limited = meters.any(|meter| meter.meter.settings() != unlimited);
        let waits = limited || (self.reading.is_some() && !hidden);
        (self.ledger.is_empty() && waits) || self.ledger.differs()
    }

    /// Takes a reading of the account, at that time of the broker's clock.
    pub(crate) fn read(&mut self, account: &AccountRow, time: BrokerTime) {
        self.reading = Some(Reading {
            time,
            balance: account.balance,
            equity: account.equity - account.credit,
        });
    }

    /// Measures the last reading, once the deals that it reflects are known. `compared`: the broker's
    /// history is known since the link came up. `floating`: a client's floating figures, none while
    /// its rows and deals are of different moments. Tells what is breached, each breach once.
    pub(crate) fn measure(
        &mut self,
        compared: bool,
        floating: impl Fn(&ClientName) -> Option<Money>,
        out: &mut Out,
    ) -> Vec<(Scope, Breach)> {
        let (Some(reading), Some(newest)) = (self.reading, self.ledger.newest()) else {
            return Vec::new();
        };
        // The balance of a day that began while nobody looked is told by its deals. One that is not
        // known yet may hide behind another of the same result.
        let unseen = |meter: &Meter| meter.meter.missed_reset(reading.time).is_some();
        if !compared && self.meters.values().any(unseen) {
            return Vec::new();
        }
        let Some(moment) = self.ledger.moment(reading.balance, out.now.elapsed_ms) else {
            return Vec::new();
        };
        // Flows that came after the reading have moved the levels already.
        let since = newest.flows - moment.flows;
        let is_newest = moment == newest;
        self.reading = None;
        let mut breached = Vec::new();
        let recent = &self.recent;
        for (scope, meter) in &mut self.meters {
            let own = match scope {
                None => Some((reading.equity + since, reading.balance + since)),
                // A client's results are all counted: only a reading of now has their floating part.
                Some(client) => floating(client).filter(|_| is_newest).map(|floating| {
                    let first = *meter.first.get_or_insert(reading.balance);
                    let balance = first + meter.realised;
                    (balance + floating, balance)
                }),
            };
            let Some((equity, balance)) = own else {
                continue;
            };
            if let Some(reset) = meter.meter.missed_reset(reading.time) {
                // All results since then are known, also those that came after the reading.
                let now = scope.as_ref().map_or(newest.balance, |_| balance);
                let since = realised_since(recent, scope, reset);
                meter.meter.catch_up(reading.time, now - since);
            }
            let breaches = meter.meter.observe(reading.time, equity, balance);
            breached.extend(breaches.into_iter().map(|breach| (scope.clone(), breach)));
            meter.measured = Some(out.now.elapsed_ms);
            meter.record(scope, out);
        }
        breached
    }

    /// The limit that holds a scope's entries back now. A limit that was not measured lately is a
    /// missing fact.
    pub(crate) fn blocks(&self, scope: &Scope, now: i64) -> Option<Refusal> {
        let meter = self.meters.get(scope)?;
        let limited = meter.meter.settings() != LossSettings::default();
        let fresh = meter.measured.is_some_and(|at| now - at <= MEASURED_MS);
        let blocks = meter.meter.blocks();
        blocks.or_else(|| (limited && !fresh).then(|| Fact::Equity.missing()))
    }

    /// True while no limit of losses of the scope is reached.
    pub(crate) fn is_clear(&self, scope: &Scope) -> bool {
        let meter = self.meters.get(scope);
        meter.is_none_or(|meter| {
            let state = meter.meter.state();
            state.is_none_or(|state| !state.daily_reached && !state.drawdown_latched)
        })
    }

    /// The scopes that are measured.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.meters.keys().cloned().collect()
    }

    /// An operator lets a scope trade again: a latched drawdown is measured from now on.
    pub(crate) fn clear(&mut self, scope: &Scope, out: &mut Out) {
        if let Some(meter) = self.meters.get_mut(scope)
            && meter.meter.clear()
        {
            meter.record(scope, out);
        }
    }

    /// What a scope lost and gained: its settings and its state.
    pub(crate) fn of(&self, scope: &Scope) -> Option<(LossSettings, &mymt5_guard::LossState)> {
        let meter = self.meters.get(scope)?;
        Some((meter.meter.settings(), meter.meter.state()?))
    }

    /// The balance by the known deals; none before it was first read.
    pub(crate) fn balance(&self) -> Option<Money> {
        Some(self.ledger.newest()?.balance)
    }

    /// Results kept in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.recent.len() + self.meters.len() + self.ledger.in_memory()
    }
}

/// Money that came in or went out of the balance.
fn is_flow(deal: &DealRow) -> bool {
    deal.kind.is_flow() && deal.kind != DealKind::Credit
}

/// Results of a scope's deals since that time, an hour's beginning.
fn realised_since(recent: &Results, scope: &Scope, since: BrokerTime) -> Money {
    let hours = recent.range((since.0.div_euclid(HOUR_MS), None)..);
    let own = hours.filter(|((_, client), _)| scope.is_none() || client == scope);
    own.map(|(_, amount)| *amount).sum()
}

/// The state that an action of a limit leads to; none: entries are refused and nothing else.
pub(crate) const fn state_after(action: LimitAction) -> Option<mymt5_guard::TradingState> {
    match action {
        LimitAction::Block => None,
        LimitAction::Reduce => Some(mymt5_guard::TradingState::Reducing),
        LimitAction::Halt | LimitAction::Flatten => Some(mymt5_guard::TradingState::Halted),
    }
}
