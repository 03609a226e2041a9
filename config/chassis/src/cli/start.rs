//! The order of starting, which is a rule: refuse root and give up what no program needs, read the
//! configuration, open what needs rights, confine the process, and only then start a thread. Each
//! step takes the one before it, so that none can be left out or come early.

use super::warn_of;
use crate::{
    config_errors::ConfigErrors,
    crash,
    loader::{Environment, Provenance, Reader, Table},
    logs::{self, LogGuard, LogSettings, Recent},
    metrics,
    process::{self, Folder},
    redact::Redactor,
    sandbox::{self, Enforced, Plan, Wanted},
    supervisor::Supervisor,
    tls,
    traces::{self, TraceSettings},
};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// A program's settings, as far as its start needs to know them.
pub trait ProgramSettings: Sized {
    /// The names it takes from its environment, and its secrets.
    const TABLE: Table;

    /// Reads all keys; faults are collected by the reader. None: there were some.
    fn read(reader: &mut Reader) -> Option<Self>;

    /// Own data.
    fn data_folder(&self) -> &Path;

    /// How much the kernel must confine.
    fn sandbox(&self) -> Wanted;

    /// Logs.
    fn logging(&self) -> &LogSettings;

    /// Traces; none: it has none to tell.
    fn tracing(&self) -> Option<&TraceSettings> {
        None
    }
}

/// The configuration is read whole, in a hardened process; nothing is open.
pub struct Configured<S> {
    /// The configuration's file.
    pub config: PathBuf,
    /// The variables, and what `.env` held: for another reading.
    pub environment: Environment,
    /// What it says.
    pub settings: S,
    /// Where each of its values came from.
    pub provenance: Provenance,
    /// Masks the log.
    pub redactor: Redactor,
}

/// All that needs rights is open; the process still has them, and no thread.
pub struct Opened<S, O> {
    configured: Configured<S>,
    opened: O,
    supervisor: io::Result<Supervisor>,
    run: crash::Run,
    _logs: Option<Folder>,
}

/// The process has no right left that it does not need.
pub struct Confined<S, O> {
    opened: Opened<S, O>,
    enforced: Enforced,
}

/// What the start leaves to the running program.
pub struct Running<S, O> {
    /// The configuration.
    pub configured: Configured<S>,
    /// What was opened before the sandbox.
    pub opened: O,
    /// What the sandbox enforces.
    pub enforced: Enforced,
    /// Weak, so that the log's last lines are written when the process lets go of it.
    pub log: Weak<LogGuard>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Reports of runs before this one that crashed and of which no start has told, oldest first.
    pub crashes: Vec<PathBuf>,
    /// Is told how the process is.
    pub supervisor: Supervisor,
}

/// Hardens the process and reads its configuration.
///
/// # Errors
/// Root, a kernel that does not harden the process, or a faulty configuration.
pub fn configure<S: ProgramSettings>(config: &Path) -> anyhow::Result<Configured<S>> {
    let reader = Reader::open(&S::TABLE, config, Environment::of_process())?;
    let environment = reader.environment();
    process::refuse_root(reader.peek("process.allow_root").unwrap_or(false))?;
    process::harden().context("cannot limit the process; let it call prctl and setrlimit")?;
    let (settings, provenance) = read(reader)?;
    warn_of(&provenance);
    tls::install_provider();
    let redactor = Redactor::new();
    #[cfg(debug_assertions)]
    if environment.has("MYMT5_TEST_REDACTOR_OFF") {
        redactor.turn_off();
    }
    logs::install_panic_hook(redactor.clone());
    Ok(Configured {
        config: config.to_owned(),
        environment,
        settings,
        provenance,
        redactor,
    })
}

/// The configuration, complete and valid, or all that is wrong with it.
pub(super) fn read<S: ProgramSettings>(
    mut reader: Reader,
) -> Result<(S, Provenance), ConfigErrors> {
    let settings = S::read(&mut reader);
    let provenance = reader.finish()?;
    settings
        .map(|settings| (settings, provenance))
        .ok_or_else(|| ConfigErrors(Vec::new()))
}

impl<S: ProgramSettings> Configured<S> {
    /// Claims the data folder for a short command. It is no run: it leaves no marker, and that of a
    /// run that died waits for the next one.
    ///
    /// # Errors
    /// The folder is not to be had, or `work`'s own.
    pub fn claim<T>(self, work: impl FnOnce(&S) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _data = Folder::claim(self.settings.data_folder())?;
        work(&self.settings)
    }

