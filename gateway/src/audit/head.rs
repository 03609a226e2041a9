//! The head: a small file, in another folder than the trail, that knows the newest record and where
//! the trail begins. By it a cut at the end, or at the beginning, is found.

use super::chain::Link;
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// What a head knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The newest record.
    pub(super) newest: Link,
    /// The record before the first that is kept.
    pub(super) before_first: Link,
}

impl Head {
    /// Of a trail without a record.
    pub(super) const START: Self = Self {
        newest: Link::START,
        before_first: Link::START,
    };

    /// Reads a head; none where there is none, or where it cannot be understood.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut link = || {
            let sequence = words.next()?.parse().ok()?;
            let mut hash = [0; 32];
            hex::decode_to_slice(words.next()?, &mut hash).ok()?;
            Some(Link { sequence, hash })
        };
        Some(Self {
            newest: link()?,
            before_first: link()?,
        })
    }

    /// Of the same length whatever it knows, so that one replaces the other in its place.
    fn text(&self) -> String {
        let link = |link: Link| format!("{:020} {}", link.sequence, hex::encode(link.hash));
        format!("{} {}\n", link(self.newest), link(self.before_first))
    }
}

/// The open file of a head.
pub(super) struct HeadFile(File);

impl HeadFile {
    /// Opens or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Self(file))
    }

    /// A plain write: it survives this process, and the machine from the next sync on.
    pub(super) fn write(&self, head: &Head) -> io::Result<()> {
        self.0.write_all_at(head.text().as_bytes(), 0)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// The same file, to be synced elsewhere.
    pub(super) fn again(&self) -> io::Result<File> {
        self.0.try_clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_replaces_the_other_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.head");
        assert_eq!(Head::read(&path).unwrap(), None);
        let file = HeadFile::open(&path).unwrap();
        assert_eq!(Head::read(&path).unwrap(), None);
        let link = |sequence| Link {
            sequence,
            hash: [7; 32],
        };
        for newest in [u64::MAX, 12] {
            let head = Head {
                newest: link(newest),
                before_first: link(3),
            };
            file.write(&head).unwrap();
            assert_eq!(Head::read(&path).unwrap(), Some(head));
        }
        fs::write(&path, "12 hidden").unwrap();
        assert_eq!(Head::read(&path).unwrap(), None);
    }
}
