//! Losses are what deals and floating results make them, each counted once, whatever is read first.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossSettings, ResetHour,
    ScopeLimits, TradingState,
};
use mymt5_model::{
    BrokerTime, DealKind, DealReason, DealRow, Magic, Money, PositionId, Reason, Ticket,
};
use mymt5_orders::{Acceptance, Adoption, Event, Input, ObstacleKind};

const DAY_MS: i64 = 86_400_000;

fn both(amount: f64, action: LimitAction) -> Scene {
    limited_scene(daily(amount, action), daily(amount, action))
}

fn by(base: BaseKind) -> ScopeLimits {
    let mut limits = daily(500.0, LimitAction::Halt);
    let settings = &mut limits.loss.daily;
    *settings = settings.map(|daily| DailyLoss { base, ..daily });
    limits
}

fn drawdown(amount: f64) -> ScopeLimits {
    ScopeLimits {
        loss: LossSettings {
            daily: None,
            drawdown: Some(Drawdown {
                allowance: Allowance::Amount(money(amount)),
                kind: DrawdownKind::Trailing,
                initial_balance: None,
                action: LimitAction::Halt,
            }),
        },
        ..ScopeLimits::default()
    }
}

fn float(scene: &mut Scene, position: u64, profit: f64) {
    for held in &mut scene.positions {
        if held.id.0 == position {
            held.profit = money(profit);
        }
    }
    scene.refresh();
}

fn equity(scene: &Scene, client: Option<&str>) -> Money {
    let losses = scene.shell.core.losses_of(&client.map(name));
    losses.expect("a measured scope").1.last_equity
}

fn base(scene: &Scene) -> Money {
    scene.shell.core.losses_of(&None).unwrap().1.base
}

fn latched(scene: &Scene) -> usize {
    let latched = scene.events();
    let latched = latched.filter(|event| matches!(event, Event::LimitLatched(..)));
    latched.count()
}

/// Time passes until the broker's clock is so many milliseconds before its next midnight.
fn before_midnight(scene: &mut Scene, ms: i64) {
    let left = scene.broker_time().day_end().0 - scene.broker_time().0;
    scene.shell.pass(left - ms);
    scene.tick(BID, ASK);
    scene.rows();
}

/// The position's stop loss is hit.
fn stopped(scene: &mut Scene, position: u64, volume: f64, profit: f64) -> DealRow {
    let held = scene.positions.iter().find(|held| held.id.0 == position);
    let magic = held.unwrap().magic;
    scene.realise(PositionId(position), lots(volume), magic, profit);
    let deal = scene.deals.last_mut().unwrap();
    deal.reason = DealReason::StopLoss;
    deal.clone()
}

#[test]
fn a_withdrawal_before_a_crash_is_no_loss() {
    let mut scene = both(500.0, LimitAction::Flatten);
    let ticket = scene.next_ticket();
    let withdrawal = scene.add_deal(flow(ticket, -1_000.0));
    scene.shell.feed(Input::Deal(withdrawal));
    scene.restart();
    scene.live(61);
    assert_eq!(latched(&scene), 0);
    assert_eq!(base(&scene), money(9_000.0));
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_withdrawal_that_is_not_durable_is_told_again_and_is_no_loss() {
    let mut scene = both(500.0, LimitAction::Flatten);
    let ticket = scene.next_ticket();
    let withdrawal = scene.add_deal(flow(ticket, -1_000.0));
    scene.shell.step(Input::Deal(withdrawal));
    scene.shell.crash();
    scene.connect();
    scene.live(61);
    assert_eq!(latched(&scene), 0);
    assert_eq!(base(&scene), money(9_000.0));
}

#[test]
fn a_deposit_hides_no_loss() {
    let mut scene = both(500.0, LimitAction::Block);
    let held = scene.hold("alpha", "a", 1.0);
    let ticket = scene.next_ticket();
    scene.add_deal(flow(ticket, 1_000.0));
    float(&mut scene, held, -600.0);
    scene.live(61);
    assert_eq!(latched(&scene), 2);
    assert_eq!(base(&scene), money(11_000.0));
}

/// A reading of before a deposit and a loss of the same amount looks like one of after both.
#[test]
fn a_balance_that_was_twice_with_a_deposit_between_measures_nothing() {
    let mut scene = both(120.0, LimitAction::Flatten);
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -50.0);
    let before = scene.snapshot();
    let ticket = scene.next_ticket();
    let deposit = scene.add_deal(flow(ticket, 100.0));
    scene.shell.feed(Input::Deal(deposit));
    let deal = stopped(&mut scene, held, 1.0, -100.0);
    scene.shell.feed(Input::Deal(deal));
    scene.shell.feed(Input::Rows(before));
    assert_eq!(latched(&scene), 0);
    scene.live(20);
    assert_eq!(latched(&scene), 0);
    assert_eq!(base(&scene), money(10_100.0));
    assert_eq!(equity(&scene, None), money(10_000.0));
}

