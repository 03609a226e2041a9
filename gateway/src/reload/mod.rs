//! What a running gateway takes up again without a restart: its clients and their limits, the
//! account's limits, its certificate with the authorities it trusts, its secrets, its log level. Each
//! part as a whole, or not at all: one that is faulty stays as it was and never holds back the
//! others, and a client that the configuration does not name any more is out whatever else is wrong.
//! Other keys that changed are named: they need a restart. Asked for by SIGHUP or an operator; a
//! changed certificate is also noticed.

mod certificate;
mod part;

use crate::{
    access::{Client, Registry},
    desk::Orders,
    settings::{Reloadable, Settings, TABLE, tls_fault},
};
use certificate::Files;
use mymt5_chassis::{
    config_errors::{ConfigError, ConfigErrors},
    loader::{Environment, Provenance, Reader},
    logs::{self, LogGuard},
    secrets::{FoundSecrets, SecretStore},
    tls::ServerIdentity,
};
use mymt5_guard::ScopeLimits;
use mymt5_model::{ClientName, Refusal};
use mymt5_orders::{Grant, Input};
use part::Part;
use serde::de::IgnoredAny;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};
use tokio::sync::{Mutex, Notify, watch};

/// The server's identity, replaced as a whole.
pub type Identity = watch::Sender<ServerIdentity>;

