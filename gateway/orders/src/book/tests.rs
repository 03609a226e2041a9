#![allow(clippy::unwrap_used)]
mod missing;

use super::*;
use mymt5_model::{
    AccountMode::{Hedging, Netting},
    DealKind, DealReason, Entry, Money, Price, Side, Ticket, UtcTime,
};
use proptest::prelude::*;

const ONE: PositionId = PositionId(1);

fn nobody(_: Magic) -> Owner {
    Owner::default()
}

fn alpha(_: Magic) -> Owner {
    Owner {
        client: Some(ClientName::parse("alpha").unwrap()),
        tag: "trend".to_owned(),
        orphan: false,
    }
}

/// A trade of EURUSD of position 1; the deal that has the position's number opens it.
fn deal(ticket: u64, side: Side, entry: Entry, units: i64, points: i64) -> DealRow {
    DealRow {
        ticket: Ticket(ticket),
        order: Some(Ticket(ticket)),
        position_id: Some(ONE),
        magic: Magic::NONE,
        symbol: Some(Symbol::parse("EURUSD").unwrap()),
        kind: DealKind::Trade(side),
        entry: Some(entry),
        reason: DealReason::Expert,
        lots: lots(units),
        price: Some(Price::from_points(points, 5)),
        profit: Money::ZERO,
        swap: Money::ZERO,
        commission: Money::ZERO,
        time: BrokerTime(0),
        comment: String::new(),
    }
}

fn lots(units: i64) -> Lots {
    Lots::from_units(units)
}

fn money(amount: f64) -> Money {
    Money::from_f64(amount).unwrap()
}

fn read(book: &mut Book, rows: Vec<PositionRow>, at: i64) -> Reading {
    read_begun(book, rows, u64::MAX, at)
}

fn read_begun(book: &mut Book, rows: Vec<PositionRow>, begun: u64, at: i64) -> Reading {
    let now = Now {
        utc: UtcTime(at),
        elapsed_ms: at,
    };
    book.read(rows, &Unread::default(), begun, now, nobody)
}

fn apply(book: &mut Book, deal: &DealRow) -> Option<PositionChange> {
    apply_for(book, deal, nobody)
}

fn apply_for(book: &mut Book, deal: &DealRow, owner: fn(Magic) -> Owner) -> Option<PositionChange> {
    let id = book.add(deal, 0)?;
    book.report(id, Levels::default(), owner).pop()
}

/// A book that knows just these deals.
fn of_deals(deals: &[DealRow]) -> Book {
    let mut book = Book::default();
    for deal in deals {
        apply(&mut book, deal);
    }
    book
}

/// The row that a position has after these deals.
fn row_of(deals: &[DealRow]) -> Option<PositionRow> {
    of_deals(deals).position(ONE).map(|held| held.row.clone())
}

/// The deal that opens position 1, 100 units long, and its row then.
fn opened() -> (DealRow, PositionRow) {
    let opening = deal(1, Side::Buy, Entry::In, 100, 1_000);
    let row = row_of(std::slice::from_ref(&opening)).unwrap();
    (opening, row)
}

fn held(book: &Book) -> Option<(Side, Lots, i64)> {
    let held = book.position(ONE)?;
    let row = &held.row;
    Some((row.side, row.lots, row.open_price.points()))
}

fn is_closed(change: Option<PositionChange>) -> bool {
    matches!(change, Some(PositionChange::Closed(_)))
}

#[test]
fn deals_open_add_reduce_reverse_and_close() {
    let mut book = Book::default();
    apply(&mut book, &deal(1, Side::Buy, Entry::In, 100, 1_000));
    apply(&mut book, &deal(2, Side::Buy, Entry::In, 300, 2_000));
    assert_eq!(held(&book), Some((Side::Buy, lots(400), 1_750)));
    apply(&mut book, &deal(3, Side::Sell, Entry::Out, 100, 2_000));
    assert_eq!(held(&book), Some((Side::Buy, lots(300), 1_750)));
    apply(&mut book, &deal(4, Side::Sell, Entry::InOut, 500, 1_900));
    assert_eq!(held(&book), Some((Side::Sell, lots(200), 1_900)));
    let gone = apply(&mut book, &deal(5, Side::Buy, Entry::Out, 200, 1_800));
    assert!(is_closed(gone) && held(&book).is_none());
}

