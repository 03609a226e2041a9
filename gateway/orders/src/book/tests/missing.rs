//! Deals that are missing, or come late, while rows fit those that are known by chance.

use super::*;

/// While the link was down as much was closed as was added, and the history does not show it yet.
#[test]
fn deals_are_missing_where_a_row_has_their_lots_at_another_price() {
    let deals = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Sell, Entry::Out, 40, 1_100),
        deal(3, Side::Buy, Entry::In, 40, 1_200),
        deal(4, Side::Sell, Entry::Out, 50, 1_300),
    ];
    let [before, after] = [3, 4].map(|count| row_of(&deals[..count]).unwrap());
    let mut book = of_deals(&deals[..1]);
    book.lose();
    read(&mut book, vec![before], 0);
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_080)));
    assert_eq!(apply(&mut book, &deals[3]), None);
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_080)));
    // Reads that follow each other closely may all be ahead of an answer on its way.
    for (at, lasts) in [
        (0, false),
        (20, false),
        (499, false),
        (500, true),
        (520, false),
    ] {
        let reading = read(&mut book, vec![after.clone()], at);
        assert_eq!(reading.doubts, lasts, "{at}: a pass is asked for");
    }
    for late in &deals[1..3] {
        apply(&mut book, late);
    }
    assert_eq!(held(&book), Some((Side::Buy, lots(50), 1_080)));
    assert_eq!(book.unexplained().count(), 0);
}

/// As much was added as was closed.
fn added_and_closed() -> [DealRow; 3] {
    [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Buy, Entry::In, 100, 1_200),
        deal(3, Side::Sell, Entry::Out, 100, 1_300),
    ]
}

/// While the link was down as much was added as was closed, and the deal that added cannot be read.
#[test]
fn a_close_that_waits_for_a_missing_deal_does_not_hold_up_others_for_ever() {
    let deals = added_and_closed();
    let row = row_of(&deals).unwrap();
    let all = Some((Side::Buy, lots(100), 1_100));
    for mode in [Hedging, Netting] {
        let mut book = of_deals(&deals[..1]);
        book.mode = Some(mode);
        book.lose();
        read(&mut book, vec![row.clone()], 0);
        assert_eq!(apply(&mut book, &deals[2]), None);
        for at in [1_000, 2_000, 4_000, 6_000, 6_001] {
            assert_eq!(book.closable(ONE), Lots::ZERO, "the row may lack the close");
            assert_eq!(book.unexplained().count(), 0);
            let reading = read(&mut book, vec![row.clone()], at);
            assert_eq!(reading.doubts, at == 2_000, "a pass is asked for");
        }
        assert_eq!((held(&book), book.unexplained().count()), (all, 1));
        assert_eq!(book.closable(ONE), lots(100));
        // The deal that explains it lifts it.
        assert_eq!(apply(&mut book, &deals[1]), None);
        assert_eq!((held(&book), book.unexplained().count()), (all, 0));
        assert_eq!(book.closable(ONE), lots(100));
        assert!(book.is_settled(None));
    }
}

/// The same, and a close is answered: reads that had begun before it tell nothing of it.
#[test]
fn reads_that_began_before_a_close_do_not_count_against_it() {
    let before = added_and_closed();
    let row = row_of(&before).unwrap();
    let mut book = of_deals(&before[..1]);
    book.mode = Some(Netting);
    book.lose();
    read_begun(&mut book, vec![row.clone()], 1, 0);
    book.add_early(&deal(4, Side::Sell, Entry::Out, 100, 1_300), true, 2);
    assert_eq!(book.report(ONE, Levels::default(), nobody), []);
    for at in [1_000, 3_000, 7_000] {
        read_begun(&mut book, vec![row.clone()], 1, at);
        assert_eq!(book.closable(ONE), Lots::ZERO);
        assert_eq!(book.unexplained().count(), 0);
    }
}

