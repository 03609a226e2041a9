//! Working orders: placed, changed, cancelled, expired, and done when the market reaches them.

use crate::{Simulator, event::Log, fills::reason_of, margin::Opening, rules, trade::Fill};
use mymt5_model::{
    Lots, OrderRow, OrderType, PositionId, Price, Receipt, Retcode, RowState, Side, TermsEdit,
    Tick, Ticket,
};
use serde::{Deserialize, Serialize};

/// Where order tickets begin.
pub(crate) const FIRST_ORDER: u64 = 1_000_001;

/// An order at the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Working {
    pub(crate) row: OrderRow,
    /// The position it closes, when it was asked to close one.
    pub(crate) closes: Option<PositionId>,
}

impl Working {
    /// True when the market has reached the order's price.
    pub(crate) fn is_due(&self, quote: &Tick) -> bool {
        let touch = rules::touch_of(self.row.side, quote);
        match (self.row.kind, self.row.side, self.row.price) {
            (OrderType::Market, ..) => true,
            (_, _, None) => false,
            (OrderType::Limit, Side::Buy, Some(price)) => touch <= price,
            (OrderType::Limit, Side::Sell, Some(price)) => touch >= price,
            (_, Side::Buy, Some(price)) => touch >= price,
            (_, Side::Sell, Some(price)) => touch <= price,
        }
    }
}

impl Simulator {
    pub(crate) fn place(
        &mut self,
        m: usize,
        mut order: Working,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        let market = &self.markets[m];
        let spec = &market.spec;
        let row = &order.row;
        let quote = market.quote.as_ref().ok_or(Retcode::PRICE_OFF)?;
        rules::volume(spec, row.lots)?;
        rules::pending(spec, row, quote)?;
        rules::lifetime(row.time_in_force, row.created, self.now())?;
        let opening = Opening {
            side: row.side,
            lots: self.opening_lots(m, row.side, row.lots, None),
            price: row.price.ok_or(Retcode::INVALID)?,
        };
        if !opening.lots.is_zero() {
            rules::direction(spec, row.side)?;
            self.within_limits(m, opening)?;
        }
        let working: usize = self.markets.iter().map(|m| m.orders.len()).sum();
        if self.account.max_orders.is_some_and(|most| working >= most) {
            return Err(Retcode::LIMIT_ORDERS);
        }
        order.row.ticket = self.order_ticket();
        let receipt = Receipt {
            order: Some(order.row.ticket),
            lots: Some(order.row.lots),
            price: order.row.price,
            ..Receipt::bare(Retcode::PLACED)
        };
        self.note_expiry(&order.row);
        self.markets[m].orders.push(order);
        log.orders_changed = true;
        Ok(receipt)
    }

    fn find_order(&self, ticket: Ticket) -> Result<(usize, usize), Retcode> {
        let mut markets = self.markets.iter().enumerate();
        let place = markets.find_map(|(m, market)| {
            let i = market.orders.iter().position(|o| o.row.ticket == ticket)?;
            Some((m, i))
        });
        place.ok_or(if (FIRST_ORDER..self.next_order).contains(&ticket.0) {
            Retcode::ORDER_CHANGED
        } else {
            Retcode::INVALID_ORDER
        })
    }

    /// Finds an order that may be touched now.
    fn reach_order(&self, ticket: Ticket) -> Result<(usize, usize), Retcode> {
        let (m, i) = self.find_order(ticket)?;
        self.check_tradable(m)?;
        let market = &self.markets[m];
        let row = &market.orders[i].row;
        let touch = market.touch(row.side).ok_or(Retcode::PRICE_OFF)?;
        rules::frozen(&market.spec, touch, [row.price])?;
        Ok((m, i))
    }

    pub(crate) fn modify_order(
        &mut self,
        ticket: Ticket,
        terms: &TermsEdit,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        let (m, i) = self.reach_order(ticket)?;
        let market = &self.markets[m];
        let old = &market.orders[i].row;
        let row = OrderRow {
            price: terms.price.or(old.price),
            stop_limit_price: terms.stop_limit_price.or(old.stop_limit_price),
            levels: terms.levels.after(old.levels),
            time_in_force: terms.time_in_force.unwrap_or(old.time_in_force),
            ..old.clone()
        };
        if row == *old {
            return Err(Retcode::NO_CHANGES);
        }
        let quote = market.quote.as_ref().ok_or(Retcode::PRICE_OFF)?;
        rules::pending(&market.spec, &row, quote)?;
        rules::lifetime(row.time_in_force, row.created, self.now())?;
        self.note_expiry(&row);
        self.markets[m].orders[i].row = row;
        log.orders_changed = true;
        Ok(Receipt {
            order: Some(ticket),
            ..Receipt::bare(Retcode::DONE)
        })
    }

