#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
use super::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn clients() -> Vec<String> {
    ["alpha", "beta_2"].map(str::to_owned).to_vec()
}

fn load(folder: &Path) -> Result<ServerIdentity, IdentityError> {
    ServerIdentity::load(
        &folder.join("gateway/certificate.pem"),
        &folder.join("gateway/key.pem"),
        &folder.join("ca.pem"),
    )
}

fn client(trusted: &Path, own: Option<&Path>) -> ClientConfig {
    client_of(trusted, own, rustls::DEFAULT_VERSIONS)
}

fn client_of(
    trusted: &Path,
    own: Option<&Path>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(trusted.join("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(folder) => {
            let chain = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shakes hands and passes one byte back, which under TLS 1.3 is when a client learns that it
/// was refused. Gives the name the server saw.
async fn meet(
    server: Arc<ServerConfig>,
    client: ClientConfig,
    host: &str,
) -> io::Result<Option<String>> {
    meet_as(server, client, host).await.map(|(name, _)| name)
}

/// The same, and how the server shook hands.
async fn meet_as(
    server: Arc<ServerConfig>,
    client: ClientConfig,
    host: &str,
) -> io::Result<(Option<String>, Option<HandshakeKind>)> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(server);
    let serving = async {
        let mut stream = acceptor.accept(far).await?;
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
        let name = session
            .peer_certificates()
            .and_then(|chain| client_name(&chain[0]));
        let kind = session.handshake_kind();
        stream.write_all(b"x").await?;
        stream.shutdown().await?;
        io::Result::Ok((name, kind))
    };
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let connecting = async {
        let mut stream = TlsConnector::from(Arc::new(client))
            .connect(host, near)
            .await?;
        stream.read_u8().await
    };
    let (served, byte) = tokio::join!(serving, connecting);
    byte?;
    served
}

#[tokio::test]
async fn clients_are_known_by_their_certificates_and_may_come_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let files = dev_certs(path, &clients(), &[], 7).unwrap();
    assert_eq!(files.len(), 9);
    let server = server_config(&load(path).unwrap());
    for (own, name) in [
        (Some("alpha"), Some("alpha")),
        (Some("beta_2"), Some("beta_2")),
        (None, None),
    ] {
        let own = own.map(|own| path.join(own));
        let config = client(path, own.as_deref());
        for host in ["localhost", "127.0.0.1", "::1"] {
            let seen = meet(server.clone(), config.clone(), host).await.unwrap();
            assert_eq!(seen.as_deref(), name);
        }
    }
}

#[tokio::test]
async fn every_connection_proves_itself_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    dev_certs(path, &clients(), &[], 7).unwrap();
    let server = server_config(&load(path).unwrap());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = client_of(path, Some(&path.join("alpha")), &[version]);
        for _ in 0..3 {
            let seen = meet_as(server.clone(), config.clone(), "localhost").await;
            let (name, kind) = seen.unwrap();
            assert_eq!(name.as_deref(), Some("alpha"));
            assert_eq!(kind, Some(HandshakeKind::Full), "{version:?}");
        }
    }
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = (folder.path().join("long"), folder.path().join("short"));
    dev_certs(&long, &clients(), &[], 30).unwrap();
    dev_certs(&short, &clients(), &[], 1).unwrap();
    let read = |folder: &Path| {
        CertificateDer::from_pem_file(folder.join("alpha/certificate.pem")).unwrap()
    };
    let [long, short] = [read(&long), read(&short)];
    let ends = end_of(std::slice::from_ref(&short)).unwrap();
    let day = 86_400_000;
    let left = ends - crate::clock::utc_now_ms();
    assert!((day..=2 * day + 1_000).contains(&left), "{left}");
    assert_eq!(end_of(&[long, short]), Some(ends));
    assert_eq!(end_of(&[]), None);
    assert_eq!(end_of(&[CertificateDer::from(vec![1, 2, 3])]), None);
}

#[tokio::test]
async fn strangers_are_refused_on_both_sides() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (ours.path(), theirs.path());
    dev_certs(
        ours,
        &clients(),
        &["gateway.test".to_owned(), "10.0.0.7".to_owned()],
        7,
    )
    .unwrap();
    dev_certs(theirs, &clients(), &[], 7).unwrap();
    let server = server_config(&load(ours).unwrap());
    let known = client(ours, Some(&ours.join("alpha")));
    assert!(
        meet(server.clone(), known.clone(), "gateway.test")
            .await
            .is_ok()
    );
    assert!(
        meet(server.clone(), known.clone(), "10.0.0.7")
            .await
            .is_ok()
    );
    assert!(meet(server.clone(), known, "localhost").await.is_err());
    let stranger = client(ours, Some(&theirs.join("alpha")));
    assert!(
        meet(server.clone(), stranger, "gateway.test")
            .await
            .is_err()
    );
    let mistrustful = client(theirs, None);
    assert!(
        meet(server.clone(), mistrustful, "gateway.test")
            .await
            .is_err()
    );
    // The gateway's own certificate is for serving only.
    let impostor = client(ours, Some(&ours.join("gateway")));
    assert!(meet(server, impostor, "gateway.test").await.is_err());
}

