//! The judge: what the broker did against what the gateway tells and the clients heard. A pure
//! function; it knows neither processes nor time.

mod broker;
mod flat;
mod limits;
#[cfg(test)]
mod tests;
mod told;

pub(crate) use flat::judge_flat;
pub(crate) use limits::{Limits, judge_limits};
pub(crate) use told::{deal_in, deals_of, judge_told};

use crate::ledger::{Line, own_close};
use broker::{Broker, Did};
use mymt5_model::{Lots, OrderState, Side};
use std::collections::{BTreeMap, BTreeSet};

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new order, or the close of a position: binds its id to an order of its own.
    Order,
    /// The change of another order or of a position: is told that one.
    Change,
}

/// An operator's word on an order whose outcome was unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It never reached the broker.
    NotDone,
    /// It was done, though no deal tells it.
    Done,
}

/// One request id's story.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) purpose: Purpose,
    /// The order ids that the client was ever answered.
    pub(crate) heard: BTreeSet<u64>,
    /// The client was told that the id belongs to another request.
    pub(crate) mismatched: bool,
    /// A client asked to cancel its order.
    pub(crate) withdrawn: bool,
    /// What an operator decided of its order.
    pub(crate) word: Option<Word>,
    /// What the gateway tells of the id in the end.
    pub(crate) told: Option<Told>,
}

impl Case {
    /// A close of the gateway's own: nobody asked for it, and nobody was answered.
    pub(crate) fn of_own_close(id: String, told: Option<Told>) -> Self {
        Self {
            id,
            purpose: Purpose::Order,
            heard: BTreeSet::new(),
            mismatched: false,
            withdrawn: false,
            word: None,
            told,
        }
    }

    /// What was filled contradicts the operator.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.told.is_some_and(|told| match self.word {
            Some(Word::NotDone) => !told.filled.is_zero(),
            Some(Word::Done) => told.filled.is_zero(),
            None => false,
        })
    }
}

/// An order as the gateway tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) order: u64,
    pub(crate) state: OrderState,
    pub(crate) lots: Lots,
    pub(crate) filled: Lots,
    /// It says that evidence contradicts what was told before. The log says so too, but not of a
    /// process that is killed before its line is written.
    pub(crate) contradicted: bool,
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// The broker has more than one order of the request.
    Doubled,
    /// The broker was sent the request more than once.
    Resent,
    /// The broker did what the gateway does not tell.
    Lost,
    /// The gateway tells what the broker did not do.
    Invented,
    /// A client was told of an order that the gateway does not know in the end.
    Forgotten,
    /// A request id was answered by more than one order, or as another request's.
    Rebound,
    /// An order neither ended, nor is its outcome still open at the broker.
    Unsettled,
    /// The positions told are not the sum of the broker's deals.
    Exposure,
    /// An answer or an event told what the broker did not do, at another price, or of another.
    Misled,
    /// A deal was told by no event.
    Untold,
    /// An event came twice, or after a later one.
    Repeated,
    /// An entry was sent though trading was halted, or its client had fallen silent.
    Defied,
    /// An entry had more lots than its client's limit allows.
    TooLarge,
    /// A client had more positions and orders than its limit allows.
    TooMany,
    /// A client's entries came faster than its limit allows.
    TooOften,
    /// An order that an operator had decided as not done was done, and does not say so.
    Unalarmed,
    /// A flatten left a position or an order.
    Left,
    /// A close of a flatten did more than close what a client held.
    Overdone,
}

/// One finding: what is wrong with which request (or symbol).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) wrong: Wrong,
    pub(crate) whose: String,
}

impl Wrong {
    /// True when waiting cannot mend it.
    pub(crate) const fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::Doubled | Self::Resent | Self::Forgotten | Self::Rebound | Self::Overdone
        )
    }
}

/// Signed lots, in units.
const fn units(side: Side, lots: Lots) -> i64 {
    match side {
        Side::Buy => lots.units(),
        Side::Sell => -lots.units(),
    }
}

/// The closes of the gateway's own that the broker was sent: request ids, and the orders' ids.
pub(crate) fn own_closes(ledger: &[Line]) -> BTreeMap<String, u64> {
    let sent = ledger.iter().filter_map(|line| match line {
        Line::Received {
            order: Some((_, id)),
            ..
        } => Some((id.clone(), own_close(id)?)),
        _ => None,
    });
    sent.collect()
}

/// True while a send that was held back may still be done.
pub(crate) fn is_late(ledger: &[Line]) -> bool {
    Broker::of(ledger).holds()
}

/// Judges a halt, or a silence that was noticed, by the ledger from before its end: none of the
/// entries that were first asked for after it was acknowledged may have been sent.
pub(crate) fn judge_halt(ledger: &[Line], asked: &BTreeSet<String>) -> Vec<Finding> {
    let broker = Broker::of(ledger);
    let sent = asked.iter().filter(|id| broker.did(id).is_some());
    sent.map(|id| Finding {
        wrong: Wrong::Defied,
        whose: id.clone(),
    })
    .collect()
}

