//! `[audit]`: how long the audit trail is kept. It lies in the log's folder; without log files, in the
//! data folder.

use crate::audit::{AuditSettings, HEAD};
use mymt5_chassis::loader::Reader;
use std::path::Path;

/// Reads the keys under `audit`; none: some are faulty, or a folder is.
pub(super) fn read(
    reader: &mut Reader,
    log_folder: Option<&Path>,
    data_folder: Option<&Path>,
) -> Option<AuditSettings> {
    let max_days: u32 = reader.or("audit.max_days", "a number of days", 365);
    let max_total_bytes: u64 = reader.or("audit.max_total_bytes", "a number of bytes", 1 << 30);
    let days = (1..=3650).contains(&max_days);
    if !days {
        reader.reject("audit.max_days", "is out of range", "set it to 1 to 3650");
    }
    let total = max_total_bytes >= 65_536;
    if !total {
        reader.reject(
            "audit.max_total_bytes",
            "is too small",
            "set it to 65536 or more",
        );
    }
    let data_folder = data_folder.filter(|_| days && total)?;
    Some(AuditSettings {
        folder: log_folder.unwrap_or(data_folder).to_owned(),
        head: data_folder.join(HEAD),
        max_days,
        max_total_bytes,
    })
}