#[test]
fn a_close_between_the_rows_and_the_history_of_a_pass_counts_once() {
    let mut scene = both(100.0, LimitAction::Flatten);
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -90.0);
    let rows = scene.snapshot();
    scene.realise(PositionId(held), lots(0.5), Magic::NONE, -45.0);
    scene.deals.last_mut().unwrap().reason = DealReason::StopLoss;
    float(&mut scene, held, -45.0);
    let history = scene.history();
    scene.shell.feed(Input::Pass(rows, history));
    assert_eq!(latched(&scene), 0);
    assert_eq!(equity(&scene, None), money(9_910.0));
    scene.live(1);
    assert_eq!(latched(&scene), 0);
    assert_eq!(equity(&scene, None), money(9_910.0));
    assert_eq!(equity(&scene, Some("alpha")), money(9_910.0));
}

#[test]
fn a_close_that_the_rows_know_before_its_deal_counts_once() {
    let mut scene = both(100.0, LimitAction::Flatten);
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -60.0);
    scene.rows();
    let deal = stopped(&mut scene, held, 1.0, -60.0);
    for _ in 0..3 {
        scene.rows();
    }
    assert_eq!(latched(&scene), 0);
    scene.shell.feed(Input::Deal(deal));
    scene.rows();
    assert_eq!(latched(&scene), 0);
    assert_eq!(equity(&scene, None), money(9_940.0));
    assert_eq!(equity(&scene, Some("alpha")), money(9_940.0));
}

#[test]
fn results_from_before_a_client_was_measured_are_not_its_own() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 1.0);
    scene.realise(PositionId(held), lots(1.0), Magic::NONE, 500.0);
    scene.deals.last_mut().unwrap().reason = DealReason::TakeProfit;
    let grant = scene.shell.config.grants.get_mut(&name("alpha")).unwrap();
    grant.loss = daily(100.0, LimitAction::Halt).loss;
    for _ in 0..3 {
        scene.restart();
        scene.live(2);
        assert_eq!(equity(&scene, Some("alpha")), money(10_500.0));
    }
    assert_eq!(latched(&scene), 0);
}

#[test]
fn results_of_the_time_without_a_gateway_are_the_clients() {
    let mut scene = both(100.0, LimitAction::Halt);
    let held = scene.hold("alpha", "a", 1.0);
    scene.live(1);
    stopped(&mut scene, held, 1.0, -150.0);
    scene.restart();
    scene.live(2);
    assert_eq!(equity(&scene, Some("alpha")), money(9_850.0));
    assert_eq!(equity(&scene, Some("beta")), money(10_000.0));
    assert_eq!(latched(&scene), 2);
    assert_eq!(
        scene.shell.core.state_of(&name("beta")),
        TradingState::Halted
    );
}

#[test]
fn credit_is_neither_gained_nor_lost() {
    let mut scene = both(500.0, LimitAction::Flatten);
    for amount in [1_000.0, -1_000.0] {
        let ticket = scene.next_ticket();
        let credit = DealRow {
            kind: DealKind::Credit,
            ..flow(ticket, amount)
        };
        scene.add_deal(credit);
        scene.live(61);
        assert_eq!(equity(&scene, None), money(10_000.0));
    }
    assert_eq!(latched(&scene), 0);
}

#[test]
fn ticks_that_pause_across_the_reset_change_no_base() {
    let mut scene = limited_scene(ScopeLimits::default(), by(BaseKind::Equity));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -300.0);
    before_midnight(&mut scene, 90_000);
    for _ in 0..180 {
        scene.shell.pass(1_000);
        scene.rows();
    }
    assert_eq!(base(&scene), money(9_700.0));
}

