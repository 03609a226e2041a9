//! Limits of losses: what a breach leads to, that it holds across a restart, and how it ends.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossSettings, Percent,
    ResetHour, ScopeLimits,
    TradingState::{Active, Halted, Reducing},
};
use mymt5_model::{
    AccountRow, ClientName, DealKind, DealReason, DealRow, Entry, PositionRow, Reason, Retcode,
    Side, Ticket,
};
use mymt5_orders::{
    Answer, DeadMan, DeadManAction, Event, Grant, History, Input, Job, Notice, ObstacleKind,
    Snapshot,
};
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000;
/// From the start until the broker's day ends.
const NEXT_DAY: i64 = DAY - 3 * 3_600_000;

fn loss(loss: LossSettings) -> ScopeLimits {
    ScopeLimits {
        loss,
        ..ScopeLimits::default()
    }
}

/// At most 100.00 a day, from the greater base.
fn daily(action: LimitAction) -> ScopeLimits {
    let daily = DailyLoss {
        allowance: Allowance::Amount(money(100.0)),
        base: BaseKind::Greater,
        reset_hour: ResetHour::default(),
        action,
    };
    loss(LossSettings {
        daily: Some(daily),
        drawdown: None,
    })
}

/// At most 5 % below the high-water mark.
fn drawdown() -> ScopeLimits {
    let drawdown = Drawdown {
        allowance: Allowance::Share(Percent::try_from(5.0).unwrap()),
        kind: DrawdownKind::Trailing,
        initial_balance: None,
        action: LimitAction::Halt,
    };
    loss(LossSettings {
        daily: None,
        drawdown: Some(drawdown),
    })
}

/// A compared core with 10,000.00 and limits of the account.
fn of_account(account: ScopeLimits) -> Shell {
    let mut shell = limited(ScopeLimits::default(), account);
    shell.connect();
    shell
}

/// The same with limits of each client.
fn of_clients(clients: ScopeLimits) -> Shell {
    let mut shell = limited(clients, ScopeLimits::default());
    shell.connect();
    shell
}

fn figures(equity: f64, balance: f64) -> AccountRow {
    AccountRow {
        equity: money(equity),
        balance: money(balance),
        ..account()
    }
}

/// Rows of an account with these figures, that long after the start.
fn reading(shell: &Shell, account: AccountRow, after_ms: i64) -> Snapshot {
    Snapshot {
        account,
        time: Some(broker_time(after_ms)),
        ..shell.known_rows()
    }
}

/// Reads an equity, by a balance of 10,000.00.
fn observe(shell: &mut Shell, equity: f64, after_ms: i64) {
    read(shell, figures(equity, 10_000.0), after_ms);
}

fn read(shell: &mut Shell, account: AccountRow, after_ms: i64) {
    let rows = reading(shell, account, after_ms);
    shell.feed(Input::Rows(rows));
}

/// The process ends, and another compares, with that equity.
fn restart(shell: &mut Shell, equity: f64, after_ms: i64) {
    shell.restart();
    shell.quote_again();
    shell.feed(Input::Link(true));
    let rows = reading(shell, figures(equity, 10_000.0), after_ms);
    let history = shell.known_history();
    shell.feed(Input::Pass(rows, history));
}

/// A row of the balance, without a position.
fn balance_row(ticket: u64, kind: DealKind, amount: f64) -> DealRow {
    DealRow {
        kind,
        profit: money(amount),
        order: None,
        symbol: None,
        position_id: None,
        entry: None,
        price: None,
        ..deal(ticket, 0, Side::Buy, Entry::In, 0, 0)
    }
}

/// The positions of the core, the first with that floating profit.
fn with_floating(shell: &Shell, profit: f64) -> Vec<PositionRow> {
    let mut positions = shell.positions();
    positions[0].profit = money(profit);
    positions
}

fn read_floating(shell: &mut Shell, profit: f64, after_ms: i64) {
    let rows = Snapshot {
        positions: with_floating(shell, profit),
        ..reading(shell, figures(10_000.0 + profit, 10_000.0), after_ms)
    };
    shell.feed(Input::Rows(rows));
}

#[test]
fn a_days_loss_halts() {
    let mut shell = of_account(daily(LimitAction::Halt));
    observe(&mut shell, 9_900.01, 1);
    assert_eq!(shell.entry_refusal("alpha", "free"), None);
    observe(&mut shell, 9_900.0, 2);
    assert_eq!(shell.core.account_state(), Halted);
    let latched = |event: &Event| matches!(event, Event::LimitLatched(None, reason) if reason == "LIMIT_DAILY_LOSS");
    assert_eq!(shell.told(latched), 1);
    assert!(shell.noticed(|notice| matches!(notice, Notice::LossLimit { .. })));
}

