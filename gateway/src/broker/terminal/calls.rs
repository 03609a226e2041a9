//! Questions to the bridge that change nothing, each with its typed answer.

use super::{
    super::BrokerError,
    connection::Connection,
    failure::{CallOutcome, explained},
    rows::{self, RawSymbol, Specifications, UnreadSymbol},
    symbol_map::SymbolMap,
    wire::{Answer, RowError},
};
use mymt5_model::Symbol;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use std::{sync::Arc, time::Duration};

/// Symbols asked for at a time.
const CHUNK: usize = 256;

impl From<RowError> for BrokerError {
    fn from(error: RowError) -> Self {
        unreadable(&error.to_string())
    }
}

fn unreadable(what: &str) -> BrokerError {
    BrokerError::Unreachable(format!(
        "an answer of the bridge cannot be read ({what}); install the gateway and the bridge from one release"
    ))
}

/// The value of an answer.
pub(super) fn value(outcome: CallOutcome) -> Result<Box<RawValue>, BrokerError> {
    let why = match outcome {
        CallOutcome::Answer(Answer::Ok(value)) => return Ok(value),
        CallOutcome::Answer(Answer::None(code, _)) => explained(code),
        CallOutcome::Answer(Answer::Refused(why)) => {
            format!("the bridge refused the call ({why}); look at its log")
        }
        CallOutcome::Answer(Answer::Checked(_)) => {
            return Err(unreadable("it is of a send"));
        }
        CallOutcome::Answer(Answer::Raised(kind)) => {
            format!("the package raised {kind}; look at the terminal's journal")
        }
        CallOutcome::NotWritten(why) | CallOutcome::Lost(why) => why,
    };
    Err(BrokerError::Unreachable(why))
}

/// Asks and reads the value.
pub(super) async fn ask(
    connection: &Arc<Connection>,
    call: &str,
    args: &impl Serialize,
    timeout: Duration,
) -> Result<Box<RawValue>, BrokerError> {
    value(connection.ask(call, args, timeout).await)
}

/// The specifications of all configured symbols; each is selected by that. One that the broker
/// dropped or changed beyond understanding hides no other: what is open there must stay closable.
///
/// # Errors
/// There is no answer, or nothing is known of any symbol.
pub(super) async fn symbols(
    connection: &Arc<Connection>,
    symbol_map: &SymbolMap,
    timeout: Duration,
) -> Result<Specifications, BrokerError> {
    let told = specifications(connection, symbol_map, timeout).await?;
    match told.fault() {
        Some(why) if told.is_blank() => Err(BrokerError::Unreachable(why)),
        _ => Ok(told),
    }
}

async fn specifications(
    connection: &Arc<Connection>,
    symbol_map: &SymbolMap,
    timeout: Duration,
) -> Result<Specifications, BrokerError> {
    let pairs: Vec<(&Symbol, &str)> = symbol_map.pairs().collect();
    let mut told = Specifications::default();
    for chunk in pairs.chunks(CHUNK) {
        let asked: Vec<&str> = chunk.iter().map(|(_, name)| *name).collect();
        let raw = ask(connection, "symbols", &json!({ "names": asked }), timeout).await?;
        let rows: Vec<Option<&RawValue>> = serde_json::from_str(raw.get())
            .ok()
            .filter(|rows: &Vec<_>| rows.len() == chunk.len())
            .ok_or_else(|| unreadable("symbols"))?;
        for ((canonical, name), row) in chunk.iter().zip(rows) {
            match specification(canonical, name, row) {
                Ok(raw) => told.read.push(raw),
                Err(why) => told.unread.push(UnreadSymbol {
                    symbol: (*canonical).clone(),
                    basics: row.and_then(|row| rows::basics(row).ok()),
                    why,
                }),
            }
        }
    }
    Ok(told)
}

fn specification(
    canonical: &Symbol,
    name: &str,
    row: Option<&RawValue>,
) -> Result<RawSymbol, String> {
    let row = row.ok_or_else(|| unknown(canonical, name))?;
    rows::symbol(row, canonical).map_err(|error| not_understood(canonical, name, &error))
}

/// What is told of one symbol, configured or not.
///
/// # Errors
/// There is no answer.
pub(super) async fn symbol(
    connection: &Arc<Connection>,
    canonical: &Symbol,
    name: &str,
    timeout: Duration,
) -> Result<Specifications, BrokerError> {
    let symbol_map = SymbolMap::new([(canonical.clone(), name.to_owned())].into());
    let absent = || BrokerError::Unreachable(unknown(canonical, name));
    let symbol_map = symbol_map.ok_or_else(absent)?;
    specifications(connection, &symbol_map, timeout).await
}

pub(super) fn unknown(canonical: &Symbol, name: &str) -> String {
    format!("the broker has no symbol {name}; correct broker.terminal.symbols for {canonical}")
}

pub(super) fn not_understood(canonical: &Symbol, name: &str, error: &RowError) -> String {
    format!(
        "the specification of {canonical}, {name} at the broker, cannot be read ({error}); ask the broker, or take it out of broker.terminal.symbols"
    )
}

/// What the bridge says of itself.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Pong {
    pub(super) busy_ms: u64,
    pub(super) busy: Option<String>,
    pub(super) queued: u64,
    pub(super) build: Option<u64>,
}

/// Asks the bridge itself; the terminal is not involved.
pub(super) async fn ping(
    connection: &Arc<Connection>,
    timeout: Duration,
) -> Result<Pong, BrokerError> {
    let raw = ask(connection, "ping", &json!({}), timeout).await?;
    serde_json::from_str(raw.get()).map_err(|_| unreadable("ping"))
}
