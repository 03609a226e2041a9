//! Decisions, durable before they are sent. After a crash each unsettled one is asked for at the
//! gateway; none is ever sent late.

use mymt5_model::PositionId;
use rusqlite::{Connection, OptionalExtension, params};
use std::{collections::BTreeMap, path::Path};

/// The intents' file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// Opening or migrating it failed.
    #[error("cannot open intents.db in process.data_folder; let this user write it")]
    Open(#[source] rusqlite::Error),
    /// It was written by a newer version.
    #[error(
        "intents.db in process.data_folder is of a newer version of this engine; run that version"
    )]
    Newer,
    /// Writing failed.
    #[error(
        "cannot write intents.db in process.data_folder; make room on its disk, and let this user write it"
    )]
    Write(#[source] rusqlite::Error),
    /// Reading failed.
    #[error("cannot read intents.db in process.data_folder; check its disk")]
    Read(#[source] rusqlite::Error),
}

/// The store.
#[derive(Debug)]
pub struct Intents {
    connection: Connection,
    /// Ends that could not be written yet, by request id.
    owed: BTreeMap<String, String>,
    /// Ends that count once nothing is left of those positions, or its close is recorded, by request id.
    rests: BTreeMap<String, (PositionId, String)>,
    /// The last writing failed, as was told.
    is_down: bool,
}

/// Most ends that wait to be written. What is beyond is asked for again in the next session.
const MOST_OWED: usize = 1_000;
/// Settled intents kept for inspection.
const KEPT: u32 = 10_000;
const VERSION: u32 = 2;
const SCHEMA: &str = "
    CREATE TABLE intents (
        request_id TEXT PRIMARY KEY,
        method     TEXT NOT NULL,
        request    BLOB NOT NULL,
        created_ms INTEGER NOT NULL,
        settled    TEXT
    ) STRICT;
    CREATE INDEX unsettled ON intents (request_id) WHERE settled IS NULL;
";
/// Past that time of the gateway's clock the call is refused.
const NOT_AFTER: &str = "ALTER TABLE intents ADD COLUMN not_after_ms INTEGER;
    PRAGMA user_version = 2;";

/// An intent whose end is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// Its request id.
    pub request_id: String,
    /// The method that takes it; of the close of a position, whether it is one of an exit, too.
    pub method: String,
    /// Its bytes, as they were sent.
    pub request: Vec<u8>,
    /// Unix milliseconds of the gateway's clock past which its call is refused; 0 where none was set.
    pub not_after_ms: i64,
}

/// What the store tells of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It was never recorded, and so never sent.
    Never,
    /// Its end is not known.
    Open,
    /// It ended.
    Settled,
}

impl Intents {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// See [`IntentError`].
    pub fn open(path: &Path) -> Result<Self, IntentError> {
        let connection = Connection::open(path).map_err(IntentError::Open)?;
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 2000;";
        connection
            .execute_batch(settings)
            .map_err(IntentError::Open)?;
        let version: u32 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(IntentError::Open)?;
        let migrations: &[&str] = match version {
            0 => &[SCHEMA, NOT_AFTER],
            1 => &[NOT_AFTER],
            VERSION => &[],
            _ => return Err(IntentError::Newer),
        };
        for script in migrations {
            connection
                .execute_batch(script)
                .map_err(IntentError::Open)?;
        }
        let mut store = Self {
            connection,
            owed: BTreeMap::new(),
            rests: BTreeMap::new(),
            is_down: false,
        };
        // A disk without room keeps no position from being attended.
        let purged = store.purge();
        store.note_writing(&purged);
        Ok(store)
    }

    /// Makes a decision durable. Only then may it be sent, unless it is harmless when it is forgotten.
    ///
    /// # Errors
    /// `Write`, which is told here.
    pub fn record(
        &mut self,
        request_id: &str,
        method: &str,
        request: &[u8],
        (now_ms, not_after_ms): (i64, i64),
    ) -> Result<(), IntentError> {
        let insert = "INSERT INTO intents (request_id, method, request, created_ms, not_after_ms)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![request_id, method, request, now_ms, not_after_ms];
        let written = self.connection.execute(insert, values);
        let written = written.map(|_| ()).map_err(IntentError::Write);
        self.note_writing(&written);
        written
    }

    /// Notes how a decision ended. Where that cannot be written it is told, and waits for
    /// [`Intents::catch_up`].
    pub fn settle(&mut self, request_id: &str, outcome: &str) {
        self.rests.remove(request_id);
        if self.owed.len() < MOST_OWED {
            self.owed.insert(request_id.to_owned(), outcome.to_owned());
        }
        self.catch_up();
    }

    /// Notes how a decision ended that was to close that position and left a rest of it, once its close is
    /// recorded or nothing is left. Until then each session asks for it again: what is to be closed is not
    /// forgotten with this process.
    pub fn settle_after(&mut self, position_id: PositionId, request_id: &str, outcome: &str) {
        if self.rests.len() < MOST_OWED {
            let end = (position_id, outcome.to_owned());
            self.rests.insert(request_id.to_owned(), end);
        }
    }

