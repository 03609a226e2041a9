//! What the demo sees of the pair: as a third client over mTLS, by Check calls, and on the
//! engine's metrics.

use crate::{
    processes::Pair,
    sample::{Healths, Sample},
    show::Show,
    stage::Stage,
};
use anyhow::{Context, bail};
use mymt5_chassis::operations::{OperationsClient, ServingStatus, metric};
use mymt5_proto::v1::{
    self, control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};
use std::{
    collections::VecDeque,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tonic::{
    Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use v1::stream_events_response::Event;

/// How long the pair may take to serve.
const START: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(5);
/// Orders shown.
const LAST_ORDERS: usize = 5;
const POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Observer {
    channel: Channel,
    gateway: OperationsClient,
    engine: OperationsClient,
    ended: Ended,
}

/// The orders that ended last, newest first.
type Ended = Arc<Mutex<VecDeque<v1::Order>>>;

impl Observer {
    /// Waits until both serve.
    pub(crate) async fn connect(
        stage: &Stage,
        pair: &mut Pair,
        show: &Show,
    ) -> anyhow::Result<Self> {
        let [gateway, engine] = [&stage.gateway, &stage.engine].map(|part| OperationsClient {
            program: part.name,
            address: part.operations,
        });
        let end = Instant::now() + START;
        for port in [gateway, engine] {
            while health(port).await != ServingStatus::Serving.as_str_name() {
                pair.check()?;
                if Instant::now() > end {
                    let name = port.program;
                    bail!(
                        "the {name} does not serve after {START:?}; read what it said:\n{}",
                        pair.said()
                    );
                }
                sleep(POLL_INTERVAL).await;
            }
            show.line(&format!("{} serves", port.program));
        }
        let read = |name: &str| fs::read(stage.observer().join(name));
        let identity = Identity::from_pem(read("certificate.pem")?, read("key.pem")?);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")?))
            .identity(identity);
        let endpoint = Endpoint::from_shared(format!("https://localhost:{}", stage.api.port()))?
            .tls_config(tls)?
            .timeout(CALL);
        let channel = endpoint
            .connect()
            .await
            .context("cannot reach the gateway; run the demo again")?;
        let ended = Ended::default();
        tokio::spawn(follow(channel.clone(), ended.clone()));
        Ok(Self {
            channel,
            gateway,
            engine,
            ended,
        })
    }

    pub(crate) async fn healths(&self) -> Healths {
        [health(self.gateway).await, health(self.engine).await]
    }

    pub(crate) async fn sample(&mut self) -> anyhow::Result<Sample> {
        let metrics = self.engine.metrics().await;
        let metrics = metrics.context("cannot read the engine's metrics; run the demo again")?;
        let ticks_received = metric(&metrics, "mymt5_engine_ticks_received_total");
        let status = ControlServiceClient::new(self.channel.clone())
            .get_status(v1::GetStatusRequest {})
            .await;
        let status = status
            .context("cannot read the gateway's status; run the demo again")?
            .into_inner();
        let snapshot = TradingServiceClient::new(self.channel.clone())
            .get_snapshot(v1::GetSnapshotRequest {})
            .await;
        let snapshot = snapshot
            .context("cannot read the account's snapshot; run the demo again")?
            .into_inner();
        let symbols = MarketDataServiceClient::new(self.channel.clone())
            .list_symbols(v1::ListSymbolsRequest {})
            .await;
        // None before the link is up.
        let symbols = symbols.map_or_else(|_| Vec::new(), |told| told.into_inner().symbols);
        let (link, counters) = (
            status.link.unwrap_or_default(),
            status.counters.unwrap_or_default(),
        );
        let account = snapshot.account.unwrap_or_default();
        Ok(Sample {
            link: link
                .state()
                .as_str_name()
                .trim_start_matches("LINK_STATE_")
                .to_lowercase(),
            replay_over: link.state() == v1::LinkState::MarketClosed,
            healths: self.healths().await,
            ticks_sent: counters.ticks,
            ticks_received: ticks_received.unwrap_or(0.0) as u64,
            orders: counters.orders,
            fills: counters.fills,
            rejected: counters.rejected,
            working: snapshot.orders.len(),
            balance: account.balance,
            equity: account.equity,
            currency: account.currency,
            positions: snapshot.positions,
            last_orders: lock(&self.ended).iter().cloned().collect(),
            digits: symbols
                .into_iter()
                .map(|spec| (spec.symbol, spec.digits))
                .collect(),
        })
    }
}

fn lock(ended: &Ended) -> MutexGuard<'_, VecDeque<v1::Order>> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows the events for the table; without them it merely shows no orders.
async fn follow(channel: Channel, ended: Ended) -> Result<(), Status> {
    let mut trading = TradingServiceClient::new(channel);
    let snapshot = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await?
        .into_inner();
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id,
        after_sequence: snapshot.sequence,
    };
    let mut events = trading
        .stream_events(Request::new(from))
        .await?
        .into_inner();
    while let Some(event) = events.message().await? {
        if let Some(Event::OrderChanged(v1::OrderChanged { order: Some(order) })) = event.event
            && matches!(
                order.state(),
                v1::OrderState::Filled | v1::OrderState::Rejected | v1::OrderState::Expired
            )
        {
            let mut ended = lock(&ended);
            ended.push_front(order);
            ended.truncate(LAST_ORDERS);
        }
    }
    Ok(())
}

/// The answer of a Check call, by its name; why there was none, otherwise.
async fn health(port: OperationsClient) -> String {
    port.health("readiness").await.map_or_else(
        |_| "UNREACHABLE".to_owned(),
        |status| status.as_str_name().to_owned(),
    )
}
