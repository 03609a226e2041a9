//! The facts that limits need, counted from the core's own projection. What is not settled counts
//! as if it were filled; working orders that are not the gateway's are not known here.

use crate::{
    Core, Market,
    core::Filled,
    market::Quote,
    order::{NewOrder, Order},
    records::{ChangeEdit, Target},
};
use mymt5_guard::{EntryFacts, Exposure, Holding, Limits, StopFacts};
use mymt5_model::{
    AccountMode, ClientName, Lots, Money, OrderId, Price, Refusal, Side, Symbol, SymbolSpec, Tick,
};

/// Whose limits are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'a> {
    /// One client's, for what it owns.
    Client(&'a ClientName),
    /// The account's, for everything in it.
    Account,
}

impl Whose<'_> {
    /// The name on the wire.
    const fn name(self) -> &'static str {
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

    /// A limit's refusal, with the scope whose limit it is.
    pub(crate) fn refuses(self, refusal: Refusal) -> Refusal {
        refusal.with("scope", self.name())
    }
}

/// Lots that are, or may come to be, part of a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// At which price; none: not known.
    pub(crate) opened: Option<Price>,
    pub(crate) lots: Lots,
    pub(crate) stop_loss: Option<Price>,
}

impl Part {
    /// So many lots of an order.
    fn of(order: &Order, lots: Lots, quote: Option<&Tick>) -> Self {
        let price = order.stop_limit_price.or(order.price);
        let price = price.or_else(|| Some(touch(order.side, quote?)));
        Self {
            opened: price.filter(|price| price.points() > 0),
            lots,
            stop_loss: order.levels.stop_loss,
        }
    }
}

impl Core {
    /// What is known of an entry, seen from that scope. `margin` is the entry's own.
    pub(crate) fn facts(
        &mut self,
        whose: Whose<'_>,
        entry: &NewOrder,
        quote: &Tick,
        margin: Option<Money>,
        market: &dyn Market,
    ) -> EntryFacts {
        let exposure = self.exposure(whose, entry);
        let account = self.book.account();
        let reserved = self.reserved_margin(market);
        let margin_after = account
            .zip(reserved)
            .zip(margin)
            .map(|((account, reserved), margin)| account.margin + reserved + margin);
        let prices = [entry.price, entry.stop_limit_price];
        let opened = opening(entry, quote);
        let stop = entry.levels.stop_loss;
        EntryFacts {
            symbol: entry.spec.symbol.clone(),
            lots: entry.lots,
            stop: stop.map(|stop| stop_of(&entry.spec, opened, stop, entry.side, entry.lots)),
            price_distance_percent: price_distance(entry.side, prices, quote),
            spread_points: spread(quote),
            exposure,
            equity: account.map(|account| account.equity),
            margin_after,
        }
    }

    /// Margin that a volume needs when it is opened at that price: its worth over the account's
    /// leverage. What a broker asks beyond that, or spares for opposite positions, is not known.
    pub(crate) fn margin_of(&self, spec: &SymbolSpec, price: Price, lots: Lots) -> Option<Money> {
        let account = self.book.account()?;
        let worth = worth(spec, price.with_digits(spec.digits).points(), lots)?;
        (account.leverage > 0).then(|| worth.times(1.0 / f64::from(account.leverage)))
    }

    /// Margin of entries that are not, or not yet, in the account's figures; none when that of any
    /// is not known.
    fn reserved_margin(&self, market: &dyn Market) -> Option<Money> {
        let filled = self.filled_since.iter().filter(|filled| !filled.read);
        let filled = filled.map(|filled| {
            let spec = market.spec(&filled.symbol)?;
            self.margin_of(&spec, filled.price?, filled.lots)
        });
        let open = self.open_entries().map(|order| (order, order.lots_open()));
        let open = open.chain(self.canceled_entries());
        let open = open.map(|(order, lots)| self.margin_of_order(order, lots, market));
        filled.chain(open).sum()
    }

    /// Fills of entries that are in no reported position yet.
    pub(crate) fn unreported_fills(&self) -> impl Iterator<Item = &Filled> {
        let filled = self.filled_since.iter();
        filled.filter(move |filled| !self.is_reported(filled))
    }

