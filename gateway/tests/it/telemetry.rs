//! The list of the gateway's metrics: what the sources use, and what the README shows.

use mymt5_chassis::{metrics::COMMON, testing::metrics};
use mymt5_gateway::telemetry::METRICS;
use std::{collections::BTreeSet, path::Path};

#[test]
fn what_the_sources_count_is_listed_and_nothing_else() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed: BTreeSet<String> = METRICS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(metrics::used(&sources).unwrap(), listed);
    assert_eq!(listed.len(), METRICS.len(), "a name stands twice");
}

#[test]
fn the_readme_shows_the_list() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/README.md");
    metrics::compare(&readme, "both", &COMMON).unwrap();
    metrics::compare(&readme, "gateway", METRICS).unwrap();
}