    /// The close of all of a position is recorded, or nothing is left of it.
    pub fn end_rests(&mut self, position_id: PositionId) {
        let rests = std::mem::take(&mut self.rests).into_iter();
        let (ended, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
            rests.partition(|(_, (of, _))| *of == position_id);
        self.rests = left;
        for (request_id, (_, outcome)) in ended {
            self.settle(&request_id, &outcome);
        }
    }

    /// Writes the ends that could not be written before.
    pub fn catch_up(&mut self) {
        let update = "UPDATE intents SET settled = ?2 WHERE request_id = ?1 AND settled IS NULL";
        while let Some((request_id, outcome)) = self.owed.first_key_value() {
            let changed = self
                .connection
                .execute(update, params![request_id, outcome]);
            // What was never recorded has no end to note, and shows nothing of the disk.
            if !matches!(changed, Ok(0)) {
                let written = changed.map(|_| ()).map_err(IntentError::Write);
                self.note_writing(&written);
                if written.is_err() {
                    return;
                }
            }
            self.owed.pop_first();
        }
    }

    /// Tells once that writing fails, and once that it works again.
    fn note_writing(&mut self, written: &Result<(), IntentError>) {
        let was_down = std::mem::replace(&mut self.is_down, written.is_err());
        match written {
            Err(error) if !was_down => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(%error, source, "entries are refused until it can be written");
            }
            Ok(()) if was_down => tracing::info!("intents.db is written again"),
            _ => {}
        }
    }

