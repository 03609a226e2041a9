//! What needs rights, opened before the sandbox takes them away.

use crate::{
    broker::Broker,
    journal::{self, Sqlite},
    settings::Settings,
};
use anyhow::Context;
use mymt5_chassis::{
    exit::Unavailable,
    operations, process,
    secrets::{SecretReader, SecretStore},
    tls::ServerIdentity,
};
use mymt5_model::ClientName;
use mymt5_orders::Loaded;
use std::{
    fmt::Display,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
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
    _data: process::Folder,
    _logs: Option<process::Folder>,
}

pub(super) fn open(
    settings: &Settings,
    secrets: SecretStore,
    broker: impl FnOnce(&Settings, &SecretReader) -> anyhow::Result<Arc<dyn Broker>>,
) -> anyhow::Result<Opened> {
    let (certificate, key, client_ca) = &settings.tls;
    let identity = ServerIdentity::load(certificate, key, client_ca)?;
    let data = process::Folder::claim(&settings.data_folder)?;
    let logs = settings.logging.folder.as_ref();
    let logs = logs.map(process::Folder::claim).transpose()?;
    let api = TcpListener::bind(settings.listen).with_context(|| cannot_listen(settings.listen))?;
    api.set_nonblocking(true)?;
    let control = control_socket(&settings.data_folder)?;
    let operations = operations::bind(&settings.operations)
        .with_context(|| cannot_listen(settings.operations.listen))?;
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
        _data: data,
        _logs: logs,
    })
}

fn cannot_listen(address: impl Display) -> Unavailable {
    Unavailable(format!("cannot listen on {address}"))
}

/// A replay's account begins anew each time, and so does its journal.
fn open_journal(settings: &Settings) -> anyhow::Result<(Sqlite, Loaded)> {
    let identity = settings.identity();
    let path = settings.journal();
    if identity.broker == journal::REPLAY {
        journal::remove(&path).context("the journal of the last replay cannot be removed")?;
    }
    let clients = settings.clients.iter().map(|client| client.name.clone());
    let clients: Vec<ClientName> = clients.chain([ClientName::local()]).collect();
    Ok(Sqlite::open(&path, &identity, &clients)?)
}

/// The gateway holds the folder's lock: a socket that is there already is a dead one.
fn control_socket(data_folder: &Path) -> anyhow::Result<UnixListener> {
    let path = data_folder.join(super::CONTROL_SOCKET);
    if path.exists() {
        fs::remove_file(&path).context("the old control socket cannot be removed")?;
    }
    let listener = UnixListener::bind(&path).with_context(|| cannot_listen(path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
