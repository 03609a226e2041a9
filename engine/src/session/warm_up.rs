//! The bars of the past that strategies begin with. Ticks are subscribed to before these are listed,
//! so that no tick falls between the two. They are listed again where ticks may have been missed.

use super::{
    end::SessionEnd,
    gateway::Gateway,
    heartbeat::{GatewayClock, HEARTBEAT, beat},
    wire,
};
use crate::{
    bars::{History, Timeframe},
    trader::{Trader, WarmUp},
};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_model::{Symbol, SymbolSpec};
use mymt5_proto::{reason_of, retry_after, v1};
use std::{collections::BTreeSet, future::pending, time::Duration};
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status};

/// Before series that failed are asked for again, where the gateway does not tell it, and at most: the
/// broker may be away.
const PAUSE: Duration = Duration::from_secs(15);
/// Before what was listed is listed again: that holds the terminal, where gaps follow each other. And
/// after a failure before another series is asked for, where the gateway does not tell it: an answer that
/// does not come holds up the session.
const AGAIN: Duration = Duration::from_secs(5);

/// When to ask next.
#[derive(Debug)]
pub(super) struct WarmUps {
    due: Instant,
    /// Bars may wait for their past.
    waits: bool,
    /// Series that could not be listed: each other one that waits is asked for before they are again, so
    /// that one which can never be listed holds up none but its own.
    failed: BTreeSet<(Symbol, Timeframe)>,
    /// How the gateway's link to its broker stands, as was told last.
    link: v1::LinkState,
    /// Ticks of a silence come, and no live one after them: the past is not whole yet.
    is_late: bool,
}

impl WarmUps {
    /// At once, for all bars that the trader wants.
    pub(super) fn new(trader: &mut Trader) -> Self {
        trader.await_history();
        Self {
            due: Instant::now(),
            waits: true,
            failed: BTreeSet::new(),
            link: v1::LinkState::Ready,
            is_late: false,
        }
    }

    /// Lets the bars of symbols wait whose ticks come after a silence: what traded in it is in the past
    /// that is listed once it is over, and in no live tick.
    pub(super) fn on_ticks(&mut self, ticks: &[v1::Tick], trader: &mut Trader) {
        for tick in ticks {
            match tick.kind() {
                v1::TickKind::Backfill => {
                    self.is_late = true;
                    self.waits = true;
                    trader.await_history_of(&tick.symbol);
                }
                v1::TickKind::Live => self.is_late = false,
                _ => {}
            }
        }
    }

    /// Takes what the gateway's link to its broker became. Where it is back, what it missed is to be
    /// asked for at once. A degraded link may do all but trade, or say nothing: ticks may be missed
    /// before it and in it.
    pub(super) fn on_link(&mut self, state: v1::LinkState, trader: &mut Trader) {
        use v1::LinkState::{Degraded, Ready};
        let before = std::mem::replace(&mut self.link, state);
        let is_back = match state {
            Ready => before != Ready,
            Degraded => !matches!(before, Ready | Degraded),
            _ => false,
        };
        if is_back {
            trader.await_history();
            self.due = Instant::now();
            self.waits = true;
            self.failed.clear();
            self.is_late = false;
        }
    }

    fn may_ask(&self) -> bool {
        self.waits && !self.is_late
    }

    /// True while there is a series to ask for now.
    pub(super) fn is_due(&self) -> bool {
        self.may_ask() && Instant::now() >= self.due
    }

    /// Waits until it is time to ask; for ever, where no bars wait.
    pub(super) async fn come_due(&self) {
        if self.may_ask() {
            sleep_until(self.due).await;
        } else {
            pending::<()>().await;
        }
    }

    /// Asks for all that is due, where nothing may come between.
    pub(super) async fn list_all(&mut self, gateway: &Gateway, trader: &mut Trader) {
        while self.is_due() {
            self.list_next(gateway, trader).await;
        }
    }

    /// Asks for all that a session begins with, with heartbeats between two series: the terminal may
    /// take long over each, and the lease must not end meanwhile.
    pub(super) async fn list_first(
        &mut self,
        gateway: &Gateway,
        trader: &mut Trader,
        session_id: &str,
        mut clock: GatewayClock,
    ) -> Result<GatewayClock, SessionEnd> {
        let mut beaten = Instant::now();
        while self.is_due() {
            self.list_next(gateway, trader).await;
            if beaten.elapsed() >= HEARTBEAT {
                let told = beat(gateway.clone(), session_id.to_owned(), false).await?;
                clock = told.clock;
                beaten = Instant::now();
            }
        }
        Ok(clock)
    }

