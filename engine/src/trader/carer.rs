//! Position care of one strategy at work: what its rules want next, and how often they may ask for it.

use super::feed::Feed;
use crate::{
    bars::{History, Timeframe},
    care::{Action, Atr, Book, CareSettings, Facts, Missing},
    portfolio::{Held, Portfolio},
    strategy::{Quote, Series},
};
use mymt5_model::{BrokerTime, Lots, PositionId, Price, Side, SymbolSpec, Tick};
use std::collections::{BTreeMap, BTreeSet};

/// Between two moves of a stop loss at least, milliseconds of the broker's clock: one that follows each
/// tick would use up what the trade server takes.
const AGAIN_MS: i64 = 1_000;
/// After one that failed, milliseconds.
const AFTER_FAILURE_MS: i64 = 10_000;

pub(super) struct Carer {
    settings: CareSettings,
    /// The bars whose ranges are to be known.
    ranges: Option<(Feed, Atr)>,
    /// What is to be done by the newest tick and was not asked for yet, in its order.
    due: Vec<Due>,
    /// The best price at which each position could be closed since an order or change is under way.
    best: BTreeMap<PositionId, Best>,
    /// What was asked for each position.
    asked: BTreeMap<PositionId, Asked>,
    /// How many requests there were.
    requests: u64,
    /// What is missing for which position, as told in the log.
    told: BTreeSet<(PositionId, Missing)>,
}

/// What is the same for all positions of a strategy.
pub(super) struct Moment<'a> {
    pub(super) strategy: &'a str,
    pub(super) spec: &'a SymbolSpec,
    pub(super) now: BrokerTime,
    pub(super) quote: Quote,
    /// A close may be tried now.
    pub(super) may_close: bool,
    /// An order or change of the strategy's is under way.
    pub(super) is_busy: bool,
}

/// The best price of a position, as long as it is of that side and was opened at that price on average:
/// one that is enlarged or turned was never worth what it was before.
#[derive(Clone, Copy, Debug)]
struct Best {
    side: Side,
    open: Option<Price>,
    price: Price,
}

/// What is to be done for a position, as it was judged.
#[derive(Debug)]
struct Due {
    id: PositionId,
    side: Side,
    lots: Lots,
    stop_loss: Option<Price>,
    action: Action,
}

impl Due {
    /// False where the position is not any more as it was judged: the next tick tells what is due for it.
    fn fits(&self, held: &Held, book: &Book) -> bool {
        let is_as_judged = match self.action {
            Action::Close => true,
            Action::MoveStop(_) => held.levels.stop_loss == self.stop_loss,
            Action::Reduce(_) => held.lots == self.lots && book.is_whole(self.id),
        };
        held.side == self.side && is_as_judged
    }
}

/// What was asked for a position: one that fails for ever must not keep the others from their turn.
#[derive(Debug, Default)]
struct Asked {
    /// The number of its newest request.
    newest: u64,
    moves: Pause,
    parts: Pause,
}

/// A time in which something is not tried again.
#[derive(Debug, Default)]
struct Pause(Option<(BrokerTime, i64)>);

impl Pause {
    const fn begin(&mut self, now: BrokerTime, ms: i64) {
        self.0 = Some((now, ms));
    }

    /// The broker's clock may go back.
    fn is_over(&self, now: BrokerTime) -> bool {
        let lasts = |(begun, ms): (BrokerTime, i64)| (0..ms).contains(&(now.0 - begun.0));
        !self.0.is_some_and(lasts)
    }
}

