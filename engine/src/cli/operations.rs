//! Where a running engine's operations port is, and `health`, which asks it.

use super::port;
use crate::settings::{OPERATIONS, TABLE};
use clap::Args;
use mymt5_chassis::{
    cli,
    config_errors::ConfigErrors,
    loader::{Environment, Reader},
    operations::{OperationsClient, OperationsSettings},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The configuration unless one is named.
const CONFIG: &str = "config/engine.toml";

/// Which port.
#[derive(Debug, Args)]
pub(super) struct PortArgs {
    /// The operations port. Without it, the one of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    operations: Option<SocketAddr>,
    /// The configuration. Without it config/engine.toml, and 127.0.0.1:9102 where that cannot be read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl PortArgs {
    /// The client that asks it.
    ///
    /// # Errors
    /// The configuration that was named does not tell the port: another engine's must not answer.
    pub(super) fn client(&self) -> Result<OperationsClient, ConfigErrors> {
        let address = match (self.operations, &self.config) {
            (Some(address), _) => address,
            (None, Some(config)) => configured(config)?,
            (None, None) => {
                configured(Path::new(CONFIG)).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9102)))
            }
        };
        Ok(port(address))
    }
}

/// Where that configuration has it.
fn configured(config: &Path) -> Result<SocketAddr, ConfigErrors> {
    let mut reader = Reader::open(&TABLE, config, Environment::of_process())?;
    let settings = OperationsSettings::read(&mut reader, OPERATIONS);
    let faults = reader.finish().err();
    let mut faults = faults.map_or_else(Vec::new, |faults| faults.0);
    // The other keys are not read here, and so each of them counts as unknown.
    faults.retain(|fault| fault.key.starts_with("operations."));
    match settings {
        Some(settings) if faults.is_empty() => Ok(settings.here()),
        _ => Err(ConfigErrors(faults)),
    }
}

pub(super) fn health(asked: &PortArgs, service: &str) -> anyhow::Result<ExitCode> {
    cli::health(asked.client()?, service)
}
