//! Changes of what is there: cancellations, a working order's terms, a position's levels. What is not
//! named is kept by the executor of the change, as it is at that moment.

use crate::{
    Asker, Call, Core, Market, Request, Subject,
    calls::{OrderEdit, PositionEdit},
    changes::{Change, MOST_WAITING, Phase},
    entries::{check_sides, closes_at},
    exposure::{Part, loosens, stop_of},
    market::Quote,
    order::Order,
    outbox::{ChangeId, Job},
    queue::{Urgency, Waiting},
    records::{ChangeEdit, ChangeOutcome, RequestKey, Target},
};
use mymt5_guard::{Action, StopFacts};
use mymt5_model::{
    ClientName, Edit, Levels, LevelsEdit, OrderId, OrderState, PositionId, Price, Reason, Refusal,
    Side, SymbolSpec, TermsEdit, Tick, TradeRequest, Violations,
};
use std::time::Duration;

/// A change about to be taken.
pub(crate) struct NewChange {
    pub(crate) target: Target,
    pub(crate) edit: ChangeEdit,
    pub(crate) client: ClientName,
    /// As what it was judged.
    pub(crate) action: Action,
    pub(crate) trade: TradeRequest,
    pub(crate) trace_id: String,
    /// Must have left by then, on the clock that never goes back.
    pub(crate) before_ms: i64,
}

impl Core {
    /// Takes the cancellation of a working order. One that did not leave yet never leaves.
    pub(crate) fn cancel(&mut self, call: &Call, id: OrderId) -> Result<(), Refusal> {
        let target = Target::Order(id);
        let accepted = self.touched(call, id)?.state == OrderState::Accepted;
        if accepted && self.queue.withdraw(Job::Order(id)) {
            let subject = Subject::Change(target, ChangeEdit::Cancel, ChangeOutcome::Done);
            self.requests.bind(call, subject, &mut self.out);
            self.orders
                .change(id, OrderState::Canceled, &mut self.out, |_| {});
            self.report_change(call.asker, target, ChangeOutcome::Done);
            return Ok(());
        }
        let order = self.touched(call, id)?;
        let (Some(ticket), true) = (order.ticket, order.may_work()) else {
            return Err(not_working(order));
        };
        let symbol = order.symbol.clone();
        self.check_turn(target)?;
        self.check_room(&call.client, Urgency::Protects)?;
        let trade = TradeRequest::Cancel {
            order: ticket,
            symbol,
        };
        self.begin_called(call, target, ChangeEdit::Cancel, Action::Cancel, trade);
        Ok(())
    }

    /// The order that a caller may touch.
    fn touched(&self, call: &Call, id: OrderId) -> Result<&Order, Refusal> {
        let order = self.orders.get(id);
        let order = order.filter(|order| Self::may_touch(call, Some(&order.client)));
        order.ok_or_else(|| Refusal::new(Reason::OrderNotFound))
    }

    fn check_turn(&self, target: Target) -> Result<(), Refusal> {
        if self.changes.waiting(target) >= MOST_WAITING {
            return Err(change_in_flight());
        }
        Ok(())
    }