#[test]
fn a_reset_that_nobody_saw_begins_with_the_greater_base() {
    let mut scene = limited_scene(ScopeLimits::default(), by(BaseKind::Equity));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -300.0);
    before_midnight(&mut scene, 600_000);
    scene.shell.pass(1_200_000);
    stopped(&mut scene, held, 1.0, -200.0);
    scene.restart();
    scene.live(1);
    assert_eq!(base(&scene), money(10_000.0));
    assert_eq!(equity(&scene, None), money(9_800.0));
}

#[test]
fn a_reset_that_nobody_saw_is_rebuilt_from_deals_that_came_before_a_restart() {
    let mut scene = limited_scene(ScopeLimits::default(), by(BaseKind::Balance));
    let held = scene.hold("alpha", "a", 1.0);
    before_midnight(&mut scene, 600_000);
    scene.shell.pass(1_200_000);
    let deal = stopped(&mut scene, held, 1.0, 300.0);
    scene.shell.feed(Input::Deal(deal));
    scene.restart();
    scene.live(1);
    assert_eq!(base(&scene), money(10_000.0));
    assert_eq!(equity(&scene, None), money(10_300.0));
}

#[test]
fn the_base_of_a_day_that_began_unseen_waits_until_the_broker_was_compared() {
    let mut scene = limited_scene(ScopeLimits::default(), by(BaseKind::Balance));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -300.0);
    before_midnight(&mut scene, 600_000);
    scene.shell.feed(Input::Link(false));
    stopped(&mut scene, held, 0.1, -7.0);
    scene.shell.pass(1_200_000);
    scene.tick(BID, ASK);
    scene.shell.feed(Input::Link(true));
    scene.rows();
    // With the deal before midnight and without this one the balance is the same.
    let after = stopped(&mut scene, held, 0.1, -7.0);
    scene.shell.feed(Input::Deal(after));
    scene.live(1);
    assert_eq!(base(&scene), money(9_993.0));
}

#[test]
fn a_days_loss_blocks_entries_until_the_reset_and_exits_never() {
    let mut scene = limited_scene(ScopeLimits::default(), daily(500.0, LimitAction::Block));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -500.0);
    scene.rows();
    assert_eq!(latched(&scene), 1);
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::LimitDailyLoss);
    scene.close("alpha", "c", held, None);
    let sent = scene.sent();
    scene.realise(
        PositionId(held),
        lots(1.0),
        sent.request.magic().unwrap(),
        -500.0,
    );
    let deal = scene.deals.last().unwrap().clone();
    scene.say(sent.job, Ok(done(deal.ticket.0, vec![deal])));
    before_midnight(&mut scene, 2_000);
    scene.live(4);
    assert_eq!(base(&scene), money(9_500.0));
    scene.submit("alpha", "f", buy(0.1));
    scene.obey();
    assert_eq!(latched(&scene), 1);
}

#[test]
fn reducing_by_a_days_loss_ends_with_the_day() {
    let mut scene = limited_scene(ScopeLimits::default(), daily(500.0, LimitAction::Reduce));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -500.0);
    scene.rows();
    assert_eq!(scene.shell.core.account_state(), TradingState::Reducing);
    float(&mut scene, held, -400.0);
    before_midnight(&mut scene, 2_000);
    scene.live(4);
    assert_eq!(scene.shell.core.account_state(), TradingState::Active);
}

#[test]
fn a_drawdown_holds_until_an_operator_resumes() {
    let mut scene = limited_scene(ScopeLimits::default(), drawdown(500.0));
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -500.0);
    scene.rows();
    float(&mut scene, held, 0.0);
    before_midnight(&mut scene, 2_000);
    scene.live(4);
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::TradingStateForbids);
    assert!(scene.obstacle(ObstacleKind::Drawdown).is_some());
    scene.restart();
    assert!(scene.obstacle(ObstacleKind::Drawdown).is_some());
    scene.set_state("r", None, TradingState::Active);
    scene.submit("alpha", "f", buy(0.1));
    scene.obey();
    assert_eq!(latched(&scene), 1);
}

