//! Deals: the only proof of a fill, counted once by their ticket.

use super::{
    core::Core,
    events::{Audience, Event},
};
use mymt5_model::{DealKind, DealRow, Levels, OrderId, OrderState};

impl Core {
    /// A deal, seen for the first time or again.
    pub fn on_deal(&mut self, deal: DealRow) {
        if !self.deals.insert(deal.ticket) {
            return;
        }
        if !matches!(deal.kind, DealKind::Trade(_)) {
            let balance = self
                .book
                .account()
                .map_or(deal.profit, |account| account.balance);
            return self.announce(Event::Balance(deal, balance));
        }
        let order = self.order_of(&deal);
        let correlation = order
            .and_then(|id| self.orders.get(&id))
            .map_or_else(String::new, |o| o.correlation.clone());
        let audience = self.tell_deal(&deal, order, &correlation);
        let levels = order
            .and_then(|id| self.orders.get(&id))
            .map_or_else(Levels::default, |order| order.levels);
        let mut book = std::mem::take(&mut self.book);
        let change = book.apply(&deal, levels, |magic| self.owner(magic));
        self.book = book;
        if let Some(change) = change {
            self.tell_position(change, &correlation);
        }
        match order {
            Some(id) => self.fill(id, &deal),
            None if audience == Audience::Control => {
                self.tell("", Audience::Control, Event::Foreign(deal))
            }
            None => {}
        }
    }

    fn order_of(&self, deal: &DealRow) -> Option<OrderId> {
        let by_ticket = deal.order.and_then(|ticket| self.by_ticket.get(&ticket));
        // A stop loss or take profit carries its position's magic, yet is no fill of its order.
        let ours = deal.reason == mymt5_model::DealReason::Expert;
        by_ticket
            .or_else(|| self.by_magic.get(&deal.magic).filter(|_| ours))
            .copied()
    }

    fn tell_deal(&self, deal: &DealRow, order: Option<OrderId>, correlation: &str) -> Audience {
        let position = deal.position_id.and_then(|id| self.book.position(id));
        let (client, tag) = match (order.and_then(|id| self.orders.get(&id)), position) {
            (Some(order), _) => (Some(order.client.clone()), order.tag.clone()),
            (None, Some(position)) => (position.client.clone(), position.tag.clone()),
            (None, None) => self.owner(deal.magic),
        };
        let audience = client.map_or(Audience::Control, Audience::Client);
        self.tell(
            correlation,
            audience.clone(),
            Event::Deal {
                deal: deal.clone(),
                order,
                tag,
            },
        );
        audience
    }

    fn fill(&mut self, id: OrderId, deal: &DealRow) {
        self.fills += 1;
        self.unread.insert(id);
        if let Some(ticket) = deal.order {
            self.by_ticket.insert(ticket, id);
        }
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.filled = order.filled.plus(deal.lots);
        order.filled_points +=
            i128::from(deal.price.map_or(0, |p| p.points())) * i128::from(deal.lots.units());
        order.position = order.position.or(deal.position_id);
        order.ticket = order.ticket.or(deal.order);
        order.updated.broker = Some(deal.time);
        self.weigh(id);
    }

    /// Decides an order's state by what its deals sum up to.
    pub(super) fn weigh(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        if order.filled.is_zero() {
            return;
        }
        let state = if order.filled >= order.lots {
            OrderState::Filled
        } else if order
            .lots_accepted
            .is_some_and(|accepted| order.filled >= accepted)
            || order.state == OrderState::Canceled
        {
            OrderState::Canceled
        } else {
            OrderState::PartiallyFilled
        };
        if order.state != OrderState::Filled {
            self.change(id, state, |order| order.cancel_pending &= !state.is_final());
        }
    }
}
