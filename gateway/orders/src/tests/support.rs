//! A core on the bench: clients, orders, rows, and a journal in memory.

use crate::{
    broker::{History, Snapshot},
    records::{Loaded, OwnedDeal, Record},
    testing::account,
    {Call, ClientRules, Core, Effect, Entry, Exit, Grant, Patience, Recorded},
};
use mymt5_guard::{Limits, LossSettings, ScopeLimits};
use mymt5_model::{
    BrokerTime, ClientName, Comment, Levels, Lots, Magic, OrderId, OrderType, PositionId,
    PositionRow, Price, Receipt, RequestId, Retcode, Side, Symbol, SymbolSpec, Tick, Ticket,
    TimeInForce, TradeRequest, UtcTime,
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

/// Client alpha in slot 1, beta in slot 2, both and the account with these limits.
pub(super) fn limited(loaded: Loaded, limits: &ScopeLimits, account: ScopeLimits) -> Core {
    let rules = |slot| ClientRules {
        slot,
        grant: Grant {
            limits: limits.entry.clone(),
            loss: limits.loss,
            dead_man: None,
        },
    };
    let clients = [(name("alpha"), rules(1)), (name("beta"), rules(2))];
    let patience = Patience::default();
    let mut core = Core::new(clients.into(), account, patience, loaded, UtcTime(1_000));
    core.link(true);
    core
}

pub(super) fn name(client: &str) -> ClientName {
    ClientName::parse(client).unwrap()
}

/// A core without limits, with the link up and nothing compared yet.
pub(super) fn restored(loaded: Loaded) -> Core {
    limited(loaded, &ScopeLimits::default(), ScopeLimits::default())
}

/// A core whose link is up and whose account was compared: empty.
pub(super) fn core() -> Core {
    core_with(Limits::default(), Limits::default())
}

/// The same with limits of entries: of both clients, and of the account.
pub(super) fn core_with(limits: Limits, account: Limits) -> Core {
    let scope = |entry| ScopeLimits {
        entry,
        loss: LossSettings::default(),
    };
    let mut core = limited(Loaded::default(), &scope(limits), scope(account));
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
            Record::Losses(losses) => {
                kept.losses.retain(|known| known.client != losses.client);
                kept.losses.push(losses);
            }
            Record::Slot(client, slot) => drop(kept.slots.insert(client, slot)),
            Record::Touched(symbols) => kept.touched = symbols,
            Record::Denial(_) => {}
        }
    }
    kept.deals.sort_by_key(|deal| deal.deal.ticket);
}

/// The process ends and another takes up what is durable; the link is up, nothing compared yet.
pub(super) fn restart(core: &mut Core, kept: &mut Loaded) -> Core {
    restart_with(core, kept, ScopeLimits::default())
}

/// The same with limits of the account.
pub(super) fn restart_with(core: &mut Core, kept: &mut Loaded, account: ScopeLimits) -> Core {
    keep(kept, core.take_records());
    limited(kept.clone(), &ScopeLimits::default(), account)
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

/// Submits and sends one order of alpha's; its id and magic.
pub(super) fn sent(core: &mut Core, id: &str, lots: f64) -> (OrderId, Magic) {
    send(core, call(id), lots)
}

/// Submits and sends one order of that client's.
pub(super) fn sent_by(core: &mut Core, client: &str, lots: f64) -> (OrderId, Magic) {
    let call = Call {
        client: name(client),
        ..call("sent")
    };
    send(core, call, lots)
}

fn send(core: &mut Core, call: Call, lots: f64) -> (OrderId, Magic) {
    let (taken, effects) = core.submit(call, Ok(entry(lots)), Some(&quote())).unwrap();
    assert!(core.sending(taken.order, Some(&quote())));
    let [Effect::Send(_, TradeRequest::Market { magic, .. }, _)] = effects[..] else {
        panic!()
    };
    (taken.order, magic)
}
