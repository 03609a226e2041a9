//! What must survive: requests, orders, deals, positions, events, trading states. One SQLite
//! file, one writer; nothing leaves for the broker and nothing is told before it is in here.

mod backup;
mod load;
mod mark;
mod restore;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub use backup::backup;
pub use restore::{Closures, begin_epoch, set_aside};
pub use sqlite::Sqlite;
pub use writer::Writer;

use crate::{
    book::Position,
    orders::{Order, Recorded},
};
use mymt5_guard::{LossState, TradingState};
use mymt5_model::{
    ClientName, DealRow, Levels, MaskedAccount, Money, OrderId, PositionId, RequestId, Symbol,
    Ticket, UtcTime,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The embedded simulator, whose account outlives the process.
pub const SIMULATOR: &str = "simulator";
/// The embedded simulator replaying a file: an account for one run.
pub const REPLAY: &str = "replay";
/// The broker kind of a real terminal.
pub const TERMINAL: &str = "terminal";

/// The journal's file name for a kind of broker.
#[must_use]
pub fn file_of(broker: &str) -> &'static str {
    if broker == REPLAY {
        "replay.db"
    } else {
        "journal.db"
    }
}

/// Removes a journal and what lies beside it.
///
/// # Errors
/// A file that exists cannot be removed.
pub fn remove(path: &Path) -> std::io::Result<()> {
    for extension in ["db", "db-wal", "db-shm", "mark"] {
        match std::fs::remove_file(path.with_extension(extension)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Which account a journal belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `simulator`, `replay` or `terminal`.
    pub broker: &'static str,
    /// The trade server's name: kept as a digest only.
    pub server: String,
    /// The masked login.
    pub account: MaskedAccount,
}

/// What a request id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The order that the call made or changes.
    Order(OrderId),
    /// Levels asked for of a position, and what became of that.
    Levels(PositionId, Levels, LevelsOutcome),
    /// A trading state, entered when the call was taken.
    TradingState(TradingState),
    /// A flattening: cancellations and closes begun.
    Flatten(u32, u32),
    /// Something that has no more to tell than that it was done.
    Done,
}

/// What became of a change of a position's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LevelsOutcome {
    /// On its way.
    Pending,
    /// Done.
    Done,
    /// Refused with that return code.
    Refused(u32),
    /// Never left, or the rows show that it did not happen.
    NotDone,
    /// May have happened; the rows decide.
    Unknown,
}

/// A mutating call that was taken: who, what, when. Never pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client.
    pub client: ClientName,
    /// Its id of the call.
    pub request_id: RequestId,
    /// The RPC.
    pub method: String,
    /// Digest of method and content, hex.
    pub content: String,
    /// What it led to.
    pub subject: Subject,
    /// When it was taken.
    pub at: UtcTime,
    /// W3C trace id.
    pub correlation: String,
}

/// A deal with its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnedDeal {
    /// The broker's row.
    pub deal: DealRow,
    /// The order of ours it fills.
    pub order: Option<OrderId>,
    /// The owner; none: foreign.
    pub client: Option<ClientName>,
    /// The strategy's name.
    pub tag: String,
}

/// A trading state and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRow {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// The state.
    pub state: TradingState,
    /// Why.
    pub reason: String,
    /// Who entered it: a client, `local`, or `gateway`.
    pub by: String,
    /// Since when.
    pub at: UtcTime,
}

/// How a scope's losses stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossRow {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// What losses are measured from, and what is latched.
    pub state: LossState,
    /// The account's balance when the scope was first seen.
    pub first_balance: Money,
    /// The newest deal then.
    pub first_deal: Ticket,
}

/// A call that was refused for lack of identity or permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: UtcTime,
    /// Who, as far as that is known.
    pub client: String,
    /// From where.
    pub peer: String,
    /// The call's path, cut to 128 characters.
    pub call: String,
    /// The status code's name.
    pub code: String,
    /// W3C trace id.
    pub correlation: String,
}

