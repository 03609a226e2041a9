//! Limits are lifted by what is said, never by what is missing: a file that a full disk or an editor at
//! work has cut off may be sound TOML, and only lack its end.

use mymt5_chassis::loader::Reader;
use mymt5_guard::{Percent, ScopeLimits};
use mymt5_model::ClientName;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// The limits that hold before another reading.
pub(super) struct InForce {
    pub(super) clients: BTreeMap<ClientName, ScopeLimits>,
    pub(super) account: ScopeLimits,
    /// Of any trade; part of all limits of risk that are not lower.
    pub(super) risk_ceiling: Option<Percent>,
}

impl InForce {
    /// Records a fault for each table of limits that is gone where it limited something, and for the
    /// ceiling of risk. A client that is gone takes its limits with it.
    pub(super) fn refuse_to_lift(&self, reader: &mut Reader) {
        let is_there = |key: &str| reader.peek::<IgnoredAny>(key).is_some();
        let clients = self.clients.iter();
        let clients = clients.map(|(name, limits)| (format!("clients.{}", name.as_str()), limits));
        let limited = clients.filter(|(client, limits)| is_there(client) && self.has_own(limits));
        let mut tables: Vec<String> = limited
            .map(|(client, _)| format!("{client}.limits"))
            .collect();
        tables.extend(self.has_own(&self.account).then(|| "limits".to_owned()));
        tables.retain(|table| !is_there(table));
        let ceiling = "risk.max_per_trade";
        let lifts_ceiling = self.risk_ceiling.is_some() && !is_there(ceiling);
        for table in tables {
            let fix = format!("put it back; to lift all of its limits keep it, empty: [{table}]");
            reader.reject(&table, "is gone, and had limits that stay in force", fix);
        }
        if lifts_ceiling {
            reader.reject(
                ceiling,
                "is gone, and stays in force",
                "put it back, in RISK_MAX_PER_TRADE if it was there; set it to 100 to lift it",
            );
        }
    }

    /// Whether there are limits of the scope's own, beside the ceiling of risk.
    fn has_own(&self, limits: &ScopeLimits) -> bool {
        let mut own = limits.clone();
        if own.entry.max_risk_per_trade == self.risk_ceiling {
            own.entry.max_risk_per_trade = None;
        }
        own != ScopeLimits::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::{Settings, TABLE};
    use mymt5_chassis::{loader::Environment, testing::messages::flaw};
    use mymt5_guard::Limits;

    const CLIENTS: &str = "[clients.a]\nlimits.max_open_orders = 3\n[clients.b]\n";

    fn reader(toml: &str) -> Reader {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, toml).unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        Reader::open(&TABLE, &file, nothing).unwrap()
    }

    /// The limits of a sound file with these tables.
    fn in_force(toml: &str) -> InForce {
        let (_, parts) = Settings::read_with_parts(&mut reader(toml));
        let one = ScopeLimits {
            entry: Limits {
                max_open_orders: Some(3),
                ..Default::default()
            },
            ..Default::default()
        };
        let name = |name| ClientName::parse(name).unwrap();
        InForce {
            clients: [(name("a"), one), (name("b"), ScopeLimits::default())].into(),
            account: parts.account_limits,
            risk_ceiling: parts.risk_ceiling,
        }
    }

    /// The keys of the faults, each of which says what to do.
    fn faults(before: &InForce, toml: &str) -> Vec<String> {
        let mut reader = reader(toml);
        drop(Settings::read_with_parts(&mut reader));
        before.refuse_to_lift(&mut reader);
        let errors = reader.finish().unwrap_err().0;
        let mut gone = Vec::new();
        for fault in errors {
            if fault.reason.contains("is gone") {
                assert_eq!(flaw(&fault.key, &fault.to_string()), None);
                gone.push(fault.key);
            }
        }
        gone
    }

    #[test]
    fn a_file_that_lost_its_end_lifts_no_limit() {
        let whole =
            format!("{CLIENTS}[limits]\nmax_lots_total = 1.0\n[risk]\nmax_per_trade = 2.0\n");
        let before = in_force(&whole);
        assert!(faults(&before, &whole).is_empty());
        let cases: [(&str, &[&str]); 4] = [
            ("", &["limits", "risk.max_per_trade"]),
            ("[clients.b]\n", &["limits", "risk.max_per_trade"]),
            (
                "[clients.a]\n",
                &["clients.a.limits", "limits", "risk.max_per_trade"],
            ),
            (CLIENTS, &["limits", "risk.max_per_trade"]),
        ];
        for (cut, gone) in cases {
            assert_eq!(faults(&before, cut), gone, "{cut:?}");
        }
    }

    #[test]
    fn limits_are_lifted_by_empty_tables_and_an_absent_one_had_nothing_to_lift() {
        let before = in_force("[limits]\nmax_lots_total = 1.0\n");
        let lifted = "[clients.a]\nlimits = {}\n[limits]\n";
        assert!(faults(&before, lifted).is_empty());
        // The ceiling alone makes no table of limits.
        let before = in_force("[risk]\nmax_per_trade = 2.0\n");
        let kept = format!("{CLIENTS}[risk]\nmax_per_trade = 100.0\n");
        assert!(faults(&before, &kept).is_empty());
    }
}
