//! `token`: 256 random bits for a client, told once.

use super::say;
use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mymt5_model::ClientName;
use sha2::{Digest, Sha256};
use std::process::ExitCode;

pub(super) fn token(name: &str) -> anyhow::Result<ExitCode> {
    let name = ClientName::parse(name).context("the client's name")?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    say(&format!(
        "token (shown once, keep it in a file of mode 0600): {token}"
    ));
    say(&format!(
        "[clients.{name}]\ntoken_sha256 = \"{}\"",
        hex::encode(Sha256::digest(&token))
    ));
    Ok(ExitCode::SUCCESS)
}
