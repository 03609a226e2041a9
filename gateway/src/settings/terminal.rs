//! `[broker.terminal]`: the bridge beside a real terminal, and which account it must have.

use crate::broker::terminal::TerminalSettings;
use mymt5_chassis::loader::{Reader, Section};
use mymt5_model::{AccountKind, Symbol};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

/// How often rows of orders, positions and deals are asked for.
const ROWS: Duration = Duration::from_millis(250);

/// Where `mymt5-gateway certs` puts the bridge's certificate.
const CERTIFICATE: &str = "config/tls/bridge/certificate.pem";

/// Reads the link's settings, and the file of the certificate where one is pinned.
pub(super) fn read(reader: &mut Reader) -> Option<(TerminalSettings, Option<PathBuf>)> {
    let mut terminal = reader.section("broker.terminal");
    let address = address(&mut terminal);
    let pinned = pinned(&mut terminal, address.as_deref());
    let symbols = symbols(&mut terminal);
    let poll_ms = terminal.ranged("poll_interval_ms", "milliseconds", 20, 1..=10_000);
    let call_ms = terminal.ranged("call_timeout_ms", "milliseconds", 5_000, 100..=60_000);
    let kind = kind(&mut terminal);
    let (file, certificate) = pinned?.unzip();
    let settings = TerminalSettings {
        kind: kind?,
        address: address?,
        certificate,
        symbols: symbols?,
        poll_interval: Duration::from_millis(poll_ms?),
        rows_interval: ROWS,
        call_timeout: Duration::from_millis(call_ms?),
    };
    Some((settings, file))
}

fn address(terminal: &mut Section<'_>) -> Option<String> {
    const KEY: &str = "address";
    let expected = "the bridge's host and port, such as 127.0.0.1:18812";
    let address: String = terminal.required(KEY, expected)?;
    let fits = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    if !fits {
        terminal.reject(
            KEY,
            "is not a host and port",
            format!("set it to {expected}"),
        );
    }
    fits.then_some(address)
}

/// The certificate that is pinned, and its file; none in plain text, for which the configuration must
/// ask. None at all where a fault was recorded.
fn pinned(
    terminal: &mut Section<'_>,
    address: Option<&str>,
) -> Option<Option<(PathBuf, CertificateDer<'static>)>> {
    const KEY: &str = "tls";
    let expected = "the bridge's certificate, a PEM file";
    if terminal.or("plain", "true or false", false) {
        let also = terminal.optional::<PathBuf>(KEY, expected).is_some();
        return is_fit_for_plain_text(terminal, address, also).then_some(None);
    }
    let file = terminal.or(KEY, expected, PathBuf::from(CERTIFICATE));
    match CertificateDer::from_pem_file(&file) {
        Ok(certificate) => Some(Some((file, certificate))),
        Err(_) => {
            terminal.reject(
                KEY,
                format!("{} holds no certificate that can be read", file.display()),
                "set it to the PEM file that `mymt5-gateway certs` made for the bridge",
            );
            None
        }
    }
}

/// Whether plain text may be: on this host nobody listens in, though another user may listen first.
fn is_fit_for_plain_text(
    terminal: &mut Section<'_>,
    address: Option<&str>,
    has_certificate: bool,
) -> bool {
    const KEY: &str = "plain";
    if has_certificate {
        terminal.reject(
            KEY,
            "is true, and broker.terminal.tls is set, which it would leave unused",
            "keep one of them",
        );
        return false;
    }
    if address.is_some_and(|address| !is_loopback(address)) {
        terminal.reject(
            KEY,
            "is true, and broker.terminal.address is not a literal loopback address: a name or another host can lead to a stranger, who would get the password",
            "remove it and set broker.terminal.tls to the bridge's certificate, or set the address to 127.0.0.1:PORT or [::1]:PORT",
        );
        return false;
    }
    true
}

/// True for a loopback address written out. A name may lead elsewhere, `localhost` too: it is tried
/// at `::1` and at `127.0.0.1`, and the listener at the first one is taken for the bridge.
fn is_loopback(address: &str) -> bool {
    address
        .parse::<SocketAddr>()
        .is_ok_and(|address| address.ip().is_loopback())
}

/// Canonical symbols and the broker's names of them: one-to-one.
fn symbols(terminal: &mut Section<'_>) -> Option<BTreeMap<Symbol, String>> {
    const KEY: &str = "symbols";
    let expected = "a table such as { EURUSD = \"EURUSD.m\" }";
    let named: BTreeMap<String, String> = terminal.required(KEY, expected)?;
    let parsed: BTreeMap<Symbol, String> = named
        .iter()
        .filter_map(|(symbol, name)| Some((Symbol::parse(symbol).ok()?, name.clone())))
        .filter(|(_, name)| is_brokers_name(name))
        .collect();
    let mut names: Vec<&String> = parsed.values().collect();
    names.sort();
    names.dedup();
    if parsed.len() != named.len() || !(1..=256).contains(&parsed.len()) {
        terminal.reject(
            KEY,
            "is not a table of 1 to 256 symbols and their names at the broker",
            format!("set it to {expected}"),
        );
        return None;
    }
    if names.len() != parsed.len() {
        terminal.reject(
            KEY,
            "gives two symbols the same name at the broker",
            "name each symbol of the broker once",
        );
        return None;
    }
    Some(parsed)
}