#[test]
fn keys_are_closed_and_the_authority_s_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls");
    let files = dev_certs(&path, &clients(), &[], 7).unwrap();
    for file in &files {
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777,
            0o700
        );
    }
    let keys = files
        .iter()
        .filter(|f| fs::read_to_string(f).unwrap().contains("PRIVATE KEY"));
    assert_eq!(keys.count(), 4);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 5);
}

#[test]
fn nothing_is_overwritten_and_then_nothing_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("beta_2")).unwrap();
    let taken = folder.path().join("beta_2/key.pem");
    fs::write(&taken, "mine").unwrap();
    let error = dev_certs(folder.path(), &clients(), &[], 7).unwrap_err();
    assert!(matches!(&error, DevCertsError::Exists { path } if *path == taken));
    assert!(error.to_string().contains("remove it"));
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    assert!(!folder.path().join("ca.pem").exists());
}

#[test]
fn names_and_lifetimes_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["", "../up", "a/b", "gateway", "a b", "é", &"x".repeat(65)] {
        let made = dev_certs(folder.path(), &[bad.to_owned()], &[], 7);
        assert!(matches!(made, Err(DevCertsError::Name)), "{bad}");
    }
    let twice = ["a".to_owned(), "a".to_owned()];
    assert!(matches!(
        dev_certs(folder.path(), &twice, &[], 7),
        Err(DevCertsError::Name)
    ));
    for days in [0, 826] {
        assert!(matches!(
            dev_certs(folder.path(), &[], &[], days),
            Err(DevCertsError::Days)
        ));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn signed(sans: Vec<rcgen::SanType>) -> CertificateDer<'static> {
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = sans;
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

#[test]
fn exactly_one_uri_names_a_client() {
    let uri = |text: &str| rcgen::SanType::URI(text.try_into().unwrap());
    let dns = rcgen::SanType::DnsName("alpha".try_into().unwrap());
    let alpha = uri("spiffe://mymt5/client/alpha");
    assert_eq!(
        client_name(&signed(vec![dns.clone(), alpha.clone()])).as_deref(),
        Some("alpha")
    );
    let long = uri(&format!("{CLIENT_URI}{}", "x".repeat(65)));
    for sans in [
        vec![],
        vec![dns],
        vec![alpha.clone(), alpha.clone()],
        vec![alpha, uri("https://other")],
        vec![uri("spiffe://mymt5/client/")],
        vec![uri("spiffe://mymt5/client/a/b")],
        vec![uri("spiffe://mymt5/gateway/alpha")],
        vec![uri("SPIFFE://mymt5/client/alpha")],
        vec![long],
    ] {
        assert_eq!(client_name(&signed(sans.clone())), None, "{sans:?}");
    }
    assert_eq!(client_name(&CertificateDer::from(vec![1, 2, 3])), None);
}

#[test]
fn errors_name_the_file_and_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    dev_certs(path, &clients(), &[], 7).unwrap();
    let (cert, key, ca) = (
        path.join("gateway/certificate.pem"),
        path.join("gateway/key.pem"),
        path.join("ca.pem"),
    );
    let broken = path.join("broken.pem");
    fs::write(
        &broken,
        "-----BEGIN CERTIFICATE-----\nhidden!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let empty = path.join("empty.pem");
    fs::write(&empty, "hidden").unwrap();
    let missing = path.join("missing.pem");
    let other = path.join("alpha/key.pem");
    for (cert, key, ca, named) in [
        (&missing, &key, &ca, &missing),
        (&empty, &key, &ca, &empty),
        (&broken, &key, &ca, &broken),
        (&cert, &missing, &ca, &missing),
        (&cert, &empty, &ca, &empty),
        (&cert, &other, &ca, &other),
        (&cert, &key, &missing, &missing),
        (&cert, &key, &empty, &empty),
        (&cert, &key, &broken, &broken),
    ] {
        let error = ServerIdentity::load(cert, key, ca).unwrap_err();
        let mut chain = error.to_string();
        assert!(chain.contains(named.to_str().unwrap()), "{chain}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            chain.push_str(&error.to_string());
            source = error.source();
        }
        assert!(!chain.contains("hidden"), "{chain}");
    }
}

#[tokio::test]
async fn an_authority_that_was_kept_adds_a_client_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, other) = (folder.path().join("kept"), folder.path().join("other"));
    let gamma = ["gamma".to_owned()];
    dev_certs(&other, &clients(), &[], 7).unwrap();
    let refused = add_clients(&other, &gamma, 7).unwrap_err();
    assert!(matches!(refused, DevCertsError::Authority { .. }));
    let files = dev_certs_with_authority(&kept, &clients(), &[], 7).unwrap();
    let key = kept.join("ca.key.pem");
    assert!(files.contains(&key));
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    let longer = add_clients(&kept, &gamma, 8).unwrap_err();
    assert!(matches!(longer, DevCertsError::Outlives { left: 7 }));
    assert_eq!(add_clients(&kept, &gamma, 7).unwrap().len(), 2);
    let again = add_clients(&kept, &gamma, 7).unwrap_err();
    assert!(matches!(again, DevCertsError::Exists { .. }));
    let server = server_config(&load(&kept).unwrap());
    let config = client(&kept, Some(kept.join("gamma").as_path()));
    let seen = meet(server, config, "localhost").await.unwrap();
    assert_eq!(seen.as_deref(), Some("gamma"));
    // Another's key signs nothing.
    fs::copy(&key, other.join("ca.key.pem")).unwrap();
    let refused = add_clients(&other, &gamma, 7).unwrap_err();
    assert!(matches!(refused, DevCertsError::Authority { .. }));
    assert!(!other.join("gamma").exists());
}

