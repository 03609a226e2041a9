//! Who listens: all events, as an operator is told them, over the deaths of all gateways.

use super::{BOUND, stage::Stage};
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use std::time::Duration;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::{Status, Streaming, transport::Channel};

/// Before a lost stream is opened again.
const AGAIN: Duration = Duration::from_millis(40);

pub(super) struct Ear {
    heard: JoinHandle<Vec<v1::StreamEventsResponse>>,
    until: watch::Sender<u64>,
}

impl Ear {
    pub(super) fn listen(stage: &Stage) -> Self {
        let (until, end) = watch::channel(u64::MAX);
        Self {
            heard: tokio::spawn(listen(stage.operator(), end)),
            until,
        }
    }

    /// All events up to that sequence.
    pub(super) async fn stop(self, sequence: u64) -> Vec<v1::StreamEventsResponse> {
        self.until.send_replace(sequence);
        let heard = timeout(BOUND, self.heard).await;
        heard.expect("events stay untold").unwrap()
    }
}

async fn listen(
    mut client: TradingServiceClient<Channel>,
    mut end: watch::Receiver<u64>,
) -> Vec<v1::StreamEventsResponse> {
    let (mut heard, mut last) = (Vec::new(), 0);
    while last < *end.borrow() {
        if let Ok(stream) = open(&mut client, last).await {
            hear(stream, &mut heard, &mut last, &mut end).await;
        }
        sleep(AGAIN).await;
    }
    heard
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

/// Until the stream is lost, or the end is reached.
async fn hear(
    mut stream: Streaming<v1::StreamEventsResponse>,
    heard: &mut Vec<v1::StreamEventsResponse>,
    last: &mut u64,
    end: &mut watch::Receiver<u64>,
) {
    while *last < *end.borrow_and_update() {
        let told = tokio::select! {
            told = stream.message() => told,
            _ = end.changed() => continue,
        };
        let Ok(Some(told)) = told else {
            return;
        };
        // What has no sequence is no event of the journal.
        if told.sequence > 0 {
            *last = told.sequence;
            heard.push(told);
        }
    }
}
