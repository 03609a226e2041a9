//! A backup in the journal's place: a new epoch, in which old event cursors are void. Whatever the
//! journal that is replaced still holds is taken over: ids, orders, deals, and what closed trading.
//! Where it holds nothing, the account starts halted: the backup does not know what came after it.

use super::{
    JournalError,
    load::{self, fact},
    mark::Mark,
    rows::{self, Stored, replace},
    schema,
    store::{self, put_meta},
};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, UtcTime};
use mymt5_orders::{Loaded, Order, OwnedDeal, Record, Request, StateRow};
use rusqlite::{Connection, params};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Ids of orders are passed over after a restore, since the last ones given may not be known: those
/// of ten minutes.
const PASSED_OVER: u64 = 600_000;
/// The journal that is replaced, as it is called while its rows are taken over.
const REPLACED: &str = "replaced";

/// What a restore led to.
#[derive(Debug)]
pub struct Restored {
    /// Orders that the backup knows.
    pub orders: u64,
    /// Requests, orders and deals that the journal in its place knew since.
    pub taken_over: usize,
    /// Why that is not all of them, so that the account is halted; none: it is.
    pub incomplete: Option<JournalError>,
}

/// Makes a copied backup the beginning of a new event sequence, in which everything still holds that
/// the replaced journal recorded.
///
/// # Errors
/// It is not a journal, or damaged.
pub fn begin_epoch(copy: &Path, replaced: &Path, now: UtcTime) -> Result<Restored, JournalError> {
    let opened = schema::open(copy)?;
    if opened.fresh {
        return Err(JournalError::Foreign(copy.to_path_buf()));
    }
    let mut connection = opened.connection;
    if !opened.checked {
        schema::check_pages(&mut connection, None)?;
    }
    let backup = load::loaded(&connection, now)?;
    let sql = "SELECT count(*) FROM orders";
    let orders: i64 = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(JournalError::Read)?;
    let attached = attach(&connection, replaced, now);
    let transaction = connection.transaction().map_err(JournalError::Write)?;
    let (taken_over, incomplete) = match &attached {
        Ok(newer) => take_over(&transaction, &backup, newer)?,
        Err(_) => (0, None),
    };
    let known = attached.as_ref().map_or(0, |newer| newer.last_order);
    let incomplete = incomplete.or(attached.err());
    if incomplete.is_some() {
        store::write(&transaction, &Record::State(halted(now)))?;
    }
    let marked = Mark::last_order(replaced).unwrap_or(0);
    let floor = known.max(marked).max(backup.last_order) + PASSED_OVER;
    put_meta(&transaction, "order_floor", &floor)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    put_meta(&transaction, "journal_id", &id)?;
    transaction.commit().map_err(JournalError::Write)?;
    let _ = connection.execute_batch("DETACH replaced");
    connection
        .pragma_update(None, "journal_mode", "DELETE")
        .map_err(JournalError::Write)?;
    Ok(Restored {
        orders: u64::try_from(orders).unwrap_or(0),
        taken_over,
        incomplete,
    })
}

/// Opens the journal that is replaced beside the copy, if it is of the same account.
fn attach(connection: &Connection, replaced: &Path, now: UtcTime) -> Result<Loaded, JournalError> {
    if !replaced.exists() {
        return Err(JournalError::Lost(replaced.to_path_buf()));
    }
    let newer = schema::open(replaced)?;
    let salt = |of: &Connection| fact::<String>(of, "salt");
    if newer.fresh || salt(&newer.connection)? != salt(connection)? {
        return Err(JournalError::Unrelated);
    }
    let loaded = load::loaded(&newer.connection, now)?;
    drop(newer);
    let sql = format!("ATTACH ?1 AS {REPLACED}");
    let path = replaced.to_string_lossy();
    connection
        .execute(&sql, [path.as_ref()])
        .map_err(JournalError::Read)?;
    Ok(loaded)
}

