//! A session that works: what it begins with, and the loop that follows the gateway.

use super::{
    Gateway, Session,
    backlog::{Backlog, LATE, VALID},
    durable::{NOT_DURABLE, may_leave, note_gone},
    end::SessionEnd,
    explain::explain,
    gauges,
    heartbeat::{Beat, GatewayClock, HEARTBEAT, beat, leave},
    own,
    recall::settle,
    send::{Answer, send},
    symbols::{self, Listings},
    warm_up::WarmUps,
    wire::{self, Request, Specs},
};
use crate::trader::{Event, Intent, RATES_MS, Step, Trader};
use mymt5_chassis::{
    trace_context::TraceContext,
    traces::{self, Kind, Span},
};
use mymt5_model::{BrokerTime, RequestId, SymbolSpec};
use mymt5_proto::v1;
use std::{collections::BTreeSet, future::poll_fn, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use v1::stream_events_response::Event as WireEvent;

/// How long a feed that waits is held back for the rates that sizing needs.
const RATES: Duration = Duration::from_secs(5);

/// A request id and how its call was answered.
type Answered = (RequestId, Answer);

/// A session under way.
pub(super) struct Live {
    gateway: Gateway,
    events: Streaming<v1::StreamEventsResponse>,
    ticks: Streaming<v1::StreamTicksInStepResponse>,
    in_step: InStep,
    /// Calls under way. They end with the session: what a new one asks for is never sent by an
    /// old one behind its back.
    calls: JoinSet<Answered>,
    /// Canonical names as the ticks carry them, so that none is parsed again for each tick.
    specs: Specs,
    warm_ups: WarmUps,
    clock: GatewayClock,
    backlog: Backlog,
    /// This client's name, as its rows bear it.
    client: String,
}

/// How this side stands to a feed that waits for it.
struct InStep {
    said: mpsc::Sender<v1::StreamTicksInStepRequest>,
    /// Ticks that came before the events they come after.
    early: Option<v1::StreamTicksInStepResponse>,
    /// No tick is taken before the events up to this one came: what traded while nobody followed is
    /// among them.
    first: u64,
    /// All events up to this one came.
    newest_event: u64,
    /// The feed is one that waits: what it tells is all that counts, whatever this clock says.
    waits: bool,
    /// It waits now.
    owes: bool,
    /// Tick of the last reading of the rates for such a feed.
    rated: Option<BrokerTime>,
    begun: Instant,
}

impl InStep {
    /// False for what comes by the clock: a feed that waits tells the account with its ticks, and
    /// between two of them nothing that counts happens to it.
    const fn counts(&self, event: &Event) -> bool {
        !(self.waits && matches!(event, Event::Account(_)))
    }

    /// An event came, and with it all before it.
    fn reach(&mut self, event: &v1::StreamEventsResponse) {
        let sequence = match &event.event {
            // Those in between are not this client's.
            Some(WireEvent::Progress(progress)) => progress.sequence,
            _ => event.sequence,
        };
        self.newest_event = self.newest_event.max(sequence);
    }

    /// The ticks that came, once the events before them came, too.
    fn due(&mut self) -> Option<v1::StreamTicksInStepResponse> {
        let Self {
            first,
            newest_event,
            ..
        } = *self;
        let is_due = |batch: &mut v1::StreamTicksInStepResponse| {
            batch.after_sequence.max(first) <= newest_event
        };
        self.early.take_if(is_due)
    }
}

impl Live {
    /// The first calls: only they prove that the gateway knows this client.
    pub(super) async fn begin(gateway: Gateway, session: &mut Session) -> Result<Self, SessionEnd> {
        let trace = TraceContext::new();
        let Beat { clock, .. } = beat(gateway.clone(), session.session_id.clone(), false).await?;
        session.crash_alert.raise(&gateway).await;
        let Met {
            status,
            listed,
            clock,
        } = meet(&gateway, session, clock, &trace).await?;
        let specs = symbols::specify(&mut session.trader, listed)?;
        let snapshot = take_snapshot(&gateway, &trace).await?;
        let found = wire::snapshot(&snapshot, &specs);
        session.trader.meet(found.account_id.as_ref());
        let balance = found.account.map(|account| account.balance);
        explain(&gateway, &mut session.trader, balance, &trace).await;
        session.trader.on_snapshot(found);
        if let Some(symbol) = session.trader.shared_symbol() {
            return Err(SessionEnd::Shared(symbol.to_string()));
        }
        // What is not over yet ends after the snapshot, and so do the events tell it.
        let traded = settle(&gateway, session, clock, &specs, &trace).await?;
        let first = if traded {
            take_snapshot(&gateway, &trace).await?.sequence
        } else {
            snapshot.sequence
        };
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
        // The gateway refuses a stream of symbols that it does not list.
        let symbols = specs.keys().cloned().collect();
        let (said, requests) = mpsc::channel(2);
        // From here on ticks wait for this session, also while bars of the past are listed.
        let backlog = Backlog::new();
        let _ = said.try_send(v1::StreamTicksInStepRequest { symbols });
        let ticks = gateway
            .tick_streams()
            .stream_ticks_in_step(gateway.stream(ReceiverStream::new(requests), &trace))
            .await;
        let ticks = ticks
            .map_err(|status| SessionEnd::Call("ticks", status))?
            .into_inner();
        let mut warm_ups = WarmUps::new(&mut session.trader);
        let trader = &mut session.trader;
        let clock = warm_ups
            .list_first(&gateway, trader, &session.session_id, clock)
            .await?;
        let kind = status.account_kind();
        tracing::info!(
            gateway = status.version,
            ?kind,
            positions = snapshot.positions.len(),
            "session begun"
        );
        Ok(Self {
            gateway,
            events,
            ticks,
            in_step: InStep {
                said,
                early: None,
                first,
                newest_event: snapshot.sequence,
                waits: false,
                owes: false,
                rated: None,
                begun: Instant::now(),
            },
            calls: JoinSet::new(),
            specs,
            warm_ups,
            clock,
            backlog,
            client: snapshot.client,
        })
    }

    /// Follows the gateway until the session breaks or the process ends.
    pub(super) async fn follow(
        mut self,
        session: &mut Session,
        shutdown: &CancellationToken,
    ) -> SessionEnd {
        let mut beats = JoinSet::new();
        let mut listings = Listings::new();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = shutdown.cancelled() => {
                    // Calls under way are not waited for: the gateway has them, or refuses them soon.
                    // A heartbeat after the farewell would take the lease again.
                    beats.shutdown().await;
                    leave(&self.gateway, &session.session_id).await;
                    return SessionEnd::Stopping;
                }
                batch = poll_fn(|context| self.backlog.poll_next(&mut self.ticks, context)),
                    if self.in_step.early.is_none() => self.on_ticks(batch),
                event = self.events.message() => self.on_event(session, event),
                Some(answered) = self.calls.join_next() => match answered {
                    Ok((id, answer)) => self.on_answer(session, &id, answer),
                    Err(_) => Err(SessionEnd::StreamEnded("answers")),
                },
                Some(listed) = listings.join() => {
                    if self.rates_go_by_this_clock(session) {
                        self.on_listed(session, listed)
                    } else {
                        Ok(())
                    }
                }
                () = self.warm_ups.come_due() => {
                    let trader = &mut session.trader;
                    self.warm_ups.list_next(&self.gateway, trader).await;
                    Ok(())
                }
                // Beside the loop: a slow answer must not hold ticks and events back.
                _ = heartbeat.tick(), if beats.is_empty() => {
                    session.intents.catch_up();
                    let session_id = session.session_id.clone();
                    beats.spawn(beat(self.gateway.clone(), session_id, false));
                    if self.rates_go_by_this_clock(session) {
                        listings.refresh(&self.gateway, &session.trader);
                    }
                    gauges::trader(&session.trader.figures());
                    Ok(())
                }
                Some(beaten) = beats.join_next() => match beaten {
                    Ok(told) => told.map(|told| self.on_beat(session, told)),
                    Err(_) => Err(SessionEnd::StreamEnded("heartbeats")),
                },
            };
            let kept = match done {
                Ok(()) => self.keep_step(session).await,
                Err(end) => Err(end),
            };
            if let Err(end) = kept {
                return end;
            }
        }
    }

    /// This session's heartbeats begin after its snapshot.
    fn on_beat(&mut self, session: &mut Session, told: Beat) {
        self.clock = told.clock;
        if told.is_active {
            session.trader.on_unrestricted();
        }
    }

    fn on_ticks(
        &mut self,
        batch: Option<Result<v1::StreamTicksInStepResponse, Status>>,
    ) -> Result<(), SessionEnd> {
        let batch = batch
            .transpose()
            .map_err(|status| SessionEnd::Call("ticks", status))?
            .ok_or(SessionEnd::StreamEnded("ticks"))?;
        self.in_step.early = Some(batch);
        Ok(())
    }

    /// Takes ticks once the events before them came, and lets a feed that waits go on once no order
    /// is under way.
    async fn keep_step(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        if let Some(batch) = self.in_step.due() {
            self.in_step.waits = batch.waits;
            self.in_step.owes = batch.waits;
            if batch.waits {
                self.rate(session, &batch).await?;
                let trader = &mut session.trader;
                self.warm_ups.list_all(&self.gateway, trader).await;
            }
            self.take_ticks(session, &batch);
        }
        let late = self.in_step.begun.elapsed() > RATES;
        let sizes = late || !session.trader.lacks_rates();
        if self.in_step.owes && sizes && session.trader.is_idle() {
            self.in_step.owes = false;
            let done = v1::StreamTicksInStepRequest::default();
            let said = self.in_step.said.try_send(done);
            said.map_err(|_| SessionEnd::StreamEnded("ticks"))?;
        }
        Ok(())
    }

    /// Where a feed waits, rates that came by this side's clock are of any tick: they are taken in need
    /// alone.
    fn rates_go_by_this_clock(&self, session: &Session) -> bool {
        !self.in_step.waits || session.trader.lacks_rates()
    }

    /// Reads the rates before the first tick of a feed that waits and each hour of its time, as a
    /// backtest does.
    async fn rate(
        &mut self,
        session: &mut Session,
        batch: &v1::StreamTicksInStepResponse,
    ) -> Result<(), SessionEnd> {
        let newest = batch
            .ticks
            .iter()
            .rev()
            .find_map(|tick| tick.time?.broker_ms);
        let rated = self.in_step.rated;
        let is_due = |time: &i64| rated.is_none_or(|at| time - at.0 >= RATES_MS);
        if let Some(time) = newest.filter(is_due) {
            self.in_step.rated = Some(BrokerTime(time));
            let listed = symbols::list(&self.gateway, &TraceContext::new()).await;
            self.on_listed(session, listed)?;
        }
        Ok(())
    }

    fn take_ticks(&mut self, session: &mut Session, batch: &v1::StreamTicksInStepResponse) {
        if let Some(account) = &batch.account {
            let account = wire::account(account);
            self.take(session, |trader| trader.on_event(&account));
        }
        self.warm_ups.on_ticks(&batch.ticks, &mut session.trader);
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
                Ok(tick) => self.take(session, |trader| trader.on_tick(&tick)),
                Err(error) => tracing::warn!(symbol = wire.symbol, %error, "tick not understood"),
            }
        }
        metrics::counter!("mymt5_engine_ticks_received_total").increment(live);
        let ticks = batch.ticks.iter();
        let ticks = ticks.filter(|tick| tick.kind() == v1::TickKind::Live);
        let known = ticks.filter(|tick| self.specs.contains_key(&tick.symbol));
        let symbols: BTreeSet<&str> = known.map(|tick| tick.symbol.as_str()).collect();
        gauges::ticks(symbols.into_iter());
    }

    fn on_event(
        &mut self,
        session: &mut Session,
        event: Result<Option<v1::StreamEventsResponse>, Status>,
    ) -> Result<(), SessionEnd> {
        let event = event
            .map_err(|status| SessionEnd::Call("events", status))?
            .ok_or(SessionEnd::StreamEnded("events"))?;
        self.in_step.reach(&event);
        if let Some(WireEvent::LinkChanged(changed)) = &event.event {
            self.warm_ups.on_link(changed.state(), &mut session.trader);
        }
        let Some(event) = event
            .event
            .as_ref()
            .filter(|wire| own::tells(wire, &self.client))
            .and_then(|wire| wire::event(wire, &self.specs))
        else {
            return Ok(());
        };
        if !self.in_step.counts(&event) {
            return Ok(());
        }
        self.take(session, |trader| trader.on_event(&event));
        note_gone(&mut session.intents, &event);
        Ok(())
    }

    fn on_answer(
        &mut self,
        session: &mut Session,
        request_id: &RequestId,
        answer: Answer,
    ) -> Result<(), SessionEnd> {
        match answer {
            Answer::Accepted => {}
            Answer::Changed { done } => {
                self.take(session, |trader| trader.on_changed(request_id, done));
            }
            Answer::Refused(reason) => {
                tracing::warn!(%request_id, reason, "intent refused");
                self.take(session, |trader| trader.on_refused(request_id, reason));
            }
            Answer::Unsent(reason) => {
                tracing::warn!(%request_id, reason, "intent not sent");
                self.take(session, |trader| {
                    trader.on_unsent(request_id, reason.to_owned())
                });
            }
            Answer::Unsure(status) => return Err(SessionEnd::Call("order", status)),
        }
        Ok(())
    }

    /// Takes specifications that were listed again. Without them the session goes on with those it has.
    fn on_listed(
        &mut self,
        session: &mut Session,
        listed: Result<Vec<SymbolSpec>, SessionEnd>,
    ) -> Result<(), SessionEnd> {
        match listed {
            Ok(listed) => self.specs = symbols::renew(&mut session.trader, &self.specs, listed)?,
            Err(reason) => tracing::warn!(%reason, "rates not refreshed; check the gateway"),
        }
        Ok(())
    }

    /// Takes a step of the trader: makes it durable, then sends what it wants to send.
    fn take(&mut self, session: &mut Session, step: impl FnOnce(&mut Trader) -> Step) {
        let begun = traces::now_ns();
        let step = step(&mut session.trader);
        // What is left to be done of what ended is on record before its end is.
        for intent in step.intents {
            self.begin_call(session, &intent, begun);
        }
        if let Some(settled) = &step.settled {
            gauges::ended(&settled.outcome);
            let outcome = wire::outcome_name(&settled.outcome);
            session.intents.settle(settled.request_id.as_str(), outcome);
        }
    }

    /// An order is durable before it is sent. A change needs no record: it is safe to repeat, and after
    /// a break nothing waits for it. Its trace begins where the trader's step did.
    fn begin_call(&mut self, session: &mut Session, intent: &Intent, begun: u64) {
        let order = decision(intent, begun);
        let request_id = intent.request_id().clone();
        let left = match intent {
            // A feed that waits goes on from this price, however long that takes.
            Intent::Submit(_) if !self.in_step.waits => self.backlog.left(),
            // What opens nothing is as right upon an old tick.
            _ => Some(VALID),
        };
        let Some(left) = left else {
            gauges::late();
            self.keep_back(request_id, LATE);
            return;
        };
        let left_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let not_after_ms = self.clock.now_ms().saturating_add(left_ms);
        let request = Request::of(intent, &session.session_id, not_after_ms);
        let recording = intent
            .is_order()
            .then(|| order.child("intent", Kind::Internal));
        if !may_leave(&mut session.intents, intent, &request, not_after_ms) {
            self.keep_back(request_id, NOT_DURABLE);
            return;
        }
        drop(recording);
        gauges::sent(intent);
        log(intent, order.context());
        let gateway = self.gateway.clone();
        self.calls.spawn(async move {
            let answer = send(&gateway, &request_id, &request, &order).await;
            (request_id, answer)
        });
    }

    /// Tells as an answer that an intent does not leave: what was decided is over, as where the gateway
    /// refuses.
    fn keep_back(&mut self, request_id: RequestId, reason: &'static str) {
        self.calls
            .spawn(async move { (request_id, Answer::Unsent(reason)) });
    }
}

