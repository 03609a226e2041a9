#![allow(clippy::unwrap_used)]
use super::{files::list, head::Head, *};
use futures_util::FutureExt;
use mymt5_chassis::secrets::Secret;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn settings(folder: &Path) -> AuditSettings {
    AuditSettings {
        folder: folder.join("logs"),
        head: folder.join(HEAD),
        max_days: 1_000_000,
        max_total_bytes: 1 << 20,
    }
}

fn call(number: usize) -> Call {
    Call {
        client: "alpha".into(),
        peer: "127.0.0.1:5".into(),
        method: "SubmitOrder".into(),
        request_id: format!("id-{number}"),
        trace_id: String::new(),
    }
}

fn order(trail: &Trail, number: usize) {
    let asked = trail.ask(&call(number), json!({ "lots": 0.1 }), false);
    asked.ok().unwrap().answered(Outcome::Done(Value::Null));
}

fn open(folder: &Path) -> Trail {
    Trail::open(&settings(folder), &Redactor::new()).unwrap()
}

/// A trail of twelve records in three files, closed.
fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    for number in 0..3 {
        let trail = open(folder.path());
        order(&trail, number);
        trail.close();
        let newest = files(folder.path()).pop().unwrap();
        let day = newest.file_name().unwrap().to_str().unwrap();
        let earlier = day.replacen("audit.20", &format!("audit.1{number}"), 1);
        fs::rename(&newest, newest.with_file_name(earlier)).unwrap();
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = list(&folder.join("logs")).unwrap();
    files.into_iter().map(|file| file.path).collect()
}

fn check(folder: &Path) -> Report {
    verify(&folder.join("logs"), &folder.join(HEAD)).unwrap()
}

fn lines(folder: &Path) -> Vec<Value> {
    let texts = files(folder)
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let text: String = texts.collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Changes the lines of a file.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, text).unwrap();
}

/// Rewrites the chain from a file's line on, as one does who cannot rewrite the head.
fn reseal(file: &Path, from: usize) {
    edit(file, |lines| {
        let (_, mut last) = chain::Link::read(&lines[from - 1]).unwrap();
        for line in &mut lines[from..] {
            let body = line.split_once("\",").unwrap().1.to_owned();
            let (sealed, next) = last.seal(&format!("{{{body}"));
            *line = sealed.trim_end().to_owned();
            last = next;
        }
    });
}

#[test]
fn a_trail_holds_across_files_and_restarts() {
    let folder = written();
    let report = check(folder.path());
    assert!(report.faults.is_empty(), "{report:?}");
    let told = (report.files, report.records, report.first, report.last);
    assert_eq!(told, (3, 12, 1, 12));
    let events: Vec<_> = lines(folder.path())
        .into_iter()
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events[..4], ["started", "asked", "answered", "stopped"]);
}

