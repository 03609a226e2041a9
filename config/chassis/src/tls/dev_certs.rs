//! Throw-away identities: an authority, one server certificate and one for each client. They expire.
//! Unless it is asked for, the authority's key is never written, and nothing can be added later; make
//! new ones then.

use super::{
    CLIENT_URI, IdentityError, check_client,
    identity::{certificates, end_of},
    is_name,
};
use crate::clock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const SERVER: &str = "gateway";
/// The bridge beside a terminal: its certificate is pinned, whatever name it carries.
const BRIDGE: &str = "bridge";
pub(super) const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca.key.pem";
const MAX_CLIENTS: usize = 256;
const MAX_DAYS: u32 = 825;

/// Why no identities were made.
#[derive(Debug, thiserror::Error)]
pub enum DevCertsError {
    /// A client's name cannot be one.
    #[error(
        "invalid --clients or --add: expected 1 to 64 of [A-Za-z0-9_-] each, not gateway or bridge, none twice, at most 256; correct the names"
    )]
    Name,
    /// The lifetime is out of range.
    #[error("invalid --days: expected 1 to 825; set it within them")]
    Days,
    /// The authority ends before that.
    #[error("invalid --days: the authority ends in {left} days; set --days to no more")]
    Outlives {
        /// Whole days until the authority ends.
        left: i64,
    },
    /// A file is there already.
    #[error("refused to overwrite {}; remove it, or name another folder with --folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The authority's key was not kept, or is another one's.
    #[error(
        "cannot use the authority of {}; put its {AUTHORITY_KEY} back, or make all certificates again with --keep-authority",
        path.display()
    )]
    Authority {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: IdentityError,
    },
    /// A key or certificate could not be made.
    #[error(
        "cannot make the certificate of {name}; check the names given by --clients and --hosts"
    )]
    Make {
        /// Whose.
        name: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}; let this user read it", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}; let this user write there, or name another folder with --folder", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be given to its owner.
    #[error("cannot give {} to its owner; run it as root with CAP_CHOWN, and name only those it makes", path.display())]
    HandOver {
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
pub fn dev_certs(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> Result<Vec<PathBuf>, DevCertsError> {
    let files = planned(folder, clients, days, &[AUTHORITY], &[SERVER, BRIDGE])?;
    make(folder, clients, hosts, days)?;
    Ok(files)
}

/// The same, and keeps the authority's key beside its certificate, so that [`add_clients`] can make
/// more. Whoever reads that key can pass for any client, and for the server.
///
/// # Errors
/// As for [`dev_certs`].
pub fn dev_certs_with_authority(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> Result<Vec<PathBuf>, DevCertsError> {
    let kept = [AUTHORITY, AUTHORITY_KEY];
    let files = planned(folder, clients, days, &kept, &[SERVER, BRIDGE])?;
    let issuer = make(folder, clients, hosts, days)?;
    let key = Zeroizing::new(issuer.key().serialize_pem());
    write(&folder.join(AUTHORITY_KEY), &key)?;
    Ok(files)
}

/// Whether each file that [`dev_certs`] would make for these clients is there, whatever it holds; a link
/// is none.
#[must_use]
pub fn are_there(folder: &Path, clients: &[String]) -> bool {
    let clients = clients.iter().map(String::as_str);
    [SERVER, BRIDGE]
        .into_iter()
        .chain(clients)
        .flat_map(|owner| [certificate_of(folder, owner), key_of(folder, owner)])
        .chain([folder.join(AUTHORITY)])
        .all(|file| file.symlink_metadata().is_ok_and(|facts| facts.is_file()))
}

/// Makes certificates of more clients, by the authority whose key was kept in that folder, valid from
/// yesterday for `days` from today. Gives the files written.
///
/// # Errors
/// As for [`dev_certs`], or the authority's key is not there.
pub fn add_clients(
    folder: &Path,
    clients: &[String],
    days: u32,
) -> Result<Vec<PathBuf>, DevCertsError> {
    let files = planned(folder, clients, days, &[], &[])?;
    let (certificate, key) = (folder.join(AUTHORITY), folder.join(AUTHORITY_KEY));
    check_client(&certificate, Some((certificate.as_path(), key.as_path()))).map_err(|source| {
        DevCertsError::Authority {
            path: folder.to_owned(),
            source,
        }
    })?;
    refuse_to_outlive(&certificate, days)?;
    let text = fs::read_to_string(&key).map_err(|source| DevCertsError::Read {
        path: key.clone(),
        source,
    })?;
    let text = Zeroizing::new(text);
    let key = KeyPair::from_pem(&text).map_err(at_authority)?;
    issue_clients(folder, clients, days, &Issuer::new(authority(days), key))?;
    Ok(files)
}

/// Those who check a certificate do not look when its authority ends.
fn refuse_to_outlive(authority: &Path, days: u32) -> Result<(), DevCertsError> {
    const DAY_MS: i64 = 86_400_000;
    let chain = certificates(authority).map_err(|source| DevCertsError::Authority {
        path: authority.to_owned(),
        source,
    })?;
    let left = end_of(&chain).map_or(0, |end| (end - clock::utc_now_ms()) / DAY_MS);
    if i64::from(days) > left {
        return Err(DevCertsError::Outlives { left });
    }
    Ok(())
}

/// The files that are to be written: the authority's, then those of each owner, of which none may be
/// there yet.
fn planned(
    folder: &Path,
    clients: &[String],
    days: u32,
    of_authority: &[&str],
    servers: &[&str],
) -> Result<Vec<PathBuf>, DevCertsError> {
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(DevCertsError::Days);
    }
    check_names(clients)?;
    let mut files: Vec<PathBuf> = of_authority.iter().map(|file| folder.join(file)).collect();
    let clients = clients.iter().map(String::as_str);
    for owner in servers.iter().copied().chain(clients) {
        files.extend([certificate_of(folder, owner), key_of(folder, owner)]);
    }
    match files.iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(DevCertsError::Exists { path: path.clone() }),
        None => Ok(files),
    }
}

fn check_names(clients: &[String]) -> Result<(), DevCertsError> {
    let fine = clients.len() <= MAX_CLIENTS
        && clients.iter().enumerate().all(|(index, name)| {
            is_name(name) && name != SERVER && name != BRIDGE && !clients[..index].contains(name)
        });
    if fine {
        Ok(())
    } else {
        Err(DevCertsError::Name)
    }
}

pub(super) fn certificate_of(folder: &Path, owner: &str) -> PathBuf {
    folder.join(owner).join("certificate.pem")
}

pub(super) fn key_of(folder: &Path, owner: &str) -> PathBuf {
    folder.join(owner).join("key.pem")
}

fn at_authority(source: rcgen::Error) -> DevCertsError {
    DevCertsError::Make {
        name: "the authority".to_owned(),
        source,
    }
}

fn authority(days: u32) -> CertificateParams {
    let mut params = basic("MyMT5 throw-away authority", days);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Makes and writes all but the authority's key, which it gives.
fn make(
    folder: &Path,
    clients: &[String],
    hosts: &[String],
    days: u32,
) -> Result<Issuer<'static, KeyPair>, DevCertsError> {
    let params = authority(days);
    let key = KeyPair::generate().map_err(at_authority)?;
    let certificate = params.self_signed(&key).map_err(at_authority)?;
    let issuer = Issuer::new(params, key);
    make_folder(folder)?;
    write(&folder.join(AUTHORITY), &certificate.pem())?;

    for server in [SERVER, BRIDGE] {
        let names = server_names(hosts).map_err(|source| DevCertsError::Make {
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
    issue_clients(folder, clients, days, &issuer)?;
    Ok(issuer)
}

fn issue_clients(
    folder: &Path,
    clients: &[String],
    days: u32,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), DevCertsError> {
    for client in clients {
        let uri = format!("{CLIENT_URI}{client}");
        let names = uri.try_into().map(|uri| vec![SanType::URI(uri)]);
        let names = names.map_err(|source| DevCertsError::Make {
            name: client.clone(),
            source,
        })?;
        issue(
            folder,
            client,
            names,
            ExtendedKeyUsagePurpose::ClientAuth,
            days,
            issuer,
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
    let now = clock::utc_now_ms();
    let after = |days| {
        let day = clock::day_after(now, days);
        let (month, of_month) = (day.month().unsigned_abs(), day.day().unsigned_abs());
        rcgen::date_time_ymd(day.year().into(), month, of_month)
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    // Yesterday, since clocks differ.
    params.not_before = after(-1);
    params.not_after = after(i64::from(days) + 1);
    params
}

fn issue(
    folder: &Path,
    owner: &str,
    names: Vec<SanType>,
    purpose: ExtendedKeyUsagePurpose,
    days: u32,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), DevCertsError> {
    let at_owner = |source| DevCertsError::Make {
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
    let text = Zeroizing::new(key.serialize_pem());
    write(&key_of(folder, owner), &text)
}

fn make_folder(path: &Path) -> Result<(), DevCertsError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| DevCertsError::Write {
            path: path.to_owned(),
            source,
        })
}

fn write(path: &Path, text: &str) -> Result<(), DevCertsError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file: File| file.write_all(text.as_bytes()));
    written.map_err(|source| DevCertsError::Write {
        path: path.to_owned(),
        source,
    })
}
