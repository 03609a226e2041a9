//! Contract specifications of the common symbols as brokers have them, and a plausible one for
//! any other name.

use mymt5_model::{Execution, FillingModes, Lots, Symbol, SymbolSpec, TradeMode, VolumeGrid};

/// One line of the catalogue.
struct Line {
    symbol: &'static str,
    description: &'static str,
    base: &'static str,
    quote: &'static str,
    digits: u8,
    contract_size: f64,
    stops_level_points: i64,
    swap_long: f64,
    swap_short: f64,
    /// Where a synthetic market begins.
    price: f64,
    /// Usual spread in points.
    spread: i64,
}

macro_rules! lines {
    ($($symbol:literal, $description:literal, $base:literal / $quote:literal, $digits:literal,
       $contract:literal, $stops:literal, $long:literal, $short:literal, $price:literal,
       $spread:literal;)*) => {
        &[$(Line {
            symbol: $symbol,
            description: $description,
            base: $base,
            quote: $quote,
            digits: $digits,
            contract_size: $contract,
            stops_level_points: $stops,
            swap_long: $long,
            swap_short: $short,
            price: $price,
            spread: $spread,
        }),*]
    };
}

#[rustfmt::skip]
const LINES: &[Line] = lines! {
    "EURUSD", "Euro vs US Dollar",                 "EUR" / "USD", 5, 100_000.0, 10,   -7.5,   3.1,     1.10,   9;
    "GBPUSD", "Pound Sterling vs US Dollar",       "GBP" / "USD", 5, 100_000.0, 10,   -3.4,  -1.2,     1.27,  12;
    "AUDUSD", "Australian Dollar vs US Dollar",    "AUD" / "USD", 5, 100_000.0, 10,   -2.9,  -0.4,     0.66,  10;
    "NZDUSD", "New Zealand Dollar vs US Dollar",   "NZD" / "USD", 5, 100_000.0, 10,   -1.6,  -1.1,     0.61,  13;
    "USDJPY", "US Dollar vs Japanese Yen",         "USD" / "JPY", 3, 100_000.0, 10,   10.2, -21.5,   150.00,  10;
    "USDCHF", "US Dollar vs Swiss Franc",          "USD" / "CHF", 5, 100_000.0, 10,    6.3, -11.8,     0.88,  12;
    "USDCAD", "US Dollar vs Canadian Dollar",      "USD" / "CAD", 5, 100_000.0, 10,    1.9,  -6.2,     1.36,  13;
    "EURGBP", "Euro vs Pound Sterling",            "EUR" / "GBP", 5, 100_000.0, 10,   -5.1,   1.7,     0.86,  11;
    "EURJPY", "Euro vs Japanese Yen",              "EUR" / "JPY", 3, 100_000.0, 10,    6.4, -16.3,   164.00,  14;
    "GBPJPY", "Pound Sterling vs Japanese Yen",    "GBP" / "JPY", 3, 100_000.0, 10,   14.8, -28.9,   190.00,  22;
    "AUDJPY", "Australian Dollar vs Japanese Yen", "AUD" / "JPY", 3, 100_000.0, 10,    5.7, -12.4,    98.50,  15;
    "EURCHF", "Euro vs Swiss Franc",               "EUR" / "CHF", 5, 100_000.0, 10,    1.4,  -6.6,     0.95,  16;
    "EURAUD", "Euro vs Australian Dollar",         "EUR" / "AUD", 5, 100_000.0, 10,   -8.3,   2.5,     1.65,  20;
    "XAUUSD", "Gold vs US Dollar",                 "XAU" / "USD", 3,     100.0, 50, -480.0, 210.0, 4_000.00, 200;
    "XAGUSD", "Silver vs US Dollar",               "XAG" / "USD", 3,   5_000.0, 20,   -5.2,   1.1,    48.00,  25;
    "BTCUSD", "Bitcoin vs US Dollar",              "BTC" / "USD", 2,       1.0,  0, -2500.0, -800.0, 95_000.00, 1_500;
    "US500",  "US 500 Index",                      "USD" / "USD", 2,       1.0, 50, -110.0,  25.0, 6_000.00,  50;
};