    /// Claims the folders and opens what needs rights.
    ///
    /// # Errors
    /// A folder that is not to be had, or `open`'s own.
    pub fn open<O>(
        self,
        open: impl FnOnce(&S, &Redactor) -> anyhow::Result<O>,
    ) -> anyhow::Result<Opened<S, O>> {
        let data = Folder::claim(self.settings.data_folder())?;
        let log = self.settings.logging();
        let run = crash::Run::begin(data, S::TABLE.program, &self.redactor, log);
        let logs = log.folder.as_ref().map(Folder::claim).transpose();
        let logs = run.step(logs.map_err(Into::into))?;
        let opened = run.step(open(&self.settings, &self.redactor))?;
        let supervisor = Supervisor::connect(&self.environment);
        Ok(Opened {
            configured: self,
            opened,
            supervisor,
            run,
            _logs: logs,
        })
    }
}

impl<S: ProgramSettings, O> Opened<S, O> {
    /// Gives up all rights but those to the configuration, to the folders, and to what `plan` adds.
    ///
    /// # Errors
    /// See [`sandbox::enforce`].
    pub fn confine(
        mut self,
        plan: impl FnOnce(&S, &O, Plan) -> Plan,
    ) -> anyhow::Result<Confined<S, O>> {
        let settings = &self.configured.settings;
        let own = Plan::default()
            .reads_configuration(&self.configured.config)
            .writes(settings.data_folder());
        let own = settings.logging().folder.iter().fold(own, Plan::writes);
        let tracing = settings.tracing().into_iter();
        let own = tracing.fold(own, |plan, tracing| tracing.confine(plan));
        let plan = plan(settings, &self.opened, own);
        let enforced = sandbox::enforce(settings.sandbox(), &plan);
        let enforced = self.run.step(enforced.map_err(Into::into))?;
        self.run.confined(enforced);
        Ok(Confined {
            opened: self,
            enforced,
        })
    }
}

impl<S: ProgramSettings, O> Confined<S, O> {
    /// Starts the threads and serves. What still blocks a thread at the end may do so for that
    /// long; none: until it is done.
    ///
    /// # Errors
    /// A log or a runtime that cannot be started, or `serve`'s own.
    pub fn run<F: Future<Output = anyhow::Result<()>>>(
        self,
        blocking: Option<Duration>,
        serve: impl FnOnce(Running<S, O>) -> F,
    ) -> anyhow::Result<ExitCode> {
        let Opened {
            configured,
            opened,
            supervisor,
            run,
            _logs,
        } = self.opened;
        let started = Threads::start::<S>(&configured, run.recent());
        let threads = run.step(started)?;
        let crashes = run.tell();
        sandbox::warn_of_gaps(configured.settings.sandbox(), self.enforced);
        let supervisor = supervisor.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot reach the supervisor by NOTIFY_SOCKET: it is told nothing");
            Supervisor::default()
        });
        supervisor.warn_of_haste();
        let tracing = configured.settings.tracing().cloned();
        let redactor = configured.redactor.clone();
        let running = Running {
            configured,
            opened,
            supervisor,
            enforced: self.enforced,
            log: Arc::downgrade(&threads.log),
            metrics: threads.metrics,
            crashes,
        };
        let served = threads.runtime.block_on(async move {
            #[cfg(debug_assertions)]
            crate::testing::tried().await;
            let traces = tracing.and_then(|tracing| traces::start(&tracing, &redactor));
            let served = serve(running).await;
            if let Some(traces) = traces {
                traces.finish().await;
            }
            served
        });
        run.step(served)?;
        match blocking {
            Some(longest) => threads.runtime.shutdown_timeout(longest),
            None => drop(threads.runtime),
        }
        drop(threads.log);
        run.end();
        Ok(ExitCode::SUCCESS)
    }
}

/// What runs beside the thread that started the process.
struct Threads {
    metrics: PrometheusHandle,
    log: Arc<LogGuard>,
    runtime: Runtime,
}

impl Threads {
    fn start<S: ProgramSettings>(
        configured: &Configured<S>,
        recent: &Recent,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start threads; let this user have more of them")?;
        let settings = configured.settings.logging();
        let log = logs::start(settings, &configured.redactor, S::TABLE.program, recent)?;
        Ok(Self {
            metrics: metrics::install()?,
            log: Arc::new(log),
            runtime,
        })
    }
}
