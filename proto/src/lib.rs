//! The contract as both sides use it: the generated code, the conversions between the wire and
//! the model, and the one table of error reasons.
//!
//! # The way of an order
//! * A request is a message of `v1`: its enums are read by [`parse_enum`], its numbers by the model, and
//!   what is wrong with it becomes [`Violations`].
//! * A refusal leaves as the status of a [`Refusal`]; the caller reads its [`Reason`] by [`reason_of`].
//! * What became of it leaves as a message of `v1`. The model fits there always; what is read back is
//!   checked, and a [`WireError`] names the field.
//!
//! # The way of a tick
//! * `v1::Tick::of` makes the message of a tick, with its kind and, where known, its UTC time;
//!   `v1::Tick::read` takes it back into the model. `v1::Bar` has both, too.

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

/// The encoded `FileDescriptorSet` of the contract, imports, options and comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