/// As much was added as was closed at the same price, so that the row is what it was.
#[test]
fn a_close_that_a_row_hides_does_not_wait_for_ever() {
    let deals = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Buy, Entry::In, 100, 1_000),
        deal(3, Side::Sell, Entry::Out, 100, 1_300),
    ];
    let row = row_of(&deals).unwrap();
    let mut book = of_deals(&deals[..1]);
    book.mode = Some(Hedging);
    read(&mut book, vec![row.clone()], 0);
    book.add_early(&deals[2], true, 1);
    let mut passes = Vec::new();
    for at in (1..=13).map(|second| 1_000 * second) {
        assert_eq!(
            (book.closable(ONE), book.unexplained().count()),
            (Lots::ZERO, 0)
        );
        if read(&mut book, vec![row.clone()], at).doubts {
            passes.push(at);
        }
    }
    assert_eq!(passes, [8_000], "a pass is asked for");
    assert_eq!(
        (book.closable(ONE), book.unexplained().count()),
        (lots(100), 1)
    );
    // The deal that explains it lifts it.
    apply(&mut book, &deals[1]);
    assert_eq!(
        (book.closable(ONE), book.unexplained().count()),
        (lots(100), 0)
    );
}

/// Rows are two deals behind, and never without one that waits.
#[test]
fn a_doubt_ends_while_trading_goes_on() {
    let mut deals = vec![deal(1, Side::Buy, Entry::In, 100, 1_000)];
    for ticket in 2..=62 {
        let (side, entry, units) = if ticket % 2 == 0 {
            (Side::Buy, Entry::In, 30)
        } else {
            (Side::Sell, Entry::Out, 20)
        };
        deals.push(deal(
            ticket,
            side,
            entry,
            units,
            900 + 7 * ticket.cast_signed(),
        ));
    }
    let mut book = of_deals(&deals[..1]);
    book.lose();
    for (count, newest) in deals.iter().enumerate().skip(1) {
        let at = 200 * i64::try_from(count).unwrap();
        let news = u64::try_from(count).unwrap();
        book.add_early(newest, true, news);
        book.report(ONE, Levels::default(), nobody);
        if count % 5 == 0 {
            for streamed in &deals[count - 4..=count] {
                book.add(streamed, news);
                book.report(ONE, Levels::default(), nobody);
            }
        }
        let lagging = row_of(&deals[..count - 1]).into_iter().collect();
        read_begun(&mut book, lagging, news - 1, at);
        assert_eq!(book.unexplained().count(), 0, "at {at}");
    }
}

/// All but two are known, which close as much before a reversal as after it, so that by chance
/// the row of all has the lots and the price of the others.
fn confirmed_by_chance(last: i64) -> (Book, [DealRow; 6], PositionRow) {
    let deals = [
        deal(1, Side::Sell, Entry::In, 110, 1_000),
        deal(2, Side::Buy, Entry::Out, 10, 1_000),
        deal(3, Side::Buy, Entry::Out, 90, 1_000),
        deal(4, Side::Buy, Entry::InOut, 50, 1_200),
        deal(5, Side::Sell, Entry::Out, 10, 1_200),
        deal(6, Side::Buy, Entry::In, 10, last),
    ];
    let row = row_of(&deals).unwrap();
    let mut book = of_deals(&deals[..1]);
    book.lose();
    for early in [2, 3, 5] {
        book.add_early(&deals[early], true, 1);
    }
    book.as_of = Some(BrokerTime(1_000));
    for at in [-8_000, -6_000, -4_000, -2_000, 0] {
        read(&mut book, vec![row.clone()], at);
    }
    (book, deals, row)
}

#[test]
fn a_late_deal_that_a_row_hid_by_chance_waits_for_the_others() {
    let (mut book, deals, row) = confirmed_by_chance(1_120);
    let all = Some((Side::Buy, lots(40), 1_180));
    assert_eq!(held(&book), all);
    assert_eq!(apply(&mut book, &deals[1]), None);
    assert!(!book.is_settled(None));
    for at in [0, 2_000, 4_000, 5_000, 5_001] {
        assert_eq!(book.unexplained().count(), 0);
        let reading = read(&mut book, vec![row.clone()], at);
        assert_eq!(reading.changes, []);
        assert_eq!(reading.doubts, at == 2_000, "a pass is asked for");
    }
    assert_eq!(book.unexplained().count(), 1);
    assert_eq!(apply(&mut book, &deals[4]), None);
    assert_eq!((held(&book), book.unexplained().count()), (all, 0));
    assert!(book.is_settled(None));
}

