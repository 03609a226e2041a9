//! From a trade request to a receipt. Refusals change nothing; what is accepted is done before
//! the receipt is written.

use crate::{Event, Simulator, event::Log, pending::Working, rules};
use mymt5_model::{
    BrokerTime, Comment, Levels, LevelsEdit, Lots, Magic, OrderRow, OrderType, Receipt, Retcode,
    RowState, Side, Symbol, Ticket, TimeInForce, TradeMode, TradeRequest,
};

impl Simulator {
    /// Takes one request to the trade server: what it answers at once, and what changed.
    pub fn send(&mut self, request: &TradeRequest) -> (Receipt, Vec<Event>) {
        let mut log = Log::default();
        let receipt = self
            .dispatch(request, &mut log)
            .unwrap_or_else(Receipt::bare);
        told(receipt, log)
    }

    fn dispatch(&mut self, request: &TradeRequest, log: &mut Log) -> Result<Receipt, Retcode> {
        if !self.account.trade_allowed {
            return Err(Retcode::SERVER_DISABLES_AT);
        }
        match request {
            TradeRequest::Market {
                symbol,
                max_deviation_points,
                ..
            } => {
                let m = self.tradable(symbol)?;
                let row = draft(request, self.now()).ok_or(Retcode::INVALID)?;
                let order = Working { row, closes: None };
                self.market(m, order, *max_deviation_points, log)
            }
            TradeRequest::Close {
                symbol,
                max_deviation_points,
                ..
            } => {
                let m = self.tradable(symbol)?;
                let order = self.closing_order(m, request)?;
                self.market(m, order, *max_deviation_points, log)
            }
            TradeRequest::Pending { symbol, .. } => {
                let m = self.tradable(symbol)?;
                let row = draft(request, self.now()).ok_or(Retcode::INVALID)?;
                self.place(m, Working { row, closes: None }, log)
            }
            TradeRequest::ModifyPosition {
                position, levels, ..
            } => self.modify_position(*position, *levels, log),
            TradeRequest::ModifyOrder { order, terms, .. } => self.modify_order(*order, terms, log),
            TradeRequest::Cancel { order, .. } => self.cancel(*order, log),
        }
    }

    /// The market of a symbol that trades now.
    pub(crate) fn tradable(&self, symbol: &Symbol) -> Result<usize, Retcode> {
        let m = *self.index.get(symbol).ok_or(Retcode::INVALID)?;
        self.check_tradable(m)?;
        Ok(m)
    }

    /// Whether a symbol trades now: allowed, quoted, with a known rate to the account currency,
    /// and inside its hours.
    pub(crate) fn check_tradable(&self, m: usize) -> Result<(), Retcode> {
        let market = &self.markets[m];
        if market.spec.trade_mode == TradeMode::Disabled {
            return Err(Retcode::TRADE_DISABLED);
        }
        let rate = market
            .touch(Side::Sell)
            .and_then(|bid| self.rate(market, bid));
        if rate.is_none() {
            return Err(Retcode::PRICE_OFF);
        }
        if !market.is_open(self.now()) {
            return Err(Retcode::MARKET_CLOSED);
        }
        Ok(())
    }

    /// The order that closes a position: all of it where no volume is named.
    fn closing_order(&self, m: usize, request: &TradeRequest) -> Result<Working, Retcode> {
        let TradeRequest::Close {
            symbol,
            side,
            position,
            lots,
            all,
            magic,
            comment,
            ..
        } = request
        else {
            return Err(Retcode::INVALID);
        };
        let (of, p) = self
            .find_position(*position)
            .ok_or(Retcode::POSITION_CLOSED)?;
        if of != m {
            return Err(Retcode::INVALID);
        }
        let position = &self.markets[m].positions[p];
        if position.side == *side {
            return Err(Retcode::INVALID);
        }
        let lots = if *all { position.lots } else { *lots };
        let levels = Levels::default();
        Ok(Working {
            closes: Some(position.id),
            row: market_row(symbol, *side, lots, levels, *magic, comment, self.now()),
        })
    }

    pub(crate) fn find_position(&self, ticket: Ticket) -> Option<(usize, usize)> {
        let mut markets = self.markets.iter().enumerate();
        markets.find_map(|(m, market)| {
            let p = market.positions.iter().position(|p| p.ticket == ticket)?;
            Some((m, p))
        })
    }

    fn modify_position(
        &mut self,
        ticket: Ticket,
        levels: LevelsEdit,
        log: &mut Log,
    ) -> Result<Receipt, Retcode> {
        let (m, p) = self.find_position(ticket).ok_or(Retcode::POSITION_CLOSED)?;
        self.check_tradable(m)?;
        let market = &self.markets[m];
        let spec = &market.spec;
        let position = &market.positions[p];
        let levels = levels.after(position.levels);
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
        Ok(Receipt::bare(Retcode::DONE))
    }
}

/// A receipt with the deals of its order, and what changed.
pub(crate) fn told(mut receipt: Receipt, log: Log) -> (Receipt, Vec<Event>) {
    let events = log.into_events();
    let deals = events.iter().filter_map(|event| match event {
        Event::Deal(deal) if deal.order == receipt.order => Some(deal.clone()),
        _ => None,
    });
    receipt.deals = deals.collect();
    (receipt, events)
}

/// The order that a request asks for, not yet numbered; none where it asks for no new one.
fn draft(request: &TradeRequest, now: BrokerTime) -> Option<OrderRow> {
    match request {
        TradeRequest::Market {
            symbol,
            side,
            lots,
            levels,
            magic,
            comment,
            ..
        } => Some(market_row(
            symbol, *side, *lots, *levels, *magic, comment, now,
        )),
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
        } => Some(OrderRow {
            kind: *kind,
            price: Some(*price),
            stop_limit_price: *stop_limit_price,
            time_in_force: *time_in_force,
            ..market_row(symbol, *side, *lots, *levels, *magic, comment, now)
        }),
        _ => None,
    }
}

pub(crate) fn market_row(
    symbol: &Symbol,
    side: Side,
    lots: Lots,
    levels: Levels,
    magic: Magic,
    comment: &Comment,
    now: BrokerTime,
) -> OrderRow {
    OrderRow {
        ticket: Ticket(0),
        position_id: None,
        magic,
        symbol: symbol.clone(),
        side,
        kind: OrderType::Market,
        state: RowState::Placed,
        lots,
        lots_left: lots,
        price: None,
        stop_limit_price: None,
        levels,
        time_in_force: TimeInForce::Gtc,
        created: now,
        done: None,
        comment: comment.as_str().to_owned(),
    }
}
