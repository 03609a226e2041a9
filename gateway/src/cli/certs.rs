//! `certs`: a throw-away authority and certificates.

use super::say;
use mymt5_chassis::tls;
use std::{path::Path, process::ExitCode};

pub(super) fn certs(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> anyhow::Result<ExitCode> {
    for file in tls::throwaway(folder, clients, hosts, days)? {
        say(&format!("wrote {}", file.display()));
    }
    say(&format!(
        "valid for {days} days; the authority's key was not kept: make all anew to add a client"
    ));
    Ok(ExitCode::SUCCESS)
}
