//! New requests: the id first, then the checks, then the order. Only what passes them binds an id.

use super::{
    core::{Core, Effect, Taken},
    events::{Audience, Event},
    order::{Call, Entry, Exit, Order, Purpose},
};
use mymt5_guard::{ExitRefused, exit_allowed};
use mymt5_model::{
    ClientName, Comment, Levels, Lots, Magic, Moment, OrderId, OrderState, OrderType, RequestId,
    Side, Symbol, SymbolSpec, Tick, TimeInForce, TradeRequest,
};
use mymt5_proto::{Reason, Refusal};
use std::{collections::HashMap, time::Duration};

/// The ids seen, each with the digest of its content and the order it led to. Never pruned.
#[derive(Debug, Default)]
pub(super) struct Requests(HashMap<(ClientName, RequestId), ([u8; 32], OrderId)>);

impl Requests {
    fn find(&self, call: &Call) -> Result<Option<OrderId>, Refusal> {
        match self.0.get(&(call.client.clone(), call.request_id.clone())) {
            Some((content, order)) if *content == call.content => Ok(Some(*order)),
            Some(_) => Err(Refusal::new(Reason::IdempotencyMismatch)),
            None => Ok(None),
        }
    }

    fn bind(&mut self, call: &Call, order: OrderId) {
        self.0.insert(
            (call.client.clone(), call.request_id.clone()),
            (call.content, order),
        );
    }

    /// The order that a request id led to.
    pub(super) fn order(&self, client: &ClientName, id: &RequestId) -> Option<OrderId> {
        self.0
            .get(&(client.clone(), id.clone()))
            .map(|(_, order)| *order)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= Core::CAPACITY
    }
}

/// What makes an order, once its request is checked.
struct Draft {
    purpose: Purpose,
    symbol: Symbol,
    side: Side,
    kind: OrderType,
    lots: Lots,
    levels: Levels,
    digits: u8,
    tag: String,
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
        if let Some(order) = self.requests.find(&call)? {
            return Ok((
                Taken {
                    order,
                    repeated: true,
                },
                Vec::new(),
            ));
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
        Ok((
            Taken {
                order: id,
                repeated: false,
            },
            vec![Effect::Send(id, entry_request(entry, magic))],
        ))
    }

    /// Takes a close of a position, or finds the order that this call made before.
    ///
    /// # Errors
    /// As for [`Core::submit`].
    pub fn close(
        &mut self,
        call: Call,
        exit: Result<Exit, Refusal>,
        spec: impl Fn(&Symbol) -> Option<std::sync::Arc<SymbolSpec>>,
    ) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(order) = self.requests.find(&call)? {
            return Ok((
                Taken {
                    order,
                    repeated: true,
                },
                Vec::new(),
            ));
        }
        let exit = exit?;
        self.check_open(&call)?;
        let own = |client: &Option<ClientName>| client.as_ref() == Some(&call.client);
        let position = self
            .book
            .position(exit.position)
            .filter(|position| own(&position.client));
        let row = position
            .ok_or_else(|| Refusal::new(Reason::PositionNotFound))?
            .row
            .clone();
        let spec = spec(&row.symbol).ok_or_else(|| Refusal::new(Reason::SymbolUnknown))?;
        let lots = match exit.lots {
            Some(lots) => crate::api::parse::lots(&spec, lots)
                .map_err(|(reason, text)| Refusal::because(reason, text))?,
            None => row.lots,
        };
        let mode = self.mode().ok_or_else(|| Refusal::new(Reason::LinkDown))?;
        let (flying, unknown) = self.closing(exit.position);
        exit_allowed(mode, lots, row.lots, flying, unknown).map_err(|refused| match refused {
            ExitRefused::ExceedsPosition => Refusal::new(Reason::ExitExceedsPosition),
            ExitRefused::PendingReconciliation => {
                Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(5))
            }
        })?;
        let draft = Draft {
            purpose: Purpose::Exit(exit.position),
            symbol: row.symbol.clone(),
            side: row.side.opposite(),
            kind: OrderType::Market,
            lots,
            levels: Levels::default(),
            digits: spec.digits,
            tag: exit.tag,
        };
        let (id, magic) =
            self.create(&call, draft, |order| order.position = Some(exit.position))?;
        let request = TradeRequest::Market {
            symbol: row.symbol,
            side: row.side.opposite(),
            lots,
            levels: Levels::default(),
            position: Some(row.ticket),
            max_deviation_points: exit.max_deviation_points,
            magic,
            comment: exit.comment,
        };
        Ok((
            Taken {
                order: id,
                repeated: false,
            },
            vec![Effect::Send(id, request)],
        ))
    }

    /// Takes the cancellation of a working order.
    ///
    /// # Errors
    /// As for [`Core::submit`]; an order that does not work any more is `ORDER_NOT_WORKING`.
    pub fn cancel(&mut self, call: Call, target: OrderId) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(order) = self.requests.find(&call)? {
            return Ok((
                Taken {
                    order,
                    repeated: true,
                },
                Vec::new(),
            ));
        }
        self.check_open(&call)?;
        let order = self
            .orders
            .get(&target)
            .filter(|order| order.client == call.client);
        let order = order.ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        let works = matches!(
            order.state,
            OrderState::Working | OrderState::PartiallyFilled
        ) && !order.cancel_pending;
        let (Some(ticket), true) = (order.ticket, works) else {
            return Err(
                Refusal::new(Reason::OrderNotWorking).with("state", format!("{:?}", order.state))
            );
        };
        let state = order.state;
        self.requests.bind(&call, target);
        self.change(target, state, |order| order.cancel_pending = true);
        let request = TradeRequest::Cancel { order: ticket };
        Ok((
            Taken {
                order: target,
                repeated: false,
            },
            vec![Effect::SendCancel(target, request)],
        ))
    }

    fn create(
        &mut self,
        call: &Call,
        draft: Draft,
        also: impl FnOnce(&mut Order),
    ) -> Result<(OrderId, Magic), Refusal> {
        let magic = self.next_magic(&call.client)?;
        let id = OrderId(self.orders.len() as u64 + 1);
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
        self.requests.bind(call, id);
        self.by_magic.insert(magic, id);
        self.open.insert(id);
        self.orders.insert(id, order.clone());
        self.tell(
            &call.correlation,
            Audience::Client(call.client.clone()),
            Event::Order(Box::new(order)),
        );
        Ok((id, magic))
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
