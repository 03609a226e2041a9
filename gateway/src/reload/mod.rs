//! What a running gateway takes up again without a restart: its clients and their limits, the
//! account's limits, its certificate with the authorities it trusts, its log level. All of it, or
//! nothing: whatever is wrong keeps the old. Other keys that changed are named: they need a
//! restart. Asked for by SIGHUP or an operator; a changed certificate is also noticed.

mod certificate;

use crate::{
    access::{Client, Registry},
    desk::Orders,
    settings::{Settings, TABLE},
};
use certificate::Files;
use mymt5_chassis::{
    cli::ProgramSettings,
    config_errors::ConfigErrors,
    loader::{Environment, Provenance, Reader},
    logs::{self, LogGuard},
    secrets::SecretStore,
    tls::{IdentityError, ServerIdentity},
};
use mymt5_model::{ClientName, Refusal};
use mymt5_orders::{Grant, Input};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Weak},
};
use tokio::sync::{Mutex, Notify, watch};

/// The server's identity, replaced as a whole.
pub type Identity = watch::Sender<ServerIdentity>;

/// Why everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration has faults: all of them, no values.
    #[error(transparent)]
    ConfigErrors(#[from] ConfigErrors),
    /// The certificate, its key or the authorities.
    #[error("server.tls: {}", .0.fault())]
    Identity(#[from] IdentityError),
    /// Too many clients in this journal's life.
    #[error(transparent)]
    Slots(#[from] Refusal),
    /// The reading itself broke.
    #[error("the configuration cannot be read")]
    Broken,
}

/// What is read again; the keys below each are taken up.
const READ_AGAIN: [(&str, &[&str]); 5] = [
    ("clients", &["clients."]),
    ("limits", &["limits.", "risk.max_per_trade"]),
    ("tls", &["server.tls."]),
    ("credentials", &[]),
    ("log level", &["logging.level"]),
];

/// What a reload led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// What was read again.
    pub reloaded: Vec<String>,
    /// Keys that changed since the start and are not read again.
    pub needs_restart: Vec<String>,
}

/// Takes up what changed. Clones are one.
#[derive(Clone)]
pub struct Reloader(Arc<Parts>);

struct Parts {
    deps: ReloadDeps,
    /// One at a time; what the certificate's files were when last checked.
    turn: Mutex<Files>,
}

/// What can be taken up again, and from where.
pub struct ReloadDeps {
    /// The configuration's file.
    pub config: PathBuf,
    /// The variables of the start.
    pub environment: Environment,
    /// What it said at the start.
    pub provenance: Provenance,
    /// Weak, so that the log's last lines are written when the process lets go of it.
    pub log: Weak<LogGuard>,
    /// The server's identity.
    pub identity: Identity,
    /// Who may call.
    pub registry: Registry,
    /// Knows what each client is granted.
    pub orders: Orders,
    /// The account's secrets, and others.
    pub secrets: Arc<SecretStore>,
    /// Told that the broker may be tried at once, with refused credentials too.
    pub retry: Arc<Notify>,
}

/// Everything read again and found good.
struct Fresh {
    settings: Settings,
    provenance: Provenance,
    identity: ServerIdentity,
    files: Files,
}

impl Reloader {
    /// Over what was read at the start.
    #[must_use]
    pub fn new(settings: &Settings, deps: ReloadDeps) -> Self {
        let turn = Mutex::new(Files::of(settings));
        Self(Arc::new(Parts { deps, turn }))
    }

    /// Reads everything again and takes it up.
    ///
    /// # Errors
    /// Anything is wrong with any of it; nothing was changed then.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let this = self.clone();
        // A caller that goes away in the middle leaves nothing half done.
        let taking = tokio::spawn(async move {
            let mut files = this.0.turn.lock().await;
            this.apply(&mut files).await
        });
        let taken = taking.await.unwrap_or(Err(ReloadError::Broken));
        match &taken {
            Ok(_) => metrics::counter!("mymt5_reloads_total").increment(1),
            Err(error) => {
                metrics::counter!("mymt5_reload_failures_total").increment(1);
                tracing::error!(%error, "reload refused, everything stays as it was");
            }
        }
        taken
    }

    async fn apply(&self, files: &mut Files) -> Result<Reloaded, ReloadError> {
        let deps = &self.0.deps;
        let config = deps.config.clone();
        let environment = deps.environment.again();
        let read = tokio::task::spawn_blocking(move || read(&config, environment)).await;
        let Fresh {
            settings,
            provenance,
            identity,
            files: seen,
        } = read.map_err(|_| ReloadError::Broken)??;
        // The last that can fail for what stands in a file: the configuration was whole.
        let secrets = deps.secrets.clone();
        let replaced = tokio::task::spawn_blocking(move || secrets.reload()).await;
        replaced.map_err(|_| ReloadError::Broken)??;
        self.grant(&settings).await?;
        *files = seen;
        deps.identity.send_replace(identity);
        logs::set_level(&deps.log, Some(settings.logging.level));
        let revoked = self.renew(settings.clients);
        let revoked: Vec<_> = revoked.iter().map(ClientName::as_str).collect();
        deps.retry.notify_waiters();
        tracing::warn!(
            ?revoked,
            "clients, limits, certificate, credentials and log level read again"
        );
        let needs_restart = needs_restart(&provenance, &deps.provenance);
        if !needs_restart.is_empty() {
            tracing::warn!(keys = ?needs_restart, "keys changed that need a restart");
        }
        Ok(Reloaded {
            reloaded: READ_AGAIN.map(|(part, _)| part.to_owned()).into(),
            needs_restart,
        })
    }

    /// Durable before a new client is let in. Without a journal nobody trades, and a client that
    /// must go goes all the same.
    async fn grant(&self, settings: &Settings) -> Result<(), Refusal> {
        let orders = &self.0.deps.orders;
        let asked = grants(&settings.clients);
        if let Ok(checked) = orders.ask(move |core| core.check_grants(&asked)).await {
            checked?;
        }
        let account = Box::new(settings.account_limits.clone());
        let regrant = Input::Grants(grants(&settings.clients), account);
        orders.tell(regrant).await;
        Ok(())
    }

    fn renew(&self, clients: Vec<Client>) -> Vec<ClientName> {
        let registry = &self.0.deps.registry;
        let old = registry.load_full();
        let new = Arc::new(old.renewed(clients));
        registry.store(new.clone());
        old.revoke(&new)
    }
}

