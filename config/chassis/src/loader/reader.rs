//! The reader of keys. Reading never stops at a fault: it is recorded, and [`Reader::finish`]
//! reports all of them, along with every key that was never read.

mod layers;
mod option;
mod section;
mod unknown;

pub use section::Section;

use super::secret_sources::Sources;
use super::tree::{Kind, Node};
use super::{Environment, Provenance, Table, files, guard, hints};
use crate::config_errors::{ConfigError, ConfigErrors};
use crate::redact::Known;
use crate::secret::{
    Credential, FoundSecrets, Prints, Secret, check, file, is_account_number, is_read_at_use,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Reads one program's configuration, key by key. A key is dotted, such as `server.listen`; the
/// items of a list of tables are numbered, such as `strategies.0.kind`. A clone reads on by itself, from
/// what was opened once.
#[derive(Clone)]
pub struct Reader {
    table: Table,
    file: String,
    root: Node,
    environment: Environment,
    asked: BTreeSet<String>,
    containers: BTreeSet<String>,
    lines: BTreeMap<String, (String, String)>,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    secrets_folder: Option<PathBuf>,
    found: FoundSecrets,
    /// Every secret that was read, to mask.
    read_secrets: Vec<(String, Secret)>,
}

impl Reader {
    /// Reads `file`, its `.local.toml` and the environment, and merges them. Where neither the
    /// program's default file nor its `.local.toml` is there, the variables do without if
    /// `MYMT5_CONFIG=environment` is among them and the command line did not name the file.
    ///
    /// # Errors
    /// A file cannot be read or parsed; the report holds whatever else was found by then.
    pub fn open(
        table: &Table,
        file: &Path,
        mut environment: Environment,
    ) -> Result<Self, ConfigErrors> {
        let shown = file.display().to_string();
        let is_missing = file == table.default_file() && files::are_missing(file);
        let is_alone = environment.stands_alone(is_missing);
        Self::of_root(table, shown, environment, || {
            if is_alone {
                files::read_text("")
            } else {
                files::read(file)
            }
        })
    }

    /// Reads a text as the one file, and the environment.
    pub(crate) fn of_text(
        table: &Table,
        text: &str,
        environment: Environment,
    ) -> Result<Self, ConfigErrors> {
        Self::of_root(table, "text".to_owned(), environment, || {
            files::read_text(text)
        })
    }

    fn of_root(
        table: &Table,
        file: String,
        mut environment: Environment,
        root: impl FnOnce() -> Result<Node, Vec<ConfigError>>,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        guard::refuse_names(table, &environment, &mut errors);
        let warning = environment.load_dotenv(table, &mut errors);
        let root = match root() {
            Ok(root) => root,
            Err(found) => {
                errors.splice(0..0, found);
                let secrets = environment.secrets(table);
                return Err(without_secrets(errors, secrets));
            }
        };
        let mut reader = Self {
            table: *table,
            file,
            root,
            environment: Environment::default(),
            asked: BTreeSet::new(),
            containers: BTreeSet::new(),
            lines: BTreeMap::new(),
            errors,
            warnings: Vec::from_iter(warning),
            secrets_folder: None,
            found: FoundSecrets::default(),
            read_secrets: Vec::new(),
        };
        reader.lay_environment(&environment);
        let emptied = guard::refuse_secrets(table, &mut reader.root, &mut reader.errors);
        reader.containers.extend(emptied);
        reader.environment = environment;
        if !table.secrets.is_empty() {
            reader.secrets_folder = reader.read_secrets_folder();
        }
        Ok(reader)
    }

    /// The folder that secrets are mounted in, which must be there: without it each of them would
    /// only be missing.
    fn read_secrets_folder(&mut self) -> Option<PathBuf> {
        let folder: PathBuf = self.optional("secrets.folder", "a folder of secrets")?;
        if !folder.is_dir() {
            let fix = self.way_to_set("secrets.folder", "an existing folder, or remove it");
            self.reject("secrets.folder", "is not a folder that can be read", fix);
            return None;
        }
        Some(folder)
    }

    /// The keys of one table, such as `limits` or `clients.engine`.
    pub fn section(&mut self, name: impl Into<String>) -> Section<'_> {
        Section {
            reader: self,
            name: name.into(),
        }
    }

    /// The variables that it was opened with, and what `.env` held: for another reading, without
    /// that file.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment.clone()
    }

    /// A value looked at apart from the reading; `None` when it is absent or not as expected. It
    /// must still be read in its place.
    #[must_use]
    pub fn peek<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.root.get(key).and_then(Node::decode)
    }

    /// Reads a key that must be there; `expected` ends the sentence "set it to ...". `None` when
    /// a fault was recorded.
    pub fn required<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Option<T> {
        if self.root.get(key).is_none() {
            self.asked.insert(key.to_owned());
            let fix = self.way_to_set(key, expected);
            self.reject(key, "is missing", fix);
            return None;
        }
        self.optional(key, expected)
    }

    /// Reads a key that may be absent; a value that is not as expected is a fault.
    pub fn optional<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Option<T> {
        self.asked.insert(key.to_owned());
        let node = self.root.get(key)?;
        if let Some(value) = node.decode() {
            self.note(key);
            return Some(value);
        }
        let reason = found(node, expected);
        let fix = self.way_to_set(key, expected);
        self.reject(key, reason, fix);
        None
    }

    /// Reads a key, or takes the default when it is absent. A value that is not as expected is
    /// a fault, and the default stands in so that reading goes on.
    pub fn or<T: DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        expected: &str,
        default: T,
    ) -> T {
        if self.root.get(key).is_none() {
            // A default that is no JSON, such as a path that is no Unicode, is not shown.
            let shown = serde_json::to_string(&default).unwrap_or_default();
            self.lines
                .insert(key.to_owned(), (shown, "default".to_owned()));
        }
        self.optional(key, expected).unwrap_or(default)
    }

    /// Reads a path that must be there. A relative one is relative to the working folder.
    pub fn path(&mut self, key: &str, expected: &str) -> Option<PathBuf> {
        let path: PathBuf = self.required(key, expected)?;
        self.filled(key, expected, path)
    }

    /// Reads a path, or takes the default when it is absent.
    pub fn path_or(&mut self, key: &str, expected: &str, default: &str) -> Option<PathBuf> {
        let path = self.or(key, expected, PathBuf::from(default));
        self.filled(key, expected, path)
    }

    /// Reads the path of a file that holds one secret. A file that cannot be used is a fault; the
    /// secret itself is read by whoever needs it.
    pub fn secret_file(&mut self, key: &str, expected: &str) -> Option<PathBuf> {
        let path: PathBuf = self.optional(key, expected)?;
        let usable = file::secret(key, &path, false).and_then(|text| check(key, &text));
        if let Err(error) = usable {
            self.record(error);
        }
        Some(path)
    }

    fn filled(&mut self, key: &str, expected: &str, path: PathBuf) -> Option<PathBuf> {
        if path.as_os_str().is_empty() {
            let fix = self.way_to_set(key, expected);
            self.reject(key, "is empty", fix);
            return None;
        }
        Some(path)
    }

    /// Names of the tables within a table, sorted; none when it is absent.
    pub fn names(&mut self, prefix: &str) -> Vec<String> {
        self.containers.insert(prefix.to_owned());
        match self.root.get(prefix).map(|node| &node.kind) {
            None => Vec::new(),
            Some(Kind::Table(entries)) => entries
                .iter()
                .filter(|(_, node)| matches!(node.kind, Kind::Table(_)))
                .map(|(name, _)| name.clone())
                .collect(),
            Some(_) => {
                self.not_a(prefix, &format!("a table of tables, [{prefix}.NAME]"));
                Vec::new()
            }
        }
    }

    /// Length of a list of tables; 0 when it is absent.
    pub fn count(&mut self, prefix: &str) -> usize {
        self.containers.insert(prefix.to_owned());
        match self.root.get(prefix).map(|node| &node.kind) {
            None => 0,
            Some(Kind::List(items))
                if items.iter().all(|item| matches!(item.kind, Kind::Table(_))) =>
            {
                items.len()
            }
            Some(_) => {
                self.not_a(prefix, &format!("a list of tables, [[{prefix}]]"));
                0
            }
        }
    }

    fn not_a(&mut self, key: &str, expected: &str) {
        self.asked.insert(key.to_owned());
        if let Some(node) = self.root.get(key) {
            let reason = found(node, expected);
            let file = self.file.clone();
            self.reject(key, reason, format!("write it in {file} as {expected}"));
        }
    }

    /// Reads a secret of the table; `None` when it is nowhere, or when a fault was recorded.
    pub fn secret(&mut self, name: &str) -> Option<Secret> {
        if !self.table.secrets.contains(&name) {
            self.reject(
                name,
                "is not in this program's table of secrets",
                "add it to that table",
            );
            return None;
        }
        let sources = Sources {
            environment: &self.environment,
            folder: self.secrets_folder.as_deref(),
        };
        match sources.find(name) {
            Ok(Some(found)) => {
                for hidden in found.hidden {
                    self.warnings.push(format!(
                        "{name} of {hidden} is not read: it comes from {}",
                        found.source
                    ));
                }
                if found.file.is_none() && is_read_at_use(name) {
                    self.warnings.push(format!(
                        "{name} comes from {} and stays in memory while the process runs; give {name}_FILE instead: its file is read for each login, and what was read is wiped",
                        found.source
                    ));
                }
                self.lines
                    .insert(name.to_owned(), ("***".to_owned(), found.source));
                let held = Credential::hold(name, &found.secret, found.file.as_ref());
                self.found.values.insert(name.to_owned(), held);
                if let Some(file) = found.file {
                    self.found.files.insert(name.to_owned(), file);
                }
                self.read_secrets
                    .push((name.to_owned(), found.secret.clone()));
                Some(found.secret)
            }
            Ok(None) => None,
            Err(error) => {
                self.record(error);
                None
            }
        }
    }

    /// Every secret that was read so far, with its source, for the store that follows them.
    pub fn found_secrets(&mut self) -> FoundSecrets {
        std::mem::take(&mut self.found)
    }

    /// Records a fault. A second one about the same secret is not recorded: whoever misses it
    /// need not know that it was there and refused.
    #[track_caller]
    pub fn reject(&mut self, key: &str, reason: impl Into<String>, fix: impl Into<String>) {
        self.record(ConfigError::new(key, reason, fix));
    }

    fn record(&mut self, error: ConfigError) {
        let key = error.key.as_str();
        let told = self.table.secrets.contains(&key) && self.errors.iter().any(|f| f.key == key);
        if !told {
            self.errors.push(error);
        }
    }

    /// What is odd so far but does not keep the process from starting.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What was read so far; a key with a fault is not in it.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        Provenance {
            lines: self.lines.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault recorded, and every key of a file or variable that was never read. An unread
    /// `MYMT5__` line of `.env` is a warning only, since both programs share that file.
    pub fn finish(mut self) -> Result<Provenance, ConfigErrors> {
        self.report_unknown();
        if self.errors.is_empty() {
            Ok(Provenance {
                lines: self.lines,
                warnings: self.warnings,
            })
        } else {
            let mut secrets = self.environment.secrets(&self.table);
            secrets.append(&mut self.read_secrets);
            Err(without_secrets(self.errors, secrets))
        }
    }

    fn note(&mut self, key: &str) {
        let mut leaves = Vec::new();
        if let Some(node) = self.root.get(key) {
            node.leaves(key, &mut leaves);
        }
        for (key, value, source) in leaves {
            let shown = hints::printed(&key, value);
            self.lines.insert(key, (shown, source.to_string()));
        }
    }

    fn way_to_set(&self, key: &str, expected: &str) -> String {
        let own = self.table.names.iter().find(|(_, set)| *set == key);
        let variable = own.map_or_else(|| hints::variable(key), |(name, _)| (*name).to_owned());
        format!("set it in {}, or {variable}, to {expected}", self.file)
    }
}

