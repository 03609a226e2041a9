//! What the configuration grants each client, and how that changes while the gateway runs.

use super::{core::Core, sessions::DeadMan};
use crate::records::Record;
use mymt5_guard::{Limits, LossSettings, ScopeLimits};
use mymt5_model::{ClientName, Magic};
use std::collections::BTreeMap;

/// What a client may do in the orders core. The default: own and lose positions, and whatever a
/// caller that proves to be it asks for.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Its limits.
    pub limits: Limits,
    /// Its limits of losses.
    pub loss: LossSettings,
    /// What its silence leads to; none: nothing.
    pub dead_man: Option<DeadMan>,
}

/// A client as the orders core knows it.
#[derive(Clone, Debug)]
pub struct ClientRules {
    /// Its number in the magic of its orders: given once, never to another.
    pub slot: u16,
    /// What it may do.
    pub grant: Grant,
}

/// All client slots of the journal are used: nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all 2047 client slots of the journal are used")]
pub struct SlotsUsedUp;

impl Core {
    /// Replaces what is granted, and the account's own limits. A client that is new gets a slot; one that is granted nothing any
    /// more keeps its slot, its orders, its positions and, until the next start, its limits.
    ///
    /// # Errors
    /// More new clients than free slots.
    pub fn regrant(
        &mut self,
        mut grants: BTreeMap<ClientName, Grant>,
        account: ScopeLimits,
    ) -> Result<(), SlotsUsedUp> {
        let highest = self.rules.values().map(|rules| rules.slot).max();
        let next = highest.unwrap_or(0) + 1;
        let new = grants.keys().filter(|name| !self.rules.contains_key(*name));
        let new: Vec<ClientName> = new.cloned().collect();
        if new.len() > usize::from(Magic::MAX_SLOT + 1 - next) {
            return Err(SlotsUsedUp);
        }
        self.account_limits = account.entry;
        self.losses.regulate(None, account.loss);
        for (client, rules) in &mut self.rules {
            // Whoever is gone may still be in the middle of a call: without its limits it could do
            // more than before.
            let kept = Grant {
                dead_man: None,
                ..rules.grant.clone()
            };
            rules.grant = grants.remove(client).unwrap_or(kept);
            self.losses.regulate(Some(client.clone()), rules.grant.loss);
        }
        for (client, slot) in new.into_iter().zip(next..) {
            let grant = grants.remove(&client).unwrap_or_default();
            self.losses.regulate(Some(client.clone()), grant.loss);
            self.records.push(Record::Slot(client.clone(), slot));
            self.rules.insert(client, ClientRules { slot, grant });
        }
        Ok(())
    }
}
