//! What happens without anybody's call, about once a second: clients that fell silent, orders that
//! may not work any more, scopes that are being flattened.

use crate::{
    Answer, Asker, ChangeId, Core, Market, Notice, Order,
    exits::NewExit,
    flatten::{FlattenReport, Item, Leftover, OWN_TIME_MS},
    modify::NewChange,
    orders::reason,
    outbox::Job,
    records::Scope,
    records::{ChangeEdit, ChangeOutcome, Flattening, Target},
    sessions::{DeadManAction, Silence},
    states::GATEWAY,
};
use mymt5_guard::{Action, TradingState};
use mymt5_model::{
    AccountMode, ClientName, Comment, Lots, OrderId, OrderRow, OrderState, PositionId, Reason,
    RequestId, Symbol, TradeRequest,
};

/// Why a silent client is reduced; its next sign of life lifts it.
const DEAD_MAN: &str = "DEAD_MAN";

impl Core {
    pub(crate) fn second(&mut self, market: &dyn Market) {
        self.expire();
        self.closed.lift(market);
        self.watch_clients();
        self.cancel_forbidden();
        self.flatten_rounds(market);
    }

    /// A client's process says that it lives, or that it ends.
    pub(crate) fn heartbeat(
        &mut self,
        asker: Asker,
        client: ClientName,
        session: &RequestId,
        leaving: bool,
    ) {
        let now = self.out.now;
        if let Err(refusal) = self.sessions.beat(&client, session, leaving, now) {
            return self.out.refuse(asker, refusal);
        }
        let scope = Some(client.clone());
        if !leaving && self.states.is_by(&scope, GATEWAY, DEAD_MAN) {
            let active = TradingState::Active;
            self.states
                .enter(scope, active, "HEARTBEAT", GATEWAY, &mut self.out);
        }
        let state = self.states.binding(&client);
        self.out.answer(asker, Answer::State(state));
    }

    /// Acts for every client that is silent now. What another rule's end gave back is taken again.
    pub(crate) fn watch_clients(&mut self) {
        for (client, dead_man) in self.clients.dead_men() {
            let silence = self.sessions.silence(&client, dead_man, self.out.now);
            if silence == Silence::Speaks {
                continue;
            }
            if silence == Silence::Begins {
                self.out.notice(Notice::ClientSilent(client.clone()));
            }
            match dead_man.action {
                DeadManAction::Cancel => {
                    self.cancel_where(|order| order.is_entry() && order.client == client);
                }
                DeadManAction::Reduce => {
                    let scope = Some(client);
                    if self.states.of(&scope) == TradingState::Active {
                        let reducing = TradingState::Reducing;
                        self.states
                            .enter(scope, reducing, DEAD_MAN, GATEWAY, &mut self.out);
                    }
                }
            }
        }
    }

    /// Cancels what could open though its client's state forbids it.
    pub(crate) fn cancel_forbidden(&mut self) {
        self.reject_forbidden();
        let forbidden = self.forbidden();
        self.cancel_all(&forbidden);
    }

    /// Ends what waits to open or to loosen though its client's state forbids it, in the step that
    /// enters the state: what waited longer would leave by a later state that is not durable yet.
    pub(crate) fn reject_forbidden(&mut self) {
        for id in self.forbidden() {
            let waits = self.orders.get(id);
            let waits = waits.is_some_and(|order| order.state == OrderState::Accepted);
            if waits && self.queue.withdraw(Job::Order(id)) {
                let reason = Reason::TradingStateForbids.name();
                self.reject(id, None, reason, true);
            }
        }
        let changes = self.changes.iter();
        let forbidden = changes.filter(|(_, of)| of.phase.waits() && !self.is_permitted(of));
        let forbidden: Vec<ChangeId> = forbidden.map(|(id, _)| id).collect();
        for id in forbidden {
            self.queue.withdraw(Job::Change(id));
            self.finish_change(id, ChangeOutcome::NotSent);
        }
    }

