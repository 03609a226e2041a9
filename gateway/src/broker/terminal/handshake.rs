//! Both sides prove that they know the shared secret before anything else is said: an HMAC over
//! both nonces, each side's under its own label, so that neither a replay nor a reflection passes.

use super::{
    WeakSecret,
    wire::{
        self, Role, WireError,
        frame::{self, FrameError, HANDSHAKE_LIMIT},
    },
};
use hmac::{Hmac, KeyInit, Mac};
use mymt5_chassis::secrets::Secret;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// The protocol spoken here.
const PROTOCOL: u32 = 2;
/// Hex digits of a nonce and of a proof.
const DIGITS: usize = 64;

/// Why the handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The secret protects nothing.
    #[error("BRIDGE_SECRET {0}; set it on both sides to what `openssl rand -hex 32` makes")]
    Weak(WeakSecret),
    /// The other side does not know the secret.
    #[error("the bridge does not know BRIDGE_SECRET; set it to the same on both sides")]
    Stranger,
    /// It speaks another version.
    #[error(
        "the bridge speaks protocol {0}, this gateway {PROTOCOL}; install both from one release"
    )]
    Version(u32),
    /// It ended the connection after this side's proof.
    #[error(
        "the bridge hung up during the handshake; check that both sides have the same BRIDGE_SECRET, and that no other gateway uses it"
    )]
    HungUp,
    /// Not of this protocol.
    #[error(
        "what listens at broker.terminal.address is not the bridge; start the bridge there, or correct the address"
    )]
    Wire(#[from] WireError),
    /// The connection ended, or a frame was out of bounds.
    #[error(
        "what listens at broker.terminal.address is not the bridge; start the bridge there, or correct the address"
    )]
    Frame(#[from] FrameError),
}

#[derive(Deserialize)]
struct Hello {
    protocol: u32,
    nonce: String,
}

#[derive(Serialize)]
struct Proof<'a> {
    role: Role,
    protocol: u32,
    nonce: &'a str,
    proof: &'a str,
}

#[derive(Deserialize)]
struct Proven {
    proof: String,
}

