//! Names and numbers by which things are known. Each is its own type, so that a ticket never
//! stands where an order id belongs.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A text that is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {max} characters of [A-Za-z0-9_-]")]
pub struct IdError {
    /// Longest length allowed.
    pub max: usize,
}

fn identifier(text: &str, max: usize) -> Result<Arc<str>, IdError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if text.is_empty() || text.len() > max || !text.bytes().all(allowed) {
        return Err(IdError { max });
    }
    Ok(Arc::from(text))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest length, in characters.
            pub const MAX: usize = $max;

            /// Reads an identifier.
            ///
            /// # Errors
            /// Empty, too long, or a character outside `[A-Za-z0-9_-]`.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                identifier(text, $max).map(Self)
            }

            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(
    /// The idempotency of one mutating call: unique per client, made by the client.
    RequestId, 64
);
impl RequestId {
    /// That of a number: its 32 hexadecimal digits.
    #[must_use]
    pub fn of_number(number: u128) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let halves = |byte: u8| [byte >> 4, byte & 0xF];
        let digits = number.to_be_bytes().into_iter().flat_map(halves);
        let text = digits.map(|digit| char::from(DIGITS[usize::from(digit)]));
        Self(Arc::from(text.collect::<String>()))
    }
}
name!(
    /// A client's name as the gateway's configuration has it.
    ClientName, 32
);
name!(
    /// An account as its gateway tells it to clients: neither its number nor its server can be found
    /// from it.
    AccountId, 64
);
impl ClientName {
    /// The name of the gateway's own user on the control socket; no client may have it.
    #[must_use]
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }
}

number!(
    /// An order as the gateway knows it, unique per account.
    OrderId
);
number!(
    /// MetaTrader 5's POSITION_IDENTIFIER: never changes during the position's life.
    PositionId
);
number!(
    /// A ticket of the broker. Orders, deals and positions have their own number spaces.
    Ticket
);

/// The number by which the broker's rows are recognised as ours: unique per order and at most
/// 2^53 - 1. It never leaves the gateway, hence no `Display`, and `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Magic(u64);

impl Magic {
    const MILLIS_BITS: u32 = 42;
    /// Client slots: 11 bits.
    pub const MAX_SLOT: u16 = (1 << 11) - 1;
    /// No magic: an order by hand.
    pub const NONE: Self = Self(0);

    /// Slot in the upper 11 bits, a counter (milliseconds since 2024-01-01, or one more than the
    /// last) in the lower 42. None when either does not fit.
    #[must_use]
    pub const fn new(slot: u16, counter: u64) -> Option<Self> {
        if slot > Self::MAX_SLOT || counter >> Self::MILLIS_BITS != 0 {
            return None;
        }
        Some(Self((slot as u64) << Self::MILLIS_BITS | counter))
    }

    /// As a broker's row carries it.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number for the broker.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The client slot.
    #[must_use]
    pub const fn slot(self) -> u64 {
        self.0 >> Self::MILLIS_BITS
    }

    /// The counter in the lower 42 bits.
    #[must_use]
    pub const fn counter(self) -> u64 {
        self.0 & ((1 << Self::MILLIS_BITS) - 1)
    }
}

impl fmt::Debug for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Magic(***)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn request_ids_have_bounds() {
        assert!(RequestId::parse("a-Z_09").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert!(RequestId::parse(bad).is_err());
        }
        for number in [0, 0x0123_4567_89AB_CDEF << 8, u128::MAX] {
            let id = RequestId::of_number(number);
            assert_eq!(id.as_str(), format!("{number:032x}"));
            assert_eq!(RequestId::parse(id.as_str()), Ok(id));
        }
    }

    #[test]
    fn magic_fits_a_double_and_hides() {
        let magic = Magic::new(Magic::MAX_SLOT, (1 << 42) - 1).unwrap();
        assert_eq!(magic.raw(), (1 << 53) - 1);
        assert_eq!((magic.slot(), magic.counter()), (2047, (1 << 42) - 1));
        assert!(Magic::new(2048, 0).is_none() && Magic::new(0, 1 << 42).is_none());
        assert_eq!(format!("{magic:?}"), "Magic(***)");
    }
}