/// Why something stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration cannot be read at all: everything stays.
    #[error(transparent)]
    ConfigErrors(#[from] ConfigErrors),
    /// It has faults: all of them, no values, and what was taken up all the same.
    #[error("{faults}\ntaken up all the same: {}", listed(.taken))]
    Partly {
        /// What is wrong.
        faults: ConfigErrors,
        /// The parts that were taken up.
        taken: Vec<&'static str>,
    },
    /// Too many clients in this journal's life: no new one was let in.
    #[error(transparent)]
    Slots(#[from] Refusal),
    /// The reading itself broke.
    #[error("the configuration cannot be read")]
    Broken,
}

fn listed(parts: &[&str]) -> String {
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Secrets that a terminal's link takes up with a restart only: they name the account.
const OF_THE_ACCOUNT: [&str; 2] = ["MT5_LOGIN", "MT5_SERVER"];

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
    /// It logs in to an account that the start fixed.
    logs_in: bool,
    /// One reload at a time.
    turn: Mutex<Taken>,
}

/// What was taken up last, which stays where another reading of it is faulty.
struct Taken {
    /// The certificate's files as they were when last checked.
    files: Files,
    clients: Vec<Client>,
    account_limits: ScopeLimits,
    environment: Environment,
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

/// Everything read again: each part, unless a fault leaves it as it was.
struct Fresh {
    clients: Option<Vec<Client>>,
    /// The clients of before that the configuration still names.
    listed: Vec<ClientName>,
    account_limits: Option<ScopeLimits>,
    tls: Option<(ServerIdentity, Files)>,
    secrets: Option<FoundSecrets>,
    level: Option<String>,
    environment: Environment,
    /// None: there are faults.
    provenance: Option<Provenance>,
    faults: Vec<ConfigError>,
}

impl Reloader {
    /// Over what was read at the start.
    #[must_use]
    pub fn new(settings: &Settings, deps: ReloadDeps) -> Self {
        let turn = Mutex::new(Taken {
            files: Files::of(settings.tls.clone()),
            clients: settings.clients.clone(),
            account_limits: settings.account_limits.clone(),
            environment: deps.environment.clone(),
        });
        Self(Arc::new(Parts {
            deps,
            logs_in: settings.broker.logs_in(),
            turn,
        }))
    }

    /// Reads everything again and takes it up.
    ///
    /// # Errors
    /// Anything is wrong with any of it. What is sound by itself was taken up all the same.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let this = self.clone();
        // A caller that goes away in the middle leaves nothing half done.
        let taking = tokio::spawn(async move {
            let mut taken = this.0.turn.lock().await;
            this.apply(&mut taken).await
        });
        let outcome = taking.await.unwrap_or(Err(ReloadError::Broken));
        match &outcome {
            Ok(_) => metrics::counter!("mymt5_reloads_total").increment(1),
            Err(error) => {
                metrics::counter!("mymt5_reload_failures_total").increment(1);
                tracing::error!(%error, "reload: what is faulty stays as it was");
            }
        }
        outcome
    }

    async fn apply(&self, taken: &mut Taken) -> Result<Reloaded, ReloadError> {
        let deps = &self.0.deps;
        let config = deps.config.clone();
        let environment = taken.environment.again();
        let clients: Vec<_> = taken.clients.iter().map(|c| c.name.clone()).collect();
        let read = move || Fresh::read(&config, environment, &clients);
        let read = tokio::task::spawn_blocking(read).await;
        let mut fresh = read.map_err(|_| ReloadError::Broken)??;
        let mut done = Vec::new();
        let refused = self.regrant(taken, &mut fresh, &mut done).await.err();
        if let Some((identity, files)) = fresh.tls.take() {
            taken.files = files;
            deps.identity.send_replace(identity);
            done.push(Part::Tls);
        }
        let replaced = self.replace_secrets(&mut fresh, &mut done).await?;
        if let Some(level) = fresh.level.take() {
            logs::set_level(&deps.log, Some(level));
            done.push(Part::LogLevel);
        }
        let unread = fresh.environment.leaves_dotenv_unread();
        taken.environment = fresh.environment;
        deps.retry.notify_waiters();
        let done: Vec<_> = done.into_iter().map(Part::name).collect();
        tracing::warn!(parts = listed(&done), "read again and taken up");
        if let Some(refusal) = refused {
            return Err(refusal.into());
        }
        let Some(provenance) = fresh.provenance.filter(|_| fresh.faults.is_empty()) else {
            let faults = ConfigErrors(fresh.faults);
            return Err(ReloadError::Partly {
                faults,
                taken: done,
            });
        };
        let mut needs_restart = needs_restart(&provenance, &deps.provenance);
        let of_the_account = |name: &String| OF_THE_ACCOUNT.contains(&name.as_str());
        needs_restart.extend(
            replaced
                .into_iter()
                .filter(|name| self.0.logs_in && of_the_account(name)),
        );
        needs_restart.extend(unread.then(|| ".env".to_owned()));
        if !needs_restart.is_empty() {
            tracing::warn!(keys = ?needs_restart, "keys changed that need a restart");
        }
        Ok(Reloaded {
            reloaded: done.into_iter().map(str::to_owned).collect(),
            needs_restart,
        })
    }

    /// Takes up the clients and all limits: durable before a new client is let in. Without a journal
    /// nobody trades, and a client that must go goes all the same.
    async fn regrant(
        &self,
        taken: &mut Taken,
        fresh: &mut Fresh,
        done: &mut Vec<Part>,
    ) -> Result<(), Refusal> {
        let orders = &self.0.deps.orders;
        let mut checked = Ok(());
        if let Some(clients) = &fresh.clients {
            let asked = grants(clients);
            let answer = orders.ask(move |core| core.check_grants(&asked)).await;
            checked = answer.unwrap_or(Ok(()));
        }
        match fresh.clients.take().filter(|_| checked.is_ok()) {
            Some(clients) => {
                taken.clients = clients;
                done.push(Part::Clients);
            }
            None => taken
                .clients
                .retain(|client| fresh.listed.contains(&client.name)),
        }
        if let Some(limits) = fresh.account_limits.take() {
            taken.account_limits = limits;
            done.push(Part::Limits);
        }
        let account = Box::new(taken.account_limits.clone());
        let regrant = Input::Grants(grants(&taken.clients), account);
        orders.tell(regrant).await;
        let revoked = self.renew(taken.clients.clone());
        let revoked: Vec<_> = revoked.iter().map(ClientName::as_str).collect();
        tracing::warn!(?revoked, "clients and limits renewed");
        checked
    }

    /// The names of the secrets that were replaced. A fault of theirs is added to the others.
    async fn replace_secrets(
        &self,
        fresh: &mut Fresh,
        done: &mut Vec<Part>,
    ) -> Result<Vec<String>, ReloadError> {
        let Some(found) = fresh.secrets.take() else {
            return Ok(Vec::new());
        };
        let secrets = self.0.deps.secrets.clone();
        let replaced = tokio::task::spawn_blocking(move || secrets.reload(found)).await;
        match replaced.map_err(|_| ReloadError::Broken)? {
            Ok(names) => {
                done.push(Part::Credentials);
                Ok(names)
            }
            Err(errors) => {
                fresh.faults.extend(errors.0);
                Ok(Vec::new())
            }
        }
    }

    fn renew(&self, clients: Vec<Client>) -> Vec<ClientName> {
        let registry = &self.0.deps.registry;
        let old = registry.load_full();
        let new = Arc::new(old.renewed(clients));
        registry.store(new.clone());
        old.revoke(&new)
    }
}

impl Fresh {
    fn read(
        config: &Path,
        environment: Environment,
        clients: &[ClientName],
    ) -> Result<Self, ReloadError> {
        let mut reader = Reader::open(&TABLE, config, environment)?;
        let (_, parts) = Settings::read_with_parts(&mut reader);
        let environment = reader.environment();
        let listed = still_listed(&reader, clients);
        let (provenance, faults) = match reader.finish() {
            Ok(provenance) => (Some(provenance), Vec::new()),
            Err(errors) => (None, errors.0),
        };
        let warnings = provenance.iter().flat_map(Provenance::warnings);
        warnings.for_each(|warning| tracing::warn!(warning, "configuration read again"));
        let sound = |part: Part| !faults.iter().any(|fault| part.depends_on(&fault.key));
        let Reloadable {
            tls,
            clients,
            account_limits,
            level,
            secrets,
        } = parts;
        // Hashed before they are read: what changes in between is noticed later.
        let files = tls.filter(|_| sound(Part::Tls)).map(Files::of);
        let mut fresh = Self {
            clients: clients.filter(|_| sound(Part::Clients)),
            listed,
            account_limits: Some(account_limits).filter(|_| sound(Part::Limits)),
            tls: None,
            secrets: Some(secrets).filter(|_| sound(Part::Credentials)),
            level: level.filter(|_| sound(Part::LogLevel)),
            environment,
            provenance,
            faults,
        };
        if let Some(files) = files {
            match files.load() {
                Ok(identity) => fresh.tls = Some((identity, files)),
                Err(error) => fresh.faults.push(tls_fault(&error)),
            }
        }
        Ok(fresh)
    }
}

/// Those of the clients that are named and not disabled; all where none is, which is a fault.
fn still_listed(reader: &Reader, clients: &[ClientName]) -> Vec<ClientName> {
    let is_listed = |name: &&ClientName| {
        let table = format!("clients.{}", name.as_str());
        let enabled = reader.peek::<bool>(&format!("{table}.enabled"));
        reader.peek::<IgnoredAny>(&table).is_some() && enabled != Some(false)
    };
    let listed: Vec<ClientName> = clients.iter().filter(is_listed).cloned().collect();
    if listed.is_empty() {
        clients.to_vec()
    } else {
        listed
    }
}

/// The keys that changed since the start and are not read again.
fn needs_restart(now: &Provenance, start: &Provenance) -> Vec<String> {
    let taken_up = |key: &&str| Part::ALL.iter().any(|part| part.takes_up(key));
    let changed = now.changed_since(start).into_iter();
    let left = changed.filter(|key| !taken_up(key));
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
