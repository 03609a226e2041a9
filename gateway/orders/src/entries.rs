//! New orders: what would refuse one, and what taking it leads to.

use crate::{
    BrokerFigures, Call, CheckReport, Core, Market, Subject,
    exposure::{Part, Whose, opening, stop_of},
    market::Quote,
    order::{NewOrder, Order, Origin, Purpose, Traded},
    queue::Urgency,
};
use mymt5_guard::Action;
use mymt5_model::{
    AccountMode, ClientName, Levels, Magic, Money, OrderId, Price, Reason, Refusal, Side, Symbol,
    SymbolSpec, Tick, TradeMode, TradeRequest, Violations,
};
use std::time::Duration;

impl Core {
    /// Takes a new order.
    pub(crate) fn submit(
        &mut self,
        call: &Call,
        new: &NewOrder,
        market: &dyn Market,
    ) -> Result<(), Refusal> {
        self.sessions
            .check(&call.client, call.session.as_ref(), self.out.now)?;
        let refusals = self.refusals(&call.client, new, market);
        if let Some(first) = refusals.into_iter().next() {
            return Err(first);
        }
        let (id, magic) = self.next_id(&call.client)?;
        self.clients.note_entry(&call.client, self.out.now);
        self.clients
            .note_id(&call.client, Urgency::Other, self.out.now);
        self.requests.bind(call, Subject::Order(id), &mut self.out);
        let order = self.new_order(call, (id, magic), new);
        self.orders.add(order, &mut self.out);
        let leaves = (
            self.out.now.when(call.send_before_ms),
            call.trace_id.clone(),
        );
        let request = trade_request(new, magic);
        self.enqueue(id, call.client.clone(), Urgency::Other, request, leaves);
        self.wait(id, call.asker);
        Ok(())
    }

    fn new_order(&self, call: &Call, (id, magic): (OrderId, Magic), new: &NewOrder) -> Order {
        let origin = Origin {
            id,
            magic,
            client: call.client.clone(),
            request_id: call.request_id.clone(),
            trace_id: call.trace_id.clone(),
        };
        let traded = Traded {
            purpose: Purpose::Entry,
            symbol: new.spec.symbol.clone(),
            digits: new.spec.digits,
            side: new.side,
            lots: new.lots,
        };
        Order {
            price: new.price,
            stop_limit_price: new.stop_limit_price,
            levels: new.levels,
            time_in_force: new.time_in_force,
            kind: new.kind,
            tag: new.tag.clone(),
            ..Order::new(origin, traded, self.moment())
        }
    }

    /// What would become of an order, were it submitted now.
    pub(crate) fn check(
        &mut self,
        client: &ClientName,
        new: &NewOrder,
        figures: BrokerFigures,
        market: &dyn Market,
    ) -> CheckReport {
        let mut refusals = Vec::new();
        if self.draining {
            refusals.push(Refusal::new(Reason::Draining));
        }
        refusals.extend(self.refusals(client, new, market));
        let quote = market.quote(&new.spec.symbol);
        let opened = quote.and_then(|quote| opening(new, &quote.tick));
        let margin = opened.and_then(|price| self.margin_of(&new.spec, price, new.lots));
        let stop = new.levels.stop_loss;
        let loss = stop.and_then(|stop| {
            let facts = stop_of(&new.spec, opened, stop, new.side, new.lots);
            facts.risk
        });
        CheckReport {
            refusals,
            margin: figures.margin.or(margin),
            loss_at_stop: figures.loss_at_stop.or(loss),
        }
    }

