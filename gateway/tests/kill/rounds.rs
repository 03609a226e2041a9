//! The rounds, and the gateways that the rounds must catch.
//!
//! `MYMT5_KILL_ROUNDS` sets how many gateways are killed, `MYMT5_KILL_BRIDGE_ROUNDS` how many over a
//! real bridge (`MYMT5_PYTHON` names its Python), `MYMT5_KILL_SEED` repeats a plan (what
//! runs at the same time may still meet in another order), `MYMT5_KILL_FACTOR` scales all times.

use crate::{
    bridged::{Mischief, Mishap},
    harness::{Figures, Play},
    points::Mutant,
    standin::{Fault, Menu},
    verdict::Wrong,
};
use mymt5_chassis::clock;
use mymt5_model::{AccountMode, Reason, Retcode};
use std::{env, str::FromStr};

/// Rounds played on one account.
const PER_SCENE: u32 = 20;

fn given<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().ok().unwrap_or_else(|| panic!("{name}={text}")))
}

/// A living gateway over a calm broker.
fn quiet() -> Play {
    Play {
        seed: given("MYMT5_KILL_SEED").unwrap_or(clock::utc_now_ms().cast_unsigned()),
        factor: given("MYMT5_KILL_FACTOR").unwrap_or(1.0),
        mode: AccountMode::Hedging,
        menu: Menu::CALM,
        mutant: None,
        rounds: 0,
        requests: 40,
        by_hand: false,
        ruled: false,
        decides: false,
        bridge: None,
    }
}

async fn played(play: &Play) -> Figures {
    println!("{play:?}");
    let figures = play.run().await;
    println!("{figures}");
    figures
}

/// Plays a few times, by other seeds, until that is seen: what must be met is met by chance, on a
/// busy machine more seldom.
async fn is_seen(first: &Play, seen: impl Fn(&Figures) -> bool) -> bool {
    const PLAYS: u64 = 5;
    for play in 0..PLAYS {
        let seed = first.seed + play;
        let play = Play {
            seed,
            ..first.clone()
        };
        if seen(&played(&play).await) {
            return true;
        }
    }
    false
}

/// Has adopted what was done late, and done nothing wrong.
fn has_adopted(figures: &Figures) -> bool {
    assert_eq!(figures.findings, [], "seed {}", figures.seed);
    figures.adopted > 0
}

/// Has sent an order twice, and so has it done twice.
fn has_doubled(figures: &Figures) -> bool {
    figures.count(Wrong::Doubled) > 0 && figures.count(Wrong::Resent) > 0
}

/// Has done what nobody asked for, or does not know what was done.
fn has_forgotten(figures: &Figures) -> bool {
    let wrongs = [
        Wrong::Doubled,
        Wrong::Forgotten,
        Wrong::Invented,
        Wrong::Lost,
    ];
    wrongs.into_iter().any(|wrong| figures.count(wrong) > 0)
}

/// Has refused by each limit, and kept all of them.
fn has_limited(figures: &Figures) -> bool {
    assert_eq!(figures.findings, [], "seed {}", figures.seed);
    let limits = [
        Reason::LimitLotsPerOrder,
        Reason::LimitOpenPositions,
        Reason::RateLimited,
    ];
    limits.into_iter().all(|limit| figures.refused(limit) > 0)
}

/// Has kept no limit, and let a silent client trade.
fn has_no_rules(figures: &Figures) -> bool {
    let wrongs = [
        Wrong::TooLarge,
        Wrong::TooMany,
        Wrong::TooOften,
        Wrong::Defied,
    ];
    wrongs.into_iter().all(|wrong| figures.count(wrong) > 0)
}

/// Has been told by an operator what was not so, and believed what was.
fn has_contradicted(figures: &Figures) -> bool {
    assert_eq!(figures.findings, [], "seed {}", figures.seed);
    figures.contradicted > 0
}

