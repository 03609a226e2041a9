#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::loader::{Environment, Reader, Table};
use crate::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing::dispatcher::with_default;
use tracing::{debug, error, info, info_span};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// What the files hold once everything queued is written.
fn written(guard: LogGuard) -> String {
    let files = guard.files();
    drop(guard);
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

fn settings(folder: &Path) -> LogSettings {
    LogSettings::in_folder(folder.join("logs"))
}

#[test]
fn every_line_is_redacted_on_the_screen_and_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let redactor = Redactor::new();
    let secret = Secret::new("pass \"word\" 1");
    redactor.set_values(&[&secret], &["12345678"]);
    let screen = Screen::default();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &redactor,
        "p",
        screen.clone(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        let _span = info_span!("call", reason = secret.expose()).entered();
        info!(given = secret.expose(), debug = ?secret.expose(), account = 12_345_678, "said {}", secret.expose());
        info!(token = "unloaded", "of 12345678\nforged line");
        debug!("not shown");
    });
    let mode = fs::metadata(&guard.files()[0]).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(dispatch);
    let text = written(guard);
    assert_eq!(text, screen.text());
    assert_eq!(text.lines().count(), 2, "{text}");
    for hidden in ["word", "12345678", "unloaded", "not shown"] {
        assert!(!text.contains(hidden), "{text}");
    }
    for shown in ["****5678", "***", "\\nforged line", "INFO", "call"] {
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn json_lines_stay_json_with_fields_and_span() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LogSettings {
        format: Format::Json,
        ..settings(folder.path())
    };
    let (dispatch, guard) = build(
        &settings,
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        let _span = info_span!("call", trace = "abc").entered();
        info!(
            secret = ?[1, 2], password = "a \"b\" \\",
            login = 12_345_678,
            lots = 0.1,
            "order accepted"
        );
    });
    drop(dispatch);
    let text = written(guard);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["password"], "***");
    assert_eq!(line["login"], "***");
    assert_eq!(line["message"], "order accepted");
    assert_eq!(line["span"]["trace"], "abc");
    assert_eq!(line["level"], "INFO");
}

#[test]
fn the_level_changes_while_running() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        debug!("one");
        guard.set_level("debug").unwrap();
        debug!("two");
        guard.set_level("warn,mymt5_chassis=error").unwrap();
        info!("three");
        tracing::warn!("four");
        error!("five");
    });
    assert!(matches!(guard.set_level("loud"), Err(LogError::Level)));
    drop(dispatch);
    let text = written(guard);
    for (word, shown) in [
        ("one", false),
        ("two", true),
        ("three", false),
        ("four", false),
        ("five", true),
    ] {
        assert_eq!(text.contains(word), shown, "{word}: {text}");
    }
}

#[test]
fn no_level_silences_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        for level in ["off", "CRITICAL", "audit=off", "info,audit=error", "h2=off"] {
            guard.set_level(level).unwrap();
            let _call = info_span!(target: AUDIT, "call", level).entered();
            info!(target: AUDIT, "kept");
            debug!(target: AUDIT, "gone");
        }
        guard.set_level("off").unwrap();
        error!("gone");
        guard.set_level("Critical").unwrap();
        error!("shown");
        tracing::warn!("gone");
        guard.set_level("debug").unwrap();
        debug!(target: AUDIT, "shown");
    });
    drop(dispatch);
    let text = written(guard);
    assert_eq!(text.matches("kept").count(), 5, "{text}");
    assert_eq!(text.matches("shown").count(), 2, "{text}");
    assert!(text.contains("call{level=\"CRITICAL\"}"), "{text}");
    assert!(!text.contains("gone"), "{text}");
}

#[test]
fn a_target_alone_leaves_the_rest_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        guard.set_level("h2=warn").unwrap();
        info!("shown");
        info!(target: "h2", "gone");
    });
    drop(dispatch);
    let text = written(guard);
    assert!(text.contains("shown") && !text.contains("gone"), "{text}");
}

#[test]
fn a_failing_write_is_counted_and_costs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        Broken,
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || info!("kept in the file"));
    let losses = guard.losses.clone();
    drop(dispatch);
    let text = written(guard);
    assert!(text.contains("kept in the file"));
    assert!(losses.total() >= 1);
}

