#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::loader::{Environment, Reader, Table};
use crate::redact::Redactor;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const TABLE: Table = Table {
    program: "demo",
    names: &[],
    secrets: &["MT5_LOGIN", "MT5_TOKEN", "BRIDGE_SECRET", "MT5_PASSWORD"],
    forbidden: &[],
};

/// A folder as Kubernetes mounts it: files are links through `..data`, which is swapped whole.
struct Mount {
    folder: TempDir,
    made: u32,
}

impl Mount {
    fn new(login: &str, password: &str) -> Self {
        let mut mount = Self {
            folder: tempfile::tempdir().unwrap(),
            made: 0,
        };
        mount.swap(&[("MT5_LOGIN", login), ("MT5_TOKEN", password)]);
        for name in ["MT5_LOGIN", "MT5_TOKEN"] {
            symlink(Path::new("..data").join(name), mount.path().join(name)).unwrap();
        }
        mount
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn swap(&mut self, files: &[(&str, &str)]) {
        self.made += 1;
        let name = format!("..generation-{}", self.made);
        let generation = self.path().join(&name);
        fs::create_dir(&generation).unwrap();
        for (file, text) in files {
            fs::write(generation.join(file), text).unwrap();
        }
        let link = self.path().join("..data_tmp");
        symlink(&name, &link).unwrap();
        let old = fs::read_link(self.path().join("..data"));
        fs::rename(&link, self.path().join("..data")).unwrap();
        if let Ok(old) = old {
            fs::remove_dir_all(self.path().join(old)).unwrap();
        }
    }

    fn found(&self) -> FoundSecrets {
        let folder = self.path().to_str().unwrap();
        found(&[("MYMT5__SECRETS__FOLDER", folder)])
    }

    fn store(&self, redactor: &Redactor) -> SecretStore {
        SecretStore::new(self.found(), redactor)
    }
}

fn store(pairs: &[(&str, &str)], redactor: &Redactor) -> SecretStore {
    SecretStore::new(found(pairs), redactor)
}

fn found(pairs: &[(&str, &str)]) -> FoundSecrets {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.toml");
    fs::write(&file, "").unwrap();
    let environment = Environment::from_pairs(pairs.iter().copied());
    let mut reader = Reader::open(&TABLE, &file, environment).unwrap();
    for name in TABLE.secrets {
        reader.secret(name);
    }
    let found = reader.found_secrets();
    reader.finish().unwrap();
    found
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn value(reader: &SecretReader, name: &str) -> String {
    reader.get(name).unwrap().expose().to_owned()
}

#[test]
fn debug_tells_nothing() {
    let secret = Secret::new("hunter2!");
    assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    assert_eq!(secret.expose(), "hunter2!");
}

#[test]
fn nothing_that_holds_secrets_shows_them() {
    let pairs = [("MT5_TOKEN", "correct horse"), ("MT5_LOGIN", "12345678")];
    let redactor = Redactor::new();
    let environment = Environment::from_pairs(pairs);
    let store = store(&pairs, &redactor);
    let reader = store.reader();
    let told = format!(
        "{environment:?} {redactor:?} {store:?} {store:#?} {reader:?} {:?} {:?}",
        reader.all(),
        FoundSecrets {
            values: [(
                "A".to_owned(),
                Credential::from(Secret::new("correct horse"))
            )]
            .into(),
            files: [("A".to_owned(), (PathBuf::from("x"), true))].into(),
        }
    );
    assert!(told.contains("MT5_TOKEN"), "{told}");
    assert!(
        !told.contains("horse") && !told.contains("345678"),
        "{told}"
    );
}

#[tokio::test]
async fn a_swapped_folder_reaches_readers_and_redactor() {
    let mut mount = Mount::new("12345678", "first-password");
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("given-value")], &["77777777"]);
    let store = mount.store(&redactor);
    let files = ["MT5_LOGIN", "MT5_TOKEN"].map(|name| mount.path().join(name));
    assert_eq!(store.files(), files);
    let mut reader = store.reader();
    assert_eq!(store.poll_once(), Vec::<String>::new());
    mount.swap(&[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", "second-password")]);
    assert_eq!(value(&reader, "MT5_TOKEN"), "first-password");
    assert_eq!(store.poll_once(), ["MT5_LOGIN", "MT5_TOKEN"]);
    assert!(reader.changed().await);
    assert_eq!(value(&reader, "MT5_TOKEN"), "second-password");
    assert_eq!(value(&reader, "MT5_LOGIN"), "87654321");
    // Old and new alike, beside what was given apart; logins as numbers.
    let line = "first-password second-password given-value 12345678 87654321 77777777 187654321";
    let masked = "*** *** *** ****5678 ****4321 ****7777 187654321";
    assert_eq!(redactor.clean(line), masked);
    drop(store);
    assert!(!reader.changed().await);
}

#[test]
fn the_last_eight_former_values_stay_masked() {
    let mut mount = Mount::new("12345678", "password-0");
    let redactor = Redactor::new();
    let store = mount.store(&redactor);
    for number in 1..=9 {
        let password = format!("password-{number}");
        mount.swap(&[("MT5_LOGIN", "12345678"), ("MT5_TOKEN", &password)]);
        assert_eq!(store.poll_once(), ["MT5_TOKEN"]);
    }
    assert_eq!(redactor.clean("password-0"), "password-0");
    for number in 1..=9 {
        assert_eq!(redactor.clean(&format!("password-{number}")), "***");
    }
}

#[test]
fn any_failure_keeps_all_of_the_folder_and_is_logged_once() {
    let mut mount = Mount::new("12345678", "first-password");
    let found = mount.found();
    let store = SecretStore::new(found.clone(), &Redactor::new());
    let reader = store.reader();
    let long = "x".repeat(2000);
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("MT5_LOGIN", "87654321")], "cannot be read"),
        (
            &[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", "\n")],
            "is empty",
        ),
        (
            &[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", "canar")],
            "is shorter than 6",
        ),
        (
            &[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", &long)],
            "larger than 1 KiB",
        ),
        (
            &[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", "canary\u{7}bell")],
            "control",
        ),
    ];
    let log = captured(|| {
        for (files, reason) in cases {
            mount.swap(files);
            for _ in 0..3 {
                assert!(store.poll_once().is_empty(), "{reason}");
            }
            let errors = store.reload(found.clone()).unwrap_err().to_string();
            assert!(
                errors.contains("MT5_TOKEN: ") && errors.contains(reason),
                "{errors}"
            );
            assert!(!errors.contains("canar"), "{errors}");
            assert_eq!(value(&reader, "MT5_LOGIN"), "12345678");
            assert_eq!(value(&reader, "MT5_TOKEN"), "first-password");
        }
        mount.swap(&[("MT5_LOGIN", "87654321"), ("MT5_TOKEN", "second-password")]);
        assert_eq!(store.poll_once().len(), 2);
    });
    let told = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    for (_, reason) in cases {
        assert_eq!(told(reason), 1, "{reason}: {log}");
    }
    assert_eq!(
        (told("can be read again"), told("secrets replaced")),
        (1, 1),
        "{log}"
    );
    for hidden in ["canar", "first-password", "second-password", "87654321"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

/// What is logged meanwhile, by this thread.
fn captured(run: impl FnOnce()) -> String {
    use std::io::{Read, Seek};
    let mut file = tempfile::tempfile().unwrap();
    let writer = file.try_clone().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(writer))
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_file_written_in_place_is_taken_when_two_looks_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    write(&path, "first-password");
    let pairs = [
        ("MT5_TOKEN_FILE", path.to_str().unwrap()),
        ("BRIDGE_SECRET", "of-the-environment"),
    ];
    let found = found(&pairs);
    let store = SecretStore::new(found.clone(), &Redactor::new());
    let reader = store.reader();
    write(&path, "second");
    assert!(store.poll_once().is_empty());
    write(&path, "second-password");
    assert!(store.poll_once().is_empty());
    assert_eq!(value(&reader, "MT5_TOKEN"), "first-password");
    assert_eq!(store.poll_once(), ["MT5_TOKEN"]);
    assert_eq!(value(&reader, "MT5_TOKEN"), "second-password");
    // An operator's call needs no second look.
    write(&path, "third-password");
    assert_eq!(store.reload(found.clone()).unwrap(), ["MT5_TOKEN"]);
    assert!(store.reload(found.clone()).unwrap().is_empty());
    assert_eq!(value(&reader, "BRIDGE_SECRET"), "of-the-environment");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(
        store
            .reload(found)
            .unwrap_err()
            .to_string()
            .contains("chmod 600")
    );
}

/// Swaps as fast as they can be made: a login and a password of two generations never meet.
#[test]
fn readers_never_see_two_generations_at_once() {
    const SWAPS: u32 = 300;
    let mut mount = Mount::new("10000000", "password-10000000");
    let store = mount.store(&Redactor::new());
    let reader = store.reader();
    let mut seen = 0;
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            for number in 1..=SWAPS {
                let login = (10_000_000 + number).to_string();
                let password = format!("password-{login}");
                mount.swap(&[("MT5_LOGIN", &login), ("MT5_TOKEN", &password)]);
            }
        });
        let mut last = false;
        while !last {
            last = swapping.is_finished();
            seen += usize::from(!store.poll_once().is_empty());
            let set = reader.all();
            let login = set.get("MT5_LOGIN").unwrap().expose();
            let password = set.get("MT5_TOKEN").unwrap().expose();
            assert_eq!(password, format!("password-{login}"));
        }
    });
    assert!(seen > 0);
    assert_eq!(
        value(&reader, "MT5_LOGIN"),
        (10_000_000 + SWAPS).to_string()
    );
}

