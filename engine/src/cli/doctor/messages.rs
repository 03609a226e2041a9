//! What the doctor tells an operator of an engine: a sample of each finding but those that passed.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::settings::TABLE;
use mymt5_chassis::loader::{Environment, Reader};
use mymt5_proto::v1::Moment;
use std::fs;

fn risk(text: &str) -> RiskSettings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("engine.toml");
    fs::write(&file, format!("[risk]\n{text}")).unwrap();
    let mut reader = Reader::open(&TABLE, &file, Environment::from_pairs([("", ""); 0])).unwrap();
    RiskSettings::read(&mut reader.section("risk")).unwrap()
}

/// An answer that came between 1000 and 1100 ms, at that time of the gateway's.
fn told(utc_ms: Option<i64>) -> Told {
    Told {
        status: GetStatusResponse {
            server_time: utc_ms.map(|ms| Moment {
                utc_ms: Some(ms),
                broker_ms: None,
            }),
            ..GetStatusResponse::default()
        },
        asked_ms: 1_000,
        answered_ms: 1_100,
    }
}

/// The samples.
pub(crate) fn samples() -> Vec<Finding> {
    let refused = anyhow::Error::from(tonic::Status::permission_denied(""));
    let silent = anyhow::Error::from(tonic::Status::deadline_exceeded(""));
    let lost = anyhow::anyhow!("cannot connect");
    vec![
        reached(&GetStatusResponse {
            version: "0.0.9".to_owned(),
            ..GetStatusResponse::default()
        }),
        unreached(&refused),
        unreached(&silent),
        unreached(&lost),
        after(CLOCK, GATEWAY),
        clock(&told(None)),
        clock(&told(Some(9_000))),
        risk_limits(&risk("")),
    ]
}

#[test]
fn each_sample_is_something_to_mind() {
    let passed = samples()
        .into_iter()
        .filter(|finding| finding.verdict == Verdict::Pass);
    assert_eq!(passed.count(), 0);
}

#[test]
fn clocks_may_differ_by_what_the_answer_took() {
    for (theirs, verdict) in [
        (1_050, Verdict::Pass),
        (2_099, Verdict::Pass),
        (2_100, Verdict::Fail),
        (1, Verdict::Pass),
        (0, Verdict::Fail),
    ] {
        assert_eq!(clock(&told(Some(theirs))).verdict, verdict, "{theirs}");
    }
}

#[test]
fn a_volume_is_bounded_by_max_lots_or_fixed() {
    for (text, verdict) in [
        ("max_lots = 1.0", Verdict::Pass),
        ("lots = 0.1", Verdict::Pass),
        ("max_per_trade = 0.5", Verdict::Fail),
    ] {
        assert_eq!(risk_limits(&risk(text)).verdict, verdict, "{text}");
    }
}
