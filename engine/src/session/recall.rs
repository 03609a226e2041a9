//! What became of the intents of before this session: each whose end is not known is asked for.

use super::{
    Gateway, Session, SessionEnd,
    durable::EXITS,
    gauges,
    heartbeat::{GatewayClock, HEARTBEAT, beat},
    wire::{self, Specs},
};
use crate::{
    intents::{IntentError, Intents, Unsettled},
    risk::{Open, RiskRefused},
    trader::{Outcome, Sent, Trader},
};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_model::{Lots, OrderState, PositionId, RequestId, Side, Symbol};
use mymt5_proto::{Reason, parse_enum, reason_of, retry_after, v1};
use prost::Message;
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};

/// Beyond that time before an intent that the gateway does not know counts as never arrived.
const LOOKUP_PAUSE_MS: i64 = 500;
/// How often an intent is looked up in a session while the gateway has no room for the call.
const LOOKUPS: u32 = 8;
/// Between two of these at least.
const LOOKUP_AGAIN: Duration = Duration::from_millis(200);
/// The end of an intent that the gateway never got.
const NEVER_ARRIVED: &str = "NEVER_ARRIVED";
/// The method of an intent that opens a position.
const OPENS: &str = "SubmitOrder";
/// That of one that closes a position.
const CLOSES: &str = "ClosePosition";

/// Asks for each intent whose end is not known. What the gateway never got is dropped: it is not
/// sent late. A call that may still be on its way is waited for until it would be refused; what the
/// gateway still works on counts, and a close of which nothing was done, or a part, is gone on with: it is
/// settled with that, so that it outlives another restart. True: one that ended may have traded, since the
/// snapshot, too.
pub(super) async fn settle(
    gateway: &Gateway,
    session: &mut Session,
    clock: GatewayClock,
    specs: &Specs,
    trace: &TraceContext,
) -> Result<bool, SessionEnd> {
    let mut traded = false;
    let intents = &session.intents;
    let record_of = |request_id: &RequestId| intents.record_of(request_id.as_str());
    session.trader.on_records(record_of)?;
    let refused = session.trader.figures().refused_by_state;
    let is_other = refused == Some(RiskRefused::OtherAccount);
    for unsettled in session.intents.unsettled()? {
        let sent = sent(&unsettled, specs);
        let is_over = is_over(&session.intents, &unsettled.request_id, sent.as_ref())?;
        // One position is closed at most: what else another account holds is not, nor what was entered since.
        let is_of_one = is_other || is_over;
        let sent = sent.map(|sent| if is_of_one { sent.of_one() } else { sent });
        let recalled = recall(gateway, &session.session_id, &unsettled, clock, trace);
        let request_id = RequestId::parse(&unsettled.request_id);
        let Some(end) = recalled.await? else {
            if let Ok(request_id) = request_id {
                follow(&mut session.trader, request_id, sent);
            }
            continue;
        };
        let sent = sent.filter(|sent| {
            let is_rest = !is_over || !matches!(sent, Sent::Entry { .. });
            is_rest && (!is_other || end.is_of_account(sent))
        });
        // Noted before it is settled: after a crash between both it is asked for again.
        let rest = request_id
            .ok()
            .and_then(|request_id| note(&mut session.trader, &request_id, end, sent.as_ref()));
        traded |= end.may_be_done();
        // What another account's gateway never got is asked for again once its own is back.
        if !is_other || end != End::NeverArrived {
            let request_id = &unsettled.request_id;
            match rest {
                Some(rest) => session.intents.settle_after(rest, request_id, end.name()),
                None => session.intents.settle(request_id, end.name()),
            }
        }
        if let End::Ended { state, .. } = end {
            gauges::ended(&Outcome::Ended(state));
        }
    }
    Ok(traded)
}

