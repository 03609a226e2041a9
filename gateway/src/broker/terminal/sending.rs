//! One request, sent once. A reply that is lost is recalled from the bridge, never asked for by a
//! second send.

use super::{
    super::{Dispatch, SendFailure, settled},
    Terminal, calls,
    connection::{Connection, Pending},
    failure::{CallOutcome, decide},
    requests::{RawRequest, Target, Written, is_entry, wants_price, written},
    wire::{self, Answer, Fields},
};
use mymt5_model::{Magic, Price, Receipt, Side, Symbol, TradeRequest};
use serde::Serialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// Longest time a send may lie in the bridge's queue, milliseconds.
const LONGEST_WAIT_MS: u64 = 2_000;
/// The bridge answers a recall at once.
const RECALL: Duration = Duration::from_secs(2);
/// Longest wait for a newer price where an old one serves.
const LOOK: Duration = Duration::from_millis(500);
/// While the bridge is still at it, it is asked again after so long.
const RECALL_PAUSE: Duration = Duration::from_millis(100);
/// The bridge wants a word also where no call led to a request.
const NO_TRACE: &str = "-";

#[derive(Serialize)]
struct Send<'a> {
    key: &'a str,
    wait_ms: u64,
    correlation: &'a str,
    request: &'a RawRequest,
    /// What the bridge fills in from the target's row.
    take: &'a [&'static str],
    /// An entry is checked by the terminal first.
    check: bool,
    /// The account that must be there at that moment.
    login: u64,
}

fn too_late() -> SendFailure {
    SendFailure::NotSent("its time passed before it could be sent".into())
}

impl Terminal {
    /// Sends, unless its time has come by then: all that is waited for on the way counts.
    ///
    /// # Errors
    /// See [`SendFailure`].
    pub(super) async fn send_once(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        let until = Instant::now() + self.settings.call_timeout;
        let before = until.min(dispatch.before.into());
        let correlation = match dispatch.trace_id.as_str() {
            "" => NO_TRACE,
            trace_id => trace_id,
        };
        let turn = timeout_at(before, self.turn.read()).await;
        let connection = turn
            .as_ref()
            .ok()
            .and_then(|_| self.connection())
            .ok_or_else(|| SendFailure::NotSent("the link to the terminal is down".into()))?;
        let usable = self.shared.lock().unusable();
        usable.map_err(|error| SendFailure::NotSent(error.to_string()))?;
        let target = self.target(&connection, request, before).await;
        let written = written(request, &target);
        let written = written.map_err(|why| SendFailure::NotSent(why.to_string()))?;
        let Written { request: raw, take } = written;
        let key = key(request);
        let wait = u64::try_from(left(before).as_millis()).unwrap_or(u64::MAX);
        if wait == 0 {
            return Err(too_late());
        }
        let args = Send {
            key: &key,
            wait_ms: wait.clamp(1, LONGEST_WAIT_MS),
            correlation,
            request: &raw,
            take: &take,
            check: is_entry(request),
            login: self.login()?,
        };
        let begun = Instant::now();
        let outcome = match connection.begin("order_send", &args) {
            Ok(pending) => self.outcome(&connection, pending, &key, until).await,
            Err(outcome) => outcome,
        };
        if is_stale(&outcome) && begun.elapsed() < Duration::from_millis(args.wait_ms) {
            // The bridge's clock ran on while this one stood still (the host slept): in this
            // session it would refuse everything.
            connection.close("the bridge's clock ran away from this one's");
        }
        let outcome = decide(outcome, |raw| self.shared.lock().receipt(raw));
        settle(request, outcome, target.basics.map(|basics| basics.digits))
    }

    /// The whole number of the account that this link is for.
    fn login(&self) -> Result<u64, SendFailure> {
        let login = self.shared.lock().expected.login();
        login.ok_or_else(|| SendFailure::NotSent("MT5_LOGIN is not an account number".into()))
    }

    /// The answer to a send, by whatever way it comes.
    async fn outcome(
        &self,
        connection: &Arc<Connection>,
        mut pending: Pending,
        key: &str,
        until: Instant,
    ) -> CallOutcome {
        let lost = match pending.wait(left(until)).await {
            Some(CallOutcome::Lost(why)) => CallOutcome::Lost(why),
            Some(outcome) => return outcome,
            None => pending.give_up(),
        };
        if !matches!(lost, CallOutcome::Lost(_)) {
            return lost;
        }
        // As long again: the caller has its own bound, and takes late answers.
        let until = Instant::now() + self.settings.call_timeout;
        let recalled = timeout_at(until, self.recalled(connection, key, until)).await;
        recalled.ok().flatten().unwrap_or(lost)
    }

    /// Recalls from this session, or from the next ones once it ended.
    async fn recalled(
        &self,
        first: &Arc<Connection>,
        key: &str,
        until: Instant,
    ) -> Option<CallOutcome> {
        let mut sessions = self.session.subscribe();
        let mut session = first.clone();
        loop {
            if let Some(outcome) = recall(&session, key, until).await {
                return Some(outcome);
            }
            // A bridge that lives and does not know it will not learn of it any more.
            if !session.is_closed() {
                return None;
            }
            let lives =
                |now: &Option<Arc<Connection>>| now.as_ref().is_some_and(|now| !now.is_closed());
            session = sessions.wait_for(lives).await.ok()?.clone()?;
        }
    }

