//! An open position with its exact opening value, so that averaging and partial closing lose
//! nothing to rounded prices.

use mymt5_model::{BrokerTime, Levels, Lots, Magic, Money, PositionId, Price, Side, Ticket};
use serde::{Deserialize, Serialize};

/// When, and to how many decimals of the account currency.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) time: BrokerTime,
    pub(crate) currency_digits: u8,
}

/// A position of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) ticket: Ticket,
    pub(crate) id: PositionId,
    pub(crate) magic: Magic,
    pub(crate) side: Side,
    pub(crate) lots: Lots,
    /// Sum of opening price in points times units of lots.
    pub(crate) point_lots: i128,
    pub(crate) levels: Levels,
    pub(crate) swap: Money,
    pub(crate) opened: BrokerTime,
    pub(crate) updated: BrokerTime,
    pub(crate) comment: String,
}

/// What a closing took out of a position.
pub(crate) struct Taken {
    /// Signed gain in points times units of lots.
    pub(crate) gain: i128,
    /// The swap that goes with it.
    pub(crate) swap: Money,
}

/// Price in points times units of lots.
pub(crate) fn point_lots(price: Price, lots: Lots) -> i128 {
    i128::from(price.points()) * i128::from(lots.units())
}

/// `value * part / whole`, rounded half away from zero.
pub(crate) fn share(value: i128, part: Lots, whole: Lots) -> i128 {
    let (part, whole) = (i128::from(part.units()), i128::from(whole.units()).max(1));
    let scaled = value.saturating_mul(part);
    scaled.saturating_add(scaled.signum() * (whole / 2)) / whole
}

impl Position {
    /// Average opening price, rounded to a point.
    pub(crate) fn open_price(&self, digits: u8) -> Price {
        let points = share(self.point_lots, Lots::from_units(1), self.lots);
        Price::from_points(points as i64, digits)
    }

    /// Gain at a closing price, in points times units of lots.
    pub(crate) fn gain(&self, close: Price) -> i128 {
        i128::from(self.side.sign()) * (point_lots(close, self.lots) - self.point_lots)
    }

    /// Adds volume; levels that are given replace the old ones.
    pub(crate) fn add(&mut self, lots: Lots, price: Price, levels: Levels, time: BrokerTime) {
        self.lots = self.lots.plus(lots);
        self.point_lots += point_lots(price, lots);
        self.levels.stop_loss = levels.stop_loss.or(self.levels.stop_loss);
        self.levels.take_profit = levels.take_profit.or(self.levels.take_profit);
        self.updated = time;
    }

    /// Takes out `lots` (at most all) at a closing price.
    pub(crate) fn take(&mut self, lots: Lots, close: Price, terms: Terms) -> Taken {
        let lots = lots.min(self.lots);
        let part = share(self.point_lots, lots, self.lots);
        let swap = Money::from_units(share(self.swap.units(), lots, self.lots));
        let swap = if lots == self.lots {
            self.swap
        } else {
            swap.rounded(terms.currency_digits)
        };
        self.lots = self.lots.minus(lots);
        self.point_lots -= part;
        self.swap = self.swap - swap;
        self.updated = terms.time;
        Taken {
            gain: i128::from(self.side.sign()) * (point_lots(close, lots) - part),
            swap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(lots: i64, price: i64) -> Position {
        let (lots, price) = (Lots::from_units(lots), Price::from_points(price, 5));
        Position {
            ticket: Ticket(1),
            id: PositionId(1),
            magic: Magic::NONE,
            side: Side::Buy,
            lots,
            point_lots: point_lots(price, lots),
            levels: Levels::default(),
            swap: Money::from_units(-100_000_000),
            opened: BrokerTime(0),
            updated: BrokerTime(0),
            comment: String::new(),
        }
    }

    #[test]
    fn averages_without_losing_a_fraction() {
        let mut position = long(1_000_000, 100_000);
        let (more, price) = (Lots::from_units(2_000_000), Price::from_points(100_001, 5));
        position.add(more, price, Levels::default(), BrokerTime(1));
        assert_eq!(position.open_price(5).points(), 100_001);
        assert_eq!(position.gain(Price::from_points(100_001, 5)), 1_000_000);
    }

    #[test]
    fn parts_sum_up_to_the_whole() {
        let whole = long(3_000_000, 100_000);
        let close = Price::from_points(100_007, 5);
        let mut parts = whole.clone();
        let one = Lots::from_units(1_000_000);
        let terms = Terms {
            time: BrokerTime(1),
            currency_digits: 2,
        };
        let taken: Vec<Taken> = (0..3).map(|_| parts.take(one, close, terms)).collect();
        assert_eq!(
            taken.iter().map(|t| t.gain).sum::<i128>(),
            whole.gain(close)
        );
        assert_eq!(taken.iter().map(|t| t.swap).sum::<Money>(), whole.swap);
        assert_eq!(taken[0].swap.units(), -33_000_000);
        assert!(parts.lots.is_zero() && parts.point_lots == 0);
    }
}
