//! Where a secret may come from. Two sources name it: its variable `NAME`, and a file named by
//! `NAME_FILE`; both together are a fault. Two folders may hold it as a file `NAME`: the one that
//! the key `secrets.folder` names, and the credentials directory of systemd. A source that names
//! it wins over a folder, and `secrets.folder` over the credentials directory; a warning tells
//! which file a winner hides.

use super::Environment;
use crate::config_errors::ConfigError;
use crate::secret::{Secret, file, of_text};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A secret found.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// The source, in words.
    pub(super) source: String,
    /// The file it stands in, if any, and whether an orchestrator mounts it.
    pub(super) file: Option<(PathBuf, bool)>,
    /// Sources that hold it too and are not read, in words.
    pub(super) hidden: Vec<&'static str>,
}

const FOLDER: &str = "secrets.folder";
const CREDENTIALS: &str = "the credentials directory";

/// The places where secrets are searched.
pub(super) struct Sources<'a> {
    pub(super) environment: &'a Environment,
    /// The folder that `secrets.folder` names.
    pub(super) folder: Option<&'a Path>,
}

impl Sources<'_> {
    /// Finds a secret; `None` when it is nowhere.
    pub(super) fn find(&self, name: &str) -> Result<Option<Found>, ConfigError> {
        let file_name = format!("{name}_FILE");
        let direct = self.environment.get(name);
        let named = self.environment.get(&file_name);
        if direct.is_some() && named.is_some() {
            let reason = format!("both {name} and {file_name} are set");
            return Err(ConfigError::new(name, reason, "unset one of them"));
        }
        let mut folders = self.in_folders(name);
        let (text, source, path) = if let Some((text, local)) = direct {
            let place = if local { ".env" } else { "environment" };
            let text = Zeroizing::new(text.to_owned());
            (text, format!("{place} {name}"), None)
        } else if let Some((path, _)) = named {
            let path = PathBuf::from(path);
            if !file::is_near(&path) {
                let reason = format!("the path in {file_name} leads nowhere");
                let fix = format!("set {file_name} to the path of a text file this user may read");
                return Err(ConfigError::new(name, reason, fix));
            }
            let (text, file) = self.read(name, path)?;
            (text, format!("file of {file_name}"), Some(file))
        } else if folders.is_empty() {
            return Ok(None);
        } else {
            let (source, path) = folders.remove(0);
            let (text, file) = self.read(name, path)?;
            (text, format!("a file of {source}"), Some(file))
        };
        Ok(Some(Found {
            secret: of_text(name, &text)?,
            source,
            file: path,
            hidden: folders.into_iter().map(|(source, _)| source).collect(),
        }))
    }

    /// The folders that hold a file of that name, the winner first. A link that leads nowhere
    /// counts: what is broken must be reported, not skipped.
    fn in_folders(&self, name: &str) -> Vec<(&'static str, PathBuf)> {
        let credentials = self.environment.of_process_only("CREDENTIALS_DIRECTORY");
        [
            (FOLDER, self.folder),
            (CREDENTIALS, credentials.map(Path::new)),
        ]
        .into_iter()
        .filter_map(|(source, folder)| Some((source, folder?.join(name))))
        .filter(|(_, path)| path.symlink_metadata().is_ok())
        .collect()
    }

    fn read(
        &self,
        name: &str,
        path: PathBuf,
    ) -> Result<(Zeroizing<String>, (PathBuf, bool)), ConfigError> {
        let mounted = self.is_mounted(&path);
        Ok((file::secret(name, &path, mounted)?, (path, mounted)))
    }

    /// Whether the file lies where an orchestrator mounts secrets for this process alone. In
    /// `secrets.folder` a file may also be made by hand, and then must be as closed as any other.
    fn is_mounted(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        let credentials = self.environment.of_process_only("CREDENTIALS_DIRECTORY");
        [Path::new("/run/secrets"), Path::new("/var/run/secrets")]
            .into_iter()
            .chain(credentials.map(Path::new))
            .chain(self.folder.filter(|_| !is_made_by_hand(&path)))
            .filter_map(|folder| folder.canonicalize().ok())
            .any(|folder| folder.parent().is_some() && path.starts_with(folder))
    }
}

/// Whether a file is this user's own, in folders that others may enter.
fn is_made_by_hand(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let owner = path.metadata().map_or(user, |facts| facts.uid());
    let folders = path.ancestors().skip(1);
    let facts = folders.filter_map(|folder| folder.metadata().ok());
    is_in_reach(owner, user, facts.map(|facts| facts.permissions().mode()))
}

/// Whether only the file's own rights can keep others from it. An orchestrator's files are root's.
fn is_in_reach(owner: u32, user: u32, mut folders: impl Iterator<Item = u32>) -> bool {
    owner == user && owner != 0 && folders.all(|mode| mode & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_made_by_hand_is_told_from_one_that_is_mounted() {
        for (owner, user, folders, in_reach) in [
            (1000, 1000, [0o755, 0o755], true),
            (1000, 1000, [0o750, 0o711], true),
            (1000, 1000, [0o700, 0o755], false),
            (1000, 1000, [0o755, 0o700], false),
            (0, 1000, [0o755, 0o755], false),
            (1001, 1000, [0o755, 0o755], false),
            (0, 0, [0o755, 0o755], false),
        ] {
            let told = is_in_reach(owner, user, folders.into_iter());
            assert_eq!(told, in_reach, "{owner} {user} {folders:?}");
        }
    }
}
