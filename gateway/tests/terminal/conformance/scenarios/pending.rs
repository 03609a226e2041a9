//! Pending orders: placed, changed, cancelled, expired, and done where the market reaches them.

use super::super::{conforms, requests::*, setup::Setup};
use mymt5_model::{
    OrderType::{self, Limit, Stop},
    RowState,
    Side::{Buy, Sell},
    TermsEdit, TimeInForce,
};

const DAY: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_stops_are_done_where_the_market_reaches_them() {
    conforms(&[Setup::default()], async |play| {
        play.done(pending(Buy, Limit, 109_900).with_levels(Some(109_000), Some(110_900)))
            .await;
        play.done(pending(Sell, Limit, 110_100)).await;
        play.done(pending(Buy, Stop, 110_200)).await;
        play.done(pending(Sell, Stop, 109_800)).await;
        assert_eq!(play.orders().len(), 4);
        play.quote(109_895, 109_901).await;
        assert_eq!(play.orders().len(), 4);
        play.quote(109_885, 109_895).await;
        play.quote(110_150, 110_160).await;
        play.quote(110_250, 110_263).await;
        play.quote(109_700, 109_712).await;
        assert!(play.orders().is_empty());
        let states: Vec<_> = play.history().await.0.iter().map(|row| row.state).collect();
        assert_eq!(
            states
                .iter()
                .filter(|state| **state == RowState::Filled)
                .count(),
            4
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_limit_becomes_a_limit() {
    conforms(&[Setup::default()], async |play| {
        play.done(stop_limit(Buy, 110_100, 110_050)).await;
        play.done(stop_limit(Sell, 109_900, 109_950)).await;
        play.quote(110_095, 110_105).await;
        assert_eq!(play.orders().len(), 2);
        play.quote(110_085, 110_095).await;
        play.quote(110_035, 110_045).await;
        assert_eq!((play.orders().len(), play.positions().len()), (1, 1));
        play.quote(109_895, 109_905).await;
        assert_eq!(play.orders()[0].kind, OrderType::Limit);
        play.quote(109_960, 109_970).await;
        assert!(play.orders().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_limit_may_be_reached_at_once() {
    conforms(&[Setup::default()], async |play| {
        play.done(stop_limit(Buy, 110_100, 110_050)).await;
        play.quote(110_300, 110_310).await;
        play.quote(110_301, 110_311).await;
        play.quote(109_000, 109_010).await;
        assert_eq!(play.position().open_price, px(109_010));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_modified_and_cancelled() {
    conforms(&[Setup::default()], async |play| {
        let order = play.done(pending(Buy, Limit, 109_000)).await;
        play.quote(110_001, 110_012).await;
        play.done(modify(order, 109_100).with_levels(Some(108_000), None))
            .await;
        play.done(modify(order, 109_100).with_levels(Some(108_000), Some(110_100)))
            .await;
        play.done(modify(order, 109_100).with_levels(None, Some(110_100)))
            .await;
        play.done(modify(order, 109_100)).await;
        let gtd = TimeInForce::Gtd(until(3_600_000));
        play.done(modify(order, 109_100).lasting(gtd)).await;
        // As it is already.
        play.done(modify(order, 109_100).lasting(gtd)).await;
        play.done(modify(order, 109_100).lasting(TimeInForce::Day))
            .await;
        play.refused(10_015, modify(order, 110_005)).await;
        play.refused(
            10_016,
            modify(order, 109_200).with_levels(Some(109_300), None),
        )
        .await;
        play.refused(
            10_022,
            modify(order, 109_200).lasting(TimeInForce::Gtd(until(500))),
        )
        .await;
        play.done(cancel(order)).await;
        play.refused(10_023, cancel(order)).await;
        play.refused(10_023, modify(order, 109_000)).await;
        assert!(play.orders().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_limit_is_modified() {
    conforms(&[Setup::default()], async |play| {
        let order = play.done(stop_limit(Sell, 109_900, 109_950)).await;
        play.done(modify(order, 109_800)).await;
        assert_eq!(play.orders()[0].stop_limit_price, Some(px(109_950)), "kept");
        let limit = TermsEdit {
            stop_limit_price: Some(px(109_820)),
            ..TermsEdit::default()
        };
        play.done(edit(order, limit)).await;
        let row = &play.orders()[0];
        let prices = (row.price, row.stop_limit_price);
        assert_eq!(prices, (Some(px(109_800)), Some(px(109_820))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_expire() {
    conforms(&[Setup::default()], async |play| {
        let order = || pending(Buy, Limit, 109_000);
        play.done(order()).await;
        play.done(order().lasting(TimeInForce::Day)).await;
        play.done(order().lasting(TimeInForce::Gtd(until(5_000))))
            .await;
        play.done(order().lasting(TimeInForce::GtdDay(until(DAY / 2))))
            .await;
        play.done(order().lasting(TimeInForce::GtdDay(until(DAY + 1_000))))
            .await;
        play.quote_at(4_999, 110_000, 110_010).await;
        assert_eq!(play.orders().len(), 5);
        play.quote_at(5_000, 110_000, 110_010).await;
        assert_eq!(play.orders().len(), 4);
        play.quote_at(DAY - 1, 110_000, 110_010).await;
        assert_eq!(play.orders().len(), 4);
        play.quote_at(DAY, 110_000, 110_010).await;
        assert_eq!(play.orders().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_order_is_not_done_by_the_tick_that_ends_it() {
    conforms(&[Setup::default()], async |play| {
        play.done(pending(Buy, Limit, 109_000).lasting(TimeInForce::Gtd(until(5_000))))
            .await;
        play.quote_at(5_000, 108_000, 108_010).await;
        assert!(play.positions().is_empty() && play.orders().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_the_money_is_rejected_when_it_is_reached() {
    let setup = Setup::default().account(|account| account.balance = "1500".parse().unwrap());
    conforms(&[setup], async |play| {
        play.done(pending(Buy, Limit, 109_000)).await;
        play.done(pending(Buy, Limit, 108_990)).await;
        play.quote(108_970, 108_980).await;
        assert_eq!((play.orders().len(), play.positions().len()), (0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_reduces_a_netting_position() {
    conforms(&[Setup::default()], async |play| {
        play.done(deal(Buy, 1.5)).await;
        play.done(pending(Sell, Limit, 110_100)).await;
        play.done(pending(Sell, Stop, 109_900)).await;
        play.quote(110_102, 110_112).await;
        play.quote(109_850, 109_860).await;
        assert_eq!(
            play.positions().len(),
            if play.is_netting() { 1 } else { 3 }
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_the_one_in_which_the_order_was_made() {
    conforms(&[Setup::default()], async |play| {
        let order = play.done(pending(Buy, Limit, 109_000)).await;
        play.quote_at(DAY + 1_000, 110_000, 110_010).await;
        play.refused(10_022, modify(order, 109_000).lasting(TimeInForce::Day))
            .await;
        let late = TimeInForce::GtdDay(until(DAY + 2_000));
        play.done(modify(order, 109_000).lasting(late)).await;
    })
    .await;
}
