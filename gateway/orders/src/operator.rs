//! What an operator decides: trading states, flattens, unknown orders, rows that are nobody's, and
//! states that end only once a person has checked. Each is bound to the call that asked for it.

use crate::{
    Acceptance, Adoption, Answer, Audience, Call, Core, Event, Market, Notice, Order, Record,
    Resolution, Subject,
    core::position_of,
    deals::filled_state,
    order::{Origin, Purpose, Traded},
    orders::reason,
    records::Flattening,
    records::Scope,
};
use mymt5_guard::TradingState;
use mymt5_model::{
    ClientName, DealRow, OrderId, OrderRow, OrderState, PositionId, Reason, Refusal, Symbol, Ticket,
};
use std::collections::BTreeMap;

impl Core {
    fn check_scope(&self, scope: &Scope) -> Result<(), Refusal> {
        match scope {
            Some(client) if !self.clients.knows(client) => Err(Refusal::new(Reason::ClientUnknown)),
            _ => Ok(()),
        }
    }

    fn decided(&mut self, call: &Call, what: String, why: &str) {
        self.out.notice(Notice::Decided {
            by: call.client.clone(),
            what,
            reason: why.to_owned(),
        });
    }

    /// Enters a state by an operator's word.
    pub(crate) fn set_state(
        &mut self,
        call: &Call,
        scope: Scope,
        state: TradingState,
        why: &str,
    ) -> Result<(), Refusal> {
        self.check_scope(&scope)?;
        let subject = Subject::TradingState(state);
        self.requests.bind(call, subject, &mut self.out);
        if state == TradingState::Active {
            self.losses.clear(&scope, &mut self.out);
            match &scope {
                Some(client) => self.sessions.rearm(client, self.out.now),
                None => self.accept_everywhere(),
            }
        }
        let by = call.client.as_str();
        self.states.enter(scope, state, why, by, &mut self.out);
        self.cancel_forbidden();
        self.out.answer(call.asker, Answer::State(state));
        Ok(())
    }

    /// An operator lets the whole account trade again: what froze symbols is accepted with it.
    fn accept_everywhere(&mut self) {
        self.foreign.accept(None, &mut self.out);
        self.book.accept(None);
    }

    /// Halts a scope and closes everything in it until nothing is left.
    pub(crate) fn flatten(
        &mut self,
        call: &Call,
        scope: Scope,
        include_foreign: bool,
        why: &str,
        market: &dyn Market,
    ) -> Result<(), Refusal> {
        self.check_scope(&scope)?;
        let subject = Subject::TradingState(TradingState::Halted);
        self.requests.bind(call, subject, &mut self.out);
        let flatten = Flattening { include_foreign };
        let by = call.client.as_str();
        self.states
            .flatten(scope.clone(), flatten, why, by, &mut self.out);
        self.reject_forbidden();
        self.attempts.forget_pauses();
        self.flatten_round(&scope, flatten, market);
        let report = self.flatten_report(&scope);
        self.flatten_answer(call.asker, report);
        Ok(())
    }

    /// Decides an unknown order.
    pub(crate) fn resolve(
        &mut self,
        call: &Call,
        id: OrderId,
        resolution: Resolution,
        why: &str,
    ) -> Result<(), Refusal> {
        let order = self.orders.get(id);
        let order = order.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        if order.state != OrderState::Unknown {
            let state = format!("{:?}", order.state);
            return Err(Refusal::new(Reason::OrderNotUnknown).with("state", state));
        }
        self.requests.bind(call, Subject::Done, &mut self.out);
        self.decided(call, format!("order {id} resolved: {resolution:?}"), why);
        let ended = match resolution {
            Resolution::Reconcile => None,
            Resolution::NotDone => Some((OrderState::Rejected, reason::RESOLVED_NOT_DONE)),
            Resolution::Done => Some((OrderState::Filled, reason::RESOLVED_DONE)),
        };
        match ended {
            None => self.reconciliation.sync_soon(),
            Some((state, why)) => {
                self.orders.change(id, state, &mut self.out, |order| {
                    why.clone_into(&mut order.reason);
                });
                self.end_changes_of_ended(crate::Target::Order(id));
            }
        }
        self.answer_order(call.asker, id);
        Ok(())
    }

    /// Gives a row that is nobody's, or that the journal does not know, to a client.
    pub(crate) fn adopt(
        &mut self,
        call: &Call,
        client: &ClientName,
        what: Adoption,
        why: &str,
    ) -> Result<(), Refusal> {
        self.check_scope(&Some(client.clone()))?;
        match what {
            Adoption::Position(id) => self.adopt_position(call, client, id)?,
            Adoption::Order(ticket) => self.adopt_order(call, client, ticket)?,
            // A deal keeps the owner that its slot says; what it closed is open again.
            Adoption::Deal(ticket) => {
                deal_found(self.reconciliation.adopt_deal(ticket))?;
            }
            Adoption::Deals => deal_found(self.reconciliation.adopt_deals_of(client))?,
        }
        self.requests.bind(call, Subject::Done, &mut self.out);
        self.decided(call, format!("{what:?} adopted for {client}"), why);
        self.out.answer(call.asker, Answer::Done);
        Ok(())
    }

