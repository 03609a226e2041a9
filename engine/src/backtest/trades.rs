//! What the deals of a backtest came to: its trades, and their sums.

use crate::report::{Deal, Positions, Trade};
use mymt5_model::{DealKind, DealRow, Money, Price, Tick};

/// Trades that are listed; those beyond them are counted in the sums alone.
const MOST: usize = 1_000_000;

/// Trades so far, and their sums.
#[derive(Debug)]
pub(super) struct Trades {
    positions: Positions,
    /// In the order of their closes.
    pub(super) list: Vec<Trade>,
    /// Deals that opened or closed a position.
    pub(super) deals: u64,
    pub(super) count: u64,
    pub(super) won: u64,
    pub(super) gross_profit: Money,
    pub(super) gross_loss: Money,
    pub(super) commission: Money,
    pub(super) swap: Money,
}

impl Default for Trades {
    fn default() -> Self {
        Self {
            positions: Positions::watched(),
            list: Vec::new(),
            deals: 0,
            count: 0,
            won: 0,
            gross_profit: Money::ZERO,
            gross_loss: Money::ZERO,
            commission: Money::ZERO,
            swap: Money::ZERO,
        }
    }
}

/// What a deal's row does not tell.
pub(super) struct Told<'a> {
    /// The strategy's name.
    pub(super) strategy: &'a str,
    /// Stop loss of its order.
    pub(super) stop: Option<Price>,
    /// What one lot gains when its price rises by 1; none while no rate is known.
    pub(super) value: Option<f64>,
}

impl Trades {
    /// Takes a deal; one that is no trade changes nothing.
    pub(super) fn add(&mut self, deal: &DealRow, told: &Told<'_>) {
        let (DealKind::Trade(side), Some(position), Some(price), Some(symbol), Some(entry)) = (
            deal.kind,
            deal.position_id,
            deal.price,
            &deal.symbol,
            deal.entry,
        ) else {
            return;
        };
        self.deals += 1;
        self.commission += deal.commission;
        self.swap += deal.swap;
        let closed = self.positions.take(&Deal {
            position,
            symbol: symbol.as_str(),
            strategy: told.strategy,
            side,
            entry,
            lots: deal.lots,
            price: price.to_f64(),
            profit: deal.profit,
            swap: deal.swap,
            commission: deal.commission,
            time: deal.time,
            stop: told.stop.map(Price::to_f64),
            value: told.value,
        });
        if let Some(closed) = closed {
            self.note(closed.trade, closed.net);
        }
    }

    /// Takes a tick after the deals that it led to.
    pub(super) fn see(&mut self, tick: &Tick) {
        self.positions.see(tick);
    }

    fn note(&mut self, trade: Trade, net: Money) {
        self.count += 1;
        if net.is_negative() {
            self.gross_loss += net;
        } else {
            self.gross_profit += net;
            self.won += u64::from(net != Money::ZERO);
        }
        if self.list.len() < MOST {
            self.list.push(trade);
        }
    }
}
