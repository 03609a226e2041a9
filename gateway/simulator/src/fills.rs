//! From a fill to a deal: the position changes, the money moves, the row is written.

use crate::{Event, Simulator, event::Log, hedging, netting, position::Terms, trade::Fill};
use mymt5_model::{
    AccountMode, DealKind, DealReason, DealRow, Levels, Lots, Magic, Money, OrderRow, OrderType,
    PositionId, Price, RowState, Side, Ticket, TimeInForce,
};

/// A position that is to be closed without anyone's request.
pub(crate) struct Forced {
    pub(crate) price: Price,
    pub(crate) reason: DealReason,
    pub(crate) comment: String,
}

/// By hand without a magic, else by a program.
pub(crate) fn reason_of(magic: Magic) -> DealReason {
    if magic == Magic::NONE {
        DealReason::Client
    } else {
        DealReason::Expert
    }
}

impl Simulator {
    /// Takes the next order ticket.
    pub(crate) fn order_ticket(&mut self) -> Ticket {
        self.next_order += 1;
        Ticket(self.next_order - 1)
    }

    /// Writes a fill into the account.
    pub(crate) fn fill(
        &mut self,
        m: usize,
        fill: &Fill<'_>,
        log: &mut Log,
    ) -> (Ticket, PositionId) {
        let terms = Terms {
            time: self.now(),
            currency_digits: self.account.currency_digits,
        };
        let positions = &mut self.markets[m].positions;
        let change = match self.account.mode {
            AccountMode::Netting => netting::apply(positions, fill, terms),
            AccountMode::Hedging => hedging::apply(positions, fill, terms),
        };
        let market = &self.markets[m];
        // Two positions that close each other have no price of now.
        let at = if fill.by_opposite {
            market.touch(Side::Sell).unwrap_or(fill.price)
        } else {
            fill.price
        };
        let profit = self.worth_rounded(market, change.gain, at);
        let deal = DealRow {
            ticket: Ticket(self.next_deal),
            order: Some(fill.order),
            position_id: Some(change.id),
            magic: fill.magic,
            symbol: Some(market.spec.symbol.clone()),
            kind: DealKind::Trade(fill.side),
            entry: Some(change.entry),
            reason: fill.reason,
            lots: fill.lots,
            price: Some(fill.price),
            profit: profit.unwrap_or(Money::ZERO),
            swap: change.swap,
            commission: self.commission(fill.lots),
            time: terms.time,
            comment: fill.comment.to_owned(),
        };
        self.next_deal += 1;
        self.balance += deal.profit + deal.swap + deal.commission;
        log.positions_changed = true;
        log.push(Event::Deal(deal.clone()));
        let outcome = (deal.ticket, change.id);
        self.history.add_deal(deal);
        self.refresh(m);
        outcome
    }

    /// Books what is not a trade: a deposit or withdrawal, a credit, a correction, a charge. The
    /// amount is rounded to the account currency's digits.
    pub fn book(&mut self, kind: DealKind, amount: Money, comment: &str) -> Vec<Event> {
        let amount = amount.rounded(self.account.currency_digits);
        let deal = DealRow {
            ticket: Ticket(self.next_deal),
            order: None,
            position_id: None,
            magic: Magic::NONE,
            symbol: None,
            kind,
            entry: None,
            reason: DealReason::Client,
            lots: Lots::ZERO,
            price: None,
            profit: amount,
            swap: Money::ZERO,
            commission: Money::ZERO,
            time: self.now(),
            comment: comment.to_owned(),
        };
        self.next_deal += 1;
        if kind == DealKind::Credit {
            self.credit += amount;
        } else {
            self.balance += amount;
        }
        self.history.add_deal(deal.clone());
        vec![Event::Deal(deal)]
    }

    /// Closes a position whole by an order of the server's own.
    pub(crate) fn close_forced(&mut self, m: usize, p: usize, forced: &Forced, log: &mut Log) {
        let position = &self.markets[m].positions[p];
        let id = position.id;
        let magic = position.magic;
        let side = position.side.opposite();
        let lots = position.lots;
        let order = self.order_ticket();
        let row = OrderRow {
            ticket: order,
            position_id: Some(id),
            magic,
            symbol: self.markets[m].spec.symbol.clone(),
            side,
            kind: OrderType::Market,
            state: RowState::Filled,
            lots,
            lots_left: Lots::ZERO,
            price: None,
            stop_limit_price: None,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            created: self.now(),
            done: Some(self.now()),
            comment: forced.comment.clone(),
        };
        let fill = Fill {
            order,
            side,
            lots,
            price: forced.price,
            levels: Levels::default(),
            closes: Some(id),
            by_opposite: false,
            magic,
            reason: forced.reason,
            comment: &forced.comment,
        };
        self.fill(m, &fill, log);
        self.history.add_order(row);
        log.orders_changed = true;
    }

    /// Commission of one side, negative when paid.
    fn commission(&self, lots: Lots) -> Money {
        let units = self.account.commission_per_lot.units();
        let paid = units.saturating_mul(i128::from(lots.units())) / i128::from(Lots::SCALE);
        -Money::from_units(paid).rounded(self.account.currency_digits)
    }
}
