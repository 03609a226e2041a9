//! `doctor`: what the security guide asks of a process, held against the actual set-up. Each check is
//! a function of facts that were gathered before it, and comes to one [`Finding`].
//!
//! Here are the checks of any process. What a program adds of its own it appends to the list, and
//! [`report()`] prints it.

mod configuration;
mod dependencies;
mod files;
mod finding;
mod host;
mod logs;
mod process;
mod report;
mod service;
mod tls;

#[cfg(test)]
pub(crate) mod messages;

pub use files::own_keys;
pub use finding::{Finding, Verdict};
pub use report::report;
pub use tls::{TLS, TlsFiles};

use crate::{
    cli::{ProgramSettings, block_on, redactor_and_secrets},
    clock,
    config_errors::ConfigError,
    crash,
    loader::{Environment, Provenance, Reader, local_of},
    operations::{OperationsClient, ServingStatus},
    process::{Standing, free_bytes, holder, neighbour_of, standing},
    redact::Redactor,
    secret::Secret,
};
use configuration::Faults;
use host::Host;
use process::Process;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The checks that need settings, in the order of the report.
const OF_SETTINGS: [&str; 12] = [
    files::KEYS,
    files::FOLDERS,
    process::USER,
    service::TWO_USERS,
    tls::TLS,
    logs::RETENTION,
    host::SANDBOX,
    process::CONFINEMENT,
    process::CORE,
    process::FILES,
    service::HEALTH,
    service::DISK,
];

/// A program's set-up as it is found, with its faults.
pub struct SetUp<S> {
    /// What the configuration says; none where a fault leaves too little of it.
    pub settings: Option<S>,
    /// Masks what is reported.
    pub redactor: Redactor,
    config: PathBuf,
    environment: Environment,
    host: Host,
    allow_root: bool,
    provenance: Provenance,
    faults: Vec<ConfigError>,
    secrets: Vec<(&'static str, Secret)>,
}

/// What a program tells of its settings for the checks of any process.
#[derive(Clone, Debug)]
pub struct Particulars {
    /// Its operations port.
    pub operations: OperationsClient,
    /// Its certificates and its key.
    pub tls: TlsFiles,
    /// How the data folder of the pair's other process begins, such as `engine`.
    pub other: &'static str,
    /// Fewer free bytes than that on the disk of data or logs are a fault.
    pub alarm_bytes: u64,
}

impl<S: ProgramSettings> SetUp<S> {
    /// Reads the configuration as far as it can be read.
    #[must_use]
    pub fn read(config: &Path) -> Self {
        let environment = Environment::of_process();
        let (redactor, secrets) = redactor_and_secrets(&S::TABLE, config);
        #[cfg(debug_assertions)]
        if environment.has("MYMT5_TEST_REDACTOR_OFF") {
            redactor.turn_off();
        }
        let mut set_up = Self {
            settings: None,
            redactor,
            config: config.to_owned(),
            host: Host::of(&environment),
            environment: environment.clone(),
            allow_root: false,
            provenance: Provenance::default(),
            faults: Vec::new(),
            secrets,
        };
        match Reader::open(&S::TABLE, config, environment) {
            Ok(reader) => set_up.take(reader),
            Err(errors) => set_up.faults = errors.0,
        }
        set_up
    }

    fn take(&mut self, mut reader: Reader) {
        self.allow_root = reader.peek("process.allow_root").unwrap_or(false);
        self.settings = S::read(&mut reader);
        self.provenance = reader.provenance();
        if let Err(errors) = reader.finish() {
            self.faults = errors.0;
        }
    }

    /// The checks of any process. `tls_keys` are those whose faults are of TLS files.
    pub fn examine(
        &self,
        tls_keys: &[&str],
        particulars: impl FnOnce(&S) -> Particulars,
    ) -> Vec<Finding> {
        let faults = Faults::of(&S::TABLE, tls_keys, self.faults.clone());
        let (of_secrets, others): (Vec<&str>, Vec<&str>) = self
            .provenance
            .warnings()
            .iter()
            .map(String::as_str)
            .partition(|warning| is_of_a_secret(S::TABLE.secrets, warning));
        let found = S::TABLE.secrets.iter();
        let found = found.filter_map(|name| Some((*name, self.provenance.source(name)?)));
        let found: Vec<(&str, &str)> = found.collect();
        let mut findings = vec![
            configuration::valid(&faults.others, &others),
            configuration::secrets(&faults.of_secrets, &of_secrets, &found),
            files::config(&self.config_files(), self.user()),
        ];
        match &self.settings {
            Some(settings) => {
                let particulars = particulars(settings);
                findings.extend(self.of_settings(settings, &particulars, &faults));
            }
            None => findings.extend(OF_SETTINGS.map(Finding::without_settings)),
        }
        let fields = self
            .settings
            .as_ref()
            .map(|it| &it.logging().sensitive_fields);
        let fields = fields.map(Vec::as_slice).unwrap_or_default();
        let leaks = logs::leaks(&self.redactor, &self.secrets, fields);
        findings.extend([
            logs::redaction(&leaks, self.secrets.len()),
            host::swap(self.host.swaps().as_deref()),
            dependencies::age(dependencies::locked_at(&self.environment), self.now_ms()),
        ]);
        findings
    }