/// With one of the two late deals the others lead to what the row has from before the newest.
#[test]
fn a_row_confirms_no_late_deal_beside_one_that_was_done_after_it_was_read() {
    let (mut book, deals, _) = confirmed_by_chance(1_200);
    let newest = DealRow {
        time: BrokerTime(2_000),
        ..deal(7, Side::Sell, Entry::Out, 10, 1_200)
    };
    assert!(apply(&mut book, &newest).is_some());
    let now = Some((Side::Buy, lots(30), 1_200));
    assert_eq!(held(&book), now);
    for late in [1, 4] {
        assert_eq!(apply(&mut book, &deals[late]), None);
        assert_eq!(held(&book), now);
    }
    let all: Vec<DealRow> = deals.iter().chain([&newest]).cloned().collect();
    book.as_of = Some(BrokerTime(2_000));
    let reading = read(&mut book, row_of(&all).into_iter().collect(), 1_000);
    assert_eq!((reading.changes, held(&book)), (vec![], now));
    assert!(book.is_settled(None));
}

/// On netting somebody added and took away as much between two reads. The next close is answered
/// before the history shows that, and then it shows it bit by bit.
#[test]
fn a_deal_that_comes_to_light_before_others_does_not_change_what_rows_confirmed() {
    for closed in [120, 50] {
        let deals = [
            deal(1, Side::Sell, Entry::In, 120, 1_000),
            deal(2, Side::Sell, Entry::In, 30, 1_003),
            deal(3, Side::Buy, Entry::Out, 30, 1_017),
            deal(4, Side::Buy, Entry::Out, closed, 1_019),
        ];
        let rows =
            |count: usize| -> Vec<PositionRow> { row_of(&deals[..count]).into_iter().collect() };
        let mut book = of_deals(&deals[..1]);
        read(&mut book, rows(3), 0);
        assert_eq!(held(&book), Some((Side::Sell, lots(120), 1_001)));
        book.add_early(&deals[3], true, 1);
        assert_eq!(read(&mut book, rows(4), 1_000).changes.len(), 1);
        let left = (closed < 120).then(|| (Side::Sell, lots(120 - closed), 1_001));
        for late in &deals[1..] {
            assert_eq!(held(&book), left);
            assert_eq!(apply(&mut book, late), None);
        }
        assert_eq!(held(&book), left);
        assert!(book.is_settled(None));
    }
}

/// The process ended before it could tell what was added, and what the next one knows of it is that it
/// was told without. Rows lag too.
#[test]
fn a_close_of_as_much_as_was_told_ends_nothing_where_the_deals_leave_more() {
    let deals = [
        deal(1, Side::Buy, Entry::In, 10, 1_000),
        deal(2, Side::Buy, Entry::In, 160, 1_100),
        deal(3, Side::Sell, Entry::Out, 10, 1_300),
    ];
    let told = of_deals(&deals[..1]).position(ONE).cloned().unwrap();
    let known = deals[..2].iter();
    let mut book = Book::new(vec![told], known, Some(Netting), BTreeMap::new());
    book.add_early(&deals[2], true, 1);
    assert_eq!(read_begun(&mut book, vec![], 0, 0).changes, []);
    assert_eq!(held(&book), Some((Side::Buy, lots(10), 1_000)));
    let row = row_of(&deals);
    read(&mut book, row.into_iter().collect(), 1_000);
    assert_eq!(held(&book), Some((Side::Buy, lots(160), 1_094)));
    assert!(book.is_settled(None));
}

