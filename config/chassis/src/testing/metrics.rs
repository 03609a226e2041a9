//! The list of a process's metrics, held against its sources and against the README that shows it; and
//! what a piece of code records.

use crate::metrics::Metric;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{collections::BTreeSet, fs, io, path::Path};

/// What begins a use of a metric.
const USES: [&str; 4] = ["counter!(", "gauge!(", "histogram!(", "Family::new("];
/// The variable that has the table written.
const WRITE: &str = "MYMT5_WRITE_README";

/// The names of the metrics that the sources below a folder use, where they stand as literals.
///
/// # Errors
/// A file cannot be read.
pub fn used(sources: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(sources)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(used(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let uses = USES.iter().flat_map(|begin| text.split(begin).skip(1));
            found.extend(uses.filter_map(literal));
        }
    }
    Ok(found)
}

/// The literal that a text begins with.
fn literal(text: &str) -> Option<String> {
    let (name, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(name.to_owned())
}

/// What `work` records, as `/metrics` shows it.
pub fn recorded(work: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    ::metrics::with_local_recorder(&recorder, work);
    recorder.handle().render()
}

/// The list as a table.
#[must_use]
pub fn table(all: &[Metric]) -> String {
    let rows = all.iter().map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind.name(), metric.help);
        format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "))
    });
    let head = "| metric | kind | labels | what |\n|---|---|---|---|\n";
    format!("{head}{}", rows.collect::<String>())
}

/// Holds the table between `<!-- NAME: begin -->` and `<!-- NAME: end -->` in a file against the
/// list. `MYMT5_WRITE_README=1` writes it instead.
///
/// # Panics
/// The table differs, or the file has no place for it.
///
/// # Errors
/// The file cannot be read or written.
pub fn compare(file: &Path, name: &str, all: &[Metric]) -> io::Result<()> {
    let marks = ["begin", "end"].map(|end| format!("<!-- {name}: {end} -->"));
    let text = fs::read_to_string(file)?;
    let parts = text.split_once(&format!("{}\n", marks[0]));
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(&marks[1])?)));
    assert!(parts.is_some(), "{}: no {}", file.display(), marks[0]);
    let (before, (copy, after)) = parts.unwrap_or_default();
    let table = table(all);
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        let written = format!("{before}{}\n{table}{}{after}", marks[0], marks[1]);
        return fs::write(file, written);
    }
    assert_eq!(
        copy,
        table,
        "{}: write it with {WRITE}=1 and read what changed",
        file.display()
    );
    Ok(())
}
