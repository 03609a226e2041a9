//! The account's balance as its deals make it. Rows and deals are read apart: a reading of the
//! account is of the moment at which the deals make just its balance, and is measured as of then.

use crate::{Record, notices::Notice, outbox::Out, records::LedgerRow};
use mymt5_model::{AccountMode, BrokerTime, DealKind, DealRow, Money};
use std::collections::VecDeque;

/// Moments of the past that a reading may be of: deals that rows may lag behind, so many at most and
/// so far.
const MOMENTS: usize = 256;
const LAG_MS: i64 = 15_000;
/// So many complete passes over so long must differ by the same amount before the balance is believed
/// though no deal explains it.
const PASSES: u32 = 3;
const DOUBT_MS: i64 = 120_000;
/// Passes so far apart tell nothing of what came between them: each may lack another deal.
const UNATTENDED_MS: i64 = 120_000;
/// Deals within so much of the first reading, or after it, may be in its balance or not.
const QUIET_MS: i64 = 5_000;

/// An amount by which the balance differs, since when, and in how many complete passes.
#[derive(Clone, Copy, Debug)]
struct Difference {
    amount: Money,
    since: i64,
    passes: u32,
    /// When the newest of them was taken.
    last: i64,
}

impl Difference {
    /// With another pass. One that differs by another amount begins again, and so does one that
    /// comes so late that what was in between is unknown.
    fn after(known: Option<Self>, amount: Money, now: i64) -> Self {
        let goes_on = |known: &Self| known.amount == amount && now - known.last <= UNATTENDED_MS;
        let known = known.filter(goes_on);
        let (since, passes) = known.map_or((now, 0), |known| (known.since, known.passes));
        Self {
            amount,
            since,
            passes: passes + 1,
            last: now,
        }
    }

    /// True where it went on for so long that it is believed.
    const fn is_believed(&self) -> bool {
        self.passes >= PASSES && self.last - self.since >= DOUBT_MS
    }
}

/// The balance by the deals.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The newest last, each with when it began on the clock that never goes back; empty before the
    /// balance was first read.
    moments: VecDeque<(i64, LedgerRow)>,
    mode: Option<AccountMode>,
    difference: Option<Difference>,
    /// The balance of the newest pass with which it could not begin.
    first: Option<Money>,
}

impl Ledger {
    pub(crate) fn new(kept: Option<LedgerRow>, mode: Option<AccountMode>) -> Self {
        Self {
            moments: kept.into_iter().map(|row| (i64::MIN, row)).collect(),
            mode,
            difference: None,
            first: None,
        }
    }

    /// True before the balance was first read.
    pub(crate) fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// True for a deal that is not in the balance with which it began.
    pub(crate) fn counts(&self, deal: &DealRow) -> bool {
        self.newest().is_some_and(|last| deal.time >= last.since)
    }

    /// From when on deals count where it begins with a reading of that time, after which these deals
    /// were read; none: it cannot tell which of them are in the reading's balance. `new`: the pass
    /// before did not have all of them.
    pub(crate) fn begins(
        &mut self,
        (time, balance): (BrokerTime, Money),
        deals: &[DealRow],
        new: bool,
    ) -> Option<BrokerTime> {
        let quiet = BrokerTime(time.0 - QUIET_MS);
        let is_quiet = deals.iter().all(|deal| deal.time < quiet);
        let before = self.first.replace(balance);
        let is_stable = !new && before == Some(balance);
        (is_quiet || is_stable).then_some(BrokerTime(time.0 - QUIET_MS / 2))
    }

    /// A deal that is new.
    pub(crate) fn add(&mut self, deal: &DealRow, out: &mut Out) {
        let Some(last) = self.newest().filter(|_| self.counts(deal)) else {
            return;
        };
        // Credit is not part of the balance.
        if deal.kind == DealKind::Credit {
            return;
        }
        let result = deal.result();
        let flow = if deal.kind.is_flow() {
            result
        } else {
            Money::ZERO
        };
        self.push(
            LedgerRow {
                balance: last.balance + result,
                flows: last.flows + flow,
                ..last
            },
            out,
        );
    }

    fn push(&mut self, row: LedgerRow, out: &mut Out) {
        self.moments.push_back((out.now.elapsed_ms, row));
        if self.moments.len() > MOMENTS {
            self.moments.pop_front();
        }
        if let Some(mode) = self.mode {
            out.record(Record::Ledger(row, mode));
        }
    }

    /// The newest moment at which the balance was that, of those that a reading of now may be of;
    /// none: at none that is known, or at several between which money came or went. A later reading
    /// is of no moment before that one.
    pub(crate) fn moment(&mut self, balance: Money, now: i64) -> Option<LedgerRow> {
        let mut ended = i64::MAX;
        let moments = self.moments.iter().enumerate().rev();
        let recent = moments.take_while(|(_, (begun, _))| {
            let ended = std::mem::replace(&mut ended, *begun);
            ended.saturating_add(LAG_MS) >= now
        });
        let mut rows = recent.filter(|(_, (_, row))| row.balance == balance);
        let (at, (_, newest)) = rows.next()?;
        let newest = *newest;
        if rows.any(|(_, (_, row))| row.flows != newest.flows) {
            return None;
        }
        // Its deals explain the balance: whatever differed before does not go on.
        self.difference = None;
        self.moments.drain(..at);
        Some(newest)
    }

    /// As the newest deal leaves it.
    pub(crate) fn newest(&self) -> Option<LedgerRow> {
        self.moments.back().map(|(_, row)| *row)
    }

    /// True while the balance is not what its deals make of it, and not believed either.
    pub(crate) const fn differs(&self) -> bool {
        self.difference.is_some()
    }

    /// A complete pass read that balance, and all deals of the history are known. What goes on
    /// differing is believed: the loss or gain is the account's. `begins`: from when on deals count,
    /// where it may begin now.
    pub(crate) fn compare(
        &mut self,
        balance: Money,
        mode: AccountMode,
        begins: Option<BrokerTime>,
        out: &mut Out,
    ) {
        self.mode = Some(mode);
        let Some(last) = self.newest() else {
            if let Some(since) = begins {
                let flows = Money::ZERO;
                let row = LedgerRow {
                    balance,
                    flows,
                    since,
                };
                self.push(row, out);
            }
            return;
        };
        if last.balance == balance {
            self.difference = None;
            return;
        }
        let amount = balance - last.balance;
        let difference = Difference::after(self.difference, amount, out.now.elapsed_ms);
        self.difference = Some(difference);
        if difference.is_believed() {
            self.difference = None;
            out.notice(Notice::BalanceUnexplained(amount));
            self.moments.clear();
            self.push(LedgerRow { balance, ..last }, out);
        }
    }

    /// Moments in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.moments.len()
    }
}
