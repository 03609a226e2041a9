//! `TradingService`.

use super::{
    Rooms, call, edits, event_stream,
    page::Page,
    parse,
    render::{self, Render},
};
use crate::access::{Caller, Permission};
use mymt5_chassis::clock;
use mymt5_model::{ClientName, Moment, OrderId, PositionId, RequestId, Ticket};
use mymt5_orders::{Order, Position, Taken};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use std::pin::Pin;
use tonic::{Extensions, Request, Response, Status};
use v1::{get_order_request::Id, trading_service_server::TradingService};

/// The service.
#[derive(Clone)]
pub struct Trading(pub Rooms);

impl Trading {
    async fn answered(&self, taken: Taken, extensions: &Extensions) -> Result<v1::Order, Refusal> {
        let order = self
            .0
            .orders
            .answered(taken.order, call::patience(extensions))
            .await?;
        tracing::info!(order_id = %order.id, state = ?order.state, repeated = taken.repeated, reason = order.reason, "order answered");
        Ok(render::order(&order))
    }
}

/// Whose rows a caller sees: its own, or with `control` everybody's.
fn scope(caller: &Caller) -> impl Fn(Option<&ClientName>) -> bool + Send + 'static {
    let (own, all) = (caller.0.name.clone(), caller.may(Permission::Control));
    move |owner| all || owner == Some(&own)
}

