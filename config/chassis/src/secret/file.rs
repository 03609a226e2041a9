//! Reads a small file that others may not read, leaving no copy of it behind in memory.

use super::MAX_BYTES;
use crate::config_errors::ConfigError;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Whether a path leads to something, or at least into a folder that is there. One that does not may
/// be the secret itself, put in the wrong place, and is never told.
pub(crate) fn is_near(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| folder.file_name().is_some());
    path.symlink_metadata().is_ok() || folder.is_some_and(Path::is_dir)
}

/// The one secret of a file, without the line end that editors leave. `mounted` files may have
/// any mode: it is the orchestrator's, often readable to all inside.
pub(crate) fn secret(
    name: &str,
    path: &Path,
    mounted: bool,
) -> Result<Zeroizing<String>, ConfigError> {
    if !is_near(path) {
        let fix = "set it to the path of a text file this user may read";
        return Err(ConfigError::new(name, "the path leads nowhere", fix));
    }
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let reason = format!("{shown} cannot be read ({})", error.kind());
        ConfigError::new(name, reason, "name a text file this user may read")
    };
    let alone = "name a file that holds the secret alone";
    let file = open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(ConfigError::new(
            name,
            format!("{shown} is not a file"),
            alone,
        ));
    }
    if facts.permissions().mode() & 0o077 != 0 && !mounted {
        return Err(ConfigError::new(
            name,
            format!("{shown} may be read by other users"),
            format!("chmod 600 {shown}"),
        ));
    }
    // Two more than the limit for a line end.
    let most = MAX_BYTES + 2;
    let Some(bytes) = bounded(file, most).map_err(unreadable)? else {
        let reason = format!("{shown} is larger than 1 KiB");
        return Err(ConfigError::new(name, reason, alone));
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(ConfigError::new(
            name,
            format!("{shown} is not UTF-8"),
            alone,
        ));
    };
    let text = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Zeroizing::new(text.to_owned()))
}

/// Opens a file for reading. A pipe would wait for its writer, perhaps for ever, so it does not
/// wait.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Everything in a file of at most `most` bytes; `None` when it is longer. Read in place: a
/// buffer that grows would leave its former places unwiped.
pub(crate) fn bounded(mut file: File, most: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(vec![0; most + 1]);
    let mut length = 0;
    while length <= most {
        match file.read(&mut bytes[length..]) {
            Ok(0) => {
                bytes.truncate(length);
                return Ok(Some(bytes));
            }
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_path_that_leads_nowhere_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| secret("NAME", path, false).unwrap_err().to_string();
        for wrong in [
            "hunter22",
            "/hunter22",
            "hunter/22",
            "./hunter22",
            "../hunter22",
        ] {
            let told = told(Path::new(wrong));
            assert!(told.contains("the path leads nowhere"), "{told}");
            assert!(!told.contains("hunter"), "{told}");
        }
        let missing = folder.path().join("mistyped");
        assert!(told(&missing).contains("mistyped cannot be read"));
    }

    #[test]
    fn what_is_no_small_text_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let reason = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            secret("NAME", &path, true)
                .map(|text| text.len())
                .map_err(|r| r.reason)
        };
        assert_eq!(reason(&[b'x'; 1024]), Ok(1024));
        assert_eq!(
            reason(&[[b'x'; 1024].as_slice(), b"\r\n"].concat()),
            Ok(1024)
        );
        assert!(
            reason(&[b'x'; 1027])
                .unwrap_err()
                .contains("larger than 1 KiB")
        );
        assert!(reason(b"\xff\xfe").unwrap_err().contains("is not UTF-8"));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let told = secret("NAME", &pipe, true).unwrap_err().reason;
        assert!(told.contains("is not a file"), "{told}");
    }
}
