//! The specifications of what is traded. The value of a tick follows the rates, so that they are
//! listed again now and then, beside the loop.

use super::{end::SessionEnd, gateway::Gateway, wire::Specs};
use crate::trader::Trader;
use mymt5_chassis::trace_context::TraceContext;
use mymt5_model::{Symbol, SymbolSpec};
use mymt5_proto::v1;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

/// After so long they are listed again.
const AGAIN: Duration = Duration::from_secs(300);
/// The same while something that is traded is missing.
const AGAIN_MISSING: Duration = Duration::from_secs(30);

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
        let traded = trader.symbols();
        let is_known = |symbol: &Symbol| trader.spec(symbol.as_str()).is_some();
        let pause = if traded.iter().all(is_known) {
            AGAIN
        } else {
            AGAIN_MISSING
        };
        let is_due = trader.lacks_rates() || self.begun.elapsed() >= pause;
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
    missing(trader, listed).is_empty()
}

/// What is traded and not listed.
fn missing(trader: &Trader, listed: &[SymbolSpec]) -> Vec<Symbol> {
    let mut traded = trader.symbols();
    traded.retain(|symbol| listed.iter().all(|spec| spec.symbol != *symbol));
    traded
}

/// Gives the trader the specifications that a session begins with, and returns those of what it trades.
/// What is not listed has no ticks, so that its strategies decide nothing: the others trade. Where
/// nothing is listed the trader keeps what it has.
pub(super) fn specify(trader: &mut Trader, listed: Vec<SymbolSpec>) -> Result<Specs, SessionEnd> {
    let missing = missing(trader, &listed);
    if !missing.is_empty() {
        let is_all = missing.len() == trader.symbols().len();
        let names: Vec<&str> = missing.iter().map(Symbol::as_str).collect();
        let symbols = names.join(", ");
        if is_all {
            return Err(SessionEnd::Symbol(symbols));
        }
        tracing::warn!(
            symbols,
            "the gateway does not list what strategies trade: they decide nothing, and no rule cares for or closes positions there; add it to clients.NAME.symbols there, or mend what mymt5-gateway status says of it"
        );
    }
    Ok(take(trader, listed))
}

/// Gives the trader specifications that were listed again. What is not listed any more keeps the one
/// that it has. What was missing when the session began ends it: only a new one subscribes to the ticks
/// and reads the prices of its positions.
pub(super) fn renew(
    trader: &mut Trader,
    known: &Specs,
    mut listed: Vec<SymbolSpec>,
) -> Result<Specs, SessionEnd> {
    for symbol in trader.symbols() {
        let is_listed = listed.iter().any(|spec| spec.symbol == symbol);
        match known.get(symbol.as_str()) {
            None if is_listed => return Err(SessionEnd::Listed(symbol.to_string())),
            Some(spec) if !is_listed => {
                tracing::warn!(
                    %symbol,
                    "the gateway does not list it any more: its last specification serves; check clients.NAME.symbols there"
                );
                listed.push(spec.clone());
            }
            _ => {}
        }
    }
    Ok(take(trader, listed))
}

/// Gives the trader all of these, and returns those of what it trades.
fn take(trader: &mut Trader, listed: Vec<SymbolSpec>) -> Specs {
    let traded = trader.symbols();
    let ours = listed.iter().filter(|spec| traded.contains(&spec.symbol));
    let specs = ours
        .map(|spec| (spec.symbol.to_string(), spec.clone()))
        .collect();
    trader.specify(listed);
    specs
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

    /// A trader of these symbols.
    fn trader(symbols: &[&str]) -> Trader {
        let strategy = |symbol: &&str| StrategySettings {
            name: (*symbol).to_owned(),
            symbol: Symbol::parse(symbol).unwrap(),
            budget: Budget::WHOLE,
            reverse: Reverse::CloseFirst,
            care: CareSettings::default(),
            strategy: Box::new(Idle),
        };
        let strategies = symbols.iter().map(strategy).collect();
        let new_id = Box::new(|| RequestId::of_number(1));
        Trader::new(strategies, Risk::new(settings("lots = 1.0")), new_id)
    }

    fn listed(symbol: &str, tick_value: f64) -> SymbolSpec {
        SymbolSpec {
            symbol: Symbol::parse(symbol).unwrap(),
            tick_value: Some(tick_value),
            ..spec()
        }
    }

    #[test]
    fn a_new_rate_is_taken_and_a_symbol_that_is_missing_takes_none_away() {
        let mut trader = trader(&["EURUSD"]);
        let mut specs = specify(&mut trader, vec![listed("EURUSD", 1.0)]).unwrap();
        for tick_value in [1.1, 1.2] {
            let again = listed("EURUSD", tick_value);
            for rows in [vec![again.clone()], Vec::new()] {
                specs = renew(&mut trader, &specs, rows).unwrap();
                assert_eq!(specs["EURUSD"], again);
                assert_eq!(trader.spec("EURUSD"), Some(&again));
            }
            assert!(specify(&mut trader, Vec::new()).is_err());
            assert_eq!(trader.spec("EURUSD"), Some(&again));
        }
    }

    #[test]
    fn a_session_begins_without_a_symbol_that_is_not_listed_and_ends_once_it_is() {
        let mut trader = trader(&["EURUSD", "GBPUSD"]);
        let one = vec![listed("EURUSD", 1.0), listed("USDJPY", 1.0)];
        assert!(!are_listed(&trader, &one));
        let specs = specify(&mut trader, one).unwrap();
        assert_eq!(specs.keys().collect::<Vec<_>>(), ["EURUSD"]);
        assert_eq!(trader.spec("GBPUSD"), None);
        let specs = renew(&mut trader, &specs, vec![listed("EURUSD", 1.1)]).unwrap();
        assert_eq!(specs["EURUSD"].tick_value, Some(1.1));
        let both = vec![listed("EURUSD", 1.2), listed("GBPUSD", 1.2)];
        assert!(are_listed(&trader, &both));
        let end = renew(&mut trader, &specs, both.clone());
        assert!(matches!(end, Err(SessionEnd::Listed(symbol)) if symbol == "GBPUSD"));
        assert_eq!(specify(&mut trader, both).unwrap().len(), 2);
    }

    #[test]
    fn no_session_begins_where_nothing_that_is_traded_is_listed() {
        let mut trader = trader(&["EURUSD", "GBPUSD"]);
        let end = specify(&mut trader, vec![listed("USDJPY", 1.0)]);
        assert!(matches!(end, Err(SessionEnd::Symbol(symbols)) if symbols == "EURUSD, GBPUSD"));
    }
}
