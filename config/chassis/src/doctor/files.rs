//! Who may read and write the files of a process: its configuration, its keys, its folders.

use super::Finding;
use crate::process::Standing;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The check of the configuration's files.
pub(super) const CONFIG: &str = "config-files";
/// The check of private keys and certificates.
pub(super) const KEYS: &str = "key-files";
/// The check of data and logs.
pub(super) const FOLDERS: &str = "folders";

/// The keys of others are looked for so deep below a folder, and in so many files.
const DEPTH: usize = 3;
const MOST_FILES: usize = 1_000;

/// Bits of a mode: written by others than the owner, of any use to them, to all of them.
const WRITABLE: u32 = 0o022;
const SHARED: u32 = 0o077;
const OPEN: u32 = 0o007;

/// What a file is, as far as rights go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) path: PathBuf,
    /// The permission bits.
    pub(super) mode: u32,
    /// Whose it is.
    pub(super) owner: u32,
}

/// None: it is not there, or barred.
pub(super) fn facts(path: &Path) -> Option<Facts> {
    let found = fs::metadata(path).ok()?;
    Some(Facts {
        path: path.to_owned(),
        mode: found.mode() & 0o7777,
        owner: found.uid(),
    })
}

fn shown(facts: &Facts) -> String {
    format!("{} has mode {:o}", facts.path.display(), facts.mode)
}

/// A file that neither root nor that user owns: whoever does can write it, whatever its mode.
fn foreign(files: &[Facts], user: u32) -> Option<&Facts> {
    files.iter().find(|file| ![0, user].contains(&file.owner))
}

