//! `run`: the order of starting is a rule. Whatever needs rights comes before the sandbox, every
//! thread after it.

use super::{complain, configuration};
use crate::{
    intents::Intents,
    session::{SERVICE, Session},
    settings::{Settings, TABLE},
    trader::Trader,
};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use mymt5_chassis::{
    health::Health,
    loader::{Environment, Reader},
    logs, metrics, operations, process,
    redact::Redactor,
    sandbox, shutdown, tls,
};
use std::{net::TcpListener, path::Path, process::ExitCode, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long open calls may take once the engine has been asked to stop.
const STOP: Duration = Duration::from_secs(2);

/// What is opened before the sandbox.
struct Opened {
    operations: TcpListener,
    intents: Intents,
    _data: process::Folder,
    _logs: Option<process::Folder>,
}

pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&TABLE, config, Environment::of_process())?;
    let environment = reader.environment();
    process::refuse_root(reader.peek_flag("process.allow_root"))?;
    process::harden().context("cannot limit the process; let it call prctl and setrlimit")?;
    let (settings, provenance) = configuration(reader)?;
    provenance
        .warnings()
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    tls::install_provider();
    let redactor = Redactor::of_process();
    logs::install_panic_hook(redactor.clone());
    settings.gateway.token(&redactor)?;
    let opened = open(&settings)?;
    let gateway = process::neighbour(&settings.data_folder, "gateway");
    // All rights were used, no thread runs yet.
    let enforced = sandbox::enforce(settings.sandbox, &settings.sandbox_plan(config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads; let this user have more of them")?;
    let logs = Arc::new(logs::start(&settings.logging, &redactor, TABLE.program)?);
    let metrics = metrics::install()?;
    let strategies = settings.strategies.len();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        gateway = settings.gateway.address,
        strategies,
        sandbox = %enforced,
        "engine starting"
    );
    sandbox::warn_of_gaps(settings.sandbox, enforced);
    if let Some(gateway) = gateway {
        tracing::warn!(
            gateway = %gateway.display(),
            "the gateway runs as this user, too: give each process its own, or only the sandbox keeps the account from this one"
        );
    }
    let log = Arc::downgrade(&logs);
    let config = config.to_path_buf();
    runtime.spawn(logs::on_sighup(async move || {
        logs::set_level(&log, level_of(&config, environment.clone()));
    }));
    runtime.block_on(serve(settings, opened, redactor, metrics))?;
    runtime.shutdown_timeout(STOP);
    tracing::info!("engine stopped");
    Ok(ExitCode::SUCCESS)
}

/// The log level as the configuration has it now; variables, those of `.env` too, are as at the
/// start.
fn level_of(config: &Path, environment: Environment) -> Option<String> {
    let mut reader = Reader::open(&TABLE, config, environment).ok()?;
    reader.optional("logging.level", "a level")
}

fn open(settings: &Settings) -> anyhow::Result<Opened> {
    let data = process::Folder::claim(&settings.data_folder)?;
    let logs = settings.logging.folder.as_ref();
    let logs = logs.map(process::Folder::claim).transpose()?;
    let intents = Intents::open(&settings.data_folder.join("intents.db"))?;
    let operations = operations::bind(&settings.operations)?;
    Ok(Opened {
        operations,
        intents,
        _data: data,
        _logs: logs,
    })
}

async fn serve(
    settings: Settings,
    opened: Opened,
    redactor: Redactor,
    metrics: PrometheusHandle,
) -> anyhow::Result<()> {
    let signal = shutdown::on_signals();
    let stop = CancellationToken::new();
    let health = Health::new(&[SERVICE]);
    #[cfg(debug_assertions)]
    mymt5_chassis::testing::tried().await;
    let operations = tokio::spawn(operations::serve(
        opened.operations,
        health.clone(),
        metrics,
        stop.clone(),
    ));
    let new_id = Box::new(|| Uuid::now_v7().simple().to_string());
    let session = Session {
        settings: settings.gateway,
        trader: Trader::new(settings.strategies, settings.risk, new_id),
        intents: opened.intents,
        redactor,
        health,
        session_id: Uuid::new_v4().simple().to_string(),
    };
    session.run(signal).await;
    tracing::info!("stopping; positions stay as they are");
    stop.cancel();
    operations
        .await
        .context("the operations port broke; look at the log")??;
    Ok(())
}