#[test]
fn every_planted_change_is_found() {
    type Plant = fn(&Path, &[PathBuf]);
    let plants: [(&str, Plant); 18] = [
        ("a value", |_, files| {
            edit(&files[1], |lines| {
                lines[1] = lines[1].replace("alpha", "gamma");
            });
        }),
        ("a value of the newest", |_, files| {
            edit(&files[2], |lines| {
                lines[3] = lines[3].replace("stopped", "started");
            });
        }),
        ("a number", |_, files| {
            edit(&files[0], |lines| {
                lines[2] = lines[2].replace("\"sequence\":3", "\"sequence\":30");
            });
        }),
        ("a hash", |_, files| {
            edit(&files[1], |lines| {
                let hash = lines[1].split('"').nth(5).unwrap().to_owned();
                lines[1] = lines[1].replace(&hash, &"0".repeat(64));
            });
        }),
        ("a line that is gone", |_, files| {
            edit(&files[1], |lines| drop(lines.remove(1)));
        }),
        ("the first line gone", |_, files| {
            edit(&files[0], |lines| drop(lines.remove(0)));
        }),
        ("the newest line gone", |_, files| {
            edit(&files[2], |lines| drop(lines.pop()));
        }),
        ("half of the newest line gone", |_, files| {
            let text = fs::read_to_string(&files[2]).unwrap();
            fs::write(&files[2], &text[..text.len() - 40]).unwrap();
        }),
        ("two lines swapped", |_, files| {
            edit(&files[1], |lines| lines.swap(1, 2));
        }),
        ("a line twice", |_, files| {
            edit(&files[1], |lines| lines.insert(1, lines[1].clone()));
        }),
        ("a line made up", |_, files| {
            edit(&files[1], |lines| lines.insert(1, "{}".into()));
        }),
        ("a record made up", |_, files| {
            edit(&files[1], |lines| {
                let (_, last) = chain::Link::read(&lines[1]).unwrap();
                let (line, _) = last.seal("{\"event\":\"asked\"}");
                lines[2] = line.trim_end().to_owned();
            });
        }),
        ("the oldest file gone", |_, files| {
            fs::remove_file(&files[0]).unwrap();
        }),
        ("a file gone", |_, files| {
            fs::remove_file(&files[1]).unwrap();
        }),
        ("the newest file gone", |_, files| {
            fs::remove_file(&files[2]).unwrap();
        }),
        ("files swapped", |_, files| {
            let texts = [&files[0], &files[1]].map(|file| fs::read(file).unwrap());
            fs::write(&files[0], &texts[1]).unwrap();
            fs::write(&files[1], &texts[0]).unwrap();
        }),
        ("the rest sealed anew", |_, files| {
            edit(&files[2], |lines| {
                lines[1] = lines[1].replace("alpha", "gamma");
            });
            reseal(&files[2], 2);
        }),
        ("the head gone", |folder, _| {
            fs::remove_file(folder.join(HEAD)).unwrap();
        }),
    ];
    for (name, plant) in plants {
        let folder = written();
        plant(folder.path(), &files(folder.path()));
        let report = check(folder.path());
        assert!(!report.faults.is_empty(), "{name}");
        for fault in report.faults {
            assert!(!fault.to_string().contains('\n'), "{fault}");
        }
    }
}

#[test]
fn a_fault_names_its_place() {
    let folder = written();
    let files = files(folder.path());
    let name = files[1].file_name().unwrap().to_str().unwrap();
    edit(&files[1], |lines| drop(lines.remove(1)));
    let place = format!("{name}:2");
    let missing = Fault::Missing {
        place,
        first: 6,
        last: 6,
    };
    assert_eq!(check(folder.path()).faults, [missing]);
}

#[test]
fn a_cut_end_stays_on_record() {
    let folder = written();
    let newest = files(folder.path()).pop().unwrap();
    edit(&newest, |lines| lines.truncate(2));
    open(folder.path()).close();
    let lines = lines(folder.path());
    let started = &lines[lines.len() - 2];
    assert_eq!(started["sequence"], 13);
    assert_eq!(started["trouble"], "records are missing at its end");
    let faults = check(folder.path()).faults;
    let cut = |fault: &Fault| {
        matches!(
            fault,
            Fault::Missing {
                first: 11,
                last: 12,
                ..
            }
        )
    };
    assert!(faults.len() == 1 && cut(&faults[0]), "{faults:?}");
}

#[test]
fn a_head_that_was_missing_or_behind_at_a_start_stays_on_record() {
    type Plant = fn(&Path, &[u8]);
    let plants: [(&str, Plant); 2] = [
        ("the head gone, and the end with it", |folder, _| {
            let newest = files(folder).pop().unwrap();
            edit(&newest, |lines| lines.truncate(2));
            fs::remove_file(folder.join(HEAD)).unwrap();
        }),
        ("records that the head does not know", |folder, old| {
            fs::write(folder.join(HEAD), old).unwrap();
        }),
    ];
    for (name, plant) in plants {
        let folder = written();
        let old = fs::read(folder.path().join(HEAD)).unwrap();
        let trail = open(folder.path());
        order(&trail, 3);
        trail.close();
        plant(folder.path(), &old);
        for _ in 0..2 {
            open(folder.path()).close();
            let faults = check(folder.path()).faults;
            let resumed = |fault: &Fault| matches!(fault, Fault::Resumed { .. });
            assert!(
                faults.len() == 1 && resumed(&faults[0]),
                "{name}: {faults:?}"
            );
        }
    }
}

