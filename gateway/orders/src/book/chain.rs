//! A position as its deals tell it.

use mymt5_model::{
    DealKind, DealRow, Entry, Levels, Lots, Magic, Money, PositionId, PositionRow, Price, Side,
    Symbol, Ticket,
};

/// Deals kept one by one, so that one that comes late finds its place.
const KEPT: usize = 64;

/// The deals of one position in the order of their tickets, and what they sum up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// What the older deals sum up to.
    base: Sum,
    /// They are all known, from the one that opened the position on.
    is_rooted: bool,
    /// The newest of them.
    folded: Option<Ticket>,
    /// The newer ones.
    trades: Vec<Trade>,
    sum: Sum,
}

/// What deals sum up to: the position, none where nothing is left open, and what was realised.
#[derive(Clone, Debug, Default)]
struct Sum {
    row: Option<PositionRow>,
    profit: Money,
    swap: Money,
    /// One of them cannot follow those before it: a deal between them is missing.
    lacks: bool,
}

impl Chain {
    /// Takes a trade. False: it was there already.
    pub(super) fn add(&mut self, trade: Trade) -> bool {
        if self.folded.is_some_and(|folded| trade.ticket <= folded) {
            // Its place is gone: what the deals sum up to is not known any more.
            self.is_rooted = false;
            return false;
        }
        let place = self
            .trades
            .binary_search_by_key(&trade.ticket, |known| known.ticket);
        let Err(place) = place else {
            return false;
        };
        let is_newest = place == self.trades.len();
        self.trades.insert(place, trade);
        if is_newest {
            self.sum = std::mem::take(&mut self.sum).with(&self.trades[place]);
        } else {
            self.sum = self.trades.iter().fold(self.base.clone(), Sum::with);
        }
        if self.folded.is_none() {
            self.is_rooted = self.trades.first().is_some_and(Trade::opens);
        }
        self.fold();
        true
    }

    fn fold(&mut self) {
        if self.trades.len() > KEPT {
            let oldest = self.trades.remove(0);
            self.base = std::mem::take(&mut self.base).with(&oldest);
            self.folded = Some(oldest.ticket);
        }
    }

    /// True when the deals are known from the one that opened the position on, and add up: their sum
    /// is all of it.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_rooted && !self.sum.lacks
    }

    /// True when no deal is known.
    pub(super) const fn is_empty(&self) -> bool {
        self.trades.is_empty()
    }

    /// The newest deal.
    pub(super) fn newest(&self) -> Option<Ticket> {
        self.trades.last().map(|trade| trade.ticket)
    }

    /// What the deals sum up to; none: nothing is left open.
    pub(super) const fn sum(&self) -> Option<&PositionRow> {
        self.sum.row.as_ref()
    }

    /// Profit and swap that its deals realised.
    pub(super) const fn realised(&self) -> (Money, Money) {
        (self.sum.profit, self.sum.swap)
    }
}

impl Sum {
    fn with(self, trade: &Trade) -> Self {
        Self {
            lacks: self.lacks || !trade.follows(self.row.as_ref()),
            row: trade.after(self.row),
            profit: self.profit + trade.deal.profit,
            swap: self.swap + trade.deal.swap,
        }
    }
}

/// What a deal of a trade holds.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) ticket: Ticket,
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

    /// True for the deal of the order whose ticket is the position's identifier: it opened it.
    pub(super) fn opens(&self) -> bool {
        self.entry == Entry::In && self.deal.order == Some(Ticket(self.position.0))
    }

    /// Of the order that made it.
    pub(super) const fn magic(&self) -> Magic {
        self.deal.magic
    }

    /// Lots that it takes from its position.
    pub(super) const fn closed_lots(&self) -> Lots {
        match self.entry {
            Entry::Out | Entry::OutBy => self.lots,
            Entry::In | Entry::InOut => Lots::ZERO,
        }
    }

    /// True where a broker does it to a position that is so.
    fn follows(&self, before: Option<&PositionRow>) -> bool {
        let adds = before.is_none_or(|row| row.side == self.side);
        let open = before.map_or(Lots::ZERO, |row| row.lots);
        match self.entry {
            Entry::In => adds,
            Entry::InOut => !adds && self.lots > open,
            Entry::Out | Entry::OutBy => !adds && self.lots <= open,
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
