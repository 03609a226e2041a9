//! Whether a trail is whole: nothing in it changed, missing, moved or cut off.

use super::{
    chain::Link,
    files::{self, TrailFile},
    head::Head,
};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// So often a trail is looked at, while a gateway removes the oldest files of it.
const LOOKS: usize = 5;

/// What is wrong with a trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that is not a record.
    #[error("{0}: this line is not a record")]
    Unreadable(String),
    /// A record that does not fit the one before.
    #[error("{place}: record {sequence} does not fit the one before: one of the two was changed")]
    Changed {
        /// File and line.
        place: String,
        /// The record.
        sequence: u64,
    },
    /// A record other than the one that the head knows.
    #[error("{place}: record {sequence} is not the one that was written: it was changed")]
    Replaced {
        /// File and line.
        place: String,
        /// The record.
        sequence: u64,
    },
    /// A gap.
    #[error("{place}: records {first} to {last} are missing before this line")]
    Missing {
        /// File and line.
        place: String,
        /// The first that is missing.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A record after a later one.
    #[error("{place}: record {sequence} is out of its place, or there twice")]
    Moved {
        /// File and line.
        place: String,
        /// The record.
        sequence: u64,
    },
    /// A cut.
    #[error("records {first} to {last} are missing at the end")]
    Cut {
        /// The first that is missing.
        first: u64,
        /// The newest that was written.
        last: u64,
    },
    /// Records that were added.
    #[error(
        "records {first} to {last} are unknown to the trail's head: they were added, or the head is an old one"
    )]
    Added {
        /// The first that is unknown.
        first: u64,
        /// The newest.
        last: u64,
    },
    /// The head is gone.
    #[error(
        "the trail's head is missing or not readable: a cut at its end or its beginning cannot be told"
    )]
    Headless,
    /// A start that went on without the head, or past what it knew.
    #[error(
        "{place}: record {sequence} tells of a start that found the trail's head missing or behind: a cut or an addition before it cannot be told"
    )]
    Resumed {
        /// File and line.
        place: String,
        /// The record.
        sequence: u64,
    },
}

/// Why a trail could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is none.
    #[error("found no audit trail in {}; name its folder with --folder", .0.display())]
    Nothing(PathBuf),
    /// A file of it, or its folder.
    #[error("cannot read {} of the audit trail; let this user read it, or name its folder with --folder", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its head.
    #[error("cannot read the audit trail's head {}; let this user read it, or name its folder with --data-folder", path.display())]
    Head {
        /// The head.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Records read.
    pub records: u64,
    /// The number of the first of them.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// All that is wrong.
    pub faults: Vec<Fault>,
}

/// Checks the trail of a folder against its head. A gateway may write it meanwhile, and remove what is
/// too old.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn verify(folder: &Path, head: &Path) -> Result<Report, VerifyError> {
    settled(|| look(folder, head))
}

/// One look at a trail.
struct Look {
    report: Report,
    /// By the head, the trail began later at the end of the look than at its beginning.
    shrank: bool,
}

