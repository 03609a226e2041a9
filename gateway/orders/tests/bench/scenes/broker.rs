//! The broker of a scene: it does as it is told, and tells of it when a test says so.

use super::{ASK, BID, Scene, done, lost};
use crate::bench::{
    rows::*,
    shell::{BROKER_START, START},
};
use mymt5_model::{
    AccountMode, BrokerTime, DealKind, DealRow, Entry, Levels, LevelsEdit, Lots, Magic, Money,
    OrderRow, OrderType, PositionId, PositionRow, Price, Receipt, Retcode, RowState, Side,
    TermsEdit, Tick, Ticket, TimeInForce, TradeRequest,
};
use mymt5_orders::{History, Input, Job, Outgoing, SendFailure, Snapshot};

impl Scene {
    /// The next request that left.
    pub fn sent(&mut self) -> Outgoing {
        assert!(!self.shell.sent.is_empty(), "nothing left");
        self.shell.sent.remove(0)
    }

    pub fn say(&mut self, job: Job, outcome: Result<Receipt, SendFailure>) {
        self.shell.feed(Input::Answered {
            job,
            outcome,
            late: false,
        });
    }

    pub fn say_late(&mut self, job: Job, outcome: Result<Receipt, SendFailure>) {
        self.shell.feed(Input::Answered {
            job,
            outcome,
            late: true,
        });
    }

    /// The next request that left is executed, and answered; its deals come by themselves, too.
    pub fn obey(&mut self) -> Outgoing {
        let told = self.deals.len();
        let sent = self.obey_early();
        let new = self.deals[told..].iter().cloned();
        for deal in new {
            self.shell.feed(Input::Deal(deal));
        }
        sent
    }

    /// The same before its deals come by themselves.
    pub fn obey_early(&mut self) -> Outgoing {
        let sent = self.sent();
        let outcome = self.execute(&sent);
        self.say(sent.job, outcome);
        sent
    }

    /// Everything that leaves is executed, and answered.
    pub fn obey_all(&mut self) {
        while !self.shell.sent.is_empty() {
            self.obey();
        }
    }

    /// The next request that left is executed, and its answer is lost.
    pub fn lose_answer(&mut self) -> Outgoing {
        let sent = self.sent();
        drop(self.execute(&sent));
        self.say(sent.job, lost());
        sent
    }

    /// The next request that left is lost on its way, and nobody knows.
    pub fn lose(&mut self) -> Outgoing {
        let sent = self.sent();
        self.say(sent.job, lost());
        sent
    }

    pub fn refuse(&mut self, retcode: Retcode) -> Outgoing {
        let sent = self.sent();
        self.say(sent.job, Err(SendFailure::Rejected(retcode)));
        sent
    }

    /// Does what a request asks for.
    pub fn execute(&mut self, sent: &Outgoing) -> Result<Receipt, SendFailure> {
        match sent.request.clone() {
            TradeRequest::Market {
                side, lots, magic, ..
            } => Ok(self.open(side, lots, magic)),
            TradeRequest::Close {
                position,
                lots,
                all,
                magic,
                ..
            } => {
                let held = self.positions.iter().find(|held| held.ticket == position);
                let Some(held) = held.cloned() else {
                    return Err(SendFailure::Rejected(Retcode::POSITION_CLOSED));
                };
                let lots = if all { held.lots } else { lots };
                Ok(self.reduce(held.id, lots, magic))
            }
            TradeRequest::Pending { .. } => Ok(self.place(&sent.request)),
            TradeRequest::Cancel { order, .. } => self.remove(order, RowState::Canceled),
            TradeRequest::ModifyOrder { order, terms, .. } => self.edit_order(order, terms),
            TradeRequest::ModifyPosition {
                position, levels, ..
            } => self.edit_position(position, levels),
        }
    }

    /// The same, of a market order only a half, and nothing is left of the rest.
    pub fn execute_part(&mut self, sent: &Outgoing) -> Result<Receipt, SendFailure> {
        let TradeRequest::Market {
            side, lots, magic, ..
        } = sent.request
        else {
            return self.execute(sent);
        };
        let half = Lots::from_units(lots.units() / 2);
        let receipt = self.open(side, half, magic);
        let row = self.ended.last_mut().unwrap();
        (row.state, row.lots, row.lots_left) = (RowState::Canceled, lots, half);
        Ok(Receipt {
            retcode: Retcode::DONE_PARTIAL,
            ..receipt
        })
    }

    pub fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// A deal that is in the history from now on; its result is in the balance.
    pub fn add_deal(&mut self, deal: DealRow) -> DealRow {
        if deal.kind == DealKind::Credit {
            self.account.credit += deal.result();
        } else {
            self.account.balance += deal.result();
        }
        self.deals.push(deal.clone());
        self.refresh();
        deal
    }

