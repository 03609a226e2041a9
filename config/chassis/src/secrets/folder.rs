//! Secrets whose files lie in one folder, read together: a login and its password are never of
//! two different moments. An orchestrator swaps such a folder by its link `..data`; inotify on a
//! file goes deaf at that, so the folder is polled. Files that did not change are not read again,
//! so that what is not kept does not come into memory for it.

use crate::clock;
use crate::config_errors::ConfigError;
use crate::secret::{Credential, Secret, file, of_text, restless};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Tries to find a folder unchanged while it is read.
const ATTEMPTS: usize = 5;
const SWAPPED_LINK: &str = "..data";
/// After so long without a change, milliseconds, a file that looks the same is the same.
const SETTLED_MS: i64 = 1_000;

struct SecretFile {
    name: String,
    path: PathBuf,
    mounted: bool,
}

/// One folder's files of secrets.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<SecretFile>,
    /// What stands for new values that only one poll has seen.
    candidate: Option<BTreeMap<String, [u8; 32]>>,
    /// How the files were when they were found to hold the current values, some time after they
    /// last changed.
    rested: Option<Mark>,
    /// Failures logged since the last success.
    reported: BTreeSet<(String, String)>,
}

/// What one poll found.
pub(super) struct Seen {
    values: BTreeMap<String, Secret>,
    mark: Mark,
}

impl Seen {
    /// The values themselves.
    pub(super) fn values(self) -> BTreeMap<String, Secret> {
        self.values
    }
}

/// What changes whenever a file or the whole folder is replaced or written.
#[derive(PartialEq, Eq)]
struct Mark {
    link: Option<PathBuf>,
    files: Vec<Option<[i64; 4]>>,
    inodes: Vec<u64>,
}

impl Mark {
    /// Whether a change from now on has another time: file systems count in steps of some
    /// milliseconds.
    fn is_old(&self) -> bool {
        let files = self.files.iter().flatten();
        let changed = files.map(|[_, _, seconds, nanoseconds]| {
            seconds
                .saturating_mul(1_000)
                .saturating_add(nanoseconds / 1_000_000)
        });
        let newest = changed.max().unwrap_or_default();
        clock::utc_now_ms().saturating_sub(newest) >= SETTLED_MS
    }
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
                rested: None,
                reported: BTreeSet::new(),
            })
            .collect()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The current values as this folder's files hold them.
    pub(super) fn held(&self, values: &BTreeMap<String, Secret>) -> BTreeMap<String, Credential> {
        let hold = |file: &SecretFile| {
            let place = (file.path.clone(), file.mounted);
            let secret = values.get(&file.name)?;
            let held = Credential::hold(&file.name, secret, Some(&place));
            Some((file.name.clone(), held))
        };
        self.files.iter().filter_map(hold).collect()
    }

    /// The values to take up, once they are settled; none, and nothing is read, while the files rest.
    pub(super) fn look(
        &mut self,
        current: &BTreeMap<String, Credential>,
    ) -> BTreeMap<String, Credential> {
        if self.rested.as_ref() == Some(&self.mark()) {
            return BTreeMap::new();
        }
        let seen = self.poll();
        let values = self.settled(seen, current);
        self.held(&values)
    }

    /// Reads all files until the folder did not change meanwhile.
    pub(super) fn poll(&self) -> Result<Seen, ConfigError> {
        for _ in 0..ATTEMPTS {
            let before = self.mark();
            let values = self.read();
            if self.mark() == before {
                return Ok(Seen {
                    values: values?,
                    mark: before,
                });
            }
        }
        let name = self.files.first().map_or("", |file| file.name.as_str());
        Err(restless(name, &self.path))
    }

    fn read(&self) -> Result<BTreeMap<String, Secret>, ConfigError> {
        let read = |file: &SecretFile| -> Result<_, ConfigError> {
            let text = file::secret(&file.name, &file.path, file.mounted)?;
            Ok((file.name.clone(), of_text(&file.name, &text)?))
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
    fn settled(
        &mut self,
        seen: Result<Seen, ConfigError>,
        current: &BTreeMap<String, Credential>,
    ) -> BTreeMap<String, Secret> {
        self.rested = None;
        let Seen { values, mark } = match seen {
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
        let digests: BTreeMap<String, [u8; 32]> = values
            .iter()
            .map(|(name, secret)| (name.clone(), secret.digest()))
            .collect();
        let is_current = |(name, digest): (&String, &[u8; 32])| {
            let known = current.get(name);
            known.is_some_and(|known| known.digest() == *digest)
        };
        if digests.iter().all(is_current) {
            self.rested = Some(mark).filter(Mark::is_old);
            return BTreeMap::new();
        }
        if mark.link.is_some() || candidate.as_ref() == Some(&digests) {
            return values;
        }
        self.candidate = Some(digests);
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
