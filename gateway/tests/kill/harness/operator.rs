//! An operator who halts and flattens while gateways die, and lets trading go on after a while. Where
//! a trader's silence has consequences, he holds its heart, too.

use super::{
    BOUND, TRADERS,
    heart::Heart,
    rules::HEARTED,
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
    sync::OwnedMutexGuard,
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

/// How he stops trading.
#[derive(Clone, Copy)]
enum Act {
    Halt,
    Flatten,
    /// Holds a trader's heart.
    Silence,
}

/// What he did, and what was wrong meanwhile.
#[derive(Debug, Default)]
pub(super) struct Operated {
    /// How often, by the acts.
    pub(super) stops: [u32; 3],
    pub(super) findings: Vec<Finding>,
}

pub(super) struct Operator {
    stage: Arc<Stage>,
    stories: Stories,
    dice: Dice,
    asked: u32,
    client: ControlServiceClient<Channel>,
    heart: Option<Heart>,
    pub(super) operated: Operated,
}

/// An operator at work.
pub(super) struct Shift {
    over: CancellationToken,
    task: JoinHandle<Operator>,
}

impl Shift {
    /// `ruled`: a trader must not fall silent.
    pub(super) fn begin(stage: &Arc<Stage>, stories: &Stories, ruled: bool) -> Self {
        let operator = Operator {
            stage: stage.clone(),
            stories: stories.clone(),
            dice: Dice::new(stage.scene.seed, OPERATING),
            asked: 0,
            client: stage.control(),
            heart: ruled.then(|| Heart::start(stage, HEARTED)),
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
    /// Acts by turns, each act at least once.
    async fn operate(mut self, over: CancellationToken) -> Self {
        let mut acts = vec![Act::Halt, Act::Flatten];
        acts.extend(self.heart.as_ref().map(|_| Act::Silence));
        for (done, act) in acts.iter().cycle().enumerate() {
            if over.is_cancelled() && done >= acts.len() {
                break;
            }
            self.pause().await;
            self.stop(*act).await;
        }
        self
    }

    async fn pause(&mut self) {
        let longest = self.stage.scene.longest_life().as_millis() as u64;
        sleep(Duration::from_millis(self.dice.below(longest))).await;
    }

    /// Stops one trader, or all, for a while. What has left by its end is read before that is asked
    /// for: until then no word of his lets anything leave.
    async fn stop(&mut self, act: Act) {
        let traders = TRADERS as u64;
        let whose = match act {
            Act::Silence => Some(HEARTED),
            _ => Some(self.dice.below(traders + 1) as usize).filter(|number| *number < TRADERS),
        };
        let mut held = None;
        match act {
            Act::Halt => self.enter(whose, v1::TradingState::Halted).await,
            Act::Flatten => self.flatten(whose).await,
            Act::Silence => held = self.silence().await,
        }
        self.operated.stops[act as usize] += 1;
        let before = self.stories.entries(whose);
        self.pause().await;
        let asked = &self.stories.entries(whose) - &before;
        let findings = judge_halt(&self.stage.ledger(), &asked);
        self.operated.findings.extend(findings);
        match held {
            Some(held) => {
                drop(held);
                self.see(v1::TradingState::Active).await;
            }
            None => self.enter(whose, v1::TradingState::Active).await,
        }
    }

    /// Holds the trader's heart, until the gateway has noticed.
    async fn silence(&mut self) -> Option<OwnedMutexGuard<()>> {
        let held = self.heart.as_ref().map(Heart::hold)?.await;
        self.see(v1::TradingState::Reducing).await;
        Some(held)
    }

    /// Waits until the trader with the heart is in that state; a gateway that is wrong on purpose may
    /// never tell so.
    async fn see(&mut self, state: v1::TradingState) {
        let mut trader = self.stage.client(&trader_name(HEARTED));
        let seen = timeout(self.stage.patience(), async {
            loop {
                let snapshot = trader.get_snapshot(v1::GetSnapshotRequest {}).await;
                if snapshot.is_ok_and(|told| told.get_ref().trading_state() == state) {
                    break;
                }
                sleep(AGAIN).await;
            }
        });
        assert!(
            seen.await.is_ok() || self.stage.scene.mutant.is_some(),
            "a silent trader, or one that speaks again, is not noticed: {}",
            self.stage.complaints()
        );
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
