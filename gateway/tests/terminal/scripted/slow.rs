//! A terminal that takes long over its calls.

use super::bridge::{Scripted, usual};
use crate::support::{bounded, terminal, until};
use mymt5_gateway::broker::Broker;
use std::{thread, time::Duration};

/// The package keeps the interpreter during a call: the pong comes after it, and says that nothing runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_pong_that_is_kept_waiting_shows_a_slow_terminal() {
    let bridge = Scripted::start(usual(|call, _| {
        if call == "ping" {
            thread::sleep(Duration::from_millis(1_600));
        }
        None
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    assert!(!terminal.slow());
    until(async || terminal.slow().then_some(())).await;
    assert!(bounded(terminal.ping()).await.is_ok());
}
