//! What an operator is told of crashes before this start: an engine has no way to an operator but its
//! gateway's.

use super::Gateway;
use mymt5_chassis::trace_context::TraceContext;
use mymt5_proto::v1;
use std::{path::PathBuf, time::Duration};

/// Longest wait of a session that begins: trading is not held up for an alert.
const LONGEST: Duration = Duration::from_secs(1);

/// An alert of crashes, until a gateway took it.
pub struct CrashAlert(Option<v1::RaiseAlertRequest>);

impl CrashAlert {
    /// Of these reports, oldest first, under that id. No reports: there is nothing to tell.
    #[must_use]
    pub fn of(reports: &[PathBuf], request_id: String) -> Self {
        Self(reports.last().map(|newest| v1::RaiseAlertRequest {
            request_id,
            severity: v1::Severity::Critical.into(),
            title: "crash".to_owned(),
            text: format!(
                "the engine crashed before this start, new reports: {}; read {}, and the log before it",
                reports.len(),
                newest.display()
            ),
            not_after: None,
        }))
    }

    /// Raises it, once. One that the gateway did not take waits for the next session.
    pub(super) async fn raise(&mut self, gateway: &Gateway) {
        let Some(alert) = self.0.take() else { return };
        let call = gateway.call_within(LONGEST, alert.clone(), &TraceContext::new());
        if let Err(error) = gateway.trading().raise_alert(call).await {
            tracing::warn!(%error, "the alert of a crash was not taken: the next session raises it again");
            self.0 = Some(alert);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_report_is_named_and_nothing_is_told_of_none() {
        let reports = ["/data/1.json", "/data/2.json"].map(PathBuf::from);
        let alert = CrashAlert::of(&reports, "id-1".to_owned()).0.unwrap();
        assert!(alert.text.contains("new reports: 2; read /data/2.json,"));
        assert_eq!(alert.severity(), v1::Severity::Critical);
        assert!(CrashAlert::of(&[], "id-1".to_owned()).0.is_none());
    }
}
