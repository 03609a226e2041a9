//! Changes of levels and orders: what is not named is kept, a stop may always be tightened, and an
//! unknown outcome is decided by the rows.

use super::support::{call, core, entry, name, quote, receipt, restart, rows, sent, spec};
use crate::{
    broker::{History, SendFailure},
    records::{LevelsOutcome, Loaded},
    testing::deal,
    {Core, Edit, Effect, Entry, LevelsKey, OrderEdit},
};
use mymt5_guard::TradingState::{Active, Halted, Reducing};
use mymt5_model::Reason;
use mymt5_model::{
    Levels, OrderId, OrderRow, OrderState, OrderType, PositionId, Price, Retcode, RowState, Side,
    Symbol, SymbolSpec, Ticket, TradeRequest, UtcTime,
};
use std::sync::Arc;

const OPENED: PositionId = PositionId(1);

fn specs(_: &Symbol) -> Option<Arc<SymbolSpec>> {
    Some(spec())
}

fn quotes(_: &Symbol) -> Option<Arc<mymt5_model::Tick>> {
    Some(Arc::new(quote()))
}

fn points(points: i64) -> Option<Price> {
    Some(Price::from_points(points, 5))
}

/// A long position of alpha's with a stop loss at 1.09.
fn holding() -> Core {
    let mut core = core();
    let (_, magic) = sent(&mut core, "open", 0.1);
    let mut fill = deal(1, 1, Side::Buy, mymt5_model::Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    let (key, _) = set(&mut core, "first", Edit::Set(1.09)).unwrap();
    core.on_levels_sent(&key, Ok(receipt(Retcode::DONE)));
    assert_eq!(levels(&core).stop_loss, points(109_000));
    core
}

fn levels(core: &Core) -> Levels {
    core.book().position(OPENED).unwrap().row.levels
}

type Set = Result<(LevelsKey, Vec<Effect>), mymt5_model::Refusal>;

fn set(core: &mut Core, id: &str, stop_loss: Edit) -> Set {
    core.modify_position(&call(id), OPENED, (stop_loss, Edit::Keep), &specs)
}

#[test]
fn a_stop_may_be_tightened_in_every_state_and_loosened_only_when_active() {
    for state in [Active, Reducing, Halted] {
        let mut core = holding();
        core.set_state(&call("state"), None, state, "test").unwrap();
        for (id, edit) in [("loosen", Edit::Set(1.08)), ("remove", Edit::Remove)] {
            let refused = set(&mut core, id, edit).map(|(key, _)| core.level_changes.remove(&key));
            let reason = refused.err().map(|refusal| refusal.reason());
            assert_eq!(
                reason,
                (state != Active).then_some(Reason::TradingStateForbids)
            );
        }
        let (_, effects) = set(&mut core, "tighten", Edit::Set(1.095)).unwrap();
        assert!(
            matches!(effects[..], [Effect::SendLevels(_, _, true, _)]),
            "it protects"
        );
    }
}

#[test]
fn what_is_not_named_is_sent_along_and_a_repeat_sends_nothing() {
    let mut core = holding();
    let edits = (Edit::Keep, Edit::Set(1.2));
    let change = |core: &mut Core| core.modify_position(&call("tp"), OPENED, edits, &specs);
    let (_, effects) = change(&mut core).unwrap();
    let [Effect::SendLevels(_, TradeRequest::ModifyPosition { levels, .. }, ..)] = effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (levels.stop_loss, levels.take_profit),
        (points(109_000), points(120_000))
    );
    assert_eq!(change(&mut core).unwrap().1, []);
    let other = core.modify_position(&call("other"), OPENED, edits, &specs);
    assert_eq!(other.unwrap_err().reason(), Reason::PendingReconciliation);
}

