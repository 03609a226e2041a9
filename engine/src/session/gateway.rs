//! Two channels to the gateway, one for calls and one for streams: unread streams exhaust a
//! connection's window and would hold the orders with it.

use mymt5_chassis::{
    redact::Redactor,
    secrets::{self, Secret, SecretFileError},
    trace_context::TraceContext,
};
use mymt5_proto::v1::{
    control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};
use std::{fs, io, net::IpAddr, path::PathBuf, time::Duration};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

/// How to reach the gateway and prove who this is.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// `https://host:port`.
    pub address: String,
    /// The authority that signed the gateway's certificate.
    pub ca: PathBuf,
    /// Own certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
}

impl GatewaySettings {
    /// The port of the address; that of https where it names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        let uri = self.address.parse::<tonic::transport::Uri>();
        uri.ok().and_then(|uri| uri.port_u16()).unwrap_or(443)
    }

    /// True where the address is no literal one: the name must be resolved.
    #[must_use]
    pub fn is_named(&self) -> bool {
        let uri = self.address.parse::<tonic::transport::Uri>();
        let is_literal = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        !uri.is_ok_and(|uri| uri.host().is_some_and(is_literal))
    }

    /// The token as its file has it now; from here on no log shows it.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no text.
    pub fn token(&self, redactor: &Redactor) -> Result<Option<Secret>, ConnectError> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let token = secrets::read_file("gateway.token_file", path).map_err(ConnectError::Token)?;
        redactor.set_values(&[&token], &[]);
        Ok(Some(token))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of the identity cannot be read.
    #[error("cannot read {}; let this user read it, or name another file in [gateway]", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The token's file cannot be used.
    #[error("cannot use the token of gateway.token_file; correct that file")]
    Token(#[source] SecretFileError),
    /// The token cannot be sent.
    #[error(
        "the token of gateway.token_file is not plain text; put the token that `mymt5-gateway token` printed there"
    )]
    Unsendable,
    /// The gateway cannot be reached, or TLS fails.
    #[error("cannot reach the gateway; check gateway.address, the certificates, and that it runs")]
    Transport(#[source] tonic::transport::Error),
}

const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long a call may take.
pub(super) const CALL: Duration = Duration::from_secs(3);
/// Largest answer, bytes.
const ANSWER: usize = 4 * 1024 * 1024;

/// The connected gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    calls: Channel,
    streams: Channel,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Gateway {
    /// Connects both channels. Under TLS 1.3 that proves nothing yet about who this is: the first
    /// call does.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        settings: &GatewaySettings,
        redactor: &Redactor,
    ) -> Result<Self, ConnectError> {
        let endpoint = endpoint(settings)?;
        let calls = endpoint.connect().await.map_err(ConnectError::Transport)?;
        let streams = endpoint.connect().await.map_err(ConnectError::Transport)?;
        Ok(Self {
            calls,
            streams,
            authorization: authorization(settings, redactor)?,
        })
    }

    /// Over one channel for all, without a proof.
    #[cfg(test)]
    pub(super) fn over(channel: Channel) -> Self {
        Self {
            calls: channel.clone(),
            streams: channel,
            authorization: None,
        }
    }

    /// Orders, snapshot, heartbeat.
    pub(crate) fn trading(&self) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.calls.clone()).max_decoding_message_size(ANSWER)
    }

    /// Specifications.
    pub(crate) fn market_data(&self) -> MarketDataServiceClient<Channel> {
        MarketDataServiceClient::new(self.calls.clone()).max_decoding_message_size(ANSWER)
    }

    /// Status.
    pub(crate) fn control(&self) -> ControlServiceClient<Channel> {
        ControlServiceClient::new(self.calls.clone())
    }

    /// Ticks.
    pub(crate) fn tick_streams(&self) -> MarketDataServiceClient<Channel> {
        MarketDataServiceClient::new(self.streams.clone()).max_decoding_message_size(ANSWER)
    }

    /// Events.
    pub(crate) fn event_streams(&self) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.streams.clone()).max_decoding_message_size(ANSWER)
    }

    /// A call with its deadline, trace and proof.
    pub(crate) fn call<T>(&self, message: T, trace: &TraceContext) -> Request<T> {
        self.call_within(CALL, message, trace)
    }

    /// The same with a deadline of its own, for what may take long.
    pub(crate) fn call_within<T>(
        &self,
        limit: Duration,
        message: T,
        trace: &TraceContext,
    ) -> Request<T> {
        let mut request = self.stream(message, trace);
        request.set_timeout(limit);
        request
    }

    /// A stream: as a call, without a deadline.
    pub(crate) fn stream<T>(&self, message: T, trace: &TraceContext) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(value) = trace.to_string().parse() {
            request.metadata_mut().insert("traceparent", value);
        }
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        request
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|error| ConnectError::File(path.clone(), error))
}

fn endpoint(settings: &GatewaySettings) -> Result<Endpoint, ConnectError> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&settings.ca)?));
    if let Some((certificate, key)) = &settings.identity {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    let endpoint =
        Endpoint::from_shared(settings.address.clone()).map_err(ConnectError::Transport)?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(CONNECT)
        .keep_alive_while_idle(true);
    endpoint.tls_config(tls).map_err(ConnectError::Transport)
}

fn authorization(
    settings: &GatewaySettings,
    redactor: &Redactor,
) -> Result<Option<MetadataValue<Ascii>>, ConnectError> {
    let Some(token) = settings.token(redactor)? else {
        return Ok(None);
    };
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose())
        .parse()
        .map_err(|_| ConnectError::Unsendable)?;
    value.set_sensitive(true);
    Ok(Some(value))
}
