//! The server's certificate and key, and whom it trusts.

use super::{CLIENT_URI, is_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why an identity could not be loaded. Each names its file, none what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read as PEM.
    #[error("cannot read {} as PEM; name a PEM file that this user may read, or make one with `mymt5-gateway certs`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate; name a PEM file with a certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An authority's certificate is not one.
    #[error("{} holds an invalid certificate of an authority; name the PEM file of the authority", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The clients' certificates cannot be checked against the authority.
    #[error("cannot verify clients with the authority in {}; name the PEM file of the authority that signs clients", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: VerifierBuilderError,
    },
    /// The key does not belong to the certificate, or is of an unknown kind.
    #[error("the key {} does not belong to its certificate; name the key that was made with it", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl IdentityError {
    /// What is wrong and its cause in one line, for a report that says by itself what to do.
    #[must_use]
    pub fn fault(&self) -> String {
        let text = self.to_string();
        let what = text
            .rsplit_once("; ")
            .map_or(text.as_str(), |(what, _)| what);
        let cause = std::error::Error::source(self);
        cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
    }

    /// What to do, for the same report: to open a file that this user may not read, else `unfit`.
    #[must_use]
    pub fn fix(&self, unfit: &str) -> String {
        match self {
            Self::Read {
                path,
                source: pem::Error::Io(error),
            } if error.kind() == io::ErrorKind::PermissionDenied => {
                format!(
                    "let this user read {}, and the folders above it",
                    path.display()
                )
            }
            _ => unfit.to_owned(),
        }
    }
}

/// A server's identity, loaded and found coherent.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    /// First and last second of the certificate's validity, Unix time.
    valid: (i64, i64),
}

impl ServerIdentity {
    /// Loads the certificate chain, its key, and the authority that signs clients, all PEM.
    ///
    /// # Errors
    /// A file cannot be read, or the three do not fit together.
    pub fn load(cert: &Path, key: &Path, client_ca: &Path) -> Result<Self, IdentityError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(authority(client_ca)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|source| IdentityError::Verifier {
                path: client_ca.to_owned(),
                source,
            })?;
        let chain = certificates(cert)?;
        let valid = validity(&chain).ok_or_else(|| IdentityError::Empty {
            path: cert.to_owned(),
        })?;
        let private = private_key(key)?;
        let at_key = |source| IdentityError::Key {
            path: key.to_owned(),
            source,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(at_key)?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain, private)
            .map_err(at_key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Early data can be replayed, and an order must not be.
        config.max_early_data_size = 0;
        // A resumed session skips the check of the client's certificate, which may have ended.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            verifier,
            valid,
        })
    }

    /// True when the certificate holds at that time, Unix milliseconds.
    #[must_use]
    pub const fn is_valid_at(&self, unix_ms: i64) -> bool {
        let second = unix_ms.div_euclid(1_000);
        self.valid.0 <= second && second <= self.valid.1
    }

    /// True when a client with that chain, its own certificate first, would be believed at that
    /// time, Unix milliseconds.
    #[must_use]
    pub fn still_trusts(&self, chain: &[CertificateDer<'_>], unix_ms: i64) -> bool {
        let seconds = u64::try_from(unix_ms.div_euclid(1_000)).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        chain.split_first().is_some_and(|(leaf, rest)| {
            let verified = self.verifier.verify_client_cert(leaf, rest, now);
            verified.is_ok()
        })
    }

    /// When the certificate ends, Unix seconds.
    #[must_use]
    pub const fn ends(&self) -> i64 {
        self.valid.1
    }

    /// Whole days until the certificate ends, from that time on; negative once it has.
    #[must_use]
    pub const fn days_left(&self, unix_ms: i64) -> i64 {
        const DAY: i64 = 86_400;
        (self.valid.1 - unix_ms.div_euclid(1_000)).div_euclid(DAY)
    }
}

/// Looks whether a client's files can be used: the authority that it trusts, and its own
/// certificate with the key to it, all PEM.
///
/// # Errors
/// A file cannot be read, or certificate and key do not fit together.
pub fn check_client(ca: &Path, own: Option<(&Path, &Path)>) -> Result<(), IdentityError> {
    authority(ca)?;
    let Some((certificate, key)) = own else {
        return Ok(());
    };
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(certificates(certificate)?, private_key(key)?, &provider)
        .map(drop)
        .map_err(|source| IdentityError::Key {
            path: key.to_owned(),
            source,
        })
}

/// When the first certificate of a chain to end does so, Unix milliseconds. None: one of them is
/// no certificate, or there is none.
#[must_use]
pub fn end_of(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let ends = chain.iter().map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let last_second = certificate.validity().not_after.timestamp();
        Some(last_second.saturating_add(1).saturating_mul(1_000))
    });
    ends.collect::<Option<Vec<i64>>>()?.into_iter().min()
}

/// When a certificate holds, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first.
    pub(crate) from_ms: i64,
    /// The first after its end.
    pub(crate) until_ms: i64,
}

/// When each certificate of a PEM file holds.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn spans(path: &Path) -> Result<Vec<Span>, IdentityError> {
    let chain = certificates(path)?;
    let span = |der: &CertificateDer<'_>| {
        let (from, until) = validity(std::slice::from_ref(der))?;
        Some(Span {
            from_ms: from.saturating_mul(1_000),
            until_ms: until.saturating_add(1).saturating_mul(1_000),
        })
    };
    let spans: Option<Vec<Span>> = chain.iter().map(span).collect();
    spans.ok_or_else(|| IdentityError::Empty {
        path: path.to_owned(),
    })
}

/// When the first certificate of a chain holds.
fn validity(chain: &[CertificateDer<'_>]) -> Option<(i64, i64)> {
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    let validity = leaf.validity();
    Some((
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    ))
}

/// The configuration to accept connections with: HTTP/2, TLS 1.3 or 1.2, client certificates
/// verified when given.
#[must_use]
pub fn server_config(identity: &ServerIdentity) -> Arc<ServerConfig> {
    identity.config.clone()
}

/// The client's name in its certificate: that of the one URI it carries,
/// `spiffe://mymt5/client/NAME`. The certificate must have been verified before.
#[must_use]
pub fn client_name(der: &CertificateDer<'_>) -> Option<String> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let (uri, second) = (uris.next()?, uris.next());
    let name = uri.strip_prefix(CLIENT_URI)?;
    (second.is_none() && is_name(name)).then(|| name.to_owned())
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let read = |source| IdentityError::Read {
        path: path.to_owned(),
        source,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(read)?
        .collect::<Result<_, _>>()
        .map_err(read)?;
    if chain.is_empty() {
        return Err(IdentityError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| IdentityError::Read {
        path: path.to_owned(),
        source,
    })
}

fn authority(path: &Path) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| IdentityError::Authority {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(roots)
}