#[test]
fn a_record_that_the_head_does_not_know_yet_is_no_fault() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let before = fs::read(folder.path().join(HEAD)).unwrap();
    trail.denied(&call(0), "PermissionDenied");
    fs::write(folder.path().join(HEAD), before).unwrap();
    assert!(check(folder.path()).faults.is_empty());
    drop(trail);
    open(folder.path()).close();
    assert!(check(folder.path()).faults.is_empty());
    assert_eq!(lines(folder.path())[2]["trouble"], Value::Null);
}

#[test]
fn old_records_go_and_the_rest_holds() {
    let folder = TempDir::new().unwrap();
    let settings = AuditSettings {
        max_total_bytes: 65_536,
        ..settings(folder.path())
    };
    let trail = Trail::open(&settings, &Redactor::new()).unwrap();
    for number in 0..400 {
        order(&trail, number);
        trail.tend(clock::utc_now_ms());
        let files = files(folder.path());
        let sizes = files.iter().map(|file| fs::metadata(file).unwrap().len());
        assert!(sizes.sum::<u64>() <= 65_536);
    }
    trail.close();
    let report = check(folder.path());
    assert!(report.faults.is_empty(), "{report:?}");
    assert!(report.first > 1 && report.files > 10, "{report:?}");
    // What is taken away beyond that is missed.
    fs::remove_file(&files(folder.path())[0]).unwrap();
    assert!(matches!(
        check(folder.path()).faults[..],
        [Fault::Missing { .. }]
    ));
}

#[test]
fn records_older_than_their_days_go_with_the_next_file() {
    let folder = written();
    let settings = AuditSettings {
        max_days: 365,
        ..settings(folder.path())
    };
    let trail = Trail::open(&settings, &Redactor::new()).unwrap();
    trail.close();
    let report = check(folder.path());
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!((report.files, report.first, report.last), (1, 13, 14));
}

#[test]
fn a_clock_that_is_set_forward_makes_no_record_old() {
    const DAY_MS: i64 = 86_400_000;
    let folder = TempDir::new().unwrap();
    let settings = AuditSettings {
        max_days: 30,
        ..settings(folder.path())
    };
    let trail = || Trail::open(&settings, &Redactor::new()).unwrap();
    trail().close();
    let first = files(folder.path()).pop().unwrap();
    let yesterday = utc(clock::utc_now_ms() - DAY_MS);
    let earlier = format!("audit.{}.0000.jsonl", &yesterday[..10]);
    fs::rename(&first, first.with_file_name(earlier)).unwrap();
    let trail = trail();
    assert_eq!(files(folder.path()).len(), 2);
    trail.tend(clock::utc_now_ms() + 3_650 * DAY_MS);
    trail.close();
    let report = check(folder.path());
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!((report.files, report.first), (2, 1));
}

