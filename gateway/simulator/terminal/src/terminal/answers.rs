//! What each command is answered with.

use super::{Sent, Terminal};
use crate::{
    commands::number,
    frame::{Arguments, Status, text},
    layout::{self, Wire, list},
    ledger::Kind,
    quotes::{Quoted, on_the_wire},
    rows::{self, OrderExtra, seconds},
    tempers::Temper,
    trade::{Server, makes_order, touches, usual_filling},
};
use mymt5_model::{
    DealRow, Lots, OrderRow, PositionRow, Price, Receipt, Retcode, RetcodeClass, Side, SymbolSpec,
    Ticket, UtcTime,
};
use mymt5_simulator::Simulator;

/// Version of the protocol.
const PROTOCOL: u32 = 500;
const RELEASED: &str = "27 Sep 2026";
/// What `initialize` waits for.
const READY: u32 = 2;
const STARTING: u32 = 1;
/// Most rows of ticks or bars in one answer: what the package can take.
const MOST_ROWS: usize = 1_000_000;

type Answer = Result<Vec<u8>, Status>;

impl Terminal {
    pub(super) fn dispatch(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        match command {
            number::SESSION => Ok(u32::from(self.settings.build).to_bytes()),
            number::READY => Ok(self.readiness().to_bytes()),
            number::LOGIN => self.login(asked),
            number::VERSION => Ok(self.version()),
            number::ACCOUNT => Ok(self.account_row().to_bytes()),
            number::TERMINAL => Ok(self.terminal_row().to_bytes()),
            number::SYMBOLS_TOTAL..=number::SYMBOLS_OF_GROUP
            | number::SYMBOL..=number::TICK
            | number::BOOK_ADD..=number::BOOK => self.market(command, asked),
            number::TICKS_FROM..=number::RATES_FROM_POS => self.past_market(command, asked),
            number::POSITIONS_TOTAL..=number::POSITION => self.positions(command, asked),
            number::ORDERS_TOTAL..=number::ORDER => self.orders(command, asked),
            number::PAST_ORDERS_TOTAL..=number::PAST_ORDER => self.past_orders(command, asked),
            number::DEALS_TOTAL..=number::DEAL => self.deals(command, asked),
            number::CHECK => self.check(asked),
            number::SEND => self.send(asked),
            number::MARGIN => self.margin(asked),
            number::PROFIT => self.profit(asked),
            _ => Err(Status::UNSUPPORTED),
        }
    }

    // -- the terminal

    fn readiness(&self) -> u32 {
        if self.tempers.is_connecting(self.now) {
            STARTING
        } else {
            READY
        }
    }

    fn login(&mut self, asked: &mut Arguments<'_>) -> Answer {
        asked.next::<u32>()?;
        let login = asked.next::<i64>()?;
        let password = asked.text()?;
        let server = asked.text()?;
        let account = &self.settings.account;
        let known = u64::try_from(login) == Ok(account.login)
            && (server.is_empty() || server == account.server);
        let right = self
            .settings
            .password
            .as_ref()
            .is_none_or(|p| *p == password);
        self.authorized = known && right;
        if self.authorized || self.tempers.has(&Temper::WrongLoginAcknowledged) {
            Ok(Vec::new())
        } else {
            Err(Status::AUTH_FAILED)
        }
    }

    fn version(&self) -> Vec<u8> {
        let mut body = PROTOCOL.to_bytes();
        u32::from(self.settings.build).put(&mut body);
        body.extend(text(RELEASED));
        body
    }

    fn account_row(&self) -> layout::Account {
        let other = self.tempers.find(|temper| match temper {
            Temper::OtherAccount(login) => Some(*login),
            _ => None,
        });
        let login = other.unwrap_or(self.account.login);
        rows::account(&self.simulator.account(), &self.account, login)
    }

