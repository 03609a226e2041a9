//! After the last kill: everything is asked once more, what works is cancelled, and the gateway is
//! given time to find out the rest.

use super::{
    BOUND, HANDS, TRADERS,
    ear::Ear,
    stage::{Stage, trader_name},
    story::Stories,
    trader::Trader,
};
use crate::verdict::{
    Case, Finding, Purpose, Told, deals_of, evidence, is_late, judge, judge_flat, judge_told,
    own_closes,
};
use mymt5_model::{Lots, OrderState};
use mymt5_proto::v1;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use v1::{get_order_request::Id, trading_service_client::TradingServiceClient};

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What is wrong in the end, and what is known of it: both are empty where all is well.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) findings: Vec<Finding>,
    pub(super) evidence: Vec<String>,
    /// How often an operator stopped trading, by his acts.
    pub(super) stops: [u32; 3],
    /// Orders that an operator decided; and of these, those whose fills contradict him.
    pub(super) decided: [usize; 2],
}

impl Settled {
    /// True when looking again cannot mend it.
    fn is_over(&self) -> bool {
        let mut findings = self.findings.iter();
        self.findings.is_empty() || findings.any(|found| found.wrong.is_lasting())
    }
}

/// Brings everything to its answer, and looks on.
pub(super) async fn settle(
    stage: &Stage,
    stories: &Stories,
    over: &CancellationToken,
    mut traders: JoinSet<()>,
) -> Settled {
    let end = Instant::now() + stage.patience();
    let done = timeout(BOUND, async {
        while traders.join_next().await.is_some() {}
    })
    .await;
    assert!(
        done.is_ok(),
        "calls stay unanswered: {}",
        stage.complaints()
    );
    let mut closers: Vec<Trader> = (0..TRADERS)
        .map(|number| Trader::new(stage, number, HANDS, stories.clone(), over.clone()))
        .collect();
    let repeated = timeout(BOUND, async {
        for story in stories.all().iter().filter(|story| story.heard().is_some()) {
            closers[story.trader].repeat(&story.asked).await;
        }
    });
    // What is wrong on purpose may hold trading closed, and refuse what it forgot for ever.
    let is_answered = repeated.await.is_ok() || stage.scene.mutant.is_some();
    assert!(is_answered, "repeated calls stay unanswered");
    // What was held back is done, and known, before everything is closed.
    while stage.scene.mutant.is_none() && is_late(&stage.ledger()) && Instant::now() < end {
        sleep(POLL_INTERVAL).await;
    }
    let settled = look_on(stage, stories, &mut closers, None, end).await;
    over.cancel();
    settled
}

/// Looks until nothing is wrong, or it cannot be mended, or the time is over; meanwhile the closers
/// cancel what works. `flat`: the deals that were done before the account was flattened, if it was.
pub(super) async fn look_on(
    stage: &Stage,
    stories: &Stories,
    closers: &mut [Trader],
    flat: Option<&BTreeSet<u64>>,
    end: Instant,
) -> Settled {
    loop {
        for closer in &mut *closers {
            cancel_all(closer).await;
        }
        match look(stage, stories, flat).await {
            Ok(settled) if settled.is_over() || Instant::now() > end => return settled,
            Err(status) if Instant::now() > end => panic!("the gateway tells nothing: {status}"),
            _ => sleep(POLL_INTERVAL).await,
        }
    }
}

/// What was told on the way, judged.
pub(super) async fn hear(stage: &Stage, stories: &Stories, ear: Ear, settled: &mut Settled) {
    let due = deals_of(&stage.ledger());
    let events = ear.hear(&due).await;
    let ledger = stage.ledger();
    let findings = judge_told(&ledger, &due, &stories.orders(), &events);
    for found in &findings {
        let number = found.whose.rsplit(' ').next().unwrap_or("");
        let marks = [
            format!("Ticket({number})"),
            format!("_id: {number},"),
            format!("\"{number}\""),
        ];
        let about = |text: &String| marks.iter().any(|mark| text.contains(mark));
        let told = events.iter().map(|told| format!("{told:?}"));
        let lines = ledger.iter().map(|line| format!("{line:?}"));
        settled.evidence.extend(told.chain(lines).filter(about));
    }
    settled.findings.extend(findings);
}

