//! `run`: what the start announces before the gateway serves.

use super::{
    opened::{Opened, open},
    serve::serve,
};
use crate::{
    audit::Trail,
    broker::Broker,
    journal::{Journal, Sqlite},
    settings::Settings,
};
use mymt5_chassis::{
    cli::{Configured, configure},
    sandbox::{Enforced, Plan},
    secrets::SecretReader,
};
use mymt5_model::AccountKind;
use std::{path::Path, process::ExitCode, sync::Arc};

/// Runs the gateway that the configuration describes.
pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let broker = |settings: &Settings, secrets: &SecretReader| settings.broker.build(secrets);
    run_with(config, broker, |journal| Box::new(journal))
}

/// Runs the gateway with a broker handed in, and its journal wrapped.
///
/// # Errors
/// A faulty configuration, a taken port or folder, a journal that does not open.
pub fn run_with(
    config: &Path,
    broker: impl FnOnce(&Settings, &SecretReader) -> anyhow::Result<Arc<dyn Broker>>,
    wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
) -> anyhow::Result<ExitCode> {
    let opened = configure::<Settings>(config)?
        .open(|settings, redactor| open(settings, redactor, broker))?;
    let confined = opened.confine(|settings, opened, plan| {
        let files = opened.secrets.files().into_iter();
        files.fold(settings.sandbox_plan(config, plan), Plan::reads_beside)
    })?;
    confined.run(None, |running| async move {
        let Configured {
            settings, redactor, ..
        } = &running.configured;
        let trail = Trail::open(&settings.audit, redactor)?;
        announce(settings, &running.opened, running.enforced);
        serve(running, trail, wrap).await
    })
}

fn announce(settings: &Settings, opened: &Opened, enforced: Enforced) {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %settings.listen, sandbox = %enforced, "gateway starting");
    if let Some(engine) = &opened.engine {
        tracing::warn!(
            engine = %engine.display(),
            "an engine runs as this user, too: give each process its own, or only the engine's sandbox keeps it from the account"
        );
    }
    match settings.account_kind() {
        AccountKind::Simulated => tracing::warn!(
            kind = "SIMULATED",
            "the broker is the embedded simulator, no money is at stake"
        ),
        AccountKind::Demo => tracing::warn!(kind = "DEMO", "the account is a demo"),
        AccountKind::Real => tracing::warn!(kind = "REAL", "real money is at stake"),
    }
    if settings.broker.is_plain() {
        tracing::warn!(
            "the bridge is reached in plain text: a local user who takes its port first sees the password"
        );
    }
    if settings.unused_account {
        tracing::warn!(
            "credentials of a real account are set and not used: the broker is the simulator"
        );
    }
}
