//! A restart meets the same account.

use crate::{
    invariants::{Walk, account, step, symbols},
    support::*,
};
use mymt5_model::*;
use mymt5_simulator::{AccountConfig, RestoreError, Simulator, State};
use proptest::prelude::*;

/// Through a file, as a restart would.
fn reload(account: AccountConfig, sim: &Simulator) -> Simulator {
    let text = serde_json::to_string(&sim.save()).unwrap();
    let state: State = serde_json::from_str(&text).unwrap();
    Simulator::restore(account, symbols(), state).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_in_between_changes_nothing(
        steps in proptest::collection::vec(step(), 2..120),
        at in 0usize..120,
        net in any::<bool>(),
    ) {
        let mode = if net { AccountMode::Netting } else { AccountMode::Hedging };
        let mut whole = Walk::new(Simulator::new(account(mode), symbols()).unwrap());
        let (before, after) = steps.split_at(at.min(steps.len()));
        before.iter().for_each(|step| drop(whole.take(step)));
        // Another seed in the configuration must not matter: the saved one goes on.
        let config = AccountConfig { seed: 1234, balance: Money::ZERO, ..account(mode) };
        let mut again = whole.over(reload(config, &whole.sim));
        prop_assert_eq!(again.sim.account(), whole.sim.account());
        for step in after {
            prop_assert_eq!(again.take(step), whole.take(step));
        }
        prop_assert_eq!(again.sim.account(), whole.sim.account());
        prop_assert_eq!(again.sim.positions(), whole.sim.positions());
        prop_assert_eq!(again.sim.save(), whole.sim.save());
    }
}

#[test]
fn another_account_is_refused() {
    let state = Desk::open(hedging()).sim.save();
    let restore = |account, symbols| Simulator::restore(account, symbols, state.clone()).err();
    let eurusd = || vec![spec("EURUSD")];
    let other = |what| Some(RestoreError::OtherAccount { what });
    assert_eq!(restore(hedging(), eurusd()), None);
    assert_eq!(restore(netting(), eurusd()), other("mode"));
    assert_eq!(
        restore(
            AccountConfig {
                login: 99_999_999,
                ..hedging()
            },
            eurusd()
        ),
        other("account")
    );
    assert_eq!(
        restore(
            AccountConfig {
                server: "x".into(),
                ..hedging()
            },
            eurusd()
        ),
        other("server")
    );
    assert_eq!(
        restore(
            AccountConfig {
                currency: "EUR".into(),
                ..hedging()
            },
            eurusd()
        ),
        other("currency")
    );
    let mut json = serde_json::to_value(&state).unwrap();
    json["format"] = 2.into();
    let newer = Simulator::restore(hedging(), eurusd(), serde_json::from_value(json).unwrap());
    assert_eq!(newer.err(), Some(RestoreError::Format { found: 2 }));
}

#[test]
fn held_symbols_must_stay() {
    let mut desk = Desk::with(hedging(), vec![spec("EURUSD"), spec("GBPUSD")]);
    desk.done(&deal(Side::Buy, 1.0));
    let restore = |symbols| Simulator::restore(hedging(), symbols, desk.sim.save()).err();
    let gone = Some(RestoreError::SymbolGone {
        symbol: symbol("EURUSD"),
    });
    assert_eq!(restore(vec![spec("EURUSD")]), None);
    assert_eq!(restore(vec![spec("GBPUSD")]), gone);
    let other_digits = SymbolSpec {
        digits: 4,
        ..spec("EURUSD")
    };
    assert_eq!(restore(vec![other_digits]), gone);
}

#[test]
fn a_margin_call_is_not_told_again_after_a_restart() {
    let poor = AccountConfig {
        balance: money("1500"),
        ..hedging()
    };
    let mut desk = Desk::open(poor.clone());
    desk.done(&deal(Side::Buy, 1.0));
    assert_eq!(
        desk.tick(1, 109_600, 109_610),
        [mymt5_simulator::Event::MarginCall]
    );
    let state = desk.sim.save();
    let sim = Simulator::restore(poor, vec![spec("EURUSD")], state).unwrap();
    assert!(Desk { sim }.tick(2, 109_599, 109_609).is_empty());
}
