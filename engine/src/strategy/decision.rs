//! What a strategy may decide, and what it still wants of it.

use mymt5_model::{BrokerTime, Edit, LevelsEdit, Price, Side};

/// So long an entry is good, milliseconds of the broker's clock: what it waits for may take its time.
const GOOD_MS: i64 = 5_000;

/// How an entry meets the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At once.
    Market,
    /// At this price or better.
    Limit(Price),
    /// At the market once this price is reached.
    Stop(Price),
}

/// Where a position's stop loss or take profit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// So many points from the price at which the position would be closed as it opens; above 0.
    Points(i64),
    /// At that price.
    Price(Price),
}

/// A position to open. The engine's risk finds its volume, from the stop loss where it sizes by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Buy or sell.
    pub side: Side,
    /// How it meets the market.
    pub at: At,
    /// Where the loss is cut; none: nowhere.
    pub stop_loss: Option<Level>,
    /// Where the profit is taken; none: nowhere.
    pub take_profit: Option<Level>,
}

impl Entry {
    const fn new(side: Side, at: At) -> Self {
        Self {
            side,
            at,
            stop_loss: None,
            take_profit: None,
        }
    }

    /// At the market.
    #[must_use]
    pub const fn market(side: Side) -> Self {
        Self::new(side, At::Market)
    }

    /// At that price or better.
    #[must_use]
    pub const fn limit(side: Side, price: Price) -> Self {
        Self::new(side, At::Limit(price))
    }

    /// At the market once that price is reached.
    #[must_use]
    pub const fn stop(side: Side, price: Price) -> Self {
        Self::new(side, At::Stop(price))
    }

    /// With a stop loss.
    #[must_use]
    pub const fn with_stop_loss(mut self, level: Level) -> Self {
        self.stop_loss = Some(level);
        self
    }

    /// With a take profit.
    #[must_use]
    pub const fn with_take_profit(mut self, level: Level) -> Self {
        self.take_profit = Some(level);
        self
    }
}

/// An entry that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) entry: Entry,
    /// What is held on the other side is closed for it; else it stands in the way.
    pub(crate) reverses: bool,
    /// When it was decided.
    pub(crate) decided: BrokerTime,
}

impl Wanted {
    /// True for one that was decided for another market than that of now.
    pub(crate) const fn is_late(&self, now: BrokerTime) -> bool {
        now.0 - self.decided.0 > GOOD_MS
    }
}

/// What was decided and is not done. A later decision takes the place of an earlier one of its kind,
/// but none takes back an exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Close what is held, and cancel what waits for its price.
    pub(crate) exit: bool,
    /// Cancel what waits for its price.
    pub(crate) cancel: bool,
    pub(crate) entry: Option<Wanted>,
    pub(crate) levels: LevelsEdit,
    /// Something was decided, or stands in the way no more, since this was last looked at.
    pub(crate) is_fresh: bool,
}

impl Plan {
    pub(super) fn enter(&mut self, entry: Entry, reverses: bool, decided: BrokerTime) {
        self.entry = Some(Wanted {
            entry,
            reverses,
            decided,
        });
        self.levels = LevelsEdit::default();
        self.is_fresh = true;
    }

    pub(crate) fn exit(&mut self) {
        *self = Self {
            exit: true,
            is_fresh: true,
            ..Self::default()
        };
    }

    pub(super) fn cancel(&mut self) {
        self.cancel = true;
        self.entry = self.entry.filter(|wanted| wanted.entry.at == At::Market);
        self.is_fresh = true;
    }

    pub(super) fn move_stop(&mut self, price: Price) {
        self.levels.stop_loss = Edit::Set(price);
        self.is_fresh = true;
    }

    pub(super) fn move_target(&mut self, price: Price) {
        self.levels.take_profit = Edit::Set(price);
        self.is_fresh = true;
    }

    /// Forgets all but an exit: what was wanted before is no reason to trade now.
    pub(crate) fn lapse(&mut self) {
        *self = Self {
            exit: self.exit,
            ..Self::default()
        };
    }
}