#[tokio::test]
async fn the_watch_follows_the_folder_and_ends() {
    let mut mount = Mount::new("12345678", "first-password");
    let store = Arc::new(mount.store(&Redactor::new()));
    let mut reader = store.reader();
    let end = CancellationToken::new();
    let watch = tokio::spawn(Arc::clone(&store).watch(Duration::ZERO, end.clone()));
    mount.swap(&[("MT5_LOGIN", "12345678"), ("MT5_TOKEN", "second-password")]);
    let heard = tokio::time::timeout(Duration::from_secs(20), reader.changed()).await;
    assert_eq!(heard, Ok(true));
    assert_eq!(value(&reader, "MT5_TOKEN"), "second-password");
    end.cancel();
    watch.await.unwrap();
}

/// The password as whoever logs in reads it, or why it cannot.
fn password(reader: &SecretReader) -> Result<String, String> {
    let all = reader.all();
    let read = all.credential("MT5_PASSWORD").unwrap().read();
    let read = read.map(|secret| secret.expose().to_owned());
    read.map_err(|error| error.to_string())
}

#[test]
fn a_password_of_a_file_is_not_kept_and_masked_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    write(&path, "first-password");
    let redactor = Redactor::new();
    let pairs = [
        ("MT5_PASSWORD_FILE", path.to_str().unwrap()),
        ("BRIDGE_SECRET", "of-the-environment"),
    ];
    let store = store(&pairs, &redactor);
    let reader = store.reader();
    assert!(reader.get("MT5_PASSWORD").is_none());
    assert_eq!(password(&reader).unwrap(), "first-password");
    write(&path, "second-password");
    // Not what was taken up: perhaps half of it, and perhaps of another login.
    assert!(password(&reader).unwrap_err().contains("changed"));
    assert!(store.poll_once().is_empty());
    assert_eq!(store.poll_once(), ["MT5_PASSWORD"]);
    assert_eq!(password(&reader).unwrap(), "second-password");
    let line = "first-password second-password of-the-environment third-password";
    assert_eq!(redactor.clean(line), "*** *** *** third-password");
    fs::remove_file(&path).unwrap();
    assert!(store.poll_once().is_empty());
    assert!(password(&reader).unwrap_err().contains("cannot be read"));
    // It comes back as it was: nothing was replaced.
    write(&path, "second-password");
    assert!(store.poll_once().is_empty() && store.poll_once().is_empty());
    assert_eq!(password(&reader).unwrap(), "second-password");
}

