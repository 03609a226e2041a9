//! Orders that were filled in part, or whose end comes without its deals: what is left of them.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_model::{
    DealReason, DealRow, Entry, OrderId, OrderRow, OrderState, OrderType, Receipt, Retcode,
    RowState, Side, Ticket,
};
use mymt5_orders::{Answer, History, Input, Job, Snapshot};

/// A market order of 0.3 lots of which the broker filled 0.1, and said that this is all.
fn filled_in_part() -> (Shell, OrderId, OrderRow) {
    let mut shell = ready();
    let (id, magic) = shell.send("alpha", "a", buy(0.3));
    let partial = Receipt {
        lots: Some(lots(0.1)),
        ..receipt(Retcode::DONE_PARTIAL, 1)
    };
    shell.answer(id, Ok(partial));
    let fill = DealRow {
        magic,
        ..deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010)
    };
    shell.feed(Input::Deal(fill));
    assert_eq!(shell.order(id).state, OrderState::PartiallyFilled);
    let row = OrderRow {
        kind: OrderType::Market,
        state: RowState::Partial,
        ..order_row(shell.order(id))
    };
    (shell, id, row)
}

#[test]
fn a_fill_in_part_works_on_while_a_row_of_it_does() {
    let (mut shell, id, row) = filled_in_part();
    assert!(shell.core.wants_pass(), "whether the rest works on");
    for _ in 0..20 {
        let rows = Snapshot {
            orders: vec![row.clone()],
            ..shell.known_rows()
        };
        let history = shell.known_history();
        shell.feed(Input::Pass(rows, history));
        shell.pass(5_000);
    }
    assert_eq!(shell.order(id).state, OrderState::PartiallyFilled);
}

#[test]
fn a_fill_in_part_without_a_rest_ends_canceled() {
    let (mut shell, id, row) = filled_in_part();
    let rows = Snapshot {
        orders: Vec::new(),
        ..shell.known_rows()
    };
    shell.feed(Input::Rows(rows.clone()));
    assert_eq!(shell.order(id).state, OrderState::PartiallyFilled);
    assert!(shell.core.wants_pass(), "the history tells its end");
    let ended = OrderRow {
        state: RowState::Canceled,
        done: Some(broker_time(1)),
        ..row
    };
    let history = History {
        orders: vec![ended],
        ..shell.known_history()
    };
    shell.feed(Input::Pass(rows, history));
    let order = shell.order(id);
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Canceled, lots(0.1))
    );
}

/// So many passes, ten seconds apart, whose history has these orders, and no row works.
fn passes_without_rows(shell: &mut Shell, passes: usize, orders: &[OrderRow]) {
    for _ in 0..passes {
        shell.pass(10_000);
        let rows = Snapshot {
            orders: Vec::new(),
            ..shell.known_rows()
        };
        let history = History {
            orders: orders.to_vec(),
            ..shell.known_history()
        };
        shell.feed(Input::Pass(rows, history));
    }
}

/// No row tells of the rest of an order that was filled in part.
fn assert_ends_unlisted(shell: &mut Shell, id: OrderId) {
    passes_without_rows(shell, 3, &[]);
    assert_eq!(shell.order(id).state, OrderState::PartiallyFilled);
    passes_without_rows(shell, 1, &[]);
    assert_eq!(shell.state(id), (OrderState::Unknown, "NOT_LISTED"));
    passes_without_rows(shell, 40, &[]);
    let order = shell.order(id);
    assert_eq!(
        (order.state, order.reason.as_str(), order.filled),
        (OrderState::Canceled, "NOT_FOUND_AT_BROKER", lots(0.1))
    );
}

#[test]
fn a_fill_in_part_of_which_no_row_is_left_is_unknown_and_in_the_end_canceled() {
    let (mut shell, id, _) = filled_in_part();
    let mut stopped = deal(2, 1, Side::Sell, Entry::Out, 10_000_000, 109_000);
    stopped.reason = DealReason::StopLoss;
    shell.feed(Input::Deal(stopped));
    assert!(shell.positions().is_empty());
    assert_ends_unlisted(&mut shell, id);
}

#[test]
fn a_fill_in_part_of_which_no_row_is_left_ends_though_its_position_is_open() {
    let (mut shell, id, _) = filled_in_part();
    assert_ends_unlisted(&mut shell, id);
}

#[test]
fn a_fill_in_part_that_the_history_has_as_such_is_over() {
    let (mut shell, id, row) = filled_in_part();
    let ended = OrderRow {
        state: RowState::Partial,
        done: Some(broker_time(1)),
        ..row
    };
    passes_without_rows(&mut shell, 100, &[ended]);
    assert_eq!(shell.order(id).state, OrderState::Canceled);
}

#[test]
fn a_working_order_that_the_history_has_as_filled_without_its_deals_is_unknown() {
    let mut shell = ready();
    let id = shell.work("alpha", "limit", 1);
    let ended = OrderRow {
        state: RowState::Filled,
        lots_left: lots(0.0),
        done: Some(broker_time(1)),
        ..order_row(shell.order(id))
    };
    passes_without_rows(&mut shell, 100, &[ended]);
    assert_eq!(shell.order(id).state, OrderState::Unknown);
}

/// A deal overtakes the answer. How much a close of all takes, and whether more comes, the answer tells.
#[test]
fn nobody_is_told_of_a_part_while_the_answer_is_on_its_way() {
    for (asked, part, done) in [
        (None, 0.1, OrderState::Filled),
        (Some(0.06), 0.06, OrderState::Filled),
        (Some(0.08), 0.06, OrderState::PartiallyFilled),
    ] {
        let mut shell = holding();
        let asker = shell.step_call("alpha", "c", close(HELD, asked));
        shell.settle();
        let Job::Order(id) = shell.leaves().job else {
            panic!("a change")
        };
        let order = shell.order(id).clone();
        let part = lots(part);
        let deal = DealRow {
            magic: order.magic,
            order: Some(Ticket(2)),
            ..deal(2, 1, Side::Sell, Entry::Out, part.units(), 110_000)
        };
        shell.feed(Input::Deal(deal));
        let told = shell.answer_to(asker);
        assert_eq!(told.is_some(), shell.order(id).state == OrderState::Filled);
        shell.answer(id, Ok(receipt(Retcode::DONE, 2)));
        let Some(Answer::Order(told)) = shell.answer_to(asker) else {
            panic!("no answer")
        };
        assert_eq!((told.state, told.filled), (done, part));
    }
}
