//! What counts towards a limit: reservations, and whose they are.

use crate::{
    bench::{Shell, by_hand::*, rows::*},
    limits::*,
};
use mymt5_guard::Limits;
use mymt5_model::{AccountRow, OrderId, Reason, Retcode};
use mymt5_orders::{Input, Snapshot};

fn with(set: Setter<Limits>) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

fn of_client(set: Setter<Limits>) -> Shell {
    holding_with(with(set), Limits::default(), account())
}

fn id_of(shell: &Shell, request: &str) -> OrderId {
    shell.order_of("alpha", request).id
}

#[test]
fn what_is_in_flight_or_unknown_counts_as_filled() {
    let limits: [(Setter<Limits>, Reason); 5] = [
        (
            |l| l.max_lots_per_symbol = some_lots(1.0),
            Reason::LimitLotsPerSymbol,
        ),
        (
            |l| l.max_lots_total = some_lots(1.0),
            Reason::LimitLotsTotal,
        ),
        (
            |l| l.max_open_positions = Some(2),
            Reason::LimitOpenPositions,
        ),
        (|l| l.max_open_orders = Some(1), Reason::LimitOpenOrders),
        (|l| l.max_margin_use = percent(11.0), Reason::LimitMargin),
    ];
    for (set, reason) in limits {
        for is_rejected in [false, true] {
            let mut shell = of_client(set);
            assert_eq!(try_order(&mut shell, "flying", &scene()), Ok(()));
            if is_rejected {
                let flying = id_of(&shell, "flying");
                shell.answer(flying, Err(rejected(Retcode::NO_MONEY)));
            }
            let expected = if is_rejected { Ok(()) } else { Err(reason) };
            assert_eq!(try_order(&mut shell, "next", &scene()), expected);
        }
    }
}

#[test]
fn what_waits_to_be_sent_counts_as_filled() {
    let mut shell = of_client(|l| l.max_lots_total = some_lots(1.0));
    shell.step_call("alpha", "waits", submit(scene().order));
    let next = shell.step_call("alpha", "next", submit(scene().order));
    shell.settle();
    let answer = shell.answer_to(next).unwrap();
    let mymt5_orders::Answer::Refused(refusal) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(refusal.reason(), Reason::LimitLotsTotal);
}

#[test]
fn an_unknown_outcome_counts_in_other_symbols_too() {
    let mut shell = of_client(|l| l.max_lots_total = some_lots(1.0));
    assert_eq!(try_order(&mut shell, "lost", &scene()), Ok(()));
    let id = id_of(&shell, "lost");
    shell.answer(id, Err(lost()));
    let mut other = scene();
    elsewhere(&mut other);
    let next = try_order(&mut shell, "next", &other);
    assert_eq!(next, Err(Reason::LimitLotsTotal));
}

/// A core in which 0.5 lots may be opened besides the 0.3 that are held; and the order that opened
/// them, filled while no row of it was read yet. `begun`: rows whose reading had begun before.
fn filled_unread() -> (Shell, Snapshot) {
    let mut shell = of_client(|l| l.max_margin_use = percent(11.0));
    assert_eq!(try_order(&mut shell, "first", &scene()), Ok(()));
    let begun = shell.known_rows();
    let id = id_of(&shell, "first");
    let fill = fill(2, 2, shell.order(id));
    shell.feed(Input::Deal(fill));
    assert!(shell.order(id).state.is_final());
    (shell, begun)
}

#[test]
fn a_fill_keeps_its_margin_reserved_until_the_account_was_read() {
    let (mut shell, _) = filled_unread();
    let second = try_order(&mut shell, "second", &scene());
    assert_eq!(second, Err(Reason::LimitMargin));
    let account = AccountRow {
        margin: money(500.0),
        ..account()
    };
    let id = id_of(&shell, "first");
    shell.answer(id, Ok(receipt(Retcode::DONE, 2)));
    let rows = Snapshot {
        account,
        ..shell.known_rows()
    };
    shell.feed(Input::Rows(rows));
    assert_eq!(try_order(&mut shell, "third", &scene()), Ok(()));
}

#[test]
fn rows_that_began_before_a_fill_do_not_end_its_reservation() {
    let (mut shell, begun) = filled_unread();
    shell.feed(Input::Rows(begun));
    let second = try_order(&mut shell, "second", &scene());
    assert_eq!(second, Err(Reason::LimitMargin));
}

#[test]
fn a_client_s_limits_count_its_own_and_the_account_s_count_all() {
    let limits = Limits {
        max_lots_total: some_lots(0.6),
        max_orders_per_minute: Some(1),
        ..Limits::default()
    };
    for (of_client, of_account, expected) in [
        (limits.clone(), Limits::default(), None),
        (Limits::default(), limits, Some(Reason::LimitLotsTotal)),
    ] {
        let mut shell = holding_with(of_client, of_account, account());
        let outcome = shell.refusal("beta", "b", submit(scene().order));
        assert_eq!(outcome, expected);
    }
}
