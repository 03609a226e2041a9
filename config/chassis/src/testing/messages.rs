//! Messages that an operator reads: what each of them must have, and that none goes untested.

use crate::{
    config_errors::{ConfigError, ConfigErrors},
    redact::Redactor,
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    str::Chars,
};

/// Longest message, in characters: a few lines of a terminal.
const LONGEST: usize = 320;
/// What gives an error of `anyhow` its text.
const CONTEXTS: [&str; 3] = ["context(", "bail!(", "ensure!("];
/// What samples give as values that no message may show.
pub const PLANTED: &str = "hidden";
/// Turns of phrase that have a plain equivalent.
const FORBIDDEN: [&str; 6] = [
    " is no ",
    "anew",
    "whoever",
    "nobody",
    "somebody",
    "did you mean",
];
/// The variable that has the lists written.
const WRITE: &str = "MYMT5_WRITE_MESSAGES";
/// What a fix begins with.
const VERBS: [&str; 45] = [
    "add", "allow", "ask", "cancel", "check", "chmod", "chown", "clear", "close", "correct",
    "create", "free", "give", "install", "keep", "let", "list", "listen", "log", "look", "make",
    "merge", "move", "name", "put", "read", "remove", "rename", "repeat", "replace", "restart",
    "restore", "run", "send", "set", "start", "stop", "switch", "take", "try", "unset", "update",
    "use", "wait", "write",
];

/// Samples of an enum of errors, one for each variant: a variant without one does not compile.
#[macro_export]
macro_rules! every_variant {
    ($type:ty: $($variant:pat => $sample:expr),+ $(,)?) => {{
        let _exhaustive = |error: &$type| match error {
            $($variant => (),)+
        };
        [$({
            let sample: $type = $sample;
            assert!(matches!(sample, $variant), "{sample:?} is a sample of another variant");
            sample
        }),+]
    }};
}

/// The messages of a folder's sources, as their samples gave them.
#[derive(Default)]
pub struct Messages {
    texts: BTreeSet<String>,
    places: BTreeSet<(PathBuf, u32)>,
    flaws: Vec<String>,
}

impl Messages {
    /// Takes an error that an operator can do something about; its message names the subject, and
    /// a log shows all of it.
    pub fn error(&mut self, subject: &str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let logged = Redactor::new().clean(&text).into_owned();
        if logged != text {
            self.flaws.push(format!("a log shows it as {logged}"));
        }
        self.take(subject, &text);
    }

    /// Takes a text that is told as it is: a notice, or what another error quotes.
    pub fn text(&mut self, subject: &str, text: &str) {
        self.take(subject, text);
    }

    /// Takes a report of faults; of the folder they were provoked in only `DIR` is kept.
    pub fn errors(&mut self, report: &ConfigErrors, folder: &Path) {
        for error in &report.0 {
            self.config_error(error, folder);
        }
    }

    /// Takes one fault.
    pub fn config_error(&mut self, error: &ConfigError, folder: &Path) {
        let shown = |text: &str| text.replace(&folder.display().to_string(), "DIR");
        let place = error.place();
        self.places.insert((place.file().into(), place.line()));
        self.take(&shown(&error.key), &shown(&error.to_string()));
    }

    /// Takes the texts that the sources at a path give to errors of `anyhow`, as they stand there:
    /// most of these errors cannot be provoked.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn contexts(&mut self, sources: &Path) -> io::Result<()> {
        for file in files(sources)? {
            for text in contexts(&fs::read_to_string(&file)?) {
                let invalid = text.strip_prefix("invalid ");
                let field = invalid.and_then(|text| text.split_once(": "));
                self.take(field.map_or(&text, |(field, _)| field), &text);
            }
        }
        Ok(())
    }

    fn take(&mut self, subject: &str, text: &str) {
        if let Some(flaw) = flaw(subject, text) {
            self.flaws.push(format!("{flaw}: {text}"));
        }
        self.texts.insert(text.to_owned());
    }

    /// Ends the taking: every line below the folder `sources` that makes a fault was told by a
    /// sample, and `messages.txt` in that folder compares as by [`Messages::compare`].
    ///
    /// # Panics
    /// Any of that does not hold.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn judge(self, sources: &Path) -> io::Result<()> {
        let mut untold = Vec::new();
        for file in files(sources)? {
            for line in lines_that_reject(&fs::read_to_string(&file)?) {
                let told = |(at, of): &(PathBuf, u32)| *of == line && file.ends_with(at);
                if !self.places.iter().any(told) {
                    untold.push(format!("{}:{line}", file.display()));
                }
            }
        }
        assert!(
            untold.is_empty(),
            "no sample provokes the faults of these lines:\n{}",
            untold.join("\n")
        );
        self.compare(&sources.join("messages.txt"))
    }

    /// Ends the taking: every message is as it must be, and that file lists what was told, to be
    /// read by people. `MYMT5_WRITE_MESSAGES=1` writes it instead.
    ///
    /// # Panics
    /// Any of that does not hold.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn compare(self, list: &Path) -> io::Result<()> {
        assert!(self.flaws.is_empty(), "{}", self.flaws.join("\n"));
        let mut now = self.texts.into_iter().collect::<Vec<_>>().join("\n");
        now.push('\n');
        if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
            return fs::write(list, now);
        }
        let kept = fs::read_to_string(list)?;
        assert_eq!(
            kept,
            now,
            "{}: write it with {WRITE}=1 and read what changed",
            list.display()
        );
        Ok(())
    }
}

