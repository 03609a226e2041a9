//! Who listens: all events, as an operator is told them, over the deaths of all gateways.

use super::{BOUND, stage::Stage};
use crate::verdict::deal_in;
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tonic::{Status, Streaming, transport::Channel};

/// Before a lost stream is opened again, and between two looks at what was heard.
const AGAIN: Duration = Duration::from_millis(40);

type Heard = Arc<Mutex<Vec<v1::StreamEventsResponse>>>;

pub(super) struct Ear {
    heard: Heard,
    task: JoinHandle<()>,
}

impl Ear {
    pub(super) fn listen(stage: &Stage) -> Self {
        let heard = Heard::default();
        Self {
            task: tokio::spawn(listen(stage.operator(), heard.clone())),
            heard,
        }
    }

    /// All events so far, once these deals were told, or the bound has passed.
    pub(super) async fn hear(self, deals: &BTreeSet<u64>) -> Vec<v1::StreamEventsResponse> {
        let end = Instant::now() + BOUND;
        loop {
            let heard = events(&self.heard).clone();
            let told: BTreeSet<u64> = heard.iter().filter_map(deal_in).collect();
            if told.is_superset(deals) || Instant::now() > end {
                self.task.abort();
                return heard;
            }
            sleep(AGAIN).await;
        }
    }
}

fn events(heard: &Heard) -> std::sync::MutexGuard<'_, Vec<v1::StreamEventsResponse>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(mut client: TradingServiceClient<Channel>, heard: Heard) {
    loop {
        let last = events(&heard).last().map_or(0, |told| told.sequence);
        if let Ok(mut stream) = open(&mut client, last).await {
            while let Ok(Some(told)) = stream.message().await {
                // What has no sequence is not an event of the journal.
                if told.sequence > 0 {
                    events(&heard).push(told);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

async fn open(
    client: &mut TradingServiceClient<Channel>,
    after_sequence: u64,
) -> Result<Streaming<v1::StreamEventsResponse>, Status> {
    let snapshot = client.get_snapshot(v1::GetSnapshotRequest {}).await?;
    let request = v1::StreamEventsRequest {
        journal_id: snapshot.into_inner().journal_id,
        after_sequence,
    };
    Ok(client.stream_events(request).await?.into_inner())
}
