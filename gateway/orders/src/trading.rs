//! Whether new risk may be taken, for the account and for each client; and what an operator does
//! about it.

use super::{
    core::{Core, Effect},
    events::{Audience, Event},
    order::{Call, Order, Purpose},
};
use crate::records::{Record, StateRow, Subject};
use mymt5_guard::{Action, TradingState};
use mymt5_model::{ClientName, OrderId};
use mymt5_model::{Reason, Refusal};
use std::collections::BTreeMap;

/// The states, each with its history's last word. Whoever is not listed is ACTIVE.
#[derive(Debug, Default)]
pub(super) struct TradingStates(BTreeMap<Option<ClientName>, StateRow>);

impl TradingStates {
    pub(super) fn new(kept: Vec<StateRow>) -> Self {
        Self(
            kept.into_iter()
                .map(|row| (row.client.clone(), row))
                .collect(),
        )
    }

    pub(super) fn is_by(&self, scope: &Option<ClientName>, by: &str, reason: &str) -> bool {
        let row = self
            .0
            .get(scope)
            .filter(|row| row.state != TradingState::Active);
        row.is_some_and(|row| row.by == by && row.reason == reason)
    }

    pub(super) fn is_entered_by(&self, scope: &Option<ClientName>, by: &str) -> bool {
        self.0.get(scope).is_some_and(|row| row.by == by)
    }

    pub(super) fn knows(&self, scope: &Option<ClientName>) -> bool {
        self.0.contains_key(scope)
    }

    pub(super) fn of(&self, scope: &Option<ClientName>) -> TradingState {
        self.0
            .get(scope)
            .map_or(TradingState::Active, |row| row.state)
    }
}

impl Core {
    /// The account's trading state.
    #[must_use]
    pub fn account_state(&self) -> TradingState {
        self.states.of(&None)
    }

    /// What binds a client: the stricter of its own state and the account's.
    #[must_use]
    pub fn state_of(&self, client: &ClientName) -> TradingState {
        self.account_state()
            .and(self.states.of(&Some(client.clone())))
    }

    /// The states that are not ACTIVE, with their reasons.
    pub fn restrictions(&self) -> impl Iterator<Item = &StateRow> {
        let rows = self.states.0.values();
        rows.filter(|row| row.state != TradingState::Active)
    }

    /// Enters a state by an operator's word.
    ///
    /// # Errors
    /// `CLIENT_UNKNOWN`; `IDEMPOTENCY_MISMATCH`.
    pub fn set_state(
        &mut self,
        call: &Call,
        scope: Option<ClientName>,
        state: TradingState,
        reason: &str,
    ) -> Result<(TradingState, Vec<Effect>), Refusal> {
        if let Some(Subject::TradingState(taken)) = self.requests.find(call)? {
            return Ok((taken, Vec::new()));
        }
        self.check_scope(scope.as_ref())?;
        self.bind(call, Subject::TradingState(state));
        if state == TradingState::Active {
            self.clear_losses(&scope);
            if scope.is_none() {
                self.touch(None);
                self.book.accept();
            }
        }
        let effects = self.enter(scope, state, reason, call.client.as_str());
        Ok((state, effects))
    }

    /// Cancels and closes everything that clients own; with `foreign` everything there is. Returns
    /// how many cancellations and closes were begun.
    ///
    /// # Errors
    /// `CLIENT_UNKNOWN`, `LINK_DOWN`; `IDEMPOTENCY_MISMATCH`.
    pub fn flatten(
        &mut self,
        call: &Call,
        scope: Option<ClientName>,
        foreign: bool,
    ) -> Result<((u32, u32), Vec<Effect>), Refusal> {
        if let Some(Subject::Flatten(cancellations, closes)) = self.requests.find(call)? {
            return Ok(((cancellations, closes), Vec::new()));
        }
        self.check_scope(scope.as_ref())?;
        self.check_open(call)?;
        let mut effects = self.cancel_all(scope.as_ref(), |_| true);
        let cancellations = effects.len();
        effects.extend(self.close_all(call, scope.as_ref(), foreign));
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let counts = (count(cancellations), count(effects.len() - cancellations));
        self.bind(call, Subject::Flatten(counts.0, counts.1));
        Ok((counts, effects))
    }

    pub(super) fn check_scope(&self, scope: Option<&ClientName>) -> Result<(), Refusal> {
        match scope {
            Some(client) if !self.rules.contains_key(client) => {
                Err(Refusal::new(Reason::ClientUnknown))
            }
            _ => Ok(()),
        }
    }

    /// Enters a state; what could still open is cancelled unless it is ACTIVE.
    pub(super) fn enter(
        &mut self,
        scope: Option<ClientName>,
        state: TradingState,
        reason: &str,
        by: &str,
    ) -> Vec<Effect> {
        let row = StateRow {
            client: scope.clone(),
            state,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: self.now,
        };
        tracing::warn!(
            client = scope.as_ref().map_or("", ClientName::as_str),
            ?state,
            reason,
            by,
            "trading state entered"
        );
        self.states.0.insert(scope.clone(), row.clone());
        self.records.push(Record::State(row));
        let audience = scope.clone().map_or(Audience::All, Audience::Client);
        self.tell(
            "",
            audience,
            Event::TradingState(scope.clone(), state, reason.to_owned()),
        );
        if state == TradingState::Active {
            return Vec::new();
        }
        self.cancel_all(scope.as_ref(), |purpose| purpose == Purpose::Entry)
    }

    /// Cancels what could open though its client's state forbids it: it came to work after the
    /// state was entered, or an earlier cancellation was not done.
    pub(super) fn cancel_forbidden(&mut self) -> Vec<Effect> {
        let forbidden = |order: &&Order| {
            order.purpose == Purpose::Entry && !self.state_of(&order.client).allows(Action::Open)
        };
        let ids: Vec<OrderId> = self
            .open_orders()
            .filter(forbidden)
            .map(|order| order.id)
            .collect();
        self.cancel_again(ids)
    }

    /// Cancels what an earlier cancellation left working: the broker is asked again after pauses
    /// that grow, and not while the link is down.
    pub(super) fn cancel_again(&mut self, ids: Vec<OrderId>) -> Vec<Effect> {
        const FIRST_MS: i64 = 1_000;
        const LONGEST_MS: i64 = 60_000;
        let now = self.now.0;
        let mut effects = Vec::new();
        if !self.link_up {
            return effects;
        }
        for id in ids {
            let (due, pause) = self
                .cancel_pauses
                .get(&id)
                .copied()
                .unwrap_or((now, FIRST_MS));
            if now < due {
                continue;
            }
            if let Some(effect) = self.begin_cancel(id, i64::MAX) {
                let next = (now + pause, (pause * 2).min(LONGEST_MS));
                self.cancel_pauses.insert(id, next);
                effects.push(effect);
            }
        }
        effects
    }

    pub(super) fn cancel_all(
        &mut self,
        scope: Option<&ClientName>,
        which: impl Fn(Purpose) -> bool,
    ) -> Vec<Effect> {
        let ours = |client: &ClientName| scope.is_none_or(|scope| scope == client);
        let ids: Vec<OrderId> = self
            .open_orders()
            .filter(|order| ours(&order.client) && which(order.purpose))
            .map(|order| order.id)
            .collect();
        ids.into_iter()
            .filter_map(|id| self.begin_cancel(id, i64::MAX))
            .collect()
    }
}
