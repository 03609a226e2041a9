//! A tick moves the market: the day rolls over, orders expire or are done, levels are hit, the
//! margin is watched. Where the price moved on without a jump, orders and levels on its way are done
//! at their own price; the margin is watched at its end. The work grows with the orders and positions
//! of the tick's symbol only.

use crate::{Event, Simulator, event::Log, fills::Forced, position::Position};
use mymt5_model::{BrokerTime, DealReason, Lots, Price, Side, Tick};

impl Simulator {
    /// Moves the market to a tick. A tick of an unlisted symbol, of other digits, without prices
    /// or with the ask below the bid changes nothing; time never goes back.
    pub fn on_tick(&mut self, tick: &Tick) -> Vec<Event> {
        let mut log = Log::default();
        let Some(&m) = self.index.get(&tick.symbol) else {
            return Vec::new();
        };
        if !self.markets[m].understands(tick) {
            return Vec::new();
        }
        self.move_clock(tick.time, &mut log);
        if tick.is_continuous {
            self.go_towards(m, tick, &mut log);
        }
        self.arrive(m, tick, &mut log);
        self.watch_margin(&mut log);
        log.into_events()
    }

    /// Moves the clock on where no tick has come: the day rolls over and orders expire. Nothing
    /// happens before the first tick; time never goes back.
    pub fn pass_to(&mut self, time: BrokerTime) -> Vec<Event> {
        let mut log = Log::default();
        if self.time.is_some() {
            self.move_clock(time, &mut log);
        }
        log.into_events()
    }

    fn move_clock(&mut self, time: BrokerTime, log: &mut Log) {
        let before = self.time;
        let now = before.map_or(time, |before| before.max(time));
        self.time = Some(now);
        if let Some(before) = before
            && before.day_start() < now.day_start()
        {
            self.roll_over(before, now, log);
        }
        self.expire(log);
    }

    /// Stops at each price between the quote and a tick at which an order or a level waits, so that
    /// they are done there, in the order of the way.
    fn go_towards(&mut self, m: usize, tick: &Tick, log: &mut Log) {
        while let Some(stop) = self.markets[m].next_stop(tick) {
            self.arrive(m, &stop, log);
        }
    }

    /// The market is at a quote: what waits for it is done, where the symbol trades now.
    fn arrive(&mut self, m: usize, quote: &Tick, log: &mut Log) {
        self.quote_at(m, quote);
        if self.check_tradable(m).is_ok() {
            self.trigger(m, log);
            self.hit_levels(m, log);
        }
    }

    fn quote_at(&mut self, m: usize, tick: &Tick) {
        self.markets[m].quote = Some(tick.clone());
        self.refresh_if_held(m);
        for i in 0..self.markets[m].dependents.len() {
            self.refresh_if_held(self.markets[m].dependents[i]);
        }
    }

    fn refresh_if_held(&mut self, m: usize) {
        if !self.markets[m].positions.is_empty() {
            self.refresh(m);
        }
    }

    /// Closes the positions of a symbol whose stop loss or take profit is reached.
    fn hit_levels(&mut self, m: usize, log: &mut Log) {
        let mut p = 0;
        while let Some(position) = self.markets[m].positions.get(p) {
            let side = position.side;
            let hit = self.markets[m]
                .closing(side)
                .and_then(|price| hit(position, price));
            if let Some(mut forced) = hit {
                if forced.reason == DealReason::StopLoss {
                    forced.price = self.slipped(m, side.opposite(), forced.price);
                }
                self.close_forced(m, p, &forced, log);
            } else {
                p += 1;
            }
        }
    }

    /// A price after a random slip against the trader.
    pub(crate) fn slipped(&mut self, m: usize, side: Side, price: Price) -> Price {
        if self.account.slippage_points == 0 {
            return price;
        }
        let tick = self.markets[m].spec.tick_size_points;
        let slip = self.dice.up_to(self.account.slippage_points) / tick * tick;
        let moved = price.moved(side.sign() * slip);
        if moved.points() > 0 { moved } else { price }
    }

    /// The volume that the market has for an order.
    pub(crate) fn available(&mut self, m: usize, lots: Lots) -> Lots {
        let chance = self.account.partial_fill_probability;
        if chance <= 0.0 || self.dice.unit() >= chance {
            return lots;
        }
        let part = lots.to_f64() * self.dice.unit();
        let grid = self.markets[m].spec.volume;
        grid.floor(part).unwrap_or(grid.min).min(lots)
    }
}

/// How a position is closed at that price, if a level of it is reached.
fn hit(position: &Position, price: Price) -> Option<Forced> {
    let sign = position.side.sign();
    let reached = |level: &Price, sign: i64| sign * (price.points() - level.points()) >= 0;
    let levels = position.levels;
    let (reason, name, level) = if let Some(level) = levels.stop_loss.filter(|l| reached(l, -sign))
    {
        (DealReason::StopLoss, "sl", level)
    } else {
        let level = levels.take_profit.filter(|l| reached(l, sign))?;
        (DealReason::TakeProfit, "tp", level)
    };
    Some(Forced {
        price,
        reason,
        comment: format!("[{name} {level}]"),
    })
}
