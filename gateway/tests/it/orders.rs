//! Orders through the real process: fills by deals, repeats, refusals, events.

use crate::harness::{BOUND, Gateway};
use mymt5_proto::{Reason, reason_of, v1};
use std::collections::BTreeSet;
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use v1::stream_events_response::Event;

pub(crate) fn market(id: &str, side: v1::Side, lots: f64) -> v1::SubmitOrderRequest {
    v1::SubmitOrderRequest {
        request_id: id.into(),
        symbol: "EURUSD".into(),
        side: side.into(),
        r#type: v1::OrderType::Market.into(),
        lots,
        tag: "test".into(),
        ..Default::default()
    }
}

pub(crate) fn close(id: &str, position_id: u64, lots: Option<f64>) -> v1::ClosePositionRequest {
    v1::ClosePositionRequest {
        request_id: id.into(),
        position_id,
        lots,
        ..Default::default()
    }
}

fn utc_ms(moment: Option<v1::Moment>) -> i64 {
    moment.unwrap().utc_ms.unwrap()
}

/// Time goes on between two ticks, and from an order to its deal.
#[tokio::test]
async fn a_deal_is_not_dated_before_its_order() {
    let gateway = Gateway::start("symbols = [\"EURUSD\"]").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let mut orders = Vec::new();
    for n in 0..20 {
        let order = market(&format!("dated-{n}"), v1::Side::Buy, 0.01);
        let answer = trading.submit_order(order).await.unwrap().into_inner();
        let order = answer.order.unwrap();
        assert_eq!(order.state(), v1::OrderState::Filled, "{}", order.reason);
        orders.push(order);
    }
    let listed = trading.list_deals(v1::ListDealsRequest::default()).await;
    let deals = listed.unwrap().into_inner().deals;
    for order in orders {
        let mut of_order = deals.iter().filter(|deal| deal.order_id == order.order_id);
        let deal = of_order.next().unwrap();
        assert!(
            utc_ms(deal.time) >= utc_ms(order.created),
            "{deal:?} of {order:?}"
        );
    }
}

#[tokio::test]
async fn a_position_is_opened_protected_and_closed_in_parts() {
    let gateway = Gateway::start("").await;
    let quote = gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let mut request = market("open-1", v1::Side::Buy, 0.3);
    request.stop_loss = Some((quote.bid * 1e5 - 500.0).round() / 1e5);
    let order = trading
        .submit_order(request)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(
        (order.state(), order.filled_lots),
        (v1::OrderState::Filled, 0.3)
    );
    assert!(order.average_price.unwrap() > 0.0 && order.position_id != 0);

    let snapshot = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap()
        .into_inner();
    let position = &snapshot.positions[0];
    assert_eq!(
        (
            position.lots,
            position.tag.as_str(),
            position.client.as_str()
        ),
        (0.3, "test", "all")
    );
    assert_eq!(position.stop_loss, order.stop_loss);
    assert!(snapshot.account.unwrap().account.starts_with("****"));

    let id = order.position_id;
    let part = trading
        .close_position(close("close-1", id, Some(0.1)))
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(part.state(), v1::OrderState::Filled);
    let too_much = trading
        .close_position(close("close-2", id, Some(0.3)))
        .await
        .unwrap_err();
    assert_eq!(reason_of(&too_much), Some(Reason::ExitExceedsPosition));
    let rest = trading
        .close_position(close("close-3", id, None))
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(
        (rest.state(), rest.filled_lots),
        (v1::OrderState::Filled, 0.2)
    );
    assert!(
        trading
            .get_snapshot(v1::GetSnapshotRequest {})
            .await
            .unwrap()
            .into_inner()
            .positions
            .is_empty()
    );
}

#[tokio::test]
async fn a_repeat_returns_the_recorded_order() {
    let gateway = Gateway::start("mode = \"netting\"").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let submit = |trading: &v1::trading_service_client::TradingServiceClient<_>| {
        let mut trading = trading.clone();
        async move {
            trading
                .submit_order(market("same", v1::Side::Buy, 0.1))
                .await
                .unwrap()
                .into_inner()
                .order
                .unwrap()
        }
    };
    let together = futures_util::future::join_all((0..20).map(|_| submit(&trading))).await;
    let ids: BTreeSet<_> = together.iter().map(|order| order.order_id).collect();
    assert_eq!(ids.len(), 1);
    let other = trading
        .submit_order(market("same", v1::Side::Buy, 0.2))
        .await
        .unwrap_err();
    assert_eq!(
        (other.code(), reason_of(&other)),
        (Code::AlreadyExists, Some(Reason::IdempotencyMismatch))
    );
    let known = v1::GetOrderRequest {
        id: Some(v1::get_order_request::Id::ClientOrderId("same".into())),
    };
    let known = trading
        .get_order(known)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(
        (known.order_id, known.filled_lots),
        (together[0].order_id, 0.1)
    );
    let positions = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap()
        .into_inner()
        .positions;
    assert_eq!(positions.iter().map(|p| p.lots).collect::<Vec<_>>(), [0.1]);
}

