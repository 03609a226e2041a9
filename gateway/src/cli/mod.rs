//! The commands.

mod audit;
mod certs;
mod check;
mod doctor;
mod export;
mod gauges;
mod health;
#[cfg(test)]
mod messages;
mod opened;
mod operator;
mod readiness;
mod run;
mod serve;
mod status;
mod token;
mod usage;

pub use run::run_with;

use crate::{
    access::Permission,
    audit::{AuditError, VerifyError},
    broker::KeptError,
    journal::JournalError,
};
use clap::{Parser, Subcommand};
use mymt5_chassis::{cli, exit, tls::DevCertsError};
use mymt5_model::ClientName;
use opened::OpenError;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// The privileged side of MyMT5: holds the account and serves engines.
#[derive(Debug, Parser)]
#[command(name = "mymt5-gateway", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C.
    Run {
        /// The configuration; FILE's stem + .local.toml and the environment come on top.
        #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
        config: PathBuf,
    },
    /// Check the configuration and say all that is wrong with it, and whether the journal is of its account.
    ///
    /// Whether ports and folders are free, a simulated account that was kept fits, and the journal is
    /// whole, is left to the start; `doctor` looks into the journal's pages.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
        config: PathBuf,
        /// Print each value and where it comes from; secrets as ***.
        #[arg(long)]
        print: bool,
    },
    /// Hold the set-up against the security guide: secrets, rights, certificates, limits, sandbox, health,
    /// disk, age of the dependencies. Run it as the gateway's own user; exit code 1 when a check fails.
    Doctor {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
        config: PathBuf,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Make a throw-away authority and certificates for the gateway and its clients, or add clients.
    Certs(certs::Certs),
    /// Tell how a running gateway stands, over its control socket.
    Status {
        #[command(flatten)]
        target: operator::Target,
    },
    #[command(flatten)]
    Operator(operator::Command),
    /// The audit trail: who asked the gateway for what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write orders, deals and events of a span of time, without the account's number and without
    /// comments, for those who must not see them; beside a running gateway, too.
    Export(export::Export),
    /// Make a bearer token for a client: printed once, alone, and on standard error the lines for
    /// the configuration.
    Token {
        /// The client's name.
        #[arg(value_parser = ClientName::parse)]
        name: ClientName,
        /// What it may do.
        #[arg(
            long,
            value_name = "LIST",
            value_delimiter = ',',
            default_value = "read"
        )]
        permissions: Vec<Permission>,
    },
    /// Ask a running gateway's operations port how it is; exit code 0 when it serves.
    Health {
        /// The operations port. Without it, the one of the configuration.
        #[arg(long, value_name = "ADDRESS")]
        operations: Option<SocketAddr>,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
        config: PathBuf,
        /// Which service: empty, liveness, readiness, or a service's full name.
        #[arg(long, default_value = "readiness")]
        service: String,
    },
}

/// The control socket's name in the data folder.
const CONTROL_SOCKET: &str = "control.sock";

/// Runs a command to its exit code.
#[must_use]
pub fn execute(asked: Cli) -> ExitCode {
    let done = match asked.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config, print } => check::check(&config, print),
        Command::Doctor { config, json } => doctor::doctor(&config, json),
        Command::Certs(certs) => certs.run(),
        Command::Status { target } => status::status(&target),
        Command::Operator(command) => operator::execute(command),
        Command::Audit(command) => command.run(),
        Command::Export(export) => export.run(),
        Command::Token { name, permissions } => token::token(&name, &permissions),
        Command::Health {
            operations,
            config,
            service,
        } => health::health(operations, &config, &service),
    };
    cli::end(done, code_of)
}

/// The exit codes of the gateway's own errors.
fn code_of(error: &anyhow::Error) -> Option<u8> {
    let journal = error.downcast_ref::<JournalError>();
    let is_for_the_operator = journal.is_some_and(JournalError::is_for_the_operator);
    if is_for_the_operator || error.is::<KeptError>() {
        Some(exit::CONFIG)
    } else if error.is::<usage::Usage>() {
        Some(usage::CODE)
    } else if journal.is_some_and(is_out_of_reach)
        || error.is::<OpenError>()
        || error.is::<AuditError>()
        || error.is::<VerifyError>()
        || error.is::<operator::NotRunning>()
        || error.is::<operator::Barred>()
    {
        Some(exit::UNAVAILABLE)
    } else if error.is::<operator::Refused>() || error.is::<DevCertsError>() {
        Some(1)
    } else {
        None
    }
}

/// True where the disk or another user keeps a journal from this process.
const fn is_out_of_reach(error: &JournalError) -> bool {
    matches!(
        error,
        JournalError::Open(..)
            | JournalError::Read(_)
            | JournalError::Write(_)
            | JournalError::File(_)
    )
}