    /// What could open though its client's state forbids it.
    fn forbidden(&self) -> Vec<OrderId> {
        let states = &self.states;
        self.orders.open_ids(|order| {
            order.is_entry() && !states.binding(&order.client).allows(Action::Open)
        })
    }

    fn cancel_where(&mut self, holds: impl Fn(&Order) -> bool) {
        let ids = self.orders.open_ids(holds);
        self.cancel_all(&ids);
    }

    /// Cancels what works of these. What an earlier cancellation left working is tried again after
    /// pauses that grow, and not while the link is down.
    fn cancel_all(&mut self, ids: &[OrderId]) {
        if !self.link_up {
            return;
        }
        for id in ids {
            let item = Item::Order(*id);
            let target = Target::Order(*id);
            let Some(order) = self.orders.get(*id) else {
                continue;
            };
            let works = order.may_work() && !self.changes.cancels(target);
            let (Some(ticket), true) = (order.ticket, works) else {
                continue;
            };
            if !self.is_due(item, &order.symbol) {
                continue;
            }
            let change = NewChange {
                target,
                edit: ChangeEdit::Cancel,
                client: order.client.clone(),
                action: Action::Cancel,
                trade: TradeRequest::Cancel {
                    order: ticket,
                    symbol: order.symbol.clone(),
                },
                trace_id: order.trace_id.clone(),
                before_ms: self.out.now.elapsed_ms + OWN_TIME_MS,
            };
            self.attempts.note(item, self.out.now);
            self.begin(change, None);
        }
    }

    /// True when something may be tried again now.
    fn is_due(&self, item: Item, symbol: &Symbol) -> bool {
        let closed = self.closed.lists(symbol);
        self.attempts.is_due(item, closed, self.out.now)
    }

    /// One round for every scope that is being flattened.
    pub(crate) fn flatten_rounds(&mut self, market: &dyn Market) {
        let orders = &self.orders;
        let book = &self.book;
        let known = &self.reconciliation;
        self.attempts.keep(|item| match item {
            // One that worked on after its end may do so again: its pauses go on growing.
            Item::Order(id) => orders.get(id).is_some_and(|order| {
                !order.state.is_final() || order.reason == reason::LATE_EVIDENCE
            }),
            Item::Position(id) => book.position(id).is_some(),
            Item::Foreign(ticket) => {
                known.foreign_orders.contains_key(&ticket)
                    || known.orphan_orders.contains_key(&ticket)
            }
        });
        let states = &self.states;
        self.attempts
            .keep_told(|scope| states.flatten_of(scope).is_some());
        let flattening = self.states.flattening();
        let scopes: Vec<(Scope, Flattening)> = flattening
            .map(|(scope, flatten)| (scope.clone(), flatten))
            .collect();
        for (scope, flatten) in scopes {
            self.flatten_round(&scope, flatten, market);
            let left = self.flatten_report(&scope).left;
            let seen = self.reconciliation.compared && self.reconciliation.unread.is_empty();
            let over = left.is_empty() && seen && self.link_up;
            let news = !left.is_empty() && self.attempts.is_news(&scope, &left);
            if news || over {
                let audience = crate::Audience::of_scope(&scope);
                let event = crate::Event::Flatten(scope.clone(), left);
                self.out.emit("", audience, event);
            }
            if over {
                self.states.flattened(&scope, &mut self.out);
            }
        }
    }

    /// Cancels and closes what can be now.
    pub(crate) fn flatten_round(
        &mut self,
        scope: &Scope,
        flatten: Flattening,
        market: &dyn Market,
    ) {
        if !self.link_up {
            return;
        }
        let entries = self
            .orders
            .open_ids(|order| order.is_entry() && covers(scope, Some(&order.client)));
        self.cancel_all(&entries);
        for (row, owner) in self.unknown_orders(scope, flatten) {
            self.cancel_row(row, owner);
        }
        let held = self.book.positions();
        let held = held.filter(|held| included(scope, flatten, held.client.as_ref()));
        let ids: Vec<PositionId> = held.map(|held| held.row.id).collect();
        for id in ids {
            self.close_for_flatten(id, market);
        }
    }