    fn is_reported(&self, filled: &Filled) -> bool {
        let position = filled.position;
        position.is_some_and(|id| self.book.reports_deal(id, filled.deal))
    }

    /// On netting the stop loss of what fills last becomes that of the whole position. What that
    /// means where it moves a stop loss away from the market: the entry's for what is held or
    /// ordered on its side, and for the entry those of the orders that may fill after it, as they are
    /// and as changes on their way may set them, and those that such changes may give the position.
    /// `own`: the entry's order, where it works already.
    pub(crate) fn stops_of_whole(
        &self,
        spec: &SymbolSpec,
        side: Side,
        entry: Part,
        own: Option<OrderId>,
        quote: Option<&Tick>,
    ) -> Vec<StopFacts> {
        if self.book.mode() != AccountMode::Netting {
            return Vec::new();
        }
        let others: Vec<&Order> = self.entries_on(&spec.symbol, side, own).collect();
        let known = others.iter().filter_map(|order| order.levels.stop_loss);
        let pending = others.iter().flat_map(|order| self.stops_under_way(order));
        let moved = self.position_stops_under_way(&spec.symbol, side);
        let later = known.chain(pending).chain(moved);
        let later = later.filter(|stop| loosens(side, entry.stop_loss, Some(*stop)));
        let later: Vec<Price> = later.collect();
        let mut whole = self.parts_of_whole(&spec.symbol, side, own, quote);
        // Any stop loss may be farther away than one that is not known.
        let unknown = self.has_unknown_stop(&spec.symbol, side);
        let now = entry.stop_loss.filter(|stop| {
            let mut stops = whole.iter().map(|part| part.stop_loss);
            unknown || stops.any(|held| loosens(side, held, Some(*stop)))
        });
        whole.push(entry);
        let (opened, lots) = united(&whole, spec.digits);
        let stops = now.into_iter().chain(later);
        stops
            .map(|stop| stop_of(spec, opened, stop, side, lots))
            .collect()
    }

    /// What a stop loss that is given to a netting position means for it together with all that may
    /// still fill into it; none on hedging, where nothing does.
    pub(crate) fn stop_of_position(
        &self,
        spec: &SymbolSpec,
        side: Side,
        stop: Price,
        quote: Option<&Tick>,
    ) -> Option<StopFacts> {
        if self.book.mode() != AccountMode::Netting {
            return None;
        }
        let whole = self.parts_of_whole(&spec.symbol, side, None, quote);
        let (opened, lots) = united(&whole, spec.digits);
        Some(stop_of(spec, opened, stop, side, lots))
    }

    /// The open entries of a symbol on that side, but for that order.
    fn entries_on(
        &self,
        symbol: &Symbol,
        side: Side,
        but: Option<OrderId>,
    ) -> impl Iterator<Item = &Order> {
        self.open_entries().filter(move |order| {
            Some(order.id) != but && order.symbol == *symbol && order.side == side
        })
    }

    /// What a netting account holds of a symbol on that side, and what its open entries may add, but
    /// for that order.
    fn parts_of_whole(
        &self,
        symbol: &Symbol,
        side: Side,
        but: Option<OrderId>,
        quote: Option<&Tick>,
    ) -> Vec<Part> {
        let coming = self.entries_on(symbol, side, but);
        let coming = coming.map(|order| Part::of(order, order.lots_open(), quote));
        let mut parts = self.parts_held(symbol, side, quote);
        parts.extend(coming);
        parts
    }

    /// The stop losses that changes of an order may set yet, or have set.
    fn stops_under_way(&self, order: &Order) -> impl Iterator<Item = Price> {
        let levels = order.levels;
        let changes = self.changes.of(Target::Order(order.id));
        changes.filter_map(move |(_, change)| match change.edit {
            ChangeEdit::Terms(terms) => terms.levels.after(levels).stop_loss,
            ChangeEdit::Cancel | ChangeEdit::Levels(_) => None,
        })
    }

    /// The stop losses that changes of a symbol's position on that side may set yet, or have set.
    fn position_stops_under_way(&self, symbol: &Symbol, side: Side) -> impl Iterator<Item = Price> {
        let held = self.book.positions().map(|held| &held.row);
        let held = held.filter(move |row| row.symbol == *symbol && row.side == side);
        let changes = held.flat_map(move |row| self.changes.of(Target::Position(row.id)));
        changes.filter_map(|(_, change)| match change.edit {
            ChangeEdit::Levels(levels) => levels.stop_loss.after(None),
            ChangeEdit::Cancel | ChangeEdit::Terms(_) => None,
        })
    }

