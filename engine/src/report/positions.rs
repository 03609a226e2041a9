//! Deals become trades: what each closing deal fixed, with its share of what opening cost. One way
//! for a gateway's deals and for those of a backtest.

use super::{Excursion, Trade};
use mymt5_model::{BrokerTime, Entry, Lots, Money, PositionId, Side, Tick};
use std::collections::BTreeMap;

/// A deal of a position, whoever tells of it. Money is in the account's currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deal<'a> {
    pub(crate) position: PositionId,
    pub(crate) symbol: &'a str,
    /// The strategy's name. Empty: none.
    pub(crate) strategy: &'a str,
    pub(crate) side: Side,
    pub(crate) entry: Entry,
    pub(crate) lots: Lots,
    pub(crate) price: f64,
    /// Without commission and swap.
    pub(crate) profit: Money,
    pub(crate) swap: Money,
    /// Negative when paid.
    pub(crate) commission: Money,
    pub(crate) time: BrokerTime,
    /// Stop loss of its order. None: it has none.
    pub(crate) stop: Option<f64>,
    /// What one lot gains when its price rises by 1. None: only what the deal made tells it.
    pub(crate) value: Option<f64>,
}

/// A trade, and what of it is exact.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) trade: Trade,
    /// What it made, with commission and swap.
    pub(crate) net: Money,
    lots: Lots,
}

/// The open positions while their deals pass.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    open: BTreeMap<PositionId, Open>,
    /// Each tick of theirs is seen, so that their excursions are known.
    watched: bool,
    unopened: u64,
}

/// A position as its deals left it.
#[derive(Debug)]
struct Open {
    symbol: String,
    strategy: String,
    side: Side,
    lots: Lots,
    opened: BrokerTime,
    /// Average.
    price: f64,
    /// Paid for opening, not yet told with a trade.
    commission: Money,
    swap: Money,
    /// Stop loss of the order that opened it.
    stop: Option<f64>,
    /// The prices farthest for it and against it since its opening. They stay what they are where more is
    /// opened, which moves the average.
    best: f64,
    worst: f64,
}

impl Positions {
    /// None yet; [`Positions::see`] gets each tick.
    pub(crate) fn watched() -> Self {
        Self {
            watched: true,
            ..Self::default()
        }
    }

    /// Closings of positions whose opening never came.
    pub(crate) const fn unopened(&self) -> u64 {
        self.unopened
    }

    /// Positions that are still open.
    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    /// Takes a tick after the deals that it led to.
    pub(crate) fn see(&mut self, tick: &Tick) {
        for open in self.open.values_mut() {
            if open.symbol == tick.symbol.as_str() {
                open.reach(tick.touch(open.side.opposite()).to_f64());
            }
        }
    }

    /// Takes a deal, in the order in which deals were done; returns the trade that it closed.
    pub(crate) fn take(&mut self, deal: &Deal<'_>) -> Option<Closed> {
        let closed = match deal.entry {
            Entry::In => None,
            Entry::Out | Entry::InOut | Entry::OutBy => self.leave(deal),
        };
        let taken = closed.as_ref().map_or(Lots::ZERO, |closed| closed.lots);
        let left = deal.lots.minus(taken);
        if matches!(deal.entry, Entry::In | Entry::InOut) && !left.is_zero() {
            let swap = if closed.is_some() {
                Money::ZERO
            } else {
                deal.swap
            };
            self.enter(deal, left, swap);
        }
        closed
    }

    /// Opens or adds so many lots, which bear their share of the deal's commission.
    fn enter(&mut self, deal: &Deal<'_>, lots: Lots, swap: Money) {
        let open = self.open.entry(deal.position).or_insert_with(|| Open {
            symbol: deal.symbol.to_owned(),
            strategy: deal.strategy.to_owned(),
            side: deal.side,
            lots: Lots::ZERO,
            opened: deal.time,
            price: deal.price,
            commission: Money::ZERO,
            swap: Money::ZERO,
            stop: deal.stop,
            best: deal.price,
            worst: deal.price,
        });
        let all = open.lots.plus(lots);
        open.price += (deal.price - open.price) * (lots.to_f64() / all.to_f64());
        open.lots = all;
        open.commission +=
            deal.commission - share(deal.commission, deal.lots.minus(lots), deal.lots);
        open.swap += swap;
    }

