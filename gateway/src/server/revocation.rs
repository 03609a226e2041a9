//! A client whose rights end while it calls: its calls and its streams end with them. An order
//! that was taken goes on in its own task.

use http::{HeaderMap, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use mymt5_proto::{Reason, Refusal};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};

/// The answer, or the end of the client's rights, whichever comes first.
pub(super) async fn until<E>(
    revoked: CancellationToken,
    answer: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    match revoked.run_until_cancelled(answer).await {
        Some(Ok(response)) if !response.body().is_end_stream() => {
            let watched = |inner| Watched {
                inner,
                revoked: Some(Box::pin(revoked.cancelled_owned())),
            };
            Ok(response.map(|inner| Body::new(watched(inner))))
        }
        Some(answer) => answer,
        None => Ok(status().into_http()),
    }
}

fn status() -> Status {
    let why = "the client was removed or changed in the gateway's configuration";
    Refusal::because(Reason::Unauthenticated, why).into()
}

struct Watched {
    inner: Body,
    /// None: the end was reported.
    revoked: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl HttpBody for Watched {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let Some(revoked) = &mut self.revoked else {
            return Poll::Ready(None);
        };
        if revoked.as_mut().poll(cx).is_pending() {
            return Pin::new(&mut self.inner).poll_frame(cx);
        }
        self.revoked = None;
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(
            status()
                .add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }

    fn is_end_stream(&self) -> bool {
        self.revoked.is_none() || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
