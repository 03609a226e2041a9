//! Short words for the tests: a desk with one account, and requests by name.

use mymt5_model::*;
use mymt5_simulator::{AccountConfig, Event, Simulator, catalogue};

/// Monday, 2024-01-08 00:00.
pub const MONDAY: i64 = 1_704_672_000_000;
pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;
pub const MAGIC: Magic = Magic::from_raw(77);

pub fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

/// The catalogue's symbol without swaps.
pub fn spec(name: &str) -> SymbolSpec {
    SymbolSpec {
        swap_long_points: 0.0,
        swap_short_points: 0.0,
        ..catalogue::spec(&symbol(name))
    }
}

pub fn netting() -> AccountConfig {
    AccountConfig {
        mode: AccountMode::Netting,
        ..AccountConfig::default()
    }
}

pub fn hedging() -> AccountConfig {
    AccountConfig::default()
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

pub fn px(points: i64) -> Price {
    Price::from_points(points, 5)
}

pub fn levels(stop_loss: Option<i64>, take_profit: Option<i64>) -> Levels {
    Levels {
        stop_loss: stop_loss.map(px),
        take_profit: take_profit.map(px),
    }
}

pub fn tick(name: &str, ms: i64, bid: i64, ask: i64) -> Tick {
    let digits = catalogue::spec(&symbol(name)).digits;
    Tick {
        symbol: symbol(name),
        time: BrokerTime(MONDAY + ms),
        bid: Price::from_points(bid, digits),
        ask: Price::from_points(ask, digits),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}

/// A market request in EURUSD.
pub fn deal(side: Side, volume: f64) -> TradeRequest {
    deal_in("EURUSD", side, volume)
}

pub fn deal_in(name: &str, side: Side, volume: f64) -> TradeRequest {
    TradeRequest::Market {
        symbol: symbol(name),
        side,
        lots: lots(volume),
        levels: Levels::default(),
        max_deviation_points: None,
        magic: MAGIC,
        comment: Comment::fitting("test"),
    }
}

pub fn with_levels(request: TradeRequest, new: Levels) -> TradeRequest {
    let mut request = request;
    match &mut request {
        TradeRequest::Market { levels, .. } | TradeRequest::Pending { levels, .. } => *levels = new,
        TradeRequest::ModifyPosition { levels, .. } => *levels = LevelsEdit::to(new),
        TradeRequest::ModifyOrder { terms, .. } => terms.levels = LevelsEdit::to(new),
        TradeRequest::Close { .. } | TradeRequest::Cancel { .. } => {}
    }
    request
}

pub fn close(ticket: Ticket, side: Side, volume: f64) -> TradeRequest {
    close_lots(ticket, side, Some(lots(volume)))
}

/// A close of that volume, or of all there is.
pub fn close_lots(position: Ticket, side: Side, lots: Option<Lots>) -> TradeRequest {
    TradeRequest::Close {
        symbol: symbol("EURUSD"),
        side,
        position,
        lots: lots.unwrap_or(Lots::ZERO),
        all: lots.is_none(),
        max_deviation_points: None,
        magic: MAGIC,
        comment: Comment::fitting("test"),
    }
}

pub fn cancel(order: Ticket) -> TradeRequest {
    TradeRequest::Cancel {
        order,
        symbol: symbol("EURUSD"),
    }
}

/// Replaces both levels of a position.
pub fn set_levels(position: Ticket, new: Levels) -> TradeRequest {
    TradeRequest::ModifyPosition {
        position,
        symbol: symbol("EURUSD"),
        levels: LevelsEdit::to(new),
    }
}

/// A pending request of 1 lot in EURUSD.
pub fn pending(side: Side, kind: OrderType, price: i64) -> TradeRequest {
    TradeRequest::Pending {
        symbol: symbol("EURUSD"),
        side,
        kind,
        lots: lots(1.0),
        price: px(price),
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        magic: MAGIC,
        comment: Comment::default(),
    }
}

pub fn lasting(request: TradeRequest, life: TimeInForce) -> TradeRequest {
    let mut request = request;
    match &mut request {
        TradeRequest::Pending { time_in_force, .. } => *time_in_force = life,
        TradeRequest::ModifyOrder { terms, .. } => terms.time_in_force = Some(life),
        _ => {}
    }
    request
}

pub fn until(ms: i64) -> Moment {
    Moment {
        utc: None,
        broker: Some(BrokerTime(MONDAY + ms)),
    }
}

/// An account with EURUSD at 1.10000 / 1.10010.
pub struct Desk {
    pub sim: Simulator,
}

impl Desk {
    pub fn open(account: AccountConfig) -> Self {
        Self::with(account, vec![spec("EURUSD")])
    }

    pub fn with(account: AccountConfig, symbols: Vec<SymbolSpec>) -> Self {
        let mut desk = Self {
            sim: Simulator::new(account, symbols).unwrap(),
        };
        desk.tick(0, 110_000, 110_010);
        desk
    }

    /// A tick of EURUSD.
    pub fn tick(&mut self, ms: i64, bid: i64, ask: i64) -> Vec<Event> {
        self.sim.on_tick(&tick("EURUSD", ms, bid, ask))
    }

    pub fn code(&mut self, request: &TradeRequest) -> u32 {
        self.sim.send(request).0.retcode.0
    }

    /// Sends what must be accepted; the order's ticket.
    pub fn done(&mut self, request: &TradeRequest) -> Ticket {
        let (receipt, _) = self.sim.send(request);
        let class = receipt.retcode.class();
        assert_eq!(class, RetcodeClass::Accepted, "{}", receipt.retcode);
        receipt.order.unwrap_or(Ticket(0))
    }

    pub fn position(&self) -> PositionRow {
        let mut positions = self.sim.positions();
        assert_eq!(positions.len(), 1);
        positions.remove(0)
    }

    pub fn deals(&self) -> Vec<DealRow> {
        self.sim.history(BrokerTime(0), BrokerTime(i64::MAX)).1
    }

    pub fn finished(&self) -> Vec<OrderRow> {
        self.sim.history(BrokerTime(0), BrokerTime(i64::MAX)).0
    }

    pub fn last_deal(&self) -> DealRow {
        self.deals().pop().unwrap()
    }
}

pub fn deals_of(events: &[Event]) -> Vec<&DealRow> {
    let mut deals = Vec::new();
    for event in events {
        if let Event::Deal(deal) = event {
            deals.push(deal);
        }
    }
    deals
}
