//! The commands.

mod backtest;
pub(crate) mod doctor;
mod history;
mod operations;
mod past;
mod report;
mod reset_risk;
mod run;
mod status;
mod sweep;
mod top;
mod usage;

use crate::{
    backtest::TickError, history::HistoryError, intents::IntentError, report::ReportError,
    settings::Settings, sweep::SweepError,
};
use clap::{Parser, Subcommand};
use mymt5_chassis::{cli, exit, operations::OperationsClient};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

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
    /// Hold the set-up against the security guide: secrets, rights, certificates, the way to the gateway,
    /// clock, risk, sandbox, health, age of the dependencies. Run it as the engine's own user; exit code 1
    /// when a check fails.
    Doctor {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
        config: PathBuf,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Write a report of this client's past trades, from the gateway: a page, a CSV and a JSON file.
    Report {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
        config: PathBuf,
        /// The page; the same name with .trades.csv and with .report.json is written beside it.
        #[arg(long, value_name = "FILE", default_value = "report.html", value_parser = report::page)]
        out: PathBuf,
    },
    /// Let a stopped engine trade again: lift the latch of the drawdown, which is measured again from
    /// the equity last seen, and forget failed orders, losses in a row, and a risk.json that cannot
    /// be read.
    ResetRisk {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
        config: PathBuf,
        /// Forget all that risk.json keeps, of whichever account: the next session's is another one.
        #[arg(long)]
        new_account: bool,
    },
    /// Write a symbol's past into a file, as the terminal exports it; what was interrupted is continued.
    ///
    /// A terminal that must load a long past for the first time does nothing else meanwhile, and no
    /// order goes out: do it when nothing trades.
    History(history::HistoryArgs),
    /// Trade past ticks or bars with the configured strategies, and tell how it went.
    Backtest(backtest::BacktestArgs),
    /// Backtest every combination of values of some settings, and tell the best.
    Sweep(sweep::SweepArgs),
    /// Put the shards of a sweep together, and tell what one run of it would have.
    Merge(sweep::MergeArgs),
    /// Tell how a running engine stands: connection, last success, error rate, freshness.
    Status {
        #[command(flatten)]
        port: operations::PortArgs,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show on this terminal how link, quotes, positions, limits and refusals stand; q, Esc or Ctrl-C ends
    /// it. It only reads, with the engine's identity.
    Top(top::TopArgs),
    /// Ask a running engine's operations port how it is; exit code 0 when it serves.
    Health {
        #[command(flatten)]
        port: operations::PortArgs,
        /// Which service: empty, liveness, readiness, or mymt5.engine.Session.
        #[arg(long, default_value = "readiness")]
        service: String,
    },
}

/// Runs a command to its exit code.
#[must_use]
pub fn execute(asked: Cli) -> ExitCode {
    let done = match asked.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config, print } => cli::check::<Settings>(&config, print),
        Command::Doctor { config, json } => doctor::doctor(&config, json),
        Command::Report { config, out } => report::report(&config, &out),
        Command::ResetRisk {
            config,
            new_account,
        } => reset_risk::reset_risk(&config, new_account),
        Command::History(asked) => history::history(asked),
        Command::Backtest(asked) => backtest::backtest(&asked),
        Command::Sweep(asked) => sweep::sweep(asked),
        Command::Merge(asked) => sweep::merge(asked),
        Command::Status { port, json } => status::status(&port, json),
        Command::Top(asked) => top::top(&asked),
        Command::Health { port, service } => operations::health(&port, &service),
    };
    cli::end(done, code_of)
}

/// The exit codes of the engine's own errors.
fn code_of(error: &anyhow::Error) -> Option<u8> {
    if error.is::<usage::Usage>() {
        return Some(usage::CODE);
    }
    if error.is::<ReportError>() {
        return Some(exit::UNAVAILABLE);
    }
    if let Some(error) = error.downcast_ref::<HistoryError>() {
        return history::code_of(error);
    }
    if let Some(error) = error.downcast_ref::<TickError>() {
        return Some(past::code_of(error));
    }
    if let Some(error) = error.downcast_ref::<SweepError>() {
        return Some(sweep::code_of(error));
    }
    match error.downcast_ref::<IntentError>()? {
        IntentError::Newer => Some(exit::CONFIG),
        IntentError::Open(_) | IntentError::Write(_) | IntentError::Read(_) => {
            Some(exit::UNAVAILABLE)
        }
    }
}

fn port(address: SocketAddr) -> OperationsClient {
    OperationsClient {
        program: "engine",
        address,
    }
}
