//! Beyond loopback: exactly the pinned certificate, and the key that belongs to it.

use super::bridge::shake;
use crate::support::{bounded, settings, terminal};
use mymt5_gateway::broker::{Broker, BrokerError};
use rustls::{
    ServerConfig,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["mymt5-bridge".to_owned()]).unwrap();
    Identity {
        certificate: made.cert.der().clone(),
        key: PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into(),
    }
}

/// Shows a certificate and signs with a key, whether they belong together or not.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// How opening ends against a listener with that identity, and whether it saw a handshake.
async fn meet(pinned: CertificateDer<'static>, shown: Identity) -> (BrokerError, bool) {
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Arc::new(CertifiedKey::new(
                vec![shown.certificate],
                any_supported_type(&shown.key).unwrap(),
            )))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(listener.local_addr().unwrap().to_string(), "");
    settings.certificate = Some(pinned);
    let terminal = terminal(settings);
    let listening = async {
        let (stream, _) = listener.accept().await.unwrap();
        match TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            Ok(mut stream) => shake(&mut stream).await.is_ok(),
            Err(_) => false,
        }
    };
    let (opened, shaken) = bounded(async { tokio::join!(terminal.open(), listening) }).await;
    (opened.unwrap_err(), shaken)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pinned_certificate_is_spoken_to() {
    let (ours, other) = (identity(), identity());
    let pinned = ours.certificate.clone();
    // The scripted bridge ends after its handshake, so that the login fails, but only then.
    let (error, shaken) = meet(pinned.clone(), ours).await;
    assert!(shaken, "{error}");
    // An impostor who copied the certificate does not have its key.
    let copied = Identity {
        certificate: pinned.clone(),
        ..identity()
    };
    let (error, shaken) = meet(pinned.clone(), copied).await;
    assert!(!shaken);
    assert!(
        error.to_string().contains("TLS with the bridge failed"),
        "{error}"
    );
    let (error, shaken) = meet(pinned, other).await;
    assert!(!shaken);
    assert!(
        error.to_string().contains("not the pinned certificate"),
        "{error}"
    );
}
