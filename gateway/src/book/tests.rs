#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::{account, deal};
use mymt5_model::Lots;

fn nobody(_: Magic) -> Owner {
    (None, String::new())
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
    assert!(
        book.read(account(), vec![row], Ticket(7), None, nobody)
            .is_some()
    );
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
    assert_eq!(book.read(account(), vec![], Ticket(6), None, nobody), None);
    assert!(book.position(PositionId(1)).is_some());
}
