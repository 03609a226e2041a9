//! What became of a change: by the broker's answer, by its rows, or because its target is over.

use crate::{
    ChangeId, Core, Notice, Order, SendFailure,
    broker::RowKind,
    changes::Phase,
    flatten::Item,
    orders::reason,
    outbox::Job,
    records::{ChangeEdit, ChangeOutcome, Target},
    rows::is_triggered,
};
use mymt5_model::{
    Edit, Levels, LevelsEdit, OrderId, OrderRow, OrderState, Price, Receipt, Retcode, RetcodeClass,
    TermsEdit,
};

/// What rows show of a change whose outcome is unknown.
enum Verdict {
    /// That.
    Known(ChangeOutcome),
    /// Everything is as it was before.
    AsBefore,
    /// What it asked for was overwritten since, if it was there: that cannot be seen any more.
    Overwritten,
    /// The target is not among them.
    Nothing,
}

impl Core {
    /// Done is definite; so is a refusal. Anything else leaves the target to its rows.
    pub(crate) fn change_answered(&mut self, id: ChangeId, outcome: Result<Receipt, SendFailure>) {
        let done = is_done(&outcome);
        let Some(change) = self.changes.get(id) else {
            return self.change_answered_late(id, done);
        };
        let modifies = change.edit != ChangeEdit::Cancel;
        let late = change.before_ms <= self.out.now.elapsed_ms;
        let outcome = match outcome {
            Ok(_) if done => ChangeOutcome::Done,
            Ok(receipt) => return self.change_unknown(id, receipt.retcode.to_string()),
            Err(SendFailure::Rejected(Retcode::NO_CHANGES)) if modifies => ChangeOutcome::Done,
            Err(SendFailure::Rejected(code) | SendFailure::Throttled(code)) => {
                if code.class() == RetcodeClass::StateMoved {
                    self.reconciliation.sync_soon();
                }
                ChangeOutcome::Refused(code)
            }
            Err(SendFailure::NotSent(_)) if late => ChangeOutcome::Expired,
            Err(SendFailure::NotSent(_)) => ChangeOutcome::NotSent,
            Err(SendFailure::Unknown(why)) => return self.change_unknown(id, why),
        };
        self.finish_change(id, outcome);
    }

    /// It was done after all, though its absence was believed.
    fn change_answered_late(&mut self, id: ChangeId, done: bool) {
        let absent = self.changes.take_absent(id).filter(|_| done);
        let Some(change) = absent else { return };
        if let Some(key) = &change.request {
            let target = change.target;
            let edit = change.edit;
            let done = ChangeOutcome::Done;
            self.requests.settle(key, target, edit, done, &mut self.out);
        }
        self.apply_change(change.target, change.edit);
    }

    fn change_unknown(&mut self, id: ChangeId, why: String) {
        let since = self.out.now.elapsed_ms;
        let news = self.news;
        let Some(change) = self.changes.get_mut(id) else {
            return;
        };
        if change.phase.is_unknown() {
            return;
        }
        change.phase = Phase::Unknown { since, news };
        let askers = std::mem::take(&mut change.askers);
        let target = change.target;
        let edit = change.edit;
        let key = change.request.clone();
        let unknown = ChangeOutcome::Unknown;
        self.out.notice(Notice::ChangeUnknown(why));
        if let Some(key) = key {
            self.requests
                .settle(&key, target, edit, unknown, &mut self.out);
        }
        for asker in askers {
            self.report_change(asker, target, unknown);
        }
        self.refresh_cancel_pending(target);
        self.reconciliation.sync_soon();
        self.advance_target(target);
    }

    /// A change has its final outcome: it is recorded, reported, and its target's next one goes on.
    pub(crate) fn finish_change(&mut self, id: ChangeId, outcome: ChangeOutcome) {
        let Some(change) = self.changes.remove(id) else {
            return;
        };
        let target = change.target;
        let edit = change.edit;
        if let Some(key) = &change.request {
            self.requests
                .settle(key, target, edit, outcome, &mut self.out);
        }
        if outcome == ChangeOutcome::Done {
            self.apply_change(target, edit);
            // The later one has the last word: whether the earlier ones were done does not matter.
            for earlier in self.changes.unknown_before(id, target) {
                self.finish_change(earlier, ChangeOutcome::Moot);
            }
        }
        self.learn_of_change(target, outcome);
        self.refresh_cancel_pending(target);
        for asker in &change.askers {
            self.report_change(*asker, target, outcome);
        }
        if outcome == ChangeOutcome::NotDone {
            self.changes.note_absent(id, change);
        }
        self.end_changes_of_ended(target);
        self.advance_target(target);
    }

