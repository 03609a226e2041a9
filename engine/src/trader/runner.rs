//! One strategy at work: the side it wants, the order it waits for, and the next step from one
//! to the other. One order in flight, never two.

use crate::{
    portfolio::{Held, Portfolio},
    risk::{Entry, Open, Risk, RiskRefused},
    strategy::{Reverse, Signal, StrategySettings},
    trader::{Close, Intent, Submit},
};
use mymt5_model::{BrokerTime, Levels, Lots, Price, RequestId, Side, Symbol, SymbolSpec, Tick};
use std::collections::HashMap;

/// Between two tries to close what may not stay open, milliseconds.
const CLOSE_AGAIN_MS: i64 = 1_000;

/// What an entry has to pass.
pub(super) struct Gate<'a> {
    pub(super) risk: &'a mut Risk,
    pub(super) portfolio: &'a mut Portfolio,
    pub(super) specs: &'a HashMap<Symbol, SymbolSpec>,
}

impl Gate<'_> {
    /// The volume of an entry, whose order also closes that position, if any.
    fn admit(&mut self, entry: &Entry<'_>, closes: Option<&Held>) -> Result<Lots, RiskRefused> {
        let open = self.portfolio.open_but(closes.map(|held| held.position_id));
        self.risk.admit(entry, &open, self.specs)
    }
}

pub(super) struct StrategyRunner {
    settings: StrategySettings,
    /// The side to get to; none once it is reached or given up.
    wanted: Option<Signal>,
    waits_for: Option<Waiting>,
    quote: Option<(Price, Price)>,
    /// When it last tried to close what may not stay open.
    closed_out: Option<BrokerTime>,
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
            closed_out: None,
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
    /// one that opened has reached what was wanted: its position may be reported only later. True: it
    /// was to open.
    pub(super) fn end(&mut self, done: bool) -> bool {
        let opens = self.waits_for.take().is_some_and(|waiting| waiting.opens);
        if !done || opens {
            self.wanted = None;
        }
        opens
    }

    /// The next close of what may not stay open; what is wanted is given up.
    pub(super) fn close_out(
        &mut self,
        now: BrokerTime,
        portfolio: &Portfolio,
        new_id: &mut dyn FnMut() -> RequestId,
    ) -> Option<Intent> {
        self.wanted = None;
        let tried = |last: BrokerTime| (0..CLOSE_AGAIN_MS).contains(&(now.0 - last.0));
        if self.waits_for.is_some() || self.closed_out.is_some_and(tried) {
            return None;
        }
        let held = portfolio.of(&self.settings.symbol).next()?;
        let intent = self.close(held, new_id());
        self.closed_out = Some(now);
        self.waits_for = Some(Waiting {
            request_id: intent.request_id().clone(),
            opens: false,
        });
        Some(intent)
    }

    /// The next step towards the wanted side, if there is one to take now.
    pub(super) fn act(
        &mut self,
        spec: &SymbolSpec,
        gate: &mut Gate<'_>,
        new_id: &mut dyn FnMut() -> RequestId,
    ) -> Option<Intent> {
        let wanted = self.wanted.filter(|_| self.waits_for.is_none())?;
        let held: Vec<Held> = gate.portfolio.of(&self.settings.symbol).cloned().collect();
        let turns = self.settings.reverse == Reverse::OneOrder && gate.portfolio.nets();
        let intent = match held.iter().find(|held| held.side != wanted.side) {
            // What may not be turned is closed nevertheless.
            Some(against) if turns => self
                .open(wanted, Some(against), spec, gate, new_id())
                .or_else(|| Some(self.close(against, new_id()))),
            Some(against) => Some(self.close(against, new_id())),
            None if !held.is_empty() => None,
            None => self.open(wanted, None, spec, gate, new_id()),
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

    fn close(&self, held: &Held, request_id: RequestId) -> Intent {
        Intent::Close(Close {
            request_id,
            position_id: held.position_id,
            tag: self.settings.name.clone(),
        })
    }

    /// Opens what is wanted; where there is a position against it, the same order closes that.
    fn open(
        &self,
        Signal { side, distances }: Signal,
        against: Option<&Held>,
        spec: &SymbolSpec,
        gate: &mut Gate<'_>,
        request_id: RequestId,
    ) -> Option<Intent> {
        if !gate.portfolio.may_open() {
            return None;
        }
        let (bid, ask) = self.quote?;
        let spread = (ask.points() - bid.points()).max(0);
        let price = if side == Side::Buy { ask } else { bid };
        let entry = Entry {
            spec,
            side,
            price,
            spread,
            stop: distances.stop.map(|stop| stop + spread),
        };
        let lots = match gate.admit(&entry, against) {
            Ok(lots) => lots,
            Err(refused) => {
                let reason = refused.name();
                metrics::counter!("mymt5_engine_decisions_refused_total", "reason" => reason)
                    .increment(1);
                tracing::warn!(strategy = self.settings.name, %refused, "decision refused by risk");
                return None;
            }
        };
        // Levels are measured from the side that closes the position.
        let closing = if side == Side::Buy { bid } else { ask };
        let level =
            |points: i64| on_grid(closing.moved(points * side.sign()), spec.tick_size_points);
        let stop_loss = distances.stop.map(|stop| level(-stop));
        let sent = Open {
            symbol: spec.symbol.clone(),
            side,
            lots,
            price: price.to_f64(),
            stop: stop_loss.map(Price::to_f64),
            in_flight: true,
        };
        gate.portfolio.send(request_id.clone(), sent);
        Some(Intent::Submit(Submit {
            request_id,
            symbol: self.settings.symbol.clone(),
            side,
            lots: against.map_or(lots, |held| lots.plus(held.lots)),
            levels: Levels {
                stop_loss,
                take_profit: distances.take_profit.map(level),
            },
            tag: self.settings.name.clone(),
        }))
    }
}

fn on_grid(price: Price, tick_points: i64) -> Price {
    price.moved(-(price.points().rem_euclid(tick_points.max(1))))
}
