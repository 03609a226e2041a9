//! A configured symbol that the broker changed beyond understanding, over the whole path.

use super::{stage::Stage, trading::market};
use crate::support::until;
use mymt5_proto::{
    Reason, reason_of,
    v1::{
        ChangeOutcome, ClosePositionRequest, ModifyPositionRequest, OrderState, Position, Side,
        SubmitOrderRequest,
    },
};

const CHANGE: &str = "INSERT INTO symbols VALUES ('USDJPY', '{\"volume_step\": 0.0}')";

fn in_yen(request_id: &str) -> SubmitOrderRequest {
    SubmitOrderRequest {
        symbol: "USDJPY".into(),
        ..market(request_id, Side::Buy)
    }
}

/// Waits until the link is up, and names that symbol.
async fn named(stage: &Stage) {
    until(async || {
        let link = stage.status().await.link.unwrap();
        link.reason.contains("USDJPY").then_some(())
    })
    .await;
}

/// Closes a position as soon as that is taken.
async fn close(stage: &Stage, held: &Position) {
    let close = ClosePositionRequest {
        request_id: "close".into(),
        position_id: held.position_id,
        ..Default::default()
    };
    let closed = until(async || {
        let mut trading = stage.trading().await;
        trading.close_position(close.clone()).await.ok()
    })
    .await;
    let closed = closed.into_inner().order.unwrap();
    let closed = stage.settled(closed.order_id).await;
    assert_eq!(closed.state(), OrderState::Filled, "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_trade_and_the_link_names_it() {
    let mut stage = Stage::set(&[]);
    stage.bridge.change(CHANGE);
    stage.launch();
    named(&stage).await;
    let order = stage.submit(market("open", Side::Buy)).await;
    let order = stage.settled(order.order_id).await;
    assert_eq!(order.state(), OrderState::Filled, "{order:?}");
    let refused = stage.trading().await.submit_order(in_yen("other")).await;
    let refused = reason_of(&refused.unwrap_err());
    assert_eq!(refused, Some(Reason::SymbolUnknown));
    let held = until(async || stage.snapshot().await.positions.pop()).await;
    // What is open can be closed by a gateway that begins now.
    stage.kill();
    stage.launch();
    named(&stage).await;
    close(&stage, &held).await;
}

/// A gateway that begins now never knew its specification.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_in_it_is_protected_and_closed() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    let order = stage.submit(in_yen("open")).await;
    let order = stage.settled(order.order_id).await;
    assert_eq!(order.state(), OrderState::Filled, "{order:?}");
    let held = until(async || stage.snapshot().await.positions.pop()).await;
    stage.kill();
    stage.bridge.change(CHANGE);
    stage.launch();
    named(&stage).await;
    let protect = ModifyPositionRequest {
        request_id: "protect".into(),
        position_id: held.position_id,
        stop_loss: Some(held.open_price - 1.0),
        ..Default::default()
    };
    let protected = until(async || {
        let mut trading = stage.trading().await;
        trading.modify_position(protect.clone()).await.ok()
    })
    .await;
    let change = protected.into_inner().change.unwrap();
    assert_eq!(change.outcome(), ChangeOutcome::Done, "{change:?}");
    close(&stage, &held).await;
}