    /// The time by this host's clock, Unix milliseconds; in a build for tests the clock can be wrong.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        #[cfg(debug_assertions)]
        let ahead = self.environment.for_test("MYMT5_TEST_CLOCK_AHEAD_MS");
        #[cfg(not(debug_assertions))]
        let ahead: Option<&str> = None;
        let ahead: i64 = ahead.and_then(|ms| ms.parse().ok()).unwrap_or_default();
        clock::utc_now_ms().saturating_add(ahead)
    }

    fn of_settings(&self, settings: &S, of: &Particulars, faults: &Faults) -> Vec<Finding> {
        let data = settings.data_folder();
        let log = settings.logging();
        let folders: Vec<&Path> = [Some(data), log.folder.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let asking = rustix::process::geteuid().as_raw();
        let process = self.process(data);
        let user = user_of(data);
        let (keys, certificates) = key_files(&of.tls);
        let existing: Vec<(files::Facts, Standing)> = folders
            .iter()
            .filter_map(|path| Some((files::facts(path)?, standing(path, user).ok()?)))
            .collect();
        let rooms = folders
            .iter()
            .filter_map(|path| Some((path.to_path_buf(), room(path)?)));
        let rooms: Vec<(PathBuf, u64)> = rooms.collect();
        let log_room = log.folder.as_deref().and_then(|folder| {
            let used = size_of(folder);
            room(folder).map(|free| free.saturating_add(used))
        });
        let mut findings = vec![
            files::keys(&keys, &certificates, user),
            files::folders(&existing, user),
            process::user(user, asking, self.allow_root),
            service::two_users(neighbour_of(data, of.other, user)),
            tls::tls(&faults.of_tls, &of.tls, self.now_ms()),
            logs::retention(log, log_room),
            host::sandbox(settings.sandbox(), self.host.means()),
        ];
        findings.extend(self.of_process(settings, process.as_ref()));
        let answer: Option<ServingStatus> = block_on(of.operations.health("readiness")).ok();
        findings.extend([
            service::health(answer, of.operations.address, process.is_some()),
            service::disk(&rooms, of.alarm_bytes),
        ]);
        findings
    }

    fn of_process(&self, settings: &S, process: Option<&Process>) -> [Finding; 3] {
        match process {
            Some(process) => {
                let pattern = self.host.read("proc/sys/kernel/core_pattern");
                [
                    process::confinement(process, settings.sandbox()),
                    process::core_files(process, pattern.as_deref()),
                    process::open_files(process),
                ]
            }
            None => {
                [process::CONFINEMENT, process::CORE, process::FILES].map(Finding::without_process)
            }
        }
    }

    /// The running process, by the marker in its data folder: this program, and of the user who holds
    /// the folder, since a marker may be of a run that died.
    fn process(&self, data: &Path) -> Option<Process> {
        let marked = crash::running(data)?;
        let process = Process::of(&self.host, marked, S::TABLE.program)?;
        (Some(process.user) == holder(data)).then_some(process)
    }

    /// Whose the process is; none: the settings do not tell.
    fn user(&self) -> Option<u32> {
        let settings = self.settings.as_ref()?;
        Some(user_of(settings.data_folder()))
    }

    /// The configuration, the local one beside it, and their folder.
    fn config_files(&self) -> Vec<files::Facts> {
        let files = [self.config.clone(), local_of(&self.config)];
        let folder = files[0].parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let all = files.into_iter().chain([folder]);
        all.filter_map(|path| files::facts(&path)).collect()
    }
}

/// Whose the process of a data folder is: who holds it, whose it is before the first start, or who
/// asks, where it is a volume that is handed over, or is yet to be made.
fn user_of(data: &Path) -> u32 {
    let asking = rustix::process::geteuid().as_raw();
    let is_volume = || standing(data, asking).is_ok_and(|it| it == Standing::Volume);
    let owner = || files::facts(data).map(|folder| folder.owner);
    let before = || if is_volume() { None } else { owner() };
    holder(data).or_else(before).unwrap_or(asking)
}

/// Whether a warning of the loader's is of one of these secrets.
fn is_of_a_secret(secrets: &[&str], warning: &str) -> bool {
    secrets.iter().any(|name| warning.starts_with(name))
}

/// The facts of private keys, and those of certificates.
fn key_files(tls: &TlsFiles) -> (Vec<files::Facts>, Vec<files::Facts>) {
    let own = tls.own.as_ref();
    let keys = own.and_then(|(_, key)| files::facts(key));
    let certificates = own.map(|(certificate, _)| certificate);
    let certificates = certificates.into_iter().chain(&tls.trusted);
    let certificates = certificates.filter_map(|path| files::facts(path));
    (keys.into_iter().collect(), certificates.collect())
}

/// Free bytes on the disk of a folder, which may be yet to be made.
fn room(folder: &Path) -> Option<u64> {
    let absolute = std::path::absolute(folder).ok()?;
    absolute.ancestors().find_map(|path| free_bytes(path).ok())
}

/// Bytes of the files in a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}
