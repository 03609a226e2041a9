//! The heart of a trader: it tells the gateway that the trader lives, unless it is held.

use super::stage::{Stage, trader_name};
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;

/// Between two beats.
const BEAT: Duration = Duration::from_millis(100);

/// A beating heart; it ends with this value.
pub(super) struct Heart {
    pulse: Arc<Mutex<()>>,
    _task: AbortOnDropHandle<()>,
}

impl Heart {
    pub(super) fn start(stage: &Stage, trader: usize) -> Self {
        let name = trader_name(trader);
        let pulse = Arc::new(Mutex::new(()));
        let beating = beat(stage.client(&name), name, Arc::clone(&pulse));
        Self {
            _task: AbortOnDropHandle::new(tokio::spawn(beating)),
            pulse,
        }
    }

    /// Holds it, once no beat is under way, until the guard is dropped.
    pub(super) fn hold(&self) -> impl Future<Output = OwnedMutexGuard<()>> + use<> {
        Arc::clone(&self.pulse).lock_owned()
    }
}

async fn beat(mut client: TradingServiceClient<Channel>, name: String, pulse: Arc<Mutex<()>>) {
    loop {
        let request = v1::HeartbeatRequest {
            session_id: name.clone(),
            leaving: false,
        };
        let beats = pulse.lock().await;
        // What nobody took is followed by the next one.
        let _ = client.heartbeat(request).await;
        drop(beats);
        sleep(BEAT).await;
    }
}