/// As much is added at the same price as is closed next, and then there is more of both. Each deal
/// is done a second after the one before.
fn added_at_the_same_price() -> [DealRow; 5] {
    let deals = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Buy, Entry::In, 100, 1_000),
        deal(3, Side::Sell, Entry::Out, 100, 1_010),
        deal(4, Side::Buy, Entry::In, 100, 1_060),
        deal(5, Side::Sell, Entry::Out, 50, 1_060),
    ];
    deals.map(|deal| DealRow {
        time: BrokerTime(1_000 * i64::try_from(deal.ticket.0).unwrap()),
        ..deal
    })
}

/// While the link was down somebody added, and the history does not show it yet. The first row is
/// from before that, and one has what was added and closed, before the close is known or after.
#[test]
fn a_row_that_has_a_deal_and_hides_it_does_not_tell_that_none_is_missing() {
    let deals = added_at_the_same_price();
    let rows = |count: usize| -> Vec<PositionRow> { row_of(&deals[..count]).into_iter().collect() };
    for second in [2, 3] {
        let mut book = of_deals(&deals[..1]);
        book.lose();
        for (count, at) in [(1, 0), (second, 1_000)] {
            read(&mut book, rows(count), at);
        }
        assert_eq!(apply(&mut book, &deals[2]), None);
        let reading = read(&mut book, rows(3), 2_000);
        assert_eq!(reading.doubts, second == 2, "a pass is asked for");
        for newer in &deals[3..] {
            assert_eq!(apply(&mut book, newer), None);
            assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
        }
        read(&mut book, rows(5), 3_000);
        assert!(apply(&mut book, &deals[1]).is_some());
        assert_eq!(held(&book), Some((Side::Buy, lots(150), 1_030)));
        assert_eq!(book.unexplained().count(), 0);
        assert!(book.is_settled(None));
    }
}

/// No deal is missing. Rows had the opening alone when the next ones came, and lack the newest of them
/// ever since, though the levels were changed just before that.
#[test]
fn a_row_that_lacks_a_waiting_deal_tells_that_none_is_missing() {
    let [opening, more, _, newer, newest] = added_at_the_same_price();
    let known = [opening, more];
    let mut row = row_of(&known).unwrap();
    row.updated = BrokerTime(newer.time.0 - 1);
    let mut book = of_deals(&known);
    read(&mut book, row_of(&known[..1]).into_iter().collect(), 0);
    assert_eq!(apply(&mut book, &newer), None);
    for at in [1_000, 2_000, 3_000] {
        let reading = read(&mut book, vec![row.clone()], at);
        assert!(!reading.doubts && reading.unexplained.is_empty());
    }
    assert!(apply(&mut book, &newest).is_some());
    assert_eq!(held(&book), Some((Side::Buy, lots(250), 1_020)));
}

/// While the link was down something was closed, and the history does not show it yet. Nor do the first
/// rows, that lag.
#[test]
fn the_first_rows_after_an_outage_do_not_tell_that_no_deal_is_missing() {
    let deals = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Sell, Entry::Out, 40, 1_100),
        deal(3, Side::Sell, Entry::Out, 20, 1_200),
    ];
    let rows = |count: usize| -> Vec<PositionRow> { row_of(&deals[..count]).into_iter().collect() };
    let mut book = of_deals(&deals[..1]);
    book.lose();
    read(&mut book, rows(1), 0);
    assert_eq!(apply(&mut book, &deals[2]), None);
    read(&mut book, rows(3), 1_000);
    assert_eq!(held(&book), Some((Side::Buy, lots(100), 1_000)));
    assert!(apply(&mut book, &deals[1]).is_some());
    assert_eq!(held(&book), Some((Side::Buy, lots(40), 1_000)));
    assert!(book.is_settled(None));
}

