//! Changes of what is there: a working order's terms, a position's levels. Both replace everything
//! at the broker, so that what is not named is read from what is known and sent along.

use super::{
    checks::limit_refusal,
    core::{Change, Core, Effect, Taken},
    exposure::{Scope, stop_of},
    order::Call,
};
use crate::{
    broker::SendFailure,
    records::{LevelsOutcome, Record, Subject},
};
use mymt5_guard::{Action, StopFacts};
use mymt5_model::{
    ClientName, Levels, OrderId, OrderRow, OrderState, PositionId, Price, Receipt, RequestId,
    Retcode, Side, Symbol, SymbolSpec, Tick, TimeInForce, TradeRequest,
};
use mymt5_model::{Reason, Refusal, Violations};
use std::{sync::Arc, time::Duration};

/// A change of one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// As it is.
    Keep,
    /// None any more.
    Remove,
    /// A new one, as the caller gave it.
    Set(f64),
}

/// A change of a working order.
#[derive(Clone, Debug)]
pub struct OrderEdit {
    /// Order price as the caller gave it; none: kept.
    pub price: Option<f64>,
    /// Limit price of a stop-limit order; none: kept.
    pub stop_limit_price: Option<f64>,
    /// Stop loss.
    pub stop_loss: Edit,
    /// Take profit.
    pub take_profit: Edit,
    /// Lifetime; none: kept.
    pub time_in_force: Option<TimeInForce>,
}

/// What a working order is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    price: Price,
    stop_limit_price: Option<Price>,
    levels: Levels,
    time_in_force: TimeInForce,
}

impl Terms {
    /// True when the broker's row has them.
    pub(super) fn are_of(&self, row: &OrderRow) -> bool {
        (Some(self.price), self.stop_limit_price, self.levels)
            == (row.price, row.stop_limit_price, row.levels)
    }
}

/// A change of a position's levels on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LevelsKey(pub ClientName, pub RequestId);

/// How a change of levels stands that has no known outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LevelChange {
    /// The position.
    pub(super) position: PositionId,
    /// The trace of the call.
    pub(super) correlation: String,
    /// Since when its outcome is unknown, Unix milliseconds; the end of time before that.
    pub(super) unknown_since: i64,
}

type Quote<'a> = &'a dyn Fn(&Symbol) -> Option<Arc<Tick>>;
type Spec<'a> = &'a dyn Fn(&Symbol) -> Option<Arc<SymbolSpec>>;

impl Edit {
    fn apply(
        self,
        field: &str,
        old: Option<Price>,
        spec: &SymbolSpec,
    ) -> Result<Option<Price>, Refusal> {
        match self {
            Self::Keep => Ok(old),
            Self::Remove => Ok(None),
            Self::Set(value) => price(field, value, spec).map(Some),
        }
    }
}

fn price(field: &str, value: f64, spec: &SymbolSpec) -> Result<Price, Refusal> {
    spec.price_of_request(value)
        .map_err(|(reason, text)| Violations::one(field, reason, text))
}

