//! Secrets whose files lie in one folder, read together: a login and its password are never of
//! two different moments. An orchestrator swaps such a folder by its link `..data`; inotify on a
//! file goes deaf at that, so the folder is polled.

use crate::config_errors::ConfigError;
use crate::secret::{Secret, check, file, restless};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Tries to find a folder unchanged while it is read.
const ATTEMPTS: usize = 5;
const SWAPPED_LINK: &str = "..data";

struct SecretFile {
    name: String,
    path: PathBuf,
    mounted: bool,
}

/// One folder's files of secrets.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<SecretFile>,
    /// New values that only one poll has seen.
    candidate: Option<BTreeMap<String, Secret>>,
    /// Failures logged since the last success.
    reported: BTreeSet<(String, String)>,
}

/// What one poll found.
pub(super) struct Seen {
    pub(super) values: BTreeMap<String, Secret>,
    /// Whether the folder is swapped as a whole, so that what is seen is complete.
    swapped: bool,
}

/// What changes whenever a file or the whole folder is replaced or written.
#[derive(PartialEq, Eq)]
struct Mark {
    link: Option<PathBuf>,
    files: Vec<Option<[i64; 4]>>,
    inodes: Vec<u64>,
}

impl Folder {
    /// Groups files, named by their secrets, by the folders they lie in.
    pub(super) fn group(files: BTreeMap<String, (PathBuf, bool)>) -> Vec<Self> {
        let mut folders: BTreeMap<PathBuf, Vec<SecretFile>> = BTreeMap::new();
        for (name, (path, mounted)) in files {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = parent.unwrap_or(Path::new(".")).to_owned();
            folders.entry(folder).or_default().push(SecretFile {
                name,
                path,
                mounted,
            });
        }
        folders
            .into_iter()
            .map(|(path, files)| Self {
                path,
                files,
                candidate: None,
                reported: BTreeSet::new(),
            })
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Reads all files until the folder did not change meanwhile.
    pub(super) fn poll(&self) -> Result<Seen, ConfigError> {
        for _ in 0..ATTEMPTS {
            let before = self.mark();
            let values = self.read();
            if self.mark() == before {
                return Ok(Seen {
                    values: values?,
                    swapped: before.link.is_some(),
                });
            }
        }
        let name = self.files.first().map_or("", |file| file.name.as_str());
        Err(restless(name, &self.path))
    }

    fn read(&self) -> Result<BTreeMap<String, Secret>, ConfigError> {
        let read = |file: &SecretFile| -> Result<_, ConfigError> {
            let text = file::secret(&file.name, &file.path, file.mounted)?;
            check(&file.name, &text)?;
            Ok((file.name.clone(), Secret::new(text.as_str())))
        };
        self.files.iter().map(read).collect()
    }

    fn mark(&self) -> Mark {
        let facts = self.files.iter().map(|file| file.path.metadata().ok());
        let facts: Vec<_> = facts.collect();
        Mark {
            link: std::fs::read_link(self.path.join(SWAPPED_LINK)).ok(),
            files: facts
                .iter()
                .map(|facts| {
                    facts
                        .as_ref()
                        .map(|f| [f.mtime(), f.mtime_nsec(), f.ctime(), f.ctime_nsec()])
                })
                .collect(),
            inodes: facts.iter().flatten().map(MetadataExt::ino).collect(),
        }
    }

    /// The values to take: those of a swapped folder, or those that two polls in a row agree on;
    /// none when nothing changed or the poll failed, which is logged.
    pub(super) fn settled(
        &mut self,
        seen: Result<Seen, ConfigError>,
        current: &BTreeMap<String, Secret>,
    ) -> BTreeMap<String, Secret> {
        let seen = match seen {
            Ok(seen) => seen,
            Err(fault) => {
                self.log_once(fault);
                self.candidate = None;
                return BTreeMap::new();
            }
        };
        if !std::mem::take(&mut self.reported).is_empty() {
            tracing::info!(folder = %self.path.display(), "secrets can be read again");
        }
        let candidate = self.candidate.take();
        let are = |others: &BTreeMap<String, Secret>| {
            let same = |(name, secret): (&String, &Secret)| {
                let other = others.get(name);
                other.is_some_and(|other| other.expose() == secret.expose())
            };
            seen.values.iter().all(same)
        };
        if are(current) {
            return BTreeMap::new();
        }
        if seen.swapped || candidate.as_ref().is_some_and(are) {
            return seen.values;
        }
        self.candidate = Some(seen.values);
        BTreeMap::new()
    }

    fn log_once(&mut self, fault: ConfigError) {
        let ConfigError {
            key, reason, fix, ..
        } = fault;
        if self.reported.insert((key.clone(), reason.clone())) {
            tracing::error!(
                name = key,
                reason,
                fix,
                "a file of secrets cannot be used, the last values stay"
            );
        }
    }
}
