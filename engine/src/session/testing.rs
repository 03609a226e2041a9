//! A gateway that answers what a test needs, over a real connection.
#![allow(clippy::unwrap_used)]

use super::{CrashAlert, Gateway, GatewaySettings, SERVICE, Session};
use crate::{
    intents::Intents,
    trader::{Close, Intent, Trader},
};
use mymt5_chassis::{health::Health, redact::Redactor};
use mymt5_model::{Lots, PositionId, RequestId};
use mymt5_proto::{
    Reason, Refusal,
    v1::{
        self,
        control_service_server::{ControlService, ControlServiceServer},
        market_data_service_server::{MarketDataService, MarketDataServiceServer},
        trading_service_server::{TradingService, TradingServiceServer},
    },
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tokio::{net::TcpListener, task::spawn_blocking, time::advance};
use tokio_stream::{Pending, wrappers::TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server},
};

type Answer<T> = Result<Response<T>, Status>;

/// What it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Bars(v1::Timeframe),
    Deals,
    Heartbeat,
}

/// A gateway that lives, lists, has a snapshot and no order, streams nothing, and refuses all else.
#[derive(Clone, Default)]
pub(super) struct FakeGateway {
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    /// How long each listing of bars takes on the paused clock.
    pub(super) bars_take: Duration,
    /// Newest first.
    pub(super) deals: Vec<v1::Deal>,
    pub(super) snapshot: v1::GetSnapshotResponse,
}

/// A session of that trader, with its intents in that folder.
pub(super) fn session(trader: Trader, folder: &Path) -> Session {
    Session {
        settings: GatewaySettings {
            address: String::new(),
            ca: PathBuf::new(),
            identity: None,
            token_file: None,
        },
        trader,
        intents: Intents::open(&folder.join("intents.db")).unwrap(),
        health: Health::new(&[SERVICE]),
        redactor: Redactor::new(),
        session_id: "process".to_owned(),
        crash_alert: CrashAlert::of(&[], String::new()),
    }
}

/// The close of so much of a position, or of all of it.
pub(super) fn close(request_id: &str, lots: Option<Lots>) -> Intent {
    Intent::Close(Close {
        request_id: RequestId::parse(request_id).unwrap(),
        position_id: PositionId(7),
        lots,
        tag: "jumps".into(),
        exits: false,
    })
}

/// Until the sender is dropped a test's paused clock stands still; else it goes on by itself while a test
/// awaits its connection.
pub(super) fn hold_clock() -> mpsc::Sender<()> {
    let (held, released) = mpsc::channel();
    spawn_blocking(move || released.recv());
    held
}

impl FakeGateway {
    /// Serves as long as the test runs; a connection to it.
    pub(super) async fn serve(&self) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(MarketDataServiceServer::new(self.clone()))
            .add_service(TradingServiceServer::new(self.clone()))
            .add_service(ControlServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        Gateway::over(endpoint.connect().await.unwrap())
    }

    /// What it was asked for since this was asked last.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().drain(..).collect()
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
    }
}

fn refused() -> Status {
    Status::unimplemented("no test asks for this")
}

#[tonic::async_trait]
impl MarketDataService for FakeGateway {
    type StreamTicksStream = Pending<Result<v1::StreamTicksResponse, Status>>;
    type StreamTicksInStepStream = Pending<Result<v1::StreamTicksInStepResponse, Status>>;

    async fn list_bars(
        &self,
        request: Request<v1::ListBarsRequest>,
    ) -> Answer<v1::ListBarsResponse> {
        self.note(Asked::Bars(request.get_ref().timeframe()));
        advance(self.bars_take).await;
        Ok(Response::new(v1::ListBarsResponse::default()))
    }

    async fn list_symbols(
        &self,
        _: Request<v1::ListSymbolsRequest>,
    ) -> Answer<v1::ListSymbolsResponse> {
        Ok(Response::new(v1::ListSymbolsResponse::default()))
    }

    async fn list_ticks(&self, _: Request<v1::ListTicksRequest>) -> Answer<v1::ListTicksResponse> {
        Err(refused())
    }

    async fn stream_ticks(
        &self,
        _: Request<v1::StreamTicksRequest>,
    ) -> Answer<Self::StreamTicksStream> {
        Err(refused())
    }

