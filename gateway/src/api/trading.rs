//! `TradingService`.

use super::{
    AppState, alerts,
    call::{self, mutating},
    edits, event_stream,
    page::Page,
    parse,
    render::{self, Render},
};
use crate::{
    access::{Caller, Permission},
    journal::JournalError,
};
use mymt5_chassis::clock;
use mymt5_model::{
    ClientName, Levels, Moment, Money, OrderId, OrderType, PositionId, RequestId, Ticket,
};
use mymt5_orders::{Answer, BrokerFigures, ChangeAnswer, Command, NewOrder, Order, Position};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use std::{pin::Pin, time::Duration};
use tonic::{Request, Response, Status};
use v1::{get_order_request::Id, trading_service_server::TradingService};

/// The service.
#[derive(Clone)]
pub struct Trading(pub AppState);

/// How long the broker is asked for the figures of an order that is only looked at.
const FIGURES: Duration = Duration::from_secs(2);

impl Trading {
    fn render(&self) -> Render<'_> {
        Render(self.0.zone.as_ref().map(|(_, zone)| zone))
    }

    fn new_order(
        &self,
        caller: &Caller,
        request: &v1::SubmitOrderRequest,
    ) -> Result<Box<NewOrder>, Refusal> {
        let order = parse::order(&self.0.instruments, caller, self.0.broker_clock(), request);
        order.map(Box::new)
    }

    /// What the broker itself calculates for an order: its margin, and its loss at the stop.
    async fn figures(&self, order: &NewOrder) -> BrokerFigures {
        let broker = &self.0.broker;
        let symbol = &order.spec.symbol;
        let quote = self.0.hub.latest(symbol);
        let touch = quote.map(|(tick, _)| tick.touch(order.side));
        let Some(open) = order.price.or(touch) else {
            return BrokerFigures::default();
        };
        let margin = broker.margin_for(symbol, order.side, order.lots, open);
        let Levels { stop_loss, .. } = order.levels;
        let loss = async {
            let stop = stop_loss?;
            // A stop-limit order opens at its limit price.
            let open = match order.kind {
                OrderType::StopLimit => order.stop_limit_price.unwrap_or(open),
                _ => open,
            };
            let profit = broker.profit_for(symbol, order.side, order.lots, open, stop);
            profit.await.ok().map(|profit| Money::ZERO - profit)
        };
        let asked = async { tokio::join!(margin, loss) };
        let asked = tokio::time::timeout(FIGURES, asked).await;
        asked.map_or_else(
            |_| BrokerFigures::default(),
            |(margin, loss_at_stop)| BrokerFigures {
                margin: margin.ok(),
                loss_at_stop,
            },
        )
    }
}

/// Whose rows a caller sees: its own, or with `control` everybody's.
fn scope(caller: &Caller) -> impl Fn(Option<&ClientName>) -> bool + Send + 'static {
    let own = owner(caller);
    move |owner| own.as_ref().is_none_or(|own| owner == Some(own))
}

/// Whose rows a caller sees: its own, or (none) everybody's.
fn owner(caller: &Caller) -> Option<ClientName> {
    (!caller.may(Permission::Control)).then(|| caller.0.name.clone())
}

/// A journal that cannot be read is as bad as one that cannot be written.
fn unread(error: JournalError) -> Refusal {
    tracing::error!(%error, source = ?std::error::Error::source(&error), "journal not read");
    Refusal::new(Reason::JournalDown).after(Duration::from_secs(5))
}

fn an_order(answer: Answer) -> Result<Option<v1::Order>, Refusal> {
    match answer {
        Answer::Order(order) => Ok(Some(render::order(&order))),
        _ => Err(Refusal::new(Reason::Internal)),
    }
}

fn a_change(answer: Answer) -> Result<ChangeAnswer, Refusal> {
    match answer {
        Answer::Change(change) => Ok(*change),
        _ => Err(Refusal::new(Reason::Internal)),
    }
}

mutating! {
    "SubmitOrder" SubmitOrderRequest, session_id;
    "ModifyOrder" ModifyOrderRequest, session_id;
    "CancelOrder" CancelOrderRequest, session_id;
    "ModifyPosition" ModifyPositionRequest, session_id;
    "ClosePosition" ClosePositionRequest, session_id;
}

