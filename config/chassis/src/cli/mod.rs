//! What the commands of every program share: the order of starting, the check of a configuration,
//! the question how a running program is, and how a command tells its outcome.

mod start;

pub use start::{Configured, Confined, Opened, ProgramSettings, Running, configure};

use crate::{
    config_errors::ConfigErrors,
    exit::{self, Unavailable},
    loader::{Environment, Provenance, Reader, Table},
    operations::{ListenError, OperationsClient, ServingStatus},
    process::{FolderError, RootRefused},
    redact::Redactor,
    sandbox::SandboxError,
    secret::Secret,
    secrets::SecretStore,
    tls::IdentityError,
};
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Ends a command: prints why it failed, and gives its exit code. `own` knows the codes of the
/// program's own errors.
pub fn end(
    done: anyhow::Result<ExitCode>,
    own: impl FnOnce(&anyhow::Error) -> Option<u8>,
) -> ExitCode {
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(own(&error).unwrap_or_else(|| code_of(&error)))
    })
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigErrors>() || error.is::<SandboxError>() || error.is::<IdentityError>() {
        exit::CONFIG
    } else if error.is::<RootRefused>() {
        exit::NO_PERMISSION
    } else if error.is::<Unavailable>() || error.is::<FolderError>() || error.is::<ListenError>() {
        exit::UNAVAILABLE
    } else {
        exit::SOFTWARE
    }
}

/// `check`: all that is wrong with a configuration; with `print`, each value and where it comes
/// from.
///
/// # Errors
/// Whatever is wrong.
pub fn check<S: ProgramSettings>(config: &Path, print: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&S::TABLE, config, Environment::of_process())?;
    let (_, provenance) = start::read::<S>(reader)?;
    if print {
        say(&provenance.to_string());
    }
    warn_of(&provenance);
    say("configuration is valid");
    Ok(ExitCode::SUCCESS)
}

fn warn_of(provenance: &Provenance) {
    for warning in provenance.warnings() {
        complain(&format!("warning: {warning}"));
    }
}

/// A redactor for a command beside a program that does not run: it knows that program's secrets as far
/// as this user can read them, by its configuration or, where that is faulty, without it.
#[must_use]
pub fn redactor(table: &Table, config: &Path) -> Redactor {
    redactor_and_secrets(table, config).0
}

/// The same, and what it masks: each secret with its name.
pub(crate) fn redactor_and_secrets(
    table: &Table,
    config: &Path,
) -> (Redactor, Vec<(&'static str, Secret)>) {
    let redactor = Redactor::new();
    let environment = Environment::of_process();
    let reader = Reader::open(table, config, environment.clone())
        .or_else(|_| Reader::of_text(table, "", environment));
    let Ok(mut reader) = reader else {
        return (redactor, Vec::new());
    };
    let names = table.secrets.iter();
    let secrets = names.filter_map(|name| Some((*name, reader.secret(name)?)));
    let secrets = secrets.collect();
    // What the store knew, the redactor still does.
    drop(SecretStore::new(reader.found_secrets(), &redactor));
    (redactor, secrets)
}

/// `health`: prints how a service of a running program is; success where it serves.
///
/// # Errors
/// The operations port does not answer, or the service is unknown.
pub fn health(port: OperationsClient, service: &str) -> anyhow::Result<ExitCode> {
    let status = block_on(port.health(service))?;
    say(status.as_str_name());
    Ok(if status == ServingStatus::Serving {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for what a command asks of a running program.
///
/// # Errors
/// The work's own, or that there is no runtime for it.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// One line for the user, on standard output; lost when nobody reads it.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// One line for the user, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command's complaint, before or without a log"
)]
pub fn complain(line: &str) {
    eprintln!("{line}");
}
