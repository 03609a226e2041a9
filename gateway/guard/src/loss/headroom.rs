//! What is left of the limits of losses.

use super::{LossSettings, LossState};
use mymt5_model::{Money, Reason};

/// How far a scope is from a limit of its losses, in the account currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// Which: `LimitDailyLoss` or `LimitDrawdown`.
    pub limit: Reason,
    /// What may be lost in all, from the level that this loss is measured from.
    pub allowed: Money,
    /// What may still be lost; zero once the limit is reached. More than is allowed in all after gains.
    pub left: Money,
}

impl LossState {
    /// Equity last seen, less what the day's loss is measured from.
    #[must_use]
    pub fn profit_today(&self) -> Money {
        self.last_equity - self.base
    }

    /// What is left of each limit that is set.
    #[must_use]
    pub fn headroom(&self, settings: &LossSettings) -> Vec<Headroom> {
        let of = |limit: Reason, reached: bool, level: Money, allowed: Money| {
            let left = (allowed + self.last_equity - level).max(Money::ZERO);
            Headroom {
                limit,
                allowed,
                left: if reached { Money::ZERO } else { left },
            }
        };
        let daily = settings.daily.map(|daily| {
            let allowed = daily.allowance.of(self.base);
            of(
                Reason::LimitDailyLoss,
                self.daily_reached,
                self.base,
                allowed,
            )
        });
        let drawdown = settings.drawdown.map(|drawdown| {
            let level = self.reference(drawdown.kind);
            let allowed = drawdown.allowance.of(level);
            of(Reason::LimitDrawdown, self.drawdown_latched, level, allowed)
        });
        daily.into_iter().chain(drawdown).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossMeter, ResetHour,
    };
    use mymt5_model::BrokerTime;

    fn money(units: f64) -> Money {
        Money::from_f64(units).unwrap()
    }

    fn settings() -> LossSettings {
        LossSettings {
            daily: Some(DailyLoss {
                allowance: Allowance::Amount(money(500.0)),
                base: BaseKind::Greater,
                reset_hour: ResetHour::default(),
                action: LimitAction::Block,
            }),
            drawdown: Some(Drawdown {
                allowance: Allowance::Amount(money(1_000.0)),
                kind: DrawdownKind::Trailing,
                initial_balance: None,
                action: LimitAction::Block,
            }),
        }
    }

    fn left(meter: &LossMeter) -> Vec<(Reason, Money)> {
        let room = meter.state().unwrap().headroom(&meter.settings());
        room.into_iter().map(|it| (it.limit, it.left)).collect()
    }

    #[test]
    fn what_is_left_shrinks_with_the_loss_and_ends_where_the_limit_is_reached() {
        let mut meter = LossMeter::resume(settings(), None);
        let mut at = |second: i64, equity: f64| {
            let time = BrokerTime(second * 1_000);
            meter.observe(time, money(equity), money(10_000.0));
            (meter.state().unwrap().profit_today(), left(&meter))
        };
        let both = |daily: f64, drawdown: f64| {
            vec![
                (Reason::LimitDailyLoss, money(daily)),
                (Reason::LimitDrawdown, money(drawdown)),
            ]
        };
        assert_eq!(at(0, 10_000.0), (Money::ZERO, both(500.0, 1_000.0)));
        assert_eq!(at(1, 10_200.0), (money(200.0), both(700.0, 1_000.0)));
        assert_eq!(at(2, 9_900.0), (money(-100.0), both(400.0, 700.0)));
        assert_eq!(at(3, 9_500.0), (money(-500.0), both(0.0, 300.0)));
        // Reached is reached, though equity recovers.
        assert_eq!(at(4, 9_800.0), (money(-200.0), both(0.0, 600.0)));
    }

    #[test]
    fn without_a_limit_there_is_nothing_left_of_one() {
        let mut meter = LossMeter::resume(LossSettings::default(), None);
        meter.observe(BrokerTime(0), money(10_000.0), money(10_000.0));
        assert!(left(&meter).is_empty());
    }
}
