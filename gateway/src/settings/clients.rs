//! `[clients.NAME]`: who may call, and what for.

use crate::access::{Client, Permission, Proof, Share, Streams};
use mymt5_chassis::{
    loader::{Reader, Section},
    tls,
};
use mymt5_guard::{Percent, ScopeLimits};
use mymt5_model::{ClientName, Magic, Symbol};
use mymt5_orders::{DeadMan, DeadManAction};
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

pub(super) fn read(reader: &mut Reader, risk_ceiling: Option<Percent>) -> Option<Vec<Client>> {
    let names = reader.names("clients");
    if names.is_empty() {
        reader.reject(
            "clients",
            "names no client, so that every call would be refused",
            "add a table such as [clients.engine]",
        );
    }
    if names.len() > usize::from(Magic::MAX_SLOT) {
        reader.reject("clients", "names too many clients", "name at most 2047");
    }
    let clients: Vec<_> = names
        .iter()
        .map(|name| client(reader, name, risk_ceiling))
        .collect();
    clients.into_iter().collect()
}

fn client(reader: &mut Reader, name: &str, risk_ceiling: Option<Percent>) -> Option<Client> {
    let mut client = reader.section(format!("clients.{name}"));
    let parsed = ClientName::parse(name)
        .ok()
        .filter(|name| *name != ClientName::local());
    if parsed.is_none() {
        client.reject(
            "",
            "is not a valid name of a client",
            "use 1 to 32 of [A-Za-z0-9_-], and not \"local\"",
        );
    }
    let proof = proof(&mut client);
    let permissions = client.required::<BTreeSet<Permission>>(
        "permissions",
        "a list of \"read\", \"trade\", \"control\", \"diagnose\"",
    );
    let symbols: Vec<String> = client.or(
        "symbols",
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
            client.reject(
                "symbols",
                "holds an entry that is not a symbol, or a symbol twice",
                "list each symbol once, or [\"*\"]",
            );
        }
        Some(parsed)
    };
    let limits = ScopeLimits::read(&mut client.section("limits"), risk_ceiling);
    let dead_man = dead_man(client.section("dead_man"));
    let share = share(&mut client);
    let enabled = client.or("enabled", "true or false", true);
    Some(Client {
        name: parsed?,
        proof: proof?,
        permissions: permissions?,
        symbols,
        limits,
        dead_man,
        share: share?,
        enabled,
        revoked: CancellationToken::new(),
    })
}

fn share(client: &mut Section<'_>) -> Option<Share> {
    let usual = Share::default();
    let streams = 1..=Streams::MAX;
    let max_streams = client.ranged("max_streams", "streams", usual.max_streams, streams);
    let max_calls = client.ranged("max_calls", "calls", usual.max_calls, 1..=1_024);
    let max_queued = client.ranged("max_queued", "calls", usual.max_queued, 1..=1_024);
    let usual = usual.max_ids_per_minute;
    let max_ids_per_minute = client.ranged("max_ids_per_minute", "ids", usual, 1..=60_000);
    Some(Share {
        max_streams: max_streams?,
        max_calls: max_calls?,
        max_queued: max_queued?,
        max_ids_per_minute: max_ids_per_minute?,
    })
}

fn dead_man(mut dead_man: Section<'_>) -> Option<DeadMan> {
    let after_ms: Option<i64> = dead_man.optional("after_ms", "milliseconds");
    let action = dead_man.or("action", "\"reduce\" or \"cancel\"", DeadManAction::Reduce);
    let after_ms = after_ms?;
    if !(1_000..=3_600_000).contains(&after_ms) {
        dead_man.reject(
            "after_ms",
            "is out of range",
            "set it to 1000 to 3600000 milliseconds",
        );
    }
    Some(DeadMan { after_ms, action })
}

fn proof(client: &mut Section<'_>) -> Option<Proof> {
    let certificate: Option<String> = client.optional("certificate", "spiffe://mymt5/client/NAME");
    let hash: Option<String> = client.optional("token_sha256", "64 hex digits");
    match (certificate, hash) {
        (Some(uri), None) => match uri.strip_prefix(tls::CLIENT_URI) {
            Some(subject) if ClientName::parse(subject).is_ok() => {
                Some(Proof::Certificate(subject.to_owned()))
            }
            _ => {
                client.reject(
                    "certificate",
                    "is not the URI of a client",
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
                client.reject(
                    "token_sha256",
                    "is not a SHA-256 hash",
                    "set it to the 64 hex digits that `mymt5-gateway token` printed",
                );
            }
            read.map(Proof::Token)
        }
        _ => {
            client.reject(
                "",
                "needs exactly one proof",
                "set either certificate or token_sha256",
            );
            None
        }
    }
}
