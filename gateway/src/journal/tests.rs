#![allow(clippy::unwrap_used)]
//! The file: what is committed is there again, and a file that is not ours, not whole or not the
//! newest is refused with its fix.

use super::{Identity, Journal, JournalError, SIMULATOR, Sqlite, Writer, backup, load};
use crate::{desk::EventLog, testing::deal};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, Entry, MaskedAccount, OrderId, RequestId, Side, Symbol, UtcTime};
use mymt5_orders::{
    Audience, Denial, Event, Loaded, OwnedDeal, Record, Recorded, Request, StateRow, Subject,
};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

fn name(client: &str) -> ClientName {
    ClientName::parse(client).unwrap()
}

fn identity(login: u64) -> Identity {
    Identity {
        broker: SIMULATOR,
        server: "Example-Server".into(),
        account: MaskedAccount::of(login),
    }
}

fn open(path: &Path) -> Result<(Sqlite, Loaded), JournalError> {
    Sqlite::open(path, &identity(70_001_234), &[name("alpha"), name("beta")])
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    (folder, path)
}

fn event(sequence: u64) -> Record {
    Record::Event(Arc::new(Recorded {
        sequence,
        at: UtcTime(5),
        correlation: "c".into(),
        audience: Audience::All,
        event: Event::MarginCall(50.0),
    }))
}

fn request(id: &str) -> Record {
    Record::Request(Request {
        client: name("alpha"),
        request_id: RequestId::parse(id).unwrap(),
        method: "SubmitOrder".into(),
        content: "00".repeat(32),
        subject: Subject::Order(OrderId(1)),
        at: UtcTime(5),
        correlation: String::new(),
    })
}

/// Flips one bit in the middle of the only occurrence of a text in a file.
fn flip(path: &Path, text: &str) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes
        .windows(text.len())
        .position(|part| part == text.as_bytes())
        .unwrap();
    bytes[at + text.len() / 2] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_committed_is_there_again() {
    let (_folder, path) = place();
    let (mut journal, loaded) = open(&path).unwrap();
    assert_eq!(
        (loaded.slots[&name("alpha")], loaded.slots[&name("beta")]),
        (1, 2)
    );
    let state = StateRow {
        client: None,
        state: TradingState::Halted,
        reason: "test".into(),
        by: "local".into(),
        at: UtcTime(9),
    };
    let owned = OwnedDeal {
        deal: deal(3, 1, Side::Buy, Entry::In, 100, 1_000),
        order: Some(OrderId(1)),
        client: Some(name("alpha")),
        tag: String::new(),
    };
    let records = [
        request("one"),
        Record::Deal(Arc::new(owned.clone())),
        Record::State(state.clone()),
        Record::Touched(["EURUSD"].map(|name| Symbol::parse(name).unwrap()).into()),
        event(1),
        event(2),
    ];
    journal.commit(&records).unwrap();
    drop(journal);
    let (_, again) =
        Sqlite::open(&path, &identity(70_001_234), &[name("gamma"), name("beta")]).unwrap();
    assert_eq!(again.journal_id, loaded.journal_id);
    assert_eq!((again.sequence, again.events.len()), (2, 2));
    assert_eq!(again.touched.len(), 1);
    assert_eq!((again.deals, again.states), (vec![owned], vec![state]));
    assert_eq!(again.requests[0].request_id.as_str(), "one");
    assert_eq!(
        (again.slots[&name("gamma")], again.slots[&name("alpha")]),
        (3, 1),
        "never reused"
    );
}

#[test]
fn a_batch_is_whole_or_not_at_all() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one")]).unwrap();
    let failed = journal.commit(&[event(1), request("one")]);
    assert!(
        matches!(failed, Err(JournalError::Write(_))),
        "an id is bound once"
    );
    drop(journal);
    assert_eq!(open(&path).unwrap().1.sequence, 0);
}

