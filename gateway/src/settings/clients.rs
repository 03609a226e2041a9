//! `[clients.NAME]`: who may call, and what for.

use crate::access::{Client, Permission, Proof};
use mymt5_chassis::{loader::Reader, tls};
use mymt5_guard::Percent;
use mymt5_model::{ClientName, Magic, Symbol};
use std::collections::BTreeSet;

pub(super) fn read(reader: &mut Reader, risk_ceiling: Option<Percent>) -> Option<Vec<Client>> {
    let names = reader.names("clients");
    if names.is_empty() {
        reader.fault(
            "clients",
            "names nobody: no call could be allowed",
            "add a table such as [clients.engine]",
        );
    }
    if names.len() > usize::from(Magic::MAX_SLOT) {
        reader.fault("clients", "names too many clients", "name at most 2047");
    }
    let clients: Vec<_> = names
        .iter()
        .map(|name| client(reader, name, risk_ceiling))
        .collect();
    clients.into_iter().collect()
}

fn client(reader: &mut Reader, name: &str, risk_ceiling: Option<Percent>) -> Option<Client> {
    let key = |part: &str| format!("clients.{name}.{part}");
    let parsed = ClientName::parse(name)
        .ok()
        .filter(|name| *name != ClientName::local());
    if parsed.is_none() {
        reader.fault(
            &format!("clients.{name}"),
            "is no client's name",
            "use 1 to 32 of [A-Za-z0-9_-], and not \"local\"",
        );
    }
    let proof = proof(reader, name);
    let permissions = reader.required::<BTreeSet<Permission>>(
        &key("permissions"),
        "a list of \"read\", \"trade\", \"control\", \"diagnose\"",
    );
    let symbols: Vec<String> = reader.or(
        &key("symbols"),
        "a list of symbols, or [\"*\"]",
        vec!["*".to_owned()],
    );
    let symbols = if symbols.iter().any(|symbol| symbol == "*") {
        None
    } else {
        let parsed: BTreeSet<Symbol> = symbols
            .iter()
            .filter_map(|symbol| Symbol::parse(symbol).ok())
            .collect();
        if parsed.len() != symbols.len() {
            reader.fault(
                &key("symbols"),
                "holds what is no symbol",
                "list each symbol once, or [\"*\"]",
            );
        }
        Some(parsed)
    };
    let limits = super::limits::read(reader, &key("limits"), risk_ceiling);
    Some(Client {
        name: parsed?,
        proof: proof?,
        permissions: permissions?,
        symbols,
        limits,
    })
}

fn proof(reader: &mut Reader, name: &str) -> Option<Proof> {
    let (certificate_key, hash_key) = (
        format!("clients.{name}.certificate"),
        format!("clients.{name}.token_sha256"),
    );
    let certificate: Option<String> =
        reader.optional(&certificate_key, "spiffe://mymt5/client/NAME");
    let hash: Option<String> = reader.optional(&hash_key, "64 hex digits");
    match (certificate, hash) {
        (Some(uri), None) => match uri.strip_prefix(tls::CLIENT_URI) {
            Some(subject) if ClientName::parse(subject).is_ok() => {
                Some(Proof::Certificate(subject.to_owned()))
            }
            _ => {
                reader.fault(
                    &certificate_key,
                    "is no client's URI",
                    "set it to spiffe://mymt5/client/NAME",
                );
                None
            }
        },
        (None, Some(hash)) => {
            let read = hex::decode(&hash)
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            if read.is_none() {
                reader.fault(
                    &hash_key,
                    "is no SHA-256",
                    "set it to the 64 hex digits that `mymt5-gateway token` printed",
                );
            }
            read.map(Proof::Token)
        }
        _ => {
            reader.fault(
                &format!("clients.{name}"),
                "needs exactly one proof",
                "set either certificate or token_sha256",
            );
            None
        }
    }
}
