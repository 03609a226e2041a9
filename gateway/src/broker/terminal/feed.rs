//! What the bridge pushes, handed on to the link: ticks in batches, and what changed.

use super::{
    super::{BrokerEvent, Events, Pace},
    state::{Quote, Rows, SharedState},
    ticks,
    wire::{Fields, RowsPush, TicksPush},
};
use mymt5_model::{Money, Symbol, Tick};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};

/// Batches of ticks that may wait.
const TICKS: usize = 256;
/// Changes that may wait.
const CHANGES: usize = 16_384;
/// How long the end of a session waits for its last ticks to be taken.
const LAST_TICKS: Duration = Duration::from_secs(1);
/// So many pushes in a row without rows mean that the terminal is gone.
const SILENT_PUSHES: u32 = 3;

/// The link's end of one session.
pub(crate) struct Feed {
    shared: Arc<SharedState>,
    ticks: mpsc::Sender<Vec<Tick>>,
    changes: mpsc::Sender<BrokerEvent>,
    last: Option<Rows>,
    silent: u32,
    unread: bool,
}

impl Feed {
    pub(crate) fn new(shared: Arc<SharedState>) -> (Self, Events) {
        let (ticks_in, ticks) = mpsc::channel(TICKS);
        let (changes_in, changes) = mpsc::channel(CHANGES);
        let feed = Self {
            shared,
            ticks: ticks_in,
            changes: changes_in,
            last: None,
            silent: 0,
            unread: false,
        };
        let pace = Pace::Live;
        let events = Events {
            ticks,
            changes,
            pace,
        };
        (feed, events)
    }

    /// The way for changes found otherwise than by a push.
    pub(crate) fn changes(&self) -> mpsc::Sender<BrokerEvent> {
        self.changes.clone()
    }

    /// Hands ticks on.
    ///
    /// # Errors
    /// Why the session must end. Answers come the same way as ticks and must never wait behind
    /// them, so that a full queue does not hold the reader back: it ends the session. Nothing is
    /// lost by that, since the cursor stands before what was not taken, and the next session
    /// resumes there.
    pub(crate) fn ticks(&mut self, push: &TicksPush) -> Result<(), String> {
        let mut state = self.shared.lock();
        let symbol = state.context.symbol_map.canonical(&push.symbol).cloned();
        let digits = |symbol: &Symbol| state.symbols.get(symbol).map(|raw| raw.spec.digits);
        // None where its specification could not be read: its ticks are passed over until it is.
        let digits = symbol.as_ref().and_then(digits);
        let Some((symbol, digits)) = symbol.zip(digits) else {
            state.status.unmapped_ticks += push.rows.len() as u64;
            return Ok(());
        };
        if state.cursors.has(&symbol, push.at) {
            state.status.repeated_pushes += 1;
            return Ok(());
        }
        let (batch, quoteless) = ticks::batch(push, &symbol, digits);
        let quote = batch.last().map(|tick| Quote::now(tick.bid, tick.ask));
        let newest = batch.iter().map(|tick| tick.time).max();
        if !batch.is_empty() {
            self.ticks.try_send(batch).map_err(not_taken("ticks"))?;
        }
        state.status.quoteless_ticks += quoteless;
        state.cursors.advance(&symbol, push.at);
        newest.into_iter().for_each(|time| state.see(time));
        if let Some(quote) = quote {
            state.quotes.insert(symbol, quote);
        }
        Ok(())
    }

    /// Reports what changed since the last push of rows.
    ///
    /// # Errors
    /// Why the session must end.
    pub(crate) fn rows(&mut self, push: &RowsPush) -> Result<(), String> {
        let raw = match push {
            RowsPush::Rows(raw) => raw,
            RowsPush::None(code) => {
                self.silent += 1;
                if self.silent < SILENT_PUSHES {
                    return Ok(());
                }
                let why = super::failure::explained(*code);
                return Err(format!("the terminal does not answer its bridge: {why}"));
            }
        };
        self.silent = 0;
        let read = self.read(raw);
        let usable = self.shared.lock().unusable();
        usable.map_err(|error| error.why())?;
        match read {
            Ok(changes) => {
                self.unread = false;
                changes.into_iter().try_for_each(|change| self.send(change))
            }
            // Exits must stay possible: reading a snapshot reports the same fault.
            Err(error) => {
                if !self.unread {
                    tracing::error!(%error, "rows of the terminal not understood");
                }
                self.unread = true;
                self.send(BrokerEvent::RowsChanged)
            }
        }
    }

    fn read(&mut self, raw: &RawValue) -> Result<Vec<BrokerEvent>, super::RowError> {
        let fields = Fields::of("rows", raw)?;
        let mut state = self.shared.lock();
        let rows = state.rows(&fields)?;
        if state.unusable().is_err() {
            return Ok(Vec::new());
        }
        // The history reports what is not understood of them.
        let deals = state.deals(&fields.rows("deals")?).rows;
        let call = state.margin_call(fields.raw("account")?, &rows.account)?;
        let fresh = state.deals.take(deals);
        // A deal shows the broker's clock as well as a tick does, and ticks may be rare.
        let newest = fresh.iter().map(|deal| deal.time).max();
        newest.into_iter().for_each(|time| state.see(time));
        drop(state);
        let mut changes: Vec<BrokerEvent> = fresh.into_iter().map(BrokerEvent::Deal).collect();
        let rows = still(rows);
        if self.last.as_ref() != Some(&rows) {
            changes.push(BrokerEvent::RowsChanged);
            self.last = Some(rows);
        }
        changes.extend(call.map(BrokerEvent::MarginCall));
        Ok(changes)
    }

    fn send(&self, change: BrokerEvent) -> Result<(), String> {
        self.changes.try_send(change).map_err(not_taken("changes"))
    }

    /// Ends it: the link learns why, once it has taken the ticks that came before.
    pub(crate) async fn lost(self, why: String) {
        let _ = timeout(LAST_TICKS, self.ticks.reserve_many(TICKS)).await;
        // Where it does not fit, or nobody listens, the end of the channel says as much.
        let _ = self.changes.try_send(BrokerEvent::LinkLost(why));
    }
}

fn not_taken<T>(what: &str) -> impl FnOnce(TrySendError<T>) -> String {
    move |error| match error {
        TrySendError::Full(_) => format!("{what} are not taken"),
        TrySendError::Closed(_) => "nobody listens any more".into(),
    }
}

/// The rows without what follows each tick: that is not a change.
fn still(mut rows: Rows) -> Rows {
    for position in &mut rows.positions {
        position.profit = Money::ZERO;
    }
    let account = &mut rows.account;
    (account.profit, account.equity) = (Money::ZERO, Money::ZERO);
    (account.margin, account.free_margin) = (Money::ZERO, Money::ZERO);
    account.margin_level = None;
    rows
}
