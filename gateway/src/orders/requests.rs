//! New requests: the id first, then the checks, then the order. Only what passes them binds an id.

use super::{
    core::{Change, Core, Effect, Taken},
    events::{Audience, Event},
    modify::LevelsKey,
    order::{Call, Entry, Exit, Order, Purpose},
};
use crate::journal::{LevelsOutcome, Record, Request, Subject};
use mymt5_guard::{ExitRefused, exit_allowed};
use mymt5_model::{
    ClientName, Comment, Levels, Lots, Magic, Moment, OrderId, OrderState, OrderType, PositionId,
    PositionRow, RequestId, Side, Symbol, SymbolSpec, Tick, TimeInForce, TradeRequest,
};
use mymt5_proto::{Reason, Refusal};
use std::{collections::HashMap, time::Duration};

/// The ids seen, each with the digest of its content and what it led to. Never pruned.
#[derive(Debug, Default)]
pub(super) struct Requests(HashMap<(ClientName, RequestId), ([u8; 32], Subject)>);

impl Requests {
    pub(super) fn new(kept: Vec<Request>) -> Self {
        let bound = kept.into_iter().map(|request| {
            let mut content = [0; 32];
            // A digest that cannot be read matches nothing: the id stays bound, and mismatches.
            let _ = hex::decode_to_slice(&request.content, &mut content);
            (
                (request.client, request.request_id),
                (content, request.subject),
            )
        });
        Self(bound.collect())
    }

    /// What a call led to, when it was taken before.
    pub(super) fn find(&self, call: &Call) -> Result<Option<Subject>, Refusal> {
        match self.0.get(&(call.client.clone(), call.request_id.clone())) {
            Some((content, subject)) if *content == call.content => Ok(Some(*subject)),
            Some(_) => Err(Refusal::new(Reason::IdempotencyMismatch)),
            None => Ok(None),
        }
    }

    /// The order that a request id led to.
    pub(super) fn order(&self, client: &ClientName, id: &RequestId) -> Option<OrderId> {
        match self.0.get(&(client.clone(), id.clone()))?.1 {
            Subject::Order(order) => Some(order),
            _ => None,
        }
    }

    pub(super) fn subject(&self, client: &ClientName, id: &RequestId) -> Option<Subject> {
        Some(self.0.get(&(client.clone(), id.clone()))?.1)
    }

    /// Replaces what a bound request led to. False: there is none, or it is the same.
    pub(super) fn settle(&mut self, client: &ClientName, id: &RequestId, subject: Subject) -> bool {
        let bound = self.0.get_mut(&(client.clone(), id.clone()));
        bound.is_some_and(|bound| std::mem::replace(&mut bound.1, subject) != subject)
    }