/// As the bridge takes it: brokers also name symbols with blanks, such as `Volatility 75 Index`.
fn is_brokers_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// Named on purpose: money is lost when a real account is taken for a demo.
fn kind(terminal: &mut Section<'_>) -> Option<AccountKind> {
    const KEY: &str = "account_kind";
    let expected = "\"demo\" or \"real\"";
    let kind: String = terminal.required(KEY, expected)?;
    match kind.as_str() {
        "demo" => Some(AccountKind::Demo),
        "real" => Some(AccountKind::Real),
        _ => {
            terminal.reject(
                KEY,
                "is not a kind of account",
                format!("set it to {expected}"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::TABLE;
    use mymt5_chassis::loader::Environment;
    use std::fs;

    const WHOLE: &str = "address = \"127.0.0.1:18812\"\nplain = true\naccount_kind = \"demo\"\n\
                         symbols = { EURUSD = \"EURUSD.m\" }\n";

    /// What is read, and the report of what is wrong.
    fn of(toml: &str) -> (Option<TerminalSettings>, String) {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        fs::write(file.path(), format!("[broker.terminal]\n{toml}")).unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&TABLE, file.path(), nothing).unwrap();
        let settings = read(&mut reader).map(|(settings, _)| settings);
        let report = reader.finish().map(|_| String::new());
        (settings, report.unwrap_or_else(|errors| errors.to_string()))
    }

    #[test]
    fn a_bridge_on_this_host_may_be_spoken_to_in_plain_text() {
        let (settings, report) = of(WHOLE);
        let settings = settings.unwrap();
        assert_eq!((report.as_str(), settings.kind), ("", AccountKind::Demo));
        assert_eq!((settings.port(), settings.certificate), (18_812, None));
        let (settings_of_ipv6, report) = of(&WHOLE.replace("127.0.0.1", "[::1]"));
        assert!(settings_of_ipv6.is_some(), "{report}");
        assert_eq!(
            settings.symbols[&Symbol::parse("EURUSD").unwrap()],
            "EURUSD.m"
        );
    }

    #[test]
    fn the_bridges_certificate_is_pinned_unless_plain_text_is_asked_for() {
        let certificate = tempfile::NamedTempFile::new().unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        fs::write(certificate.path(), pem).unwrap();
        let pinned = format!("tls = {:?}", certificate.path());
        for host in ["127.0.0.1", "localhost", "10.0.0.7"] {
            let toml = WHOLE.replace("127.0.0.1", host);
            let (settings, report) = of(&toml.replace("plain = true", &pinned));
            let settings = settings.unwrap();
            assert!(
                report.is_empty() && settings.certificate.is_some(),
                "{report}"
            );
            for unsaid in ["", "plain = false"] {
                let (settings, report) = of(&toml.replace("plain = true", unsaid));
                assert!(
                    settings.is_none() && report.contains(CERTIFICATE),
                    "{report}"
                );
            }
        }
    }

    #[test]
    fn faults_are_told_with_key_and_fix() {
        for (was, becomes, key, told) in [
            ("127.0.0.1:18812", "10.0.0.7:18812", "plain", "another host"),
            ("127.0.0.1:18812", "localhost:18812", "plain", "a name"),
            ("127.0.0.1:18812", "ip6-loopback:18812", "plain", "a name"),
            ("address", "tls = \"a.pem\"\naddress", "plain", "unused"),
            (
                "127.0.0.1:18812",
                "nowhere",
                "address",
                "not a host and port",
            ),
            (
                "127.0.0.1:18812",
                "localhost:0",
                "address",
                "not a host and port",
            ),
            (
                "\"demo\"",
                "\"contest\"",
                "account_kind",
                "\"demo\" or \"real\"",
            ),
            ("{ EURUSD = \"EURUSD.m\" }", "{}", "symbols", "1 to 256"),
            (
                "EURUSD.m\" }",
                "X\", GBPUSD = \"X\" }",
                "symbols",
                "same name",
            ),
            (
                "plain = true",
                "tls = \"nowhere.pem\"",
                "tls",
                "no certificate",
            ),
            (
                "address",
                "poll_interval_ms = 0\naddress",
                "poll_interval_ms",
                "1 to 10000",
            ),
        ] {
            let (settings, report) = of(&WHOLE.replace(was, becomes));
            let key = format!("broker.terminal.{key}");
            let line = report
                .lines()
                .any(|line| line.contains(&key) && line.contains(told));
            assert!(line && settings.is_none(), "{becomes}: {report}");
        }
        let report = of("").1;
        for key in ["address", "account_kind", "symbols"] {
            assert!(
                report.contains(&format!("broker.terminal.{key}")),
                "{report}"
            );
        }
    }
}
