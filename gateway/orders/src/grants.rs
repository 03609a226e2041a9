//! What the configuration grants each client, and how that changes while the gateway runs.

use crate::{Record, outbox::Out, queue::Urgency, sessions::DeadMan, time::Now};
use mymt5_guard::{Limits, LossSettings, Rate};
use mymt5_model::{ClientName, Magic, Reason, Refusal, Symbol, UtcTime};
use std::{collections::BTreeMap, time::Duration};

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
    /// Ids that its orders and modifications may bind within a minute, those that tighten a stop
    /// loss apart from the others; none: any number. What ends risk is not counted.
    pub max_ids_per_minute: Option<u32>,
}

#[derive(Debug, Default)]
struct Client {
    slot: u16,
    /// The configuration grants it something.
    granted: bool,
    grant: Grant,
    rate: Rate,
    /// Ids bound lately by what protects, and by what does not.
    protecting_ids: Rate,
    other_ids: Rate,
}

/// The clients: each with its number in the magic of its orders, what it may do, and how often it
/// did lately.
#[derive(Debug, Default)]
pub(crate) struct Clients(BTreeMap<ClientName, Client>);

impl Clients {
    /// Those that the journal gave a slot. A client that is granted nothing can own and lose
    /// positions, and open none.
    pub(crate) fn new(
        slots: BTreeMap<ClientName, u16>,
        mut grants: BTreeMap<ClientName, Grant>,
        recent: Vec<(ClientName, UtcTime)>,
        now: Now,
    ) -> Self {
        let clients = slots.into_iter().map(|(name, slot)| {
            let granted = grants.contains_key(&name);
            let client = Client {
                slot,
                granted,
                grant: grants.remove(&name).unwrap_or_default(),
                ..Client::default()
            };
            (name, client)
        });
        let mut clients = Self(clients.collect());
        for (name, at) in recent {
            // Entries of the last minute count on across a restart.
            if let Some(client) = clients.0.get_mut(&name) {
                client.rate.note(now.when(at.0).min(now.elapsed_ms));
            }
        }
        clients
    }

    /// Whether there are slots for those of them that are new.
    ///
    /// # Errors
    /// `RELOAD_REFUSED`: there are too few.
    pub(crate) fn check(&self, grants: &BTreeMap<ClientName, Grant>) -> Result<(), Refusal> {
        let new = self.new_among(grants).len();
        if new > usize::from(Magic::MAX_SLOT + 1 - self.next_slot()) {
            let text = "all 2047 client slots of the journal are used: only names of earlier clients can be added";
            return Err(Refusal::because(Reason::ReloadRefused, text));
        }
        Ok(())
    }

    fn new_among(&self, grants: &BTreeMap<ClientName, Grant>) -> Vec<ClientName> {
        let names = grants.keys().filter(|name| !self.0.contains_key(*name));
        names.cloned().collect()
    }

    fn next_slot(&self) -> u16 {
        let highest = self.0.values().map(|client| client.slot).max();
        highest.unwrap_or(0) + 1
    }

    /// Replaces what is granted. A client that is new gets a slot; one that is granted nothing any
    /// more keeps its slot, its orders, its positions and, until the next start, its limits.
    ///
    /// # Errors
    /// More new clients than free slots: nothing was changed.
    pub(crate) fn regrant(
        &mut self,
        mut grants: BTreeMap<ClientName, Grant>,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        self.check(&grants)?;
        let next = self.next_slot();
        let new = self.new_among(&grants);
        for (name, client) in &mut self.0 {
            // One that is gone may still be in the middle of a call: without its limits it could do
            // more than before.
            let kept = Grant {
                dead_man: None,
                ..client.grant.clone()
            };
            client.granted = grants.contains_key(name);
            client.grant = grants.remove(name).unwrap_or(kept);
        }
        for (name, slot) in new.into_iter().zip(next..) {
            let client = Client {
                slot,
                granted: true,
                grant: grants.remove(&name).unwrap_or_default(),
                ..Client::default()
            };
            out.record(Record::Slot(name.clone(), slot));
            self.0.insert(name, client);
        }
        Ok(())
    }

