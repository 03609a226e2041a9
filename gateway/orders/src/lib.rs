//! What happens to an order, whatever happens: one synchronous value, [`Core`], made of parts that
//! own their behaviour. It knows no task, clock, file or wire format.
//!
//! One way in: [`Core::step`] with an [`Input`] (a call, an answer of the broker, its rows and
//! history, the passing of time) and what [`Core::wanted`] asked to be looked up for it. One way out:
//! [`Core::take_outbox`]. The shell commits the records, tells answers and events once they are
//! durable, and says so by [`Input::Durable`]; only then do requests leave that depend on them. So a
//! market order takes two commits: what was asked before it is sent, what became of it before it is
//! told.
//!
//! # Rooms
//! * The way of an order: [`Input::Call`] -> `calls` (its id) -> `entries`, `exits`, `modify` (rules)
//!   -> `queue` (turns) -> `leaving` (what must still hold) -> the broker -> `answered`, `deals`,
//!   `rows` (evidence).
//! * A tick is not an input: each step reads the latest [`Quote`] of a symbol through [`Market`].
//! * The core and its edges: `core` (the step), `input` (the one way in) with `broker` and `market`
//!   (what is asked and told there), `outcome` (what a return code means) and `time`, `outbox` (the one way out) with `records`, `events` and
//!   `notices`.
//! * Orders: `orders` in memory, each an `order` that lives by `transitions`; `requests` (ids),
//!   `changes` on their way and `changed` (what became of them), `canceled`, `absence` (what missing
//!   rows tell).
//! * The account: `book` (positions), `ledger` (the balance) and `losses`, `exposure` (facts for
//!   limits), `foreign`, `unread` (rows that nobody understands), `reconcile` (passes).
//! * Who may what: `grants`, `sessions`, `states`, `limits` (what losses do), `flatten`,
//!   `closed_markets`; `watch` looks after all of it each second.
//! * What an operator or a caller asks first: `operator`, `obstacles`, `check`; what a monitor is told:
//!   `figures`.
//!
//! # Words
//! * *Entry*: what may open or add; *exit*: a close of a named position.
//! * *Change*: a cancellation, new terms of an order, new levels of a position.
//! * *Pass*: rows and, read after them, the history. *Orphan*: a row in a client's slot that the
//!   journal does not know. *Foreign*: made by nobody of ours and not by the broker itself.
//! * *Scope*: a client or, without a name, the account.

mod absence;
mod answered;
mod book;
mod broker;
mod calls;
mod canceled;
mod changed;
mod changes;
mod check;
mod closed_markets;
mod core;
mod deals;
mod entries;
mod events;
mod exits;
mod exposure;
mod figures;
mod flatten;
mod foreign;
mod grants;
mod input;
mod leaving;
mod ledger;
mod limits;
mod losses;
mod market;
#[cfg(test)]
mod messages;
mod modify;
mod notices;
mod obstacles;
mod operator;
mod order;
mod orders;
mod outbox;
mod outcome;
mod queue;
mod reconcile;
mod records;
mod requests;
mod rows;
mod sessions;
mod states;
mod time;
mod transitions;
mod unread;
mod watch;

pub use self::core::{Config, Core};
pub use book::{Book, Disagreement, Position};
pub use broker::{History, RowKind, SendFailure, Snapshot, Unreadable};
pub use calls::{Acceptance, Adoption, Call, Command, OrderEdit, PositionEdit, Resolution};
pub use check::{BrokerFigures, CheckReport};
pub use events::{Audience, Event, Recorded};
pub use figures::ScopeLosses;
pub use flatten::{FlattenReport, Item, Leftover};
pub use grants::Grant;
pub use input::{Found, Input, Wanted};
pub use losses::DAYS_RESULTS_MS;
pub use market::{Market, Quote};
pub use notices::{Notice, Severity};
pub use obstacles::{Obstacle, ObstacleKind};
pub use order::{Exit, NewOrder, Order, Purpose};
pub use orders::{order_id_at, reason};
pub use outbox::{Answer, Asker, ChangeAnswer, ChangeId, Job, Outbox, Outgoing};
pub use outcome::{judge, settled};
pub use reconcile::{Lookback, ReconcileConfig};
pub use records::{
    ChangeEdit, ChangeOutcome, Denial, Flattening, Freeze, LedgerRow, Loaded, LossRow, OwnedDeal,
    Record, Request, RequestKey, StateRow, Subject, Target,
};
pub use sessions::{DeadMan, DeadManAction};
pub use time::Now;
