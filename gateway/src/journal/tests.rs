#![allow(clippy::unwrap_used)]
//! The file: what is committed is there again, and a file that is not ours, not whole or not the
//! newest is refused with its fix.

use super::{
    Identity, Journal, JournalError, Reader, Readers, SIMULATOR, Sqlite, Writer, backup,
    begin_epoch, load,
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
        trace: "c".into(),
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
        trace: "7".repeat(32),
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
        trace: String::new(),
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
fn another_account_another_file_and_a_newer_version_are_refused() {
    let (_folder, path) = place();
    drop(open(&path).unwrap());
    let other = |identity: &Identity| Sqlite::open(&path, identity, &[]).unwrap_err();
    // The last four digits alone tell no account from another.
    for login in [70_009_999, 80_001_234] {
        let error = other(&identity(login));
        assert!(
            matches!(error, JournalError::OtherAccount { .. }),
            "{error:?}"
        );
    }
    let server = Identity {
        server: "Other".into(),
        ..identity(70_001_234)
    };
    assert!(matches!(other(&server), JournalError::OtherAccount { .. }));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(JournalError::Newer)));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(JournalError::Older)));
    fs::write(
        &path,
        "no database, surely not, but long enough to be read as a header of one",
    )
    .unwrap();
    assert!(matches!(open(&path), Err(JournalError::Foreign(_))));
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
fn damage_is_found_before_anything_is_believed() {
    for damage in ["flipped", "not text", "cut"] {
        let (_folder, path) = place();
        let (mut journal, _) = open(&path).unwrap();
        let orders: Vec<Record> = (1..200)
            .map(|id| {
                let mut order = order(id, OrderState::Working);
                order.tag = format!("tag-{id}-x");
                order_record(order)
            })
            .collect();
        journal.commit(&orders).unwrap();
        drop(journal);
        match damage {
            "flipped" => flip(&path, "tag-199-x", 1),
            "not text" => flip(&path, "tag-199-x", 0x80),
            _ => {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
        let error = open(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { .. }),
            "{damage}: {error:?}"
        );
        assert!(error.is_for_the_operator() && error.to_string().contains("restore"));
    }
}

#[test]
fn a_row_of_the_past_that_is_damaged_is_not_believed_either() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let mut ended = order(7, OrderState::Filled);
    ended.tag = "tag-7-x".into();
    journal.commit(&[order_record(ended)]).unwrap();
    drop(journal);
    flip(&path, "tag-7-x", 1);
    drop(open(&path).unwrap());
    let error = Reader::open(&path).unwrap().order(OrderId(7)).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error:?}");
}

#[test]
fn an_older_copy_put_back_is_found() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    let old = folder.path().join("old.db");
    fs::rename(
        folder.path().join("backup").join(backup(&path).unwrap().0),
        &old,
    )
    .unwrap();
    journal.commit(&[event(2), event(3)]).unwrap();
    drop(journal);
    for suffix in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(path.with_extension(suffix));
    }
    fs::rename(&old, &path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(error, JournalError::RolledBack { found: 1, seen: 3 }),
        "{error:?}"
    );
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
            trace: String::new(),
            audience: Audience::All,
            event: Event::MarginCall(50.0),
        }))
    };
    journal.commit(&[old(1), old(2), old(3)]).unwrap();
    drop(journal);
    let (_, loaded) = open(&path).unwrap();
    assert_eq!((loaded.events.len(), loaded.sequence), (1, 3));
}

#[test]
fn a_backup_is_a_journal_of_its_own_and_denials_are_kept() {
    let (folder, path) = place();
    let (mut journal, loaded) = open(&path).unwrap();
    let denial = Denial {
        at: UtcTime(5),
        client: "read".into(),
        peer: "127.0.0.1:1".into(),
        call: "/mymt5.v1.TradingService/SubmitOrder".into(),
        code: "PermissionDenied".into(),
        trace: "c".into(),
    };
    journal.commit(&[event(1), Record::Denial(denial)]).unwrap();
    let (file, bytes) = backup(&path).unwrap();
    let copy = Connection::open(folder.path().join("backup").join(file)).unwrap();
    assert!(bytes > 0 && load::fact::<String>(&copy, "journal_id").unwrap() == loaded.journal_id);
    let denied: String = copy
        .query_row("SELECT client FROM denials", [], |row| row.get(0))
        .unwrap();
    assert_eq!(denied, "read");
}

