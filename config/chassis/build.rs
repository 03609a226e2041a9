//! Puts into the program when its dependencies were locked, Unix seconds: what `MYMT5_LOCKED_AT` says, as
//! a build without the repository is told, else the last change of the workspace's `Cargo.lock` by git.
//! The file's own date tells nothing: a copy or a checkout makes it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::UNIX_EPOCH,
};

const LOCK: &str = "Cargo.lock";
const LOCKED_AT: &str = "MYMT5_LOCKED_AT";

fn main() {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let lock = manifest.and_then(|folder| {
        let mut above = folder.ancestors().map(|folder| folder.join(LOCK));
        above.find(|file| file.is_file())
    });
    if let Some(lock) = &lock {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    println!("cargo::rerun-if-env-changed={LOCKED_AT}");
    let told = env::var(LOCKED_AT).ok();
    let told = told.and_then(|seconds| seconds.parse::<u64>().ok());
    let seconds = told.or_else(|| changed(&lock?));
    // Empty: not known.
    let seconds = seconds.map_or_else(String::new, |seconds| seconds.to_string());
    println!("cargo::rustc-env={LOCKED_AT}={seconds}");
}

/// When it was last changed; none where there is no git, or only its newest commits.
fn changed(lock: &Path) -> Option<u64> {
    let is_shallow = told(lock, &["rev-parse", "--is-shallow-repository"])?;
    let differs = git(lock, &["diff", "--quiet", "HEAD", "--", LOCK])?;
    match differs.status.code()? {
        0 if is_shallow == "false" => {
            let committed = told(lock, &["log", "-1", "--format=%ct", "--", LOCK])?;
            committed.parse().ok()
        }
        // It stands as somebody wrote it here.
        1 => modified(lock),
        _ => None,
    }
}

/// What git says of it; none where it fails, as outside a repository.
fn told(lock: &Path, arguments: &[&str]) -> Option<String> {
    let asked = git(lock, arguments).filter(|asked| asked.status.success())?;
    let text = String::from_utf8(asked.stdout).ok()?;
    Some(text.trim().to_owned())
}

fn git(lock: &Path, arguments: &[&str]) -> Option<Output> {
    let mut git = Command::new("git");
    let asked = git.args(arguments).current_dir(lock.parent()?);
    asked.output().ok()
}

/// When it was last written.
fn modified(lock: &Path) -> Option<u64> {
    let modified = lock.metadata().ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
