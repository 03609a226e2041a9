//! The one table of error reasons: name, gRPC code, whether a repeat may succeed, meaning, and what
//! to do.

macro_rules! reasons {
    ($($variant:ident, $name:literal, $code:ident, $retryable:literal, $text:literal, $fix:literal;)*) => {
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

            /// What its receiver can do.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }
        }
    };
}

reasons! {
    FieldInvalid, "FIELD_INVALID", InvalidArgument, false, "a field has a value that it cannot have", "correct the field";
    EnumUnspecified, "ENUM_UNSPECIFIED", InvalidArgument, false, "an enum is unset or unknown", "set it to one of its values";
    RequestIdInvalid, "REQUEST_ID_INVALID", InvalidArgument, false, "invalid request_id: expected 1 to 64 of [A-Za-z0-9_-]", "use such an id";
    SymbolUnknown, "SYMBOL_UNKNOWN", InvalidArgument, false, "no such symbol for this client", "use one that ListSymbols lists";
    NumberInvalid, "NUMBER_INVALID", InvalidArgument, false, "not a finite number in range", "send a number in range";
    LotsOffGrid, "LOTS_OFF_GRID", InvalidArgument, false, "lots are off the symbol's volume grid", "use a multiple of volume_step above volume_min";
    LotsOutOfBounds, "LOTS_OUT_OF_BOUNDS", InvalidArgument, false, "lots are outside the symbol's bounds", "use volume_min to volume_max";
    PriceOffGrid, "PRICE_OFF_GRID", InvalidArgument, false, "price is off the symbol's price grid", "use a multiple of tick_size";
    StopsTooClose, "STOPS_TOO_CLOSE", InvalidArgument, false, "stops are nearer to the market than the symbol allows", "keep stops_level_points away";
    StopsWrongSide, "STOPS_WRONG_SIDE", InvalidArgument, false, "stop loss or take profit is on the wrong side", "move it to the other side";
    ExpirationInvalid, "EXPIRATION_INVALID", InvalidArgument, false, "the expiration does not fit the lifetime", "set it for GTD and GTD_DAY alone, to a time in the future";
    DeadlineExpired, "DEADLINE_EXPIRED", DeadlineExceeded, false, "the deadline passed before there was an answer", "repeat it with the same request_id and a later deadline";
    MessageTooLarge, "MESSAGE_TOO_LARGE", OutOfRange, false, "the message exceeds the limit", "send less in one message";
    OrderNotFound, "ORDER_NOT_FOUND", NotFound, false, "no such order of this client", "list them with ListOrders";
    DealNotFound, "DEAL_NOT_FOUND", NotFound, false, "no such deal that waits for an owner", "list them with ListDeals";
    PositionNotFound, "POSITION_NOT_FOUND", NotFound, false, "no such open position of this client", "list them with GetSnapshot";
    IdempotencyMismatch, "IDEMPOTENCY_MISMATCH", AlreadyExists, false, "the request_id was used with other content", "use a new request_id";
    BrokerRefused, "BROKER_REFUSED", FailedPrecondition, false, "the broker refused the change", "look at the retcode in the metadata";
    OrderNotUnknown, "ORDER_NOT_UNKNOWN", FailedPrecondition, false, "the order's outcome is known", "read it with GetOrder";
    ChangeInFlight, "CHANGE_IN_FLIGHT", FailedPrecondition, true, "a change of the order or position is under way", "wait until it is answered";
    NotAfterPassed, "NOT_AFTER_PASSED", FailedPrecondition, false, "the call came after its not_after: nothing was done", "repeat it with a later not_after";
    OrderNotWorking, "ORDER_NOT_WORKING", FailedPrecondition, false, "the order is not pending at the broker", "read its state with GetOrder";
    MarketClosed, "MARKET_CLOSED", FailedPrecondition, true, "the symbol does not trade now", "wait until it does";
    TradingStateForbids, "TRADING_STATE", FailedPrecondition, false, "the trading state forbids it", "ask an operator to resume trading";
    PendingReconciliation, "PENDING_RECONCILIATION", FailedPrecondition, true, "an earlier outcome is unknown", "wait for evidence, or ask an operator to resolve it";
    SymbolFrozen, "SYMBOL_FROZEN", FailedPrecondition, true, "new exposure in the symbol is frozen", "wait until what froze it is settled, or ask an operator";
    SymbolShared, "SYMBOL_SHARED", FailedPrecondition, false, "on a netting account another client owns the symbol", "use another symbol, or a hedging account";
    ExitExceedsPosition, "EXIT_EXCEEDS_POSITION", FailedPrecondition, false, "more lots than the position has left to close", "close no more than it has";
    LimitSymbol, "LIMIT_SYMBOL", FailedPrecondition, false, "limits.symbols does not list the symbol", "use another symbol, or list it in limits.symbols";
    LimitLotsPerOrder, "LIMIT_LOTS_PER_ORDER", FailedPrecondition, false, "more lots than limits.max_lots_per_order allows", "send fewer lots";
    LimitLotsPerSymbol, "LIMIT_LOTS_PER_SYMBOL", FailedPrecondition, false, "more lots of the symbol than limits.max_lots_per_symbol allows", "send fewer lots, or close some first";
    LimitLotsTotal, "LIMIT_LOTS_TOTAL", FailedPrecondition, false, "more lots in total than limits.max_lots_total allows", "send fewer lots, or close some first";
    LimitOpenPositions, "LIMIT_OPEN_POSITIONS", FailedPrecondition, false, "limits.max_open_positions is reached", "close one first";
    LimitOpenOrders, "LIMIT_OPEN_ORDERS", FailedPrecondition, false, "limits.max_open_orders is reached", "cancel one first";
    LimitStopLoss, "LIMIT_STOP_LOSS", FailedPrecondition, false, "the limits ask for a stop loss", "set stop_loss";
    LimitStopDistance, "LIMIT_STOP_DISTANCE", FailedPrecondition, false, "the stop loss is outside limits.min_stop_distance_points and max_stop_distance_points", "move stop_loss within the range";
    LimitPriceCollar, "LIMIT_PRICE_COLLAR", FailedPrecondition, false, "the price is farther from the quote than limits.max_price_distance_percent allows", "move the price nearer to the quote";
    LimitSpread, "LIMIT_SPREAD", FailedPrecondition, true, "the spread is wider than limits.max_spread_points allows", "wait until it is narrower";
    LimitMargin, "LIMIT_MARGIN", FailedPrecondition, false, "more margin than limits.max_margin_use_percent allows", "send fewer lots, or close some first";
    LimitRisk, "LIMIT_RISK", FailedPrecondition, false, "more is lost at the stop loss than limits.max_risk_per_trade_percent or RISK_MAX_PER_TRADE allows", "send fewer lots, or move stop_loss nearer";
    LimitDailyLoss, "LIMIT_DAILY_LOSS", FailedPrecondition, false, "limits.daily_loss is reached", "wait for the next reset";
    LimitDrawdown, "LIMIT_DRAWDOWN", FailedPrecondition, false, "limits.drawdown is reached", "ask an operator to resume trading";
    FactMissing, "FACT_MISSING", FailedPrecondition, true, "a limit needs a fact that is not known now", "wait until it is known";
    QuoteMissing, "QUOTE_MISSING", FailedPrecondition, true, "no quote of the symbol yet", "wait for one";
    ZoneMissing, "ZONE_MISSING", FailedPrecondition, false, "broker.time_zone is not configured, which this needs", "set it to the broker's time zone";
    ClientAlreadyActive, "CLIENT_ALREADY_ACTIVE", FailedPrecondition, true, "another process of this client trades", "stop one of them, or wait until its session ends";
    RateLimited, "RATE_LIMITED", ResourceExhausted, true, "too many calls", "wait as long as the details say";
    QueueFull, "QUEUE_FULL", ResourceExhausted, true, "too many calls are waiting", "wait a moment, then try again";
    SubscriberTooSlow, "SUBSCRIBER_TOO_SLOW", ResourceExhausted, true, "the subscriber did not keep up with every tick", "read faster, or use DELIVERY_LATEST";
    TooManySubscribers, "TOO_MANY_SUBSCRIBERS", ResourceExhausted, true, "too many open streams", "close one first";
    LinkDown, "LINK_DOWN", Unavailable, true, "the broker cannot be reached", "wait until the link is READY";
    Draining, "DRAINING", Unavailable, true, "the gateway is stopping, or ends an old connection", "repeat it on a new connection, once the gateway runs";
    JournalDown, "JOURNAL_DOWN", Unavailable, true, "the journal cannot be written, and trading is closed", "make room on the gateway's disk";
    JournalLost, "JOURNAL_LOST", Internal, true, "the journal failed, and the call may have been taken", "repeat it with the same request_id";
    AuditUnwritable, "AUDIT_UNWRITABLE", Internal, true, "the audit trail cannot be written, and only exits, cancels and halts are taken", "make room where it lies, then repeat the call with the same request_id";
    Unauthenticated, "UNAUTHENTICATED", Unauthenticated, false, "no client certificate or token, or an unknown one", "use one that the gateway's configuration names";
    PermissionDenied, "PERMISSION_DENIED", PermissionDenied, false, "the client lacks the permission", "add it to clients.NAME.permissions";
    SequencePurged, "SEQUENCE_PURGED", OutOfRange, false, "the cursor is gone or in the future", "take a snapshot";
    JournalChanged, "JOURNAL_CHANGED", OutOfRange, false, "the cursor is of another journal", "take a snapshot";
    NotServed, "NOT_SERVED", Unimplemented, false, "this gateway does not serve the call yet", "use a version of the gateway that does";
    ReloadRefused, "RELOAD_REFUSED", FailedPrecondition, false, "a part of what was to be read again is faulty, and stays as it was", "correct it, then reload again";
    BackupFailed, "BACKUP_FAILED", Internal, false, "the backup cannot be written", "look for the cause in the gateway's log";
    ClientUnknown, "CLIENT_UNKNOWN", NotFound, false, "no client of that name is configured", "name one of [clients]";
    TradeNotAllowed, "TRADE_NOT_ALLOWED", FailedPrecondition, true, "the broker or the terminal forbids trading on the account", "look at the link's reason in GetStatus";
    HistoryIncomplete, "HISTORY_INCOMPLETE", FailedPrecondition, true, "the broker's history lacks deals that the journal knows", "wait until it is complete, or ask an operator to accept that";
    PastUnavailable, "PAST_UNAVAILABLE", FailedPrecondition, true, "the broker does not tell that part of the past", "ask for a later one, or try again in a minute";
    OrphansFound, "ORPHANS_FOUND", FailedPrecondition, false, "rows at the broker are ours and unknown to the journal", "ask an operator to adopt them";
    UnreadableRows, "UNREADABLE_ROWS", FailedPrecondition, true, "rows of the broker cannot be understood", "ask an operator to look at them";
    NothingToAccept, "NOTHING_TO_ACCEPT", FailedPrecondition, false, "nothing of that kind waits to be accepted", "look at what waits in GetStatus";
    Internal, "INTERNAL", Internal, false, "a fault of the gateway", "look for the incident in its log";
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