    pub(crate) fn cancel(&mut self, ticket: Ticket, log: &mut Log) -> Result<Receipt, Retcode> {
        let (m, i) = self.reach_order(ticket)?;
        let order = self.markets[m].orders.remove(i);
        self.finish(order, RowState::Canceled, log);
        Ok(Receipt {
            order: Some(ticket),
            ..Receipt::bare(Retcode::DONE)
        })
    }

    /// Moves an order into the history.
    pub(crate) fn finish(&mut self, order: Working, state: RowState, log: &mut Log) {
        let row = OrderRow {
            state,
            done: Some(self.now()),
            ..order.row
        };
        self.history.add_order(row);
        log.orders_changed = true;
    }

    fn note_expiry(&mut self, row: &OrderRow) {
        let end = rules::expires(row.time_in_force, row.created);
        self.next_expiry = self.next_expiry.into_iter().chain(end).min();
    }

    /// Ends the orders whose time has passed.
    pub(crate) fn expire(&mut self, log: &mut Log) {
        let now = self.now();
        if self.next_expiry.is_none_or(|next| next > now) {
            return;
        }
        let over = |o: &mut Working| {
            rules::expires(o.row.time_in_force, o.row.created).is_some_and(|end| end <= now)
        };
        for m in 0..self.markets.len() {
            let expired: Vec<Working> = self.markets[m].orders.extract_if(.., over).collect();
            for order in expired {
                self.finish(order, RowState::Expired, log);
            }
        }
        self.find_next_expiry();
    }

    pub(crate) fn find_next_expiry(&mut self) {
        let orders = self.markets.iter().flat_map(|market| &market.orders);
        let ends = orders.filter_map(|o| rules::expires(o.row.time_in_force, o.row.created));
        self.next_expiry = ends.min();
    }

    /// Does the orders of a symbol that its quote has reached.
    pub(crate) fn trigger(&mut self, m: usize, log: &mut Log) {
        let mut i = 0;
        while let Some(order) = self.markets[m].orders.get(i) {
            let due = self.markets[m]
                .quote
                .as_ref()
                .is_some_and(|quote| order.is_due(quote));
            if due {
                let order = self.markets[m].orders.remove(i);
                if let Some(order) = self.activate(m, order, log) {
                    self.markets[m].orders.insert(i, order);
                    i += 1;
                }
            } else {
                i += 1;
            }
        }
    }

    /// Does an order as far as it goes; gives back what works on.
    fn activate(&mut self, m: usize, mut order: Working, log: &mut Log) -> Option<Working> {
        log.orders_changed = true;
        if order.row.kind == OrderType::StopLimit {
            order.row.kind = OrderType::Limit;
            order.row.price = order.row.stop_limit_price.take();
            return Some(order);
        }
        let side = order.row.side;
        let Some(touch) = self.markets[m].touch(side) else {
            return Some(order);
        };
        let price = match order.row.kind {
            OrderType::Limit => touch,
            _ => self.slipped(m, side, touch),
        };
        let wanted = match self.permitted(m, &order, price) {
            Ok(lots) => lots,
            Err(state) => {
                self.finish(order, state, log);
                return None;
            }
        };
        let lots = self.available(m, wanted);
        self.execute(m, &mut order, lots, price, log);
        if order.row.lots_left.is_zero() {
            self.finish(order, RowState::Filled, log);
            return None;
        }
        Some(order)
    }

    /// The volume that may be done now, or how the order ends instead.
    fn permitted(&self, m: usize, order: &Working, price: Price) -> Result<Lots, RowState> {
        let side = order.row.side;
        let left = order.row.lots_left;
        if let Some(id) = order.closes {
            let mut positions = self.markets[m].positions.iter();
            let target = positions.find(|p| p.id == id && p.side != side);
            return target.map(|p| p.lots.min(left)).ok_or(RowState::Canceled);
        }
        let lots = self.opening_lots(m, side, left, None);
        if !lots.is_zero() {
            let joins = order.row.lots_left < order.row.lots;
            if !joins {
                self.room_for_position(m).map_err(|_| RowState::Rejected)?;
            }
            let opening = Opening { side, lots, price };
            self.afford(m, opening).map_err(|_| RowState::Rejected)?;
        }
        Ok(left)
    }

    /// Fills a volume of an order.
    pub(crate) fn execute(
        &mut self,
        m: usize,
        order: &mut Working,
        lots: Lots,
        price: Price,
        log: &mut Log,
    ) -> Ticket {
        let row = &mut order.row;
        let fill = Fill {
            order: row.ticket,
            side: row.side,
            lots,
            price,
            levels: row.levels,
            closes: order.closes,
            by_opposite: false,
            magic: row.magic,
            reason: reason_of(row.magic),
            comment: &row.comment,
        };
        let (deal, position) = self.fill(m, &fill, log);
        row.lots_left = row.lots_left.minus(lots);
        row.position_id = Some(position);
        row.state = RowState::Partial;
        deal
    }
}
