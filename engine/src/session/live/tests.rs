#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    risk::{Risk, testing::settings as rules},
    session::testing::{FakeGateway, session},
    strategy::{Context, Distances, Strategy},
    trader::{
        Snapshot,
        tests::{held, settings, snapshot, spec, trader_without_snapshot},
    },
};
use mymt5_chassis::testing::messages::flaw;
use mymt5_guard::TradingState;
use mymt5_model::{PositionId, Side, Tick};
use mymt5_proto::{Reason, Refusal};

#[test]
fn a_broken_connection_is_told_apart_from_a_refusal() {
    let broken = SessionEnd::Call("ticks", Status::unknown("h2 protocol error"));
    assert_eq!(
        broken.to_string(),
        "the connection to the gateway broke during ticks (Unknown: h2 protocol error); check that it runs"
    );
    let refused = Status::from(Refusal::because(Reason::Draining, "it is stopping"));
    assert_eq!(
        SessionEnd::Call("ticks", refused).to_string(),
        "the gateway refused ticks (DRAINING): it is stopping; repeat it on a new connection, once the gateway runs"
    );
}

/// A feed after a snapshot of event 7.
fn in_step() -> InStep {
    let (said, _) = mpsc::channel(1);
    InStep {
        said,
        early: None,
        first: 7,
        newest_event: 7,
        waits: false,
        owes: false,
        rated: None,
        begun: Instant::now(),
    }
}

fn event(sequence: u64, event: Option<WireEvent>) -> v1::StreamEventsResponse {
    v1::StreamEventsResponse {
        sequence,
        event,
        ..Default::default()
    }
}

#[test]
fn no_tick_is_taken_before_the_events_of_what_traded_while_nobody_followed() {
    let progress = |sequence| Some(WireEvent::Progress(v1::Progress { sequence }));
    // The last event may be another client's: then the progress tells that all came.
    for last in [
        event(9, None),
        event(0, progress(9)),
        event(0, progress(12)),
    ] {
        let mut in_step = InStep {
            first: 9,
            early: Some(v1::StreamTicksInStepResponse::default()),
            ..in_step()
        };
        assert_eq!(in_step.due(), None);
        for early in [event(8, None), event(0, None), event(0, progress(8))] {
            in_step.reach(&early);
            assert_eq!(in_step.due(), None, "{early:?}");
        }
        in_step.reach(&last);
        assert!(in_step.due().is_some(), "{last:?}");
    }
}

#[test]
fn ticks_of_a_feed_that_waits_come_after_the_events_before_them() {
    let batch = v1::StreamTicksInStepResponse {
        after_sequence: 8,
        ..Default::default()
    };
    let mut in_step = InStep {
        early: Some(batch.clone()),
        ..in_step()
    };
    assert_eq!(in_step.due(), None);
    in_step.reach(&event(8, None));
    assert_eq!(in_step.due(), Some(batch));
}

#[test]
fn of_a_feed_that_waits_the_account_counts_with_its_ticks_alone() {
    let mut in_step = in_step();
    let account = Event::Account(None);
    assert!(in_step.counts(&account), "by the clock it is all there is");
    in_step.waits = true;
    assert!(!in_step.counts(&account));
    assert!(in_step.counts(&Event::PositionUnknown(PositionId(1))));
}

#[test]
fn every_end_says_what_to_do() {
    let refused = Status::from(Refusal::new(Reason::Draining));
    for (subject, end) in [
        ("ticks", SessionEnd::Call("ticks", refused)),
        ("ticks", SessionEnd::Call("ticks", Status::unknown("h2"))),
        ("answers", SessionEnd::StreamEnded("answers")),
        ("EURUSD", SessionEnd::Symbol("EURUSD".into())),
        ("EURUSD", SessionEnd::Listed("EURUSD".into())),
        ("EURUSD", SessionEnd::Shared("EURUSD".into())),
    ] {
        assert_eq!(flaw(subject, &end.to_string()), None);
    }
}

/// Wants the same at each tick: to buy, or to be out.
#[derive(Debug)]
struct Wants {
    exit: bool,
}