    /// Equity follows balance, credit and what floats.
    pub fn refresh(&mut self) {
        let floating = self.positions.iter().map(|row| row.profit + row.swap);
        self.account.profit = floating.sum();
        self.account.equity = self.account.balance + self.account.credit + self.account.profit;
    }

    pub fn broker_time(&self) -> BrokerTime {
        BrokerTime(BROKER_START.0 + self.shell.now.utc.0 - START.utc.0 + self.skew_ms)
    }

    /// Somebody sets the gateway's wall clock; all other clocks go on.
    pub fn set_clock(&mut self, by_ms: i64) {
        self.shell.now.utc.0 += by_ms;
        self.skew_ms -= by_ms;
    }

    pub fn open(&mut self, side: Side, lots: Lots, magic: Magic) -> Receipt {
        let ticket = self.next_ticket();
        let price = if side == Side::Buy { ASK } else { BID };
        let fill = self.fill(Ticket(ticket), Ticket(ticket), (side, lots, magic), price);
        let mut row = self.market_row(ticket, side, lots, magic);
        row.position_id = fill.position_id;
        self.ended.push(row);
        done(ticket, vec![fill])
    }

    /// An order that opens, adds or, on netting, nets is done. The deal.
    fn fill(
        &mut self,
        deal_ticket: Ticket,
        order: Ticket,
        (side, lots, magic): (Side, Lots, Magic),
        price: i64,
    ) -> DealRow {
        let netting = self.account.mode == AccountMode::Netting;
        let mut held = self.positions.iter_mut();
        let held = held.find(|held| netting || held.id.0 == order.0);
        let id = held.as_ref().map_or(order.0, |held| held.id.0);
        let entry = match &held {
            Some(held) if held.side == side => Entry::In,
            Some(held) if held.lots >= lots => Entry::Out,
            Some(_) => Entry::InOut,
            None => Entry::In,
        };
        let mut fill = deal(deal_ticket.0, id, side, entry, lots.units(), price);
        (fill.magic, fill.order) = (magic, Some(order));
        fill.time = BrokerTime(BROKER_START.0 + self.shell.now.utc.0 - START.utc.0 + self.skew_ms);
        match (held, entry) {
            (Some(held), Entry::In) => held.lots = held.lots.plus(lots),
            (Some(held), Entry::Out) => held.lots = held.lots.minus(lots),
            (Some(held), _) => {
                (held.lots, held.side) = (lots.minus(held.lots), side);
                (held.ticket, held.magic) = (order, magic);
            }
            (None, _) => self.positions.push(PositionRow {
                ticket: order,
                id: PositionId(id),
                magic,
                symbol: symbol("EURUSD"),
                side,
                lots,
                open_price: points(price),
                levels: Levels::default(),
                profit: Money::ZERO,
                swap: Money::ZERO,
                opened: fill.time,
                updated: fill.time,
                comment: String::new(),
            }),
        }
        self.positions.retain(|held| !held.lots.is_zero());
        self.add_deal(fill)
    }

    /// A close of so much of a position, with no result.
    pub fn reduce(&mut self, position: PositionId, lots: Lots, magic: Magic) -> Receipt {
        self.realise(position, lots, magic, 0.0)
    }

    /// A close of so much of a position, with that result.
    pub fn realise(
        &mut self,
        position: PositionId,
        lots: Lots,
        magic: Magic,
        profit: f64,
    ) -> Receipt {
        let ticket = self.next_ticket();
        let held = self.positions.iter().find(|held| held.id == position);
        let side = held.expect("a position").side.opposite();
        let price = if side == Side::Buy { ASK } else { BID };
        let mut fill = deal(ticket, position.0, side, Entry::Out, lots.units(), price);
        (fill.magic, fill.time) = (magic, self.broker_time());
        fill.profit = money(profit);
        for held in &mut self.positions {
            if held.id == position {
                held.lots = held.lots.minus(lots);
                held.updated = fill.time;
            }
        }
        self.positions.retain(|held| !held.lots.is_zero());
        let row = self.market_row(ticket, side, lots, magic);
        self.ended.push(row);
        let fill = self.add_deal(fill);
        Receipt {
            lots_sent: Some(lots),
            ..done(ticket, vec![fill])
        }
    }

    /// A row of a market order that was done just now.
    pub fn market_row(&self, ticket: u64, side: Side, lots: Lots, magic: Magic) -> OrderRow {
        OrderRow {
            ticket: Ticket(ticket),
            position_id: None,
            magic,
            symbol: symbol("EURUSD"),
            side,
            kind: OrderType::Market,
            state: RowState::Filled,
            lots,
            lots_left: Lots::ZERO,
            price: None,
            stop_limit_price: None,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            created: self.broker_time(),
            done: Some(self.broker_time()),
            comment: String::new(),
        }
    }

