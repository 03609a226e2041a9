//! The accept loops: the API port with TLS handshakes under a time limit, the control socket for
//! the gateway's own user; bounds on pending handshakes and on connections; and the peer's proof.

use super::connection::{Peer, PeerProof, Services, serve_connection};
use crate::reload::Identity;
use mymt5_chassis::{
    clock, sandbox,
    tls::{self, ServerIdentity},
};
use rustls::pki_types::CertificateDer;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const HANDSHAKE: Duration = Duration::from_secs(5);
const PENDING_HANDSHAKES: usize = 64;
const CONNECTIONS: usize = 1_024;
/// Connections kept for the control socket, whatever the API port is busy with.
const CONTROL_CONNECTIONS: usize = 16;
/// Between two checks of the clock, which may be set, for certificates that ended.
const CLOCK_CHECK: Duration = Duration::from_secs(2);
/// After a failed accept (no descriptors left), before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves both until the token, then waits for the connections to end.
pub(super) async fn serve(
    api: std::net::TcpListener,
    control: std::os::unix::net::UnixListener,
    tls: Identity,
    services: Services,
    stop: CancellationToken,
) -> io::Result<()> {
    let api = TcpListener::from_std(api)?;
    let control = UnixListener::from_std(control)?;
    let listener = Listener {
        services,
        stop: stop.clone(),
        connections: TaskTracker::new(),
    };
    tokio::join!(
        stop.run_until_cancelled(listener.accept_api(api, tls)),
        stop.run_until_cancelled(listener.accept_control(control)),
    );
    listener.connections.close();
    listener.connections.wait().await;
    Ok(())
}

/// Where connections come in.
struct Listener {
    services: Services,
    stop: CancellationToken,
    /// Each ends within a bounded time after `stop`.
    connections: TaskTracker,
}

impl Listener {
    async fn accept_api(&self, listener: TcpListener, tls: Identity) {
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
            let mut identity = tls.subscribe();
            let config = tls::server_config(&identity.borrow_and_update());
            let acceptor = TlsAcceptor::from(config);
            let services = self.services.clone();
            let stop = self.stop.child_token();
            self.connections.spawn(async move {
                let shaken = timeout(HANDSHAKE, handshake(stream, address, &acceptor));
                match stop.run_until_cancelled(shaken).await {
                    Some(Ok(Ok((stream, peer)))) => {
                        drop(handshaking);
                        serve_while_trusted(stream, peer, services, stop, identity).await;
                    }
                    Some(Ok(Err(error))) => tracing::debug!(%address, %error, "handshake failed"),
                    Some(Err(_)) => tracing::debug!(%address, "handshake took too long"),
                    None => {}
                }
                drop(permit);
            });
        }
    }

    async fn accept_control(&self, listener: UnixListener) {
        let open = Arc::new(Semaphore::new(CONTROL_CONNECTIONS));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "control connection not accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let permit = open.clone().try_acquire_owned().ok();
            let Some(permit) = permit.filter(|_| is_operator(&stream)) else {
                metrics::counter!("mymt5_connections_refused_total").increment(1);
                continue;
            };
            let peer = Peer {
                proof: PeerProof::SameUser,
                address: "control socket".to_owned(),
            };
            let serving = serve_connection(stream, peer, self.services.clone(), self.stop.clone());
            self.connections.spawn(async move {
                serving.await;
                drop(permit);
            });
        }
    }
}

async fn handshake(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
) -> io::Result<(TlsStream<TcpStream>, Peer)> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    // A verified certificate without a client's name is a caller without rights, not an anonymous
    // one, whose token would count.
    let named = |leaf| PeerProof::Certificate(tls::client_name(leaf).unwrap_or_default());
    let proof = certificates
        .and_then(|chain| chain.first())
        .map_or(PeerProof::None, named);
    let peer = Peer {
        proof,
        address: address.to_string(),
    };
    Ok((stream, peer))
}

/// Answers a connection's calls until it ends, or its client's certificate is no longer trusted.
async fn serve_while_trusted(
    stream: TlsStream<TcpStream>,
    peer: Peer,
    services: Services,
    stop: CancellationToken,
    identity: watch::Receiver<ServerIdentity>,
) {
    let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec);
    let address = peer.address.clone();
    let serving = async {
        serve_connection(stream, peer, services, stop.clone()).await;
        stop.cancel();
    };
    let revocation = async {
        revoked(identity, chain).await;
        tracing::warn!(
            peer = address,
            "connection ended, its certificate is believed no more"
        );
        stop.cancel();
    };
    tokio::join!(serving, stop.run_until_cancelled(revocation));
}

/// Ends once a client's chain is no longer trusted: a certificate of it ended, or its authority is
/// gone. A client without a chain proves itself otherwise.
async fn revoked(
    mut identity: watch::Receiver<ServerIdentity>,
    chain: Option<Vec<CertificateDer<'static>>>,
) {
    let Some(chain) = chain else {
        return std::future::pending().await;
    };
    let Some(end) = tls::end_of(&chain) else {
        return;
    };
    loop {
        let left = end - clock::utc_now_ms();
        if left <= 0 {
            return;
        }
        let left = Duration::from_millis(left.unsigned_abs()).min(CLOCK_CHECK);
        let changed = timeout(left, identity.changed()).await;
        let fresh = matches!(changed, Ok(Ok(())));
        if matches!(changed, Ok(Err(_))) {
            return std::future::pending().await;
        }
        let now = clock::utc_now_ms();
        if fresh && !identity.borrow_and_update().still_trusts(&chain, now) {
            return;
        }
    }
}

/// True for the user that the gateway itself runs as, by the kernel's word, and not for what a
/// sandbox confines: that is an engine of the same user, which somebody took over.
fn is_operator(stream: &UnixStream) -> bool {
    let Ok(peer) = stream.peer_cred() else {
        return false;
    };
    let is_same_user = peer.uid() == rustix::process::geteuid().as_raw();
    let is_confined = is_same_user && sandbox::is_confined(peer.pid().unwrap_or_default());
    if is_confined {
        tracing::warn!(
            pid = peer.pid(),
            "refused a confined process at the control socket"
        );
    }
    is_same_user && !is_confined
}
