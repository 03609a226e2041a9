//! The facts that limits need, counted from the core's own projection. Whatever is not settled
//! counts as if it were filled; working orders that are not the gateway's are not known here.

use super::{
    core::Core,
    order::{Entry, Order, Purpose},
};
use mymt5_guard::{EntryFacts, Exposure, StopFacts};
use mymt5_model::{AccountRow, ClientName, Lots, Money, Price, Side, Symbol, SymbolSpec, Tick};

/// Whose limits are asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    /// One client's, for what it owns.
    Client(&'a ClientName),
    /// The account's, for everything in it.
    Account,
}

impl Scope<'_> {
    /// The name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Account => "account",
        }
    }

    fn covers(self, owner: Option<&ClientName>) -> bool {
        match self {
            Self::Client(client) => owner == Some(client),
            Self::Account => true,
        }
    }
}

impl Core {
    /// What is known of an entry, seen from that scope. `margin` is the entry's own.
    pub(super) fn facts(
        &mut self,
        scope: Scope<'_>,
        entry: &Entry,
        quote: &Tick,
        margin: Option<Money>,
    ) -> EntryFacts {
        let exposure = self.exposure(scope, entry);
        let account = self.book.account();
        let reserved = self.reserved_margin();
        let margin_after = account
            .zip(reserved)
            .zip(margin)
            .map(|((account, reserved), margin)| account.margin + reserved + margin);
        EntryFacts {
            symbol: entry.spec.symbol.clone(),
            lots: entry.lots,
            stop: entry
                .levels
                .stop_loss
                .map(|stop| stop_facts(entry, stop, quote)),
            price_distance_percent: price_distance(
                entry.side,
                [entry.price, entry.stop_limit_price],
                quote,
            ),
            spread_points: spread(quote),
            exposure,
            equity: account.map(|account| account.equity),
            margin_after,
        }
    }

    /// Margin that an entry needs when all of it is filled: its worth over the account's leverage.
    /// What a broker asks beyond that, or spares for opposite positions, is not known.
    pub(super) fn margin_of(&self, entry: &Entry, quote: &Tick) -> Option<Money> {
        let account: &AccountRow = self.book.account()?;
        let worth = worth(&entry.spec, opening(entry, quote)?.points(), entry.lots)?;
        (account.leverage > 0).then(|| worth.times(1.0 / f64::from(account.leverage)))
    }

    /// Margin of entries that are not, or not yet, in the account's figures; none when that of any
    /// is not known.
    fn reserved_margin(&self) -> Option<Money> {
        let unread = self.unread.iter().filter_map(|id| self.orders.get(id));
        let unread = unread.filter(|order| order.purpose == Purpose::Entry);
        let open = self
            .open_entries()
            .filter(|order| !self.unread.contains(&order.id));
        let shares = open.map(|order| {
            let share = order.lots_open().to_f64() / order.lots.to_f64();
            order.margin.map(|margin| margin.times(share))
        });
        unread.map(|order| order.margin).chain(shares).sum()
    }

    fn open_entries(&self) -> impl Iterator<Item = &Order> {
        self.open_orders()
            .filter(|order| order.purpose == Purpose::Entry)
    }

    fn exposure(&mut self, scope: Scope<'_>, entry: &Entry) -> Exposure {
        let recent_entries = self.recent_entries(scope);
        let mut exposure = Exposure {
            recent_entries,
            ..Exposure::default()
        };
        let mut add = |same: bool, lots: Lots| {
            exposure.positions = exposure.positions.saturating_add(1);
            exposure.lots_total = exposure.lots_total.plus(lots);
            if same {
                exposure.lots_of_symbol = exposure.lots_of_symbol.plus(lots);
            }
        };
        let same = |symbol: &Symbol, side: Side| *symbol == entry.spec.symbol && side == entry.side;
        for position in self.book.positions() {
            if scope.covers(position.client.as_ref()) {
                let row = &position.row;
                add(same(&row.symbol, row.side), row.lots);
            }
        }
        let mut orders = 0u32;
        for order in self.open_entries() {
            if scope.covers(Some(&order.client)) {
                add(same(&order.symbol, order.side), order.lots_open());
                orders = orders.saturating_add(1);
            }
        }
        exposure.orders = orders;
        exposure
    }

    fn recent_entries(&mut self, scope: Scope<'_>) -> u32 {
        let now = self.now.0;
        self.rates
            .iter_mut()
            .filter(|(client, _)| scope.covers(Some(client)))
            .map(|(_, rate)| rate.recent(now))
            .fold(0, u32::saturating_add)
    }
}

/// The price at which an entry opens, as far as it can be told.
fn opening(entry: &Entry, quote: &Tick) -> Option<Price> {
    let touch = match entry.side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    };
    let price = entry.stop_limit_price.or(entry.price).unwrap_or(touch);
    (price.points() > 0).then_some(price)
}

fn stop_facts(entry: &Entry, stop: Price, quote: &Tick) -> StopFacts {
    stop_of(
        &entry.spec,
        opening(entry, quote),
        stop,
        entry.side,
        entry.lots,
    )
}

/// What a stop loss means for a volume that opens, or was opened, at a price.
pub(super) fn stop_of(
    spec: &SymbolSpec,
    opened: Option<Price>,
    stop: Price,
    side: Side,
    lots: Lots,
) -> StopFacts {
    let distance_points = opened.map(|price| (price.points() - stop.points()) * side.sign());
    // Commission is not known before the deal, and is left out.
    let risk = distance_points.and_then(|points| worth(spec, points, lots));
    StopFacts {
        distance_points,
        risk,
    }
}

/// What so many points are worth on that volume, in the account currency.
fn worth(spec: &SymbolSpec, points: i64, lots: Lots) -> Option<Money> {
    let ticks = points as f64 / spec.tick_size_points.max(1) as f64;
    let tick_value = spec.tick_value.filter(|value| *value > 0.0)?;
    Money::from_f64(ticks * tick_value * lots.to_f64()).ok()
}

/// How far the farthest of the order's prices is from the quote, in percent; 0 at the market.
pub(super) fn price_distance(side: Side, prices: [Option<Price>; 2], quote: &Tick) -> Option<f64> {
    let touch = match side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    }
    .points();
    let farthest = prices
        .iter()
        .flatten()
        .map(|price| (price.points() - touch).abs())
        .max();
    match farthest {
        None => Some(0.0),
        Some(points) => (touch > 0).then(|| points as f64 / touch as f64 * 100.0),
    }
}

/// None of a quote that is no market.
pub(super) fn spread(quote: &Tick) -> Option<i64> {
    let spread = quote.ask.points() - quote.bid.points();
    (quote.bid.points() > 0 && spread >= 0).then_some(spread)
}
