//! A terminal at a fixed moment, and how it is asked.

use mymt5_model::{AccountMode, BrokerZone, Symbol, UtcTime};
use mymt5_simulated_terminal::{
    Settings, Status, Temper, Terminal,
    layout::{Deal, Order, Position, Request, SendResult, Wire},
    number, text,
};
use mymt5_simulator::{AccountConfig, catalogue};

/// 2026-07-15, a Wednesday, 10:47:05 UTC.
pub const START: UtcTime = UtcTime(1_784_112_425_000);
/// The broker is three hours ahead.
pub const AHEAD_MS: i64 = 3 * 3_600_000;
/// All of the past.
pub const EVER: (i64, i64) = (1, i64::MAX);

pub fn settings(mode: AccountMode) -> Settings {
    let spec = |name| catalogue::spec(&Symbol::parse(name).unwrap());
    Settings {
        account: AccountConfig {
            mode,
            ..AccountConfig::default()
        },
        password: Some("right".to_owned()),
        symbols: ["EURUSD", "USDJPY"].map(spec).to_vec(),
        zone: BrokerZone::parse("UTC+3").unwrap(),
        build: 6231,
        path: r"C:\terminal".to_owned(),
        replays: Vec::new(),
        speed: 1.0,
        tick_ms: 250,
        past_minutes: 5,
    }
}

/// A terminal, and the moment at which it is asked.
pub struct Asked {
    pub terminal: Terminal,
    pub now: UtcTime,
}

pub fn hedging() -> Asked {
    started(settings(AccountMode::Hedging), &[])
}

pub fn netting() -> Asked {
    started(settings(AccountMode::Netting), &[])
}

pub fn moody(tempers: &[&str]) -> Asked {
    started(settings(AccountMode::Hedging), tempers)
}

pub fn started(settings: Settings, tempers: &[&str]) -> Asked {
    let tempers: Vec<Temper> = tempers.iter().map(|t| t.parse().unwrap()).collect();
    Asked {
        terminal: Terminal::start(settings, tempers, None, START).unwrap(),
        now: START,
    }
}

impl Asked {
    pub fn raw(&mut self, command: u32, body: &[u8]) -> Result<Vec<u8>, Status> {
        let reply = self.terminal.answer(command, body, self.now);
        if reply.status == Status::OK {
            Ok(reply.body)
        } else {
            assert!(reply.body.is_empty());
            Err(reply.status)
        }
    }

    pub fn one<T: Wire>(&mut self, command: u32, body: &[u8]) -> T {
        let body = self.raw(command, body).unwrap();
        let mut rest = body.as_slice();
        let one = T::take(&mut rest).unwrap();
        assert!(rest.is_empty());
        one
    }

    pub fn list<T: Wire>(&mut self, command: u32, body: &[u8]) -> Vec<T> {
        let body = self.raw(command, body).unwrap();
        let mut rest = body.as_slice();
        let count = u32::take(&mut rest).unwrap();
        let rows = (0..count).map(|_| T::take(&mut rest).unwrap()).collect();
        assert!(rest.is_empty());
        rows
    }

    pub fn send(&mut self, request: &Request) -> SendResult {
        self.one(number::SEND, &request.to_bytes())
    }

    pub fn retcode(&mut self, request: &Request) -> u32 {
        self.send(request).retcode
    }

    pub fn positions(&mut self) -> Vec<Position> {
        self.list(number::POSITIONS, &[])
    }

    pub fn orders(&mut self) -> Vec<Order> {
        self.list(number::ORDERS, &[])
    }

    pub fn past_orders(&mut self) -> Vec<Order> {
        self.list(number::PAST_ORDERS, &span(EVER))
    }

    pub fn deals(&mut self) -> Vec<Deal> {
        self.list(number::DEALS, &span(EVER))
    }

    pub fn set(&mut self, temper: &str) {
        self.terminal.set_temper(temper.parse().unwrap());
    }

    pub fn wait(&mut self, ms: i64) {
        self.now.0 += ms;
    }
}

pub fn span((from, to): (i64, i64)) -> Vec<u8> {
    [from.to_bytes(), to.to_bytes()].concat()
}

pub fn login(account: i64, password: &str, server: &str) -> Vec<u8> {
    let start = [0u32.to_bytes(), account.to_bytes()].concat();
    [start, text(password), text(server)].concat()
}

/// A market order as the package sends it.
pub fn market(kind: i32, volume: f64) -> Request {
    Request {
        action: 1,
        symbol: "EURUSD".into(),
        kind,
        volume,
        type_filling: 1,
        deviation: 20,
        magic: 77,
        comment: "probe".into(),
        ..Request::default()
    }
}

/// A limit order to buy.
pub fn limit(price: f64) -> Request {
    Request {
        action: 5,
        price,
        type_filling: 2,
        ..market(2, 0.5)
    }
}
