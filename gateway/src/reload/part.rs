//! The parts of the configuration that are read again, and which faults leave each as it was.

use crate::settings::TABLE;

/// A part that is taken up as a whole, whatever is wrong with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Clients,
    Limits,
    Tls,
    Credentials,
    LogLevel,
}

/// Tables that no client and no limit depends on. A fault of any other key, such as a name that is
/// unknown, may be about either: a limit that is misspelt is not lifted.
const APART: [&str; 9] = [
    "audit",
    "broker",
    "logging",
    "notify",
    "operations",
    "orders",
    "process",
    "secrets",
    "server",
];

impl Part {
    pub(super) const ALL: [Self; 5] = [
        Self::Clients,
        Self::Limits,
        Self::Tls,
        Self::Credentials,
        Self::LogLevel,
    ];

    /// As an operator is told.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Limits => "limits",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::LogLevel => "log level",
        }
    }

    /// Whether a change of that key is taken up with it.
    pub(super) fn takes_up(self, key: &str) -> bool {
        match self {
            Self::Clients => within(key, "clients"),
            Self::Limits => within(key, "limits") || key == "risk.max_per_trade",
            Self::Tls => within(key, "server.tls"),
            Self::Credentials => is_secret(key) || key == "secrets.folder",
            Self::LogLevel => key == "logging.level",
        }
    }

    /// Whether a fault of that key leaves it as it was.
    pub(super) fn depends_on(self, key: &str) -> bool {
        match self {
            Self::Clients => !is_apart(key) && !within(key, "limits"),
            // A file that names no client may be cut off, and miss the limits, too.
            Self::Limits => !is_apart(key) && (key == "clients" || !within(key, "clients")),
            Self::Tls => within(key, "server"),
            Self::Credentials => is_secret(key) || is_dotenv(key) || within(key, "secrets"),
            Self::LogLevel => key == "LOG_LEVEL" || within(key, "logging"),
        }
    }
}

fn is_apart(key: &str) -> bool {
    let table = APART.iter().any(|table| within(key, table));
    table || is_secret(key) || is_dotenv(key) || key == "LOG_LEVEL"
}

/// Whether a key is a table itself, or below it.
pub(super) fn within(key: &str, table: &str) -> bool {
    let rest = key.strip_prefix(table);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_secret(key: &str) -> bool {
    TABLE.secrets.contains(&key)
}

/// The file itself, or a line of it. What its lines set stays as it was then.
fn is_dotenv(key: &str) -> bool {
    key.starts_with(".env")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(key: &str) -> Vec<&'static str> {
        let left = Part::ALL.into_iter().filter(|part| part.depends_on(key));
        left.map(Part::name).collect()
    }

    #[test]
    fn a_change_that_is_taken_up_needs_no_restart() {
        let taken_up = |key| Part::ALL.iter().any(|part| part.takes_up(key));
        for key in ["secrets.folder", "limits.symbols", "logging.level"] {
            assert!(taken_up(key), "{key}");
        }
        for key in ["server.listen", "logging.format", "clientsx"] {
            assert!(!taken_up(key), "{key}");
        }
    }

    #[test]
    fn a_fault_leaves_what_it_may_be_about() {
        let cases: [(&str, &[&str]); 14] = [
            ("clients.read.symbols", &["clients"]),
            ("clients", &["clients", "limits"]),
            ("limits.max_lots_per_order", &["limits"]),
            ("risk.max_per_trade", &["clients", "limits"]),
            ("RISK_MAX_PER_TRADE", &["clients", "limits"]),
            // Misspelt, and so perhaps a limit that would be missing.
            ("limit.max_lots_per_order", &["clients", "limits"]),
            ("MYMT5__X", &["clients", "limits"]),
            ("server.tls", &["tls"]),
            ("MT5_PASSWORD", &["credentials"]),
            (".env:3", &["credentials"]),
            ("broker.terminal.address", &[]),
            ("logging.level", &["log level"]),
            ("process.sandbox", &[]),
            ("orders.max_queue_ms", &[]),
        ];
        for (key, parts) in cases {
            assert_eq!(left(key), parts, "{key}");
        }
    }
}
