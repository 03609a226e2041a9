//! The variables of the process and of a local `.env`: the only reader of the environment.

use super::Table;
use crate::config_errors::ConfigError;
use crate::secret::{Secret, file};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MAX_DOTENV_BYTES: usize = 256 * 1024;

/// The file of variables in the working folder.
const DOTENV: &str = ".env";

/// Prefix of the variables that set any key: `MYMT5__SERVER__LISTEN` is `server.listen`.
pub(super) const PREFIX: &str = "MYMT5__";

/// The sign that the variables are the whole configuration. Without it a missing file is a fault:
/// another working folder may not have the limits that it holds.
const SIGN: (&str, &str) = ("MYMT5_CONFIG", "environment");

/// Whether a variable is named like one of ours, and yet is none.
pub(super) fn is_mistaken(name: &str) -> bool {
    let is_known = name.starts_with(PREFIX) || name == SIGN.0;
    let is_test = cfg!(debug_assertions) && name.starts_with("MYMT5_TEST_");
    name.starts_with("MYMT5_") && !is_known && !is_test
}

/// A set of variables. `Debug` shows their names only.
#[derive(Clone, Default)]
pub struct Environment {
    process: BTreeMap<String, Zeroizing<String>>,
    not_unicode: BTreeSet<String>,
    dotenv: Option<PathBuf>,
    local: BTreeMap<String, Zeroizing<String>>,
    is_again: bool,
    is_left_unread: bool,
    is_alone: bool,
    /// The command line names the configuration's file.
    is_file_named: bool,
}