/// Nobody else may write what the process believes; where each user has a group of its own, a group
/// that may is none but that user. The user is the process's; none: not known.
pub(super) fn config(files: &[Facts], user: Option<u32>) -> Finding {
    if let Some(file) = user.and_then(|user| foreign(files, user)) {
        return Finding::fail(
            CONFIG,
            format!("{} belongs to user {}", file.path.display(), file.owner),
            format!(
                "chown {} to root or to the process's user",
                file.path.display()
            ),
        );
    }
    let open_to = |bits: u32| files.iter().find(|file| file.mode & bits != 0);
    if let Some(file) = open_to(WRITABLE & OPEN) {
        return Finding::fail(
            CONFIG,
            format!("{}: others can write it", shown(file)),
            format!("chmod go-w {}", file.path.display()),
        );
    }
    if let Some(file) = open_to(WRITABLE) {
        return Finding::warn(
            CONFIG,
            format!("{}: its group can write it", shown(file)),
            format!(
                "chmod g-w {}, unless the group is one user's own",
                file.path.display()
            ),
        );
    }
    let names = files.iter().map(|file| file.path.display().to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    Finding::pass(CONFIG, format!("others cannot write {names}"))
}

/// A private key is its user's alone; one that an orchestrator mounts is root's, and may be its
/// group's. Certificates may be read by all, and written by none but root and that user.
pub(super) fn keys(keys: &[Facts], certificates: &[Facts], user: u32) -> Finding {
    if let Some(key) = foreign(keys, user) {
        return Finding::fail(
            KEYS,
            format!("{} belongs to user {}", key.path.display(), key.owner),
            format!("chown it to user {user}, whose key it is"),
        );
    }
    let is_open = |key: &&Facts| {
        let barred = if key.owner == user { SHARED } else { OPEN };
        key.mode & barred != 0
    };
    if let Some(key) = keys.iter().find(is_open) {
        return Finding::fail(
            KEYS,
            format!("{}: others can read it", shown(key)),
            format!("chmod 600 {}", key.path.display()),
        );
    }
    let written = certificates.iter().find(|file| file.mode & WRITABLE != 0);
    if let Some(file) = written {
        return Finding::fail(
            KEYS,
            format!("{}: others can write it", shown(file)),
            format!("chmod 644 {}", file.path.display()),
        );
    }
    if let Some(file) = foreign(certificates, user) {
        return Finding::fail(
            KEYS,
            format!("{} belongs to user {}", file.path.display(), file.owner),
            format!("chown {} to root or to user {user}", file.path.display()),
        );
    }
    Finding::pass(
        KEYS,
        format!("{} private, certificates not writable", keys.len()),
    )
}

/// Data and logs are the process's alone, or volumes as an orchestrator hands them over; those that are
/// not there yet are made so.
pub(super) fn folders(folders: &[(Facts, Standing)], user: u32) -> Finding {
    for (folder, standing) in folders {
        let path = folder.path.display();
        match standing {
            Standing::Private | Standing::OpenedAgain | Standing::Volume => {}
            Standing::Foreign => {
                return Finding::fail(
                    FOLDERS,
                    format!("{path} belongs to user {}", folder.owner),
                    format!("chown {path} to user {user}"),
                );
            }
            Standing::Open => {
                return Finding::fail(
                    FOLDERS,
                    format!("{}: others can enter it", shown(folder)),
                    format!("chmod 700 {path}"),
                );
            }
        }
    }
    if folders.is_empty() {
        return Finding::cannot_see(
            FOLDERS,
            "neither data nor logs are there yet",
            "start it: it makes them for its user alone",
        );
    }
    let names = folders
        .iter()
        .map(|(folder, _)| folder.path.display().to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    Finding::pass(FOLDERS, format!("its user's alone: {names}"))
}

/// Keys that `mymt5-gateway certs` makes.
const MADE: [&str; 4] = [
    "ca.key.pem",
    "gateway/key.pem",
    "bridge/key.pem",
    "operator/key.pem",
];

/// Private keys below a folder that this process can read, and that are not its own.
fn readable_keys(below: &Path, own: &[PathBuf]) -> Vec<PathBuf> {
    let own: Vec<PathBuf> = own
        .iter()
        .filter_map(|key| key.canonicalize().ok())
        .collect();
    // A folder that may be entered and not listed gives what is named.
    let mut left: Vec<_> = MADE.iter().map(|file| (below.join(file), 0)).collect();
    left.push((below.to_owned(), DEPTH));
    let mut found = Vec::new();
    let mut seen = 0;
    while let Some((path, depth)) = left.pop() {
        seen += 1;
        if seen > MOST_FILES {
            break;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            if depth > 0 {
                left.extend(entries.map(|entry| (entry.path(), depth - 1)));
            }
        } else if is_key(&path)
            && !found.contains(&path)
            && !path.canonicalize().is_ok_and(|path| own.contains(&path))
        {
            found.push(path);
        }
    }
    found
}

/// Whether a file that can be read holds a private key, or is one by its name.
fn is_key(path: &Path) -> bool {
    let named = path
        .extension()
        .is_some_and(|ending| ending == "pem" || ending == "key");
    let small = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() < 64 * 1024);
    let holds = || fs::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY"));
    named && small && holds()
}

/// Whether the process can read private keys of others beside its own: `check` names the check,
/// `tls` is the folder that all of them lie below.
#[must_use]
pub fn own_keys(check: &'static str, tls: &Path, own: &[PathBuf]) -> Finding {
    if rustix::process::geteuid().is_root() {
        return as_root(check);
    }
    let found = readable_keys(tls, own);
    judge_keys(check, tls, found.first().map(PathBuf::as_path))
}

pub(super) fn as_root(check: &'static str) -> Finding {
    Finding::cannot_see(
        check,
        "root reads every key",
        "run this as the process's own user",
    )
}

/// Whether a key that is not the process's own can be read: this one.
pub(super) fn judge_keys(check: &'static str, tls: &Path, found: Option<&Path>) -> Finding {
    match found {
        Some(key) => Finding::fail(
            check,
            format!("it can read {}, which is not its own", key.display()),
            "chown that key to its own user, with mode 600",
        ),
        None => Finding::pass(
            check,
            format!("it reads no key below {} but its own", tls.display()),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::Verdict;
    use std::slice::from_ref;

    fn file(mode: u32, owner: u32) -> Facts {
        Facts {
            path: "/srv/file".into(),
            mode,
            owner,
        }
    }

    #[test]
    fn what_others_can_write_is_not_believed() {
        let verdict = |file: Facts, user| config(&[file], user).verdict;
        assert_eq!(verdict(file(0o644, 0), Some(7)), Verdict::Pass);
        assert_eq!(verdict(file(0o600, 7), Some(7)), Verdict::Pass);
        let finding = config(&[file(0o644, 0), file(0o646, 0)], Some(7));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(finding.fix, "chmod go-w /srv/file");
        assert_eq!(verdict(file(0o664, 0), Some(7)), Verdict::Warn);
        assert_eq!(verdict(file(0o644, 8), Some(7)), Verdict::Fail);
        assert_eq!(verdict(file(0o644, 8), None), Verdict::Pass);
    }

    #[test]
    fn a_key_is_its_users_or_an_orchestrators() {
        let verdict = |key| keys(&[key], &[file(0o644, 0)], 7).verdict;
        for good in [file(0o600, 7), file(0o400, 7), file(0o440, 0)] {
            assert_eq!(verdict(good), Verdict::Pass);
        }
        for bad in [
            file(0o640, 7),
            file(0o604, 7),
            file(0o444, 0),
            file(0o600, 8),
        ] {
            assert_eq!(verdict(bad), Verdict::Fail);
        }
        let written = keys(&[file(0o600, 7)], &[file(0o666, 0)], 7);
        assert_eq!(written.verdict, Verdict::Fail);
        let foreign = keys(&[file(0o600, 7)], &[file(0o644, 8)], 7);
        assert_eq!(foreign.verdict, Verdict::Fail);
    }

    #[test]
    fn folders_are_the_processs_alone() {
        let verdict = |folder, standing| folders(&[(folder, standing)], 7).verdict;
        assert_eq!(verdict(file(0o700, 7), Standing::Private), Verdict::Pass);
        assert_eq!(verdict(file(0o2775, 0), Standing::Volume), Verdict::Pass);
        assert_eq!(verdict(file(0o700, 8), Standing::Foreign), Verdict::Fail);
        assert_eq!(verdict(file(0o710, 7), Standing::Open), Verdict::Fail);
        assert_eq!(folders(&[], 7).verdict, Verdict::CannotSee);
    }

    #[test]
    fn keys_of_others_are_found_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let begin = format!("-----BEGIN {}-----", "PRIVATE KEY");
        let own = put("engine/key.pem", &begin);
        put("ca.pem", "a certificate");
        assert_eq!(
            readable_keys(folder.path(), from_ref(&own)),
            [""; 0].map(PathBuf::from)
        );
        let other = put("gateway/key.pem", &begin);
        assert_eq!(readable_keys(folder.path(), from_ref(&own)), [other]);
    }
}
