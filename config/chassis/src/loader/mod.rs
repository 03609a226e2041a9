//! The layered configuration: a file, the local file beside it, the environment. Every key is
//! read through one [`Reader`], which keeps where each value came from and gathers every fault,
//! so that one start shows all that is wrong. Secrets take their own way and are never printed.

mod environment;
mod files;
mod guard;
mod hints;
mod provenance;
mod reader;
mod secret_sources;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use files::local_of;

pub use environment::Environment;
pub use provenance::Provenance;
pub use reader::{Reader, Section};

use std::path::{Path, PathBuf};

/// What one program reads: its names, its secrets and what it must never be given.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The program, such as `mymt5-gateway`.
    pub program: &'static str,
    /// Variables read by their very names, each with the key it sets: `("LOG_LEVEL", "logging.level")`.
    pub names: &'static [(&'static str, &'static str)],
    /// Names of secrets: each may come as `NAME`, as a path in `NAME_FILE`, or as a file `NAME`
    /// in the folder of the key `secrets.folder` or in the systemd credentials directory, in this
    /// order; the first two together are a fault. A program without secrets has no such key.
    pub secrets: &'static [&'static str],
    /// Names that must not be in this process's environment, nor in a `.env` that it can read, nor
    /// as `NAME_FILE`. A `*` stands for anything: `MT5_*`, `SMTP_*PASS*`.
    pub forbidden: &'static [&'static str],
}

impl Table {
    /// Whether a fault is of a secret, by its key: a secret's name, one that must not be there, or
    /// where secrets come from.
    pub(crate) fn is_of_secrets(&self, key: &str) -> bool {
        let part = key.rsplit('.').next().unwrap_or(key);
        let part = part.strip_suffix("_file").unwrap_or(part);
        self.forbids(key)
            || self
                .secrets
                .contains(&key.strip_suffix("_FILE").unwrap_or(key))
            || key == "secrets.folder"
            || key.ends_with(".env")
            || hints::sounds_secret(part, self.secrets)
    }

    /// The file that the program reads unless it is told another.
    fn default_file(&self) -> PathBuf {
        let name = self.program.trim_start_matches("mymt5-");
        Path::new("config").join(name).with_extension("toml")
    }

    /// Whether the process must not be given a variable of that name.
    fn forbids(&self, name: &str) -> bool {
        let plain = name.strip_suffix("_FILE").unwrap_or(name);
        let mut forbidden = self.forbidden.iter();
        forbidden.any(|pattern| fits(pattern, name) || fits(pattern, plain))
    }
}

/// Whether a name is as a pattern has it, in which a `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    name.strip_prefix(before).is_some_and(|rest| {
        let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        ends.any(|at| fits(after, &rest[at..]))
    })
}
