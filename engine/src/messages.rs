//! What the engine tells an operator: a sample of each fault and of each error.
#![allow(clippy::unwrap_used)]

use crate::{
    backtest::TickError,
    care::Missing,
    cli::doctor,
    history::{HistoryError, OpenError, SourceError},
    intents::IntentError,
    report::ReportError,
    risk::{MemoryError, RiskRefused},
    session::{ConnectError, PastError},
    settings::{Settings, TABLE},
    strategy::Registry,
    sweep::{Shard, SweepError},
};
use mymt5_chassis::{
    every_variant,
    loader::{Environment, Reader},
    secrets::read_file,
    testing::messages::Messages,
};
use mymt5_model::{BrokerTime, Symbol};
use mymt5_proto::WireError;
use mymt5_simulator::feed::FeedError;
use std::{fs, io, path::Path};

const WRONG: [&str; 15] = [
    "[engine]\nname = 'a b'\n[gateway]\naddress = 'http://127.0.0.1:1'\ncertificate = 'a.pem'\n\
     [risk]\nmax_per_trade = 0.0\nmax_lots = 0.0\nlots = 0.0",
    "[[strategies]]\nkind = 'guess'\nname = 'a b'\nsymbol = 'EURUSD'\nfast = 9\nslow = 5\n\
     stop_points = -1",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\n[[strategies]]\nname = 'one'\n\
     symbol = 'USDJPY'",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\nrisk_share = 0.0\nmax_per_trade = 101.0",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\nmax_per_trade = 1.0",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\nkind = 'donchian_breakout'\n\
     entry_bars = 0\nexit_bars = 2001\ntimeframe = 'M2'",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\nkind = 'rsi_reversion'\nbars = 1\n\
     oversold = 60.0",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\nkind = 'bollinger_squeeze'\nbars = 11\n\
     deviations = 3.5\nsqueeze_bars = 1",
    "[risk]\nlots = 0.1\nmax_per_trade_amount = 5.0\ndaily_loss.amount = 0.0\n\
     daily_loss.action = 'close'\ndrawdown.amount = 5.0\ndrawdown.percent = 5.0\n\
     sessions.monday = ['17:00-08:00']\nfriday_flat = '8 pm'\ncooldown.losses = 3\n\
     max_errors = 0\nmin_stop_distance_points = 5\nmax_stop_distance_points = 4\n\
     news.calendar = 'DIR/none.csv'",
    "[risk]\nnews.calendar = 'DIR/wrong.csv'",
    "[risk]\nnews.calendar = 'DIR/empty.csv'",
    "[risk]\ncommission_per_lot = -1.0\nnews.minutes_before = 1441\n[risk.daily_loss]",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\ncare.break_even.plus_points = 5\n\
     care.trailing.points = 0\ncare.trailing.atr = 3.0\ncare.partial_close.percent = 50.0",
    "[[strategies]]\nname = 'one'\nsymbol = 'EURUSD'\ncare.trailing.from_r = 0.0\n\
     care.trailing.atr_bars = 14",
    "[backtest]\nbalance = -1.0\ntime_zone = 'nowhere'\n\
     [backtest.limits]\nmax_lots_per_order = 0.0\ndaily_loss.action = 'block'\n\
     [backtest.symbols.NAS100]\ndigits = 9",
];

#[test]
fn every_message_names_what_is_wrong_and_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let mut messages = Messages::default();
    fs::write(place.path().join("wrong.csv"), "tomorrow,USD,high").unwrap();
    fs::write(place.path().join("empty.csv"), "").unwrap();
    for wrong in WRONG {
        let file = place.path().join("engine.toml");
        let wrong = wrong.replace("DIR", place.path().to_str().unwrap());
        fs::write(&file, wrong).unwrap();
        let environment = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&TABLE, &file, environment).unwrap();
        Settings::read_with(&mut reader, &Registry::shipped());
        messages.errors(&reader.finish().unwrap_err(), place.path());
    }
    of_files(&mut messages);
    of_history(&mut messages);
    of_ticks(&mut messages);
    for finding in doctor::messages::samples() {
        messages.text(finding.check, &finding.to_string());
    }
    of_sweeps(&mut messages);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    messages.contexts(&sources).unwrap();
    messages.judge(&sources).unwrap();
}