#[test]
fn deals_and_rows_of_other_digits_add_up_by_their_prices() {
    let fine = |points: i64| Price::from_points(points * 1_000, 8);
    let deals = |first: Price, second: Price| {
        let mut deals = [
            deal(1, Side::Buy, Entry::In, 100, 0),
            deal(2, Side::Buy, Entry::In, 300, 0),
        ];
        deals[0].price = Some(first);
        deals[1].price = Some(second);
        deals
    };
    let coarse = |points: i64| Price::from_points(points, 5);
    for deals in [
        deals(coarse(1_000), fine(2_000)),
        deals(fine(1_000), coarse(2_000)),
    ] {
        let mut row = row_of(&deals).unwrap();
        assert_eq!(row.open_price.with_digits(5), coarse(1_750));
        let mut chain = chain::Chain::default();
        for deal in &deals {
            assert!(chain.add(Trade::of(deal).unwrap()));
        }
        for price in [coarse(1_750), fine(1_750)] {
            row.open_price = price;
            assert!(chain.leads_to(Some(&row)), "{price}");
        }
        row.open_price = fine(1_760);
        assert!(!chain.leads_to(Some(&row)));
    }
}

#[test]
fn a_deal_is_reflected_once_whether_row_or_deal_came_first() {
    let (opening, row) = opened();
    for row_first in [true, false] {
        let mut book = Book::default();
        if row_first {
            assert_eq!(read(&mut book, vec![row.clone()], 0).changes.len(), 1);
            assert_eq!(apply(&mut book, &opening), None);
        } else {
            assert!(apply(&mut book, &opening).is_some());
            assert!(read(&mut book, vec![row.clone()], 0).changes.is_empty());
        }
        assert_eq!(apply(&mut book, &opening), None);
        assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
    }
}

#[test]
fn rows_older_than_a_deal_change_nothing() {
    let (opening, _) = opened();
    let mut book = of_deals(&[opening]);
    let reading = read(&mut book, vec![], 0);
    assert!(reading.changes.is_empty() && reading.unexplained.is_empty());
    assert!(held(&book).is_some());
}

#[test]
fn a_row_and_a_deal_that_it_reflects_are_not_added_up() {
    // The deal came to light after the row was read.
    let (opening, row) = opened();
    let mut book = Book::default();
    read(&mut book, vec![row.clone()], 0);
    assert_eq!(apply(&mut book, &opening), None);
    assert_eq!(book.position(ONE).unwrap().row, row);
    for mode in [Hedging, Netting] {
        book.mode = Some(mode);
        assert_eq!(book.closable(ONE), lots(100));
    }
}

#[test]
fn rows_that_lag_behind_deals_neither_close_nor_reopen() {
    let (opening, row) = opened();
    let mut book = Book::default();
    assert!(apply(&mut book, &opening).is_some());
    // Not listed yet, listed, and missing again from a read that was answered by an older list.
    for rows in [vec![], vec![row.clone()], vec![]] {
        assert_eq!(read(&mut book, rows, 0).changes, []);
    }
    let closing = deal(8, Side::Sell, Entry::Out, 100, 1_100);
    assert!(is_closed(apply(&mut book, &closing)));
    let reading = read(&mut book, vec![row], 0);
    assert_eq!((reading.changes, book.positions().count()), (vec![], 0));
}