#[tokio::test]
async fn a_failure_is_told_and_the_writer_stops() {
    struct Broken;
    impl Journal for Broken {
        fn commit(&mut self, _: &[Record]) -> Result<(), JournalError> {
            Err(JournalError::Gone)
        }
    }
    let mut writer = Writer::start(Broken).unwrap();
    writer.hand(vec![event(1)]);
    assert!(writer.done().await.is_err());
    writer.hand(vec![event(2)]);
    assert!(writer.done().await.is_err());
}

#[test]
fn a_journal_that_is_gone_is_missed() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    drop(journal);
    fs::remove_file(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, JournalError::Lost(_)) && error.is_for_the_operator());
}

fn find(path: &Path, wanted: &Wanted) -> mymt5_orders::Found {
    Reader::open(path).unwrap().find(wanted).unwrap()
}

/// An order, a request and a deal of every shape.
fn shapes() -> (Vec<Order>, Vec<Request>, Vec<OwnedDeal>) {
    let at = |ms| Moment {
        utc: Some(UtcTime(ms)),
        broker: Some(BrokerTime(ms + 1)),
    };
    let price = |points| Some(Price::from_points(points, 5));
    let plain = order(1, OrderState::Accepted);
    let filled = Order {
        state: OrderState::Filled,
        filled: Lots::from_units(1),
        filled_points: i128::from(i64::MAX) * 9,
        purpose: Purpose::Exit(PositionId(9)),
        closes_all: true,
        retcode: Some(Retcode::DONE),
        reason: "it's done".into(),
        position: Some(PositionId(9)),
        tag: "strategy 1".into(),
        ticket: Some(Ticket(4)),
        trace: "7".repeat(32),
        ..order(2, OrderState::Filled)
    };
    let pending = Order {
        kind: OrderType::StopLimit,
        price: price(110_000),
        stop_limit_price: price(109_990),
        levels: Levels {
            stop_loss: price(1),
            take_profit: price(120_000),
        },
        time_in_force: TimeInForce::GtdDay(at(9)),
        cancel_pending: true,
        retryable: true,
        created: at(5),
        updated: at(6),
        trace: "not hex".into(),
        ..order(3, OrderState::Working)
    };
    let requests = vec![
        request_of("a", Subject::Order(OrderId(1))),
        request_of("b", Subject::Done),
        request_of("c", Subject::TradingState(TradingState::Halted)),
        request_of(
            "d",
            Subject::Change(
                Target::Position(PositionId(3)),
                ChangeEdit::Levels(LevelsEdit {
                    stop_loss: Edit::Set(Price::from_points(5, 5)),
                    take_profit: Edit::Keep,
                }),
                ChangeOutcome::Refused(Retcode(10_016)),
            ),
        ),
        request_of(
            "e",
            Subject::Change(
                Target::Order(OrderId(3)),
                ChangeEdit::Cancel,
                ChangeOutcome::Pending,
            ),
        ),
    ];
    let mut balance = deal(2, 1);
    balance.deal = DealRow {
        order: None,
        position_id: None,
        magic: Magic::from_raw(u64::MAX),
        symbol: None,
        kind: DealKind::Correction,
        entry: None,
        lots: Lots::ZERO,
        price: None,
        profit: Money::from_f64(-12.345_678).unwrap(),
        comment: "bonus; 'x'".into(),
        ..balance.deal
    };
    (balance.order, balance.client) = (None, None);
    (
        vec![plain, filled, pending],
        requests,
        vec![deal(1, 9), balance],
    )
}