#[test]
fn any_change_of_a_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let other = folder.path().join("other");
    write(&path, "first-token");
    let store = store(
        &[("MT5_TOKEN_FILE", path.to_str().unwrap())],
        &Redactor::new(),
    );
    assert!(store.poll_once().is_empty());
    // Some time after it was written it is at rest.
    let age = || path.metadata().unwrap().modified().unwrap().elapsed();
    while age().is_ok_and(|age| age < Duration::from_millis(1_100)) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(store.poll_once().is_empty() && store.poll_once().is_empty());
    write(&other, "second-token");
    fs::rename(&other, &path).unwrap();
    assert!(store.poll_once().is_empty());
    assert_eq!(store.poll_once(), ["MT5_TOKEN"]);
    // Other rights are a change too, though the text is the same.
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let told = captured(|| assert!(store.poll_once().is_empty()));
    assert!(told.contains("may be read by other users"), "{told}");
}

#[test]
fn a_reload_takes_secrets_of_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    write(&path, "third-password");
    let redactor = Redactor::new();
    let store = store(&[("MT5_PASSWORD", "first-password")], &redactor);
    let reader = store.reader();
    assert_eq!(password(&reader).unwrap(), "first-password");
    let again = found(&[("MT5_PASSWORD", "second-password")]);
    assert_eq!(store.reload(again).unwrap(), ["MT5_PASSWORD"]);
    assert_eq!(password(&reader).unwrap(), "second-password");
    // From now on in a file of its own, which is followed.
    let file = [("MT5_PASSWORD_FILE", path.to_str().unwrap())];
    assert_eq!(store.reload(found(&file)).unwrap(), ["MT5_PASSWORD"]);
    assert_eq!(store.files(), [path.as_path()]);
    assert_eq!(password(&reader).unwrap(), "third-password");
    assert!(reader.get("MT5_PASSWORD").is_none());
    // What is not found any more stays.
    assert!(store.reload(found(&[])).unwrap().is_empty());
    assert_eq!(password(&reader).unwrap(), "third-password");
    let line = "first-password second-password third-password";
    assert_eq!(redactor.clean(line), "*** *** ***");
}