/// The first step of an intent's trace, with the trader's decision as its first part: strategy and risk.
fn decision(intent: &Intent, begun: u64) -> Span {
    let mut order = Span::root("order").since(begun);
    let mut decision = order.child("decision", Kind::Internal).since(begun);
    order.set("request_id", intent.request_id());
    match intent {
        Intent::Submit(submit) => {
            decision.set("strategy", &submit.tag);
            decision.set("symbol", &submit.symbol);
            decision.set("side", format_args!("{:?}", submit.side));
            decision.set("lots", submit.lots);
        }
        Intent::Close(close) => {
            decision.set("strategy", &close.tag);
            decision.set("position_id", close.position_id);
        }
        Intent::Move(change) => decision.set("position_id", change.position_id),
        Intent::Cancel(cancel) => decision.set("order_id", cancel.order_id),
    }
    order
}

fn log(intent: &Intent, trace: &TraceContext) {
    let trace_id = trace.trace_hex();
    match intent {
        Intent::Submit(submit) => {
            let request_id = &submit.request_id;
            let symbol = &submit.symbol;
            let lots = &submit.lots;
            tracing::info!(trace_id, %request_id, %symbol, side = ?submit.side, %lots, "order decided");
        }
        Intent::Close(close) => {
            let request_id = &close.request_id;
            let position_id = &close.position_id;
            tracing::info!(trace_id, %request_id, %position_id, "close decided");
        }
        Intent::Move(change) => {
            let request_id = &change.request_id;
            let position_id = &change.position_id;
            tracing::info!(trace_id, %request_id, %position_id, "move of levels decided");
        }
        Intent::Cancel(cancel) => {
            let request_id = &cancel.request_id;
            let order_id = &cancel.order_id;
            tracing::info!(trace_id, %request_id, %order_id, "cancellation decided");
        }
    }
}

