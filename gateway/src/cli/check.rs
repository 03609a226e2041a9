//! `check`: the configuration, and whether the journal that it leads to is of its account.

use crate::{
    journal::{self, JournalError},
    settings::{Settings, TABLE},
};
use mymt5_chassis::{
    cli::{self, ProgramSettings, complain},
    loader::{Environment, Reader},
};
use std::{path::Path, process::ExitCode};

pub(super) fn check(config: &Path, print: bool) -> anyhow::Result<ExitCode> {
    let checked = cli::check::<Settings>(config, print)?;
    let mut reader = Reader::open(&TABLE, config, Environment::of_process())?;
    if let Some(settings) = Settings::read(&mut reader) {
        look_at_journal(&settings)?;
    }
    Ok(checked)
}

/// What a start would refuse is an error; what this user cannot see is a warning.
fn look_at_journal(settings: &Settings) -> Result<(), JournalError> {
    let identity = settings.identity();
    // Each replay begins a journal of its own.
    if identity.broker == journal::REPLAY {
        return Ok(());
    }
    let path = settings.journal();
    match journal::look(&path, &identity) {
        Err(error) if !error.is_for_the_operator() => {
            // Nothing is known to be wrong with it: an ordinary user may not see it at all.
            complain(&format!(
                "warning: cannot look into the journal {}; check as the gateway's own user whether it is of this account",
                path.display()
            ));
            Ok(())
        }
        told => told,
    }
}
