//! Asks gateway and engine, again and again, and tells what they say. It only reads.

use super::{engine::EngineFigures, state::Update};
use crate::session::{Backoff, Gateway, GatewaySettings, SessionEnd};
use mymt5_chassis::{operations::OperationsClient, redact::Redactor, trace_context::TraceContext};
use mymt5_proto::v1;
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// Between two looks at what no stream tells.
const LOOK: Duration = Duration::from_secs(1);
/// Orders of the past that are looked through for refusals.
const PAST: u32 = 200;

/// How what never ends by itself ended.
type Ended = Result<Infallible, SessionEnd>;

/// What is watched.
pub struct Watch {
    /// How to reach the gateway.
    pub gateway: GatewaySettings,
    /// Learns the token.
    pub redactor: Redactor,
    /// The engine's port.
    pub engine: OperationsClient,
    /// Whose quotes. Empty: all that this client may use.
    pub symbols: Vec<String>,
}

impl Watch {
    /// Tells what gateway and engine say, until it is dropped. A slow listener holds up nobody but
    /// itself: quotes are folded at the gateway meanwhile.
    pub async fn run(&self, told: mpsc::Sender<Update>) {
        tokio::join!(self.watch_engine(&told), self.watch_gateway(&told));
    }

    async fn watch_engine(&self, told: &mpsc::Sender<Update>) {
        let mut looks = looks();
        loop {
            looks.tick().await;
            let metrics = self.engine.metrics().await.ok();
            let figures = metrics.map(|text| EngineFigures::of(&text));
            if told.send(Update::Engine(figures)).await.is_err() {
                return;
            }
        }
    }

    async fn watch_gateway(&self, told: &mpsc::Sender<Update>) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let Err(end) = self.follow(told).await;
            if matches!(end, SessionEnd::Stopping) {
                return;
            }
            if say(told, Update::Lost(end.to_string())).await.is_err() {
                return;
            }
            sleep(backoff.next(begun.elapsed(), Backoff::IDLE, rand::random::<f64>())).await;
        }
    }

    /// One connection, to its end.
    async fn follow(&self, told: &mpsc::Sender<Update>) -> Ended {
        let connected = Gateway::connect(&self.gateway, &self.redactor).await;
        let gateway = connected.map_err(SessionEnd::NotConnected)?;
        say(told, status(&gateway).await?).await?;
        say(told, symbols(&gateway).await?).await?;
        say(told, past(&gateway).await?).await?;
        let snapshot = snapshot(&gateway).await?;
        let from = v1::StreamEventsRequest {
            journal_id: snapshot.journal_id.clone(),
            after_sequence: snapshot.sequence,
        };
        say(told, Update::Snapshot(Box::new(snapshot))).await?;
        tokio::select! {
            ended = look(&gateway, told) => ended,
            ended = events(&gateway, from, told) => ended,
            ended = ticks(&gateway, self.symbols.clone(), told) => ended,
        }
    }
}

fn looks() -> tokio::time::Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

async fn say(told: &mpsc::Sender<Update>, update: Update) -> Result<(), SessionEnd> {
    let said = told.send(update).await;
    said.map_err(|_| SessionEnd::Stopping)
}

async fn status(gateway: &Gateway) -> Result<Update, SessionEnd> {
    let call = gateway.call(v1::GetStatusRequest {}, &TraceContext::new());
    let answer = gateway.control().get_status(call).await;
    let answer = answer.map_err(|status| SessionEnd::Call("status", status))?;
    Ok(Update::Status(Box::new(answer.into_inner())))
}

async fn snapshot(gateway: &Gateway) -> Result<v1::GetSnapshotResponse, SessionEnd> {
    let call = gateway.call(v1::GetSnapshotRequest {}, &TraceContext::new());
    let answer = gateway.trading().get_snapshot(call).await;
    let answer = answer.map_err(|status| SessionEnd::Call("snapshot", status))?;
    Ok(answer.into_inner())
}

async fn symbols(gateway: &Gateway) -> Result<Update, SessionEnd> {
    let call = gateway.call(v1::ListSymbolsRequest {}, &TraceContext::new());
    let answer = gateway.market_data().list_symbols(call).await;
    let answer = answer.map_err(|status| SessionEnd::Call("symbols", status))?;
    Ok(Update::Symbols(answer.into_inner().symbols))
}

async fn past(gateway: &Gateway) -> Result<Update, SessionEnd> {
    let request = v1::ListOrdersRequest {
        page_size: PAST,
        page_token: String::new(),
    };
    let call = gateway.call(request, &TraceContext::new());
    let answer = gateway.trading().list_orders(call).await;
    let answer = answer.map_err(|status| SessionEnd::Call("orders", status))?;
    Ok(Update::Past(answer.into_inner().orders))
}

/// What no stream tells: how the gateway stands, and what positions are worth.
async fn look(gateway: &Gateway, told: &mpsc::Sender<Update>) -> Ended {
    let mut looks = looks();
    loop {
        looks.tick().await;
        say(told, status(gateway).await?).await?;
        let snapshot = snapshot(gateway).await?;
        say(told, Update::Snapshot(Box::new(snapshot))).await?;
    }
}

async fn events(
    gateway: &Gateway,
    from: v1::StreamEventsRequest,
    told: &mpsc::Sender<Update>,
) -> Ended {
    let call = gateway.stream(from, &TraceContext::new());
    let stream = gateway.event_streams().stream_events(call).await;
    let mut stream = stream
        .map_err(|status| SessionEnd::Call("events", status))?
        .into_inner();
    loop {
        let event = stream.message().await;
        let event = event.map_err(|status| SessionEnd::Call("events", status))?;
        let event = event.ok_or(SessionEnd::StreamEnded("events"))?;
        say(told, Update::Event(Box::new(event))).await?;
    }
}

async fn ticks(gateway: &Gateway, symbols: Vec<String>, told: &mpsc::Sender<Update>) -> Ended {
    let request = v1::StreamTicksRequest {
        symbols,
        delivery: Some(v1::Delivery::Latest.into()),
    };
    let call = gateway.stream(request, &TraceContext::new());
    let stream = gateway.tick_streams().stream_ticks(call).await;
    let mut stream = stream
        .map_err(|status| SessionEnd::Call("ticks", status))?
        .into_inner();
    loop {
        let batch = stream.message().await;
        let batch = batch.map_err(|status| SessionEnd::Call("ticks", status))?;
        let batch = batch.ok_or(SessionEnd::StreamEnded("ticks"))?;
        say(told, Update::Ticks(batch.ticks)).await?;
    }
}
