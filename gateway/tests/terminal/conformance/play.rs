//! A scenario under way on one broker: what is sent, what the market does, and the transcript of
//! all answers. After each step the account is looked at.

use super::{
    rows::{self, Names},
    setup::Setup,
    stage::{Stage, begin},
};
use crate::support::{bounded, send};
use mymt5_gateway::broker::{Broker, BrokerEvent, SendFailure, Snapshot, TickPlace};
use mymt5_model::{
    AccountMode, Bar, BrokerTime, DealRow, Magic, OrderRow, PositionRow, Price, Receipt, Symbol,
    Tick, Ticket, TradeRequest,
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

pub struct Play {
    stage: Box<dyn Stage>,
    setup: Setup,
    names: Names,
    lines: Vec<String>,
    /// Magics of one bridge's life never repeat: it remembers sends by them.
    slot: u16,
    sent: u64,
    now: i64,
    snapshot: Option<Snapshot>,
    /// The deals that the broker told unasked.
    told: BTreeSet<Ticket>,
}

/// A tick of the setup's first symbol, so long after the beginning.
pub fn tick(setup: &Setup, ms: i64, (bid, ask): (i64, i64)) -> Tick {
    let spec = &setup.specs[0];
    Tick {
        symbol: spec.symbol.clone(),
        time: BrokerTime(begin() + ms),
        bid: Price::from_points(bid, spec.digits),
        ask: Price::from_points(ask, spec.digits),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}

impl Play {
    pub async fn begin(stage: Box<dyn Stage>, setup: Setup, slot: u16) -> Self {
        let mut play = Self {
            stage,
            setup,
            names: Names::default(),
            lines: Vec::new(),
            slot,
            sent: 0,
            now: 0,
            snapshot: None,
            told: BTreeSet::new(),
        };
        play.look().await;
        play
    }

    pub fn broker(&self) -> &dyn Broker {
        self.stage.broker()
    }

    pub fn is_netting(&self) -> bool {
        self.setup.account.mode == AccountMode::Netting
    }

    /// The quoted symbol.
    pub fn symbol(&self) -> &Symbol {
        &self.setup.specs[0].symbol
    }

    /// Its first bid and ask in points.
    pub fn first(&self) -> (i64, i64) {
        self.setup.first
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Notes a line of the transcript.
    pub fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Moves the market, a second later.
    pub async fn quote(&mut self, bid: i64, ask: i64) {
        self.quote_at(self.now + 1_000, bid, ask).await;
    }

    /// Moves the market to that time after the beginning.
    pub async fn quote_at(&mut self, ms: i64, bid: i64, ask: i64) {
        self.now = ms;
        self.note(format!("{ms}: {bid} / {ask}"));
        let tick = tick(&self.setup, ms, (bid, ask));
        self.stage.move_to(&tick).await;
        self.look().await;
    }

    /// Sends a request as a program does.
    pub async fn send(&mut self, request: TradeRequest) -> Result<Receipt, SendFailure> {
        self.sent += 1;
        let magic = Magic::new(self.slot, self.sent).unwrap();
        self.send_as(magic, request).await
    }

    /// Sends a request under that magic.
    pub async fn send_as(
        &mut self,
        number: Magic,
        mut request: TradeRequest,
    ) -> Result<Receipt, SendFailure> {
        if let TradeRequest::Market { magic, .. }
        | TradeRequest::Close { magic, .. }
        | TradeRequest::Pending { magic, .. } = &mut request
        {
            *magic = number;
        }
        let outcome = bounded(send(self.broker(), &request)).await;
        let line = self.names.outcome(&outcome);
        self.note(line);
        let early = outcome.iter().flat_map(|receipt| &receipt.deals);
        for row in early {
            let line = self.names.deal_row(row);
            self.note(format!("early{line}"));
        }
        self.look().await;
        outcome
    }

    /// Sends what must be accepted; the order's ticket.
    pub async fn done(&mut self, request: TradeRequest) -> Ticket {
        let outcome = self.send(request.clone()).await;
        let receipt = outcome.unwrap_or_else(|failure| panic!("{failure}: {request:?}"));
        receipt.order.unwrap_or(Ticket(0))
    }

    /// Sends what must be refused with that code.
    pub async fn refused(&mut self, code: u32, request: TradeRequest) {
        let outcome = self.send(request.clone()).await;
        let refused = match &outcome {
            Err(SendFailure::Rejected(told) | SendFailure::Throttled(told)) => Some(told.0),
            _ => None,
        };
        assert_eq!(refused, Some(code), "{outcome:?}: {request:?}");
    }

    /// Looks at the account.
    pub async fn look(&mut self) {
        let mut snapshot = bounded(self.broker().snapshot(0)).await.unwrap();
        // One lists rows by their tickets, the other as they came to be.
        snapshot.positions.sort_by_key(|row| row.ticket);
        snapshot.orders.sort_by_key(|row| row.ticket);
        self.hear();
        let lines = self.names.snapshot(&snapshot);
        self.lines.extend(lines);
        self.snapshot = Some(snapshot);
    }

    /// Hears which deals were told meanwhile: each once.
    fn hear(&mut self) {
        for change in self.stage.told() {
            if let BrokerEvent::Deal(row) = change
                && rows::is_trade(&row)
            {
                assert!(self.told.insert(row.ticket), "told twice: {row:?}");
            }
        }
    }

    /// The positions of the last look.
    pub fn positions(&self) -> &[PositionRow] {
        &self.snapshot.as_ref().unwrap().positions
    }

    /// The only position.
    pub fn position(&self) -> &PositionRow {
        assert_eq!(self.positions().len(), 1);
        &self.positions()[0]
    }

    /// The working orders of the last look.
    pub fn orders(&self) -> &[OrderRow] {
        &self.snapshot.as_ref().unwrap().orders
    }

    /// Reads the whole past: ended orders and deals.
    pub async fn history(&mut self) -> (Vec<OrderRow>, Vec<DealRow>) {
        self.span(i64::MIN / 2, i64::MAX / 2).await
    }

    /// Reads the past of `[from, to)`, counted from the beginning.
    pub async fn span(&mut self, from: i64, to: i64) -> (Vec<OrderRow>, Vec<DealRow>) {
        let (from, to) = (BrokerTime(begin() + from), BrokerTime(begin() + to));
        let mut past = bounded(self.broker().history(from, to)).await.unwrap();
        past.deals.retain(rows::is_trade);
        // Here, too.
        past.orders.sort_by_key(|row| row.ticket);
        for row in &past.orders {
            let line = self.names.order_row(row);
            self.note(format!("past{line}"));
        }
        for row in &past.deals {
            let line = self.names.deal_row(row);
            self.note(format!("past{line}"));
        }
        (past.orders, past.deals)
    }

    /// Reads the ticks of `[from, to)`, counted from the beginning, so many at a time.
    pub async fn past_ticks(&mut self, from: i64, to: i64, page: usize) -> Vec<Tick> {
        let symbol = self.symbol().clone();
        let to = BrokerTime(begin() + to);
        let mut place = Some(TickPlace {
            time: BrokerTime(begin() + from),
            skip: 0,
        });
        let mut all = Vec::new();
        while let Some(from) = place {
            let part = bounded(self.broker().ticks(&symbol, from, to, page)).await;
            let mut part = part.unwrap();
            assert!(part.rows.len() <= page, "{part:?}");
            all.append(&mut part.rows);
            place = part.rest;
        }
        for tick in &all {
            self.note(format!("tick {}", rows::tick(tick)));
        }
        all
    }

    /// Reads the bars that open in `[from, to)`, counted from the beginning, so many at a time.
    pub async fn past_bars(&mut self, minutes: u32, from: i64, to: i64, page: usize) -> Vec<Bar> {
        let symbol = self.symbol().clone();
        let to = BrokerTime(begin() + to);
        let mut place = Some(BrokerTime(begin() + from));
        let mut all = Vec::new();
        while let Some(from) = place {
            let part = self.broker().bars(&symbol, minutes, from, to, page);
            let mut part = bounded(part).await.unwrap();
            assert!(part.rows.len() <= page, "{part:?}");
            all.append(&mut part.rows);
            place = part.rest;
        }
        for bar in &all {
            self.note(format!("M{minutes} {}", rows::bar(bar)));
        }
        all
    }

    /// Reads the newest bars.
    pub async fn newest_bars(&mut self, minutes: u32, limit: usize) -> Vec<Bar> {
        let symbol = self.symbol().clone();
        let bars = self.broker().newest_bars(&symbol, minutes, limit);
        let bars = bounded(bars).await.unwrap();
        for bar in &bars {
            self.note(format!("newest M{minutes} {}", rows::bar(bar)));
        }
        bars
    }

    /// The transcript, with the whole past at its end. Every deal of it is told unasked, sooner or
    /// later.
    pub async fn end(mut self) -> Vec<String> {
        let (_, deals) = self.history().await;
        let deals: BTreeSet<Ticket> = deals.iter().map(|row| row.ticket).collect();
        bounded(async {
            while !self.told.is_superset(&deals) {
                sleep(Duration::from_millis(5)).await;
                self.hear();
            }
        })
        .await;
        self.lines
    }
}
