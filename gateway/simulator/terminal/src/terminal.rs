//! The core: a command in, a reply out. It has no clock and no I/O but the ticks that it replays:
//! the same commands at the same moments are answered alike.

mod answers;
mod past;

use crate::{
    feed::Feed,
    frame::{Arguments, Fate, Reply, Status},
    ledger::{Kind, Lag, Ledger, Moment},
    quotes::Quotes,
    settings::{Settings, StartError, fillers},
    tempers::{Temper, Tempers},
};
use mymt5_model::{BrokerTime, Money, Symbol, SymbolSpec, Tick, Ticket, UtcTime};
use mymt5_simulator::{AccountConfig, Event, Past, Simulator, State};
use std::collections::{HashMap, HashSet};

/// A terminal with its account.
pub struct Terminal {
    settings: Settings,
    /// The account's conditions; it begins without money, which comes by a deposit.
    account: AccountConfig,
    /// All symbols: those in the Market Watch first.
    symbols: Vec<SymbolSpec>,
    watched: HashSet<Symbol>,
    simulator: Simulator,
    feed: Feed,
    quotes: Quotes,
    ledger: Ledger,
    lag: Lag,
    tempers: Tempers,
    sent: HashMap<Ticket, Sent>,
    postponed: Vec<Postponed>,
    requests: u32,
    authorized: bool,
    now: UtcTime,
    /// What of the past is in the ledger.
    listed: Past,
    /// What of the past is kept on disk, and whether anything is not.
    kept: Past,
    changed: bool,
}

/// What the account does not keep of an order; forgotten when the terminal ends.
struct Sent {
    filling: i32,
    comment: String,
    position_by: u64,
}

/// A command that is done later.
struct Postponed {
    at: UtcTime,
    command: u32,
    body: Vec<u8>,
}

