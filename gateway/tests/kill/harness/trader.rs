//! A client: opens, waits, changes, cancels and closes by the seed, and repeats each call with its id
//! until it is answered.

use super::{
    stage::{Stage, trader_name},
    story::{Asked, Stories},
};
use crate::{dice::Dice, scene::SYMBOLS};
use mymt5_chassis::clock;
use mymt5_model::AccountMode;
use mymt5_proto::{reason_of, v1};
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

/// How an order meets the market.
#[derive(Clone, Copy)]
enum Kind {
    Market,
    Limit,
    Stop,
    StopLimit,
}

pub(super) struct Trader {
    number: usize,
    mode: AccountMode,
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
            mode: stage.scene.mode,
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

    /// One process for all hands of a trader.
    fn session(&self) -> String {
        trader_name(self.number)
    }

    fn next_id(&mut self) -> String {
        self.asked += 1;
        format!("t{}-{}-{}", self.number, self.hand, self.asked)
    }

    async fn think(&mut self) -> Option<Asked> {
        match self.dice.below(16) {
            0..=4 => Some(self.submit(Kind::Market)),
            5..=6 => Some(self.submit(Kind::Limit)),
            7 => Some(self.submit(Kind::Stop)),
            8 => Some(self.submit(Kind::StopLimit)),
            9 => self.pending().map(|(order, _)| self.cancel(order)),
            10 => self
                .pending()
                .map(|(order, price)| self.reprice(order, price)),
            11 => self.protect().await,
            12 => self.close(true).await,
            _ => self.close(false).await,
        }
    }

    /// One of the trader's orders that were asked to wait for a price, and that price.
    fn pending(&mut self) -> Option<(u64, f64)> {
        let pending = self.stories.pending(self.number);
        self.dice.pick(&pending).copied()
    }

    /// A symbol that the trader may trade, and its middle: on netting each has an owner.
    fn symbol(&mut self) -> (&'static str, i64) {
        let (from, step) = match self.mode {
            AccountMode::Netting => (self.number, super::TRADERS),
            AccountMode::Hedging => (0, 1),
        };
        let own: Vec<_> = SYMBOLS.iter().skip(from).step_by(step).collect();
        **self.dice.pick(&own).unwrap()
    }

    /// At the market, or at prices that come up now and then, sometimes with levels.
    fn submit(&mut self, kind: Kind) -> Asked {
        let (symbol, middle) = self.symbol();
        let sell = self.dice.below(2) == 1;
        let (side, sign) = match sell {
            false => (v1::Side::Buy, -1),
            true => (v1::Side::Sell, 1),
        };
        // The bid goes 60 points up and down.
        let away = 20 + self.dice.below(80) as i64;
        let at = |away: i64| (middle + sign * away) as f64 / 100_000.0;
        let (kind, price, stop_limit_price) = match kind {
            Kind::Market => (v1::OrderType::Market, None, None),
            Kind::Limit => (v1::OrderType::Limit, Some(at(away)), None),
            Kind::Stop => (v1::OrderType::Stop, Some(at(-away)), None),
            Kind::StopLimit => {
                let limit = Some(at(10 - away));
                (v1::OrderType::StopLimit, Some(at(-away)), limit)
            }
        };
        let protected = kind == v1::OrderType::Market && self.dice.below(3) == 0;
        let reach = 40 + self.dice.below(60) as i64;
        let level = |away: i64| protected.then(|| at(away));
        let waits = price.is_some() && self.dice.below(3) == 0;
        let expiration = waits.then(|| self.soon());
        let id = self.next_id();
        Asked::Submit(v1::SubmitOrderRequest {
            request_id: id.clone(),
            symbol: symbol.into(),
            side: side.into(),
            r#type: kind.into(),
            lots: (1 + self.dice.below(5)) as f64 / 100.0,
            price,
            stop_limit_price,
            stop_loss: level(reach),
            take_profit: level(-reach),
            time_in_force: expiration.map(|_| v1::TimeInForce::Gtd.into()),
            expiration,
            comment: id,
            session_id: self.session(),
            ..Default::default()
        })
    }

    /// The end of an order that mostly still works then.
    fn soon(&mut self) -> v1::Moment {
        let pause = 500 + self.dice.below(2_500) as i64;
        v1::Moment {
            utc_ms: None,
            broker_ms: Some(clock::utc_now_ms() + pause),
        }
    }

    /// Another price for an order, a few points away from the one that it was sent with.
    fn reprice(&mut self, order_id: u64, price: f64) -> Asked {
        let away = 1 + self.dice.below(20) as i64;
        let points = (price * 100_000.0).round() as i64 + away;
        Asked::Reprice(v1::ModifyOrderRequest {
            request_id: self.next_id(),
            order_id,
            price: Some(points as f64 / 100_000.0),
            session_id: self.session(),
            ..Default::default()
        })
    }

    /// Another stop loss for one of the trader's positions, so far away that it is never hit.
    async fn protect(&mut self) -> Option<Asked> {
        let snapshot = self.snapshot().await.ok()?;
        let held = self.dice.pick(&snapshot.positions)?;
        let away = (1_000 + self.dice.below(100) as i64) as f64 / 100_000.0;
        let stop_loss = match held.side() {
            v1::Side::Sell => held.open_price + away,
            _ => held.open_price - away,
        };
        let position_id = held.position_id;
        Some(Asked::Protect(v1::ModifyPositionRequest {
            request_id: self.next_id(),
            position_id,
            stop_loss: Some((stop_loss * 100_000.0).round() / 100_000.0),
            session_id: self.session(),
            ..Default::default()
        }))
    }

    pub(super) fn cancel(&mut self, order_id: u64) -> Asked {
        Asked::Cancel(v1::CancelOrderRequest {
            request_id: self.next_id(),
            order_id,
            session_id: self.session(),
            ..Default::default()
        })
    }

    /// One of the trader's positions, wholly or a hundredth of it.
    async fn close(&mut self, partly: bool) -> Option<Asked> {
        let snapshot = self.snapshot().await.ok()?;
        let position = self.dice.pick(&snapshot.positions)?.position_id;
        let id = self.next_id();
        Some(Asked::Close(v1::ClosePositionRequest {
            request_id: id.clone(),
            position_id: position,
            lots: partly.then_some(0.01),
            comment: id,
            session_id: self.session(),
            ..Default::default()
        }))
    }

    pub(super) async fn snapshot(&mut self) -> Result<v1::GetSnapshotResponse, Status> {
        let request = v1::GetSnapshotRequest {};
        Ok(self.client.get_snapshot(request).await?.into_inner())
    }

    /// Opens a position and brings it to its answer.
    pub(super) async fn buy(&mut self) {
        let asked = self.submit(Kind::Market);
        self.stories.begin(self.number, asked.clone());
        self.repeat(&asked).await;
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
                Ok(answered) => return self.stories.hear(asked.id(), answered),
                Err(status) => {
                    if let Some(reason) = reason_of(&status) {
                        self.stories.refuse(asked.id(), reason);
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