/// One side's proof, in lower hex.
fn proof(secret: &Secret, side: &str, theirs: &str, ours: &str) -> Result<String, HandshakeError> {
    // A key of any length will do.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| HandshakeError::Weak(WeakSecret::Short))?;
    mac.update(format!("mymt5-bridge/1 {side} {theirs} {ours}").as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

fn is_nonce(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == DIGITS && text.bytes().all(digit)
}

/// The bridge's nonce out of its first frame.
fn hello(body: &[u8]) -> Result<String, HandshakeError> {
    let Hello { protocol, nonce } = wire::hello(body)?;
    if protocol != PROTOCOL {
        return Err(HandshakeError::Version(protocol));
    }
    if !is_nonce(&nonce) {
        return Err(WireError::Malformed.into());
    }
    Ok(nonce)
}

/// Judges the bridge's proof.
fn verify(secret: &Secret, theirs: &str, ours: &str, body: &[u8]) -> Result<(), HandshakeError> {
    let Proven { proof: received } = wire::hello(body)?;
    let right = proof(secret, "bridge", theirs, ours)?;
    if bool::from(right.as_bytes().ct_eq(received.as_bytes())) {
        Ok(())
    } else {
        Err(HandshakeError::Stranger)
    }
}

/// Proves the secret and has it proven. Nothing else is sent before.
///
/// # Errors
/// See [`HandshakeError`].
pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    secret: &Secret,
) -> Result<(), HandshakeError> {
    if let Some(weak) = WeakSecret::of(secret) {
        return Err(HandshakeError::Weak(weak));
    }
    let theirs = hello(&frame::read(stream, HANDSHAKE_LIMIT).await?)?;
    let ours = hex::encode(rand::random::<[u8; DIGITS / 2]>());
    let answer = Proof {
        role: Role::Gateway,
        protocol: PROTOCOL,
        nonce: &ours,
        proof: &proof(secret, "gateway", &theirs, &ours)?,
    };
    let answer = frame::write(&answer, HANDSHAKE_LIMIT, HANDSHAKE_LIMIT)?;
    let hung_up = |_| HandshakeError::HungUp;
    stream.write_all(&answer).await.map_err(hung_up)?;
    stream.flush().await.map_err(hung_up)?;
    let proven = frame::read(stream, HANDSHAKE_LIMIT)
        .await
        .map_err(|error| match error {
            FrameError::Ended(_) => HandshakeError::HungUp,
            error => error.into(),
        })?;
    verify(secret, &theirs, &ours, &proven)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::{every_variant, testing::messages::flaw};

    #[test]
    fn every_failure_says_what_to_do() {
        for error in every_variant!(HandshakeError:
            HandshakeError::Weak(_) => HandshakeError::Weak(WeakSecret::Guessable),
            HandshakeError::Stranger => HandshakeError::Stranger,
            HandshakeError::Version(_) => HandshakeError::Version(2),
            HandshakeError::HungUp => HandshakeError::HungUp,
            HandshakeError::Wire(_) => HandshakeError::Wire(WireError::Reflected),
            HandshakeError::Frame(_) => HandshakeError::Frame(FrameError::Length(0)),
        ) {
            let subject = match error {
                HandshakeError::Weak(_) => "BRIDGE_SECRET",
                _ => "the bridge",
            };
            assert_eq!(flaw(subject, &error.to_string()), None);
        }
    }

    fn secret() -> Secret {
        Secret::new("0123456789abcdef0123456789abcdef")
    }

    fn body(proof: &str) -> Vec<u8> {
        format!(r#"{{"role":"bridge","proof":"{proof}"}}"#).into_bytes()
    }

    #[test]
    fn the_proof_is_the_protocols() {
        // Made by Python's hmac.new(secret, b"mymt5-bridge/1 gateway aa.. bb..", "sha256").
        let proof = proof(&secret(), "gateway", &"a".repeat(64), &"b".repeat(64)).unwrap();
        assert_eq!(
            proof,
            "0d254888419fab36e9266038b713d50ef2b7d0716e1ff5e4533448e2baf53770"
        );
    }

    #[test]
    fn only_the_bridges_own_proof_over_these_nonces_passes() {
        let (theirs, ours) = ("a".repeat(64), "b".repeat(64));
        let told = |side: &str, secret: &Secret, theirs: &str, ours: &str| {
            body(&proof(secret, side, theirs, ours).unwrap())
        };
        let judged = |body: Vec<u8>| verify(&secret(), &theirs, &ours, &body);
        assert!(judged(told("bridge", &secret(), &theirs, &ours)).is_ok());
        let other = Secret::new("x".repeat(32));
        for wrong in [
            told("gateway", &secret(), &theirs, &ours),
            told("bridge", &other, &theirs, &ours),
            told("bridge", &secret(), &theirs, &"c".repeat(64)),
            told("bridge", &secret(), &ours, &theirs),
            body(""),
        ] {
            assert!(matches!(judged(wrong), Err(HandshakeError::Stranger)));
        }
        let reflected = format!(r#"{{"role":"gateway","proof":"{}"}}"#, "0".repeat(64));
        assert!(matches!(
            judged(reflected.into_bytes()),
            Err(HandshakeError::Wire(WireError::Reflected))
        ));
    }

    #[test]
    fn nonces_have_one_form() {
        let greeting = |protocol: u32, nonce: &str| {
            hello(
                format!(r#"{{"role":"bridge","protocol":{protocol},"nonce":"{nonce}"}}"#)
                    .as_bytes(),
            )
        };
        assert!(greeting(2, &"0f".repeat(32)).is_ok());
        for bad in ["", &"0F".repeat(32), &"0".repeat(63), &"g".repeat(64)] {
            assert!(matches!(greeting(2, bad), Err(HandshakeError::Wire(_))));
        }
        assert!(matches!(
            greeting(1, &"0".repeat(64)),
            Err(HandshakeError::Version(1))
        ));
    }
}
