//! The scripted bridge: it knows the secret, and answers by a test's script.

use crate::support::{SECRET, settings};
use hmac::{Hmac, KeyInit, Mac};
use mymt5_gateway::broker::terminal::TerminalSettings;
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

pub const NONCE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// What a call is answered with: frames without role and id. None at all: silence.
pub type Script = Arc<dyn Fn(&str, &Value) -> Vec<Value> + Send + Sync>;

pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Value> {
    let length = stream.read_u32().await?;
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

pub fn frame(value: &Value) -> Vec<u8> {
    let body = value.to_string().into_bytes();
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

pub fn hello() -> Value {
    json!({"role": "bridge", "protocol": 2, "nonce": NONCE})
}

pub fn proof(side: &str, ours: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("mymt5-bridge/1 {side} {NONCE} {ours}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The handshake, done honestly.
pub async fn shake(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&frame(&hello())).await?;
    let answer = read(stream).await?;
    let ours = answer["nonce"].as_str().unwrap();
    assert_eq!(answer["proof"], proof("gateway", ours));
    let proven = json!({"role": "bridge", "proof": proof("bridge", ours)});
    stream.write_all(&frame(&proven)).await
}

/// A listening bridge.
pub struct Scripted {
    pub address: String,
    /// All calls heard so far.
    pub calls: Arc<Mutex<Vec<(String, Value)>>>,
    pushes: broadcast::Sender<Vec<u8>>,
}

impl Scripted {
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (pushes, _) = broadcast::channel(4_096);
        let calls = Arc::new(Mutex::default());
        let bridge = Self {
            address,
            calls: Arc::clone(&calls),
            pushes: pushes.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let pushed = pushes.subscribe();
                tokio::spawn(serve(stream, script.clone(), calls.clone(), pushed));
            }
        });
        bridge
    }

    pub fn settings(&self) -> TerminalSettings {
        settings(self.address.clone(), "")
    }

    /// Sends a frame unasked.
    pub fn push(&self, mut value: Value) {
        value["role"] = "bridge".into();
        self.pushes.send(frame(&value)).unwrap();
    }

    /// Arguments of the calls of that name.
    pub fn calls(&self, name: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        let named = calls.iter().filter(|(call, _)| call == name);
        named.map(|(_, args)| args.clone()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    mut pushed: broadcast::Receiver<Vec<u8>>,
) -> io::Result<()> {
    shake(&mut stream).await?;
    let (mut reader, mut writer) = stream.into_split();
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                Some(answer) = answered.recv() => answer,
                Ok(push) = pushed.recv() => push,
                else => return,
            };
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    loop {
        let call = read(&mut reader).await?;
        let name = call["call"].as_str().unwrap().to_owned();
        for mut value in script(&name, &call["args"]) {
            value["role"] = "bridge".into();
            if value.get("push").is_none() {
                value["id"] = call["id"].clone();
            }
            let _ = answers.send(frame(&value));
        }
        calls.lock().unwrap().push((name, call["args"].clone()));
    }
}

/// A script that answers as a quiet terminal does, but for what a test says otherwise.
pub fn usual(
    otherwise: impl Fn(&str, &Value) -> Option<Vec<Value>> + Send + Sync + 'static,
) -> Script {
    Arc::new(move |call, args| otherwise(call, args).unwrap_or_else(|| vec![quiet(call, args)]))
}

fn quiet(call: &str, args: &Value) -> Value {
    let value = match call {
        "ping" => json!({"busy_ms": 0, "busy": null, "queued": 0, "build": 5000}),
        "login" => json!({"account": account(), "terminal": terminal()}),
        "account" => account(),
        "terminal" => terminal(),
        "symbols" => args["names"]
            .as_array()
            .unwrap()
            .iter()
            .map(symbol)
            .collect(),
        "watch" => json!({}),
        "history_deals" | "history_orders" => json!({"rows": []}),
        "state" => json!({
            "account": account(), "terminal": terminal(), "orders": [], "positions": [],
            "server_time": null,
        }),
        "order_send" => json!({
            "retcode": 10009, "deal": 7, "order": 8, "volume": 0.1, "price": 1.1,
            "comment": "Request executed",
        }),
        _ => return json!({"refused": "unknown call"}),
    };
    json!({"ok": value})
}

pub fn account() -> Value {
    json!({
        "login": 10_000_001, "trade_mode": 0, "leverage": 100, "margin_so_mode": 0,
        "trade_allowed": true, "trade_expert": true, "margin_mode": 2, "currency_digits": 2,
        "balance": 1000.0, "credit": 0.0, "profit": 0.0, "equity": 1000.0, "margin": 0.0,
        "margin_free": 1000.0, "margin_level": 0.0, "margin_so_call": 100.0,
        "name": "Holder", "server": "StandIn-Demo", "currency": "USD", "company": "Company",
    })
}

pub fn terminal() -> Value {
    json!({"connected": true, "trade_allowed": true, "tradeapi_disabled": false})
}

/// A symbol's row.
pub fn symbol(name: &Value) -> Value {
    json!({
        "digits": 5, "trade_mode": 4, "trade_stops_level": 0, "trade_freeze_level": 0,
        "trade_exemode": 2, "swap_mode": 0, "filling_mode": 2, "bid": 1.1, "ask": 1.1001,
        "trade_tick_value": 1.0, "trade_tick_size": 0.00001, "trade_contract_size": 100000.0,
        "volume_min": 0.01, "volume_max": 100.0, "volume_step": 0.01, "swap_long": 0.0,
        "swap_short": 0.0, "currency_base": "EUR", "currency_profit": "USD",
        "description": name, "name": name,
    })
}

/// A push of rows.
pub fn rows(deals: Vec<Value>) -> Value {
    json!({
        "push": "rows", "account": account(), "terminal": terminal(), "orders": [],
        "positions": [], "deals": deals,
    })
}

/// A balance deal.
pub fn deal(ticket: u64) -> Value {
    json!({
        "ticket": ticket, "order": 0, "time": 1_700_000_000, "time_msc": 1_700_000_000_000_u64,
        "type": 2, "entry": 0, "magic": 0, "position_id": 0, "reason": 0, "volume": 0.0,
        "price": 0.0, "commission": 0.0, "swap": 0.0, "profit": 1.0, "fee": 0.0, "symbol": "",
        "comment": "", "external_id": "",
    })
}

/// A push of one tick of EURUSD.
pub fn tick(second: i64, number: u64) -> Value {
    json!({
        "push": "ticks", "symbol": "EURUSD",
        "rows": [[second * 1000, 1.1, 1.1001, 0.0, 0, 6, 0.0]], "at": [second, number],
    })
}
