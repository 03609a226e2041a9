//! Orders over the whole path.

use super::stage::Stage;
use crate::support::{BOUND, bounded, until};
use mymt5_proto::v1::{
    self, LinkState, OrderState, Side, trading_service_client::TradingServiceClient,
};
use std::time::Instant;
use tokio::time::sleep;
use tonic::transport::Channel;

/// A market order of a tenth of a lot.
pub fn market(id: &str, side: Side) -> v1::SubmitOrderRequest {
    v1::SubmitOrderRequest {
        request_id: id.into(),
        symbol: "EURUSD".into(),
        side: side.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.1,
        ..Default::default()
    }
}

impl Stage {
    /// Submits until the gateway takes it: right after the link is up, trading is not open yet.
    pub async fn submit(&self, request: v1::SubmitOrderRequest) -> v1::Order {
        let mut trading = self.trading().await;
        let end = Instant::now() + BOUND;
        loop {
            match trading.submit_order(request.clone()).await {
                Ok(answer) => return answer.into_inner().order.unwrap(),
                Err(status) => assert!(Instant::now() < end, "{status:?}"),
            }
            sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// The order once it has ended, or waits at the broker.
    pub async fn settled(&self, order_id: u64) -> v1::Order {
        settled(&mut self.trading().await, order_id).await
    }
}

/// A client's order once it has ended, or waits at the broker.
pub async fn settled(trading: &mut TradingServiceClient<Channel>, order_id: u64) -> v1::Order {
    let end = Instant::now() + BOUND;
    loop {
        let id = v1::get_order_request::Id::OrderId(order_id);
        let request = v1::GetOrderRequest { id: Some(id) };
        let order = trading.get_order(request).await.unwrap().into_inner();
        let order = order.order.unwrap();
        if !matches!(order.state(), OrderState::Accepted | OrderState::Sent) {
            return order;
        }
        assert!(Instant::now() < end, "{order:?}");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_all_the_way_and_its_deal_comes_back() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    let link = stage.link(LinkState::Ready).await;
    assert!(
        link.error_rate < 1e-9 && link.trade_obstacle.is_empty(),
        "{link:?}"
    );
    let opened = stage.submit(market("open", Side::Buy)).await;
    let opened = stage.settled(opened.order_id).await;
    assert_eq!(opened.state(), OrderState::Filled, "{opened:?}");
    assert!((opened.filled_lots - 0.1).abs() < 1e-9 && opened.average_price > Some(0.0));
    let held = stage.snapshot().await.positions.remove(0);
    let close = v1::ClosePositionRequest {
        request_id: "close".into(),
        position_id: held.position_id,
        ..Default::default()
    };
    let mut trading = stage.trading().await;
    let closed = bounded(trading.close_position(close)).await.unwrap();
    let closed = stage
        .settled(closed.into_inner().order.unwrap().order_id)
        .await;
    assert_eq!(closed.state(), OrderState::Filled, "{closed:?}");
    // The position is told by rows and deals in their order, which come a moment later.
    until(async || {
        let positions = stage.snapshot().await.positions;
        positions.is_empty().then_some(())
    })
    .await;
    let status = stage.status().await;
    assert_eq!(status.account_kind(), v1::AccountKind::Demo);
    let clock = status.broker_clock.unwrap();
    assert_eq!(
        (clock.source.as_str(), clock.offset_seconds),
        ("ticks", Some(10_800))
    );
    assert!(clock.verified.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn algo_trading_that_is_off_degrades_the_link_and_names_the_fix() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let allow = |whether: &str| {
        let set =
            format!("UPDATE settings SET value = '{whether}' WHERE key = 'terminal_trade_allowed'");
        stage.bridge.change(&set);
    };
    allow("0");
    let link = stage.link(LinkState::Degraded).await;
    assert!(link.reason.contains("Algo Trading"), "{link:?}");
    assert_eq!(link.trade_obstacle, link.reason);
    let mut trading = stage.trading().await;
    let refused = trading.submit_order(market("no", Side::Buy)).await;
    let refused = mymt5_proto::reason_of(&refused.unwrap_err());
    assert_eq!(refused, Some(mymt5_proto::Reason::TradeNotAllowed));
    allow("1");
    stage.link(LinkState::Ready).await;
    let order = stage.submit(market("yes", Side::Buy)).await;
    assert_eq!(
        stage.settled(order.order_id).await.state(),
        OrderState::Filled
    );
}
