//! What may be done: the table of trading states and actions, exit arithmetic, limits of entries,
//! and loss accounting. Pure; the gateway applies it with authority, the engine to itself.

mod exit;
mod facts;
mod limits;
mod loss;
mod percent;
mod rate;
mod state;

pub use exit::{ExitRefused, exit_allowed};
pub use facts::{EntryFacts, Exposure, Fact, StopFacts};
pub use limits::{LimitReached, Limits};
pub use loss::{
    Allowance, BaseKind, Breach, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossMeter,
    LossSettings, LossState, ResetHour, ResetHourError, ScopeLimits,
};
pub use percent::{Percent, PercentError};
pub use rate::Rate;
pub use state::{Action, TradingState};
