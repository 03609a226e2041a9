//! The last act: the account is flattened while a few more gateways die, and nothing is left of it.

use super::{
    BOUND, Play, lives,
    operator::Operator,
    settle::{self, Settled},
    stage::Stage,
    story::Stories,
};
use crate::{role::Process, verdict::deals_of};
use tokio::time::{Instant, timeout};

/// Gateways that die in it at most.
const DEATHS: u32 = 3;

/// Plays it where nothing is wrong so far, on purpose or not. Gives the gateway that outlives it.
pub(super) async fn play(
    stage: &Stage,
    play: &Play,
    stories: &Stories,
    mut operator: Operator,
    mut gateway: Process,
    settled: &mut Settled,
) -> Process {
    if play.mutant.is_some() || !settled.findings.is_empty() {
        return gateway;
    }
    gateway.kill().await;
    let before = deals_of(&stage.ledger());
    let flatten = tokio::spawn(async move { operator.flatten(None).await });
    let deaths = Play {
        seed: play.seed.wrapping_add(1),
        rounds: play.rounds.min(DEATHS),
        ..play.clone()
    };
    lives::play(stage, &deaths).await;
    gateway = stage.gateway(None);
    let answered = timeout(BOUND, flatten).await;
    assert!(
        matches!(answered, Ok(Ok(()))),
        "a flatten stays unanswered: {}",
        stage.complaints()
    );
    let end = Instant::now() + BOUND;
    *settled = settle::look_on(stage, stories, &mut [], Some(&before), end).await;
    gateway
}
