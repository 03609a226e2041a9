//! What a monitor is told of the core, taken once a second by the task that owns it: nobody asks for
//! it, and no order waits for it.

use crate::{
    market::Instruments,
    telemetry::{OUTCOMES, TRADING_STATES},
};
use mymt5_chassis::metrics::Family;
use mymt5_model::{OrderState, UtcTime};
use mymt5_orders::{Core, ObstacleKind};
use std::collections::BTreeMap;

/// The gauges whose series come and go.
#[derive(Debug)]
pub(super) struct Figures {
    frozen: Family,
    seen: Family,
    profit: Family,
    limit: Family,
    left: Family,
}

impl Figures {
    pub(super) const fn new() -> Self {
        let of_limits = &["client", "limit"];
        Self {
            frozen: Family::new("mymt5_symbol_frozen", &["symbol"], 0.0),
            seen: Family::new(
                "mymt5_client_last_seen_timestamp_seconds",
                &["client"],
                f64::NAN,
            ),
            profit: Family::new("mymt5_profit_today", &["client"], f64::NAN),
            limit: Family::new("mymt5_loss_limit", of_limits, f64::NAN),
            left: Family::new("mymt5_loss_limit_left", of_limits, f64::NAN),
        }
    }

    /// Takes them of the core, as it stands at that time.
    pub(super) fn take(&mut self, core: &Core, now: UtcTime, instruments: &Instruments) {
        orders(core, now);
        account(core);
        self.obstacles(core, instruments);
        self.losses(core);
        let spoke = core.last_spoke().into_iter();
        let seen = spoke.map(|(client, ago)| (vec![client.to_string()], seconds(now.0 - ago)));
        self.seen.set(seen.collect());
    }

    fn obstacles(&mut self, core: &Core, instruments: &Instruments) {
        let obstacles = core.obstacles();
        for kind in ObstacleKind::ALL {
            let count = obstacles.iter().filter(|it| it.kind == kind).count();
            metrics::gauge!("mymt5_obstacles", "kind" => kind.name()).set(count as f64);
        }
        let frozen = obstacles
            .iter()
            .filter(|it| it.client.is_none() && it.kind != ObstacleKind::SymbolClosed);
        let frozen = frozen.filter_map(|it| it.symbol.as_ref());
        let all = instruments.all();
        let thawed = all.iter().map(|spec| (vec![spec.symbol.to_string()], 0.0));
        let frozen = frozen.map(|symbol| (vec![symbol.to_string()], 1.0));
        self.frozen.set(thawed.chain(frozen).collect());
    }

    fn losses(&mut self, core: &Core) {
        let mut profits = BTreeMap::new();
        let mut limits = BTreeMap::new();
        let mut left = BTreeMap::new();
        for losses in core.scope_losses() {
            let client = losses.client.map_or_else(String::new, |it| it.to_string());
            profits.insert(vec![client.clone()], losses.profit_today.to_f64());
            for room in losses.limits {
                let values = vec![client.clone(), room.limit.name().to_owned()];
                limits.insert(values.clone(), room.allowed.to_f64());
                left.insert(values, room.left.to_f64());
            }
        }
        self.profit.set(profits);
        self.limit.set(limits);
        self.left.set(left);
    }
}

fn orders(core: &Core, now: UtcTime) {
    let (taken, fills, _) = core.counts();
    metrics::counter!("mymt5_orders_taken_total").absolute(taken);
    metrics::counter!("mymt5_fills_total").absolute(fills);
    for (state, outcome) in OUTCOMES {
        let count = core.outcomes(state);
        metrics::counter!("mymt5_orders_total", "outcome" => outcome).absolute(count);
    }
    let open = core.open_orders().count();
    let unknown = core
        .open_orders()
        .filter(|order| order.state == OrderState::Unknown)
        .count();
    metrics::gauge!("mymt5_orders_open").set(open as f64);
    metrics::gauge!("mymt5_orders_unknown").set(unknown as f64);
    let since = core.awaited_since();
    let age = since.map_or(0.0, |since| seconds((now.0 - since.0).max(0)));
    metrics::gauge!("mymt5_orders_oldest_unsettled_seconds").set(age);
}

fn account(core: &Core) {
    let state = core.account_state();
    for (other, name) in TRADING_STATES {
        let is_on = f64::from(u8::from(other == state));
        metrics::gauge!("mymt5_trading_state", "state" => name).set(is_on);
    }
    let Some(account) = core.book().account() else {
        return;
    };
    metrics::gauge!("mymt5_account_balance").set(account.balance.to_f64());
    metrics::gauge!("mymt5_account_equity").set(account.equity.to_f64());
    metrics::gauge!("mymt5_account_margin").set(account.margin.to_f64());
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