    fn adopt_position(
        &mut self,
        call: &Call,
        client: &ClientName,
        id: PositionId,
    ) -> Result<(), Refusal> {
        let held = self.book.position(id);
        let free = held.is_some_and(|held| held.client.is_none() || held.orphan);
        let adopted = free.then(|| self.book.adopt(id, client)).flatten();
        let adopted = adopted.ok_or_else(|| Refusal::new(Reason::PositionNotFound))?;
        self.emit_position(adopted, &call.trace_id);
        Ok(())
    }

    fn adopt_order(
        &mut self,
        call: &Call,
        client: &ClientName,
        ticket: Ticket,
    ) -> Result<(), Refusal> {
        let row = self.reconciliation.orphan_orders.remove(&ticket);
        let row = row.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        let order = self.order_of_orphan(&row, client, call)?;
        self.orders.add(order, &mut self.out);
        Ok(())
    }

    fn order_of_orphan(
        &self,
        row: &OrderRow,
        client: &ClientName,
        call: &Call,
    ) -> Result<Order, Refusal> {
        let id = self.orders.id_for(row.magic);
        let origin = Origin {
            id,
            magic: row.magic,
            client: client.clone(),
            request_id: Self::own_request_id("adopted", row.ticket.0)?,
            trace_id: call.trace_id.clone(),
        };
        let traded = Traded {
            purpose: Purpose::Entry,
            symbol: row.symbol.clone(),
            digits: row.price.map_or(0, |price| price.digits()),
            side: row.side,
            lots: row.lots,
        };
        let mut order = Order {
            kind: row.kind,
            state: OrderState::Working,
            price: row.price,
            stop_limit_price: row.stop_limit_price,
            levels: row.levels,
            time_in_force: row.time_in_force,
            reason: reason::ADOPTED.to_owned(),
            position: row.position_id,
            ticket: Some(row.ticket),
            ..Order::new(origin, traded, self.moment())
        };
        order.created.broker = Some(row.created);
        for deal in self.fills_of_orphan(row).into_values() {
            order.add_fill(deal);
        }
        order.state = filled_state(&order).unwrap_or(order.state);
        Ok(order)
    }

    /// What is known of an orphan order's fills. The journal may lack the newest, and a row that was
    /// read before a fill does not tell which position that changed: on netting any.
    fn fills_of_orphan(&self, row: &OrderRow) -> BTreeMap<Ticket, &DealRow> {
        let kept = self.found.positions.get(&position_of(row));
        let kept = kept.into_iter().flatten().map(|owned| &owned.deal);
        let deals = kept.chain(self.reconciliation.orphan_fills());
        let own = deals.filter(|deal| deal.order == Some(row.ticket));
        own.map(|deal| (deal.ticket, deal)).collect()
    }

    /// Ends a closed or frozen state that an operator has checked.
    pub(crate) fn accept(
        &mut self,
        call: &Call,
        what: &Acceptance,
        why: &str,
    ) -> Result<(), Refusal> {
        let accepted = match what {
            Acceptance::Symbol(symbol) => self.accept_symbol(symbol),
            Acceptance::UnreadableRows => match self.reconciliation.accept_unread() {
                Some(accepted) => {
                    self.out.record(Record::AcceptedUnreadable(accepted));
                    true
                }
                None => false,
            },
            Acceptance::MissingDeals => match self.reconciliation.accept_missing() {
                Some(archived) => {
                    self.out.record(Record::Archived(archived));
                    true
                }
                None => false,
            },
        };
        if !accepted {
            return Err(Refusal::new(Reason::NothingToAccept));
        }
        self.requests.bind(call, Subject::Done, &mut self.out);
        self.decided(call, format!("{what:?} accepted"), why);
        self.out.answer(call.asker, Answer::Done);
        Ok(())
    }

    fn accept_symbol(&mut self, symbol: &Symbol) -> bool {
        let foreign = self.foreign.accept(Some(symbol), &mut self.out);
        let unexplained = self.book.accept(Some(symbol));
        if foreign {
            let event = Event::Foreign {
                symbol: Some(symbol.clone()),
                description: "accepted by an operator".to_owned(),
                frozen: false,
            };
            self.out.emit("", Audience::Control, event);
        }
        foreign || unexplained
    }
}

fn deal_found(found: bool) -> Result<(), Refusal> {
    if found {
        Ok(())
    } else {
        Err(Refusal::new(Reason::DealNotFound))
    }
}
