//! Builds both binaries with the cargo that runs the demo.

use anyhow::{Context, ensure};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The workspace that this program was built from.
fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Cargo as a user would call it. What the cargo that runs the demo set for the demo alone would
/// make build scripts run again (`rerun-if-env-changed`), and with them most of the build.
fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_one_package) {
            command.env_remove(name);
        }
    }
    command
}

/// True for the variables that cargo sets for the package it runs; those by which a user configures
/// cargo stay.
fn is_of_one_package(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
    ];
    NAMES.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_EXE_")
}

/// Of the workspace's default members, as `cargo demo` chooses, too: named by their packages, they
/// would get other features of what they depend on, and most of that would be built twice.
/// Cargo's progress goes to standard error, so that standard output keeps the summary alone.
pub(crate) fn build() -> anyhow::Result<()> {
    let status = cargo()
        .args(["build", "--bin", "mymt5-gateway", "--bin", "mymt5-engine"])
        .current_dir(workspace())
        .stdout(Stdio::null())
        .status()
        .context("cannot start cargo; install Rust")?;
    ensure!(
        status.success(),
        "the build failed; correct what cargo told"
    );
    Ok(())
}

/// Where the build put a binary: beside this one.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()
        .context("cannot find this program's path; run it with `cargo demo`")?;
    let path = own
        .parent()
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    path.with_context(|| {
        format!(
            "{name} was not built beside {}; run the demo with `cargo demo`",
            own.display()
        )
    })
}
