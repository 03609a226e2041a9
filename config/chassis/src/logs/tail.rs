//! The end of the log that an earlier run left behind.

use super::{LogSettings, rolling};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// No more is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024;

/// The last lines of the newest file, oldest first, without the one that begins before what is read;
/// none where there is no file to read.
pub(crate) fn tail(settings: &LogSettings, program: &str, most: usize) -> Vec<String> {
    let folder = settings.folder.iter();
    let newest = folder.flat_map(|folder| rolling::files(folder, program));
    let text = newest.last().and_then(|file| read(&file.path).ok());
    let text = text.unwrap_or_default();
    let mut lines: Vec<String> = text.lines().rev().take(most).map(str::to_owned).collect();
    lines.reverse();
    lines
}

fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = match text.split_once('\n') {
        Some((_, whole)) if from > 0 => whole,
        _ => &text,
    };
    Ok(whole.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn the_last_whole_lines_of_the_newest_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogSettings::in_folder(folder.path().to_owned());
        assert_eq!(tail(&settings, "p", 2), Vec::<String>::new());
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("p.2026-01-01.0000.log", "older\n");
        write("p.2026-01-02.0000.log", "a\nb\nc\n");
        write("q.2026-01-03.0000.log", "another's\n");
        assert_eq!(tail(&settings, "p", 2), ["b", "c"]);
        let long = "x".repeat(MAX_BYTES as usize);
        write("p.2026-01-02.0001.log", &format!("{long}\nlast\n"));
        assert_eq!(tail(&settings, "p", 2), ["last"]);
    }
}
