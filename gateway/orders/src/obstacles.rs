//! Each closed or frozen state, by name: why it holds, and what ends it.

use crate::{Core, notices::scope_name, orders::reason};
use mymt5_guard::TradingState;
use mymt5_model::{AccountMode, ClientName, OrderState, Reason, Symbol};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The closed list of what stands in the way of new exposure, or of an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObstacleKind {
    /// The broker cannot be reached.
    LinkDown,
    /// The gateway is stopping.
    Draining,
    /// The broker or the terminal forbids trading.
    TradeNotAllowed,
    /// The broker was not compared yet since the link came up.
    NotCompared,
    /// The account cannot be read.
    AccountUnreadable,
    /// The broker's history lacks known deals.
    HistoryIncomplete,
    /// Rows of the broker cannot be understood.
    UnreadableRows,
    /// Working orders or positions are ours and unknown to the journal.
    OrphanRows,
    /// Deals of the past are a client's and unknown to the journal.
    OrphanDeals,
    /// The trading state is REDUCING.
    Reducing,
    /// The trading state is HALTED.
    Halted,
    /// Everything in the scope is being closed.
    Flattening,
    /// The limit of a day's loss is reached.
    DailyLoss,
    /// The limit of the loss in total is reached.
    Drawdown,
    /// A limit of losses cannot be measured.
    LossUnmeasured,
    /// An order's outcome is unknown: its symbol is frozen.
    OrderUnknown,
    /// Somebody else traded in the symbol.
    ForeignTrade,
    /// A position is not what its deals say: its symbol is frozen.
    RowsDisagree,
    /// On a netting account another owner holds or orders the symbol.
    SymbolShared,
    /// The broker said that the symbol does not trade now.
    SymbolClosed,
    /// A close has an unknown outcome: its symbol is frozen, and on netting no other close may go.
    CloseUnknown,
}