#[test]
fn on_netting_no_close_takes_what_the_newest_read_lacks() {
    let (opening, row) = opened();
    let mut book = of_deals(&[opening]);
    read(&mut book, vec![row], 0);
    read(&mut book, vec![], 0);
    for (mode, closable) in [(Hedging, lots(100)), (Netting, Lots::ZERO)] {
        book.mode = Some(mode);
        assert_eq!(book.closable(ONE), closable);
    }
}

#[test]
fn rows_are_believed_against_deals_once_they_go_on_disagreeing_and_that_is_told() {
    let (opening, mut row) = opened();
    row.lots = lots(40);
    let mut book = of_deals(&[opening]);
    let mut told = Vec::new();
    for at in [0, 1_000, 2_000, 4_000, 4_999, 5_000, 6_000] {
        let reading = read(&mut book, vec![row.clone()], at);
        told.extend(reading.unexplained.iter().map(|(id, _)| (*id, at)));
        // An exit never takes more than the newest row has.
        assert_eq!(book.closable(ONE), lots(40));
    }
    // The read of then had begun after five seconds.
    assert_eq!(told, [(ONE, 6_000)]);
    assert_eq!(book.position(ONE).unwrap().row.lots, lots(40));
    assert_eq!(book.unexplained().count(), 1);
    // The deal that explains it lifts it.
    apply(&mut book, &deal(8, Side::Sell, Entry::Out, 60, 1_100));
    assert_eq!(book.unexplained().count(), 0);
    assert_eq!(book.position(ONE).unwrap().row.lots, lots(40));
}

#[test]
fn few_reads_are_not_believed_however_far_apart() {
    let (opening, mut row) = opened();
    row.lots = lots(40);
    let mut book = of_deals(&[opening]);
    for at in [0, 15_000, 15_001, 30_001, 45_001] {
        assert!(
            read(&mut book, vec![row.clone()], at)
                .unexplained
                .is_empty()
        );
    }
    assert_eq!(read(&mut book, vec![row], 45_002).unexplained.len(), 1);
}

/// The process stood still while rows were read that lagged: what comes days later is from before.
#[test]
fn reads_before_and_after_a_standstill_do_not_add_up() {
    let (opening, _) = opened();
    let mut book = of_deals(&[opening]);
    for at in [0, 1_500, 172_800_000, 172_802_000, 172_804_000, 172_805_000] {
        let reading = read(&mut book, vec![], at);
        assert!(reading.changes.is_empty() && reading.unexplained.is_empty());
        assert_eq!(book.position(ONE).unwrap().row.lots, lots(100));
    }
    let gone = read(&mut book, vec![], 172_805_001).changes.pop();
    assert!(is_closed(gone));
}

#[test]
fn reads_before_and_after_a_pause_of_the_link_do_not_add_up() {
    let (opening, mut row) = opened();
    row.lots = lots(40);
    let mut book = of_deals(&[opening]);
    for at in [0, 4_000] {
        read(&mut book, vec![row.clone()], at);
    }
    book.lose();
    for at in [10_000, 12_000, 14_000, 15_000] {
        assert!(
            read(&mut book, vec![row.clone()], at)
                .unexplained
                .is_empty()
        );
    }
    assert_eq!(read(&mut book, vec![row], 15_001).unexplained.len(), 1);
}

/// Since then the row cannot be read, and a deal of the pause is not known.
#[test]
fn a_row_of_before_a_pause_of_the_link_does_not_tell_that_no_deal_is_missing() {
    let (opening, row) = opened();
    let missing = deal(2, Side::Sell, Entry::Out, 40, 1_100);
    let newer = deal(3, Side::Sell, Entry::Out, 20, 1_200);
    let after = row_of(&[opening.clone(), missing.clone(), newer.clone()]).unwrap();
    let mut book = of_deals(&[opening]);
    read(&mut book, vec![row], 0);
    book.lose();
    book.add_early(&newer, true, 1);
    assert_eq!(book.report(ONE, Levels::default(), nobody), []);
    assert_eq!(apply(&mut book, &newer), None);
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
    read(&mut book, vec![after], 0);
    apply(&mut book, &missing);
    assert_eq!(held(&book), Some((Side::Buy, lots(40), 1_000)));
}