/// Why a message does not help; none: it names its subject, and after the first `; ` what to do.
/// One that says which value is expected says what to do by that.
#[must_use]
pub fn flaw(subject: &str, text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if text.chars().any(char::is_control) {
        return Some("it is not one line of printable text".to_owned());
    }
    if text.chars().count() > LONGEST {
        return Some(format!("it is longer than {LONGEST} characters"));
    }
    if subject.is_empty() || !text.contains(subject) {
        return Some(format!("it does not name {subject:?}"));
    }
    if text.contains(PLANTED) {
        return Some("it shows a value".to_owned());
    }
    if let Some(phrase) = FORBIDDEN.iter().find(|phrase| lower.contains(**phrase)) {
        return Some(format!("it says {phrase:?}"));
    }
    if text.starts_with(&format!("invalid {subject}: expected ")) {
        return None;
    }
    let (_, fix) = text.split_once("; ").unwrap_or_default();
    let fix = fix.strip_prefix("fix: ").unwrap_or(fix);
    (!is_fix(fix)).then(|| format!("{fix:?} does not say what to do"))
}

/// Whether a text says what to do: it begins with a verb.
#[must_use]
pub fn is_fix(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    VERBS.contains(&first)
}

/// The sources at a path, tests left out.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        let stem = entry.file_stem().and_then(|stem| stem.to_str());
        let source = entry.is_dir() || entry.extension().is_some_and(|ending| ending == "rs");
        if source && !matches!(stem, Some("tests" | "testing" | "messages")) {
            found.extend(files(&entry)?);
        }
    }
    Ok(found)
}

/// The lines that make a fault, from 1 on. What is marked `#[track_caller]` makes it for the line
/// that calls it, and the tests at a file's end are no source.
fn lines_that_reject(source: &str) -> Vec<u32> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    let mut until: Option<String> = None;
    for (number, line) in (1..).zip(&lines) {
        let code = line.trim_start();
        if until.is_some() {
            until = until.filter(|end| *line != end.as_str());
        } else if code == "#[track_caller]" {
            until = Some(format!("{}}}", &line[..line.len() - code.len()]));
        } else if *line == "mod tests {" {
            break;
        } else if !code.starts_with("//") && rejects(code) {
            found.push(number);
        }
    }
    found
}

/// The longest text in each call that gives an error its text; its tests are left out.
fn contexts(source: &str) -> Vec<String> {
    let source = source.split("\nmod tests {").next().unwrap_or_default();
    let calls = CONTEXTS.iter().flat_map(|call| {
        let found = source.match_indices(*call);
        found.map(move |(at, call)| &source[at + call.len()..])
    });
    let longest = |call: &str| texts(call).into_iter().max_by_key(String::len);
    calls.filter_map(longest).collect()
}

/// The texts until a call's end.
fn texts(call: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut letters = call.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            '"' => found.push(rest_of_text(&mut letters)),
            _ => {}
        }
    }
    found
}

/// A text from after its first quote on; new lines are blanks.
fn rest_of_text(letters: &mut Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => text.extend(letters.next().map(|of| if of == 'n' { ' ' } else { of })),
            letter => text.push(letter),
        }
    }
    text
}

fn rejects(code: &str) -> bool {
    ["ConfigError::new(", ".reject("]
        .iter()
        .any(|call| code.contains(call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_subject_and_a_fix() {
        let good = "server.listen: is missing; fix: set it to an address";
        assert_eq!(flaw("server.listen", good), None);
        assert_eq!(flaw("/x", "cannot open /x; create it: not found"), None);
        assert_eq!(flaw("side", "invalid side: expected SIDE_BUY"), None);
        for (subject, bad) in [
            ("server", "a key is missing; fix: set it"),
            ("x", "x is missing"),
            ("x", "invalid x: it is odd"),
            ("x", "x is missing; it should be there"),
            ("x", "x is no number; set it to one"),
            ("x", "x is missing;\nset it"),
            ("x", "x is hidden-1; set it"),
        ] {
            assert!(flaw(subject, bad).is_some(), "{bad}");
        }
        let long = format!("x {}; set it", "y".repeat(LONGEST));
        assert!(flaw("x", &long).is_some());
    }

    #[test]
    fn texts_of_errors_are_found_in_their_calls() {
        let source = r#"
fn read() -> anyhow::Result<()> {
    ensure!(text.starts_with("("), "cannot read {}; name \"a\"\n{}", path);
    fs::read(path).context(Unavailable("cannot (yet); wait".to_owned()))?;
    bail!(error)
}
mod tests {
    fn fail() { bail!("out of place") }
}
"#;
        let found = [r#"cannot (yet); wait"#, r#"cannot read {}; name "a" {}"#];
        let mut told = contexts(source);
        told.sort();
        assert_eq!(told, found);
    }

    #[test]
    fn lines_that_make_faults_are_found_but_not_those_that_pass_them_on() {
        let source = "\
#[track_caller]
fn reject_at(key: &str) {
    ConfigError::new(key, \"is\", \"set\")
}
fn read() {
    scope.reject(\"key\");
    // reader.reject(
    reader.reject(
        \"key\",
    );
}
#[cfg(test)]
mod tests {
    ConfigError::new()
}
";
        assert_eq!(lines_that_reject(source), [6, 8]);
    }
}
