//! A session that works: what it begins with, and the loop that follows the gateway.

use super::{
    ConnectError, Gateway, Session,
    send::{Answer, is_unsure, send},
};
use crate::{
    intents::IntentError,
    trader::{Intent, Step},
};
use mymt5_chassis::{clock, correlation::Correlation};
use mymt5_model::{OrderState, SymbolSpec};
use mymt5_proto::v1;
use prost::Message;
use std::{collections::HashMap, fmt, time::Duration};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tonic::{Code, Status, Streaming};

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often an intent that the gateway does not know yet is asked for, and the pause between.
const LOOKUPS: u32 = 3;
const LOOKUP_PAUSE: Duration = Duration::from_millis(500);

/// Why a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    NotConnected(ConnectError),
    Call(&'static str, Status),
    StreamEnded(&'static str),
    Symbol(String),
    Intents(IntentError),
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(error) => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::Call(what, status) => {
                write!(f, "{what}: {:?}: {}", status.code(), status.message())
            }
            Self::StreamEnded(what) => write!(f, "the stream of {what} ended"),
            Self::Symbol(symbol) => write!(f, "the gateway has no {symbol} for this client"),
            Self::Intents(error) => write!(f, "{error}"),
        }
    }
}

impl From<IntentError> for SessionEnd {
    fn from(error: IntentError) -> Self {
        Self::Intents(error)
    }
}

/// A request id and how its call was answered.
type Answered = (String, Answer);

/// A session under way.
pub(super) struct Live {
    gateway: Gateway,
    events: Streaming<v1::StreamEventsResponse>,
    ticks: Streaming<v1::StreamTicksResponse>,
    /// Calls under way. They end with the session: what a new one asks for is never sent by an
    /// old one behind its back.
    calls: JoinSet<Answered>,
    /// Canonical names as the ticks carry them, so that none is parsed anew for each tick.
    specs: HashMap<String, SymbolSpec>,
}

impl Live {
    /// The first calls: only they prove that the gateway knows this client.
    pub(super) async fn begin(gateway: Gateway, session: &mut Session) -> Result<Self, SessionEnd> {
        let trace = Correlation::new();
        beat(gateway.clone(), session.session_id.clone()).await?;
        let status = gateway
            .control()
            .get_status(gateway.call(v1::GetStatusRequest {}, &trace))
            .await;
        let status = status
            .map_err(|status| SessionEnd::Call("status", status))?
            .into_inner();
        let specs = specify(&gateway, session, &trace).await?;
        settle(&gateway, session, &trace).await?;
        let snapshot = gateway
            .trading()
            .get_snapshot(gateway.call(v1::GetSnapshotRequest {}, &trace))
            .await;
        let snapshot = snapshot
            .map_err(|status| SessionEnd::Call("snapshot", status))?
            .into_inner();
        session.trader.on_snapshot(&snapshot);
        let from = v1::StreamEventsRequest {
            journal_id: snapshot.journal_id,
            after_sequence: snapshot.sequence,
        };
        let events = gateway
            .event_streams()
            .stream_events(gateway.stream(from, &trace))
            .await;
        let events = events
            .map_err(|status| SessionEnd::Call("events", status))?
            .into_inner();
        let symbols = session
            .trader
            .symbols()
            .iter()
            .map(ToString::to_string)
            .collect();
        let every = v1::StreamTicksRequest {
            symbols,
            delivery: Some(v1::Delivery::EveryTick.into()),
        };
        let ticks = gateway
            .tick_streams()
            .stream_ticks(gateway.stream(every, &trace))
            .await;
        let ticks = ticks
            .map_err(|status| SessionEnd::Call("ticks", status))?
            .into_inner();
        let kind = status.account_kind();
        tracing::info!(gateway = status.version, account = ?kind, positions = snapshot.positions.len(), "session begun");
        Ok(Self {
            gateway,
            events,
            ticks,
            calls: JoinSet::new(),
            specs,
        })
    }

