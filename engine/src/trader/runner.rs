//! One strategy at work: the side it wants, the order it waits for, and the next step from one
//! to the other. One order in flight, never two.

use crate::{
    portfolio::{Held, Portfolio},
    risk::{self, RiskSettings},
    strategy::{Signal, StrategySettings},
    trader::{Close, Intent, Submit},
};
use mymt5_model::{Levels, Price, RequestId, Side, SymbolSpec, Tick};

pub(super) struct StrategyRunner {
    settings: StrategySettings,
    /// The side to get to; none once it is reached or given up.
    wanted: Option<Signal>,
    waits_for: Option<Waiting>,
    quote: Option<(Price, Price)>,
}

/// The order that a runner waits for.
struct Waiting {
    request_id: RequestId,
    /// It opens what is wanted; else it closes what is in the way.
    opens: bool,
}

impl StrategyRunner {
    pub(super) fn new(settings: StrategySettings) -> Self {
        Self {
            settings,
            wanted: None,
            waits_for: None,
            quote: None,
        }
    }

    /// True when the strategy wants to change sides.
    pub(super) fn on_tick(&mut self, tick: &Tick) -> bool {
        self.quote = Some((tick.bid, tick.ask));
        let signal = self.settings.strategy.on_tick(tick);
        self.wanted = signal.or(self.wanted);
        signal.is_some()
    }

    /// True when no order is under way.
    pub(super) const fn is_idle(&self) -> bool {
        self.waits_for.is_none()
    }

    pub(super) fn waits_for(&self, request_id: &RequestId) -> bool {
        let waiting = self.waits_for.as_ref();
        waiting.is_some_and(|waiting| waiting.request_id == *request_id)
    }

    /// The order waited for has ended. One that failed is not tried again before the next signal, and
    /// one that opened has reached what was wanted: its position may be reported only later.
    pub(super) fn end(&mut self, done: bool) {
        let opened = self.waits_for.take().is_some_and(|waiting| waiting.opens);
        if !done || opened {
            self.wanted = None;
        }
    }

    /// The next step towards the wanted side, if there is one to take now.
    pub(super) fn act(
        &mut self,
        spec: &SymbolSpec,
        portfolio: &Portfolio,
        risk: &RiskSettings,
        new_id: &mut dyn FnMut() -> RequestId,
    ) -> Option<Intent> {
        let wanted = self.wanted.filter(|_| self.waits_for.is_none())?;
        let held: Vec<&Held> = portfolio.of(&self.settings.symbol).collect();
        let intent = match held.iter().find(|held| held.side != wanted.side) {
            Some(against) => self.close(against, new_id()),
            None if !held.is_empty() => None,
            None => self.open(wanted, spec, portfolio, risk, new_id()),
        };
        match &intent {
            Some(intent) => {
                self.waits_for = Some(Waiting {
                    request_id: intent.request_id().clone(),
                    opens: matches!(intent, Intent::Submit(_)),
                });
            }
            None => self.wanted = None,
        }
        intent
    }

    fn close(&self, held: &Held, request_id: RequestId) -> Option<Intent> {
        Some(Intent::Close(Close {
            request_id,
            position_id: held.position_id,
            tag: self.settings.name.clone(),
        }))
    }

    fn open(
        &self,
        Signal { side, distances }: Signal,
        spec: &SymbolSpec,
        portfolio: &Portfolio,
        risk: &RiskSettings,
        request_id: RequestId,
    ) -> Option<Intent> {
        if !portfolio.may_open() {
            return None;
        }
        let (bid, ask) = self.quote?;
        // The loss at the stop counts from the opening side, and the market moves on until then.
        let spread = (ask.points() - bid.points()).max(0);
        let at_risk = distances.stop + 2 * spread + spec.tick_size_points;
        let lots = match risk::size(risk, spec, portfolio.equity(), at_risk) {
            Ok(lots) => lots,
            Err(refused) => {
                metrics::counter!("mymt5_engine_decisions_refused_total").increment(1);
                tracing::warn!(strategy = self.settings.name, %refused, "decision refused by risk");
                return None;
            }
        };
        // Levels are measured from the side that closes the position.
        let closing = if side == Side::Buy { bid } else { ask };
        let level =
            |points: i64| on_grid(closing.moved(points * side.sign()), spec.tick_size_points);
        Some(Intent::Submit(Submit {
            request_id,
            symbol: self.settings.symbol.clone(),
            side,
            lots,
            levels: Levels {
                stop_loss: Some(level(-distances.stop)),
                take_profit: distances.take_profit.map(level),
            },
            tag: self.settings.name.clone(),
        }))
    }
}

fn on_grid(price: Price, tick_points: i64) -> Price {
    price.moved(-(price.points().rem_euclid(tick_points.max(1))))
}
