//! One connection, whatever it came in by: who is at its other end, what place it has, and when it
//! has to end.

use http::{Request, Response};
use mymt5_chassis::server::{self, ConnectionError, Limits, Pace, Place, Places};
use mymt5_model::ClientName;
use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::SetOnce,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{ServiceExt, util::BoxCloneSyncService};

const LIMITS: Limits = Limits {
    streams: 128,
    first_call: Duration::from_secs(30),
    http1: false,
};
/// How long calls under way have once the streams were asked to end.
const DRAIN: Duration = Duration::from_millis(1_500);
/// A connection on which no client was proven ends after so long.
const STRANGER_AGE: Duration = Duration::from_secs(30);

/// All services behind all layers.
pub(super) type Services = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

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
    /// Cancelled once the connection has to end: its streams end with it.
    pub(super) ending: CancellationToken,
    clients: Places<String>,
    /// Its place among them, once it has proven to be one.
    place: Arc<SetOnce<Place<String>>>,
    /// At which it is read, until then.
    pace: Pace,
}

impl Peer {
    /// Takes a place among the clients if the connection itself proves one.
    pub(super) fn new(
        proof: PeerProof,
        address: String,
        clients: Places<String>,
        pace: Pace,
    ) -> Self {
        let owner = match &proof {
            PeerProof::None => None,
            PeerProof::Certificate(name) => Some(name.clone()),
            PeerProof::SameUser => Some(ClientName::local().to_string()),
        };
        let place = owner.map(|owner| clients.take(owner));
        if place.is_some() {
            pace.lift();
        }
        Self {
            proof,
            address,
            ending: CancellationToken::new(),
            clients,
            place: Arc::new(SetOnce::new_with(place)),
            pace,
        }
    }

    /// A call has proven that client: the connection is a stranger's no more.
    pub(super) fn proves(&self, client: &ClientName) {
        if self.place.get().is_none() {
            // Where another call was first, its client stays the owner.
            let _ = self.place.set(self.clients.take(client.to_string()));
            self.pace.lift();
        }
    }
}

/// A connection that was let in.
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// Its place among the strangers, as long as it has none among the clients.
    pub(super) stranger: Option<Place<IpAddr>>,
    /// A client's ends after so long.
    pub(super) max_age: Duration,
    pub(super) stop: CancellationToken,
}

impl Connection {
    /// Answers its calls until it ends or has to: also once `distrusted` ends.
    pub(super) async fn serve<T>(
        self,
        stream: T,
        services: Services,
        distrusted: impl Future<Output = ()>,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            peer,
            stranger,
            max_age,
            stop,
        } = self;
        let caller = peer.clone();
        let services = services.map_request(move |mut request: Request<Body>| {
            request.extensions_mut().insert(caller.clone());
            request
        });
        let end = async {
            let drain = tokio::select! {
                () = stop.cancelled() => DRAIN,
                () = distrusted => DRAIN,
                drain = outlived(&peer, stranger, max_age) => drain,
            };
            peer.ending.cancel();
            drain
        };
        match server::serve(stream, services, LIMITS, end).await {
            Ok(()) => {}
            Err(error @ ConnectionError::Cut) if peer.place.initialized() => {
                tracing::warn!(peer = peer.address, %error, "connection ended");
            }
            Err(error) => {
                let source = std::error::Error::source(&error);
                tracing::debug!(peer = peer.address, %error, ?source, "connection ended");
            }
        }
    }
}

/// Waits until the connection has lost its place or reached its age; how long its calls then have.
async fn outlived(peer: &Peer, stranger: Option<Place<IpAddr>>, max_age: Duration) -> Duration {
    if let Some(place) = stranger {
        tokio::select! {
            biased;
            _ = peer.place.wait() => {}
            () = place.lost() => {
                shed();
                return Duration::ZERO;
            }
            () = sleep(STRANGER_AGE) => return Duration::ZERO,
        }
    }
    tokio::select! {
        () = async { peer.place.wait().await.lost().await } => shed(),
        () = sleep(max_age) => tracing::debug!(peer = peer.address, "connection reached its age"),
    }
    DRAIN
}

/// Counts a connection that lost its place to another.
pub(super) fn shed() {
    metrics::counter!("mymt5_connections_shed_total").increment(1);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::server::{Bounds, Paced, network};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, sink},
        time::Instant,
    };

    const ONE: Bounds = Bounds {
        each: 1,
        early: 8,
        all: 8,
    };
    const MAX_AGE: Duration = Duration::from_secs(3_600);
    const MUCH: usize = 1 << 20;

    fn peer(proof: PeerProof) -> (Peer, Option<Place<IpAddr>>) {
        let stranger = matches!(proof, PeerProof::None);
        let place = stranger.then(|| Places::new(ONE).take(network(IpAddr::from([192, 0, 2, 1]))));
        let peer = Peer::new(proof, "test".to_owned(), Places::new(ONE), Pace::default());
        (peer, place)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_cut_soon_and_a_client_asked_to_leave_at_its_age() {
        let certificate = PeerProof::Certificate("a".to_owned());
        for (proof, age, drain) in [
            (PeerProof::None, STRANGER_AGE, Duration::ZERO),
            (certificate, MAX_AGE, DRAIN),
        ] {
            let start = Instant::now();
            let (peer, place) = peer(proof);
            assert_eq!(outlived(&peer, place, MAX_AGE).await, drain);
            assert!(start.elapsed() >= age && start.elapsed() < age + STRANGER_AGE);
        }
    }

    /// How long a connection's bytes take to read, all of which are there, far more than a burst.
    async fn read(paced: Paced<DuplexStream>) -> Duration {
        let start = Instant::now();
        copy(&mut paced.take(MUCH as u64), &mut sink())
            .await
            .unwrap();
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_strangers_connection_is_read_slowly_until_it_proves_a_client() {
        let certificate = PeerProof::Certificate("a".to_owned());
        let client = ClientName::parse("a").unwrap();
        for (proof, proves, is_slow) in [
            (PeerProof::None, false, true),
            (PeerProof::None, true, false),
            (certificate, false, false),
        ] {
            let pace = Pace::default();
            let (mut far, near) = duplex(MUCH);
            far.write_all(&vec![0; MUCH]).await.unwrap();
            let near = pace.apply(near);
            let peer = Peer::new(proof, "test".to_owned(), Places::new(ONE), pace);
            if proves {
                peer.proves(&client);
            }
            assert_eq!(read(near).await > Duration::ZERO, is_slow);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_whose_call_proves_a_client_has_a_clients_place_and_age() {
        let start = Instant::now();
        let (peer, place) = peer(PeerProof::None);
        let client = ClientName::parse("a").unwrap();
        let (drain, ()) = tokio::join!(outlived(&peer, place, MAX_AGE), async {
            sleep(STRANGER_AGE / 2).await;
            peer.proves(&client);
            peer.proves(&ClientName::parse("b").unwrap());
        });
        assert_eq!(drain, DRAIN);
        assert!(start.elapsed() >= MAX_AGE);
        // The client's next connection takes the place, since there is one for each.
        let _next = peer.clients.take("a".to_owned());
        peer.place.get().unwrap().lost().await;
    }
}
