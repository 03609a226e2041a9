//! Account and positions: a projection of the broker's rows and of the deals seen since.

use mymt5_model::{
    AccountRow, BrokerTime, ClientName, DealKind, DealRow, Entry, Levels, Lots, Magic, Money,
    PositionId, PositionRow, Price, Side, Symbol, Ticket,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An open position and its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The broker's row, brought forward by deals.
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

/// The projection.
#[derive(Debug, Default)]
pub struct Book {
    positions: BTreeMap<PositionId, Position>,
    account: Option<AccountRow>,
    as_of: Option<BrokerTime>,
    /// Deals up to this ticket are reflected in the positions.
    reflected: u64,
}

impl Book {
    /// As it was when the gateway ended: positions, and the newest deal they reflect.
    #[must_use]
    pub fn new(positions: Vec<Position>, reflected: Ticket) -> Self {
        let positions = positions
            .into_iter()
            .map(|position| (position.row.id, position));
        Self {
            positions: positions.collect(),
            reflected: reflected.0,
            ..Self::default()
        }
    }

    /// Open positions, by id.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.values()
    }

    /// One position.
    #[must_use]
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.positions.get(&id)
    }

    /// The account; none before the first snapshot.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountRow> {
        self.account.as_ref()
    }

    /// The newest deal that the positions reflect.
    #[must_use]
    pub const fn reflected(&self) -> Ticket {
        Ticket(self.reflected)
    }

    /// The broker's clock at the account's reading.
    #[must_use]
    pub const fn as_of(&self) -> Option<BrokerTime> {
        self.as_of
    }

    /// Gives a position to a client; none: there is no such position.
    pub fn adopt(&mut self, id: PositionId, client: &ClientName) -> Option<PositionChange> {
        let position = self.positions.get_mut(&id)?;
        position.client = Some(client.clone());
        Some(PositionChange::Changed(position.clone()))
    }

    /// Takes new levels of a position; none: there is no such position, or nothing changes.
    pub fn set_levels(&mut self, id: PositionId, levels: Levels) -> Option<PositionChange> {
        let position = self.positions.get_mut(&id)?;
        if position.row.levels == levels {
            return None;
        }
        position.row.levels = levels;
        Some(PositionChange::Changed(position.clone()))
    }

    /// Takes the broker's rows, unless they are older than a deal already seen.
    pub fn read(
        &mut self,
        account: AccountRow,
        rows: Vec<PositionRow>,
        last_deal: Ticket,
        time: Option<BrokerTime>,
        owner: impl Fn(Magic) -> Owner,
    ) -> Option<Vec<PositionChange>> {
        if last_deal.0 < self.reflected {
            return None;
        }
        self.reflected = last_deal.0;
        self.account = Some(account);
        self.as_of = time;
        let mut before = std::mem::take(&mut self.positions);
        let mut changes = Vec::new();
        for row in rows {
            let known = before.remove(&row.id);
            let same = known
                .as_ref()
                .is_some_and(|known| is_same(&known.row, &row));
            let (client, tag) =
                known.map_or_else(|| owner(row.magic), |known| (known.client, known.tag));
            let position = Position { row, client, tag };
            if !same {
                changes.push(PositionChange::Changed(position.clone()));
            }
            self.positions.insert(position.row.id, position);
        }
        changes.extend(before.into_values().map(PositionChange::Closed));
        Some(changes)
    }

    /// Brings the positions forward by a deal, unless the rows reflect it already. `levels` are
    /// those of the order, for a position that the deal opens.
    pub fn apply(
        &mut self,
        deal: &DealRow,
        levels: Levels,
        owner: impl Fn(Magic) -> Owner,
    ) -> Option<PositionChange> {
        if deal.ticket.0 <= self.reflected {
            return None;
        }
        self.reflected = deal.ticket.0;
        let trade = Trade::of(deal)?;
        match (self.positions.remove(&trade.position), trade.entry) {
            (Some(position), Entry::In) => Some(self.keep(trade.add_to(position))),
            (Some(position), Entry::Out | Entry::OutBy) if trade.lots >= position.row.lots => {
                Some(PositionChange::Closed(position))
            }
            (Some(mut position), Entry::Out | Entry::OutBy) => {
                position.row.lots = position.row.lots.minus(trade.lots);
                position.row.updated = deal.time;
                Some(self.keep(position))
            }
            (Some(position), Entry::InOut) => Some(self.keep(trade.reverse(position, deal))),
            (None, Entry::In | Entry::InOut) => {
                let (client, tag) = owner(deal.magic);
                Some(self.keep(Position {
                    row: trade.open(deal, levels),
                    client,
                    tag,
                }))
            }
            (None, Entry::Out | Entry::OutBy) => None,
        }
    }

    fn keep(&mut self, position: Position) -> PositionChange {
        self.positions.insert(position.row.id, position.clone());
        PositionChange::Changed(position)
    }
}

/// True when nothing but the floating figures differ.
fn is_same(a: &PositionRow, b: &PositionRow) -> bool {
    (a.ticket, a.side, a.lots, a.open_price, a.levels)
        == (b.ticket, b.side, b.lots, b.open_price, b.levels)
}

/// What a deal row of a trade holds.
struct Trade {
    position: PositionId,
    symbol: Symbol,
    side: Side,
    entry: Entry,
    lots: Lots,
    price: Price,
}

impl Trade {
    fn of(deal: &DealRow) -> Option<Self> {
        let DealKind::Trade(side) = deal.kind else {
            return None;
        };
        Some(Self {
            position: deal.position_id?,
            symbol: deal.symbol.clone()?,
            side,
            entry: deal.entry?,
            lots: deal.lots,
            price: deal.price?,
        })
    }

    fn open(&self, deal: &DealRow, levels: Levels) -> PositionRow {
        PositionRow {
            ticket: Ticket(self.position.0),
            id: self.position,
            magic: deal.magic,
            symbol: self.symbol.clone(),
            side: self.side,
            lots: self.lots,
            open_price: self.price,
            levels,
            profit: Money::ZERO,
            swap: Money::ZERO,
            opened: deal.time,
            updated: deal.time,
            comment: deal.comment.clone(),
        }
    }

    fn add_to(&self, mut position: Position) -> Position {
        let row = &mut position.row;
        let weight =
            |price: Price, lots: Lots| i128::from(price.points()) * i128::from(lots.units());
        let lots = row.lots.plus(self.lots);
        let points = (weight(row.open_price, row.lots) + weight(self.price, self.lots))
            / i128::from(lots.units().max(1));
        row.open_price = Price::from_points(
            i64::try_from(points).unwrap_or(i64::MAX),
            self.price.digits(),
        );
        row.lots = lots;
        position
    }

    /// An opposite deal larger than the position: what is left stands on the other side.
    fn reverse(&self, mut position: Position, deal: &DealRow) -> Position {
        let row = &mut position.row;
        row.lots = self.lots.minus(row.lots);
        row.side = self.side;
        row.open_price = self.price;
        row.ticket = deal.order.unwrap_or(row.ticket);
        row.magic = deal.magic;
        row.updated = deal.time;
        position
    }
}

#[cfg(test)]
mod tests;