    /// Follows the gateway until the session breaks.
    pub(super) async fn follow(mut self, session: &mut Session) -> SessionEnd {
        let mut beats = JoinSet::new();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                            batch = self.ticks.message() => self.on_ticks(session, batch),
                            event = self.events.message() => self.on_event(session, event),
            Some(answered) = self.calls.join_next() => match answered {
                                Ok((id, answer)) => self.on_answer(session, &id, answer),
                                Err(_) => Err(SessionEnd::StreamEnded("answers")),
                            },
                            // Beside the loop: a slow answer must not hold ticks and events back.
                            _ = heartbeat.tick(), if beats.is_empty() => {
                                beats.spawn(beat(self.gateway.clone(), session.session_id.clone()));
                                self.refresh(session).await
                            }
                            Some(beaten) = beats.join_next() => beaten.unwrap_or(Err(SessionEnd::StreamEnded("heartbeats"))),
                        };
            if let Err(end) = done {
                return end;
            }
        }
    }

    fn on_ticks(
        &mut self,
        session: &mut Session,
        batch: Result<Option<v1::StreamTicksResponse>, Status>,
    ) -> Result<(), SessionEnd> {
        let batch = batch
            .map_err(|status| SessionEnd::Call("ticks", status))?
            .ok_or(SessionEnd::StreamEnded("ticks"))?;
        let mut live = 0;
        for wire in batch
            .ticks
            .iter()
            .filter(|tick| tick.kind() == v1::TickKind::Live)
        {
            live += 1;
            let Some(spec) = self.specs.get(&wire.symbol) else {
                continue;
            };
            match wire.read(&spec.symbol, spec.digits) {
                Ok(tick) => {
                    let step = session.trader.on_tick(&tick);
                    self.take(session, step)?;
                }
                Err(error) => tracing::warn!(symbol = wire.symbol, %error, "tick not understood"),
            }
        }
        metrics::counter!("mymt5_engine_ticks_received_total").increment(live);
        metrics::gauge!("mymt5_engine_last_tick_timestamp_seconds")
            .set(clock::utc_now_ms() as f64 / 1000.0);
        Ok(())
    }

    fn on_event(
        &mut self,
        session: &mut Session,
        event: Result<Option<v1::StreamEventsResponse>, Status>,
    ) -> Result<(), SessionEnd> {
        let event = event
            .map_err(|status| SessionEnd::Call("events", status))?
            .ok_or(SessionEnd::StreamEnded("events"))?;
        let Some(event) = event.event else {
            return Ok(());
        };
        let step = session.trader.on_event(&event);
        self.take(session, step)
    }

    fn on_answer(
        &mut self,
        session: &mut Session,
        request_id: &str,
        answer: Answer,
    ) -> Result<(), SessionEnd> {
        match answer {
            Answer::Taken => Ok(()),
            Answer::Refused(reason) => {
                tracing::warn!(request_id, reason, "intent refused by the gateway");
                let step = session.trader.on_refused(request_id, &reason);
                self.take(session, step)
            }
            Answer::Unsure(status) => Err(SessionEnd::Call("order", status)),
        }
    }

    /// Asks for the specifications again while a rate is missing.
    async fn refresh(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        if session.trader.lacks_rates() {
            self.specs = specify(&self.gateway, session, &Correlation::new()).await?;
        }
        Ok(())
    }

    /// Makes a step durable, then sends what it wants to send.
    fn take(&mut self, session: &Session, step: Step) -> Result<(), SessionEnd> {
        if let Some(settled) = &step.settled {
            session
                .intents
                .settle(&settled.request_id, &settled.outcome)?;
        }
        let Some(intent) = step.intent else {
            return Ok(());
        };
        let (method, bytes) = match &intent {
            Intent::Submit(request) => ("SubmitOrder", request.encode_to_vec()),
            Intent::Close(request) => ("ClosePosition", request.encode_to_vec()),
        };
        session
            .intents
            .record(intent.request_id(), method, &bytes, clock::utc_now_ms())?;
        metrics::counter!("mymt5_engine_orders_submitted_total").increment(1);
        let trace = Correlation::new();
        log(&intent, &trace);
        let gateway = self.gateway.clone();
        self.calls.spawn(async move {
            let answer = send(&gateway, &intent, &trace).await;
            (intent.request_id().to_owned(), answer)
        });
        Ok(())
    }
}

