//! Entries go while neither the account nor this client is restricted, in whatever order that is told.

use super::*;
use TradingState::{Active, Halted, Reducing};

fn enters(trader: &mut Trader) -> bool {
    matches!(&feed(trader, DOWN)[..], [Intent::Submit(_)])
}

#[test]
fn an_entry_goes_once_both_the_account_and_this_client_are_active() {
    let account = |state| Event::TradingState(Scope::Account, state);
    let client = |state| Event::TradingState(Scope::Client, state);
    for (found, told, goes) in [
        (Active, vec![account(Halted)], false),
        (Active, vec![account(Halted), account(Active)], true),
        (Active, vec![client(Reducing), client(Active)], true),
        (Active, vec![client(Halted), account(Active)], false),
        (
            Active,
            vec![client(Halted), account(Halted), client(Active)],
            false,
        ),
        (
            Active,
            vec![
                client(Halted),
                account(Halted),
                client(Active),
                account(Active),
            ],
            true,
        ),
        (Halted, vec![account(Active)], false),
        (Halted, vec![client(Active)], false),
        (Halted, vec![account(Active), client(Active)], true),
    ] {
        let mut trader = trader();
        trader.on_snapshot(snapshot(found));
        for event in &told {
            trader.on_event(event);
        }
        assert_eq!(enters(&mut trader), goes, "{found:?} {told:?}");
    }
}

#[test]
fn a_heartbeat_ends_what_the_snapshot_restricted_and_nothing_that_an_event_did() {
    let account = |state| Event::TradingState(Scope::Account, state);
    for (told, goes) in [
        (vec![], true),
        (vec![account(Active)], true),
        (vec![account(Halted)], false),
    ] {
        let mut trader = trader();
        trader.on_snapshot(snapshot(Reducing));
        for event in &told {
            trader.on_event(event);
        }
        trader.on_unrestricted();
        assert_eq!(enters(&mut trader), goes, "{told:?}");
    }
}
