//! `health`: asks the operations port of a running gateway.

use crate::settings::{OPERATIONS, TABLE};
use mymt5_chassis::{
    cli,
    loader::{Environment, Reader},
    operations::{OperationsClient, OperationsSettings},
};
use std::{net::SocketAddr, path::Path, process::ExitCode};

/// Where the configuration has the operations port; the default where it cannot be read.
fn configured(config: &Path) -> SocketAddr {
    let reader = Reader::open(&TABLE, config, Environment::of_process());
    let read = reader.ok().and_then(|mut reader| {
        let settings = OperationsSettings::read(&mut reader, OPERATIONS)?;
        Some(settings.here())
    });
    read.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9101)))
}

pub(super) fn health(
    operations: Option<SocketAddr>,
    config: &Path,
    service: &str,
) -> anyhow::Result<ExitCode> {
    let port = OperationsClient {
        program: "gateway",
        address: operations.unwrap_or_else(|| configured(config)),
    };
    cli::health(port, service)
}
