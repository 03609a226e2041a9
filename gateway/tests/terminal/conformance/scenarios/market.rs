//! Opening, adding, closing and reversing at the market.

use super::super::{conforms, requests::*, setup::Setup};
use mymt5_model::{
    Entry, Magic,
    Side::{Buy, Sell},
};

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_opened_and_closed_in_parts() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 1.0)).await;
        play.quote(110_050, 110_060).await;
        let held = play.position().ticket;
        play.done(close(held, Sell, 0.4)).await;
        play.quote(109_900, 109_915).await;
        play.refused(10_038, close(held, Sell, 0.61)).await;
        play.done(close(held, Sell, 0.6)).await;
        assert!(play.positions().is_empty());
        play.refused(10_036, close(held, Sell, 0.6)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_of_all_is_of_what_there_is() {
    conforms(&[Setup::default()], async |play| {
        let held = play.done(deal(Buy, 1.0)).await;
        play.done(close(held, Sell, 0.4)).await;
        let expected = close_all(held, Sell, 1.0);
        let receipt = play.send(expected).await.unwrap();
        assert_eq!(receipt.lots_sent, Some(lots(0.6)));
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opposite_deals_net_or_stand_side_by_side() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 0.1)).await;
        play.quote(110_007, 110_020).await;
        play.done(deal(Buy, 0.2).with_levels(Some(109_000), None))
            .await;
        play.quote(110_101, 110_113).await;
        play.done(deal(Sell, 0.15)).await;
        play.quote(110_155, 110_170).await;
        play.done(deal(Sell, 0.5).with_levels(Some(111_000), Some(109_000)))
            .await;
        let entries: Vec<_> = play.history().await.1.iter().map(|row| row.entry).collect();
        if play.is_netting() {
            let (position, last) = (play.position(), entries[3]);
            assert_ne!(position.ticket.0, position.id.0);
            assert_eq!((position.side, last), (Sell, Some(Entry::InOut)));
        } else {
            assert_eq!(play.positions().len(), 4);
            assert_eq!(entries, [Some(Entry::In); 4]);
        }
        play.quote(110_000, 110_010).await;
        for held in play.positions().to_vec() {
            play.done(close(held.ticket, held.side.opposite(), held.lots.to_f64()))
                .await;
        }
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_netting_position_is_closed_by_the_whole_opposite_deal() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Sell, 0.7)).await;
        play.quote(109_500, 109_513).await;
        play.done(deal(Buy, 0.7)).await;
        assert_eq!(play.positions().is_empty(), play.is_netting());
        play.done(deal(Buy, 0.3)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_pinned_to_its_ticket() {
    conforms(&[Setup::default()], async |play| {
        let first = play.done(deal(Buy, 0.3)).await;
        play.quote(110_020, 110_030).await;
        let second = play.done(deal(Buy, 0.2)).await;
        // The wrong side, and a ticket of another kind.
        play.refused(10_013, close(first, Buy, 0.1)).await;
        if play.is_netting() {
            play.refused(10_036, close(second, Sell, 0.2)).await;
            play.done(close(first, Sell, 0.5)).await;
        } else {
            play.done(close(second, Sell, 0.2)).await;
            assert_eq!(play.position().ticket, first);
            play.refused(10_038, close(first, Sell, 0.5)).await;
            play.done(close(first, Sell, 0.3)).await;
        }
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deals_by_hand_have_no_magic() {
    conforms(&[Setup::default()], async |play| {
        play.send_as(Magic::NONE, deal(Sell, 0.2)).await.unwrap();
        let held = play.position().ticket;
        play.done(close(held, Buy, 0.1)).await;
        play.send_as(Magic::NONE, close(held, Buy, 0.1))
            .await
            .unwrap();
    })
    .await;
}