/// What the gateway knows of this client now.
async fn take_snapshot(
    gateway: &Gateway,
    trace: &TraceContext,
) -> Result<v1::GetSnapshotResponse, SessionEnd> {
    let request = gateway.call(v1::GetSnapshotRequest {}, trace);
    let snapshot = gateway.trading().get_snapshot(request).await;
    let mut snapshot = snapshot
        .map_err(|status| SessionEnd::Call("snapshot", status))?
        .into_inner();
    own::keep(&mut snapshot);
    Ok(snapshot)
}

/// What a session begins with.
struct Met {
    status: v1::GetStatusResponse,
    listed: Vec<SymbolSpec>,
    /// As the newest heartbeat told it: the broker may have been waited for.
    clock: GatewayClock,
}

/// How the gateway stands, and what it lists. One that has not reached its broker since its start
/// lists nothing yet: the engine is connected, and stays so until it can begin.
async fn meet(
    gateway: &Gateway,
    session: &Session,
    mut clock: GatewayClock,
    trace: &TraceContext,
) -> Result<Met, SessionEnd> {
    let mut told = false;
    loop {
        let status = gateway
            .control()
            .get_status(gateway.call(v1::GetStatusRequest {}, trace))
            .await;
        let status = status
            .map_err(|status| SessionEnd::Call("status", status))?
            .into_inner();
        let listed = symbols::list(gateway, trace).await?;
        if has_link(&status) || symbols::are_listed(&session.trader, &listed) {
            return Ok(Met {
                status,
                listed,
                clock,
            });
        }
        if !told {
            told = true;
            tracing::warn!(
                "connected, but the gateway has not reached its broker since its start: trading begins once it has; mymt5-gateway status says what it waits for"
            );
        }
        session.connected(true).await;
        sleep(HEARTBEAT).await;
        Beat { clock, .. } = beat(gateway.clone(), session.session_id.clone(), false).await?;
    }
}

/// Whether the broker was reached, so that what is not listed does not exist.
fn has_link(status: &v1::GetStatusResponse) -> bool {
    use v1::LinkState::{Degraded, MarketClosed, Ready};
    let link = status.link.as_ref();
    link.is_some_and(|link| matches!(link.state(), Ready | Degraded | MarketClosed))
}

#[cfg(test)]
mod tests;
