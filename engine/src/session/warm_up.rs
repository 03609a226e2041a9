//! The bars of the past that strategies begin with. Ticks are subscribed to before these are listed,
//! so that no tick falls between the two. They are listed again where ticks may have been missed.

use super::{gateway::Gateway, wire};
use crate::{bars::History, trader::Trader};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_proto::{reason_of, v1};
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};

/// Between two attempts: the broker may be away.
const PAUSE: Duration = Duration::from_secs(15);
/// Before what was listed is listed again: that holds the terminal, where gaps follow each other.
const AGAIN: Duration = Duration::from_secs(5);

/// When to ask next.
#[derive(Debug)]
pub(super) struct WarmUps {
    due: Instant,
    /// The gateway's link to its broker does not work, as was told last.
    is_cut: bool,
    /// Ticks of a silence come, and no live one after them: the past is not whole yet.
    is_late: bool,
}

impl WarmUps {
    /// At once, for all bars that the trader wants.
    pub(super) fn new(trader: &mut Trader) -> Self {
        trader.await_history();
        Self {
            due: Instant::now(),
            is_cut: false,
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
                    trader.await_history_of(&tick.symbol);
                }
                v1::TickKind::Live => self.is_late = false,
                _ => {}
            }
        }
    }

    /// Takes what the gateway's link to its broker became. True: it is back, and what it missed is to be
    /// asked for at once.
    pub(super) fn on_link(&mut self, state: v1::LinkState, trader: &mut Trader) -> bool {
        let works = state == v1::LinkState::Ready;
        let is_back = std::mem::replace(&mut self.is_cut, !works) && works;
        if is_back {
            trader.await_history();
            self.due = Instant::now();
            self.is_late = false;
        }
        is_back
    }

    fn is_due(&self) -> bool {
        !self.is_late && Instant::now() >= self.due
    }

    /// Asks for the bars that still wait for their past, where it is time to.
    pub(super) async fn refresh(&mut self, gateway: &Gateway, trader: &mut Trader) {
        if !self.is_due() {
            return;
        }
        for wanted in trader.warm_ups() {
            let symbol = &wanted.symbol;
            let timeframe = wanted.timeframe;
            let Some(spec) = trader.spec(symbol.as_str()) else {
                continue;
            };
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
                    self.due = Instant::now() + PAUSE;
                    return;
                }
            };
            let bars = history.finished.len();
            tracing::info!(%symbol, %timeframe, bars, "bars of the past taken");
            trader.on_history(symbol, timeframe, &history);
            self.due = Instant::now() + AGAIN;
        }
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
    use crate::trader::tests::bars::trader_of_bars;

    #[test]
    fn a_link_that_is_back_has_the_bars_listed_again() {
        use v1::LinkState::{BackingOff, Degraded, Ready};
        let mut trader = trader_of_bars();
        let mut warm_ups = WarmUps {
            due: Instant::now() + PAUSE,
            is_cut: false,
            is_late: false,
        };
        for (state, is_back) in [
            (Ready, false),
            (BackingOff, false),
            (Degraded, false),
            (Ready, true),
            (Ready, false),
        ] {
            assert_eq!(warm_ups.on_link(state, &mut trader), is_back, "{state:?}");
            assert_eq!(
                trader.warm_ups().is_empty(),
                !warm_ups.is_due(),
                "{state:?}"
            );
        }
        assert_eq!(trader.warm_ups().len(), 1);
    }

    #[test]
    fn ticks_of_a_silence_have_the_bars_of_their_symbol_listed_once_it_is_over() {
        let tick = |symbol: &str, kind: v1::TickKind| v1::Tick {
            symbol: symbol.to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        let mut trader = trader_of_bars();
        let mut warm_ups = WarmUps {
            due: Instant::now(),
            is_cut: false,
            is_late: false,
        };
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
