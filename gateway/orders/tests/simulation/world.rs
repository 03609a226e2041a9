//! One run: clients, a core with its journal, and a broker, all from one seed.

use super::{
    broker::{Broker, Read},
    clients::Clients,
    dice::Dice,
    judge::{Judge, Verdict, ensure},
    temper::{Fault, Faults, Temper},
};
use crate::bench::{
    Disk, Shell,
    rows::name,
    shell::{Prices, START},
};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, Limits, LossSettings,
    Percent, ResetHour, ScopeLimits,
};
use mymt5_model::{AccountMode, ClientName, Lots, Money};
use mymt5_orders::{
    Asker, Config, DeadMan, DeadManAction, Grant, Input, Lookback, Notice, ReconcileConfig,
    RequestKey,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash},
};

/// A caller waits that long.
const PATIENCE_MS: i64 = 1_000;
/// Most that a core may hold in memory, rows and ids.
const MEMORY: usize = 8_000;

/// A reading of the broker under way.
struct Reading {
    done: i64,
    begun: u64,
    lookback: Option<Lookback>,
    /// Rows that were read when it began, and come late.
    stale: Option<Read>,
}

pub struct World {
    pub dice: Dice,
    pub temper: Temper,
    pub broker: Broker,
    pub shell: Shell,
    pub judge: Judge,
    pub names: Vec<ClientName>,
    clients: Clients,
    /// Whom this process does not know: nobody lets them call.
    pub(super) unknown: BTreeSet<ClientName>,
    /// Which process it is.
    pub life: u64,
    pub now_ms: i64,
    second: i64,
    rows: i64,
    reading: Option<Reading>,
    pub(super) outage: Option<i64>,
    /// Until when the account cannot be read.
    pub(super) unreadable: Option<i64>,
    /// When the process ends that is stopping.
    pub(super) stops: Option<i64>,
    pub(super) backup: Option<Disk>,
    waiting: BTreeMap<Asker, i64>,
    /// What two runs of one seed must share, where anybody asks.
    pub digest: Option<DefaultHasher>,
    /// The last steps, where anybody asks.
    pub trail: Option<VecDeque<String>>,
    askers: u64,
    /// Rare things that came up: kinds of notices and obstacles.
    pub marks: BTreeSet<&'static str>,
}

fn amount(dice: &mut Dice, low: i64, high: i64) -> Allowance {
    if dice.below(4) == 0 {
        let share = dice.between(1, 20) as f64;
        return Allowance::Share(Percent::try_from(share).unwrap());
    }
    Allowance::Amount(Money::from_f64(dice.between(low, high) as f64).unwrap())
}

fn losses(dice: &mut Dice) -> LossSettings {
    let actions = [
        LimitAction::Block,
        LimitAction::Reduce,
        LimitAction::Halt,
        LimitAction::Flatten,
    ];
    let daily = (dice.below(2) == 0).then(|| DailyLoss {
        allowance: amount(dice, 50, 3_000),
        base: [BaseKind::Balance, BaseKind::Equity, BaseKind::Greater][dice.below(3) as usize],
        reset_hour: ResetHour::try_from(dice.below(24) as u8).unwrap(),
        action: actions[dice.below(4) as usize],
    });
    let drawdown = (dice.below(3) == 0).then(|| Drawdown {
        allowance: amount(dice, 100, 9_000),
        kind: [DrawdownKind::Static, DrawdownKind::Trailing][dice.below(2) as usize],
        initial_balance: None,
        action: actions[dice.below(4) as usize],
    });
    LossSettings { daily, drawdown }
}

