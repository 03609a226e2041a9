//! The specifications of what is traded. The value of a tick follows the rates, so that they are
//! listed again now and then, beside the loop.

use super::{end::SessionEnd, gateway::Gateway, wire::Specs};
use crate::trader::Trader;
use mymt5_chassis::trace_context::TraceContext;
use mymt5_model::SymbolSpec;
use mymt5_proto::v1;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

/// After so long they are listed again.
const AGAIN: Duration = Duration::from_secs(300);

type Listed = Result<Vec<SymbolSpec>, SessionEnd>;

/// The listing under way, and when the last one began.
pub(super) struct Listings {
    under_way: JoinSet<Listed>,
    begun: Instant,
}

impl Listings {
    /// For a session that has just listed them.
    pub(super) fn new() -> Self {
        Self {
            under_way: JoinSet::new(),
            begun: Instant::now(),
        }
    }

    /// Lists them again where it is time to, and while a rate is missing.
    pub(super) fn refresh(&mut self, gateway: &Gateway, trader: &Trader) {
        let is_due = trader.lacks_rates() || self.begun.elapsed() >= AGAIN;
        if is_due && self.under_way.is_empty() {
            self.begun = Instant::now();
            let gateway = gateway.clone();
            self.under_way
                .spawn(async move { list(&gateway, &TraceContext::new()).await });
        }
    }

    /// Waits for the listing under way; none: there is none.
    pub(super) async fn join(&mut self) -> Option<Listed> {
        let listed = self.under_way.join_next().await?;
        Some(listed.unwrap_or(Err(SessionEnd::StreamEnded("symbols"))))
    }
}

/// The specifications that the gateway has for this client; one that is not understood is left out.
pub(super) async fn list(gateway: &Gateway, trace: &TraceContext) -> Listed {
    let answer = gateway
        .market_data()
        .list_symbols(gateway.call(v1::ListSymbolsRequest {}, trace))
        .await;
    let wire = answer
        .map_err(|status| SessionEnd::Call("symbols", status))?
        .into_inner()
        .symbols;
    let readable = |spec: &v1::SymbolSpec| {
        SymbolSpec::try_from(spec)
            .inspect_err(
                |error| tracing::warn!(symbol = spec.symbol, %error, "symbol not understood"),
            )
            .ok()
    };
    Ok(wire.iter().filter_map(readable).collect())
}

/// Whether everything that is traded is listed.
pub(super) fn are_listed(trader: &Trader, listed: &[SymbolSpec]) -> bool {
    let symbols = trader.symbols();
    let mut traded = symbols.iter();
    traded.all(|symbol| listed.iter().any(|spec| spec.symbol == *symbol))
}

/// Gives the trader the specifications, and returns those of what it trades. Where one of them is
/// missing it keeps what it has.
pub(super) fn specify(trader: &mut Trader, listed: Vec<SymbolSpec>) -> Result<Specs, SessionEnd> {
    let mut specs = Specs::new();
    for symbol in trader.symbols() {
        let spec = listed.iter().find(|spec| spec.symbol == symbol);
        let spec = spec.ok_or_else(|| SessionEnd::Symbol(symbol.to_string()))?;
        specs.insert(symbol.to_string(), spec.clone());
    }
    trader.specify(listed);
    Ok(specs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        care::CareSettings,
        risk::{Budget, Risk, testing::settings},
        strategy::{Context, Reverse, Strategy, StrategySettings},
        trader::tests::spec,
    };
    use mymt5_model::{RequestId, Tick};

    #[derive(Debug)]
    struct Idle;

    impl Strategy for Idle {
        fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {}
    }

    #[test]
    fn a_new_rate_is_taken_and_a_symbol_that_is_missing_takes_none_away() {
        let strategy = StrategySettings {
            name: "idle".into(),
            symbol: spec().symbol,
            budget: Budget::WHOLE,
            reverse: Reverse::CloseFirst,
            care: CareSettings::default(),
            strategy: Box::new(Idle),
        };
        let new_id = Box::new(|| RequestId::of_number(1));
        let mut trader = Trader::new(vec![strategy], Risk::new(settings("lots = 1.0")), new_id);
        for tick_value in [1.0, 1.1] {
            let listed = SymbolSpec {
                tick_value: Some(tick_value),
                ..spec()
            };
            let specs = specify(&mut trader, vec![listed.clone()]).unwrap();
            assert_eq!(specs["EURUSD"], listed);
            assert_eq!(trader.spec("EURUSD"), Some(&listed));
            assert!(specify(&mut trader, Vec::new()).is_err());
            assert_eq!(trader.spec("EURUSD"), Some(&listed));
        }
    }
}