    /// Closes what a deal closes of its position.
    fn leave(&mut self, deal: &Deal<'_>) -> Option<Closed> {
        let Some(open) = self.open.get_mut(&deal.position) else {
            self.unopened += 1;
            return None;
        };
        let closed = open.close(deal, self.watched);
        if open.lots.is_zero() {
            self.open.remove(&deal.position);
        }
        Some(closed)
    }
}

impl Open {
    /// The price at which it could be closed went there.
    fn reach(&mut self, price: f64) {
        let (best, worst) = match self.side {
            Side::Buy => (self.best.max(price), self.worst.min(price)),
            Side::Sell => (self.best.min(price), self.worst.max(price)),
        };
        self.best = best;
        self.worst = worst;
    }

    /// How far a price is from its average, above 0 towards profit.
    fn way(&self, price: f64) -> f64 {
        (price - self.price) * self.side.sign() as f64
    }

    /// Takes out what a deal closes, which bears its share of the deal's commission.
    fn close(&mut self, deal: &Deal<'_>, watched: bool) -> Closed {
        self.reach(deal.price);
        let lots = self.lots.min(deal.lots);
        let paid = share(self.commission, lots, self.lots);
        let charged = share(self.swap, lots, self.lots);
        let commission = paid + share(deal.commission, lots, deal.lots);
        let swap = charged + deal.swap;
        let worth = self.worth(deal, lots);
        let excursion = worth.filter(|_| watched).map(|worth| Excursion {
            favorable: self.way(self.best).max(0.0) * worth,
            adverse: self.way(self.worst).min(0.0) * worth,
        });
        self.commission = self.commission - paid;
        self.swap = self.swap - charged;
        self.lots = self.lots.minus(lots);
        Closed {
            trade: Trade {
                symbol: self.symbol.clone(),
                strategy: self.strategy.clone(),
                side: self.side,
                lots: lots.to_f64(),
                opened: self.opened,
                closed: deal.time,
                open_price: self.price,
                close_price: deal.price,
                profit: deal.profit.to_f64(),
                commission: commission.to_f64(),
                swap: swap.to_f64(),
                risk: worth.and_then(|worth| self.risk(worth)),
                excursion,
                ends_position: self.lots.is_zero(),
            },
            net: deal.profit + commission + swap,
            lots,
        }
    }

    /// What so many lots gain when the price goes by 1 for them. None: not known, as where the
    /// closing made nothing.
    fn worth(&self, deal: &Deal<'_>, lots: Lots) -> Option<f64> {
        let way = self.way(deal.price);
        let worth = match deal.value {
            Some(value) => value * lots.to_f64(),
            None => deal.profit.to_f64() / way,
        };
        (worth.is_finite() && worth > 0.0).then_some(worth)
    }

    /// What would have been lost at its stop loss. None: there is none on the losing side.
    fn risk(&self, worth: f64) -> Option<f64> {
        let distance = (self.price - self.stop?) * self.side.sign() as f64;
        let risk = distance * worth;
        (risk.is_finite() && risk > 0.0).then_some(risk)
    }
}

