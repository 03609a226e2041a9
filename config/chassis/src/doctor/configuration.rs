//! Whether the configuration is valid, and its secrets come from where they should.

use super::Finding;
use crate::{config_errors::ConfigError, loader::Table};

/// The check of the configuration.
pub(super) const CONFIGURATION: &str = "configuration";
/// The check of the secrets' sources.
pub(super) const SECRETS: &str = "secrets";

/// The faults of a configuration, each with the check that tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) of_tls: Vec<ConfigError>,
    pub(super) of_secrets: Vec<ConfigError>,
    pub(super) others: Vec<ConfigError>,
}

impl Faults {
    /// `tls` names the keys of TLS files.
    pub(super) fn of(table: &Table, tls: &[&str], faults: Vec<ConfigError>) -> Self {
        let mut sorted = Self::default();
        for fault in faults {
            let place = if tls.contains(&fault.key.as_str()) {
                &mut sorted.of_tls
            } else if table.is_of_secrets(&fault.key) {
                &mut sorted.of_secrets
            } else {
                &mut sorted.others
            };
            place.push(fault);
        }
        sorted
    }
}

/// Faults as one finding; none where there is none.
pub(super) fn failure(check: &'static str, faults: &[ConfigError]) -> Option<Finding> {
    let first = faults.first()?;
    let others = match faults.len() {
        1 => String::new(),
        more => format!(", the first of {more} faults"),
    };
    // Only the fix follows a semicolon, and what follows a secret's name and a colon would be masked.
    let reason = first.reason.replace("; ", ", ");
    let seen = format!("{} ({reason}){others}", first.key);
    Some(Finding::fail(check, seen, first.fix.clone()))
}

/// Whether all keys are as they must be.
pub(super) fn valid(faults: &[ConfigError], warnings: &[&str]) -> Finding {
    if let Some(failure) = failure(CONFIGURATION, faults) {
        return failure;
    }
    match warnings.first() {
        Some(warning) => warned(CONFIGURATION, warning),
        None => Finding::pass(CONFIGURATION, "valid"),
    }
}

/// Whether the secrets come from where they should, by the names of those that were found.
pub(super) fn secrets(
    faults: &[ConfigError],
    warnings: &[&str],
    found: &[(&str, &str)],
) -> Finding {
    if let Some(failure) = failure(SECRETS, faults) {
        return failure;
    }
    if let Some(warning) = warnings.first() {
        return warned(SECRETS, warning);
    }
    if found.is_empty() {
        return Finding::pass(SECRETS, "none are given, none are needed");
    }
    let sources = found
        .iter()
        .map(|(name, source)| format!("{name} from {source}"));
    Finding::pass(SECRETS, sources.collect::<Vec<_>>().join(", "))
}

/// A warning of the loader's, which says by itself what to do or says it after a semicolon.
fn warned(check: &'static str, warning: &str) -> Finding {
    let (seen, fix) = warning
        .split_once("; ")
        .unwrap_or((warning, "remove what is not read, or leave it"));
    Finding::warn(check, seen, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Verdict, redact::Redactor};

    const TABLE: Table = Table {
        program: "demo",
        names: &[],
        secrets: &["MT5_PASSWORD"],
        forbidden: &["SMTP_*PASS*"],
    };

    fn fault(key: &str) -> ConfigError {
        ConfigError::new(key, "is odd", "set it")
    }

    #[test]
    fn each_fault_is_told_by_one_check() {
        let faults = [
            "server.tls",
            "MT5_PASSWORD",
            "SMTP_PASSWORD_FILE",
            "broker.password",
            "gateway.token_file",
            "secrets.folder",
            ".env",
            "server.listen",
        ];
        let sorted = Faults::of(&TABLE, &["server.tls"], faults.map(fault).to_vec());
        let keys = |faults: &[ConfigError]| {
            let keys = faults.iter().map(|fault| fault.key.clone());
            keys.collect::<Vec<_>>()
        };
        assert_eq!(keys(&sorted.of_tls), ["server.tls"]);
        assert_eq!(keys(&sorted.of_secrets), faults[1..7]);
        assert_eq!(keys(&sorted.others), ["server.listen"]);
    }

    #[test]
    fn faults_fail_and_warnings_warn() {
        assert_eq!(valid(&[], &[]).verdict, Verdict::Pass);
        let failed = valid(&[fault("a.b"), fault("c")], &[]);
        assert_eq!(
            failed.to_string(),
            "configuration: a.b (is odd), the first of 2 faults; set it"
        );
        let barred = ConfigError::new("MT5_PASSWORD", "/srv/x may be read by others", "chmod it");
        let seen = secrets(&[barred], &[], &[]).seen;
        assert_eq!(Redactor::new().clean(&seen), seen);
        let told = "MT5_PASSWORD comes from .env; give MT5_PASSWORD_FILE instead";
        let warned = secrets(&[], &[told], &[]);
        assert_eq!(warned.verdict, Verdict::Warn);
        assert_eq!(warned.fix, "give MT5_PASSWORD_FILE instead");
        let passed = secrets(&[], &[], &[("MT5_PASSWORD", "a file of secrets.folder")]);
        assert_eq!(passed.seen, "MT5_PASSWORD from a file of secrets.folder");
    }
}