    /// Every rule that refuses an entry now, in the order in which they are judged.
    fn refusals(
        &mut self,
        client: &ClientName,
        new: &NewOrder,
        market: &dyn Market,
    ) -> Vec<Refusal> {
        let symbol = &new.spec.symbol;
        let quote = market.quote(symbol);
        let mut refusals = Vec::new();
        let mut rule = |refuses: bool, reason: Reason, seconds: u64| {
            if refuses {
                let refusal = Refusal::new(reason);
                refusals.push(match seconds {
                    0 => refusal,
                    seconds => refusal.after(Duration::from_secs(seconds)),
                });
            }
        };
        let full = !self.queue.has_room(client, Urgency::Other);
        rule(full, Reason::QueueFull, 1);
        let opens = may_open(new.spec.trade_mode, new.side);
        rule(!opens, Reason::MarketClosed, 0);
        let closed = self.closed.is_closed(symbol, quote.as_ref());
        rule(closed, Reason::MarketClosed, 5);
        rule(self.is_shared(symbol, client), Reason::SymbolShared, 0);
        let fresh = quote.filter(|quote| quote.age_ms <= self.max_quote_age_ms);
        rule(fresh.is_none(), Reason::QuoteMissing, 1);
        refusals.splice(0..0, self.open_refusals(client, symbol));
        let ids = self.clients.check_id(client, Urgency::Other, self.out.now);
        refusals.extend(ids.err());
        if let Some(quote) = fresh {
            refusals.extend(check_levels(new, &quote.tick).err());
            refusals.extend(self.limit_refusals(client, new, &quote, market));
        }
        refusals
    }

    /// What must hold whenever something may open: the account is compared, state, losses, symbol.
    pub(crate) fn open_refusals(&self, client: &ClientName, symbol: &Symbol) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for reason in self.closed_for(client) {
            refusals.push(Refusal::new(reason).after(Duration::from_secs(5)));
        }
        if !self.states.binding(client).allows(Action::Open) {
            refusals.push(Refusal::new(Reason::TradingStateForbids));
        }
        let now = self.out.now.elapsed_ms;
        let own = Some(client.clone());
        for (scope, whose) in [(&own, Whose::Client(client)), (&None, Whose::Account)] {
            let blocks = self.losses.blocks(scope, now);
            refusals.extend(blocks.map(|refusal| whose.refuses(refusal)));
        }
        if self.is_frozen(symbol) {
            refusals.push(Refusal::new(Reason::SymbolFrozen).after(Duration::from_secs(5)));
        }
        refusals
    }

    /// True where on a netting account another owner holds or orders the symbol.
    fn is_shared(&self, symbol: &Symbol, client: &ClientName) -> bool {
        let mut owners = self.owners();
        let shared = owners.any(|(of, owner)| of == symbol && owner != Some(client));
        shared && self.book.mode() == AccountMode::Netting
    }

    /// Who holds or orders which symbol, or was just filled there.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&Symbol, Option<&ClientName>)> {
        let held = self.book.positions();
        let held = held.map(|held| (&held.row.symbol, held.client.as_ref()));
        let ordered = self.orders.open();
        let ordered = ordered.map(|order| (&order.symbol, Some(&order.client)));
        let filled = self.unreported_fills();
        let filled = filled.map(|filled| (&filled.symbol, Some(&filled.client)));
        let canceled = self.canceled_entries();
        let canceled = canceled.map(|(order, _)| (&order.symbol, Some(&order.client)));
        held.chain(ordered).chain(filled).chain(canceled)
    }

    /// The client's limits, then the account's.
    fn limit_refusals(
        &mut self,
        client: &ClientName,
        new: &NewOrder,
        quote: &Quote,
        market: &dyn Market,
    ) -> Vec<Refusal> {
        let opened = opening(new, &quote.tick);
        let margin: Option<Money> =
            opened.and_then(|price| self.margin_of(&new.spec, price, new.lots));
        let entry = Part {
            opened,
            lots: new.lots,
            stop_loss: new.levels.stop_loss,
        };
        let tick = Some(&*quote.tick);
        let whole = self.stops_of_whole(&new.spec, new.side, entry, None, tick);
        let mut refusals = Vec::new();
        for whose in [Whose::Client(client), Whose::Account] {
            let facts = self.facts(whose, new, &quote.tick, margin, market);
            let limits = match whose {
                Whose::Client(client) => self.clients.limits(client),
                Whose::Account => Some(&self.account_limits),
            };
            match limits {
                Some(limits) => {
                    let mut reached = limits.reached(&facts);
                    let stops = whole.iter().copied();
                    let mut checked = stops.map(|stop| limits.check_whole(stop, facts.equity));
                    // One refusal of a reason tells enough.
                    let beyond = checked.find_map(|checked| {
                        let refusal = checked.err()?;
                        let told = reached.iter().any(|one| one.reason() == refusal.reason());
                        (!told).then_some(refusal)
                    });
                    reached.extend(beyond);
                    let reached = reached.into_iter();
                    refusals.extend(reached.map(|refusal| whose.refuses(refusal)));
                }
                None => refusals.push(Refusal::new(Reason::PermissionDenied)),
            }
        }
        refusals
    }
}

