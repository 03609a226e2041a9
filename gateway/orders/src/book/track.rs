//! One position, told by two sources that cannot be ordered: the broker's rows and its deals. Each
//! may lag behind the other, so that they are never added up. Deals tell the position where they are
//! known from its opening on; its row tells it where they are not, or where the two go on
//! disagreeing.

use super::{
    Owner, Position, PositionChange,
    chain::{Chain, Trade},
};
use mymt5_model::{AccountMode, Levels, Lots, Magic, PositionRow, Symbol, UtcTime};

/// So many reads in a row, over so long, must disagree with what is told before they are believed.
const READS: u32 = 3;
const DOUBT_MS: i64 = 5_000;

/// What tells a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// Its deals, from the opening one on.
    #[default]
    Deals,
    /// The broker's row.
    Row,
}

/// Since when reads disagree with what is told, and how many of them.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: i64,
    reads: u32,
}

/// All that is known of a position.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    chain: Chain,
    source: Source,
    /// As the newest read has it; none: that read lacks it.
    row: Option<PositionRow>,
    /// An earlier read had it, and its absence is not believed yet.
    seen: bool,
    /// Lots of closing deals that came since the newest read.
    closed_since: Lots,
    doubt: Option<Doubt>,
    /// Rows were believed against deals: what happened there is not known.
    unexplained: Option<Symbol>,
    told: Option<Position>,
}

impl Track {
    /// With these deals, and nothing read or told yet.
    pub(super) fn of(chain: Chain) -> Self {
        Self {
            chain,
            ..Self::default()
        }
    }

    /// The position as the journal told it last.
    pub(super) fn resume(&mut self, position: Position) {
        self.row = Some(position.row.clone());
        self.seen = true;
        self.source = if self.chain.is_whole() && self.agrees() {
            Source::Deals
        } else {
            Source::Row
        };
        self.told = Some(position);
    }

    pub(super) const fn told(&self) -> Option<&Position> {
        self.told.as_ref()
    }

    pub(super) const fn told_mut(&mut self) -> Option<&mut Position> {
        self.told.as_mut()
    }

    /// True when nothing is open, and nothing waits for an explanation.
    pub(super) const fn is_over(&self) -> bool {
        self.told.is_none() && self.row.is_none() && self.unexplained.is_none()
    }

    /// The symbol in which something happened that no deal explains.
    pub(super) const fn unexplained(&self) -> Option<&Symbol> {
        self.unexplained.as_ref()
    }

    /// An operator has looked: what the rows say holds.
    pub(super) fn accept(&mut self) {
        if self.unexplained.take().is_some() {
            self.chain = Chain::default();
        }
    }

    /// Reads before and after a pause of the link do not add up.
    pub(super) const fn forget_doubt(&mut self) {
        self.doubt = None;
    }

    /// Takes a deal; one that came before changes nothing.
    pub(super) fn add(&mut self, trade: Trade) {
        let closed = trade.closed_lots();
        if self.chain.add(trade) {
            self.closed_since = self.closed_since.plus(closed);
        }
    }

    /// Takes the position's row of a new read; none: it has no such row. True: from now on the rows
    /// are believed though no deal explains them.
    pub(super) fn read(&mut self, row: Option<PositionRow>, now: UtcTime) -> bool {
        self.seen |= row.is_some();
        self.row = row;
        self.closed_since = Lots::ZERO;
        if !self.is_doubtful() {
            self.doubt = None;
            return false;
        }
        let doubt = self.doubt.get_or_insert(Doubt {
            since: now.0,
            reads: 0,
        });
        doubt.reads += 1;
        if doubt.reads < READS || now.0 - doubt.since < DOUBT_MS {
            return false;
        }
        self.doubt = None;
        self.source = Source::Row;
        self.seen = self.row.is_some();
        let told = self.told.as_ref().map(|told| &told.row);
        let symbol = self.row.as_ref().or(told).map(|row| row.symbol.clone());
        self.unexplained = symbol.filter(|_| self.chain.is_whole());
        self.unexplained.is_some()
    }

