//! What it costs to clean one line of the log, beside what it costs to format the event and to
//! copy the line, measured in the same run: the ratios hold on any machine. Then what a byte costs of
//! lines that a stranger makes to be slow, short ones and long ones.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use mymt5_chassis::loader::{Environment, Reader, Table};
use mymt5_chassis::redact::Redactor;
use mymt5_chassis::secrets::{Secret, SecretStore};
use std::fs;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;
use tracing::{info, info_span};

const ROUNDS: usize = 20_000;
const REPEATS: usize = 7;
/// Bytes of hostile lines that one run cleans.
const BYTES: usize = 1024 * 1024;

/// Nanoseconds of one call.
fn cost(call: impl FnMut()) -> f64 {
    cost_of(ROUNDS, call)
}

/// Nanoseconds of one of so many calls: of several runs the quickest, which others disturbed least.
fn cost_of(rounds: usize, mut call: impl FnMut()) -> f64 {
    let run = |call: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..rounds).for_each(|_| call());
        begun.elapsed().as_nanos() as f64 / rounds as f64
    };
    let runs = (0..REPEATS).map(|_| run(&mut call));
    runs.fold(f64::INFINITY, f64::min)
}

fn event() {
    let _span = info_span!("call", correlation = "0198c0de-7a11-7abc-8def-001122334455").entered();
    info!(
        client = "alpha",
        request_id = "a-17",
        ticket = 1_234_567_u64,
        symbol = "EURUSD",
        side = "buy",
        lots = 0.1,
        price = 1.10012,
        "order accepted"
    );
}

fn formatting(json: bool) -> f64 {
    let base = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(io::sink);
    if json {
        tracing::subscriber::with_default(base.json().finish(), || cost(event))
    } else {
        tracing::subscriber::with_default(base.finish(), || cost(event))
    }
}

fn redactor() -> Redactor {
    let redactor = Redactor::new();
    let secrets: Vec<_> = (0..10)
        .map(|number| Secret::new(format!("pass \"word\" of-{number}")))
        .collect();
    redactor.set_values(&secrets.iter().collect::<Vec<_>>(), &["12345678"]);
    redactor
}

/// Ten secrets that are held, and a password that stands in a file and is known by its prints.
fn knowing() -> Redactor {
    const TABLE: Table = Table {
        program: "bench",
        names: &[],
        secrets: &["MT5_PASSWORD"],
        forbidden: &[],
    };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let file = place("password", "pass \"word\" of-11");
    let config = place("bench.toml", "");
    let variables = [("MT5_PASSWORD_FILE", file.to_str().unwrap())];
    let environment = Environment::from_pairs(variables);
    let mut reader = Reader::open(&TABLE, &config, environment).unwrap();
    reader.secret("MT5_PASSWORD");
    let redactor = redactor();
    drop(SecretStore::new(reader.found_secrets(), &redactor));
    redactor
}

fn main() {
    let text = "2026-07-01T11:00:00.051Z  INFO call{correlation=\"0198c0de-7a11-7abc-8def-001122334455\"}: mymt5_gateway::orders: order accepted client=\"alpha\" request_id=\"a-17\" ticket=1234567 symbol=\"EURUSD\" side=\"buy\" lots=0.1 price=1.10012";
    let json = r#"{"timestamp":"2026-07-01T11:00:00.051Z","level":"INFO","message":"order accepted","client":"alpha","request_id":"a-17","ticket":1234567,"symbol":"EURUSD","side":"buy","lots":0.1,"price":1.10012,"target":"mymt5_gateway::orders","span":{"correlation":"0198c0de-7a11-7abc-8def-001122334455","name":"call"}}"#;
    let masked = text.replace("order accepted", "login=12345678 said pass \"word\" of-3");
    let bare = Redactor::new();
    let knowing = knowing();
    let redactor = redactor();
    let of_text = formatting(false);
    let lines = [
        ("text line", text, of_text),
        ("text line, masked", &masked, of_text),
        ("JSON line", json, formatting(true)),
    ];
    println!(
        "{:<20}{:>8}{:>10}{:>12}{:>12}{:>10}{:>14}{:>12}",
        "", "bytes", "clean ns", "and prints", "no values", "copy ns", "format ns", "ratio"
    );
    for (name, line, format) in lines {
        let clean = cost(|| drop(black_box(redactor.clean(black_box(line)))));
        let prints = cost(|| drop(black_box(knowing.clean(black_box(line)))));
        let bare = cost(|| drop(black_box(bare.clean(black_box(line)))));
        let copy = cost(|| drop(black_box(black_box(line).to_owned())));
        let bytes = line.len();
        println!(
            "{name:<20}{bytes:>8}{clean:>10.0}{prints:>12.0}{bare:>12.0}{copy:>10.0}{format:>14.0}{:>12.2}",
            clean / format
        );
    }
    println!("ratio: cleaning a line to formatting its event, with ten secrets loaded");
    hostile(&redactor);
}

/// What a stranger may repeat until a line is full.
const FAMILIES: [(&str, &str); 18] = [
    ("addresses", "://"),
    ("addresses with users", "a://b:c@"),
    ("fields", "a=a=a="),
    ("signs", "=:,"),
    ("@", "@"),
    ("long digits", "0123456789"),
    ("digits and colons", "1234567:"),
    ("account numbers", "12345678."),
    ("base64", "QUJDREVG"),
    ("web tokens", "eyJ."),
    ("hex", "deadbeef"),
    ("quotes", "\"'"),
    ("backslashes", "\\"),
    ("password", "password"),
    ("passwords", "password="),
    ("nested JSON", "{\"a\":["),
    ("percent escapes", "%2F%3A"),
    ("beyond ASCII", "\u{20ac}\u{1f600}"),
];

/// Lengths of hostile lines, in bytes.
const LENGTHS: [usize; 4] = [100, 1024, 8 * 1024, 64 * 1024];

/// Nanoseconds for each byte of lines that only a stranger writes. Flat is linear.
fn hostile(redactor: &Redactor) {
    let [head_100, head_1k, head_8k, head_64k] = LENGTHS.map(|length| format!("{length} B"));
    println!(
        "\n{:<24}{head_100:>10}{head_1k:>10}{head_8k:>10}{head_64k:>10}{:>16}",
        "ns a byte", "64 to 1 KiB"
    );
    for (name, repeated) in FAMILIES {
        let [of_100, of_1k, of_8k, of_64k] =
            LENGTHS.map(|length| per_byte(redactor, repeated, length));
        println!(
            "{name:<24}{of_100:>10.1}{of_1k:>10.1}{of_8k:>10.1}{of_64k:>10.1}{:>16.2}",
            of_64k / of_1k
        );
    }
    println!("cleaning is linear where the last column is about 1 or less");
}

fn per_byte(redactor: &Redactor, repeated: &str, length: usize) -> f64 {
    let line = repeated.repeat(length.div_ceil(repeated.len()));
    let rounds = (BYTES / line.len()).max(1);
    let clean = cost_of(rounds, || drop(black_box(redactor.clean(black_box(&line)))));
    clean / line.len() as f64
}