    /// Takes a change of a working order.
    pub(crate) fn modify_order(
        &mut self,
        call: &Call,
        id: OrderId,
        edit: &OrderEdit,
        market: &dyn Market,
    ) -> Result<(), Refusal> {
        self.sessions
            .check(&call.client, call.session.as_ref(), self.out.now)?;
        self.clients
            .check_id(&call.client, Urgency::Other, self.out.now)?;
        let order = self.touched(call, id)?;
        let (Some(ticket), Some(price), true) = (order.ticket, order.price, order.works()) else {
            return Err(not_working(order));
        };
        let target = Target::Order(id);
        // An order that is being cancelled has no terms worth changing.
        if self.changes.cancels(target) {
            return Err(change_in_flight());
        }
        self.check_turn(target)?;
        self.check_room(&call.client, Urgency::Other)?;
        let symbol = order.symbol.clone();
        let spec = market.spec(&symbol);
        let spec = spec.ok_or_else(|| Refusal::new(Reason::SymbolUnknown))?;
        let terms = terms_of(edit, &spec)?;
        let has_terms = self.has_terms(order, terms);
        let known = Priced {
            price,
            stop_limit_price: order.stop_limit_price,
            levels: order.levels,
        };
        let priced = known.after(terms);
        let forbidden = self.open_refusals(&order.client, &symbol);
        if let Some(first) = forbidden.into_iter().next() {
            return Err(first);
        }
        let quote = market.quote(&symbol);
        self.check_priced(order, priced, &spec, quote.as_ref())?;
        let prices = [Some(priced.price), priced.stop_limit_price];
        self.check_quote(&order.client, order.side, prices, quote.as_ref())?;
        self.check_beside_others(order, known, terms, &spec, quote.as_ref())?;
        let edit = ChangeEdit::Terms(terms);
        self.clients
            .note_id(&call.client, Urgency::Other, self.out.now);
        if has_terms {
            self.already_done(call, target, edit);
            return Ok(());
        }
        let trade = TradeRequest::ModifyOrder {
            order: ticket,
            symbol,
            terms,
        };
        self.begin_called(call, target, edit, Action::Open, trade);
        Ok(())
    }

    /// Levels on their sides, and limits, for a working order with these prices and levels.
    fn check_priced(
        &self,
        order: &Order,
        priced: Priced,
        spec: &SymbolSpec,
        quote: Option<&Quote>,
    ) -> Result<(), Refusal> {
        let opens = priced.opens();
        check_sides(order.side, priced.levels, opens, spec)?;
        let stop_loss = priced.levels.stop_loss;
        let stop = stop_loss.map(|stop| stop_of(spec, Some(opens), stop, order.side, order.lots));
        self.check_action(&order.client, Action::Open, stop)?;
        let entry = Part {
            opened: Some(opens),
            lots: order.lots_open(),
            stop_loss,
        };
        let tick = quote.map(|quote| &*quote.tick);
        for stop in self.stops_of_whole(spec, order.side, entry, Some(order.id), tick) {
            self.check_limits(&order.client, |limits, equity| {
                limits.check_whole(stop, equity)
            })?;
        }
        Ok(())
    }

    /// Each change of an order under way may be done or not, before this one or, where its outcome is
    /// unknown, after it: what both lead to must pass, too. Two at a time suffice: no rule is about
    /// more than two of the values that changes set.
    fn check_beside_others(
        &self,
        order: &Order,
        known: Priced,
        terms: TermsEdit,
        spec: &SymbolSpec,
        quote: Option<&Quote>,
    ) -> Result<(), Refusal> {
        for (_, change) in self.changes.of(Target::Order(order.id)) {
            let ChangeEdit::Terms(other) = change.edit else {
                continue;
            };
            let before = known.after(other).after(terms);
            let after = known.after(terms).after(other);
            for both in [before, after] {
                if self.check_priced(order, both, spec, quote).is_err() {
                    return Err(change_in_flight());
                }
            }
        }
        Ok(())
    }

