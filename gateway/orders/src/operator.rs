//! What an operator decides where evidence does not: unknown orders, and rows of ours at the
//! broker that the journal does not know. Both are bound to the request that asked for them.

use super::{
    core::{Core, Taken},
    events::{Audience, Event},
    order::{Call, Order, Purpose},
    reconcile::Stray,
};
use crate::records::Subject;
use mymt5_model::{
    ClientName, Lots, Moment, OrderId, OrderRow, OrderState, PositionId, RequestId, Ticket,
};
use mymt5_model::{Reason, Refusal};

/// Why an order ended that an operator declared not done.
pub(super) const NOT_DONE: &str = "RESOLVED_NOT_DONE";

/// An operator's decision on an unknown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It never reached the broker.
    NotDone,
    /// Look again at the broker now.
    Reconcile,
}

impl Core {
    /// Decides an unknown order.
    ///
    /// # Errors
    /// `ORDER_NOT_FOUND`, `ORDER_NOT_UNKNOWN`; `IDEMPOTENCY_MISMATCH`.
    pub fn resolve(
        &mut self,
        call: &Call,
        id: OrderId,
        resolution: Resolution,
        why: &str,
    ) -> Result<Taken, Refusal> {
        if let Some(Subject::Order(order)) = self.requests.find(call)? {
            return Ok(Taken {
                order,
                repeated: true,
            });
        }
        let order = self
            .orders
            .get(&id)
            .ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        if order.state != OrderState::Unknown {
            let state = format!("{:?}", order.state);
            return Err(Refusal::new(Reason::OrderNotUnknown).with("state", state));
        }
        self.bind(call, Subject::Order(id));
        tracing::warn!(order_id = %id, ?resolution, why, by = call.client.as_str(), "unknown order resolved");
        match resolution {
            Resolution::Reconcile => self.look_again(),
            Resolution::NotDone => {
                self.change(id, OrderState::Rejected, |order| {
                    NOT_DONE.clone_into(&mut order.reason);
                });
            }
        }
        Ok(Taken {
            order: id,
            repeated: false,
        })
    }

    /// Gives a foreign or unknown position to a client.
    ///
    /// # Errors
    /// `CLIENT_UNKNOWN`, `POSITION_NOT_FOUND` (also when it is owned); `IDEMPOTENCY_MISMATCH`.
    pub fn adopt_position(
        &mut self,
        call: &Call,
        client: &ClientName,
        id: PositionId,
    ) -> Result<(), Refusal> {
        if self.requests.find(call)?.is_some() {
            return Ok(());
        }
        self.check_scope(Some(client))?;
        let foreign = self
            .book
            .position(id)
            .is_some_and(|held| held.client.is_none());
        let adopted = foreign.then(|| self.book.adopt(id, client)).flatten();
        let adopted = adopted.ok_or_else(|| Refusal::new(Reason::PositionNotFound))?;
        self.bind(call, Subject::Done);
        self.reconciliation.strays.remove(&Stray::Position(id));
        tracing::warn!(position_id = %id, client = client.as_str(), by = call.client.as_str(), "position adopted");
        self.tell_position(adopted, &call.correlation);
        Ok(())
    }

    /// Takes a working order of ours that the journal does not know into the books, by the
    /// broker's ticket.
    ///
    /// # Errors
    /// `CLIENT_UNKNOWN`, `ORDER_NOT_FOUND`; `IDEMPOTENCY_MISMATCH`.
    pub fn adopt_order(
        &mut self,
        call: &Call,
        client: &ClientName,
        ticket: Ticket,
    ) -> Result<(), Refusal> {
        if self.requests.find(call)?.is_some() {
            return Ok(());
        }
        self.check_scope(Some(client))?;
        let row = self.reconciliation.stray_orders.get(&ticket).cloned();
        let row = row.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        let order = self.order_of_row(&row, client, call)?;
        self.bind(call, Subject::Done);
        self.reconciliation.strays.remove(&Stray::Order(ticket));
        tracing::warn!(order_id = %order.id, client = client.as_str(), by = call.client.as_str(), "order adopted");
        self.dirty.insert(order.id);
        self.know(order.clone());
        let audience = Audience::Client(client.clone());
        self.tell(&call.correlation, audience, Event::Order(Box::new(order)));
        Ok(())
    }

    fn order_of_row(
        &self,
        row: &OrderRow,
        client: &ClientName,
        call: &Call,
    ) -> Result<Order, Refusal> {
        let request_id = RequestId::parse(&format!("adopted-{}", row.ticket))
            .map_err(|_| Refusal::new(Reason::Internal))?;
        let at = |broker| Moment {
            utc: Some(self.now),
            broker,
        };
        Ok(Order {
            id: self.next_order_id(),
            client: client.clone(),
            request_id,
            purpose: Purpose::Entry,
            symbol: row.symbol.clone(),
            side: row.side,
            kind: row.kind,
            state: OrderState::Working,
            lots: row.lots,
            lots_accepted: None,
            filled: Lots::ZERO,
            filled_points: 0,
            price: row.price,
            stop_limit_price: row.stop_limit_price,
            digits: row.price.map_or(0, |price| price.digits()),
            levels: row.levels,
            time_in_force: row.time_in_force,
            retcode: None,
            reason: "ADOPTED".into(),
            retryable: false,
            cancel_pending: false,
            created: at(Some(row.created)),
            updated: at(None),
            position: row.position_id,
            tag: String::new(),
            magic: row.magic,
            ticket: Some(row.ticket),
            correlation: call.correlation.clone(),
            send_before_ms: 0,
            margin: None,
        })
    }
}