/// True for an exit or an entry of which nothing is left to be gone on with, though its end could not be noted:
/// its strategy entered after it, which it does once it knows that end. What stands is of that entry.
fn is_over(intents: &Intents, request_id: &str, sent: Option<&Sent>) -> Result<bool, IntentError> {
    let Some(Sent::Exit { tag, .. } | Sent::Entry { tag, .. }) = sent else {
        return Ok(false);
    };
    let is_own = |request: &Vec<u8>| {
        let entry = v1::SubmitOrderRequest::decode(request.as_slice());
        entry.is_ok_and(|entry| entry.tag == *tag)
    };
    let entries = intents.recorded_after(request_id, OPENS)?;
    Ok(entries.iter().any(is_own))
}

/// Tells how an intent ended. The position that it left a rest of, which is closed next.
fn note(
    trader: &mut Trader,
    request_id: &RequestId,
    end: End,
    sent: Option<&Sent>,
) -> Option<PositionId> {
    let rest = match end.part() {
        Some(filled) => trader.on_part_recalled(request_id, filled, sent),
        None => {
            trader.on_recalled(request_id, end.may_be_done());
            None
        }
    };
    let next = match sent {
        Some(Sent::Exit { tag, .. }) => trader.on_exit_recalled(tag),
        _ => None,
    };
    next.or(rest)
}

/// Takes what the gateway still works on.
fn follow(trader: &mut Trader, request_id: RequestId, sent: Option<Sent>) {
    match sent {
        Some(Sent::Entry { tag, opens }) => trader.on_under_way(request_id, &tag, opens),
        Some(Sent::Close(position_id)) => trader.on_close_under_way(request_id, position_id),
        Some(Sent::Exit { tag, position_id }) => {
            trader.on_close_under_way(request_id, position_id);
            trader.on_exit_recalled(&tag);
        }
        None => {}
    }
}

/// An intent as it was sent; none: it neither opens a position nor closes all of one, or it is not
/// understood.
fn sent(unsettled: &Unsettled, specs: &Specs) -> Option<Sent> {
    let request = unsettled.request.as_slice();
    match unsettled.method.as_str() {
        OPENS => entry(&v1::SubmitOrderRequest::decode(request).ok()?, specs),
        CLOSES => {
            let close = v1::ClosePositionRequest::decode(request).ok()?;
            let is_whole = close.lots.is_none();
            is_whole.then_some(Sent::Close(PositionId(close.position_id)))
        }
        EXITS => {
            let close = v1::ClosePositionRequest::decode(request).ok()?;
            Some(Sent::Exit {
                tag: close.tag,
                position_id: PositionId(close.position_id),
            })
        }
        _ => None,
    }
}

fn entry(request: &v1::SubmitOrderRequest, specs: &Specs) -> Option<Sent> {
    let opens = Open {
        symbol: Symbol::parse(&request.symbol).ok()?,
        side: parse_enum::<v1::Side, Side>(request.side, "").ok()?,
        lots: Lots::from_f64(request.lots).ok()?,
        price: wire::level(request.price, &request.symbol, specs),
        stop: wire::level(request.stop_loss, &request.symbol, specs),
        in_flight: true,
        unmeasured: false,
    };
    Some(Sent::Entry {
        tag: request.tag.clone(),
        opens,
    })
}

/// How an intent ended while nobody followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NeverArrived,
    Ended {
        /// Final.
        state: OrderState,
        may_be_done: bool,
        /// So much of it was filled, also nothing for certain, and the rest will not be.
        part: Option<Lots>,
    },
}

impl End {
    /// Of an order; none: it is still under way.
    fn of(order: &v1::Order) -> Option<Self> {
        let update = wire::order(order, &Specs::new())?;
        let is_known = update.is_done() || !update.may_be_done();
        let is_part = update.state != OrderState::Filled && is_known;
        update.state.is_final().then(|| Self::Ended {
            state: update.state,
            may_be_done: update.may_be_done(),
            part: is_part.then_some(update.filled),
        })
    }

    const fn may_be_done(self) -> bool {
        matches!(
            self,
            Self::Ended {
                may_be_done: true,
                ..
            }
        )
    }

    const fn part(self) -> Option<Lots> {
        match self {
            Self::NeverArrived => Some(Lots::ZERO),
            Self::Ended { part, .. } => part,
        }
    }

