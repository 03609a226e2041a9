//! One suite over all brokers: the embedded one, a terminal (the real bridge with a stand-in for the
//! package), and the whole chain (the real bridge on the official package and the simulated
//! terminal), where a Windows Python is installed. Each scenario is written once, and all must give
//! the same answers but for tickets. Rows are compared in the order of their tickets, which none
//! promises.
//!
//! What differs by nature, and is left out:
//! * The kind of the account: simulated, or the demo that a terminal has.
//! * A terminal's history begins with a deposit; the embedded account is born with its balance.
//! * Slips and requotes are dice in the embedded market and planted faults in the stand-in, and a
//!   waiting order is filled in parts by the former only. The first market order is made to be
//!   filled alike.
//! * A span of the past also holds orders made in it that ended later at a terminal, which does
//!   not say by which of the two times it picks them.
//! * Nights: the stand-in books no swap.
//! * Margin calls: the embedded broker tells each fall, a terminal is looked at now and then.
//! * Texts: comments of receipts, and why a request was not sent.
//! * What is about an order that is not there: one that ended, or one that never was. A terminal's rows
//!   do not tell.

mod bridged;
mod chain;
mod play;
mod requests;
mod rows;
mod scenarios;
mod setup;
mod simulated;
mod stage;
mod standin;

use crate::real::Bridge;
use mymt5_model::AccountMode;
use play::{Play, tick};
use setup::Setup;
use simulated::SimulatedStage;
use stage::Stage;
use std::sync::Arc;

/// Plays a scenario on all brokers, on a netting and on a hedging account, each set up so.
async fn conforms(setups: &[Setup], scenario: impl AsyncFn(&mut Play)) {
    let bridge = Arc::new(Bridge::start(&["feed=manual"]));
    let modes = [AccountMode::Netting, AccountMode::Hedging];
    let all = setups
        .iter()
        .flat_map(|setup| modes.map(|mode| setup.clone().with(mode)));
    for (setup, slot) in all.zip(1..) {
        let first = tick(&setup, 0, setup.first);
        let mut stage = SimulatedStage::new(&setup);
        stage.move_to(&first).await;
        let simulated = play(stage, &setup, slot, &scenario).await;
        let stage = standin::open(bridge.clone(), &setup, &first).await;
        let terminal = play(stage, &setup, slot, &scenario).await;
        same(&simulated, "terminal", &terminal, setup.account.mode);
        if let Some(chain) = chain::chain().await {
            let (slot, stage) = chain::open(chain, &setup, &first).await;
            let whole = play(stage, &setup, slot, &scenario).await;
            same(&simulated, "chain", &whole, setup.account.mode);
        }
    }
}

async fn play(
    stage: impl Stage + 'static,
    setup: &Setup,
    slot: u16,
    scenario: &impl AsyncFn(&mut Play),
) -> Vec<String> {
    let mut play = Play::begin(Box::new(stage), setup.clone(), slot).await;
    scenario(&mut play).await;
    play.end().await
}

/// Another broker's transcript is the embedded one's.
fn same(simulated: &[String], name: &str, other: &[String], mode: AccountMode) {
    if simulated == other {
        return;
    }
    let pairs = simulated.iter().zip(other);
    let alike = pairs.take_while(|(one, other)| one == other).count();
    let line = |lines: &[String]| lines.get(alike).cloned().unwrap_or_default();
    panic!(
        "{mode:?}, after\n{}\nsimulated\n{}\n{name}\n{}",
        simulated[alike.saturating_sub(8)..alike].join("\n"),
        line(simulated),
        line(other),
    );
}
