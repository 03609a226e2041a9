//! What is looked up in the file beside its writer.

use super::*;

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
        trace_id: "7".repeat(32),
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
        trace_id: "not hex".into(),
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
    let found = find(&path, &wanted);
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
fn a_deal_is_found_whether_it_was_there_at_the_start_or_came_since() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let old = [deal(2, 9), deal(5, 7)].map(deal_record);
    journal.commit(&old).unwrap();
    let past = Past::open(&path, journal.newest()).unwrap();
    let wanted = Wanted {
        deals: (1..=9).map(Ticket).collect(),
        positions: (6..=12).map(PositionId).collect(),
        ..Wanted::default()
    };
    let found = || {
        let found = past.find(&wanted).unwrap();
        let deals: Vec<u64> = found.deals.iter().map(|ticket| ticket.0).collect();
        let positions: Vec<u64> = found.positions.keys().map(|id| id.0).collect();
        (deals, positions)
    };
    assert_eq!(found(), (vec![2, 5], vec![7, 9]));
    // A newer one, and one that comes late.
    let new = [deal(8, 11), deal(3, 6)].map(deal_record);
    journal.commit(&new).unwrap();
    assert_eq!(found(), (vec![2, 3, 5, 8], vec![6, 7, 9, 11]));
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
fn a_span_is_read_in_pages_that_leave_nothing_out() {
    let (_folder, path) = place();
    let (mut journal, _) = open(&path).unwrap();
    let taken = |id: u64, ms| {
        let mut order = order(id, OrderState::Filled);
        order.created.utc = Some(UtcTime(ms));
        order_record(order)
    };
    // Several deals of one millisecond, one before the span and one at its end.
    let done = |ticket: u64, ms| {
        let mut deal = deal(ticket, 9);
        deal.deal.time = BrokerTime(ms);
        deal_record(deal)
    };
    let mut records: Vec<Record> = (1..=7).map(|id| taken(id, 10 * id as i64)).collect();
    let deals = [(7, 10), (1, 20), (5, 20), (3, 20), (2, 40), (4, 60)];
    records.extend(deals.map(|(ticket, ms)| done(ticket, ms)));
    journal.commit(&records).unwrap();
    let reader = Reader::open(&path).unwrap();
    for limit in [1, 2, 100] {
        let mut ids = Vec::new();
        let mut last = OrderId(0);
        loop {
            let page = reader.orders_within(&(UtcTime(20)..UtcTime(60)), last, limit);
            let page = page.unwrap();
            assert!(page.len() <= limit);
            let Some(newest) = page.last() else { break };
            last = newest.id;
            ids.extend(page.iter().map(|order| order.id.0));
        }
        assert_eq!(ids, [2, 3, 4, 5], "{limit}");
        let span = BrokerTime(20)..BrokerTime(60);
        let mut tickets = Vec::new();
        let mut last = (span.start, Ticket(0));
        loop {
            let page = reader.deals_within(&span, last, limit).unwrap();
            assert!(page.len() <= limit);
            let Some(newest) = page.last() else { break };
            last = (newest.deal.time, newest.deal.ticket);
            tickets.extend(page.iter().map(|owned| owned.deal.ticket.0));
        }
        assert_eq!(tickets, [1, 3, 5, 2], "{limit}");
    }
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
