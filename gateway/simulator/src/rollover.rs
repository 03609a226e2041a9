//! The end of the broker's day: every open position is charged or paid its swap, once a night,
//! three times on one day of the week, never at a weekend.

use crate::{Simulator, event::Log, market::Market, position::Position};
use mymt5_model::{BrokerTime, Money, Side, Weekday};

const DAY_MS: i64 = 86_400_000;

/// Nights charged for the midnights in `(before, now]`.
fn nights(before: BrokerTime, now: BrokerTime, triple: Weekday) -> i64 {
    let first = before.day_start().0 / DAY_MS;
    let count = now.day_start().0 / DAY_MS - first;
    let rest = (0..count % 7).map(|i| {
        let day = Weekday::of(BrokerTime((first + i) * DAY_MS));
        charged(day, triple)
    });
    let week = if triple.is_weekend() { 5 } else { 7 };
    count / 7 * week + rest.sum::<i64>()
}

fn charged(day: Weekday, triple: Weekday) -> i64 {
    match day {
        _ if day.is_weekend() => 0,
        _ if day == triple => 3,
        _ => 1,
    }
}

/// Swap of a position for so many nights, in the quote currency.
fn swap(market: &Market, position: &Position, nights: i64) -> Money {
    let points = match position.side {
        Side::Buy => market.spec.swap_long_points,
        Side::Sell => market.spec.swap_short_points,
    };
    let one_point = market.worth.times(i128::from(position.lots.units()));
    one_point.times(points * nights as f64)
}

impl Simulator {
    /// Charges the nights passed. While no rate to the account currency is known nothing is
    /// charged.
    pub(crate) fn roll_over(&mut self, before: BrokerTime, now: BrokerTime, log: &mut Log) {
        let nights = nights(before, now, self.account.triple_swap_day);
        if nights == 0 {
            return;
        }
        for m in 0..self.markets.len() {
            for p in 0..self.markets[m].positions.len() {
                let charge = self.charge(m, p, nights);
                self.markets[m].positions[p].swap += charge;
                log.positions_changed |= charge != Money::ZERO;
            }
            self.refresh(m);
        }
    }

    fn charge(&self, m: usize, p: usize, nights: i64) -> Money {
        let market = &self.markets[m];
        let position = &market.positions[p];
        let rate = market
            .closing(position.side)
            .and_then(|price| self.rate(market, price));
        let amount = swap(market, position, nights).times(rate.unwrap_or(0.0));
        amount.rounded(self.account.currency_digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_has_seven_nights_and_wednesday_three() {
        let monday = 4 * DAY_MS;
        let between = |from: i64, to: i64| {
            let time = |day: i64| BrokerTime(monday + day * DAY_MS + 3_600_000);
            nights(time(from), time(to), Weekday::Wednesday)
        };
        assert_eq!(between(0, 1), 1);
        assert_eq!(between(2, 3), 3);
        assert_eq!(between(4, 7), 1);
        assert_eq!(between(5, 7), 0);
        assert_eq!(between(0, 7), 7);
        assert_eq!(between(2, 2 + 7 * 52 + 1), 7 * 52 + 3);
        assert_eq!(between(3, 3), 0);
    }
}
