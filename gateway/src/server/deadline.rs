//! The caller's deadline (`grpc-timeout`): told to the services, and kept here, in the contract's
//! own words. It bounds the time to an answer's head, so it ends calls and never cuts a stream;
//! an order that was taken goes on in its own task.

use crate::api::Deadline;
use http::{HeaderMap, Request, Response};
use mymt5_chassis::clock;
use mymt5_proto::{Reason, Refusal};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

#[derive(Clone)]
pub(super) struct DeadlineLayer;

#[derive(Clone)]
pub(super) struct Deadlines<S>(S);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadlines<S>;
    fn layer(&self, inner: S) -> Deadlines<S> {
        Deadlines(inner)
    }
}

impl<S> Service<Request<Body>> for Deadlines<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(left) = time_left(request.headers()) else {
            return Box::pin(self.0.call(request));
        };
        let left_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        // Asked first: a timer would let the call begin before it reads the clock.
        if left_ms == 0 {
            return Box::pin(async {
                Ok(expired("the deadline passed before the call was taken"))
            });
        }
        request
            .extensions_mut()
            .insert(Deadline(clock::utc_now_ms().saturating_add(left_ms)));
        let answer = self.0.call(request);
        Box::pin(async move {
            timeout(left, answer)
                .await
                .unwrap_or_else(|_| Ok(expired("the deadline passed before there was an answer")))
        })
    }
}

fn expired(message: &str) -> Response<Body> {
    Status::from(Refusal::because(Reason::DeadlineExpired, message)).into_http()
}

/// Reads `grpc-timeout`: at most 8 digits and a unit.
fn time_left(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let valid =
        !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| valid)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3_600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_proto::reason_of;
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::time::{Instant, sleep};
    use tower::{ServiceExt, service_fn};

    /// Calls a service that answers after a minute; how often it began, and what came back when.
    async fn call(deadline: Option<&str>) -> (usize, Option<Status>, Duration) {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = begun.clone();
        let slow = service_fn(move |_: Request<Body>| {
            count.fetch_add(1, Ordering::Relaxed);
            async {
                sleep(Duration::from_secs(60)).await;
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let mut request = Request::new(Body::empty());
        if let Some(text) = deadline {
            request
                .headers_mut()
                .insert("grpc-timeout", text.parse().unwrap());
        }
        let start = Instant::now();
        let response = DeadlineLayer.layer(slow).oneshot(request).await.unwrap();
        let status = Status::from_header_map(response.headers());
        (begun.load(Ordering::Relaxed), status, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn ends_a_call_at_its_deadline_with_the_reason() {
        let (begun, status, took) = call(Some("2S")).await;
        let status = status.unwrap();
        assert_eq!(begun, 1);
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(reason_of(&status), Some(Reason::DeadlineExpired));
        assert!((2..60).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_passed_deadline_begins_nothing() {
        for passed in ["0H", "0m", "999u"] {
            let (begun, status, _) = call(Some(passed)).await;
            assert_eq!(begun, 0, "{passed}");
            assert_eq!(
                reason_of(&status.unwrap()),
                Some(Reason::DeadlineExpired),
                "{passed}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_or_missing_deadline_changes_nothing() {
        for none in [None, Some("2M"), Some("99999999H"), Some("soon")] {
            let (begun, status, _) = call(none).await;
            assert_eq!(begun, 1, "{none:?}");
            assert!(status.is_none(), "{none:?}");
        }
    }

    #[test]
    fn reads_timeouts() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                "grpc-timeout",
                http::HeaderValue::from_bytes(text.as_bytes()).unwrap(),
            );
            time_left(&headers)
        };
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("1500000u"), Some(Duration::from_millis(1_500)));
        assert!(read("99999999H").is_some());
        for bad in ["", "S", "-1S", "1", "123456789S", "5x", "1é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