    /// Changes of levels that were on their way when the process ended.
    pub(super) fn pending_levels(&self) -> Vec<(LevelsKey, PositionId, Levels)> {
        let open = |outcome| matches!(outcome, LevelsOutcome::Pending | LevelsOutcome::Unknown);
        let pending = self
            .0
            .iter()
            .filter_map(|((client, id), (_, subject))| match *subject {
                Subject::Levels(position, levels, outcome) if open(outcome) => {
                    Some((LevelsKey(client.clone(), id.clone()), position, levels))
                }
                _ => None,
            });
        pending.collect()
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
    /// Binds a request id to what its call led to.
    pub(super) fn bind(&mut self, call: &Call, subject: Subject) {
        let key = (call.client.clone(), call.request_id.clone());
        self.requests.0.insert(key, (call.content, subject));
        self.records.push(Record::Request(Request {
            client: call.client.clone(),
            request_id: call.request_id.clone(),
            method: call.method.to_owned(),
            content: hex::encode(call.content),
            subject,
            at: self.now,
            correlation: call.correlation.clone(),
        }));
    }

    pub(super) fn known_order(&self, call: &Call) -> Result<Option<Taken>, Refusal> {
        let known = self.requests.find(call)?;
        Ok(known.and_then(|subject| match subject {
            Subject::Order(order) => Some(Taken {
                order,
                repeated: true,
            }),
            _ => None,
        }))
    }

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
        if let Some(taken) = self.known_order(&call)? {
            return Ok((taken, Vec::new()));
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
        let lots = match (exit.lots, spec(&row.symbol)) {
            (None, _) => row.lots,
            (Some(lots), Some(spec)) => crate::api::parse::lots(&spec, lots)
                .map_err(|(reason, text)| Refusal::because(reason, text))?,
            // Without a specification the broker judges the grid: an exit does not wait for it.
            (Some(lots), None) => Lots::from_f64(lots)
                .map_err(|error| Refusal::because(Reason::NumberInvalid, error.to_string()))?,
        };
        let mode = self.mode().ok_or_else(|| Refusal::new(Reason::LinkDown))?;
        let (flying, unknown) = self.closing(exit.position);
        exit_allowed(mode, lots, row.lots, flying, unknown).map_err(|refused| match refused {
            ExitRefused::ExceedsPosition => Refusal::new(Reason::ExitExceedsPosition),
            ExitRefused::PendingReconciliation => {
                Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(5))
            }
        })?;
        let (id, effect) = self.create_exit(&call, &row, lots, exit)?;
        self.bind(&call, Subject::Order(id));
        Ok((
            Taken {
                order: id,
                repeated: false,
            },
            vec![effect],
        ))
    }

    fn create_exit(
        &mut self,
        call: &Call,
        row: &PositionRow,
        lots: Lots,
        exit: Exit,
    ) -> Result<(OrderId, Effect), Refusal> {
        let draft = Draft {
            purpose: Purpose::Exit(row.id),
            symbol: row.symbol.clone(),
            side: row.side.opposite(),
            kind: OrderType::Market,
            lots,
            levels: Levels::default(),
            digits: row.open_price.digits(),
            tag: exit.tag,
        };
        let (id, magic) = self.create(call, draft, |order| order.position = Some(row.id))?;
        let request = TradeRequest::Market {
            symbol: row.symbol.clone(),
            side: row.side.opposite(),
            lots,
            levels: Levels::default(),
            position: Some(row.ticket),
            max_deviation_points: exit.max_deviation_points,
            magic,
            comment: exit.comment,
        };
        Ok((id, Effect::Send(id, request, true)))
    }

    /// Closes what is left of all positions of a scope, each for its owner; foreign ones for the
    /// caller. A position that cannot be closed now is told in the log.
    pub(super) fn close_all(
        &mut self,
        call: &Call,
        scope: Option<&ClientName>,
        foreign: bool,
    ) -> Vec<Effect> {
        let included = |client: &Option<ClientName>| match client {
            Some(client) => scope.is_none_or(|scope| scope == client),
            None => foreign,
        };
        let rows: Vec<(PositionRow, Option<ClientName>, String)> = self
            .book
            .positions()
            .filter(|held| included(&held.client))
            .map(|held| (held.row.clone(), held.client.clone(), held.tag.clone()))
            .collect();
        let mut effects = Vec::new();
        for (row, client, tag) in rows {
            let (flying, unknown) = self.closing(row.id);
            let left = row.lots.minus(flying).minus(unknown);
            if left.is_zero() {
                continue;
            }
            let call = Call {
                client: client.unwrap_or_else(|| call.client.clone()),
                ..call.clone()
            };
            let exit = Exit {
                position: row.id,
                lots: None,
                max_deviation_points: None,
                tag,
                comment: Comment::default(),
            };
            match self.create_exit(&call, &row, left, exit) {
                Ok((_, effect)) => effects.push(effect),
                Err(refusal) => {
                    tracing::error!(position_id = %row.id, %refusal, "position not closed");
                }
            }
        }
        effects
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
        let Some(effect) = self.begin_cancel(target) else {
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
    pub(super) fn begin_cancel(&mut self, id: OrderId) -> Option<Effect> {
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
        Some(Effect::SendChange(id, Change::Cancel, request))
    }

    fn create(
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
