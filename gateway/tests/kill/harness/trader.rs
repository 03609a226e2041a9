//! A client: opens, waits, cancels and closes by the seed, and repeats each call with its id until
//! it is answered.

use super::{
    stage::{Stage, trader_name},
    story::{Asked, Stories},
};
use crate::{dice::Dice, scene::SYMBOLS};
use mymt5_proto::{Reason, reason_of, v1};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use v1::trading_service_client::TradingServiceClient;

/// Refusals after which a request is given up.
const REFUSALS: u32 = 4;
/// Before a call is repeated.
const AGAIN: Duration = Duration::from_millis(40);
/// Purpose of the dice.
const TRADING: u64 = 1_000;

pub(super) struct Trader {
    number: usize,
    hand: usize,
    asked: u32,
    pause: Duration,
    dice: Dice,
    client: TradingServiceClient<Channel>,
    stories: Stories,
    /// No call is repeated any more.
    over: CancellationToken,
}

impl Trader {
    pub(super) fn new(
        stage: &Stage,
        number: usize,
        hand: usize,
        stories: Stories,
        over: CancellationToken,
    ) -> Self {
        let purpose = TRADING + (number * 100 + hand) as u64;
        Self {
            number,
            hand,
            asked: 0,
            pause: stage.scene.tick(),
            dice: Dice::new(stage.scene.seed, purpose),
            client: stage.client(&trader_name(number)),
            stories,
            over,
        }
    }

    /// Trades until the curtain; what is in hand then is brought to its answer.
    pub(super) async fn trade(mut self, curtain: CancellationToken) {
        while !curtain.is_cancelled() {
            if let Some(asked) = self.think().await {
                self.ask(asked).await;
            }
            let pause = self.pause.mul_f64(self.dice.below(3) as f64);
            sleep(pause).await;
        }
    }

    fn next_id(&mut self) -> String {
        self.asked += 1;
        format!("t{}-{}-{}", self.number, self.hand, self.asked)
    }

    async fn think(&mut self) -> Option<Asked> {
        match self.dice.below(10) {
            0..=4 => Some(self.submit(None)),
            5..=6 => {
                let away = self.dice.below(300) as i64;
                Some(self.submit(Some(away)))
            }
            7 => {
                let pending = self.stories.pending(self.number);
                let order = self.dice.pick(&pending).copied()?;
                Some(self.cancel(order))
            }
            _ => self.close().await,
        }
    }

    /// At the market, or so many points below (buy) or above (sell) the middle.
    fn submit(&mut self, away: Option<i64>) -> Asked {
        let own: Vec<_> = SYMBOLS
            .iter()
            .skip(self.number)
            .step_by(super::TRADERS)
            .collect();
        let (symbol, middle) = **self.dice.pick(&own).unwrap();
        let sell = self.dice.below(2) == 1;
        let (side, sign) = match sell {
            false => (v1::Side::Buy, -1),
            true => (v1::Side::Sell, 1),
        };
        let kind = match away {
            Some(_) => v1::OrderType::Limit,
            None => v1::OrderType::Market,
        };
        let id = self.next_id();
        Asked::Submit(v1::SubmitOrderRequest {
            request_id: id.clone(),
            symbol: symbol.into(),
            side: side.into(),
            r#type: kind.into(),
            lots: (1 + self.dice.below(5)) as f64 / 100.0,
            price: away.map(|away| (middle + sign * (80 + away)) as f64 / 100_000.0),
            comment: id,
            ..Default::default()
        })
    }

    pub(super) fn cancel(&mut self, order_id: u64) -> Asked {
        Asked::Cancel(v1::CancelOrderRequest {
            request_id: self.next_id(),
            order_id,
            ..Default::default()
        })
    }

    /// One of the trader's positions, wholly.
    async fn close(&mut self) -> Option<Asked> {
        let snapshot = self.snapshot().await.ok()?;
        let position = self.dice.pick(&snapshot.positions)?.position_id;
        let id = self.next_id();
        Some(Asked::Close(v1::ClosePositionRequest {
            request_id: id.clone(),
            position_id: position,
            comment: id,
            ..Default::default()
        }))
    }

    pub(super) async fn snapshot(&mut self) -> Result<v1::GetSnapshotResponse, Status> {
        let request = v1::GetSnapshotRequest {};
        Ok(self.client.get_snapshot(request).await?.into_inner())
    }

    /// Opens a position and brings it to its answer.
    pub(super) async fn buy(&mut self) {
        let asked = self.submit(None);
        self.ask(asked).await;
    }

    /// Asks until it is answered, sometimes once more, or until it was refused too often.
    pub(super) async fn ask(&mut self, asked: Asked) {
        self.stories.begin(self.number, asked.clone());
        self.repeat(&asked).await;
        if self.dice.below(4) == 0 {
            self.repeat(&asked).await;
        }
    }

    /// The calls of one asking, all with the same id and content.
    pub(super) async fn repeat(&mut self, asked: &Asked) {
        let mut refusals = 0;
        while refusals < REFUSALS && !self.over.is_cancelled() {
            match asked.call(&mut self.client).await {
                Ok(order) => return self.stories.hear(asked.id(), order.order_id),
                Err(status) => {
                    if reason_of(&status) == Some(Reason::IdempotencyMismatch) {
                        self.stories.mismatch(asked.id());
                    }
                    refusals += u32::from(is_refusal(&status));
                }
            }
            sleep(AGAIN).await;
        }
    }
}

/// True where the gateway answered; false where it may be gone, or may have done it.
fn is_refusal(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
    )
}
