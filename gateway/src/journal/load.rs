//! What a start needs of a journal: what is open, and what the day's limits need. No row is believed
//! whose seal is broken.

use super::{
    JournalError, damaged,
    rows::{number, reading, select, select_json},
    store::{EVENTS, LOSSES, Ledger, META, POSITIONS, SLOTS, STATES},
};
use mymt5_model::{BrokerTime, ClientName, PositionId, Ticket, UtcTime};
use mymt5_orders::{
    DAYS_RESULTS_MS, Disagreement, Loaded, Order, OwnedDeal, Recorded, Request, order_id_at,
};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Newest deals that a complete history must hold.
const NEWEST_DEALS: i64 = 500;
/// Newest events that are kept in memory.
const NEWEST_EVENTS: i64 = 4_096;
const MINUTE_MS: i64 = 60_000;
/// Bytes of an account's id.
const ACCOUNT_ID: usize = 16;

/// One fact about the journal or the account; none: never noted.
pub(super) fn meta<T: DeserializeOwned>(
    connection: &Connection,
    key: &str,
) -> Result<Option<T>, JournalError> {
    Ok(select_json(connection, META, "WHERE key = ?1", [key])?.pop())
}

/// One that every journal has.
pub(super) fn fact<T: DeserializeOwned>(
    connection: &Connection,
    key: &str,
) -> Result<T, JournalError> {
    meta(connection, key)?.ok_or_else(|| damaged("meta", key))
}

/// Everything that a start needs, at that time.
pub(super) fn loaded(connection: &Connection, now: UtcTime) -> Result<Loaded, JournalError> {
    let newest = format!("ORDER BY sequence DESC LIMIT {NEWEST_EVENTS}");
    let mut events: Vec<Recorded> = select_json(connection, EVENTS, &newest, params![])?;
    events.reverse();
    let gap = events
        .windows(2)
        .find(|pair| pair[1].sequence != pair[0].sequence + 1);
    if let Some(pair) = gap {
        return Err(damaged("events", &pair[0].sequence.to_string()));
    }
    let orders: Vec<Order> = select(connection, "WHERE open = 1 ORDER BY order_id", params![])?;
    let open = "WHERE open = 1 ORDER BY client, request_id";
    let requests: Vec<Request> = select(connection, open, params![])?;
    let of_open = "WHERE position_id IN (SELECT position_id FROM positions) ORDER BY ticket";
    let deals: Vec<OwnedDeal> = select(connection, of_open, params![])?;
    let ledger: Option<Ledger> = meta(connection, "ledger")?;
    let orphans: Option<Vec<(Ticket, ClientName)>> = meta(connection, "orphan_deals")?;
    let disagreements: Option<Vec<(PositionId, Disagreement)>> = meta(connection, "disagreements")?;
    Ok(Loaded {
        journal_id: fact(connection, "journal_id")?,
        account_id: account_id(connection)?,
        slots: slots(connection)?,
        requests,
        orders,
        last_order: last_order(connection)?,
        recent_entries: recent_entries(connection, now)?,
        deals,
        recent_deals: recent_deals(connection)?,
        newest_deals: newest_deals(connection)?,
        archived: meta(connection, "archived")?.unwrap_or_default(),
        compared: meta(connection, "compared")?,
        positions: select_json(connection, POSITIONS, "ORDER BY position_id", params![])?,
        sequence: events.last().map_or(0, |event| event.sequence),
        events,
        states: select_json(connection, STATES, "ORDER BY scope", params![])?,
        losses: select_json(connection, LOSSES, "ORDER BY scope", params![])?,
        mode: ledger.as_ref().map(|ledger| ledger.1),
        ledger: ledger.map(|ledger| ledger.0),
        frozen: meta(connection, "frozen")?.unwrap_or_default(),
        orphan_deals: orphans.unwrap_or_default().into_iter().collect(),
        disagreements: disagreements.unwrap_or_default().into_iter().collect(),
        accepted_unreadable: meta(connection, "accepted_unreadable")?.unwrap_or_default(),
    })
}

/// The account as clients know it, by the random salt that is made with its journal and outlives a
/// restore. The salt itself never leaves: numbers of accounts could be tried with it.
fn account_id(connection: &Connection) -> Result<String, JournalError> {
    let salt: String = fact(connection, "salt")?;
    let digest = Sha256::digest(format!("account id\n{salt}"));
    Ok(hex::encode(&digest[..ACCOUNT_ID]))
}

/// The highest number that an order's id may have had: of an order here, or before a restore.
fn last_order(connection: &Connection) -> Result<u64, JournalError> {
    let sql = "SELECT max(order_id) FROM orders";
    let here: Option<i64> = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(reading)?;
    let here = here.map_or(Ok(0), u64::try_from);
    let here = here.map_err(|_| damaged("orders", "with the highest id"))?;
    let floor: Option<u64> = meta(connection, "order_floor")?;
    Ok(here.max(floor.unwrap_or(0)))
}

pub(super) fn slots(connection: &Connection) -> Result<BTreeMap<ClientName, u16>, JournalError> {
    let names: Vec<ClientName> = select_json(connection, SLOTS, "ORDER BY slot", params![])?;
    let mut statement = connection
        .prepare("SELECT slot FROM slots ORDER BY slot")
        .map_err(reading)?;
    let slots = statement
        .query_map([], |row| row.get::<_, u16>(0))
        .and_then(Iterator::collect::<Result<Vec<u16>, _>>)
        .map_err(reading)?;
    Ok(names.into_iter().zip(slots).collect())
}

/// Entries of the last minute. Ids go by time, and never back.
fn recent_entries(
    connection: &Connection,
    now: UtcTime,
) -> Result<Vec<(ClientName, UtcTime)>, JournalError> {
    let from = order_id_at(UtcTime(now.0 - MINUTE_MS));
    let orders: Vec<Order> = select(
        connection,
        "WHERE order_id >= ?1 AND closes IS NULL ORDER BY order_id",
        params![number(from.0)],
    )?;
    let entries = orders
        .into_iter()
        .filter_map(|order| Some((order.client, order.created.utc?)));
    Ok(entries.filter(|(_, at)| now.0 - at.0 < MINUTE_MS).collect())
}

/// Deals that a day's base may be rebuilt from.
fn recent_deals(connection: &Connection) -> Result<Vec<OwnedDeal>, JournalError> {
    let recent = "WHERE broker_ms >= (SELECT max(broker_ms) FROM deals) - ?1 ORDER BY ticket";
    select(connection, recent, params![DAYS_RESULTS_MS])
}

fn newest_deals(connection: &Connection) -> Result<Vec<(Ticket, BrokerTime)>, JournalError> {
    let newest = format!("ORDER BY ticket DESC LIMIT {NEWEST_DEALS}");
    let deals: Vec<OwnedDeal> = select(connection, &newest, params![])?;
    let deals = deals.into_iter();
    Ok(deals
        .map(|owned| (owned.deal.ticket, owned.deal.time))
        .collect())
}
