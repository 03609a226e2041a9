//! What may be done: the table of trading states and actions, exit arithmetic, limits of entries,
//! and loss accounting. Pure; the orders core applies it.
//!
//! # Rooms
//! * What an entry must respect: `state` (who may still do what), `limits` over facts, with `rate` for
//!   how often.
//! * What a close must respect: `exit`.
//! * What losses do: `loss`, with `percent` for shares.
//! * What a configuration says of all of it: `settings`, with the feature of that name.
//!
//! # The way of an order
//! * An entry: the [`TradingState`] allows it -> no [`LossMeter`] blocks it -> its [`EntryFacts`], with
//!   the [`Exposure`] of the scope, meet the [`Limits`]; once for the client, once for the account.
//! * A close of a position: [`exit_allowed`] alone.
//! * Each reading of the account: [`LossMeter`] -> a [`Breach`] and the [`LimitAction`] that follows.

mod exit;
mod limits;
mod loss;
mod percent;
mod rate;
#[cfg(feature = "settings")]
mod settings;
mod state;

pub use exit::{ExitRefused, exit_allowed};
pub use limits::{EntryFacts, Exposure, Fact, Holding, Limits, StopFacts};
pub use loss::{
    Allowance, BaseKind, Breach, DailyLoss, Drawdown, DrawdownKind, Headroom, LimitAction,
    LossMeter, LossSettings, LossState, ResetHour, ResetHourError, ScopeLimits,
};
pub use percent::{Percent, PercentError};
pub use rate::Rate;
pub use state::{Action, TradingState};
