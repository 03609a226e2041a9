//! What a strategy sees, and where it decides.

use super::decision::{Entry, Plan};
use crate::portfolio::{Held, Portfolio, WorkingOrder};
use mymt5_model::{BrokerTime, Money, Price, Symbol, SymbolSpec};

/// The newest bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// At which a buy is closed and a sell is opened.
    pub bid: Price,
    /// At which a sell is closed and a buy is opened.
    pub ask: Price,
}

/// What belongs to one strategy of what is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) symbol: &'a Symbol,
    /// Told apart by it from others on the symbol; none: it has the symbol for itself.
    pub(crate) tag: Option<&'a str>,
}

impl Owner<'_> {
    pub(crate) fn owns(&self, symbol: &Symbol, tag: &str) -> bool {
        symbol == self.symbol && self.tag.is_none_or(|own| own == tag)
    }
}

/// All that a strategy sees beside what is told to it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) time: BrokerTime,
    pub(crate) quote: Option<Quote>,
    pub(crate) spec: &'a SymbolSpec,
    pub(crate) owner: Owner<'a>,
    pub(crate) portfolio: &'a Portfolio,
    pub(crate) equity: Option<Money>,
    pub(crate) is_busy: bool,
    pub(crate) is_live: bool,
}

/// The world as one strategy sees it at one moment, and the way its decisions take. A decision is
/// acted upon after the strategy returned; while an order of the strategy is under way it waits.
pub struct Context<'a> {
    view: View<'a>,
    plan: &'a mut Plan,
}

impl<'a> Context<'a> {
    pub(crate) const fn new(view: View<'a>, plan: &'a mut Plan) -> Self {
        Self { view, plan }
    }

    /// Now, by the broker's clock: the newest tick's time.
    #[must_use]
    pub const fn time(&self) -> BrokerTime {
        self.view.time
    }

    /// The newest quote; none before the first tick.
    #[must_use]
    pub const fn quote(&self) -> Option<Quote> {
        self.view.quote
    }

    /// What it trades: digits, price grid, volumes.
    #[must_use]
    pub const fn spec(&self) -> &'a SymbolSpec {
        self.view.spec
    }

    /// Its positions, the oldest first. On a netting account there is at most one.
    pub fn positions(&self) -> impl Iterator<Item = &'a Held> + use<'a> {
        let owner = self.view.owner;
        let all = self.view.portfolio.positions();
        all.filter(move |held| owner.owns(&held.symbol, &held.tag))
    }

    /// Its oldest position; none: it holds nothing.
    #[must_use]
    pub fn position(&self) -> Option<&'a Held> {
        self.positions().next()
    }

    /// Its order that waits for its price; none: there is none.
    #[must_use]
    pub fn pending(&self) -> Option<&'a WorkingOrder> {
        let owner = self.view.owner;
        let mut orders = self.view.portfolio.orders();
        orders.find(move |order| owner.owns(&order.symbol, &order.tag))
    }

    /// Equity of the account, in its currency; none: it is not known.
    #[must_use]
    pub const fn equity(&self) -> Option<Money> {
        self.view.equity
    }

    /// True while the gateway lets this engine open positions.
    #[must_use]
    pub const fn may_enter(&self) -> bool {
        self.view.portfolio.may_open()
    }

    /// True while an order or a change of this strategy is under way: what it decides waits, and an
    /// entry that waits for another one lapses.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.view.is_busy
    }

    /// False for bars of the past: what is decided upon those is dropped.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.view.is_live
    }

    /// Opens a position, or places a pending order in place of the one that waits, once that one's end is
    /// told. It lapses where a position is held already, also by a part of the order that it replaces, and
    /// where what must be done before it takes more than 5 s. Live it lapses, too, upon a tick that may have
    /// waited for longer, such as while bars of the past were listed.
    pub fn enter(&mut self, entry: Entry) {
        self.plan.enter(entry, false, self.view.time);
    }

    /// Gets to that side: closes what is held on the other one, then opens. It lapses where a position
    /// of that side is held already; where the close takes more than 5 s, becomes UNKNOWN or ends while the
    /// gateway is away, it opens nothing, and closes what is left.
    pub fn reverse(&mut self, entry: Entry) {
        self.plan.enter(entry, true, self.view.time);
    }

    /// Closes what is held and cancels what waits for its price. Once its first close is sent it goes on after
    /// a restart of the engine, too.
    pub fn exit(&mut self) {
        self.plan.exit();
    }

    /// Moves the stop loss of what is held.
    pub fn move_stop(&mut self, price: Price) {
        self.plan.move_stop(price);
    }

    /// Moves the take profit of what is held.
    pub fn move_target(&mut self, price: Price) {
        self.plan.move_target(price);
    }

    /// Cancels the order that waits for its price.
    pub fn cancel(&mut self) {
        self.plan.cancel();
    }
}
