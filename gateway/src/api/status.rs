//! How trading stands, as far as its viewer may know: with `control` everything; without it what binds
//! the viewer, in its own words. What others own, are restricted to, and who decided it is not told.

use super::render;
use crate::access::{Caller, Permission};
use mymt5_chassis::redact::Redactor;
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, OrderState, Symbol};
use mymt5_orders::{Core, Obstacle, ObstacleKind, Order, StateRow};
use mymt5_proto::{Reason, Refusal, v1};

/// How trading stands, as far as the core answers.
pub(super) struct TradingStatus {
    pub(super) state: TradingState,
    /// Why the account's state is not ACTIVE, or entries are closed for all.
    pub(super) reasons: Vec<String>,
    pub(super) unknown: usize,
    pub(super) frozen: Vec<String>,
    pub(super) obstacles: Vec<v1::Obstacle>,
    pub(super) flattens: Vec<v1::Flattening>,
    pub(super) losses: Vec<v1::ScopeLosses>,
    pub(super) counts: (u64, u64, u64),
}

impl TradingStatus {
    /// An operator's words may be older than what is known to be secret now.
    pub(super) fn mask(&mut self, redactor: &Redactor) {
        let whys = self.obstacles.iter_mut().map(|it| &mut it.why);
        for text in self.reasons.iter_mut().chain(whys) {
            *text = redactor.clean(text).into_owned();
        }
    }

    /// Without a journal nothing trades, and that much can be reported.
    pub(super) fn unknown(refusal: Refusal) -> Result<Self, Refusal> {
        if refusal.reason() != Reason::JournalDown {
            return Err(refusal);
        }
        Ok(Self {
            state: TradingState::Halted,
            reasons: vec![Reason::JournalDown.name().to_owned()],
            unknown: 0,
            frozen: Vec::new(),
            obstacles: Vec::new(),
            flattens: Vec::new(),
            losses: Vec::new(),
            counts: (0, 0, 0),
        })
    }
}

/// Who looks.
pub(super) struct View(pub(super) Caller);

impl View {
    /// How trading stands, for that viewer.
    pub(super) fn of(&self, core: &Core) -> TradingStatus {
        let orders = core.open_orders();
        let orders = orders.filter(|order| self.sees_client(&order.client));
        let unknown = orders.filter(|order| order.state == OrderState::Unknown);
        let obstacles = core.obstacles();
        let obstacles: Vec<&Obstacle> = obstacles.iter().filter(|it| self.sees(it)).collect();
        let everywhere = obstacles.iter();
        let everywhere = everywhere.filter(|it| it.client.is_none() && it.symbol.is_none());
        let mut reasons: Vec<String> = everywhere
            .filter(|it| !it.kind.is_state())
            .map(|it| it.kind.name().to_owned())
            .collect();
        reasons.dedup();
        let rows = core.restrictions();
        let rows: Vec<&StateRow> = rows.filter(|row| self.sees_scope(&row.client)).collect();
        reasons.extend(rows.iter().map(|row| self.restriction(row)));
        let unknown: Vec<String> = unknown.map(cause_of).collect();
        let losses = core.scope_losses().into_iter();
        let losses = losses.filter(|losses| self.sees_scope(&losses.client));
        TradingStatus {
            state: core.account_state(),
            reasons,
            unknown: unknown.len(),
            frozen: frozen(&obstacles),
            obstacles: obstacles
                .iter()
                .map(|it| self.obstacle(it, &unknown))
                .collect(),
            flattens: rows
                .iter()
                .filter_map(|row| self.flatten(core, row))
                .collect(),
            losses: losses.map(|losses| render::losses(&losses)).collect(),
            counts: core.counts(),
        }
    }

    fn sees_all(&self) -> bool {
        self.0.may(Permission::Control)
    }

    fn sees_client(&self, client: &ClientName) -> bool {
        self.sees_all() || *client == self.0.0.name
    }

    fn sees_scope(&self, scope: &Option<ClientName>) -> bool {
        scope.as_ref().is_none_or(|client| self.sees_client(client))
    }

    fn sees_symbol(&self, symbol: &Symbol) -> bool {
        self.sees_all() || self.0.may_use(symbol)
    }

    fn sees(&self, obstacle: &Obstacle) -> bool {
        let symbol = obstacle.symbol.as_ref();
        self.sees_scope(&obstacle.client) && symbol.is_none_or(|symbol| self.sees_symbol(symbol))
    }

    /// A scope's state, and why; who decided it is told to those who see all.
    fn restriction(&self, row: &StateRow) -> String {
        let scope = row.client.as_ref().map_or("account", ClientName::as_str);
        let told = format!("{scope} {:?}: {}", row.state, row.reason);
        if self.sees_all() {
            format!("{told} ({})", row.by)
        } else {
            told
        }
    }

