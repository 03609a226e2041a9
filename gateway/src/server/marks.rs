//! What one layer tells another of a call that passes through both.

use mymt5_model::ClientName;
use std::sync::{Arc, OnceLock};

/// The caller of a request, filled in by the gate once it is known.
#[derive(Clone, Default)]
pub(super) struct Audited(Arc<OnceLock<ClientName>>);

impl Audited {
    pub(super) fn is(&self, name: &ClientName) {
        let _ = self.0.set(name.clone());
    }

    /// Empty while no caller is known.
    pub(super) fn name(&self) -> &str {
        self.0.get().map_or("", ClientName::as_str)
    }
}

/// Marks the answer to a call of a known client that was shed before any service saw it.
#[derive(Clone, Copy)]
pub(super) struct Shed;