    /// Asks for the past of one series that waits for it. The others are due then: ticks, events and
    /// heartbeats may come between, as the terminal may take long over each. Where it could not be
    /// listed, they are due after a pause.
    pub(super) async fn list_next(&mut self, gateway: &Gateway, trader: &mut Trader) {
        let Some((wanted, spec)) = self.next(trader) else {
            self.waits = false;
            return;
        };
        let symbol = &wanted.symbol;
        let timeframe = wanted.timeframe;
        let request = gateway.call(wire::bars_request(&wanted), &TraceContext::new());
        let history = match gateway.market_data().list_bars(request).await {
            Ok(listed) => wire::history(&listed.into_inner(), spec),
            Err(status) if status.code() == Code::Unimplemented => {
                tracing::warn!(
                    %symbol, %timeframe,
                    "the gateway lists no bars: a strategy warms up by those to come"
                );
                History::default()
            }
            Err(status) => {
                let reason = name(&status);
                tracing::warn!(
                    %symbol, %timeframe, reason,
                    "bars of the past are not to be had yet: their strategies wait"
                );
                self.fail(&wanted, &status, trader);
                return;
            }
        };
        let bars = history.finished.len();
        tracing::info!(%symbol, %timeframe, bars, "bars of the past taken");
        self.take(&wanted, &history, trader);
    }

    /// The bars to ask for next.
    fn next<'a>(&self, trader: &'a Trader) -> Option<(WarmUp, &'a SymbolSpec)> {
        let mut wanted = trader.warm_ups().into_iter();
        wanted.find_map(|wanted| {
            let series = (wanted.symbol.clone(), wanted.timeframe);
            if self.failed.contains(&series) {
                return None;
            }
            let spec = trader.spec(wanted.symbol.as_str())?;
            Some((wanted, spec))
        })
    }

    /// Takes the past of one series.
    fn take(&mut self, listed: &WarmUp, history: &History, trader: &mut Trader) {
        trader.on_history(&listed.symbol, listed.timeframe, history);
        self.plan(Some(Duration::ZERO), trader);
    }

    /// The past of one series is not to be had yet.
    fn fail(&mut self, wanted: &WarmUp, status: &Status, trader: &Trader) {
        let series = (wanted.symbol.clone(), wanted.timeframe);
        self.failed.insert(series);
        self.plan(retry_after(status), trader);
    }

    /// Sets when to ask next, not before that pause is over. Once no other one is left, those that
    /// failed have their turn again.
    fn plan(&mut self, pause: Option<Duration>, trader: &Trader) {
        let pause = if self.next(trader).is_some() {
            pause.unwrap_or(AGAIN).min(PAUSE)
        } else {
            self.failed.clear();
            pause.unwrap_or(PAUSE).clamp(AGAIN, PAUSE)
        };
        self.waits = self.next(trader).is_some();
        self.due = Instant::now() + pause;
    }
}

