//! The operator's commands: asked of a running gateway over its control socket, answered as a
//! table for people or as JSON for programs.

mod actions;
mod events;
mod lists;
mod notify_test;
mod offline;
mod show;
mod trading_state;
mod wire;

pub(super) use show::{json_line, leftovers, name, plain};
pub(super) use wire::{Barred, NotRunning, READING, Refused, Target};

use clap::{Args, Subcommand};
use std::{io, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Stop new risk: cancel working orders that could open and refuse entries, until `resume`.
    /// While no gateway runs it is stored and holds at the next start.
    /// Exits and tighter stops stay possible; positions stay open.
    Halt(trading_state::Steer),
    /// Let positions only shrink: like `halt`, but the gateway's own rules may leave it again.
    Reduce(trading_state::Steer),
    /// Let new risk in again after `halt` or `reduce`.
    Resume(trading_state::Steer),
    /// Halt one client, or all; cancel the orders and close the positions until nothing is left.
    /// `status` shows what is left, and why; `resume` ends it.
    Flatten(actions::Flatten),
    /// List orders, newest first.
    Orders(lists::Orders),
    /// List the open positions, foreign ones included.
    Positions(lists::Positions),
    /// Decide an order whose outcome is unknown.
    Resolve(actions::Resolve),
    /// Give an order, a position or a deal that the journal does not know to a client.
    Adopt(actions::Adopt),
    /// Accept what froze a symbol, or keeps entries closed, as it is: you have looked there yourself.
    Accept(actions::Accept),
    /// Show what happened: the newest events, or those after a sequence.
    Events(events::Events),
    /// Read clients, certificate and log level again; whatever is faulty keeps the old.
    Reload(actions::Reload),
    /// Put a backup in the journal's place, while no gateway runs.
    Restore {
        /// The backup's file.
        #[arg(value_name = "FILE")]
        file: std::path::PathBuf,
        /// The gateway's data folder.
        #[arg(long, value_name = "DIR", default_value = "data/gateway")]
        data_folder: std::path::PathBuf,
    },
    /// Send one message by each channel of `notify.channels`; exit code 1 unless all took it.
    NotifyTest(notify_test::NotifyTest),
    /// Write a backup of the journal into the data folder's `backup`.
    Backup(actions::Backup),
}

/// Why, for the record.
#[derive(Debug, Args)]
struct Reason {
    /// Why, at most 200 characters; kept in the record and told to the clients.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

/// Runs a command to its exit code.
///
/// # Errors
/// [`NotRunning`], [`Refused`], or a terminal that does not take the answer.
pub(super) fn execute(command: Command) -> anyhow::Result<ExitCode> {
    use mymt5_proto::v1::TradingState;
    let done = match command {
        Command::Halt(steer) => steer.into(TradingState::Halted),
        Command::Reduce(steer) => steer.into(TradingState::Reducing),
        Command::Resume(steer) => steer.into(TradingState::Active),
        Command::Flatten(flatten) => flatten.run(),
        Command::Orders(orders) => orders.run(),
        Command::Positions(positions) => positions.run(),
        Command::Resolve(resolve) => resolve.run(),
        Command::Adopt(adopt) => adopt.run(),
        Command::Accept(accept) => accept.run(),
        Command::Events(events) => events.run(),
        Command::Reload(reload) => reload.run(),
        Command::Backup(backup) => backup.run(),
        Command::NotifyTest(test) => return test.run(),
        Command::Restore { file, data_folder } => return offline::restore(&data_folder, &file),
    };
    match done {
        // A reader that stops early, such as `head`, has what it wanted.
        Err(error) if !is_broken_pipe(&error) => Err(error),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Whether a reader that stops early ended it, such as `head`.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        1..=200 => Ok(text.to_owned()),
        _ => Err("write 1 to 200 characters".to_owned()),
    }
}

fn client(text: &str) -> Result<String, String> {
    mymt5_model::ClientName::parse(text)
        .map(|name| name.to_string())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::cli::Cli;
    use clap::{CommandFactory, Parser};

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn whole_commands_are_taken_and_others_refused() {
        for whole in [
            "gateway halt --reason news",
            "gateway halt --client alpha --reason news --json --data-folder d",
            "gateway reduce --reason x",
            "gateway resume --client alpha --reason x",
            "gateway flatten --include-foreign --client alpha --reason x",
            "gateway orders --unknown --limit 7 --json",
            "gateway positions --json",
            "gateway resolve 7 --not-done --reason x",
            "gateway resolve 7 --reconcile --reason x",
            "gateway adopt --position 3 --client alpha --reason x",
            "gateway adopt --order 3 --client alpha --reason x",
            "gateway adopt --deal 3 --client alpha --reason x",
            "gateway adopt --all-deals --client alpha --reason x",
            "gateway resolve 7 --done --reason x",
            "gateway accept --symbol EURUSD --reason x",
            "gateway accept --missing-deals --reason x",
            "gateway accept --unreadable-rows --reason x --json",
            "gateway events --after 0 --follow",
            "gateway backup --json",
            "gateway notify-test --json",
            "gateway audit verify --folder l --data-folder d --json",
            "gateway export --from 2026-07-01 --to 2026-07-02T08:30 --format csv",
            "gateway export --from 2026-07-01 --to 2026-07-02 --format json --out f --config c",
            "gateway restore data/gateway/backup/x.db",
            "gateway certs --folder d --clients a,b --keep-authority",
            "gateway certs --folder d --add c,d --days 30",
            "gateway certs --if-missing --owners gateway=10001,engine=10002",
            "gateway token a --permissions read,trade",
        ] {
            assert!(parses(whole), "{whole}");
        }
        let long = format!("gateway halt --reason {}", "x".repeat(201));
        for lacking in [
            "gateway certs --add c --clients d",
            "gateway certs --add c --if-missing",
            "gateway certs --owners gateway",
            "gateway certs --owners gateway=mymt5",
            "gateway token a/b",
            "gateway token a --permissions fly",
            "gateway halt",
            "gateway halt --reason= ",
            "gateway halt --client a/b --reason x",
            "gateway flatten",
            "gateway audit",
            "gateway export --from 2026-07-01 --to 2026-07-02",
            "gateway export --from yesterday --to 2026-07-02 --format csv",
            "gateway orders --limit 0",
            "gateway resolve 7 --reason x",
            "gateway resolve 7 --not-done --reconcile --reason x",
            "gateway resolve 0 --not-done --reason x",
            "gateway resolve seven --not-done --reason x",
            "gateway adopt --client alpha --reason x",
            "gateway adopt --position 3 --order 3 --client alpha --reason x",
            "gateway adopt --position 3 --reason x",
            "gateway accept --reason x",
            "gateway accept --symbol EURUSD",
            "gateway accept --symbol EURUSD --missing-deals --reason x",
            "gateway resolve 7 --not-done --done --reason x",
            long.as_str(),
        ] {
            assert!(!parses(lacking), "{lacking}");
        }
    }
}
