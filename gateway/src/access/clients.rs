//! The clients that the configuration names, and how they prove who they are.

use super::{Caller, Permission};
use crate::orders::DeadMan;
use mymt5_guard::ScopeLimits;
use mymt5_model::{ClientName, Symbol};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use subtle::ConstantTimeEq;

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A certificate of the trusted authority with the URI `spiffe://mymt5/client/NAME`.
    Certificate(String),
    /// A bearer token with this SHA-256.
    Token([u8; 32]),
    /// Being the gateway's own user, on the control socket.
    ControlSocket,
}

/// One client of the configuration.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub name: ClientName,
    /// How it proves it.
    pub proof: Proof,
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// Its symbols; none: all.
    pub symbols: Option<BTreeSet<Symbol>>,
    /// Its limits.
    pub limits: ScopeLimits,
    /// What its silence leads to; none: nothing.
    pub dead_man: Option<DeadMan>,
}

/// Why a caller is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Neither certificate nor token.
    #[error("no client certificate or token")]
    Missing,
    /// A certificate or token that no client has.
    #[error("unknown client certificate or token")]
    Unknown,
}

/// All clients.
#[derive(Debug)]
pub struct ClientRegistry {
    local: Arc<Client>,
    by_certificate: HashMap<String, Arc<Client>>,
    by_token: Vec<([u8; 32], Arc<Client>)>,
}

impl ClientRegistry {
    /// From the configuration.
    #[must_use]
    pub fn new(clients: Vec<Client>) -> Self {
        let local = Client {
            name: ClientName::local(),
            proof: Proof::ControlSocket,
            permissions: [Permission::Read, Permission::Control, Permission::Diagnose].into(),
            symbols: None,
            limits: ScopeLimits::default(),
            dead_man: None,
        };
        let mut registry = Self {
            local: Arc::new(local),
            by_certificate: HashMap::new(),
            by_token: Vec::new(),
        };
        for client in clients.into_iter().map(Arc::new) {
            match &client.proof {
                Proof::Certificate(name) => {
                    drop(registry.by_certificate.insert(name.clone(), client))
                }
                Proof::ControlSocket => {}
                Proof::Token(hash) => registry.by_token.push((*hash, client)),
            }
        }
        registry
    }

    /// The gateway's own user, on the control socket.
    #[must_use]
    pub fn local(&self) -> Caller {
        Caller(self.local.clone())
    }

    /// Who calls: by the name in a verified certificate, else by a bearer token. All tokens are
    /// compared, each in constant time.
    ///
    /// # Errors
    /// No proof, or one that no client has.
    pub fn identify(
        &self,
        certificate: Option<&str>,
        token: Option<&str>,
    ) -> Result<Caller, ProofError> {
        if let Some(name) = certificate {
            return self
                .by_certificate
                .get(name)
                .cloned()
                .map(Caller)
                .ok_or(ProofError::Unknown);
        }
        let hash: [u8; 32] = Sha256::digest(token.ok_or(ProofError::Missing)?).into();
        let mut found = None;
        for (known, client) in &self.by_token {
            if bool::from(known.ct_eq(&hash)) {
                found = Some(client.clone());
            }
        }
        found.map(Caller).ok_or(ProofError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn client(name: &str, proof: Proof) -> Client {
        let name = ClientName::parse(name).unwrap();
        Client {
            name,
            proof,
            permissions: BTreeSet::new(),
            symbols: None,
            limits: ScopeLimits::default(),
            dead_man: None,
        }
    }

    #[test]
    fn a_proof_leads_to_its_client_and_no_other() {
        let registry = ClientRegistry::new(vec![
            client("alpha", Proof::Certificate("alpha".into())),
            client("beta", Proof::Token(Sha256::digest("beta-token").into())),
        ]);
        let name =
            |caller: Result<Caller, ProofError>| caller.map(|caller| caller.0.name.to_string());
        assert_eq!(
            name(registry.identify(Some("alpha"), None)),
            Ok("alpha".into())
        );
        assert_eq!(
            name(registry.identify(None, Some("beta-token"))),
            Ok("beta".into())
        );
        assert_eq!(
            name(registry.identify(None, Some("beta-tokem"))),
            Err(ProofError::Unknown)
        );
        assert_eq!(
            name(registry.identify(Some("gamma"), Some("beta-token"))),
            Err(ProofError::Unknown)
        );
        assert_eq!(
            name(registry.identify(None, None)),
            Err(ProofError::Missing)
        );
    }
}