/// True when a stop loss moves away from the market, or goes.
fn loosens(side: Side, old: Option<Price>, new: Option<Price>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => (new.points() - old.points()) * side.sign() < 0,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

impl Core {
    /// Takes a change of a working order, or finds the order that this call changed before.
    ///
    /// # Errors
    /// Whatever refuses it; nothing is recorded then, and the id stays free.
    pub fn modify_order(
        &mut self,
        call: &Call,
        target: OrderId,
        edit: &OrderEdit,
        spec: Spec<'_>,
        quote: Quote<'_>,
    ) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(taken) = self.known_order(call)? {
            return Ok((taken, Vec::new()));
        }
        self.check_open(call)?;
        let order = self.orders.get(&target);
        let order = order.filter(|order| order.client == call.client);
        let order = order.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        let works = matches!(
            order.state,
            OrderState::Working | OrderState::PartiallyFilled
        );
        let (Some(ticket), Some(old_price), true, false) = (
            order.ticket,
            order.price,
            works,
            self.changing.contains_key(&target),
        ) else {
            let state = format!("{:?}", order.state);
            return Err(Refusal::new(Reason::OrderNotWorking).with("state", state));
        };
        // What is not named would be sent as it was before.
        if self.unknown_terms.contains_key(&target) {
            return Err(Refusal::new(Reason::PendingReconciliation));
        }
        let spec = spec(&order.symbol).ok_or_else(|| Refusal::new(Reason::SymbolUnknown))?;
        let levels = Levels {
            stop_loss: edit
                .stop_loss
                .apply("stop_loss", order.levels.stop_loss, &spec)?,
            take_profit: edit
                .take_profit
                .apply("take_profit", order.levels.take_profit, &spec)?,
        };
        let of = |field, value: Option<f64>, old| {
            value.map_or(Ok(old), |value| price(field, value, &spec).map(Some))
        };
        let terms = Terms {
            price: of("price", edit.price, Some(old_price))?.unwrap_or(old_price),
            stop_limit_price: of(
                "stop_limit_price",
                edit.stop_limit_price,
                order.stop_limit_price,
            )?,
            levels,
            time_in_force: edit.time_in_force.unwrap_or(order.time_in_force),
        };
        let state = order.state;
        let opens = terms.stop_limit_price.unwrap_or(terms.price);
        let stop = |level| stop_of(&spec, Some(opens), level, order.side, order.lots);
        self.check_open_now(&call.client, &order.symbol)?;
        let (prices, quote) = (
            [Some(terms.price), terms.stop_limit_price],
            quote(&order.symbol),
        );
        self.check_quote(&call.client, order.side, prices, quote.as_deref())?;
        self.check_change(call, Action::Open, levels.stop_loss.map(stop))?;
        self.bind(call, Subject::Order(target));
        self.changing.insert(target, Change::Modify(terms));
        self.change(target, state, |_| {});
        let request = TradeRequest::ModifyOrder {
            order: ticket,
            price: terms.price,
            stop_limit_price: terms.stop_limit_price,
            levels,
            time_in_force: terms.time_in_force,
        };
        let taken = Taken {
            order: target,
            repeated: false,
        };
        let change = Change::Modify(terms);
        let effect = Effect::SendChange(target, change, request, call.send_before_ms);
        Ok((taken, vec![effect]))
    }

    pub(super) fn take_terms(&mut self, id: OrderId, terms: Terms) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        self.change(id, order.state, |order| {
            order.price = Some(terms.price);
            order.stop_limit_price = terms.stop_limit_price;
            order.levels = terms.levels;
            order.time_in_force = terms.time_in_force;
            order.reason.clear();
        });
    }

    /// Takes a change of a position's levels, or finds the one that this call asked for before.
    ///
    /// # Errors
    /// As for [`Core::modify_order`].
    pub fn modify_position(
        &mut self,
        call: &Call,
        id: PositionId,
        edits: (Edit, Edit),
        spec: Spec<'_>,
    ) -> Result<(LevelsKey, Vec<Effect>), Refusal> {
        let key = LevelsKey(call.client.clone(), call.request_id.clone());
        if self.requests.find(call)?.is_some() {
            return Ok((key, Vec::new()));
        }
        self.check_open(call)?;
        let held = self.book.position(id);
        let held = held.filter(|held| held.client.as_ref() == Some(&call.client));
        let row = &held
            .ok_or_else(|| Refusal::new(Reason::PositionNotFound))?
            .row;
        let spec = spec(&row.symbol).ok_or_else(|| Refusal::new(Reason::SymbolUnknown))?;
        // What is not named is sent as it was: somebody may have moved it while nothing was seen.
        if !self.reconciliation.fresh {
            return Err(Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(1)));
        }
        let old = row.levels;
        let levels = Levels {
            stop_loss: edits.0.apply("stop_loss", old.stop_loss, &spec)?,
            take_profit: edits.1.apply("take_profit", old.take_profit, &spec)?,
        };
        let tightens = !loosens(row.side, old.stop_loss, levels.stop_loss);
        let (ticket, action) = if tightens {
            (row.ticket, Action::TightenStop)
        } else {
            (row.ticket, Action::LoosenStop)
        };
        if self.level_changes.values().any(|of| of.position == id) {
            return Err(Refusal::new(Reason::PendingReconciliation));
        }
        let stop = |level| stop_of(&spec, Some(row.open_price), level, row.side, row.lots);
        self.check_change(call, action, levels.stop_loss.map(stop))?;
        if levels == old {
            self.bind(call, Subject::Levels(id, levels, LevelsOutcome::Done));
            return Ok((key, Vec::new()));
        }
        self.bind(call, Subject::Levels(id, levels, LevelsOutcome::Pending));
        let change = LevelChange {
            position: id,
            correlation: call.correlation.clone(),
            unknown_since: i64::MAX,
        };
        self.level_changes.insert(key.clone(), change);
        let request = TradeRequest::ModifyPosition {
            position: ticket,
            levels,
        };
        let before = call.send_before_ms;
        let effect = Effect::SendLevels(key.clone(), request, tightens, before);
        Ok((key, vec![effect]))
    }

    /// A tighter stop passes every state and limit.
    fn check_change(
        &self,
        call: &Call,
        action: Action,
        stop: Option<StopFacts>,
    ) -> Result<(), Refusal> {
        if !self.state_of(&call.client).allows(action) {
            return Err(Refusal::new(Reason::TradingStateForbids));
        }
        if action == Action::TightenStop {
            return Ok(());
        }
        let equity = self.book.account().map(|account| account.equity);
        let client = self
            .rules
            .get(&call.client)
            .map(|rules| &rules.grant.limits);
        let client = client.map(|limits| (Scope::Client(&call.client), limits));
        let scopes = client
            .into_iter()
            .chain([(Scope::Account, &self.account_limits)]);
        for (scope, limits) in scopes {
            let checked = limits.check_stop(stop, equity);
            checked.map_err(|limit| limit_refusal(scope, limit))?;
        }
        Ok(())
    }

    /// What became of a change of levels; none: no such change.
    #[must_use]
    pub fn levels_outcome(&self, key: &LevelsKey) -> Option<LevelsOutcome> {
        match self.requests.subject(&key.0, &key.1)? {
            Subject::Levels(_, _, outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The outcome of sending a change of levels. Without an answer the position's rows decide.
    pub fn on_levels_sent(&mut self, key: &LevelsKey, outcome: Result<Receipt, SendFailure>) {
        let outcome = match outcome {
            Ok(_) | Err(SendFailure::Rejected(Retcode::NO_CHANGES)) => LevelsOutcome::Done,
            Err(SendFailure::Rejected(code) | SendFailure::Throttled(code)) => {
                LevelsOutcome::Refused(code.0)
            }
            Err(SendFailure::NotSent(why)) => {
                tracing::warn!(why, "change of levels not sent");
                LevelsOutcome::NotDone
            }
            Err(SendFailure::Unknown(why)) => {
                tracing::error!(why, "outcome of a change of levels unknown");
                LevelsOutcome::Unknown
            }
        };
        self.settle_levels(key, outcome);
    }

    fn settle_levels(&mut self, key: &LevelsKey, outcome: LevelsOutcome) {
        let Some(Subject::Levels(id, levels, known)) = self.requests.subject(&key.0, &key.1) else {
            return;
        };
        // Absence was believed too early: the answer came after all.
        let late = known == LevelsOutcome::NotDone && outcome == LevelsOutcome::Done;
        if !late && !matches!(known, LevelsOutcome::Pending | LevelsOutcome::Unknown) {
            return;
        }
        if outcome != LevelsOutcome::Unknown {
            self.level_changes.remove(key);
        } else if let Some(change) = self.level_changes.get_mut(key) {
            change.unknown_since = change.unknown_since.min(self.now.0);
        }
        let subject = Subject::Levels(id, levels, outcome);
        if self.requests.settle(&key.0, &key.1, subject) {
            let (client, request_id) = (key.0.clone(), key.1.clone());
            self.records
                .push(Record::Outcome(client, request_id, subject));
        }
        if outcome == LevelsOutcome::Done
            && let Some(changed) = self.book.set_levels(id, levels)
        {
            self.tell_position(changed, "");
        }
    }

    /// Rows with the levels of an unknown change tell that it was done; that it was not, only rows
    /// without them after the grace time.
    pub(super) fn weigh_levels(&mut self) {
        let patient = self.now.0 - self.reconciliation.patience.grace_ms;
        self.unknown_terms.retain(|_, (_, since)| *since > patient);
        let changes = self.level_changes.iter();
        let changes: Vec<(LevelsKey, bool)> = changes
            .map(|(key, change)| (key.clone(), change.unknown_since <= patient))
            .collect();
        for (key, over) in changes {
            let Some(Subject::Levels(id, levels, LevelsOutcome::Unknown)) =
                self.requests.subject(&key.0, &key.1)
            else {
                continue;
            };
            let done = self
                .book
                .position(id)
                .is_some_and(|held| held.row.levels == levels);
            let outcome = match (done, over) {
                (true, _) => LevelsOutcome::Done,
                (false, true) => LevelsOutcome::NotDone,
                (false, false) => continue,
            };
            self.settle_levels(&key, outcome);
        }
    }
}