    fn terminal_row(&self) -> layout::TerminalInfo {
        let path = || layout::Text(self.settings.path.clone());
        layout::TerminalInfo {
            build: i32::from(self.settings.build),
            connected: self.is_connected(),
            trade_allowed: !self.tempers.has(&Temper::AlgoTradingOff),
            maxbars: 100_000,
            ping_last: 12_345,
            company: "MyMT5".into(),
            name: "MyMT5 simulated terminal".into(),
            language: "English".into(),
            path: path(),
            data_path: path(),
            commondata_path: path(),
            ..layout::TerminalInfo::default()
        }
    }

    // -- the market

    fn market(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        match command {
            number::SYMBOLS_TOTAL => return Ok((self.symbols.len() as u32).to_bytes()),
            number::SYMBOLS => return Ok(list(self.symbol_rows(|_| true))),
            _ => {}
        }
        let name = asked.text()?;
        if command == number::SYMBOLS_OF_GROUP {
            return Ok(list(self.symbol_rows(|spec| in_group(spec, &name))));
        }
        let symbol = self.spec(&name)?.symbol.clone();
        match command {
            number::SYMBOL => {
                let row = self.symbol_rows(|spec| spec.symbol == symbol).pop();
                row.map(|row| row.to_bytes()).ok_or(Status::NOT_FOUND)
            }
            number::TICK => {
                let tick = self.quote(&symbol).map(on_the_wire).unwrap_or_default();
                Ok(tick.to_bytes())
            }
            number::SELECT => {
                let enable = asked.next::<bool>()?;
                let held = self
                    .simulator
                    .positions()
                    .iter()
                    .any(|p| p.symbol == symbol)
                    || self.simulator.orders().iter().any(|o| o.symbol == symbol);
                if enable {
                    self.watched.insert(symbol);
                } else if held {
                    return Err(Status::FAIL);
                } else {
                    self.watched.remove(&symbol);
                }
                Ok(Vec::new())
            }
            // A broker without a depth of market refuses it so.
            _ => Err(Status::FAIL),
        }
    }

    fn symbol_rows(&self, wanted: impl Fn(&SymbolSpec) -> bool) -> Vec<layout::SymbolInfo> {
        let specs = self.simulator.symbols();
        let wanted = specs.iter().filter(|spec| wanted(spec));
        let row = |spec: &SymbolSpec| {
            let watched = self.watched.contains(&spec.symbol);
            rows::symbol(spec, &self.account, self.quotes.of(&spec.symbol), watched)
        };
        wanted.map(row).collect()
    }

    fn past_market(&self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        let name = asked.text()?;
        let quoted = self.quotes.of(&self.spec(&name)?.symbol);
        match command {
            number::TICKS_FROM => {
                let from = asked.next()?;
                let count = asked.next::<u32>()? as usize;
                let flags = asked.next()?;
                let ticks = quoted.map(|q| q.ticks_from(from, count.min(MOST_ROWS), flags));
                Ok(list(ticks.unwrap_or_default()))
            }
            number::TICKS_RANGE => {
                let from = asked.next()?;
                let to = asked.next()?;
                let flags = asked.next()?;
                let ticks = quoted.map(|q| q.ticks_between(from, to, flags));
                Ok(list(ticks.unwrap_or_default()))
            }
            _ => rates(command, quoted, asked),
        }
    }

    // -- the account's rows

    fn positions(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        let shown = self.shown(Kind::Positions).positions;
        let row = |position: &PositionRow| {
            let quote = self.quote(&position.symbol);
            let current = quote.map(|quote| quote.touch(position.side.opposite()));
            rows::position(
                position,
                current,
                self.comment(Some(position.ticket), &position.comment),
            )
        };
        match command {
            number::POSITIONS_TOTAL => Ok((shown.len() as u32).to_bytes()),
            number::POSITION => {
                let ticket = Ticket(asked.next()?);
                let found = shown.iter().find(|position| position.ticket == ticket);
                found
                    .map(|position| row(position).to_bytes())
                    .ok_or(Status::NOT_FOUND)
            }
            number::POSITIONS_OF_SYMBOL => {
                let symbol = asked.text()?;
                let of_symbol = shown.iter().filter(|p| p.symbol.as_str() == symbol);
                Ok(list(of_symbol.map(row)))
            }
            _ => Ok(list(shown.iter().map(row))),
        }
    }