    /// What the request's symbol is to the broker. Half of the time that is left until `before` stays
    /// for the send: an old price is better than none.
    async fn target(
        &self,
        connection: &Arc<Connection>,
        request: &TradeRequest,
        before: Instant,
    ) -> Target {
        let symbol = request.symbol();
        match request {
            TradeRequest::Market { side, .. } | TradeRequest::Close { side, .. } => {
                let known = self.known_target(request, *side);
                if !self.must_look(request) {
                    return known;
                }
                let half = left(before) / 2;
                let serves = known.basics.is_some() && known.touch.is_some();
                let patience = if serves { half.min(LOOK) } else { half };
                self.look_up(connection, symbol, patience).await;
                self.known_target(request, *side)
            }
            TradeRequest::Pending { side, .. } => self.known_target(request, *side),
            TradeRequest::ModifyPosition { .. }
            | TradeRequest::ModifyOrder { .. }
            | TradeRequest::Cancel { .. } => Target {
                name: self.shared.lock().context.symbol_map.any(symbol),
                ..Target::default()
            },
        }
    }

    /// True where the terminal is to be asked before that market order: its price must be named,
    /// and no fresh one is known.
    fn must_look(&self, request: &TradeRequest) -> bool {
        let state = self.shared.lock();
        let Some(basics) = state.basics.get(request.symbol()) else {
            // A position in a symbol that is not in the map can be closed all the same.
            return !is_entry(request);
        };
        let quote = state.quotes.get(request.symbol());
        let is_old = quote.is_none_or(|quote| quote.is_old(Instant::now().into_std()));
        wants_price(basics.execution) && is_old
    }

    fn known_target(&self, request: &TradeRequest, side: Side) -> Target {
        let symbol = request.symbol();
        let state = self.shared.lock();
        // Only exits do without the rest of the specification.
        let enough = !is_entry(request) || state.symbols.contains_key(symbol);
        let basics = state.basics.get(symbol).filter(|_| enough);
        Target {
            name: state.context.symbol_map.any(symbol),
            touch: state.quotes.get(symbol).map(|quote| quote.touch(side)),
            basics: basics.copied(),
        }
    }

    /// Asks for one symbol. What cannot be learnt is missed where it is needed. An old price still
    /// serves: the broker knows how far it may be from the market.
    async fn look_up(&self, connection: &Arc<Connection>, symbol: &Symbol, patience: Duration) {
        let Some(name) = self.shared.lock().context.symbol_map.any(symbol) else {
            return;
        };
        let asked = Instant::now().into_std();
        match calls::symbol(connection, symbol, &name, patience).await {
            Ok(told) => {
                if let Some(why) = told.fault() {
                    tracing::warn!(%symbol, %why, "symbol not read");
                }
                self.shared.lock().take_symbols(told, asked);
            }
            Err(error) => tracing::warn!(%symbol, %error, "symbol not read"),
        }
    }
}

/// The bridge remembers sends by this.
fn key(request: &TradeRequest) -> String {
    match request {
        TradeRequest::Market { magic, .. }
        | TradeRequest::Close { magic, .. }
        | TradeRequest::Pending { magic, .. }
            if *magic != Magic::NONE =>
        {
            magic.raw().to_string()
        }
        _ => uuid::Uuid::new_v4().to_string(),
    }
}

/// A price done has the digits of its symbol.
fn settle(
    request: &TradeRequest,
    outcome: Result<Receipt, SendFailure>,
    digits: Option<u8>,
) -> Result<Receipt, SendFailure> {
    settled(request, outcome).map(|receipt| Receipt {
        price: receipt
            .price
            .and_then(|price| Price::nearest(price.to_f64(), digits?).ok()),
        ..receipt
    })
}

/// True where the bridge says that the send lay too long.
fn is_stale(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Answer(Answer::Refused(why)) if why == "stale")
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Asks the bridge what became of a send, until it knows. None: it does not know.
async fn recall(connection: &Arc<Connection>, key: &str, until: Instant) -> Option<CallOutcome> {
    loop {
        let outcome = connection
            .ask("recall", &json!({ "key": key }), RECALL)
            .await;
        let CallOutcome::Answer(Answer::Ok(raw)) = outcome else {
            if connection.is_closed() || Instant::now() >= until {
                return None;
            }
            sleep(RECALL_PAUSE).await;
            continue;
        };
        let fields = Fields::of("recall", &raw).ok()?;
        match fields.text("state").ok()?.as_str() {
            "done" | "dropped" => {
                let answer = wire::answer(fields.raw("answer").ok()?).ok()?;
                return Some(CallOutcome::Answer(answer));
            }
            "queued" | "running" if Instant::now() < until => sleep(RECALL_PAUSE).await,
            _ => return None,
        }
    }
}
