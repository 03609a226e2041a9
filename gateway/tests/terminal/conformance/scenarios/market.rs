//! Opening, adding, closing and reversing at the market.

use super::super::{conforms, requests::*, setup::Setup};
use mymt5_model::Side::{Buy, Sell};

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_opened_and_closed() {
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