/// One thing to make durable. A batch of them is committed whole.
#[derive(Clone, Debug)]
pub enum Record {
    /// A request id is bound.
    Request(Request),
    /// What a bound request led to is known by now.
    Outcome(ClientName, RequestId, Subject),
    /// An order as it stands now.
    Order(Box<Order>),
    /// A deal.
    Deal(Arc<OwnedDeal>),
    /// A position as it stands now.
    Position(Box<Position>),
    /// A position is gone.
    PositionClosed(PositionId),
    /// An event.
    Event(Arc<Recorded>),
    /// A trading state.
    State(StateRow),
    /// How a scope's losses stand.
    Losses(LossRow),
    /// A client's number in the magic of its orders.
    Slot(ClientName, u16),
    /// The symbols that somebody else's trade froze, all of them.
    Touched(BTreeSet<Symbol>),
    /// A denied call.
    Denial(Denial),
}

/// What a journal holds at the start.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Identity of the event sequence.
    pub journal_id: String,
    /// Each client's number in the magic of its orders; never used again for another.
    pub slots: BTreeMap<ClientName, u16>,
    /// All request ids.
    pub requests: Vec<Request>,
    /// All orders, by id.
    pub orders: Vec<Order>,
    /// All deals, by ticket.
    pub deals: Vec<OwnedDeal>,
    /// Open positions.
    pub positions: Vec<Position>,
    /// The newest events.
    pub events: Vec<Recorded>,
    /// Sequence of the newest event.
    pub sequence: u64,
    /// Trading states.
    pub states: Vec<StateRow>,
    /// How losses stand.
    pub losses: Vec<LossRow>,
    /// Symbols that somebody else's trade froze.
    pub touched: BTreeSet<Symbol>,
}

/// Why a journal does not open, or cannot be written any more.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Opening failed.
    #[error("the journal {} cannot be opened", .0.display())]
    Open(PathBuf, #[source] rusqlite::Error),
    /// It is no journal of this program.
    #[error("{} is no journal; move it away, or restore a backup", .0.display())]
    Foreign(PathBuf),
    /// It was written by a newer version.
    #[error("the journal is of a newer version; run that version, or restore a backup made before")]
    Newer,
    /// It belongs to another account.
    #[error(
        "the journal belongs to another account ({kept}); give each account its own process.data_folder"
    )]
    OtherAccount {
        /// Broker kind and masked account of the journal.
        kept: String,
    },
    /// Its pages or rows are damaged.
    #[error("the journal is damaged ({what}); restore a backup with `mymt5-gateway restore`")]
    Damaged {
        /// What was found, without content.
        what: String,
    },
    /// It is older than what this folder has seen.
    #[error(
        "the journal was rolled back: it ends at event {found}, this folder has seen {seen}; put the newer file back, or run `mymt5-gateway restore`"
    )]
    RolledBack {
        /// Its newest event.
        found: u64,
        /// The newest event known to have been written.
        seen: u64,
    },
    /// It is gone, and a mark of it is left.
    #[error(
        "the journal {} is gone, and with it every request id; put it back, run `mymt5-gateway restore`, or remove journal.mark beside it to begin anew", .0.display()
    )]
    Lost(PathBuf),
    /// More clients than slots.
    #[error("all 2047 client slots of the journal are used")]
    SlotsUsedUp,
    /// Reading failed.
    #[error("the journal cannot be read")]
    Read(#[source] rusqlite::Error),
    /// Writing failed.
    #[error("the journal cannot be written")]
    Write(#[source] rusqlite::Error),
    /// A row cannot be put into words.
    #[error("a row of the journal cannot be written")]
    Encode(#[source] serde_json::Error),
    /// A file beside it failed.
    #[error("a file beside the journal cannot be written")]
    File(#[source] std::io::Error),
    /// The writer's thread is gone.
    #[error("the journal's writer is gone")]
    Gone,
}

impl JournalError {
    /// True when the file needs an operator: starting again would find it the same.
    #[must_use]
    pub const fn is_for_the_operator(&self) -> bool {
        matches!(
            self,
            Self::Foreign(_)
                | Self::Newer
                | Self::OtherAccount { .. }
                | Self::Damaged { .. }
                | Self::RolledBack { .. }
                | Self::Lost(_)
                | Self::SlotsUsedUp
        )
    }
}

/// Where batches are made durable: all of one, or nothing.
pub trait Journal: Send + 'static {
    /// Returns only once the batch is durable.
    ///
    /// # Errors
    /// The batch may or may not be durable; nothing of it may be told, sent or tried again.
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError>;
}

impl Journal for Box<dyn Journal> {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.as_mut().commit(batch)
    }
}