    fn apply_change(&mut self, target: Target, edit: ChangeEdit) {
        match (target, edit) {
            (Target::Order(id), ChangeEdit::Cancel) => {
                let open = self.orders.get(id);
                if open.is_some_and(|order| !order.state.is_final()) {
                    let now = self.out.now.elapsed_ms;
                    self.canceled.note(id, now, self.news);
                    self.orders.note_change(id, self.news);
                    self.orders
                        .change(id, OrderState::Canceled, &mut self.out, |_| {});
                }
            }
            (Target::Order(id), ChangeEdit::Terms(terms)) => self.take_terms(id, terms),
            (Target::Position(id), ChangeEdit::Levels(levels)) => {
                let Some(held) = self.book.position(id) else {
                    return;
                };
                let levels = levels.after(held.row.levels);
                if let Some(changed) = self.book.set_levels(id, levels, self.news) {
                    self.emit_position(changed, "");
                }
            }
            _ => {}
        }
    }

    fn take_terms(&mut self, id: OrderId, terms: TermsEdit) {
        let Some(order) = self.orders.get(id) else {
            return;
        };
        if order.state.is_final() {
            return;
        }
        let state = order.state;
        self.orders.note_change(id, self.news);
        self.orders.change(id, state, &mut self.out, |order| {
            order.price = terms.price.or(order.price);
            order.stop_limit_price = terms.stop_limit_price.or(order.stop_limit_price);
            order.levels = terms.levels.after(order.levels);
            order.time_in_force = terms.time_in_force.unwrap_or(order.time_in_force);
        });
    }

    /// What a flatten should know of a cancellation that was not done.
    fn learn_of_change(&mut self, target: Target, outcome: ChangeOutcome) {
        let item = match target {
            Target::Order(id) => Item::Order(id),
            Target::Foreign(ticket) => Item::Foreign(ticket),
            Target::Position(_) => return,
        };
        match outcome {
            ChangeOutcome::Refused(code) => self.attempts.learn(item, code.to_string()),
            ChangeOutcome::Expired => {
                let why = reason::EXPIRED_BEFORE_SEND.to_owned();
                self.attempts.learn(item, why);
            }
            ChangeOutcome::NotSent => self.attempts.learn(item, reason::NOT_SENT.to_owned()),
            _ => {}
        }
    }

    fn refresh_cancel_pending(&mut self, target: Target) {
        let Some(id) = target.order() else { return };
        let pending = self.changes.cancels(target);
        let open = self.orders.get(id).filter(|order| !order.state.is_final());
        let open = open.map(|order| (order.state, order.cancel_pending));
        if let Some((state, was)) = open
            && was != pending
        {
            self.orders.change(id, state, &mut self.out, |order| {
                order.cancel_pending = pending;
            });
        }
    }

    /// What was asked of an order or position that is over has no outcome any more, unless the broker
    /// has it: then its answer tells.
    pub(crate) fn end_changes_of_ended(&mut self, target: Target) {
        let canceled = |order: &Order| order.state == OrderState::Canceled;
        let (over, canceled) = match target {
            Target::Order(id) => {
                let order = self.orders.get(id);
                let over = order.is_none_or(|order| order.state.is_final());
                (over, order.is_some_and(canceled))
            }
            Target::Position(id) => (self.book.position(id).is_none(), false),
            Target::Foreign(_) => return,
        };
        if !over {
            return;
        }
        let under_way: Vec<_> = self
            .changes
            .of(target)
            .filter(|(_, change)| change.phase != Phase::InFlight)
            .map(|(id, change)| (id, change.edit))
            .collect();
        for (id, edit) in under_way {
            self.queue.withdraw(Job::Change(id));
            let outcome = if canceled && edit == ChangeEdit::Cancel {
                ChangeOutcome::Done
            } else {
                ChangeOutcome::Moot
            };
            self.finish_change(id, outcome);
        }
    }

