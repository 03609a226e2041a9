//! The live trader over past ticks: the same loop, the gateway's own orders core and a simulated
//! account, in one thread and without a file. Ids, limits, refusals and states are so those of the
//! live pair, and the same ticks always give the same result.
//!
//! # The way of a tick
//! `open` (unpacks a file) -> `rows` (its ticks, or those that its bars had) -> [`Ticks`] (files, merged
//! by time) -> `desk` (orders on their way arrive, and the trader goes on with what they led to; then
//! the account moves: levels, swaps) -> [`Trader`] -> its intent -> `desk` (the orders core, the
//! simulated server) -> its events -> the trader, until nothing is left to do. Then the next tick.
//!
//! What is told in the end: [`Outcome`], and with its trades of `trades`, its curve of `equity` and the
//! `prices` they were traded at the record of a report; where it is asked for, the [`Ledger`] of all
//! orders and deals.

mod conditions;
mod contracts;
mod desk;
mod equity;
mod errors;
mod ledger;
mod open;
mod outcome;
mod prices;
mod rows;
mod ticks;
mod trades;

pub use conditions::Conditions;
pub use contracts::Contracts;
pub use errors::TickError;
pub use ledger::Ledger;
pub use outcome::{Outcome, UNLIMITED};
pub use rows::Kind;
pub use ticks::{Span, Ticks};

use crate::{
    report::Record,
    risk::{Risk, RiskSettings},
    strategy::StrategySettings,
    trader::{Event, RATES_MS, Step, Trader},
};
use desk::Desk;
use equity::Equity;
use mymt5_model::{BrokerTime, RequestId, SymbolSpec, Tick};
use mymt5_simulator::SetupError;
use prices::Prices;
use std::collections::VecDeque;

/// A backtest under way.
pub struct Backtest {
    trader: Trader,
    desk: Desk,
    equity: Equity,
    prices: Prices,
    first: Option<BrokerTime>,
    ticks: u64,
    rates: Option<BrokerTime>,
    currency: String,
    currency_digits: u8,
}

impl Backtest {
    /// An account under these conditions, in which these strategies trade.
    ///
    /// # Errors
    /// Conditions or symbols that make no account.
    pub fn new(
        conditions: &Conditions,
        specs: Vec<SymbolSpec>,
        strategies: Vec<StrategySettings>,
        risk: RiskSettings,
    ) -> Result<Self, SetupError> {
        let desk = Desk::open(conditions, specs)?;
        let mut ids = 0;
        let new_id = Box::new(move || {
            ids += 1;
            RequestId::of_number(ids)
        });
        let mut trader = Trader::new(strategies, Risk::new(risk), new_id);
        trader.on_snapshot(desk.snapshot());
        Ok(Self {
            trader,
            equity: Equity::new(desk.balance()),
            desk,
            prices: Prices::default(),
            first: None,
            ticks: 0,
            rates: None,
            currency: conditions.account.currency.clone(),
            currency_digits: conditions.account.currency_digits,
        })
    }

    /// From now on each order and each deal is kept: [`Outcome::ledger`].
    pub fn keep_ledger(&mut self) {
        self.desk.keep_ledger();
    }

    /// Moves on to a tick, and does all that follows.
    pub fn on_tick(&mut self, tick: &Tick) {
        self.first.get_or_insert(tick.time);
        self.ticks += 1;
        // What follows from an answer does not wait for the next tick.
        while self.desk.deliver_next(tick.time) {
            self.follow(Step::default());
        }
        self.desk.on_tick(tick);
        self.value(tick);
        self.follow(Step::default());
        let account = self.desk.account();
        self.trader.on_event(&Event::Account(Some(account)));
        let step = self.trader.on_tick(tick);
        self.follow(step);
        let balance = self.desk.balance();
        self.equity.take(tick.time, balance, self.desk.equity());
        self.prices.take(tick);
    }

    /// Learns now and then what a tick is worth.
    fn value(&mut self, tick: &Tick) {
        let known = self.rates.is_some_and(|at| tick.time.0 - at.0 < RATES_MS);
        if known && !self.trader.lacks_rates() {
            return;
        }
        self.rates = Some(tick.time);
        self.trader.specify(self.desk.value());
    }

    /// Does what a step wants done, and all that follows from it.
    fn follow(&mut self, step: Step) {
        let mut intents = VecDeque::from(step.intents);
        loop {
            let step = if let Some(intent) = intents.pop_front() {
                match self.desk.take(&intent) {
                    Ok(()) => continue,
                    Err(reason) => self.trader.on_refused(intent.request_id(), reason),
                }
            } else if let Some((request_id, done)) = self.desk.next_change() {
                self.trader.on_changed(&request_id, done)
            } else if let Some(event) = self.desk.next_event() {
                self.trader.on_event(&event)
            } else {
                return;
            };
            intents.extend(step.intents);
        }
    }

    /// Closes what is open at the last prices, and tells how it went: its figures, and what a report
    /// tells of it, without title and settings.
    #[must_use]
    pub fn finish(mut self) -> (Outcome, Record) {
        self.desk.close_all();
        while let Some(event) = self.desk.next_event() {
            self.trader.on_event(&event);
        }
        let last = self.desk.time();
        let balance = self.desk.balance();
        if let Some(time) = last {
            self.equity.end(time, balance, self.desk.equity());
        }
        let span = self.first.zip(last);
        let mut book = self.desk.into_book();
        for (reason, count) in self.trader.refusals() {
            *book.refused.entry((*reason).to_owned()).or_default() += count;
        }
        let ledger = book.ledger.take();
        let outcome = Outcome {
            ledger,
            ..Outcome::of(&book, &self.equity, self.ticks, span)
        };
        let record = Record {
            currency: self.currency,
            currency_digits: self.currency_digits,
            prices: self.prices.into_record(),
            ..outcome::record(book, self.equity)
        };
        (outcome, record)
    }
}
