//! The report as it is printed.

use super::{Finding, Verdict};
use crate::{
    cli::say,
    letters::{escaped, steers},
    redact::Redactor,
};
use std::process::ExitCode;

/// Prints the findings, as a table or as one JSON list; exit code 1 where one failed.
///
/// # Errors
/// They cannot be put into JSON.
pub fn report(findings: &[Finding], json: bool, redactor: &Redactor) -> anyhow::Result<ExitCode> {
    if json {
        let list = serde_json::to_string(findings)?;
        say(&escaped(&redactor.clean(&list)));
    } else {
        lines(findings)
            .iter()
            .for_each(|line| say(&plain(&redactor.clean(line))));
    }
    let failed = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// One line for each finding, another one for its fix, and the count.
fn lines(findings: &[Finding]) -> Vec<String> {
    let of_finding = |finding: &Finding| {
        let Finding {
            check,
            verdict,
            seen,
            fix,
        } = finding;
        let line = format!("{verdict:<11} {check:<15} {seen}");
        let fix = Some(fix).filter(|fix| !fix.is_empty());
        let fix = fix.map(|fix| format!("{:<27} fix: {fix}", ""));
        std::iter::once(line).chain(fix)
    };
    let count = |verdict: Verdict| {
        let those = findings.iter().filter(|finding| finding.verdict == verdict);
        those.count()
    };
    let total = format!(
        "{} passed, {} to mind, {} failed, {} not seen",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail),
        count(Verdict::CannotSee)
    );
    findings
        .iter()
        .flat_map(of_finding)
        .chain([total])
        .collect()
}

/// Without letters that steer a terminal: a path or a peer may bring them.
fn plain(text: &str) -> String {
    let shown = |letter: char| if steers(letter) { '?' } else { letter };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_finding_has_a_line_and_what_is_wrong_its_fix() {
        let findings = [
            Finding::pass("user", "user 1001"),
            Finding::fail("key-files", "key.pem: mode 644", "chmod 600 key.pem"),
        ];
        let lines = lines(&findings);
        assert_eq!(
            lines,
            [
                "pass        user            user 1001",
                "FAIL        key-files       key.pem: mode 644",
                "                            fix: chmod 600 key.pem",
                "1 passed, 0 to mind, 1 failed, 0 not seen",
            ]
        );
        assert_eq!(plain("a\u{1b}[2Jb"), "a?[2Jb");
        let json = serde_json::to_value(&findings[1]).unwrap();
        assert_eq!(json["verdict"], "fail");
        assert_eq!(json["check"], "key-files");
    }

    #[test]
    fn only_a_failure_ends_with_1() {
        let redactor = Redactor::new();
        let code = |finding: Finding| {
            let code = report(&[finding], true, &redactor).unwrap();
            format!("{code:?}")
        };
        let failure = format!("{:?}", ExitCode::FAILURE);
        assert_eq!(code(Finding::fail("a", "b", "c")), failure);
        assert_ne!(code(Finding::warn("a", "b", "c")), failure);
        assert_ne!(code(Finding::cannot_see("a", "b", "c")), failure);
    }
}
