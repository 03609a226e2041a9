//! Limits of losses: what a breach leads to, that it holds across a restart, and how it ends.

use super::{
    events,
    support::{call, entry, limited, name, quote, restart_with, rows, sent},
};
use crate::{
    broker::{History, Snapshot},
    records::Loaded,
    testing::deal,
    {Core, Effect, Event},
};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, Drawdown, DrawdownKind, LimitAction, LossSettings, Percent,
    ResetHour, ScopeLimits,
    TradingState::{Active, Halted, Reducing},
};
use mymt5_model::Reason;
use mymt5_model::{
    BrokerTime, DealKind, DealRow, Entry, Money, PositionRow, Side, Ticket, TradeRequest,
};

const DAY: i64 = 86_400_000;

fn money(amount: f64) -> Money {
    Money::from_f64(amount).unwrap()
}

/// At most 100.00 a day, from the greater base.
fn daily(action: LimitAction) -> ScopeLimits {
    let daily = DailyLoss {
        allowance: Allowance::Amount(money(100.0)),
        base: BaseKind::Greater,
        reset_hour: ResetHour::default(),
        action,
    };
    ScopeLimits {
        loss: LossSettings {
            daily: Some(daily),
            drawdown: None,
        },
        ..ScopeLimits::default()
    }
}

/// At most 5 % below the high-water mark.
fn drawdown() -> ScopeLimits {
    let drawdown = Drawdown {
        allowance: Allowance::Share(Percent::try_from(5.0).unwrap()),
        kind: DrawdownKind::Trailing,
        initial_balance: None,
        action: LimitAction::Halt,
    };
    ScopeLimits {
        loss: LossSettings {
            daily: None,
            drawdown: Some(drawdown),
        },
        ..ScopeLimits::default()
    }
}

/// Rows of an account with that equity, at that broker time.
fn figures(core: &Core, equity: f64, time: i64, positions: Vec<PositionRow>) -> Snapshot {
    let last = core
        .deals_before(None)
        .next()
        .map_or(0, |deal| deal.deal.ticket.0);
    let mut snapshot = rows(positions, last);
    (snapshot.account.equity, snapshot.account.balance) = (money(equity), money(equity));
    snapshot.time = Some(BrokerTime(time));
    snapshot
}

fn observe(core: &mut Core, equity: f64, time: i64) {
    let positions = core
        .book()
        .positions()
        .map(|held| held.row.clone())
        .collect();
    let snapshot = figures(core, equity, time, positions);
    assert!(core.on_snapshot(snapshot));
}

/// A compared core, with 10,000.00.
fn account(account: ScopeLimits) -> Core {
    let mut core = limited(Loaded::default(), &ScopeLimits::default(), account);
    let snapshot = figures(&core, 10_000.0, DAY, vec![]);
    assert!(core.on_pass(snapshot, History::default()));
    core
}

fn refusal(core: &mut Core, id: &str) -> Option<Reason> {
    let taken = core.submit(call(id), Ok(entry(0.1)), Some(&quote()));
    taken.err().map(|refusal| refusal.reason())
}

#[test]
fn a_days_loss_halts_and_holds_across_a_restart_until_the_next_day() {
    let mut core = account(daily(LimitAction::Halt));
    observe(&mut core, 9_900.01, DAY + 1);
    assert_eq!(refusal(&mut core, "free"), None);
    observe(&mut core, 9_900.0, DAY + 2);
    assert_eq!(core.account_state(), Halted);
    let latched = |event: &Event| matches!(event, Event::LimitLatched(None, reason) if reason == "LIMIT_DAILY_LOSS");
    assert!(events(&mut core).iter().any(|told| latched(&told.event)));

    let mut core = account(daily(LimitAction::Block));
    observe(&mut core, 9_900.0, DAY + 2);
    let mut kept = Loaded::default();
    let mut again = restart_with(&mut core, &mut kept, daily(LimitAction::Block));
    let snapshot = figures(&again, 10_500.0, DAY + 3, vec![]);
    assert!(again.on_pass(snapshot, History::default()));
    for core in [&mut core, &mut again] {
        assert_eq!(core.account_state(), Active, "it only blocks");
        assert_eq!(refusal(core, "blocked"), Some(Reason::LimitDailyLoss));
    }
    observe(&mut again, 10_450.0, 2 * DAY);
    assert_eq!(refusal(&mut again, "free"), None);
}

