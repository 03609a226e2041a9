//! Rows of a broker, and calls of clients, in few words.

use super::{
    Disk, Shell,
    shell::{Prices, START},
};
use mymt5_guard::{Limits, LossSettings, ScopeLimits};
use mymt5_model::{
    AccountKind, AccountMode, AccountRow, BrokerTime, ClientName, Comment, DealKind, DealReason,
    DealRow, Entry, Levels, Lots, Magic, MaskedAccount, Money, OrderType, PositionId, Price,
    RequestId, Side, Symbol, SymbolSpec, Tick, Ticket, TimeInForce, TradeRequest,
};
use mymt5_orders::{
    Asker, Call, Command, Config, Exit, Grant, History, NewOrder, Outgoing, ReconcileConfig,
    Snapshot,
};
use std::sync::Arc;

pub fn name(client: &str) -> ClientName {
    ClientName::parse(client).unwrap()
}

pub fn id(id: &str) -> RequestId {
    RequestId::parse(id).unwrap()
}

pub fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

pub fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

pub fn money(amount: f64) -> Money {
    Money::from_f64(amount).unwrap()
}

pub fn points(points: i64) -> Price {
    Price::from_points(points, 5)
}

/// EURUSD, one tick of one lot worth a dollar.
pub fn spec() -> Arc<SymbolSpec> {
    let mut spec = mymt5_simulator::catalogue::spec(&symbol("EURUSD"));
    spec.tick_value = Some(1.0);
    Arc::new(spec)
}

/// EURUSD at 1.10000 / 1.10010.
pub fn quote() -> Tick {
    tick(110_000, 110_010)
}

pub fn tick(bid: i64, ask: i64) -> Tick {
    Tick {
        symbol: symbol("EURUSD"),
        time: BrokerTime(super::shell::BROKER_START.0),
        bid: points(bid),
        ask: points(ask),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}

/// A market buy of EURUSD.
pub fn buy(volume: f64) -> NewOrder {
    NewOrder {
        spec: spec(),
        side: Side::Buy,
        kind: OrderType::Market,
        lots: lots(volume),
        price: None,
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        max_deviation_points: None,
        tag: String::new(),
        comment: Comment::default(),
    }
}

/// A buy limit of EURUSD below the market.
pub fn buy_limit(volume: f64, price: i64) -> NewOrder {
    NewOrder {
        kind: OrderType::Limit,
        price: Some(points(price)),
        ..buy(volume)
    }
}

pub fn exit(position: u64, volume: Option<f64>) -> Exit {
    Exit {
        position: PositionId(position),
        lots: volume,
        max_deviation_points: None,
        tag: String::new(),
        comment: Comment::default(),
    }
}

/// A call of that client under that id; it may wait two seconds to be sent.
pub fn call(shell: &Shell, client: &str, request: &str, command: Command) -> Call {
    Call {
        asker: Asker(shell.steps),
        client: name(client),
        control: client == "local",
        session: None,
        request_id: id(request),
        method: "Test",
        content: [7; 32],
        trace_id: String::new(),
        send_before_ms: shell.now.utc.0 + 2_000,
        not_after_ms: None,
        command,
    }
}

/// A hedging account with 10,000 USD.
pub fn account() -> AccountRow {
    AccountRow {
        account: MaskedAccount::of(70_000_001),
        server: "Bench".into(),
        mode: AccountMode::Hedging,
        kind: AccountKind::Simulated,
        currency: "USD".into(),
        currency_digits: 2,
        leverage: 100,
        balance: money(10_000.0),
        credit: Money::ZERO,
        profit: Money::ZERO,
        equity: money(10_000.0),
        margin: Money::ZERO,
        free_margin: money(10_000.0),
        margin_level: None,
        trade_allowed: true,
    }
}

/// A trade of EURUSD by an expert: volume in units of 1e-8 lot, order ticket as the deal's.
pub fn deal(
    ticket: u64,
    position: u64,
    side: Side,
    entry: Entry,
    units: i64,
    price: i64,
) -> DealRow {
    DealRow {
        ticket: Ticket(ticket),
        order: Some(Ticket(ticket)),
        position_id: Some(PositionId(position)),
        magic: Magic::NONE,
        symbol: Some(symbol("EURUSD")),
        kind: DealKind::Trade(side),
        entry: Some(entry),
        reason: DealReason::Expert,
        lots: Lots::from_units(units),
        price: Some(points(price)),
        profit: Money::ZERO,
        swap: Money::ZERO,
        commission: Money::ZERO,
        time: super::shell::BROKER_START,
        comment: String::new(),
    }
}

/// Rows of an empty hedging account, read just now.
pub fn rows(shell: &Shell) -> Snapshot {
    let since = shell.now.utc.0 - START.utc.0;
    Snapshot {
        account: account(),
        positions: Vec::new(),
        orders: Vec::new(),
        unreadable: Vec::new(),
        time: Some(BrokerTime(super::shell::BROKER_START.0 + since)),
        begun: shell.core.news(),
    }
}

/// A history of all time without a row.
pub fn history() -> History {
    History {
        from: BrokerTime(0),
        to: BrokerTime(i64::MAX),
        orders: Vec::new(),
        deals: Vec::new(),
        unreadable: Vec::new(),
    }
}

/// What the clients alpha and beta may do, and the account.
pub fn config(clients: ScopeLimits, account: ScopeLimits) -> Config {
    let grant = || Grant {
        limits: clients.entry.clone(),
        loss: clients.loss,
        dead_man: None,
        max_ids_per_minute: None,
    };
    Config {
        grants: [(name("alpha"), grant()), (name("beta"), grant())].into(),
        account,
        reconcile: ReconcileConfig::default(),
        max_in_flight: 8,
        max_quote_age_ms: 60_000,
    }
}

/// A core without limits, alpha in slot 1 and beta in slot 2, the operator in slot 3; the link is
/// down and nothing was compared.
pub fn fresh() -> Shell {
    limited(ScopeLimits::default(), ScopeLimits::default())
}

/// The same with limits of the clients and of the account.
pub fn limited(clients: ScopeLimits, account: ScopeLimits) -> Shell {
    let mut prices = Prices::default();
    prices.specs.insert(symbol("EURUSD"), spec());
    prices.tick(quote());
    let disk = Disk::new(&["alpha", "beta", "local"]);
    Shell::start(config(clients, account), disk, START, prices)
}

/// Limits of entries alone.
pub fn entry_limits(entry: Limits) -> ScopeLimits {
    ScopeLimits {
        entry,
        loss: LossSettings::default(),
    }
}

/// The close that left, and the lots that it names; none: all that there is.
pub fn closed_by(sent: &Outgoing) -> (Ticket, Option<Lots>) {
    match &sent.request {
        TradeRequest::Close {
            position,
            lots,
            all,
            ..
        } => (*position, (!all).then_some(*lots)),
        other => panic!("{other:?}"),
    }
}
