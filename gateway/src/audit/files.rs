//! The trail's files, `audit.DAY.NUMBER.jsonl`: a new one each day (UTC) and whenever one is full.

use super::{AuditSettings, chain::Link, utc};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// So many files share the whole size.
const SHARES: u64 = 16;
/// Most files that ended and wait to be synced elsewhere: a further one is synced as it ends.
pub(super) const ENDED: usize = 8;
/// More than the longest record has.
const TAIL: u64 = 128 * 1024;
const MS_PER_DAY: i64 = 86_400_000;

/// One file of the trail; they sort as they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TrailFile {
    day: String,
    number: u32,
    pub(super) path: PathBuf,
    bytes: u64,
}

impl TrailFile {
    /// The place before its first record.
    fn before_first(&self) -> Option<Link> {
        let mut line = String::new();
        BufReader::new(File::open(&self.path).ok()?)
            .read_line(&mut line)
            .ok()?;
        Link::read(line.trim_end_matches('\n')).map(|(before, _)| before)
    }

    /// Its newest record, and whether the file ends with it.
    fn newest(&self) -> io::Result<(Option<Link>, bool)> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.bytes.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let read = |line| Link::read(line).map(|(_, this)| this);
        let last = text.lines().next_back().and_then(read);
        let whole = text.ends_with('\n') && last.is_some();
        Ok((text.lines().rev().find_map(read), whole))
    }
}

/// The trail's files, oldest first; anything else in the folder is left alone.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn list(folder: &Path) -> io::Result<Vec<TrailFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some((day, number)) = entry.file_name().to_str().and_then(parts) {
            found.push(TrailFile {
                day,
                number,
                path: entry.path(),
                bytes: entry.metadata()?.len(),
            });
        }
    }
    found.sort();
    Ok(found)
}

fn parts(name: &str) -> Option<(String, u32)> {
    let rest = name.strip_prefix("audit.")?.strip_suffix(".jsonl")?;
    let (day, number) = rest.split_once('.')?;
    let of_day = |b: u8| b.is_ascii_digit() || b == b'-';
    let number = number.parse().ok()?;
    (day.len() == 10 && day.bytes().all(of_day)).then(|| (day.to_owned(), number))
}

fn day_of(ms: i64) -> String {
    utc(ms).get(..10).unwrap_or_default().to_owned()
}

struct Current {
    file: File,
    day: String,
    bytes: u64,
}

/// The oldest files, which must go to leave room for another one, and the place before the first
/// record that stays: by the newest of those that go, so that what is missing between them still
/// shows. None: nothing goes, or nothing tells. The newest file stays: by its end the chain goes on.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn surplus(
    settings: &AuditSettings,
    now_ms: i64,
) -> io::Result<(Vec<PathBuf>, Option<Link>)> {
    let mut files = list(&settings.folder)?;
    let kept_for = i64::from(settings.max_days).saturating_mul(MS_PER_DAY);
    let oldest = day_of(now_ms.saturating_sub(kept_for));
    let room = settings.max_total_bytes - settings.max_total_bytes / SHARES;
    let mut total: u64 = files.iter().map(|file| file.bytes).sum();
    let goes = |file: &&TrailFile| {
        let goes = file.day < oldest || total > room;
        total -= if goes { file.bytes } else { 0 };
        goes
    };
    let older = files.len().saturating_sub(1);
    let count = files.iter().take(older).take_while(goes).count();
    let stay = files.split_off(count);
    let newest = |file: &TrailFile| file.newest().ok()?.0;
    let gone = files.iter().rev().find_map(newest);
    let paths: Vec<PathBuf> = files.into_iter().map(|file| file.path).collect();
    let first = || stay.iter().find_map(TrailFile::before_first);
    let before_first = if paths.is_empty() {
        None
    } else {
        gone.or_else(first)
    };
    Ok((paths, before_first))
}

/// Writes lines into the newest file.
pub(super) struct Files {
    folder: PathBuf,
    max_total_bytes: u64,
    current: Option<Current>,
    /// Written to, and not yet synced.
    ended: Vec<File>,
}

impl Files {
    /// Makes the folder; goes on in the newest file where that ends with a whole record. Also that
    /// record, which may be in an earlier file.
    pub(super) fn open(settings: &AuditSettings) -> io::Result<(Self, Option<Link>)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.folder)?;
        let mut this = Self {
            folder: settings.folder.clone(),
            max_total_bytes: settings.max_total_bytes,
            current: None,
            ended: Vec::new(),
        };
        let mut newest = None;
        let files = list(&this.folder)?;
        for (age, file) in files.iter().rev().enumerate() {
            let (found, whole) = file.newest()?;
            if age == 0 && (whole || file.bytes == 0) {
                this.current = Some(Current {
                    file: OpenOptions::new().append(true).open(&file.path)?,
                    day: file.day.clone(),
                    bytes: file.bytes,
                });
            }
            newest = found;
            if newest.is_some() {
                break;
            }
        }
        Ok((this, newest))
    }

    /// True where a line may go to the newest file: it is of today, not full, and still there. A
    /// clock that was set back begins no new one.
    pub(super) fn takes(&self, length: usize, now_ms: i64) -> bool {
        self.current.as_ref().is_some_and(|current| {
            let fits = current.bytes + length as u64 <= self.max_total_bytes / SHARES;
            let there = current.file.metadata().is_ok_and(|facts| facts.nlink() > 0);
            there && current.day >= day_of(now_ms) && (fits || current.bytes == 0)
        })
    }

    /// Begins another file; the one before is still to be synced, unless too many are.
    pub(super) fn begin(&mut self, now_ms: i64) -> io::Result<()> {
        if self.ended.len() < ENDED {
            let ended = self.current.take().map(|current| current.file);
            self.ended.extend(ended);
        } else if let Some(current) = &self.current {
            current.file.sync_data()?;
        }
        let today = day_of(now_ms);
        let files = list(&self.folder)?;
        let newest = files.last().filter(|file| file.day >= today);
        let (day, number) = newest.map_or((today, 0), |file| {
            (file.day.clone(), file.number.saturating_add(1))
        });
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.folder.join(format!("audit.{day}.{number:04}.jsonl")))?;
        self.current = Some(Current {
            file,
            day,
            bytes: 0,
        });
        Ok(())
    }

    /// Appends a line to the newest file. Of one that fails nothing stays: where its beginning
    /// cannot be taken back, the next goes to another file.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let current = self.current.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if let Err(error) = current.file.write_all(line) {
            if current.file.set_len(current.bytes).is_err() {
                self.current = None;
            }
            return Err(error);
        }
        current.bytes += line.len() as u64;
        Ok(())
    }

    /// What is to be synced elsewhere: the files that ended and are not synced, and the newest; and
    /// the number of those that ended.
    pub(super) fn unsynced(&self) -> io::Result<(Vec<File>, usize)> {
        let newest = self.current.iter().map(|current| &current.file);
        let files = self.ended.iter().chain(newest).map(File::try_clone);
        Ok((files.collect::<io::Result<_>>()?, self.ended.len()))
    }

    /// So many of the files that ended are synced, the first ones.
    pub(super) fn synced(&mut self, ended: usize) {
        self.ended.drain(..ended);
    }
}
