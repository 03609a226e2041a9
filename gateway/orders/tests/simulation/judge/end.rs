//! After the faults are over and everything settled: the core's picture is the truth.

use super::{Judge, Verdict, ensure};
use crate::{bench::Shell, broker::Broker};
use mymt5_model::{ClientName, Money, OrderState, PositionRow, Ticket};
use mymt5_orders::Order;
use std::collections::{BTreeMap, BTreeSet};

impl Judge {
    pub fn settled(&self, shell: &Shell, broker: &mut Broker) -> Verdict {
        self.agrees(&shell.disk)?;
        let core = &shell.core;
        let unknown = core
            .open_orders()
            .find(|order| order.state == OrderState::Unknown);
        ensure!(unknown.is_none(), "still UNKNOWN: {unknown:?}");
        let told = core.book().positions();
        let told: BTreeMap<_, _> = told.map(|held| (held.row.id, held.row.clone())).collect();
        let truth = broker.position_rows();
        let truth: BTreeMap<_, _> = truth.into_iter().map(|row| (row.id, row)).collect();
        let amount = |row: &PositionRow| (row.ticket, row.side, row.lots, row.levels, row.magic);
        let told_amounts: BTreeMap<_, _> = told.iter().map(|(id, row)| (id, amount(row))).collect();
        let amounts: BTreeMap<_, _> = truth.iter().map(|(id, row)| (id, amount(row))).collect();
        ensure!(
            told_amounts == amounts,
            "positions: {told:?} against {truth:?}"
        );
        self.settled_orders(shell, broker)?;
        let mut missing = broker.deals.values();
        let missing = missing.find(|(_, deal)| {
            let known = shell.disk.deals.contains_key(&deal.ticket);
            !known && !broker.is_purged(deal.ticket)
        });
        ensure!(missing.is_none(), "a deal that is not known: {missing:?}");
        Ok(())
    }

    fn settled_orders(&self, shell: &Shell, broker: &Broker) -> Verdict {
        let core = &shell.core;
        let working = core.open_orders().filter_map(|order| order.ticket);
        let working: BTreeSet<Ticket> = working.collect();
        let rows = broker.simulator.orders();
        let rows = rows.iter().filter(|row| self.slot_of(row.magic).is_some());
        let prices: BTreeMap<_, _> = rows
            .map(|row| (row.ticket, (row.price, row.levels)))
            .collect();
        let rows: BTreeSet<Ticket> = prices.keys().copied().collect();
        let open: Vec<&Order> = core.open_orders().collect();
        ensure!(working == rows, "orders: {open:?} against {rows:?}");
        for order in open {
            let terms = order.ticket.and_then(|ticket| prices.get(&ticket));
            let same = terms == Some(&(order.price, order.levels));
            ensure!(same, "terms of {order:?} against {terms:?}");
        }
        for order in shell.disk.orders.values() {
            let truth = broker.filled.get(&order.magic).copied().unwrap_or_default();
            let same = order.filled == truth.0 && order.filled_points == truth.1;
            let purged = !same && broker.has_purged(order.magic);
            ensure!(same || purged, "order {order:?} against {truth:?}");
        }
        Ok(())
    }

    /// The losses measured are the truth's, to the cent.
    pub fn losses(&self, shell: &Shell, broker: &Broker, clients: &[ClientName]) -> Verdict {
        let account = broker.account();
        let own = account.equity - account.credit;
        if let Some((_, state)) = shell.core.losses_of(&None) {
            let measured = state.last_equity;
            ensure!(measured == own, "account measured {measured}, it is {own}");
        }
        for client in clients {
            let Some(row) = shell.disk.losses.get(&Some(client.clone())) else {
                continue;
            };
            let Some(first) = row.first_balance else {
                continue;
            };
            let Some((_, state)) = shell.core.losses_of(&Some(client.clone())) else {
                continue;
            };
            let floating: Money = broker
                .simulator
                .positions()
                .iter()
                .filter(|row| self.owner(row.id, row.magic) == Some(client))
                .map(|row| row.profit + row.swap)
                .sum();
            let expected = first + row.realised + floating;
            let measured = state.last_equity;
            let settled = shell.core.book().is_settled(Some(client));
            ensure!(
                measured == expected,
                "{client} measured {measured}, it is {expected}; {settled}; {row:?}"
            );
        }
        Ok(())
    }
}
