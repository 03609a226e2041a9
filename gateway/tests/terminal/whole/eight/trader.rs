//! One of the eight: opens and closes, again and again.

use super::judge::Trade;
use crate::{
    support::BOUND,
    whole::trading::{market, settled},
};
use mymt5_proto::v1::{self, OrderState, Side, trading_service_client::TradingServiceClient};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tonic::{Code, transport::Channel};

/// Return codes where the broker's rows lack the position that is to be closed, or have more of it
/// than there is.
const LAGS: [u32; 2] = [10036, 10038];
/// Why an order never left: on a busy machine it may lie too long.
const NOT_SENT: [&str; 2] = ["NOT_SENT", "EXPIRED_BEFORE_SEND"];

pub struct Trader {
    pub number: usize,
    pub name: String,
    pub symbol: String,
    pub trading: TradingServiceClient<Channel>,
    pub traded: Traded,
}

/// What became of a trader's rounds.
#[derive(Default)]
pub struct Traded {
    pub trades: Vec<Trade>,
    /// Orders that were surely not done, and asked for again: why, how often.
    pub again: BTreeMap<String, usize>,
}

#[derive(Clone)]
enum Ask {
    Open(v1::SubmitOrderRequest),
    Close(v1::ClosePositionRequest),
}

impl Trader {
    pub async fn trade(mut self, rounds: usize) -> Traded {
        for round in 0..rounds {
            let trade = self.open(round).await;
            if trade.part > 0.0 {
                self.close(&trade, &format!("part-{round}"), Some(trade.part))
                    .await;
            }
            self.close(&trade, &format!("rest-{round}"), None).await;
            self.traded.trades.push(trade);
        }
        self.traded
    }

    async fn open(&mut self, round: usize) -> Trade {
        let side = [Side::Buy, Side::Sell][round % 2];
        // 0.01 to 0.20, now and then closed in two parts.
        let hundredths = 1 + (7 * round + 3 * self.number) % 20;
        let parted = round.is_multiple_of(3);
        let part = if parted { hundredths / 2 } else { 0 };
        let lots = hundredths as f64 / 100.0;
        let ask = Ask::Open(v1::SubmitOrderRequest {
            symbol: self.symbol.clone(),
            lots,
            ..market("", side)
        });
        let order = self.filled(&ask, &format!("open-{round}"), lots).await;
        assert_ne!(order.position_id, 0, "{order:?}");
        Trade {
            client: self.name.clone(),
            symbol: self.symbol.clone(),
            position: order.position_id,
            side,
            lots,
            part: part as f64 / 100.0,
        }
    }

    /// Closes those lots, or all that is left.
    async fn close(&mut self, trade: &Trade, id: &str, lots: Option<f64>) {
        let ask = Ask::Close(v1::ClosePositionRequest {
            position_id: trade.position,
            lots,
            ..Default::default()
        });
        let lots = lots.unwrap_or(trade.lots - trade.part);
        let order = self.filled(&ask, id, lots).await;
        assert_eq!(order.position_id, trade.position, "{order:?}");
    }

    /// Asks, and again where it was surely not done, until it is FILLED with those lots.
    async fn filled(&mut self, ask: &Ask, id: &str, lots: f64) -> v1::Order {
        // On a busy machine many expire before they can be sent, each after seconds.
        let end = Instant::now() + 10 * BOUND;
        for attempt in 0.. {
            let order = self.ended(ask.clone(), format!("{id}-{attempt}")).await;
            let Some(why) = not_done(&order) else {
                let fits = [order.lots, order.filled_lots].map(|told| (told - lots).abs() < 1e-9);
                let filled = order.state() == OrderState::Filled;
                assert!(filled && fits == [true; 2], "{lots} lots: {order:?}");
                return order;
            };
            assert!(Instant::now() < end, "{order:?}");
            *self.traded.again.entry(why).or_default() += 1;
            sleep(Duration::from_millis(20)).await;
        }
        unreachable!()
    }

    /// What a call was answered first. On a busy machine its deadline may pass before: then it is
    /// repeated with its id.
    async fn answer(&mut self, ask: Ask, request_id: String) -> v1::Order {
        let end = Instant::now() + BOUND;
        loop {
            let answer = self.call(ask.clone(), request_id.clone()).await;
            match answer {
                Err(status) if status.code() == Code::DeadlineExceeded => {
                    assert!(Instant::now() < end, "{status:?}");
                }
                answer => return answer.unwrap().unwrap(),
            }
        }
    }

    async fn call(
        &mut self,
        ask: Ask,
        request_id: String,
    ) -> Result<Option<v1::Order>, tonic::Status> {
        Ok(match ask {
            Ask::Open(open) => {
                let open = v1::SubmitOrderRequest { request_id, ..open };
                self.trading.submit_order(open).await?.into_inner().order
            }
            Ask::Close(close) => {
                let close = v1::ClosePositionRequest {
                    request_id,
                    ..close
                };
                self.trading.close_position(close).await?.into_inner().order
            }
        })
    }

    /// The order once it has ended: the same that was answered first.
    async fn ended(&mut self, ask: Ask, request_id: String) -> v1::Order {
        let told = self.answer(ask, request_id).await;
        let mut order = settled(&mut self.trading, told.order_id).await;
        // A close of all has no size that is known before its answer, though its deal is.
        let end = Instant::now() + BOUND;
        while order.state() == OrderState::PartiallyFilled {
            assert!(Instant::now() < end, "{order:?}");
            sleep(Duration::from_millis(20)).await;
            order = settled(&mut self.trading, told.order_id).await;
        }
        assert_eq!(
            (told.client_order_id, told.symbol, told.side),
            (
                order.client_order_id.clone(),
                order.symbol.clone(),
                order.side
            )
        );
        order
    }
}

/// Why an order was surely not done, and may be asked for again; none: it was done, or must have been.
fn not_done(order: &v1::Order) -> Option<String> {
    let lags = order.retcode.is_some_and(|code| LAGS.contains(&code));
    let lay = NOT_SENT.iter().any(|why| order.reason.starts_with(why));
    let ended = matches!(order.state(), OrderState::Rejected | OrderState::Expired);
    let nothing = order.filled_lots.abs() < 1e-9;
    (ended && nothing && (lags || lay)).then(|| order.reason.clone())
}