    /// What a netting account holds of a symbol on that side, as far as it is told by now, and what
    /// of it is not told yet.
    fn parts_held(&self, symbol: &Symbol, side: Side, quote: Option<&Tick>) -> Vec<Part> {
        let held = self.book.positions().map(|held| &held.row);
        let held = held.filter(|row| row.symbol == *symbol && row.side == side);
        let held = held.map(|row| Part {
            opened: Some(row.open_price),
            lots: row.lots,
            stop_loss: row.levels.stop_loss,
        });
        let filled = self.filled_since.iter();
        let filled = filled.filter(|filled| filled.symbol == *symbol && filled.side == side);
        let filled = filled.map(|filled| Part {
            opened: filled.price,
            lots: if self.is_reported(filled) {
                Lots::ZERO
            } else {
                filled.lots
            },
            stop_loss: filled.stop_loss,
        });
        let canceled = self.canceled_entries();
        let canceled = canceled.filter(|(order, _)| order.symbol == *symbol && order.side == side);
        let canceled = canceled.map(|(order, lots)| Part::of(order, lots, quote));
        held.chain(filled).chain(canceled).collect()
    }

    /// True while rows may lack a fill there whose stop loss is not known any more.
    fn has_unknown_stop(&self, symbol: &Symbol, side: Side) -> bool {
        let mut recalled = self.filled_since.iter().filter(|filled| filled.recalled);
        recalled.any(|filled| filled.symbol == *symbol && filled.side == side)
    }

    fn margin_of_order(&self, order: &Order, lots: Lots, market: &dyn Market) -> Option<Money> {
        let spec = market.spec(&order.symbol)?;
        let touch = || {
            let quote = market.quote(&order.symbol)?;
            Some(touch(order.side, &quote.tick))
        };
        let price = order.stop_limit_price.or(order.price).or_else(touch)?;
        self.margin_of(&spec, price, lots)
    }

    fn open_entries(&self) -> impl Iterator<Item = &Order> {
        self.orders.open().filter(|order| order.is_entry())
    }

    fn exposure(&mut self, whose: Whose<'_>, entry: &NewOrder) -> Exposure {
        let of = match whose {
            Whose::Client(client) => Some(client),
            Whose::Account => None,
        };
        let recent_entries = self.clients.recent_entries(of, self.out.now);
        let mut exposure = Exposure {
            recent_entries,
            ..Exposure::default()
        };
        let mut add = |held: Holding<'_>| exposure.add(&entry.spec.symbol, entry.side, held);
        for position in self.book.positions() {
            if whose.covers(position.client.as_ref()) {
                let row = &position.row;
                add(Holding {
                    symbol: &row.symbol,
                    side: row.side,
                    lots: row.lots,
                    opens: true,
                    unsettled: false,
                });
            }
        }
        for filled in self.unreported_fills() {
            if whose.covers(Some(&filled.client)) {
                let held = filled.position.and_then(|id| self.book.position(id));
                // On netting it may be in what is told as somebody else's until the next reading.
                let counted = held.is_some_and(|held| whose.covers(held.client.as_ref()));
                add(Holding {
                    symbol: &filled.symbol,
                    side: filled.side,
                    lots: filled.lots,
                    opens: !counted,
                    unsettled: false,
                });
            }
        }
        let canceled = self.canceled_entries();
        let canceled = canceled.map(|(order, lots)| (order, lots, false));
        let open = self.open_entries();
        let open = open.map(|order| (order, order.lots_open(), true));
        for (order, lots, unsettled) in canceled.chain(open) {
            if whose.covers(Some(&order.client)) {
                add(Holding {
                    symbol: &order.symbol,
                    side: order.side,
                    lots,
                    opens: true,
                    unsettled,
                });
            }
        }
        exposure
    }

