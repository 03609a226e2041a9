//! What an operator should learn: for the log, the metrics and the alerts. A notice decides nothing
//! and is never the only trace of something that matters.

use mymt5_guard::{LimitAction, TradingState};
use mymt5_model::{
    ClientName, Lots, Money, OrderId, OrderState, PositionId, Retcode, Symbol, Ticket,
};

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For the record.
    Info,
    /// Look soon.
    Warning,
    /// Look now.
    Error,
}

/// What an operator should learn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Notice {
    /// The outcome of an order is unknown.
    #[error("outcome of order {order} unknown: {why}")]
    OrderUnknown {
        /// The order.
        order: OrderId,
        /// Why.
        why: String,
    },
    /// The outcome of a change is unknown.
    #[error("outcome of a change unknown: {0}")]
    ChangeUnknown(String),
    /// An order never left.
    #[error("order {order} not sent: {why}")]
    NotSent {
        /// The order.
        order: OrderId,
        /// Why.
        why: String,
    },
    /// A transition that the table does not list.
    #[error("transition of order {order} from {from:?} to {to:?} refused")]
    TransitionRefused {
        /// The order.
        order: OrderId,
        /// From.
        from: OrderState,
        /// To.
        to: OrderState,
    },
    /// Evidence contradicts what was told of an order.
    #[error("late evidence: order {order} was told as {from:?} and is {to:?}")]
    LateEvidence {
        /// The order.
        order: OrderId,
        /// As it was told.
        from: OrderState,
        /// As it is.
        to: OrderState,
    },
    /// An unknown order left no trace at the broker.
    #[error("order {order} not found at the broker: {ended:?}")]
    NotFound {
        /// The order.
        order: OrderId,
        /// How it ended.
        ended: OrderState,
    },
    /// An order ended, and deals that its end speaks of never came.
    #[error("order {order} ended with {filled} lots filled, of which deals tell {known}")]
    DealsMissing {
        /// The order.
        order: OrderId,
        /// As its end says.
        filled: Lots,
        /// As the deals say.
        known: Lots,
    },
    /// A trading state was entered.
    #[error("trading state of {scope} is {state:?}: {reason} (by {by})")]
    StateEntered {
        /// Whose: a client's name, or `account`.
        scope: String,
        /// The state.
        state: TradingState,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A limit of losses was reached.
    #[error("{limit} of {scope} reached: {action:?}")]
    LossLimit {
        /// Whose.
        scope: String,
        /// The limit's reason.
        limit: &'static str,
        /// What follows.
        action: LimitAction,
    },
    /// Somebody else traded.
    #[error("foreign trade in {symbol}: {description}{}", if *frozen { "; new exposure there is frozen" } else { "" })]
    ForeignTrade {
        /// Where.
        symbol: Symbol,
        /// What.
        description: String,
        /// New exposure there is frozen.
        frozen: bool,
    },
    /// A position's rows and deals go on disagreeing; the rows are believed.
    #[error("position {position} in {symbol} is not what its deals say")]
    RowsDisagree {
        /// The position.
        position: PositionId,
        /// Where.
        symbol: Symbol,
    },
    /// A row in a slot of ours that the journal does not know.
    #[error("{what} is ours and unknown to the journal: adopt it")]
    Orphan {
        /// Which row.
        what: String,
    },
    /// The broker's history lacks known deals, or has them again.
    #[error("the broker's history lacks {0} deals that the journal knows")]
    HistoryLacks(usize),
    /// Rows that cannot be understood.
    #[error("{0} rows of the broker cannot be understood; the first: {1}")]
    UnreadableRows(usize, String),
    /// A client sends no heartbeat any more.
    #[error("client {0} fell silent")]
    ClientSilent(ClientName),
    /// The broker forbids trading on the account.
    #[error("the account may not trade: {0}")]
    AccountMayNotTrade(Retcode),
    /// A close that a flatten wanted could not be begun.
    #[error("position {position} not closed: {why}")]
    NotClosed {
        /// The position.
        position: PositionId,
        /// Why.
        why: String,
    },
    /// The balance differs from what the deals make of it, for good.
    #[error(
        "the balance differs by {0} from what the known deals make of it; measured from the balance now"
    )]
    BalanceUnexplained(Money),
    /// An operator decided something.
    #[error("{by}: {what} ({reason})")]
    Decided {
        /// Who.
        by: ClientName,
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// A close took other lots than expected.
    #[error("the close {order} was of {sent} lots, {expected} were expected")]
    OtherLots {
        /// The order.
        order: OrderId,
        /// As executed.
        sent: Lots,
        /// As expected.
        expected: Lots,
    },
    /// What the configuration grants could not be taken over.
    #[error("grants not taken over: {0}")]
    NotGranted(String),
    /// A deal came of an order that is full already.
    #[error("deal {0} is of an order that is full already")]
    Overfilled(Ticket),
}

impl Notice {
    /// How urgent it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Decided { .. } | Self::OtherLots { .. } => Severity::Info,
            Self::NotSent { .. }
            | Self::StateEntered { .. }
            | Self::NotFound { .. }
            | Self::ClientSilent(_)
            | Self::HistoryLacks(0)
            | Self::UnreadableRows(0, _)
            | Self::ForeignTrade { frozen: false, .. } => Severity::Warning,
            Self::OrderUnknown { .. }
            | Self::ChangeUnknown(_)
            | Self::TransitionRefused { .. }
            | Self::LateEvidence { .. }
            | Self::DealsMissing { .. }
            | Self::LossLimit { .. }
            | Self::ForeignTrade { .. }
            | Self::RowsDisagree { .. }
            | Self::Orphan { .. }
            | Self::HistoryLacks(_)
            | Self::UnreadableRows(..)
            | Self::AccountMayNotTrade(_)
            | Self::NotClosed { .. }
            | Self::BalanceUnexplained(_)
            | Self::NotGranted(_)
            | Self::Overfilled(_) => Severity::Error,
        }
    }

    /// The name of its kind, for metrics and filters.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderUnknown { .. } => "order_unknown",
            Self::ChangeUnknown(_) => "change_unknown",
            Self::NotSent { .. } => "not_sent",
            Self::TransitionRefused { .. } => "transition_refused",
            Self::LateEvidence { .. } => "late_evidence",
            Self::NotFound { .. } => "not_found",
            Self::DealsMissing { .. } => "deals_missing",
            Self::StateEntered { .. } => "trading_state",
            Self::LossLimit { .. } => "loss_limit",
            Self::ForeignTrade { .. } => "foreign_trade",
            Self::RowsDisagree { .. } => "rows_disagree",
            Self::Orphan { .. } => "orphan",
            Self::HistoryLacks(_) => "history_lacks",
            Self::UnreadableRows(..) => "unreadable_rows",
            Self::ClientSilent(_) => "client_silent",
            Self::AccountMayNotTrade(_) => "account_may_not_trade",
            Self::NotClosed { .. } => "not_closed",
            Self::BalanceUnexplained(_) => "balance_unexplained",
            Self::Decided { .. } => "decided",
            Self::OtherLots { .. } => "other_lots",
            Self::NotGranted(_) => "not_granted",
            Self::Overfilled(_) => "overfilled",
        }
    }
}

/// A scope's name: a client's, or `account`.
pub(crate) fn scope_name(scope: &Option<ClientName>) -> String {
    scope
        .as_ref()
        .map_or_else(|| "account".to_owned(), ToString::to_string)
}
