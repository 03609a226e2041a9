#![allow(clippy::unwrap_used)]
//! The file: what is committed is there again.

mod damage;
mod look;
mod look_up;
mod restore;

use super::{
    Identity, Journal, JournalError, Newest, Past, Reader, Readers, SIMULATOR, Sqlite, Writer,
    backup, begin_epoch, load,
};
use mymt5_chassis::{clock, secrets::Secret};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountMode, BrokerTime, ClientName, DealKind, DealReason, DealRow, Edit, Entry, Levels,
    LevelsEdit, Lots, Magic, MaskedAccount, Moment, Money, OrderId, OrderState, OrderType,
    PositionId, Price, RequestId, Retcode, Side, Symbol, Ticket, TimeInForce, UtcTime,
};
use mymt5_orders::{
    Audience, ChangeEdit, ChangeOutcome, DAYS_RESULTS_MS, Denial, Disagreement, Event, Freeze,
    LedgerRow, Loaded, Order, OwnedDeal, Purpose, Record, Recorded, Request, RequestKey, RowKind,
    StateRow, Subject, Target, Unreadable, Wanted,
};
use rusqlite::Connection;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// Events kept.
const KEPT: u64 = 65_536;

fn name(client: &str) -> ClientName {
    ClientName::parse(client).unwrap()
}

fn identity(login: u64) -> Identity {
    Identity {
        broker: SIMULATOR,
        server: "Example-Server".into(),
        account: MaskedAccount::of(login),
        login: Secret::new(login.to_string()),
    }
}

fn open(path: &Path) -> Result<(Sqlite, Loaded), JournalError> {
    Sqlite::open(path, &identity(70_001_234), &[name("alpha"), name("beta")])
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    (folder, path)
}

fn event(sequence: u64) -> Record {
    Record::Event(Arc::new(Recorded {
        sequence,
        at: UtcTime(clock::utc_now_ms()),
        trace_id: "c".into(),
        audience: Audience::All,
        event: Event::MarginCall(50.0),
    }))
}

fn request(id: &str) -> Record {
    Record::Request(request_of(id, Subject::Order(OrderId(1))))
}

fn request_of(id: &str, subject: Subject) -> Request {
    Request {
        client: name("alpha"),
        request_id: RequestId::parse(id).unwrap(),
        method: "SubmitOrder".into(),
        content: [7; 32],
        subject,
        at: UtcTime(5),
        trace_id: "7".repeat(32),
    }
}

fn key(id: &str) -> RequestKey {
    RequestKey(name("alpha"), RequestId::parse(id).unwrap())
}

fn euro() -> Symbol {
    Symbol::parse("EURUSD").unwrap()
}

fn order(id: u64, state: OrderState) -> Order {
    Order {
        id: OrderId(id),
        client: name("alpha"),
        request_id: RequestId::parse(&format!("r-{id}")).unwrap(),
        purpose: Purpose::Entry,
        symbol: euro(),
        side: Side::Buy,
        kind: OrderType::Market,
        state,
        lots: Lots::from_units(10_000_000),
        closes_all: false,
        filled: Lots::ZERO,
        filled_points: 0,
        price: None,
        stop_limit_price: None,
        digits: 5,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        retcode: None,
        reason: String::new(),
        retryable: false,
        cancel_pending: false,
        created: Moment {
            utc: Some(UtcTime(1)),
            broker: None,
        },
        updated: Moment::default(),
        position: None,
        tag: String::new(),
        magic: Magic::new(1, id).unwrap(),
        ticket: None,
        trace_id: String::new(),
    }
}

fn deal(ticket: u64, position: u64) -> OwnedDeal {
    OwnedDeal {
        deal: DealRow {
            ticket: Ticket(ticket),
            order: Some(Ticket(ticket)),
            position_id: Some(PositionId(position)),
            magic: Magic::new(1, ticket).unwrap(),
            symbol: Some(euro()),
            kind: DealKind::Trade(Side::Buy),
            entry: Some(Entry::In),
            reason: DealReason::Expert,
            lots: Lots::from_units(10_000_000),
            price: Some(Price::from_points(110_000, 5)),
            profit: Money::ZERO,
            swap: Money::ZERO,
            commission: Money::ZERO,
            time: BrokerTime(ticket as i64),
            comment: String::new(),
        },
        order: Some(OrderId(ticket)),
        client: Some(name("alpha")),
        tag: String::new(),
    }
}

fn order_record(order: Order) -> Record {
    Record::Order(Box::new(order))
}

fn deal_record(deal: OwnedDeal) -> Record {
    Record::Deal(Arc::new(deal))
}

/// Flips bits in the middle of the only occurrence of a text in a file.
fn flip(path: &Path, text: &str, bits: u8) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes
        .windows(text.len())
        .position(|part| part == text.as_bytes())
        .unwrap();
    bytes[at + text.len() / 2] ^= bits;
    fs::write(path, bytes).unwrap();
}

fn find(path: &Path, wanted: &Wanted) -> mymt5_orders::Found {
    let newest = Newest::read(&Connection::open(path).unwrap()).unwrap();
    Past::open(path, newest).unwrap().find(wanted).unwrap()
}

