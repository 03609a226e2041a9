//! What can be done while no gateway runs: a halt, stored for the next start, and putting a backup
//! in the journal's place. Both hold the data folder's lock, so that none starts meanwhile.

use super::wire::Refused;
use crate::{
    journal::{self, Journal, JournalError, Sqlite},
    settings::TABLE,
};
use anyhow::{Context, bail, ensure};
use mymt5_chassis::{
    cli::{complain, redactor, say},
    clock,
    exit::Unavailable,
    process::Folder,
};
use mymt5_guard::{ScopeLimits, TradingState};
use mymt5_model::{ClientName, RequestId, Symbol, SymbolSpec, UtcTime};
use mymt5_orders::{
    Answer, Asker, Call, Command, Config, Core, Found, Input, Market, Now, Quote, ReconcileConfig,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tonic::Status;

/// Where the gateway's configuration is unless `run` was told otherwise.
const CONFIG: &str = "config/gateway.toml";

/// Nothing is known of the market while no gateway runs.
struct NoMarket;

impl Market for NoMarket {
    fn quote(&self, _: &Symbol) -> Option<Quote> {
        None
    }
    fn spec(&self, _: &Symbol) -> Option<Arc<SymbolSpec>> {
        None
    }
}

/// A halt that no gateway took.
pub(super) struct Halt {
    /// Whose; none: the account's.
    pub(super) client: Option<String>,
    /// Why.
    pub(super) reason: String,
}

/// Stores a halt.
///
/// # Errors
/// No journal there, a faulty one, or a client that it does not know.
pub(super) fn halt(data_folder: &Path, halt: &Halt) -> anyhow::Result<TradingState> {
    let path = journal_of(data_folder)?;
    let _lock = Folder::claim(data_folder)?;
    let (mut journal, loaded) = Sqlite::open_as_it_is(&path)?;
    let config = Config {
        grants: BTreeMap::new(),
        account: ScopeLimits::default(),
        reconcile: ReconcileConfig::default(),
        max_in_flight: 1,
        max_quote_age_ms: 0,
    };
    let now = Now {
        utc: UtcTime(clock::utc_now_ms()),
        elapsed_ms: 0,
    };
    let mut core = Core::new(config, loaded, now);
    let call = Call {
        asker: Asker(0),
        client: ClientName::local(),
        control: true,
        session: None,
        request_id: RequestId::parse(&super::wire::request_id())?,
        method: "SetTradingState",
        content: [0; 32],
        trace_id: String::new(),
        send_before_ms: i64::MAX,
        not_after_ms: None,
        command: Command::SetState {
            scope: halt.client.as_deref().map(ClientName::parse).transpose()?,
            state: TradingState::Halted,
            reason: redactor(&TABLE, Path::new(CONFIG))
                .clean(&halt.reason)
                .into_owned(),
        },
    };
    core.step(
        now,
        Input::Call(Box::new(call)),
        Found::default(),
        &NoMarket,
    );
    let outbox = core.take_outbox();
    match outbox.answers.into_iter().next() {
        Some((_, Answer::State(state))) => {
            journal.commit(&outbox.records)?;
            Ok(state)
        }
        Some((_, Answer::Refused(refusal))) => Err(Refused::from(Status::from(refusal)).into()),
        _ => bail!("the halt was not taken; start the gateway, then repeat it"),
    }
}

/// Puts a backup in the journal's place. The journal that was there is kept beside it.
///
/// # Errors
/// [`Unavailable`]: the backup cannot be read, or the data folder not be written; the backup is none or
/// damaged, or a gateway runs.
pub(in crate::cli) fn restore(data_folder: &Path, backup: &Path) -> anyhow::Result<ExitCode> {
    ensure!(
        backup.is_file(),
        Unavailable(format!(
            "cannot find {}; name a backup, such as one in {}",
            backup.display(),
            data_folder.join("backup").display()
        ))
    );
    File::open(backup).with_context(|| {
        Unavailable(format!(
            "cannot read {}; let this user read it",
            backup.display()
        ))
    })?;
    let _lock = Folder::claim(data_folder)?;
    let path = data_folder.join(journal::file_of(journal::SIMULATOR));
    let fresh = path.with_extension("restored.db");
    let now = clock::utc_now_ms();
    let restored = copy(backup, &fresh)
        .and_then(|()| journal::begin_epoch(&fresh, &path, UtcTime(now)).map_err(Into::into))
        .map_err(|error| {
            let _ = journal::remove(&fresh);
            of_backup(error, backup)
        })?;
    let kept = journal::set_aside(&path, now)?;
    fs::rename(&fresh, &path).with_context(|| {
        Unavailable(
            "cannot put the backup in place; let this user write in the data folder".to_owned(),
        )
    })?;
    File::open(data_folder)?.sync_all()?;
    say(&format!(
        "restored {} orders; event cursors from before are void",
        restored.orders
    ));
    match &restored.incomplete {
        None => say(&format!(
            "taken over from the journal in place: {} newer requests, orders and deals, and what closes trading",
            restored.taken_over
        )),
        Some(error) => complain(&format!(
            "the journal in place does not tell everything that came after the backup ({error}): the account starts HALTED; see what was done since, then `mymt5-gateway resume`"
        )),
    }
    if let Some(kept) = kept {
        say(&format!("the journal before is kept as {}", kept.display()));
    }
    say(
        "start the gateway: what the broker holds of ours and this journal lacks keeps entries closed until it is adopted",
    );
    Ok(ExitCode::SUCCESS)
}

fn copy(backup: &Path, fresh: &Path) -> anyhow::Result<()> {
    fs::copy(backup, fresh).with_context(|| {
        Unavailable("cannot copy the backup; make room on the disk of the data folder".to_owned())
    })?;
    Ok(())
}

/// A file that is no backup is told by the name that its user gave.
fn of_backup(error: anyhow::Error, backup: &Path) -> anyhow::Error {
    match error.downcast_ref() {
        Some(JournalError::Foreign(_)) => JournalError::Foreign(backup.to_path_buf()).into(),
        _ => error,
    }
}

fn journal_of(data_folder: &Path) -> anyhow::Result<PathBuf> {
    let path = data_folder.join(journal::file_of(journal::SIMULATOR));
    ensure!(
        path.is_file(),
        Unavailable(format!(
            "no gateway runs there, and no journal {} is there to store a halt in; name the folder with --data-folder",
            path.display()
        ))
    );
    Ok(path)
}
