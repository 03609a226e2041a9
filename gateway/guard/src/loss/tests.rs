#![allow(clippy::unwrap_used)]
//! Examples of each rule, and what holds under any sequence of readings, flows and restarts.

use super::*;
use crate::{Fact, Percent};
use mymt5_model::{BrokerTime, Money, Reason};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn money(amount: i64) -> Money {
    Money::from_units(i128::from(amount) * Money::SCALE)
}

fn share(percent: f64) -> Allowance {
    Allowance::Share(Percent::try_from(percent).unwrap())
}

fn daily(allowance: Allowance, base: BaseKind, hour: u8) -> LossSettings {
    let daily = DailyLoss {
        allowance,
        base,
        reset_hour: ResetHour::try_from(hour).unwrap(),
        action: LimitAction::Reduce,
    };
    LossSettings {
        daily: Some(daily),
        drawdown: None,
    }
}

fn drawdown(allowance: Allowance, kind: DrawdownKind) -> LossSettings {
    let drawdown = Drawdown {
        allowance,
        kind,
        initial_balance: None,
        action: LimitAction::Flatten,
    };
    LossSettings {
        daily: None,
        drawdown: Some(drawdown),
    }
}

/// A meter, and what it tells of readings (time, equity, balance).
struct Play(LossMeter);

impl Play {
    fn of(settings: LossSettings) -> Self {
        Self(LossMeter::resume(settings, None))
    }

    fn see(&mut self, time: i64, equity: i64, balance: i64) -> Vec<Reason> {
        let breaches = self
            .0
            .observe(BrokerTime(time), money(equity), money(balance));
        breaches.into_iter().map(|breach| breach.limit).collect()
    }

    fn blocks(&self) -> Option<Reason> {
        self.0.blocks().map(|refusal| refusal.reason())
    }

    fn base(&self) -> Money {
        self.0.state().unwrap().base
    }

    /// A restart: the state goes through text.
    fn restarted(self) -> Self {
        let text = serde_json::to_string(&self.0.state()).unwrap();
        let state = serde_json::from_str(&text).unwrap();
        Self(LossMeter::resume(self.0.settings(), state))
    }
}

#[test]
fn the_base_is_what_the_settings_say() {
    for (kind, base) in [
        (BaseKind::Balance, 10_000),
        (BaseKind::Equity, 9_000),
        (BaseKind::Greater, 10_000),
    ] {
        let mut play = Play::of(daily(share(5.0), kind, 0));
        play.see(0, 9_000, 10_000);
        assert_eq!(play.base(), money(base), "{kind:?}");
    }
    let mut play = Play::of(daily(share(5.0), BaseKind::Greater, 0));
    play.see(0, 11_000, 10_000);
    assert_eq!(play.base(), money(11_000));
}

#[test]
fn a_daily_loss_is_told_once_and_holds_until_the_reset() {
    let mut play = Play::of(daily(share(5.0), BaseKind::Greater, 22));
    assert_eq!(play.0.blocks(), Some(Fact::Equity.missing()));
    assert!(play.see(23 * HOUR, 10_000, 10_000).is_empty());
    assert!(play.see(24 * HOUR, 9_501, 10_000).is_empty());
    assert_eq!(play.blocks(), None);
    assert_eq!(play.see(25 * HOUR, 9_500, 10_000), [Reason::LimitDailyLoss]);
    assert!(play.see(26 * HOUR, 9_400, 10_000).is_empty());
    assert!(play.see(46 * HOUR - 1_000, 9_800, 10_000).is_empty());
    assert_eq!(play.blocks(), Some(Reason::LimitDailyLoss));
    assert!(play.see(46 * HOUR, 9_800, 9_700).is_empty());
    assert_eq!((play.blocks(), play.base()), (None, money(9_800)));
    assert_eq!(play.see(47 * HOUR, 9_310, 9_700), [Reason::LimitDailyLoss]);
}

#[test]
fn a_reset_missed_takes_the_greater_of_the_equity_kept_and_the_balance_rebuilt() {
    for (kept, rebuilt, base) in [(10_500, 10_200, 10_500), (9_000, 10_200, 10_200)] {
        let mut play = Play::of(daily(share(5.0), BaseKind::Equity, 0));
        play.see(HOUR, kept, 10_000);
        let mut play = play.restarted();
        let now = BrokerTime(3 * DAY + HOUR);
        assert_eq!(play.0.missed_reset(now), Some(BrokerTime(3 * DAY)));
        play.0.catch_up(now, money(rebuilt));
        assert_eq!(play.0.missed_reset(now), None);
        play.0.catch_up(now, money(99_999));
        play.see(now.0, 9_990, 9_990);
        assert_eq!(play.base(), money(base));
    }
}

#[test]
fn a_reset_missed_and_not_caught_up_is_as_strict_as_what_is_known() {
    let mut play = Play::of(daily(share(5.0), BaseKind::Equity, 0));
    play.see(HOUR, 10_000, 10_000);
    let mut play = play.restarted();
    assert_eq!(play.see(DAY + HOUR, 9_400, 9_800), [Reason::LimitDailyLoss]);
    assert_eq!(play.base(), money(10_000));
}

