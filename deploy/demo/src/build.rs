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

/// Cargo's progress goes to standard error, so that standard output keeps the summary alone.
pub(crate) fn build() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--package",
            "mymt5-gateway",
            "--package",
            "mymt5-engine",
        ])
        .current_dir(workspace())
        .stdout(Stdio::null())
        .status()
        .context("cargo cannot be started")?;
    ensure!(status.success(), "the build failed");
    Ok(())
}

/// Where the build put a binary: beside this one.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("own path unknown")?;
    let path = own
        .parent()
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    path.with_context(|| format!("{name} was not built beside {}", own.display()))
}
