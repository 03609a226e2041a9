//! The way to a server that is not ours: whom its certificate must come from, and how much is read of
//! it at most.

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Most that is read of a server in one conversation, bytes.
const ANSWER: usize = 256 * 1024;

/// The authorities that servers' certificates must come from.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Vec<CertificateDer<'static>>,
    config: Arc<ClientConfig>,
}

impl Trust {
    /// In those of the certificates that can be used; none: that is none of them.
    #[must_use]
    pub fn in_any_of(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let mut store = RootCertStore::empty();
        let mut roots = certificates;
        roots.retain(|root| store.add(root.clone()).is_ok());
        if roots.is_empty() {
            return None;
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(store)
            .with_no_client_auth();
        Some(Self {
            roots,
            config: Arc::new(config),
        })
    }

    /// The authorities' certificates.
    pub(super) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Has the server prove by a certificate that it is that host.
    pub(super) async fn prove(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let connector = TlsConnector::from(self.config.clone());
        connector.connect(name, stream).await
    }
}

/// True for a loopback address written out: a name may lead elsewhere.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
}

/// Of which so many bytes may still be read.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    pub(super) stream: S,
    left: usize,
}

impl<S> Bounded<S> {
    /// Of a stream that nothing was read of.
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            left: ANSWER,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let fresh = buffer.filled().len() - before;
        match self.left.checked_sub(fresh) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into())),
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
