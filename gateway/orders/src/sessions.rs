//! One trading process per client, and what happens when it falls silent.

use crate::time::Now;
use mymt5_model::{ClientName, Reason, Refusal, RequestId};
use std::{collections::BTreeMap, time::Duration};

/// What happens when a client sends no heartbeat for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadMan {
    /// The time, milliseconds.
    pub after_ms: i64,
    /// What is done then.
    pub action: DeadManAction,
}

/// What is done about a silent client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadManAction {
    /// It may only reduce until it speaks again; what could open is cancelled.
    Reduce,
    /// Its pending orders are cancelled.
    Cancel,
}

#[derive(Debug)]
struct Session {
    /// None: nobody spoke since the gateway started, or the last process gave its lease back.
    id: Option<RequestId>,
    last: i64,
    silent: bool,
}

/// Who speaks for each client.
#[derive(Debug)]
pub(crate) struct Sessions {
    lease_ms: i64,
    live: BTreeMap<ClientName, Session>,
}

impl Sessions {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            live: BTreeMap::new(),
        }
    }

    /// A client's process says that it lives, or that it ends: then the lease is free at once.
    ///
    /// # Errors
    /// `CLIENT_ALREADY_ACTIVE` while another process of the client holds the lease.
    pub(crate) fn beat(
        &mut self,
        client: &ClientName,
        session: &RequestId,
        leaving: bool,
        now: Now,
    ) -> Result<(), Refusal> {
        self.check(client, Some(session), now)?;
        let session = Session {
            id: (!leaving).then(|| session.clone()),
            last: now.elapsed_ms,
            silent: false,
        };
        self.live.insert(client.clone(), session);
        Ok(())
    }

    /// Whether a call of that process may open something. Who does not say which process it is may
    /// while none holds the lease.
    ///
    /// # Errors
    /// `CLIENT_ALREADY_ACTIVE`.
    pub(crate) fn check(
        &self,
        client: &ClientName,
        session: Option<&RequestId>,
        now: Now,
    ) -> Result<(), Refusal> {
        let held = self.live.get(client);
        let other = held.filter(|held| held.id.is_some() && held.id.as_ref() != session);
        let left = other.map_or(0, |held| held.last + self.lease_ms - now.elapsed_ms);
        if left <= 0 {
            return Ok(());
        }
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Err(Refusal::new(Reason::ClientAlreadyActive).after(left))
    }

    /// Clients whose process spoke since the start and did not leave, and how long ago it last spoke,
    /// milliseconds.
    pub(crate) fn last_spoke(&self, now: Now) -> impl Iterator<Item = (&ClientName, i64)> {
        let spoke = self.live.iter().filter(|(_, held)| held.id.is_some());
        spoke.map(move |(client, held)| (client, now.elapsed_ms - held.last))
    }

    /// An operator let the client trade again: its silence is measured from now on.
    pub(crate) fn rearm(&mut self, client: &ClientName, now: Now) {
        if let Some(session) = self.live.get_mut(client) {
            session.last = now.elapsed_ms;
            session.silent = false;
        }
    }

    /// Whether the client is silent for its time; and whether that is news.
    pub(crate) fn silence(&mut self, client: &ClientName, dead_man: DeadMan, now: Now) -> Silence {
        let session = self.live.entry(client.clone()).or_insert(Session {
            id: None,
            last: now.elapsed_ms,
            silent: false,
        });
        if now.elapsed_ms - session.last < dead_man.after_ms {
            return Silence::Speaks;
        }
        if std::mem::replace(&mut session.silent, true) {
            Silence::GoesOn
        } else {
            Silence::Begins
        }
    }
}

/// How it stands with a client's heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    Speaks,
    Begins,
    GoesOn,
}
