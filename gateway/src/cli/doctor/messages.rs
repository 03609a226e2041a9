//! What the doctor tells an operator of a gateway: a sample of each finding but those that passed, and
//! the judgements that no start can provoke.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::settings::TABLE;
use mymt5_chassis::{
    doctor::Verdict,
    loader::{Environment, Reader},
};
use mymt5_proto::v1::Moment;
use std::fs;

/// Clients and account limits of a configuration.
fn parsed(text: &str) -> (ScopeLimits, Vec<Client>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    let mut reader = Reader::open(&TABLE, &file, Environment::from_pairs([("", ""); 0])).unwrap();
    let (_, parts) = Settings::read_with_parts(&mut reader);
    (parts.account_limits, parts.clients.unwrap())
}

fn client(permissions: &str, limits: &str) -> String {
    format!(
        "[clients.alpha]\ncertificate = \"spiffe://mymt5/client/alpha\"\n\
         permissions = [{permissions}]\n{limits}\n"
    )
}

const TRADES: &str = "\"read\", \"trade\"";
const BOUNDED: &str = "limits.max_lots_per_order = 1.0\nlimits.max_open_positions = 3";

fn limited(text: &str, kind: AccountKind) -> Finding {
    let (account, clients) = parsed(text);
    limits(&account, &clients, kind)
}

/// The samples.
pub(in crate::cli) fn samples() -> Vec<Finding> {
    let bounded = client(TRADES, BOUNDED);
    let both = client("\"trade\", \"control\"", BOUNDED);
    let damaged = JournalError::Damaged {
        what: "its pages do not fit".into(),
    };
    let down = LinkStatus {
        state: LinkState::Disconnected.into(),
        reason: "the bridge does not answer; start it".to_owned(),
        ..LinkStatus::default()
    };
    let obstructed = LinkStatus {
        state: LinkState::Ready.into(),
        trade_obstacle: "the terminal forbids trading; allow algorithmic trading there".to_owned(),
        ..LinkStatus::default()
    };
    let unverified = BrokerClock {
        time_zone: "new_york+7".to_owned(),
        offset_seconds: Some(10_800),
        ..BrokerClock::default()
    };
    let silent = Standing::Silent("cannot ask the gateway".to_owned());
    let socket = Path::new("data/gateway/control.sock");
    vec![
        limited(&client(TRADES, ""), AccountKind::Simulated),
        limited(&bounded, AccountKind::Real),
        limited(&bounded, AccountKind::Demo),
        clients(&parsed(&both).1),
        in_plain_text(),
        socket_rights(socket, false, 0o600),
        socket_rights(socket, true, 0o666),
        of_journal(None, true),
        of_journal(Some(Err(damaged)), true),
        of_journal(Some(Ok(true)), false),
        of_journal(Some(Ok(false)), true),
        of_standing(LINK, &silent, |_| Finding::without_process(LINK)),
        of_standing(LINK, &Standing::NotRunning, |_| Finding::pass(LINK, "")),
        link(&down),
        link(&LinkStatus::default()),
        link(&obstructed),
        broker_clock(&BrokerClock::default(), AccountKind::Simulated),
        broker_clock(&unverified, AccountKind::Demo),
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
fn losses_must_end_where_money_is_at_stake() {
    let bounded = client(TRADES, BOUNDED);
    let verdict = |text: &str, kind| limited(text, kind).verdict;
    assert_eq!(verdict(&bounded, AccountKind::Simulated), Verdict::Pass);
    assert_eq!(verdict(&bounded, AccountKind::Demo), Verdict::Warn);
    assert_eq!(verdict(&bounded, AccountKind::Real), Verdict::Fail);
    let lossless = format!("[limits]\ndaily_loss.percent = 5.0\n{bounded}");
    assert_eq!(verdict(&lossless, AccountKind::Real), Verdict::Pass);
    let of_account = format!("[limits]\nmax_lots_total = 5.0\n{}", client(TRADES, ""));
    assert_eq!(verdict(&of_account, AccountKind::Simulated), Verdict::Pass);
    let risk = "limits.max_risk_per_trade_percent = 1.0\nlimits.max_open_positions = 3";
    let any_volume = client(TRADES, risk);
    assert_eq!(verdict(&any_volume, AccountKind::Simulated), Verdict::Fail);
    let disabled = client(TRADES, "enabled = false");
    assert_eq!(verdict(&disabled, AccountKind::Real), Verdict::Pass);
    let reads = client("\"read\"", "");
    assert_eq!(verdict(&reads, AccountKind::Real), Verdict::Pass);
}

#[test]
fn a_clock_that_ticks_agree_with_passes() {
    let clock = BrokerClock {
        time_zone: "new_york+7".to_owned(),
        offset_seconds: Some(10_800),
        verified: Some(Moment::default()),
        ..BrokerClock::default()
    };
    assert_eq!(
        broker_clock(&clock, AccountKind::Real).verdict,
        Verdict::Pass
    );
    let ready = LinkStatus {
        state: LinkState::Ready.into(),
        ..LinkStatus::default()
    };
    assert_eq!(link(&ready).verdict, Verdict::Pass);
}