    fn place(&mut self, request: &TradeRequest) -> Receipt {
        let TradeRequest::Pending {
            side,
            kind,
            lots,
            price,
            stop_limit_price,
            levels,
            time_in_force,
            magic,
            ..
        } = request.clone()
        else {
            panic!("not pending")
        };
        let ticket = self.next_ticket();
        self.orders.push(OrderRow {
            kind,
            state: RowState::Placed,
            lots_left: lots,
            price: Some(price),
            stop_limit_price,
            levels,
            time_in_force,
            created: self.broker_time(),
            done: None,
            ..self.market_row(ticket, side, lots, magic)
        });
        Receipt {
            order: Some(Ticket(ticket)),
            ..Receipt::bare(Retcode::PLACED)
        }
    }

    /// A working order ends in that state.
    pub fn remove(&mut self, ticket: Ticket, state: RowState) -> Result<Receipt, SendFailure> {
        let place = self.orders.iter().position(|row| row.ticket == ticket);
        let place = place.ok_or(SendFailure::Rejected(Retcode::INVALID_ORDER))?;
        let mut row = self.orders.remove(place);
        (row.state, row.done) = (state, Some(self.broker_time()));
        self.ended.push(row);
        Ok(Receipt::bare(Retcode::DONE))
    }

    /// A working order fills: so many of its lots, at its price.
    pub fn fill_pending(&mut self, ticket: Ticket, lots: Lots) -> DealRow {
        let number = self.next_ticket();
        let row = self.orders.iter_mut().find(|row| row.ticket == ticket);
        let row = row.expect("a working order");
        row.lots_left = row.lots_left.minus(lots);
        row.state = RowState::Partial;
        let price = row.price.map_or(ASK, Price::points);
        let what = (row.side, lots, row.magic);
        if row.lots_left.is_zero() {
            self.remove(ticket, RowState::Filled).unwrap();
        }
        self.fill(Ticket(number), ticket, what, price)
    }

    fn edit_order(&mut self, ticket: Ticket, terms: TermsEdit) -> Result<Receipt, SendFailure> {
        let row = self.orders.iter_mut().find(|row| row.ticket == ticket);
        let row = row.ok_or(SendFailure::Rejected(Retcode::INVALID_ORDER))?;
        row.price = terms.price.or(row.price);
        row.stop_limit_price = terms.stop_limit_price.or(row.stop_limit_price);
        row.levels = terms.levels.after(row.levels);
        row.time_in_force = terms.time_in_force.unwrap_or(row.time_in_force);
        Ok(Receipt::bare(Retcode::DONE))
    }

    fn edit_position(
        &mut self,
        ticket: Ticket,
        levels: LevelsEdit,
    ) -> Result<Receipt, SendFailure> {
        let row = self.positions.iter_mut().find(|row| row.ticket == ticket);
        let row = row.ok_or(SendFailure::Rejected(Retcode::POSITION_CLOSED))?;
        row.levels = levels.after(row.levels);
        Ok(Receipt::bare(Retcode::DONE))
    }

    /// The broker's rows as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            account: self.account.clone(),
            positions: self.positions.clone(),
            orders: self.orders.clone(),
            time: Some(self.broker_time()),
            ..rows(&self.shell)
        }
    }

    /// The history that the core wants to see.
    pub fn history(&self) -> History {
        let (from, to) = self.shell.core.lookback().window(Some(self.broker_time()));
        let within = |time: BrokerTime| from <= time && time < to;
        let ended = self.ended.iter();
        let ended = ended.filter(|row| within(row.done.unwrap_or(row.created)));
        let deals = self.deals.iter().filter(|deal| within(deal.time));
        History {
            from,
            to,
            orders: ended.cloned().collect(),
            deals: deals.cloned().collect(),
            ..history()
        }
    }

    pub fn rows(&mut self) {
        let rows = self.snapshot();
        self.shell.feed(Input::Rows(rows));
    }

    pub fn pass(&mut self) {
        let (rows, history) = (self.snapshot(), self.history());
        self.shell.feed(Input::Pass(rows, history));
    }

    /// Time passes as it does in a gateway: rows and a second's work every second, a pass where one
    /// is due.
    pub fn live(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.shell.pass(1_000);
            self.tick(BID, ASK);
            self.shell.feed(Input::Second);
            if self.shell.core.wants_pass() {
                self.pass();
            } else {
                self.rows();
            }
        }
    }

    /// The same, and the broker does all that it is asked.
    pub fn live_and_obey(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.live(1);
            self.obey_all();
        }
    }

    pub fn tick(&mut self, bid: i64, ask: i64) {
        self.shell.prices.now_ms = self.shell.now.elapsed_ms;
        let time = self.broker_time();
        self.shell.prices.tick(Tick {
            time,
            ..tick(bid, ask)
        });
    }

    /// Another process starts, and the link comes up again.
    pub fn restart(&mut self) {
        self.shell.restart();
        self.connect();
    }
}
