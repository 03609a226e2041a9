//! How orders are executed and filled, as the contract has it.

use super::super::{
    conforms,
    play::Play,
    requests::*,
    setup::{SCARCE, Setup},
};
use mymt5_model::{
    Execution, FillingModes,
    OrderType::{Limit, Stop},
    Retcode, RowState,
    Side::{Buy, Sell},
};

fn executed(execution: Execution, filling: u32) -> Setup {
    Setup::default().spec(|spec| {
        (spec.execution, spec.filling) = (execution, FillingModes(filling));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_execution_that_has_a_filling_mode_deals() {
    use Execution::{Exchange, Instant, Market, Request};
    let (fok, ioc) = (FillingModes::FOK, FillingModes::IOC);
    let setups = [
        (Market, fok),
        (Market, ioc),
        (Market, fok | ioc),
        (Market, 0),
        (Instant, fok),
        (Instant, fok | ioc),
        (Request, fok),
        (Exchange, fok),
        (Exchange, ioc),
        (Exchange, 0),
    ];
    let setups = setups.map(|(execution, filling)| executed(execution, filling));
    conforms(&setups, async |play| {
        let held = play.done(deal(Buy, 0.5)).await;
        play.quote(110_100, 110_115).await;
        play.done(close(held, Sell, 0.5)).await;
        let order = play.done(pending(Buy, Limit, 109_000)).await;
        play.done(modify(order, 109_100)).await;
        play.quote(109_080, 109_090).await;
        assert_eq!(play.positions().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_execution_without_fill_or_kill_deals_not() {
    let setups = [
        executed(Execution::Instant, FillingModes::IOC),
        executed(Execution::Request, 0),
    ];
    conforms(&setups, async |play| {
        play.refused(10_030, deal(Buy, 0.5)).await;
        play.done(pending(Sell, Limit, 110_500)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_stops_are_placed_and_done() {
    let setups = [executed(Execution::Instant, FillingModes::FOK)];
    conforms(&setups, async |play| {
        play.done(pending(Buy, Stop, 110_500)).await;
        play.quote(110_500, 110_512).await;
        assert_eq!(play.positions().len(), 1);
    })
    .await;
}

/// A market that has a part of the first order only.
fn scarce(execution: Execution, filling: u32) -> [Setup; 1] {
    [executed(execution, filling).account(|account| account.partial_fill_probability = 1.0)]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_market_has_not_is_refused_cancelled_or_waits() {
    let part = async |play: &mut Play| {
        let receipt = play.send(deal(Buy, SCARCE)).await.unwrap();
        assert_eq!(receipt.retcode, Retcode::DONE_PARTIAL);
        assert_eq!(Some(play.position().lots), receipt.lots);
        receipt.order.unwrap()
    };
    conforms(
        &scarce(Execution::Market, FillingModes::FOK),
        async |play| {
            play.refused(10_006, deal(Buy, SCARCE)).await;
        },
    )
    .await;
    conforms(
        &scarce(Execution::Market, FillingModes::IOC),
        async |play| {
            part(play).await;
            assert_eq!(play.history().await.0[0].state, RowState::Canceled);
        },
    )
    .await;
    conforms(&scarce(Execution::Market, 0), async |play| {
        let order = part(play).await;
        assert_eq!(play.orders()[0].state, RowState::Partial);
        play.done(cancel(order)).await;
        assert!(play.orders().is_empty());
    })
    .await;
}