impl ObstacleKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::LinkDown,
        Self::Draining,
        Self::TradeNotAllowed,
        Self::NotCompared,
        Self::AccountUnreadable,
        Self::HistoryIncomplete,
        Self::UnreadableRows,
        Self::OrphanRows,
        Self::OrphanDeals,
        Self::Reducing,
        Self::Halted,
        Self::Flattening,
        Self::DailyLoss,
        Self::Drawdown,
        Self::LossUnmeasured,
        Self::OrderUnknown,
        Self::ForeignTrade,
        Self::RowsDisagree,
        Self::SymbolShared,
        Self::SymbolClosed,
        Self::CloseUnknown,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkDown => "LINK_DOWN",
            Self::Draining => "DRAINING",
            Self::TradeNotAllowed => "TRADE_NOT_ALLOWED",
            Self::NotCompared => "NOT_COMPARED",
            Self::AccountUnreadable => "ACCOUNT_UNREADABLE",
            Self::HistoryIncomplete => "HISTORY_INCOMPLETE",
            Self::UnreadableRows => "UNREADABLE_ROWS",
            Self::OrphanRows => "ORPHAN_ROWS",
            Self::OrphanDeals => "ORPHAN_DEALS",
            Self::Reducing => "REDUCING",
            Self::Halted => "HALTED",
            Self::Flattening => "FLATTENING",
            Self::DailyLoss => "DAILY_LOSS",
            Self::Drawdown => "DRAWDOWN",
            Self::LossUnmeasured => "LOSS_UNMEASURED",
            Self::OrderUnknown => "ORDER_UNKNOWN",
            Self::ForeignTrade => "FOREIGN_TRADE",
            Self::RowsDisagree => "ROWS_DISAGREE",
            Self::SymbolShared => "SYMBOL_SHARED",
            Self::SymbolClosed => "SYMBOL_CLOSED",
            Self::CloseUnknown => "CLOSE_UNKNOWN",
        }
    }

    /// True for a trading state: it stands among the restrictions too.
    #[must_use]
    pub const fn is_state(self) -> bool {
        matches!(self, Self::Reducing | Self::Halted | Self::Flattening)
    }

    /// What it closes.
    #[must_use]
    pub const fn closes(self) -> &'static str {
        match self {
            Self::LinkDown | Self::Draining => "everything",
            Self::OrphanDeals
            | Self::Reducing
            | Self::Halted
            | Self::Flattening
            | Self::DailyLoss
            | Self::Drawdown
            | Self::LossUnmeasured => "entries of the scope",
            Self::OrderUnknown
            | Self::ForeignTrade
            | Self::RowsDisagree
            | Self::SymbolShared
            | Self::SymbolClosed => "entries in the symbol",
            Self::CloseUnknown => {
                "entries in the symbol; on netting further closes of the position, too"
            }
            Self::TradeNotAllowed
            | Self::NotCompared
            | Self::AccountUnreadable
            | Self::HistoryIncomplete
            | Self::UnreadableRows
            | Self::OrphanRows => "entries",
        }
    }

    /// What ends it: by itself, and by an operator.
    #[must_use]
    pub const fn ends(self) -> &'static str {
        match self {
            Self::LinkDown => {
                "by itself, when the link is back: `mymt5-gateway status` says what it waits for"
            }
            Self::Draining => "with the next start",
            Self::TradeNotAllowed => "by itself, once the broker or the terminal allows trading",
            Self::NotCompared => "by itself, after one complete pass",
            Self::AccountUnreadable => {
                "by itself, when the account can be read; the log says what was not understood"
            }
            Self::HistoryIncomplete => {
                "by itself, when the history has them; or `mymt5-gateway accept --missing-deals`"
            }
            Self::UnreadableRows => {
                "by itself, when they are gone; or `mymt5-gateway accept --unreadable-rows`"
            }
            Self::OrphanRows => "`mymt5-gateway adopt --order TICKET` or `--position ID`",
            Self::OrphanDeals => {
                "`mymt5-gateway adopt --all-deals --client NAME`, or `--deal TICKET` for each"
            }
            Self::Reducing => "`mymt5-gateway resume`; where a rule entered it, with its cause",
            Self::Halted => "`mymt5-gateway resume`",
            Self::Flattening => "by itself, when nothing is left; or `mymt5-gateway resume`",
            Self::DailyLoss => "by itself, with the reset of the day",
            Self::Drawdown => "`mymt5-gateway resume`: it is measured from then on",
            Self::LossUnmeasured => "by itself, with the next reading of the account",
            Self::OrderUnknown | Self::CloseUnknown => {
                "by itself, by evidence; or `mymt5-gateway resolve ORDER_ID`"
            }
            Self::ForeignTrade => "`mymt5-gateway accept --symbol SYMBOL`",
            Self::RowsDisagree => {
                "by itself, when the deals come; or `mymt5-gateway accept --symbol SYMBOL`"
            }
            Self::SymbolShared => "when the other's positions and orders there are closed",
            Self::SymbolClosed => "by itself, with the symbol's next tick",
        }
    }

    /// The reason with which it refuses a call.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::LinkDown => Reason::LinkDown,
            Self::Draining => Reason::Draining,
            Self::TradeNotAllowed => Reason::TradeNotAllowed,
            Self::NotCompared | Self::AccountUnreadable | Self::CloseUnknown => {
                Reason::PendingReconciliation
            }
            Self::HistoryIncomplete => Reason::HistoryIncomplete,
            Self::UnreadableRows => Reason::UnreadableRows,
            Self::OrphanRows | Self::OrphanDeals => Reason::OrphansFound,
            Self::Reducing | Self::Halted | Self::Flattening => Reason::TradingStateForbids,
            Self::DailyLoss => Reason::LimitDailyLoss,
            Self::Drawdown => Reason::LimitDrawdown,
            Self::LossUnmeasured => Reason::FactMissing,
            Self::OrderUnknown | Self::ForeignTrade | Self::RowsDisagree => Reason::SymbolFrozen,
            Self::SymbolShared => Reason::SymbolShared,
            Self::SymbolClosed => Reason::MarketClosed,
        }
    }
}

impl fmt::Display for ObstacleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that stands in the way now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Which state it is.
    pub kind: ObstacleKind,
    /// Whose; none: everybody's.
    pub client: Option<ClientName>,
    /// Where; none: everywhere.
    pub symbol: Option<Symbol>,
    /// Why it holds.
    pub why: String,
}

