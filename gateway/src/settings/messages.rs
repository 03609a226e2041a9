//! What a wrong configuration tells an operator: a sample of each fault.
#![allow(clippy::unwrap_used)]

use super::{Settings, TABLE, refuse_network};
use mymt5_chassis::{
    cli::ProgramSettings,
    config_errors::ConfigErrors,
    loader::{Environment, Reader},
    testing::messages::{Messages, PLANTED},
};
use std::{fs, path::Path};

const CLIENT: &str =
    "[clients.a]\ncertificate = 'spiffe://mymt5/client/a'\npermissions = ['read']\n";

/// All that is wrong without an account.
const WRONG: [&str; 24] = [
    "[broker]\nkind = 'paper'",
    "[broker]\nkind = 'terminal'",
    "[server]\nmax_connection_age_s = 0",
    "[orders]\nmax_queue_ms = 1",
    "[audit]\nmax_days = 0\nmax_total_bytes = 1",
    "[broker.simulator]\nfeed = 'bars'\nfile = 'DIR/gateway.toml'",
    "[broker.simulator]\nfeed = 'ticks'\nfile = 'nowhere.csv'",
    "[broker.simulator]\nfeed = 'ticks'\nfile = 'DIR/EURUSD.csv'",
    "[broker.simulator]\nfeed = 'ticks'\nfile = 'DIR/EURUSD.csv'\nsymbols = ['USDJPY']",
    "[broker.simulator]\nfeed = 'paper'\nspeed = 'fast'\nsymbols = []\nbalance = -1.0\n\
     partial_fill_probability = 2.0\nweekends = 'shut'\nleverage = 0",
    "[broker.simulator]\nsymbols = ['EURUSD', 'NOPE']",
    "[broker.simulator]\nsymbols = ['EURUSD', 'EURUSD']",
    "[broker.simulator]\nsymbols = ['EURUSD']\ncurrency = 'XYZ'",
    "[broker.simulator]\nrates = { USDJPY = 0.0 }",
    "[broker.simulator]\nweekends = 'open'\nsessions = { monday = ['01:00-03:00'] }",
    "[broker.simulator]\nsessions = { montag = [], monday = ['5-6'], \
     tuesday = ['01:00-03:00', '02:00-04:00'] }",
    "[broker.simulator]\nsessions = { monday = [] }",
    "[broker]\ntime_zone = 'nowhere'\nholidays = ['Christmas']",
    "[clients.local]\npermissions = ['read']\nsymbols = ['']\ndead_man.after_ms = 1\nmax_streams = 0\n\
     max_calls = 0\nmax_queued = 0\nmax_ids_per_minute = 0\n\
     [clients.b]\npermissions = ['read']\ncertificate = 'spiffe://other'\n\
     [clients.c]\npermissions = ['read']\ntoken_sha256 = 'abc'",
    "[limits]\nsymbols = ['EURUSD', 'EURUSD']\nmax_lots_per_order = 0.0\n\
     min_stop_distance_points = 100\nmax_stop_distance_points = 99\ndaily_loss.action = 'halt'\n\
     drawdown.percent = 5.0\ndrawdown.amount = 5.0\ndrawdown.initial_balance = 0.0\n\
     max_risk_per_trade_percent = 2.0\n[risk]\nmax_per_trade = 1.0",
    "[notify]\nchannels = ['pigeon']\nname = ''\nheartbeat_url = 'http://example.org/hidden'\n\
     least_severity = 'loud'\nrepeat_s = 0\ngive_up_s = 0",
    "[notify]\nchannels = ['email', 'telegram']\n\
     [notify.email]\nhost = 'mail.example.org'\nsecurity = 'plain'\nusername = 'me'\n\
     from = 'hidden'\nto = []\n\
     [notify.telegram]\naddress = 'http://example.org'\nchat_id = 'mine'",
    "[notify]\nchannels = ['email']\n\
     [notify.email]\nhost = 'mail.example.org'\nsecurity = 'some'\nport = 0",
    "[notify]\nchannels = ['email']\nauthorities = 'nowhere.pem'\n[notify.email]\n\
     host = 'mail.example.org'\nfrom = 'a@example.org'\nto = ['b@example.org']",
];

/// Alerts that have too many secrets, or one that does not fit.
const CHANNELS: &str = "[notify]\nchannels = ['email', 'telegram']\n[notify.email]\n\
     host = '127.0.0.1'\nsecurity = 'plain'\nfrom = 'a@example.org'\nto = ['b@example.org']\n\
     [notify.telegram]\nchat_id = '7'\naddress = 'http://127.0.0.1:9'\n";
