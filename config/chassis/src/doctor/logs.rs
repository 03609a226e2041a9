//! Whether the log masks what it must, and cannot fill its disk.

use super::Finding;
use crate::{logs::LogSettings, redact::Redactor, secret::Secret};
use zeroize::Zeroizing;

/// The check of redaction.
pub(super) const REDACTION: &str = "log-redaction";
/// The check of rotation and retention.
pub(super) const RETENTION: &str = "log-retention";

/// Names of fields that are always masked, tried out.
const NAMES: [&str; 3] = ["password", "token", "api_key"];
const TRIED: &str = "not-to-be-read";
/// Of an account number the last four digits are shown.
const SHOWN: usize = 4;
const MIB: u64 = 1 << 20;

/// What of a trial came through the redactor, by its name.
pub(super) fn leaks(
    redactor: &Redactor,
    secrets: &[(&'static str, Secret)],
    fields: &[String],
) -> Vec<String> {
    redactor.set_fields(fields);
    let shows = |line: &str, value: &str| redactor.clean(line).contains(value);
    let named = NAMES.into_iter().chain(fields.iter().map(String::as_str));
    let named = named.filter(|name| shows(&format!("a trial {name}={TRIED}"), TRIED));
    let is_shown = |secret: &Secret| {
        let text = secret.expose();
        let line = Zeroizing::new(format!("a trial {text} of it"));
        text.len() > SHOWN && shows(&line, text)
    };
    let given = secrets.iter().filter(|(_, secret)| is_shown(secret));
    let given = given.map(|(name, _)| *name);
    given.chain(named).map(str::to_owned).collect()
}

/// Whether the trial came out masked.
pub(super) fn redaction(leaks: &[String], secrets: usize) -> Finding {
    match leaks.first() {
        Some(name) => Finding::fail(
            REDACTION,
            format!("a trial line shows {name}"),
            "stop the process and keep its log closed: this build does not mask",
        ),
        None => Finding::pass(
            REDACTION,
            format!("a trial line with {secrets} secrets and the sensitive fields came out masked"),
        ),
    }
}

/// Whether the log's files are bounded, by more than the disk; `room` is what they may take of it.
pub(super) fn retention(settings: &LogSettings, room: Option<u64>) -> Finding {
    let (files, total) = (settings.max_files, settings.max_total_bytes);
    let of_files = settings
        .max_file_bytes
        .saturating_mul(u64::try_from(files).unwrap_or(u64::MAX));
    let most = total.min(of_files);
    let mib = most / MIB;
    if settings.stdout {
        return Finding::cannot_see(
            RETENTION,
            "logging.stdout is true: who takes standard output keeps the log",
            "set a limit there, such as max-size of Docker's logging driver",
        );
    }
    if settings.folder.is_none() {
        return Finding::cannot_see(
            RETENTION,
            "logging.files is false: who takes standard error keeps the log",
            "set a limit there, such as SystemMaxUse= of journald",
        );
    }
    if room.is_some_and(|room| most > room) {
        return Finding::fail(
            RETENTION,
            format!("the log may take {mib} MiB, more than its disk has"),
            "set logging.max_total_bytes below that",
        );
    }
    Finding::pass(
        RETENTION,
        format!("rotated, at most {files} files and {mib} MiB"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_trial_finds_what_is_not_masked() {
        let secret = Secret::new("correct horse");
        let secrets = [("MT5_PASSWORD", secret.clone())];
        let fields = ["holder".to_owned()];
        let redactor = Redactor::new();
        assert_eq!(leaks(&redactor, &secrets, &fields), ["MT5_PASSWORD"]);
        redactor.set_values(&[&secret], &[]);
        assert_eq!(leaks(&redactor, &secrets, &fields), [""; 0]);
        assert_eq!(redaction(&[], 1).verdict, Verdict::Pass);
        assert_eq!(redaction(&["token".to_owned()], 1).verdict, Verdict::Fail);
    }

    #[test]
    fn retention_is_less_than_the_disk() {
        let settings = LogSettings::in_folder("logs");
        let verdict = |settings: &LogSettings, room| retention(settings, room).verdict;
        assert_eq!(verdict(&settings, Some(MIB << 10)), Verdict::Pass);
        assert_eq!(verdict(&settings, Some(MIB)), Verdict::Fail);
        assert_eq!(verdict(&settings, None), Verdict::Pass);
        let elsewhere = LogSettings {
            folder: None,
            ..settings
        };
        assert_eq!(verdict(&elsewhere, Some(0)), Verdict::CannotSee);
        let stdout = LogSettings {
            stdout: true,
            ..elsewhere
        };
        let finding = retention(&stdout, None);
        assert_eq!(finding.verdict, Verdict::CannotSee);
        assert!(finding.seen.contains("logging.stdout"), "{finding}");
    }
}
