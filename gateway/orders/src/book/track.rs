//! One position, told by two sources that cannot be ordered: the broker's rows and its deals. Each
//! may lag behind the other, so that they are never added up. Deals tell the position where they are
//! known from its opening on; its row tells it where they are not, or where the two go on
//! disagreeing. A deal that came with an order's answer is early: others before it may not be known
//! yet, so that only the deal of an opening order tells at once.

use super::{
    Disagreement, Owner, Position, PositionChange,
    chain::{Chain, Trade},
    reads::Reads,
};
use crate::{broker::ROWS_LAG_MS, time::Now};
use mymt5_model::{
    AccountMode, BrokerTime, ClientName, Levels, LevelsEdit, Lots, Magic, PositionRow, Side,
    Symbol, Ticket,
};

/// Deals that wait for those before them, at most.
const EARLY: usize = 1_024;

/// What tells a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// Its deals, from the opening one on.
    #[default]
    Deals,
    /// The broker's row.
    Row,
}

/// A deal that the newest row may lack.
#[derive(Clone, Copy, Debug)]
struct Since {
    /// By which news it came.
    news: u64,
    /// When it was done.
    time: BrokerTime,
    closed: Lots,
    /// When a row came first that was read after it; none: none was. Such a row may lack it still.
    read: Option<i64>,
}

impl Since {
    const fn of(trade: &Trade, news: u64) -> Self {
        Self {
            news,
            time: trade.time(),
            closed: trade.closed_lots(),
            read: None,
        }
    }
}

/// All that is known of a position.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    chain: Chain,
    /// No deal is missing in the chain: it began with the position, or led to just what a row had,
    /// and the link was up ever since.
    in_step: bool,
    /// The reads since the link came up, by the newest that tells of it. The first may be from
    /// before.
    fresh: Option<Reads>,
    /// Deals that came early, or while others before them may be missing.
    early: Vec<Trade>,
    /// By which news the newest of them came that came alone, and not among all of its time.
    early_news: u64,
    source: Source,
    /// As the newest read has it; none: that read lacks it.
    row: Option<PositionRow>,
    /// The news when that read began.
    begun: u64,
    /// The broker's clock at that read; none while unknown.
    as_of: Option<BrokerTime>,
    /// An earlier read had it, and its absence is not believed yet.
    seen: bool,
    /// Deals that came since the newest row was read.
    since: Vec<Since>,
    /// The news by which its levels were last changed: what was read before may lack them.
    levels_news: u64,
    /// The newest row was read since then.
    levels_read: bool,
    doubt: Option<Reads>,
    /// The oldest deal that came early, and the reads that left it waiting.
    waits: Option<(Ticket, Reads)>,
    /// Rows were believed against deals: what happened there is not known.
    disagreement: Option<Disagreement>,
    reported: Option<Position>,
    /// Whose it was when it was last reported, under which magic.
    owner: Option<(Magic, Owner)>,
    /// When it was over, in readings; none: it is not, or just now.
    pub(super) over_at: Option<u64>,
}

impl Track {
    /// A track of which nothing but a disagreement is known.
    pub(super) fn of_disagreement(disagreement: Disagreement) -> Self {
        let owner = Owner {
            client: disagreement.client.clone(),
            ..Owner::default()
        };
        Self {
            disagreement: Some(disagreement),
            source: Source::Row,
            owner: Some((Magic::NONE, owner)),
            ..Self::default()
        }
    }

    /// Takes a deal of the past. What the journal tells of the position holds until rows or new deals
    /// say otherwise: others of its deals may not be known.
    pub(super) fn recall(&mut self, trade: Trade) {
        if !self.is_accepted(trade.ticket) {
            self.chain.add(trade);
        }
        self.source = Source::Row;
    }

    /// The position as last journaled.
    pub(super) fn resume(&mut self, position: Position) {
        self.row = Some(position.row.clone());
        self.seen = true;
        // The amount alone may be the same by chance while a deal is missing.
        self.source = if self.chain.leads_to(self.row.as_ref()) {
            Source::Deals
        } else {
            Source::Row
        };
        self.owner = Some((position.row.magic, position.owner()));
        self.reported = Some(position);
    }

