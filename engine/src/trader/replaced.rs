//! Orders that a strategy cancelled. A part of one may have been filled before, which is told after the
//! cancellation was: then an entry that was made meanwhile stands beside what that part opened.

use super::next::Next;
use crate::portfolio::{OrderUpdate, Portfolio};
use mymt5_model::RequestId;
use std::collections::VecDeque;

/// So many are remembered: what is told late is told within seconds.
const KEPT: usize = 16;

/// The newest of them.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    orders: VecDeque<RequestId>,
    /// A part of one was told since the newest entry, and stands or is still to be told of as a position.
    filled: bool,
    /// A position of its own was told since the newest cancellation.
    told: bool,
}

impl Replaced {
    /// An entry knows of all that was told before it; and what a cancellation ends is no entry any more.
    pub(super) fn on_next(&mut self, next: &Next, portfolio: &Portfolio) {
        if matches!(next, Next::Open(_) | Next::Cancel(_)) {
            self.filled = false;
        }
        if let Next::Cancel(order_id) = next {
            self.told = false;
            let mut waiting = portfolio.orders();
            let order = waiting.find(|order| order.order_id == *order_id);
            let request_id = order.map(|order| order.request_id.clone());
            self.orders.extend(request_id);
            let beyond = self.orders.len().saturating_sub(KEPT);
            self.orders.drain(..beyond);
        }
    }

    /// True for one of them that is over and was filled in part. Where a position was told before, and
    /// none stands, that part is closed already.
    pub(super) fn on_order(&mut self, order: &OrderUpdate, stands: bool) -> bool {
        let is_told = order.state.is_final() && !order.filled.is_zero();
        let request_id = order.request_id.as_ref().filter(|_| is_told);
        let is_part = request_id.is_some_and(|id| self.orders.contains(id));
        self.filled |= is_part && (stands || !self.told);
        is_part
    }

    /// A position of its own was told; where none stands, no part of a cancelled order does.
    pub(super) const fn on_position(&mut self, stands: bool) {
        self.told = true;
        self.filled &= stands;
    }

    /// True while an entry may stand beside a part of one of them.
    pub(super) const fn is_filled(&self) -> bool {
        self.filled
    }
}
