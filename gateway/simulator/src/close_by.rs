//! Closing a position by an opposite one of its symbol: the market is not met, so no spread is paid.

use crate::{
    Event, Simulator,
    event::Log,
    fills::reason_of,
    pending::Working,
    requests::{market_row, told},
    trade::Fill,
};
use mymt5_model::{
    AccountMode, Comment, Levels, Lots, Magic, PositionId, Price, Receipt, Retcode, RowState, Side,
    Ticket,
};

/// What one of the two positions brings along.
struct Half {
    m: usize,
    id: PositionId,
    side: Side,
    lots: Lots,
    open_price: Price,
}

impl Simulator {
    /// Closes two opposite positions by each other, as far as the smaller one goes. Both are done at
    /// the price at which the second was opened.
    pub fn close_by(
        &mut self,
        position: Ticket,
        by: Ticket,
        magic: Magic,
        comment: &Comment,
    ) -> (Receipt, Vec<Event>) {
        let mut log = Log::default();
        let receipt = self
            .close_halves([position, by], magic, comment, &mut log)
            .unwrap_or_else(Receipt::bare);
        told(receipt, log)
    }

    fn close_halves(
        &mut self,
        tickets: [Ticket; 2],
        magic: Magic,
        comment: &Comment,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        if !self.account.trade_allowed {
            return Err(Retcode::SERVER_DISABLES_AT);
        }
        if self.account.mode != AccountMode::Hedging {
            return Err(Retcode::INVALID);
        }
        let [first, second] = [self.half(tickets[0])?, self.half(tickets[1])?];
        if first.m != second.m || first.side == second.side {
            return Err(Retcode::INVALID);
        }
        self.check_tradable(first.m)?;
        let lots = first.lots.min(second.lots);
        let price = second.open_price;
        let symbol = self.markets[first.m].spec.symbol.clone();
        let side = first.side.opposite();
        let levels = Levels::default();
        let mut row = market_row(&symbol, side, lots, levels, magic, comment, self.now());
        row.ticket = self.order_ticket();
        row.position_id = Some(first.id);
        row.lots_left = Lots::ZERO;
        let [deal, _] = [&first, &second].map(|half| {
            let fill = Fill {
                order: row.ticket,
                side: half.side.opposite(),
                lots,
                price,
                levels,
                closes: Some(half.id),
                by_opposite: true,
                magic,
                reason: reason_of(magic),
                comment: &row.comment,
            };
            self.fill(half.m, &fill, log).0
        });
        let receipt = Receipt {
            order: Some(row.ticket),
            deal: Some(deal),
            lots: Some(lots),
            lots_sent: Some(lots),
            price: Some(price),
            ..Receipt::bare(Retcode::DONE)
        };
        let closes = Some(first.id);
        self.finish(Working { row, closes }, RowState::Filled, log);
        Ok(receipt)
    }

    fn half(&self, ticket: Ticket) -> Result<Half, Retcode> {
        let found = self.find_position(ticket);
        let (m, p) = found.ok_or(Retcode::POSITION_CLOSED)?;
        let market = &self.markets[m];
        let position = &market.positions[p];
        Ok(Half {
            m,
            id: position.id,
            side: position.side,
            lots: position.lots,
            open_price: position.open_price(market.spec.digits),
        })
    }
}