    fn orders(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        let shown = self.shown(Kind::Orders).orders;
        let row = |order: &OrderRow| {
            let quote = self.quote(&order.symbol);
            self.order(order, quote.map(|quote| quote.touch(order.side)))
        };
        match command {
            number::ORDERS_TOTAL => Ok((shown.len() as u32).to_bytes()),
            number::ORDER => {
                let ticket = Ticket(asked.next()?);
                let found = shown.iter().find(|order| order.ticket == ticket);
                found
                    .map(|order| row(order).to_bytes())
                    .ok_or(Status::NOT_FOUND)
            }
            number::ORDERS_OF_SYMBOL => {
                let symbol = asked.text()?;
                let of_symbol = shown.iter().filter(|o| o.symbol.as_str() == symbol);
                Ok(list(of_symbol.map(row)))
            }
            _ => Ok(list(shown.iter().map(row))),
        }
    }

    fn order(&self, row: &OrderRow, current: Option<Price>) -> layout::Order {
        let sent = self.sent.get(&row.ticket);
        let usual = || match (row.price, self.spec(row.symbol.as_str())) {
            (None, Ok(spec)) => usual_filling(spec),
            _ => 2,
        };
        let extra = OrderExtra {
            filling: sent.map_or_else(usual, |sent| sent.filling),
            position_by: sent.map_or(0, |sent| sent.position_by),
            comment: self.comment(Some(row.ticket), &row.comment),
            current,
            servers_reason: self.ledger.servers_reason(row.ticket),
        };
        rows::order(row, &extra)
    }

    /// The comment of an order as it was sent, where that is known.
    fn comment<'a>(&'a self, order: Option<Ticket>, kept: &'a str) -> &'a str {
        let sent = order.and_then(|order| self.sent.get(&order));
        sent.map_or(kept, |sent| &sent.comment)
    }

    fn deal(&self, row: &DealRow) -> layout::Deal {
        rows::deal(row, self.comment(row.order, &row.comment))
    }

    /// How many finished orders and deals are listed.
    fn past_shown(&mut self, kind: Kind) -> (usize, usize) {
        let late = self.tempers.find(|temper| match temper {
            Temper::HistoryLate(ms) => i64::try_from(*ms).ok(),
            _ => None,
        });
        let then = self.shown_at(kind);
        let latest = UtcTime(self.now.0 - late.unwrap_or(0));
        let (orders, deals) = self.ledger.counts(then.min(latest));
        let purged = self.tempers.has(&Temper::OrdersPurged);
        (if purged { 0 } else { orders }, deals)
    }

    fn past_orders(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        let (count, _) = self.past_shown(Kind::Orders);
        let rows = self.ledger.orders(count);
        let row = |order: &OrderRow| {
            let deal = self.ledger.deal_of(order.ticket);
            self.order(order, deal.and_then(|deal| deal.price))
        };
        let done = |order: &OrderRow| seconds(order.done.unwrap_or(order.created));
        match command {
            number::PAST_ORDER => {
                let ticket = Ticket(asked.next()?);
                let mut rows = rows.filter(|order| order.ticket == ticket);
                rows.next()
                    .map(|order| row(order).to_bytes())
                    .ok_or(Status::NOT_FOUND)
            }
            number::PAST_ORDERS_OF_POSITION => {
                let position: u64 = asked.next()?;
                let of = rows.filter(|order| order.position_id.is_some_and(|id| id.0 == position));
                Ok(list(of.map(row)))
            }
            _ => {
                let span = asked.next::<i64>()?..=asked.next::<i64>()?;
                let within = rows.filter(|order| span.contains(&done(order)));
                Ok(if command == number::PAST_ORDERS_TOTAL {
                    (within.count() as u32).to_bytes()
                } else {
                    list(within.map(row))
                })
            }
        }
    }