#[test]
fn strangers_have_a_record_per_address_and_known_clients_all_theirs() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let stranger = |host: u8, port: u16| Call {
        peer: format!("10.0.0.{host}:{port}"),
        method: "/".repeat(3_900),
        ..Call::default()
    };
    for port in 1..1_000 {
        assert!(!trail.denied(&stranger(1, port), "Unauthenticated"));
        assert!(!trail.denied(&stranger(2, port), "Unauthenticated"));
        if port % 10 == 0 {
            assert!(trail.denied(&call(usize::from(port)), "PermissionDenied"));
        }
    }
    for host in 3..200 {
        trail.denied(&stranger(host, 1), "Unauthenticated");
    }
    trail.close();
    let lines = lines(folder.path());
    let of = |event: &str| {
        lines
            .iter()
            .filter(|line| line["event"] == event)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("denied").len(), 99);
    let strangers = of("strangers");
    let counts = |address: &str| {
        let counts = strangers.iter().filter(|line| line["address"] == address);
        counts
            .map(|line| line["count"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(counts("10.0.0.1"), [1, 998]);
    assert_eq!(counts("others").iter().sum::<u64>(), 197 - 30);
    assert!(strangers.len() < 40, "{}", strangers.len());
}

#[test]
fn a_client_that_floods_is_counted_too() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let alone = (0..1_000)
        .filter(|n| trail.denied(&call(*n), "PermissionDenied"))
        .count();
    assert_eq!(alone, DENIALS as usize);
    trail.close();
    let lines = lines(folder.path());
    let counted = lines.iter().find(|line| line["count"] == 400).unwrap();
    assert_eq!(counted["client"], "alpha");
}

/// A hundred MiB of what one client is refused.
#[test]
fn what_one_client_is_refused_leaves_every_operators_line() {
    const CALLS: usize = 250_000;
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let operator = |number| Call {
        client: "local".into(),
        ..call(number)
    };
    let halt = |number| {
        let asked = trail.ask(&operator(number), Value::Null, true);
        asked.ok().unwrap().answered(Outcome::Done(Value::Null));
    };
    halt(0);
    for number in 0..CALLS {
        // Every other one ends risk, and is looked at whatever was refused before.
        let passes = number.is_multiple_of(2);
        match trail.ask(&call(number), json!({ "lots": 0.1 }), passes) {
            Ok(asked) => asked.answered(Outcome::Refused("ORDER_NOT_FOUND")),
            Err(unrecorded) => {
                assert_eq!((unrecorded, passes), (Unrecorded::Crowded, false));
                trail.shed("alpha", "RATE_LIMITED");
            }
        }
        if number.is_multiple_of(10_000) {
            trail.tend(clock::utc_now_ms());
        }
    }
    let exit = trail.ask(&call(CALLS), Value::Null, true);
    let led_to = Outcome::Done(json!({ "order_id": 7 }));
    exit.ok().unwrap().answered(led_to);
    halt(1);
    trail.close();
    assert!(check(folder.path()).faults.is_empty());
    let lines = lines(folder.path());
    assert_eq!(lines[0]["sequence"], 1);
    let of = |event: &str, client: &str| {
        let of = lines.iter().filter(|line| line["event"] == event);
        of.filter(|line| line["client"] == client).count()
    };
    assert_eq!((of("asked", "local"), of("answered", "local")), (2, 2));
    let done: Vec<_> = lines.iter().filter(|line| line["order_id"] == 7).collect();
    assert_eq!((done.len(), &done[0]["verdict"]), (1, &"OK".into()));
    let alone = of("answered", "alpha");
    assert_eq!(of("asked", "alpha"), alone);
    // There is room for one more with each second that this takes.
    let most = usize::try_from(refused::MOST).unwrap();
    assert!((most..20_000).contains(&alone), "{alone}");
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "refused")
        .collect();
    let reasons = told[0]["reasons"].as_object().unwrap();
    let counted: u64 = reasons.values().filter_map(Value::as_u64).sum();
    assert_eq!((told.len(), told[0]["client"].as_str()), (1, Some("alpha")));
    // One of those that were told alone was done.
    assert_eq!(counted + alone as u64, CALLS as u64 + 1);
}

/// Has so many calls under way at once, of which each then ends like that.
fn at_once(trail: &Trail, outcome: &Outcome) {
    let ask = |number| trail.ask(&call(number), Value::Null, false).ok().unwrap();
    let under_way: Vec<Asked> = (0..2_000).map(ask).collect();
    for asked in under_way {
        asked.answered(outcome.clone());
    }
}

