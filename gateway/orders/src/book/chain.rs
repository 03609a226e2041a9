//! A position as its deals tell it.

use mymt5_model::{
    DealKind, DealRow, Entry, Levels, Lots, Money, PositionId, PositionRow, Price, Side, Symbol,
    Ticket,
};

/// The deals of one position in the order of their tickets, and what they sum up to. A deal counts
/// once, whenever and however often it comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    trades: Vec<Trade>,
    sum: Option<PositionRow>,
}

impl Chain {
    /// Takes a trade. False: it was there already.
    pub(super) fn add(&mut self, trade: Trade) -> bool {
        let place = self
            .trades
            .binary_search_by_key(&trade.ticket, |known| known.ticket);
        let Err(place) = place else {
            return false;
        };
        let is_newest = place == self.trades.len();
        self.trades.insert(place, trade);
        if is_newest {
            self.sum = self.trades[place].after(self.sum.take());
        } else {
            let trades = self.trades.iter();
            self.sum = trades.fold(None, |sum, trade| trade.after(sum));
        }
        true
    }

    /// True when the deals are known from the one that opened the position on: their sum is all of
    /// it.
    pub(super) fn is_whole(&self) -> bool {
        let first = self.trades.first();
        first.is_some_and(|trade| trade.entry == Entry::In)
    }

    /// True when its newest deal closes, wholly or in part.
    pub(super) fn closes(&self) -> bool {
        let newest = self.trades.last();
        newest.is_some_and(|trade| !trade.closed_lots().is_zero())
    }

    /// What the deals sum up to; none: nothing is left open.
    pub(super) const fn sum(&self) -> Option<&PositionRow> {
        self.sum.as_ref()
    }
}

/// What a deal of a trade holds.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    ticket: Ticket,
    pub(super) position: PositionId,
    symbol: Symbol,
    side: Side,
    entry: Entry,
    lots: Lots,
    price: Price,
    deal: DealRow,
}

impl Trade {
    /// None: the deal is no trade.
    pub(super) fn of(deal: &DealRow) -> Option<Self> {
        let DealKind::Trade(side) = deal.kind else {
            return None;
        };
        Some(Self {
            ticket: deal.ticket,
            position: deal.position_id?,
            symbol: deal.symbol.clone()?,
            side,
            entry: deal.entry?,
            lots: deal.lots,
            price: deal.price?,
            deal: deal.clone(),
        })
    }

    /// Lots that it takes from its position.
    pub(super) const fn closed_lots(&self) -> Lots {
        match self.entry {
            Entry::Out | Entry::OutBy => self.lots,
            Entry::In | Entry::InOut => Lots::ZERO,
        }
    }

    /// What a position has become after this trade.
    fn after(&self, before: Option<PositionRow>) -> Option<PositionRow> {
        let Some(row) = before else {
            let opens = matches!(self.entry, Entry::In | Entry::InOut);
            return opens.then(|| self.open());
        };
        match self.entry {
            Entry::In => Some(self.add_to(row)),
            Entry::InOut => Some(self.reverse(row)),
            Entry::Out | Entry::OutBy if self.lots >= row.lots => None,
            Entry::Out | Entry::OutBy => Some(PositionRow {
                lots: row.lots.minus(self.lots),
                updated: self.deal.time,
                ..row
            }),
        }
    }

    fn open(&self) -> PositionRow {
        PositionRow {
            ticket: Ticket(self.position.0),
            id: self.position,
            magic: self.deal.magic,
            symbol: self.symbol.clone(),
            side: self.side,
            lots: self.lots,
            open_price: self.price,
            levels: Levels::default(),
            profit: Money::ZERO,
            swap: Money::ZERO,
            opened: self.deal.time,
            updated: self.deal.time,
            comment: self.deal.comment.clone(),
        }
    }

    fn add_to(&self, row: PositionRow) -> PositionRow {
        let weight =
            |price: Price, lots: Lots| i128::from(price.points()) * i128::from(lots.units());
        let lots = row.lots.plus(self.lots);
        let points = (weight(row.open_price, row.lots) + weight(self.price, self.lots))
            / i128::from(lots.units().max(1));
        let points = i64::try_from(points).unwrap_or(i64::MAX);
        PositionRow {
            open_price: Price::from_points(points, self.price.digits()),
            lots,
            updated: self.deal.time,
            ..row
        }
    }

    /// An opposite deal larger than the position: what is left stands on the other side.
    fn reverse(&self, row: PositionRow) -> PositionRow {
        PositionRow {
            lots: self.lots.minus(row.lots),
            side: self.side,
            open_price: self.price,
            ticket: self.deal.order.unwrap_or(row.ticket),
            magic: self.deal.magic,
            updated: self.deal.time,
            ..row
        }
    }
}
