//! The clients that the configuration names, and how they prove who they are.

use super::{Caller, Permission, Share};
use arc_swap::ArcSwap;
use mymt5_guard::ScopeLimits;
use mymt5_model::{ClientName, Symbol};
use mymt5_orders::DeadMan;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

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
    /// What it may take of the gateway at a time.
    pub share: Share,
    /// False: none can act as this client, until the configuration says otherwise.
    pub enabled: bool,
    /// Set once the client is gone, or may do other things than before: its calls and streams end.
    pub revoked: CancellationToken,
}

impl Client {
    /// True when a caller that was let in as the one is rightly in as the other.
    fn has_the_rights_of(&self, other: &Self) -> bool {
        let rights = |client: &Self| {
            let Client {
                name,
                proof,
                permissions,
                symbols,
                ..
            } = client.clone();
            (name, proof, permissions, symbols)
        };
        rights(self) == rights(other)
    }
}

/// Why a caller was not recognized.
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

/// The clients, replaced as a whole at a reload.
pub type Registry = Arc<ArcSwap<ClientRegistry>>;

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
            share: Share::default(),
            enabled: true,
            revoked: CancellationToken::new(),
        };
        let mut registry = Self {
            local: Arc::new(local),
            by_certificate: HashMap::new(),
            by_token: Vec::new(),
        };
        let enabled = clients.into_iter().filter(|client| client.enabled);
        for client in enabled.map(Arc::new) {
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

    /// The registry of a new configuration. Clients that keep their rights stay in; all other calls
    /// and streams end once [`ClientRegistry::revoke`] was called on the old one.
    #[must_use]
    pub fn renewed(&self, mut clients: Vec<Client>) -> Self {
        for client in &mut clients {
            let same = self.all().find(|old| old.has_the_rights_of(client));
            if let Some(old) = same {
                client.revoked = old.revoked.clone();
            }
        }
        let local = self.local.clone();
        Self {
            local,
            ..Self::new(clients)
        }
    }

    /// Ends the calls and streams of those who are not in the new registry with the same rights;
    /// their names.
    pub fn revoke(&self, new: &Self) -> Vec<ClientName> {
        let stays = |old: &Client| new.all().any(|client| client.has_the_rights_of(old));
        let gone: Vec<_> = self.all().filter(|old| !stays(old)).collect();
        gone.iter().for_each(|client| client.revoked.cancel());
        gone.iter().map(|client| client.name.clone()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Client> {
        let by_token = self.by_token.iter().map(|(_, client)| client);
        self.by_certificate
            .values()
            .chain(by_token)
            .map(Arc::as_ref)
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
            share: Share::default(),
            enabled: true,
            revoked: CancellationToken::new(),
        }
    }

    #[test]
    fn who_loses_or_changes_its_rights_is_out_and_nobody_else() {
        let certificate = |name: &str| client(name, Proof::Certificate(name.into()));
        let names = ["stays", "limited", "changed", "disabled", "removed"];
        let old = ClientRegistry::new(names.map(certificate).into());
        let let_in = |registry: &ClientRegistry, name: &str| {
            registry.identify(Some(name), None).map(|caller| caller.0)
        };
        let before = names.map(|name| let_in(&old, name).unwrap());
        let mut after = names[..4]
            .iter()
            .map(|name| certificate(name))
            .collect::<Vec<_>>();
        after[1].dead_man = Some(DeadMan {
            after_ms: 1_000,
            action: mymt5_orders::DeadManAction::Reduce,
        });
        after[2].permissions = [Permission::Read].into();
        after[3].enabled = false;
        let new = old.renewed(after);
        let mut gone: Vec<_> = old.revoke(&new).iter().map(ToString::to_string).collect();
        gone.sort();
        assert_eq!(gone, ["changed", "disabled", "removed"]);
        let out = before
            .each_ref()
            .map(|client| client.revoked.is_cancelled());
        assert_eq!(out, [false, false, true, true, true]);
        // What is in now can be thrown out later, also who was let in before.
        assert!(!let_in(&new, "changed").unwrap().revoked.is_cancelled());
        assert!(let_in(&new, "disabled").is_err() && let_in(&new, "removed").is_err());
        drop(new.revoke(&new.renewed(Vec::new())));
        assert!(before[0].revoked.is_cancelled());
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
