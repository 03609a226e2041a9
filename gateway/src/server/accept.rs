//! The accept loops: the API port with TLS handshakes under a time limit, the control socket for
//! the gateway's own user; how many places each kind of peer has; and the peer's proof.

use super::connection::{Connection, Peer, PeerProof, Services, shed};
use crate::reload::Identity;
use mymt5_chassis::{
    clock, sandbox,
    server::{Bounds, Pace, Paced, Place, Places, accept, network},
    tls::{self, ServerIdentity},
};
use rustls::{ServerConfig, pki_types::CertificateDer};
use std::{
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

// All kinds together stay below 1,024 descriptors, a usual limit.
/// Of handshakes under way, by the peer's network.
const HANDSHAKES: Bounds = Bounds {
    each: 16,
    early: 64,
    all: 128,
};
/// Of connections that have proven no client yet, by the peer's network.
const STRANGERS: Bounds = Bounds {
    each: 8,
    early: 32,
    all: 32,
};
/// Of connections of clients, by the client.
const CLIENTS: Bounds = Bounds {
    each: 64,
    early: 512,
    all: 512,
};
/// Of connections on the control socket.
const CONTROL: Bounds = Bounds {
    each: 16,
    early: 16,
    all: 16,
};
/// Between two checks of the clock, which may be set, for certificates that ended.
const CLOCK_CHECK: Duration = Duration::from_secs(2);

/// Serves both until the token, then waits for the connections to end.
pub(super) async fn serve(
    api: std::net::TcpListener,
    control: std::os::unix::net::UnixListener,
    tls: Identity,
    services: Services,
    max_age: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let api = TcpListener::from_std(api)?;
    let control = UnixListener::from_std(control)?;
    let listener = Listener {
        services,
        max_age,
        handshakes: Places::new(HANDSHAKES),
        strangers: Places::new(STRANGERS),
        clients: Places::new(CLIENTS),
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
#[derive(Clone)]
struct Listener {
    services: Services,
    /// Of a client's connection.
    max_age: Duration,
    handshakes: Places<IpAddr>,
    strangers: Places<IpAddr>,
    clients: Places<String>,
    stop: CancellationToken,
    /// Each ends within a bounded time after `stop`.
    connections: TaskTracker,
}

impl Listener {
    async fn accept_api(&self, listener: TcpListener, tls: Identity) {
        let take = |(stream, address): (TcpStream, SocketAddr)| {
            let place = self.handshakes.take(network(address.ip()));
            let meeting = self.clone().meet(stream, address, place, tls.subscribe());
            self.connections.spawn(meeting);
        };
        accept(|| listener.accept(), take).await;
    }

    /// Shakes hands with a newcomer and serves it.
    async fn meet(
        self,
        stream: TcpStream,
        address: SocketAddr,
        place: Place<IpAddr>,
        mut identity: watch::Receiver<ServerIdentity>,
    ) {
        let config = tls::server_config(&identity.borrow_and_update());
        let pace = Pace::default();
        let shaken = tokio::select! {
            shaken = timeout(HANDSHAKE, handshake(stream, &pace, config)) => shaken,
            () = place.lost() => return shed(),
            () = self.stop.cancelled() => return,
        };
        drop(place);
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "handshake failed");
                return;
            }
            Err(_) => {
                tracing::debug!(%address, "handshake took too long");
                return;
            }
        };
        let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec);
        let proof = proof(chain.as_deref());
        let stranger = matches!(proof, PeerProof::None);
        // Clients that came together, as after a restart, do not all come back together.
        let jitter = 0.9 + 0.2 * rand::random::<f64>();
        let connection = Connection {
            peer: Peer::new(proof, address.to_string(), self.clients, pace),
            stranger: stranger.then(|| self.strangers.take(network(address.ip()))),
            max_age: self.max_age.mul_f64(jitter),
            stop: self.stop,
        };
        let distrusted = async {
            revoked(identity, chain).await;
            tracing::warn!(
                peer = %address,
                "connection ended, its certificate is believed no more"
            );
        };
        connection.serve(stream, self.services, distrusted).await;
    }

    async fn accept_control(&self, listener: UnixListener) {
        let places = Places::new(CONTROL);
        let take = |(stream, _): (UnixStream, _)| {
            if !is_operator(&stream) {
                metrics::counter!("mymt5_connections_refused_total").increment(1);
                return;
            }
            let address = "control socket".to_owned();
            let pace = Pace::default();
            // Its user is the gateway's own as long as both live, so it may follow events for ever.
            let connection = Connection {
                peer: Peer::new(PeerProof::SameUser, address, places.clone(), pace),
                stranger: None,
                max_age: Duration::MAX,
                stop: self.stop.clone(),
            };
            let serving = connection.serve(stream, self.services.clone(), pending());
            self.connections.spawn(serving);
        };
        accept(|| listener.accept(), take).await;
    }
}

/// The pace is that of the bytes of TLS: records that hold nothing cost time, too.
async fn handshake(
    stream: TcpStream,
    pace: &Pace,
    config: Arc<ServerConfig>,
) -> io::Result<TlsStream<Paced<TcpStream>>> {
    stream.set_nodelay(true)?;
    TlsAcceptor::from(config).accept(pace.apply(stream)).await
}

/// A verified certificate without a client's name is a caller without rights, not an anonymous one,
/// whose token would count.
fn proof(chain: Option<&[CertificateDer<'static>]>) -> PeerProof {
    let named = |leaf| PeerProof::Certificate(tls::client_name(leaf).unwrap_or_default());
    chain.and_then(<[_]>::first).map_or(PeerProof::None, named)
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
