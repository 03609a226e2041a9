//! What this crate tells an operator: a sample of each fault and of each error.
#![allow(clippy::unwrap_used)]

use crate::{
    config_errors::ConfigErrors,
    crash, doctor, every_variant,
    loader::{Environment, Reader, Table},
    logs::{LogError, LogSettings},
    operations::{ListenError, OperationsClient, OperationsSettings},
    process::{FolderError, RootRefused},
    sandbox::{SandboxError, Wanted},
    secret::{check, file, restless, superseded},
    secrets::read_file,
    testing::messages::Messages,
    tls::{DevCertsError, IdentityError},
    traces::TraceSettings,
};
use std::{
    fs::{self, Permissions},
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const TABLE: Table = Table {
    program: "demo",
    names: &[("LOG_LEVEL", "logging.level")],
    secrets: &["MT5_LOGIN", "MT5_PASSWORD"],
    forbidden: &["SMTP_PASSWORD"],
};

const WRONG: &str = "
clients = 3
many = [1]
server = 5
mt5_login = 12345
[secrets]
folder = 'nowhere'
[a]
number = 'hidden'
path = ''
rate = 0
odd = 'hidden'
paht = 'hidden'
[mail]
password = 12345
[logging]
level = 'loud'
max_file_bytes = 100
max_total_bytes = 10
max_files = 0
sensitive_fields = ['a b']
[operations]
listen = 'nowhere'
[process]
sandbox = 'some'
[tracing]
endpoint = 'nowhere'
service_name = ''
sampled_share = 2
";

#[test]
fn every_message_names_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut messages = Messages::default();
    of_files(&mut messages, folder.path());
    of_keys(&mut messages, folder.path());
    of_secrets(&mut messages, folder.path());
    of_the_start(&mut messages);
    of_certificates(&mut messages);
    of_commands(&mut messages);
    for finding in doctor::messages::samples() {
        messages.text(finding.check, &finding.to_string());
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for own in ["cli", "operations"] {
        messages.contexts(&sources.join(own)).unwrap();
    }
    messages.judge(&sources).unwrap();
}

fn nothing() -> Environment {
    Environment::from_pairs([("", ""); 0])
}

fn write(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Reads what this crate reads of a program, and some keys more.
fn report(file: &Path, environment: Environment) -> ConfigErrors {
    let read = |mut reader: Reader| {
        LogSettings::read(&mut reader, "logs");
        OperationsSettings::read(&mut reader, "127.0.0.1:9101");
        TraceSettings::read(&mut reader, "demo");
        Wanted::read(&mut reader);
        reader.optional::<u8>("server.listen", "a number");
        reader.required::<u8>("a.number", "a number");
        reader.path("a.path", "a file");
        reader.section("a").ranged("rate", "calls", 5, 1..=9);
        reader.names("clients");
        reader.count("many");
        for name in ["MT5_LOGIN", "MT5_PASSWORD", "OTHER"] {
            reader.secret(name);
        }
        reader.finish().map(drop)
    };
    let read = Reader::open(&TABLE, file, environment).and_then(read);
    read.unwrap_err()
}

fn of_files(messages: &mut Messages, folder: &Path) {
    let missing = folder.join("none.toml");
    let large = folder.join("large.toml");
    let broken = folder.join("broken.toml");
    write(&large, vec![b'#'; 1024 * 1024 + 1], 0o600);
    write(&broken, "a = 1\nb = hidden\n", 0o600);
    let spelled = folder.join("spelled.toml");
    write(&spelled, "'hidden[9]' = 1\n", 0o600);
    for file in [missing.as_path(), folder, &large, &broken, &spelled] {
        messages.errors(&report(file, nothing()), folder);
    }
    let file = folder.join("demo.toml");
    let dotenv = folder.join(".env");
    write(&file, "", 0o600);
    let large = vec![b'#'; 256 * 1024 + 1];
    let dotenvs: [(&[u8], u32); 5] = [
        (b"A=1", 0o644),
        (b"hidden", 0o600),
        (b"\xff", 0o600),
        (&large, 0o600),
        (b"SMTP_PASSWORD=hidden", 0o600),
    ];
    for (bytes, mode) in dotenvs {
        write(&dotenv, bytes, mode);
        let environment = nothing().with_dotenv(&dotenv);
        messages.errors(&report(&file, environment), folder);
    }
}

fn of_keys(messages: &mut Messages, folder: &Path) {
    let file = folder.join("demo.toml");
    let remote = "[operations]\nlisten = '0.0.0.0:9101'";
    for toml in [WRONG, remote] {
        write(&file, toml, 0o600);
        messages.errors(&report(&file, nothing()), folder);
    }
    write(&file, "list = [1]\n[a]\nnumber = 1", 0o600);
    let environment = Environment::from_pairs([
        ("LOG_LEVEL", "info"),
        ("MYMT5__LOGGING__LEVEL", "info"),
        ("MYMT5__A__", "hidden"),
        ("MYMT5__A__NUMBER__DEEP", "hidden"),
        ("MYMT5__LIST__7", "hidden"),
        ("SMTP_PASSWORD", "hidden"),
        ("MT5_PASSWORD", "hidden"),
        ("MT5_PASSWORD_FILE", "/nowhere"),
    ]);
    let environment = environment.with_bytes("MT5_LOGIN");
    messages.errors(&report(&file, environment), folder);
    let misplaced = Environment::from_pairs([("MT5_PASSWORD_FILE", "hidden")]);
    messages.errors(&report(&file, misplaced), folder);
    let emptied = Environment::from_pairs([("LOG_LEVEL", "")]);
    messages.errors(&report(&file, emptied), folder);
}

fn of_secrets(messages: &mut Messages, folder: &Path) {
    let long = "x".repeat(2000);
    for (name, text) in [
        ("MT5_PASSWORD", ""),
        ("MT5_PASSWORD", long.as_str()),
        ("MT5_PASSWORD", "hidden\u{7}"),
        ("MT5_PASSWORD", "hid"),
        ("MT5_LOGIN", "hid"),
    ] {
        messages.config_error(&check(name, text).unwrap_err(), folder);
    }
    let path = folder.join("secret");
    let mut take = |path: &Path| {
        let read = file::secret("MT5_PASSWORD", path, false);
        messages.config_error(&read.err().unwrap(), folder);
    };
    take(Path::new("hidden"));
    take(&folder.join("none"));
    take(folder);
    let files: [(&[u8], u32); 3] = [
        (b"hidden", 0o644),
        (long.as_bytes(), 0o600),
        (b"\xff", 0o600),
    ];
    for (bytes, mode) in files {
        write(&path, bytes, mode);
        take(&path);
    }
    messages.config_error(&restless("MT5_PASSWORD", folder), folder);
    messages.config_error(&superseded("MT5_PASSWORD", folder), folder);
    let lost = Path::new("/nowhere/token");
    let error = read_file("gateway.token_file", lost).unwrap_err();
    messages.error("the path", &error);
}

const PATH: &str = "/srv/data";

fn path() -> PathBuf {
    PATH.into()
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn of_the_start(messages: &mut Messages) {
    messages.error("root", &RootRefused);
    messages.text("the process", crash::DEATH);
    let listen = ListenError {
        key: "operations.listen",
        address: SocketAddr::from(([127, 0, 0, 1], 9101)),
        source: denied(),
    };
    messages.error("127.0.0.1:9101", &listen);
    for error in every_variant!(FolderError:
        FolderError::Create { .. } => FolderError::Create { path: path(), source: denied() },
        FolderError::Inspect { .. } => FolderError::Inspect { path: path(), source: denied() },
        FolderError::Open { .. } => FolderError::Open { path: path() },
        FolderError::Foreign { .. } => FolderError::Foreign { path: path() },
        FolderError::Held { .. } => FolderError::Held { path: path() },
        FolderError::Lock { .. } => FolderError::Lock { path: path(), source: denied() },
    ) {
        messages.error(PATH, &error);
    }
    for error in every_variant!(LogError:
        LogError::Open { .. } => LogError::Open { folder: path(), source: denied() },
        LogError::Level => LogError::Level,
        LogError::Running => LogError::Running,
        LogError::Ended => LogError::Ended,
    ) {
        match &error {
            LogError::Open { .. } => messages.error(PATH, &error),
            LogError::Level => messages.error("logging.level", &error),
            // Faults of the program, not of its set-up.
            LogError::Running | LogError::Ended => {}
        }
    }
    let refused = landlock::CreateRulesetError::MissingHandledAccess;
    let no_path = landlock::PathFd::new("/nowhere/at/all").err().unwrap();
    for error in every_variant!(SandboxError:
        SandboxError::NoLandlock => SandboxError::NoLandlock,
        SandboxError::Landlock(_) => SandboxError::Landlock(refused.into()),
        SandboxError::Path { .. } => SandboxError::Path { path: path(), source: no_path },
        SandboxError::Seccomp(_) => SandboxError::Seccomp(seccompiler::Error::EmptyFilter),
    ) {
        let subject = match &error {
            SandboxError::Path { .. } => PATH,
            _ => "process.sandbox",
        };
        messages.error(subject, &error);
    }
}

fn of_certificates(messages: &mut Messages) {
    let unread = rustls::pki_types::pem::Error::NoItemsFound;
    let untrusted = rustls::server::VerifierBuilderError::NoRootAnchors;
    let unfit = || rustls::Error::NoCertificatesPresented;
    for error in every_variant!(IdentityError:
        IdentityError::Read { .. } => IdentityError::Read { path: path(), source: unread },
        IdentityError::Empty { .. } => IdentityError::Empty { path: path() },
        IdentityError::Authority { .. } => IdentityError::Authority { path: path(), source: unfit() },
        IdentityError::Verifier { .. } => IdentityError::Verifier { path: path(), source: untrusted },
        IdentityError::Key { .. } => IdentityError::Key { path: path(), source: unfit() },
    ) {
        messages.error(PATH, &error);
    }
    let name = "engine".to_owned();
    let unmade = rcgen::Error::KeyGenerationUnavailable;
    let empty = IdentityError::Empty { path: path() };
    for error in every_variant!(DevCertsError:
        DevCertsError::Name => DevCertsError::Name,
        DevCertsError::Days => DevCertsError::Days,
        DevCertsError::Outlives { .. } => DevCertsError::Outlives { left: 9 },
        DevCertsError::Exists { .. } => DevCertsError::Exists { path: path() },
        DevCertsError::Authority { .. } => DevCertsError::Authority { path: path(), source: empty },
        DevCertsError::Read { .. } => DevCertsError::Read { path: path(), source: denied() },
        DevCertsError::Make { .. } => DevCertsError::Make { name, source: unmade },
        DevCertsError::Write { .. } => DevCertsError::Write { path: path(), source: denied() },
        DevCertsError::HandOver { .. } => DevCertsError::HandOver { path: path(), source: denied() },
    ) {
        let subject = match &error {
            DevCertsError::Name => "--clients",
            DevCertsError::Days | DevCertsError::Outlives { .. } => "--days",
            DevCertsError::Make { .. } => "engine",
            DevCertsError::Exists { .. }
            | DevCertsError::Authority { .. }
            | DevCertsError::Read { .. }
            | DevCertsError::Write { .. }
            | DevCertsError::HandOver { .. } => PATH,
        };
        messages.error(subject, &error);
    }
}

fn of_commands(messages: &mut Messages) {
    let port = OperationsClient {
        program: "gateway",
        address: SocketAddr::from(([127, 0, 0, 1], 9101)),
    };
    messages.error("the operations port", &port.silent());
}