#[test]
fn a_days_loss_holds_across_a_restart_until_the_next_day() {
    for restarts in [false, true] {
        let mut shell = of_account(daily(LimitAction::Block));
        observe(&mut shell, 9_900.0, 2);
        if restarts {
            restart(&mut shell, 10_500.0, 3);
        } else {
            observe(&mut shell, 10_500.0, 3);
        }
        assert_eq!(shell.core.account_state(), Active, "it only blocks");
        let blocked = shell.entry_refusal("alpha", "blocked");
        assert_eq!(blocked, Some(Reason::LimitDailyLoss));
        observe(&mut shell, 10_450.0, NEXT_DAY - 1);
        let blocked = shell.entry_refusal("alpha", "blocked");
        assert_eq!(blocked, Some(Reason::LimitDailyLoss));
        observe(&mut shell, 10_450.0, NEXT_DAY);
        assert_eq!(shell.entry_refusal("alpha", "free"), None);
    }
}

#[test]
fn reducing_by_a_days_loss_ends_with_the_day() {
    let mut shell = of_account(daily(LimitAction::Reduce));
    shell.feed(Input::Deal(balance_row(1, DealKind::Other, -1_000.0)));
    read(&mut shell, figures(9_000.0, 9_000.0), 1);
    assert_eq!(shell.core.account_state(), Reducing);
    read(&mut shell, figures(9_000.0, 9_000.0), NEXT_DAY);
    assert_eq!(shell.core.account_state(), Active);
}

#[test]
fn a_drawdown_is_latched_until_an_operator_resumes() {
    let mut shell = of_account(drawdown());
    observe(&mut shell, 12_000.0, 1);
    observe(&mut shell, 11_400.0, 2);
    observe(&mut shell, 12_000.0, 4 * DAY);
    restart(&mut shell, 12_000.0, 4 * DAY + 1);
    assert_eq!(shell.core.account_state(), Halted);
    let halted = shell.entry_refusal("alpha", "halted");
    assert_eq!(halted, Some(Reason::TradingStateForbids));
    shell.enter("resume", None, Active);
    assert_eq!(shell.entry_refusal("alpha", "free"), None);
    observe(&mut shell, 11_500.0, 4 * DAY + 2);
    assert_eq!(shell.core.account_state(), Active, "measured from now on");
}

#[test]
fn a_withdrawal_is_no_loss() {
    let mut shell = of_account(daily(LimitAction::Halt));
    let withdrawal = balance_row(1, DealKind::Balance, -5_000.0);
    shell.feed(Input::Deal(withdrawal));
    read(&mut shell, figures(5_000.0, 5_000.0), 1);
    assert_eq!(shell.core.account_state(), Active);
    let told =
        |event: &Event| matches!(event, Event::Balance(_, after) if *after == money(5_000.0));
    assert_eq!(shell.told(told), 1);
    read(&mut shell, figures(4_900.0, 5_000.0), 2);
    assert_eq!(shell.core.account_state(), Halted);
}

#[test]
fn a_withdrawal_is_no_loss_after_a_restart_before_the_next_reading() {
    let mut shell = of_account(daily(LimitAction::Halt));
    let withdrawal = balance_row(1, DealKind::Balance, -5_000.0);
    shell.feed(Input::Deal(withdrawal));
    shell.restart();
    shell.feed(Input::Link(true));
    let rows = reading(&shell, figures(5_000.0, 5_000.0), 1);
    let history = shell.known_history();
    shell.feed(Input::Pass(rows, history));
    assert_eq!(shell.core.account_state(), Active);
}

#[test]
fn a_client_is_measured_by_its_own_and_flattened_alone() {
    let mut shell = of_clients(daily(LimitAction::Flatten));
    shell.hold("alpha", 1, 0.1);
    shell.hold("beta", 2, 0.1);
    read_floating(&mut shell, -100.0, 1);
    let states = ["alpha", "beta"].map(|client| shell.core.state_of(&name(client)));
    assert_eq!(states, [Halted, Active]);
    shell.second();
    let sent = shell.leaves();
    assert_eq!(closed_by(&sent).0, Ticket(1));
    let Job::Order(id) = sent.job else { panic!() };
    assert_eq!(shell.order(id).client, name("alpha"));
    assert_eq!(shell.entry_refusal("beta", "on"), None);
}

