//! The audit trail: who asked for what, and how that ended. A file of its own, with a retention of
//! its own, that only known clients write to line by line: of strangers it has one record per address
//! and interval, and of what a client is refused beyond its room their number. Each record is chained
//! to the one before, so that [`verify`] finds what was changed.
//!
//! A mutating call is on record before it is done; what it led to follows as it is answered. Both are
//! plain writes, which survive this process: a sync that follows within seconds makes them survive
//! the machine, and no order waits for it. What cannot be put on record is not done, but for what
//! ends risk: exits, cancellations, halts. Those of a client without room for one more that may be
//! refused are put on record as soon as they are taken, and where that is not known.

mod age;
mod chain;
mod files;
mod fold;
mod head;
mod refused;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use verify::{Fault, Report, VerifyError, verify};

use age::Age;
use fold::Fold;
use mymt5_chassis::{clock, logs::AUDIT, redact::Redactor};
use refused::{Counted, Refused};
use serde_json::{Map, Value};
use std::{
    fmt::Write,
    fs, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use writer::Writer;

/// The head's name in the data folder.
pub const HEAD: &str = "audit.head";

/// Between two syncs.
const SYNC: Duration = Duration::from_secs(5);
/// Denied calls of a client that are told one by one within an interval.
const DENIALS: u32 = 600;
/// Addresses of strangers that are told apart at a time.
const ADDRESSES: usize = 32;
/// Characters of a text that is told: of a longer one only their number, since a part of a secret
/// would not be masked.
const LONGEST: usize = 200;

type Record = Map<String, Value>;

/// Where the trail is kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Its files' folder, made 0700.
    pub folder: PathBuf,
    /// Its head, in another folder if possible.
    pub head: PathBuf,
    /// Days that a record is kept: 1 to 3650. Default 365.
    pub max_days: u32,
    /// Size of all files together, in bytes: 65536 or more. Default 1 GiB.
    pub max_total_bytes: u64,
}

/// The trail cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit trail {}; let this user write it and its folder", path.display())]
pub struct AuditError {
    /// Its folder or its head.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Why a call is not on record, and must not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// The trail cannot be written.
    Unwritable,
    /// So many calls of the client were refused that there is no room for one more.
    Crowded,
}

/// From where a call came.
#[derive(Clone, Debug)]
pub struct Origin(pub String);

/// Who calls, and what.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The client; empty: a stranger.
    pub client: String,
    /// From where.
    pub peer: String,
    /// The RPC, or the path of one that is denied.
    pub method: String,
    /// The idempotency of the call; empty: it has none.
    pub request_id: String,
    /// W3C trace id.
    pub trace_id: String,
}