    /// True where the account that is served is meant: its gateway got the order, or that was to close a
    /// position, which is of one account alone. What another one's was to turn has its like there.
    fn is_of_account(self, sent: &Sent) -> bool {
        self != Self::NeverArrived || !matches!(sent, Sent::Entry { .. })
    }

    /// As it is recorded.
    fn name(self) -> &'static str {
        match self {
            Self::NeverArrived => NEVER_ARRIVED,
            Self::Ended { state, .. } => v1::OrderState::from(state).as_str_name(),
        }
    }
}

/// What a look-up that found no order tells of an intent.
#[derive(Debug, PartialEq, Eq)]
enum Lookup {
    /// The gateway never got it.
    NeverArrived,
    /// Nothing yet: it is looked up again after so long.
    Again(Duration),
    /// Nothing: the session must begin again and ask.
    Unknown,
}

/// Judges a look-up. Only the word that there is no such order, after all calls for it would be
/// refused, is the last one: whatever else is answered says nothing of the order.
fn judge(status: &Status, left_ms: i64, lookups: u32) -> Lookup {
    match reason_of(status) {
        Some(Reason::OrderNotFound) if left_ms <= 0 => Lookup::NeverArrived,
        Some(Reason::OrderNotFound) => {
            Lookup::Again(Duration::from_millis(left_ms.unsigned_abs()).min(HEARTBEAT))
        }
        _ if status.code() == Code::ResourceExhausted && lookups < LOOKUPS => {
            let asked_for = retry_after(status).unwrap_or(HEARTBEAT);
            Lookup::Again(asked_for.clamp(LOOKUP_AGAIN, HEARTBEAT))
        }
        _ => Lookup::Unknown,
    }
}

