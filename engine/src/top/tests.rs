//! Pictures and what they are drawn of. The time is 14:00:01 of the first day of Unix time.
#![allow(clippy::unwrap_used)]

use super::{
    Look, State, Update, engine::EngineFigures, refusals::Refuser, state::Connection, view,
};
use mymt5_proto::v1;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};
use v1::stream_events_response::Event;

const NOW_MS: i64 = 50_401_000;

/// All of it.
const WHOLE: &str = "\
MyMT5  14:00:01 UTC  SIMULATED ****5678  gateway 0.1.0
link READY  ping 0.8 ms, 0.4 s ago  failed 0.0 %
trading ACTIVE  orders UNKNOWN 1
equity 10012.50 USD  today +12.50  floating +12.50  balance 10000.00  margin 110.00
engine connected  last tick 0.2 s ago
POSITIONS 1  side  lots  profit     open     stop  target  strategy  id
EURUSD       buy   0.10  +12.50  1.10000  1.09500       -  cross      7
QUOTES 2      bid      ask  points    age
EURUSD    1.10120  1.10132      12  0.0 s
USDJPY    150.100  150.112      12  2.5 s
LIMITS 3    of       used    left  allowed
DAILY_LOSS  account  25 %  375.00   500.00  ███░░░░░░░
DAILY_LOSS  engine   50 %  200.00   400.00  █████░░░░░
OPEN_RISK   engine   20 %  4.00 %   5.00 %  ██░░░░░░░░
ORDERS 2  side  lots  state    type      price  strategy  id  reason
USDJPY    sell  0.20  WORKING  limit   150.500  swing      9
EURUSD    buy   0.10  UNKNOWN  market        -  cross     10
REFUSALS 2  by      reason                                                                      what
14:00:00    broker  NO_MONEY                                                                    buy 1.00 EURUSD
earlier     engine  the spread is wider than risk.max_spread_points; wait until it is narrower  decision x3";

/// 80 x 24, without Unicode.
const ASCII: &str = "\
MyMT5  14:00:01 UTC  SIMULATED ****5678  gateway 0.1.0
link READY  ping 0.8 ms, 0.4 s ago  failed 0.0 %
trading ACTIVE  orders UNKNOWN 1
equity 10012.50 USD  today +12.50  floating +12.50  balance 10000.00  margin 110
engine connected  last tick 0.2 s ago
POSITIONS 1  side  lots  profit     open     stop  target  strategy  id
EURUSD       buy   0.10  +12.50  1.10000  1.09500       -  cross      7
QUOTES 2      bid      ask  points    age
EURUSD    1.10120  1.10132      12  0.0 s
USDJPY    150.100  150.112      12  2.5 s
LIMITS 3    of       used    left  allowed
DAILY_LOSS  account  25 %  375.00   500.00  ###.......
DAILY_LOSS  engine   50 %  200.00   400.00  #####.....
OPEN_RISK   engine   20 %  4.00 %   5.00 %  ##........
ORDERS 2  side  lots  state    type      price  strategy  id  reason
USDJPY    sell  0.20  WORKING  limit   150.500  swing      9
EURUSD    buy   0.10  UNKNOWN  market        -  cross     10
REFUSALS 2  by      reason
14:00:00    broker  NO_MONEY
earlier     engine  the spread is wider than risk.max_spread_points; wait until~";

/// 80 x 16.
const SHORT: &str = "\
MyMT5  14:00:01 UTC  SIMULATED ****5678  gateway 0.1.0
link READY  ping 0.8 ms, 0.4 s ago  failed 0.0 %
trading ACTIVE  orders UNKNOWN 1
equity 10012.50 USD  today +12.50  floating +12.50  balance 10000.00  margin 110
engine connected  last tick 0.2 s ago
POSITIONS 1  side  lots  profit     open     stop  target  strategy  id
EURUSD       buy   0.10  +12.50  1.10000  1.09500       -  cross      7
QUOTES 2      bid      ask  points    age
EURUSD    1.10120  1.10132      12  0.0 s
USDJPY    150.100  150.112      12  2.5 s
LIMITS 3    of       used    left  allowed
DAILY_LOSS  account  25 %  375.00   500.00  ███░░░░░░░
ORDERS 2  side  lots  state    type      price  strategy  id  reason
USDJPY    sell  0.20  WORKING  limit   150.500  swing      9
REFUSALS 2  by      reason
14:00:00    broker  NO_MONEY";

