//! Mutating calls: the id first, then what it asks for. Only what is taken binds an id. A new one is
//! a [`Command`], an arm of `take_new`, and the function that it leads to.

use crate::{
    Answer, Asker, Core, Market, NewOrder, Subject,
    flatten::FlattenReport,
    order::Exit,
    outbox::{ChangeAnswer, Job},
    queue::{Urgency, Waiting},
    records::{ChangeOutcome, RequestKey, Target},
};
use mymt5_guard::TradingState;
use mymt5_model::{
    ClientName, Edit, Magic, Moment, OrderId, PositionId, Reason, Refusal, RequestId, Symbol,
    Ticket, TimeInForce, TradeRequest,
};
use std::time::Duration;

/// Who calls, for what, under which id.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who waits for the answer.
    pub asker: Asker,
    /// The client.
    pub client: ClientName,
    /// It may touch what others own.
    pub control: bool,
    /// The client's process; none: it does not say.
    pub session: Option<RequestId>,
    /// The idempotency of this call.
    pub request_id: RequestId,
    /// The RPC, for the record.
    pub method: &'static str,
    /// Digest of the method and the request's content.
    pub content: [u8; 32],
    /// W3C trace id.
    pub trace_id: String,
    /// Unix milliseconds after which nothing may be sent any more.
    pub send_before_ms: i64,
    /// Unix milliseconds after which it must not be taken any more.
    pub not_after_ms: Option<i64>,
    /// What is asked for.
    pub command: Command,
}

impl Call {
    pub(crate) fn key(&self) -> RequestKey {
        RequestKey(self.client.clone(), self.request_id.clone())
    }
}

/// What a mutating call asks for. What could not be understood of it refuses the call, unless its
/// id was bound before.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new order.
    Submit(Result<Box<NewOrder>, Refusal>),
    /// Close a position.
    Close(Result<Exit, Refusal>),
    /// Cancel a working order.
    Cancel(OrderId),
    /// Change a working order.
    ModifyOrder(OrderId, Result<OrderEdit, Refusal>),
    /// Change a position's stop loss and take profit.
    ModifyPosition(PositionId, Result<PositionEdit, Refusal>),
    /// Enter a trading state.
    SetState {
        /// Whose; none: the account's.
        scope: Option<ClientName>,
        /// The state.
        state: TradingState,
        /// Why.
        reason: String,
    },
    /// Halt a scope, and cancel and close everything in it until nothing is left.
    Flatten {
        /// Whose; none: everybody's.
        scope: Option<ClientName>,
        /// Foreign orders and positions too.
        include_foreign: bool,
        /// Why.
        reason: String,
    },
    /// Decide an order whose outcome is unknown.
    Resolve {
        /// The order.
        order: OrderId,
        /// The decision.
        resolution: Resolution,
        /// Why.
        reason: String,
    },
    /// Give a row that is nobody's to a client.
    Adopt {
        /// The new owner.
        client: ClientName,
        /// What.
        what: Adoption,
        /// Why.
        reason: String,
    },
    /// End a closed or frozen state that an operator must have checked.
    Accept {
        /// What is accepted as it is.
        what: Acceptance,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// True for what is sent to the broker at once.
    pub(crate) const fn sends(&self) -> bool {
        matches!(
            self,
            Self::Submit(_)
                | Self::Close(_)
                | Self::Cancel(_)
                | Self::ModifyOrder(..)
                | Self::ModifyPosition(..)
        )
    }

    /// True for what must not wait behind entries: exits, cancellations, `flatten`, and the trading
    /// states: a resume too, so that what one operator decides is done in that order.
    #[must_use]
    pub const fn ends_risk(&self) -> bool {
        match self {
            Self::Close(_) | Self::Cancel(_) | Self::Flatten { .. } | Self::SetState { .. } => true,
            Self::Submit(_)
            | Self::ModifyOrder(..)
            | Self::ModifyPosition(..)
            | Self::Resolve { .. }
            | Self::Adopt { .. }
            | Self::Accept { .. } => false,
        }
    }
}

/// A change of a working order, as the caller gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderEdit {
    /// Order price; none: kept.
    pub price: Option<f64>,
    /// Limit price of a stop-limit order; none: kept.
    pub stop_limit_price: Option<f64>,
    /// Stop loss.
    pub stop_loss: Edit<f64>,
    /// Take profit.
    pub take_profit: Edit<f64>,
    /// Lifetime; none: kept.
    pub time_in_force: Option<TimeInForce>,
}

/// A change of a position's levels, as the caller gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionEdit {
    /// Stop loss.
    pub stop_loss: Edit<f64>,
    /// Take profit.
    pub take_profit: Edit<f64>,
}

/// An operator's decision on an unknown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It never reached the broker.
    NotDone,
    /// It was done, though no deal tells it.
    Done,
    /// Look at the broker again now.
    Reconcile,
}

/// What is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// A position.
    Position(PositionId),
    /// A working order, by the broker's ticket.
    Order(Ticket),
    /// A deal of the past, by the broker's ticket.
    Deal(Ticket),
    /// All deals of the past that wait for it in the client's slot.
    Deals,
}

/// What an operator accepts as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Foreign trades, and rows that no deal explains, in a symbol.
    Symbol(Symbol),
    /// Known deals that the broker's history lacks.
    MissingDeals,
    /// Rows that cannot be understood, by their tickets of now.
    UnreadableRows,
}