impl Call {
    fn record(&self, event: &str) -> Record {
        let members = [
            ("event", event),
            ("client", self.client.as_str()),
            ("peer", self.peer.as_str()),
            ("method", self.method.as_str()),
            ("request_id", self.request_id.as_str()),
            ("trace_id", self.trace_id.as_str()),
        ];
        let told = members.iter().filter(|(_, text)| !text.is_empty());
        told.map(|(name, text)| ((*name).to_owned(), (*text).into()))
            .collect()
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was taken: what it led to, as members of a JSON object.
    Done(Value),
    /// It was taken before: what that led to.
    Repeated(Value),
    /// Why it was refused: it was not done.
    Refused(&'static str),
    /// Why it is not known whether it was done.
    Unknown(&'static str),
}

impl Outcome {
    /// Under which name it is counted where there is no room for it. None: there always is.
    const fn counted_as(&self) -> Option<&'static str> {
        match self {
            Self::Done(_) | Self::Unknown(_) => None,
            Self::Repeated(_) => Some("REPEATED"),
            Self::Refused(reason) => Some(*reason),
        }
    }

    /// Its members of a record.
    fn members(self) -> Record {
        let (verdict, repeated, led_to) = match self {
            Self::Done(led_to) => ("OK", false, led_to),
            Self::Repeated(led_to) => ("OK", true, led_to),
            Self::Refused(reason) | Self::Unknown(reason) => (reason, false, Value::Null),
        };
        let mut members = Record::from_iter([("verdict".to_owned(), verdict.into())]);
        if repeated {
            members.insert("repeated".into(), true.into());
        }
        if let Value::Object(led_to) = led_to {
            members.extend(led_to);
        }
        members
    }
}

/// A call whose outcome is not on record. Dropped, it is recorded as abandoned: its caller went away.
#[must_use]
pub struct Asked {
    trail: Trail,
    open: Option<Open>,
}

struct Open {
    client: String,
    /// What was asked, where it is put on record only if it was taken, or may have been.
    late: Option<Record>,
    answered: Record,
}

impl Asked {
    /// It was taken: it is on record from now on, whatever becomes of it.
    pub fn taken(&mut self) {
        let late = self.open.as_mut().and_then(|open| open.late.take());
        if let Some(record) = late {
            let _ = self.trail.write(record);
        }
    }

    /// Records how it ended.
    pub fn answered(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(open) = self.open.take() else {
            return;
        };
        let Open {
            client,
            late,
            mut answered,
        } = open;
        let now = Instant::now();
        let mut refused = lock(&self.trail.0.refused);
        match (outcome.counted_as(), &late) {
            (None, _) => {}
            (Some(_), None) => refused.take(&client, now),
            (Some(reason), Some(_)) => return refused.count(&client, reason, now),
        }
        drop(refused);
        answered.extend(outcome.members());
        for record in late.into_iter().chain([answered]) {
            let _ = self.trail.write(record);
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.end(Outcome::Unknown("ABANDONED"));
    }
}

/// The audit trail. Clones are one.
#[derive(Clone)]
pub struct Trail(Arc<Shared>);

struct Shared {
    redactor: Redactor,
    settings: AuditSettings,
    writer: Mutex<Writer>,
    age: Age,
    /// Another file began.
    rotated: Notify,
    /// One at a time syncs, and removes what is old.
    tending: Mutex<()>,
    /// Denied calls of known clients.
    clients: Mutex<Fold>,
    strangers: Mutex<Fold>,
    refused: Mutex<Refused>,
}

impl Trail {
    /// Goes on where the trail ended. A bad end is told, in the log and in the trail itself.
    ///
    /// # Errors
    /// Its folder or its head cannot be written.
    pub fn open(settings: &AuditSettings, redactor: &Redactor) -> Result<Self, AuditError> {
        let (writer, trouble) = Writer::open(settings)?;
        let this = Self(Arc::new(Shared {
            redactor: redactor.clone(),
            settings: settings.clone(),
            writer: Mutex::new(writer),
            age: Age::since(clock::utc_now_ms(), Instant::now()),
            rotated: Notify::new(),
            tending: Mutex::default(),
            clients: Mutex::new(Fold::new(DENIALS, usize::MAX)),
            strangers: Mutex::new(Fold::new(1, ADDRESSES)),
            refused: Mutex::default(),
        }));
        let mut started = event("started");
        started.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        if let Some(trouble) = trouble {
            tracing::error!(
                trouble,
                "the audit trail is not whole, `mymt5-gateway audit verify` tells more"
            );
            started.insert("trouble".into(), trouble.into());
        }
        let _ = this.write(started);
        Ok(this)
    }

    /// Masks what must be neither kept nor told of an operator's own words.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.0.redactor
    }

    /// Puts a mutating call on record, before it is done.
    ///
    /// # Errors
    /// The trail cannot be written, or has no room for one more of the client that may be refused;
    /// and the call is none that passes all the same.
    pub fn ask(&self, call: &Call, facts: Value, passes: bool) -> Result<Asked, Unrecorded> {
        let mut record = call.record("asked");
        record.insert("facts".into(), facts);
        let has_room = lock(&self.0.refused).has_room(&call.client, Instant::now());
        let late = match (has_room, passes) {
            (true, _) => {
                if self.write(record).is_err() && !passes {
                    return Err(Unrecorded::Unwritable);
                }
                None
            }
            (false, true) => Some(record),
            (false, false) => return Err(Unrecorded::Crowded),
        };
        let open = Open {
            client: call.client.clone(),
            late,
            answered: call.record("answered"),
        };
        Ok(Asked {
            trail: self.clone(),
            open: Some(open),
        })
    }

    /// Counts a call of a known client that was refused before it was looked at.
    pub fn shed(&self, client: &str, reason: &'static str) {
        lock(&self.0.refused).count(client, reason, Instant::now());
    }

    /// Records a denied call: each of a known client, up to a number of its own within an interval;
    /// those of strangers by address. True for one that was told alone, of a known client.
    pub fn denied(&self, call: &Call, code: &str) -> bool {
        let now = Instant::now();
        if call.client.is_empty() {
            let alone = lock(&self.0.strangers).one(&network(&call.peer), now);
            if let Some(address) = alone {
                self.strangers(&address, 1);
            }
            return false;
        }
        let alone = lock(&self.0.clients).one(&call.client, now).is_some();
        if alone {
            let mut record = call.record("denied");
            record.insert("code".into(), code.into());
            let _ = self.write(record);
        }
        alone
    }

    fn strangers(&self, address: &str, count: u64) {
        let mut record = event("strangers");
        record.insert("address".into(), address.into());
        record.insert("count".into(), count.into());
        let _ = self.write(record);
        tracing::warn!(target: AUDIT, address, count, "strangers denied");
    }

    /// Tells of floods once their interval has ended, syncs, and removes what is old, for ever: at
    /// intervals, and whenever another file begins.
    pub async fn keep(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SYNC) => {}
                () = self.0.rotated.notified() => {}
            }
            let this = self.clone();
            let kept = tokio::task::spawn_blocking(move || {
                this.tell_counted(|fold| fold.due(Instant::now()));
                this.tell_refused(|refused| refused.due(Instant::now()));
                this.tend(clock::utc_now_ms());
            });
            let _ = kept.await;
        }
    }

    /// Writes and syncs what is left.
    pub fn close(&self) {
        self.tell_counted(Fold::end);
        self.tell_refused(Refused::end);
        let _ = self.write(event("stopped"));
        self.tend(clock::utc_now_ms());
    }

    fn tell_counted(&self, of: impl Fn(&mut Fold) -> Vec<(String, u64)>) {
        let clients = of(&mut lock(&self.0.clients));
        for (client, count) in clients {
            let mut record = event("denied");
            record.insert("client".into(), client.into());
            record.insert("count".into(), count.into());
            let _ = self.write(record);
        }
        let strangers = of(&mut lock(&self.0.strangers));
        for (address, count) in strangers {
            self.strangers(&address, count);
        }
    }

    fn tell_refused(&self, of: impl Fn(&mut Refused) -> Vec<(String, Counted)>) {
        let clients = of(&mut lock(&self.0.refused));
        for (client, counted) in clients {
            let reasons = counted.into_iter();
            let reasons = reasons.map(|(reason, count)| (reason.to_owned(), count.into()));
            let mut record = event("refused");
            record.insert("client".into(), client.into());
            record.insert("reasons".into(), Record::from_iter(reasons).into());
            let _ = self.write(record);
        }
    }

    /// Syncs, and removes the oldest files; no writer waits for a disk meanwhile. What fails is tried
    /// again the next time.
    fn tend(&self, now_ms: i64) {
        let _one = lock(&self.0.tending);
        let surplus = self.surplus(self.0.age.now_ms(now_ms, Instant::now()));
        if let Err(error) = self.sync() {
            tracing::error!(%error, "the audit trail cannot be synced");
            return;
        }
        let removed = surplus.and_then(|files| files.iter().try_for_each(|file| remove(file)));
        if let Err(error) = removed {
            tracing::error!(%error, "old audit records cannot be removed");
        }
    }

    /// The oldest files, to be removed once all is synced: the head knows by then that the trail
    /// begins later.
    fn surplus(&self, now_ms: i64) -> io::Result<Vec<PathBuf>> {
        let (surplus, before_first) = files::surplus(&self.0.settings, now_ms)?;
        if let Some(before_first) = before_first {
            lock(&self.0.writer).begins_after(before_first)?;
        }
        Ok(surplus)
    }

    fn sync(&self) -> io::Result<()> {
        let unsynced = lock(&self.0.writer).unsynced()?;
        if let Some(unsynced) = unsynced {
            unsynced.sync()?;
            lock(&self.0.writer).synced(&unsynced);
        }
        Ok(())
    }

    fn write(&self, mut record: Record) -> io::Result<()> {
        let now_ms = clock::utc_now_ms();
        record.insert("at".into(), utc(now_ms).into());
        let mut record = Value::Object(record);
        fit(&mut record, &self.0.redactor);
        let body = ascii(&record.to_string());
        let written = lock(&self.0.writer).write(&body, now_ms);
        match &written {
            Ok(true) => self.0.rotated.notify_one(),
            Ok(false) => {}
            Err(error) => {
                metrics::counter!("mymt5_audit_records_unwritten_total").increment(1);
                tracing::error!(target: AUDIT, %error, record = body, "audit record not written: make room on its disk");
            }
        }
        written.map(drop)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a file; one that is gone already was removed by another.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn event(name: &str) -> Record {
    Record::from_iter([("event".to_owned(), name.into())])
}

/// RFC 3339 with milliseconds.
fn utc(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Of too long a text its length alone; members without a value are left out. Each text passes the
/// redactor by itself: in a whole line, one could be taken for the name of what follows it.
fn fit(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            *text = if length > LONGEST {
                format!("({length} characters)")
            } else {
                redactor.clean(text).into_owned()
            };
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fit(item, redactor)),
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members
                .values_mut()
                .for_each(|member| fit(member, redactor));
        }
        _ => {}
    }
}

/// JSON that no terminal or editor can take for anything else.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if matches!(letter, ' '..='~') {
            text.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a text cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// What a stranger's address belongs to: itself, or the /64 that one host of IPv6 commonly has.
fn network(peer: &str) -> String {
    match peer
        .parse::<SocketAddr>()
        .map(|peer| peer.ip().to_canonical())
    {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
        Err(_) => peer.to_owned(),
    }
}
