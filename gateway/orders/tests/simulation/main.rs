//! Everything that can go wrong, from one seed: clients, an operator, a hostile broker, crashes and
//! clocks, judged after every step by what the broker knows. A failing seed is printed and shrunk.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "../bench/mod.rs"]
mod bench;
mod broker;
mod clients;
mod dice;
mod faults;
mod judge;
mod operator;
mod settle;
mod temper;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    env,
    hash::{DefaultHasher, Hasher},
    time::Instant,
};
use temper::{Fault, Faults};
use world::World;

/// Turns of a run; a turn is about a step and a half.
const TURNS: u64 = 6_000;

/// How a run ended.
struct Run {
    steps: u64,
    fills: u64,
    closes: u64,
    refusals: BTreeMap<&'static str, u64>,
    marks: BTreeSet<&'static str>,
    digest: u64,
    failed: Option<(u64, String)>,
}

fn run(seed: u64, faults: Faults, turns: u64) -> Run {
    run_in(World::new(seed, faults), turns)
}

fn run_in(mut world: World, turns: u64) -> Run {
    let mut failed = world.begin().err().map(|why| (0, why));
    for turn in 0..turns {
        if failed.is_some() {
            break;
        }
        if let Err(why) = world.turn() {
            failed = Some((turn, why));
            break;
        }
    }
    if failed.is_none() {
        failed = world.settle().err().map(|why| (turns, why));
    }
    if failed.is_some() && world.trail.is_some() {
        println!("{}", world.scenery());
    }
    Run {
        steps: world.shell.steps,
        fills: world.judge.fills,
        closes: world.judge.closes,
        refusals: std::mem::take(&mut world.judge.refusals),
        marks: std::mem::take(&mut world.marks),
        digest: world.digest.as_ref().map_or(0, Hasher::finish),
        failed,
    }
}

/// The least of a run that fails so: fewer turns, and no fault that is not needed.
fn shrink(seed: u64, mut faults: Faults, mut turns: u64, mut why: String) -> (Faults, u64, String) {
    let kind: String = why.chars().take(12).collect();
    for fault in Fault::ALL {
        let fewer = faults.without(*fault);
        match run(seed, fewer, turns).failed {
            Some((at, text)) if text.starts_with(&kind) => {
                faults = fewer;
                turns = turns.min(at + 1);
                why = text;
            }
            _ => {}
        }
    }
    (faults, turns, why)
}

fn number(name: &str, default: u64) -> u64 {
    let value = env::var(name).ok();
    value.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn nothing_is_doubled_lost_or_told_wrongly() {
    let first = number("MYMT5_SIM_SEED", 1);
    let steps = number("MYMT5_SIM_STEPS", 300_000);
    let turns = number("MYMT5_SIM_TURNS", TURNS);
    let faults = Faults(number("MYMT5_SIM_FAULTS", u64::MAX));
    let begun = Instant::now();
    let mut done = 0;
    let mut fills = 0;
    let mut closes = 0;
    let mut seed = first;
    let (mut refusals, mut marks) = (BTreeMap::<_, u64>::new(), BTreeSet::new());
    while done < steps {
        let run = run(seed, faults, turns);
        if let Some((at, why)) = run.failed {
            println!("seed {seed} failed at turn {at}: {why}");
            // One that fails once the faults are over needs all of its turns.
            let turns = turns.min(at + 1);
            let (faults, turns, why) = match number("MYMT5_SIM_SHRINK", 1) {
                0 => (faults, turns, why),
                _ => shrink(seed, faults, turns, why),
            };
            if env::var("MYMT5_SIM_VERBOSE").is_ok() {
                let mut world = World::new(seed, faults);
                world.trail = Some(VecDeque::new());
                run_in(world, turns);
            }
            panic!(
                "shrunk: MYMT5_SIM_SEED={seed} MYMT5_SIM_STEPS=1 MYMT5_SIM_TURNS={turns} MYMT5_SIM_FAULTS={}\n{why}",
                faults.0
            );
        }
        done += run.steps;
        fills += run.fills;
        closes += run.closes;
        marks.extend(run.marks);
        for (reason, count) in run.refusals {
            *refusals.entry(reason).or_default() += count;
        }
        seed += 1;
    }
    println!("refusals: {refusals:?}");
    println!("marks: {marks:?}");
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{done} steps, seeds {first} to {}, {fills} orders filled, {closes} closes, {:.0} steps a minute",
        seed - 1,
        done as f64 / seconds * 60.0
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 17] {
        let [one, two] = [0, 1].map(|_| {
            let mut world = World::new(seed, Faults::EVERYTHING);
            world.digest = Some(DefaultHasher::new());
            run_in(world, 800).digest
        });
        assert_eq!(one, two, "seed {seed}");
    }
}