    /// The limits that depend on the quote: the client's, then the account's.
    pub(crate) fn check_quote(
        &self,
        client: &ClientName,
        side: Side,
        prices: [Option<Price>; 2],
        quote: Option<&Quote>,
    ) -> Result<(), Refusal> {
        let fresh = quote.filter(|quote| quote.age_ms <= self.max_quote_age_ms);
        let distance = fresh.and_then(|quote| price_distance(side, prices, &quote.tick));
        let spread = fresh.and_then(|quote| spread(&quote.tick));
        self.check_limits(client, |limits, _| limits.check_quote(distance, spread))
    }

    /// Something that limits judge, with the account's equity: the client's, then the account's.
    pub(crate) fn check_limits(
        &self,
        client: &ClientName,
        check: impl Fn(&Limits, Option<Money>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let equity = self.book.account().map(|account| account.equity);
        let own = self.clients.limits(client);
        let own = own.map(|limits| (Whose::Client(client), limits));
        let account = [(Whose::Account, &self.account_limits)];
        for (whose, limits) in own.into_iter().chain(account) {
            check(limits, equity).map_err(|refusal| whose.refuses(refusal))?;
        }
        Ok(())
    }
}

/// The price at which an order of that side meets the market.
const fn touch(side: Side, quote: &Tick) -> Price {
    match side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    }
}

/// The price at which an entry opens, as far as it can be told.
pub(crate) fn opening(entry: &NewOrder, quote: &Tick) -> Option<Price> {
    let price = entry.stop_limit_price.or(entry.price);
    let price = price.unwrap_or(touch(entry.side, quote));
    (price.points() > 0).then_some(price)
}

/// What a stop loss means for a volume that opens, or was opened, at a price.
pub(crate) fn stop_of(
    spec: &SymbolSpec,
    opened: Option<Price>,
    stop: Price,
    side: Side,
    lots: Lots,
) -> StopFacts {
    let points = |price: Price| price.with_digits(spec.digits).points();
    let distance_points = opened.map(|price| (points(price) - points(stop)) * side.sign());
    // Commission is not known before the deal, and is left out.
    let risk = distance_points.and_then(|points| worth(spec, points, lots));
    StopFacts {
        distance_points,
        risk,
    }
}

/// True when a stop loss moves away from the market, or goes.
pub(crate) fn loosens(side: Side, old: Option<Price>, new: Option<Price>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => {
            let digits = old.digits().max(new.digits());
            let points = |price: Price| price.with_digits(digits).points();
            (points(new) - points(old)) * side.sign() < 0
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// All parts as one: their average price and their lots.
fn united(parts: &[Part], digits: u8) -> (Option<Price>, Lots) {
    let lots = parts.iter().map(|part| part.lots);
    (average(parts, digits), lots.fold(Lots::ZERO, Lots::plus))
}

/// The average price of all parts, to the nearest point; none where that of any is not known.
fn average(parts: &[Part], digits: u8) -> Option<Price> {
    let mut units: i128 = 0;
    let mut points: i128 = 0;
    for part in parts.iter().filter(|part| !part.lots.is_zero()) {
        let lots = i128::from(part.lots.units());
        units += lots;
        points += lots * i128::from(part.opened?.with_digits(digits).points());
    }
    let average = (points + units / 2).checked_div_euclid(units)?;
    let average = i64::try_from(average).ok()?;
    Some(Price::from_points(average, digits))
}

/// What so many points are worth on that volume, in the account currency.
fn worth(spec: &SymbolSpec, points: i64, lots: Lots) -> Option<Money> {
    let ticks = points as f64 / spec.tick_size_points.max(1) as f64;
    let tick_value = spec.tick_value.filter(|value| *value > 0.0)?;
    Money::from_f64(ticks * tick_value * lots.to_f64()).ok()
}

/// How far the farthest of the order's prices is from the quote, in percent; 0 at the market.
fn price_distance(side: Side, prices: [Option<Price>; 2], quote: &Tick) -> Option<f64> {
    let touch = touch(side, quote).points();
    let distances = prices.iter().flatten();
    let farthest = distances.map(|price| (price.points() - touch).abs()).max();
    match farthest {
        None => Some(0.0),
        Some(points) => (touch > 0).then(|| points as f64 / touch as f64 * 100.0),
    }
}

/// None for a quote that is not a market.
fn spread(quote: &Tick) -> Option<i64> {
    let spread = quote.ask.points() - quote.bid.points();
    (quote.bid.points() > 0 && spread >= 0).then_some(spread)
}
