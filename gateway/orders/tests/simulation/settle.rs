//! The faults are over: within ten minutes everything is settled, and what is still closed has a name
//! and a way out, which works.

use super::{
    clients::Clients,
    judge::{Verdict, ensure, trace_of},
    operator::{happened, is_limit},
    world::World,
};
use mymt5_model::{ClientName, OrderState};
use mymt5_orders::{Input, ObstacleKind, RequestKey};

/// How long everything may take to settle once the faults are over.
const SETTLES_MS: i64 = 600_000;

impl World {
    pub fn settle(&mut self) -> Verdict {
        self.temper.angry = false;
        if self.stops.is_some() {
            self.stop()?;
        }
        if self.outage.is_some() {
            self.outage = Some(self.now_ms);
        }
        let slots = self.shell.disk.slots.len() as u64;
        self.broker.calm(slots);
        // What one decision opens may bring up the next.
        for _ in 0..3 {
            self.rest(SETTLES_MS)?;
            self.is_decided()?;
            self.with_clients(Clients::open_everything)?;
        }
        self.rest(60_000)?;
        self.compare()?;
        self.commit_all()?;
        self.judge.settled(&self.shell, &mut self.broker)?;
        let names = self.names.clone();
        self.judge.losses(&self.shell, &self.broker, &names)?;
        self.is_open()?;
        let waits = self.judge.waits();
        ensure!(waits.is_empty(), "never answered: {waits:?}");
        for name in names {
            let known = !self.unknown.contains(&name);
            if known && self.shell.disk.slots.contains_key(&name) {
                self.trades(&name)?;
            }
        }
        self.flatten()
    }

    /// What never happened is not UNKNOWN any more, where all that the broker has can be read.
    fn is_decided(&self) -> Verdict {
        let hides = |kind| {
            use ObstacleKind::{HistoryIncomplete, UnreadableRows};
            matches!(kind, HistoryIncomplete | UnreadableRows)
        };
        let mut obstacles = self.shell.core.obstacles().into_iter();
        if obstacles.any(|obstacle| hides(obstacle.kind)) {
            return Ok(());
        }
        let mut open = self.shell.core.open_orders();
        let unknown =
            open.find(|order| order.state == OrderState::Unknown && !happened(self, order));
        ensure!(unknown.is_none(), "never happened: {unknown:?}");
        Ok(())
    }

    /// Nothing stands in the way but limits, and what on netting others hold.
    fn is_open(&self) -> Verdict {
        let mut left = self.shell.core.obstacles();
        left.retain(|obstacle| {
            let shared = obstacle.kind == ObstacleKind::SymbolShared;
            !shared && !is_limit(obstacle)
        });
        ensure!(left.is_empty(), "still in the way: {left:?}");
        Ok(())
    }

    /// A client trades again, or one of its limits says why not.
    fn trades(&mut self, name: &ClientName) -> Verdict {
        Clients::beat(self, name)?;
        // By chance a symbol may have had no tick for long.
        self.tick_all(0);
        let command = Clients::smallest(self);
        let mut call = Clients::call(self, name, command);
        call.session = Some(crate::bench::rows::id("one"));
        let (asker, key) = (
            call.asker,
            RequestKey(call.client.clone(), call.request_id.clone()),
        );
        self.judge.refused = None;
        self.ask(asker, key.clone(), Input::Call(Box::new(call)))?;
        if let Some((_, reason)) = self.judge.refused.filter(|(of, _)| *of == asker) {
            let known = self.is_limit(reason.name());
            ensure!(known, "{name} is refused: {reason:?}");
            return Ok(());
        }
        self.commit_all()?;
        self.rest(10_000)?;
        let order = self.shell.core.order_of_request(&key.0, &key.1);
        let order = order.cloned();
        let done = order.as_ref().is_some_and(|order| {
            let refused = order.state == OrderState::Rejected && order.retcode.is_some();
            let limit = self.is_limit(&order.reason);
            order.state == OrderState::Filled || !order.filled.is_zero() || refused || limit
        });
        ensure!(done, "{} of {name} became {order:?}", trace_of(&key));
        Ok(())
    }

    fn is_limit(&self, reason: &str) -> bool {
        reason.starts_with("LIMIT_")
            || ["SYMBOL_SHARED", "RATE_LIMITED", "TRADING_STATE"].contains(&reason)
    }

    /// A flatten ends flat.
    fn flatten(&mut self) -> Verdict {
        self.with_clients(Clients::flatten)?;
        let until = self.now_ms + SETTLES_MS;
        while self.now_ms < until {
            self.pass(1_500);
            self.turn()?;
            let flat = self.broker.simulator.positions().is_empty()
                && self.broker.simulator.orders().is_empty();
            if flat {
                return Ok(());
            }
        }
        let left = self.broker.simulator.positions();
        let orders = self.broker.simulator.orders();
        Err(format!("not flat: {left:?} {orders:?}"))
    }
}
