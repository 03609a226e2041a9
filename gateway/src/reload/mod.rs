//! What a running gateway takes up again without a restart: its clients and their limits, the
//! account's limits, its certificate with the authorities it trusts, its secrets, its log level. Each
//! part as a whole, or not at all: one that is faulty stays as it was and never holds back the
//! others, and a client that the configuration does not name any more is out whatever else is wrong.
//! A limit gets another value and is never lifted, and who is disabled needs a word to come back: a
//! file that was cut off has none. Other keys that changed are named: they need a restart. Asked for
//! by SIGHUP or an operator; a changed certificate is also noticed.

mod certificate;
mod lifted;
mod part;

use crate::{
    access::{Client, Registry},
    desk::Orders,
    settings::{Reloadable, Settings, TABLE, tls_fault},
};
use certificate::Files;
use lifted::InForce;
use mymt5_chassis::{
    config_errors::{ConfigError, ConfigErrors},
    loader::{Environment, Provenance, Reader},
    logs::{self, LogGuard},
    secrets::{FoundSecrets, SecretStore},
    tls::ServerIdentity,
};
use mymt5_guard::{Percent, ScopeLimits};
use mymt5_model::ClientName;
use mymt5_orders::{Grant, Input};
use part::Part;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{Mutex, Notify, watch},
    time::timeout,
};

/// Longest wait for the orders core: it answers within milliseconds unless its disk hangs.
const CORE_ANSWERS: Duration = Duration::from_secs(10);

/// The server's identity, replaced as a whole.
pub type Identity = watch::Sender<ServerIdentity>;

/// Why something stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration cannot be read at all: everything stays.
    #[error(transparent)]
    ConfigErrors(#[from] ConfigErrors),
    /// It has faults: all of them, no values, what was taken up all the same, and what changed and
    /// is not read again.
    #[error("{faults}\ntaken up all the same: {}\nneeds a restart: {}", listed(.taken), listed(.needs_restart))]
    Partly {
        /// What is wrong.
        faults: ConfigErrors,
        /// The parts that were taken up.
        taken: Vec<String>,
        /// Keys that changed since the start and are not read again.
        needs_restart: Vec<String>,
    },
    /// The reading itself broke.
    #[error("the configuration cannot be read")]
    Broken,
}

fn listed(parts: &[String]) -> String {
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
    /// Those of them that a faulty reading did not name: out until a sound one names them.
    unnamed: BTreeSet<ClientName>,
    account_limits: ScopeLimits,
    risk_ceiling: Option<Percent>,
    environment: Environment,
}

/// Clients that are named, each with whether it is let in.
type Listed = BTreeMap<ClientName, bool>;

/// What can be taken up again, and from where.
pub struct ReloadDeps {
    /// The configuration's file.
    pub config: PathBuf,
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
    /// The clients of before that the configuration still names, and whether it disables them.
    listed: Listed,
    account_limits: Option<ScopeLimits>,
    risk_ceiling: Option<Percent>,
    tls: Option<(ServerIdentity, Files)>,
    secrets: Option<FoundSecrets>,
    level: Option<String>,
    environment: Environment,
    /// Of what could be read.
    provenance: Provenance,
    faults: Vec<ConfigError>,
}

