//! The account: its mode, its kind, its figures, and its number with all but four digits gone.

use crate::Money;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How positions of one symbol live together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountMode {
    /// One position per symbol; an opposite deal reduces or reverses it.
    Netting,
    /// Many positions per symbol; each is closed by naming it.
    Hedging,
}

/// Whose money is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// The embedded simulator.
    Simulated,
    /// A broker's demo or contest account.
    Demo,
    /// Real money.
    Real,
}

/// An account number of which only the last four digits are left: `****5678`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedAccount(String);

impl MaskedAccount {
    /// Masks a login. Numbers of four digits or fewer show nothing.
    #[must_use]
    pub fn of(login: u64) -> Self {
        let digits = login.to_string();
        let shown = if digits.len() > 4 {
            &digits[digits.len() - 4..]
        } else {
            ""
        };
        Self(format!("****{shown}"))
    }

    /// Reads a number that is masked already, as it is displayed. None: it is not, or shows more
    /// than four digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("****")?;
        let is_masked = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_masked.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for MaskedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The account as the broker reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    /// The masked number.
    pub account: MaskedAccount,
    /// Trade server's name.
    pub server: String,
    /// Netting or hedging.
    pub mode: AccountMode,
    /// Simulated, demo or real.
    pub kind: AccountKind,
    /// Deposit currency, e.g. `USD`.
    pub currency: String,
    /// Decimals of that currency.
    pub currency_digits: u8,
    /// Leverage, `1:n`.
    pub leverage: u32,
    /// Balance.
    pub balance: Money,
    /// Credit.
    pub credit: Money,
    /// Floating profit of all open positions, swap included.
    pub profit: Money,
    /// Balance + credit + profit.
    pub equity: Money,
    /// Margin in use.
    pub margin: Money,
    /// Equity - margin.
    pub free_margin: Money,
    /// Equity / margin in percent; none without margin in use.
    pub margin_level: Option<f64>,
    /// False when the broker or terminal forbids trading.
    pub trade_allowed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_four_digits_at_most() {
        assert_eq!(MaskedAccount::of(12_345_678).to_string(), "****5678");
        assert_eq!(MaskedAccount::of(1234).to_string(), "****");
    }

    #[test]
    fn reads_only_what_is_masked() {
        for login in [12_345_678, 1234] {
            let masked = MaskedAccount::of(login);
            assert_eq!(MaskedAccount::parse(&masked.to_string()), Some(masked));
        }
        for shown in ["", "12345678", "***5678", "****45678", "****<b>"] {
            assert_eq!(MaskedAccount::parse(shown), None, "{shown}");
        }
    }
}
