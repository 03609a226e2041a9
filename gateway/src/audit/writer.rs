//! The end of the way of a record: sealed, appended, noted by the head.

use super::{
    AuditError, AuditSettings,
    chain::Link,
    files::Files,
    head::{Head, HeadFile},
};
use std::{borrow::Cow, fs::File, io};

/// What must be synced, in this order: the records, then the head that knows them.
pub(super) struct Unsynced {
    pub(super) files: Vec<File>,
    ended: usize,
    writes: u64,
}

impl Unsynced {
    /// Syncs it; no writer waits meanwhile.
    ///
    /// # Errors
    /// It is not known to be synced, and must be synced again.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(File::sync_data)
    }
}

/// Appends records to the chain.
pub(super) struct Writer {
    files: Files,
    head: HeadFile,
    noted: Head,
    /// Records lost since the last that was written.
    unwritten: u64,
    /// Counts what was written, and how much of that is synced.
    writes: u64,
    synced: u64,
    /// The head does not know the newest record.
    behind: bool,
}

impl Writer {
    /// Goes on with the chain where it ended, and tells what is wrong with its end.
    pub(super) fn open(
        settings: &AuditSettings,
    ) -> Result<(Self, Option<&'static str>), AuditError> {
        let failed = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| AuditError { path, source }
        };
        let (files, newest) = Files::open(settings).map_err(failed(&settings.folder))?;
        let (noted, trouble, head) = Head::read(&settings.head)
            .and_then(|known| {
                let (noted, trouble) = resume(known, newest);
                let head = HeadFile::open(&settings.head)?;
                head.write(&noted)?;
                head.sync()?;
                Ok((noted, trouble, head))
            })
            .map_err(failed(&settings.head))?;
        let this = Self {
            files,
            head,
            noted,
            unwritten: 0,
            writes: 0,
            synced: 0,
            behind: false,
        };
        Ok((this, trouble))
    }

    /// Writes the record of a body, a JSON object that is not empty. The first one after others
    /// could not be written has their number. True: another file began with it.
    ///
    /// # Errors
    /// Nothing of it is in the trail.
    pub(super) fn write(&mut self, body: &str, now_ms: i64) -> io::Result<bool> {
        let body = match self.unwritten {
            0 => Cow::Borrowed(body),
            lost => Cow::Owned(body.replacen('{', &format!("{{\"unwritten\":{lost},"), 1)),
        };
        let (line, newest) = self.noted.newest.seal(&body);
        let begun = self.append(line.as_bytes(), now_ms).inspect_err(|_| {
            self.unwritten += 1;
        })?;
        self.unwritten = 0;
        self.writes += 1;
        self.noted.newest = newest;
        let noted = self.head.write(&self.noted);
        if let Err(error) = &noted
            && !self.behind
        {
            tracing::error!(%error, "the audit trail's head cannot be written, a cut may go unnoticed");
        }
        self.behind = noted.is_err();
        Ok(begun)
    }

    fn append(&mut self, line: &[u8], now_ms: i64) -> io::Result<bool> {
        let begins = !self.files.takes(line.len(), now_ms);
        if begins {
            self.files.begin(now_ms)?;
        }
        self.files.append(line)?;
        Ok(begins)
    }

    /// Notes that the trail begins later: the files before that are to be removed once that is synced.
    pub(super) fn begins_after(&mut self, before_first: Link) -> io::Result<()> {
        self.noted.before_first = before_first;
        self.writes += 1;
        self.head.write(&self.noted)
    }

    /// What is not synced, none where everything is; told by [`Writer::synced`] once it was.
    pub(super) fn unsynced(&self) -> io::Result<Option<Unsynced>> {
        if self.synced == self.writes {
            return Ok(None);
        }
        let (mut files, ended) = self.files.unsynced()?;
        files.push(self.head.again()?);
        let writes = self.writes;
        Ok(Some(Unsynced {
            files,
            ended,
            writes,
        }))
    }

    /// That is synced.
    pub(super) fn synced(&mut self, done: &Unsynced) {
        self.files.synced(done.ended);
        self.synced = done.writes;
    }
}

/// Where the chain goes on, by what its head knows and the newest record that is there; and what
/// is wrong with its end. A record that was written when the process died may be missing in the head.
fn resume(known: Option<Head>, newest: Option<Link>) -> (Head, Option<&'static str>) {
    let Some(known) = known else {
        let begun = Head {
            newest: newest.unwrap_or(Link::START),
            ..Head::START
        };
        return (begun, newest.map(|_| "its head is missing"));
    };
    let Some(newest) = newest.filter(|newest| newest.sequence >= known.newest.sequence) else {
        let trouble = (known.newest != Link::START).then_some("records are missing at its end");
        return (known, trouble);
    };
    let ahead = newest.sequence - known.newest.sequence;
    if ahead == 0 && newest != known.newest {
        return (known, Some("its newest record was changed"));
    }
    let trouble = (ahead > 1).then_some("its head does not know its newest records");
    (Head { newest, ..known }, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_goes_on_after_its_newest_record_and_tells_of_a_bad_end() {
        let link = |sequence, byte| Link {
            sequence,
            hash: [byte; 32],
        };
        let head = |sequence| Head {
            newest: link(sequence, 1),
            before_first: link(2, 9),
        };
        let resumed = |known: Option<Head>, newest| {
            let (head, trouble) = resume(known, newest);
            (head.newest.sequence, trouble.is_some())
        };
        assert_eq!(resumed(None, None), (0, false));
        assert_eq!(resumed(Some(Head::START), None), (0, false));
        assert_eq!(resumed(Some(head(7)), Some(link(7, 1))), (7, false));
        assert_eq!(resumed(Some(head(7)), Some(link(8, 2))), (8, false));
        assert_eq!(resumed(Some(head(7)), Some(link(9, 2))), (9, true));
        assert_eq!(resumed(Some(head(7)), Some(link(7, 2))), (7, true));
        assert_eq!(resumed(Some(head(7)), Some(link(6, 1))), (7, true));
        assert_eq!(resumed(Some(head(7)), None), (7, true));
        assert_eq!(resumed(None, Some(link(7, 1))), (7, true));
        let (head, _) = resume(Some(head(7)), Some(link(8, 2)));
        assert_eq!(head.before_first, link(2, 9));
    }
}
