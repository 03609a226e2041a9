//! The loss of a day and in total, on equity. The accounting is the guard's; what follows is ours:
//! entries are held back, or everything is closed, too.

use super::{
    RiskRefused,
    keys::{self, PERCENT},
};
use mymt5_chassis::loader::Section;
use mymt5_guard::{
    Allowance, DailyLoss, Drawdown, LimitAction, LossMeter, LossSettings, ResetHour,
};
use mymt5_model::Reason;
use serde::Deserialize;

/// What follows a loss, as the configuration has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// No entries.
    Block,
    /// No entries, and nothing stays open.
    #[default]
    Close,
}

impl From<Action> for LimitAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Block => Self::Block,
            Action::Close => Self::Flatten,
        }
    }
}

/// Reads `daily_loss` and `drawdown`.
pub(super) fn read(section: &mut Section<'_>, reset_hour: ResetHour) -> LossSettings {
    LossSettings {
        daily: daily(section, reset_hour),
        drawdown: drawdown(section),
    }
}

fn daily(section: &mut Section<'_>, reset_hour: ResetHour) -> Option<DailyLoss> {
    let base = section.optional("daily_loss.base", "\"balance\", \"equity\" or \"greater\"");
    let action = action(section, "daily_loss.action");
    Some(DailyLoss {
        allowance: allowance(section, "daily_loss")?,
        base: base.unwrap_or_default(),
        reset_hour,
        action: action.unwrap_or_default().into(),
    })
}

fn drawdown(section: &mut Section<'_>) -> Option<Drawdown> {
    let kind = section.optional("drawdown.kind", "\"static\" or \"trailing\"");
    let initial_balance = keys::amount(section, "drawdown.initial_balance");
    let action = action(section, "drawdown.action");
    Some(Drawdown {
        allowance: allowance(section, "drawdown")?,
        kind: kind.unwrap_or_default(),
        initial_balance,
        action: action.unwrap_or_default().into(),
    })
}

fn action(section: &mut Section<'_>, part: &str) -> Option<Action> {
    section.optional(part, "\"block\" or \"close\"")
}

/// What may be lost: an amount or a percentage, and one of them where the table is there.
fn allowance(section: &mut Section<'_>, table: &str) -> Option<Allowance> {
    let (amount_part, percent_part) = (format!("{table}.amount"), format!("{table}.percent"));
    let is_set = section.has(&amount_part) || section.has(&percent_part);
    let amount = keys::amount(section, &amount_part).map(Allowance::Amount);
    let percent = section.optional(&percent_part, PERCENT);
    let percent = percent.map(Allowance::Share);
    match (amount, percent) {
        (Some(_), Some(_)) => {
            section.reject(table, "has two limits", "set either amount or percent");
        }
        (None, None) if section.has(table) && !is_set => {
            section.reject(table, "has no limit", "set amount or percent");
        }
        _ => {}
    }
    amount.or(percent)
}

/// Refuses entries while a limit holds, and while nothing was read yet.
pub(super) fn check(meter: &LossMeter) -> Result<(), RiskRefused> {
    match meter.blocks().map(|refusal| refusal.reason()) {
        None => Ok(()),
        Some(Reason::LimitDrawdown) => Err(RiskRefused::Drawdown),
        Some(Reason::LimitDailyLoss) => Err(RiskRefused::DailyLoss),
        Some(_) => Err(RiskRefused::AccountUnknown),
    }
}

/// The limit that closes everything now, without those that are spared.
pub(super) fn closes(meter: &LossMeter, spares: impl Fn(Reason) -> bool) -> Option<RiskRefused> {
    let state = meter.state()?;
    let LossSettings { daily, drawdown } = meter.settings();
    let closes = |action: LimitAction| action == LimitAction::Flatten;
    let drawdown = drawdown.filter(|_| !spares(Reason::LimitDrawdown));
    let daily = daily.filter(|_| !spares(Reason::LimitDailyLoss));
    if state.drawdown_latched && drawdown.is_some_and(|limit| closes(limit.action)) {
        return Some(RiskRefused::Drawdown);
    }
    let daily = state.daily_reached && daily.is_some_and(|limit| closes(limit.action));
    daily.then_some(RiskRefused::DailyLoss)
}
