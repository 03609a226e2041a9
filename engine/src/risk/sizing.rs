//! How many lots: from the stop's distance, or fixed; floored to the volume grid, never a guess.

use super::{
    RiskRefused,
    budget::Budget,
    facts::{Entry, Facts, worth},
    keys::{self, PERCENT},
};
use mymt5_chassis::loader::Section;
use mymt5_guard::Percent;
use mymt5_model::Lots;
use serde::{Deserialize, Serialize};

/// How the volume of an entry is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizing {
    /// What it follows from.
    pub by: SizeBy,
    /// Most lots of one trade; none: the symbol's own maximum.
    pub max_lots: Option<Lots>,
    /// Commission of one lot one way, in the account's currency; 0 or more.
    pub commission_per_lot: f64,
}

/// What the volume follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SizeBy {
    /// Always so many, whatever the stop; an entry without one is taken, too.
    Fixed(Lots),
    /// At the stop, at most that part of equity or balance is lost.
    Share(Percent, Capital),
    /// At the stop, at most so much is lost, in the account's currency.
    Amount(f64),
}

/// What a percentage is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capital {
    /// The equity.
    #[default]
    Equity,
    /// The balance.
    Balance,
}

impl Sizing {
    /// Reads its keys.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let part = "max_per_trade";
        let percent = Percent::try_from(section.or(part, PERCENT, 0.5));
        if percent.is_err() {
            section.reject(part, "is out of range", format!("set it to {PERCENT}"));
        }
        let capital = section.or(
            "max_per_trade_base",
            "\"equity\" or \"balance\"",
            Capital::default(),
        );
        let lots = keys::lots(section, "lots");
        let amount = keys::amount(section, "max_per_trade_amount");
        if lots.is_some() && amount.is_some() {
            section.reject(
                "lots",
                "stands beside max_per_trade_amount",
                "remove one of both",
            );
        }
        let max_lots = keys::lots(section, "max_lots");
        let commission_per_lot = section.ranged(
            "commission_per_lot",
            "in the account currency",
            0.0,
            0.0..=10_000.0,
        );
        let by = match (lots, amount) {
            (Some(lots), _) => SizeBy::Fixed(lots),
            (None, Some(amount)) => SizeBy::Amount(amount.to_f64()),
            (None, None) => SizeBy::Share(percent.ok()?, capital),
        };
        Some(Self {
            by,
            max_lots,
            commission_per_lot: commission_per_lot?,
        })
    }

    /// The entry's volume.
    ///
    /// # Errors
    /// Whatever is missing refuses the trade.
    pub(super) fn lots(&self, entry: &Entry<'_>, facts: &Facts<'_>) -> Result<Lots, RiskRefused> {
        let most = match self.by {
            SizeBy::Fixed(lots) => lots.to_f64(),
            SizeBy::Share(percent, capital) => {
                let of = match capital {
                    Capital::Equity => facts.equity()?,
                    Capital::Balance => facts.balance()?,
                };
                self.lots_that_lose(of * percent.get() / 100.0, entry, facts)?
            }
            SizeBy::Amount(amount) => self.lots_that_lose(amount, entry, facts)?,
        };
        let capped = self.max_lots.map_or(most, |cap| most.min(cap.to_f64()));
        let grid = &entry.spec.volume;
        let lots = grid.floor(capped).ok_or(RiskRefused::VolumeTooSmall)?;
        let of_order = lots.plus(entry.closes);
        let fits = entry.closes.is_zero() || grid.floor(of_order.to_f64()) == Some(of_order);
        fits.then_some(lots).ok_or(RiskRefused::ReversalVolume)
    }

    /// The volume that loses at most what the strategy may risk of that amount.
    fn lots_that_lose(
        &self,
        most: f64,
        entry: &Entry<'_>,
        facts: &Facts<'_>,
    ) -> Result<f64, RiskRefused> {
        let amount = match entry.budget {
            Budget::Share(share) => most * (share / 100.0),
            Budget::Own(percent) => most.min(facts.equity()? * percent / 100.0),
        };
        let points = entry.at_risk().ok_or(RiskRefused::StopMissing)?;
        // A hair below, since the floor forgives half a unit of rounding upwards. Volumes that are
        // given need none: they are whole numbers of units.
        Ok(amount / self.loss_per_lot(worth(entry.spec, points.max(1) as f64)?) - 1e-8)
    }

    /// What one lot loses where its move loses so much: the commission of both ways comes on top.
    pub(super) fn loss_per_lot(&self, of_move: f64) -> f64 {
        of_move + 2.0 * self.commission_per_lot
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::risk::testing::{entry, facts};
    use crate::trader::tests::spec;
    use mymt5_model::SymbolSpec;
    use proptest::prelude::*;

    fn percent(percent: f64) -> Sizing {
        Sizing {
            by: SizeBy::Share(Percent::try_from(percent).unwrap(), Capital::Equity),
            max_lots: None,
            commission_per_lot: 0.0,
        }
    }

    fn lots(lots: f64) -> Lots {
        Lots::from_f64(lots).unwrap()
    }

    fn size(sizing: Sizing, equity: f64, stop: i64) -> Result<Lots, RiskRefused> {
        let spec = spec();
        sizing.lots(&entry(&spec, Some(stop)), &facts(equity))
    }

    #[test]
    fn the_stop_the_spread_and_the_commission_count() {
        // One lot of EURUSD loses 1 USD per point. Beside the stop: a spread of 2 and one tick.
        assert_eq!(size(percent(1.000_01), 10_000.0, 197), Ok(lots(0.5)));
        let paid = Sizing {
            commission_per_lot: 25.0,
            ..percent(1.000_01)
        };
        assert_eq!(size(paid, 10_000.0, 197), Ok(lots(0.4)));
    }

    #[test]
    fn a_sum_and_the_balance_may_be_what_is_risked() {
        let amount = Sizing {
            by: SizeBy::Amount(50.001),
            ..percent(1.0)
        };
        assert_eq!(size(amount, 10_000.0, 197), Ok(lots(0.25)));
        let balance = Sizing {
            by: SizeBy::Share(Percent::try_from(1.000_01).unwrap(), Capital::Balance),
            ..percent(1.0)
        };
        let spec = spec();
        let mut known = facts(5_000.0);
        let account = known.account.as_mut().unwrap();
        account.balance = mymt5_model::Money::from_f64(10_000.0).unwrap();
        let sized = balance.lots(&entry(&spec, Some(197)), &known);
        assert_eq!(sized, Ok(lots(0.5)));
    }

    #[test]
    fn a_strategy_may_risk_a_part_of_the_whole_and_a_fixed_volume_stays() {
        let spec = spec();
        let fixed = SizeBy::Fixed(lots(0.5));
        let percent = SizeBy::Share(Percent::try_from(1.000_01).unwrap(), Capital::Equity);
        let amount = SizeBy::Amount(100.001);
        for (by, budget, expected) in [
            (percent, Budget::Share(50.0), 0.25),
            (percent, Budget::Own(0.5), 0.24),
            (percent, Budget::Own(2.0), 0.5),
            (amount, Budget::Share(50.0), 0.25),
            (amount, Budget::Own(0.5), 0.24),
            (amount, Budget::Own(2.0), 0.5),
            (fixed, Budget::Share(50.0), 0.5),
            (fixed, Budget::Own(0.5), 0.5),
        ] {
            let sizing = Sizing {
                by,
                max_lots: None,
                commission_per_lot: 0.0,
            };
            let entry = Entry {
                budget,
                ..entry(&spec, Some(197))
            };
            let sized = sizing.lots(&entry, &facts(10_000.0));
            assert_eq!(sized, Ok(lots(expected)), "{by:?} {budget:?}");
        }
    }

    #[test]
    fn one_order_of_both_sides_is_refused_where_its_volume_does_not_fit() {
        let fixed = Sizing {
            by: SizeBy::Fixed(lots(60.0)),
            ..percent(1.0)
        };
        let spec = spec();
        let size = |closes| {
            let entry = Entry {
                closes: lots(closes),
                ..entry(&spec, None)
            };
            fixed.lots(&entry, &facts(10_000.0))
        };
        assert_eq!(size(40.0), Ok(lots(60.0)));
        assert_eq!(size(40.01), Err(RiskRefused::ReversalVolume));
        assert_eq!(size(0.005), Err(RiskRefused::ReversalVolume));
    }

    #[test]
    fn a_fixed_volume_asks_for_no_stop_and_for_no_account() {
        let fixed = Sizing {
            by: SizeBy::Fixed(lots(0.1)),
            ..percent(1.0)
        };
        let spec = spec();
        let mut unknown = facts(0.0);
        unknown.account = None;
        assert_eq!(fixed.lots(&entry(&spec, None), &unknown), Ok(lots(0.1)));
        let by_stop = percent(1.0).lots(&entry(&spec, None), &facts(10_000.0));
        assert_eq!(by_stop, Err(RiskRefused::StopMissing));
    }

    #[test]
    fn the_cap_itself_may_be_traded() {
        for cap in [0.01, 0.07, 0.29, 1.0, 8.2] {
            let capped = Sizing {
                max_lots: Some(lots(cap)),
                ..percent(50.0)
            };
            assert_eq!(size(capped, 1e6, 200), Ok(lots(cap)));
        }
    }

    #[test]
    fn what_is_missing_refuses() {
        let mut unknown = facts(1.0);
        unknown.account = None;
        let spec = spec();
        let of_nothing = percent(1.0).lots(&entry(&spec, Some(200)), &unknown);
        assert_eq!(of_nothing, Err(RiskRefused::AccountUnknown));
        let negative = size(percent(1.0), -5.0, 200);
        assert_eq!(negative, Err(RiskRefused::AccountUnknown));
        assert_eq!(
            size(percent(0.001), 100.0, 200),
            Err(RiskRefused::VolumeTooSmall)
        );
        let without_rate = SymbolSpec {
            tick_value: None,
            ..spec
        };
        let of_no_value = percent(1.0).lots(&entry(&without_rate, Some(200)), &facts(1e4));
        assert_eq!(of_no_value, Err(RiskRefused::TickValueUnknown));
    }

    proptest! {
        #[test]
        fn never_risks_more_than_allowed(
            share in 0.01f64..100.0,
            equity in 1.0f64..1e7,
            stop in 1i64..5_000,
            commission in 0.0f64..20.0,
        ) {
            let sizing = Sizing { commission_per_lot: commission, ..percent(share) };
            if let Ok(lots) = size(sizing, equity, stop) {
                let at_stop = lots.to_f64() * (stop as f64 + 2.0 * commission);
                prop_assert!(at_stop <= equity * share / 100.0 * (1.0 + 1e-9));
            }
        }
    }
}
