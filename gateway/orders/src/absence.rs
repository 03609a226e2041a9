//! What the absence of rows and deals tells: nothing, before complete passes over long enough lacked
//! them, and while a row that cannot be understood may be one of them.

use crate::{Core, Notice, Order, broker::RowKind, orders::reason, records::Target, rows::Traces};
use mymt5_model::{OrderId, OrderRow, OrderState};

impl Core {
    /// Counts a complete pass for every order that needs evidence and left no trace.
    pub(crate) fn search(&mut self, traces: &Traces) {
        if self.reconciliation.unread().next().is_some() {
            return self.reconciliation.forget_searches();
        }
        let orders = &self.orders;
        self.reconciliation.keep_searches(|id| {
            let order = orders.get(id);
            order.is_some_and(|order| !order.state.is_final())
        });
        let open = self
            .orders
            .open_ids(|order| !traces.waiting.contains(&order.id));
        for id in open {
            let Some(order) = self.orders.get(id) else {
                continue;
            };
            let hidden = self.may_hide(order);
            let acknowledged = order.retcode.is_some() || order.ticket.is_some();
            let traced = traces.orders.contains(&id) || self.holds_position_of(order);
            let listed = order.ticket;
            let listed = listed.is_some_and(|ticket| traces.listed.contains(&ticket));
            match order.state {
                OrderState::Unknown if !traced && !hidden => {
                    if self.reconciliation.absent(id, acknowledged, self.out.now) {
                        self.end_absent(id);
                    }
                }
                OrderState::Working | OrderState::PartiallyFilled if !listed && !hidden => {
                    let why = if traced {
                        reason::DONE_WITHOUT_DEAL
                    } else {
                        reason::NOT_LISTED
                    };
                    self.doubt_absent(id, why);
                }
                OrderState::Sent if order.retcode.is_some() => {
                    self.doubt_absent(id, reason::DONE_WITHOUT_DEAL);
                }
                _ => self.reconciliation.found(id),
            }
        }
    }

    /// True where an unreadable row, accepted as such, is the order's.
    fn may_hide(&self, order: &Order) -> bool {
        let known = &self.reconciliation;
        let hides = |ticket| {
            known.unread.may_hide(RowKind::Order, Some(ticket))
                || known.unread_past.may_hide(RowKind::Order, Some(ticket))
        };
        order.ticket.is_some_and(hides)
    }

    /// Counts a pass that lacks what the broker said. In the end only evidence or an operator
    /// decides.
    fn doubt_absent(&mut self, id: OrderId, why: &'static str) {
        if !self.reconciliation.absent(id, false, self.out.now) {
            return;
        }
        self.reconciliation.found(id);
        self.out.notice(Notice::OrderUnknown {
            order: id,
            why: why.to_owned(),
        });
        self.orders
            .change(id, OrderState::Unknown, &mut self.out, |order| {
                why.clone_into(&mut order.reason);
            });
    }

    /// No trace for long enough: it never was, or it is over.
    fn end_absent(&mut self, id: OrderId) {
        self.reconciliation.found(id);
        let order = self.orders.get(id);
        let worked = order.is_some_and(|order| {
            let pending = order.price.is_some() && order.ticket.is_some();
            pending || !order.filled.is_zero()
        });
        let filled = order.is_some_and(|order| order.filled >= order.lots);
        let ended = if filled {
            OrderState::Filled
        } else if worked {
            OrderState::Canceled
        } else {
            OrderState::Rejected
        };
        self.out.notice(Notice::NotFound { order: id, ended });
        self.orders.change(id, ended, &mut self.out, |order| {
            reason::NOT_FOUND.clone_into(&mut order.reason);
        });
        self.end_changes_of_ended(Target::Order(id));
    }

    /// An end that says more was filled than the known deals tell: they come, or are not to be had.
    pub(crate) fn waits_for_deals(&mut self, id: OrderId, row: &OrderRow) -> bool {
        let filled = row.lots.minus(row.lots_left);
        let order = self.orders.get(id);
        let known = order.filter(|order| !order.state.is_final());
        let Some(known) = known
            .map(|order| order.filled)
            .filter(|lots| *lots < filled)
        else {
            return false;
        };
        let believed = self.reconciliation.absent(id, false, self.out.now);
        if believed {
            self.out.notice(Notice::DealsMissing {
                order: id,
                filled,
                known,
            });
        }
        !believed
    }

    /// A position with an order's magic is evidence while all of its deals are missing. A close
    /// leaves none.
    fn holds_position_of(&self, order: &Order) -> bool {
        let mut held = self.book.positions();
        order.is_entry() && order.filled.is_zero() && held.any(|held| held.row.magic == order.magic)
    }
}
