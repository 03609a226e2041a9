//! Whatever comes: random requests in a random market, the same on both brokers.

use super::super::{conforms, play::Play, requests::*, setup::Setup};
use mymt5_model::{
    Levels, OrderType,
    Side::{self, Buy, Sell},
    Ticket, TimeInForce, TradeRequest,
};

const STEPS: usize = 60;

/// A small generator of its own: both brokers must meet the same numbers.
struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn around(&mut self, middle: i64, most: i64) -> i64 {
        middle - most + self.below(2 * most as u64 + 1) as i64
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Buy } else { Sell }
    }

    fn level(&mut self, middle: i64) -> Option<i64> {
        (self.below(2) == 0).then(|| self.around(middle, 120))
    }

    fn levels(&mut self, middle: i64) -> Levels {
        levels(self.level(middle), self.level(middle))
    }

    fn volume(&mut self) -> f64 {
        self.below(40) as f64 / 100.0
    }

    fn life(&mut self, now: i64) -> TimeInForce {
        match self.below(6) {
            0 => TimeInForce::Day,
            1 => TimeInForce::Gtd(until(now + self.below(20) as i64 * 1_000)),
            2 => TimeInForce::GtdDay(until(now)),
            _ => TimeInForce::Gtc,
        }
    }

    /// One of these tickets, or one that is not among them.
    fn ticket(&mut self, tickets: &[Ticket]) -> Ticket {
        let any = self.below(tickets.len() as u64 + 1) as usize;
        tickets.get(any).copied().unwrap_or(Ticket(7))
    }
}

/// Any request; most of them fit.
fn request(dice: &mut Dice, play: &Play, bid: i64, seen: &[Ticket]) -> TradeRequest {
    let held: Vec<_> = play.positions().iter().map(|row| row.ticket).collect();
    let working: Vec<_> = play.orders().iter().map(|row| row.ticket).collect();
    let kind = [OrderType::Limit, OrderType::Stop, OrderType::StopLimit][dice.below(3) as usize];
    let price = dice.around(bid, 100);
    let mut request = match dice.below(10) {
        0 | 1 => deal(dice.side(), dice.volume()),
        2 | 3 if !held.is_empty() => {
            let ticket = dice.ticket(&held);
            let row = play.positions().iter().find(|row| row.ticket == ticket);
            let side = row.map_or(Buy, |row| row.side.opposite());
            let part = row.map_or(0.1, |row| row.lots.to_f64());
            return close(
                ticket,
                side,
                if dice.below(2) == 0 {
                    part
                } else {
                    dice.volume()
                },
            );
        }
        4 => return protect(dice.ticket(&held), dice.levels(bid)),
        5 => {
            return cancel(dice.ticket(&working));
        }
        6 => modify(dice.ticket(&working), price).lasting(dice.life(play.now())),
        7 => return protect(dice.ticket(seen), dice.levels(bid)),
        _ if kind == OrderType::StopLimit => stop_limit(dice.side(), price, dice.around(price, 60)),
        _ => pending(dice.side(), kind, price).lasting(dice.life(play.now())),
    };
    if dice.below(3) == 0 {
        let levels = dice.levels(bid);
        let points = |level: Option<mymt5_model::Price>| level.map(mymt5_model::Price::points);
        request = request.with_levels(points(levels.stop_loss), points(levels.take_profit));
    }
    request
}

async fn walk(play: &mut Play, seed: u64) {
    let (mut dice, mut bid, mut seen) = (Dice(seed), 110_000, Vec::new());
    for _ in 0..STEPS {
        if dice.below(2) == 0 {
            bid = dice.around(bid, 90);
            play.quote(bid, bid + dice.below(15) as i64).await;
        } else {
            let request = request(&mut dice, play, bid, &seen);
            if let Ok(receipt) = play.send(request).await {
                seen.extend(receipt.order);
            }
        }
    }
    assert!(seen.len() > STEPS / 12, "too little was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_in_a_random_market() {
    for seed in 1..=3 {
        conforms(&[Setup::default()], async |play| walk(play, seed).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_of_a_poor_account() {
    let setup = Setup::default().account(|account| {
        (account.balance, account.leverage) = ("900".parse().unwrap(), 50);
        (account.max_orders, account.max_positions) = (Some(6), Some(4));
    });
    for seed in 4..=6 {
        conforms(std::slice::from_ref(&setup), async |play| {
            walk(play, seed).await
        })
        .await;
    }
}