    /// Working orders that the journal does not know and that a flatten of the scope cancels, each with
    /// whose it is: those in the slots of its clients, and foreign ones where they are included.
    fn unknown_orders(&self, scope: &Scope, flatten: Flattening) -> Vec<(OrderRow, ClientName)> {
        let of_magic = |row: &OrderRow| self.clients.of_magic(row.magic);
        let orphans = self.reconciliation.orphan_orders.values();
        let orphans = orphans.filter(|row| covers(scope, of_magic(row)));
        let foreign = self.reconciliation.foreign_orders.values();
        let foreign = foreign.filter(|_| included(scope, flatten, None));
        let rows = orphans.chain(foreign);
        let owned = rows.map(|row| {
            let owner = of_magic(row).cloned();
            (row.clone(), owner.unwrap_or_else(ClientName::local))
        });
        owned.collect()
    }

    fn cancel_row(&mut self, row: OrderRow, client: ClientName) {
        let item = Item::Foreign(row.ticket);
        let target = Target::Foreign(row.ticket);
        let under_way = self.changes.of(target).next().is_some();
        if under_way || !self.is_due(item, &row.symbol) {
            return;
        }
        let change = NewChange {
            target,
            edit: ChangeEdit::Cancel,
            client,
            action: Action::Cancel,
            trade: TradeRequest::Cancel {
                order: row.ticket,
                symbol: row.symbol,
            },
            trace_id: String::new(),
            before_ms: self.out.now.elapsed_ms + OWN_TIME_MS,
        };
        self.attempts.note(item, self.out.now);
        self.begin(change, None);
    }

    /// Closes what is left of a position, in parts where it is more than one order may have.
    fn close_for_flatten(&mut self, id: PositionId, market: &dyn Market) {
        let item = Item::Position(id);
        let left = self.left_to_close(id);
        let Some(held) = self.book.position(id).cloned() else {
            return;
        };
        if left.is_zero() || !self.is_due(item, &held.row.symbol) {
            return;
        }
        self.attempts.note(item, self.out.now);
        let most = market.spec(&held.row.symbol).map(|spec| spec.volume.max);
        let most = most.filter(|most| left > *most);
        let mut rest = left;
        while !rest.is_zero() {
            let part = most.map_or(rest, |most| rest.min(most));
            let new = NewExit {
                client: held.client.clone().unwrap_or_else(ClientName::local),
                request_id: None,
                lots: part,
                all: most.is_none(),
                max_deviation_points: None,
                tag: held.tag.clone(),
                comment: Comment::default(),
                trace_id: String::new(),
                before_ms: self.out.now.elapsed_ms + OWN_TIME_MS,
            };
            if let Err(refusal) = self.add_exit(&held.row, new) {
                let why = refusal.to_string();
                self.out.notice(Notice::NotClosed {
                    position: id,
                    why: why.clone(),
                });
                self.attempts.learn(item, why);
                return;
            }
            rest = rest.minus(part);
        }
    }

    /// Lots of a position that no close under way takes. On hedging a close of unknown outcome stands
    /// in no other's way: it is pinned.
    fn left_to_close(&self, id: PositionId) -> Lots {
        let (flying, unknown) = self.orders.closing(id);
        let closable = self.book.closable(id);
        match self.book.mode() {
            AccountMode::Hedging => closable.minus(flying),
            AccountMode::Netting if !unknown.is_zero() => Lots::ZERO,
            AccountMode::Netting => closable.minus(flying),
        }
    }

