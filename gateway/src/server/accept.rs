//! The accept loops: the API port with TLS handshakes under a time limit, the control socket for
//! the gateway's own user; bounds on pending handshakes and on connections; and the peer's proof
//! carried to the calls.

use super::connection::{Connection, Peer, PeerProof, Transport};
use arc_swap::ArcSwap;
use mymt5_chassis::tls;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

const HANDSHAKE: Duration = Duration::from_secs(5);
const PENDING_HANDSHAKES: usize = 64;
const CONNECTIONS: usize = 1_024;
/// Connections kept for the control socket, whatever the API port is busy with.
const CONTROL_CONNECTIONS: usize = 16;
/// After a failed accept (no descriptors left), before the next.
const PAUSE: Duration = Duration::from_millis(100);

type Accepted = mpsc::Sender<io::Result<Connection>>;

/// Accepts on both until the token.
pub(super) fn connections(
    api: std::net::TcpListener,
    control: std::os::unix::net::UnixListener,
    tls: Arc<ArcSwap<rustls::ServerConfig>>,
    stop: CancellationToken,
) -> io::Result<ReceiverStream<io::Result<Connection>>> {
    let (api, control) = (
        TcpListener::from_std(api)?,
        UnixListener::from_std(control)?,
    );
    let (accepted, connections) = mpsc::channel(PENDING_HANDSHAKES);
    tokio::spawn(
        stop.clone()
            .run_until_cancelled_owned(accept_api(api, tls, accepted.clone())),
    );
    tokio::spawn(stop.run_until_cancelled_owned(accept_control(control, accepted)));
    Ok(ReceiverStream::new(connections))
}

async fn accept_api(
    listener: TcpListener,
    tls: Arc<ArcSwap<rustls::ServerConfig>>,
    accepted: Accepted,
) {
    let (pending, open) = (
        Arc::new(Semaphore::new(PENDING_HANDSHAKES)),
        Arc::new(Semaphore::new(CONNECTIONS)),
    );
    loop {
        let (stream, address) = match listener.accept().await {
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
    let named = |leaf| PeerProof::Certificate(tls::client_name(leaf).unwrap_or_default());
    let proof = certificates
        .and_then(|chain| chain.first())
        .map_or(PeerProof::None, named);
    let peer = Peer {
        proof,
        address: address.to_string(),
    };
    Ok(Connection::new(
        Transport::Tls(Box::new(stream)),
        peer,
        permit,
    ))
}

async fn accept_control(listener: UnixListener, accepted: Accepted) {
    let open = Arc::new(Semaphore::new(CONTROL_CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (permit, trusted) =
                    (open.clone().try_acquire_owned().ok(), is_same_user(&stream));
                if let Some(permit) = permit.filter(|_| trusted) {
                    let peer = Peer {
                        proof: PeerProof::SameUser,
                        address: "control socket".to_owned(),
                    };
                    let _ = accepted
                        .send(Ok(Connection::new(Transport::Unix(stream), peer, permit)))
                        .await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "control connection not accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// True for the user that the gateway itself runs as, told by the kernel.
fn is_same_user(stream: &UnixStream) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