#[test]
fn reducing_by_a_days_loss_ends_with_the_day() {
    let mut core = account(daily(LimitAction::Reduce));
    observe(&mut core, 9_000.0, DAY + 1);
    assert_eq!(core.account_state(), Reducing);
    observe(&mut core, 9_000.0, 2 * DAY);
    assert_eq!(core.account_state(), Active);
}

#[test]
fn a_drawdown_is_latched_until_an_operator_resumes() {
    let mut core = account(drawdown());
    observe(&mut core, 12_000.0, DAY + 1);
    observe(&mut core, 11_400.0, DAY + 2);
    observe(&mut core, 12_000.0, 5 * DAY);
    let mut again = restart_with(&mut core, &mut Loaded::default(), drawdown());
    let snapshot = figures(&again, 12_000.0, 5 * DAY + 1, vec![]);
    assert!(again.on_pass(snapshot, History::default()));
    assert_eq!(again.account_state(), Halted);
    assert_eq!(
        refusal(&mut again, "halted"),
        Some(Reason::TradingStateForbids)
    );
    again
        .set_state(&call("resume"), None, Active, "looked at it")
        .unwrap();
    assert_eq!(refusal(&mut again, "free"), None);
    observe(&mut again, 11_500.0, 5 * DAY + 2);
    assert_eq!(again.account_state(), Active, "measured anew");
}

#[test]
fn a_withdrawal_is_no_loss() {
    let mut core = account(daily(LimitAction::Halt));
    let withdrawal = DealRow {
        kind: DealKind::Balance,
        profit: money(-5_000.0),
        symbol: None,
        position_id: None,
        entry: None,
        ..deal(1, 0, Side::Buy, Entry::In, 0, 0)
    };
    core.on_deal(withdrawal);
    observe(&mut core, 5_000.0, DAY + 1);
    assert_eq!(core.account_state(), Active);
    observe(&mut core, 4_900.0, DAY + 2);
    assert_eq!(core.account_state(), Halted);
}

#[test]
fn a_client_is_measured_by_its_own_and_flattened_alone() {
    let clients = daily(LimitAction::Flatten);
    let mut core = limited(Loaded::default(), &clients, ScopeLimits::default());
    let snapshot = figures(&core, 10_000.0, DAY, vec![]);
    assert!(core.on_pass(snapshot, History::default()));
    for (ticket, client) in [(1, "alpha"), (2, "beta")] {
        let (_, magic) = super::support::sent_by(&mut core, client, 0.1);
        let mut fill = deal(ticket, ticket, Side::Buy, Entry::In, 10_000_000, 110_010);
        (fill.magic, fill.time) = (magic, BrokerTime(DAY));
        core.on_deal(fill);
    }
    let mut positions: Vec<PositionRow> = core
        .book()
        .positions()
        .map(|held| held.row.clone())
        .collect();
    positions[0].profit = money(-100.0);
    let snapshot = figures(&core, 9_900.0, DAY + 1, positions);
    assert!(core.on_snapshot(snapshot));
    assert_eq!(
        (core.state_of(&name("alpha")), core.state_of(&name("beta"))),
        (Halted, Active)
    );
    let effects = core.take_effects();
    let [Effect::Send(id, TradeRequest::Market { position, .. }, true)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*position, Some(Ticket(1)));
    assert_eq!(core.order(*id).unwrap().client, name("alpha"));
    let other = crate::Call {
        client: name("beta"),
        ..call("beta-on")
    };
    assert!(core.submit(other, Ok(entry(0.1)), Some(&quote())).is_ok());
}

