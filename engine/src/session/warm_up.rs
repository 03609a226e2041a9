//! The bars of the past that strategies begin with. Ticks are subscribed to before these are listed,
//! so that no tick falls between the two.

use super::{gateway::Gateway, wire};
use crate::{bars::History, trader::Trader};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_proto::reason_of;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};

/// Between two attempts: the broker may be away.
const PAUSE: Duration = Duration::from_secs(15);

/// When to ask next.
#[derive(Debug)]
pub(super) struct WarmUps {
    due: Instant,
}

impl WarmUps {
    /// At once, for all bars that the trader wants.
    pub(super) fn new(trader: &mut Trader) -> Self {
        trader.await_history();
        Self {
            due: Instant::now(),
        }
    }

    /// Asks for the bars that still wait for their past, where it is time to.
    pub(super) async fn refresh(&mut self, gateway: &Gateway, trader: &mut Trader) {
        if Instant::now() < self.due {
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
        }
    }
}

fn name(status: &Status) -> String {
    reason_of(status).map_or_else(
        || status.code().to_string(),
        |reason| reason.name().to_owned(),
    )
}
