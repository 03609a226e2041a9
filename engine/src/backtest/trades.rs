//! What the deals of a backtest came to: its trades, and their sums.

use crate::report::{Deal, Depth, Drawdown, Positions, Trade};
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
    /// After the last of these deals.
    balance: Money,
    depth: Depth,
}

impl Default for Trades {
    fn default() -> Self {
        Self::new(Money::ZERO)
    }
}

impl Trades {
    /// None yet; the balance before them.
    pub(super) fn new(initial: Money) -> Self {
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
            balance: initial,
            depth: Depth::new(initial.to_f64()),
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
        self.balance += deal.profit + deal.swap + deal.commission;
        self.depth.take(self.balance.to_f64(), 0.0);
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

    /// How far the balance fell, measured at each deal.
    pub(super) const fn drawdown(&self) -> Drawdown {
        self.depth.drawdown()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::History;
    use mymt5_model::{
        BrokerTime, DealReason, Entry, Lots, Magic, PositionId, Side, Symbol, Ticket,
    };
    use mymt5_proto::v1;

    /// A deal of a position that cost 0.1.
    fn deal(ticket: u64, entry: Entry, side: Side, lots: f64) -> DealRow {
        DealRow {
            ticket: Ticket(ticket),
            order: None,
            position_id: Some(PositionId(7)),
            magic: Magic::NONE,
            symbol: Symbol::parse("EURUSD").ok(),
            kind: DealKind::Trade(side),
            entry: Some(entry),
            reason: DealReason::Expert,
            lots: Lots::from_f64(lots).unwrap(),
            price: Some(Price::from_points(110_000, 5)),
            profit: Money::ZERO,
            swap: Money::ZERO,
            commission: Money::from_f64(-0.1).unwrap(),
            time: BrokerTime(ticket as i64),
            comment: String::new(),
        }
    }

    /// The same as a gateway lists it.
    fn listed(deal: &DealRow) -> v1::Deal {
        let DealKind::Trade(side) = deal.kind else {
            panic!("it is a trade")
        };
        v1::Deal {
            deal_id: deal.ticket.0,
            position_id: 7,
            symbol: "EURUSD".to_owned(),
            side: v1::Side::from(side).into(),
            entry: v1::DealEntry::from(deal.entry.unwrap()).into(),
            lots: deal.lots.to_f64(),
            price: deal.price.unwrap().to_f64(),
            commission: deal.commission.to_f64(),
            time: Some(v1::Moment {
                broker_ms: Some(deal.time.0),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_report_of_a_gateway_shares_out_commissions_as_a_backtest_does() {
        // Thirds of 0.1, of which none is a number of 1e-8.
        let deals = [
            deal(1, Entry::In, Side::Buy, 0.03),
            deal(2, Entry::Out, Side::Sell, 0.01),
            deal(3, Entry::InOut, Side::Sell, 0.05),
            deal(4, Entry::Out, Side::Buy, 0.03),
        ];
        let told = Told {
            strategy: "",
            stop: None,
            value: None,
        };
        let mut tested = Trades::default();
        for deal in &deals {
            tested.add(deal, &told);
        }
        let history = History {
            deals: deals.iter().map(listed).collect(),
            orders: Vec::new(),
        };
        let reported = history.record(&v1::Account::default()).trades;
        let commissions =
            |trades: &[Trade]| -> Vec<f64> { trades.iter().map(|it| it.commission).collect() };
        assert_eq!(commissions(&reported), commissions(&tested.list));
        assert_eq!(tested.count, 3);
    }

    #[test]
    fn the_balance_falls_between_two_deals_of_one_tick() {
        let told = Told {
            strategy: "",
            stop: None,
            value: None,
        };
        let closing = |ticket: u64, profit: f64| DealRow {
            profit: Money::from_f64(profit).unwrap(),
            time: BrokerTime(2),
            ..deal(ticket, Entry::Out, Side::Sell, 0.01)
        };
        let mut trades = Trades::new(Money::from_f64(1_000.0).unwrap());
        let deals = [
            deal(1, Entry::In, Side::Buy, 0.02),
            closing(2, -500.0),
            closing(3, 600.0),
        ];
        for deal in &deals {
            trades.add(deal, &told);
        }
        // Each of them costs 0.1: 999.9, 499.8, 1099.7.
        let drawdown = trades.drawdown();
        for fall in [drawdown.absolute, drawdown.maximal, drawdown.relative] {
            assert!((fall - 500.2).abs() < 1e-9, "{drawdown:?}");
        }
        assert!(
            (drawdown.relative_percent - 50.02).abs() < 1e-9,
            "{drawdown:?}"
        );
    }
}
