//! The file that grows until it is whole. What was begun is read again, a torn last line cut off, and
//! no other process writes it meanwhile.

use super::{Kind, export::Row};
use mymt5_model::SymbolSpec;
use mymt5_simulator::feed::FeedError;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Longest line, bytes.
const LINE: u64 = 4_096;

/// Why a file cannot be begun, continued or completed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is there already.
    #[error("{} exists already; move it away, or name another --out", .0.display())]
    Exists(PathBuf),
    /// It cannot be opened, read or renamed.
    #[error("cannot open {}; let this user write it, or name another --out", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// Another process writes it.
    #[error("another process writes {}; wait until it ends, or name another --out", .0.display())]
    Busy(PathBuf),
    /// It is no file of ours.
    #[error("{} does not begin as this export does; move it away, or name another --out", .0.display())]
    Foreign(PathBuf),
    /// One of its lines is no row.
    #[error("cannot continue {}: one of its lines is not a row; move it away, or name another --out", .0.display())]
    Unreadable(PathBuf, #[source] FeedError),
}

/// A file on its way.
pub(super) struct Part<R> {
    path: PathBuf,
    kind: Kind,
    file: File,
    rows: u64,
    first: Option<R>,
    /// The rows of its last moment.
    latest: Vec<R>,
}

impl<R: Row> Part<R> {
    /// Begins the file that becomes `out`, or takes up what was begun of it.
    pub(super) fn open(out: &Path, kind: Kind, spec: &SymbolSpec) -> Result<Self, OpenError> {
        if out.exists() {
            return Err(OpenError::Exists(out.to_owned()));
        }
        let mut path = out.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let fail = |error| OpenError::Open(path.clone(), error);
        let mut options = File::options();
        let file = options.read(true).append(true).create(true).open(&path);
        let mut file = file.map_err(fail)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Busy(path.clone()),
            TryLockError::Error(error) => fail(error),
        })?;
        let header = R::header(kind).as_bytes();
        let mut begun = Vec::new();
        let mut head = Read::by_ref(&mut file).take(header.len() as u64);
        head.read_to_end(&mut begun).map_err(fail)?;
        if !header.starts_with(&begun) {
            return Err(OpenError::Foreign(path));
        }
        if begun.len() < header.len() {
            file.write_all(&header[begun.len()..]).map_err(fail)?;
        }
        cut_torn_line(&mut file).map_err(fail)?;
        let mut part = Self {
            path: path.clone(),
            kind,
            file,
            rows: 0,
            first: None,
            latest: Vec::new(),
        };
        let unreadable = |error| OpenError::Unreadable(path.clone(), error);
        for row in R::read(&path, spec).map_err(unreadable)? {
            part.note(row.map_err(unreadable)?);
        }
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) const fn first(&self) -> Option<&R> {
        self.first.as_ref()
    }

    pub(super) fn last(&self) -> Option<&R> {
        self.latest.last()
    }

    /// The rows of its last moment, of which a tick may have several.
    pub(super) fn of_last_moment(&self) -> &[R] {
        &self.latest
    }

    /// Writes rows behind the others.
    pub(super) fn append(&mut self, rows: Vec<R>) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            row.write(self.kind, self.last(), &mut text);
            self.note(row);
        }
        self.file.write_all(text.as_bytes())
    }

    /// Gives the whole file its name.
    pub(super) fn complete(self, out: &Path) -> Result<(), OpenError> {
        let synced = self.file.sync_all();
        // A link is never made over a file that appeared meanwhile.
        let named = synced.and_then(|()| fs::hard_link(&self.path, out));
        named
            .and_then(|()| fs::remove_file(&self.path))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => OpenError::Exists(out.to_owned()),
                _ => OpenError::Open(self.path, error),
            })
    }

    fn note(&mut self, row: R) {
        self.rows += 1;
        if self.first.is_none() {
            self.first = Some(row.clone());
        }
        if self.last().is_some_and(|last| last.time() != row.time()) {
            self.latest.clear();
        }
        self.latest.push(row);
    }
}

/// Cuts off what stands behind the last end of a line.
fn cut_torn_line(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let begin = length.saturating_sub(LINE);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => file.set_len(begin + end as u64 + 1),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{BrokerTime, Price, Symbol, Tick};
    use mymt5_simulator::catalogue;

    fn spec() -> SymbolSpec {
        catalogue::spec(&Symbol::parse("EURUSD").unwrap())
    }

    /// Ticks, of which two each are of one millisecond.
    fn ticks() -> Vec<Tick> {
        let tick = |n: i64| Tick {
            symbol: spec().symbol,
            time: BrokerTime(1_580_398_089_000 + n / 2),
            bid: Price::from_points(110_000 + n / 3, 5),
            ask: Price::from_points(110_010 + n, 5),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        };
        (0..7).map(tick).collect()
    }

    fn open(out: &Path) -> Result<Part<Tick>, OpenError> {
        Part::open(out, Kind::Ticks, &spec())
    }

    /// A file that has all ticks, and its bytes.
    fn whole(folder: &Path) -> Vec<u8> {
        let out = folder.join("whole.csv");
        let mut part = open(&out).unwrap();
        part.append(ticks()).unwrap();
        part.complete(&out).unwrap();
        fs::read(out).unwrap()
    }

    #[test]
    fn a_file_cut_anywhere_is_continued_behind_its_last_whole_row() {
        let folder = tempfile::tempdir().unwrap();
        let whole = whole(folder.path());
        for cut in 0..=whole.len() {
            let out = folder.path().join("cut.csv");
            fs::write(folder.path().join("cut.csv.part"), &whole[..cut]).unwrap();
            let mut part = open(&out).unwrap();
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            let kept = lines.saturating_sub(1);
            assert_eq!(part.rows(), kept as u64, "cut at {cut}");
            assert_eq!(part.last(), ticks()[..kept].last());
            part.append(ticks()[kept..].to_vec()).unwrap();
            part.complete(&out).unwrap();
            assert!(fs::read(&out).unwrap() == whole, "cut at {cut}");
            fs::remove_file(&out).unwrap();
        }
    }

    #[test]
    fn what_is_another_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let whole = whole(folder.path());
        let out = folder.path().join("out.csv");
        let begun = folder.path().join("out.csv.part");
        let bars = b"<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\r\n2020";
        for foreign in [&b"a letter, without an end"[..], b"x", bars] {
            fs::write(&begun, foreign).unwrap();
            assert!(matches!(open(&out), Err(OpenError::Foreign(_))));
            assert_eq!(fs::read(&begun).unwrap(), foreign);
        }
        let odd = [&whole[..], b"2020.01.30\tnoon\t1\t2\t\t\t6\r\n"].concat();
        fs::write(&begun, odd).unwrap();
        assert!(matches!(open(&out), Err(OpenError::Unreadable(..))));
        fs::write(&begun, &whole).unwrap();
        let first = open(&out).unwrap();
        assert!(matches!(open(&out), Err(OpenError::Busy(_))));
        drop(first);
        let completed = open(&out).unwrap();
        fs::write(&out, "another's").unwrap();
        assert!(matches!(
            completed.complete(&out),
            Err(OpenError::Exists(_))
        ));
        assert_eq!(fs::read(&out).unwrap(), b"another's");
        assert_eq!(fs::read(&begun).unwrap(), whole);
        assert!(matches!(open(&out), Err(OpenError::Exists(_))));
    }
}