impl Carer {
    pub(super) fn new(settings: CareSettings) -> Self {
        let ranges = settings.ranges().map(|ranges| {
            // The first range needs the close before.
            let series = Series {
                timeframe: ranges.timeframe,
                warm_up: ranges.bars + 1,
            };
            (Feed::new(series), Atr::of(ranges.bars))
        });
        Self {
            settings,
            ranges,
            due: Vec::new(),
            best: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: 0,
            told: BTreeSet::new(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.settings.is_on()
    }

    pub(super) fn feed(&self) -> Option<&Feed> {
        self.ranges.as_ref().map(|(feed, _)| feed)
    }

    pub(super) fn await_history(&mut self) {
        if let Some((feed, _)) = &mut self.ranges {
            feed.await_history();
        }
    }

    pub(super) fn on_history(&mut self, timeframe: Timeframe, history: &History) {
        if let Some((feed, atr)) = &mut self.ranges
            && feed.series.timeframe == timeframe
        {
            let bars = feed.on_history(history.clone());
            bars.iter().for_each(|bar| atr.take(bar));
        }
    }

    pub(super) fn on_tick(&mut self, tick: &Tick) {
        if let Some((feed, atr)) = &mut self.ranges
            && let Some(bar) = feed.on_tick(tick)
        {
            atr.take(&bar);
        }
    }

    /// Looks at each position, and wants all that is to be done: closes before all else, and of several
    /// what is for the position that was least lately asked for anything.
    pub(super) fn look<'a>(
        &mut self,
        moment: &Moment<'_>,
        positions: impl Iterator<Item = &'a Held>,
        book: &Book,
    ) {
        self.due.clear();
        for held in positions {
            let facts = self.facts(moment, held, book);
            let id = held.position_id;
            if let Some(missing) = self.settings.missing(&facts)
                && self.told.insert((id, missing))
            {
                tracing::warn!(strategy = moment.strategy, position_id = %id, "{missing}");
            }
            let actions = self.settings.decide(&facts).into_iter();
            self.due.extend(actions.map(|action| Due {
                id,
                side: held.side,
                lots: held.lots,
                stop_loss: held.levels.stop_loss,
                action,
            }));
        }
        let turn = |due: &Due| {
            let newest = self.asked.get(&due.id).map(|asked| asked.newest);
            (due.action != Action::Close, newest)
        };
        self.due.sort_by_key(turn);
    }

    /// What the rules judge a position by.
    fn facts<'a>(&mut self, moment: &Moment<'a>, held: &Held, book: &Book) -> Facts<'a> {
        let id = held.position_id;
        let closing = match held.side {
            Side::Buy => moment.quote.bid,
            Side::Sell => moment.quote.ask,
        };
        let risk = book.risk(id);
        let best = self.best(held, closing, moment.is_busy);
        // While the past is to be listed, ranges of before are none of now.
        let ranges = self.ranges.as_ref().filter(|(feed, _)| !feed.waits());
        let asked = self.asked.get(&id);
        let may_reduce = asked.is_none_or(|asked| asked.parts.is_over(moment.now));
        Facts {
            spec: moment.spec,
            now: moment.now,
            side: held.side,
            lots: held.lots,
            open: held.open_price,
            levels: held.levels,
            closing,
            best,
            since: book.since(id),
            risk,
            atr: ranges.and_then(|(_, atr)| atr.points()),
            may_close: moment.may_close,
            may_move: asked.is_none_or(|asked| asked.moves.is_over(moment.now)),
            may_reduce: may_reduce && book.is_whole(id),
        }
    }

    /// The best price at which a position could be closed, with this one. What a price is reason for
    /// stays to be done while something else is under way, and the price goes back.
    fn best(&mut self, held: &Held, closing: Price, is_busy: bool) -> Price {
        let now = Best {
            side: held.side,
            open: held.open_price,
            price: closing,
        };
        let best = self.best.entry(held.position_id).or_insert(now);
        let is_other = best.side != now.side || best.open != now.open;
        let gain = (closing.points() - best.price.points()) * held.side.sign();
        if !is_busy || is_other || gain > 0 {
            *best = now;
        }
        best.price
    }

    /// True while something is to be done.
    pub(super) const fn wants(&self) -> bool {
        !self.due.is_empty()
    }

    /// What is to be done next. It stays so until it is asked for, or the next tick tells otherwise.
    pub(super) fn next(
        &mut self,
        portfolio: &Portfolio,
        book: &Book,
        may_close: bool,
    ) -> Option<(PositionId, Action)> {
        let stays = |due: &Due| {
            let held = portfolio.position(due.id);
            let fits = held.is_some_and(|held| due.fits(held, book));
            fits && (may_close || due.action != Action::Close)
        };
        self.due.retain(stays);
        self.due.first().map(|due| (due.id, due.action))
    }

    /// Nothing is to be done before the next tick.
    pub(super) fn lapse(&mut self) {
        self.due.clear();
    }

    /// Something is about to be asked for a position, in the place of such actions.
    pub(super) fn on_asked(&mut self, id: PositionId, is_such: impl Fn(&Action) -> bool) {
        self.requests += 1;
        self.asked.entry(id).or_default().newest = self.requests;
        self.forget(id, is_such);
    }

    /// Such actions are not due for a position any more.
    fn forget(&mut self, id: PositionId, is_such: impl Fn(&Action) -> bool) {
        self.due.retain(|due| due.id != id || !is_such(&due.action));
    }

    /// Its stop loss is about to be moved.
    pub(super) fn on_move(&mut self, id: PositionId, now: BrokerTime) {
        if let Some(asked) = self.asked.get_mut(&id) {
            asked.moves.begin(now, AGAIN_MS);
        }
    }

    /// Its stop loss was moved, which its own event tells later: what is judged by the one before may
    /// take it back.
    pub(super) fn on_moved(&mut self, id: PositionId, now: BrokerTime) {
        self.forget(id, is_move);
        if let Some(asked) = self.asked.get_mut(&id)
            && asked.moves.is_over(now)
        {
            asked.moves.begin(now, AGAIN_MS);
        }
    }

    /// Its stop loss could not be moved.
    pub(super) fn on_move_failed(&mut self, id: PositionId, now: BrokerTime) {
        self.forget(id, is_move);
        if let Some(asked) = self.asked.get_mut(&id) {
            asked.moves.begin(now, AFTER_FAILURE_MS);
        }
    }

    /// A part of it could not be closed.
    pub(super) fn on_part_failed(&mut self, id: PositionId, now: BrokerTime) {
        if let Some(asked) = self.asked.get_mut(&id) {
            asked.parts.begin(now, AFTER_FAILURE_MS);
        }
    }

    /// Forgets what it knows of positions that are gone.
    pub(super) fn retain(&mut self, is_open: impl Fn(PositionId) -> bool) {
        self.told.retain(|(id, _)| is_open(*id));
        self.asked.retain(|id, _| is_open(*id));
        self.best.retain(|id, _| is_open(*id));
    }
}

