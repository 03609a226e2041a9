//! A core on the bench: clients, orders, rows, and a journal in memory.

use crate::{
    broker::{History, Snapshot},
    journal::{Loaded, OwnedDeal, Record},
    orders::{Call, ClientRules, Core, Effect, Entry, Exit, Patience, Recorded},
    testing::account,
};
use mymt5_guard::Limits;
use mymt5_model::{
    BrokerTime, ClientName, Comment, Levels, Lots, OrderId, OrderType, PositionId, PositionRow,
    Price, Receipt, RequestId, Retcode, Side, Symbol, SymbolSpec, Tick, Ticket, TimeInForce,
    TradeRequest, UtcTime,
};
use std::sync::Arc;

pub(super) fn spec() -> Arc<SymbolSpec> {
    Arc::new(mymt5_simulator::catalogue::spec(
        &Symbol::parse("EURUSD").unwrap(),
    ))
}

pub(super) fn quote() -> Tick {
    let (symbol, time) = (spec().symbol.clone(), BrokerTime(0));
    let [bid, ask] = [110_000, 110_010].map(|points| Price::from_points(points, 5));
    Tick {
        symbol,
        time,
        bid,
        ask,
        last: None,
        volume: 0.0,
        flags: 6,
    }
}

pub(super) fn call(id: &str) -> Call {
    Call {
        client: name("alpha"),
        request_id: RequestId::parse(id).unwrap(),
        method: "Test",
        content: [7; 32],
        correlation: String::new(),
        send_before_ms: 2_000,
    }
}

pub(super) fn entry(lots: f64) -> Entry {
    Entry {
        spec: spec(),
        side: Side::Buy,
        kind: OrderType::Market,
        lots: Lots::from_f64(lots).unwrap(),
        price: None,
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        max_deviation_points: None,
        tag: String::new(),
        comment: Comment::default(),
    }
}

pub(super) fn exit(lots: Option<f64>) -> Exit {
    Exit {
        position: PositionId(1),
        lots,
        max_deviation_points: None,
        tag: String::new(),
        comment: Comment::default(),
    }
}

/// Client alpha in slot 1, beta in slot 2.
pub(super) fn restored(loaded: Loaded) -> Core {
    let rules = |slot| ClientRules {
        slot,
        limits: Limits::default(),
        dead_man: None,
    };
    let clients = [(name("alpha"), rules(1)), (name("beta"), rules(2))];
    let mut core = Core::new(clients.into(), Patience::default(), loaded, UtcTime(1_000));
    core.link(true);
    core
}

pub(super) fn name(client: &str) -> ClientName {
    ClientName::parse(client).unwrap()
}

/// A core whose link is up and whose account was compared: empty.
pub(super) fn core() -> Core {
    let mut core = restored(Loaded::default());
    assert!(core.on_pass(rows(vec![], 0), History::default()));
    core
}

/// The broker's rows: a hedging account with those positions.
pub(super) fn rows(positions: Vec<PositionRow>, last_deal: u64) -> Snapshot {
    Snapshot {
        account: account(),
        positions,
        orders: vec![],
        last_deal: Ticket(last_deal),
        time: None,
    }
}

/// What a journal would hold after these records.
pub(super) fn keep(kept: &mut Loaded, records: Vec<Record>) {
    for record in records {
        match record {
            Record::Request(request) => kept.requests.push(request),
            Record::Outcome(client, id, subject) => {
                let bound = kept.requests.iter_mut();
                let mut bound = bound.filter(|of| of.client == client && of.request_id == id);
                bound.next().unwrap().subject = subject;
            }
            Record::Order(order) => {
                kept.orders.retain(|known| known.id != order.id);
                kept.orders.push(*order);
                kept.orders.sort_by_key(|order| order.id);
            }
            Record::Deal(deal) => kept.deals.push(OwnedDeal::clone(&deal)),
            Record::Position(position) => {
                kept.positions
                    .retain(|known| known.row.id != position.row.id);
                kept.positions.push(*position);
            }
            Record::PositionClosed(id) => kept.positions.retain(|known| known.row.id != id),
            Record::Event(event) => {
                kept.sequence = event.sequence;
                kept.events.push(Recorded::clone(&event));
            }
            Record::State(state) => {
                kept.states.retain(|known| known.client != state.client);
                kept.states.push(state);
            }
            Record::Denial(_) => {}
        }
    }
    kept.deals.sort_by_key(|deal| deal.deal.ticket);
}

/// The process ends and another takes up what is durable; the link is up, nothing compared yet.
pub(super) fn restart(core: &mut Core, kept: &mut Loaded) -> Core {
    keep(kept, core.take_records());
    let copy = Loaded {
        journal_id: String::new(),
        slots: kept.slots.clone(),
        requests: kept.requests.clone(),
        orders: kept.orders.clone(),
        deals: kept.deals.clone(),
        positions: kept.positions.clone(),
        events: kept.events.clone(),
        sequence: kept.sequence,
        states: kept.states.clone(),
    };
    restored(copy)
}

pub(super) fn receipt(code: Retcode) -> Receipt {
    Receipt {
        retcode: code,
        order: Some(Ticket(1)),
        deal: None,
        lots: None,
        price: None,
        comment: String::new(),
    }
}

/// Submits and sends one order; its id and magic.
pub(super) fn sent(core: &mut Core, id: &str, lots: f64) -> (OrderId, mymt5_model::Magic) {
    let (taken, effects) = core
        .submit(call(id), Ok(entry(lots)), Some(&quote()))
        .unwrap();
    assert!(core.sending(taken.order));
    let [Effect::Send(_, TradeRequest::Market { magic, .. }, _)] = effects[..] else {
        panic!()
    };
    (taken.order, magic)
}