#[test]
fn calls_under_way_are_not_counted_as_refused() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    at_once(&trail, &Outcome::Done(Value::Null));
    at_once(&trail, &Outcome::Refused("LOTS_OFF_GRID"));
    // Once they are refused the client waits for as many seconds as they were too many.
    assert!(trail.ask(&call(1), Value::Null, false).is_err());
}

#[test]
fn an_exit_without_room_is_on_record_once_it_is_taken_or_may_have_been() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    at_once(&trail, &Outcome::Refused("LOTS_OFF_GRID"));
    let told = |event: &str| {
        let of = |line: &&Value| line["event"] == event && line["method"] == "ClosePosition";
        lines(folder.path()).iter().filter(of).count()
    };
    let exit = Call {
        method: "ClosePosition".into(),
        ..call(1)
    };
    let ask = || trail.ask(&exit, Value::Null, true).ok().unwrap();
    ask().answered(Outcome::Refused("POSITION_NOT_FOUND"));
    assert_eq!((told("asked"), told("answered")), (0, 0));
    let mut taken = ask();
    taken.taken();
    assert_eq!((told("asked"), told("answered")), (1, 0));
    taken.answered(Outcome::Done(Value::Null));
    assert_eq!((told("asked"), told("answered")), (1, 1));
    ask().answered(Outcome::Unknown("JOURNAL_LOST"));
    assert_eq!((told("asked"), told("answered")), (2, 2));
    drop(ask());
    assert_eq!((told("asked"), told("answered")), (3, 3));
}

#[test]
fn what_is_not_known_as_synced_is_synced_again() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let unsynced = || lock(&trail.0.writer).unsynced().unwrap();
    // The trail and its head.
    let failed = unsynced().unwrap();
    assert_eq!(failed.files.len(), 2);
    let again = unsynced().unwrap();
    assert_eq!(again.files.len(), 2);
    again.sync().unwrap();
    order(&trail, 1);
    lock(&trail.0.writer).synced(&again);
    assert!(unsynced().is_some());
    trail.tend(clock::utc_now_ms());
    assert!(unsynced().is_none());
}

#[test]
fn files_that_end_between_two_syncs_wake_the_keeper_and_stay_few() {
    let folder = TempDir::new().unwrap();
    let settings = AuditSettings {
        max_total_bytes: 65_536,
        ..settings(folder.path())
    };
    let trail = Trail::open(&settings, &Redactor::new()).unwrap();
    let is_woken = || trail.0.rotated.notified().now_or_never().is_some();
    // The first file.
    assert!(is_woken());
    order(&trail, 0);
    assert!(!is_woken());
    for number in 0..400 {
        order(&trail, number);
    }
    assert!(is_woken());
    let most = super::files::ENDED + 2;
    assert!(files(folder.path()).len() > most);
    let unsynced = lock(&trail.0.writer).unsynced().unwrap();
    assert_eq!(unsynced.unwrap().files.len(), most);
    trail.close();
    assert!(check(folder.path()).faults.is_empty());
}

#[test]
fn the_newest_file_stays_however_old_it_is() {
    let folder = written();
    let days = AuditSettings {
        max_days: 1,
        ..settings(folder.path())
    };
    let (surplus, _) = super::files::surplus(&days, clock::utc_now_ms()).unwrap();
    assert_eq!(surplus, files(folder.path())[..2]);
}

#[test]
fn a_file_that_another_removed_is_no_trouble() {
    let folder = TempDir::new().unwrap();
    remove(&folder.path().join("audit.2026-01-01.0000.jsonl")).unwrap();
    assert!(remove(folder.path()).is_err());
}

