//! Account and positions, as the broker's rows and the deals show them. The two are read apart and
//! lag behind each other: how one position is told by both stands in [`track`].

mod chain;
mod reads;
#[cfg(test)]
mod tests;
mod track;

pub(crate) use reads::Reads;

use crate::{broker::RowKind, time::Now, unread::Unread};
use chain::Trade;
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, ClientName, DealRow, Levels, LevelsEdit, Lots, Magic,
    PositionId, PositionRow, Symbol, Ticket,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// It lies in the owner's slot, the journal knows no order that opened it, and nobody adopted it.
    pub orphan: bool,
}

/// A position that is not what its deals say: its row is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Where.
    pub symbol: Symbol,
    /// Whose it is, or was.
    pub client: Option<ClientName>,
    /// An operator accepted the row; deals up to this one tell the position no more.
    pub accepted: Option<Ticket>,
}

/// How a position changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PositionChange {
    /// Opened or changed.
    Changed(Position),
    /// Gone; as it was last.
    Closed(Position),
}

/// Whose a row is, told by its magic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    /// The client; none: foreign.
    pub(crate) client: Option<ClientName>,
    /// The strategy's name.
    pub(crate) tag: String,
    /// The journal knows no order with that magic, though it lies in the client's slot.
    pub(crate) orphan: bool,
}

impl Owner {
    /// A position of this owner.
    fn of(self, row: PositionRow) -> Position {
        Position {
            row,
            client: self.client,
            tag: self.tag,
            orphan: self.orphan,
        }
    }
}

impl Position {
    /// Whose it is.
    fn owner(&self) -> Owner {
        Owner {
            client: self.client.clone(),
            tag: self.tag.clone(),
            orphan: self.orphan,
        }
    }
}

/// What a read of the rows led to.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// How positions changed.
    pub(crate) changes: Vec<PositionChange>,
    /// Positions whose rows are believed from now on though no deal explains them.
    pub(crate) unexplained: Vec<(PositionId, Symbol)>,
    /// Rows and deals disagree that did not before: others of its deals may be known to the history.
    pub(crate) doubts: bool,
}

/// The projection.
#[derive(Debug, Default)]
pub struct Book {
    tracks: BTreeMap<PositionId, Track>,
    account: Option<AccountRow>,
    as_of: Option<BrokerTime>,
    mode: Option<AccountMode>,
    /// Readings so far.
    readings: u64,
    /// Those since the link came up. The first may be from before.
    fresh: Option<Reads>,
    /// What disagrees is not recorded as it is by now.
    disagreements_changed: bool,
}

