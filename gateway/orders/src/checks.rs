//! What a new request must pass before it binds its id.

use super::{
    core::Core,
    exposure::{Scope, price_distance, spread},
    order::{Call, Entry, Order, Purpose},
};
use mymt5_guard::{Action, LimitReached};
use mymt5_model::{
    AccountMode, ClientName, Money, OrderState, Price, Side, Symbol, Tick, TradeMode,
};
use mymt5_model::{Reason, Refusal};
use std::time::Duration;

/// Orders that may wait to be sent; entries leave room for exits.
const MAX_QUEUED: usize = 256;
const MAX_QUEUED_EXITS: usize = 512;

impl Core {
    fn queued(&self) -> usize {
        let waiting = self.open_orders();
        waiting
            .filter(|order| order.state == OrderState::Accepted)
            .count()
    }

    /// What every new request needs, exits included.
    pub(super) fn check_open(&self, call: &Call) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::new(Reason::Draining).after(Duration::from_secs(2)));
        }
        if call.send_before_ms <= self.now.0 {
            return Err(Refusal::new(Reason::DeadlineExpired));
        }
        if !self.link_up || self.book.account().is_none() {
            return Err(Refusal::new(Reason::LinkDown).after(Duration::from_secs(1)));
        }
        if self.queued() >= MAX_QUEUED_EXITS {
            return Err(Refusal::new(Reason::QueueFull).after(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// What an entry needs besides: state, ownership, a quote on the right side, limits. Tells the
    /// margin it is reckoned to need, where that is known.
    pub(super) fn check_entry(
        &mut self,
        call: &Call,
        entry: &Entry,
        quote: Option<&Tick>,
    ) -> Result<Option<Money>, Refusal> {
        let symbol = &entry.spec.symbol;
        // A deal is never dropped for lack of room; what opens positions is refused in time, an exit never.
        if self.queued() >= MAX_QUEUED {
            return Err(Refusal::new(Reason::QueueFull).after(Duration::from_secs(1)));
        }
        if self.requests.is_full() || self.deals.len() >= Self::CAPACITY {
            return Err(Refusal::new(Reason::StorageFull));
        }
        self.check_open_now(&call.client, symbol)?;
        if matches!(
            entry.spec.trade_mode,
            TradeMode::Disabled | TradeMode::CloseOnly
        ) {
            return Err(Refusal::new(Reason::MarketClosed));
        }
        if self.is_symbol_shut(symbol, quote) {
            return Err(Refusal::new(Reason::MarketClosed).after(Duration::from_secs(5)));
        }
        let other = |client: &Option<ClientName>| client.as_ref() != Some(&call.client);
        let shared = self
            .book
            .positions()
            .any(|p| p.row.symbol == *symbol && other(&p.client))
            || self
                .open_orders()
                .any(|order| order.symbol == *symbol && order.client != call.client);
        if self.mode() == Some(AccountMode::Netting) && shared {
            return Err(Refusal::new(Reason::SymbolShared));
        }
        let quote = quote
            .ok_or_else(|| Refusal::new(Reason::QuoteMissing).after(Duration::from_secs(1)))?;
        check_levels(entry, quote)?;
        self.check_limits(call, entry, quote)
    }

    /// What may have changed while an order waited. An exit must still be one.
    pub(super) fn check_still(&self, order: &Order, quote: Option<&Tick>) -> Result<(), Refusal> {
        if let Purpose::Exit(position) = order.purpose {
            let held = self.book.position(position);
            let mode = self.mode().unwrap_or(AccountMode::Netting);
            let exits = held.is_some_and(|held| held.row.side != order.side)
                && order.lots <= self.book.closable(position, mode);
            return exits
                .then_some(())
                .ok_or_else(|| Refusal::new(Reason::ExitExceedsPosition));
        }
        self.check_open_now(&order.client, &order.symbol)?;
        self.check_order_quote(order, quote)
    }

    /// What must hold whenever something may open: the account is compared, state, losses, symbol.
    pub(super) fn check_open_now(
        &self,
        client: &ClientName,
        symbol: &Symbol,
    ) -> Result<(), Refusal> {
        if let Some(reason) = self.closed().first() {
            return Err(Refusal::new(*reason).after(Duration::from_secs(5)));
        }
        if !self.state_of(client).allows(Action::Open) {
            return Err(Refusal::new(Reason::TradingStateForbids));
        }
        self.check_losses(client)?;
        if self.frozen().contains(symbol) {
            return Err(Refusal::new(Reason::SymbolFrozen).after(Duration::from_secs(5)));
        }
        Ok(())
    }

    fn check_order_quote(&self, order: &Order, quote: Option<&Tick>) -> Result<(), Refusal> {
        let prices = [order.price, order.stop_limit_price];
        self.check_quote(&order.client, order.side, prices, quote)
    }

    /// The limits that depend on the quote.
    pub(super) fn check_quote(
        &self,
        client: &ClientName,
        side: Side,
        prices: [Option<Price>; 2],
        quote: Option<&Tick>,
    ) -> Result<(), Refusal> {
        let distance = quote.and_then(|quote| price_distance(side, prices, quote));
        let spread = quote.and_then(spread);
        let own = self.rules.get(client).map(|rules| &rules.grant.limits);
        let own = own.map(|limits| (Scope::Client(client), limits));
        let account = [(Scope::Account, &self.account_limits)];
        for (scope, limits) in own.into_iter().chain(account) {
            let checked = limits.check_quote(distance, spread);
            checked.map_err(|limit| limit_refusal(scope, limit))?;
        }
        Ok(())
    }

    /// The client's limits, then the account's.
    fn check_limits(
        &mut self,
        call: &Call,
        entry: &Entry,
        quote: &Tick,
    ) -> Result<Option<Money>, Refusal> {
        let margin = self.margin_of(entry, quote);
        for scope in [Scope::Client(&call.client), Scope::Account] {
            let facts = self.facts(scope, entry, quote, margin);
            let limits = match scope {
                Scope::Client(client) => self.rules.get(client).map(|rules| &rules.grant.limits),
                Scope::Account => Some(&self.account_limits),
            };
            let limits = limits.ok_or_else(|| Refusal::new(Reason::PermissionDenied))?;
            limits
                .check(&facts)
                .map_err(|limit| limit_refusal(scope, limit))?;
        }
        Ok(margin)
    }
}

/// How a limit is told. The one place where a limit gets its reason.
pub(super) fn limit_refusal(scope: Scope<'_>, limit: LimitReached) -> Refusal {
    let (reason, delay) = match limit {
        LimitReached::Symbol => (Reason::LimitSymbol, None),
        LimitReached::LotsPerOrder => (Reason::LimitLotsPerOrder, None),
        LimitReached::LotsPerSymbol => (Reason::LimitLotsPerSymbol, None),
        LimitReached::LotsTotal => (Reason::LimitLotsTotal, None),
        LimitReached::OpenPositions => (Reason::LimitOpenPositions, None),
        LimitReached::OpenOrders => (Reason::LimitOpenOrders, None),
        LimitReached::OrdersPerMinute => (Reason::RateLimited, Some(5)),
        LimitReached::StopLossMissing => (Reason::LimitStopLoss, None),
        LimitReached::StopDistance => (Reason::LimitStopDistance, None),
        LimitReached::PriceCollar => (Reason::LimitPriceCollar, None),
        LimitReached::Spread => (Reason::LimitSpread, Some(1)),
        LimitReached::Margin => (Reason::LimitMargin, None),
        LimitReached::Risk => (Reason::LimitRisk, None),
        LimitReached::DailyLoss => (Reason::LimitDailyLoss, None),
        LimitReached::Drawdown => (Reason::LimitDrawdown, None),
        LimitReached::FactMissing(_) => (Reason::FactMissing, Some(1)),
    };
    let refusal = Refusal::because(reason, limit.to_string()).with("scope", scope.name());
    match delay {
        Some(seconds) => refusal.after(Duration::from_secs(seconds)),
        None => refusal,
    }
}

/// Stop loss below and take profit above what a buy opens at, at least the stops level away from
/// the side that closes it; the other way round for a sell.
fn check_levels(entry: &Entry, quote: &Tick) -> Result<(), Refusal> {
    let sign = entry.side.sign();
    let closing = if entry.side == Side::Buy {
        quote.bid
    } else {
        quote.ask
    };
    let reference = entry.stop_limit_price.or(entry.price).unwrap_or(closing);
    let distances = [
        (
            "stop_loss",
            entry
                .levels
                .stop_loss
                .map(|level| (reference.points() - level.points()) * sign),
        ),
        (
            "take_profit",
            entry
                .levels
                .take_profit
                .map(|level| (level.points() - reference.points()) * sign),
        ),
    ];
    let mut violations = mymt5_model::Violations::default();
    for (field, distance) in distances {
        match distance {
            Some(points) if points <= 0 => violations.add(
                field,
                Reason::StopsWrongSide,
                format!("is on the wrong side of {reference}"),
            ),
            Some(points) if points < entry.spec.stops_level_points => {
                let least = entry.spec.stops_level_points;
                violations.add(
                    field,
                    Reason::StopsTooClose,
                    format!("must be at least {least} points from {reference}"),
                );
            }
            _ => {}
        }
    }
    violations.done()
}