impl Terminal {
    /// Starts a terminal whose account is logged in: the one that was kept, or a new one.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(
        settings: Settings,
        tempers: Vec<Temper>,
        kept: Option<State>,
        now: UtcTime,
    ) -> Result<Self, StartError> {
        let count = |wanted: fn(&Temper) -> Option<u64>| tempers.iter().find_map(wanted);
        let listed = count(|temper| match temper {
            Temper::Symbols(count) => Some(*count),
            _ => None,
        });
        let deals = count(|temper| match temper {
            Temper::Deals(count) => Some(*count),
            _ => None,
        });
        let account = AccountConfig {
            balance: Money::ZERO,
            ..settings.account.clone()
        };
        let fillers = fillers(&settings.symbols, listed.unwrap_or(0));
        let symbols: Vec<SymbolSpec> = settings.symbols.iter().chain(&fillers).cloned().collect();
        let watched = settings.symbols.iter().map(|spec| spec.symbol.clone());
        let is_new = kept.is_none();
        let simulator = match kept {
            Some(state) => Simulator::restore(account.clone(), symbols.clone(), state)?,
            None => Simulator::new(account.clone(), symbols.clone())?,
        };
        let past = simulator.past();
        let mut terminal = Self {
            watched: watched.collect(),
            feed: Feed::open(&settings, &fillers, broker(&settings, now))?,
            lag: Lag::new(account.seed),
            account,
            symbols,
            simulator,
            quotes: Quotes::default(),
            ledger: Ledger::default(),
            tempers: Tempers::default(),
            sent: HashMap::new(),
            postponed: Vec::new(),
            requests: 0,
            authorized: true,
            now,
            listed: Past::default(),
            kept: if is_new { Past::default() } else { past },
            changed: is_new,
            settings,
        };
        terminal.begin(is_new, deals.unwrap_or(0));
        for temper in tempers {
            terminal.set_temper(temper);
        }
        Ok(terminal)
    }

    /// Moves time on: what is due of the market happens.
    pub fn advance(&mut self, now: UtcTime) {
        self.now = self.now.max(now);
        if !self.is_connected() {
            return;
        }
        let broker = self.broker_now();
        while let Some(tick) = self.feed.due(self.now, broker) {
            self.on_tick(&tick);
        }
        let now = self.now;
        let due: Vec<Postponed> = self.postponed.extract_if(.., |p| p.at <= now).collect();
        for Postponed { command, body, .. } in due {
            // Nobody waits for the answer any more.
            let _ = self.dispatch(command, &mut Arguments(&body));
        }
    }

    /// Moves the market to a tick, of a feed or by hand.
    pub fn on_tick(&mut self, tick: &Tick) {
        self.quotes.add(tick);
        let events = self.simulator.on_tick(tick);
        self.settle(&events);
    }

    /// Answers a command with that body, at that moment.
    pub fn answer(&mut self, command: u32, body: &[u8], now: UtcTime) -> Reply {
        self.advance(now);
        let postponed = self.tempers.postpone(command);
        if let Some(ms) = postponed {
            self.postponed.push(Postponed {
                at: UtcTime(self.now.0.saturating_add_unsigned(ms)),
                command,
                body: body.to_vec(),
            });
        }
        if postponed.is_some() || self.tempers.lose(command) {
            let nothing = Reply::new(command, Ok(Vec::new()));
            return Reply {
                fate: Fate::Never,
                ..nothing
            };
        }
        let outcome = self.dispatch(command, &mut Arguments(body));
        self.tempers.spoil(Reply::new(command, outcome))
    }

    /// Sets a temper from now on; it replaces the one of its name.
    pub fn set_temper(&mut self, temper: Temper) {
        if matches!(temper, Temper::RowsLate(_)) {
            self.lag.stop();
            self.lag.keep(self.moment());
        }
        self.tempers.set(temper, self.now);
    }

    /// Takes the tempers of a name away; all of them without one.
    pub fn clear_tempers(&mut self, name: Option<&str>) {
        self.tempers.clear(name);
    }

    /// The tempers that are set.
    #[must_use]
    pub fn tempers(&self) -> Vec<Temper> {
        self.tempers.all().cloned().collect()
    }

    /// What a restart would lose by now, if anything; it is taken for kept then.
    pub fn take_changes(&mut self) -> Option<State> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let state = self.simulator.save_since(self.kept);
        self.kept = self.simulator.past();
        Some(state)
    }

    fn broker_now(&self) -> BrokerTime {
        broker(&self.settings, self.now)
    }

    fn is_connected(&self) -> bool {
        let connecting = self.tempers.is_connecting(self.now);
        self.authorized && !connecting && !self.tempers.has(&Temper::NotConnected)
    }

    /// Takes note of what a tick or a request did.
    fn settle(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let (orders, deals) = self.simulator.history_since(self.listed);
        self.listed = self.simulator.past();
        self.ledger.add(orders, deals, self.now);
        self.changed = true;
        if self.rows_late().is_some() {
            self.lag.keep(self.moment());
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            at: self.now,
            positions: self.simulator.positions(),
            orders: self.simulator.orders(),
        }
    }

    fn rows_late(&self) -> Option<u64> {
        self.tempers.find(|temper| match temper {
            Temper::RowsLate(ms) => Some(*ms),
            _ => None,
        })
    }

    /// The moment as of which a kind of rows is shown.
    fn shown_at(&mut self, kind: Kind) -> UtcTime {
        match self.rows_late() {
            Some(ms) => self.lag.show(kind, self.now, ms),
            None => self.now,
        }
    }

    /// The account as a kind of rows shows it.
    fn shown(&mut self, kind: Kind) -> Moment {
        if self.rows_late().is_none() {
            return self.moment();
        }
        let then = self.shown_at(kind);
        self.lag.at(then).cloned().unwrap_or_else(|| self.moment())
    }

    fn spec(&self, name: &str) -> Result<&SymbolSpec, Status> {
        let mut symbols = self.symbols.iter();
        let spec = symbols.find(|spec| spec.symbol.as_str() == name);
        spec.ok_or(Status::NOT_FOUND)
    }

    fn quote(&self, symbol: &Symbol) -> Option<&Tick> {
        self.simulator.quote(symbol)
    }
}

fn broker(settings: &Settings, now: UtcTime) -> BrokerTime {
    settings.zone.to_broker(now).unwrap_or(BrokerTime(now.0))
}
