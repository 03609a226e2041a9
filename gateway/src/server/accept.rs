//! The accept loop: TLS handshakes with a time limit, a bound on pending ones and on connections,
//! and the peer's proven name carried to the calls.

use arc_swap::ArcSwap;
use mymt5_chassis::tls;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

const HANDSHAKE: Duration = Duration::from_secs(5);
const PENDING_HANDSHAKES: usize = 64;
const CONNECTIONS: usize = 1_024;
/// After a failed accept (no descriptors left), before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The name in its verified certificate; none without a certificate.
    pub certificate: Option<String>,
    /// Its address.
    pub address: SocketAddr,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

/// Accepts until the token.
pub(super) fn connections(
    listener: std::net::TcpListener,
    tls: Arc<ArcSwap<rustls::ServerConfig>>,
    stop: CancellationToken,
) -> io::Result<ReceiverStream<io::Result<Connection>>> {
    let listener = TcpListener::from_std(listener)?;
    let (accepted, connections) = mpsc::channel(PENDING_HANDSHAKES);
    tokio::spawn(async move {
        let pending = Arc::new(Semaphore::new(PENDING_HANDSHAKES));
        let open = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = listener.accept() => next,
            };
            let (stream, address) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            // A full house drops the newcomer at once instead of letting it wait.
            let permits = pending
                .clone()
                .try_acquire_owned()
                .ok()
                .zip(open.clone().try_acquire_owned().ok());
            let Some((handshaking, permit)) = permits else {
                metrics::counter!("mymt5_connections_refused_total").increment(1);
                continue;
            };
            let (accepted, acceptor) = (accepted.clone(), TlsAcceptor::from(tls.load_full()));
            tokio::spawn(async move {
                match timeout(HANDSHAKE, handshake(stream, address, &acceptor, permit)).await {
                    Ok(Ok(connection)) => {
                        drop(handshaking);
                        let _ = accepted.send(Ok(connection)).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%address, %error, "handshake failed"),
                    Err(_) => tracing::debug!(%address, "handshake took too long"),
                }
            });
        }
    });
    Ok(ReceiverStream::new(connections))
}

async fn handshake(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
    permit: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    // A verified certificate without a client's name is nobody, not an anonymous caller's token.
    let certificate = certificates
        .and_then(|chain| chain.first())
        .map(|leaf| tls::client_name(leaf).unwrap_or_default());
    Ok(Connection {
        stream,
        peer: Peer {
            certificate,
            address,
        },
        _permit: permit,
    })
}

impl Connected for Connection {
    type ConnectInfo = Peer;
    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
