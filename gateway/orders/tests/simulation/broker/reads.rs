//! What a reader of the broker gets to see: rows and history, late, in part, or garbled.

use super::{Broker, Dice, Fault, Temper};
use crate::bench::shell::BROKER_START;
use mymt5_model::{BrokerTime, Money, OrderRow, OrderType, RowState, Ticket};
use mymt5_orders::{History, RowKind, Snapshot, Unreadable};

/// A row that nobody can read for a while.
#[derive(Clone, Copy, Debug)]
pub struct Garbled {
    kind: RowKind,
    ticket: Ticket,
    until: i64,
}

/// A snapshot, and what the account is worth in it without flows and credit: equity and balance.
pub type Read = (Snapshot, [Money; 2]);

impl Broker {
    fn view_time(&mut self, kind: usize, lags: bool, temper: &Temper, dice: &mut Dice) -> i64 {
        let lag = if lags && temper.angry {
            dice.between(0, temper.lag_ms)
        } else {
            0
        };
        self.seen[kind] = self.seen[kind].max(self.now_ms - lag);
        self.seen[kind]
    }

    /// Account, positions and working orders, each as of a moment of its own.
    pub fn snapshot(&mut self, begun: u64, temper: &Temper, dice: &mut Dice) -> Read {
        let lags = temper.has(Fault::PositionsLag);
        let at = self.view_time(0, lags, temper, dice);
        let view = self.views.iter().rev().find(|view| view.at <= at);
        let view = view.unwrap_or(&self.views[0]);
        let (account, positions) = (view.account.clone(), view.positions.to_vec());
        let worth = [
            account.equity - account.credit - view.flows,
            account.balance - view.flows,
        ];
        let lags = temper.has(Fault::OrdersLag);
        let at = self.view_time(1, lags, temper, dice);
        let orders = self.working.iter().rev().find(|(of, _)| *of <= at);
        let orders = orders.map_or_else(Vec::new, |(_, rows)| rows.to_vec());
        let mut snapshot = Snapshot {
            account,
            positions,
            orders,
            unreadable: Vec::new(),
            time: Some(self.time()),
            begun,
        };
        self.garble(&mut snapshot);
        (snapshot, worth)
    }

    pub(super) fn is_garbled(&self, kind: RowKind, ticket: Ticket) -> bool {
        let mut garbled = self.garbled.iter();
        garbled.any(|row| row.kind == kind && row.ticket == ticket && self.now_ms < row.until)
    }

    fn garble(&self, snapshot: &mut Snapshot) {
        let Snapshot {
            positions,
            orders,
            unreadable,
            ..
        } = snapshot;
        positions.retain(|row| {
            let garbled = self.is_garbled(RowKind::Position, row.ticket);
            unreadable.extend(garbled.then(|| unreadable_row(RowKind::Position, row.ticket)));
            !garbled
        });
        orders.retain(|row| {
            let garbled = self.is_garbled(RowKind::Order, row.ticket);
            unreadable.extend(garbled.then(|| unreadable_row(RowKind::Order, row.ticket)));
            !garbled
        });
        if self.is_strange {
            unreadable.push(unreadable_row(RowKind::Order, Ticket(7)));
        }
    }

    /// Ended orders and deals of a span.
    pub fn history(
        &mut self,
        (from, to): (BrokerTime, BrokerTime),
        temper: &Temper,
        dice: &mut Dice,
    ) -> History {
        let (mut orders, mut deals) = self.simulator.history(from, to);
        let at = BrokerTime(BROKER_START.0 + self.seen[1]);
        orders.retain(|row| row.done.is_some_and(|done| done <= at));
        if temper.has(Fault::OrdersPurged) {
            let kept = self.time().0 - 20_000;
            orders.retain(|row| row.done.is_some_and(|done| done.0 >= kept));
        }
        let at = self.view_time(2, temper.has(Fault::DealsLag), temper, dice);
        let loaded = self.loads.filter(|(until, _)| self.now_ms < *until);
        let most = loaded.map_or(BrokerTime(i64::MAX), |(_, most)| most);
        orders.retain(|row| row.done.is_some_and(|done| done < most));
        if temper.has(Fault::CalledFilled) {
            for row in orders.iter_mut().filter(|row| is_part(row)) {
                row.state = RowState::Filled;
            }
        }
        self.listed = orders.iter().map(|row| row.ticket).collect();
        let mut unreadable = Vec::new();
        deals.retain(|deal| {
            let done = self.deals.get(&deal.ticket).map_or(0, |(done, _)| *done);
            let shown = done <= at && deal.time < most && !self.purged_deals.contains(&deal.ticket);
            let garbled = shown && self.is_garbled(RowKind::Deal, deal.ticket);
            unreadable.extend(garbled.then(|| unreadable_row(RowKind::Deal, deal.ticket)));
            shown && !garbled
        });
        History {
            from,
            to,
            orders,
            deals,
            unreadable,
        }
    }

    /// Some row cannot be understood for a while. A position that goes on under another ticket is none
    /// of these: what an operator accepts is known by the ticket that was read before.
    pub fn become_unreadable(&mut self, ms: i64, dice: &mut Dice) {
        let positions = self.position_rows().into_iter();
        let positions = positions.filter(|row| !self.renamed.contains_key(&row.id));
        let positions = positions.map(|row| (RowKind::Position, row.ticket));
        let orders = self.simulator.orders().into_iter();
        let orders = orders.map(|row| (RowKind::Order, row.ticket));
        let deals = self.recent.iter().map(|(_, deal)| (RowKind::Deal, *deal));
        let rows: Vec<_> = positions.chain(orders).chain(deals).collect();
        if let Some((kind, ticket)) = dice.one_of(&rows).copied() {
            let until = self.now_ms + ms;
            self.garbled.push(Garbled {
                kind,
                ticket,
                until,
            });
        }
        self.garbled.retain(|row| self.now_ms < row.until);
    }

    /// From now on there is a row that nobody will ever understand.
    pub fn become_strange(&mut self) {
        self.is_strange = true;
    }

    /// The history is not all there for a while.
    pub fn load_history(&mut self, ms: i64, dice: &mut Dice) {
        let missing = [0, 5_000, 60_000, 3_600_000][dice.below(4) as usize];
        self.loads = Some((self.now_ms + ms, BrokerTime(self.time().0 - missing)));
    }

    /// Everything can be read again, but for what never can.
    pub fn mend_reads(&mut self) {
        self.garbled.clear();
        self.loads = None;
    }
}

/// True for a market order of which a part was filled, and nothing works any more.
fn is_part(row: &OrderRow) -> bool {
    let filled = row.lots_left < row.lots;
    row.kind == OrderType::Market && row.state == RowState::Canceled && filled
}

fn unreadable_row(kind: RowKind, ticket: Ticket) -> Unreadable {
    Unreadable {
        kind,
        ticket,
        symbol: None,
        why: "type: expected 0 to 8".into(),
    }
}