    fn deals(&mut self, command: u32, asked: &mut Arguments<'_>) -> Answer {
        let (_, count) = self.past_shown(Kind::Deals);
        let mut rows = self.ledger.deals(count);
        match command {
            number::DEAL => {
                // The package takes one deal, whatever it is found by.
                let ticket = Ticket(asked.next()?);
                let by_order = self.tempers.has(&Temper::DealsByOrder);
                let meant = |deal: &&DealRow| match by_order {
                    true => deal.order == Some(ticket),
                    false => deal.ticket == ticket,
                };
                let found = rows.find(meant);
                found
                    .map(|deal| self.deal(deal).to_bytes())
                    .ok_or(Status::NOT_FOUND)
            }
            number::DEALS_OF_POSITION => {
                let position: u64 = asked.next()?;
                let of = rows.filter(|deal| deal.position_id.is_some_and(|id| id.0 == position));
                Ok(list(of.map(|deal| self.deal(deal))))
            }
            _ => {
                let span = asked.next::<i64>()?..=asked.next::<i64>()?;
                let within = rows.filter(|deal| span.contains(&seconds(deal.time)));
                Ok(if command == number::DEALS_TOTAL {
                    (within.count() as u32).to_bytes()
                } else {
                    list(within.map(|deal| self.deal(deal)))
                })
            }
        }
    }

    // -- trading

    fn server(&self) -> Server<'_> {
        Server {
            simulator: &self.simulator,
            symbols: &self.symbols,
            mode: self.account.mode,
        }
    }

    fn send(&mut self, asked: &mut Arguments<'_>) -> Answer {
        let asked: layout::Request = asked.next()?;
        let receipt = self.sent(&asked).unwrap_or_else(Receipt::bare);
        self.requests = self.requests.wrapping_add(1);
        let spec = self.spec(&asked.symbol.0).ok();
        let (bid, ask) = touches(spec.and_then(|spec| self.quote(&spec.symbol)));
        let result = layout::SendResult {
            retcode: receipt.retcode.0,
            deal: receipt.deal.map_or(0, |deal| deal.0),
            order: receipt.order.map_or(0, |order| order.0),
            volume: receipt.lots.map_or(0.0, Lots::to_f64),
            price: receipt.price.map_or(0.0, Price::to_f64),
            bid,
            ask,
            comment: receipt.comment.as_str().into(),
            request_id: self.requests,
            retcode_external: 0,
        };
        Ok(result.to_bytes())
    }

    fn sent(&mut self, asked: &layout::Request) -> Result<Receipt, Retcode> {
        if !self.is_connected() {
            return Err(Retcode::CONNECTION);
        }
        if self.tempers.has(&Temper::AlgoTradingOff) {
            return Err(Retcode::CLIENT_DISABLES_AT);
        }
        let request = self.server().understood(asked)?;
        let (receipt, events) = request.send(&mut self.simulator);
        if let Some(order) = receipt.order.filter(|_| makes_order(asked)) {
            let sent = Sent {
                filling: asked.type_filling,
                comment: asked.comment.0.clone(),
                position_by: asked.position_by,
            };
            self.sent.insert(order, sent);
        }
        self.settle(&events);
        Ok(receipt)
    }

    /// Checks a request on a copy of the account: its figures afterwards.
    fn check(&self, asked: &mut Arguments<'_>) -> Answer {
        let asked = asked.next()?;
        let state = self.simulator.save_since(self.simulator.past());
        let copy = Simulator::restore(self.account.clone(), self.symbols.clone(), state);
        let mut copy = copy.map_err(|_| Status::FAIL)?;
        let retcode = match self.server().understood(&asked) {
            Ok(request) => request.send(&mut copy).0.retcode,
            Err(retcode) => retcode,
        };
        let passes = retcode.class() == RetcodeClass::Accepted;
        let account = copy.account();
        let result = layout::CheckResult {
            retcode: if passes { 0 } else { retcode.0 },
            balance: account.balance.to_f64(),
            equity: account.equity.to_f64(),
            profit: account.profit.to_f64(),
            margin: account.margin.to_f64(),
            margin_free: account.free_margin.to_f64(),
            margin_level: account.margin_level.unwrap_or(0.0),
            comment: if passes { "Done" } else { retcode.text() }.into(),
        };
        Ok(result.to_bytes())
    }

    fn margin(&self, asked: &mut Arguments<'_>) -> Answer {
        let side = side(asked.next()?)?;
        let name = asked.text()?;
        let spec = self.spec(&name)?;
        let lots = lots(asked.next()?)?;
        let price = price(spec, asked.next()?)?;
        let margin = self.simulator.margin_for(&spec.symbol, side, lots, price);
        Ok(margin.ok_or(Status::FAIL)?.to_f64().to_bytes())
    }

    fn profit(&self, asked: &mut Arguments<'_>) -> Answer {
        let side = side(asked.next()?)?;
        let name = asked.text()?;
        let spec = self.spec(&name)?;
        let lots = lots(asked.next()?)?;
        let open = price(spec, asked.next()?)?;
        let close = price(spec, asked.next()?)?;
        let profit = self
            .simulator
            .profit_for(&spec.symbol, side, lots, open, close);
        Ok(profit.ok_or(Status::FAIL)?.to_f64().to_bytes())
    }
}

