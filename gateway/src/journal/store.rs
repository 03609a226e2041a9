//! Puts records into the tables.

use super::{
    JournalError,
    rows::{find, insert, number, put_json, replace, run},
};
use mymt5_model::{ClientName, PositionId, Ticket};
use mymt5_orders::{Denial, Disagreement, LedgerRow, Record, Request, RequestKey, Subject};
use rusqlite::{Connection, params};
use serde::Serialize;

/// Denied calls kept.
const DENIALS: i64 = 100_000;

/// A table of JSON, and its key.
pub(super) type Table = (&'static str, &'static str);

pub(super) const META: Table = ("meta", "key");
pub(super) const SLOTS: Table = ("slots", "slot");
pub(super) const POSITIONS: Table = ("positions", "position_id");
pub(super) const EVENTS: Table = ("events", "sequence");
pub(super) const STATES: Table = ("states", "scope");
pub(super) const LOSSES: Table = ("losses", "scope");

/// Writes one fact about the journal or the account.
pub(super) fn put_meta(
    connection: &Connection,
    key: &str,
    body: &impl Serialize,
) -> Result<(), JournalError> {
    put_json(connection, META, key.to_owned(), body)
}

/// Writes a record, within the transaction that the connection is in.
pub(super) fn write(connection: &Connection, record: &Record) -> Result<(), JournalError> {
    match record {
        Record::Request(request) => insert(connection, request),
        Record::Outcome(key, subject) => settle(connection, key, subject),
        Record::Order(order) => replace(connection, order.as_ref()),
        Record::Deal(deal) => insert(connection, deal.as_ref()),
        Record::Position(position) => {
            put_json(connection, POSITIONS, number(position.row.id.0), position)
        }
        Record::PositionClosed(id) => {
            let sql = "DELETE FROM positions WHERE position_id = ?1";
            run(connection, sql, params![number(id.0)])
        }
        Record::Event(event) => put_json(connection, EVENTS, number(event.sequence), event),
        Record::State(state) => put_json(connection, STATES, scope(&state.client), state),
        Record::Losses(row) => put_json(connection, LOSSES, scope(&row.client), row),
        Record::Ledger(row, mode) => put_meta(connection, "ledger", &Ledger(*row, *mode)),
        Record::Compared(time) => put_meta(connection, "compared", time),
        Record::Slot(client, slot) => put_json(connection, SLOTS, i64::from(*slot), client),
        Record::Frozen(frozen) => put_meta(connection, "frozen", frozen),
        Record::Archived(tickets) => put_meta(connection, "archived", tickets),
        Record::OrphanDeals(deals) => {
            // JSON's keys are texts: pairs keep the numbers.
            let pairs: Vec<(&Ticket, &ClientName)> = deals.iter().collect();
            put_meta(connection, "orphan_deals", &pairs)
        }
        Record::Disagreements(all) => {
            let pairs: Vec<(&PositionId, &Disagreement)> = all.iter().collect();
            put_meta(connection, "disagreements", &pairs)
        }
        Record::AcceptedUnreadable(rows) => put_meta(connection, "accepted_unreadable", rows),
        Record::Denial(denial) => deny(connection, denial),
    }
}

/// The account's balance by its deals, and its mode.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Ledger(pub(super) LedgerRow, pub(super) mymt5_model::AccountMode);

/// A scope's key: a client's name; empty for the account.
fn scope(client: &Option<ClientName>) -> String {
    client
        .as_ref()
        .map_or_else(String::new, ToString::to_string)
}

fn settle(
    connection: &Connection,
    key: &RequestKey,
    subject: &Subject,
) -> Result<(), JournalError> {
    let RequestKey(client, id) = key;
    let condition = "WHERE client = ?1 AND request_id = ?2";
    let request = find::<Request>(connection, condition, [client.as_str(), id.as_str()])?;
    let mut request = request.ok_or(JournalError::Unbound)?;
    request.subject = subject.clone();
    replace(connection, &request)
}

fn deny(connection: &Connection, denial: &Denial) -> Result<(), JournalError> {
    let sql = "INSERT INTO denials (at_ms, client, peer, call, code, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Denial {
        at,
        client,
        peer,
        call,
        code,
        trace_id,
    } = denial;
    run(
        connection,
        sql,
        params![at.0, client, peer, call, code, trace_id],
    )?;
    let purge = "DELETE FROM denials WHERE id <= (SELECT max(id) FROM denials) - ?1";
    run(connection, purge, params![DENIALS])
}