impl Reloader {
    /// Over what was read at the start, and from these variables, of which nothing else keeps a
    /// copy: a secret that is replaced in `.env` goes with them.
    #[must_use]
    pub fn new(settings: &Settings, environment: Environment, deps: ReloadDeps) -> Self {
        let turn = Mutex::new(Taken {
            files: Files::of(settings.tls.clone()),
            clients: settings.clients.clone(),
            unnamed: BTreeSet::new(),
            account_limits: settings.account_limits.clone(),
            risk_ceiling: settings.risk_ceiling,
            environment,
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
        let before = taken.in_force();
        let read = move || Fresh::read(&config, environment, &before);
        let read = tokio::task::spawn_blocking(read).await;
        let mut fresh = read.map_err(|_| ReloadError::Broken)??;
        let mut done = Vec::new();
        self.regrant(taken, &mut fresh, &mut done).await;
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
        let done: Vec<_> = done
            .into_iter()
            .map(|part| part.name().to_owned())
            .collect();
        tracing::warn!(parts = listed(&done), "read again and taken up");
        let mut needs_restart = needs_restart(&fresh.provenance, &deps.provenance, &fresh.faults);
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
        if !fresh.faults.is_empty() {
            return Err(ReloadError::Partly {
                faults: ConfigErrors(fresh.faults),
                taken: done,
                needs_restart,
            });
        }
        // Credentials that were refused are tried once more by this. Where they may not be those
        // that the operator means, it is one attempt nearer to a locked account.
        if !unread {
            deps.retry.notify_waiters();
        }
        Ok(Reloaded {
            reloaded: done,
            needs_restart,
        })
    }

    /// Takes up the clients and all limits: durable before a new client is let in. Without a journal
    /// nobody trades, and a client that must go goes all the same, before anything is waited for.
    async fn regrant(&self, taken: &mut Taken, fresh: &mut Fresh, done: &mut Vec<Part>) {
        taken.shut_out(&fresh.listed);
        let mut revoked = self.renew(taken.let_in());
        let answers = self.check(fresh).await;
        if let Some(clients) = fresh.clients.take() {
            taken.clients = clients;
            taken.unnamed.clear();
            done.push(Part::Clients);
        }
        if let Some(limits) = fresh.account_limits.take() {
            taken.account_limits = limits;
            taken.risk_ceiling = fresh.risk_ceiling;
            done.push(Part::Limits);
        }
        if answers {
            let account = Box::new(taken.account_limits.clone());
            let regrant = Input::Grants(grants(&taken.let_in()), account);
            self.0.deps.orders.tell(regrant).await;
        }
        revoked.extend(self.renew(taken.let_in()));
        let revoked: Vec<_> = revoked.iter().map(ClientName::as_str).collect();
        tracing::warn!(?revoked, "clients and limits renewed");
    }

    /// Asks the orders core whether it can take the clients; whether it answers at all. What it does
    /// not take stays as it was, with a fault.
    async fn check(&self, fresh: &mut Fresh) -> bool {
        let Some(clients) = &fresh.clients else {
            return true;
        };
        let asked = grants(clients);
        let asking = self
            .0
            .deps
            .orders
            .ask(move |core| core.check_grants(&asked));
        match timeout(CORE_ANSWERS, asking).await {
            Ok(Ok(Err(_))) => {
                fresh.clients = None;
                fresh.faults.push(too_many());
                true
            }
            // A core that has lost its journal lets nobody trade.
            Ok(Ok(Ok(())) | Err(_)) => true,
            Err(_) => {
                fresh.clients = None;
                fresh.account_limits = None;
                fresh.faults.push(no_answer());
                false
            }
        }
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

impl Taken {
    /// Who is disabled there, or not listed, must go, and keeps what the next reading must not lift. To
    /// come back who is disabled needs a word, and who is not listed a sound reading that names it.
    fn shut_out(&mut self, listed: &Listed) {
        for client in &mut self.clients {
            match listed.get(&client.name) {
                Some(enabled) => client.enabled &= *enabled,
                None => {
                    self.unnamed.insert(client.name.clone());
                }
            }
        }
    }

    /// The clients, of which whoever is out is disabled.
    fn let_in(&self) -> Vec<Client> {
        let mut clients = self.clients.clone();
        for client in &mut clients {
            client.enabled &= !self.unnamed.contains(&client.name);
        }
        clients
    }

    /// What another reading must not lift in passing.
    fn in_force(&self) -> InForce {
        let clients = self.clients.iter();
        let clients = clients.map(|client| (client.name.clone(), client.clone()));
        InForce {
            clients: clients.collect(),
            account: self.account_limits.clone(),
            risk_ceiling: self.risk_ceiling,
        }
    }
}

impl Fresh {
    fn read(
        config: &Path,
        environment: Environment,
        before: &InForce,
    ) -> Result<Self, ReloadError> {
        let mut reader = Reader::open(&TABLE, config, environment)?;
        let (_, parts) = Settings::read_with_parts(&mut reader);
        before.refuse_to_lift(&mut reader);
        let environment = reader.environment();
        let listed = still_listed(&reader, before.clients.keys());
        let so_far = reader.provenance();
        let (provenance, faults) = match reader.finish() {
            Ok(provenance) => (provenance, Vec::new()),
            Err(errors) => (so_far, errors.0),
        };
        let warnings = provenance.warnings().iter();
        warnings.for_each(|warning| tracing::warn!(warning, "configuration read again"));
        let sound = |part: Part| !faults.iter().any(|fault| part.depends_on(&fault.key));
        let Reloadable {
            tls,
            clients,
            account_limits,
            risk_ceiling,
            level,
            secrets,
        } = parts;
        // Hashed before they are read: what changes in between is noticed later.
        let files = tls.filter(|_| sound(Part::Tls)).map(Files::of);
        let mut fresh = Self {
            clients: clients.filter(|_| sound(Part::Clients)),
            listed,
            account_limits: Some(account_limits).filter(|_| sound(Part::Limits)),
            risk_ceiling,
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

/// Those of the clients that are named; all where no client is named at all, as in a file that was
/// cut off.
fn still_listed<'a>(reader: &Reader, clients: impl Iterator<Item = &'a ClientName>) -> Listed {
    let tables: BTreeMap<String, Value> = reader.peek("clients").unwrap_or_default();
    if !tables.values().any(Value::is_object) {
        return clients.map(|name| (name.clone(), true)).collect();
    }
    let look_up = |name: &ClientName| {
        let table = format!("clients.{}", name.as_str());
        reader.peek::<IgnoredAny>(&table)?;
        let enabled = reader.peek::<bool>(&format!("{table}.enabled"));
        Some((name.clone(), enabled != Some(false)))
    };
    clients.filter_map(look_up).collect()
}

/// The keys that changed since the start and are not read again. One with a fault is told with it.
fn needs_restart(now: &Provenance, start: &Provenance, faults: &[ConfigError]) -> Vec<String> {
    let taken_up = |key: &&str| Part::ALL.iter().any(|part| part.takes_up(key));
    let is_faulty = |key: &&str| faults.iter().any(|fault| part::within(key, &fault.key));
    let changed = now.changed_since(start).into_iter();
    let left = changed.filter(|key| !taken_up(key) && !is_faulty(key));
    left.map(str::to_owned).collect()
}

/// More clients in the life of this journal than it has room for.
fn too_many() -> ConfigError {
    ConfigError::new(
        "clients",
        "names more new clients than the journal has slots left, of 2047 in its life",
        "remove the new ones, or give them names that earlier clients had",
    )
}

/// The orders core is held up.
fn no_answer() -> ConfigError {
    ConfigError::new(
        "clients",
        "cannot be taken up, nor can limits: the orders core does not answer",
        "look at `mymt5-gateway status`, and reload again; who was removed or disabled is out",
    )
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::testing::messages::flaw;

    pub(super) fn reader(toml: &str) -> Reader {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, toml).unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        Reader::open(&TABLE, &file, nothing).unwrap()
    }

    #[test]
    fn who_is_disabled_goes_though_it_is_everybody() {
        let names = ["a", "b"].map(|name| ClientName::parse(name).unwrap());
        let cases: [(&str, &[&str]); 7] = [
            ("", &["a", "b"]),
            ("clients = 3", &["a", "b"]),
            ("[clients]", &["a", "b"]),
            ("[clients.a]\n[clients.b]\nenabled = true", &["a", "b"]),
            ("[clients.a]\nenabled = false\n[clients.b]", &["b"]),
            ("[clients]\nx = 3\n[clients.c]", &[]),
            (
                "[clients.a]\nenabled = false\n[clients.b]\nenabled = false",
                &[],
            ),
        ];
        for (toml, stay) in cases {
            let listed = still_listed(&reader(toml), names.iter());
            let enabled = listed.iter().filter(|(_, enabled)| **enabled);
            let enabled: Vec<_> = enabled.map(|(name, _)| name.as_str()).collect();
            assert_eq!(enabled, stay, "{toml}");
        }
    }

    #[test]
    fn what_the_core_refuses_is_told_with_what_to_do() {
        for fault in [too_many(), no_answer()] {
            assert_eq!(flaw("clients", &fault.to_string()), None);
        }
    }
}