fn side(action: i32) -> Result<Side, Status> {
    match action {
        0..8 if action % 2 == 0 => Ok(Side::Buy),
        0..8 => Ok(Side::Sell),
        _ => Err(Status::INVALID_PARAMS),
    }
}

fn lots(volume: f64) -> Result<Lots, Status> {
    Lots::from_f64(volume).map_err(|_| Status::INVALID_PARAMS)
}

fn price(spec: &SymbolSpec, price: f64) -> Result<Price, Status> {
    Price::nearest(price, spec.digits).map_err(|_| Status::INVALID_PARAMS)
}

fn rates(command: u32, quoted: Option<&Quoted>, asked: &mut Arguments<'_>) -> Answer {
    let timeframe = asked.next()?;
    let empty = Quoted::default();
    let bars = quoted
        .unwrap_or(&empty)
        .rates(timeframe)
        .ok_or(Status::INVALID_PARAMS)?;
    let before = |second: i64| bars.partition_point(|bar| bar.time < second);
    let (begin, end) = match command {
        number::RATES_RANGE => {
            let from = before(asked.next()?);
            let to = asked.next::<i64>()?;
            (from, before(to.saturating_add(1)))
        }
        number::RATES_FROM => {
            let end = before(asked.next::<i64>()?.saturating_add(1));
            (end.saturating_sub(asked.next::<u32>()? as usize), end)
        }
        _ => {
            let end = bars.len().saturating_sub(asked.next::<u32>()? as usize);
            (end.saturating_sub(asked.next::<u32>()? as usize), end)
        }
    };
    Ok(list(
        bars.get(begin..end).unwrap_or_default().iter().cloned(),
    ))
}

/// Whether a symbol is of a group: masks with `*`, separated by commas; `!` excludes.
fn in_group(spec: &SymbolSpec, group: &str) -> bool {
    let name = spec.symbol.as_str();
    let mut within = false;
    for mask in group.split(',').map(str::trim) {
        match mask.strip_prefix('!') {
            Some(excluded) => within &= !matches_mask(name, excluded),
            None => within |= matches_mask(name, mask),
        }
    }
    within
}

fn matches_mask(name: &str, mask: &str) -> bool {
    let Some((start, rest)) = mask.split_once('*') else {
        return name == mask;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    loop {
        if matches_mask(name, rest) {
            return true;
        }
        let mut shorter = name.chars();
        if shorter.next().is_none() {
            return false;
        }
        name = shorter.as_str();
    }
}
