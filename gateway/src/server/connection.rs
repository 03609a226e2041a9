//! An accepted connection, whatever it came in by, and who is at its other end.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    sync::OwnedSemaphorePermit,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// What a connection itself proves.
#[derive(Clone, Debug)]
pub(crate) enum PeerProof {
    /// Nothing: a token may come with the call.
    None,
    /// The name in a verified certificate.
    Certificate(String),
    /// The gateway's own user, on the control socket.
    SameUser,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) proof: PeerProof,
    /// For the log.
    pub(crate) address: String,
}

/// What a connection came in by.
pub(super) enum Transport {
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// An accepted connection.
pub(super) struct Connection {
    transport: Transport,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(transport: Transport, peer: Peer, permit: OwnedSemaphorePermit) -> Self {
        Self {
            transport,
            peer,
            _permit: permit,
        }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut dyn Io> {
        let io: &mut dyn Io = match &mut self.get_mut().transport {
            Transport::Tls(stream) => stream.as_mut(),
            Transport::Unix(stream) => stream,
        };
        Pin::new(io)
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

impl Connected for Connection {
    type ConnectInfo = Peer;
    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
