//! Stands between gateway and bridge, hands every byte on, and notes when each tick came by.

use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

/// A tick: symbol, raw broker time, bid, ask. Equal ones are told apart by their order.
pub type Seen = (String, i64, u64, u64);

/// When ticks came by.
pub type Times = Arc<Mutex<HashMap<Seen, Instant>>>;

pub fn tick(symbol: &str, time: i64, bid: f64, ask: f64) -> Seen {
    (symbol.to_owned(), time, bid.to_bits(), ask.to_bits())
}

/// Listens, and hands on to the bridge on that port.
pub async fn proxy(bridge: u16) -> (u16, Times) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, times) = (listener.local_addr().unwrap().port(), Times::default());
    let noted = times.clone();
    tokio::spawn(async move {
        while let Ok((gateway, _)) = listener.accept().await {
            let address = SocketAddr::from(([127, 0, 0, 1], bridge));
            // A bridge that is away now is away for the gateway, too.
            if let Ok(bridge) = TcpStream::connect(address).await {
                tokio::spawn(relay(gateway, bridge, noted.clone()));
            }
        }
    });
    (port, times)
}

async fn relay(gateway: TcpStream, bridge: TcpStream, times: Times) {
    for stream in [&gateway, &bridge] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let (mut from_bridge, mut to_bridge) = bridge.into_split();
    let up = async { copy(&mut from_gateway, &mut to_bridge).await.map(drop) };
    let down = async {
        loop {
            let length = from_bridge.read_u32().await?;
            let mut frame = vec![0; length as usize];
            from_bridge.read_exact(&mut frame).await?;
            note(&frame, &times);
            to_gateway.write_u32(length).await?;
            to_gateway.write_all(&frame).await?;
        }
    };
    // Either end ends both.
    let _: std::io::Result<()> = tokio::select! { end = up => end, end = down => end };
}

fn note(frame: &[u8], times: &Times) {
    let frame: Value = serde_json::from_slice(frame).unwrap_or_default();
    if frame["push"] != "ticks" {
        return;
    }
    let now = Instant::now();
    let symbol = frame["symbol"].as_str().unwrap();
    for row in frame["rows"].as_array().unwrap() {
        let number = |at: usize| row[at].as_f64().unwrap();
        let seen = tick(symbol, row[0].as_i64().unwrap(), number(1), number(2));
        times.lock().unwrap().entry(seen).or_insert(now);
    }
}
