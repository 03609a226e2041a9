//! The commands.

mod health;
mod run;
mod status;

use crate::settings::{Settings, TABLE};
use clap::{Parser, Subcommand};
use mymt5_chassis::{
    config_errors::ConfigErrors,
    exit::{self, Unavailable},
    loader::{Environment, Provenance, Reader},
    operations::ListenError,
    process::{FolderError, RootRefused},
    sandbox::SandboxError,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The unprivileged side of MyMT5: runs strategies against a gateway.
#[derive(Debug, Parser)]
#[command(name = "mymt5-engine", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trade until SIGTERM or Ctrl-C.
    Run {
        /// The configuration; FILE's stem + .local.toml and the environment come on top.
        #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
        config: PathBuf,
    },
    /// Check the configuration and say all that is wrong with it.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
        config: PathBuf,
        /// Print each value and where it comes from.
        #[arg(long)]
        print: bool,
    },
    /// Tell how a running engine stands: connection, last success, error rate, freshness.
    Status {
        /// The operations port.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
        operations: SocketAddr,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Ask a running engine's operations port how it is; exit code 0 when it serves.
    Health {
        /// The operations port.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
        operations: SocketAddr,
        /// Which service: empty, liveness, readiness, or mymt5.engine.Session.
        #[arg(long, default_value = "readiness")]
        service: String,
    },
}

/// Runs a command to its exit code.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config, print } => check(&config, print),
        Command::Status { operations, json } => status::status(operations, json),
        Command::Health {
            operations,
            service,
        } => health::health(operations, &service),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(match error {
            error if error.is::<ConfigErrors>() || error.is::<SandboxError>() => exit::CONFIG,
            error if error.is::<RootRefused>() => exit::NO_PERMISSION,
            error if is_unavailable(&error) => exit::UNAVAILABLE,
            _ => exit::SOFTWARE,
        })
    })
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    error.is::<Unavailable>() || error.is::<FolderError>() || error.is::<ListenError>()
}

/// The configuration, complete and valid, or all that is wrong with it.
fn configuration(mut reader: Reader) -> Result<(Settings, Provenance), ConfigErrors> {
    let settings = Settings::read(&mut reader);
    let provenance = reader.finish()?;
    settings
        .map(|settings| (settings, provenance))
        .ok_or_else(|| ConfigErrors(Vec::new()))
}

fn check(config: &Path, print: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&TABLE, config, Environment::of_process())?;
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

/// One line for the user, on standard output.
#[expect(clippy::print_stdout, reason = "a command's answer")]
fn say(line: &str) {
    println!("{line}");
}

/// One line for the user, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command's complaint, before or without a log"
)]
fn complain(line: &str) {
    eprintln!("{line}");
}
