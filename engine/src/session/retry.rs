//! A call that only reads, tried again where it may succeed later.

use mymt5_proto::{reason_of, retry_after};
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};

/// How often a call that may succeed later is tried.
const TRIES: u32 = 5;
/// How long after the one before, where the gateway does not tell it, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Asks until it is told, or told for good that it is not.
///
/// # Errors
/// The last refusal.
pub(crate) async fn persistently<T>(
    mut ask: impl AsyncFnMut() -> Result<T, Status>,
) -> Result<T, Status> {
    for _ in 1..TRIES {
        match ask().await {
            Err(status) if may_succeed(&status) => sleep(pause_after(&status)).await,
            told => return told,
        }
    }
    ask().await
}

fn pause_after(status: &Status) -> Duration {
    retry_after(status).unwrap_or(PAUSE).min(LONGEST_PAUSE)
}

/// True where the same call may be answered later.
fn may_succeed(status: &Status) -> bool {
    reason_of(status).map_or(status.code() == Code::Unavailable, |reason| {
        reason.retryable()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_proto::{Reason, Refusal};

    #[tokio::test(start_paused = true)]
    async fn what_may_succeed_later_is_asked_again_and_nothing_else() {
        let mut asked = 0;
        let told = persistently(async || {
            asked += 1;
            if asked < 3 {
                return Err(Status::from(Refusal::new(Reason::RateLimited)));
            }
            Ok(asked)
        });
        assert_eq!(told.await.ok(), Some(3));
        let mut asked = 0;
        let refused = persistently(async || {
            asked += 1;
            Err::<(), _>(Status::unavailable("not yet"))
        });
        assert!(refused.await.is_err());
        assert_eq!(asked, TRIES);
        let mut asked = 0;
        let refused = persistently(async || {
            asked += 1;
            Err::<(), _>(Status::from(Refusal::new(Reason::PermissionDenied)))
        });
        assert!(refused.await.is_err());
        assert_eq!(asked, 1);
    }
}
