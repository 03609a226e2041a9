//! The machine in simulated time.

#![allow(clippy::unwrap_used)]
use super::{
    Calendar, LinkState,
    machine::{Fact, Machine, Trouble},
};
use mymt5_model::{BrokerTime, BrokerZone, UtcTime};
use mymt5_simulator::Week;
use std::time::Duration;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Friday's midnight in UTC, 2026-07-10; the broker's clock is three hours ahead.
const FRIDAY: i64 = 1_783_641_600_000;

fn calendar() -> Calendar {
    Calendar {
        zone: BrokerZone::parse("Europe/Athens").unwrap(),
        week: Week::working_days(),
        holidays: [BrokerTime(FRIDAY + 6 * DAY)].into(),
    }
}

/// Down all the time, tried once a minute: the alerts and their hours after Friday's midnight.
fn alerts_of_a_dead_link(from: i64, to: i64) -> Vec<i64> {
    let mut machine = Machine::new(Some(calendar()));
    let mut alerts = Vec::new();
    let mut now = FRIDAY + from;
    while now < FRIDAY + to {
        for fact in [Fact::Opening, Fact::Lost("no answer".into()), Fact::Nothing] {
            if machine.on(fact, UtcTime(now)).is_some() {
                alerts.push((now - FRIDAY).div_euclid(HOUR));
            }
        }
        now += MINUTE;
    }
    alerts
}

#[test]
fn a_weekend_makes_no_alert() {
    // Friday's last hour in Athens ends at 21:00 UTC; Monday begins at Sunday's 21:00 UTC.
    assert_eq!(
        alerts_of_a_dead_link(21 * HOUR, 2 * DAY + 21 * HOUR),
        Vec::<i64>::new()
    );
    // A holiday, Thursday the 16th in Athens.
    assert_eq!(
        alerts_of_a_dead_link(5 * DAY + 21 * HOUR, 6 * DAY + 21 * HOUR),
        Vec::<i64>::new()
    );
    // One that is still dead when the market opens again is told once, then.
    assert_eq!(alerts_of_a_dead_link(21 * HOUR, 3 * DAY), [2 * 24 + 21]);
    assert_eq!(alerts_of_a_dead_link(12 * HOUR, 13 * HOUR), [12]);
}

#[test]
fn outside_sessions_the_state_says_so_and_trading_needs_a_link() {
    let mut machine = Machine::new(Some(calendar()));
    machine.on(Fact::Up, UtcTime(FRIDAY + 12 * HOUR));
    let at = |machine: &Machine, hour| {
        let view = machine.view(UtcTime(FRIDAY + hour * HOUR));
        (view.state, view.up)
    };
    assert_eq!(at(&machine, 20), (LinkState::Ready, true));
    assert_eq!(at(&machine, 21), (LinkState::MarketClosed, true));
    machine.on(
        Fact::Lost("maintenance".into()),
        UtcTime(FRIDAY + 22 * HOUR),
    );
    assert_eq!(at(&machine, 22), (LinkState::MarketClosed, false));
    assert_eq!(at(&machine, 72), (LinkState::BackingOff, false));
}

#[test]
fn a_refusal_is_told_once_and_stays() {
    let mut machine = Machine::new(Some(calendar()));
    let saturday = UtcTime(FRIDAY + 36 * HOUR);
    let refused = || Fact::Refused("wrong password".into());
    assert!(
        machine
            .on(refused(), saturday)
            .unwrap()
            .contains("wrong password")
    );
    assert_eq!(machine.on(refused(), saturday), None);
    assert_eq!(machine.on(Fact::Nothing, UtcTime(FRIDAY + 12 * HOUR)), None);
    let view = machine.view(saturday);
    assert_eq!(
        (view.state, &*view.reason, view.up),
        (LinkState::Refused, "wrong password", false)
    );
}

#[test]
fn trouble_degrades_and_is_told_once_per_time() {
    let mut machine = Machine::new(None);
    let now = UtcTime(FRIDAY);
    machine.on(Fact::Up, now);
    let forbidden = || Fact::Trouble(Trouble::Permission, Some("switch Algo Trading on".into()));
    assert_eq!(
        machine.on(forbidden(), now).as_deref(),
        Some("switch Algo Trading on")
    );
    assert_eq!(machine.on(forbidden(), now), None);
    let view = machine.view(now);
    assert_eq!(
        (view.state, &*view.reason, view.up),
        (LinkState::Degraded, "switch Algo Trading on", true)
    );
    machine.on(Fact::Trouble(Trouble::Permission, None), now);
    assert_eq!(machine.view(now).state, LinkState::Ready);
    assert!(machine.on(forbidden(), now).is_some());
}

#[test]
fn silence_closes_trading_at_once_and_is_an_alert_when_it_lasts() {
    let mut machine = Machine::new(Some(calendar()));
    let noon = FRIDAY + 12 * HOUR;
    let silent = || Fact::Trouble(Trouble::Silence, Some("it says nothing".into()));
    let over = || Fact::Trouble(Trouble::Silence, None);
    let told = |machine: &Machine, at| {
        let view = machine.view(UtcTime(at));
        (view.state, view.reason, view.up)
    };
    machine.on(Fact::Up, UtcTime(noon));
    let begin = noon + 5 * MINUTE;
    assert_eq!(machine.on(silent(), UtcTime(begin)), None);
    let degraded = (LinkState::Degraded, "it says nothing".to_owned(), false);
    assert_eq!(told(&machine, begin), degraded);
    assert_eq!(machine.on(over(), UtcTime(begin + 20_000)), None);
    let ready = (LinkState::Ready, String::new(), true);
    assert_eq!(told(&machine, begin + 20_000), ready);
    // Each silence counts for itself, and one that ends the session counts on.
    let begin = begin + MINUTE;
    machine.on(silent(), UtcTime(begin));
    machine.on(Fact::Lost("given up".into()), UtcTime(begin + 20_000));
    assert_eq!(machine.on(Fact::Nothing, UtcTime(begin + 29_000)), None);
    let alert = machine.on(Fact::Nothing, UtcTime(begin + 30_000));
    assert!(alert.unwrap().ends_with("for 30 s: given up"));
    // At night nobody is woken for it.
    let night = FRIDAY + 30 * HOUR;
    machine.on(Fact::Up, UtcTime(night));
    machine.on(silent(), UtcTime(night));
    assert_eq!(machine.on(Fact::Nothing, UtcTime(night + MINUTE)), None);
    let (state, _, up) = told(&machine, night);
    assert_eq!((state, up), (LinkState::MarketClosed, false));
}

#[test]
fn pauses_double_to_a_ceiling_and_a_stable_minute_forgets_them() {
    let mut machine = Machine::new(None);
    let pauses = |machine: &mut Machine| -> Vec<u128> {
        (0..9).map(|_| machine.pause(1.0).as_millis()).collect()
    };
    let whole = [
        500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ];
    assert_eq!(pauses(&mut machine), whole);
    assert_eq!(machine.pause(0.0), Duration::ZERO);
    machine.on(Fact::Up, UtcTime(0));
    machine.on(Fact::Lost(String::new()), UtcTime(MINUTE));
    assert_eq!(machine.pause(1.0).as_millis(), 30_000);
    machine.on(Fact::Up, UtcTime(0));
    machine.on(Fact::Lost(String::new()), UtcTime(MINUTE + 1));
    assert_eq!(pauses(&mut machine), whole);
}
