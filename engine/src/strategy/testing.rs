//! A stage for one strategy: what it decides at once becomes what it holds.
#![allow(clippy::unwrap_used)]

use super::{Context, Owner, Plan, Quote, Strategy, Timeframe, View};
use crate::{
    portfolio::{Event, Held, Portfolio},
    trader::tests::spec,
};
use mymt5_model::{Bar, BrokerTime, Levels, Lots, PositionId, Price, Side, SymbolSpec, Tick};

/// What a strategy decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Enter(Side),
    Reverse(Side),
    Exit,
}

/// Closes of a walk from a seed, in points.
pub(super) fn walk(count: usize) -> Vec<i64> {
    let mut state = 1u64;
    let mut close = 110_000;
    let closes = (0..count).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        close += ((state >> 33) % 61) as i64 - 30;
        close
    });
    closes.collect()
}

pub(super) struct Stage {
    strategy: Box<dyn Strategy>,
    portfolio: Portfolio,
    spec: SymbolSpec,
}

impl Stage {
    pub(super) fn of(strategy: impl Strategy + 'static) -> Self {
        Self {
            strategy: Box::new(strategy),
            portfolio: Portfolio::default(),
            spec: spec(),
        }
    }

    /// What it decides on bids of so many points, each by the number of its tick.
    pub(super) fn ticks(&mut self, points: &[i64]) -> Vec<(usize, Said)> {
        let mut said = Vec::new();
        for (at, points) in points.iter().enumerate() {
            let tick = Tick {
                symbol: self.spec.symbol.clone(),
                time: BrokerTime(0),
                bid: Price::from_points(*points, 5),
                ask: Price::from_points(points + 2, 5),
                last: None,
                volume: 0.0,
                flags: 6,
                is_continuous: false,
            };
            let decided = self.tell(*points, |strategy, context| {
                strategy.on_tick(&tick, context);
            });
            said.extend(decided.map(|decided| (at, decided)));
        }
        said
    }

    /// What it decides on bars that close at so many points and open where the one before closed.
    pub(super) fn closes(&mut self, points: &[i64]) -> Vec<(usize, Said)> {
        let mut said = Vec::new();
        let mut open = points[0];
        for (at, close) in points.iter().enumerate() {
            let price = |points: i64| Price::from_points(points, 5);
            let bar = Bar {
                symbol: self.spec.symbol.clone(),
                time: BrokerTime(at as i64 * 3_600_000),
                open: price(open),
                high: price(open.max(*close)),
                low: price(open.min(*close)),
                close: price(*close),
                tick_volume: 1,
                real_volume: 0,
                spread_points: 2,
            };
            open = *close;
            let decided = self.tell(*close, |strategy, context| {
                strategy.on_bar(Timeframe::H1, &bar, context);
            });
            said.extend(decided.map(|decided| (at, decided)));
        }
        said
    }

    fn tell(
        &mut self,
        points: i64,
        tell: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) -> Option<Said> {
        let mut plan = Plan::default();
        let view = View {
            time: BrokerTime(0),
            quote: Some(Quote {
                bid: Price::from_points(points, 5),
                ask: Price::from_points(points + 2, 5),
            }),
            spec: &self.spec,
            owner: Owner {
                symbol: &self.spec.symbol,
                tag: None,
            },
            portfolio: &self.portfolio,
            equity: None,
            is_busy: false,
            is_live: true,
        };
        tell(self.strategy.as_mut(), &mut Context::new(view, &mut plan));
        let said = match plan.entry {
            _ if plan.exit => Some(Said::Exit),
            Some(wanted) if wanted.reverses => Some(Said::Reverse(wanted.entry.side)),
            Some(wanted) => Some(Said::Enter(wanted.entry.side)),
            None => None,
        };
        match said {
            Some(Said::Exit) => {
                let closed = Event::PositionClosed(PositionId(1), None);
                self.portfolio.apply(&closed);
            }
            Some(Said::Enter(side) | Said::Reverse(side)) => self.hold(side, points),
            None => {}
        }
        said
    }

    fn hold(&mut self, side: Side, points: i64) {
        self.portfolio.apply(&Event::PositionChanged(Held {
            position_id: PositionId(1),
            symbol: self.spec.symbol.clone(),
            side,
            lots: Lots::from_f64(0.1).unwrap(),
            open_price: Some(Price::from_points(points, 5)),
            opened: None,
            levels: Levels::default(),
            tag: String::new(),
        }));
    }
}
