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