/// What the configuration grants a client, but for what holds throughout a run.
pub(super) fn grant(dice: &mut Dice, limits: &Limits) -> Grant {
    let dead_man = (dice.below(4) == 0).then(|| DeadMan {
        after_ms: 5_000,
        action: [DeadManAction::Reduce, DeadManAction::Cancel][dice.below(2) as usize],
    });
    let loss = losses(dice);
    let limits = Limits {
        max_orders_per_minute: (dice.below(8) == 0).then_some(200),
        max_margin_use: (dice.below(8) == 0).then(|| Percent::try_from(50.0).unwrap()),
        max_spread_points: (dice.below(4) == 0).then_some(30),
        max_price_distance: (dice.below(4) == 0).then(|| Percent::try_from(0.2).unwrap()),
        max_risk_per_trade: (dice.below(16) == 0).then(|| Percent::try_from(5.0).unwrap()),
        ..limits.clone()
    };
    Grant {
        limits,
        loss,
        dead_man,
        max_ids_per_minute: None,
    }
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper::draw(&mut dice, faults);
        let mode = [AccountMode::Netting, AccountMode::Hedging][dice.below(2) as usize];
        let symbols: &[&str] = match dice.below(3) {
            0 => &["EURUSD"],
            1 => &["EURUSD", "GBPUSD"],
            _ => &["AUDUSD", "EURUSD", "GBPUSD"],
        };
        let clients = ["alpha", "beta", "gamma", "delta"];
        let clients = &clients[..1 + dice.below(4) as usize];
        let names: Vec<ClientName> = clients.iter().map(|client| name(client)).collect();
        let max_lots = (dice.below(2) == 0).then(|| Lots::from_f64(0.5).unwrap());
        let max_positions = (dice.below(3) == 0).then_some(6);
        let limits = Limits {
            max_lots_total: max_lots,
            max_open_positions: max_positions,
            ..Limits::default()
        };
        let grants = names.iter().cloned();
        let grants = grants.map(|name| (name, grant(&mut dice, &limits)));
        let grants: BTreeMap<ClientName, Grant> = grants.collect();
        let config = Config {
            grants,
            account: ScopeLimits {
                entry: Limits::default(),
                loss: losses(&mut dice),
            },
            reconcile: ReconcileConfig::default(),
            max_in_flight: 1 + dice.below(4) as usize,
            max_quote_age_ms: 60_000,
        };
        let broker = Broker::new(mode, symbols, &temper, &mut dice);
        let all: Vec<&str> = clients.iter().copied().chain(["local"]).collect();
        let prices = Prices {
            specs: broker.specs.clone(),
            ..Prices::default()
        };
        let shell = Shell::start(config, Disk::new(&all), START, prices);
        let judge = Judge::new(max_lots, max_positions);
        Self {
            names,
            clients: Clients::default(),
            judge,
            dice,
            temper,
            broker,
            shell,
            unknown: BTreeSet::new(),
            life: 0,
            now_ms: 0,
            second: 0,
            rows: 0,
            reading: None,
            outage: Some(0),
            unreadable: None,
            stops: None,
            backup: None,
            waiting: BTreeMap::new(),
            digest: None,
            trail: None,
            askers: 0,
            marks: BTreeSet::new(),
        }
    }

    /// One step of the core, and everything that follows from it, judged.
    pub fn step(&mut self, input: Input) -> Verdict {
        if let Some(digest) = &mut self.digest {
            format!("{input:?}").hash(digest);
        }
        if let Some(trail) = &mut self.trail {
            trail.push_back(format!("{} {input:?}", self.now_ms));
            if trail.len() > 200 {
                trail.pop_front();
            }
        }
        self.shell.step(input);
        let dies = self.temper.strikes(Fault::Crashes, 1, &mut self.dice);
        if dies {
            return self.crash();
        }
        self.follow()
    }

    pub(super) fn follow(&mut self) -> Verdict {
        for outgoing in std::mem::take(&mut self.shell.sent) {
            self.judge.leaves(&outgoing, &self.shell)?;
            let (temper, dice) = (&self.temper, &mut self.dice);
            self.broker.send(self.life, outgoing, temper, dice);
        }
        let (flying, most) = (
            self.broker.in_flight(self.life),
            self.shell.config.max_in_flight,
        );
        ensure!(
            flying <= most,
            "{flying} requests at a time, {most} allowed"
        );
        self.judge.look(&mut self.shell, &self.broker)?;
        for notice in std::mem::take(&mut self.shell.notices) {
            self.marks.insert(notice.kind());
            self.is_possible(&notice)?;
        }
        let judge = &self.judge;
        self.waiting.retain(|asker, _| judge.is_waiting(*asker));
        Ok(())
    }

    /// Some notices tell of what must never be.
    fn is_possible(&self, notice: &Notice) -> Verdict {
        let broken = match notice {
            Notice::TransitionRefused { .. } | Notice::Overfilled(_) | Notice::NotGranted(_) => {
                true
            }
            Notice::BalanceUnexplained(_) => !self.broker.has_archived(),
            _ => false,
        };
        ensure!(!broken, "noticed: {notice}");
        Ok(())
    }

    fn commit(&mut self) -> Verdict {
        let waiting = self.shell.uncommitted();
        if waiting == 0 || self.temper.strikes(Fault::SlowDisk, 2_000, &mut self.dice) {
            return Ok(());
        }
        let part = 1 + self.dice.below(waiting as u64) as usize;
        if self.temper.strikes(Fault::Crashes, 4, &mut self.dice) {
            return self.crash_committing(part);
        }
        self.shell.commit(part);
        self.follow()?;
        self.quiet()
    }

    /// Once everything is durable, what is measured must be true.
    fn quiet(&mut self) -> Verdict {
        if self.shell.uncommitted() > 0 {
            return Ok(());
        }
        self.judge.measures(&self.shell, &self.broker)
    }

    /// Somebody asks.
    pub fn ask(&mut self, asker: Asker, key: RequestKey, input: Input) -> Verdict {
        self.ask_for(asker, key, false, input)
    }

    /// Somebody asks, maybe for a cancellation.
    pub fn ask_for(
        &mut self,
        asker: Asker,
        key: RequestKey,
        cancels: bool,
        input: Input,
    ) -> Verdict {
        self.judge.asks(asker, key);
        if cancels {
            self.judge.asks_to_cancel(asker);
        }
        self.waiting.insert(asker, self.now_ms + PATIENCE_MS);
        self.step(input)
    }

    /// The first start is a calm one: the account is compared once.
    pub fn begin(&mut self) -> Verdict {
        self.temper.angry = false;
        self.rest(15_000)?;
        self.temper.angry = true;
        Ok(())
    }

    /// A little time passes, and whatever is due happens.
    pub fn turn(&mut self) -> Verdict {
        let ms = self.dice.between(5, 60);
        self.pass(ms);
        self.market();
        self.broker_works()?;
        self.commit()?;
        self.read()?;
        self.second()?;
        self.give_up()?;
        if self.temper.angry {
            self.with_clients(Clients::act)?;
            if self.dice.below(1_000) < 8 {
                self.with_clients(Clients::operate)?;
            }
            self.faults()?;
        }
        self.commit()?;
        let memory = self.shell.core.in_memory();
        ensure!(memory < MEMORY, "{memory} rows and ids in memory");
        Ok(())
    }

    /// Nobody repeats what that journal does not know.
    pub(super) fn forget_calls(&mut self, disk: &Disk) {
        self.clients.forget(disk);
    }

    /// Callers act in this world.
    pub fn with_clients(
        &mut self,
        act: impl FnOnce(&mut Clients, &mut Self) -> Verdict,
    ) -> Verdict {
        let mut clients = std::mem::take(&mut self.clients);
        let acted = act(&mut clients, self);
        self.clients = clients;
        acted
    }

    fn second(&mut self) -> Verdict {
        if self.now_ms - self.second < 1_000 {
            return Ok(());
        }
        self.second = self.now_ms;
        self.step(Input::Second)?;
        let obstacles = self.shell.core.obstacles().into_iter();
        self.marks
            .extend(obstacles.map(|obstacle| obstacle.kind.name()));
        if !self.temper.angry {
            for name in self.names.clone() {
                Clients::beat(self, &name)?;
            }
        }
        if self.unreadable.is_some_and(|until| until <= self.now_ms) {
            self.unreadable = None;
            self.step(Input::Unreadable(false))?;
        }
        Ok(())
    }

    fn give_up(&mut self) -> Verdict {
        let over = self.waiting.iter();
        let over = over.filter(|(_, until)| **until <= self.now_ms);
        let over: Vec<Asker> = over.map(|(asker, _)| *asker).collect();
        for asker in over {
            self.waiting.remove(&asker);
            self.step(Input::GiveUp(asker))?;
        }
        Ok(())
    }

    pub fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.broker.now_ms = self.now_ms;
        self.shell.pass(ms);
    }

    /// Much time passes at once; the broker's clock is that of its next tick. What was being read was
    /// given up meanwhile.
    pub fn jump(&mut self, ms: i64) {
        self.reading = None;
        self.pass(ms);
        self.tick_all(0);
    }

    pub(super) fn tick_all(&mut self, points: i64) {
        let symbols: Vec<_> = self.broker.specs.keys().cloned().collect();
        for symbol in symbols {
            let tick = self.broker.tick(&symbol, points);
            self.shell.prices.now_ms = self.shell.now.elapsed_ms;
            self.shell.prices.tick(tick);
        }
    }

    fn market(&mut self) {
        if self.broker.opens() {
            let gap = self.dice.between(-300, 300);
            self.tick_all(gap);
        }
        if self.broker.is_closed() {
            return;
        }
        if self.temper.strikes(Fault::Gaps, 5, &mut self.dice) {
            let points = self.dice.between(-4_000, 4_000);
            self.tick_all(points);
        }
        if self.dice.below(3) > 0 {
            let symbols: Vec<_> = self.broker.specs.keys().cloned().collect();
            let symbol = self.dice.one_of(&symbols).unwrap().clone();
            let points = self.dice.between(-8, 8);
            let tick = self.broker.tick(&symbol, points);
            self.shell.prices.now_ms = self.shell.now.elapsed_ms;
            self.shell.prices.tick(tick);
        }
    }

    fn broker_works(&mut self) -> Verdict {
        let answered = self.broker.work(&self.temper, &mut self.dice);
        for execution in std::mem::take(&mut self.broker.executed) {
            self.judge.executes(&execution, &self.shell, &self.broker)?;
        }
        for answer in answered {
            if answer.life == self.life {
                self.step(Input::Answered {
                    job: answer.job,
                    outcome: answer.outcome,
                    late: answer.late,
                })?;
            }
        }
        let quick = !self.temper.has(Fault::DealsLag) && self.outage.is_none();
        if !quick {
            self.broker.pushes.clear();
        } else if self.dice.below(2) == 0 {
            for deal in std::mem::take(&mut self.broker.pushes) {
                self.step(Input::Deal(deal.clone()))?;
                if self.temper.strikes(Fault::Repeats, 500, &mut self.dice) {
                    self.step(Input::Deal(deal))?;
                }
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Verdict {
        if let Some(until) = self.outage {
            self.reading = None;
            if until <= self.now_ms {
                self.outage = None;
                if self
                    .temper
                    .strikes(Fault::HistoryLate, 2_000, &mut self.dice)
                {
                    let ms = self.dice.between(500, 25_000);
                    self.broker.load_history(ms, &mut self.dice);
                }
                self.step(Input::Link(true))?;
            }
            return Ok(());
        }
        if let Some(reading) = self.reading.take_if(|reading| reading.done <= self.now_ms) {
            return self.take_reading(reading);
        }
        let pass = self.shell.core.wants_pass();
        if self.reading.is_none() && (pass || self.now_ms - self.rows >= 1_000) {
            self.rows = self.now_ms;
            let begun = self.shell.core.news();
            let stale = self.temper.strikes(Fault::Stale, 2_000, &mut self.dice);
            let (temper, dice) = (&self.temper, &mut self.dice);
            let stale = stale.then(|| self.broker.snapshot(begun, temper, dice));
            let takes = if stale.is_some() { 2_000 } else { 200 };
            self.reading = Some(Reading {
                done: self.now_ms + self.dice.between(1, takes),
                begun,
                lookback: pass.then(|| self.shell.core.lookback()),
                stale,
            });
        }
        Ok(())
    }

    fn take_reading(&mut self, reading: Reading) -> Verdict {
        let (temper, dice) = (&self.temper, &mut self.dice);
        let (snapshot, worth) = match reading.stale {
            Some(stale) => stale,
            None => self.broker.snapshot(reading.begun, temper, dice),
        };
        self.judge.reads(worth);
        let input = match reading.lookback {
            None => Input::Rows(snapshot),
            Some(lookback) => {
                let window = lookback.window(snapshot.time);
                let history = self.broker.history(window, temper, dice);
                Input::Pass(snapshot, history)
            }
        };
        self.step(input)
    }

    /// A complete pass that tells the truth.
    pub fn compare(&mut self) -> Verdict {
        let lookback = Some(self.shell.core.lookback());
        let reading = Reading {
            done: self.now_ms,
            begun: self.shell.core.news(),
            lookback,
            stale: None,
        };
        self.take_reading(reading)
    }

    /// Time passes in which nobody does anything.
    pub fn rest(&mut self, ms: i64) -> Verdict {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.pass(1_500);
            self.turn()?;
        }
        self.commit_all()
    }

    pub fn commit_all(&mut self) -> Verdict {
        while self.shell.uncommitted() > 0 {
            self.shell.commit(usize::MAX);
            self.follow()?;
        }
        self.quiet()
    }

    /// Nobody waits any more, and what was being read is forgotten.
    pub(super) fn forget_process(&mut self) {
        self.life += 1;
        let grants = &self.shell.config.grants;
        let gone = self.names.iter().filter(|name| !grants.contains_key(*name));
        self.unknown = gone.cloned().collect();
        self.judge.life = self.life;
        self.waiting.clear();
        self.reading = None;
        self.unreadable = None;
        self.stops = None;
    }

    /// What was going on, for the reader of a failure.
    pub fn scenery(&self) -> String {
        use std::fmt::Write;
        let trail = self.trail.iter().flatten();
        let mut text: String = trail.map(|step| format!("{step}\n")).collect();
        writeln!(text, "at {} ms, life {}", self.now_ms, self.life).unwrap();
        let core = &self.shell.core;
        for (at, deal) in self.broker.deals.values() {
            if !self.shell.disk.deals.contains_key(&deal.ticket) {
                writeln!(text, "not known: {at} {deal:?}").unwrap();
            }
        }
        for obstacle in core.obstacles() {
            writeln!(text, "{obstacle:?}").unwrap();
        }
        for order in core.open_orders() {
            writeln!(text, "{order:?}").unwrap();
        }
        for held in core.book().positions() {
            writeln!(text, "{held:?}").unwrap();
        }
        writeln!(text, "{:?}", core.lookback()).unwrap();
        writeln!(text, "{:?}", self.shell.disk.ledger).unwrap();
        writeln!(text, "{:?}", self.broker.account()).unwrap();
        text
    }

    /// A number for somebody who asks.
    pub fn asker(&mut self) -> Asker {
        self.askers += 1;
        Asker(self.askers)
    }
}