const CHANNELS_SECRETS: [(&str, &str); 3] = [
    ("SMTP_PASSWORD", "hidden-password"),
    ("EMAIL_PASSWORD", "hidden-password"),
    ("TELEGRAM_BOT_TOKEN", "hidden token"),
];

const ACCOUNT: [(&str, &str); 4] = [
    ("MT5_LOGIN", "12345"),
    ("MT5_PASSWORD", "hidden-password"),
    ("MT5_SERVER", "Hidden-Server"),
    ("BRIDGE_SECRET", "hidden secret of both sides, long enough"),
];
const UNFIT_ACCOUNT: [(&str, &str); 4] = [
    ("MT5_LOGIN", "hidden-login"),
    ("MT5_PASSWORD", "your_password"),
    ("MT5_SERVER", "Hidden-Server"),
    ("BRIDGE_SECRET", "hidden"),
];

/// A secret that repeats itself.
const GUESSABLE: &str = "hidden-hidden-hidden-hidden-hidden";

/// All that is wrong with a terminal that has its account.
const WRONG_TERMINAL: [&str; 4] = [
    "address = '10.0.0.7:18812'\nplain = true\naccount_kind = 'demo'\n\
     symbols = { EURUSD = 'X', GBPUSD = 'X' }\npoll_interval_ms = 0",
    "address = '127.0.0.1:18812'\nplain = true\ntls = 'nowhere.pem'\naccount_kind = 'demo'\n\
     symbols = { EURUSD = 'X' }\n\
     call_timeout_ms = 6000\n[orders]\nunknown_grace_ms = 19999",
    "address = '127.0.0.1:18812'\nplain = true\naccount_kind = 'demo'\n\
     symbols = { EURUSD = 'X' }\ncall_timeout_ms = 6000",
    "address = 'nowhere'\naccount_kind = 'contest'\nsymbols = {}\ntls = 'nowhere.pem'",
];

#[test]
fn every_fault_names_its_key_and_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::write(folder.join("EURUSD.csv"), "no header\n").unwrap();
    let mut messages = Messages::default();
    let mut take = |toml: &str, account: &[(&str, &str)]| {
        let report = report(folder, toml, account);
        messages.errors(&report.unwrap_err(), folder);
    };
    for wrong in WRONG {
        take(&format!("{CLIENT}{wrong}"), &[]);
    }
    let terminal = "[broker]\nkind = 'terminal'\ntime_zone = 'UTC'\n[broker.terminal]\n";
    let long = [PLANTED; 24].join("-");
    let mut unfit = ACCOUNT;
    unfit[1].1 = &long;
    unfit[3].1 = GUESSABLE;
    take(&format!("{CLIENT}{terminal}{}", WRONG_TERMINAL[0]), &unfit);
    for wrong in WRONG_TERMINAL {
        take(&format!("{CLIENT}{terminal}{wrong}"), &ACCOUNT);
        take(&format!("{CLIENT}{terminal}{wrong}"), &UNFIT_ACCOUNT);
    }
    take(&format!("{CLIENT}{CHANNELS}"), &CHANNELS_SECRETS);
    take(&format!("{CLIENT}{CHANNELS}"), &CHANNELS_SECRETS[..1]);
    take("", &[]);
    let client = |number: u16| CLIENT.replace("clients.a", &format!("clients.c{number}"));
    take(&(0..2048).map(client).collect::<String>(), &[]);
    let mut reader = reader(folder, "", &[]);
    refuse_network(&mut reader, Path::new("/mnt/share"));
    messages.errors(&reader.finish().unwrap_err(), folder);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings");
    messages.judge(&sources).unwrap();
}

fn reader(folder: &Path, toml: &str, pairs: &[(&str, &str)]) -> Reader {
    let file = folder.join("gateway.toml");
    let toml = toml.replace("DIR", folder.to_str().unwrap());
    fs::write(&file, toml).unwrap();
    let environment = Environment::from_pairs(pairs.iter().copied());
    Reader::open(&TABLE, &file, environment).unwrap()
}

fn report(folder: &Path, toml: &str, pairs: &[(&str, &str)]) -> Result<(), ConfigErrors> {
    let mut reader = reader(folder, toml, pairs);
    Settings::read(&mut reader);
    reader.finish().map(drop)
}
