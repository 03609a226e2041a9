//! A tick subscription as a stream of batches. It is polled only when the connection has room, so
//! that a subscriber who never reads holds nothing but its own bounded queue.

use crate::market::{Batch, Item, Kind, Subscription};
use futures_util::{Stream, stream};
use mymt5_proto::{Reason, Refusal, v1};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Batches until the shutdown, or until the subscriber is too slow for every tick.
pub(super) fn batches(
    subscription: Subscription,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<v1::StreamTicksResponse, Status>> + Send {
    stream::unfold(Some((subscription, shutdown)), |open| async {
        let (subscription, shutdown) = open?;
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
                    Some((subscription, shutdown)),
                )
            }
            Err(reason) => (Err(Refusal::new(reason).into()), None),
        })
    })
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
