//! Deals become trades: what each closing deal fixed, with its share of what opening cost.

use crate::report::Trade;
use mymt5_model::{
    BrokerTime, DealKind, DealRow, Entry, Lots, Money, PositionId, Price, Side, Symbol,
};
use std::collections::BTreeMap;

/// Trades that are listed; those beyond them are counted in the sums alone.
const MOST: usize = 1_000_000;

/// What is open of a position.
#[derive(Debug)]
struct Open {
    side: Side,
    lots: Lots,
    /// Sum of price points times units of lots.
    point_lots: i128,
    opened: BrokerTime,
    strategy: String,
    /// Commission of opening that no trade has had yet.
    commission: Money,
}

/// Trades so far, and their sums.
#[derive(Debug, Default)]
pub(super) struct Trades {
    open: BTreeMap<PositionId, Open>,
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

impl Trades {
    /// Takes a deal; one that is no trade changes nothing.
    pub(super) fn add(&mut self, deal: &DealRow, strategy: &str) {
        let (DealKind::Trade(side), Some(id), Some(price), Some(symbol)) =
            (deal.kind, deal.position_id, deal.price, &deal.symbol)
        else {
            return;
        };
        self.deals += 1;
        self.commission += deal.commission;
        self.swap += deal.swap;
        let mut left = deal.lots;
        let mut commission = deal.commission;
        let closes = matches!(deal.entry, Some(Entry::Out | Entry::InOut | Entry::OutBy));
        if closes && let Some(open) = self.open.get_mut(&id) {
            let lots = open.lots.min(left);
            let paid = share(commission, lots, left);
            let (trade, net) = open.close(deal, (symbol, price), lots, paid);
            left = left.minus(lots);
            commission = commission - paid;
            if open.lots.is_zero() {
                self.open.remove(&id);
            }
            self.note(trade, net);
        }
        if !left.is_zero() && matches!(deal.entry, Some(Entry::In | Entry::InOut)) {
            let open = self.open.entry(id).or_insert_with(|| Open {
                side,
                lots: Lots::ZERO,
                point_lots: 0,
                opened: deal.time,
                strategy: strategy.to_owned(),
                commission: Money::ZERO,
            });
            open.lots = open.lots.plus(left);
            open.point_lots += i128::from(price.points()) * i128::from(left.units());
            open.commission += commission;
        }
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

impl Open {
    /// Takes so many lots out: their trade, and what it made with commission and swap. `paid`: the
    /// closing deal's commission of them.
    fn close(
        &mut self,
        deal: &DealRow,
        (symbol, price): (&Symbol, Price),
        lots: Lots,
        paid: Money,
    ) -> (Trade, Money) {
        let points = self.point_lots as f64 / self.lots.units().max(1) as f64;
        let open_paid = share(self.commission, lots, self.lots);
        let taken = part(self.point_lots, lots, self.lots);
        let commission = open_paid + paid;
        let trade = Trade {
            symbol: symbol.to_string(),
            strategy: self.strategy.clone(),
            side: self.side,
            lots: lots.to_f64(),
            opened: self.opened,
            closed: deal.time,
            open_price: points / 10f64.powi(i32::from(price.digits())),
            close_price: price.to_f64(),
            profit: deal.profit.to_f64(),
            commission: commission.to_f64(),
            swap: deal.swap.to_f64(),
            risk: None,
            excursion: None,
        };
        self.point_lots -= taken;
        self.commission = self.commission - open_paid;
        self.lots = self.lots.minus(lots);
        (trade, deal.profit + commission + deal.swap)
    }
}

fn share(of: Money, lots: Lots, all: Lots) -> Money {
    Money::from_units(part(of.units(), lots, all))
}

fn part(value: i128, lots: Lots, all: Lots) -> i128 {
    value * i128::from(lots.units()) / i128::from(all.units().max(1))
}