/// Looks again while the oldest files are removed under the look.
fn settled(mut look: impl FnMut() -> Result<Look, VerifyError>) -> Result<Report, VerifyError> {
    let is_disturbed = |looked: &Result<Look, VerifyError>| match looked {
        Ok(look) => look.shrank && !look.report.faults.is_empty(),
        Err(VerifyError::Read { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        Err(_) => false,
    };
    let mut looked = look();
    for _ in 1..LOOKS {
        if !is_disturbed(&looked) {
            break;
        }
        looked = look();
    }
    looked.map(|look| look.report)
}

fn look(folder: &Path, head: &Path) -> Result<Look, VerifyError> {
    let before = known(head)?;
    let files = files::list(folder).map_err(|source| unread(folder, source))?;
    if files.is_empty() && before.is_none() {
        return Err(VerifyError::Nothing(folder.to_owned()));
    }
    read(before, &files, head)
}

/// Reads the files that were listed, against what the head knew before.
fn read(before: Option<Head>, files: &[TrailFile], head: &Path) -> Result<Look, VerifyError> {
    let mut check = Check::against(before);
    for file in files {
        check
            .file(&file.path)
            .map_err(|source| unread(&file.path, source))?;
    }
    let now = known(head)?;
    let begin = |head: Option<Head>| head.map(|head| head.before_first);
    Ok(Look {
        report: check.end(now),
        shrank: begin(before) != begin(now),
    })
}

fn known(head: &Path) -> Result<Option<Head>, VerifyError> {
    Head::read(head).map_err(|source| VerifyError::Head {
        path: head.to_owned(),
        source,
    })
}

fn unread(path: &Path, source: io::Error) -> VerifyError {
    VerifyError::Read {
        path: path.to_owned(),
        source,
    }
}

/// A trail as far as it was read.
struct Check {
    /// What the head knew before the files were read.
    known: Option<Head>,
    last: Option<Link>,
    report: Report,
}

impl Check {
    fn against(known: Option<Head>) -> Self {
        Self {
            known,
            last: None,
            report: Report::default(),
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        self.report.files += 1;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lines = BufReader::new(File::open(path)?).split(b'\n');
        for (number, line) in (1..).zip(lines) {
            self.line(format!("{name}:{number}"), &String::from_utf8_lossy(&line?));
        }
        Ok(())
    }

    fn line(&mut self, place: String, line: &str) {
        let Some((before, this)) = Link::read(line) else {
            self.report.faults.push(Fault::Unreadable(place));
            return;
        };
        self.report.records += 1;
        // A file that is just about to be removed is older than what the head knows as the first.
        let begin = self.known.map(|known| known.before_first);
        let begin = begin.filter(|begin| begin.sequence <= before.sequence);
        let last = self.last.or(begin).unwrap_or(before);
        let sequence = this.sequence;
        if sequence <= last.sequence {
            self.report.faults.push(Fault::Moved { place, sequence });
            return;
        }
        if self.last.is_none() {
            self.report.first = sequence;
        }
        self.last = Some(this);
        let newest = self.known.map(|known| known.newest);
        if before.sequence > last.sequence {
            self.report.faults.push(Fault::Missing {
                place,
                first: last.sequence + 1,
                last: before.sequence,
            });
        } else if before != last {
            self.report.faults.push(Fault::Changed { place, sequence });
        } else if newest.is_some_and(|newest| newest.sequence == sequence && newest != this) {
            self.report.faults.push(Fault::Replaced { place, sequence });
        } else if tells_of_trouble(line) {
            self.report.faults.push(Fault::Resumed { place, sequence });
        }
    }

    /// Ends with what the head knows by now.
    fn end(mut self, now: Option<Head>) -> Report {
        let begin = self.known.map_or(Link::START, |known| known.before_first);
        let last = self.last.unwrap_or(begin).sequence;
        self.report.last = last;
        match self.known.zip(now) {
            None => self.report.faults.push(Fault::Headless),
            Some((known, _)) if known.newest.sequence > last => {
                self.report.faults.push(Fault::Cut {
                    first: last + 1,
                    last: known.newest.sequence,
                })
            }
            // A record is written before the head knows it.
            Some((_, now)) if now.newest.sequence + 1 < last => {
                self.report.faults.push(Fault::Added {
                    first: now.newest.sequence + 1,
                    last,
                })
            }
            Some(_) => {}
        }
        self.report
    }
}

/// Whether a record is of a start that did not find the trail's end as the head has it.
fn tells_of_trouble(line: &str) -> bool {
    if !line.contains("\"trouble\":") {
        return false;
    }
    let record: Value = serde_json::from_str(line).unwrap_or_default();
    record["event"] == "started" && record["trouble"].is_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::{AuditSettings, HEAD, Trail};
    use mymt5_chassis::redact::Redactor;
    use std::fs;

    fn settings(folder: &Path, max_days: u32) -> AuditSettings {
        AuditSettings {
            folder: folder.join("logs"),
            head: folder.join(HEAD),
            max_days,
            max_total_bytes: 1 << 20,
        }
    }

    /// Two records, in a file that is made old; what the head knows then.
    fn old(folder: &Path, day: &str) -> Option<Head> {
        let settings = settings(folder, 1_000_000);
        Trail::open(&settings, &Redactor::new()).unwrap().close();
        let newest = files::list(&settings.folder).unwrap().pop().unwrap().path;
        fs::rename(&newest, newest.with_file_name(day)).unwrap();
        known(&settings.head).unwrap()
    }

    #[test]
    fn files_that_are_removed_under_a_look_are_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 365);
        old(folder.path(), "audit.1000-01-01.0000.jsonl");
        let before = old(folder.path(), "audit.1000-01-02.0000.jsonl");
        let listed = files::list(&settings.folder).unwrap();
        // The gateway removes both.
        Trail::open(&settings, &Redactor::new()).unwrap().close();
        let stay = files::list(&settings.folder).unwrap();
        assert_eq!(stay.len(), 1);
        let gone = || read(before, &listed, &settings.head);
        assert!(matches!(gone(), Err(VerifyError::Read { .. })));
        let missing = || read(before, &stay, &settings.head);
        assert!(matches!(
            missing().unwrap().report.faults[..],
            [Fault::Missing { .. }]
        ));
        let now = || look(&settings.folder, &settings.head);
        let mut looks = [missing(), gone(), now()].into_iter();
        let report = settled(|| looks.next().unwrap()).unwrap();
        assert_eq!(report.faults, []);
        assert_eq!((report.first, report.last), (5, 6));
        // What never settles is told.
        let mut looks = 0;
        let told = settled(|| {
            looks += 1;
            gone()
        });
        assert!(told.is_err() && looks == LOOKS);
    }

    #[test]
    fn what_is_missing_though_nothing_was_removed_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        old(folder.path(), "audit.1000-01-01.0000.jsonl");
        old(folder.path(), "audit.1000-01-02.0000.jsonl");
        let settings = settings(folder.path(), 365);
        fs::remove_file(&files::list(&settings.folder).unwrap()[0].path).unwrap();
        let mut looks = 0;
        let report = settled(|| {
            looks += 1;
            look(&settings.folder, &settings.head)
        });
        assert!(matches!(
            report.unwrap().faults[..],
            [Fault::Missing { .. }]
        ));
        assert_eq!(looks, 1);
    }
}
