//! The commands by their numbers and by the names of the package's functions that send them.

use std::{fmt, str::FromStr};

macro_rules! commands {
    ($($name:ident = $number:literal, $function:literal;)*) => {
        /// The numbers.
        pub mod number {
            $(#[doc = concat!("`", $function, "`")] pub const $name: u32 = $number;)*
        }

        const COMMANDS: &[(u32, &str)] = &[$(($number, $function)),*];
    };
}

commands! {
    VERSION = 1, "version";
    SESSION = 4, "initialize";
    LOGIN = 5, "login";
    TICKS_FROM = 104, "copy_ticks_from";
    TICKS_RANGE = 105, "copy_ticks_range";
    RATES_FROM = 106, "copy_rates_from";
    RATES_RANGE = 107, "copy_rates_range";
    RATES_FROM_POS = 108, "copy_rates_from_pos";
    READY = 109, "initialize";
    POSITIONS_TOTAL = 120, "positions_total";
    POSITIONS = 121, "positions_get";
    POSITIONS_OF_SYMBOL = 122, "positions_get";
    POSITION = 123, "positions_get";
    ORDERS_TOTAL = 130, "orders_total";
    ORDERS = 131, "orders_get";
    ORDERS_OF_SYMBOL = 132, "orders_get";
    ORDER = 133, "orders_get";
    PAST_ORDERS_TOTAL = 140, "history_orders_total";
    PAST_ORDERS = 141, "history_orders_get";
    PAST_ORDERS_OF_POSITION = 142, "history_orders_get";
    PAST_ORDER = 143, "history_orders_get";
    DEALS_TOTAL = 150, "history_deals_total";
    DEALS = 151, "history_deals_get";
    DEALS_OF_POSITION = 152, "history_deals_get";
    DEAL = 153, "history_deals_get";
    CHECK = 160, "order_check";
    SEND = 161, "order_send";
    MARGIN = 162, "order_calc_margin";
    PROFIT = 163, "order_calc_profit";
    SYMBOL = 170, "symbol_info";
    SELECT = 171, "symbol_select";
    TICK = 172, "symbol_info_tick";
    SYMBOLS_TOTAL = 173, "symbols_total";
    SYMBOLS = 174, "symbols_get";
    SYMBOLS_OF_GROUP = 175, "symbols_get";
    TERMINAL = 180, "terminal_info";
    ACCOUNT = 190, "account_info";
    BOOK_ADD = 191, "market_book_add";
    BOOK_RELEASE = 192, "market_book_release";
    BOOK = 193, "market_book_get";
}

/// The function that sends a command.
pub(crate) fn function(number: u32) -> &'static str {
    let found = COMMANDS.iter().find(|(known, _)| *known == number);
    found.map_or("unknown", |(_, function)| function)
}

/// One command by its number, or those of a function by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(String);

impl Command {
    /// True for a number that is meant.
    #[must_use]
    pub fn covers(&self, number: u32) -> bool {
        self.0 == function(number) || self.0.parse() == Ok(number)
    }
}

impl FromStr for Command {
    /// What is expected.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |(number, name): &(u32, &str)| *name == text || text.parse() == Ok(*number);
        if COMMANDS.iter().any(known) {
            return Ok(Self(text.to_owned()));
        }
        Err("a function such as order_send, or a number such as 161".to_owned())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_function_covers_its_commands_and_a_number_itself() {
        let positions: Command = "positions_get".parse().unwrap();
        let covered: Vec<u32> = (0..200).filter(|n| positions.covers(*n)).collect();
        assert_eq!(covered, [121, 122, 123]);
        let one: Command = "123".parse().unwrap();
        assert!(one.covers(123) && !one.covers(122));
        assert!("order_sent".parse::<Command>().is_err() && "99".parse::<Command>().is_err());
    }
}
