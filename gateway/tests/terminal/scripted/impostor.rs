//! An impostor who listens in the bridge's place gets one proof, useless to them, and no byte of the login.

use super::bridge::{NONCE, frame, hello, proof, read};
use crate::support::{LOGIN, PASSWORD, SERVER, bounded, settings, terminal};
use mymt5_gateway::broker::{Broker, BrokerError};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What an impostor makes of the gateway's proof.
type Then<'a> = &'a (dyn Fn(&Value) -> Vec<u8> + Sync);
/// What an impostor says: first, and to the gateway's proof.
type Lines<'a> = (Vec<u8>, Then<'a>);

/// Opens against an impostor: how that ended, and all bytes that he got.
async fn meet((first, then): Lines<'_>) -> (BrokerError, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let terminal = terminal(settings(listener.local_addr().unwrap().to_string(), ""));
    let impostor = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        if stream.write_all(&first).await.is_ok()
            && let Ok(answer) = read(&mut stream).await
        {
            heard.extend(frame(&answer));
            // The gateway may have hung up already.
            let _ = stream.write_all(&then(&answer)).await;
        }
        let _ = stream.read_to_end(&mut heard).await;
        heard
    };
    let (opened, heard) = bounded(async { tokio::join!(terminal.open(), impostor) }).await;
    (opened.unwrap_err(), heard)
}

fn tells_nothing(heard: &[u8]) {
    let text = String::from_utf8_lossy(heard);
    let escaped = PASSWORD.replace('"', "\\\"");
    for secret in [LOGIN, PASSWORD, &escaped, SERVER, "login", "password"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // At most the one frame of the proof.
    let length = heard
        .first_chunk()
        .map(|head| u32::from_be_bytes(*head) as usize + 4);
    assert_eq!(heard.len(), length.unwrap_or(0), "{text}");
}

fn proven(proof: &str) -> Vec<u8> {
    frame(&json!({"role": "bridge", "proof": proof}))
}

#[tokio::test]
async fn wrong_proofs_are_refused() {
    let wrong: [Then<'_>; 4] = [
        &|_| proven(&"0".repeat(64)),
        &|_| proven(""),
        // The gateway's own proof under the bridge's role.
        &|answer| proven(answer["proof"].as_str().unwrap()),
        // A bridge's proof of another meeting: the gateway's nonce is another each time.
        &|_| proven(&proof("bridge", NONCE)),
    ];
    for then in wrong {
        let (error, heard) = meet((frame(&hello()), then)).await;
        let told = matches!(&error, BrokerError::Unreachable(why) if why.contains("BRIDGE_SECRET"));
        assert!(told, "{error}");
        tells_nothing(&heard);
    }
}

#[tokio::test]
async fn whoever_is_no_bridge_gets_nothing() {
    let silent: Then<'_> = &|_| Vec::new();
    let reflected: Then<'_> = &|answer| frame(answer);
    let long: Then<'_> = &|_| (1_025_u32).to_be_bytes().to_vec();
    let nonce = |nonce: &str| frame(&json!({"role": "bridge", "protocol": 2, "nonce": nonce}));
    let strangers: Vec<Lines<'_>> = vec![
        (frame(&hello()), reflected),
        (frame(&hello()), long),
        (
            frame(&json!({"role": "gateway", "protocol": 2, "nonce": NONCE})),
            silent,
        ),
        (
            frame(&json!({"role": "bridge", "protocol": 1, "nonce": NONCE})),
            silent,
        ),
        (nonce(""), silent),
        (nonce(&NONCE.to_uppercase()), silent),
        (frame(&json!({"role": "bridge"})), silent),
        (vec![0; 4], silent),
        (vec![255; 64], silent),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), silent),
        (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), silent),
    ];
    for lines in strangers {
        let (error, heard) = meet(lines).await;
        assert!(matches!(error, BrokerError::Unreachable(_)), "{error}");
        tells_nothing(&heard);
    }
}

#[tokio::test]
async fn nonces_are_fresh() {
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let (_, heard) = meet((frame(&hello()), &|_| proven(""))).await;
        let answer: Value = serde_json::from_slice(&heard[4..]).unwrap();
        nonces.insert(answer["nonce"].as_str().unwrap().to_owned());
    }
    assert_eq!(nonces.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_who_says_nothing_is_left() {
    let (error, heard) = meet((Vec::new(), &|_| Vec::new())).await;
    assert!(matches!(error, BrokerError::Unreachable(_)));
    assert!(heard.is_empty());
}
