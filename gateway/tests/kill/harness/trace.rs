//! One gateway under a tracer, and a few orders through it, one after the other.

use super::{BOUND, Play, keeper::Keeper, stage::Stage, story::Stories, trader::Trader};
use crate::{bridged::Mischief, standin::Menu};
use mymt5_model::AccountMode;
use std::{fs, path::Path};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Plays so many market orders. Gives their request ids and what the tracer wrote to `trace`.
pub(crate) async fn traced(
    orders: usize,
    bridge: Option<Mischief>,
    tracer: impl Fn(&Path) -> Vec<String>,
) -> (Vec<String>, String) {
    let play = Play {
        seed: 1,
        factor: 5.0,
        mode: AccountMode::Hedging,
        menu: Menu::CALM,
        mutant: None,
        rounds: 0,
        bridge,
        requests: orders,
        by_hand: false,
        ruled: false,
        decides: false,
    };
    let stage = Stage::set(&play);
    let keeper = Keeper::start(&stage, &play);
    let gateway = stage.gateway_under(&tracer(stage.folder()));
    let stories = Stories::default();
    let mut trader = Trader::new(&stage, 0, 0, stories.clone(), CancellationToken::new());
    let played = timeout(BOUND, async {
        while stories.made() < orders {
            trader.buy().await;
        }
    });
    assert!(played.await.is_ok(), "{}", stage.complaints());
    drop(gateway);
    keeper.stop().await;
    let made = stories.all().into_iter();
    let made = made.filter(|story| story.heard().is_some());
    let ids = made.map(|story| story.asked.id().to_owned()).collect();
    (
        ids,
        fs::read_to_string(stage.folder().join("trace")).unwrap_or_default(),
    )
}
