//! What may be lost, measured from where, and what follows.

use crate::{Limits, Percent};
use mymt5_model::{BrokerTime, Money};
use serde::{Deserialize, Serialize};

/// Everything that limits one scope: a client or the account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScopeLimits {
    /// Limits of entries.
    pub entry: Limits,
    /// Limits of losses.
    pub loss: LossSettings,
}

/// The limits of losses; none: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSettings {
    /// Loss within one day.
    pub daily: Option<DailyLoss>,
    /// Loss in total.
    pub drawdown: Option<Drawdown>,
}

/// The limit of a day's loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DailyLoss {
    /// How far equity may fall below the day's base.
    pub allowance: Allowance,
    /// What the base is taken from.
    pub base: BaseKind,
    /// When the day begins.
    pub reset_hour: ResetHour,
    /// What follows.
    pub action: LimitAction,
}

/// The limit of the loss in total.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawdown {
    /// How far equity may fall below the reference.
    pub allowance: Allowance,
    /// What the reference is.
    pub kind: DrawdownKind,
    /// The balance at the start; none: the one first seen. It matters only when the account is
    /// seen for the first time.
    pub initial_balance: Option<Money>,
    /// What follows.
    pub action: LimitAction,
}

/// How much may be lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowance {
    /// That much, in the account currency.
    Amount(Money),
    /// A share of the level that losses are measured from, as flows have shifted it: with the
    /// capital that is withdrawn goes what may be lost of it.
    Share(Percent),
}

impl Allowance {
    /// The amount, measured from that level.
    #[must_use]
    pub fn of(self, level: Money) -> Money {
        match self {
            Self::Amount(amount) => amount,
            Self::Share(percent) => percent.of(level),
        }
    }
}

/// What a day's base is taken from, at the reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseKind {
    /// The balance.
    Balance,
    /// The equity.
    Equity,
    /// The greater of both: the strictest.
    #[default]
    Greater,
}

impl BaseKind {
    pub(super) fn of(self, equity: Money, balance: Money) -> Money {
        match self {
            Self::Balance => balance,
            Self::Equity => equity,
            Self::Greater => equity.max(balance),
        }
    }
}

/// What a drawdown is measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawdownKind {
    /// The balance at the start.
    Static,
    /// The highest equity so far.
    #[default]
    Trailing,
}

/// What follows when a limit is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitAction {
    /// Entries are refused while the limit holds; nothing else.
    Block,
    /// The scope is put into REDUCING.
    Reduce,
    /// The scope is put into HALTED.
    #[default]
    Halt,
    /// The scope is put into HALTED and its positions are closed.
    Flatten,
}

/// The hour of the broker's clock at which a day of account begins: 0 to 23.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct ResetHour(u8);

/// A number that is not an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an hour is 0 to 23")]
pub struct ResetHourError;

impl ResetHour {
    const HOUR_MS: i64 = 3_600_000;

    /// The last reset at or before that time.
    #[must_use]
    pub const fn last(self, time: BrokerTime) -> BrokerTime {
        let shift = self.0 as i64 * Self::HOUR_MS;
        BrokerTime(BrokerTime(time.0 - shift).day_start().0 + shift)
    }
}

impl TryFrom<u8> for ResetHour {
    type Error = ResetHourError;
    fn try_from(hour: u8) -> Result<Self, ResetHourError> {
        if hour < 24 {
            Ok(Self(hour))
        } else {
            Err(ResetHourError)
        }
    }
}

impl From<ResetHour> for u8 {
    fn from(hour: ResetHour) -> Self {
        hour.0
    }
}