impl Strategy for Wants {
    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        if self.exit {
            context.exit();
            return;
        }
        let distances = Distances {
            stop: Some(200),
            take_profit: None,
        };
        context.enter(distances.market(Side::Buy));
    }
}

/// That strategy's trader; what it is to be out of is bought already.
fn trader(exit: bool) -> Trader {
    let risk = Risk::new(rules("max_per_trade = 1.0"));
    let mut trader = trader_without_snapshot(risk, vec![settings("jumps", Wants { exit })]);
    let positions = if exit {
        vec![held(Side::Buy)]
    } else {
        Vec::new()
    };
    trader.on_snapshot(Snapshot {
        positions,
        ..snapshot(TradingState::Active)
    });
    trader
}

/// A session under way, that takes ticks at once. Its gateway refuses all
/// that is sent.
async fn begun(session: &mut Session) -> Live {
    let gateway = FakeGateway::default().serve().await;
    let trace = TraceContext::new();
    let from = v1::StreamEventsRequest::default();
    let events = gateway
        .event_streams()
        .stream_events(gateway.stream(from, &trace))
        .await;
    let (said, requests) = mpsc::channel(1);
    let ticks = gateway
        .tick_streams()
        .stream_ticks_in_step(gateway.stream(ReceiverStream::new(requests), &trace))
        .await;
    let beat = beat(gateway.clone(), session.session_id.clone(), false).await;
    let Beat { clock, .. } = beat.ok().unwrap();
    Live {
        gateway,
        events: events.unwrap().into_inner(),
        ticks: ticks.unwrap().into_inner(),
        in_step: InStep { said, ..in_step() },
        calls: JoinSet::new(),
        specs: [("EURUSD".to_owned(), spec())].into(),
        warm_ups: WarmUps::new(&mut session.trader),
        clock,
        backlog: Backlog::new(),
        client: String::new(),
    }
}

/// A live tick.
fn quote() -> v1::Tick {
    v1::Tick {
        symbol: "EURUSD".to_owned(),
        time: Some(v1::Moment {
            utc_ms: Some(0),
            broker_ms: Some(0),
        }),
        bid: 1.0,
        ask: 1.00002,
        flags: 6,
        kind: v1::TickKind::Live.into(),
        ..Default::default()
    }
}

fn batch(waits: bool) -> v1::StreamTicksInStepResponse {
    v1::StreamTicksInStepResponse {
        ticks: vec![quote()],
        waits,
        ..Default::default()
    }
}

#[tokio::test]
async fn an_entry_upon_a_tick_that_waited_too_long_is_not_sent_and_an_exit_is() {
    for (exit, waited_s, waits, is_sent) in [
        (false, 10, false, false),
        (false, 0, false, true),
        (false, 10, true, true),
        (true, 10, false, true),
    ] {
        let told = format!("exit {exit}, {waited_s} s, a feed that waits {waits}");
        let folder = tempfile::tempdir().unwrap();
        let mut session = session(trader(exit), folder.path());
        let mut live = begun(&mut session).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(waited_s)).await;
        tokio::time::resume();
        live.in_step.waits = waits;
        live.take_ticks(&mut session, &batch(waits));
        let (request_id, answer) = live.calls.join_next().await.unwrap().unwrap();
        match &answer {
            Answer::Refused(_) => assert!(is_sent, "{told}"),
            Answer::Unsent(reason) => assert_eq!((*reason, is_sent), (LATE, false), "{told}"),
            other => panic!("{told}: {other:?}"),
        }
        let recorded = session.intents.unsettled().unwrap();
        assert_eq!(recorded.len(), usize::from(is_sent), "{told}");
        if !is_sent {
            // It is over: once all that waited was taken, the next tick may trade.
            let answered = live.on_answer(&mut session, &request_id, answer);
            assert!(answered.is_ok(), "{told}");
            assert!(live.calls.is_empty() && session.trader.is_idle(), "{told}");
            live.backlog = Backlog::new();
            live.take_ticks(&mut session, &batch(false));
            let (_, answer) = live.calls.join_next().await.unwrap().unwrap();
            assert!(matches!(answer, Answer::Refused(_)), "{told}: {answer:?}");
        }
    }
}
