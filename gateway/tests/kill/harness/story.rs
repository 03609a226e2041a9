//! What the traders asked for and what they heard: the harness's own memory, kept outside all
//! that is killed.

use crate::verdict::{Case, Purpose, Told, Word};
use mymt5_proto::{Reason, v1};
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
    Reprice(v1::ModifyOrderRequest),
    Protect(v1::ModifyPositionRequest),
}

/// What a call was answered: the order or the position that it was about.
pub(super) struct Answered {
    pub(super) id: u64,
    pub(super) order: Option<v1::Order>,
}

impl Asked {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Submit(request) => &request.request_id,
            Self::Close(request) => &request.request_id,
            Self::Cancel(request) => &request.request_id,
            Self::Reprice(request) => &request.request_id,
            Self::Protect(request) => &request.request_id,
        }
    }

    /// Makes the call once.
    pub(super) async fn call(
        &self,
        client: &mut TradingServiceClient<Channel>,
    ) -> Result<Answered, Status> {
        let order = match self.clone() {
            Self::Submit(request) => client.submit_order(request).await?.into_inner().order,
            Self::Close(request) => client.close_position(request).await?.into_inner().order,
            Self::Cancel(request) => client.cancel_order(request).await?.into_inner().order,
            Self::Reprice(request) => client.modify_order(request).await?.into_inner().order,
            Self::Protect(request) => {
                let id = request.position_id;
                client.modify_position(request).await?;
                return Ok(Answered { id, order: None });
            }
        };
        let order = order.ok_or_else(|| Status::internal("an answer without an order"))?;
        Ok(Answered {
            id: order.order_id,
            order: Some(order),
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) trader: usize,
    pub(super) asked: Asked,
    heard: BTreeSet<u64>,
    mismatched: bool,
    word: Option<Word>,
}

impl Story {
    /// The order that the trader was told first.
    pub(super) fn heard(&self) -> Option<u64> {
        self.heard.first().copied()
    }

    pub(super) const fn purpose(&self) -> Purpose {
        match self.asked {
            Asked::Submit(_) | Asked::Close(_) => Purpose::Order,
            Asked::Cancel(_) | Asked::Reprice(_) | Asked::Protect(_) => Purpose::Change,
        }
    }

    /// `canceled`: the orders that somebody asked to cancel.
    pub(super) fn case(&self, told: Option<Told>, canceled: &BTreeSet<u64>) -> Case {
        Case {
            id: self.asked.id().to_owned(),
            purpose: self.purpose(),
            heard: self.heard.clone(),
            mismatched: self.mismatched,
            withdrawn: told.is_some_and(|told| canceled.contains(&told.order)),
            word: self.word,
            told,
        }
    }
}

/// All stories. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stories {
    all: Arc<Mutex<BTreeMap<String, Story>>>,
    /// Each order as it was answered.
    orders: Arc<Mutex<Vec<v1::Order>>>,
    refusals: Arc<Mutex<BTreeMap<&'static str, u32>>>,
    made: watch::Sender<usize>,
}

impl Default for Stories {
    fn default() -> Self {
        Self {
            all: Arc::default(),
            orders: Arc::default(),
            refusals: Arc::default(),
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
            word: None,
        };
        let before = self.lock().insert(asked.id().to_owned(), story);
        assert!(before.is_none(), "a request id was used twice");
    }

    /// Notes an answer. A request is made once it has its first.
    pub(super) fn hear(&self, id: &str, answered: Answered) {
        if let Some(story) = self.lock().get_mut(id) {
            if story.heard.is_empty() {
                self.made.send_modify(|made| *made += 1);
            }
            story.heard.insert(answered.id);
        }
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.extend(answered.order);
    }

    /// All orders that were answered, each as it was then.
    pub(super) fn orders(&self) -> Vec<v1::Order> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.clone()
    }

    pub(super) fn refuse(&self, id: &str, reason: Reason) {
        if let Some(story) = self.lock().get_mut(id) {
            story.mismatched |= reason == Reason::IdempotencyMismatch;
        }
        let refusals = self.refusals.lock();
        let mut refusals = refusals.unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(reason.name()).or_default() += 1;
    }

    /// How often a call was refused, by the reason.
    pub(super) fn refusals(&self) -> BTreeMap<&'static str, u32> {
        let refusals = self.refusals.lock();
        refusals.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an operator's word on a request's order.
    pub(super) fn decide(&self, id: &str, word: Word) {
        if let Some(story) = self.lock().get_mut(id) {
            story.word = Some(word);
        }
    }

    /// The requests on whose orders there is such a word.
    pub(super) fn decided(&self) -> BTreeSet<String> {
        let decided = self.all().into_iter().filter(|story| story.word.is_some());
        decided.map(|story| story.asked.id().to_owned()).collect()
    }

    pub(super) fn all(&self) -> Vec<Story> {
        self.lock().values().cloned().collect()
    }

    /// The new orders that were asked for, of that trader or of all.
    pub(super) fn entries(&self, trader: Option<usize>) -> BTreeSet<String> {
        let of_it = |story: &Story| {
            let entry = matches!(story.asked, Asked::Submit(_));
            entry && trader.is_none_or(|trader| trader == story.trader)
        };
        let all = self.all().into_iter().filter(of_it);
        all.map(|story| story.asked.id().to_owned()).collect()
    }

    /// The orders that somebody asked to cancel.
    pub(super) fn canceled(&self) -> BTreeSet<u64> {
        let canceled = |story: &Story| match &story.asked {
            Asked::Cancel(request) => Some(request.order_id),
            _ => None,
        };
        self.lock().values().filter_map(canceled).collect()
    }

    /// Requests that were answered.
    pub(super) fn made(&self) -> usize {
        *self.made.borrow()
    }

    /// Waits for so many of them.
    pub(super) async fn reach(&self, count: usize) {
        let _ = self.made.subscribe().wait_for(|made| *made >= count).await;
    }

    /// Orders of that trader that were asked to wait for a price, and that price.
    pub(super) fn pending(&self, trader: usize) -> Vec<(u64, f64)> {
        let waits = |story: &Story| match &story.asked {
            Asked::Submit(request) if story.trader == trader => {
                Some((story.heard()?, request.price?))
            }
            _ => None,
        };
        self.lock().values().filter_map(waits).collect()
    }
}
