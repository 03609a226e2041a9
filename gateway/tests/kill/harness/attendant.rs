//! Somebody who looks at what a trade by hand froze, and accepts it: trading goes on there.

use mymt5_orders::ObstacleKind;
use mymt5_proto::v1::{self, accept_request::What, control_service_client::ControlServiceClient};
use std::time::Duration;
use tokio::time::sleep;
use tonic::transport::Channel;

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Looks and accepts, whichever gateway lives, until the task is dropped.
pub(super) async fn attend(mut client: ControlServiceClient<Channel>) {
    let mut asked: u32 = 0;
    loop {
        sleep(POLL_INTERVAL).await;
        let Ok(status) = client.get_status(v1::GetStatusRequest {}).await else {
            continue;
        };
        let kind = ObstacleKind::ForeignTrade.name();
        let obstacles = status.into_inner().obstacles.into_iter();
        for frozen in obstacles.filter(|obstacle| obstacle.name == kind) {
            asked += 1;
            let request = v1::AcceptRequest {
                request_id: format!("a-{asked}"),
                what: Some(What::Symbol(frozen.symbol)),
                reason: "traded by hand".into(),
                not_after: None,
            };
            // What was not accepted is seen again.
            let _ = client.accept(request).await;
        }
    }
}