#[test]
fn losses_show_as_a_metric() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_bytes: 4096,
        total_bytes: 4096,
        files: 1,
    };
    let file = Rolling::open(folder.path(), "p", limits, clock::utc_now_ms).unwrap();
    let mut writer = RedactingWriter::new(Redactor::new(), Broken, Some(file), Losses::default());
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..3 {
            assert_eq!(io::Write::write(&mut writer, b"line\n").unwrap(), 5);
        }
    });
    let text = recorder.handle().render();
    assert!(text.contains("mymt5_log_lines_dropped_total 3"), "{text}");
}

/// Panics once, then works.
struct Shaky(bool);

impl io::Write for Shaky {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(std::mem::replace(&mut self.0, true), "shaky");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_while_writing_costs_one_line_and_not_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        Shaky(false),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || {
        info!("first");
        info!("second");
    });
    let losses = guard.losses.clone();
    drop(dispatch);
    let text = written(guard);
    assert!(text.contains("second") && !text.contains("first"), "{text}");
    assert_eq!(losses.total(), 1);
}

#[test]
fn a_line_has_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let (dispatch, guard) = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || info!("{}", "é".repeat(100_000)));
    drop(dispatch);
    let text = written(guard);
    assert!(text.len() < 65 * 1024);
    assert!(text.ends_with(" ... cut\n"));
}

#[test]
fn a_cut_line_of_json_is_json_with_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LogSettings {
        format: Format::Json,
        ..settings(folder.path())
    };
    let (dispatch, guard) = build(
        &settings,
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || info!("begun {}", "\"".repeat(100_000)));
    drop(dispatch);
    let text = written(guard);
    assert!(text.len() < 130 * 1024, "{}", text.len());
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("begun ") && message.ends_with(" ... cut"));
}

/// Wherever the limits cut a secret in two, and however much shorter the masks make the line.
#[test]
fn no_part_of_a_secret_is_left_of_a_line_that_is_cut() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("hunter22-hunter22")], &[]);
    for shift in 0..20 {
        for repeats in [1_000, 5_000, 20_000] {
            let event = format!(
                "{}{}",
                ".".repeat(shift),
                "hunter22-hunter22 ".repeat(repeats)
            );
            let line = redacting_writer::line(&redactor, event.as_bytes());
            assert!(!line.contains("hunter"), "{shift}, {repeats}");
            assert_eq!(line.ends_with(" ... cut\n"), event.len() > 128 * 1024);
        }
    }
}

/// A path of a stranger: C1, marks of bidirectional text, other line ends.
#[test]
fn letters_that_steer_are_escaped_in_both_formats() {
    for format in [Format::Text, Format::Json] {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogSettings {
            format,
            ..settings(folder.path())
        };
        let (dispatch, guard) = build(
            &settings,
            &Redactor::new(),
            "p",
            io::sink(),
            &Recent::default(),
        )
        .unwrap();
        let hostile = "/a\u{9b}31m\u{85}\u{2028}\u{202e}b\u{2066}\u{feff}c\u{1b}[2J";
        with_default(&dispatch, || {
            let _call = info_span!("call", path = hostile).entered();
            info!(path = hostile, shown = %hostile, "said {hostile}");
        });
        drop(dispatch);
        let text = written(guard);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(crate::letters::steers), "{line:?}");
        assert!(line.contains("/a") && line.contains("31m"), "{line:?}");
        if format == Format::Json {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(read["path"], hostile);
        }
    }
}

#[test]
fn without_a_folder_the_screen_alone_has_the_lines() {
    let settings = LogSettings {
        folder: None,
        ..LogSettings::in_folder("")
    };
    let screen = Screen::default();
    let (dispatch, guard) = build(
        &settings,
        &Redactor::new(),
        "p",
        screen.clone(),
        &Recent::default(),
    )
    .unwrap();
    with_default(&dispatch, || info!(token = "unloaded", "shown"));
    drop(dispatch);
    assert_eq!(written(guard), "");
    let text = screen.text();
    assert!(
        text.contains("shown") && !text.contains("unloaded"),
        "{text}"
    );
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("logs"), "a file").unwrap();
    let built = build(
        &settings(folder.path()),
        &Redactor::new(),
        "p",
        io::sink(),
        &Recent::default(),
    );
    assert!(matches!(built, Err(LogError::Open { .. })));
}

