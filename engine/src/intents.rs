//! Decisions, durable before they are sent. After a crash each unsettled one is asked for at the
//! gateway; none is ever sent late.

use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

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
pub struct Intents(Connection);

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
        let store = Self(connection);
        store.purge()?;
        Ok(store)
    }

    /// Makes a decision durable. Only then may it be sent.
    ///
    /// # Errors
    /// `Write`; the decision must be dropped then.
    pub fn record(
        &self,
        request_id: &str,
        method: &str,
        request: &[u8],
        (now_ms, not_after_ms): (i64, i64),
    ) -> Result<(), IntentError> {
        let insert = "INSERT INTO intents (request_id, method, request, created_ms, not_after_ms)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![request_id, method, request, now_ms, not_after_ms];
        self.0.execute(insert, values).map_err(IntentError::Write)?;
        Ok(())
    }

    /// Notes how a decision ended.
    ///
    /// # Errors
    /// `Write`.
    pub fn settle(&self, request_id: &str, outcome: &str) -> Result<(), IntentError> {
        let update = "UPDATE intents SET settled = ?2 WHERE request_id = ?1 AND settled IS NULL";
        self.0
            .execute(update, params![request_id, outcome])
            .map_err(IntentError::Write)?;
        Ok(())
    }

    /// Intents whose end is not known, oldest first.
    ///
    /// # Errors
    /// `Read`.
    pub fn unsettled(&self) -> Result<Vec<Unsettled>, IntentError> {
        let select = "SELECT request_id, coalesce(not_after_ms, 0) FROM intents
            WHERE settled IS NULL ORDER BY created_ms, rowid";
        let mut statement = self.0.prepare(select).map_err(IntentError::Read)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Unsettled {
                request_id: row.get(0)?,
                not_after_ms: row.get(1)?,
            })
        };
        let rows = statement.query_map([], read).map_err(IntentError::Read)?;
        rows.collect::<Result<_, _>>().map_err(IntentError::Read)
    }

    /// What is recorded of an intent.
    ///
    /// # Errors
    /// `Read`.
    pub fn record_of(&self, request_id: &str) -> Result<Record, IntentError> {
        let select = "SELECT settled IS NULL FROM intents WHERE request_id = ?1";
        let row = self
            .0
            .query_row(select, params![request_id], |row| row.get::<_, bool>(0));
        let is_open = row.optional().map_err(IntentError::Read)?;
        Ok(match is_open {
            None => Record::Never,
            Some(true) => Record::Open,
            Some(false) => Record::Settled,
        })
    }

    fn purge(&self) -> Result<(), IntentError> {
        let delete = "DELETE FROM intents WHERE settled IS NOT NULL AND rowid <=
                      (SELECT COALESCE(MAX(rowid), 0) - ?1 FROM intents)";
        self.0
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
        let store = Intents::open(&path).unwrap();
        for id in ["a", "b", "c"] {
            store.record(id, "SubmitOrder", b"content", (1, 7)).unwrap();
        }
        assert!(store.record("a", "SubmitOrder", b"other", (2, 7)).is_err());
        store.settle("b", "FILLED").unwrap();
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
            not_after_ms: 7,
        });
        assert_eq!(unsettled, expected);
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
            .0
            .execute_batch("PRAGMA user_version = 3")
            .unwrap();
        assert!(matches!(Intents::open(&path), Err(IntentError::Newer)));
    }

    #[test]
    fn old_settled_intents_are_purged_and_unsettled_ones_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let store = Intents::open(&path).unwrap();
        store.record("first", "SubmitOrder", b"", (0, 0)).unwrap();
        store.0.execute_batch("BEGIN").unwrap();
        for n in 0..KEPT + 50 {
            let id = n.to_string();
            store.record(&id, "SubmitOrder", b"", (1, 0)).unwrap();
            store.settle(&id, "FILLED").unwrap();
        }
        store.0.execute_batch("COMMIT").unwrap();
        drop(store);
        let store = Intents::open(&path).unwrap();
        let count: u32 = store
            .0
            .query_row("SELECT COUNT(*) FROM intents", [], |row| row.get(0))
            .unwrap();
        let unsettled = store.unsettled().unwrap();
        assert_eq!((count, unsettled.len()), (KEPT + 1, 1));
        assert_eq!(unsettled[0].request_id, "first");
    }
}