#[test]
fn every_shape_of_a_row_comes_back_as_it_was() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let (orders, requests, deals) = shapes();
    let mut records: Vec<Record> = orders.iter().cloned().map(order_record).collect();
    records.extend(requests.iter().cloned().map(Record::Request));
    records.extend(deals.iter().cloned().map(deal_record));
    journal.commit(&records).unwrap();
    let reader = Reader::open(&path).unwrap();
    let wanted = Wanted {
        requests: requests.iter().map(Request::key).collect(),
        orders: orders.iter().map(|order| order.id).collect(),
        deals: [Ticket(1), Ticket(2), Ticket(3)].into(),
        positions: [PositionId(9), PositionId(8)].into(),
    };
    let found = reader.find(&wanted).unwrap();
    for order in &orders {
        assert_eq!(found.orders.get(&order.id), Some(order));
    }
    for request in &requests {
        assert_eq!(found.requests.get(&request.key()), Some(request));
    }
    assert_eq!(found.deals, BTreeSet::from([Ticket(1), Ticket(2)]));
    assert_eq!(
        found.positions,
        [(PositionId(9), vec![deals[0].clone()])].into()
    );
    assert_eq!(
        reader.deals_before(None, None, 9).unwrap(),
        [deals[1].clone(), deals[0].clone()]
    );
    drop(journal);
    // A start is given what is open, and nothing else.
    let loaded = open(&path).unwrap().1;
    assert_eq!(loaded.orders, [orders[0].clone(), orders[2].clone()]);
    assert_eq!(loaded.requests, [requests[4].clone()]);
    assert_eq!(loaded.last_order, 3);
}

#[test]
fn an_outcome_is_known_again_and_settles_its_request() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let subject = |outcome| Subject::Change(Target::Order(OrderId(3)), ChangeEdit::Cancel, outcome);
    let pending = request_of("c", subject(ChangeOutcome::Pending));
    journal.commit(&[Record::Request(pending)]).unwrap();
    let done = subject(ChangeOutcome::Done);
    journal
        .commit(&[Record::Outcome(key("c"), done.clone())])
        .unwrap();
    let wanted = Wanted {
        requests: [key("c")].into(),
        ..Wanted::default()
    };
    assert_eq!(find(&path, &wanted).requests[&key("c")].subject, done);
    drop(journal);
    assert!(open(&path).unwrap().1.requests.is_empty());
}

#[test]
fn lists_are_paged_newest_first_and_by_owner() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let records: Vec<Record> = (1..=20)
        .map(|id| {
            let mut order = order(id, OrderState::Filled);
            order.client = name(["alpha", "beta"][(id % 2) as usize]);
            order_record(order)
        })
        .collect();
    journal.commit(&records).unwrap();
    let reader = Reader::open(&path).unwrap();
    let ids = |orders: Vec<Order>| orders.iter().map(|order| order.id.0).collect::<Vec<_>>();
    let page = |client: Option<&str>, before| {
        let client = client.map(name);
        ids(reader.orders_before(client.as_ref(), before, 3).unwrap())
    };
    assert_eq!(page(None, None), [20, 19, 18]);
    assert_eq!(page(None, Some(OrderId(18))), [17, 16, 15]);
    assert_eq!(page(Some("alpha"), Some(OrderId(6))), [4, 2]);
    assert_eq!(page(Some("gamma"), None), [0_u64; 0]);
}

#[tokio::test]
async fn events_of_the_past_are_read_from_the_file_and_those_that_are_gone_are_missed() {
    use crate::desk::EventLog;
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let last = KEPT + 100;
    for first in (1..=last).step_by(10_000) {
        let batch: Vec<Record> = (first..=last.min(first + 9_999)).map(event).collect();
        journal.commit(&batch).unwrap();
    }
    drop(journal);
    let (_journal, loaded) = open(&path).unwrap();
    let log = EventLog::new(loaded.events, Readers::of(&path));
    assert_eq!(log.last(), last);
    assert!(log.after(99).await.is_err() && log.after(last + 1).await.is_err());
    let mut cursor = 100;
    loop {
        let page = log.after(cursor).await.unwrap();
        let Some(newest) = page.last() else { break };
        assert_eq!(page[0].sequence, cursor + 1);
        cursor = newest.sequence;
    }
    assert_eq!(cursor, last);
}

