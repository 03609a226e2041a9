//! Orders.

use super::{Columns, Stored, Values};
use mymt5_model::{
    ClientName, Levels, Lots, Magic, OrderId, PositionId, RequestId, Retcode, Symbol, Ticket,
    TimeInForce,
};
use mymt5_orders::{Order, Purpose};

impl Stored for Order {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static [&'static str] = &[
        "order_id",
        "client",
        "request_id",
        "closes",
        "symbol",
        "side",
        "type",
        "state",
        "open",
        "lots",
        "closes_all",
        "filled",
        "filled_points",
        "price",
        "stop_limit_price",
        "digits",
        "stop_loss",
        "take_profit",
        "time_in_force",
        "retcode",
        "reason",
        "retryable",
        "cancel_pending",
        "created_ms",
        "created_broker_ms",
        "updated_ms",
        "updated_broker_ms",
        "position_id",
        "tag",
        "magic",
        "ticket",
        "trace",
    ];

    fn values(&self) -> Values {
        let mut values = Values::default();
        let closes = match self.purpose {
            Purpose::Entry => None,
            Purpose::Exit(position) => Some(position.0),
        };
        let has_fills = !self.filled.is_zero();
        let lives_on = self.time_in_force != TimeInForce::Gtc;
        values
            .number(self.id.0)
            .shown(&self.client)
            .shown(&self.request_id)
            .maybe_number(closes)
            .shown(&self.symbol)
            .word(&self.side)
            .word(&self.kind)
            .word(&self.state)
            .flag(!self.state.is_final())
            .shown(self.lots)
            .flag(self.closes_all)
            .maybe_shown(has_fills.then_some(self.filled))
            .maybe_shown(has_fills.then_some(self.filled_points))
            .maybe_shown(self.price)
            .maybe_shown(self.stop_limit_price)
            .put(i64::from(self.digits))
            .maybe_shown(self.levels.stop_loss)
            .maybe_shown(self.levels.take_profit);
        if lives_on {
            values.word(&self.time_in_force);
        } else {
            values.text("");
        }
        values
            .put(self.retcode.map(|code| i64::from(code.0)))
            .text(&self.reason)
            .flag(self.retryable)
            .flag(self.cancel_pending)
            .moment(self.created)
            .moment(self.updated)
            .maybe_number(self.position.map(|id| id.0))
            .text(&self.tag)
            .number(self.magic.raw())
            .maybe_number(self.ticket.map(|ticket| ticket.0))
            .trace_id(&self.trace_id);
        values
    }

    fn read(from: &mut Columns) -> Option<Self> {
        let id = OrderId(from.number()?);
        let client = ClientName::parse(&from.text()?).ok()?;
        let request_id = RequestId::parse(&from.text()?).ok()?;
        let closes = from.maybe_number()?;
        let symbol = Symbol::parse(&from.text()?).ok()?;
        let side = from.word()?;
        let kind = from.word()?;
        let state = from.word()?;
        let _open = from.flag()?;
        Some(Self {
            id,
            client,
            request_id,
            purpose: closes.map_or(Purpose::Entry, |id| Purpose::Exit(PositionId(id))),
            symbol,
            side,
            kind,
            state,
            lots: from.shown()?,
            closes_all: from.flag()?,
            filled: from.maybe_shown()?.unwrap_or(Lots::ZERO),
            filled_points: from.maybe_shown()?.unwrap_or(0),
            price: from.maybe_shown()?,
            stop_limit_price: from.maybe_shown()?,
            digits: u8::try_from(from.int()?).ok()?,
            levels: Levels {
                stop_loss: from.maybe_shown()?,
                take_profit: from.maybe_shown()?,
            },
            time_in_force: from.maybe_word()?.unwrap_or(TimeInForce::Gtc),
            retcode: from
                .maybe_int()?
                .and_then(|code| u32::try_from(code).ok())
                .map(Retcode),
            reason: from.text()?,
            retryable: from.flag()?,
            cancel_pending: from.flag()?,
            created: from.moment()?,
            updated: from.moment()?,
            position: from.maybe_number()?.map(PositionId),
            tag: from.text()?,
            magic: Magic::from_raw(from.number()?),
            ticket: from.maybe_number()?.map(Ticket),
            trace_id: from.trace_id()?,
        })
    }
}
