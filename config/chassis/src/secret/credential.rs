//! How a secret is held between its uses. A password that stands in a file is not: it is read when
//! something logs in, and wiped; meanwhile only prints of it are there, which recognise it in a log.

use super::prints::{Prints, digest};
use super::rules::{is_read_at_use, superseded};
use super::{Secret, SecretFileError, file, of_text};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Apart from what else is hashed of the same text.
const DOMAIN: &[u8] = b"mymt5 credential\0";

/// A secret, kept in memory or read at each use. `Debug` is `***`.
#[derive(Clone)]
pub struct Credential(Held);

#[derive(Clone)]
enum Held {
    Kept(Secret),
    InFile(Arc<InFile>),
}

struct InFile {
    name: String,
    path: PathBuf,
    mounted: bool,
    digest: [u8; 32],
    prints: Prints,
}

impl Credential {
    /// Holds a secret of that name as long as it must be: `file` is where it stands, if in one, and
    /// whether an orchestrator mounts that.
    pub(crate) fn hold(name: &str, secret: &Secret, file: Option<&(PathBuf, bool)>) -> Self {
        let Some((path, mounted)) = file.filter(|_| is_read_at_use(name)) else {
            return secret.clone().into();
        };
        Self(Held::InFile(Arc::new(InFile {
            name: name.to_owned(),
            path: path.clone(),
            mounted: *mounted,
            digest: secret.digest(),
            prints: Prints::of(secret.expose()),
        })))
    }

    /// The secret itself, for the moment of its use. Blocks on the file system.
    ///
    /// # Errors
    /// Its file cannot be used, or holds another secret than when it was last looked at: that one is
    /// taken up with all others of its folder, or not at all.
    pub fn read(&self) -> Result<Secret, SecretFileError> {
        let held = match &self.0 {
            Held::Kept(secret) => return Ok(secret.clone()),
            Held::InFile(held) => held,
        };
        let text = file::secret(&held.name, &held.path, held.mounted);
        let secret = text.and_then(|text| of_text(&held.name, &text));
        let secret = secret.map_err(SecretFileError)?;
        if secret.digest() == held.digest {
            Ok(secret)
        } else {
            Err(SecretFileError(superseded(&held.name, &held.path)))
        }
    }

    /// Stands for the secret: the same for the same text, wherever it comes from.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match &self.0 {
            Held::Kept(secret) => secret.digest(),
            Held::InFile(held) => held.digest,
        }
    }

    /// The secret, where it is kept.
    pub(crate) fn kept(&self) -> Option<&Secret> {
        match &self.0 {
            Held::Kept(secret) => Some(secret),
            Held::InFile(_) => None,
        }
    }

    /// The prints of the secret, where it is not kept.
    pub(crate) fn prints(&self) -> Option<&Prints> {
        match &self.0 {
            Held::Kept(_) => None,
            Held::InFile(held) => Some(&held.prints),
        }
    }
}

impl Secret {
    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(DOMAIN, self.expose().as_bytes())
    }
}

impl From<Secret> for Credential {
    fn from(secret: Secret) -> Self {
        Self(Held::Kept(secret))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_password_of_a_file_is_read_at_each_use_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let place = (path.clone(), true);
        let secret = Secret::new("correct horse");
        let held = Credential::hold("MT5_PASSWORD", &secret, Some(&place));
        let kept = Credential::hold("MT5_PASSWORD", &secret, None);
        let other = Credential::hold("BRIDGE_SECRET", &secret, Some(&place));
        assert!(held.kept().is_none() && held.prints().is_some());
        for credential in [&kept, &other] {
            assert!(credential.kept().is_some() && credential.prints().is_none());
            assert_eq!(credential.read().unwrap().expose(), "correct horse");
            assert_eq!(credential.digest(), held.digest());
        }
        let told = held.read().unwrap_err().to_string();
        assert!(told.contains("cannot be read"), "{told}");
        fs::write(&path, "correct horse\n").unwrap();
        assert_eq!(held.read().unwrap().expose(), "correct horse");
        fs::write(&path, "another horse").unwrap();
        let told = held.read().unwrap_err().to_string();
        assert!(
            told.contains("changed") && !told.contains("horse"),
            "{told}"
        );
        assert_ne!(Secret::new("another horse").digest(), held.digest());
        assert_eq!(format!("{held:?} {kept:?}"), "*** ***");
    }
}