impl Book {
    /// As it was when the gateway ended: positions, all deals of theirs by ticket, the account's
    /// mode, and what was not what its deals say.
    pub(crate) fn new<'a>(
        positions: Vec<Position>,
        deals: impl Iterator<Item = &'a DealRow>,
        mode: Option<AccountMode>,
        disagreements: BTreeMap<PositionId, Disagreement>,
    ) -> Self {
        let mut book = Self {
            mode,
            ..Self::default()
        };
        for (id, disagreement) in disagreements {
            book.tracks.insert(id, Track::of_disagreement(disagreement));
        }
        deals.for_each(|deal| book.recall(deal));
        for position in positions {
            book.tracks
                .entry(position.row.id)
                .or_default()
                .resume(position);
        }
        book
    }

    /// Takes a deal of the past, of which everything was reported.
    pub(crate) fn recall(&mut self, deal: &DealRow) {
        if let Some(trade) = Trade::of(deal) {
            self.tracks.entry(trade.position).or_default().recall(trade);
        }
    }

    /// True when something is known of the position, its deals included.
    pub(crate) fn knows(&self, id: PositionId) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| !track.lacks_deals())
    }

    /// True when that deal of the position came early, and not yet in its order.
    pub(crate) fn has_early(&self, id: PositionId, deal: Ticket) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| track.has_early(deal))
    }

    /// Open positions, by id.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.tracks.values().filter_map(Track::reported)
    }

    /// One position.
    #[must_use]
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.tracks.get(&id)?.reported()
    }

    /// Whose a position is, or was.
    pub(crate) fn owner_of(&self, id: PositionId) -> Option<&Owner> {
        self.tracks.get(&id)?.owner()
    }

    /// The magic of the order that opened a position, as far as its deals show.
    pub(crate) fn opener(&self, id: PositionId) -> Option<Magic> {
        self.tracks.get(&id)?.opener()
    }

    /// Most lots that a close of a position may take now, other closes aside.
    #[must_use]
    pub fn closable(&self, id: PositionId) -> Lots {
        let track = self.tracks.get(&id);
        track.map_or(Lots::ZERO, |track| track.closable(self.mode()))
    }

    /// The same where the newest row has all closes that are known: a close that needs more than is
    /// sure waits for the next row.
    #[must_use]
    pub fn closable_at_most(&self, id: PositionId) -> Lots {
        let track = self.tracks.get(&id);
        track.map_or(Lots::ZERO, |track| track.closable_at_most(self.mode()))
    }

    /// True when a known deal of a position is in what is reported of it.
    pub(crate) fn reports_deal(&self, id: PositionId, deal: Ticket) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| track.reports_deal(deal))
    }

    /// True for a known deal that is not in what is reported of its position yet, nor in its row.
    pub(crate) fn waits(&self, id: PositionId, deal: Ticket) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| track.waits(deal))
    }

    /// True while a position's newest row has other lots than are reported of it.
    pub(crate) fn row_lags(&self, id: PositionId) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| {
            let reported = track.reported().map(|reported| &reported.row);
            let amount = |row: &PositionRow| (row.side, row.lots);
            reported.map(amount) != track.row().map(amount)
        })
    }

    /// The account; none before the first read.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountRow> {
        self.account.as_ref()
    }

    /// The account's mode: the stricter one, netting, while it is not known.
    #[must_use]
    pub fn mode(&self) -> AccountMode {
        self.mode.unwrap_or(AccountMode::Netting)
    }

    /// The broker's clock at the account's reading.
    #[must_use]
    pub const fn as_of(&self) -> Option<BrokerTime> {
        self.as_of
    }

    /// Symbols in which rows are believed that no deal explains.
    pub(crate) fn unexplained(&self) -> impl Iterator<Item = &Symbol> {
        self.tracks.values().filter_map(Track::unexplained)
    }

    /// An operator has checked what no deal explains in that symbol (none: anywhere): it is taken
    /// as it is. False: there was nothing.
    pub(crate) fn accept(&mut self, symbol: Option<&Symbol>) -> bool {
        let tracks = self.tracks.values_mut();
        let unexplained = tracks.filter(|track| {
            let of = track.unexplained();
            of.is_some_and(|of| symbol.is_none_or(|symbol| symbol == of))
        });
        let accepted = unexplained.map(Track::accept).count() > 0;
        self.disagreements_changed |= accepted;
        accepted
    }

    /// All that is not what its deals say, where that changed since it was last asked.
    pub(crate) fn take_disagreements(&mut self) -> Option<BTreeMap<PositionId, Disagreement>> {
        let tracks = self.tracks.iter();
        let all = tracks.filter_map(|(id, track)| Some((*id, track.disagreement()?.clone())));
        std::mem::take(&mut self.disagreements_changed).then(|| all.collect())
    }

    /// True when rows and deals of a client's positions (none: of all) agree. A doubt about
    /// what is nobody's counts for every client.
    #[must_use]
    pub fn is_settled(&self, client: Option<&ClientName>) -> bool {
        let own = |track: &&Track| {
            let owner = track.owner().map(|owner| owner.client.as_ref());
            client.is_none() || owner.is_none_or(|owner| owner == client)
        };
        self.tracks.values().filter(own).all(Track::is_settled)
    }

    /// True while what is told of a position is in doubt for longer than an answer is on its way.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.tracks.values().any(Track::doubt_lasts)
    }

    /// The link was lost: reads before and after do not add up, and deals may be missed.
    pub(crate) fn lose(&mut self) {
        self.fresh = None;
        self.tracks.values_mut().for_each(Track::lose);
    }

    /// Gives a position to a client; none: there is no such position.
    pub(crate) fn adopt(&mut self, id: PositionId, client: &ClientName) -> Option<PositionChange> {
        let position = self.tracks.get_mut(&id)?.adopt(client)?;
        Some(PositionChange::Changed(position.clone()))
    }

    /// Gives what is nobody's to the clients in whose slots it lies by now.
    pub(crate) fn claim(&mut self, owner: impl Fn(Magic) -> Owner) -> Vec<PositionChange> {
        let tracks = self.tracks.values_mut();
        let claimed = tracks.filter_map(|track| track.claim(&owner).cloned());
        claimed.map(PositionChange::Changed).collect()
    }

    /// Takes new levels of a position, of that news; none: there is no such position, or nothing
    /// changes.
    pub(crate) fn set_levels(
        &mut self,
        id: PositionId,
        levels: Levels,
        news: u64,
    ) -> Option<PositionChange> {
        let track = self.tracks.get_mut(&id)?;
        let changed = track.set_levels(levels, news);
        let reported = track.reported().filter(|_| changed)?;
        Some(PositionChange::Changed(reported.clone()))
    }

    /// True when a position has these levels already, by a row that was read since they were last
    /// changed.
    pub(crate) fn has_levels(&self, id: PositionId, levels: LevelsEdit) -> bool {
        let track = self.tracks.get(&id);
        track.is_some_and(|track| track.has_levels(levels))
    }

    /// A position's row as the newest read has it; none: that read lacks it.
    pub(crate) fn row(&self, id: PositionId) -> Option<&PositionRow> {
        self.tracks.get(&id)?.row()
    }

    /// Takes the account's figures.
    pub(crate) fn read_account(&mut self, account: AccountRow, time: Option<BrokerTime>) {
        self.mode = Some(account.mode);
        self.account = Some(account);
        self.as_of = time;
    }

    /// Takes the broker's rows. `begun`: the news when the reading began. What a row that cannot be
    /// understood may hide stays as it was.
    pub(crate) fn read(
        &mut self,
        rows: Vec<PositionRow>,
        unread: &Unread,
        begun: u64,
        now: Now,
        owner: impl Fn(Magic) -> Owner,
    ) -> Reading {
        self.readings += 1;
        let fresh = Reads::after(self.fresh, now.elapsed_ms);
        self.fresh = Some(fresh);
        let rows = rows.into_iter().map(|row| (row.id, row));
        let mut rows: BTreeMap<PositionId, PositionRow> = rows.collect();
        for id in rows.keys() {
            self.tracks.entry(*id).or_default();
        }
        let mut reading = Reading::default();
        for (id, track) in &mut self.tracks {
            let row = rows.remove(id);
            let ticket = track.reported().map(|reported| reported.row.ticket);
            if row.is_none() && unread.may_hide(RowKind::Position, ticket) {
                continue;
            }
            let before = track.disagreement().is_some();
            reading.doubts |= track.read(row, begun, self.as_of, fresh, now);
            if let Some(symbol) = track.unexplained().filter(|_| !before) {
                reading.unexplained.push((*id, symbol.clone()));
            }
            reading
                .changes
                .extend(track.report(Levels::default(), &owner));
            self.disagreements_changed |= track.disagreement().is_some() != before;
        }
        self.forget();
        reading
    }

    /// Takes a deal in its order, by that news. The position that it belongs to; none: the deal is no
    /// trade.
    pub(crate) fn add(&mut self, deal: &DealRow, news: u64) -> Option<PositionId> {
        let trade = Trade::of(deal)?;
        let id = trade.position;
        self.tracks.entry(id).or_default().add(trade, news);
        Some(id)
    }

    /// Takes a deal that came with its order's answer: others before it may not be known yet.
    /// `whole`: it alone fills its order, so that none of that order is before it.
    pub(crate) fn add_early(
        &mut self,
        deal: &DealRow,
        whole: bool,
        news: u64,
    ) -> Option<PositionId> {
        let trade = Trade::of(deal)?;
        let id = trade.position;
        let begins = whole && trade.opens();
        self.tracks
            .entry(id)
            .or_default()
            .add_early(trade, begins, news);
        Some(id)
    }

    /// Reports a position of which deals came. `levels` are those of the order, where one opened it.
    pub(crate) fn report(
        &mut self,
        id: PositionId,
        levels: Levels,
        owner: impl Fn(Magic) -> Owner,
    ) -> Vec<PositionChange> {
        let Some(track) = self.tracks.get_mut(&id) else {
            return Vec::new();
        };
        let before = track.disagreement().is_some();
        let changes = track.report(levels, owner);
        self.disagreements_changed |= track.disagreement().is_some() != before;
        changes
    }

    /// Drops those of the positions that are over that have been over the longest.
    fn forget(&mut self) {
        let mut over = Vec::new();
        for (id, track) in &mut self.tracks {
            if track.is_over() {
                let since = *track.over_at.get_or_insert(self.readings);
                over.push((since, *id));
            } else {
                track.over_at = None;
            }
        }
        over.sort_unstable();
        for (_, id) in over.iter().rev().skip(REMEMBERED) {
            let dropped = self.tracks.remove(id);
            let disagreed = dropped.is_some_and(|track| track.disagreement().is_some());
            self.disagreements_changed |= disagreed;
        }
    }

    /// Positions of which something is in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.tracks.len()
    }
}
