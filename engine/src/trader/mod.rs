//! The one loop: event -> strategy -> risk -> intent. Synchronous, and the same wherever events
//! come from and intents go to.

mod carer;
mod caring;
mod entry;
mod feed;
mod figures;
mod in_flight;
mod intent;
mod next;
mod replaced;
mod runner;
mod sent;
mod turn;
mod unseen;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::{
    portfolio::{Event, Held, OrderUpdate, Scope, Snapshot, WorkingOrder},
    risk::Account,
};
pub use feed::WarmUp;
pub use figures::Figures;
pub use intent::{Cancel, Close, Intent, Move, Outcome, Settled, Submit};
pub use sent::Sent;

use crate::{
    bars::{History, Timeframe},
    intents::{IntentError, Record},
    portfolio::Portfolio,
    risk::{BalanceGap, Open, Risk},
    strategy::StrategySettings,
};
use entry::World;
use in_flight::{Moved, What};
use mymt5_model::{AccountId, Lots, Money, OrderState, PositionId, RequestId, Symbol, SymbolSpec};
use runner::StrategyRunner;
use std::collections::{BTreeMap, BTreeSet};

/// Between two readings of what a tick is worth, milliseconds of the broker's clock: in a backtest,
/// and by a feed that waits, where a day may pass within seconds.
pub(crate) const RATES_MS: i64 = 3_600_000;

/// Makes request ids, none of them twice.
pub type NewId = Box<dyn FnMut() -> RequestId + Send>;

/// What a step led to.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// An intent that ended.
    pub settled: Option<Settled>,
    /// Intents to record and send: at most one of each strategy.
    pub intents: Vec<Intent>,
}

/// The trader.
pub struct Trader {
    runners: Vec<StrategyRunner>,
    /// Which of them trade a symbol.
    of_symbol: BTreeMap<Symbol, Vec<usize>>,
    specs: BTreeMap<Symbol, SymbolSpec>,
    portfolio: Portfolio,
    risk: Risk,
    new_id: NewId,
    /// Symbols of positions that no strategy owns, as told in the log.
    unattended: BTreeSet<Symbol>,
}

impl Trader {
    /// A trader without any knowledge of the market yet.
    #[must_use]
    pub fn new(strategies: Vec<StrategySettings>, risk: Risk, new_id: NewId) -> Self {
        let mut of_symbol: BTreeMap<Symbol, Vec<usize>> = BTreeMap::new();
        for (at, settings) in strategies.iter().enumerate() {
            let same = of_symbol.entry(settings.symbol.clone()).or_default();
            same.push(at);
        }
        let all: Vec<String> = strategies.iter().map(|one| one.name.clone()).collect();
        let new = |(at, settings): (usize, StrategySettings)| {
            let same = &of_symbol[&settings.symbol];
            let shares = same.len() > 1;
            let is_first = shares && same.first() == Some(&at);
            let names = is_first.then(|| same.iter().map(|at| all[*at].clone()).collect());
            let symbols = (at == 0).then(|| of_symbol.keys().cloned().collect());
            StrategyRunner::new(settings, shares, names, symbols)
        };
        Self {
            runners: strategies.into_iter().enumerate().map(new).collect(),
            of_symbol,
            specs: BTreeMap::new(),
            portfolio: Portfolio::default(),
            risk,
            new_id,
            unattended: BTreeSet::new(),
        }
    }

