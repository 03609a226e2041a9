//! How long something has been so: reads that showed it, one after the other.

/// So many reads in a row, over so long, must show it before they are believed.
const READS: u32 = 3;
/// After so many of them, over so long, the broker's history is asked for: while orders follow one
/// another, reads do, too, and an answer on its way is behind several of them.
const LASTING: u32 = 2;
const LASTING_MS: i64 = 500;
const BELIEVED_MS: i64 = 5_000;
/// Between two reads at most so much counts: the process may have stood still, and what comes then
/// may have been read before.
const ATTENDED_MS: i64 = 2_000;
/// Reads so far apart do not add up.
const UNATTENDED_MS: i64 = 15_000;

/// Reads in a row that show the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads {
    count: u32,
    /// When the newest of them came.
    last: i64,
    /// How long it has gone on by then.
    attended: i64,
    /// How long it had gone on when the one before came: the newest was not read before then.
    before: i64,
}

impl Reads {
    /// With another read. One that comes so late that what was in between is unknown begins again.
    pub(crate) fn after(known: Option<Self>, now: i64) -> Self {
        match known.filter(|known| now - known.last <= UNATTENDED_MS) {
            Some(known) => Self {
                count: known.count + 1,
                last: now,
                attended: known.attended + (now - known.last).min(ATTENDED_MS),
                before: known.attended,
            },
            None => Self {
                count: 1,
                last: now,
                attended: 0,
                before: 0,
            },
        }
    }

    /// True where it has gone on for so long that the reads are believed. An answer that was late
    /// itself makes it no longer.
    pub(crate) const fn are_believed(&self) -> bool {
        self.count >= READS && self.before >= BELIEVED_MS
    }

    /// True at the read from which on it takes more than an answer on its way to explain it.
    pub(crate) const fn begins_to_last(&self) -> bool {
        let lasted = self.count > LASTING && self.before >= LASTING_MS;
        self.lasts() && !lasted
    }

    /// True from that read on.
    pub(crate) const fn lasts(&self) -> bool {
        self.count >= LASTING && self.attended >= LASTING_MS
    }
}