#[test]
fn flows_before_a_reset_missed_move_the_equity_kept() {
    let mut play = Play::of(daily(share(5.0), BaseKind::Equity, 0));
    play.see(HOUR, 10_000, 10_000);
    play.0.flow(money(-4_000));
    let now = BrokerTime(DAY + HOUR);
    play.0.catch_up(now, money(5_900));
    assert_eq!(play.base(), money(6_000));
    play.0.flow(money(500));
    assert_eq!(play.base(), money(6_500));
}

#[test]
fn a_restart_within_the_day_moves_nothing() {
    let mut play = Play::of(daily(share(5.0), BaseKind::Greater, 0));
    play.see(HOUR, 10_000, 10_000);
    assert_eq!(play.see(2 * HOUR, 9_000, 9_000), [Reason::LimitDailyLoss]);
    let mut play = play.restarted();
    assert_eq!(play.0.missed_reset(BrokerTime(20 * HOUR)), None);
    assert!(play.see(20 * HOUR, 8_000, 8_000).is_empty());
    assert_eq!(
        (play.base(), play.blocks()),
        (money(10_000), Some(Reason::LimitDailyLoss))
    );
}

#[test]
fn a_day_whose_limit_is_gone_ends_as_it_began() {
    let mut play = Play::of(daily(share(5.0), BaseKind::Greater, 22));
    play.see(23 * HOUR, 10_000, 10_000);
    assert_eq!(
        play.see(23 * HOUR + 1, 9_000, 9_000),
        [Reason::LimitDailyLoss]
    );
    let state = play.0.state().cloned();
    let mut play = Play(LossMeter::resume(LossSettings::default(), state));
    assert_eq!(play.0.missed_reset(BrokerTime(46 * HOUR - 1)), None);
    play.see(46 * HOUR - 1, 9_000, 9_000);
    assert_eq!(play.blocks(), Some(Reason::LimitDailyLoss));
    play.see(46 * HOUR, 9_000, 9_000);
    assert_eq!((play.blocks(), play.base()), (None, money(9_000)));
}

#[test]
fn a_static_drawdown_counts_from_the_start_and_a_trailing_one_from_the_peak() {
    for (kind, deep) in [
        (DrawdownKind::Static, 9_000),
        (DrawdownKind::Trailing, 10_800),
    ] {
        let mut play = Play::of(drawdown(share(10.0), kind));
        play.see(0, 10_000, 10_000);
        play.see(1, 12_000, 10_000);
        assert!(play.see(2, deep + 1, 10_000).is_empty(), "{kind:?}");
        assert_eq!(
            play.see(3, deep, 10_000),
            [Reason::LimitDrawdown],
            "{kind:?}"
        );
    }
}

#[test]
fn a_configured_start_counts_what_was_lost_before() {
    let mut settings = drawdown(Allowance::Amount(money(1_000)), DrawdownKind::Static);
    settings.drawdown.as_mut().unwrap().initial_balance = Some(money(10_000));
    let mut play = Play::of(settings);
    assert_eq!(play.see(0, 9_000, 9_000), [Reason::LimitDrawdown]);
}

#[test]
fn a_clearance_measures_again() {
    let mut play = Play::of(drawdown(share(10.0), DrawdownKind::Static));
    play.see(0, 10_000, 10_000);
    assert!(!play.0.clear());
    assert_eq!(play.see(1, 8_000, 8_000), [Reason::LimitDrawdown]);
    assert!(play.see(2, 20_000, 20_000).is_empty());
    assert_eq!(play.blocks(), Some(Reason::LimitDrawdown));
    play.see(3, 8_000, 8_000);
    assert!(play.0.clear());
    assert_eq!(play.blocks(), None);
    assert!(play.see(4, 7_300, 7_300).is_empty());
    assert_eq!(play.see(5, 7_200, 7_200), [Reason::LimitDrawdown]);
}

#[test]
fn actions_travel_with_their_breach() {
    let mut play = Play::of(LossSettings {
        drawdown: drawdown(share(10.0), DrawdownKind::Trailing).drawdown,
        ..daily(share(5.0), BaseKind::Greater, 0)
    });
    play.see(0, 10_000, 10_000);
    let breaches = play.0.observe(BrokerTime(1), money(5_000), money(10_000));
    let actions: Vec<_> = breaches.iter().map(|breach| breach.action).collect();
    assert_eq!(actions, [LimitAction::Reduce, LimitAction::Flatten]);
}

#[test]
fn an_emptied_account_has_lost_nothing() {
    let mut play = Play::of(LossSettings {
        drawdown: drawdown(share(10.0), DrawdownKind::Trailing).drawdown,
        ..daily(share(5.0), BaseKind::Greater, 0)
    });
    play.see(0, 10_000, 10_000);
    play.0.flow(money(-10_000));
    assert!(play.see(1, 0, 0).is_empty());
}