/// A deal never comes, and the next one adds as much at the same price. The row lags behind that.
#[test]
fn a_row_that_lags_does_not_end_a_disagreement_by_chance() {
    let deals = [1, 2, 3].map(|ticket| DealRow {
        time: BrokerTime(1_000 * i64::try_from(ticket).unwrap()),
        ..deal(
            ticket,
            Side::Buy,
            Entry::In,
            if ticket == 1 { 100 } else { 10 },
            1_000,
        )
    });
    let rows = |count: usize| -> Vec<PositionRow> { row_of(&deals[..count]).into_iter().collect() };
    let told = |book: &Book| (held(book).unwrap().1, book.unexplained().count());
    let mut book = of_deals(&deals[..1]);
    for at in [0, 1_000, 2_000, 4_000, 5_000, 5_001] {
        read(&mut book, rows(2), at);
    }
    assert_eq!(told(&book), (lots(110), 1));
    assert_eq!(apply(&mut book, &deals[2]), None);
    assert_eq!(told(&book), (lots(110), 1));
    read(&mut book, rows(3), 6_000);
    assert_eq!(told(&book), (lots(120), 1));
    // The deal that explains it lifts it.
    apply(&mut book, &deals[1]);
    assert_eq!(told(&book), (lots(120), 0));
    assert!(book.is_settled(None));
}

/// The opening is not known, so that rows tell the position, and they lag: one that was read after a
/// close lacks it still. The next close would open the other side.
#[test]
fn on_netting_a_row_that_lags_behind_a_close_leaves_nothing_that_is_sure() {
    let [opening, closing] = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Sell, Entry::Out, 60, 1_100),
    ]
    .map(|deal| DealRow {
        time: BrokerTime(1_000 * i64::try_from(deal.ticket.0).unwrap()),
        ..deal
    });
    let [before, after] = [
        row_of(std::slice::from_ref(&opening)).unwrap(),
        row_of(&[opening, closing.clone()]).unwrap(),
    ];
    let mut book = Book {
        mode: Some(Netting),
        ..Book::default()
    };
    read_begun(&mut book, vec![before.clone()], 0, 0);
    book.add_early(&closing, true, 1);
    book.report(ONE, Levels::default(), nobody);
    assert_eq!(book.closable(ONE), lots(40));
    for at in [100, 400] {
        read_begun(&mut book, vec![before.clone()], 1, at);
        assert_eq!(
            (book.closable(ONE), book.closable_at_most(ONE)),
            (lots(40), lots(100))
        );
    }
    read_begun(&mut book, vec![after], 1, 700);
    assert_eq!(book.closable(ONE), lots(40));
}

/// Rows are believed against the deals. What they have is closed, and is gone with the next row.
#[test]
fn a_position_that_is_not_what_its_deals_say_ends_with_the_close_of_all_of_it() {
    let (opening, mut row) = opened();
    row.lots = lots(60);
    let mut book = of_deals(&[opening]);
    for at in [0, 1_000, 2_000, 4_000, 5_000, 5_001] {
        read_begun(&mut book, vec![row.clone()], 0, at);
    }
    assert_eq!(
        (held(&book).unwrap().1, book.unexplained().count()),
        (lots(60), 1)
    );
    book.add_early(&deal(3, Side::Sell, Entry::Out, 60, 1_100), true, 1);
    book.report(ONE, Levels::default(), nobody);
    assert!(is_closed(
        read_begun(&mut book, vec![], 1, 6_000).changes.pop()
    ));
}

/// The link is up for long. A row has a position before the deal that opened it is known, as where a
/// pending order was filled.
#[test]
fn a_position_that_a_row_had_first_is_told_by_its_deals_at_once() {
    let deals = [
        deal(1, Side::Buy, Entry::In, 100, 1_000),
        deal(2, Side::Sell, Entry::Out, 40, 1_100),
    ];
    let mut book = Book::default();
    for at in [0, 2_000, 4_000, 6_000, 7_000] {
        read(&mut book, vec![], at);
    }
    read(&mut book, row_of(&deals[..1]).into_iter().collect(), 8_000);
    assert_eq!(apply(&mut book, &deals[0]), None);
    assert!(apply(&mut book, &deals[1]).is_some());
    assert_eq!(held(&book), Some((Side::Buy, lots(60), 1_000)));
}
