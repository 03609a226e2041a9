//! Orders at the market: what must hold before one is done, and how far it is done.

use crate::{
    Simulator,
    event::Log,
    margin::Opening,
    pending::Working,
    position::Position,
    rules::{self, Filling},
};
use mymt5_model::{
    AccountMode, Execution, Lots, PositionId, Price, Receipt, Retcode, RowState, Side,
};

impl Simulator {
    /// Deals at once at the touch of the current quote.
    pub(crate) fn market(
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
            lots_sent: Some(order.row.lots),
            price: Some(price),
            ..Receipt::bare(if order.row.lots_left.is_zero() {
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
        let market = &self.markets[m];
        let row = &order.row;
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
            if market.orders.iter().any(|o| o.closes == order.closes) {
                return Err(Retcode::CLOSE_ORDER_EXIST);
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
}