#[test]
fn levels_are_checked() {
    for good in [
        "info",
        "INFO",
        "off",
        "Warning",
        "CRITICAL",
        "fatal",
        "info,h2=warn",
        "h2=WARNING",
        "h2=warn",
        " debug , tonic=off",
    ] {
        assert!(settings::filter(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "loud",
        "5",
        "h2=5",
        "=warn",
        "h2[call]=warn",
        "info,",
        "info,h2=loud",
        &"info,".repeat(400),
    ] {
        assert!(settings::filter(bad).is_none(), "{bad}");
    }
}

const TABLE: Table = Table {
    program: "p",
    names: &[("LOG_LEVEL", "logging.level")],
    secrets: &[],
    forbidden: &[],
};

fn read(toml: &str) -> (Option<LogSettings>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    fs::write(&file, toml).unwrap();
    let none: [(&str, &str); 0] = [];
    let mut reader = Reader::open(&TABLE, &file, Environment::from_pairs(none)).unwrap();
    let settings = LogSettings::read(&mut reader, "logs/p");
    let report = reader
        .finish()
        .err()
        .map_or_else(String::new, |errors| errors.to_string());
    (settings, report)
}

#[test]
fn settings_are_read_with_defaults_and_checked() {
    assert_eq!(
        read(""),
        (Some(LogSettings::in_folder("logs/p")), String::new())
    );
    let (settings, report) = read(
        "[logging]\nformat = 'json'\nmax_files = 3\nsensitive_fields = ['holder', 'x-company']",
    );
    assert_eq!(report, "");
    let settings = settings.unwrap();
    assert_eq!((settings.format, settings.max_files), (Format::Json, 3));
    assert_eq!(settings.sensitive_fields, ["holder", "x-company"]);
    let (settings, report) = read("[logging]\nfiles = false\nfolder = 'elsewhere'");
    assert_eq!((settings.unwrap().folder, report.as_str()), (None, ""));
    for fields in ["['']", "['a b']", &format!("['{}']", "x".repeat(65))] {
        let (settings, report) = read(&format!("[logging]\nsensitive_fields = {fields}"));
        assert_eq!(settings, None);
        assert!(report.contains("logging.sensitive_fields: "), "{report}");
    }
    let (settings, report) = read(
        "[logging]\nlevel = 'loud'\nmax_files = 0\nmax_file_bytes = 100\nmax_total_bytes = 10\nfolder = ''",
    );
    assert_eq!(settings, None);
    assert!(report.contains("logging.folder"), "{report}");
    let (settings, report) = read(
        "[logging]\nlevel = 'loud'\nmax_files = 0\nmax_file_bytes = 100\nmax_total_bytes = 10",
    );
    assert_eq!(settings, None);
    for key in ["level", "max_files", "max_file_bytes", "max_total_bytes"] {
        assert!(report.contains(&format!("logging.{key}: ")), "{report}");
    }
}

#[test]
fn standard_output_alone_is_one_key() {
    let (settings, report) = read("[logging]\nstdout = true\nfiles = true");
    let settings = settings.unwrap();
    assert!(settings.stdout && settings.folder.is_none(), "{report}");
    let (settings, _) = read("");
    let settings = settings.unwrap();
    assert!(!settings.stdout && settings.folder.is_some());
}

/// The one test that starts the process's own log, since there can be only one.
#[test]
fn a_panic_is_an_event_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("planted-value")], &[]);
    let settings = LogSettings {
        sensitive_fields: vec!["holder".to_owned()],
        ..settings(folder.path())
    };
    let guard = start(&settings, &redactor, "p", &Recent::default()).unwrap();
    assert_eq!(redactor.clean("holder=x"), "holder=***");
    assert!(matches!(
        start(&settings, &redactor, "p", &Recent::default()),
        Err(LogError::Running)
    ));
    let before = std::panic::take_hook();
    install_panic_hook(redactor);
    let ended = std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(|| panic!("lost planted-value here"))
        .unwrap()
        .join();
    std::panic::set_hook(before);
    assert!(ended.is_err());
    let text = written(guard);
    // Another test's panic is told by the same log.
    let is_own = |line: &&str| line.contains("panicked") && line.contains("lost *** here");
    let line = text.lines().find(is_own).unwrap();
    for part in ["ERROR", "logs/tests.rs:", "worker"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!text.contains("planted-value"), "{text}");
}
