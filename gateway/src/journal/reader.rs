//! Reads beside the writer: lists, and old events. Only what is durable is seen.

use super::{
    JournalError,
    rows::{find, number, reading, select, select_json},
    schema,
    store::EVENTS,
};
use mymt5_model::{BrokerTime, ClientName, OrderId, PositionId, RequestId, Ticket, UtcTime};
use mymt5_orders::{Order, OwnedDeal, Recorded, Request, RequestKey, Subject};
use rusqlite::{Connection, params};
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// One connection that reads.
#[derive(Debug)]
pub struct Reader(Connection);

impl Reader {
    /// Opens it beside the writer's, which comes first.
    ///
    /// # Errors
    /// The file does not open.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        schema::open_to_read(path).map(Self)
    }

    pub(super) fn request(&self, key: &RequestKey) -> Result<Option<Request>, JournalError> {
        let RequestKey(client, id) = key;
        let condition = "WHERE client = ?1 AND request_id = ?2";
        find(&self.0, condition, [client.as_str(), id.as_str()])
    }

    /// An order.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn order(&self, id: OrderId) -> Result<Option<Order>, JournalError> {
        find(&self.0, "WHERE order_id = ?1", params![number(id.0)])
    }

    /// The order that a client's call made.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn order_of(
        &self,
        client: &ClientName,
        id: &RequestId,
    ) -> Result<Option<Order>, JournalError> {
        let request = self.request(&RequestKey(client.clone(), id.clone()))?;
        match request.map(|request| request.subject) {
            Some(Subject::Order(id)) => self.order(id),
            _ => Ok(None),
        }
    }

    pub(super) fn has_deal(&self, ticket: Ticket) -> Result<bool, JournalError> {
        let sql = "SELECT 1 FROM deals WHERE ticket = ?1";
        let mut statement = self.0.prepare_cached(sql).map_err(reading)?;
        statement.exists(params![number(ticket.0)]).map_err(reading)
    }

    pub(super) fn deals_of(&self, id: PositionId) -> Result<Vec<OwnedDeal>, JournalError> {
        let condition = "WHERE position_id = ?1 ORDER BY ticket";
        select(&self.0, condition, params![number(id.0)])
    }

    /// Orders before that one, the newest first, so many at most: of a client, or (none) of all.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn orders_before(
        &self,
        client: Option<&ClientName>,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<Order>, JournalError> {
        let before = before.map_or(i64::MAX, |id| number(id.0));
        self.page("order_id", client, before, limit)
    }

    /// Deals before that one, the newest first, so many at most: of a client, or (none) of all.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn deals_before(
        &self,
        client: Option<&ClientName>,
        before: Option<Ticket>,
        limit: usize,
    ) -> Result<Vec<OwnedDeal>, JournalError> {
        let before = before.map_or(i64::MAX, |ticket| number(ticket.0));
        self.page("ticket", client, before, limit)
    }

    fn page<T: super::rows::Stored>(
        &self,
        key: &str,
        client: Option<&ClientName>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<T>, JournalError> {
        let limit = number(limit as u64);
        match client {
            Some(client) => {
                let condition =
                    format!("WHERE client = ?1 AND {key} < ?2 ORDER BY {key} DESC LIMIT ?3");
                select(&self.0, &condition, params![client.as_str(), before, limit])
            }
            None => {
                let condition = format!("WHERE {key} < ?1 ORDER BY {key} DESC LIMIT ?2");
                select(&self.0, &condition, params![before, limit])
            }
        }
    }

    /// Orders with a higher id that were taken within a span, the oldest first, so many at most.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn orders_within(
        &self,
        span: &Range<UtcTime>,
        after: OrderId,
        limit: usize,
    ) -> Result<Vec<Order>, JournalError> {
        let condition = "WHERE order_id > ?1 AND created_ms >= ?2 AND created_ms < ?3
            ORDER BY order_id LIMIT ?4";
        select(
            &self.0,
            condition,
            params![
                number(after.0),
                span.start.0,
                span.end.0,
                number(limit as u64)
            ],
        )
    }

    /// Deals of a span of the broker's clock behind that place, in the order of time and ticket, so
    /// many at most.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn deals_within(
        &self,
        span: &Range<BrokerTime>,
        (time, ticket): (BrokerTime, Ticket),
        limit: usize,
    ) -> Result<Vec<OwnedDeal>, JournalError> {
        let condition =
            "WHERE broker_ms >= ?1 AND broker_ms < ?2 AND (broker_ms, ticket) > (?3, ?4)
            ORDER BY broker_ms, ticket LIMIT ?5";
        let from = span.start.max(time).0;
        select(
            &self.0,
            condition,
            params![
                from,
                span.end.0,
                time.0,
                number(ticket.0),
                number(limit as u64)
            ],
        )
    }

    /// The newest event's number; 0: there is none.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn newest_event(&self) -> Result<u64, JournalError> {
        let newest = "SELECT ifnull(max(sequence), 0) FROM events";
        let newest = self.0.query_row(newest, [], |row| row.get::<_, i64>(0));
        Ok(newest.map_err(reading)?.unsigned_abs())
    }

    /// Events after that one, so many at most. Fewer than there are: the oldest are gone.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub fn events_after(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        let condition = "WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
        let limit = number(limit as u64);
        select_json(&self.0, EVENTS, condition, params![number(after), limit])
    }
}

/// Readers for lists: a few at a time, each on a thread that may block. Cheap to clone.
#[derive(Clone)]
pub struct Readers(Arc<Shared>);

struct Shared {
    path: PathBuf,
    free: Mutex<Vec<Reader>>,
    places: Semaphore,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readers").field(&self.0.path).finish()
    }
}

impl Readers {
    /// Reads at a time.
    const PLACES: usize = 4;

    /// Readers of that journal, which is open for writing already.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self(Arc::new(Shared {
            path: path.to_path_buf(),
            free: Mutex::default(),
            places: Semaphore::new(Self::PLACES),
        }))
    }

    /// Reads something.
    ///
    /// # Errors
    /// The file cannot be read, or a row is damaged.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let shared = self.0.clone();
        let _place = shared.places.acquire().await;
        let reading = self.0.clone();
        let read = spawn_blocking(move || {
            let free = reading.take();
            let reader = free.map_or_else(|| Reader::open(&reading.path), Ok)?;
            let answer = question(&reader);
            if answer.is_ok() {
                reading.give_back(reader);
            }
            answer
        });
        read.await.map_err(|_| JournalError::Gone)?
    }
}

impl Shared {
    fn take(&self) -> Option<Reader> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop()
    }

    fn give_back(&self, reader: Reader) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(reader);
    }
}