/// The part of an amount that belongs to so many lots of all.
fn share(of: Money, lots: Lots, all: Lots) -> Money {
    let (lots, all) = (i128::from(lots.units()), i128::from(all.units()));
    Money::from_units(of.units() * lots / all.max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{Price, Symbol};

    fn money(amount: f64) -> Money {
        Money::from_f64(amount).unwrap()
    }

    /// A deal of one lot of gold, which gains 100 when it rises by 1.
    fn deal(entry: Entry, side: Side, price: f64) -> Deal<'static> {
        Deal {
            position: PositionId(7),
            symbol: "XAUUSD",
            strategy: "cross",
            side,
            entry,
            lots: Lots::from_f64(1.0).unwrap(),
            price,
            profit: Money::ZERO,
            swap: Money::ZERO,
            commission: Money::ZERO,
            time: BrokerTime(1),
            stop: None,
            value: Some(100.0),
        }
    }

    fn tick(bid: i64, ask: i64) -> Tick {
        Tick {
            symbol: Symbol::parse("XAUUSD").unwrap(),
            time: BrokerTime(2),
            bid: Price::from_points(bid, 0),
            ask: Price::from_points(ask, 0),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        }
    }

    #[test]
    fn the_extremes_are_those_of_the_price_it_would_close_at() {
        let mut positions = Positions::watched();
        let opening = Deal {
            stop: Some(4_010.0),
            ..deal(Entry::In, Side::Sell, 4_000.0)
        };
        assert!(positions.take(&opening).is_none());
        positions.see(&tick(3_990, 3_992));
        positions.see(&tick(4_003, 4_005));
        positions.see(&Tick {
            symbol: Symbol::parse("EURUSD").unwrap(),
            ..tick(1, 2)
        });
        let closing = Deal {
            profit: money(200.0),
            ..deal(Entry::Out, Side::Buy, 3_998.0)
        };
        let trade = positions.take(&closing).unwrap().trade;
        let excursion = trade.excursion.unwrap();
        assert_eq!(excursion.favorable, 800.0);
        assert_eq!(excursion.adverse, -500.0);
        assert_eq!((trade.risk, trade.r()), (Some(1_000.0), Some(0.2)));
        assert_eq!(positions.count(), 0);
    }

    #[test]
    fn a_close_beyond_all_ticks_is_an_extreme_and_needs_no_gain_to_have_a_worth() {
        let mut positions = Positions::watched();
        positions.take(&deal(Entry::In, Side::Buy, 4_000.0));
        positions.see(&tick(3_999, 4_000));
        let closing = deal(Entry::Out, Side::Sell, 3_990.0);
        let gapped = positions.take(&closing).unwrap().trade;
        assert_eq!(gapped.excursion.unwrap().adverse, -1_000.0);
        positions.take(&Deal {
            stop: Some(3_995.0),
            ..deal(Entry::In, Side::Buy, 4_000.0)
        });
        let even = deal(Entry::Out, Side::Sell, 4_000.0);
        assert_eq!(positions.take(&even).unwrap().trade.risk, Some(500.0));
    }

    #[test]
    fn the_extremes_of_an_enlarged_position_are_measured_from_its_average() {
        let mut positions = Positions::watched();
        positions.take(&deal(Entry::In, Side::Buy, 4_000.0));
        positions.see(&tick(4_020, 4_021));
        positions.take(&deal(Entry::In, Side::Buy, 4_010.0));
        positions.see(&tick(3_995, 3_996));
        let closing = Deal {
            lots: Lots::from_f64(2.0).unwrap(),
            ..deal(Entry::Out, Side::Sell, 4_005.0)
        };
        let trade = positions.take(&closing).unwrap().trade;
        let excursion = trade.excursion.unwrap();
        assert_eq!(trade.open_price, 4_005.0);
        assert_eq!(excursion.favorable, 3_000.0);
        assert_eq!(excursion.adverse, -2_000.0);
    }

    #[test]
    fn commissions_are_shared_without_losing_any() {
        let mut positions = Positions::default();
        let lots = |lots: f64| Lots::from_f64(lots).unwrap();
        positions.take(&Deal {
            lots: lots(0.03),
            commission: money(-0.1),
            ..deal(Entry::In, Side::Buy, 4_000.0)
        });
        let part = Deal {
            lots: lots(0.01),
            ..deal(Entry::Out, Side::Sell, 4_000.0)
        };
        let turn = Deal {
            lots: lots(0.05),
            commission: money(-0.1),
            ..deal(Entry::InOut, Side::Sell, 4_000.0)
        };
        let last = Deal {
            lots: lots(0.03),
            ..deal(Entry::Out, Side::Buy, 4_000.0)
        };
        let nets = [part, turn, last].map(|deal| positions.take(&deal).unwrap().net);
        assert_eq!(nets.into_iter().sum::<Money>(), money(-0.2));
        assert!(positions.take(&part).is_none());
        assert_eq!((positions.count(), positions.unopened()), (0, 1));
    }

    #[test]
    fn what_closes_the_rest_ends_its_position() {
        let mut positions = Positions::default();
        let of = |lots: f64, entry: Entry, side: Side| Deal {
            lots: Lots::from_f64(lots).unwrap(),
            ..deal(entry, side, 4_000.0)
        };
        positions.take(&of(0.03, Entry::In, Side::Buy));
        let part = of(0.01, Entry::Out, Side::Sell);
        let turn = of(0.05, Entry::InOut, Side::Sell);
        let last = of(0.03, Entry::Out, Side::Buy);
        let ends = [part, turn, last].map(|deal| {
            let closed = positions.take(&deal).unwrap();
            closed.trade.ends_position
        });
        assert_eq!(ends, [false, true, true]);
    }

    #[test]
    fn without_ticks_no_extreme_is_known() {
        let mut positions = Positions::default();
        positions.take(&deal(Entry::In, Side::Buy, 4_000.0));
        let closing = deal(Entry::Out, Side::Sell, 4_001.0);
        assert_eq!(positions.take(&closing).unwrap().trade.excursion, None);
    }
}
