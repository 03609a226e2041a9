//! Open streams of one kind: bounded in total, and for each client.

use super::Client;
use mymt5_model::ClientName;
use mymt5_proto::{Reason, Refusal};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many streams each client has open; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<ClientName, usize>>>);

/// One open stream; dropping it closes it.
#[derive(Debug)]
pub struct OpenStream {
    streams: Streams,
    client: ClientName,
}

impl Streams {
    /// Most open streams of one kind.
    pub const MAX: usize = 256;
    /// After which one that found no room may ask again.
    const RETRY: Duration = Duration::from_secs(5);

    /// Opens one more for that client.
    ///
    /// # Errors
    /// The client has its share, or there are too many in total.
    pub fn open(&self, client: &Client) -> Result<OpenStream, Refusal> {
        let mut open = self.lock();
        let own = open.get(&client.name).copied().unwrap_or_default();
        let refusal = if own >= client.max_streams {
            let why = "the client has as many open streams as its max_streams allows";
            Refusal::because(Reason::TooManySubscribers, why)
        } else if open.values().sum::<usize>() >= Self::MAX {
            Refusal::new(Reason::TooManySubscribers)
        } else {
            open.insert(client.name.clone(), own + 1);
            return Ok(OpenStream {
                streams: self.clone(),
                client: client.name.clone(),
            });
        };
        Err(refusal.after(Self::RETRY))
    }

    /// Open ones now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientName, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        if let Some(own) = open.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::Proof;
    use std::{collections::BTreeSet, iter::repeat_with};
    use tokio_util::sync::CancellationToken;

    fn client(name: &str, max_streams: usize) -> Client {
        Client {
            name: ClientName::parse(name).unwrap(),
            proof: Proof::ControlSocket,
            permissions: BTreeSet::new(),
            symbols: None,
            limits: mymt5_guard::ScopeLimits::default(),
            dead_man: None,
            max_streams,
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
}
