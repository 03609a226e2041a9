//! What the broker answered to an order. A receipt is a hint: only deals fill.

use crate::{
    Core, Notice, SendFailure, flatten::Item, order::Purpose, orders::reason, outbox::Job,
};
use mymt5_model::{DealRow, Lots, OrderId, OrderState, Receipt, Retcode, RetcodeClass};

impl Core {
    /// The outcome of a request, maybe long after it was given up.
    pub(crate) fn answered(&mut self, job: Job, outcome: Result<Receipt, SendFailure>, late: bool) {
        self.news += 1;
        if !late {
            self.queue.free();
        }
        match job {
            Job::Order(id) => self.order_answered(id, outcome),
            Job::Change(id) => self.change_answered(id, outcome),
        }
        self.measure();
    }

    fn order_answered(&mut self, id: OrderId, outcome: Result<Receipt, SendFailure>) {
        let Some(order) = self.orders.get(id) else {
            return;
        };
        // A deal or a row may have come first and already show more.
        let settled = !matches!(order.state, OrderState::Sent | OrderState::Unknown);
        let symbol = order.symbol.clone();
        let before = self.in_flight.remove(&id);
        let late = before.is_some_and(|before| before <= self.out.now.elapsed_ms);
        match outcome {
            Ok(receipt) => self.on_receipt(id, receipt),
            Err(_) if settled => {}
            Err(SendFailure::Rejected(retcode)) => {
                if self.closed.learn(&symbol, retcode, self.out.now) {
                    self.out.notice(Notice::AccountMayNotTrade(retcode));
                }
                let passing = retcode.class() == RetcodeClass::PriceMoved;
                self.reject(id, Some(retcode), retcode.text(), passing);
                if retcode.class() == RetcodeClass::StateMoved {
                    self.reconciliation.sync_soon();
                }
            }
            Err(SendFailure::Throttled(retcode)) => {
                self.reject(id, Some(retcode), retcode.text(), true);
            }
            Err(SendFailure::NotSent(why)) => {
                self.out.notice(Notice::NotSent { order: id, why });
                if late {
                    return self.expire_unsent(id);
                }
                self.reject(id, None, reason::NOT_SENT, true);
            }
            Err(SendFailure::Unknown(why)) => self.outcome_unknown(id, why),
        }
    }

    fn outcome_unknown(&mut self, id: OrderId, why: String) {
        let known = self.orders.get(id);
        if known.is_none_or(|order| order.state == OrderState::Unknown) {
            return;
        }
        self.out.notice(Notice::OrderUnknown { order: id, why });
        self.orders
            .change(id, OrderState::Unknown, &mut self.out, |order| {
                reason::OUTCOME_UNKNOWN.clone_into(&mut order.reason);
            });
    }

    fn on_receipt(&mut self, id: OrderId, receipt: Receipt) {
        if let Some(ticket) = receipt.order {
            self.orders.set_ticket(id, ticket);
        }
        let Some(order) = self.orders.edit(id) else {
            return;
        };
        order.retcode = Some(receipt.retcode);
        let works = order.price.is_some() && is_placed(&receipt);
        let flies = matches!(order.state, OrderState::Sent | OrderState::Unknown);
        if order.state.is_final() {
            // What was reported as over was taken after all: the broker's rows show what became of
            // it.
            self.reconciliation.sync_soon();
        }
        if let Some(sent) = receipt.lots_sent {
            self.take_size(id, sent);
        }
        if works && flies {
            self.orders
                .change(id, OrderState::Working, &mut self.out, |_| {});
            self.orders.note_change(id, self.news);
        }
        // The bridge finds it by its ticket, which a terminal may take for an order's.
        let own = |deal: &&DealRow| deal.order.is_some() && deal.order == receipt.order;
        for deal in receipt.deals.iter().filter(own) {
            self.on_early_deal(deal);
        }
        self.report_known_size(id);
        if receipt.retcode == Retcode::DONE_PARTIAL {
            // Only the rows show whether the rest still works.
            self.reconciliation.sync_soon();
        }
    }

    /// How much a close of all was of.
    pub(crate) fn take_size(&mut self, id: OrderId, sent: Lots) {
        let order = self.orders.get(id);
        let of_all = order.is_some_and(|order| order.closes_all);
        if !of_all || sent.is_zero() {
            return;
        }
        let Some(order) = self.orders.edit(id) else {
            return;
        };
        let expected = std::mem::replace(&mut order.lots, sent);
        order.closes_all = false;
        if expected == sent {
            return self.report_known_size(id);
        }
        self.out.notice(Notice::OtherLots {
            order: id,
            sent,
            expected,
        });
        self.report_fills(id);
    }

    pub(crate) fn reject(
        &mut self,
        id: OrderId,
        retcode: Option<Retcode>,
        why: &str,
        retryable: bool,
    ) {
        self.orders
            .change(id, OrderState::Rejected, &mut self.out, |order| {
                order.retcode = retcode;
                why.clone_into(&mut order.reason);
                order.retryable = retryable;
            });
        let purpose = self.orders.get(id).map(|order| order.purpose);
        if let Some(Purpose::Exit(position)) = purpose {
            self.attempts
                .learn(Item::Position(position), why.to_owned());
        }
    }
}

/// True when the broker says that a pending order waits for its price. One that was done at once has
/// deals.
fn is_placed(receipt: &Receipt) -> bool {
    match receipt.retcode {
        Retcode::PLACED => true,
        Retcode::DONE => receipt.order.is_some() && receipt.deals.is_empty(),
        _ => false,
    }
}
