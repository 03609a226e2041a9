//! Clients that come, go and change while the core runs.

use super::support::{core, keep, name, restored};
use crate::{
    records::{Loaded, Record},
    {Grant, SlotsUsedUp},
};
use mymt5_guard::Limits;
use mymt5_guard::ScopeLimits;
use mymt5_model::{ClientName, Magic};
use std::collections::BTreeMap;

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

#[test]
fn a_new_client_gets_the_next_slot_and_nobody_gets_a_used_one() {
    let mut core = core();
    core.regrant(grants(&["beta", "gamma"]), ScopeLimits::default())
        .unwrap();
    assert_eq!(core.rules[&name("gamma")].slot, 3);
    core.regrant(grants(&["alpha", "delta"]), ScopeLimits::default())
        .unwrap();
    let slots = ["alpha", "beta", "gamma", "delta"].map(|client| core.rules[&name(client)].slot);
    assert_eq!(slots, [1, 2, 3, 4]);
    let limit = |client: &str| core.rules[&name(client)].grant.limits.max_open_orders;
    assert_eq!(
        ["alpha", "beta", "delta"].map(limit),
        [Some(1), Some(1), Some(1)]
    );
    let mut kept = Loaded::default();
    keep(&mut kept, core.take_records());
    assert_eq!(kept.slots, [(name("gamma"), 3), (name("delta"), 4)].into());
}

#[test]
fn without_a_free_slot_nothing_changes() {
    let mut core = restored(Loaded::default());
    let many: Vec<String> = (0..Magic::MAX_SLOT - 2).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    core.regrant(grants(&many), ScopeLimits::default()).unwrap();
    drop(core.take_records());
    assert_eq!(
        core.regrant(grants(&["one-more", "alpha"]), ScopeLimits::default()),
        Err(SlotsUsedUp)
    );
    assert!(!core.rules.contains_key(&name("one-more")));
    assert_eq!(
        core.rules[&name("alpha")].grant.limits.max_open_orders,
        None
    );
    assert!(
        !core
            .take_records()
            .iter()
            .any(|record| matches!(record, Record::Slot(..)))
    );
}
