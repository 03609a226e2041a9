//! The contract as both sides use it: the generated code, the conversions between the wire and
//! the model, and the one table of error reasons.

mod convert;
mod enums;

pub use convert::WireError;
pub use enums::parse_enum;
pub use mymt5_model::{DOMAIN, Reason, Refusal, Violations, reason_of, retry_after};

/// Generated from `proto/mymt5/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("mymt5.v1");
}

/// The encoded `FileDescriptorSet` of the contract, comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