/// A deal of the pause is not known, and the next one closes as much.
#[test]
fn a_row_that_was_read_before_a_deal_was_done_does_not_confirm_it() {
    let (opening, _) = opened();
    let missing = deal(2, Side::Sell, Entry::Out, 20, 1_100);
    let [newer, newest] = [(3, 20), (4, 30)].map(|(ticket, units)| DealRow {
        time: BrokerTime(2_000),
        ..deal(ticket, Side::Sell, Entry::Out, units, 1_200)
    });
    let all = [
        opening.clone(),
        missing.clone(),
        newer.clone(),
        newest.clone(),
    ];
    let [before, after] = [2, 4].map(|count| row_of(&all[..count]).unwrap());
    let mut book = of_deals(&[opening]);
    book.lose();
    book.as_of = Some(BrokerTime(1_000));
    read(&mut book, vec![before], 0);
    book.add_early(&newer, true, 1);
    apply(&mut book, &newer);
    apply(&mut book, &newest);
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
    book.as_of = Some(BrokerTime(2_000));
    read(&mut book, vec![after], 1_000);
    apply(&mut book, &missing);
    assert_eq!(held(&book), Some((Side::Buy, lots(30), 1_000)));
}

/// A part was closed, its answer brought the deal, and a reading that had begun before has it too.
#[test]
fn a_row_that_has_an_early_close_leaves_the_rest_to_be_closed() {
    let opening = deal(1, Side::Buy, Entry::In, 100, 1_000);
    let part = deal(2, Side::Sell, Entry::Out, 40, 1_100);
    let rest = row_of(&[opening.clone(), part.clone()]).unwrap();
    for (mode, closable) in [(Hedging, lots(60)), (Netting, lots(20))] {
        let mut book = of_deals(std::slice::from_ref(&opening));
        book.mode = Some(mode);
        book.add_early(&part, true, 2);
        read_begun(&mut book, vec![rest.clone()], 1, 0);
        assert_eq!(book.closable(ONE), closable);
        read_begun(&mut book, vec![rest.clone()], 2, 300);
        assert_eq!(book.closable(ONE), lots(60));
    }
}

#[test]
fn an_operator_accepts_what_no_deal_explains() {
    let (opening, _) = opened();
    let mut book = of_deals(&[opening]);
    for at in [0, 1_000, 3_000, 5_000, 5_001] {
        read(&mut book, vec![], at);
    }
    let counts = |book: &Book| (book.positions().count(), book.unexplained().count());
    assert_eq!(counts(&book), (0, 1));
    assert!(!book.accept(Some(&Symbol::parse("GBPUSD").unwrap())));
    assert_eq!(counts(&book), (0, 1));
    assert!(book.accept(None));
    assert!(!book.accept(None));
    assert_eq!(counts(&book), (0, 0));
    assert!(book.knows(ONE), "deals of before tell nothing any more");
    read(&mut book, vec![], 60_000);
    assert_eq!(counts(&book), (0, 0));
}

#[test]
fn a_position_of_which_the_opening_deal_is_unknown_is_told_by_its_rows() {
    let (_, mut row) = opened();
    let mut book = Book::default();
    read(&mut book, vec![row.clone()], 0);
    apply(&mut book, &deal(5, Side::Sell, Entry::Out, 30, 1_100));
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
    assert_eq!(book.closable(ONE), lots(70), "what was closed since");
    row.lots = lots(70);
    read(&mut book, vec![row], 0);
    assert_eq!(held(&book), Some((Side::Buy, lots(70), 1_000)));
    assert_eq!(book.closable(ONE), lots(70));
    apply(&mut book, &deal(6, Side::Sell, Entry::Out, 70, 1_100));
    assert_eq!(book.closable(ONE), Lots::ZERO);
    read(&mut book, vec![], 0);
    assert_eq!(held(&book), None);
    assert_eq!(book.unexplained().count(), 0);
}