    pub(crate) fn knows(&self, client: &ClientName) -> bool {
        self.0.contains_key(client)
    }

    pub(crate) fn slot(&self, client: &ClientName) -> Option<u16> {
        Some(self.0.get(client)?.slot)
    }

    /// The client in whose slot a magic lies.
    pub(crate) fn of_magic(&self, magic: Magic) -> Option<&ClientName> {
        let slot = magic.slot();
        let mut clients = self.0.iter();
        let found = clients.find(|(_, client)| slot != 0 && u64::from(client.slot) == slot);
        found.map(|(name, _)| name)
    }

    pub(crate) fn limits(&self, client: &ClientName) -> Option<&Limits> {
        Some(&self.0.get(client)?.grant.limits)
    }

    /// Those whom the configuration lets trade a symbol.
    pub(crate) fn granted_in(&self, symbol: &Symbol) -> impl Iterator<Item = &ClientName> {
        let granted = self.0.iter().filter(|(_, client)| client.granted);
        let listed = granted.filter(move |(_, client)| {
            let symbols = client.grant.limits.symbols.as_ref();
            symbols.is_none_or(|symbols| symbols.contains(symbol))
        });
        listed.map(|(name, _)| name)
    }

    /// What each client's silence leads to.
    pub(crate) fn dead_men(&self) -> Vec<(ClientName, DeadMan)> {
        let clients = self.0.iter();
        let dead_men = clients.filter_map(|(name, c)| Some((name.clone(), c.grant.dead_man?)));
        dead_men.collect()
    }

    /// Each client's limits of losses.
    pub(crate) fn losses(&self) -> impl Iterator<Item = (&ClientName, LossSettings)> {
        self.0
            .iter()
            .map(|(name, client)| (name, client.grant.loss))
    }

    /// An entry was taken.
    pub(crate) fn note_entry(&mut self, client: &ClientName, now: Now) {
        if let Some(client) = self.0.get_mut(client) {
            client.rate.note(now.elapsed_ms);
        }
    }

    /// Whether a client may bind one more id with that urgency.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn check_id(
        &mut self,
        client: &ClientName,
        urgency: Urgency,
        now: Now,
    ) -> Result<(), Refusal> {
        let Some((ids, most)) = self.ids(client, urgency) else {
            return Ok(());
        };
        if ids.recent(now.elapsed_ms) < most {
            return Ok(());
        }
        let why = format!("the client's max_ids_per_minute is reached: {most}");
        Err(Refusal::because(Reason::RateLimited, why).after(Duration::from_secs(5)))
    }

    /// An id was bound.
    pub(crate) fn note_id(&mut self, client: &ClientName, urgency: Urgency, now: Now) {
        if let Some((ids, _)) = self.ids(client, urgency) {
            ids.note(now.elapsed_ms);
        }
    }

    /// What is counted of a client, and how many it may bind. None: any number.
    fn ids(&mut self, client: &ClientName, urgency: Urgency) -> Option<(&mut Rate, u32)> {
        let client = self.0.get_mut(client)?;
        let most = client.grant.max_ids_per_minute?;
        let ids = match urgency {
            Urgency::Exit => return None,
            Urgency::Protects => &mut client.protecting_ids,
            Urgency::Other => &mut client.other_ids,
        };
        Some((ids, most))
    }

    /// Entries of the last minute: of one client, or (none) of all.
    pub(crate) fn recent_entries(&mut self, of: Option<&ClientName>, now: Now) -> u32 {
        let clients = self.0.iter_mut();
        let clients = clients.filter(|(name, _)| of.is_none_or(|of| of == *name));
        clients
            .map(|(_, client)| client.rate.recent(now.elapsed_ms))
            .fold(0, u32::saturating_add)
    }
}
