//! New requests: the id first, then the checks, then the order. Only what passes them binds an id.

use super::{
    core::{Change, Core, Effect, Taken},
    events::{Audience, Event},
    order::{Call, Entry, Order, Purpose},
};
use crate::records::Subject;
use mymt5_model::{
    ClientName, Comment, Levels, Lots, Magic, Moment, OrderId, OrderState, OrderType, Side, Symbol,
    Tick, TimeInForce, TradeRequest,
};
use mymt5_model::{Reason, Refusal};

/// What makes an order, once its request is checked.
pub(super) struct Draft {
    pub(super) purpose: Purpose,
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) kind: OrderType,
    pub(super) lots: Lots,
    pub(super) levels: Levels,
    pub(super) digits: u8,
    pub(super) tag: String,
}

impl Core {
    /// Takes a new order, or finds the one that this call made before.
    ///
    /// # Errors
    /// Whatever refuses it; nothing is recorded then, and the id stays free.
    pub fn submit(
        &mut self,
        call: Call,
        entry: Result<Entry, Refusal>,
        quote: Option<&Tick>,
    ) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(taken) = self.known_order(&call)? {
            return Ok((taken, Vec::new()));
        }
        let entry = entry?;
        self.check_open(&call)?;
        let margin = self.check_entry(&call, &entry, quote)?;
        let now = self.now.0;
        self.rates.entry(call.client.clone()).or_default().note(now);
        let draft = Draft {
            purpose: Purpose::Entry,
            symbol: entry.spec.symbol.clone(),
            side: entry.side,
            kind: entry.kind,
            lots: entry.lots,
            levels: entry.levels,
            digits: entry.spec.digits,
            tag: entry.tag.clone(),
        };
        let (id, magic) = self.create(&call, draft, |order| {
            order.price = entry.price;
            order.stop_limit_price = entry.stop_limit_price;
            order.time_in_force = entry.time_in_force;
            order.margin = margin;
        })?;
        self.bind(&call, Subject::Order(id));
        Ok((
            Taken {
                order: id,
                repeated: false,
            },
            vec![Effect::Send(id, entry_request(entry, magic), false)],
        ))
    }

    /// Takes the cancellation of a working order.
    ///
    /// # Errors
    /// As for [`Core::submit`]; an order that does not work any more is `ORDER_NOT_WORKING`.
    pub fn cancel(&mut self, call: Call, target: OrderId) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(taken) = self.known_order(&call)? {
            return Ok((taken, Vec::new()));
        }
        self.check_open(&call)?;
        let order = self
            .orders
            .get(&target)
            .filter(|order| order.client == call.client);
        let order = order.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        let state = order.state;
        let Some(effect) = self.begin_cancel(target, call.send_before_ms) else {
            return Err(Refusal::new(Reason::OrderNotWorking).with("state", format!("{state:?}")));
        };
        self.bind(&call, Subject::Order(target));
        Ok((
            Taken {
                order: target,
                repeated: false,
            },
            vec![effect],
        ))
    }

    /// Begins the cancellation of an order that works; none when it does not, or changes already.
    pub(super) fn begin_cancel(&mut self, id: OrderId, send_before_ms: i64) -> Option<Effect> {
        let order = self.orders.get(&id)?;
        let works = matches!(
            order.state,
            OrderState::Working | OrderState::PartiallyFilled
        );
        let (Some(ticket), true, false) = (order.ticket, works, self.changing.contains_key(&id))
        else {
            return None;
        };
        let state = order.state;
        self.changing.insert(id, Change::Cancel);
        self.change(id, state, |order| order.cancel_pending = true);
        let request = TradeRequest::Cancel { order: ticket };
        let change = Change::Cancel;
        Some(Effect::SendChange(id, change, request, send_before_ms))
    }

    pub(super) fn create(
        &mut self,
        call: &Call,
        draft: Draft,
        also: impl FnOnce(&mut Order),
    ) -> Result<(OrderId, Magic), Refusal> {
        let magic = self.next_magic(&call.client)?;
        let id = self.next_order_id();
        let now = Moment {
            utc: Some(self.now),
            broker: None,
        };
        let mut order = Order {
            id,
            client: call.client.clone(),
            request_id: call.request_id.clone(),
            purpose: draft.purpose,
            symbol: draft.symbol,
            side: draft.side,
            kind: draft.kind,
            state: OrderState::Accepted,
            lots: draft.lots,
            lots_accepted: None,
            filled: Lots::ZERO,
            filled_points: 0,
            price: None,
            stop_limit_price: None,
            digits: draft.digits,
            levels: draft.levels,
            margin: None,
            time_in_force: TimeInForce::Gtc,
            retcode: None,
            reason: String::new(),
            retryable: false,
            cancel_pending: false,
            created: now,
            updated: now,
            position: None,
            tag: draft.tag,
            magic,
            ticket: None,
            correlation: call.correlation.clone(),
            send_before_ms: call.send_before_ms,
        };
        also(&mut order);
        self.dirty.insert(id);
        self.know(order.clone());
        self.tell(
            &call.correlation,
            Audience::Client(call.client.clone()),
            Event::Order(Box::new(order)),
        );
        Ok((id, magic))
    }

    pub(super) fn next_order_id(&self) -> OrderId {
        let last = self.orders.last_key_value().map_or(0, |(id, _)| id.0);
        OrderId(last + 1)
    }

    /// The next magic: never used before, and by time also after a lost memory.
    fn next_magic(&mut self, client: &ClientName) -> Result<Magic, Refusal> {
        const EPOCH_2024_MS: i64 = 1_704_067_200_000;
        let slot = self
            .rules
            .get(client)
            .ok_or_else(|| Refusal::new(Reason::PermissionDenied))?
            .slot;
        let by_time = u64::try_from(self.now.0 - EPOCH_2024_MS).unwrap_or(0);
        let counter = by_time.max(self.last_magic + 1);
        let magic = Magic::new(slot, counter).ok_or_else(|| Refusal::new(Reason::StorageFull))?;
        self.last_magic = counter;
        Ok(magic)
    }
}

fn entry_request(entry: Entry, magic: Magic) -> TradeRequest {
    let Entry {
        spec,
        side,
        kind,
        lots,
        levels,
        time_in_force,
        comment,
        ..
    } = entry;
    let symbol = spec.symbol.clone();
    match entry.price {
        Some(price) => TradeRequest::Pending {
            symbol,
            side,
            kind,
            lots,
            price,
            stop_limit_price: entry.stop_limit_price,
            levels,
            time_in_force,
            magic,
            comment,
        },
        None => {
            let max_deviation_points = entry.max_deviation_points;
            let comment: Comment = comment;
            TradeRequest::Market {
                symbol,
                side,
                lots,
                levels,
                position: None,
                max_deviation_points,
                magic,
                comment,
            }
        }
    }
}
