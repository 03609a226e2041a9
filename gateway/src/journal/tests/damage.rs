//! A file that is not ours, not whole, not the newest or gone is refused with its fix.

use super::*;

#[test]
fn another_account_another_file_and_a_newer_version_are_refused() {
    let (_folder, path) = place();
    drop(open(&path).unwrap());
    let other = |identity: &Identity| Sqlite::open(&path, identity, &[]).unwrap_err();
    // The last four digits alone tell no account from another.
    for login in [70_009_999, 80_001_234] {
        let error = other(&identity(login));
        assert!(
            matches!(error, JournalError::OtherAccount { .. }),
            "{error:?}"
        );
    }
    let server = Identity {
        server: "Other".into(),
        ..identity(70_001_234)
    };
    assert!(matches!(other(&server), JournalError::OtherAccount { .. }));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(JournalError::Newer)));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(JournalError::Older)));
    fs::write(
        &path,
        "no database, surely not, but long enough to be read as a header of one",
    )
    .unwrap();
    assert!(matches!(open(&path), Err(JournalError::Foreign(_))));
}

#[test]
fn a_journal_that_cannot_be_read_now_is_not_called_damaged() {
    let (_folder, path) = place();
    drop(open(&path).unwrap());
    let holder = Connection::open(&path).unwrap();
    let alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE";
    holder.execute_batch(alone).unwrap();
    let mut other = Connection::open(&path).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    let checked = super::super::schema::check_pages(&mut other, None);
    assert!(matches!(checked, Err(JournalError::Read(_))), "{checked:?}");
}

#[test]
fn damage_is_found_before_anything_is_believed() {
    for damage in ["flipped", "not text", "cut"] {
        let (_folder, path) = place();
        let (mut journal, _) = open(&path).unwrap();
        let orders: Vec<Record> = (1..200)
            .map(|id| {
                let mut order = order(id, OrderState::Working);
                order.tag = format!("tag-{id}-x");
                order_record(order)
            })
            .collect();
        journal.commit(&orders).unwrap();
        drop(journal);
        match damage {
            "flipped" => flip(&path, "tag-199-x", 1),
            "not text" => flip(&path, "tag-199-x", 0x80),
            _ => {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
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
fn a_row_of_the_past_that_is_damaged_is_not_believed_either() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let mut ended = order(7, OrderState::Filled);
    ended.tag = "tag-7-x".into();
    journal.commit(&[order_record(ended)]).unwrap();
    drop(journal);
    flip(&path, "tag-7-x", 1);
    drop(open(&path).unwrap());
    let error = Reader::open(&path).unwrap().order(OrderId(7)).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error:?}");
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
