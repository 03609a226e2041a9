//! Throw-away identities: an authority whose key is never written, one server certificate and
//! one for each client. They expire, and nothing can be added later; make new ones then.

use super::{CLIENT_URI, is_name};
use crate::clock::{self, Day};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const SERVER: &str = "gateway";
/// The bridge beside a terminal: its certificate is pinned, whatever name it carries.
const BRIDGE: &str = "bridge";
const MAX_CLIENTS: usize = 256;
const MAX_DAYS: u32 = 825;

/// Why no identities were made.
#[derive(Debug, thiserror::Error)]
pub enum ThrowawayError {
    /// A client's name cannot be one.
    #[error(
        "refused a client's name: it must be 1 to 64 of [A-Za-z0-9_-], not gateway or bridge, and only once; at most 256 clients"
    )]
    Name,
    /// The lifetime is out of range.
    #[error("refused the lifetime: it must be 1 to 825 days")]
    Days,
    /// A file is there already.
    #[error("refused to overwrite {}: remove it, or choose another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key or certificate could not be made.
    #[error("making the certificate of {name} failed")]
    Make {
        /// Whose.
        name: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// A file or folder could not be written.
    #[error("writing {} failed", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes `ca.pem`, `gateway/`, `bridge/` and one folder per client, each with `certificate.pem` and
/// `key.pem`, valid from yesterday for `days` from today. Without `hosts` the server's
/// certificate is for this machine alone. Gives the files written.
///
/// # Errors
/// A name or the lifetime is refused, a file exists already, or making or writing fails.
pub fn throwaway(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> Result<Vec<PathBuf>, ThrowawayError> {
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ThrowawayError::Days);
    }
    check_names(clients)?;
    let owners = [SERVER, BRIDGE].into_iter();
    let owners = owners.chain(clients.iter().map(String::as_str));
    let mut planned = vec![folder.join("ca.pem")];
    for owner in owners {
        planned.extend([certificate_of(folder, owner), key_of(folder, owner)]);
    }
    if let Some(path) = planned.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(ThrowawayError::Exists { path: path.clone() });
    }
    make(folder, clients, hosts, days)?;
    Ok(planned)
}

fn check_names(clients: &[String]) -> Result<(), ThrowawayError> {
    let fine = clients.len() <= MAX_CLIENTS
        && clients.iter().enumerate().all(|(index, name)| {
            is_name(name) && name != SERVER && name != BRIDGE && !clients[..index].contains(name)
        });
    if fine {
        Ok(())
    } else {
        Err(ThrowawayError::Name)
    }
}

fn certificate_of(folder: &Path, owner: &str) -> PathBuf {
    folder.join(owner).join("certificate.pem")
}

fn key_of(folder: &Path, owner: &str) -> PathBuf {
    folder.join(owner).join("key.pem")
}

fn make(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> Result<(), ThrowawayError> {
    let at_authority = |source| ThrowawayError::Make {
        name: "the authority".to_owned(),
        source,
    };
    let mut params = basic("MyMT5 throw-away authority", days);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(at_authority)?;
    let certificate = params.self_signed(&key).map_err(at_authority)?;
    let issuer = Issuer::new(params, key);
    make_folder(folder)?;
    write(&folder.join("ca.pem"), &certificate.pem())?;

    for server in [SERVER, BRIDGE] {
        let names = server_names(hosts).map_err(|source| ThrowawayError::Make {
            name: server.to_owned(),
            source,
        })?;
        issue(
            folder,
            server,
            names,
            ExtendedKeyUsagePurpose::ServerAuth,
            days,
            &issuer,
        )?;
    }
    for client in clients {
        let uri = format!("{CLIENT_URI}{client}");
        let names = uri.try_into().map(|uri| vec![SanType::URI(uri)]);
        let names = names.map_err(|source| ThrowawayError::Make {
            name: client.clone(),
            source,
        })?;
        issue(
            folder,
            client,
            names,
            ExtendedKeyUsagePurpose::ClientAuth,
            days,
            &issuer,
        )?;
    }
    Ok(())
}

fn server_names(hosts: &[String]) -> Result<Vec<SanType>, rcgen::Error> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let hosts = if hosts.is_empty() { &local } else { hosts };
    hosts
        .iter()
        .map(|host| match host.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(host.clone().try_into()?)),
        })
        .collect()
}

fn basic(name: &str, days: u32) -> CertificateParams {
    let date = |day: Day| rcgen::date_time_ymd(day.year, day.month, day.day);
    let now = clock::utc_now_ms();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    // Yesterday, since clocks differ.
    params.not_before = date(Day::after(now, -1));
    params.not_after = date(Day::after(now, i64::from(days) + 1));
    params
}

fn issue(
    folder: &Path,
    owner: &str,
    names: Vec<SanType>,
    purpose: ExtendedKeyUsagePurpose,
    days: u32,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), ThrowawayError> {
    let at_owner = |source| ThrowawayError::Make {
        name: owner.to_owned(),
        source,
    };
    let mut params = basic(owner, days);
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(at_owner)?;
    let certificate = params.signed_by(&key, issuer).map_err(at_owner)?;
    make_folder(&folder.join(owner))?;
    write(&certificate_of(folder, owner), &certificate.pem())?;
    let text = zeroize::Zeroizing::new(key.serialize_pem());
    write(&key_of(folder, owner), &text)
}

fn make_folder(path: &Path) -> Result<(), ThrowawayError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| ThrowawayError::Write {
            path: path.to_owned(),
            source,
        })
}

fn write(path: &Path, text: &str) -> Result<(), ThrowawayError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file: File| file.write_all(text.as_bytes()));
    written.map_err(|source| ThrowawayError::Write {
        path: path.to_owned(),
        source,
    })
}