#[test]
fn figures_that_lack_a_known_deal_are_not_measured() {
    let mut core = account(daily(LimitAction::Halt));
    let (_, magic) = sent(&mut core, "a", 0.1);
    let mut snapshot = figures(&core, 9_000.0, DAY + 1, vec![]);
    snapshot.last_deal = Ticket(7);
    assert!(core.on_snapshot(snapshot), "newer than what is known");
    assert_eq!(core.account_state(), Active);
    let mut fill = deal(7, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    observe(&mut core, 9_000.0, DAY + 2);
    assert_eq!(core.account_state(), Halted);
}

#[test]
fn what_a_limit_wants_closed_is_closed_again_while_it_is_open() {
    let mut core = account(daily(LimitAction::Flatten));
    let (_, magic) = sent(&mut core, "a", 0.1);
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    observe(&mut core, 9_000.0, DAY + 1);
    let [Effect::Send(id, ..)] = core.take_effects()[..] else {
        panic!()
    };
    core.at(mymt5_model::UtcTime(20_000));
    assert_eq!(core.watch(), [], "one is on its way");
    assert!(core.sending(id, None));
    core.on_sent(
        id,
        Err(crate::broker::SendFailure::Rejected(mymt5_model::Retcode(
            10_018,
        ))),
    );
    core.at(mymt5_model::UtcTime(30_000));
    assert!(matches!(core.watch()[..], [Effect::Send(again, _, true)] if again != id));
    core.set_state(&call("resume"), None, Active, "closed by hand")
        .unwrap();
    core.at(mymt5_model::UtcTime(40_000));
    assert_eq!(core.watch(), [], "an operator took over");
}

#[test]
fn a_loss_that_closed_a_position_while_the_link_was_down_is_its_owners() {
    let mut core = limited(
        Loaded::default(),
        &daily(LimitAction::Halt),
        ScopeLimits::default(),
    );
    let snapshot = figures(&core, 10_000.0, DAY, vec![]);
    assert!(core.on_pass(snapshot, History::default()));
    let (_, magic) = sent(&mut core, "a", 0.1);
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    (fill.magic, fill.time) = (magic, BrokerTime(DAY));
    core.on_deal(fill.clone());
    let mut by_hand = deal(2, 1, Side::Sell, Entry::Out, 10_000_000, 100_000);
    (by_hand.profit, by_hand.reason) = (money(-100.0), mymt5_model::DealReason::Client);
    by_hand.time = BrokerTime(DAY + 1);
    let mut snapshot = figures(&core, 9_900.0, DAY + 2, vec![]);
    snapshot.last_deal = Ticket(2);
    let deals = vec![fill, by_hand];
    assert!(core.on_pass(
        snapshot,
        History {
            orders: vec![],
            deals
        }
    ));
    assert_eq!(core.state_of(&name("alpha")), Halted);
}

#[test]
fn a_dead_mans_return_does_not_lift_what_a_loss_reduced() {
    let mut core = limited(
        Loaded::default(),
        &daily(LimitAction::Reduce),
        ScopeLimits::default(),
    );
    let snapshot = figures(&core, 10_000.0, DAY, vec![]);
    assert!(core.on_pass(snapshot, History::default()));
    let (_, magic) = sent(&mut core, "a", 0.1);
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    (fill.magic, fill.time) = (magic, BrokerTime(DAY));
    core.on_deal(fill);
    let dead_man = crate::DeadMan {
        after_ms: 5_000,
        action: crate::DeadManAction::Reduce,
    };
    core.rules.get_mut(&name("alpha")).unwrap().grant.dead_man = Some(dead_man);
    core.watch();
    core.at(mymt5_model::UtcTime(7_000));
    core.watch();
    assert_eq!(core.state_of(&name("alpha")), Reducing);
    let session = mymt5_model::RequestId::parse("one").unwrap();
    assert_eq!(
        core.heartbeat(&name("alpha"), &session).unwrap(),
        Active,
        "it speaks again"
    );
    core.at(mymt5_model::UtcTime(13_000));
    core.watch();
    let mut held: Vec<PositionRow> = core.book().positions().map(|of| of.row.clone()).collect();
    held[0].profit = money(-100.0);
    let snapshot = figures(&core, 9_900.0, DAY + 1, held);
    assert!(core.on_snapshot(snapshot));
    assert_eq!(core.heartbeat(&name("alpha"), &session).unwrap(), Reducing);
}
