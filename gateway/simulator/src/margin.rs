//! Margin and what follows from it: the account's figures, who can afford what, the margin call
//! and the stop-out. Of opposite legs of one symbol only the greater needs margin.

use crate::{Event, Simulator, event::Log, fills::Forced, position::point_lots};
use mymt5_model::{AccountMode, DealReason, Lots, Money, Price, Retcode, Side};

/// Volume that is about to be opened.
#[derive(Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) side: Side,
    pub(crate) lots: Lots,
    pub(crate) price: Price,
}

impl Simulator {
    /// Margin of a volume opened for `point_lots`, not yet rounded.
    pub(crate) fn margin_of(
        &self,
        m: usize,
        lots: Lots,
        point_lots: i128,
        price: Price,
    ) -> Option<Money> {
        let market = &self.markets[m];
        let leverage = f64::from(self.account.leverage);
        if market.margin_is_base {
            let base = Money::from_f64(lots.to_f64() * market.spec.contract_size).ok()?;
            return Some(base.times(1.0 / leverage));
        }
        Some(self.worth(market, point_lots, price)?.times(1.0 / leverage))
    }

    /// Margin of a symbol's positions, with what is about to be opened.
    fn margin_with(&self, m: usize, opening: Option<Opening>) -> Option<Money> {
        let market = &self.markets[m];
        let reverses = |side: Side| {
            self.account.mode == AccountMode::Netting && opening.is_some_and(|o| o.side != side)
        };
        let (mut long, mut short) = (Money::ZERO, Money::ZERO);
        let mut add = |side: Side, margin: Money| match side {
            Side::Buy => long += margin,
            Side::Sell => short += margin,
        };
        for position in market.positions.iter().filter(|p| !reverses(p.side)) {
            let price = market.closing(position.side)?;
            let margin = self.margin_of(m, position.lots, position.point_lots, price)?;
            add(position.side, margin);
        }
        if let Some(o) = opening {
            add(
                o.side,
                self.margin_of(m, o.lots, point_lots(o.price, o.lots), o.price)?,
            );
        }
        Some(long.max(short).rounded(self.account.currency_digits))
    }

    /// Recomputes the floating figures of a symbol.
    pub(crate) fn refresh(&mut self, m: usize) {
        let market = &self.markets[m];
        let floating = market.positions.iter().map(|position| {
            let price = market.closing(position.side);
            let profit = price.and_then(|p| self.worth_rounded(market, position.gain(p), p));
            profit.unwrap_or(Money::ZERO) + position.swap
        });
        let floating = floating.sum();
        let margin = self.margin_with(m, None).unwrap_or(market.margin);
        let market = &mut self.markets[m];
        market.floating = floating;
        market.margin = margin;
    }

    pub(crate) fn floating(&self) -> Money {
        self.markets.iter().map(|market| market.floating).sum()
    }

    /// Margin in use at the current quotes.
    #[must_use]
    pub fn margin(&self) -> Money {
        self.markets.iter().map(|market| market.margin).sum()
    }

    /// Balance, credit and floating profit at the current quotes.
    #[must_use]
    pub fn equity(&self) -> Money {
        self.balance + self.credit + self.floating()
    }

    /// Equity over margin in percent; none without margin in use.
    pub(crate) fn margin_level(&self) -> Option<f64> {
        let margin = self.margin();
        (margin > Money::ZERO).then(|| self.equity().to_f64() / margin.to_f64() * 100.0)
    }

    /// Whether the free margin bears that opening.
    pub(crate) fn afford(&self, m: usize, opening: Opening) -> Result<(), Retcode> {
        if opening.lots.is_zero() {
            return Ok(());
        }
        let after = self
            .margin_with(m, Some(opening))
            .ok_or(Retcode::PRICE_OFF)?;
        let others = self.margin() - self.markets[m].margin;
        if self.equity() < others + after {
            return Err(Retcode::NO_MONEY);
        }
        Ok(())
    }

    /// Tells a margin call once per fall; closes the greatest losers below the stop-out level.
    pub(crate) fn watch_margin(&mut self, log: &mut Log) {
        let Some(level) = self.margin_level() else {
            self.margin_called = false;
            return;
        };
        if level > self.account.margin_call_level {
            self.margin_called = false;
        } else if !self.margin_called {
            self.margin_called = true;
            log.push(Event::MarginCall);
        }
        if level < self.account.stop_out_level {
            self.stop_out(log);
        }
    }

    fn stop_out(&mut self, log: &mut Log) {
        let mut closed = false;
        while let Some(level) = self.margin_level()
            && level < self.account.stop_out_level
            && let Some((m, p, price)) = self.greatest_loser()
        {
            let side = self.markets[m].positions[p].side.opposite();
            let forced = Forced {
                price: self.slipped(m, side, price),
                reason: DealReason::StopOut,
                comment: format!("[so {level:.2}%]"),
            };
            self.close_forced(m, p, &forced, log);
            closed = true;
        }
        if closed {
            log.push(Event::StopOut);
        }
    }

    /// The position with the greatest loss among those whose symbol trades now.
    fn greatest_loser(&self) -> Option<(usize, usize, Price)> {
        let mut greatest: Option<(Money, (usize, usize, Price))> = None;
        for (m, market) in self.markets.iter().enumerate() {
            if market.positions.is_empty() || self.check_tradable(m).is_err() {
                continue;
            }
            for (p, position) in market.positions.iter().enumerate() {
                let price = market.closing(position.side)?;
                let profit = self.worth(market, position.gain(price), price)? + position.swap;
                if greatest.is_none_or(|(least, _)| profit < least) {
                    greatest = Some((profit, (m, p, price)));
                }
            }
        }
        greatest.map(|(_, place)| place)
    }
}