fn of_files(messages: &mut Messages) {
    const FILE: &str = "/srv/tls/ca.pem";
    let denied = io::ErrorKind::PermissionDenied;
    let lost = read_file("gateway.token_file", Path::new("/nowhere")).unwrap_err();
    let unfit = tonic::transport::Endpoint::from_shared("").err().unwrap();
    for error in every_variant!(ConnectError:
        ConnectError::File(..) => ConnectError::File(FILE.into(), denied.into()),
        ConnectError::Token(_) => ConnectError::Token(lost),
        ConnectError::Unsendable => ConnectError::Unsendable,
        ConnectError::Transport(_) => ConnectError::Transport(unfit),
    ) {
        let subject = match &error {
            ConnectError::File(..) => FILE,
            ConnectError::Token(_) | ConnectError::Unsendable => "gateway.token_file",
            ConnectError::Transport(_) => "gateway.address",
        };
        messages.error(subject, &error);
    }
    let sql = || rusqlite::Error::InvalidQuery;
    for error in every_variant!(PastError:
        PastError::Call(..) => PastError::Call("its deals", Box::new(tonic::Status::ok(""))),
        PastError::NoAccount => PastError::NoAccount,
    ) {
        messages.error("the gateway", &error);
    }
    for error in every_variant!(ReportError:
        ReportError::Write(..) => ReportError::Write("/srv/report.html".into(), denied.into()),
        ReportError::Foreign(_) => ReportError::Foreign("/srv/report.html".into()),
        ReportError::Exists(_) => ReportError::Exists("/srv/report.html".into()),
    ) {
        messages.error("/srv/report.html", &error);
    }
    for error in every_variant!(IntentError:
        IntentError::Open(_) => IntentError::Open(sql()),
        IntentError::Newer => IntentError::Newer,
        IntentError::Write(_) => IntentError::Write(sql()),
        IntentError::Read(_) => IntentError::Read(sql()),
    ) {
        messages.error("intents.db", &error);
    }
    for error in every_variant!(MemoryError:
        MemoryError::Read(_) => MemoryError::Read(denied.into()),
        MemoryError::Write(_) => MemoryError::Write(denied.into()),
    ) {
        messages.error("risk.json", &error);
    }
    for missing in Missing::ALL {
        messages.error("position", &missing);
    }
    for refused in RiskRefused::ALL {
        messages.error("risk", refused);
    }
}

fn of_history(messages: &mut Messages) {
    const FILE: &str = "/srv/past/EURUSD.csv";
    let denied = || io::ErrorKind::PermissionDenied.into();
    let odd = || FeedError::Malformed {
        file: FILE.into(),
        line: 7,
        reason: "not a date and time",
    };
    for error in every_variant!(OpenError:
        OpenError::Exists(_) => OpenError::Exists(FILE.into()),
        OpenError::Open(..) => OpenError::Open(FILE.into(), denied()),
        OpenError::Busy(_) => OpenError::Busy(FILE.into()),
        OpenError::Foreign(_) => OpenError::Foreign(FILE.into()),
        OpenError::Unreadable(..) => OpenError::Unreadable(FILE.into(), odd()),
    ) {
        messages.error(FILE, &error);
    }
    let symbol = || Symbol::parse("EURUSD").unwrap();
    let lost = || tonic::Status::unavailable("the broker cannot be reached");
    for error in every_variant!(SourceError:
        SourceError::Symbol(_) => SourceError::Symbol(symbol()),
        SourceError::Refused(_) => SourceError::from(lost()),
        SourceError::Future(_) => SourceError::Future(BrokerTime(0)),
        SourceError::Unreadable(_) => SourceError::from(WireError("bid")),
    ) {
        let subject = match &error {
            SourceError::Symbol(_) => "EURUSD",
            SourceError::Refused(_) | SourceError::Unreadable(_) => "gateway",
            SourceError::Future(_) => "--to",
        };
        messages.error(subject, &error);
    }
    for error in every_variant!(HistoryError:
        HistoryError::File(_) => HistoryError::File(OpenError::Exists(FILE.into())),
        HistoryError::Source(_) => HistoryError::Source(SourceError::Symbol(symbol())),
        HistoryError::OtherRows(_) => HistoryError::OtherRows(FILE.into()),
        HistoryError::Write(..) => HistoryError::Write(FILE.into(), denied()),
    ) {
        let subject = match &error {
            HistoryError::Source(_) => "EURUSD",
            _ => FILE,
        };
        messages.error(subject, &error);
    }
}

