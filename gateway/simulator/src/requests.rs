//! From a trade request to a receipt. Refusals change nothing; what is accepted is done before
//! the receipt is written.

use crate::{
    Event, Simulator,
    event::Log,
    margin::Opening,
    pending::Working,
    position::Position,
    rules::{self, Filling},
};
use mymt5_model::{
    AccountMode, Execution, Levels, Lots, OrderRow, OrderType, PositionId, Price, Receipt, Retcode,
    RowState, Side, Symbol, Ticket, TimeInForce, TradeMode, TradeRequest,
};

impl Simulator {
    /// Takes one request to the trade server: what it answers at once, and what changed.
    pub fn send(&mut self, request: &TradeRequest) -> (Receipt, Vec<Event>) {
        let mut log = Log::default();
        let receipt = self.dispatch(request, &mut log).unwrap_or_else(bare);
        (receipt, log.into_events())
    }

    fn dispatch(&mut self, request: &TradeRequest, log: &mut Log) -> Result<Receipt, Retcode> {
        if !self.account.trade_allowed {
            return Err(Retcode::SERVER_DISABLES_AT);
        }
        match request {
            TradeRequest::Market {
                symbol,
                max_deviation_points,
                position,
                ..
            } => {
                let m = self.tradable(symbol)?;
                let order = Working {
                    closes: position.map(|t| self.closes(m, t)).transpose()?,
                    row: self.draft(request).ok_or(Retcode::INVALID)?,
                };
                self.market(m, order, *max_deviation_points, log)
            }
            TradeRequest::Pending { symbol, .. } => {
                let m = self.tradable(symbol)?;
                let row = self.draft(request).ok_or(Retcode::INVALID)?;
                self.place(m, Working { row, closes: None }, log)
            }
            TradeRequest::ModifyPosition { position, levels } => {
                self.modify_position(*position, *levels, log)
            }
            TradeRequest::ModifyOrder { order, .. } => self.modify_order(*order, request, log),
            TradeRequest::Cancel { order } => self.cancel(*order, log),
        }
    }

    /// The market of a symbol that trades now.
    pub(crate) fn tradable(&self, symbol: &Symbol) -> Result<usize, Retcode> {
        let m = *self.index.get(symbol).ok_or(Retcode::INVALID)?;
        self.check_hours(m)?;
        Ok(m)
    }

    pub(crate) fn check_hours(&self, m: usize) -> Result<(), Retcode> {
        let market = &self.markets[m];
        if market.spec.trade_mode == TradeMode::Disabled {
            return Err(Retcode::TRADE_DISABLED);
        }
        if market.quote.is_none() {
            return Err(Retcode::PRICE_OFF);
        }
        if !market.is_open(self.now()) {
            return Err(Retcode::MARKET_CLOSED);
        }
        Ok(())
    }

    fn closes(&self, m: usize, ticket: Ticket) -> Result<PositionId, Retcode> {
        let (of, p) = self.find_position(ticket).ok_or(Retcode::POSITION_CLOSED)?;
        if of != m {
            return Err(Retcode::INVALID);
        }
        Ok(self.markets[m].positions[p].id)
    }

    pub(crate) fn find_position(&self, ticket: Ticket) -> Option<(usize, usize)> {
        let mut markets = self.markets.iter().enumerate();
        markets.find_map(|(m, market)| {
            let p = market.positions.iter().position(|p| p.ticket == ticket)?;
            Some((m, p))
        })
    }

    /// The order that a request asks for, not yet numbered.
    fn draft(&self, request: &TradeRequest) -> Option<OrderRow> {
        let now = self.now();
        let row = match request {
            TradeRequest::Market {
                symbol,
                side,
                lots,
                levels,
                magic,
                comment,
                ..
            } => (
                symbol,
                side,
                OrderType::Market,
                lots,
                None,
                None,
                levels,
                TimeInForce::Gtc,
                magic,
                comment,
            ),
            TradeRequest::Pending {
                symbol,
                side,
                kind,
                lots,
                price,
                stop_limit_price,
                levels,
                time_in_force,
                magic,
                comment,
            } => (
                symbol,
                side,
                *kind,
                lots,
                Some(*price),
                *stop_limit_price,
                levels,
                *time_in_force,
                magic,
                comment,
            ),
            _ => return None,
        };
        Some(OrderRow {
            ticket: Ticket(0),
            position_id: None,
            magic: *row.8,
            symbol: row.0.clone(),
            side: *row.1,
            kind: row.2,
            state: RowState::Placed,
            lots: *row.3,
            lots_left: *row.3,
            price: row.4,
            stop_limit_price: row.5,
            levels: *row.6,
            time_in_force: row.7,
            created: now,
            done: None,
            comment: row.9.as_str().to_owned(),
        })
    }