#[test]
fn hours_are_checked_where_they_are_read() {
    assert!(serde_json::from_str::<ResetHour>("24").is_err());
    assert_eq!(
        ResetHour::try_from(22).unwrap().last(BrokerTime(0)),
        BrokerTime(-2 * HOUR)
    );
}

/// What may happen to a meter.
#[derive(Clone, Debug)]
enum Step {
    /// So many minutes later the trades have earned so much, of which the second part floats.
    See(i64, i64, i64),
    Flow(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..900i64, -300..300i64, -200..200i64)
            .prop_map(|(minutes, gain, floating)| Step::See(minutes, gain, floating)),
        1 => (-2_000..2_000i64).prop_map(Step::Flow),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

fn settings() -> impl Strategy<Value = LossSettings> {
    let kinds = prop_oneof![Just(DrawdownKind::Static), Just(DrawdownKind::Trailing)];
    let bases = prop_oneof![
        Just(BaseKind::Balance),
        Just(BaseKind::Equity),
        Just(BaseKind::Greater)
    ];
    let allowances = || {
        prop_oneof![
            (1..20i64).prop_map(|percent| share(percent as f64)),
            (1..1_000i64).prop_map(|amount| Allowance::Amount(money(amount))),
        ]
    };
    (allowances(), allowances(), kinds, bases, 0..24u8).prop_map(
        |(day, total, kind, base, hour)| LossSettings {
            daily: daily(day, base, hour).daily,
            drawdown: drawdown(total, kind).drawdown,
        },
    )
}

proptest! {
    #[test]
    fn the_base_moves_at_resets_and_by_flows_only(settings in settings(), steps in steps()) {
        let mut play = Play::of(settings);
        let mut time = 0;
        let mut balance = 100_000;
        play.see(time, balance, balance);
        for step in steps {
            let (day, base) = (play.0.state().unwrap().day, play.base());
            match step {
                Step::See(minutes, gain, floating) => {
                    time += minutes * 60_000;
                    balance += gain;
                    play.see(time, balance + floating, balance);
                    let same = play.0.state().unwrap().day == day;
                    prop_assert!(!same || play.base() == base);
                    prop_assert_eq!(play.0.state().unwrap().day, settings.daily.unwrap().reset_hour.last(BrokerTime(time)));
                }
                Step::Flow(amount) => {
                    balance += amount;
                    play.0.flow(money(amount));
                    prop_assert_eq!(play.base(), base + money(amount));
                }
                Step::Restart => {
                    play = play.restarted();
                    prop_assert_eq!(play.base(), base);
                }
            }
        }
    }

    #[test]
    fn a_deposit_neither_breaches_nor_frees(settings in settings(), steps in steps(), deposit in 1..100_000i64) {
        let mut play = Play::of(settings);
        let mut time = 0;
        let mut balance = 100_000;
        let mut equity = 100_000;
        play.see(time, equity, balance);
        for step in steps {
            if let Step::See(minutes, gain, floating) = step {
                time += minutes * 60_000;
                balance += gain;
                equity = balance + floating;
                play.see(time, equity, balance);
            }
        }
        let before = play.blocks();
        play.0.flow(money(deposit));
        prop_assert_eq!(play.see(time, equity + deposit, balance + deposit), []);
        prop_assert_eq!(play.blocks(), before);
    }

    #[test]
    fn of_amounts_a_withdrawal_takes_nothing(fixed in any::<bool>(), amount in 1..1_000i64, loss in 0..900i64, withdrawal in 1..90_000i64) {
        prop_assume!(loss < amount);
        let kind = if fixed { DrawdownKind::Static } else { DrawdownKind::Trailing };
        let mut play = Play::of(LossSettings {
            daily: daily(Allowance::Amount(money(amount)), BaseKind::Greater, 0).daily,
            drawdown: drawdown(Allowance::Amount(money(amount)), kind).drawdown,
        });
        play.see(0, 100_000, 100_000);
        prop_assert_eq!(play.see(1, 100_000 - loss, 100_000), []);
        play.0.flow(money(-withdrawal));
        prop_assert_eq!(play.see(2, 100_000 - loss - withdrawal, 100_000 - withdrawal), []);
        prop_assert_eq!(play.see(3, 100_000 - amount - withdrawal, 100_000 - withdrawal).len(), 2);
    }

    #[test]
    fn a_latch_holds_whatever_follows(settings in settings(), steps in steps()) {
        let mut play = Play::of(settings);
        let mut time = 0;
        play.see(time, 100_000, 100_000);
        prop_assert!(play.see(time, 10_000, 10_000).contains(&Reason::LimitDrawdown));
        for step in steps {
            match step {
                Step::See(minutes, gain, _) => {
                    time += minutes * 60_000;
                    let breached = play.see(time, 500_000 + gain, 500_000);
                    prop_assert!(!breached.contains(&Reason::LimitDrawdown));
                }
                Step::Flow(amount) => play.0.flow(money(amount)),
                Step::Restart => play = play.restarted(),
            }
            prop_assert_eq!(play.blocks(), Some(Reason::LimitDrawdown));
        }
        prop_assert!(play.0.clear());
    }
}
