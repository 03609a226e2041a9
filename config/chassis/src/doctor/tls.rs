//! Whether the certificates hold now and for some time, and the key belongs to its certificate.

use super::{Finding, configuration::failure};
use crate::{
    clock,
    config_errors::ConfigError,
    tls::{IdentityError, SOON_DAYS, Span, check_client, spans},
};
use std::path::PathBuf;

/// The check of TLS files.
pub const TLS: &str = "tls";

const DAY_MS: i64 = 86_400_000;

/// The TLS files of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate and the key to it.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The authorities, and certificates of others that it believes.
    pub trusted: Vec<PathBuf>,
}

/// Reads the files and judges them.
pub(super) fn tls(faults: &[ConfigError], files: &TlsFiles, now_ms: i64) -> Finding {
    if let Some(failure) = failure(TLS, faults) {
        return failure;
    }
    match read(files) {
        Ok(read) => judge(&read, now_ms),
        Err(error) => Finding::fail(
            TLS,
            error.fault(),
            error.fix("name PEM files that fit together, or make them with `mymt5-gateway certs`"),
        ),
    }
}

/// A file of certificates.
struct Certificates {
    path: PathBuf,
    /// The program's own, which hold as a whole; of those of others one is enough.
    is_own: bool,
    spans: Vec<Span>,
}

fn read(files: &TlsFiles) -> Result<Vec<Certificates>, IdentityError> {
    if let (Some((certificate, key)), Some(authority)) = (&files.own, files.trusted.first()) {
        check_client(authority, Some((certificate.as_path(), key.as_path())))?;
    }
    let own = files.own.iter().map(|(certificate, _)| (certificate, true));
    let trusted = files.trusted.iter().map(|path| (path, false));
    let read = own.chain(trusted).map(|(path, is_own)| {
        Ok(Certificates {
            path: path.clone(),
            is_own,
            spans: spans(path)?,
        })
    });
    read.collect()
}

fn judge(files: &[Certificates], now_ms: i64) -> Finding {
    const FIX: &str = "replace it, such as by `mymt5-gateway certs`; a running process takes it up";
    let mut soonest: Option<(i64, &PathBuf)> = None;
    for file in files {
        let path = file.path.display();
        let starts = file.spans.iter().map(|span| span.from_ms);
        let ends = file.spans.iter().map(|span| span.until_ms);
        let (from_ms, until_ms) = if file.is_own {
            (starts.max(), ends.min())
        } else {
            (starts.min(), ends.max())
        };
        let (from_ms, until_ms) = (from_ms.unwrap_or(i64::MAX), until_ms.unwrap_or(i64::MIN));
        if now_ms < from_ms {
            let from = clock::rfc3339(from_ms);
            return Finding::fail(
                TLS,
                format!("{path} holds from {from} on, not yet"),
                "set this host's clock, or replace the certificate",
            );
        }
        if now_ms >= until_ms {
            let until = clock::rfc3339(until_ms);
            return Finding::fail(TLS, format!("{path} ended at {until}"), FIX);
        }
        if soonest.is_none_or(|(end, _)| until_ms < end) {
            soonest = Some((until_ms, &file.path));
        }
    }
    let Some((until_ms, path)) = soonest else {
        return Finding::fail(TLS, "no certificate is named", FIX);
    };
    let days = (until_ms - now_ms).div_euclid(DAY_MS);
    let seen = format!("{} ends in {days} days", path.display());
    if days < SOON_DAYS {
        Finding::warn(TLS, seen, FIX)
    } else {
        let pair = files.iter().any(|file| file.is_own);
        let fits = if pair { "the key fits, " } else { "" };
        Finding::pass(TLS, format!("{fits}the first to end: {seen}"))
    }
}

#[cfg(test)]
const NOW: i64 = 1_800_000_000_000;

#[cfg(test)]
fn file(is_own: bool, days: &[(i64, i64)]) -> Certificates {
    let span = |(from, until): &(i64, i64)| Span {
        from_ms: NOW + from * DAY_MS,
        until_ms: NOW + until * DAY_MS,
    };
    Certificates {
        path: "/srv/c.pem".into(),
        is_own,
        spans: days.iter().map(span).collect(),
    }
}

/// One that has ended, one to come, and one that ends soon.
#[cfg(test)]
pub(super) fn samples() -> Vec<Finding> {
    let spans = [(-9, -1), (1, 90), (-9, 9)];
    let finding = |span| judge(&[file(true, &[span])], NOW);
    spans.map(finding).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_chain_holds_as_a_whole_and_of_authorities_one_is_enough() {
        let verdict = |file| judge(&[file], NOW).verdict;
        let days = [(-9, 90), (-90, -1)];
        assert_eq!(verdict(file(true, &[(-9, 90)])), Verdict::Pass);
        assert_eq!(verdict(file(true, &days)), Verdict::Fail);
        assert_eq!(verdict(file(false, &days)), Verdict::Pass);
        assert_eq!(verdict(file(true, &[(-9, 13)])), Verdict::Warn);
        assert_eq!(verdict(file(true, &[(1, 90)])), Verdict::Fail);
        assert_eq!(judge(&[], NOW).verdict, Verdict::Fail);
    }
}
