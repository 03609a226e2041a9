//! Orders under pressure: many callers, a slow or silent broker, a journal that fails.

use crate::scripted::{Act, Desk, Plan, alpha, exit};
use futures_util::FutureExt;
use mymt5_gateway::journal::{Journal, JournalError, Sqlite};
use mymt5_guard::Limits;
use mymt5_model::{AccountMode, Lots, OrderState, PositionId, Side, Symbol, TradeRequest};
use mymt5_orders::{ChangeOutcome, Command, Core, Event, Input, ReconcileConfig, Record};
use mymt5_proto::Reason;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_callers_with_one_id_make_one_order() {
    let desk = Arc::new(Desk::set(Plan::default()).await);
    let calls = (0..32).map(|_| {
        let desk = desk.clone();
        tokio::spawn(async move {
            let taken = desk.submit("same", Side::Buy, 0.1).await.unwrap();
            desk.answered(taken.id).await.id
        })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.unwrap());
    }
    let ids: HashSet<_> = answers.into_iter().collect();
    assert_eq!((ids.len(), desk.broker.received().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_orders_at_once_stay_within_ten_lots() {
    let limits = Limits {
        max_lots_total: Some(Lots::from_f64(10.0).unwrap()),
        ..Limits::default()
    };
    let plan = Plan {
        limits,
        ..Plan::default()
    };
    let desk = Arc::new(Desk::set(plan).await);
    let calls = (0..64).map(|number| {
        let desk = desk.clone();
        tokio::spawn(async move { desk.submit(&format!("id-{number}"), Side::Buy, 1.0).await })
    });
    let mut taken = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(order) => taken.push(desk.answered(order.id).await),
            Err(refusal) => assert_eq!(refusal.reason(), Reason::LimitLotsTotal),
        }
    }
    assert!(taken.iter().all(|order| order.state == OrderState::Filled));
    assert_eq!((taken.len(), desk.broker.net_lots()), (10, 1_000_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_exits_at_once_never_reverse_a_position() {
    for mode in [AccountMode::Hedging, AccountMode::Netting] {
        let plan = Plan {
            mode,
            ..Plan::default()
        };
        let desk = Arc::new(Desk::set(plan).await);
        let position = desk.hold("open", 0.3).await;
        let exits = ["one", "two", "three", "four"].map(|id| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.close(id, position, Some(0.2)).await })
        });
        let mut taken = 0;
        for exit in exits {
            match exit.await.unwrap() {
                Ok(order) => {
                    desk.answered(order.id).await;
                    taken += 1;
                }
                Err(refusal) => {
                    let gone = [Reason::ExitExceedsPosition, Reason::PositionNotFound];
                    assert!(gone.contains(&refusal.reason()), "{refusal:?}");
                }
            }
        }
        assert_eq!(taken, 1, "{mode:?}");
        assert_eq!(desk.broker.net_lots(), 10_000_000, "{mode:?}");
    }
}

/// Closes are lost without a trace, everything else is done.
fn losing_closes(_: usize, request: &TradeRequest) -> Act {
    match request {
        TradeRequest::Close { .. } => Act::Lose,
        _ => Act::Do,
    }
}

#[tokio::test]
async fn while_a_close_is_unknown_netting_waits_and_hedging_goes_on() {
    for mode in [AccountMode::Netting, AccountMode::Hedging] {
        let plan = Plan {
            mode,
            send_timeout: Duration::from_millis(50),
            script: Box::new(losing_closes),
            ..Plan::default()
        };
        let desk = Desk::set(plan).await;
        let position = desk.hold("open", 0.3).await;
        let close = desk.close("lost", position, None).await.unwrap();
        assert_eq!(desk.answered(close.id).await.state, OrderState::Unknown);
        let again = desk.close("again", position, None).await;
        let entry = desk.submit("entry", Side::Buy, 0.1).await;
        assert_eq!(entry.unwrap_err().reason(), Reason::SymbolFrozen);
        match mode {
            AccountMode::Netting => {
                assert_eq!(again.unwrap_err().reason(), Reason::PendingReconciliation);
            }
            AccountMode::Hedging => assert!(again.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_silent_broker_is_found_out_by_its_deals_and_a_lost_order_by_its_absence() {
    let plan = Plan {
        send_timeout: Duration::from_millis(50),
        reconcile: ReconcileConfig {
            grace_ms: 600,
            between_passes_ms: 100,
            ..ReconcileConfig::default()
        },
        script: Box::new(|number, _| if number == 0 { Act::Silence } else { Act::Lose }),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    for (id, expected) in [("done", OrderState::Filled), ("lost", OrderState::Rejected)] {
        let taken = desk.submit(id, Side::Buy, 0.1).await.unwrap();
        let ended = desk.until(move |core| {
            let order = core.order(taken.id).unwrap();
            order.state.is_final().then(|| order.clone())
        });
        let ended = ended.await;
        assert_eq!(ended.state, expected);
        assert_eq!(
            ended.reason == "NOT_FOUND_AT_BROKER",
            expected == OrderState::Rejected
        );
    }
    assert_eq!(desk.broker.received().len(), 2, "nothing was sent again");
}

#[tokio::test]
async fn behind_a_slow_broker_a_close_goes_next_and_stale_entries_never() {
    let plan = Plan {
        max_queue: Duration::from_millis(2_500),
        script: Box::new(|number, _| match number {
            0 => Act::Do,
            _ => Act::After(Duration::from_secs(2)),
        }),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    let position = desk.hold("open", 0.1).await;
    let mut entries = Vec::new();
    for number in 0..64 {
        let id = format!("entry-{number}");
        entries.push(desk.submit(&id, Side::Buy, 0.1).await.unwrap());
    }
    let close = desk.close("close", position, None).await.unwrap();
    let ids: Vec<_> = entries.iter().map(|taken| taken.id).collect();
    let ended = desk.until(move |core| {
        let orders: Option<Vec<_>> = ids.iter().map(|id| core.order(*id).cloned()).collect();
        orders.filter(|orders| orders.iter().all(|order| order.state.is_final()))
    });
    let ended = ended.await;
    let expired = ended
        .iter()
        .filter(|order| order.reason == "EXPIRED_BEFORE_SEND")
        .count();
    let received = desk.broker.received();
    assert_eq!(desk.answered(close.id).await.state, OrderState::Filled);
    let at = received
        .iter()
        .position(|request| matches!(request, TradeRequest::Close { .. }));
    assert_eq!(at, Some(2), "after the one that was under way");
    assert_eq!(received.len(), 2 + 64 - expired);
    assert_eq!(expired, 63);
}

/// A journal that fails from some moment on.
struct Failing {
    journal: Sqlite,
    broken: Arc<AtomicBool>,
}

impl Journal for Failing {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(JournalError::File(std::io::ErrorKind::StorageFull.into()));
        }
        self.journal.commit(batch)
    }
}

#[tokio::test]
async fn a_journal_that_fails_closes_trading_and_nothing_leaves() {
    let broken = Arc::new(AtomicBool::new(false));
    let wrap = |journal| -> Box<dyn Journal> {
        Box::new(Failing {
            journal,
            broken: broken.clone(),
        })
    };
    let desk = Desk::with_journal(Plan::default(), wrap).await;
    let position = desk.hold("open", 0.1).await;
    broken.store(true, Ordering::SeqCst);
    let entry = desk.submit("entry", Side::Buy, 0.1).await;
    // Whether that commit is durable cannot be known.
    assert_eq!(entry.unwrap_err().reason(), Reason::JournalLost);
    let exit = desk.close("exit", position, None).await;
    assert_eq!(exit.unwrap_err().reason(), Reason::JournalDown);
    let read = desk.orders.ask(|core| core.counts()).await;
    assert_eq!(read.unwrap_err().reason(), Reason::JournalDown);
    assert!(!*desk.orders.journal_up().borrow());
    assert!(!desk.orders.is_broken());
    assert!(desk.orders.turns_over().await, "it serves what it can");
    assert_eq!(
        desk.broker.received().len(),
        1,
        "only what was durable left"
    );
}

#[tokio::test]
async fn rows_read_before_a_change_do_not_undo_it() {
    let desk = Desk::set(Plan::default()).await;
    let position = desk.hold("open", 0.1).await;
    desk.broker.hold_rows(true);
    let read = desk.broker.rows_read();
    let reading = async {
        while desk.broker.rows_read() == read {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, reading).await.unwrap();
    let protected = desk.protect("protect", position, 1.09).await.unwrap();
    let levels = protected.position.unwrap().row.levels;
    assert!(levels.stop_loss.is_some());
    let told = desk.orders.log().last();
    desk.broker.hold_rows(false);
    let read = desk.broker.rows_read();
    let again = async {
        while desk.broker.rows_read() < read + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, again).await.unwrap();
    desk.until(move |core| core.book().position(position).map(|_| ()))
        .await;
    let events = desk.orders.log().after(told).await.unwrap();
    let undone = |event: &Event| matches!(event, Event::Position(held) if held.row.levels.stop_loss.is_none());
    assert!(
        !events.iter().any(|recorded| undone(&recorded.event)),
        "{events:?}"
    );
}

#[tokio::test]
async fn every_request_reaches_the_broker_with_the_trace_of_its_call() {
    let desk = Desk::set(Plan::default()).await;
    let position = desk.hold("open", 0.2).await;
    desk.protect("protect", position, 1.09).await.unwrap();
    let closing = desk.close("close", position, None).await.unwrap();
    desk.answered(closing.id).await;
    let traces = ["open", "protect", "close"].map(|id| format!("trace-of-{id}"));
    assert_eq!(desk.broker.traces(), traces);
}

#[tokio::test]
async fn what_is_unknown_is_found_out_while_changes_never_pause() {
    let plan = Plan {
        send_timeout: Duration::from_millis(50),
        reconcile: ReconcileConfig {
            grace_ms: 600,
            between_passes_ms: 100,
            ..ReconcileConfig::default()
        },
        script: Box::new(|number, request| match request {
            TradeRequest::Market { .. } if number > 0 => Act::Lose,
            _ => Act::Do,
        }),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    let position = desk.hold("open", 0.1).await;
    let lost = desk.submit("lost", Side::Buy, 0.1).await.unwrap();
    let changes = async {
        for number in 0.. {
            let level = [1.09, 1.08][number % 2];
            let id = format!("change-{number}");
            desk.protect(&id, position, level).await.unwrap();
        }
    };
    let ended = desk.until(move |core| {
        let order = core.order(lost.id).unwrap();
        order.state.is_final().then(|| order.reason.clone())
    });
    tokio::select! {
        reason = ended => assert_eq!(reason, "NOT_FOUND_AT_BROKER"),
        () = changes => unreachable!("changes never pause"),
    }
}

#[tokio::test]
async fn a_change_that_waited_too_long_never_leaves() {
    let plan = Plan {
        max_queue: Duration::from_secs(1),
        script: Box::new(|number, _| match number {
            0 => Act::Do,
            _ => Act::After(Duration::from_secs(2)),
        }),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    let position = desk.hold("open", 0.1).await;
    desk.submit("slow", Side::Buy, 0.1).await.unwrap();
    let late = desk.protect("late", position, 1.09).await.unwrap();
    assert_eq!(late.outcome, ChangeOutcome::Expired);
    let modified = |request: &TradeRequest| matches!(request, TradeRequest::ModifyPosition { .. });
    assert!(!desk.broker.received().iter().any(modified));
}

/// Keeps the core busy until what is returned is dropped.
async fn busy(desk: &Desk) -> std::sync::mpsc::Sender<()> {
    let (busy, is_busy) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let orders = desk.orders.clone();
    tokio::spawn(async move {
        let wait = move |_: &Core| {
            let _ = busy.send(());
            let _ = released.recv();
        };
        orders.ask(wait).await
    });
    timeout(SOON, is_busy).await.unwrap().unwrap();
    release
}

/// The core is busy while they come; the ids of their orders tell in which order it took them.
async fn taken_in_turn(desk: &Desk, asked: Vec<(&str, String, Command)>) -> Vec<String> {
    let release = busy(desk).await;
    let mut calls = Vec::new();
    for (client, id, command) in asked {
        let mut call = Box::pin(async move {
            let order = desk.take_turn(client, &id, command).await.unwrap();
            (order.id.0, id)
        });
        // Polled once, it is in its line.
        assert!(call.as_mut().now_or_never().is_none());
        calls.push(call);
    }
    drop(release);
    let mut taken = Vec::new();
    for call in calls {
        taken.push(timeout(SOON, call).await.unwrap());
    }
    taken.sort_unstable();
    taken.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exit_passes_a_flood_and_another_clients_entry_waits_for_one_turn() {
    let desk = Desk::set(Plan::default()).await;
    let position = desk.hold("open", 0.1).await;
    let entry = || desk.entry(Side::Buy, 0.1);
    let asked = vec![
        ("flooder", "f0".into(), entry()),
        ("flooder", "f1".into(), entry()),
        ("flooder", "f2".into(), entry()),
        ("other", "entry".into(), entry()),
        ("other", "exit".into(), exit(position, None)),
    ];
    let taken = taken_in_turn(&desk, asked).await;
    assert_eq!(taken, ["exit", "f0", "entry", "f1", "f2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_exits_leaves_another_clients_entry_its_turn() {
    let desk = Desk::set(Plan::default()).await;
    let position = desk.hold("open", 0.5).await;
    let part = || exit(position, Some(0.01));
    let flood = (0..24).map(|number| ("flooder", format!("exit-{number}"), part()));
    let entry = ("other", "entry".into(), desk.entry(Side::Buy, 0.1));
    let taken = taken_in_turn(&desk, flood.chain([entry]).collect()).await;
    let before = taken.iter().take_while(|id| *id != "entry").count();
    assert!(before <= 8, "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_reports_leaves_a_caller_its_turn() {
    let desk = Desk::set(Plan::default()).await;
    let before = desk.orders.ask(Core::sequence).await.unwrap();
    let release = busy(&desk).await;
    let symbol = Symbol::parse("EURUSD").unwrap();
    let mut reports = Vec::new();
    for _ in 0..24 {
        let news = Input::Announce(Event::Symbol(symbol.clone()));
        let mut report = Box::pin(desk.orders.tell(news));
        assert!(report.as_mut().now_or_never().is_none());
        reports.push(report);
    }
    let mut asked = Box::pin(desk.orders.ask(Core::sequence));
    assert!(asked.as_mut().now_or_never().is_none());
    drop(release);
    let taken = timeout(SOON, asked).await.unwrap().unwrap() - before;
    assert!(taken <= 8, "{taken}");
    for report in reports {
        timeout(SOON, report).await.unwrap();
    }
    let after = desk.orders.ask(Core::sequence).await.unwrap();
    assert!(after >= before + 24, "{after}");
}

fn never_taken() {
    panic!("a request was recorded that must not be");
}

#[tokio::test]
async fn a_call_is_known_as_taken_before_its_answer_and_a_repeat_is_not_recorded() {
    let plan = Plan {
        script: Box::new(losing_closes),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    let position = desk.hold("open", 0.1).await;
    let (took, was_taken) = tokio::sync::oneshot::channel();
    let taken = || took.send(()).unwrap();
    let close = exit(position, None);
    let alpha = alpha();
    let mut call = Box::pin(desk.told(&alpha, "exit", close.clone(), SOON, taken));
    tokio::select! {
        told = &mut call => panic!("{told:?}"),
        taken = timeout(SOON, was_taken) => taken.unwrap().unwrap(),
    }
    let repeat = desk.told(&alpha, "exit", close, Duration::ZERO, never_taken);
    assert!(!repeat.await.unwrap().recorded);
    let unknown = exit(PositionId(7), None);
    let refused = desk.told(&alpha, "no", unknown, SOON, never_taken);
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.reason(), Reason::PositionNotFound);
}

/// Nothing left that was not durable, and what never left is not for the next gateway to find out.
#[tokio::test]
async fn what_waits_at_the_end_is_never_sent_and_not_unknown_to_the_next() {
    let plan = Plan {
        script: Box::new(|_, _| Act::After(Duration::from_millis(800))),
        ..Plan::default()
    };
    let desk = Desk::set(plan).await;
    for number in 0..16 {
        let id = format!("entry-{number}");
        desk.submit(&id, Side::Buy, 0.1).await.unwrap();
    }
    let next = desk.end().await;
    assert!(next.orders.is_empty(), "{:?}", next.orders);
    let sent = desk.broker.received().len();
    assert!((1..16).contains(&sent), "{sent}");
    assert_eq!(next.positions.len(), sent);
}

#[tokio::test]
async fn a_desk_that_breaks_takes_nothing_more_and_says_so() {
    let desk = Desk::set(Plan::default()).await;
    let broke = desk.orders.ask(|_| -> () { panic!("on purpose") }).await;
    assert!(broke.is_err());
    let mut up = desk.orders.journal_up();
    timeout(SOON, up.wait_for(|up| !up)).await.unwrap().unwrap();
    assert!(desk.orders.is_broken());
    assert!(!desk.orders.turns_over().await);
    let entry = desk.submit("entry", Side::Buy, 0.1).await;
    assert_eq!(entry.unwrap_err().reason(), Reason::JournalDown);
}