    /// Takes a change of a position's levels. Without a specification none that loosens the stop
    /// loss, whose risk is not known then; of any other the broker judges the grid and the sides.
    pub(crate) fn modify_position(
        &mut self,
        call: &Call,
        id: PositionId,
        edit: PositionEdit,
        market: &dyn Market,
    ) -> Result<(), Refusal> {
        let held = self.book.position(id);
        let held = held.filter(|held| Self::may_touch(call, held.client.as_ref()));
        let held = held.ok_or_else(|| Refusal::new(Reason::PositionNotFound))?;
        let row = held.row.clone();
        let owner = held.client.clone();
        let spec = market.spec(&row.symbol);
        let spec = spec.as_deref();
        let digits = row.open_price.digits();
        let levels = levels_of(
            edit.stop_loss,
            edit.take_profit,
            |field, value| match spec {
                Some(spec) => price(field, value, spec),
                None => plain_price(field, value, digits),
            },
        )?;
        let target = Target::Position(id);
        let tightens = self.tightens(id, row.side, row.levels.stop_loss, levels.stop_loss);
        if !tightens {
            if spec.is_none() {
                return Err(Refusal::new(Reason::SymbolUnknown));
            }
            self.sessions
                .check(&call.client, call.session.as_ref(), self.out.now)?;
        }
        self.check_turn(target)?;
        let action = if tightens {
            Action::TightenStop
        } else {
            Action::LoosenStop
        };
        let urgency = Urgency::of(action);
        self.check_room(&call.client, urgency)?;
        self.clients.check_id(&call.client, urgency, self.out.now)?;
        let quote = market.quote(&row.symbol);
        let quote = quote.filter(|quote| quote.age_ms <= self.max_quote_age_ms);
        if let Some((quote, spec)) = quote.as_ref().zip(spec) {
            let closing = closes_at(row.side, &quote.tick);
            check_sides(row.side, named(levels), closing, spec)?;
        }
        let new_stop = levels.after(row.levels).stop_loss.zip(spec);
        let stop = new_stop.map(|(stop, spec)| {
            let opened = Some(row.open_price);
            stop_of(spec, opened, stop, row.side, row.lots)
        });
        let owner = owner.as_ref().unwrap_or(&call.client);
        self.check_action(owner, action, stop)?;
        if let Some((stop, spec)) = new_stop.filter(|_| !tightens) {
            let tick = quote.as_ref().map(|quote| &*quote.tick);
            self.check_loosened(owner, row.side, stop, spec, tick)?;
        }
        let busy = self.changes.of(target).next().is_some();
        let edit = ChangeEdit::Levels(levels);
        self.clients.note_id(&call.client, urgency, self.out.now);
        if !busy && self.book.has_levels(id, levels) {
            self.already_done(call, target, edit);
            return Ok(());
        }
        let trade = TradeRequest::ModifyPosition {
            position: row.ticket,
            symbol: row.symbol,
            levels,
        };
        self.begin_called(call, target, edit, action, trade);
        Ok(())
    }

    /// True when a stop loss moves nearer to the market, or stays: seen from the level that is known,
    /// and from each that a change under way may have set by then.
    fn tightens(&self, id: PositionId, side: Side, known: Option<Price>, new: Edit<Price>) -> bool {
        let under_way = self.changes.of(Target::Position(id));
        let pending = under_way.filter_map(|(_, change)| match change.edit {
            ChangeEdit::Levels(levels) => Some(levels.stop_loss.after(known)),
            ChangeEdit::Cancel | ChangeEdit::Terms(_) => None,
        });
        let mut possible = pending.chain([known]);
        possible.all(|old| !loosens(side, old, new.after(old)))
    }

    /// True when a change of levels moves no stop loss away from the market as it is known now: the
    /// tighter one that it was judged beside may have come to nothing.
    pub(crate) fn tightens_now(&self, change: &Change) -> bool {
        let ChangeEdit::Levels(levels) = change.edit else {
            return false;
        };
        let mut beside = self.changes.of(change.target);
        let unknown = beside.any(|(_, beside)| beside.phase.is_unknown());
        let held = change.target.position();
        let held = held.and_then(|id| self.book.position(id));
        held.is_some_and(|held| {
            let stop = held.row.levels.stop_loss;
            !unknown && !loosens(held.row.side, stop, levels.stop_loss.after(stop))
        })
    }

    /// A tighter stop passes every state and limit.
    fn check_action(
        &self,
        client: &ClientName,
        action: Action,
        stop: Option<StopFacts>,
    ) -> Result<(), Refusal> {
        if !self.states.binding(client).allows(action) {
            return Err(Refusal::new(Reason::TradingStateForbids));
        }
        if action == Action::TightenStop {
            return Ok(());
        }
        self.check_limits(client, |limits, equity| limits.check_stop(stop, equity))
    }

    /// On netting what is on its way, or was filled just now, gets a position's looser stop loss, too.
    fn check_loosened(
        &self,
        client: &ClientName,
        side: Side,
        stop: Price,
        spec: &SymbolSpec,
        quote: Option<&Tick>,
    ) -> Result<(), Refusal> {
        if let Some(whole) = self.stop_of_position(spec, side, stop, quote) {
            self.check_limits(client, |limits, equity| limits.check_whole(whole, equity))?;
        }
        Ok(())
    }