#[test]
fn rows_decide_an_unknown_change_also_after_a_restart() {
    for (happened, expected) in [(true, LevelsOutcome::Done), (false, LevelsOutcome::NotDone)] {
        let mut core = holding();
        let (key, _) = set(&mut core, "change", Edit::Set(1.095)).unwrap();
        let mut row = core.book().position(OPENED).unwrap().row.clone();
        if happened {
            row.levels.stop_loss = points(109_500);
        }
        let deals = core
            .deals_before(None)
            .map(|deal| deal.deal.clone())
            .collect();
        let mut again = restart(&mut core, &mut Loaded::default());
        assert_eq!(again.levels_outcome(&key), Some(LevelsOutcome::Unknown));
        let history = History {
            orders: vec![],
            deals,
        };
        assert!(again.on_pass(rows(vec![row.clone()], 1), history));
        let early = if happened {
            expected
        } else {
            LevelsOutcome::Unknown
        };
        assert_eq!(again.levels_outcome(&key), Some(early));
        again.at(UtcTime(31_000));
        assert!(again.on_snapshot(rows(vec![row], 1)));
        assert_eq!(again.levels_outcome(&key), Some(expected));
        again.on_levels_sent(&key, Ok(receipt(Retcode::DONE)));
        assert_eq!(
            again.levels_outcome(&key),
            Some(LevelsOutcome::Done),
            "evidence wins"
        );
    }
}

#[test]
fn a_refused_change_keeps_its_return_code() {
    let mut core = holding();
    let (key, _) = set(&mut core, "change", Edit::Set(1.095)).unwrap();
    core.on_levels_sent(&key, Err(SendFailure::Rejected(Retcode(10_016))));
    assert_eq!(
        core.levels_outcome(&key),
        Some(LevelsOutcome::Refused(10_016))
    );
    assert_eq!(levels(&core).stop_loss, points(109_000));
    assert!(set(&mut core, "next", Edit::Set(1.095)).is_ok());
    let theirs = crate::Call {
        client: name("beta"),
        ..call("theirs")
    };
    let refused = core.modify_position(&theirs, OPENED, (Edit::Remove, Edit::Keep), &specs);
    assert_eq!(refused.unwrap_err().reason(), Reason::PositionNotFound);
}

/// A working limit order, and its row.
pub(super) fn working(core: &mut Core) -> (OrderId, OrderRow) {
    let limit = Entry {
        kind: OrderType::Limit,
        price: points(109_000),
        ..entry(0.1)
    };
    let (taken, effects) = core
        .submit(call("limit"), Ok(limit), Some(&quote()))
        .unwrap();
    let [Effect::Send(id, TradeRequest::Pending { magic, .. }, false)] = effects[..] else {
        panic!("{effects:?}")
    };
    assert!(core.sending(id, Some(&quote())));
    core.on_sent(id, Ok(receipt(Retcode::PLACED)));
    let order = core.order(taken.order).unwrap();
    assert_eq!(order.state, OrderState::Working);
    let row = OrderRow {
        ticket: Ticket(1),
        position_id: None,
        magic,
        symbol: order.symbol.clone(),
        side: order.side,
        kind: order.kind,
        state: RowState::Placed,
        lots: order.lots,
        lots_left: order.lots,
        price: order.price,
        stop_limit_price: None,
        levels: order.levels,
        time_in_force: order.time_in_force,
        created: mymt5_model::BrokerTime(0),
        done: None,
        comment: String::new(),
    };
    (id, row)
}

fn edit(price: f64) -> OrderEdit {
    OrderEdit {
        price: Some(price),
        stop_limit_price: None,
        stop_loss: Edit::Set(1.08),
        take_profit: Edit::Keep,
        time_in_force: None,
    }
}

