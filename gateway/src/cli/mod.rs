//! The commands.

mod audit;
mod certs;
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

pub use run::run_with;

use crate::{
    access::Permission,
    audit::{AuditError, VerifyError},
    journal::JournalError,
};
use clap::{Parser, Subcommand};
use mymt5_chassis::{
    config_errors::ConfigErrors,
    exit::{self, Unavailable},
    loader::{Environment, Provenance, Reader},
    operations::ListenError,
    process::{FolderError, RootRefused},
    sandbox::SandboxError,
    tls::{DevCertsError, IdentityError},
};
use mymt5_model::ClientName;
use opened::OpenError;
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

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
    /// Check the configuration and say all that is wrong with it.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
        config: PathBuf,
        /// Print each value and where it comes from; secrets as ***.
        #[arg(long)]
        print: bool,
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
pub fn execute(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config, print } => check(&config, print),
        Command::Certs(certs) => certs.run(),
        Command::Status { target } => status::status(&target),
        Command::Operator(command) => operator::execute(command),
        Command::Audit(command) => command.run(),
        Command::Token { name, permissions } => token::token(&name, &permissions),
        Command::Health {
            operations,
            config,
            service,
        } => health::health(operations, &config, &service),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(code_of(&error))
    })
}

fn code_of(error: &anyhow::Error) -> u8 {
    let journal = error.downcast_ref::<JournalError>();
    if error.is::<ConfigErrors>()
        || error.is::<SandboxError>()
        || error.is::<IdentityError>()
        || journal.is_some_and(JournalError::is_for_the_operator)
    {
        exit::CONFIG
    } else if error.is::<RootRefused>() {
        exit::NO_PERMISSION
    } else if error.is::<Unavailable>()
        || error.is::<FolderError>()
        || error.is::<ListenError>()
        || error.is::<OpenError>()
        || error.is::<AuditError>()
        || error.is::<VerifyError>()
        || error.is::<operator::NotRunning>()
    {
        exit::UNAVAILABLE
    } else if error.is::<operator::Refused>() || error.is::<DevCertsError>() {
        1
    } else {
        exit::SOFTWARE
    }
}

/// The configuration, complete and valid, or all that is wrong with it.
fn configuration(
    mut reader: Reader,
) -> Result<(crate::settings::Settings, Provenance), ConfigErrors> {
    let settings = crate::settings::Settings::read(&mut reader);
    let provenance = reader.finish()?;
    settings
        .map(|settings| (settings, provenance))
        .ok_or_else(|| ConfigErrors(Vec::new()))
}

fn check(config: &std::path::Path, print: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&crate::settings::TABLE, config, Environment::of_process())?;
    let (_, provenance) = configuration(reader)?;
    if print {
        say(&provenance.to_string());
    }
    provenance
        .warnings()
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    say("configuration is valid");
    Ok(ExitCode::SUCCESS)
}

/// One line for the user, on standard output; lost when nobody reads it.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// One line for the user, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command's complaint, before or without a log"
)]
fn complain(line: &str) {
    eprintln!("{line}");
}