/// The faults without the values of secrets, by their names: one may have been put in a wrong place as
/// well, such as a key or a path. A short one would mask too much.
fn without_secrets(mut errors: Vec<ConfigError>, secrets: Vec<(String, Secret)>) -> ConfigErrors {
    let fit = secrets
        .into_iter()
        .filter(|(name, secret)| check(name, secret.expose()).is_ok());
    let (accounts, secrets): (Vec<_>, Vec<_>) =
        fit.partition(|(name, secret)| is_account_number(name, secret.expose()));
    // One of them may be wiped at rest: no automaton may hold it.
    let prints: Vec<Prints> = secrets
        .iter()
        .map(|(_, secret)| Prints::of(secret.expose()))
        .collect();
    let known = Known::new(
        std::iter::empty(),
        accounts.iter().map(|(_, number)| number),
        Prints::joined(prints.iter()),
    );
    for error in &mut errors {
        for part in [&mut error.key, &mut error.reason, &mut error.fix] {
            if let Some(masked) = known.mask(part) {
                *part = masked;
            }
        }
    }
    ConfigErrors(errors)
}

/// What was expected and what is there: its kind and its place, not its value.
fn found(node: &Node, expected: &str) -> String {
    format!(
        "expected {expected}, found {} in {}",
        node.nature(),
        node.source
    )
}
