//! The one table of error reasons: name, gRPC code, whether a repeat may succeed, meaning.

macro_rules! reasons {
    ($($variant:ident, $name:literal, $code:ident, $retryable:literal, $text:literal;)*) => {
        /// Why a call was refused: `ErrorInfo.reason` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $text] $variant,)* }

        impl Reason {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status code it travels with.
            #[cfg(feature = "status")]
            #[must_use]
            pub const fn code(self) -> tonic::Code {
                match self { $(Self::$variant => tonic::Code::$code,)* }
            }

            /// True when the same call may succeed later.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }

            /// Its plain meaning.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    FieldInvalid, "FIELD_INVALID", InvalidArgument, false, "a field has a value it cannot have";
    EnumUnspecified, "ENUM_UNSPECIFIED", InvalidArgument, false, "an enum is unset or unknown";
    RequestIdInvalid, "REQUEST_ID_INVALID", InvalidArgument, false, "request_id must be 1 to 64 of [A-Za-z0-9_-]";
    SymbolUnknown, "SYMBOL_UNKNOWN", InvalidArgument, false, "no such symbol for this client";
    NumberInvalid, "NUMBER_INVALID", InvalidArgument, false, "not a finite number in range";
    LotsOffGrid, "LOTS_OFF_GRID", InvalidArgument, false, "lots are off the symbol's volume grid";
    LotsOutOfBounds, "LOTS_OUT_OF_BOUNDS", InvalidArgument, false, "lots are outside the symbol's bounds";
    PriceOffGrid, "PRICE_OFF_GRID", InvalidArgument, false, "price is off the symbol's price grid";
    StopsTooClose, "STOPS_TOO_CLOSE", InvalidArgument, false, "stops are nearer to the market than the symbol allows";
    StopsWrongSide, "STOPS_WRONG_SIDE", InvalidArgument, false, "stop loss or take profit is on the wrong side";
    ExpirationInvalid, "EXPIRATION_INVALID", InvalidArgument, false, "the expiration does not fit the lifetime";
    DeadlineExpired, "DEADLINE_EXPIRED", DeadlineExceeded, false, "the deadline passed before there was an answer";
    MessageTooLarge, "MESSAGE_TOO_LARGE", OutOfRange, false, "the message exceeds the limit";
    OrderNotFound, "ORDER_NOT_FOUND", NotFound, false, "no such order of this client";
    DealNotFound, "DEAL_NOT_FOUND", NotFound, false, "no such deal that waits for an owner";
    PositionNotFound, "POSITION_NOT_FOUND", NotFound, false, "no such open position of this client";
    IdempotencyMismatch, "IDEMPOTENCY_MISMATCH", AlreadyExists, false, "the request_id was used with other content";
    BrokerRefused, "BROKER_REFUSED", FailedPrecondition, false, "the broker refused the change; metadata has the retcode";
    OrderNotUnknown, "ORDER_NOT_UNKNOWN", FailedPrecondition, false, "the order's outcome is known";
    ChangeInFlight, "CHANGE_IN_FLIGHT", FailedPrecondition, true, "a change of the order or position is under way";
    NotAfterPassed, "NOT_AFTER_PASSED", FailedPrecondition, false, "the call came after its not_after: nothing was done";
    OrderNotWorking, "ORDER_NOT_WORKING", FailedPrecondition, false, "the order is not pending at the broker";
    MarketClosed, "MARKET_CLOSED", FailedPrecondition, true, "the symbol does not trade now";
    TradingStateForbids, "TRADING_STATE", FailedPrecondition, false, "the trading state forbids it";
    PendingReconciliation, "PENDING_RECONCILIATION", FailedPrecondition, true, "an earlier outcome is unknown; wait for evidence";
    SymbolFrozen, "SYMBOL_FROZEN", FailedPrecondition, true, "new exposure in the symbol is frozen";
    SymbolShared, "SYMBOL_SHARED", FailedPrecondition, false, "on a netting account another client owns the symbol";
    ExitExceedsPosition, "EXIT_EXCEEDS_POSITION", FailedPrecondition, false, "more lots than the position has left to close";
    LimitSymbol, "LIMIT_SYMBOL", FailedPrecondition, false, "the limits do not list the symbol";
    LimitLotsPerOrder, "LIMIT_LOTS_PER_ORDER", FailedPrecondition, false, "more lots than one order may have";
    LimitLotsPerSymbol, "LIMIT_LOTS_PER_SYMBOL", FailedPrecondition, false, "more lots of the symbol in that direction than may be open";
    LimitLotsTotal, "LIMIT_LOTS_TOTAL", FailedPrecondition, false, "more lots than may be open in total";
    LimitOpenPositions, "LIMIT_OPEN_POSITIONS", FailedPrecondition, false, "as many positions are open, or may open, as may be";
    LimitOpenOrders, "LIMIT_OPEN_ORDERS", FailedPrecondition, false, "as many orders are open as may be";
    LimitStopLoss, "LIMIT_STOP_LOSS", FailedPrecondition, false, "the entry needs a stop loss";
    LimitStopDistance, "LIMIT_STOP_DISTANCE", FailedPrecondition, false, "the stop loss is nearer or farther than it may be";
    LimitPriceCollar, "LIMIT_PRICE_COLLAR", FailedPrecondition, false, "the price is farther from the quote than it may be";
    LimitSpread, "LIMIT_SPREAD", FailedPrecondition, true, "the spread is wider than an entry may meet";
    LimitMargin, "LIMIT_MARGIN", FailedPrecondition, false, "more margin would be in use than may be";
    LimitRisk, "LIMIT_RISK", FailedPrecondition, false, "more would be lost at the stop loss than may be";
    LimitDailyLoss, "LIMIT_DAILY_LOSS", FailedPrecondition, false, "the day's loss is reached; entries resume after the reset";
    LimitDrawdown, "LIMIT_DRAWDOWN", FailedPrecondition, false, "the drawdown is reached; an operator must clear it";
    FactMissing, "FACT_MISSING", FailedPrecondition, true, "a limit needs a fact that is not known now";
    QuoteMissing, "QUOTE_MISSING", FailedPrecondition, true, "no quote of the symbol yet";
    ZoneMissing, "ZONE_MISSING", FailedPrecondition, false, "broker.time_zone is not configured, which this needs";
    ClientAlreadyActive, "CLIENT_ALREADY_ACTIVE", FailedPrecondition, true, "another process of this client trades";
    RateLimited, "RATE_LIMITED", ResourceExhausted, true, "too many calls";
    QueueFull, "QUEUE_FULL", ResourceExhausted, true, "too many calls are waiting";
    SubscriberTooSlow, "SUBSCRIBER_TOO_SLOW", ResourceExhausted, true, "the subscriber did not keep up with every tick";
    TooManySubscribers, "TOO_MANY_SUBSCRIBERS", ResourceExhausted, true, "too many open streams";
    LinkDown, "LINK_DOWN", Unavailable, true, "the broker cannot be reached";
    Draining, "DRAINING", Unavailable, true, "the gateway is stopping";
    JournalDown, "JOURNAL_DOWN", Unavailable, true, "the journal cannot be written; trading is closed";
    JournalLost, "JOURNAL_LOST", Internal, true, "the journal failed, and the call may have been taken: ask again with the same request_id";
    Unauthenticated, "UNAUTHENTICATED", Unauthenticated, false, "no client certificate or token, or an unknown one";
    PermissionDenied, "PERMISSION_DENIED", PermissionDenied, false, "the client lacks the permission";
    SequencePurged, "SEQUENCE_PURGED", OutOfRange, false, "the cursor is gone or in the future: take a snapshot";
    JournalChanged, "JOURNAL_CHANGED", OutOfRange, false, "another journal: take a snapshot";
    NotServed, "NOT_SERVED", Unimplemented, false, "this gateway does not serve the call yet";
    ReloadRefused, "RELOAD_REFUSED", FailedPrecondition, false, "what was to be read again is faulty; everything stays as it was";
    BackupFailed, "BACKUP_FAILED", Internal, false, "the backup could not be written; the gateway's log says why";
    ClientUnknown, "CLIENT_UNKNOWN", NotFound, false, "no client of that name is configured";
    TradeNotAllowed, "TRADE_NOT_ALLOWED", FailedPrecondition, true, "the broker or the terminal forbids trading on the account";
    HistoryIncomplete, "HISTORY_INCOMPLETE", FailedPrecondition, true, "the broker's history lacks deals that the journal knows";
    OrphansFound, "ORPHANS_FOUND", FailedPrecondition, false, "rows at the broker are ours and unknown to the journal: adopt them";
    UnreadableRows, "UNREADABLE_ROWS", FailedPrecondition, true, "rows of the broker cannot be understood";
    NothingToAccept, "NOTHING_TO_ACCEPT", FailedPrecondition, false, "nothing of that kind waits to be accepted";
    Internal, "INTERNAL", Internal, false, "a fault of the gateway; its log has the incident";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_spelt_as_reasons() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(
            names
                .iter()
                .all(|n| n.len() <= 63 && n.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        );
    }

    #[cfg(feature = "status")]
    #[test]
    fn unavailable_alone_invites_a_blind_retry() {
        for reason in Reason::ALL {
            assert!(
                reason.code() != tonic::Code::Unavailable || reason.retryable(),
                "{reason:?}"
            );
        }
    }
}
