//! The API port: own accept loop, every limit set by hand, the layers in their order. The
//! transport's ready-made server is not used: it ends calls at their deadline in words that are not
//! the contract's.

mod accept;
mod audit;
mod complete;
mod connection;
mod deadline;
mod gate;
mod marks;
mod revocation;

use crate::{
    access::{Calls, Registry},
    api::{AppState, Control, MarketData, Trading},
    reload::Identity,
};
use mymt5_chassis::health::Health;
use mymt5_proto::v1::{
    control_service_server::ControlServiceServer,
    market_data_service_server::MarketDataServiceServer,
    trading_service_server::TradingServiceServer,
};
use std::{net::TcpListener, os::unix::net::UnixListener, time::Duration};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::{ServiceBuilder, util::BoxCloneSyncService};

/// Largest request, bytes.
const REQUEST: usize = 64 * 1024;
/// Largest response, bytes.
const RESPONSE: usize = 4 * 1024 * 1024;
/// What the API port needs.
pub struct Api {
    /// The bound listener.
    pub listener: TcpListener,
    /// The bound control socket.
    pub control: UnixListener,
    /// Certificates; replaced as a whole at a rotation.
    pub tls: Identity,
    /// Who may call.
    pub registry: Registry,
    /// What the services translate for.
    pub app: AppState,
    /// Health, also here.
    pub health: Health,
    /// How long a client's connection lives.
    pub max_connection_age: Duration,
}

/// What could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener does not work.
    #[error("the API port cannot be served")]
    Listener(#[source] std::io::Error),
    /// The reflection service refuses the contract's descriptors.
    #[error("reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// Serves the API until the token, then gives open calls a moment.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(api: Api, stop: CancellationToken) -> Result<(), ServeError> {
    let services = ServiceBuilder::new()
        .layer(audit::AuditLayer {
            trail: api.app.trail.clone(),
            journal: api.app.orders.clone(),
        })
        .layer(gate::GateLayer {
            registry: api.registry,
            calls: Calls::default(),
        })
        .layer(deadline::DeadlineLayer)
        .service(routes(api.app, &api.health)?);
    let services = BoxCloneSyncService::new(services);
    let max_age = api.max_connection_age;
    accept::serve(api.listener, api.control, api.tls, services, max_age, stop)
        .await
        .map_err(ServeError::Listener)
}

fn routes(app: AppState, health: &Health) -> Result<Routes, ServeError> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(mymt5_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let market_data = MarketDataServiceServer::new(MarketData(app.clone()));
    let trading = TradingServiceServer::new(Trading(app.clone()));
    let control = ControlServiceServer::new(Control(app));
    let v1 = reflection().build_v1().map_err(ServeError::Reflection)?;
    let v1alpha = reflection()
        .build_v1alpha()
        .map_err(ServeError::Reflection)?;
    Ok(Routes::new(
        market_data
            .max_decoding_message_size(REQUEST)
            .max_encoding_message_size(RESPONSE),
    )
    .add_service(
        trading
            .max_decoding_message_size(REQUEST)
            .max_encoding_message_size(RESPONSE),
    )
    .add_service(
        control
            .max_decoding_message_size(REQUEST)
            .max_encoding_message_size(RESPONSE),
    )
    .add_service(health.service())
    .add_service(v1)
    .add_service(v1alpha)
    .prepare())
}