    async fn stream_ticks_in_step(
        &self,
        _: Request<Streaming<v1::StreamTicksInStepRequest>>,
    ) -> Answer<Self::StreamTicksInStepStream> {
        Ok(Response::new(tokio_stream::pending()))
    }
}

#[tonic::async_trait]
impl TradingService for FakeGateway {
    type StreamEventsStream = Pending<Result<v1::StreamEventsResponse, Status>>;

    async fn heartbeat(&self, _: Request<v1::HeartbeatRequest>) -> Answer<v1::HeartbeatResponse> {
        self.note(Asked::Heartbeat);
        Ok(Response::new(v1::HeartbeatResponse::default()))
    }

    async fn list_deals(&self, _: Request<v1::ListDealsRequest>) -> Answer<v1::ListDealsResponse> {
        self.note(Asked::Deals);
        Ok(Response::new(v1::ListDealsResponse {
            deals: self.deals.clone(),
            next_page_token: String::new(),
        }))
    }

    async fn check_order(
        &self,
        _: Request<v1::CheckOrderRequest>,
    ) -> Answer<v1::CheckOrderResponse> {
        Err(refused())
    }

    async fn submit_order(
        &self,
        _: Request<v1::SubmitOrderRequest>,
    ) -> Answer<v1::SubmitOrderResponse> {
        Err(refused())
    }

    async fn modify_order(
        &self,
        _: Request<v1::ModifyOrderRequest>,
    ) -> Answer<v1::ModifyOrderResponse> {
        Err(refused())
    }

    async fn cancel_order(
        &self,
        _: Request<v1::CancelOrderRequest>,
    ) -> Answer<v1::CancelOrderResponse> {
        Err(refused())
    }

    async fn modify_position(
        &self,
        _: Request<v1::ModifyPositionRequest>,
    ) -> Answer<v1::ModifyPositionResponse> {
        Err(refused())
    }

    async fn close_position(
        &self,
        _: Request<v1::ClosePositionRequest>,
    ) -> Answer<v1::ClosePositionResponse> {
        Err(refused())
    }

    async fn get_order(&self, _: Request<v1::GetOrderRequest>) -> Answer<v1::GetOrderResponse> {
        Err(Status::from(Refusal::new(Reason::OrderNotFound)))
    }

    async fn get_snapshot(
        &self,
        _: Request<v1::GetSnapshotRequest>,
    ) -> Answer<v1::GetSnapshotResponse> {
        Ok(Response::new(self.snapshot.clone()))
    }

    async fn list_orders(
        &self,
        _: Request<v1::ListOrdersRequest>,
    ) -> Answer<v1::ListOrdersResponse> {
        Err(refused())
    }

    async fn raise_alert(
        &self,
        _: Request<v1::RaiseAlertRequest>,
    ) -> Answer<v1::RaiseAlertResponse> {
        Err(refused())
    }

    async fn stream_events(
        &self,
        _: Request<v1::StreamEventsRequest>,
    ) -> Answer<Self::StreamEventsStream> {
        Ok(Response::new(tokio_stream::pending()))
    }
}

#[tonic::async_trait]
impl ControlService for FakeGateway {
    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Answer<v1::GetStatusResponse> {
        Ok(Response::new(v1::GetStatusResponse::default()))
    }

    async fn set_trading_state(
        &self,
        _: Request<v1::SetTradingStateRequest>,
    ) -> Answer<v1::SetTradingStateResponse> {
        Err(refused())
    }

    async fn flatten(&self, _: Request<v1::FlattenRequest>) -> Answer<v1::FlattenResponse> {
        Err(refused())
    }

    async fn resolve_order(
        &self,
        _: Request<v1::ResolveOrderRequest>,
    ) -> Answer<v1::ResolveOrderResponse> {
        Err(refused())
    }

    async fn adopt(&self, _: Request<v1::AdoptRequest>) -> Answer<v1::AdoptResponse> {
        Err(refused())
    }

    async fn accept(&self, _: Request<v1::AcceptRequest>) -> Answer<v1::AcceptResponse> {
        Err(refused())
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Answer<v1::ReloadResponse> {
        Err(refused())
    }

    async fn test_notifiers(
        &self,
        _: Request<v1::TestNotifiersRequest>,
    ) -> Answer<v1::TestNotifiersResponse> {
        Err(refused())
    }

    async fn backup(&self, _: Request<v1::BackupRequest>) -> Answer<v1::BackupResponse> {
        Err(refused())
    }
}
