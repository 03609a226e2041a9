//! `run`: the order of starting is a rule. Whatever needs rights comes before the sandbox, every
//! thread after it.

use super::{
    complain, configuration,
    opened::open,
    serve::{Start, serve},
};
use crate::{
    audit::Trail,
    broker::Broker,
    journal::{Journal, Sqlite},
    settings::{Settings, TABLE},
};
use anyhow::Context;
use mymt5_chassis::{
    loader::{Environment, Reader},
    logs, metrics, process,
    redact::Redactor,
    sandbox::{self, Plan},
    secrets::{SecretReader, SecretStore},
    tls,
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
    let reader = Reader::open(&TABLE, config, Environment::of_process())?;
    let environment = reader.environment();
    let allow_root = reader.peek_flag("process.allow_root");
    process::refuse_root(allow_root)?;
    process::harden().context("cannot limit the process; let it call prctl and setrlimit")?;
    let (settings, provenance) = configuration(reader)?;
    provenance
        .warnings()
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    tls::install_provider();
    let redactor = Redactor::of_process();
    let secrets = SecretStore::new(settings.secrets.clone(), &redactor);
    logs::install_panic_hook(redactor.clone());
    let opened = open(&settings, secrets, broker)?;
    let engine = process::neighbour(&settings.data_folder, "engine");
    // All rights were used, no thread runs yet.
    let files = opened.secrets.files().into_iter();
    let plan = files.fold(settings.sandbox_plan(config), Plan::reads_beside);
    let enforced = sandbox::enforce(settings.sandbox, &plan)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads; let this user have more of them")?;
    if let Some(login) = settings.broker.made_up_login() {
        redactor.set_values(&[], &[&login.to_string()]);
    }
    let logs = Arc::new(logs::start(&settings.logging, &redactor, TABLE.program)?);
    let metrics = metrics::install()?;
    let trail = Trail::open(&settings.audit, &redactor)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %settings.listen, sandbox = %enforced, "gateway starting");
    sandbox::warn_of_gaps(settings.sandbox, enforced);
    if let Some(engine) = engine {
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
    if settings.unused_account {
        tracing::warn!(
            "credentials of a real account are set and not used: the broker is the simulator"
        );
    }
    let start = Start {
        config: config.to_owned(),
        environment,
        provenance,
        log: Arc::downgrade(&logs),
        metrics,
        trail,
    };
    runtime.block_on(serve(settings, opened, wrap, start))?;
    tracing::info!("gateway stopped");
    Ok(ExitCode::SUCCESS)
}