    /// Intents whose end is not known, oldest first.
    ///
    /// # Errors
    /// `Read`.
    pub fn unsettled(&self) -> Result<Vec<Unsettled>, IntentError> {
        let select = "SELECT request_id, method, request, coalesce(not_after_ms, 0) FROM intents
            WHERE settled IS NULL ORDER BY created_ms, rowid";
        let mut statement = self.connection.prepare(select).map_err(IntentError::Read)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Unsettled {
                request_id: row.get(0)?,
                method: row.get(1)?,
                request: row.get(2)?,
                not_after_ms: row.get(3)?,
            })
        };
        let rows = statement.query_map([], read).map_err(IntentError::Read)?;
        let mut unsettled: Vec<Unsettled> =
            rows.collect::<Result<_, _>>().map_err(IntentError::Read)?;
        unsettled.retain(|intent| !self.owed.contains_key(&intent.request_id));
        Ok(unsettled)
    }

    /// What is recorded of an intent.
    ///
    /// # Errors
    /// `Read`.
    pub fn record_of(&self, request_id: &str) -> Result<Record, IntentError> {
        if self.owed.contains_key(request_id) {
            return Ok(Record::Settled);
        }
        let select = "SELECT settled IS NULL FROM intents WHERE request_id = ?1";
        let row = self
            .connection
            .query_row(select, params![request_id], |row| row.get::<_, bool>(0));
        let is_open = row.optional().map_err(IntentError::Read)?;
        Ok(match is_open {
            None => Record::Never,
            Some(true) => Record::Open,
            Some(false) => Record::Settled,
        })
    }

    /// The requests of that method that were recorded after an intent, as they were sent.
    ///
    /// # Errors
    /// `Read`.
    pub fn recorded_after(
        &self,
        request_id: &str,
        method: &str,
    ) -> Result<Vec<Vec<u8>>, IntentError> {
        let select = "SELECT request FROM intents WHERE method = ?2
            AND rowid > (SELECT rowid FROM intents WHERE request_id = ?1)";
        let mut statement = self.connection.prepare(select).map_err(IntentError::Read)?;
        let rows = statement.query_map(params![request_id, method], |row| row.get::<_, Vec<u8>>(0));
        let requests = rows.map_err(IntentError::Read)?;
        requests
            .collect::<Result<_, _>>()
            .map_err(IntentError::Read)
    }

    fn purge(&self) -> Result<(), IntentError> {
        let delete = "DELETE FROM intents WHERE settled IS NOT NULL AND rowid <=
                      (SELECT COALESCE(MAX(rowid), 0) - ?1 FROM intents)";
        self.connection
            .execute(delete, params![KEPT])
            .map_err(IntentError::Write)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_recorded_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut store = Intents::open(&path).unwrap();
        for id in ["a", "b", "c"] {
            store.record(id, "SubmitOrder", b"content", (1, 7)).unwrap();
        }
        assert!(store.record("a", "SubmitOrder", b"other", (2, 7)).is_err());
        store.settle("b", "FILLED");
        drop(store);
        let store = Intents::open(&path).unwrap();
        for (id, record) in [
            ("a", Record::Open),
            ("b", Record::Settled),
            ("d", Record::Never),
        ] {
            assert_eq!(store.record_of(id).unwrap(), record, "{id}");
        }
        let unsettled = store.unsettled().unwrap();
        let expected = ["a", "c"].map(|id| Unsettled {
            request_id: id.to_owned(),
            method: "SubmitOrder".to_owned(),
            request: b"content".to_vec(),
            not_after_ms: 7,
        });
        assert_eq!(unsettled, expected);
    }

    #[test]
    fn what_was_recorded_after_an_intent_is_told_whether_it_ended_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Intents::open(&folder.path().join("intents.db")).unwrap();
        for (id, method) in [
            ("d", "SubmitOrder"),
            ("c", "ClosePosition"),
            ("b", "SubmitOrder"),
            ("a", "SubmitOrder"),
        ] {
            let content = id.as_bytes();
            store.record(id, method, content, (1, 7)).unwrap();
        }
        store.settle("b", "FILLED");
        let after = |id: &str| store.recorded_after(id, "SubmitOrder").unwrap();
        assert_eq!(after("c"), [b"b", b"a"]);
        assert!(after("a").is_empty());
        assert!(after("unknown").is_empty());
    }

    #[test]
    fn an_end_that_cannot_be_written_counts_and_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut store = Intents::open(&path).unwrap();
        for id in ["a", "b"] {
            store.record(id, "ClosePosition", b"", (1, 7)).unwrap();
        }
        let refuse = |yes: &str| format!("PRAGMA query_only = {yes}");
        store.connection.execute_batch(&refuse("ON")).unwrap();
        store.settle("a", "FILLED");
        assert!(store.record("c", "SubmitOrder", b"", (1, 7)).is_err());
        assert!(store.is_down);
        let left = store.unsettled().unwrap();
        assert_eq!((left.len(), left[0].request_id.as_str()), (1, "b"));
        assert_eq!(store.record_of("a").unwrap(), Record::Settled);
        store.connection.execute_batch(&refuse("OFF")).unwrap();
        store.catch_up();
        assert!(store.owed.is_empty() && !store.is_down);
        drop(store);
        let store = Intents::open(&path).unwrap();
        assert_eq!(store.record_of("a").unwrap(), Record::Settled);
        assert_eq!(store.record_of("b").unwrap(), Record::Open);
    }

    #[test]
    fn what_left_a_rest_is_settled_with_that_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut store = Intents::open(&path).unwrap();
        for (id, position_id) in [("a", 7), ("b", 8), ("c", 7)] {
            store.record(id, "ClosePosition", b"", (1, 7)).unwrap();
            store.settle_after(PositionId(position_id), id, "CANCELED");
            assert_eq!(store.record_of(id).unwrap(), Record::Open, "{id}");
        }
        store.settle("c", "CANCELED");
        assert_eq!(store.rests.len(), 2);
        store.end_rests(PositionId(7));
        for (id, record) in [("a", Record::Settled), ("b", Record::Open)] {
            assert_eq!(store.record_of(id).unwrap(), record, "{id}");
        }
        drop(store);
        let left = Intents::open(&path).unwrap().unsettled().unwrap();
        assert_eq!((left.len(), left[0].request_id.as_str()), (1, "b"));
    }

    #[test]
    fn a_disk_without_room_keeps_no_end_from_being_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut store = Intents::open(&path).unwrap();
        store.record("a", "ClosePosition", b"", (1, 7)).unwrap();
        // The file may not grow any more: the database is full.
        let full = store
            .connection
            .query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, u32>(0));
        assert!(full.is_ok());
        let large = vec![0_u8; 100_000];
        let refused = store.record("b", "SubmitOrder", &large, (1, 7));
        assert!(matches!(refused, Err(IntentError::Write(_))), "{refused:?}");
        store.settle("b", "REFUSED");
        assert!(store.is_down, "nothing was written");
        store.settle("a", "FILLED");
        assert!(!store.is_down);
        assert_eq!(store.unsettled().unwrap(), []);
    }

    #[test]
    fn a_file_of_the_first_version_is_brought_forward() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA).unwrap();
        old.execute_batch(
            "INSERT INTO intents VALUES ('a', 'SubmitOrder', x'00', 1, NULL); PRAGMA user_version = 1",
        )
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let unsettled = Intents::open(&path).unwrap().unsettled().unwrap();
            assert_eq!((unsettled.len(), unsettled[0].not_after_ms), (1, 0));
        }
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        Intents::open(&path)
            .unwrap()
            .connection
            .execute_batch("PRAGMA user_version = 3")
            .unwrap();
        assert!(matches!(Intents::open(&path), Err(IntentError::Newer)));
    }

    #[test]
    fn old_settled_intents_are_purged_and_unsettled_ones_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut store = Intents::open(&path).unwrap();
        store.record("first", "SubmitOrder", b"", (0, 0)).unwrap();
        store.connection.execute_batch("BEGIN").unwrap();
        for n in 0..KEPT + 50 {
            let id = n.to_string();
            store.record(&id, "SubmitOrder", b"", (1, 0)).unwrap();
            store.settle(&id, "FILLED");
        }
        store.connection.execute_batch("COMMIT").unwrap();
        drop(store);
        let store = Intents::open(&path).unwrap();
        let count: u32 = store
            .connection
            .query_row("SELECT COUNT(*) FROM intents", [], |row| row.get(0))
            .unwrap();
        let unsettled = store.unsettled().unwrap();
        assert_eq!((count, unsettled.len()), (KEPT + 1, 1));
        assert_eq!(unsettled[0].request_id, "first");
    }
}
