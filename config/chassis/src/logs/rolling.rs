//! The log's files: a new one each day (UTC) and whenever one is full, the oldest removed
//! before there are too many or they grow too large together.

use crate::clock;
use jiff::civil::Date;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The bounds of the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) file_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) files: usize,
}

/// One file of the log: `PROGRAM.DAY.NUMBER.log`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    day: String,
    number: u32,
    pub(super) path: PathBuf,
    bytes: u64,
}

struct Current {
    file: File,
    day: Date,
    bytes: u64,
}

/// Writes lines into the newest file.
pub(super) struct Rolling {
    folder: PathBuf,
    program: String,
    limits: Limits,
    now_ms: fn() -> i64,
    current: Option<Current>,
}

impl Rolling {
    /// Makes the folder and opens the newest file of today, or a new one.
    pub(super) fn open(
        folder: &Path,
        program: &str,
        limits: Limits,
        now_ms: fn() -> i64,
    ) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut this = Self {
            folder: folder.to_owned(),
            program: program.to_owned(),
            limits,
            now_ms,
            current: None,
        };
        this.current = Some(this.next(0)?);
        Ok(this)
    }

    /// Writes one line. After an error the next line begins with a fresh file handle.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        let today = clock::day((self.now_ms)());
        let fits = |current: &Current| {
            current.day == today
                && (current.bytes == 0 || current.bytes + length <= self.limits.file_bytes)
        };
        let mut current = match self.current.take().filter(fits) {
            Some(current) => current,
            None => self.next(length)?,
        };
        current.file.write_all(line)?;
        current.bytes += length;
        self.current = Some(current);
        Ok(())
    }

    /// The file the next `length` bytes go to: the newest of today when they fit, else a new
    /// one. The oldest files make room for it first, as if it were full already.
    fn next(&self, length: u64) -> io::Result<Current> {
        let day = clock::day((self.now_ms)());
        let mut files = files(&self.folder, &self.program);
        let newest = files
            .last()
            .filter(|file| file.day == day.to_string())
            .cloned();
        let (number, bytes) = match newest {
            Some(file) if file.bytes + length <= self.limits.file_bytes => {
                files.pop();
                (file.number, file.bytes)
            }
            Some(file) => (file.number.saturating_add(1), 0),
            None => (0, 0),
        };
        self.make_room(files)?;
        let name = format!("{}.{day}.{number:04}.log", self.program);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.folder.join(name))?;
        Ok(Current { file, day, bytes })
    }

    fn make_room(&self, files: Vec<LogFile>) -> io::Result<()> {
        let room = self
            .limits
            .total_bytes
            .saturating_sub(self.limits.file_bytes);
        let mut count = files.len();
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        for file in files {
            if count < self.limits.files && total <= room {
                break;
            }
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            count -= 1;
            total -= file.bytes;
        }
        Ok(())
    }
}

/// The program's log files, oldest first; anything else in the folder is left alone.
pub(super) fn files(folder: &Path, program: &str) -> Vec<LogFile> {
    let mut found: Vec<LogFile> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(program)?.strip_prefix('.')?;
            let (day, number) = rest.strip_suffix(".log")?.split_once('.')?;
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            let facts = entry.metadata().ok()?;
            (day.len() == 10 && digits(day) && facts.is_file()).then_some(LogFile {
                day: day.to_owned(),
                number: number.parse().ok()?,
                path: entry.path(),
                bytes: facts.len(),
            })
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;

    thread_local! { static NOW: Cell<i64> = const { Cell::new(0) }; }
    const DAY: i64 = 86_400_000;

    fn now() -> i64 {
        NOW.get()
    }

    fn names(folder: &Path) -> Vec<String> {
        files(folder, "p")
            .iter()
            .map(|f| f.path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    fn total(folder: &Path) -> u64 {
        files(folder, "p").iter().map(|f| f.bytes).sum()
    }

    const LIMITS: Limits = Limits {
        file_bytes: 100,
        total_bytes: 350,
        files: 5,
    };

    #[test]
    fn a_full_file_and_a_new_day_begin_another() {
        let folder = tempfile::tempdir().unwrap();
        NOW.set(0);
        let mut log = Rolling::open(folder.path(), "p", LIMITS, now).unwrap();
        log.write_line(&[b'a'; 60]).unwrap();
        log.write_line(&[b'b'; 40]).unwrap();
        assert_eq!(names(folder.path()), ["p.1970-01-01.0000.log"]);
        log.write_line(b"c").unwrap();
        NOW.set(DAY);
        log.write_line(b"d").unwrap();
        assert_eq!(
            names(folder.path()),
            [
                "p.1970-01-01.0000.log",
                "p.1970-01-01.0001.log",
                "p.1970-01-02.0000.log"
            ]
        );
    }

    #[test]
    fn a_restart_goes_on_in_the_newest_file() {
        let folder = tempfile::tempdir().unwrap();
        NOW.set(0);
        for _ in 0..3 {
            let mut log = Rolling::open(folder.path(), "p", LIMITS, now).unwrap();
            log.write_line(&[b'a'; 30]).unwrap();
        }
        assert_eq!(names(folder.path()), ["p.1970-01-01.0000.log"]);
        let mut log = Rolling::open(folder.path(), "p", LIMITS, now).unwrap();
        log.write_line(&[b'a'; 30]).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn size_and_number_stay_bounded_and_other_files_are_left() {
        let folder = tempfile::tempdir().unwrap();
        NOW.set(0);
        for foreign in [
            "q.1970-01-01.0000.log",
            "p.log",
            "p.1970-01-01.x.log",
            "p.txt",
        ] {
            fs::write(folder.path().join(foreign), [0; 500]).unwrap();
        }
        let mut log = Rolling::open(folder.path(), "p", LIMITS, now).unwrap();
        for _ in 0..50 {
            log.write_line(&[b'a'; 90]).unwrap();
            assert!(total(folder.path()) <= 350);
        }
        assert_eq!(
            names(folder.path()).last().unwrap(),
            "p.1970-01-01.0049.log"
        );
        assert_eq!(names(folder.path()).len(), 3);
        for day in 1..20 {
            NOW.set(day * DAY);
            log.write_line(b"x").unwrap();
            assert!(names(folder.path()).len() <= 5);
        }
        assert_eq!(names(folder.path()).len(), 5);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5 + 4);
    }

    #[test]
    fn a_line_larger_than_a_file_is_still_written() {
        let folder = tempfile::tempdir().unwrap();
        NOW.set(0);
        let mut log = Rolling::open(folder.path(), "p", LIMITS, now).unwrap();
        log.write_line(&[b'a'; 150]).unwrap();
        log.write_line(b"b").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(total(folder.path()), 151);
    }

    #[test]
    fn a_lost_folder_is_an_error_and_then_heals() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        NOW.set(0);
        let mut log = Rolling::open(&logs, "p", LIMITS, now).unwrap();
        fs::remove_dir_all(&logs).unwrap();
        NOW.set(DAY);
        assert!(log.write_line(b"lost").is_err());
        fs::create_dir(&logs).unwrap();
        log.write_line(b"kept").unwrap();
        assert_eq!(total(&logs), 4);
    }
}
