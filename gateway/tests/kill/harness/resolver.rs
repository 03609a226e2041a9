//! An operator who decides orders of unknown outcome without looking: rightly or wrongly, by chance.

use super::{BOUND, stage::Stage, story::Stories};
use crate::{dice::Dice, verdict::Word};
use mymt5_proto::{
    Reason, reason_of,
    v1::{
        self, control_service_client::ControlServiceClient,
        trading_service_client::TradingServiceClient,
    },
};
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// Between two looks, and before a call is repeated.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Purpose of the dice.
const RESOLVING: u64 = 5;
/// How often he decides what. Most he leaves to the gateway.
const DECISIONS: [(Option<v1::Resolution>, u32); 4] = [
    (None, 6),
    (Some(v1::Resolution::NotDone), 3),
    (Some(v1::Resolution::Done), 3),
    (Some(v1::Resolution::Reconcile), 1),
];

pub(super) struct Resolver {
    over: CancellationToken,
    task: JoinHandle<()>,
}

impl Resolver {
    pub(super) fn begin(stage: &Stage, stories: &Stories) -> Self {
        let desk = Desk {
            stories: stories.clone(),
            dice: Dice::new(stage.scene.seed, RESOLVING),
            seen: BTreeSet::new(),
            orders: stage.operator(),
            control: stage.control(),
        };
        let over = CancellationToken::new();
        Self {
            task: tokio::spawn(desk.resolve(over.clone())),
            over,
        }
    }

    /// Waits for the answer to what he decided last.
    pub(super) async fn end(self, stage: &Stage) {
        self.over.cancel();
        let ended = timeout(BOUND, self.task).await;
        assert!(
            ended.is_ok(),
            "a decision stays unanswered: {}",
            stage.complaints()
        );
        ended.unwrap().unwrap();
    }
}

struct Desk {
    stories: Stories,
    dice: Dice,
    /// Orders that he decided, or left to the gateway.
    seen: BTreeSet<u64>,
    orders: TradingServiceClient<Channel>,
    control: ControlServiceClient<Channel>,
}

impl Desk {
    async fn resolve(mut self, over: CancellationToken) {
        while !over.is_cancelled() {
            sleep(POLL_INTERVAL).await;
            let Ok(snapshot) = self.orders.get_snapshot(v1::GetSnapshotRequest {}).await else {
                continue;
            };
            for order in snapshot.into_inner().orders {
                let entry = order.action() == v1::OrderAction::Submit;
                let unknown = order.state() == v1::OrderState::Unknown;
                if entry && unknown && self.seen.insert(order.order_id) {
                    self.decide(&order).await;
                }
            }
        }
    }

    async fn decide(&mut self, order: &v1::Order) {
        let decision = self.dice.weighted(&DECISIONS).flatten();
        // What waits for a price is not done at once.
        let market = order.r#type() == v1::OrderType::Market;
        let decision = decision.filter(|decision| market || *decision != v1::Resolution::Done);
        let Some(decision) = decision else { return };
        let request = v1::ResolveOrderRequest {
            request_id: format!("r-{}", order.order_id),
            order_id: order.order_id,
            resolution: decision.into(),
            reason: "by chance".into(),
            not_after: None,
        };
        loop {
            match self.control.resolve_order(request.clone()).await {
                Ok(_) => break,
                // Evidence came first.
                Err(status) if reason_of(&status) == Some(Reason::OrderNotUnknown) => return,
                Err(_) => sleep(POLL_INTERVAL).await,
            }
        }
        match decision {
            v1::Resolution::NotDone => self.stories.decide(&order.client_order_id, Word::NotDone),
            v1::Resolution::Done => self.stories.decide(&order.client_order_id, Word::Done),
            v1::Resolution::Reconcile | v1::Resolution::Unspecified => {}
        }
    }
}
