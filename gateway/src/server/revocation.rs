//! A client whose rights end while it calls: its calls and its streams end with them; and a
//! connection that has to end: its streams end. An order that was taken goes on in its own task.

use crate::access::Held;
use http::{HeaderMap, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use mymt5_proto::{Reason, Refusal};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};

/// The answer, or the end of the client's rights, whichever comes first. A stream also ends with
/// its connection, `ending`. What is `held` is given back once the answer has left.
pub(super) async fn until<E>(
    revoked: CancellationToken,
    ending: CancellationToken,
    held: Option<Held>,
    answer: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    match revoked.run_until_cancelled(answer).await {
        Some(Ok(response)) if !response.body().is_end_stream() => {
            let watched = |inner| Watched {
                inner,
                revoked: Box::pin(revoked.cancelled_owned()),
                ending: Box::pin(ending.cancelled_owned()),
                reported: false,
                held,
            };
            Ok(response.map(|inner| Body::new(watched(inner))))
        }
        Some(answer) => answer,
        None => Ok(removed().into_http()),
    }
}

fn removed() -> Status {
    let why = "the client was removed or changed in the gateway's configuration";
    Refusal::because(Reason::Unauthenticated, why).into()
}

fn leaving() -> Status {
    let why = "the connection ends, at its age or with its certificate; connect again";
    Refusal::because(Reason::Draining, why).into()
}

/// True for what ends a body.
fn is_last<D>(frame: &Poll<Option<Result<Frame<D>, Status>>>) -> bool {
    match frame {
        Poll::Pending => false,
        Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
        Poll::Ready(Some(Err(_)) | None) => true,
    }
}

struct Watched {
    inner: Body,
    revoked: Pin<Box<WaitForCancellationFutureOwned>>,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The end was reported.
    reported: bool,
    held: Option<Held>,
}

impl HttpBody for Watched {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = self.get_mut();
        if this.reported {
            return Poll::Ready(None);
        }
        let status = if this.revoked.as_mut().poll(cx).is_ready() {
            removed()
        } else {
            // What is there is told before the connection ends.
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Pending if this.ending.as_mut().poll(cx).is_ready() => leaving(),
                frame => {
                    // Given back before the caller can know that the answer is whole.
                    if is_last(&frame) {
                        this.held = None;
                    }
                    return frame;
                }
            }
        };
        this.reported = true;
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(
            status
                .add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }

    fn is_end_stream(&self) -> bool {
        self.reported || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