/// How an intent ended; none while its order is still under way.
async fn recall(
    gateway: &Gateway,
    session_id: &str,
    unsettled: &Unsettled,
    clock: GatewayClock,
    trace: &TraceContext,
) -> Result<Option<End>, SessionEnd> {
    let request_id = &unsettled.request_id;
    let mut lookups = 0;
    loop {
        lookups += 1;
        // Asked after that, the answer is the last word.
        let left = unsettled.not_after_ms + LOOKUP_PAUSE_MS - clock.now_ms();
        let id = v1::get_order_request::Id::ClientOrderId(request_id.clone());
        let call = gateway.call(v1::GetOrderRequest { id: Some(id) }, trace);
        let status = match gateway.trading().get_order(call).await {
            Ok(found) => return Ok(found.into_inner().order.as_ref().and_then(End::of)),
            Err(status) => status,
        };
        match judge(&status, left, lookups) {
            Lookup::NeverArrived => break,
            Lookup::Again(pause) => {
                sleep(pause).await;
                beat(gateway.clone(), session_id.to_owned(), false).await?;
            }
            Lookup::Unknown => return Err(SessionEnd::Call("order", status)),
        }
    }
    tracing::warn!(request_id, "intent dropped: the gateway never got it");
    Ok(Some(End::NeverArrived))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        intents::Record,
        risk::{FILE, Risk, testing::settings as rules},
        session::{
            durable::may_leave,
            heartbeat::Beat,
            testing::{FakeGateway, close, hold_clock, session},
            wire::Request,
        },
        strategy::{At, Strategy},
        trader::{
            Close, Held, Intent, Snapshot, Submit,
            tests::{held, settings, snapshot, spec, tick, trader_without_snapshot},
        },
    };
    use mymt5_guard::TradingState;
    use mymt5_model::{AccountId, AccountMode, Levels, Price};
    use mymt5_proto::Refusal;
    use std::path::Path;

    /// A gateway without any order, its clock, and what is traded.
    async fn heard() -> (Gateway, GatewayClock, Specs) {
        let gateway = FakeGateway::default().serve().await;
        let beat = beat(gateway.clone(), "process".to_owned(), false).await;
        let Beat { clock, .. } = beat.ok().unwrap();
        let specs: Specs = [("EURUSD".to_owned(), spec())].into();
        (gateway, clock, specs)
    }

    /// Decides nothing.
    #[derive(Debug)]
    struct Idle;

    impl Strategy for Idle {}

    /// A trader of the account `first` that is served this one, with a position that was sold.
    fn served(account: &str, folder: &Path) -> Trader {
        let risk = Risk::open(rules("lots = 0.5"), true, &folder.join(FILE));
        let mut trader = trader_without_snapshot(risk, vec![settings("jumps", Idle)]);
        for account in ["first", account] {
            trader.on_snapshot(Snapshot {
                account_id: AccountId::parse(account).ok(),
                positions: vec![held(Side::Sell)],
                ..snapshot(TradingState::Active)
            });
        }
        trader
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_to_turn_a_position_of_another_account_closes_none_of_this_one() {
        let _held = hold_clock();
        let (gateway, clock, specs) = heard().await;
        let turn = market("old-1", Side::Buy);
        let close = close("old-2", None);
        // None of them arrived. A position is of one account alone: its close goes on.
        for (account, intent, closes) in [
            ("first", &turn, true),
            ("second", &turn, false),
            ("second", &close, true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let trader = served(account, folder.path());
            let mut session = session(trader, folder.path());
            let Unsettled {
                request_id,
                method,
                request,
                not_after_ms,
            } = recorded(intent);
            let times = (0, not_after_ms);
            let written = session
                .intents
                .record(&request_id, &method, &request, times);
            written.unwrap();
            let trace = TraceContext::new();
            let traded = settle(&gateway, &mut session, clock, &specs, &trace).await;
            assert_eq!(traded.ok(), Some(false), "{account}");
            let intents = session.trader.on_tick(&tick(0, 100_000)).intents;
            let is_closed = matches!(
                &intents[..],
                [Intent::Close(close)] if close.position_id == PositionId(7)
            );
            assert_eq!(is_closed, closes, "{account} {intent:?}: {intents:?}");
            for intent in &intents {
                leave(&mut session, intent);
            }
            let left = session.intents.record_of(&request_id).unwrap();
            let is_over = left == Record::Settled;
            assert_eq!(is_over, account == "first", "{account}: {left:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_a_position_is_closed_however_often_the_engine_starts_before() {
        let _held = hold_clock();
        let (gateway, clock, specs) = heard().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        leave(
            &mut session(served("first", path), path),
            &close("old", None),
        );
        let trace = TraceContext::new();
        // Another process: what is the same is the folder.
        for has_tick in [false, false, true] {
            let mut session = session(served("first", path), path);
            let settled = settle(&gateway, &mut session, clock, &specs, &trace).await;
            assert_eq!(settled.ok(), Some(false));
            assert_eq!(unsettled(&session), ["old"], "nothing was done yet");
            if !has_tick {
                continue;
            }
            let intents = session.trader.on_tick(&tick(0, 100_000)).intents;
            assert!(matches!(&intents[..], [Intent::Close(_)]), "{intents:?}");
            for intent in &intents {
                leave(&mut session, intent);
            }
            assert_eq!(unsettled(&session), ["id-1"], "once");
        }
        // The close was done: nothing is left to be gone on with.
        let mut trader = served("first", path);
        trader.on_snapshot(Snapshot {
            account_id: AccountId::parse("first").ok(),
            ..snapshot(TradingState::Active)
        });
        let mut session = session(trader, path);
        let settled = settle(&gateway, &mut session, clock, &specs, &trace).await;
        assert_eq!(settled.ok(), Some(false));
        assert!(unsettled(&session).is_empty());
        assert_eq!(session.trader.on_tick(&tick(0, 100_000)).intents, []);
    }

    fn unsettled(session: &Session) -> Vec<String> {
        let left = session.intents.unsettled().unwrap().into_iter();
        left.map(|intent| intent.request_id).collect()
    }

    /// Makes an intent durable, as before it is sent.
    fn leave(session: &mut Session, intent: &Intent) {
        let request = Request::of(intent, "process", 17);
        assert!(may_leave(&mut session.intents, intent, &request, 17));
    }

    /// The close of all of a position, for an exit.
    fn exit(request_id: &str) -> Intent {
        let Intent::Close(close) = close(request_id, None) else {
            panic!("a close is one")
        };
        Intent::Close(Close {
            exits: true,
            ..close
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_exit_of_all_goes_on_with_the_rest_and_the_close_of_one_position_does_not() {
        let _held = hold_clock();
        let (gateway, clock, specs) = heard().await;
        let trace = TraceContext::new();
        // The position of the close is gone already; another one stands.
        let other = PositionId(8);
        for (account, intent, goes_on) in [
            ("first", exit("old"), true),
            ("second", exit("old"), false),
            ("first", close("old", None), false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut trader = served(account, folder.path());
            trader.on_snapshot(Snapshot {
                account_id: AccountId::parse(account).ok(),
                mode: AccountMode::Hedging,
                positions: vec![Held {
                    position_id: other,
                    ..held(Side::Buy)
                }],
                ..snapshot(TradingState::Active)
            });
            let mut session = session(trader, folder.path());
            leave(&mut session, &intent);
            let settled = settle(&gateway, &mut session, clock, &specs, &trace).await;
            assert_eq!(settled.ok(), Some(false), "{account} {intent:?}");
            let is_over = session.intents.record_of("old").unwrap() == Record::Settled;
            let is_gone = account == "first" && !goes_on;
            assert_eq!(is_over, is_gone, "{account} {intent:?}");
            let next = session.trader.on_tick(&tick(0, 100_000)).intents;
            let closes = matches!(
                &next[..],
                [Intent::Close(close)] if close.position_id == other && close.exits
            );
            assert_eq!(closes, goes_on, "{account} {intent:?}: {next:?}");
            for intent in &next {
                leave(&mut session, intent);
            }
            let is_over = session.intents.record_of("old").unwrap() == Record::Settled;
            assert_eq!(is_over, account == "first", "{account} {intent:?}");
        }
    }

    /// An order at the market.
    fn market(request_id: &str, side: Side) -> Intent {
        Intent::Submit(Submit {
            request_id: RequestId::parse(request_id).unwrap(),
            symbol: spec().symbol,
            side,
            at: At::Market,
            lots: Lots::from_f64(0.97).unwrap(),
            levels: Levels::default(),
            tag: "jumps".into(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_entered_after_an_exit_or_an_order_is_not_closed_with_what_that_left() {
        let _held = hold_clock();
        let (gateway, clock, specs) = heard().await;
        let trace = TraceContext::new();
        let new = market("new", Side::Sell);
        // A crash came before the end of the first was noted, and after the second was recorded.
        for old in [exit("old"), market("old", Side::Buy)] {
            for (recorded, closes) in [([&old, &new], false), ([&new, &old], true)] {
                let folder = tempfile::tempdir().unwrap();
                let mut trader = served("first", folder.path());
                trader.on_snapshot(Snapshot {
                    account_id: AccountId::parse("first").ok(),
                    positions: vec![Held {
                        position_id: PositionId(8),
                        ..held(Side::Sell)
                    }],
                    ..snapshot(TradingState::Active)
                });
                let mut session = session(trader, folder.path());
                for intent in recorded {
                    leave(&mut session, intent);
                }
                let settled = settle(&gateway, &mut session, clock, &specs, &trace).await;
                assert_eq!(settled.ok(), Some(false), "{recorded:?}");
                let next = session.trader.on_tick(&tick(0, 100_000)).intents;
                let is_closed = matches!(&next[..], [Intent::Close(_)]);
                assert_eq!(is_closed, closes, "{recorded:?}: {next:?}");
                let is_over = session.intents.record_of("old").unwrap() == Record::Settled;
                assert_eq!(is_over, !closes, "{recorded:?}");
            }
        }
    }

    /// An intent as it is recorded.
    fn recorded(intent: &Intent) -> Unsettled {
        let request = Request::of(intent, "process", 17);
        Unsettled {
            request_id: intent.request_id().to_string(),
            method: request.method().to_owned(),
            request: request.encode(),
            not_after_ms: 17,
        }
    }

    #[test]
    fn an_entry_and_the_close_of_a_whole_position_are_read_from_what_was_sent() {
        let lots = Lots::from_f64(0.48).unwrap();
        let price = |points| Some(Price::from_points(points, 5));
        let submit = Intent::Submit(Submit {
            request_id: RequestId::parse("id-1").unwrap(),
            symbol: spec().symbol,
            side: Side::Sell,
            at: At::Limit(Price::from_points(110_000, 5)),
            lots,
            levels: Levels {
                stop_loss: price(110_200),
                take_profit: None,
            },
            tag: "jumps".into(),
        });
        let specs: Specs = [("EURUSD".to_owned(), spec())].into();
        let expected = Sent::Entry {
            tag: "jumps".into(),
            opens: Open {
                symbol: spec().symbol,
                side: Side::Sell,
                lots,
                price: price(110_000),
                stop: price(110_200),
                in_flight: true,
                unmeasured: false,
            },
        };
        // The gateway of another account never got it, and turns nothing for it.
        assert!(!End::NeverArrived.is_of_account(&expected));
        assert_eq!(sent(&recorded(&submit), &specs), Some(expected));
        let close = |lots| recorded(&close("id-2", lots));
        let whole = Some(Sent::Close(PositionId(7)));
        assert!(End::NeverArrived.is_of_account(&Sent::Close(PositionId(7))));
        assert_eq!(sent(&close(None), &specs), whole);
        let spoilt = Unsettled {
            request: b"spoilt".to_vec(),
            ..recorded(&submit)
        };
        for none in [close(Some(lots)), spoilt] {
            assert_eq!(sent(&none, &specs), None, "{none:?}");
        }
    }

    #[test]
    fn only_an_order_that_is_not_found_in_the_end_never_arrived() {
        let refused = |reason| Status::from(Refusal::new(reason));
        let not_found = refused(Reason::OrderNotFound);
        assert_eq!(judge(&not_found, 0, 1), Lookup::NeverArrived);
        let soon = Duration::from_millis(300);
        assert_eq!(judge(&not_found, 300, 1), Lookup::Again(soon));
        assert_eq!(judge(&not_found, 60_000, 1), Lookup::Again(HEARTBEAT));
        for reason in [Reason::RateLimited, Reason::QueueFull] {
            let shed = Status::from(Refusal::new(reason).after(soon));
            assert_eq!(judge(&shed, -1, 1), Lookup::Again(soon));
            assert_eq!(judge(&shed, -1, LOOKUPS), Lookup::Unknown);
            let silent = refused(reason);
            assert_eq!(judge(&silent, -1, 1), Lookup::Again(HEARTBEAT));
        }
        for status in [
            refused(Reason::Unauthenticated),
            refused(Reason::PermissionDenied),
            refused(Reason::JournalDown),
            Status::unavailable("h2"),
            Status::not_found("of another server"),
        ] {
            assert_eq!(judge(&status, -1, 1), Lookup::Unknown, "{status:?}");
        }
    }

    #[test]
    fn only_a_definite_refusal_was_surely_not_done() {
        let ended = |state: v1::OrderState, reason: &str, filled_lots: f64| {
            End::of(&v1::Order {
                state: state.into(),
                reason: reason.to_owned(),
                filled_lots,
                ..Default::default()
            })
        };
        for (state, reason, filled, may_be_done) in [
            (v1::OrderState::Filled, "", 0.1, true),
            (v1::OrderState::Rejected, "NOT_SENT", 0.0, false),
            (v1::OrderState::Rejected, "NOT_FOUND_AT_BROKER", 0.0, true),
            (v1::OrderState::Expired, "EXPIRED_BEFORE_SEND", 0.0, false),
            (v1::OrderState::Canceled, "", 0.1, true),
        ] {
            let end = ended(state, reason, filled);
            assert_eq!(end.map(End::may_be_done), Some(may_be_done), "{reason}");
            assert_eq!(end.map(End::name), Some(state.as_str_name()));
            let is_part = state == v1::OrderState::Canceled || !may_be_done;
            let part = is_part.then(|| Lots::from_f64(filled).unwrap());
            assert_eq!(end.and_then(End::part), part, "{state:?}");
        }
        assert_eq!(ended(v1::OrderState::Sent, "", 0.0), None);
        assert!(!End::NeverArrived.may_be_done());
        assert_eq!(End::NeverArrived.part(), Some(Lots::ZERO));
    }
}
