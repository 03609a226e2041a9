//! What the gateway's side and the broker's process say to each other: one JSON value a line, of
//! bounded length. An incomplete line is never acted on.

use mymt5_model::{
    AccountRow, BrokerTime, DealRow, OrderRow, PositionRow, Receipt, SymbolSpec, Tick, TradeRequest,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, BufRead, Read};

/// Longest line, bytes.
pub(crate) const MAX_LINE: u64 = 8 << 20;

/// A question; its answer carries the same id.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) id: u64,
    pub(crate) ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// From now on, tell of ticks and changes.
    Open,
    Identify,
    Ping,
    Symbols,
    Send(TradeRequest),
    Snapshot,
    History(BrokerTime, BrokerTime),
}

/// What the broker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Answer(u64, Answer),
    Ticks(Vec<Tick>),
    Deal(DealRow),
    RowsChanged,
    MarginCall(f64),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Account(AccountRow),
    Symbols(Vec<SymbolSpec>),
    Receipt(Receipt),
    Snapshot(Rows),
    History(Vec<OrderRow>, Vec<DealRow>),
}

/// The account's rows at one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) account: AccountRow,
    pub(crate) positions: Vec<PositionRow>,
    pub(crate) orders: Vec<OrderRow>,
    pub(crate) time: Option<BrokerTime>,
}

/// One whole line.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap();
    line.push(b'\n');
    line
}

/// The next whole line's value; none at the end, also where it cuts a line short.
///
/// # Errors
/// Reading fails, the line is too long, or it is something else.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return if line.len() as u64 == MAX_LINE {
            Err(io::ErrorKind::InvalidData.into())
        } else {
            Ok(None)
        };
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

#[test]
fn a_line_cut_short_is_not_acted_on() {
    let whole = line(&Question {
        id: 3,
        ask: Ask::Ping,
    });
    let read = |bytes: &[u8]| read::<Question>(&mut &bytes[..]).unwrap();
    assert_eq!(read(&whole).map(|question| question.id), Some(3));
    assert!(read(&whole[..whole.len() - 1]).is_none());
}