impl Core {
    pub(crate) fn call(&mut self, call: Call, market: &dyn Market) {
        let asker = call.asker;
        let taken = match self.requests.find(&call, &self.found) {
            Ok(Some(subject)) => self.replay(&call, subject),
            Ok(None) => self.take_new(&call, market),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = taken {
            self.out.refuse(asker, refusal);
        }
    }

    /// A call that was taken before: the recorded outcome, or a place beside those who wait for it.
    fn replay(&mut self, call: &Call, subject: Subject) -> Result<(), Refusal> {
        let asker = call.asker;
        match (subject, &call.command) {
            (Subject::Order(id), _) => self.wait(id, asker),
            (Subject::Change(target, _, outcome), _) => {
                match self.changes.of_request(&call.key()) {
                    Some(id) if outcome == ChangeOutcome::Pending => {
                        self.wait_for_change(id, asker);
                    }
                    _ => self.report_change(asker, target, outcome),
                }
            }
            (_, Command::Flatten { scope, .. }) => {
                let report = self.flatten_report(scope);
                self.out.answer(asker, Answer::Flatten(report));
            }
            (Subject::TradingState(state), _) => self.out.answer(asker, Answer::State(state)),
            (Subject::Done, Command::Resolve { order, .. }) => self.answer_order(asker, *order),
            (Subject::Done, _) => self.out.answer(asker, Answer::Done),
        }
        Ok(())
    }

    fn take_new(&mut self, call: &Call, market: &dyn Market) -> Result<(), Refusal> {
        if call
            .not_after_ms
            .is_some_and(|after| self.out.now.utc.0 > after)
        {
            return Err(Refusal::new(Reason::NotAfterPassed));
        }
        // Before the first link no symbol is known: that the link is down is all there is to report.
        if call.command.sends() {
            self.check_open(call)?;
        }
        match &call.command {
            Command::Submit(order) => {
                let order = order.as_ref().map_err(Refusal::clone)?;
                self.submit(call, order, market)
            }
            Command::Close(exit) => self.close(call, exit.clone()?, market),
            Command::Cancel(id) => self.cancel(call, *id),
            Command::ModifyOrder(id, edit) => self.modify_order(call, *id, &edit.clone()?, market),
            Command::ModifyPosition(id, edit) => {
                self.modify_position(call, *id, edit.clone()?, market)
            }
            Command::SetState {
                scope,
                state,
                reason,
            } => self.set_state(call, scope.clone(), *state, reason),
            Command::Flatten {
                scope,
                include_foreign,
                reason,
            } => self.flatten(call, scope.clone(), *include_foreign, reason, market),
            Command::Resolve {
                order,
                resolution,
                reason,
            } => self.resolve(call, *order, *resolution, reason),
            Command::Adopt {
                client,
                what,
                reason,
            } => self.adopt(call, client, *what, reason),
            Command::Accept { what, reason } => self.accept(call, what, reason),
        }
    }

    /// What every call needs that sends something, exits included.
    fn check_open(&self, call: &Call) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::new(Reason::Draining).after(Duration::from_secs(2)));
        }
        if call.send_before_ms <= self.out.now.utc.0 {
            return Err(Refusal::new(Reason::DeadlineExpired));
        }
        if !self.link_up {
            return Err(Refusal::new(Reason::LinkDown).after(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// Whether more of a client may wait to be sent: no client's flood keeps another out.
    pub(crate) fn check_room(&self, client: &ClientName, urgency: Urgency) -> Result<(), Refusal> {
        if self.queue.has_room(client, urgency) {
            return Ok(());
        }
        Err(Refusal::new(Reason::QueueFull).after(Duration::from_secs(1)))
    }

    /// True for what a caller may touch: its own, and with `control` everybody's.
    pub(crate) fn may_touch(call: &Call, owner: Option<&ClientName>) -> bool {
        call.control || owner == Some(&call.client)
    }

    /// The moment of now: the broker's clock as it was read last.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            utc: Some(self.out.now.utc),
            broker: self.book.as_of(),
        }
    }

    /// The next id of an order of that client, and its magic.
    pub(crate) fn next_id(&mut self, client: &ClientName) -> Result<(OrderId, Magic), Refusal> {
        let slot = self.clients.slot(client);
        let slot = slot.ok_or_else(|| Refusal::new(Reason::PermissionDenied))?;
        let next = self.orders.next(slot, self.out.now.utc);
        next.ok_or_else(|| Refusal::new(Reason::Internal))
    }

    /// A name of the gateway's own for the call that made an order.
    pub(crate) fn own_request_id(prefix: &str, id: u64) -> Result<RequestId, Refusal> {
        RequestId::parse(&format!("{prefix}-{id}")).map_err(|_| Refusal::new(Reason::Internal))
    }

    pub(crate) fn wait(&mut self, id: OrderId, asker: Asker) {
        self.waiting.entry(id).or_default().push(asker);
    }

    /// Queues an order to be sent.
    pub(crate) fn enqueue(
        &mut self,
        id: OrderId,
        client: ClientName,
        urgency: Urgency,
        request: TradeRequest,
        (before_ms, trace_id): (i64, String),
    ) {
        let job = Job::Order(id);
        let waiting = Waiting::new(job, client, urgency, request, before_ms, trace_id);
        self.queue.push(waiting);
    }

    /// Answers with a change and its target as they stand.
    pub(crate) fn report_change(&mut self, asker: Asker, target: Target, outcome: ChangeOutcome) {
        let order = target.order().and_then(|id| self.orders.get(id)).cloned();
        let position = target.position().and_then(|id| self.book.position(id));
        let answer = ChangeAnswer {
            outcome,
            order,
            position: position.cloned(),
        };
        self.out.answer(asker, Answer::Change(Box::new(answer)));
    }

    pub(crate) fn flatten_answer(&mut self, asker: Asker, report: FlattenReport) {
        self.out.answer(asker, Answer::Flatten(report));
    }
}