impl Obstacle {
    const fn everywhere(kind: ObstacleKind, why: String) -> Self {
        Self {
            kind,
            client: None,
            symbol: None,
            why,
        }
    }

    /// What ends it, as its kind has it, with the client and the symbol that it is of.
    #[must_use]
    pub fn ends(&self) -> String {
        let mut ends = self.kind.ends().to_owned();
        if let Some(client) = &self.client {
            ends = ends.replace("resume`", &format!("resume --client {client}`"));
            ends = ends.replace("--client NAME", &format!("--client {client}"));
        }
        if let Some(symbol) = &self.symbol {
            ends = ends.replace("--symbol SYMBOL", &format!("--symbol {symbol}"));
        }
        ends
    }
}

impl Core {
    /// Everything that stands in the way of new exposure, or of an exit, now.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut obstacles = self.account_obstacles();
        obstacles.extend(self.state_obstacles());
        obstacles.extend(self.symbol_obstacles());
        obstacles.extend(self.shared_obstacles());
        obstacles
    }

    /// Why entries are closed for all, trading states aside.
    fn account_obstacles(&self) -> Vec<Obstacle> {
        use ObstacleKind as Kind;
        let mut found = Vec::new();
        let mut add = |holds: bool, kind: Kind, why: &str| {
            if holds {
                found.push(Obstacle::everywhere(kind, why.to_owned()));
            }
        };
        add(self.draining, Kind::Draining, "the gateway is stopping");
        let why = "the broker cannot be reached";
        add(!self.link_up, Kind::LinkDown, why);
        let account = self.book.account();
        let forbidden = account.is_some_and(|account| !account.trade_allowed);
        let why = "the account's rows forbid trading";
        add(forbidden, Kind::TradeNotAllowed, why);
        if let Some(retcode) = self.closed.account(self.out.now) {
            add(true, Kind::TradeNotAllowed, &retcode.to_string());
        }
        let compared = self.reconciliation.compared && account.is_some();
        let why = "the broker was not compared yet since the link came up";
        add(!compared, Kind::NotCompared, why);
        let why = "the account's rows cannot be read";
        let unreadable = self.reconciliation.unreadable;
        add(unreadable, Kind::AccountUnreadable, why);
        let missing = self.reconciliation.missing();
        let why = format!("the broker's history lacks {missing} known deals");
        add(missing > 0, Kind::HistoryIncomplete, &why);
        for row in self.reconciliation.unread() {
            let why = format!("{:?} {}: {}", row.kind, row.ticket, row.why);
            add(true, Kind::UnreadableRows, &why);
        }
        for ticket in self.reconciliation.orphan_orders.keys() {
            let why = format!("working order {ticket} is unknown to the journal");
            add(true, Kind::OrphanRows, &why);
        }
        for held in self.book.positions().filter(|held| held.orphan) {
            let why = format!("position {} is unknown to the journal", held.row.id);
            add(true, Kind::OrphanRows, &why);
        }
        found
    }

    fn state_obstacles(&self) -> Vec<Obstacle> {
        use ObstacleKind as Kind;
        let mut found = Vec::new();
        let mut add = |kind: Kind, client: Option<ClientName>, why: String| {
            found.push(Obstacle {
                kind,
                client,
                symbol: None,
                why,
            });
        };
        for (ticket, client) in self.reconciliation.orphan_deals() {
            let why = format!("deal {ticket} is unknown to the journal");
            add(Kind::OrphanDeals, Some(client.clone()), why);
        }
        for row in self.states.restrictions() {
            let kind = match (row.state, row.flatten) {
                (_, Some(_)) => Kind::Flattening,
                (TradingState::Reducing, None) => Kind::Reducing,
                _ => Kind::Halted,
            };
            let why = format!("{} (by {})", row.reason, row.by);
            add(kind, row.client.clone(), why);
        }
        for scope in self.losses.scopes() {
            let Some(refusal) = self.losses.blocks(&scope, self.out.now.elapsed_ms) else {
                continue;
            };
            let kind = match refusal.reason() {
                Reason::FactMissing => Kind::LossUnmeasured,
                Reason::LimitDrawdown => Kind::Drawdown,
                _ => Kind::DailyLoss,
            };
            add(kind, scope, refusal.to_string());
        }
        found
    }

    fn symbol_obstacles(&self) -> Vec<Obstacle> {
        use ObstacleKind as Kind;
        let mut found = Vec::new();
        let mut add = |kind: Kind, symbol: &Symbol, why: String| {
            found.push(Obstacle {
                kind,
                client: None,
                symbol: Some(symbol.clone()),
                why,
            });
        };
        let unknown = self.orders.open();
        for order in unknown.filter(|order| order.state == OrderState::Unknown) {
            let kind = if order.is_entry() {
                Kind::OrderUnknown
            } else {
                Kind::CloseUnknown
            };
            let reason = if order.reason.is_empty() {
                reason::OUTCOME_UNKNOWN
            } else {
                order.reason.as_str()
            };
            let why = format!("order {} of {}: {reason}", order.id, order.client);
            add(kind, &order.symbol, why);
        }
        for (symbol, freeze) in self.foreign.frozen() {
            add(Kind::ForeignTrade, symbol, freeze.description.clone());
        }
        let unexplained: BTreeMap<&Symbol, ()> =
            self.book.unexplained().map(|symbol| (symbol, ())).collect();
        for symbol in unexplained.keys() {
            let why = "a position is not what its deals say".to_owned();
            add(Kind::RowsDisagree, symbol, why);
        }
        for symbol in self.closed.symbols() {
            let why = "the broker refused an order there as closed".to_owned();
            add(Kind::SymbolClosed, symbol, why);
        }
        found
    }

    /// Symbols that on netting one keeps from others who may trade them.
    fn shared_obstacles(&self) -> Vec<Obstacle> {
        if self.book.mode() == AccountMode::Hedging {
            return Vec::new();
        }
        let mut owners: BTreeMap<&Symbol, BTreeSet<Option<&ClientName>>> = BTreeMap::new();
        for (symbol, owner) in self.owners() {
            owners.entry(symbol).or_default().insert(owner);
        }
        let shared = owners.into_iter();
        shared
            .flat_map(|(symbol, owners)| self.kept_out(symbol, &owners))
            .collect()
    }

    /// Those whom the owners of what is in a symbol keep out of it.
    fn kept_out(&self, symbol: &Symbol, owners: &BTreeSet<Option<&ClientName>>) -> Vec<Obstacle> {
        let shared = |client: Option<&ClientName>, owner: &str| Obstacle {
            kind: ObstacleKind::SymbolShared,
            client: client.cloned(),
            symbol: Some(symbol.clone()),
            why: format!("{owner} holds or orders it, and the account is netting"),
        };
        if owners.contains(&None) {
            return vec![shared(None, "nobody of ours")];
        }
        let clients = self.clients.granted_in(symbol);
        let others = |client: &ClientName| {
            let mut owners = owners.iter().flatten();
            owners.find(|owner| **owner != client).copied()
        };
        let kept = clients.filter_map(|client| Some((client, others(client)?)));
        kept.map(|(client, owner)| shared(Some(client), owner.as_str()))
            .collect()
    }

    /// Why a client's entries are closed, trading states, losses and symbols aside.
    pub(crate) fn closed_for(&self, client: &ClientName) -> Vec<Reason> {
        let everywhere = self.account_obstacles();
        let mut reasons: Vec<Reason> = everywhere
            .iter()
            .filter(|obstacle| obstacle.kind != ObstacleKind::Draining)
            .map(|obstacle| obstacle.kind.reason())
            .collect();
        let orphans = self.reconciliation.orphan_deals();
        if orphans.values().any(|owner| owner == client) {
            reasons.push(Reason::OrphansFound);
        }
        reasons.dedup();
        reasons
    }

    /// True while new exposure in the symbol is frozen.
    pub(crate) fn is_frozen(&self, symbol: &Symbol) -> bool {
        let mut unknown = self.orders.open();
        unknown.any(|order| order.state == OrderState::Unknown && order.symbol == *symbol)
            || self.foreign.is_frozen(symbol)
            || self.book.unexplained().any(|frozen| frozen == symbol)
    }

    /// The name of a scope.
    #[must_use]
    pub fn scope_name(scope: &Option<ClientName>) -> String {
        scope_name(scope)
    }
}
