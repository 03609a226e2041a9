//! The API port: own accept loop, every limit set by hand, the layers in their order.

mod accept;
mod audit;
mod complete;
mod connection;
mod gate;

pub use gate::Registry;

use crate::api::{Control, MarketData, Rooms, Trading};
use mymt5_chassis::health::Health;
use mymt5_proto::v1::{
    control_service_server::ControlServiceServer,
    market_data_service_server::MarketDataServiceServer,
    trading_service_server::TradingServiceServer,
};
use std::{net::TcpListener, os::unix::net::UnixListener, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tower::ServiceBuilder;

/// Streams of one connection, and calls it may have in hand.
const STREAMS: u32 = 128;
/// Header list of a request, bytes.
const HEADERS: u32 = 16 * 1024;
/// Streams a peer may reset before its connection is closed.
const RESETS: usize = 20;
/// Largest request, bytes.
const REQUEST: usize = 64 * 1024;
/// Largest response, bytes.
const RESPONSE: usize = 4 * 1024 * 1024;
/// How long a connection's stop may take after the streams were told to end.
const STOP: Duration = Duration::from_millis(1_500);

/// What the API port needs.
pub struct Api {
    /// The bound listener.
    pub listener: TcpListener,
    /// The bound control socket.
    pub control: UnixListener,
    /// Certificates; replaced as a whole at a rotation.
    pub tls: Arc<arc_swap::ArcSwap<rustls::ServerConfig>>,
    /// Who may call.
    pub registry: Registry,
    /// What the services translate for.
    pub rooms: Rooms,
    /// Health, also here.
    pub health: Health,
}

/// What could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener does not work.
    #[error("the API port cannot be served")]
    Listener(#[source] std::io::Error),
    /// The transport failed.
    #[error("the API server failed")]
    Transport(#[source] tonic::transport::Error),
    /// The reflection service refuses the contract's descriptors.
    #[error("reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// Serves the API until the token, then gives open calls a moment.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(api: Api, stop: CancellationToken) -> Result<(), ServeError> {
    let connections = accept::connections(api.listener, api.control, api.tls, stop.clone())
        .map_err(ServeError::Listener)?;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(mymt5_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let market_data = MarketDataServiceServer::new(MarketData(api.rooms.clone()));
    let trading = TradingServiceServer::new(Trading(api.rooms.clone()));
    let control = ControlServiceServer::new(Control(api.rooms));
    let server = Server::builder()
        .max_concurrent_streams(STREAMS)
        .concurrency_limit_per_connection(STREAMS as usize)
        .load_shed(true)
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .layer(
            ServiceBuilder::new()
                .layer(audit::AuditLayer)
                .layer(gate::GateLayer(api.registry))
                .into_inner(),
        )
        .add_service(
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
        .add_service(api.health.service())
        .add_service(reflection().build_v1().map_err(ServeError::Reflection)?)
        .add_service(
            reflection()
                .build_v1alpha()
                .map_err(ServeError::Reflection)?,
        )
        .serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned());
    tokio::select! {
        served = server => served.map_err(ServeError::Transport),
        () = async { stop.cancelled().await; tokio::time::sleep(STOP).await } => {
            tracing::warn!("connections cut at the end of the drain");
            Ok(())
        }
    }
}
