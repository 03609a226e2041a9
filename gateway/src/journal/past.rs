//! What a step of the core needs of the past, read beside the writer: only what is durable is seen.

use super::{JournalError, Reader, rows::reading};
use mymt5_model::{PositionId, Ticket};
use mymt5_orders::{Found, Record, Subject, Wanted};
use rusqlite::{Connection, OptionalExtension};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The newest deal and the newest position of one that a journal holds, or is about to. What is newer
/// need not be looked for, and most of what comes is. Clones are one.
#[derive(Clone, Debug)]
pub struct Newest(Arc<[AtomicU64; 2]>);

impl Newest {
    /// Of the file as it is.
    pub(super) fn read(connection: &Connection) -> Result<Self, JournalError> {
        let newest = |column| {
            let sql = format!(
                "SELECT {column} FROM deals WHERE {column} IS NOT NULL ORDER BY {column} DESC LIMIT 1"
            );
            let newest = connection.query_row(&sql, [], |row| row.get(0)).optional();
            let newest: Option<i64> = newest.map_err(reading)?;
            Ok(newest.map_or(0, i64::unsigned_abs).into())
        };
        Ok(Self(Arc::new([newest("ticket")?, newest("position_id")?])))
    }

    /// The journal will hold that: told before anyone can read it there.
    pub(super) fn note(&self, record: &Record) {
        if let Record::Deal(owned) = record {
            let [deal, position] = &*self.0;
            deal.fetch_max(owned.deal.ticket.0, Ordering::AcqRel);
            let id = owned.deal.position_id.map_or(0, |id| id.0);
            position.fetch_max(id, Ordering::AcqRel);
        }
    }

    fn deal(&self) -> Ticket {
        Ticket(self.0[0].load(Ordering::Acquire))
    }

    fn position(&self) -> PositionId {
        PositionId(self.0[1].load(Ordering::Acquire))
    }
}

/// Looks up what is not in memory.
#[derive(Debug)]
pub struct Past {
    reader: Reader,
    newest: Newest,
}

impl Past {
    /// Opens the file beside the writer's connection, which comes first and keeps `newest` up to date.
    ///
    /// # Errors
    /// The file does not open.
    pub fn open(path: &Path, newest: Newest) -> Result<Self, JournalError> {
        let reader = Reader::open(path)?;
        Ok(Self { reader, newest })
    }

    /// What a step needs.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn find(&self, wanted: &Wanted) -> Result<Found, JournalError> {
        let mut found = Found::default();
        let mut orders = wanted.orders.clone();
        for key in &wanted.requests {
            if let Some(request) = self.reader.request(key)? {
                if let Subject::Order(id) = request.subject {
                    orders.insert(id);
                }
                found.requests.insert(key.clone(), request);
            }
        }
        for id in orders {
            if let Some(order) = self.reader.order(id)? {
                found.orders.insert(id, order);
            }
        }
        for ticket in wanted.deals.range(..=self.newest.deal()) {
            if self.reader.has_deal(*ticket)? {
                found.deals.insert(*ticket);
            }
        }
        for id in wanted.positions.range(..=self.newest.position()) {
            let deals = self.reader.deals_of(*id)?;
            if !deals.is_empty() {
                found.positions.insert(*id, deals);
            }
        }
        Ok(found)
    }
}