#[test]
fn a_repeat_is_told_as_one_and_takes_room() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    for _ in 0..5_000 {
        let asked = trail.ask(&call(1), Value::Null, true).ok().unwrap();
        asked.answered(Outcome::Repeated(json!({ "order_id": 7 })));
    }
    trail.close();
    let lines = lines(folder.path());
    let alone = lines.iter().filter(|line| line["repeated"] == true);
    let alone: Vec<_> = alone.map(|line| &line["verdict"]).collect();
    assert!(alone.iter().all(|verdict| *verdict == "OK"));
    let counted = lines
        .iter()
        .filter_map(|line| line["reasons"]["REPEATED"].as_u64());
    let counted: u64 = counted.sum();
    assert!(counted > 0);
    assert_eq!(alone.len() as u64 + counted, 5_000);
}

#[test]
fn what_cannot_be_written_is_refused_passed_on_or_told_later() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    let logs = folder.path().join("logs");
    fs::remove_dir_all(&logs).unwrap();
    assert!(trail.ask(&call(1), Value::Null, false).is_err());
    let exit = trail.ask(&call(2), Value::Null, true).ok().unwrap();
    exit.answered(Outcome::Done(Value::Null));
    fs::create_dir(&logs).unwrap();
    order(&trail, 3);
    trail.close();
    let lines = lines(folder.path());
    assert_eq!(lines[0]["unwritten"], 3);
    assert_eq!(lines[0]["request_id"], "id-3");
    assert_eq!(lines[1]["unwritten"], Value::Null);
    let faults = check(folder.path()).faults;
    assert!(
        matches!(
            faults[..],
            [Fault::Missing {
                first: 1,
                last: 1,
                ..
            }]
        ),
        "{faults:?}"
    );
}

#[test]
fn a_caller_that_went_away_is_on_record() {
    let folder = TempDir::new().unwrap();
    let trail = open(folder.path());
    drop(trail.ask(&call(1), Value::Null, false).ok());
    let lines = lines(folder.path());
    assert_eq!(lines[2]["event"], "answered");
    assert_eq!(lines[2]["verdict"], "ABANDONED");
}

#[test]
fn records_hold_no_secret_no_control_character_and_no_endless_text() {
    let folder = TempDir::new().unwrap();
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("pass \"word\" 1")], &["12345678"]);
    let trail = Trail::open(&settings(folder.path()), &redactor).unwrap();
    let facts = json!({
        "reason": "pass \"word\" 1 of 12345678",
        "symbol": "a\u{202e}b\u{2028}\u{9b}\u{7f}\n",
        "tag": "x".repeat(60_000),
        "price": Value::Null,
    });
    let asked = trail.ask(&call(1), facts, false);
    asked.ok().unwrap().answered(Outcome::Done(Value::Null));
    let text = fs::read_to_string(&files(folder.path())[0]).unwrap();
    assert!(
        text.bytes()
            .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
    );
    assert!(
        !text.contains("word") && !text.contains("12345678"),
        "{text}"
    );
    let facts = &lines(folder.path())[1]["facts"];
    assert_eq!(facts["tag"], "(60000 characters)");
    assert_eq!(facts["symbol"], "a\u{202e}b\u{2028}\u{9b}\u{7f}\n");
    assert!(facts.get("price").is_none());
    assert!(check(folder.path()).faults.is_empty());
}

#[test]
fn strangers_are_told_by_their_host() {
    assert_eq!(network("10.0.0.7:50000"), "10.0.0.7");
    assert_eq!(network("[::ffff:10.0.0.7]:50000"), "10.0.0.7");
    assert_eq!(network("[2001:db8:1:2:3:4:5:6]:50000"), "2001:db8:1:2::/64");
    assert_eq!(network("control socket"), "control socket");
}

#[test]
fn without_a_trail_there_is_nothing_to_check() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let nothing = verify(&folder.path().join("logs"), &folder.path().join(HEAD));
    assert!(matches!(nothing, Err(VerifyError::Nothing(_))));
    let lost = verify(&folder.path().join("nowhere"), &folder.path().join(HEAD));
    assert!(matches!(lost, Err(VerifyError::Read { .. })));
    assert_eq!(Head::read(&folder.path().join(HEAD)).unwrap(), None);
}
