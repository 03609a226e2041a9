//! Account and positions, as the broker's rows and the deals tell them. The two are read apart and
//! lag behind each other: how one position is told by both stands in [`track`].

mod chain;
mod track;

use chain::{Chain, Trade};
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, ClientName, DealRow, Levels, Lots, Magic, PositionId,
    PositionRow, Symbol, Ticket, UtcTime,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use track::Track;

/// Positions that are over and still known, so that rows which lag do not bring them back.
const REMEMBERED: usize = 256;

/// An open position and its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The broker's row, or what its deals say it must be by now.
    pub row: PositionRow,
    /// The owner; none: foreign.
    pub client: Option<ClientName>,
    /// The strategy's name.
    pub tag: String,
}

/// How a position changed.
#[derive(Clone, Debug, PartialEq)]
pub enum PositionChange {
    /// Opened or changed.
    Changed(Position),
    /// Gone; as it was last.
    Closed(Position),
}

/// Whose a row is, told by its magic.
pub type Owner = (Option<ClientName>, String);

/// What a read of the rows led to.
#[derive(Debug, Default)]
pub struct Reading {
    /// How positions changed.
    pub changes: Vec<PositionChange>,
    /// Positions whose rows are believed from now on though no deal explains them, and their owners.
    pub unexplained: Vec<(PositionId, Option<ClientName>, Symbol)>,
}

/// The projection.
#[derive(Debug, Default)]
pub struct Book {
    tracks: BTreeMap<PositionId, Track>,
    account: Option<AccountRow>,
    as_of: Option<BrokerTime>,
    /// Deals up to this ticket are reflected in the account's figures.
    reflected: u64,
}

impl Book {
    /// As it was when the gateway ended: positions, and all deals known then, by ticket.
    #[must_use]
    pub fn new<'a>(positions: Vec<Position>, deals: impl Iterator<Item = &'a DealRow>) -> Self {
        let mut chains = HashMap::<PositionId, Chain>::new();
        let mut reflected = 0;
        for deal in deals {
            reflected = deal.ticket.0;
            if let Some(trade) = Trade::of(deal) {
                chains.entry(trade.position).or_default().add(trade);
            }
        }
        let tracks = chains.into_iter().map(|(id, chain)| (id, Track::of(chain)));
        let mut tracks: BTreeMap<PositionId, Track> = tracks.collect();
        for position in positions {
            let track = tracks.entry(position.row.id).or_default();
            track.resume(position);
        }
        let mut book = Self {
            tracks,
            reflected,
            ..Self::default()
        };
        book.forget();
        book
    }

    /// Open positions, by id.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.tracks.values().filter_map(Track::told)
    }

    /// One position.
    #[must_use]
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.tracks.get(&id)?.told()
    }

    /// Most lots that a close of a position may take now, other closes aside.
    #[must_use]
    pub fn closable(&self, id: PositionId, mode: AccountMode) -> Lots {
        let track = self.tracks.get(&id);
        track.map_or(Lots::ZERO, |track| track.closable(mode))
    }

    /// The account; none before the first snapshot.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountRow> {
        self.account.as_ref()
    }

    /// The newest deal that the account's figures reflect.
    #[must_use]
    pub const fn reflected(&self) -> Ticket {
        Ticket(self.reflected)
    }

    /// The broker's clock at the account's reading.
    #[must_use]
    pub const fn as_of(&self) -> Option<BrokerTime> {
        self.as_of
    }

    /// Symbols in which rows are believed that no deal explains.
    pub fn unexplained(&self) -> impl Iterator<Item = &Symbol> {
        self.tracks.values().filter_map(Track::unexplained)
    }

    /// An operator has looked at what no deal explains: it is taken as it is.
    pub fn accept(&mut self) {
        self.tracks.values_mut().for_each(Track::accept);
    }

    /// The link was lost: reads before and after do not add up.
    pub fn forget_doubts(&mut self) {
        self.tracks.values_mut().for_each(Track::forget_doubt);
    }

    /// Gives a position to a client; none: there is no such position.
    pub fn adopt(&mut self, id: PositionId, client: &ClientName) -> Option<PositionChange> {
        let position = self.tracks.get_mut(&id)?.told_mut()?;
        position.client = Some(client.clone());
        Some(PositionChange::Changed(position.clone()))
    }

    /// Takes new levels of a position; none: there is no such position, or nothing changes.
    pub fn set_levels(&mut self, id: PositionId, levels: Levels) -> Option<PositionChange> {
        let track = self.tracks.get_mut(&id)?;
        let changed = track.set_levels(levels);
        let told = track.told().filter(|_| changed)?;
        Some(PositionChange::Changed(told.clone()))
    }

    /// Takes the broker's rows, unless they are older than a deal already seen.
    pub fn read(
        &mut self,
        account: AccountRow,
        rows: Vec<PositionRow>,
        last_deal: Ticket,
        (time, now): (Option<BrokerTime>, UtcTime),
        owner: impl Fn(Magic) -> Owner,
    ) -> Option<Reading> {
        if last_deal.0 < self.reflected {
            return None;
        }
        self.reflected = last_deal.0;
        self.account = Some(account);
        self.as_of = time;
        let mut rows: HashMap<PositionId, PositionRow> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        for id in rows.keys() {
            self.tracks.entry(*id).or_default();
        }
        let mut reading = Reading::default();
        for (id, track) in &mut self.tracks {
            let unexplained = track.read(rows.remove(id), now);
            let client = track.told().and_then(|told| told.client.clone());
            let change = track.tell(Levels::default(), &owner);
            let client = track.told().map_or(client, |told| told.client.clone());
            reading.changes.extend(change);
            if let Some(symbol) = track.unexplained().filter(|_| unexplained) {
                reading.unexplained.push((*id, client, symbol.clone()));
            }
        }
        self.forget();
        Some(reading)
    }

    /// Takes a deal. `levels` are those of the order, for a position that the deal opens.
    pub fn apply(
        &mut self,
        deal: &DealRow,
        levels: Levels,
        owner: impl Fn(Magic) -> Owner,
    ) -> Option<PositionChange> {
        self.reflected = self.reflected.max(deal.ticket.0);
        let trade = Trade::of(deal)?;
        let track = self.tracks.entry(trade.position).or_default();
        track.add(trade);
        track.tell(levels, owner)
    }

    /// Drops the oldest of the positions that are over.
    fn forget(&mut self) {
        let over = self.tracks.iter().filter(|(_, track)| track.is_over());
        let over: Vec<PositionId> = over.map(|(id, _)| *id).collect();
        for id in over.iter().rev().skip(REMEMBERED) {
            self.tracks.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
