//! What became of a send: the four kinds of failure, the receipt, and the broker's rows.

use super::{
    core::{Change, Core},
    operator::NOT_DONE,
    order::Order,
    reconcile::NOT_FOUND,
};
use crate::broker::SendFailure;
use mymt5_model::{OrderId, OrderRow, OrderState, OrderType, Receipt, Retcode, RowState, Tick};

impl Core {
    /// The moment before sending. False: too late, or what allowed it holds no more; the order ended
    /// without leaving.
    pub fn sending(&mut self, id: OrderId, quote: Option<&Tick>) -> bool {
        let Some(order) = self
            .orders
            .get(&id)
            .filter(|order| order.state == OrderState::Accepted)
        else {
            return false;
        };
        if order.send_before_ms > self.now.0 {
            let Err(refusal) = self.check_still(order, quote) else {
                self.note_quote(quote);
                return self.change(id, OrderState::Sent, |_| {});
            };
            self.reject(id, None, refusal.reason().name(), true);
            return false;
        }
        self.expire_unsent(id);
        false
    }

    fn expire_unsent(&mut self, id: OrderId) -> bool {
        self.change(id, OrderState::Expired, |order| {
            "EXPIRED_BEFORE_SEND".clone_into(&mut order.reason)
        })
    }

    /// Ends what waited too long to be sent.
    pub fn expire(&mut self) {
        let now = self.now.0;
        let late =
            |order: &&Order| order.state == OrderState::Accepted && order.send_before_ms <= now;
        let late: Vec<OrderId> = self
            .open_orders()
            .filter(late)
            .map(|order| order.id)
            .collect();
        for id in late {
            self.sending(id, None);
        }
    }

    /// The outcome of a send, maybe long after it was given up. A receipt is a hint: only deals fill.
    pub fn on_sent(&mut self, id: OrderId, outcome: Result<Receipt, SendFailure>) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        // A deal or a row may have come first and already tell more.
        let settled = !matches!(order.state, OrderState::Sent | OrderState::Unknown);
        match outcome {
            Ok(receipt) => self.on_receipt(id, &receipt),
            Err(_) if settled => {}
            Err(SendFailure::Rejected(retcode)) => {
                self.learn_of_refusal(id, retcode);
                self.reject(id, Some(retcode), retcode.text(), is_passing(retcode))
            }
            Err(SendFailure::Throttled(retcode)) => {
                self.reject(id, Some(retcode), retcode.text(), true)
            }
            Err(SendFailure::NotSent(why)) => {
                tracing::warn!(order_id = %id, why, "order not sent");
                let late = order.send_before_ms <= self.now.0;
                if !(late && self.expire_unsent(id)) {
                    self.reject(id, None, "NOT_SENT", true);
                }
            }
            Err(SendFailure::Unknown(_)) if order.state == OrderState::Unknown => {}
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
        let Some(order) = self.order_mut(id) else {
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
        if matches!(state, OrderState::Sent | OrderState::Unknown) && !waits_for_deals {
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

    /// The outcome of a change. Done is definite; anything else leaves the order to its rows.
    pub fn on_change_sent(
        &mut self,
        id: OrderId,
        change: Change,
        outcome: Result<Receipt, SendFailure>,
    ) {
        self.changing.remove(&id);
        let Some(order) = self.orders.get(&id).filter(|order| !order.state.is_final()) else {
            return;
        };
        let state = order.state;
        match (outcome, change) {
            (Ok(_), Change::Cancel) => {
                self.change(id, OrderState::Canceled, |order| {
                    order.cancel_pending = false
                });
            }
            (Ok(_) | Err(SendFailure::Rejected(Retcode::NO_CHANGES)), Change::Modify(terms)) => {
                self.take_terms(id, terms);
            }
            (Err(failure), Change::Modify(terms)) => {
                if matches!(failure, SendFailure::Unknown(_)) {
                    self.unknown_terms.insert(id, (terms, self.now.0));
                }
                self.change(id, state, |order| {
                    order.reason = format!("modification: {failure}");
                });
            }
            (Err(failure), Change::Cancel) => {
                self.change(id, state, |order| {
                    order.cancel_pending = false;
                    order.reason = format!("cancellation: {failure}");
                });
            }
        }
    }

    /// A row of an order of ours, working or ended.
    pub fn on_row(&mut self, row: &OrderRow) {
        let by_ticket = self.by_ticket.get(&row.ticket).copied();
        let Some(id) = by_ticket.or_else(|| self.first_row_of(row)) else {
            return;
        };
        self.by_ticket.insert(row.ticket, id);
        let changing = self.changing.contains_key(&id);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let terms = self.unknown_terms.get(&id);
        if terms.is_some_and(|(terms, _)| terms.are_of(row)) {
            self.unknown_terms.remove(&id);
        }
        let position = order.position.or(row.position_id);
        if (order.ticket, order.position) != (Some(row.ticket), position) {
            (order.ticket, order.position) = (Some(row.ticket), position);
            self.dirty.insert(id);
        }
        // What works on while nothing is on its way was not cancelled.
        let pending = order.cancel_pending && !changing && row.state == RowState::Placed;
        let moved = row.state == RowState::Placed
            && !changing
            && !order.state.is_final()
            && (order.price, order.stop_limit_price, order.levels)
                != (row.price, row.stop_limit_price, row.levels);
        if moved {
            (order.price, order.stop_limit_price) = (row.price, row.stop_limit_price);
        }
        let told = told_by(row, order).or((pending || moved).then_some(order.state));
        let Some(state) = told else { return };
        self.change(id, state, |order| {
            order.levels = row.levels;
            order.cancel_pending &= !state.is_final() && changing;
        });
    }
}

impl Core {
    /// The order whose first row this is. The order of a stop loss or take profit carries its
    /// position's magic, too, and is another.
    fn first_row_of(&self, row: &OrderRow) -> Option<OrderId> {
        let id = *self.by_magic.get(&row.magic)?;
        let order = self.orders.get(&id)?;
        // A stop-limit order that was triggered has become a limit order.
        let triggered = (order.kind, row.kind) == (OrderType::StopLimit, OrderType::Limit);
        let same = (order.side, order.lots) == (row.side, row.lots)
            && (order.kind == row.kind || triggered);
        (order.ticket.is_none() && same).then_some(id)
    }

    /// The order that a row belongs to, or that it came of, as a stop loss does.
    pub(super) fn of_row(&self, row: &OrderRow) -> Option<OrderId> {
        let by_ticket = self.by_ticket.get(&row.ticket);
        by_ticket.or_else(|| self.by_magic.get(&row.magic)).copied()
    }
}

/// True for refusals that may not last: the price moved.
const fn is_passing(retcode: Retcode) -> bool {
    matches!(retcode.class(), mymt5_model::RetcodeClass::PriceMoved)
}

/// The state that a row tells of, where it tells something new. Fills are told by deals only.
fn told_by(row: &OrderRow, order: &Order) -> Option<OrderState> {
    // Absence was believed too early: the order is there after all.
    let late = order.state == OrderState::Rejected
        && [NOT_FOUND, NOT_DONE].contains(&order.reason.as_str());
    let state = match row.state {
        RowState::Placed if order.price.is_some() && order.filled.is_zero() => OrderState::Working,
        RowState::Placed | RowState::Partial | RowState::Filled => return None,
        RowState::Canceled => OrderState::Canceled,
        RowState::Expired => OrderState::Expired,
        RowState::Rejected => OrderState::Rejected,
    };
    (state != order.state && (late || !order.state.is_final())).then_some(state)
}
