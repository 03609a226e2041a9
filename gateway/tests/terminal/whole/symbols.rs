//! A configured symbol that the broker changed beyond understanding, over the whole path.

use super::{stage::Stage, trading::market};
use crate::support::until;
use mymt5_proto::{
    Reason, reason_of,
    v1::{ClosePositionRequest, OrderState, Side, SubmitOrderRequest},
};

/// Waits until the link is up, and names that symbol.
async fn named(stage: &Stage) {
    until(async || {
        let link = stage.status().await.link.unwrap();
        link.reason.contains("USDJPY").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_trade_and_the_link_names_it() {
    let mut stage = Stage::set(&[]);
    let change = "INSERT INTO symbols VALUES ('USDJPY', '{\"volume_step\": 0.0}')";
    stage.bridge.change(change);
    stage.launch();
    named(&stage).await;
    let order = stage.submit(market("open", Side::Buy)).await;
    let order = stage.settled(order.order_id).await;
    assert_eq!(order.state(), OrderState::Filled, "{order:?}");
    let other = SubmitOrderRequest {
        symbol: "USDJPY".into(),
        ..market("other", Side::Buy)
    };
    let refused = stage.trading().await.submit_order(other).await;
    let refused = reason_of(&refused.unwrap_err());
    assert_eq!(refused, Some(Reason::SymbolUnknown));
    let held = until(async || stage.snapshot().await.positions.pop()).await;
    // What is open can be closed by a gateway that begins now.
    stage.kill();
    stage.launch();
    named(&stage).await;
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
