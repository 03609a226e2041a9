//! Deals: the only proof of a fill, counted once by their ticket.

use super::{
    core::Core,
    events::{Audience, Event},
};
use crate::{
    book::Owner,
    records::{OwnedDeal, Record},
};
use mymt5_model::{ClientName, DealKind, DealRow, Levels, OrderId, OrderState};
use std::sync::Arc;

impl Core {
    /// A deal, seen for the first time or again.
    pub fn on_deal(&mut self, deal: DealRow) {
        if self.deals.contains_key(&deal.ticket) {
            return;
        }
        self.jump(deal.magic);
        if !matches!(deal.kind, DealKind::Trade(_)) {
            let balance = self
                .book
                .account()
                .map_or(deal.profit, |account| account.balance);
            self.keep(&deal, None, None, String::new());
            return self.announce(Event::Balance(deal, balance));
        }
        let order = self.order_of(&deal);
        let known = order.and_then(|id| self.orders.get(&id));
        let correlation = known.map_or_else(String::new, |order| order.correlation.clone());
        let levels = known.map_or_else(Levels::default, |order| order.levels);
        // Whose the symbol was before: a close by hand may leave nothing there.
        let owned = deal
            .symbol
            .as_ref()
            .is_some_and(|symbol| self.owns_in(symbol));
        let foreign = self.is_foreign(&deal, order);
        self.tell_deal(&deal, order, &correlation);
        let mut book = std::mem::take(&mut self.book);
        let change = book.apply(&deal, levels, |magic| self.owner(magic));
        self.book = book;
        if let Some(change) = change {
            self.tell_position(change, &correlation);
        }
        if let Some(id) = order {
            self.fill(id, &deal);
        }
        if foreign {
            let description = format!("deal {} of {} lots", deal.ticket, deal.lots);
            // What is in a slot of ours closes entries until it is adopted, and needs no more.
            let freezes = owned && !self.is_stray(deal.magic);
            self.on_foreign(deal.symbol, description, freezes);
        }
    }

    fn keep(
        &mut self,
        deal: &DealRow,
        order: Option<OrderId>,
        client: Option<ClientName>,
        tag: String,
    ) {
        let owned = Arc::new(OwnedDeal {
            deal: deal.clone(),
            order,
            client,
            tag,
        });
        self.deals.insert(deal.ticket, owned.clone());
        self.count_deal(&owned);
        self.records.push(Record::Deal(owned));
    }

    fn order_of(&self, deal: &DealRow) -> Option<OrderId> {
        let by_ticket = deal.order.and_then(|ticket| self.by_ticket.get(&ticket));
        // A stop loss or take profit carries its position's magic, yet is no fill of its order.
        let ours = deal.reason == mymt5_model::DealReason::Expert;
        by_ticket
            .or_else(|| self.by_magic.get(&deal.magic).filter(|_| ours))
            .copied()
    }

    /// Tells a deal to its owner.
    fn tell_deal(&mut self, deal: &DealRow, order: Option<OrderId>, correlation: &str) {
        let position = deal.position_id.and_then(|id| self.book.position(id));
        let (client, tag) = match (order.and_then(|id| self.orders.get(&id)), position) {
            (Some(order), _) => (Some(order.client.clone()), order.tag.clone()),
            (None, Some(position)) => (position.client.clone(), position.tag.clone()),
            (None, None) => self.owner_of_past(deal),
        };
        self.keep(deal, order, client.clone(), tag.clone());
        let audience = client.map_or(Audience::Control, Audience::Client);
        let event = Event::Deal {
            deal: deal.clone(),
            order,
            tag,
        };
        self.tell(correlation, audience, event);
    }

    /// Whose a deal is whose position is gone: the owner of that position's earlier deals.
    fn owner_of_past(&self, deal: &DealRow) -> Owner {
        let earlier = self
            .deals
            .values()
            .rev()
            .filter(|_| deal.position_id.is_some());
        let mut earlier = earlier.filter(|past| past.deal.position_id == deal.position_id);
        earlier.next().map_or_else(
            || self.owner(deal.magic),
            |past| (past.client.clone(), past.tag.clone()),
        )
    }

    fn fill(&mut self, id: OrderId, deal: &DealRow) {
        self.fills += 1;
        self.unread.insert(id);
        if let Some(ticket) = deal.order {
            self.by_ticket.insert(ticket, id);
        }
        let Some(order) = self.order_mut(id) else {
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
        } else if order.state == OrderState::Canceled {
            OrderState::Canceled
        } else {
            OrderState::PartiallyFilled
        };
        if order.state != OrderState::Filled {
            self.change(id, state, |order| order.cancel_pending &= !state.is_final());
        }
    }
}
