//! Plays a scene: a broker that is started again whenever it dies, gateways that are killed one
//! after the other, traders that repeat everything, an operator who stops them now and then, one who
//! decides what became of their orders, somebody who trades by hand; then the settling, the last
//! flatten, and the verdict.

mod attendant;
mod ear;
mod figures;
mod finale;
mod heart;
mod keeper;
mod lives;
mod operator;
mod resolver;
mod rules;
mod settle;
mod stage;
mod story;
mod trace;
mod trader;

pub(crate) use figures::Figures;
pub(crate) use trace::traced;

use crate::{bridged::Mischief, points::Mutant, standin::Menu, verdict::evidence};
use ear::Ear;
use keeper::Keeper;
use mymt5_model::AccountMode;
use operator::Shift;
use resolver::Resolver;
use stage::Stage;
use std::{mem, sync::Arc, time::Duration};
use story::Stories;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use trader::Trader;

/// Longest wait for anything that must come.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// Traders, and what each of them has in hand at a time.
const TRADERS: usize = 2;
const HANDS: usize = 2;

/// What to play.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    pub(crate) seed: u64,
    pub(crate) factor: f64,
    pub(crate) mode: AccountMode,
    pub(crate) menu: Menu,
    pub(crate) mutant: Option<Mutant>,
    /// Gateways to kill.
    pub(crate) rounds: u32,
    /// Requests to be made at least.
    pub(crate) requests: usize,
    /// Somebody trades by hand, and moves money, at the broker behind the socket.
    pub(crate) by_hand: bool,
    /// The traders have limits, and one of them must not fall silent; at the broker behind the
    /// socket.
    pub(crate) ruled: bool,
    /// An operator decides orders of unknown outcome by chance.
    pub(crate) decides: bool,
    /// What goes wrong behind a real bridge; none: the broker is the one behind the socket, with
    /// the menu.
    pub(crate) bridge: Option<Mischief>,
}

impl Play {
    /// Plays it to the end.
    pub(crate) async fn run(&self) -> Figures {
        let stage = Arc::new(Stage::set(self));
        let keeper = Keeper::start(&stage, self);
        let stories = Stories::default();
        // A gateway that is wrong on purpose may tell anything, and obeys nobody, unless it obeys
        // until it dies.
        let right = self.mutant.is_none();
        let obeys = right || matches!(self.mutant, Some(Mutant::ForgetsStates | Mutant::Unruled));
        let ear = right.then(|| Ear::listen(&stage));
        let shift = obeys.then(|| Shift::begin(&stage, &stories, self.ruled));
        let resolver = self.decides.then(|| Resolver::begin(&stage, &stories));
        let mut attendants = JoinSet::new();
        if self.by_hand {
            attendants.spawn(attendant::attend(stage.control()));
        }
        let (curtain, over) = (CancellationToken::new(), CancellationToken::new());
        let mut traders = JoinSet::new();
        for (name, hand) in (0..TRADERS).flat_map(|name| (0..HANDS).map(move |hand| (name, hand))) {
            let trader = Trader::new(&stage, name, hand, stories.clone(), over.clone());
            traders.spawn(trader.trade(curtain.clone()));
        }
        let kills = lives::play(&stage, self).await;
        // What no kill disturbs any more is needed for the settling in any case. A link that fails
        // all the time would pause for too long.
        keeper.spare();
        let mut gateway = stage.gateway(None);
        let mut operator = None;
        if let Some(shift) = shift {
            operator = Some(shift.end(&stage).await);
        }
        if let Some(resolver) = resolver {
            resolver.end(&stage).await;
        }
        // After each death the link pauses for longer, and on a busy machine a life takes seconds to begin.
        let reached = timeout(4 * BOUND, stories.reach(self.requests)).await;
        assert!(
            reached.is_ok(),
            "too little is answered: {}",
            stage.complaints()
        );
        curtain.cancel();
        keeper.calm();
        let mut settled = settle::settle(&stage, &stories, &over, traders).await;
        if let Some(mut operator) = operator {
            let operated = mem::take(&mut operator.operated);
            gateway = finale::play(&stage, self, &stories, operator, gateway, &mut settled).await;
            settled.stops = operated.stops;
            settled.findings.extend(operated.findings);
        }
        if let Some(ear) = ear {
            settle::hear(&stage, &stories, ear, &mut settled).await;
        }
        drop(gateway);
        let deaths = keeper.stop().await;
        let ledger = stage.ledger();
        if self.ruled {
            let findings = rules::judge(&ledger, &stories);
            settled.evidence.extend(evidence(&findings, &ledger, &[]));
            settled.findings.extend(findings);
        }
        let adopted = stage.alarmed().len();
        Figures::of(self, &kills, deaths, &ledger, &stories, settled, adopted)
    }
}
