//! The places where a gateway is made to die, and what is wrong with the gateways that the test
//! must catch.

use crate::role::die;
use async_trait::async_trait;
use mymt5_gateway::broker::{
    Broker, BrokerError, Dispatch, Events, History, SendFailure, Snapshot,
};
use mymt5_model::{AccountRow, BrokerTime, Receipt, SymbolSpec, TradeRequest};
use serde::{Deserialize, Serialize};
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// The environment's name for the point at which a gateway dies.
pub(crate) const POINT: &str = "MYMT5_KILL_POINT";

/// A place on an order's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Point {
    BeforeCommit,
    AfterCommit,
    BeforeSend,
    AfterSend,
}

/// A gateway that is wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mutant {
    /// Sends again when the outcome is unknown.
    Resends,
    /// Sends before what it sends is durable.
    SendsBeforeCommit,
    /// Keeps no journal.
    Forgets,
    /// Keeps a journal without trading states.
    ForgetsStates,
    /// Is configured without its clients' rules.
    Unruled,
}

/// Kills its own process when a point is passed for the nth time.
#[derive(Debug)]
pub(crate) struct Trap {
    at: Option<Point>,
    left: AtomicU32,
}

impl Trap {
    /// As the environment says.
    pub(crate) fn of_process() -> Self {
        let set = env::var(POINT).ok();
        let set: Option<(Point, u32)> = set.map(|text| serde_json::from_str(&text).unwrap());
        Self {
            at: set.map(|(point, _)| point),
            left: AtomicU32::new(set.map_or(0, |(_, times)| times)),
        }
    }

    /// The environment that sets it.
    pub(crate) fn environment(point: Point, times: u32) -> (&'static str, String) {
        (POINT, serde_json::to_string(&(point, times)).unwrap())
    }

    pub(crate) fn pass(&self, point: Point) {
        if self.at == Some(point) && self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            die();
        }
    }
}

/// A broker whose sends pass the points, and are repeated where the mutant says so.
pub(crate) struct Trapped<B> {
    pub(crate) broker: B,
    pub(crate) trap: Arc<Trap>,
    pub(crate) mutant: Option<Mutant>,
}

impl<B: Broker> Trapped<B> {
    /// Sends until it leaves, whatever its time.
    async fn again(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        loop {
            let again = Dispatch {
                before: Instant::now() + Duration::from_secs(10),
                trace_id: dispatch.trace_id.clone(),
            };
            match self.broker.send(request, &again).await {
                Err(SendFailure::NotSent(_)) => sleep(Duration::from_millis(50)).await,
                outcome => return outcome,
            }
        }
    }
}

#[async_trait]
impl<B: Broker> Broker for Trapped<B> {
    async fn send(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        self.trap.pass(Point::BeforeSend);
        let mut outcome = self.broker.send(request, dispatch).await;
        if self.mutant == Some(Mutant::Resends) && matches!(outcome, Err(SendFailure::Unknown(_))) {
            outcome = self.again(request, dispatch).await;
        }
        self.trap.pass(Point::AfterSend);
        outcome
    }

    fn max_in_flight(&self) -> usize {
        self.broker.max_in_flight()
    }

    async fn open(&self) -> Result<Events, BrokerError> {
        self.broker.open().await
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        self.broker.identify().await
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        self.broker.ping().await
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        self.broker.symbols().await
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        self.broker.snapshot(begun).await
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        self.broker.history(from, to).await
    }
}
