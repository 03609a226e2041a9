//! Loss accounting: the day's loss against its base and the drawdown against the start or the
//! high-water mark, both on equity, so that floating results, swap and commission count.

mod headroom;
mod meter;
mod settings;

#[cfg(test)]
mod tests;

pub use headroom::Headroom;
pub use meter::{Breach, LossMeter, LossState};
pub use settings::{
    Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossSettings, ResetHour,
    ResetHourError, ScopeLimits,
};
