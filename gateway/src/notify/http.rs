//! One HTTP request on a connection of its own. No error shows the address's path: it may hold a
//! secret.

use super::net::{Bounded, Trust, is_loopback};
use http::{
    Method, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{error::Error, io, pin::pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Most that is kept of an answer's body, bytes.
const BODY: usize = 16 * 1024;

/// Where an HTTP server is. `Debug` does not show its path.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
    /// With the query, if there is one.
    path: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}/***", self.host, self.port)
    }
}

impl Address {
    /// Of `https://`, or of `http://` to a literal loopback address; none: it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str();
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" if is_loopback(&host) => false,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let is_plain = !authority.contains('@') && !text.contains('#');
        (is_plain && port > 0 && !host.is_empty()).then(|| Self {
            tls,
            host,
            port,
            path: path.to_owned(),
        })
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its host: a name, or an address written out.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True where its server proves itself by a certificate.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }
}

/// Why there is no answer. It shows neither path nor body.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the server cannot be reached: {}", told(.0))]
    Unreachable(io::Error),
    #[error("the server does not prove who it is: {}", told(.0))]
    Unproven(io::Error),
    #[error("the request cannot be written")]
    Unfit,
    #[error("the server broke the connection off")]
    Broken,
}

/// An error of the system or of TLS: it quotes nothing of the request.
pub(super) fn told(error: &io::Error) -> String {
    let cause = error
        .get_ref()
        .map(|cause| (cause as &dyn Error).to_string());
    cause.unwrap_or_else(|| error.kind().to_string())
}

/// What is asked of a server.
pub(super) struct Asked<'a> {
    pub(super) address: &'a Address,
    /// Follows the address's own path; empty: that is the whole path.
    pub(super) path: &'a str,
    /// Posted as JSON; none: it is a GET.
    pub(super) json: Option<String>,
}

impl Asked<'_> {
    /// The answer's status and the body, of bounded length. It may take for ever.
    pub(super) async fn answer(
        self,
        trust: Option<&Trust>,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let address = self.address;
        let request = self.request()?;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.map_err(HttpError::Unreachable)?;
        match trust.filter(|_| address.tls) {
            Some(trust) => {
                let stream = trust.prove(&address.host, stream).await;
                let stream = stream.map_err(HttpError::Unproven)?;
                talk(Bounded::new(stream), request).await
            }
            None if address.tls => {
                let kind = io::ErrorKind::PermissionDenied;
                Err(HttpError::Unproven(kind.into()))
            }
            None => talk(Bounded::new(stream), request).await,
        }
    }

    fn request(self) -> Result<Request<Full<Bytes>>, HttpError> {
        let Self {
            address,
            path,
            json,
        } = self;
        let path = match path {
            "" => address.path.clone(),
            path => format!("{}{path}", address.path.trim_end_matches('/')),
        };
        let host = if address.host.contains(':') {
            format!("[{}]:{}", address.host, address.port)
        } else {
            format!("{}:{}", address.host, address.port)
        };
        let method = if json.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(USER_AGENT, "mymt5-gateway")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(json.unwrap_or_default()));
        request.map_err(|_| HttpError::Unfit)
    }
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opened = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|_| HttpError::Broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|_| HttpError::Broken)?.into_parts();
        let body = Limited::new(body, BODY).collect().await;
        // The status tells enough where a body is cut off or too long.
        let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        Ok((head.status, body))
    };
    let mut exchange = pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // What it read before its end is there.
        _ = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_literal_loopback_address_is_spoken_to_in_plain_text() {
        for (text, host, port, path) in [
            ("https://api.telegram.org", "api.telegram.org", 443, "/"),
            (
                "https://a.example:8443/x/?y=1",
                "a.example",
                8443,
                "/x/?y=1",
            ),
            ("http://127.0.0.1:99/", "127.0.0.1", 99, "/"),
            ("http://[::1]:99", "::1", 99, "/"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(address.path, path, "{text}");
            assert_eq!(address.is_tls(), text.starts_with("https"));
        }
        for text in [
            "http://localhost:99",
            "http://10.0.0.1",
            "http://example.org",
            "https://user@example.org",
            "https://example.org#x",
            "https://",
            "https://example.org:0",
            "ftp://127.0.0.1",
            "127.0.0.1:99",
            "",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_path() {
        let address = Address::parse("https://example.org/secret").unwrap();
        assert_eq!(format!("{address:?}"), "example.org:443/***");
    }
}
