//! What the doctor of any process tells an operator: a sample of each finding but those that passed.

use super::{
    Finding, Verdict,
    configuration::{failure, secrets, valid},
    dependencies::age,
    files::{self, Facts},
    host::{Means, sandbox, swap},
    logs::{redaction, retention},
    process::{self, Process},
    service, tls,
};
use crate::{
    config_errors::ConfigError,
    logs::LogSettings,
    operations::ServingStatus,
    process::Standing,
    sandbox::{Enforced, Wanted},
};
use std::{net::SocketAddr, path::Path};

const DAY_MS: i64 = 86_400_000;

/// The samples.
pub(crate) fn samples() -> Vec<Finding> {
    let mut all = vec![
        Finding::without_settings("health"),
        Finding::without_process("health"),
        swap(None),
        swap(Some(&[("/dev/sda2".to_owned(), false)])),
        age(None, 0),
        age(Some(0), 100 * DAY_MS),
        age(Some(0), 200 * DAY_MS),
        redaction(&["MT5_PASSWORD".to_owned()], 1),
        service::two_users(Some("data/engine-main".into())),
        service::disk(&[("data/gateway".into(), 0)], 1 << 30),
        service::disk(&[], 0),
    ];
    all.extend(of_configuration());
    all.extend(of_files());
    all.extend(of_process());
    all.extend(of_the_kernel());
    all.retain(|finding| finding.verdict != Verdict::Pass);
    all
}

fn of_configuration() -> Vec<Finding> {
    let fault = |key: &str| ConfigError::new(key, "is missing", "set it to an address");
    let port = SocketAddr::from(([127, 0, 0, 1], 9101));
    let files = tls::TlsFiles {
        own: None,
        trusted: vec!["/nowhere/ca.pem".into()],
    };
    let mut log = LogSettings::in_folder("logs");
    let full = retention(&log, Some(0));
    log.folder = None;
    let stdout = LogSettings {
        stdout: true,
        ..log.clone()
    };
    let tls_failure = failure(tls::TLS, &[fault("server.tls")]);
    let mut all = vec![
        valid(&[fault("server.listen"), fault("x")], &[]),
        valid(&[], &["MYMT5__X in .env is not a key of this program"]),
        secrets(&[fault("MT5_LOGIN")], &[], &[]),
        secrets(
            &[],
            &["MT5_PASSWORD comes from .env; give MT5_PASSWORD_FILE instead"],
            &[],
        ),
        service::health(Some(ServingStatus::NotServing), port, true),
        service::health(None, port, true),
        tls::tls(&[], &files, 0),
        tls::tls(&[], &tls::TlsFiles::default(), 0),
        full,
        retention(&log, None),
        retention(&stdout, None),
    ];
    all.extend(tls_failure);
    all.extend(tls::samples());
    all
}

fn of_files() -> Vec<Finding> {
    let file = |mode: u32, owner: u32| Facts {
        path: Path::new("/srv/file").to_owned(),
        mode,
        owner,
    };
    vec![
        files::config(&[file(0o666, 0)], None),
        files::config(&[file(0o664, 0)], None),
        files::config(&[file(0o644, 8)], Some(7)),
        files::keys(&[file(0o600, 8)], &[], 7),
        files::keys(&[file(0o644, 7)], &[], 7),
        files::keys(&[], &[file(0o666, 7)], 7),
        files::keys(&[], &[file(0o644, 8)], 7),
        files::folders(&[(file(0o700, 8), Standing::Foreign)], 7),
        files::folders(&[(file(0o755, 7), Standing::Open)], 7),
        files::folders(&[], 7),
        files::judge_keys(
            "own-keys",
            Path::new("/srv/tls"),
            Some(Path::new("/srv/tls/key.pem")),
        ),
        files::as_root("own-keys"),
    ]
}

fn of_process() -> Vec<Finding> {
    let held = Process {
        user: 7,
        no_new_privileges: Some(true),
        seccomp: Some(0),
        core: Some(1),
        files: Some(256),
        sandbox: None,
    };
    let silent = Process {
        user: 7,
        no_new_privileges: None,
        seccomp: None,
        core: None,
        files: None,
        sandbox: None,
    };
    let rising = Process {
        no_new_privileges: Some(false),
        ..held.clone()
    };
    let filtered = Process {
        seccomp: Some(2),
        ..held.clone()
    };
    let unfiltered = Process {
        sandbox: Some(Enforced {
            files: true,
            ports: true,
            scopes: true,
            calls: false,
            udp: false,
        }),
        ..filtered.clone()
    };
    let mut all = vec![
        process::confinement(&rising, Wanted::Required),
        process::confinement(&filtered, Wanted::Required),
        process::confinement(&unfiltered, Wanted::Required),
        process::user(0, 0, false),
        process::user(0, 0, true),
        process::user(7, 8, false),
    ];
    for process in [&held, &silent] {
        all.push(process::confinement(process, Wanted::Required));
        all.push(process::core_files(process, Some("core")));
        all.push(process::open_files(process));
    }
    all
}

fn of_the_kernel() -> Vec<Finding> {
    let able = Means {
        release: Some((6, 8)),
        landlock: Some(true),
        seccomp: Some(true),
    };
    let without_filter = Means {
        seccomp: Some(false),
        ..able
    };
    let old = Means {
        release: Some((5, 15)),
        ..able
    };
    let silent = Means {
        landlock: None,
        ..able
    };
    vec![
        sandbox(Wanted::Off, able),
        sandbox(Wanted::Required, without_filter),
        sandbox(Wanted::Required, old),
        sandbox(Wanted::Required, silent),
    ]
}
