//! The account behind the bridge, a SQLite file: its market moves, its sends' mishaps are planned,
//! and what it did is read out of it. Nothing of this goes through the bridge.

use super::{mishaps::Mischief, process};
use crate::{
    ledger::{Line, request_of},
    scene::Scene,
    standin::ticks,
};
use mymt5_chassis::clock;
use mymt5_model::{BrokerTime, Lots, RowState, Side, Ticket};
use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Longest wait for a bridge that was stopped with the file in its hands.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Mishaps that wait for their sends.
const PLANNED: i64 = 64;
/// `TRADE_ACTION_DEAL` and `TRADE_ACTION_PENDING`: what makes an order.
const ORDERS: [u32; 2] = [1, 5];
/// `DEAL_TYPE_BALANCE`: money that came or went.
const BALANCE: u32 = 2;

/// The open file.
pub(crate) struct Books(Connection);

impl Books {
    pub(crate) fn open(folder: &Path) -> Self {
        let books = Connection::open(process::state(folder)).unwrap();
        books.busy_timeout(TIMEOUT).unwrap();
        Self(books)
    }

    /// An order of a symbol takes no more lots than that.
    pub(super) fn limit_lots(&self, symbol: &str, lots: Lots) {
        const LIMIT: &str = "INSERT INTO symbols (name, fields) VALUES (?, ?)";
        let fields = json!({ "volume_max": lots.to_f64() });
        self.0
            .execute(LIMIT, params![symbol, fields.to_string()])
            .unwrap();
    }

    /// Moves the market, at a time after that. Gives the time.
    pub(super) fn tick(&mut self, number: i64, after: i64) -> i64 {
        const TICK: &str = "INSERT INTO ticks (symbol, time_msc, bid, ask) VALUES (?, ?, ?, ?)";
        let now = clock::utc_now_ms().max(after + 1);
        let change = self.0.transaction().unwrap();
        for tick in ticks(number, BrokerTime(now)) {
            let (bid, ask) = (tick.bid.to_f64(), tick.ask.to_f64());
            let row = params![tick.symbol.as_str(), now, bid, ask];
            change.execute(TICK, row).unwrap();
        }
        change.commit().unwrap();
        now
    }

    /// Plans the mishaps of the next sends.
    pub(super) fn plan(&mut self, mischief: &Mischief, scene: &Scene, planned: &mut i64) {
        const FAULT: &str =
            "INSERT INTO faults (id, on_call, kind, args) VALUES (?, 'order_send', ?, ?)";
        let change = self.0.transaction().unwrap();
        change
            .execute("DELETE FROM faults WHERE remaining = 0", [])
            .unwrap();
        let query = "SELECT count(*) FROM faults WHERE on_call = 'order_send'";
        let wait: i64 = change.query_row(query, [], |row| row.get(0)).unwrap();
        for _ in wait..PLANNED {
            *planned += 1;
            let (kind, args) = mischief
                .mishap(scene.seed, planned.cast_unsigned())
                .row(scene);
            let row = params![*planned, kind, args.to_string()];
            change.execute(FAULT, row).unwrap();
        }
        change.commit().unwrap();
    }

    /// Lets a read go wrong, once.
    pub(super) fn trouble(&mut self, (call, kind, args): (&str, &str, Value)) {
        // Above the numbers of all sends' mishaps.
        const TROUBLE: &str = "INSERT INTO faults (id, on_call, kind, args)
            SELECT max(1 << 40, coalesce(max(id) + 1, 0)), ?, ?, ? FROM faults
            HAVING count(*) FILTER (WHERE remaining <> 0 AND on_call <> 'order_send') = 0";
        let row = params![call, kind, args.to_string()];
        self.0.execute(TROUBLE, row).unwrap();
    }

    /// Nothing goes wrong any more.
    pub(super) fn calm(&self) {
        self.0.execute("DELETE FROM faults", []).unwrap();
    }

    /// What was done until now, all as of one moment.
    pub(crate) fn ledger(mut self) -> Vec<Line> {
        let moment = self.0.transaction().unwrap();
        let mut lines = Vec::new();
        let mut read = |query: &str, line: fn(&Row<'_>) -> rusqlite::Result<Vec<Line>>| {
            let mut query = moment.prepare(query).unwrap();
            let read = query.query_map([], line).unwrap();
            read.for_each(|line| lines.extend(line.unwrap()));
        };
        read(
            "SELECT seq, at_ms, magic, action, comment, fault, seq IN (SELECT seq FROM held) AS waits
             FROM sends ORDER BY seq",
            send,
        );
        read(
            "SELECT ticket, magic, comment, symbol, volume_initial, state FROM orders
             UNION ALL
             SELECT ticket, magic, comment, symbol, volume_initial, state FROM history_orders",
            order,
        );
        read(
            "SELECT ticket, \"order\", position_id, symbol, type, volume, price,
                    profit + swap + commission + fee AS result
             FROM deals WHERE type IN (0, 1, 2) ORDER BY ticket",
            deal,
        );
        lines
    }
}

/// A ticket or a magic: no greater number than SQLite has.
fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn lots(row: &Row<'_>, column: &str) -> rusqlite::Result<Lots> {
    Ok(Lots::from_f64(row.get(column)?).unwrap())
}

/// A row's magic, and the request id that it belongs to.
fn request(row: &Row<'_>) -> rusqlite::Result<(u64, String)> {
    let magic = number(row, "magic")?;
    Ok((magic, request_of(magic, row.get("comment")?)))
}

fn send(row: &Row<'_>) -> rusqlite::Result<Vec<Line>> {
    let fault: Option<String> = row.get("fault")?;
    let action: u32 = row.get("action")?;
    let order = match ORDERS.contains(&action) {
        true => Some(request(row)?),
        false => None,
    };
    Ok(vec![Line::Received {
        send: number(row, "seq")?,
        at: row.get("at_ms")?,
        fault: fault.unwrap_or_else(|| "executed".into()),
        held: row.get("waits")?,
        order,
    }])
}

fn order(row: &Row<'_>) -> rusqlite::Result<Vec<Line>> {
    let ticket = Ticket(number(row, "ticket")?);
    let (magic, id) = request(row)?;
    let mut lines = vec![Line::Order {
        ticket,
        magic,
        id,
        symbol: row.get("symbol")?,
        lots: lots(row, "volume_initial")?,
    }];
    let state = match row.get("state")? {
        2 => Some(RowState::Canceled),
        4 => Some(RowState::Filled),
        5 => Some(RowState::Rejected),
        6 => Some(RowState::Expired),
        0_u32.. => None,
    };
    lines.extend(state.map(|state| Line::Ended { ticket, state }));
    Ok(lines)
}

fn deal(row: &Row<'_>) -> rusqlite::Result<Vec<Line>> {
    let kind: u32 = row.get("type")?;
    let ticket = Ticket(number(row, "ticket")?);
    if kind == BALANCE {
        let amount = row.get("result")?;
        return Ok(vec![Line::Booked { ticket, amount }]);
    }
    Ok(vec![Line::Deal {
        ticket,
        order: Some(Ticket(number(row, "order")?)),
        position: number(row, "position_id")?,
        symbol: row.get("symbol")?,
        side: match kind {
            0 => Side::Buy,
            _ => Side::Sell,
        },
        lots: lots(row, "volume")?,
        price: row.get("price")?,
        result: row.get("result")?,
    }])
}