fn read(config: &std::path::Path, environment: Environment) -> Result<Fresh, ReloadError> {
    let mut reader = Reader::open(&TABLE, config, environment)?;
    let settings = Settings::read(&mut reader);
    let provenance = reader.finish()?;
    let warnings = provenance.warnings().iter();
    warnings.for_each(|warning| tracing::warn!(warning, "configuration read again"));
    let settings = settings.ok_or(ReloadError::Broken)?;
    // Hashed before they are read: what changes in between is noticed later.
    let files = Files::of(&settings);
    let (certificate, key, client_ca) = &settings.tls;
    let identity = ServerIdentity::load(certificate, key, client_ca)?;
    Ok(Fresh {
        settings,
        provenance,
        identity,
        files,
    })
}

/// The keys that changed since the start and are not read again.
fn needs_restart(now: &Provenance, start: &Provenance) -> Vec<String> {
    let taken_up = |key: &&str| {
        let mut parts = READ_AGAIN.iter().flat_map(|(_, keys)| *keys);
        parts.any(|part| key.starts_with(part))
    };
    let changed = now.changed_since(start).into_iter();
    let left = changed.filter(|key| !taken_up(key) && !TABLE.secrets.contains(key));
    left.map(str::to_owned).collect()
}

/// What each client is granted. One that is disabled keeps its limits, and owes no sign of life.
pub fn grants(clients: &[Client]) -> BTreeMap<ClientName, Grant> {
    let granted = clients.iter().map(|client| {
        let grant = Grant {
            limits: client.limits.entry.clone(),
            loss: client.limits.loss,
            dead_man: client.dead_man.filter(|_| client.enabled),
            max_ids_per_minute: Some(client.share.max_ids_per_minute),
        };
        (client.name.clone(), grant)
    });
    granted.collect()
}
