//! What the traders asked for and what they heard: the harness's own memory, kept outside all
//! that is killed.

use crate::verdict::{Case, Purpose, Told};
use mymt5_proto::v1;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tonic::{Status, transport::Channel};
use v1::trading_service_client::TradingServiceClient;

/// One request, as it is repeated.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Submit(v1::SubmitOrderRequest),
    Close(v1::ClosePositionRequest),
    Cancel(v1::CancelOrderRequest),
}

impl Asked {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Submit(request) => &request.request_id,
            Self::Close(request) => &request.request_id,
            Self::Cancel(request) => &request.request_id,
        }
    }

    /// Makes the call once.
    pub(super) async fn call(
        &self,
        client: &mut TradingServiceClient<Channel>,
    ) -> Result<v1::Order, Status> {
        let order = match self.clone() {
            Self::Submit(request) => client.submit_order(request).await?.into_inner().order,
            Self::Close(request) => client.close_position(request).await?.into_inner().order,
            Self::Cancel(request) => client.cancel_order(request).await?.into_inner().order,
        };
        order.ok_or_else(|| Status::internal("an answer without an order"))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) trader: usize,
    pub(super) asked: Asked,
    heard: BTreeSet<u64>,
    mismatched: bool,
}

impl Story {
    /// The order that the trader was told first.
    pub(super) fn heard(&self) -> Option<u64> {
        self.heard.first().copied()
    }

    pub(super) const fn purpose(&self) -> Purpose {
        match self.asked {
            Asked::Cancel(_) => Purpose::Cancel,
            _ => Purpose::Order,
        }
    }

    pub(super) fn case(&self, told: Option<Told>) -> Case {
        Case {
            id: self.asked.id().to_owned(),
            purpose: self.purpose(),
            heard: self.heard.clone(),
            mismatched: self.mismatched,
            told,
        }
    }
}

/// All stories. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stories {
    all: Arc<Mutex<BTreeMap<String, Story>>>,
    made: watch::Sender<usize>,
}

impl Default for Stories {
    fn default() -> Self {
        Self {
            all: Arc::default(),
            made: watch::Sender::new(0),
        }
    }
}

impl Stories {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Story>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, trader: usize, asked: Asked) {
        let story = Story {
            trader,
            asked: asked.clone(),
            heard: BTreeSet::new(),
            mismatched: false,
        };
        let before = self.lock().insert(asked.id().to_owned(), story);
        assert!(before.is_none(), "a request id was used twice");
    }

    /// Notes an answer. A request is made once it has its first.
    pub(super) fn hear(&self, id: &str, order: u64) {
        if let Some(story) = self.lock().get_mut(id) {
            if story.heard.is_empty() {
                self.made.send_modify(|made| *made += 1);
            }
            story.heard.insert(order);
        }
    }

    pub(super) fn mismatch(&self, id: &str) {
        if let Some(story) = self.lock().get_mut(id) {
            story.mismatched = true;
        }
    }

    pub(super) fn all(&self) -> Vec<Story> {
        self.lock().values().cloned().collect()
    }

    /// Requests that were answered.
    pub(super) fn made(&self) -> usize {
        *self.made.borrow()
    }

    /// Waits for so many of them.
    pub(super) async fn reach(&self, count: usize) {
        let _ = self.made.subscribe().wait_for(|made| *made >= count).await;
    }

    /// Orders of that trader that were asked to wait for a price.
    pub(super) fn pending(&self, trader: usize) -> Vec<u64> {
        let waits = |story: &&Story| {
            story.trader == trader
                && matches!(&story.asked, Asked::Submit(request) if request.price.is_some())
        };
        self.lock()
            .values()
            .filter(waits)
            .filter_map(Story::heard)
            .collect()
    }
}
