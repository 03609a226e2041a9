//! The moment before a request leaves: what allowed it must still hold.

use crate::{
    ChangeId, Core, Market, Outgoing,
    changes::{Change, Phase},
    order::{Order, Purpose},
    orders::reason,
    outbox::Job,
    queue::Waiting,
    records::{ChangeOutcome, Target},
};
use mymt5_guard::Action;
use mymt5_model::{ClientName, OrderId, OrderState, Reason, Refusal, TradeRequest};

impl Core {
    /// Lets leave what may. True: something changed that must be recorded.
    pub(crate) fn send_ready(&mut self, market: &dyn Market) -> bool {
        let mut changed = false;
        while let Some(waiting) = self.queue.next() {
            changed = true;
            let leaves = match waiting.job {
                Job::Order(id) if self.waits_for_rows(id) => {
                    self.queue.put_off(waiting);
                    continue;
                }
                Job::Order(id) => self.order_leaves(id, &waiting, market),
                Job::Change(id) => self.change_leaves(id, &waiting),
            };
            match leaves {
                Some(request) => self.out.send(Outgoing {
                    job: waiting.job,
                    request,
                    before_ms: waiting.before_ms,
                    trace_id: waiting.trace_id,
                }),
                None => self.queue.free(),
            }
        }
        changed
    }

    /// True for a close that would take more than is sure, together with those that left before it,
    /// while the next row may tell that it does not.
    fn waits_for_rows(&self, id: OrderId) -> bool {
        let Some(order) = self.orders.get(id) else {
            return false;
        };
        let Purpose::Exit(position) = order.purpose else {
            return false;
        };
        let sure = self.book.closable(position);
        let is_short = order.lots.plus(self.orders.left_closing(position)) > sure;
        is_short && self.book.closable_at_most(position) > sure
    }

    /// The order as it must be sent now; none: it ended without leaving.
    fn order_leaves(
        &mut self,
        id: OrderId,
        waiting: &Waiting,
        market: &dyn Market,
    ) -> Option<TradeRequest> {
        let order = self.orders.get(id)?;
        if order.state != OrderState::Accepted {
            return None;
        }
        if waiting.before_ms <= self.out.now.elapsed_ms {
            self.expire_unsent(id);
            return None;
        }
        if let Err(refusal) = self.check_still(order, market) {
            let reason = refusal.reason().name();
            self.reject(id, None, reason, true);
            return None;
        }
        let order = self.orders.get(id)?;
        let request = self.resolved(order, waiting.request.clone());
        let quote = market.quote(&order.symbol);
        self.closed.note_quote(quote.as_ref());
        self.in_flight.insert(id, waiting.before_ms);
        self.orders
            .change(id, OrderState::Sent, &mut self.out, |_| {});
        Some(request)
    }

    /// What may have changed while an order waited. An exit must still be one.
    fn check_still(&self, order: &Order, market: &dyn Market) -> Result<(), Refusal> {
        if let Purpose::Exit(position) = order.purpose {
            let held = self.book.position(position);
            let turned = held.is_none_or(|held| held.row.side == order.side);
            let closable = self.book.closable(position);
            let exceeds = !order.closes_all && order.lots > closable;
            if turned || closable.is_zero() || exceeds {
                return Err(Refusal::new(Reason::ExitExceedsPosition));
            }
            return Ok(());
        }
        let refusals = self.open_refusals(&order.client, &order.symbol);
        if let Some(first) = refusals.into_iter().next() {
            return Err(first);
        }
        let quote = market.quote(&order.symbol);
        let prices = [order.price, order.stop_limit_price];
        self.check_quote(&order.client, order.side, prices, quote.as_ref())
    }

    /// A position's ticket may have changed since the close was taken.
    fn resolved(&self, order: &Order, mut request: TradeRequest) -> TradeRequest {
        let held = match order.purpose {
            Purpose::Exit(position) => self.book.position(position),
            Purpose::Entry => None,
        };
        if let (Some(held), TradeRequest::Close { position, .. }) = (held, &mut request) {
            *position = held.row.ticket;
        }
        request
    }

    /// The change as it must be sent now; none: it ended without leaving.
    fn change_leaves(&mut self, id: ChangeId, waiting: &Waiting) -> Option<TradeRequest> {
        let change = self.changes.get(id)?;
        let target = change.target;
        let holds = self.holds_still(change);
        if waiting.before_ms <= self.out.now.elapsed_ms {
            self.finish_change(id, ChangeOutcome::Expired);
            return None;
        }
        let mut request = waiting.request.clone();
        let lives = match target {
            Target::Order(id) => self.orders.get(id).is_some_and(Order::may_work),
            Target::Position(id) => match (self.book.position(id), &mut request) {
                (Some(held), TradeRequest::ModifyPosition { position, .. }) => {
                    *position = held.row.ticket;
                    true
                }
                (held, _) => held.is_some(),
            },
            Target::Foreign(_) => true,
        };
        if !lives {
            self.finish_change(id, ChangeOutcome::Moot);
            return None;
        }
        if !holds {
            self.finish_change(id, ChangeOutcome::NotSent);
            return None;
        }
        if let Some(change) = self.changes.get_mut(id) {
            change.phase = Phase::InFlight;
        }
        Some(request)
    }

    /// True while what allowed a change when it was taken still holds.
    fn holds_still(&self, change: &Change) -> bool {
        let order = change.target.order().and_then(|id| self.orders.get(id));
        match order.filter(|_| change.action == Action::Open) {
            Some(order) => self.open_refusals(&order.client, &order.symbol).is_empty(),
            None => self.is_permitted(change),
        }
    }

    /// True while the state that binds the owner of a change's target allows it, as every state does
    /// what tightens by now.
    pub(crate) fn is_permitted(&self, change: &Change) -> bool {
        let owner = self.owner_of_target(change.target);
        let state = self.states.binding(owner.unwrap_or(&change.client));
        state.allows(change.action) || self.tightens_now(change)
    }

    fn owner_of_target(&self, target: Target) -> Option<&ClientName> {
        match target {
            Target::Order(id) => self.orders.get(id).map(|order| &order.client),
            Target::Position(id) => self.book.position(id)?.client.as_ref(),
            Target::Foreign(_) => None,
        }
    }

    /// Ends what waited too long to be sent.
    pub(crate) fn expire(&mut self) {
        for job in self.queue.expired(self.out.now) {
            self.expire_job(job);
        }
    }

    /// Ends what waits to be sent: nothing leaves any more. It surely never was, which the next process
    /// could not know.
    pub(crate) fn stop_sending(&mut self) {
        self.draining = true;
        let waiting = self.changes.iter();
        let behind = waiting.filter(|(_, change)| change.phase == Phase::Behind);
        let behind: Vec<ChangeId> = behind.map(|(id, _)| id).collect();
        let unsent = behind.into_iter().map(Job::Change);
        for job in unsent.chain(self.queue.close()) {
            self.expire_job(job);
        }
    }

    fn expire_job(&mut self, job: Job) {
        match job {
            Job::Order(id) => self.expire_unsent(id),
            Job::Change(id) => self.finish_change(id, ChangeOutcome::Expired),
        }
    }

    pub(crate) fn expire_unsent(&mut self, id: OrderId) {
        self.orders
            .change(id, OrderState::Expired, &mut self.out, |order| {
                reason::EXPIRED_BEFORE_SEND.clone_into(&mut order.reason);
            });
    }
}
