//! What waits to be sent: protective requests overtake all others, each kind in its order. How
//! many may be under way at a time is the broker's to say.

use mymt5_model::{OrderId, TradeRequest};
use mymt5_orders::{Change, Effect, LevelsKey};
use std::collections::VecDeque;

/// One request for the broker.
#[derive(Debug)]
pub(super) enum Job {
    /// A new order.
    Order(OrderId, TradeRequest),
    /// A change of one that works, and until when it may leave.
    Change(OrderId, Change, TradeRequest, i64),
    /// A change of a position's levels, and until when it may leave.
    Levels(LevelsKey, TradeRequest, i64),
}

/// The waiting requests. The core bounds how many orders wait; an order has one change at a time.
#[derive(Debug)]
pub(super) struct SendQueue {
    /// Exits, then what else protects, then the rest.
    waiting: [VecDeque<Job>; 3],
    lanes: usize,
}

impl SendQueue {
    /// For a broker that takes so many requests at a time.
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            waiting: Default::default(),
            lanes,
        }
    }

    pub(super) fn push(&mut self, effect: Effect) {
        let (class, job) = match effect {
            Effect::Send(id, request, exit) => (if exit { 0 } else { 2 }, Job::Order(id, request)),
            Effect::SendChange(id, change, request, before) => {
                let class = if change == Change::Cancel { 1 } else { 2 };
                (class, Job::Change(id, change, request, before))
            }
            Effect::SendLevels(key, request, protects, before) => (
                if protects { 1 } else { 2 },
                Job::Levels(key, request, before),
            ),
        };
        self.waiting[class].push_back(job);
    }

    /// The next request, when a lane is free; it takes the lane.
    pub(super) fn next(&mut self) -> Option<Job> {
        if self.lanes == 0 {
            return None;
        }
        let job = self.waiting.iter_mut().find_map(VecDeque::pop_front)?;
        self.lanes -= 1;
        Some(job)
    }

    /// A lane is free again.
    pub(super) fn free(&mut self) {
        self.lanes += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Ticket;

    fn send(id: u64, protective: bool) -> Effect {
        let request = TradeRequest::Cancel { order: Ticket(id) };
        Effect::Send(OrderId(id), request, protective)
    }

    fn next(queue: &mut SendQueue) -> Option<u64> {
        match queue.next()? {
            Job::Order(id, _) | Job::Change(id, ..) => Some(id.0),
            Job::Levels(..) => None,
        }
    }

    #[test]
    fn an_exit_overtakes_entries_and_lanes_bound_what_is_under_way() {
        let mut queue = SendQueue::new(1);
        let cancel = TradeRequest::Cancel { order: Ticket(4) };
        let cancel = Effect::SendChange(OrderId(4), Change::Cancel, cancel, 0);
        [send(1, false), send(2, false), cancel, send(3, true)]
            .into_iter()
            .for_each(|effect| queue.push(effect));
        assert_eq!(next(&mut queue), Some(3));
        queue.free();
        assert_eq!(next(&mut queue), Some(4));
        assert_eq!(next(&mut queue), None);
        queue.free();
        assert_eq!(next(&mut queue), Some(1));
        queue.free();
        assert_eq!((next(&mut queue), queue.lanes), (Some(2), 0));
    }
}