#[test]
fn an_order_takes_its_new_terms_once_the_broker_did() {
    let mut core = core();
    let (id, _) = working(&mut core);
    let (_, effects) = core
        .modify_order(&call("m"), id, &edit(1.0895), &specs, &quotes)
        .unwrap();
    let [Effect::SendChange(_, change, ..)] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(core.order(id).unwrap().price, points(109_000));
    let busy = core.cancel(call("c"), id).unwrap_err();
    assert_eq!(
        busy.reason(),
        Reason::OrderNotWorking,
        "one change at a time"
    );
    core.on_change_sent(id, change, Ok(receipt(Retcode::DONE)));
    let order = core.order(id).unwrap();
    assert_eq!(
        (order.price, order.levels.stop_loss),
        (points(108_950), points(108_000))
    );
    let off_grid = core
        .modify_order(&call("g"), id, &edit(1.089_550_1), &specs, &quotes)
        .unwrap_err();
    assert_eq!(off_grid.reason(), Reason::PriceOffGrid);
}

#[test]
fn rows_tell_what_an_unanswered_change_of_an_order_led_to() {
    let mut core = core();
    let (id, mut row) = working(&mut core);
    let (_, effects) = core
        .modify_order(&call("m"), id, &edit(1.0895), &specs, &quotes)
        .unwrap();
    let [Effect::SendChange(_, change, ..)] = effects[..] else {
        panic!("{effects:?}")
    };
    core.on_change_sent(id, change, Err(SendFailure::Unknown("lost".into())));
    assert_eq!(core.order(id).unwrap().price, points(109_000));
    row.price = points(108_950);
    core.on_row(&row);
    let order = core.order(id).unwrap();
    assert_eq!(
        (order.price, order.state),
        (points(108_950), OrderState::Working)
    );
}

#[test]
fn what_a_change_led_to_is_known_before_the_next_one() {
    let mut core = core();
    let (id, mut row) = working(&mut core);
    let modify = |core: &mut Core, name: &str| {
        core.modify_order(&call(name), id, &edit(1.0895), &specs, &quotes)
    };
    let (_, effects) = modify(&mut core, "m").unwrap();
    let [Effect::SendChange(_, change, ..)] = effects[..] else {
        panic!("{effects:?}")
    };
    core.on_change_sent(id, change, Err(SendFailure::Unknown("lost".into())));
    let refused = modify(&mut core, "n").unwrap_err();
    assert_eq!(refused.reason(), Reason::PendingReconciliation);
    core.on_row(&row);
    assert!(modify(&mut core, "n").is_err(), "it may still be under way");
    (row.price, row.levels.stop_loss) = (points(108_950), points(108_000));
    core.on_row(&row);
    modify(&mut core, "n").unwrap();
}

#[test]
fn levels_are_sent_along_only_as_rows_of_this_link_tell_them() {
    let mut core = holding();
    let row = core.book().position(OPENED).unwrap().row.clone();
    core.link(false);
    core.link(true);
    let refused = set(&mut core, "a", Edit::Set(1.091)).unwrap_err();
    assert_eq!(refused.reason(), Reason::PendingReconciliation);
    assert!(core.on_snapshot(rows(vec![row], 1)));
    set(&mut core, "a", Edit::Set(1.091)).unwrap();
}

#[test]
fn leaving_active_cancels_what_could_open() {
    let mut core = core();
    let (id, row) = working(&mut core);
    let (_, effects) = core.set_state(&call("halt"), None, Halted, "test").unwrap();
    assert!(matches!(effects[..], [Effect::SendChange(of, crate::Change::Cancel, ..)] if of == id));
    let mut again = restart(&mut core, &mut Loaded::default());
    assert!(again.order(id).unwrap().cancel_pending);
    let snapshot = crate::broker::Snapshot {
        orders: vec![row],
        ..rows(vec![], 0)
    };
    assert!(again.on_pass(snapshot, History::default()));
    assert!(
        !again.order(id).unwrap().cancel_pending,
        "it works on: the cancellation was not done"
    );
    assert!(matches!(again.watch()[..], [Effect::SendChange(of, ..)] if of == id));
    assert_eq!(again.watch(), []);
}

