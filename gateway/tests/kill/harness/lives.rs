//! The lives of the gateways, one after the other: each ends at a point of an order's way or at
//! any moment.

use super::{Play, stage::Stage};
use crate::{dice::Dice, points::Point};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

const POINTS: [Point; 4] = [
    Point::BeforeCommit,
    Point::AfterCommit,
    Point::BeforeSend,
    Point::AfterSend,
];
/// Purpose of the dice.
const LIVES: u64 = 1;

/// How a gateway died: at a point, or at any moment.
pub(super) type Kills = BTreeMap<Option<Point>, u32>;

pub(super) async fn play(stage: &Stage, play: &Play) -> Kills {
    let mut dice = Dice::new(play.seed, LIVES);
    let mut kills = Kills::new();
    for _ in 0..play.rounds {
        *kills.entry(live(stage, &mut dice).await).or_default() += 1;
    }
    kills
}

async fn live(stage: &Stage, dice: &mut Dice) -> Option<Point> {
    let longest = stage.scene.longest_life();
    // Behind the bridge less happens in a life.
    let passes = if stage.scene.bridge.is_some() { 5 } else { 12 };
    let trap = dice
        .weighted(&[(true, 1), (false, 1)])
        .filter(|trapped| *trapped)
        .and_then(|_| dice.pick(&POINTS).copied())
        .map(|point| (point, 1 + dice.below(passes) as u32));
    let moment = longest.as_millis() as u64;
    let life = match trap {
        Some(_) => longest,
        None => Duration::from_millis(dice.below(moment)),
    };
    let mut gateway = stage.gateway(trap);
    let by_itself = timeout(life, gateway.killed()).await.is_ok();
    assert!(
        gateway.kill().await,
        "a gateway ended otherwise: {}",
        stage.complaints()
    );
    trap.filter(|_| by_itself).map(|(point, _)| point)
}
