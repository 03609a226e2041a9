#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::{account, deal};
use mymt5_model::{AccountMode::Hedging, Entry, Side};
use proptest::prelude::*;

fn nobody(_: Magic) -> Owner {
    (None, String::new())
}

fn read(book: &mut Book, rows: Vec<PositionRow>, last_deal: u64, at: i64) -> Option<Reading> {
    let times = (None, UtcTime(at));
    book.read(account(), rows, Ticket(last_deal), times, nobody)
}

/// The row that a position has after these deals.
fn row_of(deals: &[DealRow]) -> Option<PositionRow> {
    let mut book = Book::default();
    for deal in deals {
        book.apply(deal, Levels::default(), nobody);
    }
    book.position(PositionId(1)).map(|held| held.row.clone())
}

fn lots(units: i64) -> Lots {
    Lots::from_units(units)
}

#[test]
fn deals_open_add_reduce_reverse_and_close() {
    let mut book = Book::default();
    let held = |book: &Book| {
        book.position(PositionId(1))
            .map(|p| (p.row.side, p.row.lots, p.row.open_price.points()))
    };
    book.apply(
        &deal(1, 1, Side::Buy, Entry::In, 100, 1_000),
        Levels::default(),
        nobody,
    );
    book.apply(
        &deal(2, 1, Side::Buy, Entry::In, 300, 2_000),
        Levels::default(),
        nobody,
    );
    assert_eq!(held(&book), Some((Side::Buy, lots(400), 1_750)));
    book.apply(
        &deal(3, 1, Side::Sell, Entry::Out, 100, 2_000),
        Levels::default(),
        nobody,
    );
    assert_eq!(held(&book), Some((Side::Buy, lots(300), 1_750)));
    book.apply(
        &deal(4, 1, Side::Sell, Entry::InOut, 500, 1_900),
        Levels::default(),
        nobody,
    );
    assert_eq!(held(&book), Some((Side::Sell, lots(200), 1_900)));
    let gone = book.apply(
        &deal(5, 1, Side::Buy, Entry::Out, 200, 1_800),
        Levels::default(),
        nobody,
    );
    assert!(matches!(gone, Some(PositionChange::Closed(_))) && held(&book).is_none());
}

#[test]
fn a_deal_is_reflected_once_whether_row_or_deal_came_first() {
    let mut source = Book::default();
    let opening = deal(7, 1, Side::Buy, Entry::In, 100, 1_000);
    source.apply(&opening, Levels::default(), nobody);
    let row = source.position(PositionId(1)).unwrap().row.clone();

    let mut book = Book::default();
    assert!(read(&mut book, vec![row], 7, 0).is_some());
    assert_eq!(book.apply(&opening, Levels::default(), nobody), None);
    assert_eq!(book.position(PositionId(1)).unwrap().row.lots, lots(100));
}

#[test]
fn rows_older_than_a_deal_change_nothing() {
    let mut book = Book::default();
    book.apply(
        &deal(7, 1, Side::Buy, Entry::In, 100, 1_000),
        Levels::default(),
        nobody,
    );
    assert!(read(&mut book, vec![], 6, 0).is_none());
    assert!(book.position(PositionId(1)).is_some());
}

#[test]
fn a_row_and_a_deal_that_it_reflects_are_not_added_up() {
    // The deal came to light after the row was read, by a read that reports older deals only.
    let opening = deal(7, 1, Side::Buy, Entry::In, 100, 1_000);
    let row = row_of(std::slice::from_ref(&opening)).unwrap();
    let mut book = Book::default();
    read(&mut book, vec![row.clone()], 6, 0).unwrap();
    assert_eq!(book.apply(&opening, Levels::default(), nobody), None);
    assert_eq!(book.position(PositionId(1)).unwrap().row, row);
    assert_eq!(book.closable(PositionId(1), Hedging), lots(100));
}

#[test]
fn rows_that_lag_behind_deals_neither_close_nor_reopen() {
    let opening = deal(7, 1, Side::Buy, Entry::In, 100, 1_000);
    let row = row_of(std::slice::from_ref(&opening)).unwrap();
    let mut book = Book::default();
    assert!(book.apply(&opening, Levels::default(), nobody).is_some());
    // Not listed yet, listed, and missing again from a read that was answered by an older list.
    for rows in [vec![], vec![row.clone()], vec![]] {
        let reading = read(&mut book, rows, 7, 0).unwrap();
        assert_eq!(reading.changes, []);
    }
    let closing = deal(8, 1, Side::Sell, Entry::Out, 100, 1_100);
    let closed = book.apply(&closing, Levels::default(), nobody);
    assert!(matches!(closed, Some(PositionChange::Closed(_))));
    let reading = read(&mut book, vec![row], 8, 0).unwrap();
    assert_eq!((reading.changes, book.positions().count()), (vec![], 0));
}