#[test]
fn a_breach_is_acted_on_once() {
    let mut scene = both(500.0, LimitAction::Flatten);
    let held = scene.hold("alpha", "a", 1.0);
    float(&mut scene, held, -600.0);
    scene.live(5);
    scene.restart();
    scene.live(5);
    assert_eq!(latched(&scene), 2);
}

#[test]
fn a_balance_that_no_deal_explains_is_believed_after_a_while_and_told() {
    let mut scene = both(500.0, LimitAction::Block);
    scene.account.balance = money(9_900.0);
    scene.refresh();
    scene.live(400);
    assert_eq!(scene.notices("balance_unexplained"), 1);
    assert_eq!(equity(&scene, None), money(9_900.0));
    assert_eq!(scene.obstacles(), []);
}

/// A charge that is in the balance from now on; nothing tells of it yet.
fn charged(scene: &mut Scene, amount: f64) -> DealRow {
    let ticket = scene.next_ticket();
    let charge = DealRow {
        kind: DealKind::Other,
        time: scene.broker_time(),
        ..flow(ticket, amount)
    };
    scene.add_deal(charge)
}

/// So much later rows have the balance that the known deals make.
fn agrees_after(scene: &mut Scene, pause: i64) {
    scene.shell.pass(pause);
    scene.tick(BID, ASK);
    scene.rows();
}

/// Three charges of 7.00 are known, and none was taken for a balance that no deal explains.
fn is_explained(scene: &Scene) {
    assert_eq!(scene.notices("balance_unexplained"), 0);
    assert_eq!(equity(scene, None), money(9_979.0));
}

/// Each pass's rows are of before another charge of the same amount; between them nothing differs.
#[test]
fn rows_that_lag_by_the_same_amount_again_and_again_are_not_believed() {
    let mut scene = both(500.0, LimitAction::Block);
    for pause in [DAY_MS, 5_000, 5_000] {
        let rows = scene.snapshot();
        charged(&mut scene, -7.0);
        let history = scene.history();
        scene.shell.feed(Input::Pass(rows, history));
        agrees_after(&mut scene, pause);
    }
    is_explained(&scene);
}

/// The same where the history lags, and each charge is told soon after.
#[test]
fn a_history_that_lags_by_the_same_amount_again_and_again_is_not_believed() {
    let mut scene = both(500.0, LimitAction::Block);
    for pause in [DAY_MS, 5_000, 5_000] {
        let charge = charged(&mut scene, -7.0);
        scene.deals.pop();
        scene.pass();
        scene.deals.push(charge.clone());
        scene.shell.feed(Input::Deal(charge));
        agrees_after(&mut scene, pause);
    }
    is_explained(&scene);
}

/// Two passes lack a charge, and the first one a day later lacks another of the same amount.
#[test]
fn a_difference_of_before_a_pause_in_which_nobody_looked_does_not_go_on() {
    let mut scene = both(500.0, LimitAction::Block);
    let first = charged(&mut scene, -7.0);
    scene.deals.pop();
    for pause in [5_000, DAY_MS] {
        scene.pass();
        scene.shell.pass(pause);
    }
    scene.deals.push(first);
    let second = charged(&mut scene, -7.0);
    scene.deals.pop();
    scene.pass();
    scene.deals.push(second);
    scene.live(7);
    assert_eq!(scene.notices("balance_unexplained"), 0);
    assert_eq!(equity(&scene, None), money(9_986.0));
}