fn line(symbol: &Symbol) -> Option<&'static Line> {
    LINES.iter().find(|line| line.symbol == symbol.as_str())
}

/// The catalogue's specification of a symbol. Six capital letters it does not know are a currency
/// pair; any other unknown name is a contract of one unit quoted in USD.
#[must_use]
pub fn spec(symbol: &Symbol) -> SymbolSpec {
    let found = line(symbol);
    let (base, quote) = found.map_or_else(|| currencies(symbol), |l| (l.base, l.quote));
    let pair = base != quote;
    let digits = match found {
        Some(line) => line.digits,
        None if pair && quote != "JPY" => 5,
        None if pair => 3,
        None => 2,
    };
    SymbolSpec {
        symbol: symbol.clone(),
        description: found.map_or(symbol.as_str(), |l| l.description).to_owned(),
        digits,
        tick_size_points: 1,
        contract_size: found.map_or(if pair { 100_000.0 } else { 1.0 }, |l| l.contract_size),
        volume: VolumeGrid {
            min: Lots::from_units(Lots::SCALE / 100),
            step: Lots::from_units(Lots::SCALE / 100),
            max: Lots::from_units(Lots::SCALE * 100),
        },
        stops_level_points: found.map_or(10, |l| l.stops_level_points),
        freeze_level_points: 0,
        trade_mode: TradeMode::Full,
        execution: Execution::Market,
        filling: FillingModes(FillingModes::IOC),
        base_currency: base.to_owned(),
        quote_currency: quote.to_owned(),
        tick_value: None,
        swap_long_points: found.map_or(0.0, |l| l.swap_long),
        swap_short_points: found.map_or(0.0, |l| l.swap_short),
    }
}

/// True where the catalogue has that symbol, so that nothing of [`spec`] is a guess.
#[must_use]
pub fn knows(symbol: &Symbol) -> bool {
    line(symbol).is_some()
}

/// The symbols that the catalogue has.
pub fn names() -> impl Iterator<Item = &'static str> {
    LINES.iter().map(|line| line.symbol)
}

/// Base and quote currency by the name alone.
fn currencies(symbol: &Symbol) -> (&str, &str) {
    let name = symbol.as_str();
    if name.len() == 6 && name.bytes().all(|b| b.is_ascii_uppercase()) {
        (&name[..3], &name[3..])
    } else {
        ("USD", "USD")
    }
}

/// Price and spread in points with which a synthetic market of that symbol begins.
pub(crate) fn beginning(spec: &SymbolSpec) -> (f64, i64) {
    match line(&spec.symbol) {
        Some(line) if line.digits == spec.digits => (line.price, line.spread),
        Some(line) => (line.price, 10),
        None if spec.quote_currency == "JPY" => (150.0, 15),
        None if spec.base_currency == spec.quote_currency => (1_000.0, 20),
        None => (1.0, 15),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{AccountConfig, Simulator};

    #[test]
    fn every_line_makes_an_account() {
        let specs = LINES
            .iter()
            .map(|l| spec(&Symbol::parse(l.symbol).unwrap()))
            .collect();
        assert!(Simulator::new(AccountConfig::default(), specs).is_ok());
    }

    #[test]
    fn derives_unknown_names() {
        let pair = spec(&Symbol::parse("NOKSEK").unwrap());
        assert_eq!(
            (pair.base_currency.as_str(), pair.quote_currency.as_str()),
            ("NOK", "SEK")
        );
        assert_eq!((pair.digits, pair.contract_size), (5, 100_000.0));
        assert_eq!(spec(&Symbol::parse("CHFJPY").unwrap()).digits, 3);
        let other = spec(&Symbol::parse("AAPL.nas").unwrap());
        assert_eq!((other.digits, other.quote_currency.as_str()), (2, "USD"));
        assert!(!knows(&other.symbol));
        assert!(names().all(|name| knows(&Symbol::parse(name).unwrap())));
    }
}
