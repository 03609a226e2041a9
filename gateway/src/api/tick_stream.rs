//! A tick subscription as a stream of batches. It is polled only when the connection has room, so
//! that a subscriber who never reads holds nothing but its own bounded queue.

use super::{AppState, event_stream::is_visible};
use crate::{
    access::{Caller, Held},
    market::{Batch, Item, Kind, Subscription},
};
use futures_util::{Stream, stream};
use mymt5_model::Moment;
use mymt5_proto::{Reason, Refusal, v1};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Batches until the shutdown, or until the subscriber is too slow for every tick.
pub(super) fn batches(
    subscription: Subscription,
    open: Held,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<v1::StreamTicksResponse, Status>> + Send {
    stream::unfold(Some((subscription, open, shutdown)), |state| async {
        let (subscription, open, shutdown) = state?;
        let batch = tokio::select! {
            () = shutdown.cancelled() => Err(Reason::Draining),
            batch = subscription.next() => match batch {
                Batch::Ticks(items) => Ok(items),
                Batch::Empty => Ok(Vec::new()),
                Batch::Overflowed => Err(Reason::SubscriberTooSlow),
            },
        };
        Some(match batch {
            Ok(items) => {
                let ticks = items.iter().map(tick).collect();
                (
                    Ok(v1::StreamTicksResponse { ticks }),
                    Some((subscription, open, shutdown)),
                )
            }
            Err(reason) => (Err(Refusal::new(reason).into()), None),
        })
    })
}

/// A subscription whose feed, if it waits at all, waits until each batch is done with.
pub(super) struct InStep {
    app: AppState,
    caller: Caller,
    subscription: Subscription,
    _open: Held,
    said: Streaming<v1::StreamTicksInStepRequest>,
    /// The feed waits for the subscriber.
    waits: bool,
    /// The newest event looked at.
    cursor: u64,
    /// The newest of them that the caller sees.
    visible: u64,
}

impl InStep {
    pub(super) fn new(
        app: AppState,
        caller: Caller,
        subscription: Subscription,
        open: Held,
        said: Streaming<v1::StreamTicksInStepRequest>,
    ) -> Self {
        let cursor = app.orders.log().last();
        Self {
            app,
            caller,
            subscription,
            _open: open,
            said,
            waits: false,
            cursor,
            visible: 0,
        }
    }

    /// Batches until the shutdown, or until the subscriber ends or is too slow.
    pub(super) fn batches(
        self,
    ) -> impl Stream<Item = Result<v1::StreamTicksInStepResponse, Status>> + Send {
        stream::unfold(Some(self), |open| async {
            let mut open = open?;
            let shutdown = open.app.shutdown.clone();
            match shutdown.run_until_cancelled(open.next()).await {
                Some(Ok(None)) => None,
                Some(Ok(Some(batch))) => Some((Ok(batch), Some(open))),
                Some(Err(refusal)) => Some((Err(refusal.into()), None)),
                None => Some((Err(Refusal::new(Reason::Draining).into()), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<v1::StreamTicksInStepResponse>, Refusal> {
        if self.waits {
            if heard(&mut self.said).await?.is_none() {
                return Ok(None);
            }
            self.subscription.acknowledge();
        }
        let items = match self.subscription.next().await {
            Batch::Ticks(items) => items,
            Batch::Empty => Vec::new(),
            Batch::Overflowed => return Err(Refusal::new(Reason::SubscriberTooSlow)),
        };
        let mut batch = v1::StreamTicksInStepResponse {
            ticks: items.iter().map(tick).collect(),
            ..Default::default()
        };
        self.waits = self.app.hub.is_on_demand();
        if self.waits {
            batch.waits = true;
            batch.after_sequence = self.newest_event().await?;
            batch.account = self.account().await;
        }
        Ok(Some(batch))
    }

    /// The newest event that the caller sees; 0: none since the subscription.
    async fn newest_event(&mut self) -> Result<u64, Refusal> {
        loop {
            let page = self.app.orders.log().after(self.cursor).await;
            let page = page.map_err(|_| Refusal::new(Reason::SequencePurged))?;
            let Some(last) = page.last() else {
                return Ok(self.visible);
            };
            self.cursor = last.sequence;
            let mut newest_first = page.iter().rev();
            if let Some(newest) = newest_first.find(|event| is_visible(&self.caller, event)) {
                self.visible = newest.sequence;
            }
        }
    }

    /// The account as it stands: what was read of it last may be older than the ticks.
    async fn account(&self) -> Option<v1::Account> {
        let row = self.app.broker.identify().await.ok()?;
        let broker = self.app.hub.time();
        let zone = self.app.zone.as_ref();
        let utc = broker.and_then(|time| zone?.1.to_utc(time));
        Some(v1::Account::of(&row, Moment { utc, broker }))
    }
}

/// What the subscriber says next; none: it says no more.
pub(super) async fn heard(
    said: &mut Streaming<v1::StreamTicksInStepRequest>,
) -> Result<Option<v1::StreamTicksInStepRequest>, Refusal> {
    let heard = said.message().await;
    heard.map_err(|status| Refusal::because(Reason::FieldInvalid, status.message()))
}

fn tick(item: &Item) -> v1::Tick {
    let kind = match item.kind {
        Kind::Snapshot => v1::TickKind::Snapshot,
        Kind::Live => v1::TickKind::Live,
        Kind::Backfill => v1::TickKind::Backfill,
    };
    v1::Tick {
        folded: item.folded,
        ..v1::Tick::of(&item.tick, item.utc, kind)
    }
}