    /// Its cause is told to those who see all where it may name what is another's; `unknown`: how the
    /// causes begin that are orders of the viewer.
    fn obstacle(&self, obstacle: &Obstacle, unknown: &[String]) -> v1::Obstacle {
        use ObstacleKind as Kind;
        let told = render::obstacle(obstacle);
        if self.sees_all() {
            return told;
        }
        let is_own = || {
            let mut unknown = unknown.iter();
            unknown.any(|cause| obstacle.why.starts_with(cause))
        };
        let why = match obstacle.kind {
            Kind::OrderUnknown | Kind::CloseUnknown if is_own() => return told,
            Kind::Reducing | Kind::Halted | Kind::Flattening => "trading_reasons tell why",
            Kind::UnreadableRows
            | Kind::OrphanRows
            | Kind::OrphanDeals
            | Kind::OrderUnknown
            | Kind::CloseUnknown
            | Kind::ForeignTrade
            | Kind::SymbolShared => "an operator is told why",
            Kind::LinkDown
            | Kind::Draining
            | Kind::TradeNotAllowed
            | Kind::NotCompared
            | Kind::AccountUnreadable
            | Kind::HistoryIncomplete
            | Kind::DailyLoss
            | Kind::Drawdown
            | Kind::LossUnmeasured
            | Kind::RowsDisagree
            | Kind::SymbolClosed => return told,
        };
        v1::Obstacle {
            why: why.to_owned(),
            ..told
        }
    }

    /// A scope that is being flattened. What is left of the account's is told to those who see all.
    fn flatten(&self, core: &Core, row: &StateRow) -> Option<v1::Flattening> {
        let flatten = row.flatten?;
        let report = core.flatten_report(&row.client);
        let tells = self.sees_all() || row.client.is_some();
        let left = report.left.iter().filter(|_| tells);
        Some(v1::Flattening {
            client: render::scope(&row.client),
            include_foreign: flatten.include_foreign,
            left: left.map(render::leftover).collect(),
        })
    }
}

/// How the cause of an obstacle begins that is an order whose outcome is unknown.
fn cause_of(order: &Order) -> String {
    format!("order {} of {}: ", order.id, order.client)
}

/// The symbols in which new exposure is frozen.
fn frozen(obstacles: &[&Obstacle]) -> Vec<String> {
    let frozen = obstacles.iter();
    let frozen = frozen.filter(|it| it.kind != ObstacleKind::SymbolClosed);
    let mut symbols: Vec<String> = frozen
        .filter_map(|it| it.symbol.as_ref().map(ToString::to_string))
        .collect();
    symbols.sort();
    symbols.dedup();
    symbols
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::fuzz::stage;
    use mymt5_model::UtcTime;
    use std::{collections::BTreeSet, sync::Arc};

    fn view(permission: Permission) -> View {
        let (_, caller) = stage().unwrap();
        let mut client = (*caller.0).clone();
        client.name = ClientName::parse("alpha").unwrap();
        client.permissions = BTreeSet::from([permission]);
        client.symbols = Some(BTreeSet::from([Symbol::parse("EURUSD").unwrap()]));
        View(Caller(Arc::new(client)))
    }

    fn obstacle(kind: ObstacleKind, client: &str, symbol: &str) -> Obstacle {
        Obstacle {
            kind,
            client: ClientName::parse(client).ok(),
            symbol: Symbol::parse(symbol).ok(),
            why: "beta did it".into(),
        }
    }

    fn restriction(client: &str) -> StateRow {
        StateRow {
            client: ClientName::parse(client).ok(),
            state: TradingState::Reducing,
            reason: "news".into(),
            by: "beta".into(),
            at: UtcTime(0),
            flatten: None,
        }
    }

    #[test]
    fn what_binds_another_is_seen_with_control_alone() {
        let (own, all) = (view(Permission::Read), view(Permission::Control));
        let of_others = [
            obstacle(ObstacleKind::Halted, "beta", ""),
            obstacle(ObstacleKind::SymbolShared, "beta", "EURUSD"),
            obstacle(ObstacleKind::ForeignTrade, "", "GBPUSD"),
        ];
        assert!(of_others.iter().all(|it| all.sees(it) && !own.sees(it)));
        assert!(all.sees_scope(&restriction("beta").client));
        assert!(!own.sees_scope(&restriction("beta").client));
        let of_ours = [
            obstacle(ObstacleKind::LinkDown, "", ""),
            obstacle(ObstacleKind::Halted, "alpha", ""),
            obstacle(ObstacleKind::ForeignTrade, "", "EURUSD"),
        ];
        assert!(of_ours.iter().all(|it| all.sees(it) && own.sees(it)));
    }

    #[test]
    fn nobody_else_is_named_without_control() {
        let (own, all) = (view(Permission::Read), view(Permission::Control));
        for kind in [ObstacleKind::SymbolShared, ObstacleKind::OrderUnknown] {
            let obstacle = obstacle(kind, "", "EURUSD");
            assert!(!own.obstacle(&obstacle, &[]).why.contains("beta"));
            assert_eq!(all.obstacle(&obstacle, &[]).why, obstacle.why);
        }
        let orders = [
            ("order 7 of alpha: no answer", "order 7 of alpha: no answer"),
            ("order 8 of beta: no answer", "an operator is told why"),
        ];
        for (why, told) in orders {
            let obstacle = Obstacle {
                why: why.into(),
                ..obstacle(ObstacleKind::CloseUnknown, "", "EURUSD")
            };
            let own_orders = ["order 7 of alpha: ".to_owned()];
            assert_eq!(own.obstacle(&obstacle, &own_orders).why, told);
        }
        for client in ["", "alpha"] {
            let row = restriction(client);
            assert!(own.restriction(&row).ends_with(" Reducing: news"));
            assert!(all.restriction(&row).ends_with(" Reducing: news (beta)"));
        }
    }
}
