//! What the keys become, what the examples say, and which rule comes first.
#![allow(clippy::unwrap_used)]

use super::{testing::*, *};
use crate::{bars::Timeframe, trader::tests::spec};
use mymt5_model::{BrokerTime, Side};
use std::{fs, path::PathBuf};

/// The lines of a file of the repository that would be keys of care.
fn documented(file: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(file)).unwrap();
    let keys = text.lines().filter_map(|line| line.strip_prefix("#care."));
    keys.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_documented_key_is_read() {
    let keys = documented("config/engine.toml");
    let by_ranges = keys.replace("trailing.points = 150\n", "");
    let by_points: Vec<&str> = keys
        .lines()
        .filter(|key| !key.starts_with("trailing.atr"))
        .collect();
    let CareSettings {
        break_even,
        trailing,
        partial_close,
        time_exit,
    } = settings(&by_ranges);
    let even = BreakEven {
        at_r: 1.0,
        plus_points: 10,
    };
    assert_eq!(break_even, Some(even));
    let ranges = Ranges {
        bars: 14,
        timeframe: Timeframe::M15,
    };
    let trailed = Trailing {
        distance: Distance::Ranges(3.0, ranges),
        from_r: Some(1.5),
        step_points: 10,
    };
    assert_eq!(trailing, Some(trailed));
    let half = PartialClose {
        at_r: 1.0,
        percent: 50.0,
    };
    assert_eq!(partial_close, Some(half));
    assert_eq!(time_exit, Some(TimeExit { minutes: 480 }));
    let distance = settings(&by_points.join("\n")).trailing.unwrap().distance;
    assert_eq!(distance, Distance::Points(150));
}

#[test]
fn the_example_of_a_prop_firm_is_read_whole() {
    let care = settings(&documented("engine/examples/prop_firm.toml"));
    assert!(care.break_even.is_some() && care.partial_close.is_some());
    assert!(care.trailing.is_some() && care.time_exit.is_some());
}

#[test]
fn without_keys_every_rule_is_off() {
    let off = settings("");
    assert!(!off.is_on());
    let spec = spec();
    let facts = Facts {
        since: None,
        risk: None,
        ..facts(&spec, Side::Buy, 109_000)
    };
    assert_eq!((off.decide(&facts), off.missing(&facts)), (vec![], None));
}

#[test]
fn what_protects_comes_first_and_the_better_stop_is_taken() {
    let care = settings(
        "break_even.at_r = 1.0\ntrailing.points = 150\npartial_close.at_r = 1.0\n\
         time_exit.minutes = 5",
    );
    let spec = spec();
    for (side, closing, stop) in [(Side::Buy, 100_200, 100_050), (Side::Sell, 99_800, 99_950)] {
        let mut facts = facts(&spec, side, closing);
        let moved = Action::MoveStop(price(stop));
        let part = Action::Reduce(Lots::from_f64(0.24).unwrap());
        assert_eq!(care.decide(&facts), [moved, part], "{side:?}");
        facts.levels.stop_loss = Some(price(stop));
        assert_eq!(care.decide(&facts), [part], "{side:?}");
        facts.may_reduce = false;
        assert_eq!(care.decide(&facts), []);
        facts.now = BrokerTime(300_000);
        assert_eq!(care.decide(&facts), [Action::Close]);
    }
}

#[test]
fn what_is_missing_is_told_by_rule() {
    let spec = spec();
    let unknown = Facts {
        since: None,
        risk: None,
        ..facts(&spec, Side::Buy, 100_200)
    };
    let small = Facts {
        lots: spec.volume.min,
        ..facts(&spec, Side::Buy, 100_200)
    };
    for (keys, of_unknown, of_small) in [
        ("break_even.at_r = 1.0", Some(Missing::InitialStop), None),
        (
            "partial_close.at_r = 1.0",
            Some(Missing::InitialStop),
            Some(Missing::Volume),
        ),
        (
            "trailing.points = 150\ntrailing.from_r = 1.0",
            Some(Missing::InitialStop),
            None,
        ),
        ("trailing.points = 150", None, None),
        ("time_exit.minutes = 5", Some(Missing::Opening), None),
    ] {
        let care = settings(keys);
        assert_eq!(care.missing(&unknown), of_unknown, "{keys}");
        assert_eq!(care.missing(&small), of_small, "{keys}");
    }
}