/// The process ends, and another one compares, whose configuration limits no losses and, on demand,
/// has no alpha. The grants until then.
fn restart_unlimited(shell: &mut Shell, profit: f64, is_gone: bool) -> BTreeMap<ClientName, Grant> {
    let limited = shell.config.grants.clone();
    for grant in shell.config.grants.values_mut() {
        grant.loss = LossSettings::default();
    }
    if is_gone {
        shell.config.grants.remove(&name("alpha"));
    }
    let positions = with_floating(shell, profit);
    shell.restart();
    shell.quote_again();
    shell.feed(Input::Link(true));
    let rows = Snapshot {
        positions,
        ..reading(shell, figures(10_000.0 + profit, 10_000.0), 2)
    };
    let history = shell.known_history();
    shell.feed(Input::Pass(rows, history));
    limited
}

#[test]
fn a_clients_loss_holds_over_a_start_without_its_limit() {
    for is_gone in [false, true] {
        let mut shell = of_clients(daily(LimitAction::Reduce));
        shell.hold("alpha", 1, 0.1);
        read_floating(&mut shell, -100.0, 1);
        let alpha = name("alpha");
        assert_eq!(shell.core.state_of(&alpha), Reducing);
        let limited = restart_unlimited(&mut shell, -100.0, is_gone);
        assert_eq!(shell.core.state_of(&alpha), Reducing, "{is_gone}");
        shell.regrant(limited, ScopeLimits::default());
        // The limit was reached all the same, whatever is left of the loss.
        read_floating(&mut shell, -10.0, 3);
        assert_eq!(shell.core.state_of(&alpha), Reducing, "{is_gone}");
        let (_, state) = shell.core.losses_of(&Some(alpha.clone())).unwrap();
        assert_eq!(state.base, money(10_000.0), "{is_gone}");
        read_floating(&mut shell, 0.0, NEXT_DAY);
        assert_eq!(shell.core.state_of(&alpha), Active, "{is_gone}");
    }
}

#[test]
fn a_clients_loss_ends_with_the_day_though_its_limit_is_gone() {
    let mut shell = of_clients(daily(LimitAction::Reduce));
    shell.hold("alpha", 1, 0.1);
    read_floating(&mut shell, -100.0, 1);
    restart_unlimited(&mut shell, -100.0, false);
    assert!(shell.is_hindered_by(ObstacleKind::DailyLoss));
    read_floating(&mut shell, -100.0, NEXT_DAY);
    assert_eq!(shell.core.state_of(&name("alpha")), Active);
    shell.pass(60_001);
    shell.quote_again();
    assert!(!shell.is_hindered_by(ObstacleKind::LossUnmeasured));
    let told = shell.core.scope_losses();
    assert!(told.iter().all(|losses| losses.client.is_none()));
    assert_eq!(shell.entry_refusal("alpha", "free"), None);
}

#[test]
fn an_operator_resumes_after_a_drawdown_whose_limit_is_gone() {
    let mut shell = of_clients(drawdown());
    shell.hold("alpha", 1, 0.1);
    read_floating(&mut shell, -500.0, 1);
    assert_eq!(shell.core.state_of(&name("alpha")), Halted);
    restart_unlimited(&mut shell, -500.0, false);
    assert!(shell.is_hindered_by(ObstacleKind::Drawdown));
    shell.enter("resume", Some("alpha"), Active);
    assert!(!shell.is_hindered_by(ObstacleKind::Drawdown));
    assert_eq!(shell.entry_refusal("alpha", "free"), None);
}

#[test]
fn figures_are_measured_once_the_deals_that_they_reflect_are_known() {
    let mut shell = of_account(daily(LimitAction::Halt));
    let charge = balance_row(7, DealKind::Other, -1_000.0);
    read(&mut shell, figures(9_000.0, 9_000.0), 1);
    assert_eq!(shell.core.account_state(), Active, "no known deal tells so");
    shell.feed(Input::Deal(charge));
    assert_eq!(shell.core.account_state(), Halted);
}

#[test]
fn figures_that_lag_behind_a_deal_are_measured_as_of_then() {
    let mut shell = of_account(daily(LimitAction::Halt));
    let deposit = balance_row(7, DealKind::Balance, 1_000.0);
    shell.feed(Input::Deal(deposit));
    read(&mut shell, figures(9_950.0, 10_000.0), 1);
    assert_eq!(shell.core.account_state(), Active);
    read(&mut shell, figures(9_900.0, 10_000.0), 2);
    assert_eq!(shell.core.account_state(), Halted);
}

