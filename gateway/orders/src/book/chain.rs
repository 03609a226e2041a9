//! A position as its deals make it.

use mymt5_model::{
    BrokerTime, DealKind, DealRow, Entry, Levels, Lots, Magic, Money, PositionId, PositionRow,
    Price, Side, Symbol, Ticket,
};
use std::collections::VecDeque;

/// Parts of a point.
const PARTS: i128 = 1_000_000;
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
    trades: VecDeque<Trade>,
    sum: Sum,
}

/// What deals sum up to: the position, none where nothing is left open, and what was realised.
#[derive(Clone, Debug, Default)]
struct Sum {
    row: Option<PositionRow>,
    /// Of the order that made the position its own last, though nothing may be left open.
    opener: Option<Magic>,
    profit: Money,
    swap: Money,
    /// The open price in parts of a point of the row's, so that averages of averages stay exact.
    price: i128,
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
            self.is_rooted = self.trades.front().is_some_and(Trade::opens);
        }
        self.fold();
        true
    }

    fn fold(&mut self) {
        if self.trades.len() > KEPT
            && let Some(oldest) = self.trades.pop_front()
        {
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
    pub(super) fn is_empty(&self) -> bool {
        self.trades.is_empty()
    }

    /// True for a deal that is not among these though newer ones are: what they sum up to is right by
    /// chance alone.
    pub(super) fn misses(&self, trade: &Trade) -> bool {
        let place = self
            .trades
            .binary_search_by_key(&trade.ticket, |known| known.ticket);
        let kept = self.folded.is_none_or(|folded| folded < trade.ticket);
        self.is_whole() && kept && place.is_err_and(|place| place < self.trades.len())
    }

    /// True when all of them were done by then.
    pub(super) fn is_done(&self, by: BrokerTime) -> bool {
        self.trades.iter().all(|trade| trade.deal.time <= by)
    }

    /// The newest deal.
    pub(super) fn newest(&self) -> Option<Ticket> {
        self.trades.back().map(|trade| trade.ticket)
    }

    /// What the deals sum up to; none: nothing is left open.
    pub(super) const fn sum(&self) -> Option<&PositionRow> {
        self.sum.row.as_ref()
    }

    /// The magic of the order that opened or reversed the position last, as far as the deals show.
    /// What adds to it or closes it does not show whose it is.
    pub(super) const fn opener(&self) -> Option<Magic> {
        self.sum.opener
    }

    /// True when they lead to just that row: as much, on that side, at that price but for rounding,
    /// with whatever digits both were read.
    pub(super) fn leads_to(&self, row: Option<&PositionRow>) -> bool {
        let amount = |row: &PositionRow| (row.side, row.lots);
        let sum = self.sum();
        let is_near = sum.zip(row).is_none_or(|(sum, row)| {
            let digits = sum.open_price.digits().min(row.open_price.digits());
            let points = |row: &PositionRow| row.open_price.with_digits(digits).points();
            points(sum).abs_diff(points(row)) <= 1
        });
        self.is_whole() && sum.map(amount) == row.map(amount) && is_near
    }

    /// Profit and swap that its deals realised.
    pub(super) const fn realised(&self) -> (Money, Money) {
        (self.sum.profit, self.sum.swap)
    }
}

impl Sum {
    fn with(self, trade: &Trade) -> Self {
        let adds = trade.entry == Entry::In;
        let open = self.row.as_ref().filter(|_| adds);
        // What is added to has the digits that its price was first read with.
        let digits = open.map_or(trade.price.digits(), |row| row.open_price.digits());
        let own = i128::from(trade.price.with_digits(digits).points()) * PARTS;
        let price = match open.map(|row| i128::from(row.lots.units())) {
            Some(open) => {
                let more = i128::from(trade.lots.units());
                let worth = self.price * open + own * more;
                worth / (open + more).max(1)
            }
            None if trade.closed_lots().is_zero() => own,
            None => self.price,
        };
        Self {
            opener: trade.takes_over().then(|| trade.magic()).or(self.opener),
            lacks: self.lacks || !trade.follows(self.row.as_ref()),
            row: trade.after(self.row, rounded(price, digits)),
            profit: self.profit + trade.deal.profit,
            swap: self.swap + trade.deal.swap,
            price,
        }
    }
}

fn rounded(price: i128, digits: u8) -> Price {
    let points = (price + PARTS / 2).div_euclid(PARTS);
    Price::from_points(i64::try_from(points).unwrap_or(i64::MAX), digits)
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
    /// None: the deal is not a trade.
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

    /// True where its order makes the position its own.
    fn takes_over(&self) -> bool {
        self.opens() || self.entry == Entry::InOut
    }

    /// Of the order that made it.
    pub(super) const fn magic(&self) -> Magic {
        self.deal.magic
    }

    /// When it was done.
    pub(super) const fn time(&self) -> BrokerTime {
        self.deal.time
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

    /// What a position has become after this trade. `average`: its open price then.
    fn after(&self, before: Option<PositionRow>, average: Price) -> Option<PositionRow> {
        let Some(row) = before else {
            let opens = matches!(self.entry, Entry::In | Entry::InOut);
            return opens.then(|| self.open());
        };
        match self.entry {
            Entry::In => Some(PositionRow {
                open_price: average,
                lots: row.lots.plus(self.lots),
                updated: self.deal.time,
                ..row
            }),
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
