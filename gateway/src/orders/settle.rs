//! What became of a send: the four kinds of failure, the receipt, and the broker's rows.

use super::{core::Core, order::Order};
use crate::broker::SendFailure;
use mymt5_model::{OrderId, OrderRow, OrderState, Receipt, Retcode, RowState};

impl Core {
    /// The moment before sending. False: too late, the order ended without leaving.
    pub fn sending(&mut self, id: OrderId) -> bool {
        let Some(order) = self.orders.get(&id) else {
            return false;
        };
        if order.send_before_ms > self.now.0 {
            return self.change(id, OrderState::Sent, |_| {});
        }
        self.change(id, OrderState::Expired, |order| {
            "EXPIRED_BEFORE_SEND".clone_into(&mut order.reason)
        });
        false
    }

    /// The outcome of a send. A receipt is a hint: only deals fill.
    pub fn on_sent(&mut self, id: OrderId, outcome: Result<Receipt, SendFailure>) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        // A deal or a row may have come first and already tell more.
        let settled = order.state != OrderState::Sent;
        match outcome {
            Ok(receipt) => self.on_receipt(id, &receipt),
            Err(_) if settled => {}
            Err(SendFailure::Rejected(retcode)) => {
                self.reject(id, Some(retcode), retcode.text(), is_passing(retcode))
            }
            Err(SendFailure::Throttled(retcode)) => {
                self.reject(id, Some(retcode), retcode.text(), true)
            }
            Err(SendFailure::NotSent(why)) => {
                tracing::warn!(order_id = %id, why, "order not sent");
                self.reject(id, None, "NOT_SENT", true);
            }
            Err(SendFailure::Unknown(why)) => {
                tracing::error!(order_id = %id, why, "outcome of an order unknown");
                self.change(id, OrderState::Unknown, |order| {
                    "OUTCOME_UNKNOWN".clone_into(&mut order.reason)
                });
            }
        }
    }

    fn on_receipt(&mut self, id: OrderId, receipt: &Receipt) {
        if let Some(ticket) = receipt.order {
            self.by_ticket.insert(ticket, id);
        }
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.retcode = Some(receipt.retcode);
        order.ticket = order.ticket.or(receipt.order);
        if receipt.retcode == Retcode::DONE_PARTIAL {
            order.lots_accepted = receipt.lots;
        }
        let (state, waits_for_deals) = (
            order.state,
            receipt.retcode != Retcode::PLACED || order.price.is_none(),
        );
        if state == OrderState::Sent && !waits_for_deals {
            self.change(id, OrderState::Working, |_| {});
        } else {
            self.weigh(id);
        }
    }

    fn reject(&mut self, id: OrderId, retcode: Option<Retcode>, reason: &str, retryable: bool) {
        self.change(id, OrderState::Rejected, |order| {
            order.retcode = retcode;
            reason.clone_into(&mut order.reason);
            order.retryable = retryable;
        });
    }

    /// The outcome of a cancellation. Done is definite; anything else leaves the order to its rows.
    pub fn on_cancel_sent(&mut self, id: OrderId, outcome: Result<Receipt, SendFailure>) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let state = order.state;
        match outcome {
            Ok(_) if !state.is_final() => {
                self.change(id, OrderState::Canceled, |order| {
                    order.cancel_pending = false
                });
            }
            Ok(_) => {}
            Err(failure) => {
                self.change(id, state, |order| {
                    order.cancel_pending = false;
                    order.reason = format!("cancellation: {failure}");
                });
            }
        }
    }

    /// A row of an order of ours, working or ended.
    pub fn on_row(&mut self, row: &OrderRow) {
        let known = self
            .by_ticket
            .get(&row.ticket)
            .or_else(|| self.by_magic.get(&row.magic))
            .copied();
        let Some(id) = known else { return };
        self.by_ticket.insert(row.ticket, id);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.ticket = Some(row.ticket);
        order.position = order.position.or(row.position_id);
        let Some(state) = told_by(row, order) else {
            return;
        };
        self.change(id, state, |order| {
            order.levels = row.levels;
            order.cancel_pending &= !state.is_final();
        });
    }
}

/// True for refusals that may not last: the price moved.
const fn is_passing(retcode: Retcode) -> bool {
    matches!(retcode.class(), mymt5_model::RetcodeClass::PriceMoved)
}

/// The state that a row tells of, where it tells something new. Fills are told by deals only.
fn told_by(row: &OrderRow, order: &Order) -> Option<OrderState> {
    let state = match row.state {
        RowState::Placed if order.price.is_some() && order.filled.is_zero() => OrderState::Working,
        RowState::Placed | RowState::Partial | RowState::Filled => return None,
        RowState::Canceled => OrderState::Canceled,
        RowState::Expired => OrderState::Expired,
        RowState::Rejected => OrderState::Rejected,
    };
    (state != order.state && !order.state.is_final()).then_some(state)
}