#[tonic::async_trait]
impl TradingService for Trading {
    async fn check_order(
        &self,
        request: Request<v1::CheckOrderRequest>,
    ) -> Result<Response<v1::CheckOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let message = request.into_inner().order.unwrap_or_default();
        let order = self.new_order(&caller, &message);
        let figures = match &order {
            Ok(order) => self.figures(order).await,
            Err(_) => BrokerFigures::default(),
        };
        let turn = call::turn(&caller);
        let report = self.0.orders.check(&turn, order, figures).await?;
        Ok(Response::new(render::check(&report)))
    }

    async fn submit_order(
        &self,
        request: Request<v1::SubmitOrderRequest>,
    ) -> Result<Response<v1::SubmitOrderResponse>, Status> {
        let taken = self.0.take(request, |caller, message| {
            Ok(Command::Submit(self.new_order(caller, message)))
        });
        let order = an_order(taken.await?)?;
        Ok(Response::new(v1::SubmitOrderResponse { order }))
    }

    async fn close_position(
        &self,
        request: Request<v1::ClosePositionRequest>,
    ) -> Result<Response<v1::ClosePositionResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::Close(parse::exit(message)))
        });
        let order = an_order(taken.await?)?;
        Ok(Response::new(v1::ClosePositionResponse { order }))
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::Cancel(OrderId(message.order_id)))
        });
        let change = a_change(taken.await?)?;
        Ok(Response::new(v1::CancelOrderResponse {
            order: change.order.as_ref().map(render::order),
            change: Some(render::change(change.outcome)),
        }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let caller = call::caller(&request)?;
        let visible = scope(&caller);
        let id = request.into_inner().id.ok_or_else(|| {
            let text = "expected order_id or client_order_id";
            Violations::one("id", Reason::FieldInvalid, text)
        })?;
        let readers = self.0.orders.readers();
        let found = match id {
            Id::OrderId(id) => readers.read(move |reader| reader.order(OrderId(id))).await,
            Id::ClientOrderId(id) => {
                let id = RequestId::parse(&id).map_err(|error| {
                    Violations::one(
                        "client_order_id",
                        Reason::RequestIdInvalid,
                        error.to_string(),
                    )
                })?;
                let client = caller.0.name.clone();
                readers
                    .read(move |reader| reader.order_of(&client, &id))
                    .await
            }
        };
        let found: Option<Order> = found.map_err(unread)?;
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
        let client = caller.0.name.clone();
        let name = client.to_string();
        let turn = call::turn(&caller);
        let visible = scope(&caller);
        let read = self.0.orders.ask_for(&turn, move |core| {
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
        let render = self.render();
        let zone = render.0;
        // Before the broker was read there are no figures; what the journal knows is returned all
        // the same.
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
            client: name,
            account_id: self.0.orders.account_id().to_owned(),
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
        // The place first: without one nothing is read.
        let open = self.0.event_streams.open(&caller.0)?;
        let first = self.0.orders.log().after(request.after_sequence).await;
        first.map_err(|_| Refusal::new(Reason::SequencePurged))?;
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
        let turn = call::turn(&call::caller(&request)?);
        let v1::HeartbeatRequest {
            session_id,
            leaving,
        } = request.into_inner();
        tracing::trace!(session_id, leaving, "heartbeat");
        let session = RequestId::parse(&session_id).map_err(|error| {
            Violations::one("session_id", Reason::FieldInvalid, error.to_string())
        })?;
        let state = self.0.orders.heartbeat(&turn, session, leaving).await?;
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
        let taken = self.0.take(request, |_, message| {
            let edit = edits::order(self.0.broker_clock(), message);
            Ok(Command::ModifyOrder(OrderId(message.order_id), edit))
        });
        let change = a_change(taken.await?)?;
        Ok(Response::new(v1::ModifyOrderResponse {
            order: change.order.as_ref().map(render::order),
            change: Some(render::change(change.outcome)),
        }))
    }

    async fn modify_position(
        &self,
        request: Request<v1::ModifyPositionRequest>,
    ) -> Result<Response<v1::ModifyPositionResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            let id = PositionId(message.position_id);
            Ok(Command::ModifyPosition(id, edits::position(message)))
        });
        let change = a_change(taken.await?)?;
        let position = change.position.as_ref();
        Ok(Response::new(v1::ModifyPositionResponse {
            position: position.map(|position| self.render().position(position)),
            change: Some(render::change(change.outcome)),
        }))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let owner = owner(&call::caller(&request)?);
        let page = Page::of(request.get_ref().page_size, &request.get_ref().page_token)?;
        let read = self.0.orders.readers().read(move |reader| {
            reader.orders_before(owner.as_ref(), page.before.map(OrderId), page.size)
        });
        let orders = read.await.map_err(unread)?;
        Ok(Response::new(v1::ListOrdersResponse {
            next_page_token: page.next(orders.len(), orders.last().map(|order| order.id.0)),
            orders: orders.iter().map(render::order).collect(),
        }))
    }

    async fn list_deals(
        &self,
        request: Request<v1::ListDealsRequest>,
    ) -> Result<Response<v1::ListDealsResponse>, Status> {
        let owner = owner(&call::caller(&request)?);
        let page = Page::of(request.get_ref().page_size, &request.get_ref().page_token)?;
        let read = self.0.orders.readers().read(move |reader| {
            reader.deals_before(owner.as_ref(), page.before.map(Ticket), page.size)
        });
        let deals = read.await.map_err(unread)?;
        let render = self.render();
        Ok(Response::new(v1::ListDealsResponse {
            next_page_token: page.next(deals.len(), deals.last().map(|deal| deal.deal.ticket.0)),
            deals: deals.iter().map(|deal| render.owned_deal(deal)).collect(),
        }))
    }

    async fn raise_alert(
        &self,
        request: Request<v1::RaiseAlertRequest>,
    ) -> Result<Response<v1::RaiseAlertResponse>, Status> {
        alerts::raise(&self.0, request)?;
        Ok(Response::new(v1::RaiseAlertResponse {}))
    }
}
