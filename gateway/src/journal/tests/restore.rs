//! Backups, and what a restore of one knows.

use super::*;

/// A journal with a backup, and what came after the backup.
fn with_a_backup() -> (TempDir, PathBuf, PathBuf) {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal
        .commit(&[request("old"), order_record(order(1, OrderState::Filled))])
        .unwrap();
    let copy = folder.path().join("restored.db");
    fs::copy(
        folder.path().join("backup").join(backup(&path).unwrap().0),
        &copy,
    )
    .unwrap();
    let halted = StateRow {
        client: Some(name("alpha")),
        state: TradingState::Halted,
        reason: "news".into(),
        by: "local".into(),
        at: UtcTime(1),
        flatten: None,
    };
    journal
        .commit(&[
            Record::Request(request_of("new", Subject::Order(OrderId(5_000)))),
            order_record(order(5_000, OrderState::Working)),
            deal_record(deal(3, 1)),
            Record::State(halted),
        ])
        .unwrap();
    (folder, path, copy)
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
        trace_id: "c".into(),
    };
    journal.commit(&[event(1), Record::Denial(denial)]).unwrap();
    let (file, bytes) = backup(&path).unwrap();
    let copy = Connection::open(folder.path().join("backup").join(file)).unwrap();
    assert!(bytes > 0 && load::fact::<String>(&copy, "journal_id").unwrap() == loaded.journal_id);
    let denied: String = copy
        .query_row("SELECT client FROM denials", [], |row| row.get(0))
        .unwrap();
    assert_eq!(denied, "read");
}

#[test]
fn a_restore_takes_over_what_the_journal_in_place_still_tells() {
    let (_folder, path, copy) = with_a_backup();
    let before = open(&path).unwrap().1.journal_id;
    let restored = begin_epoch(&copy, &path, UtcTime(9)).unwrap();
    assert!(restored.incomplete.is_none(), "{:?}", restored.incomplete);
    assert_eq!((restored.orders, restored.taken_over), (1, 3));
    let loaded = open(&copy).unwrap().1;
    assert_ne!(loaded.journal_id, before);
    assert_eq!(loaded.orders, [order(5_000, OrderState::Working)]);
    assert_eq!(loaded.states[0].state, TradingState::Halted);
    assert_eq!(loaded.last_order, 605_000, "ids are passed over");
    let wanted = Wanted {
        requests: [key("new"), key("old")].into(),
        deals: [Ticket(3)].into(),
        ..Wanted::default()
    };
    let found = find(&copy, &wanted);
    assert_eq!((found.requests.len(), found.deals.len()), (2, 1));
}

#[test]
fn an_account_keeps_its_id_over_restarts_and_restores_and_a_new_journal_has_another() {
    for journal_is_lost in [false, true] {
        let (_folder, path, copy) = with_a_backup();
        let id = open(&path).unwrap().1.account_id;
        assert_eq!(open(&path).unwrap().1.account_id, id);
        if journal_is_lost {
            fs::remove_file(&path).unwrap();
        }
        begin_epoch(&copy, &path, UtcTime(9)).unwrap();
        assert_eq!(open(&copy).unwrap().1.account_id, id, "{journal_is_lost}");
        let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hex && id.len() == 32, "{id}");
        // By the same number and server it would be found from them.
        let (_folder, new) = place();
        assert_ne!(open(&new).unwrap().1.account_id, id);
    }
}

#[test]
fn a_restore_that_cannot_know_what_came_since_halts_the_account() {
    for loss in ["gone", "damaged", "another"] {
        let (folder, path, copy) = with_a_backup();
        match loss {
            "gone" => fs::remove_file(&path).unwrap(),
            "damaged" => {
                for beside in ["db-wal", "db-shm"] {
                    let _ = fs::remove_file(path.with_extension(beside));
                }
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
            _ => {
                let other = folder.path().join("other.db");
                drop(Sqlite::open(&other, &identity(5), &[]).unwrap());
                fs::rename(&other, &path).unwrap();
            }
        }
        let restored = begin_epoch(&copy, &path, UtcTime(9)).unwrap();
        assert!(restored.incomplete.is_some(), "{loss}");
        let loaded = open(&copy).unwrap().1;
        let account = loaded.states.iter().find(|row| row.client.is_none());
        assert_eq!(account.unwrap().reason, "RESTORED", "{loss}");
        assert!(loaded.last_order >= 600_001, "{loss}");
    }
}

#[test]
fn a_plain_copy_is_whole_after_a_clean_stop() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one"), event(1)]).unwrap();
    drop(journal);
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let wanted = Wanted {
        requests: [key("one")].into(),
        ..Wanted::default()
    };
    assert_eq!(find(&copy, &wanted).requests.len(), 1);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.contains("tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_backup_that_was_killed_leaves_nothing_that_looks_like_one() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    let backups = folder.path().join("backup");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("journal-1.partial"), "half").unwrap();
    backup(&path).unwrap();
    let files: Vec<_> = fs::read_dir(&backups).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn backups_that_are_asked_for_at_once_are_all_written() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    let written = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| backup(&path))).collect();
        let written = threads.into_iter().map(|thread| thread.join().unwrap());
        written.filter(Result::is_ok).count()
    });
    assert_eq!(written, 8);
}

#[test]
fn a_backup_that_leaves_the_journal_no_room_is_not_begun() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    drop(journal);
    // A log for which no disk has room, and which takes none itself.
    let log = fs::File::create(path.with_extension("db-wal")).unwrap();
    log.set_len(1 << 43).unwrap();
    assert!(matches!(backup(&path), Err(JournalError::File(_))));
    let backups = fs::read_dir(folder.path().join("backup")).unwrap();
    assert_eq!(backups.count(), 0);
}