#[test]
fn rows_are_believed_against_deals_once_they_go_on_disagreeing_and_that_is_told() {
    let opening = deal(7, 1, Side::Buy, Entry::In, 100, 1_000);
    let mut row = row_of(std::slice::from_ref(&opening)).unwrap();
    row.lots = lots(40);
    let mut book = Book::default();
    book.apply(&opening, Levels::default(), nobody);
    let mut told = Vec::new();
    for at in [0, 1_000, 2_000, 4_999, 5_000, 6_000] {
        let reading = read(&mut book, vec![row.clone()], 7, at).unwrap();
        told.extend(reading.unexplained.iter().map(|(id, ..)| (*id, at)));
        // An exit never takes more than the newest row has.
        assert_eq!(book.closable(PositionId(1), Hedging), lots(40));
    }
    assert_eq!(told, [(PositionId(1), 5_000)]);
    assert_eq!(book.position(PositionId(1)).unwrap().row.lots, lots(40));
    assert_eq!(book.unexplained().count(), 1);
    // The deal that explains it lifts it.
    let closing = deal(8, 1, Side::Sell, Entry::Out, 60, 1_100);
    book.apply(&closing, Levels::default(), nobody);
    assert_eq!(book.unexplained().count(), 0);
    assert_eq!(book.position(PositionId(1)).unwrap().row.lots, lots(40));
}

#[test]
fn an_operator_accepts_what_no_deal_explains() {
    let opening = deal(7, 1, Side::Buy, Entry::In, 100, 1_000);
    let mut book = Book::default();
    book.apply(&opening, Levels::default(), nobody);
    for at in [0, 1_000, 5_000] {
        read(&mut book, vec![], 7, at);
    }
    assert_eq!(
        (book.positions().count(), book.unexplained().count()),
        (0, 1)
    );
    book.accept();
    assert_eq!(book.unexplained().count(), 0);
    read(&mut book, vec![], 7, 60_000);
    assert_eq!(
        (book.positions().count(), book.unexplained().count()),
        (0, 0)
    );
}

/// One position's life on a netting account: opened, and then traded either way until it is flat.
fn life(trades: &[(bool, u8)]) -> Vec<DealRow> {
    let (mut deals, mut net) = (Vec::new(), 0i64);
    for (ticket, (buy, amount)) in (1..).zip(trades) {
        let signed = i64::from(*amount) * if *buy { 1 } else { -1 };
        let entry = match (net, net.signum() == signed.signum()) {
            (0, _) | (_, true) => Entry::In,
            _ if signed.abs() > net.abs() => Entry::InOut,
            _ => Entry::Out,
        };
        net += signed;
        let side = if *buy { Side::Buy } else { Side::Sell };
        deals.push(deal(ticket, 1, side, entry, i64::from(*amount), 1_000));
        if net == 0 {
            break;
        }
    }
    deals
}

proptest! {
    /// Rows and deals each lag behind the broker by amounts of their own, back and forth. Whatever
    /// is told was so at the broker at some time, no close may exceed the newest row, and once both
    /// have caught up the book is the broker's.
    #[test]
    fn lists_that_lag_each_other_tell_no_lots_that_never_were(
        trades in prop::collection::vec((any::<bool>(), 1..5u8), 1..12),
        reads in prop::collection::vec((any::<bool>(), 0..12usize, 0..6usize), 0..60),
    ) {
        let deals = life(&trades);
        let states: Vec<Option<PositionRow>> = (0..=deals.len()).map(|n| row_of(&deals[..n])).collect();
        let amount = |row: &Option<PositionRow>| row.as_ref().map(|row| (row.side, row.lots));
        let mut book = Book::default();
        let known = |book: &Book| book.position(PositionId(1)).map(|held| held.row.clone());
        let catching_up = [(true, deals.len(), 0), (false, deals.len(), 0)];
        for (of_rows, reached, lag) in reads.into_iter().chain(catching_up) {
            let to = reached.min(deals.len()).saturating_sub(lag);
            if of_rows {
                let rows: Vec<PositionRow> = states[to].clone().into_iter().collect();
                let newest = rows.first().map(|row| (row.side, row.lots));
                let last_deal = book.reflected().0;
                prop_assert!(read(&mut book, rows, last_deal, 0).is_some());
                let closable = book.closable(PositionId(1), Hedging);
                if let Some((side, lots)) = newest {
                    let same_side = known(&book).is_some_and(|row| row.side == side);
                    prop_assert!(closable.is_zero() || (same_side && closable <= lots));
                }
            } else {
                for deal in &deals[..to] {
                    book.apply(deal, Levels::default(), nobody);
                }
            }
            let told = amount(&known(&book));
            prop_assert!(states.iter().any(|state| amount(state) == told), "{told:?}");
        }
        prop_assert_eq!(amount(&known(&book)), amount(states.last().unwrap()));
    }
}
