//! The account behind the stand-in. Whatever it does is kept on disk, then written to the ledger,
//! and only then told: its own death undoes nothing.

use super::{Fault, calm_mark, feed, session::Writer};
use crate::{
    ledger::{BY_HAND, Ledger, Line, request_of},
    scene::{self, SYMBOLS, Scene, specs},
    wire::{Rows, Said},
};
use mymt5_chassis::{clock, process::write_atomically};
use mymt5_model::{
    AccountMode, BrokerTime, Comment, DealKind, Levels, Lots, Magic, Money, Receipt, Side, Symbol,
    Tick, TradeRequest,
};
use mymt5_simulator::{Event, Simulator, State};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

const ALWAYS: (BrokerTime, BrokerTime) = (BrokerTime(i64::MIN), BrokerTime(i64::MAX));

/// A send held back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    send: u64,
    due: BrokerTime,
    request: TradeRequest,
}

/// What outlives the process.
#[derive(Serialize, Deserialize)]
struct Kept {
    account: State,
    sends: u64,
    held: Vec<Held>,
}

pub(super) struct Desk {
    pub(super) simulator: Simulator,
    pub(super) listeners: Vec<Writer>,
    scene: Scene,
    sends: u64,
    held: Vec<Held>,
    ledger: Ledger,
    path: PathBuf,
    /// Where this is, no fault comes any more.
    calm: PathBuf,
}

impl Desk {
    pub(super) fn open(folder: &Path, scene: &Scene) -> Self {
        let path = folder.join("broker.json");
        let kept: Option<Kept> = fs::read(&path)
            .ok()
            .map(|text| serde_json::from_slice(&text).unwrap());
        let (account, sends, held) = kept.map_or((None, 0, Vec::new()), |kept| {
            (Some(kept.account), kept.sends, kept.held)
        });
        let simulator = match account {
            Some(account) => Simulator::restore(scene.account(), specs(), account).unwrap(),
            None => Simulator::new(scene.account(), specs()).unwrap(),
        };
        let mut desk = Self {
            simulator,
            listeners: Vec::new(),
            scene: scene.clone(),
            sends,
            held,
            ledger: Ledger::open(&scene::ledger(folder)).unwrap(),
            path,
            calm: calm_mark(folder),
        };
        desk.keep();
        desk
    }

    /// Keeps the account, then writes what is new in it.
    fn keep(&mut self) {
        let kept = Kept {
            account: self.simulator.save(),
            sends: self.sends,
            held: self.held.clone(),
        };
        write_atomically(&self.path, &serde_json::to_vec(&kept).unwrap()).unwrap();
        let (ended, deals) = self.simulator.history(ALWAYS.0, ALWAYS.1);
        for row in ended.iter().chain(&self.simulator.orders()) {
            self.ledger.add_order(row).unwrap();
        }
        for row in &deals {
            self.ledger.add_deal(row).unwrap();
        }
    }

    /// Counts a send in and says what will happen to it.
    pub(super) fn receive(&mut self, request: &TradeRequest) -> (u64, Fault) {
        let send = self.sends;
        let fault = match self.calm.exists() {
            true => Fault::Execute,
            false => self.scene.menu.fault(self.scene.seed, send),
        };
        self.sends += 1;
        let order = match request {
            TradeRequest::Market { magic, comment, .. }
            | TradeRequest::Close { magic, comment, .. }
            | TradeRequest::Pending { magic, comment, .. } => {
                let magic = magic.raw();
                Some((magic, request_of(magic, comment.to_string())))
            }
            _ => None,
        };
        let line = Line::Received {
            send,
            at: clock::utc_now_ms(),
            fault: fault.name().to_owned(),
            held: fault == Fault::Late,
            order,
        };
        self.ledger.add(&line).unwrap();
        self.keep();
        (send, fault)
    }

    /// Holds a send back until its time.
    pub(super) fn hold(&mut self, send: u64, request: TradeRequest) {
        let now = self.simulator.time().unwrap_or(BrokerTime(0));
        let late = i64::try_from(self.scene.late().as_millis()).unwrap();
        let due = BrokerTime(now.0 + late);
        self.held.push(Held { send, due, request });
        self.keep();
    }

    pub(super) fn execute(&mut self, request: &TradeRequest) -> Receipt {
        let (receipt, events) = self.simulator.send(request);
        self.report(events);
        receipt
    }

    /// Moves the market, and does what was held back until now.
    pub(super) fn on_tick(&mut self, tick: &Tick) {
        let events = self.simulator.on_tick(tick);
        if !events.is_empty() {
            self.report(events);
        }
        while let Some(at) = self.held.iter().position(|held| held.due <= tick.time) {
            let Held { send, request, .. } = self.held.remove(at);
            self.execute(&request);
            let line = Line::Released { send };
            self.ledger.add(&line).unwrap();
        }
    }

    /// On its first day the account has a past: somebody opened a position by hand, long ago, and
    /// closed it.
    pub(super) fn have_a_past(&mut self) {
        const AGO: i64 = 30 * 24 * 60 * 60 * 1_000;
        if self.simulator.time().is_some() {
            return;
        }
        let then = BrokerTime(clock::utc_now_ms() - AGO);
        feed::ticks(0, then)
            .iter()
            .for_each(|tick| self.on_tick(tick));
        for _ in ["open", "close"] {
            let request = self.next_by_hand();
            self.execute(&request);
        }
    }

    /// Money comes or goes; and where everybody has positions of his own, somebody opens one by
    /// hand, and closes it the next time.
    pub(super) fn act_by_hand(&mut self) {
        // What is older than the journal is never told: a send shows that there is one.
        if !self.scene.by_hand || self.sends == 0 || self.calm.exists() {
            return;
        }
        if self.scene.mode == AccountMode::Hedging {
            let request = self.next_by_hand();
            self.execute(&request);
        }
        let amount = [100, -40][self.sends as usize % 2];
        let amount = Money::from_units(amount * Money::SCALE);
        let events = self.simulator.book(DealKind::Balance, amount, BY_HAND);
        self.report(events);
    }

    fn next_by_hand(&self) -> TradeRequest {
        let (magic, comment) = (Magic::NONE, Comment::fitting(BY_HAND));
        let mut positions = self.simulator.positions().into_iter();
        match positions.find(|held| held.magic == magic) {
            Some(held) => TradeRequest::Close {
                symbol: held.symbol,
                side: held.side.opposite(),
                position: held.ticket,
                lots: held.lots,
                all: true,
                max_deviation_points: None,
                magic,
                comment,
            },
            None => TradeRequest::Market {
                symbol: Symbol::parse(SYMBOLS[self.sends as usize % SYMBOLS.len()].0).unwrap(),
                side: Side::Buy,
                lots: Lots::from_units(Lots::SCALE / 100),
                levels: Levels::default(),
                max_deviation_points: None,
                magic,
                comment,
            },
        }
    }

    fn report(&mut self, events: Vec<Event>) {
        self.keep();
        for event in events {
            self.tell(&match event {
                Event::Deal(deal) => Said::Deal(deal),
                Event::MarginCall => {
                    Said::MarginCall(self.simulator.account().margin_level.unwrap_or(0.0))
                }
                _ => Said::RowsChanged,
            });
        }
    }

    /// Tells all listeners; who cannot be told has gone.
    pub(super) fn tell(&mut self, said: &Said) {
        self.listeners.retain(|listener| listener.say(said));
    }

    pub(super) fn rows(&self) -> Rows {
        Rows {
            account: self.simulator.account(),
            positions: self.simulator.positions(),
            orders: self.simulator.orders(),
            time: self.simulator.time(),
        }
    }
}