impl Environment {
    /// The variables of this process, `.env` of the working folder where there is one, and whether
    /// the command line names a configuration.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "the only reader of the environment"
    )]
    pub fn of_process() -> Self {
        let mut this = Self::default();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => {
                    this.process.insert(name, Zeroizing::new(value));
                }
                Err(value) => {
                    drop(Zeroizing::new(value.into_encoded_bytes()));
                    this.not_unicode.insert(name);
                }
            }
        }
        this.is_file_named = std::env::args_os().any(|word| names_file(&word));
        this.with_dotenv(Path::new(DOTENV))
    }

    /// True when the process has that variable, whatever its value.
    #[cfg(debug_assertions)]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.process.contains_key(name)
    }

    /// What a test passes to this process in a variable that no release reads.
    #[cfg(debug_assertions)]
    pub(crate) fn for_test(&self, name: &str) -> Option<&str> {
        self.of_process_only(name)
    }

    /// Exactly these variables, and no `.env`.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self {
            process: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), Zeroizing::new(value.into())))
                .collect(),
            ..Self::default()
        }
    }

    /// With a variable of that name whose value is not Unicode.
    #[cfg(test)]
    pub(crate) fn with_bytes(mut self, name: &str) -> Self {
        self.not_unicode.insert(name.to_owned());
        self
    }

    /// As of a process whose command line names the configuration's file.
    #[cfg(test)]
    pub(crate) fn with_file_named(mut self) -> Self {
        self.is_file_named = true;
        self
    }

    /// Takes this file as the `.env`.
    #[must_use]
    pub fn with_dotenv(mut self, file: &Path) -> Self {
        self.dotenv = Some(file.to_owned());
        self
    }

    /// The same variables for another reading, and `.env` of the working folder as it is by then.
    /// Where that took the place of another file the sandbox bars it, and what the other one held
    /// stays.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut this = self.clone().with_dotenv(Path::new(DOTENV));
        this.is_again = true;
        this
    }

    /// Whether the process's variables are the whole configuration: one of them says so, the command
    /// line names no file, and there is none. For another reading a file that there was before is away
    /// by mistake.
    pub(super) fn stands_alone(&mut self, is_file_missing: bool) -> bool {
        let (name, whole) = SIGN;
        let is_said = self.of_process_only(name) == Some(whole);
        let is_meant = !self.is_file_named && (!self.is_again || self.is_alone);
        self.is_alone = is_file_missing && is_said && is_meant;
        self.is_alone
    }

    /// Whether the `.env` was not read, since it is not the one of the start, or is away.
    #[must_use]
    pub fn leaves_dotenv_unread(&self) -> bool {
        self.is_left_unread
    }

    /// Reads the `.env`, of which only the table's own names are kept; when it is read again and is
    /// faulty or away, those of before stay: a limit may be among them. Gives a warning where it
    /// cannot be read again, or is another user's and a program without secrets can do without.
    pub(super) fn load_dotenv(
        &mut self,
        table: &Table,
        errors: &mut Vec<ConfigError>,
    ) -> Option<String> {
        let path = self.dotenv.take()?;
        self.is_left_unread = false;
        if (self.is_again || table.secrets.is_empty()) && is_barred(&path) {
            self.is_left_unread = self.is_again;
            let warning = if self.is_again {
                "was made or replaced after the start and is not read again; restart to take it up, and change it in place"
            } else {
                "is not read: this user may not, and no secret is needed from it"
            };
            return Some(format!("{} {warning}", path.display()));
        }
        let before = std::mem::take(&mut self.local);
        let faults = errors.len();
        match read_dotenv(&path) {
            Ok(Some(bytes)) => {
                let text = std::str::from_utf8(&bytes).unwrap_or_default();
                self.take_lines(&path, text, table, errors);
            }
            Ok(None) if self.is_again && !before.is_empty() => {
                self.local = before;
                self.is_left_unread = true;
                return Some(format!(
                    "{} is away, and what it held stays; put it back, or restart without it",
                    path.display()
                ));
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        if self.is_again && errors.len() > faults {
            self.local = before;
        }
        None
    }

    fn take_lines(
        &mut self,
        path: &Path,
        text: &str,
        table: &Table,
        errors: &mut Vec<ConfigError>,
    ) {
        for (number, line) in text.lines().enumerate() {
            match parse_line(line) {
                Line::Empty => {}
                Line::Pair(name, value) if table.forbids(name) => {
                    if !value.is_empty() {
                        errors.push(in_reach(table, name, path));
                    }
                }
                Line::Pair(name, value) => {
                    if is_own(table, name) {
                        self.local.insert(name.to_owned(), value);
                    }
                }
                Line::Broken => errors.push(ConfigError::new(
                    format!("{}:{}", path.display(), number + 1),
                    "is not a line of the form NAME=VALUE",
                    "write NAME=VALUE, and a value with spaces or # in quotes",
                )),
            }
        }
    }

    /// A variable that is set and not empty. The process wins over `.env`.
    pub(super) fn get(&self, name: &str) -> Option<(&str, bool)> {
        let filled = |values: &BTreeMap<String, Zeroizing<String>>| {
            values.get(name).is_some_and(|value| !value.is_empty())
        };
        if filled(&self.process) || self.not_unicode.contains(name) {
            return self.process.get(name).map(|value| (value.as_str(), false));
        }
        self.local
            .get(name)
            .filter(|value| !value.is_empty())
            .map(|value| (value.as_str(), true))
    }

    /// The table's secrets that stand in variables themselves, by their names.
    pub(super) fn secrets(&self, table: &Table) -> Vec<(String, Secret)> {
        let named = |name: &&str| Some(((*name).to_owned(), Secret::new(self.get(name)?.0)));
        table.secrets.iter().filter_map(named).collect()
    }

    /// Whether a variable is set to nothing, as by a compose file whose own variable is unset.
    pub(super) fn is_emptied(&self, name: &str) -> bool {
        let value = self.process.get(name).or_else(|| self.local.get(name));
        value.is_some_and(|value| value.is_empty())
    }

    /// A variable of the process itself, not of `.env`.
    pub(crate) fn of_process_only(&self, name: &str) -> Option<&str> {
        self.process
            .get(name)
            .map(|value| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Names in the process's environment, empty ones excepted.
    pub(super) fn process_names(&self) -> impl Iterator<Item = &str> {
        self.process
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.as_str())
            .chain(self.not_unicode.iter().map(String::as_str))
    }

    /// Names whose values are not Unicode and cannot be read.
    pub(super) fn not_unicode(&self) -> impl Iterator<Item = &str> {
        self.not_unicode.iter().map(String::as_str)
    }

    /// Every `MYMT5__` variable with its value and whether it stands in `.env`.
    pub(super) fn prefixed(&self) -> BTreeMap<&str, (&str, bool)> {
        let starts = |(name, _): &(&String, &Zeroizing<String>)| name.starts_with(PREFIX);
        let local = self.local.iter().filter(starts);
        let process = self.process.iter().filter(starts);
        local
            .map(|(name, value)| (name.as_str(), (value.as_str(), true)))
            .chain(process.map(|(name, value)| (name.as_str(), (value.as_str(), false))))
            .collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.process.keys()).finish()
    }
}

/// Whether this word of a command line names the configuration's file.
fn names_file(word: &OsStr) -> bool {
    let word = word.to_str();
    word.is_some_and(|word| word == "--config" || word.starts_with("--config="))
}

/// Whether the program reads a variable of this name.
pub(super) fn is_own(table: &Table, name: &str) -> bool {
    let secret = name.strip_suffix("_FILE").unwrap_or(name);
    name.starts_with(PREFIX)
        || table.names.iter().any(|(own, _)| *own == name)
        || table.secrets.contains(&name)
        || table.secrets.contains(&secret)
}

/// A name that the program must not be given, in a file that it reads.
fn in_reach(table: &Table, name: &str, path: &Path) -> ConfigError {
    let program = table.program;
    ConfigError::new(
        name,
        format!("stands in {}, where {program} can read it", path.display()),
        format!("run {program} as a user who may not read that file, or move {name} to another"),
    )
}

/// True for a file that is there and that this process may not open.
fn is_barred(path: &Path) -> bool {
    file::open(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn read_dotenv(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        ConfigError::new(
            shown.clone(),
            format!("cannot be read ({})", error.kind()),
            "make it a text file this user may read, or remove it",
        )
    };
    let file = match file::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let facts = file.metadata().map_err(unreadable)?;
    if facts.permissions().mode() & 0o177 != 0 {
        return Err(ConfigError::new(
            shown,
            "may be read by other users",
            format!("chmod 600 {}", path.display()),
        ));
    }
    let bytes = file::bounded(file, MAX_DOTENV_BYTES).map_err(unreadable)?;
    let Some(bytes) = bytes else {
        return Err(ConfigError::new(
            shown,
            "is larger than 256 KiB",
            "keep only NAME=VALUE lines in it",
        ));
    };
    if std::str::from_utf8(&bytes).is_err() {
        return Err(unreadable(std::io::ErrorKind::InvalidData.into()));
    }
    Ok(Some(bytes))
}

enum Line<'a> {
    Empty,
    Pair(&'a str, Zeroizing<String>),
    Broken,
}

/// One line: `NAME=value # comment`, `NAME="with \"escapes\""`, `NAME='as it stands'`, each
/// perhaps after `export `.
fn parse_line(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Line::Empty;
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let Some((name, rest)) = line.split_once('=') else {
        return Line::Broken;
    };
    let name = name.trim_end();
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(valid) {
        return Line::Broken;
    }
    parse_value(rest.trim_start()).map_or(Line::Broken, |value| {
        Line::Pair(name, Zeroizing::new(value))
    })
}

fn parse_value(rest: &str) -> Option<String> {
    let quote = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => {
            let end = rest.find(" #").or_else(|| rest.find("\t#"));
            let bare = if rest.starts_with('#') {
                ""
            } else {
                &rest[..end.unwrap_or(rest.len())]
            };
            return Some(bare.trim_end().to_owned());
        }
    };
    // As much room as it can need: a text that grows leaves its former places unwiped.
    let mut value = String::with_capacity(rest.len());
    let mut rest = rest[1..].chars();
    loop {
        match rest.next()? {
            end if end == quote => break,
            '\\' if quote == '"' => match rest.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    let after = rest.as_str().trim_start();
    (after.is_empty() || after.starts_with('#')).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_named_by_the_option_alone() {
        for (word, names) in [
            ("--config", true),
            ("--config=config/demo.toml", true),
            ("--configs", false),
            ("config/demo.toml", false),
        ] {
            assert_eq!(names_file(OsStr::new(word)), names, "{word}");
        }
    }

    #[test]
    fn lines_of_every_form() {
        for (line, value) in [
            ("NAME=plain", "plain"),
            ("  export NAME = spaced out  # comment", "spaced out"),
            ("NAME=with#hash", "with#hash"),
            ("NAME=", ""),
            ("NAME= # nothing", ""),
            (
                r#"NAME="quoted # \"not\" a comment" # one"#,
                r#"quoted # "not" a comment"#,
            ),
            (r"NAME='as \it stands'", r"as \it stands"),
            ("NAME=a=b", "a=b"),
        ] {
            match parse_line(line) {
                Line::Pair("NAME", found) => assert_eq!(found.as_str(), value, "{line}"),
                _ => panic!("{line} was not taken"),
            }
        }
        for empty in ["", "   ", "# NAME=x"] {
            assert!(matches!(parse_line(empty), Line::Empty), "{empty}");
        }
        for broken in ["NAME", "=x", "9A=x", "A-B=x", "A=\"open", "A='x' y"] {
            assert!(matches!(parse_line(broken), Line::Broken), "{broken}");
        }
    }
}
