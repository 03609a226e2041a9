//! A look at a journal tells what a start would, and leaves no trace.

use super::*;
use crate::journal::look;

const OWN: u64 = 70_001_234;

fn files(folder: &TempDir) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder.path()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_journal_of_another_account_is_told_at_rest_and_in_use() {
    let (folder, path) = place();
    look(&path, &identity(OWN)).unwrap();
    assert!(files(&folder).is_empty());
    let judge = || {
        let before = files(&folder);
        look(&path, &identity(OWN)).unwrap();
        let other = look(&path, &identity(OWN + 1));
        assert!(matches!(other, Err(JournalError::OtherAccount { .. })));
        assert_eq!(files(&folder), before);
    };
    let (mut journal, _) = open(&path).unwrap();
    judge();
    journal.commit(&[event(1)]).unwrap();
    drop(journal);
    judge();
    assert!(!path.with_extension("db-shm").exists());
    drop(open(&path).unwrap());
}

#[test]
fn what_is_no_journal_of_this_version_is_told() {
    let (folder, path) = place();
    drop(open(&path).unwrap());
    let set_version = |version: i32| {
        let connection = Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
    };
    let told = || look(&path, &identity(OWN)).unwrap_err();
    set_version(999);
    assert!(matches!(told(), JournalError::Newer));
    set_version(1);
    assert!(matches!(told(), JournalError::Older));
    for foreign in [&b"a letter, and no journal at all"[..], &[7; 8_192]] {
        fs::write(&path, foreign).unwrap();
        assert!(matches!(told(), JournalError::Foreign(_)));
    }
    fs::write(&path, "").unwrap();
    assert!(matches!(told(), JournalError::Lost(_)), "an empty file");
    fs::remove_file(&path).unwrap();
    assert!(matches!(told(), JournalError::Lost(_)));
    assert_eq!(files(&folder).len(), 1, "the mark alone");
}

#[test]
fn a_path_may_have_any_letters() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("what? 100% #1");
    fs::create_dir(&odd).unwrap();
    let path = odd.join("journal.db");
    drop(open(&path).unwrap());
    look(&path, &identity(OWN)).unwrap();
    assert!(look(&path, &identity(OWN + 1)).is_err());
}
