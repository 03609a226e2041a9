//! Clients that come, go and change while the core runs.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::{Limits, ScopeLimits};
use mymt5_model::{ClientName, Magic, Reason};
use mymt5_orders::{Grant, Notice};
use std::collections::BTreeMap;

/// Each of them may have one open order at a time.
fn grants(names: &[&str]) -> BTreeMap<ClientName, Grant> {
    let tight = || Grant {
        limits: Limits {
            max_open_orders: Some(1),
            ..Limits::default()
        },
        ..Grant::default()
    };
    names.iter().map(|client| (name(client), tight())).collect()
}

fn slot(shell: &Shell, client: &str) -> Option<u16> {
    shell.disk.slots.get(&name(client)).copied()
}

/// Whether a client may have a second open order.
fn second_order(shell: &mut Shell, client: &str) -> Option<Reason> {
    shell.work(client, "first", slot(shell, client).unwrap().into());
    let limit = buy_limit(0.1, 108_900);
    shell.refusal(client, "second", submit(limit))
}

#[test]
fn a_new_client_gets_the_next_slot_and_nobody_gets_a_used_one() {
    let mut shell = ready();
    let used = shell.disk.slots.clone();
    shell.regrant(grants(&["beta", "gamma"]), ScopeLimits::default());
    assert_eq!(slot(&shell, "gamma"), Some(4));
    shell.regrant(grants(&["alpha", "delta"]), ScopeLimits::default());
    let slots = ["alpha", "beta", "local", "gamma", "delta"].map(|client| slot(&shell, client));
    assert_eq!(slots, [1, 2, 3, 4, 5].map(Some));
    let new = shell.disk.slots.iter();
    let new: Vec<_> = new.filter(|(name, _)| !used.contains_key(*name)).collect();
    assert_eq!(new, [(&name("delta"), &5), (&name("gamma"), &4)]);
    // The second reload names neither beta nor gamma: they keep what limits them.
    for client in ["alpha", "beta", "gamma", "delta"] {
        let refused = second_order(&mut shell, client);
        assert_eq!(refused, Some(Reason::LimitOpenOrders), "{client}");
        let magic = shell.order_of(client, "first").magic;
        assert_eq!(Some(magic.slot()), slot(&shell, client).map(u64::from));
    }
}

#[test]
fn without_a_free_slot_nothing_changes() {
    let mut shell = ready();
    let many: Vec<String> = (0..Magic::MAX_SLOT - 3).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    shell.regrant(grants(&many), ScopeLimits::default());
    assert_eq!(shell.disk.slots.len(), usize::from(Magic::MAX_SLOT));
    assert!(!shell.noticed(|notice| matches!(notice, Notice::NotGranted(_))));
    shell.regrant(grants(&["one-more", "alpha"]), ScopeLimits::default());
    assert!(shell.noticed(|notice| matches!(notice, Notice::NotGranted(_))));
    assert_eq!(slot(&shell, "one-more"), None);
    let refused = shell.entry_refusal("one-more", "a");
    assert_eq!(refused, Some(Reason::PermissionDenied));
    assert_eq!(second_order(&mut shell, "alpha"), None);
}

#[test]
fn who_is_granted_nothing_opens_nothing() {
    let mut shell = ready();
    let refused = shell.entry_refusal("nobody", "a");
    assert_eq!(refused, Some(Reason::PermissionDenied));
    assert!(shell.left().is_empty() && shell.core.open_orders().next().is_none());
}
