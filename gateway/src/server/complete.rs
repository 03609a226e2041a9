//! Errors that the transport itself makes (a message too large, one that cannot be read) get the
//! same form as our own: exactly one `ErrorInfo`.

use http::Response;
use mymt5_proto::{Reason, Refusal};
use tonic::{Code, Status, body::Body};

const DETAILS: &str = "grpc-status-details-bin";

/// Completes a refusal without details; every other response stays as it is.
pub(super) fn complete(response: Response<Body>) -> Response<Body> {
    if response.headers().contains_key(DETAILS) {
        return response;
    }
    let Some(status) = Status::from_header_map(response.headers()) else {
        return response;
    };
    let reason = match status.code() {
        Code::OutOfRange => Reason::MessageTooLarge,
        Code::Internal | Code::InvalidArgument => Reason::FieldInvalid,
        Code::Unimplemented => Reason::NotServed,
        _ => return response,
    };
    Status::from(Refusal::because(reason, status.message())).into_http()
}