/// True for a move of a stop loss.
pub(super) const fn is_move(action: &Action) -> bool {
    matches!(action, Action::MoveStop(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        care::testing::{price, settings},
        trader::tests::spec,
    };
    use mymt5_model::Levels;

    #[test]
    fn what_is_missing_is_told_once_for_each_position() {
        let mut carer = Carer::new(settings("break_even.at_r = 1.0"));
        let spec = spec();
        let moment = Moment {
            strategy: "one",
            spec: &spec,
            now: BrokerTime(0),
            quote: Quote {
                bid: price(100_000),
                ask: price(100_002),
            },
            may_close: true,
            is_busy: false,
        };
        let held = |id: u64| Held {
            position_id: PositionId(id),
            symbol: spec.symbol.clone(),
            side: Side::Buy,
            lots: Lots::from_f64(0.1).unwrap(),
            open_price: Some(price(100_000)),
            opened: None,
            levels: Levels::default(),
            tag: String::new(),
        };
        let both = [held(7), held(8)];
        for _ in 0..2 {
            carer.look(&moment, both.iter(), &Book::default());
            assert_eq!(carer.told.len(), 2);
        }
        carer.retain(|id| id == PositionId(8));
        assert_eq!(carer.told.len(), 1);
    }

    #[test]
    fn a_pause_ends_with_its_time_and_where_the_clock_goes_back() {
        let mut pause = Pause::default();
        assert!(pause.is_over(BrokerTime(0)));
        pause.begin(BrokerTime(5_000), 1_000);
        for (now, over) in [(4_999, true), (5_000, false), (5_999, false), (6_000, true)] {
            assert_eq!(pause.is_over(BrokerTime(now)), over, "{now}");
        }
    }
}