    /// True when an order has these terms already, by rows that were read since they were last
    /// changed.
    fn has_terms(&self, order: &Order, terms: TermsEdit) -> bool {
        let busy = self.changes.of(Target::Order(order.id)).next().is_some();
        let listed = self.orders.listed(order.id);
        let read = listed.is_some_and(|at| at.begun >= self.orders.changed(order.id));
        let same = terms.price.is_none_or(|price| order.price == Some(price))
            && terms
                .stop_limit_price
                .is_none_or(|price| order.stop_limit_price == Some(price))
            && terms.levels.after(order.levels) == order.levels
            && terms
                .time_in_force
                .is_none_or(|life| life.is_same_at_broker(order.time_in_force));
        same && read && !busy && !self.reconciliation.is_missed(order.id)
    }

    /// A call asks for what is there already: its id is bound, and nothing is sent.
    fn already_done(&mut self, call: &Call, target: Target, edit: ChangeEdit) {
        let subject = Subject::Change(target, edit, ChangeOutcome::Done);
        self.requests.bind(call, subject, &mut self.out);
        self.report_change(call.asker, target, ChangeOutcome::Done);
    }

    /// Begins a change that a call asked for, and binds the call's id.
    fn begin_called(
        &mut self,
        call: &Call,
        target: Target,
        edit: ChangeEdit,
        action: Action,
        trade: TradeRequest,
    ) {
        let subject = Subject::Change(target, edit, ChangeOutcome::Pending);
        self.requests.bind(call, subject, &mut self.out);
        let new = NewChange {
            target,
            edit,
            client: call.client.clone(),
            action,
            trade,
            trace_id: call.trace_id.clone(),
            before_ms: self.out.now.when(call.send_before_ms),
        };
        let id = self.begin(new, Some(call.key()));
        self.wait_for_change(id, call.asker);
    }

    /// Begins a change; it waits behind others of its target.
    pub(crate) fn begin(&mut self, new: NewChange, request: Option<RequestKey>) -> ChangeId {
        let target = new.target;
        let cancels = new.edit == ChangeEdit::Cancel;
        let behind = self.changes.is_busy(target);
        let id = self.changes.add(Change {
            target,
            edit: new.edit,
            client: new.client,
            request,
            askers: Vec::new(),
            action: new.action,
            trade: Some(new.trade),
            before_ms: new.before_ms,
            trace_id: new.trace_id,
            phase: if behind { Phase::Behind } else { Phase::Queued },
        });
        if !behind {
            self.enqueue_change(id);
        }
        if let Some(order) = target.order().and_then(|id| self.orders.get(id)) {
            let id = order.id;
            let state = order.state;
            self.orders.change(id, state, &mut self.out, |order| {
                order.cancel_pending |= cancels;
            });
        }
        id
    }

    fn enqueue_change(&mut self, id: ChangeId) {
        let change = self.changes.get_mut(id);
        if let Some(change) = change
            && let Some(trade) = change.trade.clone()
        {
            change.phase = Phase::Queued;
            self.queue.push(Waiting::new(
                Job::Change(id),
                change.client.clone(),
                Urgency::of(change.action),
                trade,
                change.before_ms,
                change.trace_id.clone(),
            ));
        }
    }

    /// The change of a target that waited behind others takes its turn.
    pub(crate) fn advance_target(&mut self, target: Target) {
        if let Some(next) = self.changes.next_behind(target) {
            self.enqueue_change(next);
        }
    }

    pub(crate) fn wait_for_change(&mut self, id: ChangeId, asker: Asker) {
        if let Some(change) = self.changes.get_mut(id) {
            change.askers.push(asker);
        }
    }

    /// Answers with a change as it stands.
    pub(crate) fn answer_change(&mut self, asker: Asker, id: ChangeId) {
        if let Some(change) = self.changes.get(id) {
            let target = change.target;
            let outcome = change.outcome();
            self.report_change(asker, target, outcome);
        }
    }

