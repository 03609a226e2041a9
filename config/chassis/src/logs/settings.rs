//! What can be set about the log.

use super::AUDIT;
use crate::loader::Reader;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};

const MAX_LEVEL_BYTES: usize = 1024;

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for people.
    Text,
    /// A JSON object a line, for collectors.
    Json,
}

/// The log's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// A level, or directives such as `info,h2=warn`; Python's names are taken, too. Default `info`.
    pub level: String,
    /// Default text.
    pub format: Format,
    /// Where the files go, made 0700. None: the screen alone.
    pub folder: Option<PathBuf>,
    /// Whether the screen is standard output, as containers want it, and no files are written.
    /// Default false: standard error.
    pub stdout: bool,
    /// Size at which a file is full, in bytes: 4096 or more. Default 10 MiB.
    pub max_file_bytes: u64,
    /// Size of all files together, in bytes, never below that of one. Default 100 MiB.
    pub max_total_bytes: u64,
    /// Number of files kept, 1 to 1000. Default 14.
    pub max_files: usize,
    /// Names of fields to mask beside those that always are: up to 64, each of up to 64 letters,
    /// digits, `_`, `-` and `.`. Default none.
    pub sensitive_fields: Vec<String>,
}

impl LogSettings {
    /// The defaults, writing into `folder`.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::Text,
            folder: Some(folder.into()),
            stdout: false,
            max_file_bytes: 10 * 1024 * 1024,
            max_total_bytes: 100 * 1024 * 1024,
            max_files: 14,
            sensitive_fields: Vec::new(),
        }
    }

    /// Reads the keys under `logging`; a recorded fault is the reader's to report.
    pub fn read(reader: &mut Reader, default_folder: &str) -> Option<Self> {
        let defaults = Self::in_folder(default_folder);
        let level = reader.or("logging.level", "a level like info", defaults.level);
        let format = reader.or("logging.format", "text or json", defaults.format);
        let files = reader.or("logging.files", "true or false", true);
        let stdout = reader.or("logging.stdout", "true or false", defaults.stdout);
        let folder = reader.path_or("logging.folder", "a folder", default_folder);
        let bytes = "a number of bytes";
        let settings = Self {
            level,
            format,
            max_file_bytes: reader.or("logging.max_file_bytes", bytes, defaults.max_file_bytes),
            max_total_bytes: reader.or("logging.max_total_bytes", bytes, defaults.max_total_bytes),
            max_files: reader.or("logging.max_files", "a number of files", defaults.max_files),
            sensitive_fields: reader.or("logging.sensitive_fields", "a list of names", Vec::new()),
            folder: Some(folder?).filter(|_| files && !stdout),
            stdout,
        };
        settings.check(reader).then_some(settings)
    }

    fn check(&self, reader: &mut Reader) -> bool {
        let level = filter(&self.level).is_some();
        if !level {
            reader.reject(
                "logging.level",
                "is not a log level",
                "set it to error, warn, info, debug, trace or off, not to a number, or to a list such as info,h2=warn",
            );
        }
        let file = self.max_file_bytes >= 4096;
        if !file {
            reader.reject(
                "logging.max_file_bytes",
                "is too small",
                "set it to 4096 or more",
            );
        }
        let total = self.max_total_bytes >= self.max_file_bytes;
        if !total {
            reader.reject(
                "logging.max_total_bytes",
                "is below the size of one file",
                "set it to logging.max_file_bytes or more",
            );
        }
        let files = (1..=1000).contains(&self.max_files);
        if !files {
            reader.reject(
                "logging.max_files",
                "is out of range",
                "set it to 1 to 1000",
            );
        }
        let fields = self.sensitive_fields.len() <= 64
            && self.sensitive_fields.iter().all(|name| is_name(name));
        if !fields {
            reader.reject(
                "logging.sensitive_fields",
                "holds more than 64 names, or one that no field can have",
                "list at most 64 names, each of up to 64 letters, digits, _, - and .",
            );
        }
        level && file && total && files && fields
    }
}

fn is_name(name: &str) -> bool {
    let of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(of_name)
}

/// The filter of a level's text: levels by commas, of all that is told or of a target alone. The
/// lines on calls are told at any level.
pub(super) fn filter(level: &str) -> Option<Targets> {
    if level.len() > MAX_LEVEL_BYTES {
        return None;
    }
    let mut base = LevelFilter::INFO;
    let mut targets = Vec::new();
    for part in level.split(',').map(str::trim) {
        match part.rsplit_once('=') {
            None => base = named(part)?,
            Some((target, level)) if is_target(target) => targets.push((target, named(level)?)),
            Some(_) => return None,
        }
    }
    let filter = Targets::new().with_default(base).with_targets(targets);
    Some(filter.with_target(AUDIT, base.max(LevelFilter::INFO)))
}

fn is_target(name: &str) -> bool {
    let of_target = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':');
    !name.is_empty() && name.bytes().all(of_target)
}

/// The level of a name, Python's included. Numbers mean the opposite there: they are none.
fn named(level: &str) -> Option<LevelFilter> {
    Some(match level.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" | "critical" | "fatal" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}
