//! What a request to the trade server means, and what it is refused for before the account sees it.

use crate::layout;
use mymt5_model::{
    AccountMode, BrokerTime, Comment, Execution, FillingModes, Levels, LevelsEdit, Lots, Magic,
    Moment, OrderType, PositionRow, Price, Receipt, Retcode, Side, Symbol, SymbolSpec, TermsEdit,
    Tick, Ticket, TimeInForce, TradeRequest,
};
use mymt5_simulator::{Event, Simulator};

const DEAL: i32 = 1;
const PENDING: i32 = 5;
const LEVELS: i32 = 6;
const MODIFY: i32 = 7;
const REMOVE: i32 = 8;
const CLOSE_BY: i32 = 10;

/// The last second of the year 9999: the latest expiration.
const LAST_SECOND: i64 = 253_402_300_799;

/// True for a request that makes an order of its own.
pub(crate) const fn makes_order(request: &layout::Request) -> bool {
    matches!(request.action, DEAL | PENDING | CLOSE_BY)
}

/// What the account is asked for.
pub(crate) enum Understood {
    /// Any request but that one.
    Request(TradeRequest),
    /// To close a position by an opposite one.
    CloseBy {
        position: Ticket,
        by: Ticket,
        magic: Magic,
        comment: Comment,
    },
}

impl Understood {
    /// Asks the account.
    pub(crate) fn send(&self, simulator: &mut Simulator) -> (Receipt, Vec<Event>) {
        match self {
            Self::Request(request) => simulator.send(request),
            Self::CloseBy {
                position,
                by,
                magic,
                comment,
            } => simulator.close_by(*position, *by, *magic, comment),
        }
    }
}

/// What requests are read against.
pub(crate) struct Server<'a> {
    pub(crate) simulator: &'a Simulator,
    pub(crate) symbols: &'a [SymbolSpec],
    pub(crate) mode: AccountMode,
}

