//! What wrong limits tell an operator: a sample of each fault.
#![allow(clippy::unwrap_used)]

use crate::{Percent, ScopeLimits};
use mymt5_chassis::{
    loader::{Environment, Reader, Table},
    testing::messages::Messages,
};
use std::{fs, path::Path};

const TABLE: Table = Table {
    program: "mymt5-gateway",
    names: &[],
    secrets: &[],
    forbidden: &[],
};

const WRONG: &str = "[limits]\nsymbols = ['EURUSD', 'EURUSD']\nmax_lots_per_order = 0.0\n\
     min_stop_distance_points = 100\nmax_stop_distance_points = 99\ndaily_loss.action = 'halt'\n\
     drawdown.percent = 5.0\ndrawdown.amount = 5.0\ndrawdown.initial_balance = 0.0\n\
     max_risk_per_trade_percent = 2.0\n";

#[test]
fn every_fault_names_what_is_wrong_and_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("gateway.toml");
    fs::write(&file, WRONG).unwrap();
    let environment = Environment::from_pairs([("", ""); 0]);
    let mut reader = Reader::open(&TABLE, &file, environment).unwrap();
    let ceiling = Percent::try_from(1.0).unwrap();
    ScopeLimits::read(&mut reader.section("limits"), Some(ceiling));
    let mut messages = Messages::default();
    messages.errors(&reader.finish().unwrap_err(), place.path());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings");
    messages.judge(&sources).unwrap();
}