/// What still differs after such a pause is believed, once it was looked at for long enough.
#[test]
fn a_balance_that_no_deal_explains_is_believed_though_nobody_looked_for_a_day() {
    let mut scene = both(500.0, LimitAction::Block);
    scene.account.balance = money(9_900.0);
    scene.refresh();
    for pause in [5_000, DAY_MS] {
        scene.pass();
        scene.shell.pass(pause);
    }
    scene.live(100);
    assert_eq!(scene.notices("balance_unexplained"), 0);
    scene.live(40);
    assert_eq!(scene.notices("balance_unexplained"), 1);
    assert_eq!(equity(&scene, None), money(9_900.0));
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_withdrawal_within_the_first_pass_is_no_loss() {
    let mut scene = Scene::unseen(limited(
        ScopeLimits::default(),
        daily(500.0, LimitAction::Flatten),
    ));
    scene.shell.feed(Input::Link(true));
    let rows = scene.snapshot();
    let ticket = scene.next_ticket();
    scene.shell.pass(50);
    let withdrawal = DealRow {
        time: scene.broker_time(),
        ..flow(ticket, -1_000.0)
    };
    scene.add_deal(withdrawal);
    let history = scene.history();
    scene.shell.feed(Input::Pass(rows, history));
    scene.live(400);
    assert_eq!(latched(&scene), 0);
    assert_eq!(equity(&scene, None), money(9_000.0));
}

#[test]
fn one_clients_riddle_keeps_nobody_else_from_being_measured() {
    let mut scene = both(500.0, LimitAction::Halt);
    scene.hold("alpha", "a", 1.0);
    scene.live(1);
    scene.positions.clear();
    scene.refresh();
    scene.live(100);
    assert!(scene.obstacle(ObstacleKind::RowsDisagree).is_some());
    let unmeasured = scene.shell.core.obstacles().into_iter();
    let mut unmeasured = unmeasured.filter(|o| o.kind == ObstacleKind::LossUnmeasured);
    let held = unmeasured.find(|o| o.client == Some(name("beta")));
    assert_eq!(held, None);
}

#[test]
fn a_riddle_that_an_operator_accepts_lets_its_client_be_measured() {
    let mut scene = both(500.0, LimitAction::Halt);
    scene.hold("alpha", "a", 1.0);
    scene.live(1);
    scene.positions.clear();
    scene.refresh();
    scene.live(100);
    scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
    scene.live(2);
    assert_eq!(scene.obstacles(), []);
}

/// A foreign position that alpha adopted.
fn adopted(scene: &mut Scene) -> u64 {
    let held = scene.hold_foreign(1.0);
    scene.adopt("x", "alpha", Adoption::Position(PositionId(held)));
    held
}

fn owner_of_last_deal(scene: &Scene) -> Option<String> {
    let deal = scene.shell.disk.deals.values().next_back().unwrap();
    deal.client.as_ref().map(ToString::to_string)
}

#[test]
fn what_an_adopted_position_loses_is_its_new_owners() {
    let mut scene = both(500.0, LimitAction::Halt);
    let held = adopted(&mut scene);
    scene.rows();
    let deal = stopped(&mut scene, held, 1.0, -100.0);
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(owner_of_last_deal(&scene).as_deref(), Some("alpha"));
    scene.live(2);
    assert_eq!(equity(&scene, Some("alpha")), money(9_900.0));
}

#[test]
fn what_an_adopted_position_loses_at_once_is_its_new_owners() {
    let mut scene = both(500.0, LimitAction::Halt);
    let held = adopted(&mut scene);
    let deal = stopped(&mut scene, held, 1.0, -100.0);
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(owner_of_last_deal(&scene).as_deref(), Some("alpha"));
}

#[test]
fn what_a_position_loses_before_the_first_rows_is_its_owners() {
    let mut scene = both(500.0, LimitAction::Halt);
    let held = adopted(&mut scene);
    scene.live(1);
    scene.shell.restart();
    scene.shell.feed(Input::Link(true));
    let deal = stopped(&mut scene, held, 1.0, -100.0);
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(owner_of_last_deal(&scene).as_deref(), Some("alpha"));
}

#[test]
fn a_deposit_is_told_with_the_balance_it_made() {
    let mut scene = Scene::unseen(fresh());
    let ticket = scene.next_ticket();
    scene.account.balance = money(9_500.0);
    scene.add_deal(flow(ticket, 500.0));
    scene.connect();
    let told = scene.events().find_map(|event| match event {
        Event::Balance(_, balance) => Some(*balance),
        _ => None,
    });
    assert_eq!(told, Some(money(10_000.0)));
}

#[test]
fn swap_and_commission_count() {
    let mut scene = both(100.0, LimitAction::Block);
    let held = scene.hold("alpha", "a", 1.0);
    scene.positions[0].swap = money(-60.0);
    float(&mut scene, held, -40.0);
    scene.rows();
    assert_eq!(latched(&scene), 2);
    let charge = DealRow {
        kind: DealKind::Other,
        commission: money(-10.0),
        time: BrokerTime(scene.broker_time().0),
        ticket: Ticket(scene.next_ticket()),
        ..flow(1, 0.0)
    };
    scene.add_deal(charge);
    scene.live(61);
    assert_eq!(equity(&scene, None), money(9_890.0));
    assert_eq!(base(&scene), money(10_000.0));
}

#[test]
fn entries_wait_for_a_measurement_that_is_not_there() {
    let mut scene = both(500.0, LimitAction::Halt);
    scene.shell.feed(Input::Unreadable(true));
    scene.shell.pass(61_000);
    scene.tick(BID, ASK);
    scene.shell.feed(Input::Second);
    assert!(scene.obstacle(ObstacleKind::LossUnmeasured).is_some());
    scene.shell.feed(Input::Unreadable(false));
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::FactMissing);
    scene.rows();
    scene.submit("alpha", "f", buy(0.1));
    scene.obey();
}