impl Server<'_> {
    /// Reads a request.
    pub(crate) fn understood(&self, asked: &layout::Request) -> Result<Understood, Retcode> {
        let request = match asked.action {
            DEAL => self.deal(asked),
            PENDING => self.pending(asked),
            LEVELS => self.levels(asked),
            MODIFY => self.modify(asked),
            REMOVE => self.remove(asked),
            CLOSE_BY => {
                return Ok(Understood::CloseBy {
                    position: Ticket(asked.position),
                    by: Ticket(asked.position_by),
                    magic: Magic::from_raw(asked.magic),
                    comment: Comment::fitting(&asked.comment.0),
                });
            }
            _ => Err(Retcode::INVALID),
        };
        request.map(Understood::Request)
    }

    fn spec(&self, name: &str) -> Result<&SymbolSpec, Retcode> {
        let mut symbols = self.symbols.iter();
        let spec = symbols.find(|spec| spec.symbol.as_str() == name);
        spec.ok_or(Retcode::INVALID)
    }

    fn deal(&self, asked: &layout::Request) -> Result<TradeRequest, Retcode> {
        let spec = self.spec(&asked.symbol.0)?;
        let (OrderType::Market, side) = kind(asked.kind)? else {
            return Err(Retcode::INVALID);
        };
        market_filling(spec, asked.type_filling)?;
        let quote = self.simulator.quote(&spec.symbol);
        self.quoted(spec, asked, quote.map(|quote| quote.touch(side)))?;
        let lots = lots(asked.volume)?;
        let max_deviation_points = Some(u32::try_from(asked.deviation).unwrap_or(u32::MAX));
        let magic = Magic::from_raw(asked.magic);
        let comment = Comment::fitting(&asked.comment.0);
        let symbol = spec.symbol.clone();
        let named = self.position(asked.position);
        // A netting account has one position a symbol: an order meets it, named or not. Of a
        // position that is gone, or is another symbol's, the account tells what is wrong.
        let is_met = self.mode == AccountMode::Netting && named.is_some_and(|p| p.symbol == symbol);
        if asked.position == 0 || is_met {
            return Ok(TradeRequest::Market {
                symbol,
                side,
                lots,
                levels: levels(spec, asked)?,
                max_deviation_points,
                magic,
                comment,
            });
        }
        Ok(TradeRequest::Close {
            symbol,
            side,
            position: Ticket(asked.position),
            lots,
            all: false,
            max_deviation_points,
            magic,
            comment,
        })
    }

    /// Where execution is by quote, the price asked for is near enough.
    fn quoted(
        &self,
        spec: &SymbolSpec,
        asked: &layout::Request,
        touch: Option<Price>,
    ) -> Result<(), Retcode> {
        if !matches!(spec.execution, Execution::Request | Execution::Instant) {
            return Ok(());
        }
        let price = order_price(spec, asked.price)?;
        let touch = touch.ok_or(Retcode::PRICE_OFF)?;
        if price.points().abs_diff(touch.points()) > asked.deviation {
            return Err(Retcode::REQUOTE);
        }
        Ok(())
    }

    fn pending(&self, asked: &layout::Request) -> Result<TradeRequest, Retcode> {
        let spec = self.spec(&asked.symbol.0)?;
        let (kind, side) = kind(asked.kind)?;
        if kind == OrderType::Market {
            return Err(Retcode::INVALID);
        }
        pending_filling(spec, asked.type_filling)?;
        Ok(TradeRequest::Pending {
            symbol: spec.symbol.clone(),
            side,
            kind,
            lots: lots(asked.volume)?,
            price: order_price(spec, asked.price)?,
            stop_limit_price: limit_price(spec, asked.stoplimit)?,
            levels: levels(spec, asked)?,
            time_in_force: lifetime(asked)?,
            magic: Magic::from_raw(asked.magic),
            comment: Comment::fitting(&asked.comment.0),
        })
    }

    fn position(&self, ticket: u64) -> Option<PositionRow> {
        let mut positions = self.simulator.positions().into_iter();
        positions.find(|position| position.ticket.0 == ticket)
    }

    fn levels(&self, asked: &layout::Request) -> Result<TradeRequest, Retcode> {
        let position = match asked.position {
            0 if self.mode == AccountMode::Netting => {
                let mut positions = self.simulator.positions().into_iter();
                positions.find(|position| position.symbol.as_str() == asked.symbol.0)
            }
            ticket => self.position(ticket),
        };
        let Some(position) = position else {
            // The account tells why nothing is changed.
            return Ok(TradeRequest::ModifyPosition {
                position: Ticket(asked.position),
                levels: LevelsEdit::to(Levels::default()),
                symbol: self.symbol_of(asked.position)?,
            });
        };
        let spec = self.spec(position.symbol.as_str())?;
        Ok(TradeRequest::ModifyPosition {
            position: position.ticket,
            levels: LevelsEdit::to(levels(spec, asked)?),
            symbol: position.symbol,
        })
    }

    /// The symbol of a working order; of what is gone the account tells what became of it.
    fn symbol_of(&self, ticket: u64) -> Result<Symbol, Retcode> {
        let mut orders = self.simulator.orders().into_iter();
        let order = orders.find(|order| order.ticket.0 == ticket);
        let first = self.symbols.first().map(|spec| spec.symbol.clone());
        order
            .map(|order| order.symbol)
            .or(first)
            .ok_or(Retcode::INVALID)
    }

    fn modify(&self, asked: &layout::Request) -> Result<TradeRequest, Retcode> {
        let symbol = self.symbol_of(asked.order)?;
        let spec = self.spec(symbol.as_str())?;
        Ok(TradeRequest::ModifyOrder {
            order: Ticket(asked.order),
            terms: TermsEdit {
                price: Some(order_price(spec, asked.price)?),
                stop_limit_price: limit_price(spec, asked.stoplimit)?,
                levels: LevelsEdit::to(levels(spec, asked)?),
                time_in_force: Some(lifetime(asked)?),
            },
            symbol,
        })
    }

    fn remove(&self, asked: &layout::Request) -> Result<TradeRequest, Retcode> {
        Ok(TradeRequest::Cancel {
            order: Ticket(asked.order),
            symbol: self.symbol_of(asked.order)?,
        })
    }
}