fn name(status: &Status) -> String {
    reason_of(status).map_or_else(
        || status.code().to_string(),
        |reason| reason.name().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::testing::{Asked, FakeGateway, hold_clock},
        trader::tests::bars::trader_of_bars,
    };
    use mymt5_proto::{Reason, Refusal};
    use tokio::time::timeout;

    /// Nothing waits, and the last listing is long ago.
    fn at_rest() -> WarmUps {
        WarmUps {
            due: Instant::now(),
            waits: false,
            failed: BTreeSet::new(),
            link: v1::LinkState::Ready,
            is_late: false,
        }
    }

    /// Takes what the gateway would list next. False: nothing is wanted.
    fn take_next(warm_ups: &mut WarmUps, trader: &mut Trader) -> bool {
        let wanted = warm_ups.next(trader).map(|(wanted, _)| wanted);
        if let Some(wanted) = &wanted {
            warm_ups.take(wanted, &History::default(), trader);
        }
        wanted.is_some()
    }

    /// Which series is asked for next.
    fn asked(warm_ups: &WarmUps, trader: &Trader) -> Option<Timeframe> {
        warm_ups.next(trader).map(|(wanted, _)| wanted.timeframe)
    }

    /// The gateway refuses what is asked for next, and maybe says for how long.
    fn fail_next(warm_ups: &mut WarmUps, pause: Option<Duration>, trader: &Trader) {
        let refusal = Refusal::new(Reason::PastUnavailable);
        let refusal = match pause {
            Some(pause) => refusal.after(pause),
            None => refusal,
        };
        let wanted = warm_ups.next(trader).map(|(wanted, _)| wanted);
        if let Some(wanted) = wanted {
            warm_ups.fail(&wanted, &Status::from(refusal), trader);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_series_that_cannot_be_listed_holds_up_no_other() {
        let mut trader = trader_of_bars(&[Timeframe::M1, Timeframe::H1]);
        let mut warm_ups = WarmUps::new(&mut trader);
        let begun = Instant::now();
        assert_eq!(asked(&warm_ups, &trader), Some(Timeframe::M1));
        fail_next(&mut warm_ups, None, &trader);
        warm_ups.come_due().await;
        assert!(begun.elapsed() < PAUSE);
        assert_eq!(asked(&warm_ups, &trader), Some(Timeframe::H1));
        assert!(take_next(&mut warm_ups, &mut trader));
        for _ in 0..3 {
            assert!(!warm_ups.is_due(), "it was asked for just now");
            warm_ups.come_due().await;
            assert_eq!(asked(&warm_ups, &trader), Some(Timeframe::M1));
            fail_next(&mut warm_ups, None, &trader);
        }
        assert!(begun.elapsed() >= (AGAIN + PAUSE) * 2);
        warm_ups.come_due().await;
        assert!(take_next(&mut warm_ups, &mut trader));
        assert_eq!(trader.warm_ups(), []);
        assert!(timeout(PAUSE * 2, warm_ups.come_due()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_series_has_its_turn_after_the_pause_that_the_gateway_asks_for() {
        let mut trader = trader_of_bars(&[Timeframe::M1, Timeframe::H1]);
        let mut warm_ups = WarmUps::new(&mut trader);
        let begun = Instant::now();
        let pause = Duration::from_secs(10);
        for (at, timeframe) in [(1, Timeframe::M1), (2, Timeframe::H1), (3, Timeframe::M1)] {
            assert_eq!(asked(&warm_ups, &trader), Some(timeframe));
            fail_next(&mut warm_ups, Some(pause), &trader);
            warm_ups.come_due().await;
            assert!(begun.elapsed() >= pause * at, "{timeframe:?}");
            assert!(begun.elapsed() < pause * at + AGAIN, "{timeframe:?}");
        }
        // No gateway has it wait for long, nor ask without end.
        for (pause, least) in [
            (Duration::from_secs(3_600), PAUSE),
            (Duration::ZERO, Duration::ZERO),
            (Duration::ZERO, AGAIN),
        ] {
            let begun = Instant::now();
            fail_next(&mut warm_ups, Some(pause), &trader);
            warm_ups.come_due().await;
            let waited = begun.elapsed();
            assert!((least..least + AGAIN).contains(&waited), "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_back_gives_a_series_that_failed_its_turn_at_once() {
        let mut trader = trader_of_bars(&[Timeframe::M1, Timeframe::H1]);
        let mut warm_ups = WarmUps::new(&mut trader);
        fail_next(&mut warm_ups, Some(PAUSE), &trader);
        warm_ups.on_link(v1::LinkState::BackingOff, &mut trader);
        assert!(!warm_ups.is_due());
        warm_ups.on_link(v1::LinkState::Ready, &mut trader);
        assert!(warm_ups.is_due());
        assert_eq!(asked(&warm_ups, &trader), Some(Timeframe::M1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_back_has_the_bars_listed_again() {
        use v1::LinkState::{BackingOff, Connecting, Degraded, MarketClosed, Ready};
        let mut trader = trader_of_bars(&[Timeframe::M1]);
        let mut warm_ups = at_rest();
        for (state, is_back) in [
            (Ready, false),
            (BackingOff, false),
            (Degraded, true),
            (Degraded, false),
            (Ready, true),
            (Ready, false),
            (Degraded, false),
            (Connecting, false),
            (Degraded, true),
            (MarketClosed, false),
            (Ready, true),
        ] {
            warm_ups.on_link(state, &mut trader);
            assert_eq!(warm_ups.is_due(), is_back, "{state:?}");
            assert_eq!(take_next(&mut warm_ups, &mut trader), is_back, "{state:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_series_is_asked_for_at_once_and_the_last_one_ends_that_for_a_while() {
        let mut trader = trader_of_bars(&[Timeframe::M1, Timeframe::H1]);
        let mut warm_ups = WarmUps::new(&mut trader);
        let begun = Instant::now();
        warm_ups.come_due().await;
        assert!(take_next(&mut warm_ups, &mut trader));
        warm_ups.come_due().await;
        assert!(warm_ups.is_due(), "the other one still waits");
        assert_eq!(trader.warm_ups().len(), 1);
        assert!(take_next(&mut warm_ups, &mut trader));
        assert!(begun.elapsed() < AGAIN);
        assert!(timeout(PAUSE, warm_ups.come_due()).await.is_err());
        assert_eq!(trader.warm_ups(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_listed_is_not_listed_again_too_soon() {
        let tick = |kind: v1::TickKind| v1::Tick {
            symbol: "EURUSD".to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        let mut trader = trader_of_bars(&[Timeframe::M1]);
        let mut warm_ups = WarmUps::new(&mut trader);
        assert!(take_next(&mut warm_ups, &mut trader));
        let taken = Instant::now();
        warm_ups.on_ticks(&[tick(v1::TickKind::Backfill)], &mut trader);
        assert!(timeout(PAUSE, warm_ups.come_due()).await.is_err(), "late");
        warm_ups.on_ticks(&[tick(v1::TickKind::Live)], &mut trader);
        warm_ups.come_due().await;
        assert!(taken.elapsed() < PAUSE + AGAIN, "it was over long ago");
        assert!(take_next(&mut warm_ups, &mut trader));
        let taken = Instant::now();
        let gap = [tick(v1::TickKind::Backfill), tick(v1::TickKind::Live)];
        warm_ups.on_ticks(&gap, &mut trader);
        warm_ups.come_due().await;
        assert!(taken.elapsed() >= AGAIN);
    }

    /// The lease ends without heartbeats, however long the terminal takes over what a session begins with.
    #[tokio::test(start_paused = true)]
    async fn heartbeats_come_between_two_series_that_take_long() -> Result<(), SessionEnd> {
        let _held = hold_clock();
        let m1 = Asked::Bars(v1::Timeframe::M1);
        let h1 = Asked::Bars(v1::Timeframe::H1);
        for (bars_take, asked) in [
            (HEARTBEAT, &[m1, Asked::Heartbeat, h1, Asked::Heartbeat][..]),
            (HEARTBEAT / 2, &[m1, h1, Asked::Heartbeat]),
            (Duration::ZERO, &[m1, h1]),
        ] {
            let fake = FakeGateway {
                bars_take,
                ..FakeGateway::default()
            };
            let gateway = fake.serve().await;
            let told = beat(gateway.clone(), "process".to_owned(), false).await?;
            assert_eq!(fake.take_asked(), [Asked::Heartbeat]);
            let mut trader = trader_of_bars(&[Timeframe::M1, Timeframe::H1]);
            let mut warm_ups = WarmUps::new(&mut trader);
            warm_ups
                .list_first(&gateway, &mut trader, "process", told.clock)
                .await?;
            assert_eq!(fake.take_asked(), asked, "{bars_take:?}");
            assert_eq!(trader.warm_ups(), []);
        }
        Ok(())
    }

    #[test]
    fn ticks_of_a_silence_have_the_bars_of_their_symbol_listed_once_it_is_over() {
        let tick = |symbol: &str, kind: v1::TickKind| v1::Tick {
            symbol: symbol.to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        let mut trader = trader_of_bars(&[Timeframe::M1]);
        let mut warm_ups = at_rest();
        let others = [
            tick("EURUSD", v1::TickKind::Snapshot),
            tick("GBPUSD", v1::TickKind::Backfill),
            tick("", v1::TickKind::Backfill),
            tick("EURUSD", v1::TickKind::Live),
        ];
        warm_ups.on_ticks(&others, &mut trader);
        assert_eq!(trader.warm_ups(), []);
        for (kind, is_due) in [
            (v1::TickKind::Backfill, false),
            (v1::TickKind::Backfill, false),
            (v1::TickKind::Live, true),
        ] {
            warm_ups.on_ticks(&[tick("EURUSD", kind)], &mut trader);
            assert_eq!((trader.warm_ups().len(), warm_ups.is_due()), (1, is_due));
        }
    }
}