    /// What a flatten of a scope has still to do, and why.
    #[must_use]
    pub fn flatten_report(&self, scope: &Option<ClientName>) -> FlattenReport {
        let flatten = self.states.flatten_of(scope);
        let Some(flatten) = flatten else {
            return FlattenReport::default();
        };
        let mut report = FlattenReport::default();
        for order in self.orders.open() {
            if order.is_entry() && covers(scope, Some(&order.client)) {
                report.left.push(self.order_left(order));
                report.cancellations += u32::from(order.cancel_pending);
            }
            let closes = !order.is_entry() && included(scope, flatten, Some(&order.client));
            report.closes += u32::from(closes && order.state != OrderState::Unknown);
        }
        for held in self.book.positions() {
            if included(scope, flatten, held.client.as_ref()) {
                let item = Item::Position(held.row.id);
                report.left.push(Leftover {
                    item,
                    symbol: held.row.symbol.clone(),
                    lots: held.row.lots,
                    why: self.why_left(item, self.why_position(held.row.id)),
                });
            }
        }
        report.left.extend(self.untold(scope));
        for (row, _) in self.unknown_orders(scope, flatten) {
            let item = Item::Foreign(row.ticket);
            let under_way = self.changes.of(Target::Foreign(row.ticket)).next();
            report.cancellations += u32::from(under_way.is_some());
            report.left.push(Leftover {
                item,
                symbol: row.symbol.clone(),
                lots: row.lots_left,
                why: self.why_left(item, under_way.map(|_| "cancelling")),
            });
        }
        report
    }

    /// What may have been filled, or was, and is in no position that is told yet: the broker tells of
    /// it later than of the order's end.
    fn untold(&self, scope: &Scope) -> impl Iterator<Item = Leftover> {
        let canceled = self.canceled_entries();
        let canceled = canceled.filter(|(order, _)| covers(scope, Some(&order.client)));
        let canceled = canceled.map(|(order, lots)| Leftover {
            item: Item::Order(order.id),
            symbol: order.symbol.clone(),
            lots,
            why: "cancelled, a part may be filled: wait for the broker's history".into(),
        });
        let filled = self.unreported_fills();
        let filled = filled.filter(|filled| covers(scope, Some(&filled.client)));
        let filled = filled.filter_map(|filled| {
            let id = filled
                .position
                .filter(|id| self.book.position(*id).is_none())?;
            Some(Leftover {
                item: Item::Position(id),
                symbol: filled.symbol.clone(),
                lots: filled.lots,
                why: "filled: wait for the broker to tell of the position".into(),
            })
        });
        canceled.chain(filled)
    }

    fn order_left(&self, order: &Order) -> Leftover {
        let item = Item::Order(order.id);
        let state = match order.state {
            OrderState::Unknown => Some("outcome unknown: wait for evidence, or resolve it"),
            OrderState::Accepted | OrderState::Sent => Some("on its way to the broker"),
            _ if order.cancel_pending => Some("cancelling"),
            _ => None,
        };
        Leftover {
            item,
            symbol: order.symbol.clone(),
            lots: order.lots_open(),
            why: self.why_left(item, state),
        }
    }

    fn why_position(&self, id: PositionId) -> Option<&'static str> {
        let (flying, unknown) = self.orders.closing(id);
        if !unknown.is_zero() {
            return Some("a close has an unknown outcome: wait for evidence, or resolve it");
        }
        (!flying.is_zero()).then_some("closing")
    }

    fn why_left(&self, item: Item, under_way: Option<&str>) -> String {
        let why = under_way.or_else(|| self.attempts.why(item));
        let link = (!self.link_up).then_some("the broker cannot be reached");
        link.or(why).unwrap_or("waits for its turn").to_owned()
    }
}

/// True where a scope covers what a client owns.
fn covers(scope: &Scope, owner: Option<&ClientName>) -> bool {
    scope.as_ref().is_none_or(|scope| Some(scope) == owner)
}

/// True where a flatten closes what that client owns; none: what nobody of ours owns.
fn included(scope: &Scope, flatten: Flattening, owner: Option<&ClientName>) -> bool {
    match owner {
        Some(_) => covers(scope, owner),
        None => flatten.include_foreign && scope.is_none(),
    }
}