#[test]
fn a_changed_order_passes_the_limits_of_a_new_one() {
    let mut core = core();
    let (id, _) = working(&mut core);
    core.account_limits.max_price_distance = Some(mymt5_guard::Percent::try_from(0.5).unwrap());
    let far = core.modify_order(&call("far"), id, &edit(1.05), &specs, &quotes);
    assert_eq!(far.unwrap_err().reason(), Reason::LimitPriceCollar);
    core.set_state(&call("halt"), None, Halted, "test").unwrap();
    let halted = core.modify_order(&call("halted"), id, &edit(1.0995), &specs, &quotes);
    assert!(halted.is_err());
}

#[test]
fn a_fill_in_part_ends_only_once_no_row_of_it_works_on() {
    let mut core = core();
    let (id, magic) = sent(&mut core, "a", 0.3);
    let partial = mymt5_model::Receipt {
        lots: Some(mymt5_model::Lots::from_f64(0.1).unwrap()),
        ..receipt(Retcode::DONE_PARTIAL)
    };
    core.on_sent(id, Ok(partial));
    let mut fill = deal(1, 1, Side::Buy, mymt5_model::Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    assert_eq!(core.order(id).unwrap().state, OrderState::PartiallyFilled);
    let held: Vec<_> = core
        .book()
        .positions()
        .map(|held| held.row.clone())
        .collect();
    let row = OrderRow {
        magic,
        kind: OrderType::Market,
        state: RowState::Partial,
        price: None,
        ..working_row()
    };
    let works = crate::broker::Snapshot {
        orders: vec![row],
        ..rows(held.clone(), 1)
    };
    assert!(core.on_snapshot(works));
    assert_eq!(core.order(id).unwrap().state, OrderState::PartiallyFilled);
    assert!(core.on_snapshot(rows(held, 1)));
    assert_eq!(core.order(id).unwrap().state, OrderState::Canceled);
}

fn working_row() -> OrderRow {
    working(&mut core()).1
}

/// What one core lets pass of the table's five actions.
fn passes(core: &mut Core, id: OrderId) -> [bool; 5] {
    let open = core
        .submit(call("open-2"), Ok(entry(0.1)), Some(&quote()))
        .is_ok();
    let cancel = core.cancel(call("cancel"), id).is_ok();
    let exit = super::exit(Some(0.05));
    let exit = core.close(call("exit"), Ok(exit), |_| Some(spec())).is_ok();
    let tightened = set(core, "tighten", Edit::Set(1.095));
    if let Ok((key, _)) = &tightened {
        core.on_levels_sent(key, Ok(receipt(Retcode::DONE)));
    }
    let loosened = set(core, "loosen", Edit::Set(1.08)).is_ok();
    [open, cancel, exit, tightened.is_ok(), loosened]
}

#[test]
fn every_cell_of_the_table_holds_also_after_a_restart() {
    for state in [Active, Reducing, Halted] {
        let mut core = holding();
        let (id, row) = working(&mut core);
        core.set_state(&call("state"), None, state, "test").unwrap();
        let refused = || SendFailure::Rejected(Retcode(10_018));
        core.on_change_sent(id, crate::Change::Cancel, Err(refused()));
        let deals = core
            .deals_before(None)
            .map(|deal| deal.deal.clone())
            .collect();
        let held = core
            .book()
            .positions()
            .map(|held| held.row.clone())
            .collect();
        let mut again = restart(&mut core, &mut Loaded::default());
        let snapshot = crate::broker::Snapshot {
            orders: vec![row],
            ..rows(held, 1)
        };
        let history = History {
            orders: vec![],
            deals,
        };
        assert!(again.on_pass(snapshot, history));
        let active = state == Active;
        let expected = [active, true, true, true, active];
        assert_eq!(passes(&mut core, id), expected, "{state:?}");
        assert_eq!(
            passes(&mut again, id),
            expected,
            "{state:?} after a restart"
        );
    }
}