    /// True when the newest read disagrees with what is told.
    fn is_doubtful(&self) -> bool {
        if !self.chain.is_whole() {
            return self.row.is_none() && self.told.is_some() && !self.chain.closes();
        }
        let is_open = self.row.is_some() || self.told.is_some();
        is_open && !self.agrees() && self.unexplained.is_none()
    }

    /// Tells the position again; none: it is as it was told. `levels` are those of the order, where
    /// a deal opens it.
    pub(super) fn tell(
        &mut self,
        levels: Levels,
        owner: impl Fn(Magic) -> Owner,
    ) -> Option<PositionChange> {
        let row = self.current(levels);
        let before = self.told.take();
        let Some(row) = row else {
            return before.map(PositionChange::Closed);
        };
        let same = before.as_ref().is_some_and(|told| is_same(&told.row, &row));
        let (client, tag) = before.map_or_else(|| owner(row.magic), |told| (told.client, told.tag));
        let position = Position { row, client, tag };
        self.told = Some(position.clone());
        (!same).then_some(PositionChange::Changed(position))
    }

    fn current(&mut self, levels: Levels) -> Option<PositionRow> {
        let whole = self.chain.is_whole();
        if whole && self.agrees() {
            self.source = Source::Deals;
            self.doubt = None;
            self.unexplained = None;
            return self.row.clone();
        }
        if whole && self.source == Source::Deals {
            return self.by_deals(levels);
        }
        if self.row.is_some() {
            self.source = Source::Row;
            return self.row.clone();
        }
        let waits = self.seen && (whole || !self.chain.closes());
        let told = self.told.as_ref().filter(|_| waits);
        told.map(|told| told.row.clone())
    }

    /// Side, lots and price from the deals; what only rows tell as it was known last.
    fn by_deals(&self, levels: Levels) -> Option<PositionRow> {
        let sum = self.chain.sum()?;
        let told = self.told.as_ref().map(|told| &told.row);
        let Some(known) = self.row.as_ref().or(told) else {
            return Some(PositionRow {
                levels,
                ..sum.clone()
            });
        };
        let turned = known.side != sum.side;
        Some(PositionRow {
            side: sum.side,
            lots: sum.lots,
            open_price: sum.open_price,
            updated: sum.updated.max(known.updated),
            ticket: if turned { sum.ticket } else { known.ticket },
            magic: if turned { sum.magic } else { known.magic },
            ..known.clone()
        })
    }

    fn agrees(&self) -> bool {
        let amount = |row: &PositionRow| (row.side, row.lots);
        self.chain.sum().map(amount) == self.row.as_ref().map(amount)
    }

    /// Most lots that a close may take: never more than the newest row has. On netting what the
    /// newest read lacks may be closed already, and a close of nothing opens the other side.
    pub(super) fn closable(&self, mode: AccountMode) -> Lots {
        let Some(told) = &self.told else {
            return Lots::ZERO;
        };
        let told = &told.row;
        match &self.row {
            Some(row) if row.side != told.side => Lots::ZERO,
            Some(row) if self.source == Source::Row => row.lots.minus(self.closed_since),
            Some(row) => row.lots.min(told.lots),
            None if self.seen && mode == AccountMode::Netting => Lots::ZERO,
            None => told.lots,
        }
    }

    /// Takes new levels, which the next read has too. False: nothing changes.
    pub(super) fn set_levels(&mut self, levels: Levels) -> bool {
        let Some(told) = &mut self.told else {
            return false;
        };
        if let Some(row) = &mut self.row {
            row.levels = levels;
        }
        let changes = told.row.levels != levels;
        told.row.levels = levels;
        changes
    }
}

/// True when nothing but the floating figures differ.
fn is_same(a: &PositionRow, b: &PositionRow) -> bool {
    (a.ticket, a.side, a.lots, a.open_price, a.levels)
        == (b.ticket, b.side, b.lots, b.open_price, b.levels)
}
