//! The trade server's return codes and what each of them means for an order. Source: the
//! official `MetaTrader5` package's constants and the trade server's documentation.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `MqlTradeResult.retcode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Retcode(pub u32);

/// What a return code says about the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetcodeClass {
    /// Done, placed, or done in part.
    Accepted,
    /// May have happened: freeze and reconcile, never resend.
    Unknown,
    /// Definitely no fill; the price moved.
    PriceMoved,
    /// Definitely not done; the server asks for patience.
    BackOff,
    /// The target is not what it was: read it again, then decide.
    StateMoved,
    /// The symbol does not trade (this way) now.
    SymbolClosed,
    /// The account does not trade at all now.
    AccountClosed,
    /// Definitely refused; the same request would be refused again.
    Rejected,
}

macro_rules! retcodes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl Retcode {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self($code);)*

            /// The code's plain meaning.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self.0 { $($code => $text,)* _ => "unlisted return code" }
            }
        }
    };
}

retcodes! {
    REQUOTE = 10004, "requote";
    REJECT = 10006, "request rejected";
    CANCEL = 10007, "request cancelled by trader";
    PLACED = 10008, "order placed";
    DONE = 10009, "request completed";
    DONE_PARTIAL = 10010, "request completed in part";
    ERROR = 10011, "request processing error";
    TIMEOUT = 10012, "request timed out";
    INVALID = 10013, "invalid request";
    INVALID_VOLUME = 10014, "invalid volume";
    INVALID_PRICE = 10015, "invalid price";
    INVALID_STOPS = 10016, "invalid stops";
    TRADE_DISABLED = 10017, "trade is disabled";
    MARKET_CLOSED = 10018, "market is closed";
    NO_MONEY = 10019, "not enough money";
    PRICE_CHANGED = 10020, "price changed";
    PRICE_OFF = 10021, "no quotes to process the request";
    INVALID_EXPIRATION = 10022, "invalid expiration";
    ORDER_CHANGED = 10023, "order state changed";
    TOO_MANY_REQUESTS = 10024, "too frequent requests";
    NO_CHANGES = 10025, "no changes in request";
    SERVER_DISABLES_AT = 10026, "algo trading disabled by server";
    CLIENT_DISABLES_AT = 10027, "algo trading disabled in the terminal: enable Algo Trading there";
    LOCKED = 10028, "request locked for processing";
    FROZEN = 10029, "order or position frozen";
    INVALID_FILL = 10030, "invalid filling mode";
    CONNECTION = 10031, "no connection with the trade server";
    ONLY_REAL = 10032, "allowed only for real accounts";
    LIMIT_ORDERS = 10033, "limit of pending orders reached";
    LIMIT_VOLUME = 10034, "limit of volume reached for the symbol";
    INVALID_ORDER = 10035, "invalid or prohibited order type";
    POSITION_CLOSED = 10036, "position is already closed";
    INVALID_CLOSE_VOLUME = 10038, "close volume exceeds the position";
    CLOSE_ORDER_EXIST = 10039, "a close order exists already";
    LIMIT_POSITIONS = 10040, "limit of open positions reached";
    REJECT_CANCEL = 10041, "activation rejected, order cancelled";
    LONG_ONLY = 10042, "only long positions allowed";
    SHORT_ONLY = 10043, "only short positions allowed";
    CLOSE_ONLY = 10044, "only closing allowed";
    FIFO_CLOSE = 10045, "close only in order of opening";
    HEDGE_PROHIBITED = 10046, "opposite positions are prohibited";
}

impl Retcode {
    /// The class that decides what the gateway does. Unlisted codes are unknown outcomes.
    #[must_use]
    pub const fn class(self) -> RetcodeClass {
        match self.0 {
            10008..=10010 => RetcodeClass::Accepted,
            10004 | 10020 | 10021 => RetcodeClass::PriceMoved,
            10024 | 10028 | 10029 => RetcodeClass::BackOff,
            10007 | 10023 | 10025 | 10036 | 10039 | 10041 => RetcodeClass::StateMoved,
            10017 | 10018 | 10042..=10044 => RetcodeClass::SymbolClosed,
            10026 | 10027 => RetcodeClass::AccountClosed,
            10006
            | 10013..=10016
            | 10019
            | 10022
            | 10030
            | 10032..=10035
            | 10038
            | 10040
            | 10045
            | 10046 => RetcodeClass::Rejected,
            _ => RetcodeClass::Unknown,
        }
    }
}

impl fmt::Display for Retcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlisted_codes_are_unknown_outcomes() {
        for code in [0, 1, 10001, 10011, 10012, 10031, 10037, 10047, u32::MAX] {
            assert_eq!(Retcode(code).class(), RetcodeClass::Unknown, "{code}");
        }
    }

    #[test]
    fn every_class_has_its_codes() {
        let class = |code| Retcode(code).class();
        assert!(
            [10008, 10009, 10010]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::Accepted)
        );
        assert!(
            [10004, 10020, 10021]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::PriceMoved)
        );
        assert!(
            [10024, 10028, 10029]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::BackOff)
        );
        assert!(
            [10007, 10023, 10025, 10036, 10039, 10041]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::StateMoved)
        );
        assert!(
            [10017, 10018, 10042, 10043, 10044]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::SymbolClosed)
        );
        assert!(
            [10026, 10027]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::AccountClosed)
        );
        assert!(
            [10006, 10013, 10016, 10019, 10046]
                .into_iter()
                .all(|c| class(c) == RetcodeClass::Rejected)
        );
    }
}
