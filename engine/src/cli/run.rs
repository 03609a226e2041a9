//! `run`: opens what the engine needs, and trades until it is asked to stop.

use crate::{
    intents::Intents,
    risk::{self, Risk, RiskRefused},
    session::{CrashAlert, SERVICE, Session},
    settings::{Settings, TABLE},
    telemetry,
    trader::Trader,
};
use anyhow::Context;
use mymt5_chassis::{
    cli::{Configured, Running, configure},
    health::Health,
    loader::{Environment, Reader},
    logs, operations, process,
    redact::Redactor,
    shutdown,
};
use mymt5_model::RequestId;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long open calls may take once the engine has been asked to stop.
const STOP: Duration = Duration::from_secs(2);

/// What is opened before the sandbox.
struct Opened {
    operations: TcpListener,
    intents: Intents,
    risk: Risk,
    /// A gateway that the sandbox alone keeps apart.
    gateway: Option<PathBuf>,
}

pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let opened = configure::<Settings>(config)?.open(open)?;
    let confined = opened.confine(|settings, _, plan| settings.sandbox_plan(plan))?;
    confined.run(Some(STOP), serve)
}

/// The log level as the configuration has it now; variables, those of `.env` too, are as at the
/// start.
fn level_of(config: &Path, environment: Environment) -> Option<String> {
    let mut reader = Reader::open(&TABLE, config, environment).ok()?;
    Some(reader.or("logging.level", "a level", "info".to_owned()))
}

fn open(settings: &Settings, redactor: &Redactor) -> anyhow::Result<Opened> {
    settings.gateway.token(redactor)?;
    let intents = Intents::open(&settings.data_folder.join("intents.db"))?;
    let risk = settings.data_folder.join(risk::FILE);
    let mut strategies = settings.strategies.iter();
    let cares = strategies.any(|strategy| strategy.care.is_on());
    let risk = Risk::open(settings.risk.clone(), cares, &risk);
    let operations = operations::bind(&settings.operations)?;
    Ok(Opened {
        operations,
        intents,
        risk,
        gateway: process::neighbour(&settings.data_folder, "gateway"),
    })
}

async fn serve(running: Running<Settings, Opened>) -> anyhow::Result<()> {
    let Configured {
        config,
        environment,
        settings,
        redactor,
        ..
    } = running.configured;
    telemetry::begin(RiskRefused::ALL.iter().map(|refused| refused.name()));
    let log = running.log;
    let strategies = settings.strategies.len();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        gateway = settings.gateway.address,
        strategies,
        sandbox = %running.enforced,
        "engine starting"
    );
    if let Some(gateway) = running.opened.gateway {
        tracing::warn!(
            gateway = %gateway.display(),
            "the gateway runs as this user, too: give each process its own, or only the sandbox keeps the account from this one"
        );
    }
    tokio::spawn(logs::on_sighup(async move || {
        logs::set_level(&log, level_of(&config, environment.clone()));
    }));
    let supervisor = running.supervisor;
    let signal = shutdown::on_signals(&supervisor);
    let stop = CancellationToken::new();
    let health = Health::new(&[SERVICE]);
    let operations = tokio::spawn(operations::serve(
        running.opened.operations,
        health.clone(),
        running.metrics,
        stop.clone(),
    ));
    let new_id = Box::new(|| RequestId::of_number(Uuid::now_v7().as_u128()));
    let session = Session {
        settings: settings.gateway,
        trader: Trader::new(settings.strategies, running.opened.risk, new_id),
        intents: running.opened.intents,
        redactor,
        health,
        session_id: Uuid::new_v4().simple().to_string(),
        crash_alert: CrashAlert::of(&running.crashes, Uuid::new_v4().simple().to_string()),
    };
    supervisor.ready();
    // In the task of the loop that trades: while that is stuck, nothing is told.
    tokio::select! {
        () = session.run(signal) => {}
        () = supervisor.watch(async || true) => {}
    }
    tracing::info!("stopping; positions stay as they are");
    stop.cancel();
    operations
        .await
        .context("the operations port broke; look at the log")??;
    tracing::info!("engine stopped");
    Ok(())
}