    /// What it trades.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        self.of_symbol.keys().cloned().collect()
    }

    /// A symbol that several strategies share on an account that nets: none of them may enter there.
    #[must_use]
    pub fn shared_symbol(&self) -> Option<&Symbol> {
        let nets = self.portfolio.nets();
        let shared = self.runners.iter().find(|runner| nets && runner.shares());
        shared.map(|runner| &runner.settings().symbol)
    }

    /// Takes the specifications; those of other symbols do not matter.
    pub fn specify(&mut self, specs: Vec<SymbolSpec>) {
        let ours = specs
            .into_iter()
            .filter(|spec| self.of_symbol.contains_key(&spec.symbol));
        self.specs = ours.map(|spec| (spec.symbol.clone(), spec)).collect();
    }

    /// The specification of a symbol it trades.
    #[must_use]
    pub fn spec(&self, symbol: &str) -> Option<&SymbolSpec> {
        self.specs.get(&Symbol::parse(symbol).ok()?)
    }

    /// True while a symbol's value in the account's currency is not known.
    #[must_use]
    pub fn lacks_rates(&self) -> bool {
        self.specs.values().any(|spec| spec.tick_value.is_none())
    }

    /// How often each rule of risk refused an entry, by its name.
    #[must_use]
    pub const fn refusals(&self) -> &BTreeMap<&'static str, u64> {
        self.risk.refusals()
    }

    /// True when no order is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.runners.iter().all(StrategyRunner::is_idle)
    }

    /// True when it is known that nothing is open, waits for its price or is under way.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.portfolio.is_flat() && self.is_idle()
    }

    /// From now on bars wait for their past: [`Trader::on_history`] has to bring it. Without this
    /// call they begin with the first tick.
    pub fn await_history(&mut self) {
        let runners = self.runners.iter_mut();
        runners.for_each(StrategyRunner::await_history);
    }

    /// The same for the bars of one symbol: ticks of it may have been missed.
    pub fn await_history_of(&mut self, symbol: &str) {
        let runners = Symbol::parse(symbol).ok();
        let runners = runners.and_then(|symbol| self.of_symbol.get(&symbol));
        for at in runners.into_iter().flatten() {
            self.runners[*at].await_history();
        }
    }

    /// The bars that wait for their past.
    #[must_use]
    pub fn warm_ups(&self) -> Vec<WarmUp> {
        let mut wanted: Vec<WarmUp> = Vec::new();
        for runner in &self.runners {
            let symbol = &runner.settings().symbol;
            for feed in runner.feeds().filter(|feed| feed.waits()) {
                let series = feed.series;
                let bars = series.warm_up.min(crate::strategy::Series::MOST) + 1;
                let is_same = |known: &&mut WarmUp| {
                    known.symbol == *symbol && known.timeframe == series.timeframe
                };
                match wanted.iter_mut().find(is_same) {
                    Some(known) => known.bars = known.bars.max(bars),
                    None => wanted.push(WarmUp {
                        symbol: symbol.clone(),
                        timeframe: series.timeframe,
                        bars,
                    }),
                }
            }
        }
        wanted
    }

    /// Bars of the past, as they are when no later tick came than those given; none: there are none to
    /// be had. What is decided upon them is dropped, and nothing else is done now: an intent has no way
    /// to the gateway from here.
    pub fn on_history(&mut self, symbol: &Symbol, timeframe: Timeframe, history: &History) {
        let (Some(runners), Some(spec)) = (self.of_symbol.get(symbol), self.specs.get(symbol))
        else {
            return;
        };
        let world = World {
            spec,
            specs: &self.specs,
            portfolio: &mut self.portfolio,
            risk: &mut self.risk,
        };
        for at in runners {
            self.runners[*at].on_history(timeframe, history, &world);
        }
    }

    /// The account of the next snapshot, before anything of it is judged; none: the gateway does not tell it.
    pub fn meet(&mut self, account_id: Option<&AccountId>) {
        if account_id.is_some_and(|account_id| self.risk.meet(account_id)) {
            let runners = self.runners.iter_mut();
            runners.for_each(StrategyRunner::on_other_account);
        }
    }

    /// What a snapshot of that balance would leave to be explained by deals, where losses are limited; none:
    /// nothing.
    #[must_use]
    pub fn balance_gap(&self, balance: Money) -> Option<BalanceGap> {
        self.risk.balance_gap(balance)
    }

    /// Trades led to the balance that the next snapshot has: their losses count as those that events tell.
    pub fn on_explained(&mut self, balance: Money) {
        self.risk.on_explained(balance);
    }

    /// Starts again from a snapshot.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) {
        let account = snapshot.account;
        self.meet(snapshot.account_id.as_ref());
        self.portfolio.read(snapshot);
        self.risk.begin();
        self.risk.on_account(account);
        self.risk.on_positions(&self.portfolio.ids());
        self.note_positions();
        self.measure();
        self.tell_unattended();
        for runner in &mut self.runners {
            runner.on_snapshot(&self.portfolio);
        }
    }

    /// Tells once of each symbol that has a position which no strategy owns.
    fn tell_unattended(&mut self) {
        for held in self.portfolio.positions() {
            let symbol = &held.symbol;
            let is_owned = self.runners.iter().any(|runner| runner.owns_position(held));
            if is_owned || !self.unattended.insert(symbol.clone()) {
                continue;
            }
            if self.of_symbol.contains_key(symbol) {
                tracing::warn!(
                    %symbol,
                    tag = held.tag,
                    "a position of a shared symbol has the tag of none of its strategies: only the closes of risk reach it; close it by hand, or name a strategy of the symbol so"
                );
            } else {
                tracing::warn!(
                    %symbol,
                    "positions of a symbol that no strategy trades: no rule closes them; close them by hand, or add a strategy for the symbol"
                );
            }
        }
    }

    fn measure(&self) {
        self.portfolio.measure(self.of_symbol.keys().cloned());
    }

    /// A live tick.
    pub fn on_tick(&mut self, tick: &mymt5_model::Tick) -> Step {
        if !self.of_symbol.contains_key(&tick.symbol) {
            return Step::default();
        }
        self.risk.at(tick.time);
        self.portfolio.at(tick.time);
        let must_close = self.risk.must_close();
        let step = self.each(&tick.symbol, |runner, world| {
            runner.on_tick(tick, world);
            if must_close.is_some() {
                runner.close_out();
            }
        });
        if let Some(why) = must_close
            && !step.intents.is_empty()
        {
            tracing::warn!(symbol = %tick.symbol, reason = why.name(), "closed out by risk");
        }
        step
    }

    /// An event of the gateway. These alone report an order's end.
    pub fn on_event(&mut self, event: &Event) -> Step {
        match event {
            Event::Order(order) => self.on_order(order, Risk::on_failed),
            Event::PositionChanged(held) => {
                self.note_turn(held);
                let entered = self.portfolio.expects(&held.symbol, held.side);
                self.portfolio.apply(event);
                self.risk.on_opened(held.position_id);
                self.note_position(held, entered);
                self.tell_unattended();
                self.on_position(held)
            }
            Event::PositionClosed(position_id, result) => {
                let held = self.portfolio.position(*position_id).cloned();
                self.portfolio.apply(event);
                self.risk.on_closed(*position_id, *result);
                self.note_closed(*position_id);
                self.measure();
                let gone = held.map(|held| Held {
                    lots: Lots::ZERO,
                    ..held
                });
                gone.map(|held| self.on_position(&held)).unwrap_or_default()
            }
            Event::Deal(position_id, deal) => {
                self.risk.on_deal(*position_id, *deal);
                Step::default()
            }
            Event::Account(account) => {
                self.portfolio.apply(event);
                self.risk.on_account(*account);
                Step::default()
            }
            Event::Flow(amount) => {
                self.risk.on_flow(*amount);
                Step::default()
            }
            Event::TradingState(..) | Event::PositionUnknown(_) => {
                self.portfolio.apply(event);
                Step::default()
            }
        }
    }

    /// The gateway, asked after the snapshot, restricted neither the account nor this client. That ends
    /// a restriction of the snapshot's, which does not tell whose it is; none that an event told.
    pub fn on_unrestricted(&mut self) {
        self.portfolio.confirm_active();
    }

    /// Tells risk of a position that one order turned. The other side opened where it closed; what it
    /// cost is not counted.
    fn note_turn(&mut self, held: &Held) {
        let known = self.portfolio.position(held.position_id);
        let Some(turned) = known.filter(|known| known.side != held.side) else {
            return;
        };
        let prices = turned.open_price.zip(held.open_price);
        let gain = prices.map(|(from, to)| (to.points() - from.points()) * turned.side.sign());
        self.risk
            .on_turned(held.position_id, gain.map(|gain| gain < 0));
    }

    fn on_position(&mut self, held: &Held) -> Step {
        self.measure();
        self.each(&held.symbol, |runner, world| {
            if runner.owns_position(held) {
                runner.on_position(held, world);
            }
        })
    }

    /// An order that failed is told to risk by `tell_failed`, which is told whether it was to open.
    fn on_order(&mut self, order: &OrderUpdate, tell_failed: fn(&mut Risk, bool)) -> Step {
        let mut runners = self.runners.iter_mut();
        let cancelled = runners.position(|runner| runner.on_cancelled(order, &self.portfolio));
        let untold = cancelled.and_then(|at| self.runners[at].untold_entry(order, &self.portfolio));
        if let Some(entry) = untold {
            self.portfolio.await_position(&entry);
        }
        let owner = self.owner(order).or(cancelled);
        self.note_part(order);
        // What is left of a position is told by its own event alone, unless a runner awaits its close.
        let awaited = order.request_id.as_ref();
        let awaited = awaited.is_some_and(|id| self.runners.iter().any(|one| one.awaits_close(id)));
        let closes = order.closes.filter(|_| awaited);
        let closed = closes.and_then(|id| self.portfolio.position(id)).cloned();
        self.portfolio.apply(&Event::Order(OrderUpdate {
            closes,
            ..order.clone()
        }));
        let is_gone = |held: &Held| self.portfolio.position(held.position_id).is_none();
        let gone = closed.filter(is_gone).map(|held| Held {
            lots: Lots::ZERO,
            ..held
        });
        let ended = order.request_id.as_ref().filter(|_| order.state.is_final());
        let settled = ended.map(|request_id| Settled {
            request_id: request_id.clone(),
            outcome: Outcome::Ended(order.state),
        });
        self.on_progress(order, tell_failed);
        let intents = owner.map(|at| {
            self.one(at, |runner, world| {
                runner.on_order(order, world);
                if let Some(held) = gone.filter(|held| runner.owns_position(held)) {
                    runner.on_position(&held, world);
                }
            })
        });
        Step {
            settled,
            intents: intents.flatten().into_iter().collect(),
        }
    }

    /// Tells risk how an order that is waited for went: it ended, or waits for its price now, which
    /// the broker took. What becomes of the latter is told by its position.
    fn on_progress(&mut self, order: &OrderUpdate, tell_failed: fn(&mut Risk, bool)) {
        let Some(request_id) = &order.request_id else {
            return;
        };
        let mut runners = self.runners.iter_mut();
        let Some(runner) = runners.find(|runner| runner.waits_for(request_id)) else {
            return;
        };
        if order.working.is_some() {
            self.risk.on_done();
        } else if order.state.is_final() {
            if order.state != OrderState::Filled {
                runner.fall_short(order.filled, &self.portfolio);
            }
            runner.note_filled(order.filled, &self.portfolio);
            runner.end_turn(order.may_be_done());
            let done = order.is_done();
            let opens = runner.end_order(done, &self.portfolio);
            if done {
                self.risk.on_done();
            } else {
                tell_failed(&mut self.risk, opens);
            }
        } else if order.state == OrderState::Unknown {
            runner.on_unknown();
        }
    }

    /// Whose order it is; none: of another run.
    fn owner(&self, order: &OrderUpdate) -> Option<usize> {
        let request_id = order.request_id.as_ref()?;
        let known = self.portfolio.order(request_id).or(order.working.as_ref());
        self.runners.iter().position(|runner| {
            runner.waits_for(request_id) || known.is_some_and(|order| runner.owns_order(order))
        })
    }

    /// An intent of before the snapshot that has ended. The runner waits for the next decision: but for
    /// an exit, that of a reversal too, what it wanted then is no reason to trade now. False: nothing of it
    /// was done, for certain.
    pub fn on_recalled(&mut self, request_id: &RequestId, may_be_done: bool) {
        let short = (!may_be_done).then_some(Lots::ZERO);
        self.end_recalled(request_id, may_be_done, short);
    }

    /// The same of an intent of which so many lots were filled, also none for certain, and no more will be:
    /// an exit goes on with the rest. One that an earlier process sent is known by what was recorded of it
    /// alone. The position that it was to close and that is closed next, if one is left.
    pub fn on_part_recalled(
        &mut self,
        request_id: &RequestId,
        filled: Lots,
        recorded: Option<&Sent>,
    ) -> Option<PositionId> {
        let mut runners = self.runners.iter();
        let is_awaited = runners.any(|runner| runner.waits_for(request_id));
        self.end_recalled(request_id, !filled.is_zero(), Some(filled));
        self.close_rest(recorded?, is_awaited)
    }

    /// With what was filled of an intent that did less than all.
    fn end_recalled(&mut self, request_id: &RequestId, may_be_done: bool, short: Option<Lots>) {
        let mut runners = self.runners.iter_mut();
        if let Some(runner) = runners.find(|runner| runner.waits_for(request_id)) {
            if let Some(filled) = short {
                runner.fall_short(filled, &self.portfolio);
            }
            runner.end_turn(may_be_done);
            runner.end_recalled(short.is_some());
        }
        self.portfolio.end(request_id, false);
        self.note_part_end(request_id, may_be_done);
    }

    /// An entry of before the snapshot that the gateway still works on. Where an earlier process sent it
    /// it counts from now on, and its strategy waits for it. A position of its side that the snapshot has
    /// is its own, at least in part: no event may tell it again.
    pub fn on_under_way(&mut self, request_id: RequestId, tag: &str, mut opens: Open) {
        let mut runners = self.runners.iter();
        let is_known = runners.any(|runner| runner.waits_for(&request_id))
            || self.portfolio.order(&request_id).is_some();
        if is_known {
            return;
        }
        let mut runners = self.runners.iter_mut();
        let sent = |runner: &&mut StrategyRunner| {
            runner.name() == tag && runner.settings().symbol == opens.symbol
        };
        let runner = runners.find(sent);
        let is_owned = |held: &Held| {
            let runner = runner.as_ref();
            runner.is_none_or(|runner| runner.owns_position(held))
        };
        let opened =
            |held: &&Held| is_owned(held) && held.symbol == opens.symbol && held.side == opens.side;
        let position = self.portfolio.positions().find(opened);
        let is_told = position.is_some();
        let price = position.and_then(|held| held.open_price);
        let nets = self.portfolio.nets();
        let turned = |held: &&Held| nets && is_owned(held) && sent::turns(&opens, held);
        let turned = self.portfolio.positions().find(turned);
        let what = What::Open {
            side: opens.side,
            told: is_told,
            closes: turned.map_or(Lots::ZERO, |held| held.lots),
        };
        let shares = runner.as_ref().is_some_and(|runner| runner.shares());
        if let Some(runner) = runner {
            runner.resume(request_id.clone(), what);
        }
        opens.price = opens.price.or(price);
        let tag = shares.then_some(tag);
        self.portfolio.follow_entry(request_id, opens, tag, is_told);
    }

    /// Tells what is recorded of intents of before the snapshot. An order without a record was never
    /// sent, or closes a whole position, which may be asked for twice. One that ended while that could not
    /// be noted, as before a crash, may have been done: a part of a position is rather never closed than
    /// twice.
    ///
    /// # Errors
    /// Those of `record_of`.
    pub fn on_records(
        &mut self,
        record_of: impl Fn(&RequestId) -> Result<Record, IntentError>,
    ) -> Result<(), IntentError> {
        let awaited = self.runners.iter().filter_map(StrategyRunner::awaited);
        let all = awaited.chain(self.risk.cared().asked());
        let all: BTreeSet<RequestId> = all.cloned().collect();
        for request_id in &all {
            match record_of(request_id)? {
                Record::Never => self.on_recalled(request_id, false),
                Record::Settled => self.on_recalled(request_id, true),
                Record::Open => {}
            }
        }
        Ok(())
    }

    /// An order that the gateway definitely did not take.
    pub fn on_refused(&mut self, request_id: &RequestId, reason: String) -> Step {
        self.on_not_taken(request_id, reason, Risk::on_failed)
    }

    /// An order that was not sent, as it could not be made durable. What was decided is over, as where
    /// the gateway refuses, but no order failed.
    pub fn on_unsent(&mut self, request_id: &RequestId, reason: String) -> Step {
        self.on_not_taken(request_id, reason, Risk::on_unsent)
    }

    fn on_not_taken(
        &mut self,
        request_id: &RequestId,
        reason: String,
        tell_failed: fn(&mut Risk, bool),
    ) -> Step {
        let refused = OrderUpdate {
            request_id: Some(request_id.clone()),
            closes: None,
            state: OrderState::Rejected,
            filled: Lots::ZERO,
            refused: true,
            working: None,
        };
        let step = self.on_order(&refused, tell_failed);
        let settled = Settled {
            request_id: request_id.clone(),
            outcome: Outcome::Refused(reason),
        };
        Step {
            settled: Some(settled),
            ..step
        }
    }

    /// A change of a position or an order has ended, done or not.
    pub fn on_changed(&mut self, request_id: &RequestId, done: bool) -> Step {
        let waiting = |runner: &StrategyRunner| runner.waits_for(request_id);
        let Some(at) = self.runners.iter().position(waiting) else {
            return Step::default();
        };
        if let Some(order_id) = self.runners[at].cancels().filter(|_| done) {
            self.portfolio.cancel(order_id);
        }
        if let Some(moved) = self.runners[at].moves().filter(|_| done) {
            let Moved {
                position_id,
                side,
                before,
                after,
            } = moved;
            self.portfolio.on_moved(position_id, side, before, after);
        }
        self.runners[at].end(done);
        Step {
            settled: None,
            intents: self.one(at, |_, _| {}).into_iter().collect(),
        }
    }

    /// Does something with each strategy of a symbol, then lets it act on what it decided.
    fn each(
        &mut self,
        symbol: &Symbol,
        mut does: impl FnMut(&mut StrategyRunner, &mut World<'_>),
    ) -> Step {
        let (Some(runners), Some(spec)) = (self.of_symbol.get(symbol), self.specs.get(symbol))
        else {
            return Step::default();
        };
        let mut world = World {
            spec,
            specs: &self.specs,
            portfolio: &mut self.portfolio,
            risk: &mut self.risk,
        };
        let mut intents = Vec::new();
        for at in runners {
            let runner = &mut self.runners[*at];
            does(runner, &mut world);
            if runner.has_decided() {
                intents.extend(runner.act(&mut world, &mut self.new_id));
            }
        }
        Step {
            settled: None,
            intents,
        }
    }

    /// Does something with one strategy, then lets it go on with what it decided before, too.
    fn one(
        &mut self,
        at: usize,
        does: impl FnOnce(&mut StrategyRunner, &World<'_>),
    ) -> Option<Intent> {
        let runner = &mut self.runners[at];
        let mut world = World {
            spec: self.specs.get(&runner.settings().symbol)?,
            specs: &self.specs,
            portfolio: &mut self.portfolio,
            risk: &mut self.risk,
        };
        does(runner, &world);
        runner.act(&mut world, &mut self.new_id)
    }
}