/// True where a symbol's mode lets an order of that side open a position.
const fn may_open(mode: TradeMode, side: Side) -> bool {
    match mode {
        TradeMode::Full => true,
        TradeMode::LongOnly => matches!(side, Side::Buy),
        TradeMode::ShortOnly => matches!(side, Side::Sell),
        TradeMode::CloseOnly | TradeMode::Disabled => false,
    }
}

fn trade_request(new: &NewOrder, magic: Magic) -> TradeRequest {
    let symbol = new.spec.symbol.clone();
    match new.price {
        Some(price) => TradeRequest::Pending {
            symbol,
            side: new.side,
            kind: new.kind,
            lots: new.lots,
            price,
            stop_limit_price: new.stop_limit_price,
            levels: new.levels,
            time_in_force: new.time_in_force,
            magic,
            comment: new.comment.clone(),
        },
        None => TradeRequest::Market {
            symbol,
            side: new.side,
            lots: new.lots,
            levels: new.levels,
            max_deviation_points: new.max_deviation_points,
            magic,
            comment: new.comment.clone(),
        },
    }
}

/// Levels on their sides of what an order opens at, where that is named, or else of the market.
fn check_levels(new: &NewOrder, quote: &Tick) -> Result<(), Refusal> {
    let closing = closes_at(new.side, quote);
    let reference = new.stop_limit_price.or(new.price).unwrap_or(closing);
    check_sides(new.side, new.levels, reference, &new.spec)
}

/// The price at which a position of that side is closed.
pub(crate) const fn closes_at(side: Side, quote: &Tick) -> Price {
    match side {
        Side::Buy => quote.bid,
        Side::Sell => quote.ask,
    }
}

/// Stop loss below and take profit above the reference for a buy, at least the stops level away from
/// it; the other way round for a sell.
pub(crate) fn check_sides(
    side: Side,
    levels: Levels,
    reference: Price,
    spec: &SymbolSpec,
) -> Result<(), Refusal> {
    let beyond = |level: Price| (level.points() - reference.points()) * side.sign();
    let least = (spec.stops_level_points, reference);
    let mut violations = Violations::default();
    let stop_loss = levels.stop_loss.map(|level| -beyond(level));
    check_level(&mut violations, "stop_loss", stop_loss, least);
    let take_profit = levels.take_profit.map(beyond);
    check_level(&mut violations, "take_profit", take_profit, least);
    violations.done()
}

/// A level that far from the price it is measured from, on its right side.
fn check_level(
    violations: &mut Violations,
    field: &str,
    distance: Option<i64>,
    (least, reference): (i64, Price),
) {
    match distance {
        Some(points) if points <= 0 => violations.add(
            field,
            Reason::StopsWrongSide,
            format!("expected a price on the other side of {reference}"),
        ),
        Some(points) if points < least => violations.add(
            field,
            Reason::StopsTooClose,
            format!("expected at least {least} points from {reference}"),
        ),
        _ => {}
    }
}
