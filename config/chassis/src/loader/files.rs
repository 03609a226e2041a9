//! The TOML files. The `config` crate parses and merges them; its errors print the offending
//! value or line, so only the file's name and the line's number leave this room.

use super::tree::{Kind, Node, Source};
use crate::config_errors::ConfigError;
use config::{Config, File, FileFormat, Value, ValueKind};
use std::path::{Path, PathBuf};

const MAX_BYTES: u64 = 1024 * 1024;

/// Reads `file` and, where it exists, the local file beside it, which wins.
pub(super) fn read(file: &Path) -> Result<Node, Vec<ConfigError>> {
    let local = local_of(file);
    let mut builder = Config::builder();
    let mut errors = Vec::new();
    let present = [(file, true), (local.as_path(), local.exists())];
    for (path, wanted) in present {
        if !wanted {
            continue;
        }
        // Each alone first: a fault then names its file, and one does not hide the other.
        match parse(path) {
            Ok(()) => builder = builder.add_source(source(path)),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    match builder.build() {
        Ok(config) => Ok(node(config.cache, &Source::File(name(file).into()))),
        Err(error) => Err(vec![config_error(file, &error)]),
    }
}

/// Whether neither the file nor the local one beside it is there. One that cannot be looked at, or a
/// link that leads nowhere, is.
pub(super) fn are_missing(file: &Path) -> bool {
    let is_missing = |file: &Path| {
        let facts = file.symlink_metadata();
        facts.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    is_missing(file) && is_missing(&local_of(file))
}

/// Reads a text as if it were a file.
pub(super) fn read_text(text: &str) -> Result<Node, Vec<ConfigError>> {
    const SHOWN: &str = "text";
    let source = File::from_str(text, FileFormat::Toml);
    check(Path::new(SHOWN), &source).map_err(|error| vec![error])?;
    match Config::builder().add_source(source).build() {
        Ok(config) => Ok(node(config.cache, &Source::File(SHOWN.into()))),
        Err(error) => Err(vec![config_error(Path::new(SHOWN), &error)]),
    }
}

/// `gateway.toml` has `gateway.local.toml` beside it.
pub(crate) fn local_of(file: &Path) -> PathBuf {
    file.with_extension("local.toml")
}

fn source(path: &Path) -> File<config::FileSourceFile, FileFormat> {
    File::from(path).format(FileFormat::Toml).required(true)
}

fn parse(path: &Path) -> Result<(), ConfigError> {
    let shown = path.display().to_string();
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) => {
            let reason = format!("cannot be read ({})", error.kind());
            let fix = "name an existing, readable file with --config";
            return Err(ConfigError::new(shown, reason, fix));
        }
    };
    let fix = "name a TOML file with --config";
    if !facts.is_file() {
        return Err(ConfigError::new(shown, "is not a file", fix));
    }
    if facts.len() > MAX_BYTES {
        return Err(ConfigError::new(shown, "is larger than 1 MiB", fix));
    }
    check(path, &source(path))
}

/// The crate takes a key at the top for an expression: `'a[999]'` makes a list of a thousand.
fn check(path: &Path, source: &impl config::Source) -> Result<(), ConfigError> {
    let read = source.collect();
    let table = read.map_err(|error| config_error(path, &error))?;
    let is_name = |key: &String| {
        let mut bytes = key.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if table.keys().all(is_name) {
        return Ok(());
    }
    Err(ConfigError::new(
        path.display().to_string(),
        "has a key outside its tables that is not a name",
        "write keys of letters, digits, _ and -",
    ))
}

fn config_error(path: &Path, error: &config::ConfigError) -> ConfigError {
    let place = match error {
        config::ConfigError::FileParse { cause, .. } => line_of(&cause.to_string()),
        _ => None,
    };
    let reason = match place {
        Some(line) => format!("is not valid TOML at line {line}"),
        None => "cannot be read as TOML".to_owned(),
    };
    ConfigError::new(
        path.display().to_string(),
        reason,
        "correct the syntax: texts stand in quotes, a key is set once",
    )
}

/// The number in `TOML parse error at line 3, column 5`; the rest quotes the file.
fn line_of(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once(" at line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn node(value: Value, whole: &Source) -> Node {
    let source = value.origin().map_or_else(
        || whole.clone(),
        |origin| Source::File(name(Path::new(origin)).into()),
    );
    let kind = match value.kind {
        ValueKind::Table(entries) => Kind::Table(
            entries
                .into_iter()
                .map(|(name, value)| (name, node(value, whole)))
                .collect(),
        ),
        ValueKind::Array(items) => {
            Kind::List(items.into_iter().map(|item| node(item, whole)).collect())
        }
        ValueKind::Nil => Kind::Scalar(serde_json::Value::Null),
        ValueKind::Boolean(value) => Kind::Scalar(value.into()),
        ValueKind::I64(value) => Kind::Scalar(value.into()),
        ValueKind::U64(value) => Kind::Scalar(value.into()),
        ValueKind::Float(value) => Kind::Scalar(value.into()),
        ValueKind::String(value) => Kind::Scalar(value.into()),
        // TOML has no wider integers; as texts they would fail wherever a number is wanted.
        ValueKind::I128(value) => Kind::Scalar(value.to_string().into()),
        ValueKind::U128(value) => Kind::Scalar(value.to_string().into()),
    };
    Node { kind, source }
}
