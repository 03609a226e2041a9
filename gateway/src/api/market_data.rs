//! `MarketDataService`.

use super::{
    AppState, call, parse,
    past::{self, Bars, Ticks},
    tick_stream::{self, InStep},
};
use crate::{
    access::{Caller, Held},
    broker::Part,
    market::{Delivery, Subscription},
};
use mymt5_model::{Bar, BrokerTime, SymbolSpec, UtcTime};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};
use v1::market_data_service_server::MarketDataService;

/// A caller that opens a stream both ways says this soon what it asks for.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);

/// The service.
#[derive(Clone)]
pub struct MarketData(pub AppState);

impl MarketData {
    fn subscribe(
        &self,
        caller: &Caller,
        names: &[String],
        delivery: Delivery,
    ) -> Result<(Subscription, Held), Refusal> {
        let symbols = parse::symbols(&self.0.instruments, caller, names)?;
        let open = self.0.tick_streams.open(&caller.0)?;
        let symbols = symbols.into_iter().collect();
        Ok((self.0.hub.subscribe(symbols, delivery), open))
    }

    /// The specifications, by name; those of a feed that waits as they are at its newest tick, since
    /// hours of it pass between two readings of the link.
    async fn specs(&self) -> Vec<Arc<SymbolSpec>> {
        let read = self.0.instruments.all();
        if read.is_empty() || !self.0.hub.is_on_demand() {
            return read;
        }
        let Ok(mut specs) = self.0.broker.symbols().await else {
            return read;
        };
        specs.sort_unstable_by(|one, other| one.symbol.cmp(&other.symbol));
        specs.into_iter().map(Arc::new).collect()
    }

    fn utc(&self, time: BrokerTime) -> Option<UtcTime> {
        let (_, zone) = self.0.zone.as_ref()?;
        zone.to_utc(time)
    }

    /// Bars for the wire. The last one is finished once the broker's clock, or else its newest tick,
    /// has come to its end.
    fn bars(&self, bars: &[Bar], minutes: u32) -> Vec<v1::Bar> {
        let now = self.0.broker_clock().now.or_else(|| self.0.hub.time());
        let length_ms = i64::from(minutes) * 60_000;
        let ended = |bar: &Bar| now.is_some_and(|now| bar.time.0 + length_ms <= now.0);
        let followed = bars.len().saturating_sub(1);
        let wire = bars.iter().enumerate().map(|(at, bar)| {
            let finished = at < followed || ended(bar);
            v1::Bar::of(bar, self.utc(bar.time), finished)
        });
        wire.collect()
    }
}

#[tonic::async_trait]
impl MarketDataService for MarketData {
    async fn list_symbols(
        &self,
        request: Request<v1::ListSymbolsRequest>,
    ) -> Result<Response<v1::ListSymbolsResponse>, Status> {
        let caller = call::caller(&request)?;
        let symbols = self.specs().await;
        let symbols = symbols
            .iter()
            .filter(|spec| caller.may_use(&spec.symbol))
            .map(|spec| spec.as_ref().into())
            .collect();
        Ok(Response::new(v1::ListSymbolsResponse { symbols }))
    }

    type StreamTicksStream =
        Pin<Box<dyn futures_util::Stream<Item = Result<v1::StreamTicksResponse, Status>> + Send>>;

    async fn stream_ticks(
        &self,
        request: Request<v1::StreamTicksRequest>,
    ) -> Result<Response<Self::StreamTicksStream>, Status> {
        let caller = call::caller(&request)?;
        let request = request.into_inner();
        let delivery = delivery(&request)?;
        let (subscription, open) = self.subscribe(&caller, &request.symbols, delivery)?;
        let batches = tick_stream::batches(subscription, open, self.0.shutdown.clone());
        Ok(Response::new(Box::pin(batches)))
    }

    type StreamTicksInStepStream = Pin<
        Box<dyn futures_util::Stream<Item = Result<v1::StreamTicksInStepResponse, Status>> + Send>,
    >;

    async fn stream_ticks_in_step(
        &self,
        request: Request<Streaming<v1::StreamTicksInStepRequest>>,
    ) -> Result<Response<Self::StreamTicksInStepStream>, Status> {
        let caller = call::caller(&request)?;
        let mut said = request.into_inner();
        let first = timeout(FIRST_MESSAGE, tick_stream::heard(&mut said)).await;
        let first = first.map_err(|_| Refusal::new(Reason::DeadlineExpired))??;
        let first = first.unwrap_or_default();
        let (subscription, open) = self.subscribe(&caller, &first.symbols, Delivery::InStep)?;
        let in_step = InStep::new(self.0.clone(), caller, subscription, open, said);
        Ok(Response::new(Box::pin(in_step.batches())))
    }

    async fn list_bars(
        &self,
        request: Request<v1::ListBarsRequest>,
    ) -> Result<Response<v1::ListBarsResponse>, Status> {
        let caller = call::caller(&request)?;
        let asked = past::bars(&self.0.instruments, &caller, request.get_ref())?;
        let Bars {
            symbol,
            minutes,
            span,
            limit,
        } = asked;
        let broker = &self.0.broker;
        let read = match span {
            Some(span) => {
                broker
                    .bars(&symbol, minutes, span.start, span.end, limit)
                    .await
            }
            None => {
                let newest = broker.newest_bars(&symbol, minutes, limit).await;
                newest.map(|rows| Part { rows, rest: None })
            }
        };
        let part = read.map_err(|error| past::unread(&error))?;
        Ok(Response::new(v1::ListBarsResponse {
            bars: self.bars(&part.rows, minutes),
            next_page_token: past::bars_token(part.rest),
        }))
    }

    async fn list_ticks(
        &self,
        request: Request<v1::ListTicksRequest>,
    ) -> Result<Response<v1::ListTicksResponse>, Status> {
        let caller = call::caller(&request)?;
        let asked = past::ticks(&self.0.instruments, &caller, request.get_ref())?;
        let Ticks {
            symbol,
            from,
            to,
            limit,
        } = asked;
        let read = self.0.broker.ticks(&symbol, from, to, limit).await;
        let part = read.map_err(|error| past::unread(&error))?;
        let ticks = part.rows.iter();
        let wire = ticks.map(|tick| v1::Tick::of(tick, self.utc(tick.time), v1::TickKind::History));
        Ok(Response::new(v1::ListTicksResponse {
            ticks: wire.collect(),
            next_page_token: past::ticks_token(part.rest),
        }))
    }
}

pub(super) fn delivery(request: &v1::StreamTicksRequest) -> Result<Delivery, Refusal> {
    let raw = request.delivery.unwrap_or(v1::Delivery::Latest.into());
    match v1::Delivery::try_from(raw) {
        Ok(v1::Delivery::Latest) => Ok(Delivery::Latest),
        Ok(v1::Delivery::EveryTick) => Ok(Delivery::Every),
        Ok(v1::Delivery::Unspecified) | Err(_) => {
            let text = "expected DELIVERY_LATEST or DELIVERY_EVERY_TICK";
            Err(Violations::one("delivery", Reason::EnumUnspecified, text))
        }
    }
}
