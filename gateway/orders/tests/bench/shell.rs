//! A core with its journal: steps are committed by hand, and what is not committed dies with it.

use super::Disk;
use mymt5_model::{BrokerTime, Symbol, SymbolSpec, Tick, UtcTime};
use mymt5_orders::{
    Answer, Asker, Config, Core, Input, Market, Notice, Now, Outbox, Outgoing, Quote, Record,
    Recorded,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Quotes and specifications.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    pub specs: BTreeMap<Symbol, Arc<SymbolSpec>>,
    pub ticks: BTreeMap<Symbol, (Arc<Tick>, i64)>,
    pub now_ms: i64,
}

impl Prices {
    pub fn tick(&mut self, tick: Tick) {
        let symbol = tick.symbol.clone();
        self.ticks.insert(symbol, (Arc::new(tick), self.now_ms));
    }
}

impl Market for Prices {
    fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        let (tick, at) = self.ticks.get(symbol)?;
        Some(Quote {
            tick: tick.clone(),
            age_ms: self.now_ms - at,
        })
    }

    fn spec(&self, symbol: &Symbol) -> Option<Arc<SymbolSpec>> {
        self.specs.get(symbol).cloned()
    }
}

/// Where both clocks begin.
pub const START: Now = Now {
    utc: UtcTime(1_782_000_000_000),
    elapsed_ms: 0,
};

/// Raw broker time at the start: three hours ahead of UTC.
pub const BROKER_START: BrokerTime = BrokerTime(START.utc.0 + 3 * 3_600_000);

/// A core, its journal, and what is on the way between them.
pub struct Shell {
    pub core: Core,
    pub disk: Disk,
    pub config: Config,
    pub now: Now,
    pub prices: Prices,
    pending: VecDeque<Outbox>,
    committed: u64,
    /// What was told: durable events, in their order.
    pub events: Vec<Arc<Recorded>>,
    /// Answers that were given.
    pub answers: Vec<(Asker, Answer)>,
    /// Requests that left and were not taken from here yet.
    pub sent: Vec<Outgoing>,
    /// Notices that were not taken from here yet.
    pub notices: Vec<Notice>,
    /// Refusals, as soon as they were decided.
    pub refused: Vec<(Asker, mymt5_model::Refusal)>,
    /// The newest answer to a check, as soon as it was decided.
    pub checked: Option<Answer>,
    pub steps: u64,
}

impl Shell {
    pub fn start(config: Config, disk: Disk, now: Now, prices: Prices) -> Self {
        let core = Core::new(config.clone(), disk.load(now.utc), now);
        let mut shell = Self {
            core,
            disk,
            config,
            now,
            prices,
            pending: VecDeque::new(),
            committed: 0,
            events: Vec::new(),
            answers: Vec::new(),
            sent: Vec::new(),
            notices: Vec::new(),
            refused: Vec::new(),
            checked: None,
            steps: 0,
        };
        shell.take();
        shell
    }

    /// One step; nothing of it is durable yet.
    pub fn step(&mut self, input: Input) {
        self.steps += 1;
        self.prices.now_ms = self.now.elapsed_ms;
        let wanted = self.core.wanted(&input);
        let found = if wanted.is_empty() {
            mymt5_orders::Found::default()
        } else {
            self.disk.find(&wanted)
        };
        self.core.step(self.now, input, found, &self.prices);
        self.take();
    }

    fn take(&mut self) {
        let mut outbox = self.core.take_outbox();
        self.sent.append(&mut outbox.sends);
        self.notices.append(&mut outbox.notices);
        for (asker, answer) in &outbox.answers {
            match answer {
                Answer::Refused(refusal) => self.refused.push((*asker, refusal.clone())),
                Answer::Check(_) => self.checked = Some(answer.clone()),
                _ => {}
            }
        }
        if !outbox.is_empty() {
            self.pending.push_back(outbox);
        }
    }

    /// How many steps wait to be committed.
    pub fn uncommitted(&self) -> usize {
        self.pending.len()
    }

    /// Commits so many of them as one batch, tells what came with them, and says so to the core.
    pub fn commit(&mut self, steps: usize) {
        let batch: Vec<Outbox> = self
            .pending
            .drain(..steps.min(self.pending.len()))
            .collect();
        let mut records = 0;
        for outbox in &batch {
            self.disk.commit(&outbox.records);
            records += outbox.records.len() as u64;
        }
        self.committed += records;
        for outbox in batch {
            for record in outbox.records {
                if let Record::Event(event) = record {
                    self.events.push(event);
                }
            }
            self.answers.extend(outbox.answers);
        }
        if records > 0 {
            self.step(Input::Durable(self.committed));
        }
    }

    /// The process dies in the middle of a commit: the batch is durable, and nobody is told.
    pub fn commit_and_die(&mut self, steps: usize) {
        let steps = steps.min(self.pending.len());
        for outbox in self.pending.drain(..steps) {
            self.disk.commit(&outbox.records);
        }
        self.crash();
    }

    /// Commits until nothing is left.
    pub fn settle(&mut self) {
        while !self.pending.is_empty() {
            self.commit(usize::MAX);
        }
    }

    /// A step, and all of it durable.
    pub fn feed(&mut self, input: Input) {
        self.step(input);
        self.settle();
    }

    /// The process dies: what was not committed is gone, and another one starts.
    pub fn crash(&mut self) {
        self.pending.clear();
        self.restart();
    }

    /// Another process starts with what is durable.
    pub fn restart(&mut self) {
        self.pending.clear();
        self.sent.clear();
        self.committed = 0;
        // Another process has another clock that never goes back.
        self.now.elapsed_ms += 1_000_000_000;
        self.prices.now_ms = self.now.elapsed_ms;
        let loaded = self.disk.load(self.now.utc);
        self.core = Core::new(self.config.clone(), loaded, self.now);
        self.take();
    }

    /// Time passes on both clocks.
    pub fn pass(&mut self, ms: i64) {
        self.now.utc.0 += ms;
        self.now.elapsed_ms += ms;
    }
}
