//! The trading states: whether new risk may be taken, for the account and for each client, and
//! which scopes are being flattened.

use crate::{
    Audience, Event, Record, StateRow,
    notices::{Notice, scope_name},
    outbox::Out,
    records::{Flattening, Scope},
};
use mymt5_guard::TradingState;
use mymt5_model::ClientName;
use std::collections::BTreeMap;

/// Who acts by the rules: limits, dead man, first start.
pub(crate) const GATEWAY: &str = "gateway";

/// The states, each with its history's last word. Who is not listed is ACTIVE.
#[derive(Debug, Default)]
pub(crate) struct TradingStates(BTreeMap<Scope, StateRow>);

impl TradingStates {
    pub(crate) fn new(kept: Vec<StateRow>) -> Self {
        let rows = kept.into_iter().map(|row| (row.client.clone(), row));
        Self(rows.collect())
    }

    /// A scope's own state.
    pub(crate) fn of(&self, scope: &Scope) -> TradingState {
        let row = self.0.get(scope);
        row.map_or(TradingState::Active, |row| row.state)
    }

    /// What binds a client: the stricter of its own state and the account's.
    pub(crate) fn binding(&self, client: &ClientName) -> TradingState {
        self.of(&None).and(self.of(&Some(client.clone())))
    }

    /// True while the scope is restricted, and that by this reason and that one.
    pub(crate) fn is_by(&self, scope: &Scope, by: &str, reason: &str) -> bool {
        let row = self.0.get(scope);
        let row = row.filter(|row| row.state != TradingState::Active);
        row.is_some_and(|row| row.by == by && row.reason == reason)
    }

    /// True when the gateway's own rules entered the scope's state.
    pub(crate) fn is_gateways(&self, scope: &Scope) -> bool {
        self.0.get(scope).is_some_and(|row| row.by == GATEWAY)
    }

    /// True when the scope ever had a state.
    pub(crate) fn knows(&self, scope: &Scope) -> bool {
        self.0.contains_key(scope)
    }

    /// The states that are not ACTIVE.
    pub(crate) fn restrictions(&self) -> impl Iterator<Item = &StateRow> {
        let rows = self.0.values();
        rows.filter(|row| row.state != TradingState::Active)
    }

    /// The scopes that are being flattened.
    pub(crate) fn flattening(&self) -> impl Iterator<Item = (&Scope, Flattening)> {
        let rows = self.0.iter();
        rows.filter_map(|(scope, row)| Some((scope, row.flatten?)))
    }

    pub(crate) fn flatten_of(&self, scope: &Scope) -> Option<Flattening> {
        self.0.get(scope)?.flatten
    }

    /// Enters a state. HALTED keeps a flatten that is under way; any other state ends it.
    pub(crate) fn enter(
        &mut self,
        scope: Scope,
        state: TradingState,
        reason: &str,
        by: &str,
        out: &mut Out,
    ) {
        let kept = self.flatten_of(&scope);
        let flatten = kept.filter(|_| state == TradingState::Halted);
        self.put(scope, state, reason, by, flatten, out);
    }

    /// Halts a scope and flattens it. One that is under way keeps the wider of both.
    pub(crate) fn flatten(
        &mut self,
        scope: Scope,
        wanted: Flattening,
        reason: &str,
        by: &str,
        out: &mut Out,
    ) {
        let kept = self.flatten_of(&scope);
        let flatten = Flattening {
            include_foreign: wanted.include_foreign
                || kept.is_some_and(|kept| kept.include_foreign),
        };
        let halted = TradingState::Halted;
        self.put(scope, halted, reason, by, Some(flatten), out);
    }

    /// Nothing is left: the scope stays HALTED.
    pub(crate) fn flattened(&mut self, scope: &Scope, out: &mut Out) {
        if let Some(row) = self.0.get_mut(scope) {
            row.flatten = None;
            out.record(Record::State(row.clone()));
        }
    }

    fn put(
        &mut self,
        scope: Scope,
        state: TradingState,
        reason: &str,
        by: &str,
        flatten: Option<Flattening>,
        out: &mut Out,
    ) {
        let row = StateRow {
            client: scope.clone(),
            state,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: out.now.utc,
            flatten,
        };
        out.notice(Notice::StateEntered {
            scope: scope_name(&scope),
            state,
            reason: reason.to_owned(),
            by: by.to_owned(),
        });
        self.0.insert(scope.clone(), row.clone());
        out.record(Record::State(row));
        let audience = Audience::of_scope(&scope);
        let event = Event::TradingState(scope, state, reason.to_owned());
        out.emit("", audience, event);
    }
}
