//! Whether a flatten ends flat: by what was told, nothing of its scope is left open.

use super::{Judge, Verdict, ensure};
use crate::bench::Disk;
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, UtcTime};
use mymt5_orders::{Leftover, Purpose};
use std::collections::{BTreeMap, BTreeSet};

type Scope = Option<ClientName>;

/// What is told of flattens.
#[derive(Default)]
pub(super) struct Flattens {
    /// Those under way, and since when.
    under_way: BTreeMap<Scope, UtcTime>,
    /// Those of which something was told as left.
    unfinished: BTreeSet<Scope>,
}

impl Judge {
    /// A flatten tells what is left.
    pub(super) fn flatten(&mut self, scope: &Scope, left: &[Leftover]) -> Verdict {
        if !left.is_empty() {
            self.flattens.unfinished.insert(scope.clone());
            return Ok(());
        }
        self.flattens.unfinished.remove(scope);
        let own = |client: &ClientName| scope.as_ref().is_none_or(|scope| scope == client);
        let mut held = self.positions.values();
        let held = held.find(|held| held.client.as_ref().is_some_and(own));
        ensure!(held.is_none(), "{scope:?} told as flat with {held:?}");
        let mut orders = self.told.values();
        let open = orders.find(|order| {
            let entry = order.purpose == Purpose::Entry;
            entry && !order.state.is_final() && own(&order.client)
        });
        ensure!(open.is_none(), "{scope:?} told as flat with {open:?}");
        Ok(())
    }

    /// A flatten that ended by itself had told that nothing is left.
    pub(super) fn flattens_end(&mut self, disk: &Disk) -> Verdict {
        let under_way = disk.states.iter();
        let under_way = under_way.filter(|(_, row)| row.flatten.is_some());
        let under_way = under_way.map(|(scope, row)| (scope.clone(), row.at));
        let before = std::mem::replace(&mut self.flattens.under_way, under_way.collect());
        for (scope, at) in before {
            let row = disk.states.get(&scope);
            // It leaves its scope halted; an operator may end it in the millisecond in which it began.
            let over = row.is_some_and(|row| {
                row.flatten.is_none() && row.at == at && row.state == TradingState::Halted
            });
            let unfinished = self.flattens.unfinished.contains(&scope);
            ensure!(!(over && unfinished), "a flatten ended early: {row:?}");
        }
        Ok(())
    }
}