async fn cancel_all(closer: &mut Trader) {
    let working = |order: &&v1::Order| {
        let state = order.state();
        let works = matches!(
            state,
            v1::OrderState::Working | v1::OrderState::PartiallyFilled
        );
        works && !order.cancel_pending
    };
    let Ok(snapshot) = closer.snapshot().await else {
        return;
    };
    for order in snapshot.orders.iter().filter(working) {
        let cancel = closer.cancel(order.order_id);
        closer.ask(cancel).await;
    }
}

/// What the gateway tells now, judged.
async fn look(
    stage: &Stage,
    stories: &Stories,
    flat: Option<&BTreeSet<u64>>,
) -> Result<Settled, Status> {
    let mut clients: Vec<_> = (0..TRADERS)
        .map(|number| stage.client(&trader_name(number)))
        .collect();
    let canceled = stories.canceled();
    let mut cases = Vec::new();
    for story in stories.all() {
        let told = match story.purpose() {
            Purpose::Order => {
                let id = Id::ClientOrderId(story.asked.id().to_owned());
                told(&mut clients[story.trader], id).await?
            }
            Purpose::Change => None,
        };
        cases.push(story.case(told, &canceled));
    }
    let mut operator = stage.operator();
    for (id, order) in own_closes(&stage.ledger()) {
        let told = told(&mut operator, Id::OrderId(order)).await?;
        cases.push(Case::of_own_close(id, told));
    }
    let snapshot = operator.get_snapshot(v1::GetSnapshotRequest {}).await?;
    let mut positions = BTreeMap::new();
    for position in snapshot.into_inner().positions {
        let lots = lots(position.lots).units();
        *positions.entry(position.symbol.clone()).or_default() += match position.side() {
            v1::Side::Sell => -lots,
            _ => lots,
        };
    }
    let ledger = stage.ledger();
    let mut findings = judge(&ledger, &cases, &positions);
    if let Some(before) = flat {
        findings.extend(judge_flat(&ledger, before));
    }
    let decided = cases.iter().filter(|case| case.word.is_some());
    let contradicted = decided.clone().filter(|case| case.is_contradicted());
    Ok(Settled {
        evidence: evidence(&findings, &ledger, &cases),
        decided: [decided.count(), contradicted.count()],
        findings,
        ..Settled::default()
    })
}

async fn told(client: &mut TradingServiceClient<Channel>, id: Id) -> Result<Option<Told>, Status> {
    let id = Some(id);
    match client.get_order(v1::GetOrderRequest { id }).await {
        Ok(response) => Ok(response.into_inner().order.map(|order| Told {
            order: order.order_id,
            state: state(order.state()),
            lots: lots(order.lots),
            filled: lots(order.filled_lots),
            contradicted: order.reason == "LATE_EVIDENCE",
        })),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

fn state(state: v1::OrderState) -> OrderState {
    match state {
        v1::OrderState::Accepted => OrderState::Accepted,
        v1::OrderState::Sent => OrderState::Sent,
        v1::OrderState::Working => OrderState::Working,
        v1::OrderState::PartiallyFilled => OrderState::PartiallyFilled,
        v1::OrderState::Filled => OrderState::Filled,
        v1::OrderState::Rejected => OrderState::Rejected,
        v1::OrderState::Canceled => OrderState::Canceled,
        v1::OrderState::Expired => OrderState::Expired,
        v1::OrderState::Unknown => OrderState::Unknown,
        v1::OrderState::Unspecified => panic!("an order without a state"),
    }
}