fn kind(code: i32) -> Result<(OrderType, Side), Retcode> {
    let side = if code % 2 == 0 { Side::Buy } else { Side::Sell };
    let kind = match code {
        0 | 1 => OrderType::Market,
        2 | 3 => OrderType::Limit,
        4 | 5 => OrderType::Stop,
        6 | 7 => OrderType::StopLimit,
        _ => return Err(Retcode::INVALID),
    };
    Ok((kind, side))
}

fn lots(volume: f64) -> Result<Lots, Retcode> {
    Lots::from_f64(volume).map_err(|_| Retcode::INVALID_VOLUME)
}

fn order_price(spec: &SymbolSpec, price: f64) -> Result<Price, Retcode> {
    spec.price(price).map_err(|_| Retcode::INVALID_PRICE)
}

fn limit_price(spec: &SymbolSpec, price: f64) -> Result<Option<Price>, Retcode> {
    if price == 0.0 {
        return Ok(None);
    }
    order_price(spec, price).map(Some)
}

fn levels(spec: &SymbolSpec, asked: &layout::Request) -> Result<Levels, Retcode> {
    let level = |price: f64| match price {
        0.0 => Ok(None),
        _ => spec
            .price(price)
            .map(Some)
            .map_err(|_| Retcode::INVALID_STOPS),
    };
    Ok(Levels {
        stop_loss: level(asked.sl)?,
        take_profit: level(asked.tp)?,
    })
}

fn lifetime(asked: &layout::Request) -> Result<TimeInForce, Retcode> {
    let end = Moment {
        utc: None,
        broker: Some(BrokerTime(asked.expiration.clamp(0, LAST_SECOND) * 1000)),
    };
    match asked.type_time {
        0 => Ok(TimeInForce::Gtc),
        1 => Ok(TimeInForce::Day),
        2 => Ok(TimeInForce::Gtd(end)),
        3 => Ok(TimeInForce::GtdDay(end)),
        _ => Err(Retcode::INVALID_EXPIRATION),
    }
}

/// The filling modes of the package that a symbol's mask allows.
fn allowed(spec: &SymbolSpec, filling: i32) -> bool {
    match filling {
        0 => spec.filling.has(FillingModes::FOK),
        1 => spec.filling.has(FillingModes::IOC),
        3 => spec.filling.has(FillingModes::BOC),
        _ => false,
    }
}

fn market_filling(spec: &SymbolSpec, filling: i32) -> Result<(), Retcode> {
    let fits = match (spec.execution, filling) {
        (Execution::Request | Execution::Instant, _) => filling == 0 && allowed(spec, 0),
        (Execution::Exchange, 2) => true,
        (Execution::Market, 2) => !allowed(spec, 0) && !allowed(spec, 1),
        (_, 3) => false,
        _ => allowed(spec, filling),
    };
    fits.then_some(()).ok_or(Retcode::INVALID_FILL)
}

fn pending_filling(spec: &SymbolSpec, filling: i32) -> Result<(), Retcode> {
    let by_quote = matches!(spec.execution, Execution::Request | Execution::Instant);
    let fits = filling == 2 || (!by_quote || filling != 1) && allowed(spec, filling);
    fits.then_some(()).ok_or(Retcode::INVALID_FILL)
}

/// The filling mode that a symbol's market orders have.
pub(crate) fn usual_filling(spec: &SymbolSpec) -> i32 {
    (0..3)
        .find(|filling| market_filling(spec, *filling).is_ok())
        .unwrap_or(2)
}

/// What is quoted at that moment, as a trade's result tells it.
pub(crate) fn touches(quote: Option<&Tick>) -> (f64, f64) {
    quote.map_or((0.0, 0.0), |quote| (quote.bid.to_f64(), quote.ask.to_f64()))
}
