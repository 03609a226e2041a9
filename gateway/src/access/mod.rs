//! Who is calling, what it may do, and how much of the gateway it may take. Default deny.

mod clients;
mod permissions;
mod shares;

pub use clients::{Client, ClientRegistry, Proof, ProofError, Registry};
pub use permissions::{CALLS, Permission, needed_for};
pub use shares::{Calls, Held, Share, Streams};

use mymt5_model::Symbol;
use std::sync::Arc;

/// A caller whose identity is proven.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Client>);

impl Caller {
    /// True when the caller has the permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.0.permissions.contains(&permission)
    }

    /// True when the caller may see and trade the symbol.
    #[must_use]
    pub fn may_use(&self, symbol: &Symbol) -> bool {
        self.0
            .symbols
            .as_ref()
            .is_none_or(|symbols| symbols.contains(symbol))
    }
}
