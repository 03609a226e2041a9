//! What each client may take of the gateway at a time, and what it holds of that now.

use super::Client;
use mymt5_model::ClientName;
use mymt5_proto::{Reason, Refusal};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A client's share. What ends risk, and heartbeats, take nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Open streams of each kind, ticks and events: 1 to 256.
    pub max_streams: usize,
    /// Other calls under way: 1 to 1024.
    pub max_calls: usize,
    /// Calls and reads that wait for the orders core: 1 to 1024.
    pub max_queued: usize,
    /// Ids that orders and modifications may bind within a minute, those that tighten a stop loss
    /// apart from the others: 1 to 60000.
    pub max_ids_per_minute: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            max_streams: 16,
            max_calls: 64,
            max_queued: 256,
            max_ids_per_minute: 1_200,
        }
    }
}

/// How many each client holds; clones are one.
#[derive(Clone, Debug, Default)]
struct Counts(Arc<Mutex<HashMap<ClientName, usize>>>);

/// One that is held; dropping it gives it back.
#[derive(Debug)]
pub struct Held {
    counts: Counts,
    client: ClientName,
}

/// Why there is no room for one more.
enum Full {
    OfClient,
    OfAll,
}

impl Counts {
    fn take(&self, client: &ClientName, most: usize, most_of_all: usize) -> Result<Held, Full> {
        let mut counts = self.lock();
        let own = counts.get(client).copied().unwrap_or_default();
        if own >= most {
            return Err(Full::OfClient);
        }
        if counts.values().sum::<usize>() >= most_of_all {
            return Err(Full::OfAll);
        }
        counts.insert(client.clone(), own + 1);
        Ok(Held {
            counts: self.clone(),
            client: client.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientName, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(own) = counts.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

/// Open streams of one kind: bounded in total, and for each client. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Streams(Counts);

impl Streams {
    /// Most open streams of one kind.
    pub const MAX: usize = 256;
    /// After which one that found no room may ask again.
    const RETRY: Duration = Duration::from_secs(5);

    /// Opens one more for that client.
    ///
    /// # Errors
    /// The client has its share, or there are too many in total.
    pub fn open(&self, client: &Client) -> Result<Held, Refusal> {
        let taken = self
            .0
            .take(&client.name, client.share.max_streams, Self::MAX);
        let refusal = |full| match full {
            Full::OfClient => {
                let why = "the client has as many open streams as its max_streams allows";
                Refusal::because(Reason::TooManySubscribers, why)
            }
            Full::OfAll => Refusal::new(Reason::TooManySubscribers),
        };
        taken.map_err(|full| refusal(full).after(Self::RETRY))
    }

    /// Open ones now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().values().sum()
    }
}

/// Calls under way: bounded for each client, and in total by the connections. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Calls(Counts);

impl Calls {
    /// After which one that found no room may ask again.
    const RETRY: Duration = Duration::from_secs(1);

    /// Begins a call of that client, as long as the answer is held. None: the call takes nothing of
    /// the client's share, since it ends risk, is a heartbeat, or is a stream.
    ///
    /// # Errors
    /// The client has its share.
    pub fn begin(&self, client: &Client, path: &str) -> Result<Option<Held>, Refusal> {
        if ends_risk(path) || is_heartbeat(path) || is_stream(path) {
            return Ok(None);
        }
        let taken = self
            .0
            .take(&client.name, client.share.max_calls, usize::MAX);
        taken.map(Some).map_err(|_| {
            let why = "the client has as many calls under way as its max_calls allows";
            Refusal::because(Reason::RateLimited, why).after(Self::RETRY)
        })
    }
}

/// True for what may end risk: exits, cancellations, halts. They never wait for room here; at the
/// orders core there is room for so many of a client, and they leave the others their turn.
fn ends_risk(path: &str) -> bool {
    matches!(
        path,
        "/mymt5.v1.TradingService/ClosePosition"
            | "/mymt5.v1.TradingService/CancelOrder"
            | "/mymt5.v1.ControlService/SetTradingState"
            | "/mymt5.v1.ControlService/Flatten"
    )
}

/// True for what shows that a client lives, whatever else it has under way. At the orders core there
/// is room for a few of a client.
fn is_heartbeat(path: &str) -> bool {
    path == "/mymt5.v1.TradingService/Heartbeat"
}

/// True for what counts as a [`Streams`].
fn is_stream(path: &str) -> bool {
    matches!(
        path,
        "/mymt5.v1.MarketDataService/StreamTicks"
            | "/mymt5.v1.MarketDataService/StreamTicksInStep"
            | "/mymt5.v1.TradingService/StreamEvents"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::{CALLS, Proof};
    use prost::Message;
    use std::{collections::BTreeSet, iter::repeat_with};
    use tokio_util::sync::CancellationToken;

    const ENTRY: &str = "/mymt5.v1.TradingService/SubmitOrder";
    const EXIT: &str = "/mymt5.v1.TradingService/ClosePosition";
    const HEARTBEAT: &str = "/mymt5.v1.TradingService/Heartbeat";

    fn client(name: &str, most: usize) -> Client {
        Client {
            name: ClientName::parse(name).unwrap(),
            proof: Proof::ControlSocket,
            permissions: BTreeSet::new(),
            symbols: None,
            limits: mymt5_guard::ScopeLimits::default(),
            dead_man: None,
            share: Share {
                max_streams: most,
                max_calls: most,
                ..Share::default()
            },
            enabled: true,
            revoked: CancellationToken::new(),
        }
    }

    #[test]
    fn a_client_that_has_its_share_leaves_room_for_others() {
        let streams = Streams::default();
        let (greedy, other) = (client("greedy", 3), client("other", 1));
        let opened: Vec<_> = repeat_with(|| streams.open(&greedy)).take(300).collect();
        let held: Vec<_> = opened.into_iter().filter_map(Result::ok).collect();
        assert_eq!(held.len(), 3);
        let one = streams.open(&other).unwrap();
        let refused = streams.open(&other).unwrap_err();
        assert_eq!(refused.reason(), Reason::TooManySubscribers);
        assert_eq!(streams.count(), 4);
        drop((held, one));
        assert_eq!(streams.count(), 0);
        assert!(streams.open(&greedy).is_ok() && streams.open(&other).is_ok());
    }

    #[test]
    fn all_together_are_bounded() {
        let streams = Streams::default();
        let all = client("all", usize::MAX);
        let held: Vec<_> = repeat_with(|| streams.open(&all))
            .map_while(Result::ok)
            .collect();
        assert_eq!(held.len(), Streams::MAX);
        assert!(streams.open(&client("other", 1)).is_err());
    }

    #[test]
    fn a_client_whose_calls_are_all_under_way_may_still_exit_and_live_and_others_may_call() {
        let calls = Calls::default();
        let (greedy, other) = (client("greedy", 3), client("other", 1));
        let begun: Vec<_> = repeat_with(|| calls.begin(&greedy, ENTRY))
            .take(9)
            .filter_map(Result::ok)
            .collect();
        assert_eq!(begun.len(), 3);
        let refused = calls.begin(&greedy, ENTRY).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert!(calls.begin(&greedy, EXIT).unwrap().is_none());
        assert!(calls.begin(&greedy, HEARTBEAT).unwrap().is_none());
        let _one = calls.begin(&other, ENTRY).unwrap();
        assert!(calls.begin(&other, EXIT).unwrap().is_none());
        drop(begun);
        assert!(calls.begin(&greedy, ENTRY).unwrap().is_some());
    }

    #[test]
    fn what_is_no_call_is_named_as_the_contract_names_it() {
        let known = |path: &str| CALLS.iter().any(|(known, _)| known == path);
        let set = prost_types::FileDescriptorSet::decode(mymt5_proto::DESCRIPTORS).unwrap();
        let (mut exits, mut heartbeats) = (0, 0);
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    assert!(known(&path), "{path}");
                    assert_eq!(is_stream(&path), method.server_streaming(), "{path}");
                    exits += usize::from(ends_risk(&path));
                    heartbeats += usize::from(is_heartbeat(&path));
                }
            }
        }
        assert_eq!((exits, heartbeats), (4, 1));
    }
}