#[test]
fn identities_are_given_to_their_users_and_the_authority_s_certificate_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls");
    assert!(!are_there(&path, &clients()));
    dev_certs(&path, &clients(), &[], 7).unwrap();
    assert!(are_there(&path, &clients()));
    assert!(!are_there(&path, &["gamma".to_owned()]));
    let own = fs::metadata(&path).unwrap().uid();
    let other = if own == 0 {
        10_002
    } else {
        let skipped = "only root gives files away: tried with its own user alone";
        assert!(std::env::var_os("MYMT5_REQUIRE").is_none(), "{skipped}");
        eprintln!("{skipped}");
        own
    };
    let owners = [format!("gateway={own}"), format!("beta_2={other}")];
    let owners = owners.map(|text| text.parse::<Owner>().unwrap());
    for _ in 0..2 {
        hand_over(&path, &owners).unwrap();
        let facts = |file: &str| {
            let facts = fs::metadata(path.join(file)).unwrap();
            (facts.uid(), facts.mode() & 0o777)
        };
        assert_eq!(facts("beta_2"), (other, 0o700));
        assert_eq!(facts("beta_2/key.pem"), (other, 0o600));
        assert_eq!(facts("beta_2/certificate.pem"), (other, 0o600));
        assert_eq!(facts("gateway/key.pem"), (own, 0o600));
        assert_eq!(facts("alpha/key.pem"), (own, 0o600));
        assert_eq!(facts("ca.pem"), (own, 0o644));
        assert_eq!(facts(""), (own, 0o711));
    }
    let unknown = ["gamma=1".parse::<Owner>().unwrap()];
    let refused = hand_over(&path, &unknown).unwrap_err();
    assert!(matches!(refused, DevCertsError::HandOver { .. }));
    for bad in [
        "",
        "gateway",
        "gateway=",
        "=1",
        "a/b=1",
        "a=-1",
        "a=root",
        "a=4294967295",
    ] {
        assert!(bad.parse::<Owner>().is_err(), "{bad}");
    }
}

#[test]
fn what_was_planted_is_given_to_no_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls");
    dev_certs(&path, &clients(), &[], 7).unwrap();
    let treasure = folder.path().join("treasure");
    fs::write(&treasure, "another's").unwrap();
    fs::set_permissions(&treasure, fs::Permissions::from_mode(0o640)).unwrap();
    let own = fs::metadata(&path).unwrap().uid();
    let owner = [format!("alpha={own}").parse::<Owner>().unwrap()];
    let refuses = |path: &Path| {
        let refused = hand_over(path, &owner).unwrap_err();
        assert!(
            matches!(refused, DevCertsError::HandOver { .. }),
            "{refused}"
        );
        let facts = fs::metadata(&treasure).unwrap();
        assert_eq!((facts.uid(), facts.mode() & 0o777), (own, 0o640));
    };
    let key = path.join("alpha/key.pem");
    fs::remove_file(&key).unwrap();
    symlink(&treasure, &key).unwrap();
    assert!(!are_there(&path, &clients()));
    refuses(&path);
    fs::remove_file(&key).unwrap();
    fs::hard_link(&treasure, &key).unwrap();
    refuses(&path);
    fs::remove_file(&key).unwrap();
    fs::write(&key, "").unwrap();
    fs::rename(path.join("alpha"), folder.path().join("away")).unwrap();
    symlink(folder.path().join("away"), path.join("alpha")).unwrap();
    refuses(&path);
}

#[test]
fn what_is_its_users_already_is_closed_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls");
    dev_certs(&path, &clients(), &[], 7).unwrap();
    let own = fs::metadata(&path).unwrap().uid();
    let key = path.join("alpha/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let owner = [format!("alpha={own}").parse::<Owner>().unwrap()];
    hand_over(&path, &owner).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_this_user_may_not_read_is_to_be_opened_not_made_again() {
    let of = |kind: io::ErrorKind| IdentityError::Read {
        path: "/srv/key.pem".into(),
        source: rustls::pki_types::pem::Error::Io(kind.into()),
    };
    let denied = of(io::ErrorKind::PermissionDenied);
    assert!(
        denied.fault().contains("/srv/key.pem"),
        "{}",
        denied.fault()
    );
    assert!(
        denied.fault().contains("permission denied"),
        "{}",
        denied.fault()
    );
    let fix = denied.fix("make it");
    assert!(fix.starts_with("let this user read /srv/key.pem"), "{fix}");
    assert_eq!(of(io::ErrorKind::NotFound).fix("make it"), "make it");
}