/// Takes over what is newer: how many requests, orders and deals, and why not all.
fn take_over(
    connection: &Connection,
    backup: &Loaded,
    newer: &Loaded,
) -> Result<(usize, Option<JournalError>), JournalError> {
    let (requests, no_requests) = differing::<Request>(connection, &["client", "request_id"]);
    let (orders, no_orders) = differing::<Order>(connection, &["order_id"]);
    let (deals, no_deals) = differing::<OwnedDeal>(connection, &["ticket"]);
    for request in &requests {
        replace(connection, request)?;
    }
    for order in &orders {
        replace(connection, order)?;
    }
    for deal in &deals {
        replace(connection, deal)?;
    }
    rows::run(connection, "DELETE FROM positions", params![])?;
    for record in facts(backup, newer) {
        store::write(connection, &record)?;
    }
    let count = requests.len() + orders.len() + deals.len();
    Ok((count, no_requests.or(no_orders).or(no_deals)))
}

/// Rows of the journal that is replaced which the backup lacks, or has as they were before.
fn differing<T: Stored>(connection: &Connection, key: &[&str]) -> (Vec<T>, Option<JournalError>) {
    let same = key
        .iter()
        .map(|key| format!("kept.{key} = newer.{key} AND "));
    let same: String = same.collect();
    let source = format!("{REPLACED}.{} AS newer", T::TABLE);
    let condition = format!(
        "WHERE NOT EXISTS (SELECT 1 FROM main.{} AS kept WHERE {same} kept.seal = newer.seal)",
        T::TABLE
    );
    rows::salvage(connection, &source, &condition)
}

/// What else holds: the newer of everything, and of what closes trading the stricter.
fn facts(backup: &Loaded, newer: &Loaded) -> Vec<Record> {
    let kept = |scope: &Option<ClientName>| {
        let mut states = backup.states.iter();
        let row = states.find(|row| row.client == *scope);
        row.map_or(TradingState::Active, |row| row.state)
    };
    let mut records = Vec::new();
    let slots = newer.slots.iter();
    records.extend(slots.map(|(name, slot)| Record::Slot(name.clone(), *slot)));
    let positions = newer.positions.iter().cloned();
    records.extend(positions.map(|position| Record::Position(Box::new(position))));
    let stricter = newer.states.iter();
    let stricter = stricter.filter(|row| row.state >= kept(&row.client));
    records.extend(stricter.cloned().map(Record::State));
    records.extend(newer.losses.iter().cloned().map(Record::Losses));
    if let (Some(ledger), Some(mode)) = (newer.ledger, newer.mode) {
        records.push(Record::Ledger(ledger, mode));
    }
    records.extend(newer.compared.map(Record::Compared));
    let mut frozen = backup.frozen.clone();
    frozen.extend(newer.frozen.clone());
    let mut orphans = backup.orphan_deals.clone();
    orphans.extend(newer.orphan_deals.clone());
    records.extend([
        Record::Frozen(frozen),
        Record::OrphanDeals(orphans),
        Record::Archived(newer.archived.clone()),
        Record::Disagreements(newer.disagreements.clone()),
        Record::AcceptedUnreadable(newer.accepted_unreadable.clone()),
    ]);
    records
}

/// Where not everything is known that came after the backup: the account, until an operator resumes
/// it.
fn halted(now: UtcTime) -> StateRow {
    StateRow {
        client: None,
        state: TradingState::Halted,
        reason: "RESTORED".to_owned(),
        by: ClientName::local().as_str().to_owned(),
        at: now,
        flatten: None,
    }
}

/// Moves a journal aside, if there is one; where it is now.
///
/// # Errors
/// It cannot be moved.
pub fn set_aside(path: &Path, now_ms: i64) -> Result<Option<PathBuf>, JournalError> {
    if !path.exists() {
        return Ok(None);
    }
    let kept = path.with_extension(format!("replaced-{now_ms}.db"));
    for extension in ["db-wal", "db-shm"] {
        let beside = path.with_extension(extension);
        if beside.exists() {
            let target = kept.with_extension(extension);
            fs::rename(&beside, target).map_err(JournalError::File)?;
        }
    }
    fs::rename(path, &kept).map_err(JournalError::File)?;
    Ok(Some(kept))
}