/// Has sent an entry in a halt that an earlier gateway acknowledged.
fn has_defied(figures: &Figures) -> bool {
    figures.count(Wrong::Defied) > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_goes_wrong() {
    for mode in [AccountMode::Hedging, AccountMode::Netting] {
        let figures = played(&Play { mode, ..quiet() }).await;
        assert!(figures.requests >= 40);
        assert_eq!(figures.findings, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_send_is_settled_by_its_deals() {
    let refused = Fault::Refuse(Retcode::REJECT.0);
    let play = Play {
        menu: Menu::only(&[Fault::Execute, Fault::Silence, Fault::Delay, refused]),
        ..quiet()
    };
    assert_eq!(played(&play).await.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_after_the_grace_is_adopted_with_an_alarm() {
    let play = Play {
        menu: Menu::only(&[Fault::Execute, Fault::Late]),
        requests: 120,
        ..quiet()
    };
    assert!(is_seen(&play, has_adopted).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_sends_again_is_seen() {
    let play = Play {
        menu: Menu::only(&[Fault::Execute, Fault::Silence, Fault::Delay]),
        mutant: Some(Mutant::Resends),
        ..quiet()
    };
    assert!(is_seen(&play, has_doubled).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_keeps_nothing_or_sends_before_it_keeps_is_seen() {
    for mutant in [Mutant::Forgets, Mutant::SendsBeforeCommit] {
        // Lives long enough to trade in, also on a busy machine. The last one may refuse everything:
        // what the broker holds of ours and it does not know keeps trading closed.
        let play = Play {
            rounds: 8,
            requests: 0,
            factor: 3.0 * quiet().factor,
            mutant: Some(mutant),
            ..quiet()
        };
        assert!(is_seen(&play, has_forgotten).await, "{mutant:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_forgets_a_halt_is_seen() {
    // A halt is a part of a life: the next gateway needs time to trade in it.
    let play = Play {
        rounds: 10,
        factor: 2.0 * quiet().factor,
        mutant: Some(Mutant::ForgetsStates),
        ..quiet()
    };
    assert!(is_seen(&play, has_defied).await);
}

/// Clients with rules, and time enough to reach each limit.
fn ruled() -> Play {
    Play {
        ruled: true,
        requests: 300,
        ..quiet()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_kept_and_who_falls_silent_opens_nothing() {
    assert!(is_seen(&ruled(), has_limited).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_rules_is_seen() {
    let play = Play {
        mutant: Some(Mutant::Unruled),
        ..ruled()
    };
    assert!(is_seen(&play, has_no_rules).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_decides_wrongly_comes_right() {
    let play = Play {
        menu: Menu::only(&[Fault::Execute, Fault::Lose, Fault::Late]),
        requests: 120,
        decides: true,
        ..quiet()
    };
    assert!(is_seen(&play, has_contradicted).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_by_hand_is_no_clients_and_trading_goes_on() {
    for mode in [AccountMode::Hedging, AccountMode::Netting] {
        let play = Play {
            mode,
            by_hand: true,
            ..quiet()
        };
        let figures = played(&play).await;
        assert_eq!(figures.findings, []);
        assert!(figures.bookings > 0);
    }
}

/// Plays half of the rounds: the other half is played beside it, in the other mode.
async fn whatever_dies(mode: AccountMode) {
    let rounds: u32 = given("MYMT5_KILL_ROUNDS").unwrap_or(40);
    let rounds = rounds.div_ceil(2);
    let first = quiet();
    for scene in 0..rounds.div_ceil(PER_SCENE) {
        let play = Play {
            seed: first.seed + u64::from(scene),
            mode,
            menu: Menu::everything(),
            by_hand: true,
            ruled: true,
            decides: true,
            rounds: PER_SCENE.min(rounds - scene * PER_SCENE),
            ..first.clone()
        };
        let figures = played(&play).await;
        assert_eq!(figures.findings, [], "seed {}", figures.seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_nothing_is_doubled_lost_or_invented_on_hedging() {
    whatever_dies(AccountMode::Hedging).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_nothing_is_doubled_lost_or_invented_on_netting() {
    whatever_dies(AccountMode::Netting).await;
}

/// A living gateway over a bridge with nothing wrong. Each of its calls passes another process
/// and a file: times are longer.
fn bridged() -> Play {
    let quiet = quiet();
    Play {
        factor: 2.0 * quiet.factor,
        bridge: Some(Mischief::only(&[])),
        ..quiet
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_goes_wrong_behind_a_bridge() {
    let figures = played(&bridged()).await;
    assert!(figures.requests >= 40);
    assert_eq!(figures.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_send_through_the_bridge_is_never_told_as_not_done() {
    let done = [
        Mishap::Execute,
        Mishap::TimeoutAfter,
        Mishap::SlowAfter,
        Mishap::SlowBefore,
        Mishap::RaiseAfter,
        Mishap::LateHistory,
        Mishap::ZeroResult,
    ];
    let play = Play {
        bridge: Some(Mischief::only(&done)),
        ..bridged()
    };
    let figures = played(&play).await;
    assert_eq!((figures.findings, figures.adopted), (vec![], 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_long_after_its_timeout_is_adopted_through_the_bridge() {
    let play = Play {
        bridge: Some(Mischief::only(&[Mishap::Execute, Mishap::Late])),
        requests: 60,
        ..bridged()
    };
    assert!(is_seen(&play, has_adopted).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_sends_again_through_the_bridge_is_seen() {
    let play = Play {
        // The bridge answers a key that it knows from its memory; only a death makes it forget.
        bridge: Some(Mischief::only(&[
            Mishap::Execute,
            Mishap::Execute,
            Mishap::Execute,
            Mishap::DieAfter,
        ])),
        requests: 16,
        mutant: Some(Mutant::Resends),
        ..bridged()
    };
    assert!(is_seen(&play, has_doubled).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_keeps_nothing_is_caught_through_the_bridge() {
    let play = Play {
        rounds: 3,
        requests: 0,
        mutant: Some(Mutant::Forgets),
        ..bridged()
    };
    assert!(is_seen(&play, has_forgotten).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_around_the_bridge_nothing_is_doubled_lost_or_invented() {
    let rounds: u32 = given("MYMT5_KILL_BRIDGE_ROUNDS").unwrap_or(20);
    let first = bridged();
    for scene in 0..rounds.div_ceil(PER_SCENE) {
        let play = Play {
            seed: first.seed + u64::from(scene),
            mode: [AccountMode::Hedging, AccountMode::Netting][scene as usize % 2],
            bridge: Some(Mischief::everything()),
            rounds: PER_SCENE.min(rounds - scene * PER_SCENE),
            ..first.clone()
        };
        let figures = played(&play).await;
        assert_eq!(figures.findings, [], "seed {}", figures.seed);
        // Nothing else may be told as not done and be done.
        assert!(figures.adopted <= figures.late(), "seed {}", figures.seed);
    }
}
