//! The past, and what was told of it meanwhile.

use super::super::{conforms, requests::*, setup::Setup};
use mymt5_model::{
    OrderType::Limit,
    Side::{Buy, Sell},
};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_deals_are_found_by_their_magic() {
    conforms(&[Setup::default()], async |play| {
        let first = play.done(deal(Buy, 0.3)).await;
        play.quote(110_030, 110_041).await;
        let second = play.done(pending(Buy, Limit, 110_000)).await;
        play.quote(109_985, 109_995).await;
        let third = play.done(pending(Sell, Limit, 112_000)).await;
        play.done(cancel(third)).await;
        let (orders, deals) = play.history().await;
        let magics: BTreeSet<_> = orders.iter().map(|row| row.magic).collect();
        assert_eq!((orders.len(), magics.len(), deals.len()), (3, 3, 2));
        for ticket in [first, second] {
            let order = orders.iter().find(|row| row.ticket == ticket).unwrap();
            let deal = deals.iter().find(|row| row.magic == order.magic).unwrap();
            assert_eq!(
                (deal.order, deal.position_id),
                (Some(ticket), order.position_id)
            );
            let held = play.positions().iter();
            assert!(held.clone().any(|row| Some(row.id) == order.position_id));
            assert_eq!(
                held.filter(|row| row.magic == order.magic).count(),
                usize::from(!play.is_netting() || ticket == first)
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_has_its_beginning_and_not_its_end() {
    conforms(&[Setup::default()], async |play| {
        play.quote_at(1_500, 110_000, 110_010).await;
        play.done(deal(Buy, 0.1)).await;
        play.quote_at(2_500, 110_000, 110_010).await;
        play.done(deal(Buy, 0.2)).await;
        play.quote_at(3_500, 110_000, 110_010).await;
        play.done(deal(Buy, 0.3)).await;
        for (from, to, count) in [
            (0, 10_000, 3),
            (1_500, 3_500, 2),
            (1_501, 2_500, 0),
            (2_500, 2_501, 1),
            (3_501, 9_000, 0),
        ] {
            let (orders, deals) = play.span(from, to).await;
            assert_eq!((orders.len(), deals.len()), (count, count));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_of_the_past_come_in_pages_and_each_once() {
    conforms(&[Setup::default()], async |play| {
        // Several are of one millisecond, and pages end among them.
        for (ms, bid) in [
            (1_000, 110_010),
            (1_500, 110_020),
            (1_500, 110_021),
            (1_500, 110_022),
            (1_501, 110_023),
            (9_000, 110_030),
        ] {
            play.quote_at(ms, bid, bid + 10).await;
        }
        for (from, to, page, count) in [
            (0, 10_000, 100, 7),
            (0, 10_000, 1, 7),
            (0, 10_000, 3, 7),
            (1_500, 1_501, 2, 3),
            (1_501, 9_000, 2, 1),
            (9_001, 90_000, 2, 0),
        ] {
            let ticks = play.past_ticks(from, to, page).await;
            assert_eq!(ticks.len(), count, "{from} to {to}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_are_made_of_the_ticks() {
    conforms(&[Setup::default()], async |play| {
        for (ms, bid, ask) in [
            (30_000, 110_040, 110_045),
            (59_999, 109_990, 110_000),
            (60_000, 110_000, 110_012),
            (240_000, 110_050, 110_060),
            (600_000, 110_020, 110_031),
        ] {
            play.quote_at(ms, bid, ask).await;
        }
        for (minutes, from, to, page, count) in [
            (1, 0, 700_000, 100, 4),
            (1, 0, 700_000, 1, 4),
            (1, 1, 600_000, 2, 2),
            (5, 0, 700_000, 100, 2),
            (1_440, 0, 700_000, 3, 1),
            (60, 1, 700_000, 3, 0),
        ] {
            let bars = play.past_bars(minutes, from, to, page).await;
            assert_eq!(bars.len(), count, "M{minutes} from {from} to {to}");
        }
        assert_eq!(play.newest_bars(1, 2).await.len(), 2);
        assert_eq!(play.newest_bars(5, 1).await.len(), 1);
    })
    .await;
}
