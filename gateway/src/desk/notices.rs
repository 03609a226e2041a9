//! What the core wants an operator to learn: into the log and the metrics.

use mymt5_orders::{Notice, Severity};

pub(super) fn log(notice: &Notice) {
    let kind = notice.kind();
    let severity = match notice.severity() {
        Severity::Info => {
            tracing::info!(kind, "{notice}");
            "info"
        }
        Severity::Warning => {
            tracing::warn!(kind, "{notice}");
            "warning"
        }
        Severity::Error => {
            tracing::error!(kind, "{notice}");
            "error"
        }
    };
    metrics::counter!("mymt5_notices_total", "kind" => kind, "severity" => severity).increment(1);
}
