//! One trading process per client, and what happens when it falls silent.

use super::{
    core::{Core, Effect},
    losses::GATEWAY,
};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, RequestId};
use mymt5_model::{Reason, Refusal};
use std::{collections::HashMap, time::Duration};

/// Why a silent client is reduced; it is lifted by its next sign of life.
const DEAD_MAN: &str = "DEAD_MAN";

/// What happens when a client sends no heartbeat for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadMan {
    /// The time, milliseconds.
    pub after_ms: i64,
    /// What is done then.
    pub action: DeadManAction,
}

/// What is done about a silent client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadManAction {
    /// It may only reduce until it speaks again; what could open is cancelled.
    Reduce,
    /// Its pending orders are cancelled.
    Cancel,
}

#[derive(Debug)]
struct Session {
    /// None: nobody spoke since the gateway started.
    id: Option<RequestId>,
    last: i64,
    silent: bool,
}

/// Who speaks for each client.
#[derive(Debug)]
pub(super) struct Sessions {
    lease_ms: i64,
    live: HashMap<ClientName, Session>,
}

impl Sessions {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            live: HashMap::new(),
        }
    }
}

impl Core {
    /// A client's process says that it lives. Returns what binds the client.
    ///
    /// # Errors
    /// `CLIENT_ALREADY_ACTIVE` while another process of the client holds the lease.
    pub fn heartbeat(
        &mut self,
        client: &ClientName,
        session: &RequestId,
    ) -> Result<TradingState, Refusal> {
        let (now, lease) = (self.now.0, self.sessions.lease_ms);
        let held = self.sessions.live.get(client);
        let other = held.filter(|held| held.id.as_ref().is_some_and(|id| id != session));
        if let Some(left) = other
            .map(|held| held.last + lease - now)
            .filter(|left| *left > 0)
        {
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            return Err(Refusal::new(Reason::ClientAlreadyActive).after(left));
        }
        let session = Session {
            id: Some(session.clone()),
            last: now,
            silent: false,
        };
        self.sessions.live.insert(client.clone(), session);
        let scope = Some(client.clone());
        if self.states.is_by(&scope, GATEWAY, DEAD_MAN) {
            self.enter(scope, TradingState::Active, "HEARTBEAT", GATEWAY);
        }
        Ok(self.state_of(client))
    }

    /// Looks for clients that fell silent, and for orders that could open and may not any more;
    /// once a second.
    pub fn watch(&mut self) -> Vec<Effect> {
        let mut effects = self.watch_clients();
        effects.extend(self.cancel_forbidden());
        effects.extend(self.flatten_again());
        effects
    }

    fn watch_clients(&mut self) -> Vec<Effect> {
        let now = self.now.0;
        let dead_men = self.rules.iter();
        let dead_men =
            dead_men.filter_map(|(name, rules)| Some((name.clone(), rules.grant.dead_man?)));
        let dead_men: Vec<(ClientName, DeadMan)> = dead_men.collect();
        let mut effects = Vec::new();
        for (client, dead_man) in dead_men {
            let session = self.sessions.live.entry(client.clone()).or_insert(Session {
                id: None,
                last: now,
                silent: false,
            });
            if now - session.last < dead_man.after_ms {
                continue;
            }
            if session.silent {
                // What came to work only since then.
                if dead_man.action == DeadManAction::Cancel {
                    let own = self.open_orders().filter(|order| order.client == client);
                    let own = own.map(|order| order.id).collect();
                    effects.extend(self.cancel_again(own));
                }
                continue;
            }
            session.silent = true;
            tracing::warn!(client = client.as_str(), "client fell silent");
            let active = self.states.of(&Some(client.clone())) == TradingState::Active;
            effects.extend(match dead_man.action {
                DeadManAction::Reduce if active => {
                    self.enter(Some(client), TradingState::Reducing, DEAD_MAN, GATEWAY)
                }
                DeadManAction::Reduce => Vec::new(),
                DeadManAction::Cancel => self.cancel_all(Some(&client), |_| true),
            });
        }
        effects
    }
}
