//! TLS identities: the server's own, the clients' by the authority that signed them and the
//! name in their certificate, and throw-away ones for trying things out. One provider, ring.

mod dev_certs;
mod identity;
mod owners;
#[cfg(test)]
mod tests;

pub use dev_certs::{DevCertsError, add_clients, are_there, dev_certs, dev_certs_with_authority};
pub use identity::{
    IdentityError, ServerIdentity, check_client, client_name, end_of, server_config,
};
pub(crate) use identity::{Span, spans};
pub use owners::{Owner, OwnerError, hand_over};

/// Days before a certificate's end at which it is told of.
pub const SOON_DAYS: i64 = 14;

/// Beginning of the URI that names a client; the name follows.
pub const CLIENT_URI: &str = "spiffe://mymt5/client/";

const MAX_NAME: usize = 64;

/// Makes ring the process's provider. Call it once at the start; a second call changes nothing.
pub fn install_provider() {
    // An error says that one is installed already, which is what is wanted.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

/// Whether a text is a client's name: 1 to 64 of `[A-Za-z0-9_-]`.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}