/// 40 x 10.
const SMALL: &str = "\
MyMT5  14:00:01 UTC  SIMULATED ****5678
link READY  ping 0.8 ms, 0.4 s ago  fail
trading ACTIVE  orders UNKNOWN 1
equity 10012.50 USD  today +12.50  float
engine connected  last tick 0.2 s ago
POSITIONS 1  side  lots  profit     open
EURUSD       buy   0.10  +12.50  1.10000
QUOTES 2      bid      ask  points
EURUSD    1.10120  1.10132      12
USDJPY    150.100  150.112      12";

/// 20 x 4.
const TINY: &str = "\
MyMT5  14:00:01 UTC
link READY  ping 0.8
trading ACTIVE  orde
equity 10012.50 USD";

const METRICS: &str = "mymt5_engine_connected 1
mymt5_engine_last_tick_timestamp_seconds 50400.8
mymt5_engine_open_risk_ratio 0.01
mymt5_engine_open_risk_limit_ratio 0.05
mymt5_engine_loss_limit{limit=\"LIMIT_DAILY_LOSS\"} 400
mymt5_engine_loss_limit_left{limit=\"LIMIT_DAILY_LOSS\"} 200
mymt5_engine_decisions_refused_total{reason=\"spread\"} 3
";

fn look() -> Look {
    Look {
        now_ms: NOW_MS,
        ascii: false,
    }
}

fn moment(utc_ms: i64) -> Option<v1::Moment> {
    Some(v1::Moment {
        utc_ms: Some(utc_ms),
        broker_ms: None,
    })
}

fn symbol(name: &str, digits: u32) -> v1::SymbolSpec {
    v1::SymbolSpec {
        symbol: name.to_owned(),
        digits,
        ..v1::SymbolSpec::default()
    }
}

fn status() -> v1::GetStatusResponse {
    let daily = v1::LossLimit {
        name: "LIMIT_DAILY_LOSS".to_owned(),
        allowed: 500.0,
        left: 375.0,
    };
    v1::GetStatusResponse {
        version: "0.1.0".to_owned(),
        account_kind: v1::AccountKind::Simulated.into(),
        link: Some(v1::LinkStatus {
            state: v1::LinkState::Ready.into(),
            last_ping: moment(NOW_MS - 400),
            ping_latency_us: 800,
            ..v1::LinkStatus::default()
        }),
        trading_state: v1::TradingState::Active.into(),
        unknown_orders: 1,
        losses: vec![v1::ScopeLosses {
            client: String::new(),
            profit_today: 12.5,
            limits: vec![daily],
        }],
        ..v1::GetStatusResponse::default()
    }
}

fn position() -> v1::Position {
    v1::Position {
        position_id: 7,
        symbol: "EURUSD".to_owned(),
        side: v1::Side::Buy.into(),
        lots: 0.1,
        open_price: 1.1,
        stop_loss: Some(1.095),
        profit: 13.0,
        swap: -0.5,
        tag: "cross".to_owned(),
        ..v1::Position::default()
    }
}

fn order(order_id: u64, state: v1::OrderState) -> v1::Order {
    v1::Order {
        order_id,
        symbol: "EURUSD".to_owned(),
        side: v1::Side::Buy.into(),
        r#type: v1::OrderType::Market.into(),
        state: state.into(),
        lots: 0.1,
        tag: "cross".to_owned(),
        ..v1::Order::default()
    }
}

fn snapshot() -> v1::GetSnapshotResponse {
    let working = v1::Order {
        symbol: "USDJPY".to_owned(),
        side: v1::Side::Sell.into(),
        r#type: v1::OrderType::Limit.into(),
        lots: 0.2,
        price: Some(150.5),
        tag: "swing".to_owned(),
        ..order(9, v1::OrderState::Working)
    };
    v1::GetSnapshotResponse {
        account: Some(v1::Account {
            account: "****5678".to_owned(),
            currency: "USD".to_owned(),
            equity: 10_012.5,
            balance: 10_000.0,
            margin: 110.0,
            ..v1::Account::default()
        }),
        positions: vec![position()],
        orders: vec![working, order(10, v1::OrderState::Unknown)],
        journal_id: "one".to_owned(),
        sequence: 20,
        trading_state: v1::TradingState::Active.into(),
        client: String::new(),
        account_id: String::new(),
    }
}

fn rejected(order_id: u64) -> v1::Order {
    v1::Order {
        lots: 1.0,
        retcode: Some(10_019),
        reason: "NO_MONEY".to_owned(),
        updated: moment(50_400_000),
        ..order(order_id, v1::OrderState::Rejected)
    }
}

fn tick(symbol: &str, bid: f64, ask: f64, kind: v1::TickKind) -> v1::Tick {
    v1::Tick {
        symbol: symbol.to_owned(),
        time: moment(NOW_MS - 2_500),
        bid,
        ask,
        kind: kind.into(),
        ..v1::Tick::default()
    }
}

/// A gateway and an engine at work.
fn state() -> State {
    let mut state = State::default();
    for update in [
        Update::Status(Box::new(status())),
        Update::Symbols(vec![symbol("EURUSD", 5), symbol("USDJPY", 3)]),
        Update::Past(vec![rejected(5)]),
        Update::Snapshot(Box::new(snapshot())),
        Update::Ticks(vec![
            tick("EURUSD", 1.1012, 1.101_32, v1::TickKind::Live),
            tick("USDJPY", 150.1, 150.112, v1::TickKind::Snapshot),
        ]),
    ] {
        assert!(!state.is_whole(2));
        state.apply(update, NOW_MS);
    }
    let figures = Some(EngineFigures::of(METRICS));
    state.apply(Update::Engine(figures), NOW_MS);
    assert!(state.is_whole(2) && !state.is_whole(3));
    state
}

/// What a terminal of that size shows.
fn screen(state: &State, look: Look, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let drawn = terminal.draw(|frame| view::draw(state, look, frame.area(), frame.buffer_mut()));
    drawn.unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> String {
    let rows = buffer
        .content()
        .chunks(usize::from(buffer.area.width).max(1));
    let rows = rows.map(|row| {
        let row: String = row.iter().map(|cell| cell.symbol()).collect();
        row.trim_end().to_owned()
    });
    let rows: Vec<String> = rows.collect();
    rows.join("\n").trim_end().to_owned()
}

#[test]
fn a_picture_shows_all_that_is_known() {
    assert_eq!(view::text(&state(), look(), 120), WHOLE);
}

#[test]
fn a_screen_of_any_size_shows_what_it_has_room_for() {
    let state = state();
    let ascii = Look {
        ascii: true,
        ..look()
    };
    assert_eq!(lines(&screen(&state, ascii, 80, 24)), ASCII);
    assert!(ASCII.is_ascii());
    for (width, height, picture) in [(80, 16, SHORT), (40, 10, SMALL), (20, 4, TINY)] {
        assert_eq!(lines(&screen(&state, look(), width, height)), picture);
    }
    for (width, height) in [(1, 1), (1, 50), (200, 1), (3, 7), (300, 100)] {
        screen(&state, look(), width, height);
    }
}

#[test]
fn before_anything_is_told_the_screen_says_so() {
    let text = view::text(&State::default(), look(), 80);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "MyMT5  14:00:01 UTC",
            "gateway: connecting",
            "trading not told",
            "account not told",
            "engine: asking",
        ]
    );
    assert_eq!(lines[6], "QUOTES 0  bid  ask  points  age");
}

#[test]
fn what_stands_in_the_way_is_marked() {
    let mut state = state();
    let mut halted = status();
    halted.trading_state = v1::TradingState::Halted.into();
    halted.trading_reasons = vec!["account Halted: a trial".to_owned()];
    halted.obstacles = vec![v1::Obstacle {
        name: "HALTED".to_owned(),
        why: "trading_reasons tell\u{1b}[2J why".to_owned(),
        closes: "entries".to_owned(),
        ..v1::Obstacle::default()
    }];
    state.apply(Update::Status(Box::new(halted)), NOW_MS);
    state.apply(Update::Engine(None), NOW_MS);
    state.apply(Update::Lost("broken; check it".to_owned()), NOW_MS);
    let buffer = screen(&state, look(), 100, 30);
    let text = lines(&buffer);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "gateway lost: broken; check it");
    let halted = "trading HALTED, this client ACTIVE  orders UNKNOWN 1: account Halted: a trial";
    assert_eq!(lines[2], halted);
    assert_eq!(lines[4], "engine does not answer at operations.listen");
    assert!(lines[5].starts_with("OBSTACLES 1  where"));
    assert!(lines[6].starts_with("HALTED       everywhere  entries  trading_reasons tell"));
    assert!(!text.contains('\u{1b}'));
    for (y, color) in [
        (1, Color::Red),
        (2, Color::Red),
        (3, Color::Reset),
        (6, Color::Red),
        (8, Color::Reset),
    ] {
        assert_eq!(buffer.cell((0, y)).unwrap().fg, color, "{y}");
    }
    state.apply(Update::Status(Box::new(status())), NOW_MS);
    assert_eq!(state.connection, Connection::Up);
}

#[test]
fn an_account_that_is_not_masked_is_not_shown() {
    let mut state = state();
    let mut open = snapshot();
    open.account.as_mut().unwrap().account = "12345678".to_owned();
    state.apply(Update::Snapshot(Box::new(open)), NOW_MS);
    assert!(!view::text(&state, look(), 120).contains("5678"));
}

/// Tells an event.
fn tell(state: &mut State, sequence: u64, event: Event) {
    let told = v1::StreamEventsResponse {
        sequence,
        event: Some(event),
        ..v1::StreamEventsResponse::default()
    };
    state.apply(Update::Event(Box::new(told)), NOW_MS);
}

fn changed(order: v1::Order) -> Event {
    Event::OrderChanged(v1::OrderChanged { order: Some(order) })
}

#[test]
fn events_move_on_what_a_snapshot_began_with_and_older_ones_do_not() {
    let mut state = state();
    let filled = || changed(order(10, v1::OrderState::Filled));
    tell(&mut state, 20, filled());
    assert!(state.orders.contains_key(&10), "the snapshot is of then");
    tell(&mut state, 21, filled());
    assert!(!state.orders.contains_key(&10));
    tell(&mut state, 22, changed(order(11, v1::OrderState::Sent)));
    assert!(state.orders.contains_key(&11));
    let closed = v1::PositionClosed {
        position: Some(position()),
    };
    tell(&mut state, 23, Event::PositionClosed(closed));
    assert!(state.positions.is_empty());
    state.apply(Update::Snapshot(Box::new(snapshot())), NOW_MS);
    assert!(state.positions.is_empty(), "that snapshot came late");
    let restored = v1::GetSnapshotResponse {
        journal_id: "two".to_owned(),
        sequence: 1,
        ..snapshot()
    };
    state.apply(Update::Snapshot(Box::new(restored)), NOW_MS);
    assert!(state.positions.contains_key(&7));
}

#[test]
fn refusals_are_kept_once_each_wherever_they_are_told() {
    let mut state = state();
    assert_eq!(state.refusals.all().len(), 2);
    tell(&mut state, 3, changed(rejected(5)));
    assert_eq!(state.refusals.all().len(), 2, "it is known by the past");
    tell(&mut state, 3, changed(rejected(6)));
    assert_eq!(state.refusals.all().len(), 3, "a snapshot tells of none");
    let latched = v1::LimitLatched {
        client: String::new(),
        reason: "LIMIT_DRAWDOWN".to_owned(),
    };
    tell(&mut state, 24, Event::LimitLatched(latched));
    assert_eq!(state.refusals.all()[0].reason, "LIMIT_DRAWDOWN latched");
}

#[test]
fn what_the_engine_counts_on_is_of_now_and_a_new_process_counts_from_nothing() {
    let mut state = state();
    let times = |state: &State| -> Vec<(Option<i64>, u64)> {
        let all = state.refusals.all().iter();
        let own = all.filter(|refusal| refusal.by == Refuser::Engine);
        own.map(|refusal| (refusal.at_ms, refusal.times)).collect()
    };
    assert_eq!(times(&state), [(None, 3)]);
    let counted = |spread: u32| {
        let text = METRICS.replace("\"spread\"} 3", &format!("\"spread\"}} {spread}"));
        Update::Engine(Some(EngineFigures::of(&text)))
    };
    state.apply(counted(3), 60_000_000);
    assert_eq!(times(&state), [(None, 3)]);
    state.apply(Update::Engine(None), 60_000_000);
    state.apply(counted(5), 61_000_000);
    assert_eq!(times(&state), [(Some(61_000_000), 2), (None, 3)]);
    state.apply(counted(1), 62_000_000);
    assert_eq!(times(&state)[0], (Some(62_000_000), 1));
}