#[tokio::test]
async fn bad_input_is_told_by_field_and_changes_nothing() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    type Spoil = fn(&mut v1::SubmitOrderRequest);
    let cases: [(&str, Reason, Spoil); 14] = [
        ("request_id", Reason::RequestIdInvalid, |r| {
            r.request_id = "a b".into()
        }),
        ("symbol", Reason::SymbolUnknown, |r| {
            r.symbol = "NOPE".into()
        }),
        ("side", Reason::EnumUnspecified, |r| r.side = 0),
        ("side", Reason::EnumUnspecified, |r| r.side = 99),
        ("type", Reason::EnumUnspecified, |r| r.r#type = 0),
        ("time_in_force", Reason::EnumUnspecified, |r| {
            r.time_in_force = Some(0)
        }),
        ("lots", Reason::NumberInvalid, |r| r.lots = f64::NAN),
        ("lots", Reason::NumberInvalid, |r| r.lots = -1.0),
        ("lots", Reason::LotsOffGrid, |r| r.lots = 0.015),
        ("lots", Reason::LotsOutOfBounds, |r| r.lots = 0.0),
        ("stop_loss", Reason::NumberInvalid, |r| {
            r.stop_loss = Some(f64::INFINITY)
        }),
        ("stop_loss", Reason::PriceOffGrid, |r| {
            r.stop_loss = Some(1.000_000_5)
        }),
        ("stop_loss", Reason::StopsWrongSide, |r| {
            r.stop_loss = Some(9.0)
        }),
        ("comment", Reason::FieldInvalid, |r| {
            r.comment = "no blanks here".into()
        }),
    ];
    for (field, reason, spoil) in cases {
        let mut request = market("bad", v1::Side::Buy, 0.1);
        spoil(&mut request);
        let status: Status = trading.submit_order(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::InvalidArgument, Some(reason)),
            "{field}"
        );
        let details = status.get_error_details();
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            field
        );
    }
    let counters = gateway.status().await.counters.unwrap();
    assert_eq!((counters.orders, counters.fills), (0, 0));
    // The id that was refused is still free.
    trading
        .submit_order(market("bad", v1::Side::Buy, 0.1))
        .await
        .unwrap();
}

#[tokio::test]
async fn events_follow_the_snapshot_without_a_gap() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let snapshot = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap()
        .into_inner();
    let order = trading
        .submit_order(market("first", v1::Side::Sell, 0.1))
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id.clone(),
        after_sequence: snapshot.sequence,
    };
    let mut events = trading.stream_events(from).await.unwrap().into_inner();
    let mut told = Vec::new();
    let mut last = snapshot.sequence;
    while told.last() != Some(&"filled") {
        let event = timeout(BOUND, events.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if event.sequence == 0 {
            continue;
        }
        assert!(event.sequence > last);
        last = event.sequence;
        match event.event.unwrap() {
            Event::OrderChanged(changed) => {
                let changed = changed.order.unwrap();
                assert_eq!(changed.order_id, order.order_id);
                assert_eq!(event.correlation_id.len(), 32);
                told.push(if changed.state() == v1::OrderState::Filled {
                    "filled"
                } else {
                    "order"
                });
            }
            Event::DealAdded(_) => told.push("deal"),
            Event::PositionChanged(_) => told.push("position"),
            _ => {}
        }
    }
    // The position is known before the order says that it is filled.
    let at = |what: &str| told.iter().position(|told| *told == what).unwrap();
    assert!(
        at("deal") < at("filled") && at("position") < at("filled"),
        "{told:?}"
    );

    let future = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id,
        after_sequence: u64::MAX,
    };
    let status = trading.stream_events(future).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::OutOfRange, Some(Reason::SequencePurged))
    );
    let other = v1::StreamEventsRequest {
        journal_id: "other".into(),
        after_sequence: 0,
    };
    let status = trading.stream_events(other).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::OutOfRange, Some(Reason::JournalChanged))
    );
}

#[tokio::test]
async fn an_oversized_or_garbled_message_has_a_reason() {
    let gateway = Gateway::start("").await;
    let mut trading = gateway.trading().await;
    let status = trading
        .submit_order(market(&"x".repeat(100_000), v1::Side::Buy, 0.1))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::OutOfRange, Some(Reason::MessageTooLarge))
    );
    // A tick where an order should be: its price stands where the side belongs.
    let mut grpc = tonic::client::Grpc::new(gateway.channel(Some("all")).await);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::Tick, ()>::default();
    let path = "/mymt5.v1.TradingService/SubmitOrder".parse().unwrap();
    let garbled = v1::Tick {
        bid: 1.0,
        ..Default::default()
    };
    let status = grpc
        .unary(tonic::Request::new(garbled), path, codec)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::InvalidArgument, Some(Reason::FieldInvalid))
    );
}
