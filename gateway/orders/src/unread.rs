//! Rows of the broker that cannot be understood. Whatever they may be is not taken for absent,
//! until an operator has checked; then only what carries their tickets.

use crate::broker::{RowKind, Unreadable};
use mymt5_model::Ticket;
use std::collections::BTreeSet;

/// The rows of one reading that could not be understood.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Those that nobody accepted.
    open: BTreeSet<Unreadable>,
    tickets: BTreeSet<(RowKind, Ticket)>,
}

impl Unread {
    /// Of these rows, some of which were accepted.
    pub(crate) fn new(rows: Vec<Unreadable>, accepted: &BTreeSet<Unreadable>) -> Self {
        let tickets = rows.iter().map(|row| (row.kind, row.ticket)).collect();
        let open = rows.into_iter().filter(|row| !accepted.contains(row));
        let open = open.collect();
        Self { open, tickets }
    }

    /// True when a row of that kind, with that ticket where one is known, may be among them.
    pub(crate) fn may_hide(&self, kind: RowKind, ticket: Option<Ticket>) -> bool {
        let any = self.open.iter().any(|row| row.kind == kind);
        any || ticket.is_some_and(|ticket| self.tickets.contains(&(kind, ticket)))
    }

    /// The ticket of the oldest of that kind that nobody accepted.
    pub(crate) fn oldest(&self, kind: RowKind) -> Option<Ticket> {
        let rows = self.open.iter().filter(|row| row.kind == kind);
        rows.map(|row| row.ticket).min()
    }

    /// Those that nobody accepted.
    pub(crate) const fn open(&self) -> &BTreeSet<Unreadable> {
        &self.open
    }

    /// True when everything was understood, or accepted as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// An operator accepts them.
    pub(crate) fn accept(&mut self) -> BTreeSet<Unreadable> {
        std::mem::take(&mut self.open)
    }
}