    /// Rows with what an unknown change asked for show that it was done; that it was not, rows
    /// without it after the grace time. What was read before its outcome became unknown proves
    /// nothing.
    pub(crate) fn settle_unknown_changes(&mut self, rows: &[OrderRow], begun: u64) {
        let now = self.out.now.elapsed_ms;
        self.changes.attend(now);
        let patient = now - self.reconciliation.config.grace_ms;
        let unknown = self.changes.iter().filter_map(|(id, change)| {
            let Phase::Unknown { since, news } = change.phase else {
                return None;
            };
            (news <= begun).then_some((id, change.target, change.edit, since <= patient))
        });
        let unknown: Vec<_> = unknown.collect();
        for (id, target, edit, is_over) in unknown {
            match self.change_in_rows(target, edit, rows) {
                Verdict::Known(outcome) => self.finish_change(id, outcome),
                Verdict::AsBefore if is_over => self.finish_change(id, ChangeOutcome::NotDone),
                Verdict::Overwritten if is_over => self.finish_change(id, ChangeOutcome::Moot),
                Verdict::AsBefore | Verdict::Overwritten | Verdict::Nothing => {}
            }
        }
    }

    fn change_in_rows(&self, target: Target, edit: ChangeEdit, rows: &[OrderRow]) -> Verdict {
        let unread = &self.reconciliation.unread;
        match (target, edit) {
            (Target::Position(id), ChangeEdit::Levels(levels)) => {
                let Some(held) = self.book.position(id) else {
                    return Verdict::Known(ChangeOutcome::Moot);
                };
                match self.book.row(id) {
                    _ if unread.may_hide(RowKind::Position, Some(held.row.ticket)) => {
                        Verdict::Nothing
                    }
                    None => Verdict::Nothing,
                    Some(row) if has_levels(row.levels, levels) => {
                        Verdict::Known(ChangeOutcome::Done)
                    }
                    Some(_) => Verdict::AsBefore,
                }
            }
            (Target::Order(id), edit) => {
                let order = self.orders.get(id);
                let Some(order) = order.filter(|order| !order.state.is_final()) else {
                    return Verdict::Known(ChangeOutcome::Moot);
                };
                let mut rows = rows.iter();
                match (rows.find(|row| Some(row.ticket) == order.ticket), edit) {
                    // It may be cancelled, and its end shows that.
                    (None, _) => Verdict::Nothing,
                    (Some(row), ChangeEdit::Terms(terms)) if has_terms(row, terms) => {
                        Verdict::Known(ChangeOutcome::Done)
                    }
                    (Some(row), ChangeEdit::Terms(terms))
                        if is_triggered(order, row) && has_terms(row, lasting(terms)) =>
                    {
                        Verdict::Overwritten
                    }
                    (Some(_), _) => Verdict::AsBefore,
                }
            }
            (Target::Foreign(ticket), _) => {
                if rows.iter().any(|row| row.ticket == ticket) {
                    Verdict::AsBefore
                } else if unread.may_hide(RowKind::Order, Some(ticket)) {
                    Verdict::Nothing
                } else {
                    Verdict::Known(ChangeOutcome::Done)
                }
            }
            (Target::Position(_), _) => Verdict::Known(ChangeOutcome::Moot),
        }
    }
}

/// True where the broker says that a change was done. That it was placed says no more than that the
/// broker has it.
fn is_done(outcome: &Result<Receipt, SendFailure>) -> bool {
    outcome
        .as_ref()
        .is_ok_and(|receipt| receipt.retcode == Retcode::DONE)
}

/// What a trigger leaves of the terms that a change asked for.
fn lasting(terms: TermsEdit) -> TermsEdit {
    TermsEdit {
        price: None,
        stop_limit_price: None,
        ..terms
    }
}

/// True when a row has the terms that a change asked for.
fn has_terms(row: &OrderRow, terms: TermsEdit) -> bool {
    terms.price.is_none_or(|price| is_at(row.price, price))
        && terms
            .stop_limit_price
            .is_none_or(|price| is_at(row.stop_limit_price, price))
        && has_levels(row.levels, terms.levels)
        && terms
            .time_in_force
            .is_none_or(|life| life.is_same_at_broker(row.time_in_force))
}

/// True when a row's levels are what an edit asked for.
fn has_levels(row: Levels, edit: LevelsEdit) -> bool {
    let has = |row: Option<Price>, edit: Edit<Price>| match edit {
        Edit::Keep => true,
        Edit::Remove => row.is_none(),
        Edit::Set(price) => is_at(row, price),
    };
    has(row.stop_loss, edit.stop_loss) && has(row.take_profit, edit.take_profit)
}

/// True when a row has that price, with whatever digits it was read.
fn is_at(row: Option<Price>, price: Price) -> bool {
    row.is_some_and(|row| price.with_digits(row.digits()) == row)
}
