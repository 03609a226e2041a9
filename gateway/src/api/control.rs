//! `ControlService`.

use super::{
    AppState,
    call::{self, mutating},
    decisions, render,
    status::{TradingStatus, View},
};
use crate::{audit::Outcome, journal};
use mymt5_chassis::clock;
use mymt5_model::{OrderId, UtcTime};
use mymt5_orders::{Answer, Command};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use serde_json::Value;
use tonic::{Request, Response, Status};
use v1::control_service_server::ControlService;

/// The service.
#[derive(Clone)]
pub struct Control(pub AppState);

impl Control {
    /// An operator's reason, as it may be kept and told.
    fn why(&self, reason: &str) -> Result<String, Refusal> {
        decisions::why(self.0.trail.redactor(), reason)
    }

    async fn written_backup(&self) -> Result<(String, u64), Refusal> {
        let journal = self.0.journal.clone();
        let written = tokio::task::spawn_blocking(move || journal::backup(&journal)).await;
        written.map_err(|_| Refusal::new(Reason::Internal))?.map_err(|error| {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "backup failed");
            Refusal::new(Reason::BackupFailed)
        })
    }

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

/// How a call without an answer of the core's ended, for the record.
pub(super) fn outcome<T>(done: &Result<T, Refusal>) -> Outcome {
    match done {
        Ok(_) => Outcome::Done(Value::Null),
        Err(refusal) => Outcome::Refused(refusal.reason().name()),
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

mutating! {
    "SetTradingState" SetTradingStateRequest;
    "Flatten" FlattenRequest;
    "ResolveOrder" ResolveOrderRequest;
    "Adopt" AdoptRequest;
    "Accept" AcceptRequest;
}

#[tonic::async_trait]
impl ControlService for Control {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let caller = call::caller(&request)?;
        let link = self.0.link.status();
        let turn = call::turn(&caller);
        let view = View(caller);
        let asked = self.0.orders.ask_for(&turn, move |core| view.of(core));
        let trading_status = asked.await;
        let mut trading_status = trading_status.or_else(TradingStatus::unknown)?;
        let redactor = self.0.trail.redactor();
        trading_status.mask(redactor);
        let mut link = render::link(&link);
        link.reason = redactor.clean(&link.reason).into_owned();
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: Some(render::utc(self.0.started_ms)),
            account_kind: v1::AccountKind::from(self.0.kind).into(),
            link: Some(link),
            trading_state: render::trading_state(trading_status.state).into(),
            trading_reasons: trading_status.reasons,
            unknown_orders: count(trading_status.unknown),
            frozen_symbols: trading_status.frozen,
            broker_clock: Some(self.broker_clock()),
            counters: Some(v1::Counters {
                ticks: self.0.hub.ticks(),
                orders: trading_status.counts.0,
                fills: trading_status.counts.1,
                rejected: trading_status.counts.2,
                tick_subscribers: count(self.0.hub.subscribers()),
                event_subscribers: count(self.0.event_streams.count()),
            }),
            obstacles: trading_status.obstacles,
            flattens: trading_status.flattens,
            disk: Some(render::disk(&self.0.disk)),
            losses: trading_status.losses,
            server_time: Some(render::utc(clock::utc_now_ms())),
        }))
    }

    async fn set_trading_state(
        &self,
        request: Request<v1::SetTradingStateRequest>,
    ) -> Result<Response<v1::SetTradingStateResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::SetState {
                scope: decisions::scope(&message.client)?,
                state: decisions::trading_state(message.state())?,
                reason: self.why(&message.reason)?,
            })
        });
        let Answer::State(state) = taken.await? else {
            return Err(Refusal::new(Reason::Internal).into());
        };
        let state = render::trading_state(state).into();
        Ok(Response::new(v1::SetTradingStateResponse { state }))
    }

    async fn flatten(
        &self,
        request: Request<v1::FlattenRequest>,
    ) -> Result<Response<v1::FlattenResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::Flatten {
                scope: decisions::scope(&message.client)?,
                include_foreign: message.include_foreign,
                reason: self.why(&message.reason)?,
            })
        });
        let Answer::Flatten(report) = taken.await? else {
            return Err(Refusal::new(Reason::Internal).into());
        };
        Ok(Response::new(v1::FlattenResponse {
            cancellations: report.cancellations,
            closes: report.closes,
            left: report.left.iter().map(render::leftover).collect(),
        }))
    }

    async fn resolve_order(
        &self,
        request: Request<v1::ResolveOrderRequest>,
    ) -> Result<Response<v1::ResolveOrderResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::Resolve {
                order: OrderId(message.order_id),
                resolution: decisions::resolution(message.resolution())?,
                reason: self.why(&message.reason)?,
            })
        });
        let Answer::Order(order) = taken.await? else {
            return Err(Refusal::new(Reason::Internal).into());
        };
        Ok(Response::new(v1::ResolveOrderResponse {
            order: Some(render::order(&order)),
        }))
    }

    async fn adopt(
        &self,
        request: Request<v1::AdoptRequest>,
    ) -> Result<Response<v1::AdoptResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            let client = decisions::scope(&message.client)?;
            let unset = || Violations::one("client", Reason::FieldInvalid, "expected a name");
            Ok(Command::Adopt {
                client: client.ok_or_else(unset)?,
                what: decisions::adoption(message.target)?,
                reason: self.why(&message.reason)?,
            })
        });
        taken.await?;
        Ok(Response::new(v1::AdoptResponse {}))
    }

    async fn accept(
        &self,
        request: Request<v1::AcceptRequest>,
    ) -> Result<Response<v1::AcceptResponse>, Status> {
        let taken = self.0.take(request, |_, message| {
            Ok(Command::Accept {
                what: decisions::acceptance(message.what.clone())?,
                reason: self.why(&message.reason)?,
            })
        });
        taken.await?;
        Ok(Response::new(v1::AcceptResponse {}))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let caller = call::caller(&request)?;
        let call = ("Reload", "");
        let asked = self
            .0
            .asked(request.extensions(), &caller, call, Value::Null, false)?;
        let taken = self.0.reloader.reload().await;
        let taken =
            taken.map_err(|error| Refusal::because(Reason::ReloadRefused, error.to_string()));
        asked.answered(outcome(&taken));
        let taken = taken?;
        Ok(Response::new(v1::ReloadResponse {
            reloaded: taken.reloaded,
            needs_restart: taken.needs_restart,
        }))
    }

    async fn test_notifiers(
        &self,
        request: Request<v1::TestNotifiersRequest>,
    ) -> Result<Response<v1::TestNotifiersResponse>, Status> {
        let caller = call::caller(&request)?;
        let call = ("TestNotifiers", "");
        let asked = self
            .0
            .asked(request.extensions(), &caller, call, Value::Null, false)?;
        let tested = self.0.notifier.test().await;
        asked.answered(Outcome::Done(Value::Null));
        let results = tested.into_iter().map(|tested| v1::NotifierResult {
            channel: tested.channel.to_owned(),
            delivered: tested.failure.is_none(),
            failure: tested.failure.unwrap_or_default(),
        });
        Ok(Response::new(v1::TestNotifiersResponse {
            results: results.collect(),
        }))
    }

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<v1::BackupResponse>, Status> {
        let caller = call::caller(&request)?;
        let call = ("Backup", "");
        let asked = self
            .0
            .asked(request.extensions(), &caller, call, Value::Null, false)?;
        let written = self.written_backup().await;
        asked.answered(outcome(&written));
        let (file, bytes) = written?;
        tracing::info!(file, bytes, "backup written");
        Ok(Response::new(v1::BackupResponse { file, bytes }))
    }
}
