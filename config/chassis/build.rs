//! Puts into the program when its dependencies were locked: the last change of the workspace's
//! `Cargo.lock`, by git where that knows the file as it stands, else by the file's own date, as a
//! source archive has it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::UNIX_EPOCH,
};

const LOCK: &str = "Cargo.lock";

fn main() {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let lock = manifest.and_then(|folder| {
        let mut above = folder.ancestors().map(|folder| folder.join(LOCK));
        above.find(|file| file.is_file())
    });
    if let Some(lock) = &lock {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    let seconds = lock.and_then(|lock| committed(&lock).or_else(|| modified(&lock)));
    // Empty: not known.
    let seconds = seconds.map_or_else(String::new, |seconds| seconds.to_string());
    println!("cargo::rustc-env=MYMT5_LOCKED_AT={seconds}");
}

/// When it was last committed, Unix seconds; none where git does not have it as it stands.
fn committed(lock: &Path) -> Option<u64> {
    git(lock, &["diff", "--quiet", "HEAD", "--"])?;
    let told = git(lock, &["log", "-1", "--format=%ct", "--"])?;
    told.trim().parse().ok()
}

fn git(lock: &Path, arguments: &[&str]) -> Option<String> {
    let asked = Command::new("git")
        .args(arguments)
        .arg(LOCK)
        .current_dir(lock.parent()?)
        .output()
        .ok()?;
    let told = String::from_utf8(asked.stdout).ok()?;
    asked.status.success().then_some(told)
}

/// When it was last written, Unix seconds.
fn modified(lock: &Path) -> Option<u64> {
    let modified = lock.metadata().ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
