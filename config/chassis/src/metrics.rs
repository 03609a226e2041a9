//! The recorder of metrics. It only records; the operations port renders what it holds.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Lines of the log lost, whether the queue was full or the write failed.
pub const LOG_LINES_DROPPED: &str = "mymt5_log_lines_dropped_total";
/// Crash reports that this start found, which no start before it had told of, and those written since.
pub const CRASH_REPORTS: &str = "mymt5_crash_reports";

/// Why no recorder could be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot install the recorder of metrics: this process has one already")]
pub struct MetricsError {
    #[source]
    source: BuildError,
}

/// Installs the process's recorder; the handle renders the text of `/metrics`.
///
/// # Errors
/// Another recorder is installed already.
pub fn install() -> Result<PrometheusHandle, MetricsError> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|source| MetricsError { source })?;
    metrics::describe_counter!(
        LOG_LINES_DROPPED,
        "Lines of the log lost because the queue was full or the write failed"
    );
    metrics::counter!(LOG_LINES_DROPPED).increment(0);
    metrics::describe_gauge!(
        CRASH_REPORTS,
        "Crash reports that this start found and told of, and those written since"
    );
    Ok(handle)
}
