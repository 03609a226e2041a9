//! How the core changes: every change of an order passes the one table, and leaves a record and an
//! event.

use super::{
    core::{Core, Effect},
    events::{Audience, Event, Recorded},
    order::Order,
    transitions,
};
use crate::{
    book::{Position, PositionChange},
    records::Record,
};
use mymt5_model::{Moment, OrderId, OrderState};
use std::sync::Arc;

impl Core {
    /// What must become durable before anything of it is told or sent.
    pub fn take_records(&mut self) -> Vec<Record> {
        let mut records = std::mem::take(&mut self.records);
        let dirty = std::mem::take(&mut self.dirty);
        let orders = dirty.into_iter().filter_map(|id| self.orders.get(&id));
        records.extend(orders.map(|order| Record::Order(Box::new(order.clone()))));
        records
    }

    /// What is to be done without anybody's call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Something to make durable that changes nothing here.
    pub fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    /// An order about to change in what is no state of it.
    pub(super) fn order_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        let order = self.orders.get_mut(&id)?;
        self.dirty.insert(id);
        Some(order)
    }

    /// Changes an order and tells it; a transition that the table does not list is refused.
    pub(super) fn change(
        &mut self,
        id: OrderId,
        to: OrderState,
        also: impl FnOnce(&mut Order),
    ) -> bool {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return false;
        };
        let from = order.state;
        if from != to && !transitions::may_become(from, to) {
            tracing::error!(order_id = %id, ?from, ?to, "order transition refused");
            return false;
        }
        if transitions::alarms(from, to) {
            metrics::counter!("mymt5_late_evidence_total").increment(1);
            tracing::error!(order_id = %id, ?from, ?to, "late evidence contradicts what was told");
        }
        order.state = to;
        order.updated = Moment {
            utc: Some(now),
            broker: order.updated.broker,
        };
        also(order);
        if transitions::alarms(from, to) {
            "LATE_EVIDENCE".clone_into(&mut order.reason);
        }
        let told = order.clone();
        if to.is_final() {
            self.open.remove(&id);
            self.changing.remove(&id);
            self.unknown_terms.remove(&id);
            self.cancel_pauses.remove(&id);
        } else {
            self.open.insert(id);
        }
        self.dirty.insert(id);
        self.rejected += u64::from(to == OrderState::Rejected && from != to);
        self.tell(
            &told.correlation,
            Audience::Client(told.client.clone()),
            Event::Order(Box::new(told.clone())),
        );
        true
    }

    /// Records an event of the core's own time.
    pub(super) fn tell(&mut self, correlation: &str, audience: Audience, event: Event) {
        self.sequence += 1;
        self.records.push(Record::Event(Arc::new(Recorded {
            sequence: self.sequence,
            at: self.now,
            correlation: correlation.to_owned(),
            audience,
            event,
        })));
    }

    /// Records something that concerns everybody.
    pub fn announce(&mut self, event: Event) {
        self.tell("", Audience::All, event);
    }

    pub(super) fn tell_position(&mut self, change: PositionChange, correlation: &str) {
        let audience = |position: &Position| {
            position
                .client
                .clone()
                .map_or(Audience::Control, Audience::Client)
        };
        match change {
            PositionChange::Changed(position) => {
                self.records
                    .push(Record::Position(Box::new(position.clone())));
                self.tell(correlation, audience(&position), Event::Position(position));
            }
            PositionChange::Closed(position) => {
                self.records.push(Record::PositionClosed(position.row.id));
                let audience = audience(&position);
                self.tell(correlation, audience, Event::PositionClosed(position));
            }
        }
    }
}
