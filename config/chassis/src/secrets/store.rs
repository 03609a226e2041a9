//! The one owner of the secrets and the readers it serves. Only the store can replace a secret;
//! before it notifies the readers, the redactor knows the new value and still the former ones.

use super::folder::{Folder, Seen};
use crate::config_errors::ConfigErrors;
use crate::redact::Redactor;
use crate::secret::{Credential, FoundSecrets, Prints, Secret, is_account_number};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Former values of one secret that stay masked.
const MAX_FORMER: usize = 8;

type Values = BTreeMap<String, Credential>;

/// All secrets of one moment: values that came together stay together, such as a login and its
/// password. `Debug` shows names only.
#[derive(Clone)]
pub struct SecretSet(Arc<Values>);

impl SecretSet {
    /// A secret by its name, such as `BRIDGE_SECRET`; `None` when there is none, or when it is not
    /// kept.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)?.kept()
    }

    /// A secret by its name, such as `MT5_PASSWORD`, kept or not; `None` when there is none.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<&Credential> {
        self.0.get(name)
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

/// Reads the store's secrets and hears of their changes; cheap to clone. It cannot change them.
#[derive(Clone)]
pub struct SecretReader(watch::Receiver<SecretSet>);

impl SecretReader {
    /// The secret as it is now; `None` when there is none of that name, or when it is not kept.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Secret> {
        self.0.borrow().get(name).cloned()
    }

    /// All secrets as they are now, none of them of another moment.
    #[must_use]
    pub fn all(&self) -> SecretSet {
        self.0.borrow().clone()
    }

    /// Waits for the next change that this reader has not heard of; `false` when the store is
    /// gone and there will be none. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl fmt::Debug for SecretReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().fmt(f)
    }
}

/// Owns the secrets; it alone can replace them. `Debug` shows names only.
pub struct SecretStore {
    values: watch::Sender<SecretSet>,
    state: Mutex<State>,
}

struct State {
    redactor: Redactor,
    folders: Vec<Folder>,
    former: BTreeMap<String, VecDeque<Credential>>,
}

impl SecretStore {
    /// Takes the secrets over; from now on the redactor masks them.
    #[must_use]
    pub fn new(found: FoundSecrets, redactor: &Redactor) -> Self {
        let state = State {
            redactor: redactor.clone(),
            folders: Folder::group(found.files),
            former: BTreeMap::new(),
        };
        state.mask(&found.values);
        Self {
            values: watch::Sender::new(SecretSet(Arc::new(found.values))),
            state: Mutex::new(state),
        }
    }

    /// A reader of these secrets.
    #[must_use]
    pub fn reader(&self) -> SecretReader {
        SecretReader(self.values.subscribe())
    }

    /// The files that are read again, for the sandbox, which limits what the process may read.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.lock();
        let files = state.folders.iter().flat_map(Folder::files);
        files.map(Path::to_owned).collect()
    }

    /// Polls every folder once and takes what changed; gives the names of the secrets that
    /// were replaced, sorted. A folder that cannot be read whole keeps all its last values, and
    /// each kind of failure is logged once until it can be read again. A file that is written in
    /// place, not swapped with its folder, is taken when two polls in a row agree, since the
    /// first may have met it half written. Blocks on the file system.
    pub fn poll_once(&self) -> Vec<String> {
        let mut state = self.lock();
        let current = self.current();
        let mut fresh = Values::new();
        for folder in &mut state.folders {
            fresh.extend(folder.look(&current.0));
        }
        if fresh.is_empty() {
            return Vec::new();
        }
        self.replace(&mut state, &current, fresh)
    }

    /// Takes what another reading of the configuration found, from whatever source: the files of each
    /// folder as they are now, without a second poll, and the variables of `.env`. Gives the names
    /// of the secrets that were replaced, sorted. Those that were not found stay. Blocks on the file
    /// system.
    ///
    /// # Errors
    /// A file cannot be read or holds no fit secret; then nothing is replaced.
    pub fn reload(&self, found: FoundSecrets) -> Result<Vec<String>, ConfigErrors> {
        let mut state = self.lock();
        let current = self.current();
        let folders = Folder::group(found.files);
        let mut fresh = found.values;
        let mut errors = Vec::new();
        for folder in &folders {
            match folder.poll().map(Seen::values) {
                Ok(values) => fresh.extend(folder.held(&values)),
                Err(fault) => errors.push(fault),
            }
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        state.folders = folders;
        Ok(self.replace(&mut state, &current, fresh))
    }

    fn replace(&self, state: &mut State, current: &SecretSet, fresh: Values) -> Vec<String> {
        let mut values = Values::clone(&current.0);
        let mut names = Vec::new();
        for (name, credential) in fresh {
            let digest = credential.digest();
            let old = values.insert(name.clone(), credential);
            if let Some(old) = old.filter(|old| old.digest() != digest) {
                state.retire(&name, old);
                names.push(name);
            }
        }
        state.mask(&values);
        self.values.send_replace(SecretSet(Arc::new(values)));
        if !names.is_empty() {
            tracing::warn!(names = names.join(","), "secrets replaced");
        }
        names
    }

    fn current(&self) -> SecretSet {
        self.values.borrow().clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps a former value, the oldest giving way.
    fn retire(&mut self, name: &str, old: Credential) {
        let former = self.former.entry(name.to_owned()).or_default();
        former.retain(|kept| kept.digest() != old.digest());
        former.push_back(old);
        if former.len() > MAX_FORMER {
            former.pop_front();
        }
    }

    fn mask(&self, values: &Values) {
        let former = self.former.iter().flat_map(|(name, all)| {
            let name = name.as_str();
            all.iter().map(move |credential| (name, credential))
        });
        let current = values.iter().map(|(name, held)| (name.as_str(), held));
        let all: Vec<(&str, &Credential)> = current.chain(former).collect();
        let prints = all.iter().filter_map(|(_, credential)| credential.prints());
        let prints = Prints::joined(prints);
        let kept = all
            .into_iter()
            .filter_map(|(name, credential)| Some((name, credential.kept()?)));
        let (numbers, secrets): (Vec<_>, Vec<_>) =
            kept.partition(|(name, secret)| is_account_number(name, secret.expose()));
        let only =
            |pairs: Vec<(&str, &Secret)>| pairs.into_iter().map(|(_, s)| s.clone()).collect();
        self.redactor
            .set_rotating(only(secrets), only(numbers), prints);
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}