fn of_ticks(messages: &mut Messages) {
    const FILE: &str = "/srv/past/EURUSD.csv";
    let symbol = || Symbol::parse("EURUSD").unwrap();
    let denied = || io::ErrorKind::PermissionDenied.into();
    let odd = FeedError::Malformed {
        file: FILE.into(),
        line: 7,
        reason: "not a date and time",
    };
    for error in every_variant!(TickError:
        TickError::Open(..) => TickError::Open(FILE.into(), denied()),
        TickError::Read { .. } => TickError::Read {
            file: FILE.into(),
            line: 7,
            source: denied(),
        },
        TickError::Malformed(_) => TickError::from(odd),
        TickError::Spread(..) => TickError::Spread(FILE.into(), symbol()),
        TickError::Short(_) => TickError::Short(FILE.into()),
        TickError::Period { .. } => TickError::Period {
            file: FILE.into(),
            seconds: 120,
        },
        TickError::Nameless(_) => TickError::Nameless(FILE.into()),
        TickError::TooMany(_) => TickError::TooMany(300),
        TickError::Several(..) => TickError::Several("/srv/past/GBPUSD.csv".into(), FILE.into()),
        TickError::Unknown(..) => TickError::Unknown(FILE.into(), symbol()),
        TickError::Digits { .. } => TickError::Digits {
            file: FILE.into(),
            decimals: 4,
            symbol: symbol(),
            digits: 5,
        },
        TickError::Empty => TickError::Empty,
        TickError::Outside { .. } => TickError::Outside {
            first: BrokerTime(0),
            last: BrokerTime(1),
        },
        TickError::Overlap { .. } => TickError::Overlap {
            symbol: symbol(),
            one: "/srv/past/EURUSD_1.csv".into(),
            one_from: BrokerTime(0),
            other: FILE.into(),
            other_from: BrokerTime(1),
            at: BrokerTime(2),
        },
    ) {
        let subject = match &error {
            TickError::TooMany(_) => "files of ticks",
            TickError::Empty | TickError::Outside { .. } => "the files",
            _ => FILE,
        };
        messages.error(subject, &error);
    }
}

fn of_sweeps(messages: &mut Messages) {
    const PART: &str = "/srv/parts/1.json";
    const KEY: &str = "strategies.0.fast";
    let denied = || io::ErrorKind::PermissionDenied.into();
    let other = || "/srv/parts/2.json".into();
    let shard = Shard { index: 1, of: 4 };
    for error in every_variant!(SweepError:
        SweepError::Points(_) => SweepError::Points(101_000),
        SweepError::Results(_) => SweepError::Results(1_100_000),
        SweepError::Twice(_) => SweepError::Twice(KEY.to_owned()),
        SweepError::Unknown { .. } => SweepError::Unknown {
            key: KEY.to_owned(),
            known: "one of strategies.0.kind, strategies.0.name".to_owned(),
        },
        SweepError::Misfit { .. } => SweepError::Misfit {
            key: KEY.to_owned(),
            value: "100".to_owned(),
            reason: "strategies.0.fast: does not fit slow; fix: set 1 <= fast < slow <= 10000".to_owned(),
        },
        SweepError::Empty => SweepError::Empty,
        SweepError::Changed => SweepError::Changed,
        SweepError::Read(..) => SweepError::Read(PART.into(), denied()),
        SweepError::Write(..) => SweepError::Write(PART.into(), denied()),
        SweepError::Foreign(_) => SweepError::Foreign(PART.into()),
        SweepError::NotAPart(..) => SweepError::NotAPart(PART.into(), None),
        SweepError::Large(_) => SweepError::Large(PART.into()),
        SweepError::Other { .. } => SweepError::Other {
            one: PART.into(),
            other: other(),
            what: "files",
        },
        SweepError::Doubled { .. } => SweepError::Doubled {
            one: PART.into(),
            other: other(),
            shard,
        },
        SweepError::Missing { .. } => SweepError::Missing {
            missing: 2,
            of: 4,
            first: shard,
        },
    ) {
        let subject = match &error {
            SweepError::Points(_) | SweepError::Misfit { .. } => "--vary",
            SweepError::Results(_) => "--walk-forward",
            SweepError::Twice(_) | SweepError::Unknown { .. } => KEY,
            SweepError::Empty | SweepError::Changed => "the files",
            SweepError::Missing { .. } => "shards",
            _ => PART,
        };
        messages.error(subject, &error);
    }
}