fn log(intent: &Intent, trace: &Correlation) {
    let trace_id = trace.trace_hex();
    match intent {
        Intent::Submit(request) => {
            let (request_id, symbol, lots) = (&request.request_id, &request.symbol, request.lots);
            tracing::info!(trace_id, request_id, symbol, side = ?request.side(), lots, "order decided");
        }
        Intent::Close(request) => {
            let (request_id, position_id) = (&request.request_id, request.position_id);
            tracing::info!(trace_id, request_id, position_id, "close decided");
        }
    }
}

async fn beat(gateway: Gateway, session_id: String) -> Result<(), SessionEnd> {
    let heartbeat = gateway.call(v1::HeartbeatRequest { session_id }, &Correlation::new());
    let answer = gateway.trading().heartbeat(heartbeat).await;
    super::count_call(answer.is_ok());
    answer.map_err(|status| SessionEnd::Call("heartbeat", status))?;
    metrics::gauge!("mymt5_engine_last_success_timestamp_seconds")
        .set(clock::utc_now_ms() as f64 / 1000.0);
    Ok(())
}

async fn specify(
    gateway: &Gateway,
    session: &mut Session,
    trace: &Correlation,
) -> Result<HashMap<String, SymbolSpec>, SessionEnd> {
    let answer = gateway
        .market_data()
        .list_symbols(gateway.call(v1::ListSymbolsRequest {}, trace))
        .await;
    let wire = answer
        .map_err(|status| SessionEnd::Call("symbols", status))?
        .into_inner()
        .symbols;
    let readable = |spec: &v1::SymbolSpec| {
        SymbolSpec::try_from(spec)
            .inspect_err(
                |error| tracing::warn!(symbol = spec.symbol, %error, "symbol not understood"),
            )
            .ok()
    };
    session
        .trader
        .specify(wire.iter().filter_map(readable).collect());
    let mut specs = HashMap::new();
    for symbol in session.trader.symbols() {
        let spec = session
            .trader
            .spec(symbol.as_str())
            .ok_or_else(|| SessionEnd::Symbol(symbol.to_string()))?;
        specs.insert(symbol.to_string(), spec.clone());
    }
    Ok(specs)
}

/// Asks for each intent whose end is not known. What the gateway never got is dropped: it is not
/// sent late. A call that was still on its way gets a moment to arrive first.
async fn settle(
    gateway: &Gateway,
    session: &mut Session,
    trace: &Correlation,
) -> Result<(), SessionEnd> {
    for request_id in session.intents.unsettled()? {
        if let Some(outcome) = recall(gateway, &request_id, trace).await? {
            session.intents.settle(&request_id, &outcome)?;
            session.trader.on_recalled(&request_id);
        }
    }
    Ok(())
}

/// How an intent ended; none while its order is still under way.
async fn recall(
    gateway: &Gateway,
    request_id: &str,
    trace: &Correlation,
) -> Result<Option<String>, SessionEnd> {
    for attempt in 1.. {
        let id = Some(v1::get_order_request::Id::ClientOrderId(
            request_id.to_owned(),
        ));
        match gateway
            .trading()
            .get_order(gateway.call(v1::GetOrderRequest { id }, trace))
            .await
        {
            Ok(found) => {
                let state = found.into_inner().order.map(|order| order.state());
                let ended = state
                    .filter(|state| OrderState::try_from(*state).is_ok_and(OrderState::is_final));
                return Ok(ended.map(|state| state.as_str_name().to_owned()));
            }
            Err(status) if status.code() == Code::NotFound && attempt < LOOKUPS => {
                sleep(LOOKUP_PAUSE).await
            }
            Err(status) if is_unsure(&status) => return Err(SessionEnd::Call("order", status)),
            Err(_) => break,
        }
    }
    tracing::warn!(request_id, "intent dropped: the gateway never got it");
    Ok(Some("NEVER_ARRIVED".to_owned()))
}