/// On netting the reversal between them is not known yet.
#[test]
fn deals_that_cannot_follow_each_other_are_not_summed_up() {
    let buy = deal(1, Side::Buy, Entry::In, 200, 1_000);
    let turned = deal(2, Side::Sell, Entry::InOut, 1_400, 1_100);
    let more = deal(3, Side::Sell, Entry::In, 100, 1_200);
    let mut book = of_deals(&[buy, more]);
    assert_ne!(held(&book), Some((Side::Buy, lots(300), 1_066)));
    apply(&mut book, &turned);
    assert_eq!(held(&book), Some((Side::Sell, lots(1_300), 1_108)));
}

#[test]
fn many_deals_sum_up_as_few_do() {
    let adds: Vec<DealRow> = (1..=200)
        .map(|ticket| deal(ticket, Side::Buy, Entry::In, 1, 1_000))
        .collect();
    let mut book = of_deals(&adds);
    assert_eq!(held(&book), Some((Side::Buy, lots(200), 1_000)));
    let closing = deal(201, Side::Sell, Entry::Out, 200, 1_100);
    assert!(is_closed(apply(&mut book, &closing)));
}

#[test]
fn a_closed_position_tells_what_its_deals_realised() {
    let (opening, mut row) = opened();
    let mut part = deal(2, Side::Sell, Entry::Out, 40, 1_100);
    let mut rest = deal(3, Side::Sell, Entry::Out, 60, 1_100);
    (part.profit, rest.profit) = (money(40.0), money(60.0));
    (part.swap, rest.swap) = (money(-1.0), money(-2.0));
    row.profit = money(7.0);
    let mut book = of_deals(&[opening]);
    read(&mut book, vec![row], 0);
    apply(&mut book, &part);
    let Some(PositionChange::Closed(closed)) = apply(&mut book, &rest) else {
        panic!()
    };
    assert_eq!(
        (closed.row.profit, closed.row.swap),
        (money(100.0), money(-3.0))
    );
}

#[test]
fn levels_of_an_answer_hold_against_rows_that_were_read_before_it() {
    let (opening, row) = opened();
    let levels = Levels {
        stop_loss: Some(Price::from_points(900, 5)),
        take_profit: None,
    };
    let mut book = of_deals(&[opening]);
    read_begun(&mut book, vec![row.clone()], 0, 0);
    assert!(book.set_levels(ONE, levels, 3).is_some());
    assert!(book.set_levels(ONE, levels, 3).is_none());
    read_begun(&mut book, vec![row.clone()], 2, 0);
    assert_eq!(book.position(ONE).unwrap().row.levels, levels);
    read_begun(&mut book, vec![row], 3, 0);
    assert_eq!(book.position(ONE).unwrap().row.levels, Levels::default());
}

#[test]
fn a_book_that_is_taken_up_again_tells_nothing_new_and_keeps_owners() {
    let (opening, row) = opened();
    let mut book = Book::default();
    apply_for(&mut book, &opening, alpha);
    let kept: Vec<Position> = book.positions().cloned().collect();
    let deals = std::iter::once(&opening);
    let mut again = Book::new(kept.clone(), deals, Some(Hedging), BTreeMap::new());
    assert!(again.positions().eq(&kept));
    assert_eq!(read(&mut again, vec![row], 0).changes, []);
    assert_eq!(apply(&mut again, &opening), None);
    assert!(again.positions().eq(&kept));
}