#[test]
fn the_days_of_the_broker_begin_at_the_hour_that_is_configured() {
    let mut limits = by(BaseKind::Balance);
    let settings = &mut limits.loss.daily;
    *settings = settings.map(|daily| DailyLoss {
        reset_hour: ResetHour::try_from(22).unwrap(),
        ..daily
    });
    let mut scene = limited_scene(ScopeLimits::default(), limits);
    let ticket = scene.next_ticket();
    let mut loss = flow(ticket, -100.0);
    loss.kind = DealKind::Other;
    scene.add_deal(loss);
    before_midnight(&mut scene, 2 * 3_600_000 + 2_000);
    scene.live(1);
    assert_eq!(base(&scene), money(10_000.0));
    scene.live(4);
    assert_eq!(base(&scene), money(9_900.0));
    assert!(scene.broker_time().0 < scene.broker_time().day_start().0 + DAY_MS);
}

#[test]
fn a_withdrawal_that_the_history_tells_late_is_no_loss() {
    let mut scene = both(500.0, LimitAction::Flatten);
    let ticket = scene.next_ticket();
    scene.add_deal(flow(ticket, -1_000.0));
    let late = scene.deals.pop().unwrap();
    for _ in 0..2 {
        scene.shell.pass(5_000);
        scene.pass();
    }
    scene.deals.push(late);
    scene.pass();
    scene.live(61);
    assert_eq!(latched(&scene), 0);
    assert_eq!(scene.notices("balance_unexplained"), 0);
    assert_eq!(base(&scene), money(9_000.0));
}

/// Deals of before the first start: whenever the history shows them, the balance had them already.
#[test]
fn a_history_that_loads_late_moves_no_loss_and_no_base() {
    for restarts in [false, true] {
        let mut scene = Scene::unseen(limited(
            ScopeLimits::default(),
            daily(500.0, LimitAction::Flatten),
        ));
        let mut old = flow(3, 10_000.0);
        old.time = BrokerTime(scene.broker_time().0 - 60_000);
        scene.connect();
        assert_eq!(scene.obstacles(), []);
        scene.live(30);
        scene.deals.push(old);
        if restarts {
            scene.restart();
        }
        scene.live(61);
        assert_eq!(latched(&scene), 0);
        assert_eq!(base(&scene), money(10_000.0));
        assert_eq!(scene.notices("balance_unexplained"), 0);
        assert_eq!(scene.shell.disk.deals.len(), 1, "it is known all the same");
    }
}

#[test]
fn a_first_start_amid_trades_is_measured_within_seconds() {
    let mut scene = Scene::unseen(limited(
        ScopeLimits::default(),
        daily(500.0, LimitAction::Flatten),
    ));
    scene.account.balance = money(9_990.0);
    let ticket = scene.next_ticket();
    let fresh = DealRow {
        kind: DealKind::Other,
        time: scene.broker_time(),
        ..flow(ticket, -10.0)
    };
    scene.deals.push(fresh);
    scene.refresh();
    scene.connect();
    assert!(scene.obstacle(ObstacleKind::LossUnmeasured).is_some());
    scene.live(7);
    assert_eq!(scene.obstacles(), []);
    assert_eq!(base(&scene), money(9_990.0));
}
