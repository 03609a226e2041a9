//! `audit verify`: whether the audit trail is whole, by its files alone; a gateway may run meanwhile.

use crate::audit::{self, Report};
use clap::Subcommand;
use mymt5_chassis::{
    cli::{complain, say},
    exit,
};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// Faults that are told to people one by one.
const TOLD: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check that no record was changed, moved, taken away or cut off; exit code 65 when one was.
    Verify {
        /// The trail's folder.
        #[arg(long, value_name = "DIR", default_value = "logs/gateway")]
        folder: PathBuf,
        /// The gateway's data folder, where the trail's head is.
        #[arg(long, value_name = "DIR", default_value = "data/gateway")]
        data_folder: PathBuf,
        /// JSON instead of lines.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Runs it to its exit code.
    ///
    /// # Errors
    /// There is no trail, or it cannot be read.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Verify {
            folder,
            data_folder,
            json,
        } = self;
        let report = audit::verify(&folder, &data_folder.join(audit::HEAD))?;
        if json {
            say(&object(&report).to_string());
        } else {
            tell(&report);
        }
        Ok(if report.faults.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(exit::DATA)
        })
    }
}

fn tell(report: &Report) {
    for fault in report.faults.iter().take(TOLD) {
        say(&fault.to_string());
    }
    let count = report.faults.len();
    let read = read(report);
    if count > TOLD {
        say(&format!("... and {} more", count - TOLD));
    }
    if count == 0 {
        say(&format!("the audit trail holds: {read}"));
    } else {
        complain(&format!(
            "the audit trail does not hold: faults: {count}, {read}"
        ));
    }
}

fn read(report: &Report) -> String {
    let Report {
        records,
        first,
        last,
        files,
        ..
    } = report;
    match records {
        0 => format!("records: none, files: {files}"),
        _ => format!("records: {records} ({first} to {last}), files: {files}"),
    }
}

fn object(report: &Report) -> Value {
    let faults = report.faults.iter().map(ToString::to_string);
    json!({
        "files": report.files,
        "records": report.records,
        "first": report.first,
        "last": report.last,
        "faults": faults.collect::<Vec<_>>(),
    })
}
