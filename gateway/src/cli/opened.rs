//! What needs rights, opened before the sandbox takes them away.

use crate::{
    broker::Broker,
    journal::{self, Sqlite},
    settings::Settings,
};
use mymt5_chassis::{
    operations, process,
    redact::Redactor,
    secrets::{SecretReader, SecretStore},
    tls::ServerIdentity,
};
use mymt5_model::ClientName;
use mymt5_orders::Loaded;
use std::{
    fs, io,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is opened before the sandbox.
pub(super) struct Opened {
    pub(super) api: TcpListener,
    pub(super) control: UnixListener,
    pub(super) operations: TcpListener,
    pub(super) identity: ServerIdentity,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) secrets: Arc<SecretStore>,
    pub(super) journal: Sqlite,
    pub(super) loaded: Loaded,
    /// An engine that the sandbox alone keeps apart.
    pub(super) engine: Option<PathBuf>,
}

/// What of the data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// What a dead gateway left.
    #[error("cannot remove the old control socket {}; remove it by hand", .0.display())]
    OldSocket(PathBuf, #[source] io::Error),
    /// The socket cannot be made, or its path is too long for one.
    #[error(
        "cannot listen on {}; let this user write there, and keep the path of process.data_folder below 90 characters", .0.display()
    )]
    Socket(PathBuf, #[source] io::Error),
    /// What the last replay left.
    #[error("cannot remove {}, the journal of the last replay; remove it by hand", .0.display())]
    OldReplay(PathBuf, #[source] io::Error),
}

pub(super) fn open(
    settings: &Settings,
    redactor: &Redactor,
    broker: impl FnOnce(&Settings, &SecretReader) -> anyhow::Result<Arc<dyn Broker>>,
) -> anyhow::Result<Opened> {
    let secrets = SecretStore::new(settings.secrets.clone(), redactor);
    if let Some(login) = settings.broker.made_up_login() {
        redactor.set_values(&[], &[&login.to_string()]);
    }
    let (certificate, key, client_ca) = &settings.tls;
    let identity = ServerIdentity::load(certificate, key, client_ca)?;
    let api = operations::listen("server.listen", settings.listen)?;
    let control = control_socket(&settings.data_folder)?;
    let operations = operations::bind(&settings.operations)?;
    let (journal, loaded) = open_journal(settings)?;
    let broker = broker(settings, &secrets.reader())?;
    Ok(Opened {
        api,
        control,
        operations,
        identity,
        broker,
        secrets: Arc::new(secrets),
        journal,
        loaded,
        engine: process::neighbour(&settings.data_folder, "engine"),
    })
}

/// A replay's account starts from scratch each time, and so does its journal.
fn open_journal(settings: &Settings) -> anyhow::Result<(Sqlite, Loaded)> {
    let identity = settings.identity();
    let path = settings.journal();
    if identity.broker == journal::REPLAY {
        journal::remove(&path).map_err(|error| OpenError::OldReplay(path.clone(), error))?;
    }
    let clients = settings.clients.iter().map(|client| client.name.clone());
    let clients: Vec<ClientName> = clients.chain([ClientName::local()]).collect();
    Ok(Sqlite::open(&path, &identity, &clients)?)
}

/// The gateway holds the folder's lock: a socket that is there already is a dead one.
fn control_socket(data_folder: &Path) -> Result<UnixListener, OpenError> {
    let path = data_folder.join(super::CONTROL_SOCKET);
    if path.exists()
        && let Err(error) = fs::remove_file(&path)
    {
        return Err(OpenError::OldSocket(path, error));
    }
    let bound = UnixListener::bind(&path).and_then(|listener| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| OpenError::Socket(path, error))
}