    fn market(
        &mut self,
        m: usize,
        mut order: Working,
        deviation: Option<u32>,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        let side = order.row.side;
        let touch = self.markets[m].touch(side).ok_or(Retcode::PRICE_OFF)?;
        self.check_market(m, &order, touch)?;
        let filling = rules::filling(&self.markets[m].spec)?;
        let price = self.slipped(m, side, touch);
        let slip = (price.points() - touch.points()).unsigned_abs();
        let by_quote = matches!(
            self.markets[m].spec.execution,
            Execution::Instant | Execution::Request
        );
        if by_quote && deviation.is_some_and(|most| slip > u64::from(most)) {
            return Err(Retcode::REQUOTE);
        }
        let lots = self.available(m, order.row.lots);
        if filling == Filling::Fok && lots < order.row.lots {
            return Err(Retcode::REJECT);
        }
        order.row.ticket = self.order_ticket();
        let deal = self.execute(m, &mut order, lots, price, log);
        let receipt = Receipt {
            order: Some(order.row.ticket),
            deal: Some(deal),
            lots: Some(lots),
            price: Some(price),
            ..bare(if order.row.lots_left.is_zero() {
                Retcode::DONE
            } else {
                Retcode::DONE_PARTIAL
            })
        };
        if order.row.lots_left.is_zero() {
            self.finish(order, RowState::Filled, log);
        } else if filling == Filling::Return {
            self.markets[m].orders.push(order);
            log.orders_changed = true;
        } else {
            self.finish(order, RowState::Canceled, log);
        }
        Ok(receipt)
    }

    fn check_market(&self, m: usize, order: &Working, touch: Price) -> Result<(), Retcode> {
        let (market, row) = (&self.markets[m], &order.row);
        let spec = &market.spec;
        let target = self.target(m, row.side, order.closes);
        let whole = target.is_some_and(|p| p.lots == row.lots) && row.lots <= spec.volume.max;
        if !whole {
            rules::volume(spec, row.lots)?;
        }
        if order.closes.is_some() {
            let position = target.ok_or(Retcode::INVALID)?;
            if row.lots > position.lots {
                return Err(Retcode::INVALID_CLOSE_VOLUME);
            }
        }
        if let Some(position) = target {
            let levels = [position.levels.stop_loss, position.levels.take_profit];
            rules::frozen(spec, touch, levels)?;
        }
        let opening = Opening {
            side: row.side,
            lots: self.opening_lots(m, row.side, row.lots, order.closes),
            price: touch,
        };
        if opening.lots.is_zero() {
            return Ok(());
        }
        rules::direction(spec, row.side)?;
        let closing = market.closing(row.side).ok_or(Retcode::PRICE_OFF)?;
        rules::levels(spec, row.side, closing, row.levels)?;
        self.within_limits(m, opening)?;
        self.room_for_position(m)?;
        self.afford(m, opening)
    }

    /// The position that an order of that side would reduce.
    fn target(&self, m: usize, side: Side, closes: Option<PositionId>) -> Option<&Position> {
        let netting = self.account.mode == AccountMode::Netting;
        let reduces = |p: &&Position| match closes {
            Some(id) => p.id == id && p.side != side,
            None => netting && p.side != side,
        };
        self.markets[m].positions.iter().find(reduces)
    }

    /// The part of a volume that would open or add.
    pub(crate) fn opening_lots(
        &self,
        m: usize,
        side: Side,
        lots: Lots,
        closes: Option<PositionId>,
    ) -> Lots {
        self.target(m, side, closes)
            .map_or(lots, |p| lots.minus(p.lots))
    }

    /// The volume limit of the symbol and direction, pending orders included.
    pub(crate) fn within_limits(&self, m: usize, opening: Opening) -> Result<(), Retcode> {
        let Some(most) = self.account.max_symbol_lots else {
            return Ok(());
        };
        let market = &self.markets[m];
        let open = market.positions.iter().filter(|p| p.side == opening.side);
        let pending = market.orders.iter();
        let pending = pending.filter(|o| o.row.side == opening.side && o.closes.is_none());
        let lots = open.map(|p| p.lots).chain(pending.map(|o| o.row.lots_left));
        if lots.fold(opening.lots, Lots::plus) > most {
            return Err(Retcode::LIMIT_VOLUME);
        }
        Ok(())
    }

    /// Whether another position may be opened.
    pub(crate) fn room_for_position(&self, m: usize) -> Result<(), Retcode> {
        let Some(most) = self.account.max_positions else {
            return Ok(());
        };
        let joins =
            self.account.mode == AccountMode::Netting && !self.markets[m].positions.is_empty();
        let count: usize = self.markets.iter().map(|m| m.positions.len()).sum();
        if !joins && count >= most {
            return Err(Retcode::LIMIT_POSITIONS);
        }
        Ok(())
    }

    fn modify_position(
        &mut self,
        ticket: Ticket,
        levels: Levels,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        let (m, p) = self.find_position(ticket).ok_or(Retcode::POSITION_CLOSED)?;
        self.check_hours(m)?;
        let market = &self.markets[m];
        let (spec, position) = (&market.spec, &market.positions[p]);
        if position.levels == levels {
            return Err(Retcode::NO_CHANGES);
        }
        let closing = market.closing(position.side).ok_or(Retcode::PRICE_OFF)?;
        let old = [position.levels.stop_loss, position.levels.take_profit];
        rules::frozen(spec, closing, old)?;
        rules::levels(spec, position.side, closing, levels)?;
        let now = self.now();
        let position = &mut self.markets[m].positions[p];
        position.levels = levels;
        position.updated = now;
        log.positions_changed = true;
        Ok(bare(Retcode::DONE))
    }
}

/// A receipt with nothing but its return code.
pub(crate) fn bare(retcode: Retcode) -> Receipt {
    Receipt {
        retcode,
        order: None,
        deal: None,
        lots: None,
        price: None,
        comment: retcode.text().to_owned(),
    }
}