    /// A change that was on its way when the process ended.
    pub(crate) fn resume_change(&mut self, request: Request) {
        let key = request.key();
        let trace_id = request.trace_id;
        let Subject::Change(target, edit, _) = request.subject else {
            return;
        };
        let now = self.out.now.elapsed_ms;
        self.changes.add(Change {
            target,
            edit,
            client: key.0.clone(),
            request: Some(key.clone()),
            askers: Vec::new(),
            // It left already: what it was judged as matters no more.
            action: Action::Cancel,
            trade: None,
            before_ms: now,
            trace_id,
            phase: Phase::Unknown {
                since: now,
                news: 0,
            },
        });
        let unknown = ChangeOutcome::Unknown;
        self.requests
            .settle(&key, target, edit, unknown, &mut self.out);
    }
}

/// The prices and levels of a working order, as they are or may be.
#[derive(Clone, Copy)]
struct Priced {
    price: Price,
    stop_limit_price: Option<Price>,
    levels: Levels,
}

impl Priced {
    /// With these terms.
    fn after(self, terms: TermsEdit) -> Self {
        Self {
            price: terms.price.unwrap_or(self.price),
            stop_limit_price: terms.stop_limit_price.or(self.stop_limit_price),
            levels: terms.levels.after(self.levels),
        }
    }

    /// Where it opens.
    fn opens(self) -> Price {
        self.stop_limit_price.unwrap_or(self.price)
    }
}

fn change_in_flight() -> Refusal {
    Refusal::new(Reason::ChangeInFlight).after(Duration::from_secs(1))
}

fn not_working(order: &Order) -> Refusal {
    let state = format!("{:?}", order.state);
    Refusal::new(Reason::OrderNotWorking).with("state", state)
}

fn price(field: &str, value: f64, spec: &SymbolSpec) -> Result<Price, Refusal> {
    spec.price_of_request(value)
        .map_err(|(reason, text)| Violations::one(field, reason, text))
}

/// A price of a symbol whose grid is not known.
fn plain_price(field: &str, value: f64, digits: u8) -> Result<Price, Refusal> {
    Price::nearest(value, digits)
        .map_err(|error| Violations::one(field, Reason::NumberInvalid, error.to_string()))
}

/// The levels of an edit; `price` reads one of that field.
fn levels_of(
    stop_loss: Edit<f64>,
    take_profit: Edit<f64>,
    price: impl Fn(&str, f64) -> Result<Price, Refusal>,
) -> Result<LevelsEdit, Refusal> {
    let level = |field: &str, edit: Edit<f64>| -> Result<Edit<Price>, Refusal> {
        Ok(match edit {
            Edit::Keep => Edit::Keep,
            Edit::Remove => Edit::Remove,
            Edit::Set(value) => Edit::Set(price(field, value)?),
        })
    };
    Ok(LevelsEdit {
        stop_loss: level("stop_loss", stop_loss)?,
        take_profit: level("take_profit", take_profit)?,
    })
}

fn terms_of(edit: &OrderEdit, spec: &SymbolSpec) -> Result<TermsEdit, Refusal> {
    let of = |field: &str, value: Option<f64>| value.map(|value| price(field, value, spec));
    Ok(TermsEdit {
        price: of("price", edit.price).transpose()?,
        stop_limit_price: of("stop_limit_price", edit.stop_limit_price).transpose()?,
        levels: levels_of(edit.stop_loss, edit.take_profit, |field, value| {
            price(field, value, spec)
        })?,
        time_in_force: edit.time_in_force,
    })
}

/// The levels that an edit names: what is kept was judged when it was set.
const fn named(edit: LevelsEdit) -> Levels {
    const fn set(edit: Edit<Price>) -> Option<Price> {
        match edit {
            Edit::Set(level) => Some(level),
            Edit::Keep | Edit::Remove => None,
        }
    }
    Levels {
        stop_loss: set(edit.stop_loss),
        take_profit: set(edit.take_profit),
    }
}
