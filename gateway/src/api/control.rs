//! `ControlService`.

use super::{Rooms, call, render};
use mymt5_chassis::clock;
use mymt5_guard::TradingState;
use mymt5_model::{OrderState, UtcTime};
use mymt5_proto::{Reason, Refusal, v1};
use tonic::{Request, Response, Status};
use v1::control_service_server::ControlService;

/// The service.
#[derive(Clone)]
pub struct Control(pub Rooms);

impl Control {
    fn broker_clock(&self) -> v1::BrokerClock {
        let Some((name, zone)) = &self.0.zone else {
            return v1::BrokerClock::default();
        };
        let now = UtcTime(clock::utc_now_ms());
        let offset = zone
            .to_broker(now)
            .and_then(|broker| i32::try_from((broker.0 - now.0) / 1000).ok());
        v1::BrokerClock {
            time_zone: name.to_string(),
            offset_seconds: offset,
            source: "configuration".into(),
            verified: None,
        }
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[tonic::async_trait]
impl ControlService for Control {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        call::caller(&request)?;
        let read = self.0.orders.ask(|core| {
            let unknown = core
                .open_orders()
                .filter(|order| order.state == OrderState::Unknown)
                .count();
            (core.trading_state(), core.counts(), core.frozen(), unknown)
        });
        let (state, (orders, fills, rejected), frozen, unknown) = read.await?;
        let link = self.0.link.status();
        let mut trading_reasons = Vec::new();
        if !link.state.is_up() {
            trading_reasons.push(Reason::LinkDown.name().to_owned());
        }
        if state != TradingState::Active {
            trading_reasons.push(Reason::TradingStateForbids.name().to_owned());
        }
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: Some(render::utc(self.0.started_ms)),
            account_kind: v1::AccountKind::from(self.0.kind).into(),
            link: Some(render::link(&link)),
            trading_state: render::trading_state(state).into(),
            trading_reasons,
            unknown_orders: count(unknown),
            frozen_symbols: frozen.iter().map(ToString::to_string).collect(),
            broker_clock: Some(self.broker_clock()),
            counters: Some(v1::Counters {
                ticks: self.0.hub.ticks(),
                orders,
                fills,
                rejected,
                tick_subscribers: count(self.0.hub.subscribers()),
                event_subscribers: count(self.0.event_streams.count()),
            }),
        }))
    }

    async fn set_trading_state(
        &self,
        _: Request<v1::SetTradingStateRequest>,
    ) -> Result<Response<v1::SetTradingStateResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }

    async fn flatten(
        &self,
        _: Request<v1::FlattenRequest>,
    ) -> Result<Response<v1::FlattenResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }

    async fn resolve_order(
        &self,
        _: Request<v1::ResolveOrderRequest>,
    ) -> Result<Response<v1::ResolveOrderResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }

    async fn adopt(
        &self,
        _: Request<v1::AdoptRequest>,
    ) -> Result<Response<v1::AdoptResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }

    async fn reload(
        &self,
        _: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }

    async fn backup(
        &self,
        _: Request<v1::BackupRequest>,
    ) -> Result<Response<v1::BackupResponse>, Status> {
        Err(Refusal::new(Reason::NotServed).into())
    }
}
