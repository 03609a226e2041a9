//! The standard gRPC health service. Nothing serves until it says so: every name is registered
//! at construction and starts as NOT_SERVING, liveness alone excepted.

use std::sync::Arc;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Answered;
use tonic_health::pb::health_server::{Health as _, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

/// The process runs; never depends on anything outside it.
pub const LIVENESS: &str = "liveness";
/// The process can answer.
pub const READINESS: &str = "readiness";

const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// The state of health of this process; clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    names: Arc<[&'static str]>,
}

impl Health {
    /// Registers `""`, `liveness`, `readiness` and `names`. All but liveness start NOT_SERVING.
    #[must_use]
    pub fn new(names: &[&'static str]) -> Self {
        let mut all = vec!["", READINESS];
        all.extend(names.iter().filter(|name| **name != LIVENESS));
        all.sort_unstable();
        all.dedup();
        let reporter = HealthReporter::new();
        for name in &all {
            register(&reporter, name, ServingStatus::NotServing);
        }
        register(&reporter, LIVENESS, ServingStatus::Serving);
        all.push(LIVENESS);
        Self {
            reporter,
            names: all.into(),
        }
    }

    /// Sets the state of one name; a name not registered at construction stays unknown.
    pub async fn set(&self, name: &str, serving: bool) {
        if self.names.contains(&name) {
            self.reporter
                .set_service_status(name, status(serving))
                .await;
        }
    }

    /// Sets the state of every name but liveness.
    pub async fn all(&self, serving: bool) {
        for name in self.names.iter().filter(|name| **name != LIVENESS) {
            self.set(name, serving).await;
        }
    }

    /// Whether a name serves; one not registered at construction does not.
    pub async fn serves(&self, name: &str) -> bool {
        let service = HealthService::from_health_reporter(self.reporter.clone());
        let asked = tonic::Request::new(HealthCheckRequest {
            service: name.to_owned(),
        });
        let answer = service.check(asked).await;
        answer.is_ok_and(|answer| answer.into_inner().status() == Answered::Serving)
    }

    /// The service (`Check` and `Watch`), for any number of ports. An unregistered name is
    /// NOT_FOUND.
    #[must_use]
    pub fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
            .max_decoding_message_size(MAX_REQUEST_BYTES)
    }
}

fn status(serving: bool) -> ServingStatus {
    if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Nobody shares the reporter yet, so its lock is free and the first poll ends the call; the
/// runtime's budget, which could postpone it, is set aside.
fn register(reporter: &HealthReporter, name: &str, status: ServingStatus) {
    use futures_util::FutureExt;
    while tokio::task::unconstrained(reporter.set_service_status(name, status))
        .now_or_never()
        .is_none()
    {
        std::hint::spin_loop();
    }
}