#[test]
fn what_is_committed_is_there_again() {
    let (_folder, path) = place();
    let (mut journal, loaded) = open(&path).unwrap();
    assert_eq!(
        (loaded.slots[&name("alpha")], loaded.slots[&name("beta")]),
        (1, 2)
    );
    let state = StateRow {
        client: None,
        state: TradingState::Halted,
        reason: "test".into(),
        by: "local".into(),
        at: UtcTime(9),
        flatten: None,
    };
    let freeze = Freeze {
        description: "by hand".into(),
        at: UtcTime(3),
    };
    let ledger = LedgerRow {
        balance: Money::from_f64(1_000.5).unwrap(),
        flows: Money::ZERO,
        since: BrokerTime(5),
    };
    let unreadable = Unreadable {
        kind: RowKind::Deal,
        ticket: Ticket(8),
        symbol: None,
        why: "price: expected a number".into(),
    };
    let disagreement = Disagreement {
        symbol: euro(),
        client: Some(name("alpha")),
        accepted: Some(Ticket(4)),
    };
    let records = [
        request("one"),
        deal_record(deal(3, 1)),
        Record::State(state.clone()),
        Record::Frozen([(euro(), freeze.clone())].into()),
        Record::Ledger(ledger, AccountMode::Hedging),
        Record::Compared(BrokerTime(77)),
        Record::Archived([Ticket(5)].into()),
        Record::OrphanDeals([(Ticket(6), name("beta"))].into()),
        Record::Disagreements([(PositionId(9), disagreement.clone())].into()),
        Record::AcceptedUnreadable([unreadable.clone()].into()),
        event(1),
        event(2),
    ];
    journal.commit(&records).unwrap();
    drop(journal);
    let (_, again) =
        Sqlite::open(&path, &identity(70_001_234), &[name("gamma"), name("beta")]).unwrap();
    assert_eq!(again.journal_id, loaded.journal_id);
    assert_eq!((again.sequence, again.events.len()), (2, 2));
    assert_eq!(again.frozen, [(euro(), freeze)].into());
    assert_eq!(again.states, [state]);
    assert_eq!(again.ledger, Some(ledger));
    assert_eq!(again.mode, Some(AccountMode::Hedging));
    assert_eq!(again.compared, Some(BrokerTime(77)));
    assert_eq!(again.archived, [Ticket(5)].into());
    assert_eq!(again.orphan_deals, [(Ticket(6), name("beta"))].into());
    assert_eq!(again.disagreements, [(PositionId(9), disagreement)].into());
    assert_eq!(again.accepted_unreadable, [unreadable].into());
    assert_eq!(again.newest_deals, [(Ticket(3), BrokerTime(3))]);
    assert_eq!(
        (again.slots[&name("gamma")], again.slots[&name("alpha")]),
        (3, 1),
        "never reused"
    );
}

#[test]
fn a_start_is_given_the_deals_of_the_last_two_days() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let at = |ticket, time| {
        let mut owned = deal(ticket, 1);
        owned.deal.time = BrokerTime(time);
        deal_record(owned)
    };
    let newest = 3 * DAYS_RESULTS_MS;
    let from = newest - DAYS_RESULTS_MS;
    let records = [at(1, from - 1), at(2, newest), at(3, from)];
    journal.commit(&records).unwrap();
    drop(journal);
    let (_, loaded) = open(&path).unwrap();
    let recent = loaded.recent_deals.iter();
    let recent: Vec<_> = recent.map(|owned| owned.deal.ticket).collect();
    assert_eq!(recent, [Ticket(2), Ticket(3)]);
}

/// As `.cargo/config.toml` has it: where that was not read, commits sync more than they need.
#[test]
fn sqlite_is_built_as_this_workspace_wants_it() {
    let connection = Connection::open_in_memory().unwrap();
    let sql = "SELECT count(*) FROM pragma_compile_options
        WHERE compile_options = 'DEFAULT_MEMSTATUS=0'";
    let found: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(found, 1, "build within the repository's folder");
}

#[test]
fn a_journal_of_the_version_before_is_brought_forward() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[deal_record(deal(3, 1))]).unwrap();
    drop(journal);
    let connection = Connection::open(&path).unwrap();
    let older = "DROP INDEX deals_by_time; PRAGMA user_version = 2;";
    connection.execute_batch(older).unwrap();
    drop(connection);
    assert_eq!(open(&path).unwrap().1.recent_deals.len(), 1);
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'deals_by_time'";
    let indexes: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(indexes, 1);
}

#[test]
fn a_batch_is_whole_or_not_at_all() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one")]).unwrap();
    let failed = journal.commit(&[event(1), request("one")]);
    assert!(
        matches!(failed, Err(JournalError::Write(_))),
        "an id is bound once"
    );
    drop(journal);
    assert_eq!(open(&path).unwrap().1.sequence, 0);
}

#[test]
fn no_name_of_a_server_and_no_account_number_is_in_the_file() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one")]).unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in ["Example-Server", "70001234"] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes())
            );
        }
    }
}

#[test]
fn only_events_are_purged() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("first"), event(1)]).unwrap();
    let many: Vec<Record> = (2..=KEPT + 10).map(event).collect();
    journal.commit(&many).unwrap();
    drop(journal);
    let (_, loaded) = open(&path).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.events_after(0, 1).unwrap()[0].sequence, 11);
    assert_eq!((loaded.events.len(), loaded.sequence), (4_096, KEPT + 10));
    assert!(
        find(
            &path,
            &Wanted {
                requests: [key("first")].into(),
                ..Wanted::default()
            }
        )
        .requests
        .len()
            == 1
    );
}

#[test]
fn old_events_go_and_the_newest_stays_whatever_its_age() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let old = |sequence| {
        Record::Event(Arc::new(Recorded {
            sequence,
            at: UtcTime(5),
            trace_id: String::new(),
            audience: Audience::All,
            event: Event::MarginCall(50.0),
        }))
    };
    journal.commit(&[old(1), old(2), old(3)]).unwrap();
    drop(journal);
    let (_, loaded) = open(&path).unwrap();
    assert_eq!((loaded.events.len(), loaded.sequence), (1, 3));
}