/// A journal with a backup, and what came after the backup.
fn with_a_backup() -> (TempDir, PathBuf, PathBuf) {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal
        .commit(&[request("old"), order_record(order(1, OrderState::Filled))])
        .unwrap();
    let copy = folder.path().join("restored.db");
    fs::copy(
        folder.path().join("backup").join(backup(&path).unwrap().0),
        &copy,
    )
    .unwrap();
    let halted = StateRow {
        client: Some(name("alpha")),
        state: TradingState::Halted,
        reason: "news".into(),
        by: "local".into(),
        at: UtcTime(1),
        flatten: None,
    };
    journal
        .commit(&[
            Record::Request(request_of("new", Subject::Order(OrderId(5_000)))),
            order_record(order(5_000, OrderState::Working)),
            deal_record(deal(3, 1)),
            Record::State(halted),
        ])
        .unwrap();
    (folder, path, copy)
}

#[test]
fn a_restore_takes_over_what_the_journal_in_place_still_tells() {
    let (_folder, path, copy) = with_a_backup();
    let before = open(&path).unwrap().1.journal_id;
    let restored = begin_epoch(&copy, &path, UtcTime(9)).unwrap();
    assert!(restored.incomplete.is_none(), "{:?}", restored.incomplete);
    assert_eq!((restored.orders, restored.taken_over), (1, 3));
    let loaded = open(&copy).unwrap().1;
    assert_ne!(loaded.journal_id, before);
    assert_eq!(loaded.orders, [order(5_000, OrderState::Working)]);
    assert_eq!(loaded.states[0].state, TradingState::Halted);
    assert_eq!(loaded.last_order, 605_000, "ids are passed over");
    let wanted = Wanted {
        requests: [key("new"), key("old")].into(),
        deals: [Ticket(3)].into(),
        ..Wanted::default()
    };
    let found = find(&copy, &wanted);
    assert_eq!((found.requests.len(), found.deals.len()), (2, 1));
}

#[test]
fn a_restore_that_cannot_know_what_came_since_halts_the_account() {
    for loss in ["gone", "damaged", "another"] {
        let (folder, path, copy) = with_a_backup();
        match loss {
            "gone" => fs::remove_file(&path).unwrap(),
            "damaged" => {
                for beside in ["db-wal", "db-shm"] {
                    let _ = fs::remove_file(path.with_extension(beside));
                }
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
            _ => {
                let other = folder.path().join("other.db");
                drop(Sqlite::open(&other, &identity(5), &[]).unwrap());
                fs::rename(&other, &path).unwrap();
            }
        }
        let restored = begin_epoch(&copy, &path, UtcTime(9)).unwrap();
        assert!(restored.incomplete.is_some(), "{loss}");
        let loaded = open(&copy).unwrap().1;
        let account = loaded.states.iter().find(|row| row.client.is_none());
        assert_eq!(account.unwrap().reason, "RESTORED", "{loss}");
        assert!(loaded.last_order >= 600_001, "{loss}");
    }
}

#[test]
fn a_plain_copy_is_whole_after_a_clean_stop() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[request("one"), event(1)]).unwrap();
    drop(journal);
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let wanted = Wanted {
        requests: [key("one")].into(),
        ..Wanted::default()
    };
    assert_eq!(find(&copy, &wanted).requests.len(), 1);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.contains("tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_backup_that_was_killed_leaves_nothing_that_looks_like_one() {
    let (folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    journal.commit(&[event(1)]).unwrap();
    let backups = folder.path().join("backup");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("journal-1.partial"), "half").unwrap();
    backup(&path).unwrap();
    let files: Vec<_> = fs::read_dir(&backups).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}
