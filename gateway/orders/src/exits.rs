//! Closes: never more than a position has left, and free of states and limits.

use crate::{
    Call, Core, Market, Subject,
    order::{Exit, Order, Origin, Purpose, Traded},
    queue::Urgency,
};
use mymt5_guard::{ExitRefused, exit_allowed};
use mymt5_model::{
    ClientName, Comment, Lots, OrderId, PositionRow, Reason, Refusal, RequestId, SymbolSpec,
    TradeRequest, Violations,
};
use std::time::Duration;

/// A close about to be taken.
pub(crate) struct NewExit {
    pub(crate) client: ClientName,
    /// None: a name of the gateway's own.
    pub(crate) request_id: Option<RequestId>,
    /// For a close of all: what that is expected to be.
    pub(crate) lots: Lots,
    /// All that there is when it is executed.
    pub(crate) all: bool,
    pub(crate) max_deviation_points: Option<u32>,
    pub(crate) tag: String,
    pub(crate) comment: Comment,
    pub(crate) trace_id: String,
    /// Must have left by then, on the clock that never goes back.
    pub(crate) before_ms: i64,
}

impl Core {
    /// Takes a close of a position.
    pub(crate) fn close(
        &mut self,
        call: &Call,
        exit: Exit,
        market: &dyn Market,
    ) -> Result<(), Refusal> {
        let held = self.book.position(exit.position);
        let held = held.filter(|held| Self::may_touch(call, held.client.as_ref()));
        let held = held.ok_or_else(|| Refusal::new(Reason::PositionNotFound))?;
        let row = held.row.clone();
        // What another's operator closes stays the owner's.
        let client = held.client.clone().unwrap_or_else(|| call.client.clone());
        self.check_room(&client, Urgency::Exit)?;
        let closable = self.book.closable_at_most(exit.position);
        let (flying, unknown) = self.orders.closing(exit.position);
        let spec = market.spec(&row.symbol);
        let spec = spec.as_deref();
        let expected = match exit.lots {
            None => closable.minus(flying),
            Some(lots) => lots_of_exit(lots, closable, spec)?,
        };
        let mode = self.book.mode();
        exit_allowed(mode, expected, closable, flying, unknown).map_err(refused)?;
        check_size(expected, spec)?;
        let new = NewExit {
            client,
            request_id: Some(call.request_id.clone()),
            lots: expected,
            all: exit.lots.is_none(),
            max_deviation_points: exit.max_deviation_points,
            tag: exit.tag,
            comment: exit.comment,
            trace_id: call.trace_id.clone(),
            before_ms: self.out.now.when(call.send_before_ms),
        };
        let id = self.add_exit(&row, new)?;
        self.requests.bind(call, Subject::Order(id), &mut self.out);
        self.wait(id, call.asker);
        Ok(())
    }

    /// Adds the order of a close, and queues it.
    pub(crate) fn add_exit(&mut self, row: &PositionRow, new: NewExit) -> Result<OrderId, Refusal> {
        let (id, magic) = self.next_id(&new.client)?;
        let request_id = match new.request_id {
            Some(id) => id,
            None => Self::own_request_id("flatten", id.0)?,
        };
        let side = row.side.opposite();
        let origin = Origin {
            id,
            magic,
            client: new.client.clone(),
            request_id,
            trace_id: new.trace_id.clone(),
        };
        let traded = Traded {
            purpose: Purpose::Exit(row.id),
            symbol: row.symbol.clone(),
            digits: row.open_price.digits(),
            side,
            lots: new.lots,
        };
        let order = Order {
            closes_all: new.all,
            position: Some(row.id),
            tag: new.tag,
            ..Order::new(origin, traded, self.moment())
        };
        self.orders.add(order, &mut self.out);
        let request = TradeRequest::Close {
            symbol: row.symbol.clone(),
            side,
            position: row.ticket,
            lots: new.lots,
            all: new.all,
            max_deviation_points: new.max_deviation_points,
            magic,
            comment: new.comment,
        };
        let leaves = (new.before_ms, new.trace_id);
        self.enqueue(id, new.client, Urgency::Exit, request, leaves);
        Ok(id)
    }
}

fn refused(why: ExitRefused) -> Refusal {
    match why {
        ExitRefused::ExceedsPosition => Refusal::new(Reason::ExitExceedsPosition),
        ExitRefused::PendingReconciliation => {
            Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(5))
        }
    }
}

/// The lots that a caller names. All that is left passes, whatever the grid; without a specification
/// the broker judges the grid: an exit does not wait for it.
pub(crate) fn lots_of_exit(
    lots: f64,
    closable: Lots,
    spec: Option<&SymbolSpec>,
) -> Result<Lots, Refusal> {
    let plain = Lots::from_f64(lots)
        .map_err(|error| Violations::one("lots", Reason::NumberInvalid, error.to_string()))?;
    match spec {
        Some(spec) if plain != closable => spec
            .lots_of_request(lots)
            .map_err(|(reason, text)| Violations::one("lots", reason, text)),
        _ => Ok(plain),
    }
}

/// A close above what one order may have goes in parts.
pub(crate) fn check_size(lots: Lots, spec: Option<&SymbolSpec>) -> Result<(), Refusal> {
    match spec.map(|spec| spec.volume.max).filter(|max| lots > *max) {
        Some(max) => {
            let text = format!("expected at most volume_max {max}: close {lots} in parts");
            let refusal = Violations::one("lots", Reason::LotsOutOfBounds, text);
            Err(refusal.with("volume_max", max))
        }
        None => Ok(()),
    }
}
