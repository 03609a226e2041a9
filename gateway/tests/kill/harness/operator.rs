//! An operator who halts and flattens while gateways die, and lets trading go on after a while.

use super::{
    BOUND, TRADERS,
    stage::{Stage, trader_name},
    story::Stories,
};
use crate::{
    dice::Dice,
    verdict::{Finding, judge_halt},
};
use mymt5_proto::v1::{self, control_service_client::ControlServiceClient};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// Before a call is repeated.
const AGAIN: Duration = Duration::from_millis(40);
/// Purpose of the dice.
const OPERATING: u64 = 4;
/// Why, for the record.
const WHY: &str = "tried";

/// What he did, and what was wrong meanwhile.
#[derive(Debug, Default)]
pub(super) struct Operated {
    pub(super) halts: u32,
    pub(super) flattens: u32,
    pub(super) findings: Vec<Finding>,
}

pub(super) struct Operator {
    stage: Arc<Stage>,
    stories: Stories,
    dice: Dice,
    asked: u32,
    client: ControlServiceClient<Channel>,
    pub(super) operated: Operated,
}

/// An operator at work.
pub(super) struct Shift {
    over: CancellationToken,
    task: JoinHandle<Operator>,
}

impl Shift {
    pub(super) fn begin(stage: &Arc<Stage>, stories: &Stories) -> Self {
        let operator = Operator {
            stage: stage.clone(),
            stories: stories.clone(),
            dice: Dice::new(stage.scene.seed, OPERATING),
            asked: 0,
            client: stage.control(),
            operated: Operated::default(),
        };
        let over = CancellationToken::new();
        Self {
            task: tokio::spawn(operator.operate(over.clone())),
            over,
        }
    }

    /// Waits until everybody may trade again.
    pub(super) async fn end(self, stage: &Stage) -> Operator {
        self.over.cancel();
        let ended = timeout(BOUND, self.task).await;
        assert!(
            ended.is_ok(),
            "the operator stays unanswered: {}",
            stage.complaints()
        );
        ended.unwrap().unwrap()
    }
}

impl Operator {
    /// Halts and flattens by turns, each at least once.
    async fn operate(mut self, over: CancellationToken) -> Self {
        while !over.is_cancelled() || self.operated.flattens == 0 {
            self.pause().await;
            let flattens = self.operated.halts > self.operated.flattens;
            self.stop(flattens).await;
        }
        self
    }

    async fn pause(&mut self) {
        let longest = self.stage.scene.longest_life().as_millis() as u64;
        sleep(Duration::from_millis(self.dice.below(longest))).await;
    }

    /// Stops one trader, or all, for a while. What has left by its end is read before that is asked
    /// for: until then no word of his lets anything leave.
    async fn stop(&mut self, flattens: bool) {
        let traders = TRADERS as u64;
        let whose = Some(self.dice.below(traders + 1) as usize).filter(|number| *number < TRADERS);
        if flattens {
            self.flatten(whose).await;
            self.operated.flattens += 1;
        } else {
            self.enter(whose, v1::TradingState::Halted).await;
            self.operated.halts += 1;
        }
        let before = self.stories.entries(whose);
        self.pause().await;
        let asked = &self.stories.entries(whose) - &before;
        let findings = judge_halt(&self.stage.ledger(), &asked);
        self.operated.findings.extend(findings);
        self.enter(whose, v1::TradingState::Active).await;
    }

    fn next_id(&mut self) -> String {
        self.asked += 1;
        format!("o-{}", self.asked)
    }

    /// Asks until it is answered. `whose`: a trader's; none: the account's.
    async fn enter(&mut self, whose: Option<usize>, state: v1::TradingState) {
        let request = v1::SetTradingStateRequest {
            request_id: self.next_id(),
            client: whose.map(trader_name).unwrap_or_default(),
            state: state.into(),
            reason: WHY.into(),
            not_after: None,
        };
        while self
            .client
            .set_trading_state(request.clone())
            .await
            .is_err()
        {
            sleep(AGAIN).await;
        }
    }

    /// As [`Self::enter`], and everything of it is closed.
    pub(super) async fn flatten(&mut self, whose: Option<usize>) {
        let request = v1::FlattenRequest {
            request_id: self.next_id(),
            client: whose.map(trader_name).unwrap_or_default(),
            include_foreign: false,
            reason: WHY.into(),
            not_after: None,
        };
        while self.client.flatten(request.clone()).await.is_err() {
            sleep(AGAIN).await;
        }
    }
}
