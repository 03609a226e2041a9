//! `ControlService`.

use super::{Rooms, call, decisions, render};
use crate::journal;
use mymt5_chassis::clock;
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, OrderId, OrderState, PositionId, Ticket, UtcTime};
use mymt5_orders::{Call, Core};
use mymt5_proto::{Reason, Refusal, Violations, v1};
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
        let verified = self.0.link.status().clock.verified;
        let source = if verified.is_some() {
            "ticks"
        } else {
            "configuration"
        };
        v1::BrokerClock {
            time_zone: name.to_string(),
            offset_seconds: offset,
            source: source.into(),
            verified: verified.map(|at| render::utc(at.0)),
        }
    }
}

impl Control {
    /// Who asks for a change, under which id.
    fn mutating<M: prost::Message + std::fmt::Debug>(
        &self,
        request: Request<M>,
        method: &'static str,
        id: impl Fn(&M) -> &str,
    ) -> Result<(Call, M), Refusal> {
        let caller = call::caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let max_queue_ms = self.0.max_queue_ms;
        let call = call::mutating(
            &extensions,
            &caller,
            method,
            id(&message),
            &message,
            max_queue_ms,
        )?;
        Ok((call, message))
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
        let link = self.0.link.status();
        let standing = self.0.orders.ask(standing).await;
        let standing = standing.or_else(Standing::unknown)?;
        let Standing {
            state,
            trading_reasons,
            unknown,
            frozen,
            counts: (orders, fills, rejected),
        } = standing;
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: Some(render::utc(self.0.started_ms)),
            account_kind: v1::AccountKind::from(self.0.kind).into(),
            link: Some(render::link(&link)),
            trading_state: render::trading_state(state).into(),
            trading_reasons,
            unknown_orders: count(unknown),
            frozen_symbols: frozen,
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
        request: Request<v1::SetTradingStateRequest>,
    ) -> Result<Response<v1::SetTradingStateResponse>, Status> {
        let (call, message) = self.mutating(request, "SetTradingState", |m| &m.request_id)?;
        let (scope, reason) = (
            decisions::scope(&message.client)?,
            decisions::why(&message.reason)?,
        );
        let state = decisions::trading_state(message.state())?;
        let set = self
            .0
            .orders
            .decide(move |core| core.set_state(&call, scope, state, &reason));
        let state = render::trading_state(set.await?).into();
        Ok(Response::new(v1::SetTradingStateResponse { state }))
    }

    async fn flatten(
        &self,
        request: Request<v1::FlattenRequest>,
    ) -> Result<Response<v1::FlattenResponse>, Status> {
        let (call, message) = self.mutating(request, "Flatten", |m| &m.request_id)?;
        let (scope, reason) = (
            decisions::scope(&message.client)?,
            decisions::why(&message.reason)?,
        );
        tracing::warn!(
            client = message.client,
            reason,
            by = call.client.as_str(),
            "flattening"
        );
        let foreign = message.include_foreign;
        let begun = self
            .0
            .orders
            .decide(move |core| core.flatten(&call, scope, foreign));
        let (cancellations, closes) = begun.await?;
        Ok(Response::new(v1::FlattenResponse {
            cancellations,
            closes,
        }))
    }

    async fn resolve_order(
        &self,
        request: Request<v1::ResolveOrderRequest>,
    ) -> Result<Response<v1::ResolveOrderResponse>, Status> {
        let (call, message) = self.mutating(request, "ResolveOrder", |m| &m.request_id)?;
        let (id, why) = (OrderId(message.order_id), decisions::why(&message.reason)?);
        let resolution = decisions::resolution(message.resolution())?;
        let order = self.0.orders.decide(move |core| {
            let taken = core.resolve(&call, id, resolution, &why)?;
            Ok((core.order(taken.order).cloned(), Vec::new()))
        });
        let order = order.await?;
        Ok(Response::new(v1::ResolveOrderResponse {
            order: order.as_ref().map(render::order),
        }))
    }

    async fn adopt(
        &self,
        request: Request<v1::AdoptRequest>,
    ) -> Result<Response<v1::AdoptResponse>, Status> {
        use v1::adopt_request::Target;
        let (call, message) = self.mutating(request, "Adopt", |m| &m.request_id)?;
        decisions::why(&message.reason)?;
        let client = decisions::scope(&message.client)?
            .ok_or_else(|| Violations::one("client", Reason::FieldInvalid, "must be set"))?;
        let target = message
            .target
            .ok_or_else(|| Violations::one("target", Reason::FieldInvalid, "must be set"))?;
        let adopted = self.0.orders.decide(move |core| {
            match target {
                Target::PositionId(id) => core.adopt_position(&call, &client, PositionId(id))?,
                Target::OrderId(ticket) => core.adopt_order(&call, &client, Ticket(ticket))?,
            }
            Ok(((), Vec::new()))
        });
        adopted.await?;
        Ok(Response::new(v1::AdoptResponse {}))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        call::caller(&request)?;
        let taken = self.0.reloader.reload().await;
        let taken =
            taken.map_err(|error| Refusal::because(Reason::ReloadRefused, error.to_string()))?;
        Ok(Response::new(v1::ReloadResponse {
            reloaded: taken.reloaded,
            needs_restart: taken.needs_restart,
        }))
    }

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<v1::BackupResponse>, Status> {
        call::caller(&request)?;
        let journal = self.0.journal.clone();
        let written = tokio::task::spawn_blocking(move || journal::backup(&journal)).await;
        let (file, bytes) = written.map_err(|_| Refusal::new(Reason::Internal))?.map_err(|error| {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "backup failed");
            Refusal::new(Reason::BackupFailed)
        })?;
        tracing::info!(file, bytes, "backup written");
        Ok(Response::new(v1::BackupResponse { file, bytes }))
    }
}

/// How trading stands, as far as the core answers.
struct Standing {
    state: TradingState,
    trading_reasons: Vec<String>,
    unknown: usize,
    frozen: Vec<String>,
    counts: (u64, u64, u64),
}

fn standing(core: &mut Core) -> Standing {
    let unknown = core
        .open_orders()
        .filter(|order| order.state == OrderState::Unknown)
        .count();
    let closed = core
        .closed()
        .into_iter()
        .map(|reason| reason.name().to_owned());
    let restrictions = core.restrictions().map(|row| {
        let scope = row.client.as_ref().map_or("account", ClientName::as_str);
        format!("{scope} {:?}: {} ({})", row.state, row.reason, row.by)
    });
    Standing {
        state: core.account_state(),
        trading_reasons: closed.chain(restrictions).collect(),
        unknown,
        frozen: core.frozen().iter().map(ToString::to_string).collect(),
        counts: core.counts(),
    }
}

impl Standing {
    /// Without a journal nothing trades, and that much can be told.
    fn unknown(refusal: Refusal) -> Result<Self, Refusal> {
        if refusal.reason() != Reason::JournalDown {
            return Err(refusal);
        }
        Ok(Self {
            state: TradingState::Halted,
            trading_reasons: vec![Reason::JournalDown.name().to_owned()],
            unknown: 0,
            frozen: Vec::new(),
            counts: (0, 0, 0),
        })
    }
}
