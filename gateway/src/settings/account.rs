//! Which broker executes orders, and the account's secrets that it needs.

use super::TABLE;
use mymt5_chassis::{loader::Reader, secrets::Secret};

/// What the template of `.env` says: nobody's account.
const TEMPLATE: [&str; 3] = ["12345678", "your_password", "YourBroker-Demo"];

/// The kind of broker. A simulator needs no secrets; those that are set are only kept from the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerKind {
    /// The embedded simulator.
    Simulator,
    /// A MetaTrader 5 terminal.
    Terminal,
}

/// Reads the kind and every secret that is there. A terminal needs them all, and real ones.
pub(super) fn read(reader: &mut Reader) -> (BrokerKind, Vec<Secret>) {
    let text = reader.or("broker.kind", "\"simulator\"", "simulator".to_owned());
    let kind = match text.as_str() {
        "terminal" => BrokerKind::Terminal,
        _ => BrokerKind::Simulator,
    };
    if text != "simulator" {
        reader.fault(
            "broker.kind",
            "is not a broker that this version can connect to",
            "set it to \"simulator\"",
        );
    }
    let found: Vec<_> = TABLE
        .secrets
        .iter()
        .map(|name| (*name, reader.secret(name)))
        .collect();
    if kind == BrokerKind::Terminal {
        for (name, secret) in &found {
            let reason = match secret {
                None => "is missing, and a terminal cannot log in without it",
                Some(secret) if TEMPLATE.contains(&secret.expose()) => "is the template's value",
                Some(_) => continue,
            };
            let fix = format!("set {name} or {name}_FILE to the account's own");
            reader.fault(name, reason, fix);
        }
    }
    (
        kind,
        found.into_iter().filter_map(|(_, secret)| secret).collect(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::loader::Environment;
    use std::fs;

    fn faults(kind: &str, pairs: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, format!("[broker]\nkind = \"{kind}\"\n")).unwrap();
        let environment = Environment::from_pairs(pairs.iter().copied());
        let mut reader = Reader::open(&TABLE, &file, environment).unwrap();
        read(&mut reader);
        reader
            .finish()
            .err()
            .map_or_else(String::new, |faults| faults.to_string())
    }

    #[test]
    fn a_terminal_wants_an_account_and_not_the_templates() {
        let pairs = [("MT5_LOGIN", "12345678"), ("MT5_PASSWORD", "your_password")];
        assert_eq!(faults("simulator", &pairs), "");
        let told = faults("terminal", &pairs);
        for (name, reason) in [
            ("MT5_LOGIN", "is the template's value"),
            ("MT5_PASSWORD", "is the template's value"),
            ("MT5_SERVER", "is missing"),
        ] {
            let line = told.lines().find(|line| line.contains(name));
            assert!(line.is_some_and(|line| line.contains(reason)), "{told}");
        }
        assert!(
            !told.contains("12345678") && !told.contains("your_password"),
            "{told}"
        );
        assert!(told.contains("broker.kind"));
    }
}
