//! The journal alone, on the disk: what an order's two commits cost beside two fsyncs of the same
//! disk, at the begin and after a long past, and what reading costs by then.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod measure;
#[path = "../tests/it/past.rs"]
mod past;

use measure::{Figure, ROUNDS, Table, Times};
use mymt5_chassis::secrets::Secret;
use mymt5_gateway::journal::{self, Identity, Journal, Reader, SIMULATOR, Sqlite};
use mymt5_model::{ClientName, MaskedAccount, RequestId};
use mymt5_orders::{RequestKey, Wanted};
use past::{Past, fill, past_id};
use std::{collections::BTreeSet, fs, io::Write, path::Path};
use tempfile::TempDir;

/// Orders that are timed in a round.
const TIMED: usize = 300;
/// Orders of the long past.
const PAST: u64 = 100_000;

const FSYNCS: &str = "two fsyncs";
const SHORT: &str = "an order's commits, new journal";
const LONG: &str = "an order's commits, 100,000 orders before";
const PAGE: &str = "a page of 100 orders";
const ID: &str = "a request id of the past";

/// A journal, and the orders that go into it.
struct Bench {
    journal: Sqlite,
    past: Past,
    orders: u64,
}

impl Bench {
    fn open(path: &Path, before: u64) -> Self {
        let client = ClientName::parse("all").unwrap();
        let identity = Identity {
            broker: SIMULATOR,
            server: String::new(),
            account: MaskedAccount::of(1001),
            login: Secret::new("1001"),
        };
        let made = Sqlite::open(path, &identity, &[client]).unwrap();
        drop(made);
        if before > 0 {
            fill(path, before);
        }
        let (journal, loaded) = Sqlite::open_as_it_is(path).unwrap();
        Self {
            journal,
            past: Past::after(&loaded),
            orders: before,
        }
    }

    /// What is durable before an order is sent, and what before it is told.
    fn order(&mut self) {
        let records = self.past.records(self.orders);
        self.orders += 1;
        let (asked, done) = records.split_at(1);
        self.journal.commit(asked).unwrap();
        self.journal.commit(done).unwrap();
    }
}

/// What nobody can save: as many bytes as a page of the journal, made durable twice.
fn two_fsyncs(file: &mut fs::File) {
    for _ in 0..2 {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
}

fn main() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut short = Bench::open(&path("short.db"), 0);
    let mut long = Bench::open(&path("long.db"), PAST);
    let reader = Reader::open(&path("long.db")).unwrap();
    let past = journal::Past::open(&path("long.db"), long.journal.newest()).unwrap();
    let mut file = fs::File::create(path("fsyncs")).unwrap();
    let client = ClientName::parse("all").unwrap();
    let mut table = Table::default();
    for _ in 0..ROUNDS {
        table.note(FSYNCS, Times::each(TIMED, |_| two_fsyncs(&mut file)));
        table.note(SHORT, Times::each(TIMED, |_| short.order()));
        table.note(LONG, Times::each(TIMED, |_| long.order()));
        let mut before = None;
        let page = |_| {
            let page = reader.orders_before(Some(&client), before, 100).unwrap();
            before = page.last().map(|order| order.id);
        };
        table.note(PAGE, Times::each(TIMED, page));
        let ask = |number| {
            let id = RequestId::parse(&past_id(number as u64 * 331 % PAST)).unwrap();
            let wanted = Wanted {
                requests: BTreeSet::from([RequestKey(client.clone(), id)]),
                ..Wanted::default()
            };
            assert_eq!(past.find(&wanted).unwrap().requests.len(), 1);
        };
        table.note(ID, Times::each(TIMED, ask));
    }
    table.print();
    let begin = table.ratio(Figure::P50, SHORT, &[FSYNCS]);
    let later = table.ratio(Figure::P50, LONG, &[SHORT]);
    println!("an order's two commits take {begin:.2} times two fsyncs (p50)");
    println!("after 100,000 orders they take {later:.2} times as long as at the begin (p50)");
}
