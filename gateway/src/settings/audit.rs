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
    let mut audit = reader.section("audit");
    let max_days = audit.ranged("max_days", "days", 365, 1..=3650);
    let max_total_bytes: u64 = audit.or("max_total_bytes", "a number of bytes", 1 << 30);
    let total = max_total_bytes >= 65_536;
    if !total {
        audit.reject("max_total_bytes", "is too small", "set it to 65536 or more");
    }
    let data_folder = data_folder.filter(|_| total)?;
    Some(AuditSettings {
        folder: log_folder.unwrap_or(data_folder).to_owned(),
        head: data_folder.join(HEAD),
        max_days: max_days?,
        max_total_bytes,
    })
}