#[tonic::async_trait]
impl TradingService for Trading {
    async fn submit_order(
        &self,
        request: Request<v1::SubmitOrderRequest>,
    ) -> Result<Response<v1::SubmitOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let call = call::mutating(
            &extensions,
            &caller,
            "SubmitOrder",
            &message.request_id,
            &message,
            self.0.max_queue_ms,
        )?;
        let entry = parse::entry(&self.0.instruments, &caller, &message);
        let taken = self.0.orders.submit(call, entry).await?;
        Ok(Response::new(v1::SubmitOrderResponse {
            order: Some(self.answered(taken, &extensions).await?),
        }))
    }

    async fn close_position(
        &self,
        request: Request<v1::ClosePositionRequest>,
    ) -> Result<Response<v1::ClosePositionResponse>, Status> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let call = call::mutating(
            &extensions,
            &caller,
            "ClosePosition",
            &message.request_id,
            &message,
            self.0.max_queue_ms,
        )?;
        let taken = self.0.orders.close(call, parse::exit(&message)).await?;
        Ok(Response::new(v1::ClosePositionResponse {
            order: Some(self.answered(taken, &extensions).await?),
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let call = call::mutating(
            &extensions,
            &caller,
            "CancelOrder",
            &message.request_id,
            &message,
            self.0.max_queue_ms,
        )?;
        let taken = self
            .0
            .orders
            .cancel(call, OrderId(message.order_id))
            .await?;
        Ok(Response::new(v1::CancelOrderResponse {
            order: Some(self.answered(taken, &extensions).await?),
        }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let (client, visible) = (caller.0.name.clone(), scope(&caller));
        let id = request.into_inner().id;
        let found: Option<Order> = match id {
            Some(Id::OrderId(id)) => {
                self.0
                    .orders
                    .ask(move |core| core.order(OrderId(id)).cloned())
                    .await?
            }
            Some(Id::ClientOrderId(id)) => {
                let id = RequestId::parse(&id).map_err(|error| {
                    Refusal::because(Reason::RequestIdInvalid, error.to_string())
                })?;
                self.0
                    .orders
                    .ask(move |core| core.order_of_request(&client, &id).cloned())
                    .await?
            }
            None => {
                let mut violations = Violations::default();
                violations.add(
                    "id",
                    Reason::FieldInvalid,
                    "order_id or client_order_id must be set",
                );
                violations.done()?;
                None
            }
        };
        let order = found
            .filter(|order| visible(Some(&order.client)))
            .ok_or_else(|| Refusal::new(Reason::OrderNotFound))?;
        Ok(Response::new(v1::GetOrderResponse {
            order: Some(render::order(&order)),
        }))
    }

    async fn get_snapshot(
        &self,
        request: Request<v1::GetSnapshotRequest>,
    ) -> Result<Response<v1::GetSnapshotResponse>, Status> {
        let caller = call::caller(&request)?;
        let (client, visible) = (caller.0.name.clone(), scope(&caller));
        let read = self.0.orders.ask(move |core| {
            let positions: Vec<Position> = core
                .book()
                .positions()
                .filter(|position| visible(position.client.as_ref()))
                .cloned()
                .collect();
            let orders: Vec<Order> = core
                .open_orders()
                .filter(|order| visible(Some(&order.client)))
                .cloned()
                .collect();
            let account = core
                .book()
                .account()
                .cloned()
                .zip(Some(core.book().as_of()));
            (
                account,
                positions,
                orders,
                core.sequence(),
                core.state_of(&client),
            )
        });
        let (account, positions, orders, sequence, state) = read.await?;
        let zone = self.0.zone.as_ref().map(|(_, zone)| zone);
        let render = Render(zone);
        // Before the broker was read there are no figures; what the journal knows is told all the same.
        let account = account.map(|(account, as_of)| {
            let utc = as_of.and_then(|time| zone?.to_utc(time));
            v1::Account::of(&account, Moment { utc, broker: as_of })
        });
        Ok(Response::new(v1::GetSnapshotResponse {
            account,
            positions: positions
                .iter()
                .map(|position| render.position(position))
                .collect(),
            orders: orders.iter().map(render::order).collect(),
            journal_id: self.0.orders.journal_id().to_owned(),
            sequence,
            trading_state: render::trading_state(state).into(),
        }))
    }

    type StreamEventsStream =
        Pin<Box<dyn futures_util::Stream<Item = Result<v1::StreamEventsResponse, Status>> + Send>>;

    async fn stream_events(
        &self,
        request: Request<v1::StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let caller = call::caller(&request)?;
        let request = request.into_inner();
        if request.journal_id != self.0.orders.journal_id() {
            return Err(Refusal::new(Reason::JournalChanged).into());
        }
        self.0
            .orders
            .log()
            .after(request.after_sequence)
            .map_err(|_| Refusal::new(Reason::SequencePurged))?;
        let open = self
            .0
            .event_streams
            .open()
            .ok_or_else(|| Refusal::new(Reason::TooManySubscribers))?;
        Ok(Response::new(Box::pin(event_stream::follow(
            self.0.clone(),
            caller,
            request.after_sequence,
            open,
        ))))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let client = call::caller(&request)?.0.name.clone();
        let session = &request.get_ref().session_id;
        tracing::trace!(session, "heartbeat");
        let session = RequestId::parse(session).map_err(|error| {
            Violations::one("session_id", Reason::FieldInvalid, error.to_string())
        })?;
        let state = self
            .0
            .orders
            .decide(move |core| Ok((core.heartbeat(&client, &session)?, Vec::new())))
            .await?;
        Ok(Response::new(v1::HeartbeatResponse {
            server_time: Some(render::utc(clock::utc_now_ms())),
            trading_state: render::trading_state(state).into(),
            last_sequence: self.0.orders.log().last(),
        }))
    }

    async fn modify_order(
        &self,
        request: Request<v1::ModifyOrderRequest>,
    ) -> Result<Response<v1::ModifyOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let call = call::mutating(
            &extensions,
            &caller,
            "ModifyOrder",
            &message.request_id,
            &message,
            self.0.max_queue_ms,
        )?;
        let (target, edit) = (OrderId(message.order_id), edits::order(&message)?);
        let taken = self.0.orders.modify_order(call, target, edit).await?;
        Ok(Response::new(v1::ModifyOrderResponse {
            order: Some(self.answered(taken, &extensions).await?),
        }))
    }

    async fn modify_position(
        &self,
        request: Request<v1::ModifyPositionRequest>,
    ) -> Result<Response<v1::ModifyPositionResponse>, Status> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let call = call::mutating(
            &extensions,
            &caller,
            "ModifyPosition",
            &message.request_id,
            &message,
            self.0.max_queue_ms,
        )?;
        let (id, edits) = (PositionId(message.position_id), edits::position(&message)?);
        let key = self.0.orders.modify_position(call, id, edits).await?;
        let until = call::patience(&extensions);
        let position = self.0.orders.levels_set(key, id, until).await?;
        let render = Render(self.0.zone.as_ref().map(|(_, zone)| zone));
        Ok(Response::new(v1::ModifyPositionResponse {
            position: Some(render.position(&position)),
        }))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let visible = scope(&call::caller(&request)?);
        let page = Page::of(request.get_ref().page_size, &request.get_ref().page_token)?;
        let read = self.0.orders.ask(move |core| {
            let orders = core.orders_before(page.before.map(OrderId));
            let orders = orders.filter(|order| visible(Some(&order.client)));
            orders.take(page.size).cloned().collect::<Vec<_>>()
        });
        let orders = read.await?;
        Ok(Response::new(v1::ListOrdersResponse {
            next_page_token: page.next(orders.len(), orders.last().map(|order| order.id.0)),
            orders: orders.iter().map(render::order).collect(),
        }))
    }

    async fn list_deals(
        &self,
        request: Request<v1::ListDealsRequest>,
    ) -> Result<Response<v1::ListDealsResponse>, Status> {
        let visible = scope(&call::caller(&request)?);
        let page = Page::of(request.get_ref().page_size, &request.get_ref().page_token)?;
        let read = self.0.orders.ask(move |core| {
            let deals = core.deals_before(page.before.map(Ticket));
            let deals = deals.filter(|deal| visible(deal.client.as_ref()));
            deals.take(page.size).cloned().collect::<Vec<_>>()
        });
        let deals = read.await?;
        let render = Render(self.0.zone.as_ref().map(|(_, zone)| zone));
        Ok(Response::new(v1::ListDealsResponse {
            next_page_token: page.next(deals.len(), deals.last().map(|deal| deal.deal.ticket.0)),
            deals: deals.iter().map(|deal| render.owned_deal(deal)).collect(),
        }))
    }

    async fn raise_alert(
        &self,
        _: Request<v1::RaiseAlertRequest>,
    ) -> Result<Response<v1::RaiseAlertResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }
}
