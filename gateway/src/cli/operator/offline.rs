//! What can be done while no gateway runs: a halt, stored for the next start, and putting a backup
//! in the journal's place. Both hold the data folder's lock, so that none starts meanwhile.

use super::trading_state::Halt;
use crate::journal::{self, Journal, Sqlite};
use anyhow::{Context, ensure};
use mymt5_chassis::{clock, process::Folder};
use mymt5_guard::{ScopeLimits, TradingState};
use mymt5_model::{ClientName, RequestId, UtcTime};
use mymt5_orders::{Call, ClientRules, Core, Grant, Patience};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Stores a halt.
///
/// # Errors
/// No journal there, a faulty one, or a client that it does not know.
pub(super) fn halt(data_folder: &Path, halt: &Halt) -> anyhow::Result<TradingState> {
    let path = journal_of(data_folder)?;
    let _lock = Folder::claim(data_folder)?;
    let (mut journal, loaded) = Sqlite::open_as_it_is(&path)?;
    let rules = loaded.slots.iter().map(|(name, slot)| {
        let rules = ClientRules {
            slot: *slot,
            grant: Grant::default(),
        };
        (name.clone(), rules)
    });
    let (rules, now) = (rules.collect(), UtcTime(clock::utc_now_ms()));
    let mut core = Core::new(
        rules,
        ScopeLimits::default(),
        Patience::default(),
        loaded,
        now,
    );
    let call = Call {
        client: ClientName::local(),
        request_id: RequestId::parse(&super::wire::request_id())?,
        method: "SetTradingState",
        content: [0; 32],
        correlation: String::new(),
        send_before_ms: 0,
    };
    let scope = halt.client.as_deref().map(ClientName::parse).transpose()?;
    let (state, _) = core.set_state(&call, scope, TradingState::Halted, &halt.reason)?;
    journal.commit(&core.take_records())?;
    Ok(state)
}

/// Puts a backup in the journal's place. The journal that was there is kept beside it.
///
/// # Errors
/// The backup is none or damaged, or a gateway runs.
pub(in crate::cli) fn restore(data_folder: &Path, backup: &Path) -> anyhow::Result<ExitCode> {
    ensure!(
        backup.is_file(),
        "there is no file {}; `mymt5-gateway backup` writes them into {}",
        backup.display(),
        data_folder.join("backup").display()
    );
    let _lock = Folder::claim(data_folder)?;
    let path = data_folder.join(journal::file_of(journal::SIMULATOR));
    let fresh = path.with_extension("restored.db");
    fs::copy(backup, &fresh).context("the backup cannot be copied")?;
    let now = clock::utc_now_ms();
    let closures = journal::Closures::of(&path).unwrap_or_else(|error| {
        super::super::complain(&format!(
            "the journal in place tells no trading states, so the account starts HALTED; `mymt5-gateway resume` ends that ({error})"
        ));
        journal::Closures::of_lost_journal(UtcTime(now))
    });
    let orders = journal::begin_epoch(&fresh, closures).inspect_err(|_| {
        let _ = journal::remove(&fresh);
    })?;
    let kept = journal::set_aside(&path, now)?;
    fs::rename(&fresh, &path).context("the backup cannot be put in place")?;
    fs::File::open(data_folder)?.sync_all()?;
    super::super::say(&format!(
        "restored {} orders; event cursors from before are void",
        orders
    ));
    if let Some(kept) = kept {
        super::super::say(&format!("the journal before is kept as {}", kept.display()));
    }
    super::super::say(
        "start the gateway: what the broker holds of ours and this journal lacks keeps entries closed until it is adopted",
    );
    Ok(ExitCode::SUCCESS)
}

fn journal_of(data_folder: &Path) -> anyhow::Result<PathBuf> {
    let path = data_folder.join(journal::file_of(journal::SIMULATOR));
    ensure!(
        path.is_file(),
        "no gateway runs there, and there is no journal {} to store a halt in; name the folder with --data-folder",
        path.display()
    );
    Ok(path)
}
