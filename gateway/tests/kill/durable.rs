//! A kill keeps the page cache, so that it cannot tell what was synced. The kernel can: strace shows
//! that what an order is made of was written to the journal's log and synced before the first byte
//! of it left for the broker, and how often the log is synced for it.

use crate::{bridged::Mischief, harness::traced};
use std::{collections::HashSet, path::Path, process::Command};

/// Orders sent, one after the other.
const ORDERS: usize = 12;

/// What the test wants to know of a system call.
#[derive(Debug, PartialEq)]
enum Seen<'a> {
    /// Bytes written to the journal's log.
    Written(&'a str),
    /// The log was synced.
    Synced,
    /// Bytes sent to somebody.
    Sent(&'a str),
}

/// The calls of a trace, in the order in which they ended; sends in that in which they began.
fn calls(trace: &str) -> Vec<Seen<'_>> {
    let (mut seen, mut syncing) = (Vec::new(), HashSet::new());
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let thread = words.find(|word| word.parse::<u32>().is_ok()).unwrap_or("");
        let log = line.contains("journal.db-wal>");
        let sync = line.contains("fdatasync(") || line.contains("fsync(");
        if sync && log && line.contains("<unfinished") {
            syncing.insert(thread);
        } else if (sync && log && line.ends_with("= 0"))
            || (line.contains("sync resumed>") && syncing.remove(thread))
        {
            seen.push(Seen::Synced);
        } else if line.contains("pwrite64(") && log {
            seen.push(Seen::Written(line));
        } else if line.contains("<socket:") || line.contains("<UNIX") {
            seen.push(Seen::Sent(line));
        }
    }
    seen
}

/// Why an order's way to the broker is not as it must be.
fn fault(seen: &[Seen<'_>], id: &str) -> Option<&'static str> {
    let quoted = format!("\\\"{id}\\\"");
    let sent = seen.iter().position(
        |call| matches!(call, Seen::Sent(line) if line.contains(&quoted) && line.contains("Send")),
    );
    let Some(sent) = sent else {
        return Some("it was never sent");
    };
    let before = &seen[..sent];
    let written = before
        .iter()
        .position(|call| matches!(call, Seen::Written(line) if line.contains(id)));
    match written {
        None => Some("it was sent before it was written"),
        Some(written) if before[written..].contains(&Seen::Synced) => None,
        Some(_) => Some("it was sent before it was synced"),
    }
}

fn is_traceable() -> bool {
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    if !has_strace {
        println!("skipped: strace is not installed");
        assert!(std::env::var_os("MYMT5_REQUIRE").is_none());
    }
    has_strace
}

/// The tracer: every call that writes, syncs or sends, and when.
fn strace(folder: &Path) -> Vec<String> {
    let output = folder.join("trace").display().to_string();
    let calls = "trace=write,writev,sendto,sendmsg,pwrite64,fdatasync,fsync";
    let line = [
        "strace", "-f", "-y", "-ttt", "-s", "100000", "-e", calls, "-o", &output,
    ];
    line.map(str::to_owned).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_for_the_broker_was_synced_before() {
    if !is_traceable() {
        return;
    }
    let (ids, trace) = traced(ORDERS, None, strace).await;
    let seen = calls(&trace);
    assert_eq!(ids.len(), ORDERS);
    for id in ids {
        assert_eq!(fault(&seen, &id), None, "{id}");
    }
}

/// When a call was made, in seconds.
fn moment(call: &Seen<'_>) -> f64 {
    let Seen::Written(line) = call else {
        panic!("{call:?}");
    };
    let mut words = line.split_whitespace().filter(|word| word.contains('.'));
    words.find_map(|word| word.parse().ok()).unwrap()
}

/// What was seen of an order.
#[derive(Debug)]
struct Span {
    /// How often the log was synced for it: from its first bytes on until those of the next one.
    syncs: usize,
    /// How long that took.
    seconds: f64,
}

/// All orders but the last.
fn spans(seen: &[Seen<'_>], ids: &[String]) -> Vec<Span> {
    let begun = |id: &String| {
        let begins = |call: &Seen<'_>| matches!(call, Seen::Written(line) if line.contains(id));
        seen.iter().position(begins)
    };
    let mut begins: Vec<usize> = ids.iter().filter_map(begun).collect();
    begins.sort_unstable();
    let span = |ends: &[usize]| {
        let calls = seen[ends[0]..ends[1]].iter();
        Span {
            syncs: calls.filter(|call| **call == Seen::Synced).count(),
            seconds: moment(&seen[ends[1]]) - moment(&seen[ends[0]]),
        }
    };
    begins.windows(2).map(span).collect()
}

/// One before it is sent, one before it is told. What nobody waits for goes with the next order, with
/// the next second, or with the refusal of a call: most orders that follow each other quickly take no
/// more than the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_order_takes_two_syncs() {
    const QUICKLY: f64 = 0.25;
    if !is_traceable() {
        return;
    }
    for bridge in [None, Some(Mischief::only(&[]))] {
        let (ids, trace) = traced(ORDERS, bridge, strace).await;
        let spans = spans(&calls(&trace), &ids);
        assert_eq!(spans.len(), ORDERS - 1);
        let fewest = spans.iter().map(|span| span.syncs).min();
        assert_eq!(fewest, Some(2), "{spans:?}");
        let quick = spans.iter().filter(|span| span.seconds < QUICKLY);
        let two = quick.clone().filter(|span| span.syncs == 2).count();
        let are_most_quick = quick.clone().count() > ORDERS / 2;
        assert!(!are_most_quick || 2 * two > quick.count(), "{spans:?}");
    }
}

#[test]
fn an_order_that_is_sent_too_early_is_found() {
    const WRITE: &str = r#"7 pwrite64(5</d/journal.db-wal>, "\"t0-0-1\"", 9, 0) = 9"#;
    const SYNC: &str = "7 fdatasync(5</d/journal.db-wal>) = 0";
    const SEND: &str = r#"8 sendto(9<socket:[1]>, "{\"Send\":{\"comment\":\"t0-0-1\"}}", 9) = 9"#;
    let told = |lines: &[&str]| fault(&calls(&lines.join("\n")), "t0-0-1");
    assert_eq!(told(&[WRITE, SYNC, SEND]), None);
    assert_eq!(
        told(&[WRITE, SEND, SYNC]),
        Some("it was sent before it was synced")
    );
    assert_eq!(
        told(&[SYNC, SEND, WRITE]),
        Some("it was sent before it was written")
    );
    let begun = "7 fdatasync(5</d/journal.db-wal> <unfinished ...>";
    let ended = "7 <... fdatasync resumed>) = 0";
    assert_eq!(told(&[WRITE, begun, ended, SEND]), None);
    assert_eq!(
        told(&[WRITE, begun, SEND, ended]),
        Some("it was sent before it was synced")
    );
}