#[test]
fn what_a_limit_wants_closed_is_closed_again_while_it_is_open() {
    let mut shell = of_account(daily(LimitAction::Flatten));
    shell.hold("alpha", 1, 0.1);
    observe(&mut shell, 9_000.0, 1);
    shell.second();
    let sent = shell.leaves();
    assert_eq!(closed_by(&sent).0, Ticket(1));
    shell.pass(20_000);
    shell.second();
    assert!(shell.left().is_empty(), "one is on its way");
    shell.answer(sent.job, Err(rejected(Retcode::MARKET_CLOSED)));
    shell.second();
    let again = shell.leaves();
    assert_ne!(again.job, sent.job);
    assert_eq!(closed_by(&again).0, Ticket(1));
    shell.answer(again.job, Err(rejected(Retcode::MARKET_CLOSED)));
    shell.enter("resume", None, Active);
    shell.pass(60_000);
    shell.second();
    assert!(shell.left().is_empty(), "an operator took over");
}

#[test]
fn a_loss_that_closed_a_position_while_the_link_was_down_is_its_owners() {
    let mut shell = of_clients(daily(LimitAction::Halt));
    shell.hold("alpha", 1, 0.1);
    shell.feed(Input::Link(false));
    let mut by_hand = deal(2, 1, Side::Sell, Entry::Out, 10_000_000, 100_000);
    (by_hand.profit, by_hand.reason) = (money(-100.0), DealReason::Client);
    let mut history = shell.known_history();
    history.deals.push(by_hand);
    shell.feed(Input::Link(true));
    let rows = Snapshot {
        positions: Vec::new(),
        ..reading(&shell, figures(9_900.0, 9_900.0), 2)
    };
    shell.feed(Input::Pass(rows, history));
    assert_eq!(shell.core.state_of(&name("alpha")), Halted);
    assert_eq!(shell.core.state_of(&name("beta")), Active);
}

#[test]
fn a_dead_mans_return_does_not_lift_what_a_loss_reduced() {
    let mut shell = of_clients(daily(LimitAction::Reduce));
    shell.hold("alpha", 1, 0.1);
    let mut grants = shell.config.grants.clone();
    grants.get_mut(&name("alpha")).unwrap().dead_man = Some(DeadMan {
        after_ms: 5_000,
        action: DeadManAction::Reduce,
    });
    shell.regrant(grants, ScopeLimits::default());
    shell.second();
    shell.pass(6_000);
    shell.second();
    assert_eq!(shell.core.state_of(&name("alpha")), Reducing);
    let answer = shell.heartbeat("alpha", "one");
    assert!(
        matches!(answer, Answer::State(Active)),
        "it speaks, {answer:?}"
    );
    shell.pass(6_000);
    shell.second();
    assert_eq!(shell.core.state_of(&name("alpha")), Reducing);
    read_floating(&mut shell, -100.0, 1);
    let answer = shell.heartbeat("alpha", "one");
    assert!(matches!(answer, Answer::State(Reducing)), "{answer:?}");
}

#[test]
fn a_limit_that_was_not_measured_lately_is_a_missing_fact() {
    let mut shell = of_account(daily(LimitAction::Halt));
    shell.pass(60_001);
    shell.quote_again();
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::FactMissing));
    let rows = reading(&shell, account(), 60_001);
    let history = History {
        deals: Vec::new(),
        ..shell.known_history()
    };
    shell.feed(Input::Pass(rows, history));
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}

#[test]
fn a_credit_is_neither_gain_nor_loss() {
    let mut shell = of_account(daily(LimitAction::Halt));
    shell.feed(Input::Deal(balance_row(1, DealKind::Credit, 500.0)));
    let credited = AccountRow {
        credit: money(500.0),
        ..figures(10_500.0, 10_000.0)
    };
    read(&mut shell, credited, 1);
    shell.feed(Input::Deal(balance_row(2, DealKind::Credit, -500.0)));
    read(&mut shell, figures(10_000.0, 10_000.0), 2);
    assert_eq!(shell.core.account_state(), Active);
    let (_, state) = shell.core.losses_of(&None).unwrap();
    assert_eq!(
        (state.base, state.last_equity),
        (money(10_000.0), money(10_000.0))
    );
}