/// What is known of each finding's request: its case, then the broker's lines.
pub(crate) fn evidence(findings: &[Finding], ledger: &[Line], cases: &[Case]) -> Vec<String> {
    let whose: BTreeSet<&str> = findings.iter().map(|found| found.whose.as_str()).collect();
    let known = |id: &str| {
        let cases = cases.iter().filter(|case| case.id == id);
        let lines = broker::lines_of(id, ledger).into_iter();
        cases
            .map(|case| format!("{case:?}"))
            .chain(lines.map(|line| format!("{line:?}")))
            .collect::<Vec<_>>()
    };
    whose.into_iter().flat_map(known).collect()
}

/// Judges a finished scene. `positions`: signed lots by symbol, in units, as the gateway tells
/// them. Nothing found: all is well.
pub(crate) fn judge(
    ledger: &[Line],
    cases: &[Case],
    positions: &BTreeMap<String, i64>,
) -> Vec<Finding> {
    let broker = Broker::of(ledger);
    let mut findings = Vec::new();
    for case in cases {
        let mut find = |wrong| {
            findings.push(Finding {
                wrong,
                whose: case.id.clone(),
            });
        };
        heard(case, &mut find);
        if case.purpose == Purpose::Order {
            match broker.did(&case.id) {
                Some(did) => compare(did, case, &mut find),
                None => untouched(case, &mut find),
            }
        }
    }
    let known: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    for id in broker.ids().filter(|id| !known.contains(id)) {
        findings.push(Finding {
            wrong: Wrong::Lost,
            whose: id.to_owned(),
        });
    }
    for (symbol, lots) in broker.exposure() {
        if positions.get(symbol).copied().unwrap_or(0) != lots {
            findings.push(Finding {
                wrong: Wrong::Exposure,
                whose: symbol.to_owned(),
            });
        }
    }
    for symbol in positions.keys().filter(|symbol| !broker.traded(symbol)) {
        findings.push(Finding {
            wrong: Wrong::Exposure,
            whose: symbol.clone(),
        });
    }
    findings.sort();
    findings
}

/// What the client was told under its id must be one order, and stay it.
fn heard(case: &Case, find: &mut impl FnMut(Wrong)) {
    let told = case.told.map(|told| told.order);
    if case.heard.len() > 1 || case.mismatched {
        find(Wrong::Rebound);
    }
    if case.purpose == Purpose::Change {
        return;
    }
    match (case.heard.first(), told) {
        (Some(_), None) => find(Wrong::Forgotten),
        (Some(heard), Some(told)) if *heard != told && case.heard.len() == 1 => {
            find(Wrong::Rebound)
        }
        _ => {}
    }
}

/// A request that reached the broker at least once.
fn compare(did: &Did, case: &Case, find: &mut impl FnMut(Wrong)) {
    if did.orders.len() > 1 {
        find(Wrong::Doubled);
    }
    if did.received > 1 {
        find(Wrong::Resent);
    }
    let Some(told) = &case.told else {
        if !did.orders.is_empty() {
            find(Wrong::Lost);
        }
        return;
    };
    let works = did.works();
    if told.filled < did.filled || (works && told.state.is_final()) {
        find(Wrong::Lost);
    }
    let claims = match told.state {
        OrderState::Working | OrderState::PartiallyFilled => !works,
        OrderState::Filled => did.filled < told.lots && case.word != Some(Word::Done),
        _ => false,
    };
    let other = did.lots.is_some_and(|lots| lots != told.lots);
    if told.filled > did.filled || claims || other {
        find(Wrong::Invented);
    }
    if case.word == Some(Word::NotDone) && !did.filled.is_zero() && !told.contradicted {
        find(Wrong::Unalarmed);
    }
    let open = did.held > 0 || works;
    let settled = match told.state {
        OrderState::Accepted | OrderState::Sent => false,
        OrderState::Unknown => did.held > 0,
        OrderState::Working | OrderState::PartiallyFilled => open,
        _ => true,
    };
    if !settled {
        find(Wrong::Unsettled);
    }
}

/// A request that never reached the broker: it must have ended without a trace.
fn untouched(case: &Case, find: &mut impl FnMut(Wrong)) {
    let Some(told) = &case.told else { return };
    let claims = match told.state {
        OrderState::Working | OrderState::PartiallyFilled => true,
        OrderState::Filled => case.word != Some(Word::Done),
        // One that still waits to be sent is canceled without the broker.
        OrderState::Canceled => !case.withdrawn,
        _ => false,
    };
    if claims || !told.filled.is_zero() {
        find(Wrong::Invented);
    } else if !told.state.is_final() {
        find(Wrong::Unsettled);
    }
}