/// It was kept as it had been before deals of which one is not known.
#[test]
fn deals_that_come_to_the_same_lots_by_chance_do_not_tell_a_kept_position() {
    let opening = deal(1, Side::Buy, Entry::In, 200, 1_000);
    let kept: Vec<Position> = of_deals(std::slice::from_ref(&opening))
        .positions()
        .cloned()
        .collect();
    let closing = deal(2, Side::Sell, Entry::Out, 100, 1_100);
    let more = deal(4, Side::Buy, Entry::In, 100, 1_300);
    let deals = [opening, closing, more];
    let mut book = Book::new(kept, deals.iter(), Some(Netting), BTreeMap::new());
    let out = deal(3, Side::Sell, Entry::Out, 50, 1_200);
    apply(&mut book, &out);
    assert_eq!(held(&book), Some((Side::Buy, lots(200), 1_000)));
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
        deals.push(deal(ticket, side, entry, i64::from(*amount), 1_000));
        if net == 0 {
            break;
        }
    }
    deals
}

proptest! {
    /// Rows and deals each lag behind the broker by amounts of their own, back and forth. Whatever
    /// is told was so at the broker at some time, no close may exceed the newest row, and once both
    /// have caught up, and rows were read since, the book is the broker's.
    #[test]
    fn lists_that_lag_each_other_tell_no_lots_that_never_were(
        trades in prop::collection::vec((any::<bool>(), 1..5u8), 1..12),
        reads in prop::collection::vec((any::<bool>(), 0..12usize, 0..6usize), 0..60),
        netting in any::<bool>(),
    ) {
        let deals = life(&trades);
        let states: Vec<Option<PositionRow>> = (0..=deals.len()).map(|n| row_of(&deals[..n])).collect();
        let amount = |row: &Option<PositionRow>| row.as_ref().map(|row| (row.side, row.lots));
        let mode = if netting { Netting } else { Hedging };
        let mut book = Book { mode: Some(mode), ..Book::default() };
        let known = |book: &Book| book.position(ONE).map(|held| held.row.clone());
        let catching_up = [true, false, true].map(|of_rows| (of_rows, deals.len(), 0));
        for (of_rows, reached, lag) in reads.into_iter().chain(catching_up) {
            let to = reached.min(deals.len()).saturating_sub(lag);
            if of_rows {
                let rows: Vec<PositionRow> = states[to].clone().into_iter().collect();
                let newest = rows.first().map(|row| (row.side, row.lots));
                prop_assert!(read(&mut book, rows, 0).unexplained.is_empty());
                if let Some((side, lots)) = newest {
                    let closable = book.closable(ONE);
                    let same_side = known(&book).is_some_and(|row| row.side == side);
                    prop_assert!(closable.is_zero() || (same_side && closable <= lots));
                }
            } else {
                for deal in &deals[..to] {
                    apply(&mut book, deal);
                }
            }
            let told = amount(&known(&book));
            prop_assert!(states.iter().any(|state| amount(state) == told), "{told:?}");
        }
        prop_assert_eq!(amount(&known(&book)), amount(states.last().unwrap()));
    }
}

#[test]
fn what_is_over_the_longest_is_forgotten_first() {
    let mut book = Book::default();
    let of = |id: u64, ticket: u64, side, entry| DealRow {
        ticket: Ticket(ticket),
        order: Some(Ticket(ticket)),
        position_id: Some(PositionId(id)),
        ..deal(ticket, side, entry, 100, 1_000)
    };
    apply(&mut book, &of(1, 1, Side::Buy, Entry::In));
    let count = REMEMBERED as u64 + 10;
    for id in 2..count + 2 {
        book.add(&of(id, id, Side::Buy, Entry::In), 0);
        book.add(&of(id, 10_000 + id, Side::Sell, Entry::Out), 0);
        let row = book.position(ONE).unwrap().row.clone();
        read(&mut book, vec![row], 0);
    }
    assert!(!book.knows(PositionId(2)) && book.knows(PositionId(count)));
    apply(&mut book, &of(1, 50_000, Side::Sell, Entry::Out));
    read(&mut book, vec![], 0);
    assert!(book.knows(ONE), "it was open until now");
    assert!(book.in_memory() <= REMEMBERED + 1);
}
