//! Stop loss and take profit: set, changed, kept, removed, and hit.

use super::super::{conforms, requests::*, setup::Setup};
use mymt5_model::{
    DealReason, Edit, LevelsEdit,
    Side::{Buy, Sell},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_is_not_named_is_kept() {
    conforms(&[Setup::default()], async |play| {
        let held = play
            .done(deal(Buy, 1.0).with_levels(Some(109_000), None))
            .await;
        let take_profit = LevelsEdit {
            stop_loss: Edit::Keep,
            take_profit: Edit::Set(px(111_000)),
        };
        play.done(keep(held, take_profit)).await;
        let both = levels(Some(109_000), Some(111_000));
        assert_eq!(play.position().levels, both);
        let no_stop = LevelsEdit {
            stop_loss: Edit::Remove,
            take_profit: Edit::Keep,
        };
        play.done(keep(held, no_stop)).await;
        assert_eq!(play.position().levels, levels(None, Some(111_000)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_are_set_kept_and_removed() {
    conforms(&[Setup::default()], async |play| {
        let held = play.done(deal(Buy, 1.0)).await;
        play.done(protect(held, levels(None, None))).await;
        play.done(protect(held, levels(Some(109_500), None))).await;
        play.quote(110_003, 110_015).await;
        play.done(protect(held, levels(Some(109_500), Some(110_500))))
            .await;
        play.done(protect(held, levels(Some(109_500), Some(110_500))))
            .await;
        play.done(protect(held, levels(None, Some(110_500)))).await;
        assert_eq!(play.position().levels, levels(None, Some(110_500)));
        play.refused(10_016, protect(held, levels(Some(110_003), None)))
            .await;
        play.refused(10_016, protect(held, levels(Some(109_994), None)))
            .await;
        play.refused(10_016, protect(held, levels(None, Some(110_012))))
            .await;
        play.done(protect(held, levels(Some(109_993), Some(110_013))))
            .await;
        play.done(protect(held, levels(None, None))).await;
        play.done(close(held, Sell, 1.0)).await;
        play.refused(10_036, protect(held, levels(Some(109_000), None)))
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loss_closes_at_the_market() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 1.0).with_levels(Some(109_900), Some(110_300)))
            .await;
        play.quote(109_901, 109_911).await;
        assert_eq!(play.positions().len(), 1);
        play.quote(109_880, 109_890).await;
        play.done(deal(Sell, 0.5).with_levels(Some(110_000), None))
            .await;
        play.quote(109_989, 109_999).await;
        play.quote(110_010, 110_020).await;
        assert!(play.positions().is_empty());
        let deals = play.history().await.1;
        let stopped = deals
            .iter()
            .filter(|row| row.reason == DealReason::StopLoss);
        assert_eq!(stopped.count(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_profit_closes_at_the_market() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 1.0)).await;
        let held = play.position().ticket;
        play.done(protect(held, levels(None, Some(110_300)))).await;
        play.quote(110_305, 110_315).await;
        play.done(deal(Sell, 0.5).with_levels(None, Some(110_000)))
            .await;
        play.quote(109_990, 110_000).await;
        assert!(play.positions().is_empty());
        let deals = play.history().await.1;
        let taken = deals
            .iter()
            .filter(|row| row.reason == DealReason::TakeProfit);
        assert_eq!(taken.count(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_position_that_is_hit_is_closed() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 0.1).with_levels(Some(109_900), None))
            .await;
        play.done(deal(Buy, 0.2).with_levels(Some(109_800), Some(110_200)))
            .await;
        play.done(deal(Buy, 0.3).with_levels(None, Some(110_400)))
            .await;
        play.quote(109_850, 109_860).await;
        play.quote(110_250, 110_260).await;
        play.quote(110_450, 110_460).await;
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_brings_its_levels() {
    conforms(&[Setup::default()], async |play| {
        use mymt5_model::OrderType::Stop;
        play.done(pending(Sell, Stop, 109_900).with_levels(Some(110_100), Some(109_500)))
            .await;
        play.quote(109_880, 109_890).await;
        assert_eq!(play.position().levels, levels(Some(110_100), Some(109_500)));
        play.quote(109_480, 109_490).await;
        assert!(play.positions().is_empty());
    })
    .await;
}
