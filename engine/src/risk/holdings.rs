//! How many positions and lots may be held, of one symbol and in total; what is in flight counts
//! as if it were filled.

use super::{Entry, Facts, Open, RiskRefused, keys};
use mymt5_chassis::loader::Section;
use mymt5_model::Lots;

/// The most that may be held, the entry included; none: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Positions of one symbol.
    pub positions_per_symbol: Option<u32>,
    /// Positions.
    pub positions: Option<u32>,
    /// Lots of one symbol, in both directions.
    pub lots_per_symbol: Option<Lots>,
    /// Lots of all symbols, in both directions.
    pub lots: Option<Lots>,
}

impl Holdings {
    /// Reads its keys.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            positions_per_symbol: keys::count(section, "max_positions_per_symbol"),
            positions: keys::count(section, "max_open_positions"),
            lots_per_symbol: keys::lots(section, "max_lots_per_symbol"),
            lots: keys::lots(section, "max_lots_total"),
        }
    }

    pub(super) fn check(
        &self,
        entry: &Entry<'_>,
        lots: Lots,
        facts: &Facts<'_>,
    ) -> Result<(), RiskRefused> {
        let all = facts.open.iter();
        let same = all.clone().filter(|open| open.symbol == entry.spec.symbol);
        one_more(
            self.positions_per_symbol,
            same.clone().count(),
            RiskRefused::PositionsPerSymbol,
        )?;
        one_more(self.positions, all.len(), RiskRefused::Positions)?;
        at_most(
            self.lots_per_symbol,
            sum(lots, same),
            RiskRefused::LotsPerSymbol,
        )?;
        at_most(self.lots, sum(lots, all), RiskRefused::Lots)
    }
}

fn sum<'a>(lots: Lots, open: impl Iterator<Item = &'a Open>) -> Lots {
    open.fold(lots, |sum, open| sum.plus(open.lots))
}

fn one_more(most: Option<u32>, count: usize, refused: RiskRefused) -> Result<(), RiskRefused> {
    match most {
        Some(most) if count >= most as usize => Err(refused),
        _ => Ok(()),
    }
}

fn at_most(most: Option<Lots>, lots: Lots, refused: RiskRefused) -> Result<(), RiskRefused> {
    match most {
        Some(most) if lots > most => Err(refused),
        _ => Ok(()),
    }
}
