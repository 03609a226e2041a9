//! What a wrong request tells its caller: a sample of each fault of a field, and the text of each
//! reason.
#![allow(clippy::unwrap_used)]

use super::{
    alerts, decisions, edits,
    fuzz::stage,
    market_data::delivery,
    page::Page,
    parse::{self, BrokerClock},
    past,
};
use mymt5_chassis::{
    redact::Redactor,
    testing::messages::{Messages, PLANTED, flaw},
};
use mymt5_model::{BrokerTime, BrokerZone, ClientName};
use mymt5_proto::{Reason, Refusal, v1};
use std::path::Path;

const NOW: i64 = 1_784_000_000_000;

type Fault<M> = (&'static str, fn(&mut M));

const ORDERS: [Fault<v1::SubmitOrderRequest>; 18] = [
    ("symbol", |order| order.symbol = PLANTED.into()),
    ("side", |order| order.side = 0),
    ("type", |order| order.r#type = 9),
    ("lots", |order| order.lots = f64::NAN),
    ("lots", |order| order.lots = 0.015),
    ("lots", |order| order.lots = 1_000.0),
    ("price", |order| order.price = Some(1.1)),
    ("price", |order| order.set_type(v1::OrderType::Limit)),
    ("price", |order| limit(order, -1.0)),
    ("price", |order| limit(order, 1.000_001)),
    ("tag", |order| order.tag = "x".repeat(33)),
    ("comment", |order| order.comment = "a b".into()),
    ("time_in_force", |order| order.time_in_force = Some(9)),
    ("time_in_force", |order| {
        order.set_time_in_force(v1::TimeInForce::Day);
    }),
    ("expiration", |order| until(order, None, None)),
    ("expiration", |order| until(order, Some(NOW), Some(NOW))),
    ("expiration", |order| until(order, Some(i64::MAX), None)),
    ("expiration", |order| until(order, Some(1_000), None)),
];

fn limit(order: &mut v1::SubmitOrderRequest, price: f64) {
    order.set_type(v1::OrderType::Limit);
    order.price = Some(price);
}

fn until(order: &mut v1::SubmitOrderRequest, utc_ms: Option<i64>, broker_ms: Option<i64>) {
    limit(order, 1.1);
    order.set_time_in_force(v1::TimeInForce::Gtd);
    order.expiration = Some(v1::Moment { utc_ms, broker_ms });
}

#[test]
fn every_fault_of_a_field_names_it_and_what_is_expected() {
    let mut messages = Messages::default();
    of_orders(&mut messages);
    of_other_requests(&mut messages);
    of_the_past(&mut messages);
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/messages.txt");
    messages.compare(&list).unwrap();
}

#[test]
fn every_reason_says_what_to_do() {
    for reason in Reason::ALL {
        let told = Refusal::new(*reason).to_string();
        assert_eq!(flaw(reason.text(), &told), None);
    }
}

fn of_orders(messages: &mut Messages) {
    let (instruments, caller) = stage().unwrap();
    let zone = BrokerZone::parse("new_york+7").unwrap();
    let clock = BrokerClock {
        zone: Some(&zone),
        now: Some(BrokerTime(NOW)),
    };
    let read = |clock: BrokerClock<'_>, fault: fn(&mut v1::SubmitOrderRequest)| {
        let mut order = v1::SubmitOrderRequest {
            symbol: "EURUSD".into(),
            side: v1::Side::Buy.into(),
            r#type: v1::OrderType::Market.into(),
            lots: 0.1,
            ..Default::default()
        };
        fault(&mut order);
        parse::order(&instruments, &caller, clock, &order).unwrap_err()
    };
    for (field, fault) in ORDERS {
        messages.error(field, &read(clock, fault));
    }
    let no_zone = BrokerClock::default();
    let dated = read(no_zone, |order| until(order, Some(NOW), None));
    messages.error("expiration", &dated);
    let many = vec![String::new(); 257];
    let many = parse::symbols(&instruments, &caller, &many);
    messages.error("symbols", &many.unwrap_err());
}

fn of_other_requests(messages: &mut Messages) {
    let clock = BrokerClock::default();
    let edit = v1::ModifyOrderRequest::default();
    messages.error("order_id", &edits::order(clock, &edit).err().unwrap());
    let levels = v1::ModifyPositionRequest {
        position_id: 1,
        stop_loss: Some(-1.0),
        ..Default::default()
    };
    messages.error("stop_loss", &edits::position(&levels).err().unwrap());
    let close = v1::ClosePositionRequest::default();
    messages.error("position_id", &parse::exit(&close).err().unwrap());
    let close = v1::ClosePositionRequest {
        position_id: 1,
        lots: Some(-1.0),
        ..close
    };
    messages.error("lots", &parse::exit(&close).err().unwrap());
    let ticks = v1::StreamTicksRequest {
        delivery: Some(0),
        ..Default::default()
    };
    messages.error("delivery", &delivery(&ticks).err().unwrap());
    messages.error("page_size", &Page::of(1_001, "").unwrap_err());
    // A log masks what follows this name.
    let token = Page::of(1, PLANTED).unwrap_err().to_string();
    messages.text("page_token", &token);
    let client = ClientName::parse("alpha").unwrap();
    let wordless = v1::RaiseAlertRequest {
        text: "x".repeat(1_001),
        ..Default::default()
    };
    let faults = alerts::parse(&client, &wordless).unwrap_err();
    messages.error("request_id", &faults);
    messages.error("client", &decisions::scope("a b").unwrap_err());
    messages.error("reason", &decisions::why(&Redactor::new(), "").unwrap_err());
    let state = decisions::trading_state(v1::TradingState::Unspecified);
    messages.error("state", &state.unwrap_err());
    let resolution = decisions::resolution(v1::Resolution::Unspecified);
    messages.error("resolution", &resolution.err().unwrap());
    messages.error("target", &decisions::adoption(None).err().unwrap());
    messages.error("what", &decisions::acceptance(None).err().unwrap());
    let symbol = v1::accept_request::What::Symbol("a b".into());
    let symbol = decisions::acceptance(Some(symbol));
    messages.error("symbol", &symbol.err().unwrap());
}

fn of_the_past(messages: &mut Messages) {
    let (instruments, caller) = stage().unwrap();
    let bars: [Fault<v1::ListBarsRequest>; 3] = [
        ("timeframe", |bars| bars.timeframe = 0),
        ("limit", |bars| bars.limit = 5_001),
        ("to_broker_ms", |bars| bars.to_broker_ms = Some(NOW)),
    ];
    for (field, fault) in bars {
        let mut request = v1::ListBarsRequest {
            symbol: "EURUSD".into(),
            timeframe: v1::Timeframe::M1.into(),
            ..Default::default()
        };
        fault(&mut request);
        let refused = past::bars(&instruments, &caller, &request);
        messages.error(field, &refused.unwrap_err());
    }
    let ticks: [Fault<v1::ListTicksRequest>; 5] = [
        ("symbol", |ticks| ticks.symbol = PLANTED.into()),
        ("page_size", |ticks| ticks.page_size = 5_001),
        ("from_broker_ms", |ticks| ticks.from_broker_ms = -1),
        ("to_broker_ms", |ticks| ticks.to_broker_ms = NOW),
        ("to_broker_ms", |ticks| {
            ticks.to_broker_ms = NOW + 367 * 86_400_000;
        }),
    ];
    for (field, fault) in ticks {
        let mut request = v1::ListTicksRequest {
            symbol: "EURUSD".into(),
            from_broker_ms: NOW,
            to_broker_ms: NOW + 1,
            ..Default::default()
        };
        fault(&mut request);
        let refused = past::ticks(&instruments, &caller, &request);
        messages.error(field, &refused.unwrap_err());
    }
}