#[test]
fn another_account_another_file_and_a_newer_version_are_refused() {
    let (_folder, path) = place();
    drop(open(&path).unwrap());
    let other = |identity: &Identity| Sqlite::open(&path, identity, &[]).unwrap_err();
    assert!(matches!(
        other(&identity(70_009_999)),
        JournalError::OtherAccount { .. }
    ));
    let server = Identity {
        server: "Other".into(),
        ..identity(70_001_234)
    };
    assert!(matches!(other(&server), JournalError::OtherAccount { .. }));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(JournalError::Newer)));
    fs::write(
        &path,
        "no database, surely not, but long enough to be read as a header of one",
    )
    .unwrap();
    assert!(matches!(open(&path), Err(JournalError::Foreign(_))));
}

#[test]
fn no_name_of_a_server_and_no_account_number_is_in_the_file() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one")]).unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in ["Example-Server", "70001234"] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes())
            );
        }
    }
}

#[test]
fn damage_is_found_at_the_start_and_names_the_fix() {
    for damage in ["flipped", "cut"] {
        let (_folder, path) = place();
        let (mut journal, _) = open(&path).unwrap();
        let requests: Vec<Record> = (0..200).map(|n| request(&format!("id-{n}"))).collect();
        journal.commit(&requests).unwrap();
        drop(journal);
        if damage == "flipped" {
            flip(&path, "\"request_id\":\"id-7\"");
        } else {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        let error = open(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { .. }),
            "{damage}: {error:?}"
        );
        assert!(error.is_for_the_operator() && error.to_string().contains("restore"));
    }
}

#[test]
fn an_older_copy_put_back_is_found() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    let old = folder.path().join("old.db");
    fs::rename(
        folder.path().join("backup").join(backup(&path).unwrap().0),
        &old,
    )
    .unwrap();
    journal.commit(&[event(2), event(3)]).unwrap();
    drop(journal);
    for suffix in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(path.with_extension(suffix));
    }
    fs::rename(&old, &path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(error, JournalError::RolledBack { found: 1, seen: 3 }),
        "{error:?}"
    );
}

#[test]
fn only_events_are_purged() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("first"), event(1)]).unwrap();
    let many: Vec<Record> = (2..=EventLog::CAPACITY as u64 + 10).map(event).collect();
    journal.commit(&many).unwrap();
    drop(journal);
    let (_, loaded) = open(&path).unwrap();
    assert_eq!(
        (loaded.events.len(), loaded.events[0].sequence),
        (EventLog::CAPACITY, 11)
    );
    assert_eq!(loaded.requests.len(), 1);
}

#[test]
fn a_backup_is_a_journal_of_its_own_and_denials_are_kept() {
    let (folder, path) = place();
    let (mut journal, loaded) = open(&path).unwrap();
    let denial = Denial {
        at: UtcTime(5),
        client: "read".into(),
        peer: "127.0.0.1:1".into(),
        call: "/mymt5.v1.TradingService/SubmitOrder".into(),
        code: "PermissionDenied".into(),
        correlation: "c".into(),
    };
    journal.commit(&[event(1), Record::Denial(denial)]).unwrap();
    let (file, bytes) = backup(&path).unwrap();
    let copy = Connection::open(folder.path().join("backup").join(file)).unwrap();
    assert!(bytes > 0 && load::meta(&copy, "journal_id").unwrap() == loaded.journal_id);
    let denied: String = copy
        .query_row("SELECT client FROM denials", [], |row| row.get(0))
        .unwrap();
    assert_eq!(denied, "read");
}

#[tokio::test]
async fn a_failure_is_told_and_the_writer_stops() {
    struct Broken;
    impl Journal for Broken {
        fn commit(&mut self, _: &[Record]) -> Result<(), JournalError> {
            Err(JournalError::Gone)
        }
    }
    let mut writer = Writer::start(Broken).unwrap();
    writer.hand(vec![event(1)]);
    assert!(writer.done().await.is_err());
    writer.hand(vec![event(2)]);
    assert!(writer.done().await.is_err());
}

#[test]
fn a_journal_that_is_gone_is_missed() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    drop(journal);
    fs::remove_file(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, JournalError::Lost(_)) && error.is_for_the_operator());
}
