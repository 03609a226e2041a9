//! `token`: 256 random bits for a client, told once: alone on standard output, so that they can go
//! into a file, and what the configuration needs on standard error.

use crate::access::Permission;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mymt5_chassis::cli::{complain, say};
use mymt5_model::ClientName;
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, process::ExitCode};

pub(super) fn token(name: &ClientName, permissions: &[Permission]) -> anyhow::Result<ExitCode> {
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hex::encode(Sha256::digest(&token));
    let permissions = serde_json::to_string(&BTreeSet::from_iter(permissions))?;
    complain(
        "# Keep the token in a file of mode 0600: it is not shown again. Into gateway.local.toml:",
    );
    complain(&format!(
        "[clients.{name}]\ntoken_sha256 = \"{hash}\"\npermissions = {permissions}"
    ));
    say(&token);
    Ok(ExitCode::SUCCESS)
}