    pub(super) const fn reported(&self) -> Option<&Position> {
        self.reported.as_ref()
    }

    /// As the newest read has it.
    pub(super) const fn row(&self) -> Option<&PositionRow> {
        self.row.as_ref()
    }

    /// Whose it is, or was.
    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref().map(|(_, owner)| owner)
    }

    /// The magic of the order that opened it, as far as its deals tell.
    pub(super) fn opener(&self) -> Option<Magic> {
        let early = || self.early.iter().find(|early| early.opens());
        let known = self.chain.opener();
        known.or_else(|| early().map(Trade::magic))
    }

    /// Gives it to a client; none: it is not open.
    pub(super) fn adopt(&mut self, client: &ClientName) -> Option<&Position> {
        let reported = self.reported.as_mut()?;
        reported.client = Some(client.clone());
        reported.orphan = false;
        self.owner = Some((reported.row.magic, reported.owner()));
        Some(reported)
    }

    /// What was nobody's may lie in a client's slot by now, over or not. The position; none: it is
    /// not open, or stays whose it is.
    pub(super) fn claim(&mut self, owner: impl Fn(Magic) -> Owner) -> Option<&Position> {
        let nobodys = self.owner.as_mut();
        let (magic, known) = nobodys.filter(|(_, known)| known.client.is_none())?;
        let new = owner(*magic);
        new.client.as_ref()?;
        known.clone_from(&new);
        let reported = self.reported.as_mut()?;
        *reported = new.of(reported.row.clone());
        Some(reported)
    }

    /// True when nothing is open, and nothing waits for an explanation.
    pub(super) fn is_over(&self) -> bool {
        self.reported.is_none() && self.row.is_none() && self.unexplained().is_none()
    }

    /// True when deals of the past are of use to it: none are known yet, and no row was accepted.
    pub(super) fn lacks_deals(&self) -> bool {
        self.chain.is_empty() && self.unexplained().is_some()
    }

    /// What happened there is not known.
    pub(super) const fn disagreement(&self) -> Option<&Disagreement> {
        self.disagreement.as_ref()
    }

    /// The symbol in which something happened that no deal explains, and that nobody accepted.
    pub(super) fn unexplained(&self) -> Option<&Symbol> {
        let open = self.disagreement.as_ref();
        let open = open.filter(|disagreement| disagreement.accepted.is_none());
        open.map(|disagreement| &disagreement.symbol)
    }

    /// An operator has checked: what the rows say holds, and deals so far tell the position no more.
    pub(super) fn accept(&mut self) {
        if let Some(disagreement) = &mut self.disagreement {
            disagreement.accepted = Some(self.chain.newest().unwrap_or(Ticket(0)));
            self.chain = Chain::default();
            self.early.clear();
        }
    }

    /// True for a deal that was known when an operator accepted the row.
    fn is_accepted(&self, deal: Ticket) -> bool {
        let accepted = self.disagreement.as_ref();
        let accepted = accepted.and_then(|disagreement| disagreement.accepted);
        accepted.is_some_and(|newest| deal <= newest)
    }

    /// The link was lost: reads before and after do not add up, and deals may be missed.
    pub(super) const fn lose(&mut self) {
        self.doubt = None;
        self.waits = None;
        self.in_step = false;
        self.fresh = None;
    }

    /// Takes a deal in its order; one that came before, other than early, changes nothing.
    pub(super) fn add(&mut self, trade: Trade, news: u64) {
        if self.is_accepted(trade.ticket) {
            return;
        }
        self.begin_by(&trade);
        // A row had what the chain led to by chance: more deals may be missing than this one.
        let late = self.chain.misses(&trade);
        self.in_step &= !late;
        // A row that disagrees may know of deals that are missing here.
        let disagrees = self.doubt.is_some() && !self.chain.leads_to(self.row.as_ref());
        let oldest = self.early.first().unwrap_or(&trade);
        let in_step = self.in_step && !disagrees && !self.hides(oldest);
        if late || (!in_step && !trade.opens()) {
            return self.add_out_of_step(trade, news);
        }
        // Whatever came early and is older is in its order by now.
        let newer = self
            .early
            .partition_point(|early| early.ticket < trade.ticket);
        for early in self.early.drain(..newer) {
            self.chain.add(early);
        }
        let known = self.early.len();
        self.early.retain(|early| early.ticket != trade.ticket);
        let since = Since::of(&trade, news);
        if self.chain.add(trade) && self.early.len() == known {
            self.since.push(since);
        }
    }

    /// True when that deal came early, and not yet in its order.
    pub(super) fn has_early(&self, deal: Ticket) -> bool {
        self.early.iter().any(|early| early.ticket == deal)
    }

    /// Takes a deal that came with an order's answer, or while others before it may be missing.
    /// `begins`: none can be before it.
    pub(super) fn add_early(&mut self, trade: Trade, begins: bool, news: u64) {
        if self.is_accepted(trade.ticket) || self.has_early(trade.ticket) {
            return;
        }
        self.since.push(Since::of(&trade, news));
        if begins && self.early.is_empty() {
            self.begin_by(&trade);
            self.chain.add(trade);
            return;
        }
        self.early_news = news;
        self.keep_early(trade);
    }

    /// Takes a deal in its order, before which others may be missing that are not known here.
    fn add_out_of_step(&mut self, trade: Trade, news: u64) {
        let newest = self.early.last().map(|early| early.ticket);
        if newest.is_none_or(|newest| newest <= trade.ticket) {
            self.early_news = 0;
        }
        if !self.has_early(trade.ticket) {
            self.since.push(Since::of(&trade, news));
            self.keep_early(trade);
        }
    }

    fn keep_early(&mut self, trade: Trade) {
        self.early.push(trade);
        self.early.sort_by_key(|early| early.ticket);
        // They wait for ever only where the opening is not known, and then tell nothing.
        if self.early.len() > EARLY {
            self.early.remove(0);
        }
    }

    /// Nothing is missing before the deal that opens a position which no row had yet.
    fn begin_by(&mut self, trade: &Trade) {
        let first = self.chain.is_empty() && self.row.is_none();
        self.in_step |= first && trade.opens();
    }

    /// Early deals are in their order where the rows have just what they lead to: the first of them,
    /// while rows lag behind those that came after them, or all. Rows that never had the position may
    /// lack it because they lag: they tell nothing of deals that came alone. What was done after the
    /// rows were read is not in them, however well they fit.
    fn confirm_by_row(&mut self) {
        let conclusive = self.seen || self.early_news == 0;
        if self.early.is_empty() || !self.chain.is_whole() || !conclusive {
            return;
        }
        let mut chain = self.chain.clone();
        let mut confirmed = None;
        for (place, early) in self.early.iter().enumerate() {
            chain.add(early.clone());
            let more = place + 1 < self.early.len();
            let read = more || self.begun >= self.early_news;
            let done = self.as_of.is_none_or(|as_of| chain.is_done(as_of));
            if read && done && chain.leads_to(self.row.as_ref()) {
                confirmed = Some((place, chain.clone()));
            }
        }
        if let Some((place, chain)) = confirmed {
            self.chain = chain;
            self.early.drain(..=place);
        }
    }

    /// A deal waits whose place is before the newest of the chain. Without it, and whatever else is
    /// missing, the chain may tell what is so, and with it alone what never was.
    fn has_late(&self) -> bool {
        self.early.iter().any(|early| self.chain.misses(early))
    }

    /// The row has what the chain leads to by chance alone: a late deal waits, or the row was read
    /// after deals that wait, and neither with them nor without them its price is the chain's, or it
    /// has one of them, or one waits for too long. Lots that are the same must not keep such deals
    /// waiting for ever, and closes with them.
    fn is_by_chance(&self) -> bool {
        let waits = !self.early.is_empty() && self.begun >= self.early_news;
        let differs = waits && !self.chain.leads_to(self.row.as_ref());
        let hides = self.early.first().is_some_and(|oldest| self.hides(oldest));
        self.has_late() || differs || hides || self.waits_for_too_long()
    }

    /// The row has a deal that the chain lacks, and is what the chain leads to nonetheless: another
    /// is missing that undoes it. A row has all that was done until it was changed.
    fn hides(&self, lacking: &Trade) -> bool {
        let row = self.row.as_ref();
        let sum = self.chain.sum();
        let newer = sum.is_some_and(|sum| sum.updated < lacking.time());
        let has = row.is_some_and(|row| lacking.time() <= row.updated);
        newer && has && self.chain.leads_to(row)
    }

    fn waits_for_too_long(&self) -> bool {
        let oldest = self.early.first().map(|early| early.ticket);
        let waits = self.waits.filter(|(ticket, _)| Some(*ticket) == oldest);
        waits.is_some_and(|(_, reads)| reads.are_believed())
    }

    /// Counts a read that left the oldest early deal waiting.
    fn count_waiting(&mut self, now: Now) {
        self.waits = self.early.first().map(|early| {
            let known = self.waits.filter(|(ticket, _)| *ticket == early.ticket);
            let reads = known.map(|(_, reads)| reads);
            (early.ticket, Reads::after(reads, now.elapsed_ms))
        });
    }

    /// Takes the position's row of a new read; none: it has no such row. `begun`: the news when the
    /// reading began. `as_of`: the broker's clock then. `fresh`: the reads since the link came up.
    /// True: a doubt lasts, so that it takes more than an answer on its way to explain it.
    pub(super) fn read(
        &mut self,
        row: Option<PositionRow>,
        begun: u64,
        as_of: Option<BrokerTime>,
        fresh: Reads,
        now: Now,
    ) -> bool {
        self.seen |= row.is_some();
        self.row = row;
        self.fresh = Some(fresh);
        self.begun = begun;
        self.as_of = as_of;
        self.levels_read = self.row.is_some() && begun >= self.levels_news;
        if begun < self.levels_news
            && let (Some(row), Some(reported)) = (&mut self.row, &self.reported)
        {
            row.levels = reported.row.levels;
        }
        self.note_read(now);
        self.confirm_by_row();
        self.count_waiting(now);
        if !self.is_doubtful() {
            self.doubt = None;
        } else if self.is_believed(now) {
            self.believe_row();
        }
        self.doubt.is_some_and(|doubt| doubt.begins_to_last())
    }

    /// What a row has by now it has no more to lack.
    fn note_read(&mut self, now: Now) {
        let Some(row) = &self.row else { return };
        let begun = self.begun;
        let updated = row.updated;
        let now = now.elapsed_ms;
        self.since.retain_mut(|since| {
            if since.news > begun {
                return true;
            }
            let read = *since.read.get_or_insert(now);
            updated < since.time && now - read < ROWS_LAG_MS
        });
    }

    /// True while reads disagree for longer than an answer is on its way.
    pub(super) fn doubt_lasts(&self) -> bool {
        self.doubt.is_some_and(|doubt| doubt.lasts())
    }

    /// Counts a read that disagrees. True: there were enough of them.
    fn is_believed(&mut self, now: Now) -> bool {
        let doubt = Reads::after(self.doubt, now.elapsed_ms);
        self.doubt = Some(doubt);
        doubt.are_believed()
    }

    /// From now on the row is believed; where all deals are known, though they say otherwise.
    fn believe_row(&mut self) {
        self.doubt = None;
        self.source = Source::Row;
        self.seen = self.row.is_some();
        let reported = self.reported.as_ref().map(|reported| &reported.row);
        let symbol = self.row.as_ref().or(reported).map(|row| row.symbol.clone());
        if let Some(symbol) = symbol.filter(|_| self.chain.is_whole()) {
            let client = self.owner().and_then(|owner| owner.client.clone());
            self.disagreement.get_or_insert(Disagreement {
                symbol,
                client,
                accepted: None,
            });
        }
    }

    /// True when the newest read disagrees with the deals, or agrees by chance alone, or lacks what
    /// is told and no deal closed.
    fn is_doubtful(&self) -> bool {
        let is_open = self.row.is_some() || self.reported.is_some();
        let agrees = self.agrees() && !self.is_by_chance();
        let differs = self.chain.is_whole() && !agrees && self.disagreement.is_none();
        let lacks = self.row.is_none() && self.reported.is_some();
        (is_open && differs) || (lacks && !self.is_by_deals() && !self.is_closed_since())
    }

    fn is_by_deals(&self) -> bool {
        self.chain.is_whole() && self.source == Source::Deals
    }

    /// True when the deals since the newest row close all that it had, and none of the others, where
    /// they are all known, left more. Where rows are believed against them they are not.
    fn is_closed_since(&self) -> bool {
        let reported = self.reported.as_ref();
        let closes = reported.is_some_and(|reported| self.closed_since() >= reported.row.lots);
        let known = self.chain.is_whole() && self.disagreement.is_none();
        closes && !(known && self.with_early().sum().is_some())
    }

    fn with_early(&self) -> Chain {
        let mut chain = self.chain.clone();
        for early in &self.early {
            chain.add(early.clone());
        }
        chain
    }

    fn closed_since(&self) -> Lots {
        let unread = self.since.iter().filter(|since| since.read.is_none());
        let closed = unread.map(|since| since.closed);
        closed.fold(Lots::ZERO, Lots::plus)
    }

    /// The same with what a row that lags may lack though it was read since.
    fn closed_lately(&self) -> Lots {
        let closed = self.since.iter().map(|since| since.closed);
        closed.fold(Lots::ZERO, Lots::plus)
    }

    /// Reports the position again; nothing where it is as last reported. `levels` are those of the
    /// order, where a deal opens it.
    pub(super) fn report(
        &mut self,
        levels: Levels,
        owner: impl Fn(Magic) -> Owner,
    ) -> Vec<PositionChange> {
        let row = self.current(levels);
        let before = self.reported.take();
        let Some(row) = row else {
            let gone = before.map(|reported| PositionChange::Closed(self.closed(reported)));
            return gone.into_iter().collect();
        };
        let mut changes = Vec::new();
        // On netting a reversal makes it another's: of the order that reversed it.
        let owner = match &self.owner {
            Some((magic, known)) if *magic == row.magic => known.clone(),
            Some((_, known)) => Some(owner(row.magic))
                .filter(|new| new.client != known.client)
                .unwrap_or_else(|| known.clone()),
            None => owner(row.magic),
        };
        let (before, ended): (Option<Position>, _) = match before {
            Some(reported) if reported.client != owner.client => (None, Some(reported)),
            before => (before, None),
        };
        changes.extend(ended.map(PositionChange::Closed));
        let same = before.is_some_and(|reported| is_same(&reported.row, &row));
        self.owner = Some((row.magic, owner.clone()));
        let position = owner.of(row);
        if !same {
            changes.push(PositionChange::Changed(position.clone()));
        }
        self.reported = Some(position);
        changes
    }

    /// A position that is gone, with what its deals realised, where they are all known.
    fn closed(&self, reported: Position) -> Position {
        if !self.chain.is_whole() || self.chain.sum().is_some() {
            return reported;
        }
        let (profit, swap) = self.chain.realised();
        Position {
            row: PositionRow {
                profit,
                swap,
                ..reported.row
            },
            ..reported
        }
    }

    fn current(&mut self, levels: Levels) -> Option<PositionRow> {
        self.confirm_by_row();
        let chance = self.is_by_chance();
        let leads = !chance && !self.lifts_too_soon() && self.chain.leads_to(self.row.as_ref());
        let by_deals = self.is_by_deals() && self.agrees();
        if by_deals || leads {
            self.source = Source::Deals;
            // As many lots at another price are so by chance: a deal is missing. So is one where rows
            // lag and are from before the link came up.
            self.in_step |= leads && self.fresh.is_some_and(|reads| reads.are_believed());
            self.doubt = self.doubt.filter(|_| chance);
            self.disagreement = None;
            return self.row.clone();
        }
        if self.is_by_deals() {
            return self.by_deals(levels);
        }
        if self.row.is_some() {
            self.source = Source::Row;
            return self.row.clone();
        }
        let waits = self.seen && !self.is_closed_since();
        let reported = self.reported.as_ref().filter(|_| waits);
        reported.map(|reported| reported.row.clone())
    }

    /// Side, lots and price from the deals; what only rows show as it was last known.
    fn by_deals(&self, levels: Levels) -> Option<PositionRow> {
        let sum = self.chain.sum()?;
        let reported = self.reported.as_ref().map(|reported| &reported.row);
        let Some(known) = self.row.as_ref().or(reported) else {
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

    /// Rows are believed against the deals, and this one is from before the newest of them: it has as
    /// much by chance.
    fn lifts_too_soon(&self) -> bool {
        let sum = self.chain.sum().zip(self.row.as_ref());
        let lags = sum.is_some_and(|(sum, row)| row.updated < sum.updated);
        self.disagreement.is_some() && lags
    }

    fn agrees(&self) -> bool {
        amount(self.chain.sum()) == amount(self.row.as_ref())
    }

    /// Most lots that a close may surely take: never more than the newest row has. Whether that row
    /// has what was closed early is not known: on netting it is taken to lack it, since a close of
    /// nothing opens the other side.
    pub(super) fn closable(&self, mode: AccountMode) -> Lots {
        let most = self.closable_at_most(mode);
        match &self.row {
            Some(row) if mode == AccountMode::Netting => {
                let closed = if self.is_by_deals() {
                    self.closed_early()
                } else {
                    self.closed_lately()
                };
                most.min(row.lots.minus(closed))
            }
            _ => most,
        }
    }

    /// The same where the newest row has what was closed early. On netting what that row lacks may be
    /// closed already.
    pub(super) fn closable_at_most(&self, mode: AccountMode) -> Lots {
        let Some(reported) = &self.reported else {
            return Lots::ZERO;
        };
        let reported = &reported.row;
        let by_deals = reported.lots.minus(self.closed_early());
        match &self.row {
            Some(row) if row.side != reported.side => Lots::ZERO,
            Some(row) if self.is_by_deals() => row.lots.min(by_deals),
            Some(row) => row.lots.minus(self.closed_since()),
            None if self.seen && mode == AccountMode::Netting => Lots::ZERO,
            None if self.is_by_deals() => by_deals,
            None => reported.lots.minus(self.closed_since()),
        }
    }

    fn closed_early(&self) -> Lots {
        let closed = self.early.iter().map(Trade::closed_lots);
        closed.fold(Lots::ZERO, Lots::plus)
    }

    /// True when a known deal is in what is reported.
    pub(super) fn reports_deal(&self, deal: Ticket) -> bool {
        self.is_by_deals() && !self.has_early(deal)
    }

    /// True for a known deal that is not reported yet, of a position that is not over.
    pub(super) fn waits(&self, deal: Ticket) -> bool {
        let is_over = self.seen && self.row.is_none() && self.reported.is_none();
        self.has_early(deal) && (self.is_by_deals() || self.row.is_none()) && !is_over
    }

    /// True when rows and deals, as they are known, tell the same lots: both are of one moment. What
    /// a riddle cost is not known.
    pub(super) fn is_settled(&self) -> bool {
        if self.unexplained().is_some() {
            false
        } else if self.reported.is_none() && self.row.is_none() {
            // It is over, whatever of its past is not known any more.
            true
        } else if self.is_by_deals() {
            self.early.is_empty() && self.agrees()
        } else {
            self.row.is_some() && self.since.iter().all(|since| since.read.is_some())
        }
    }

    /// Takes new levels, of that news. False: nothing changes.
    pub(super) fn set_levels(&mut self, levels: Levels, news: u64) -> bool {
        self.levels_news = news;
        self.levels_read = false;
        let Some(reported) = &mut self.reported else {
            return false;
        };
        if let Some(row) = &mut self.row {
            row.levels = levels;
        }
        let changes = reported.row.levels != levels;
        reported.row.levels = levels;
        changes
    }

    /// True when a row that was read since the levels were last changed has these already.
    pub(super) fn has_levels(&self, levels: LevelsEdit) -> bool {
        let row = self.row.as_ref().filter(|_| self.levels_read);
        row.is_some_and(|row| levels.after(row.levels) == row.levels)
    }
}

fn amount(row: Option<&PositionRow>) -> Option<(Side, Lots)> {
    row.map(|row| (row.side, row.lots))
}

/// True when nothing but the floating figures differ.
fn is_same(a: &PositionRow, b: &PositionRow) -> bool {
    (a.ticket, a.side, a.lots, a.open_price, a.levels)
        == (b.ticket, b.side, b.lots, b.open_price, b.levels)
}
