//! From the money of a price to the money of the account: through a listed symbol, else through
//! a configured rate.

use crate::{
    AccountConfig, Simulator,
    market::{Market, Route},
};
use mymt5_model::{Money, Price, SymbolSpec};

/// All ways from the quote currency of `specs[of]` to the account currency.
pub(crate) fn routes(specs: &[SymbolSpec], of: usize, account: &AccountConfig) -> Vec<Route> {
    let (from, to) = (&specs[of].quote_currency, &account.currency);
    if from == to {
        return vec![Route::Same];
    }
    if specs[of].base_currency == *to {
        return vec![Route::OwnBase];
    }
    let through = specs.iter().enumerate().filter_map(|(i, spec)| {
        let pair = (&spec.base_currency, &spec.quote_currency);
        if pair == (from, to) {
            Some(Route::Direct(i))
        } else if pair == (to, from) {
            Some(Route::Inverse(i))
        } else {
            None
        }
    });
    let rate = |a: &str, b: &str| account.rates.get(&format!("{a}{b}")).copied();
    let fixed = rate(from, to).or_else(|| rate(to, from).map(|r| 1.0 / r));
    through.chain(fixed.map(Route::Fixed)).collect()
}

/// The markets that a market's conversion looks at.
pub(crate) fn sources(routes: &[Route]) -> impl Iterator<Item = usize> {
    routes.iter().filter_map(|route| match route {
        Route::Direct(i) | Route::Inverse(i) => Some(*i),
        Route::Same | Route::OwnBase | Route::Fixed(_) => None,
    })
}

impl Simulator {
    /// The rate from a market's quote currency to the account currency, `price` being the
    /// market's own; none while no quote for it is known.
    pub(crate) fn rate(&self, market: &Market, price: Price) -> Option<f64> {
        let own = || Some(price.to_f64()).filter(|own| *own > 0.0);
        market.routes.iter().find_map(|route| match *route {
            Route::Same => Some(1.0),
            Route::OwnBase => own().map(|own| 1.0 / own),
            Route::Direct(i) => self.markets[i].quote.as_ref().map(|q| q.bid.to_f64()),
            Route::Inverse(i) => self.markets[i].quote.as_ref().map(|q| 1.0 / q.ask.to_f64()),
            Route::Fixed(rate) => Some(rate),
        })
    }

    /// The worth of points times units of lots in the account currency, not yet rounded.
    pub(crate) fn worth(&self, market: &Market, point_lots: i128, price: Price) -> Option<Money> {
        let quoted = market.worth.times(point_lots);
        if market.routes.first() == Some(&Route::Same) {
            return Some(quoted);
        }
        Some(quoted.times(self.rate(market, price)?))
    }

    /// The same, rounded to the decimals of the account currency.
    pub(crate) fn worth_rounded(
        &self,
        market: &Market,
        point_lots: i128,
        price: Price,
    ) -> Option<Money> {
        let worth = self.worth(market, point_lots, price)?;
        Some(worth.rounded(self.account.currency_digits))
    }
}
