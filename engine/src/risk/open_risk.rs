//! How much may be lost if all stops were hit: in total, in one symbol, and in one currency. A stop
//! beyond the opening price risks nothing; a position without a stop risks nobody knows what.

use super::{Entry, Facts, Open, RiskRefused, Sizing, facts::worth, keys::PERCENT};
use mymt5_chassis::loader::Section;
use mymt5_guard::Percent;
use mymt5_model::{Lots, SymbolSpec};

/// The most that may be at risk, the entry included, in percent of equity; none: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpenRisk {
    /// In one symbol.
    pub per_symbol: Option<Percent>,
    /// In all symbols that have one currency, whether they gain or lose by it.
    pub per_currency: Option<Percent>,
    /// In all.
    pub total: Option<Percent>,
}

/// What is at risk in a symbol, in the account's currency.
struct AtRisk<'a> {
    spec: &'a SymbolSpec,
    amount: f64,
}

impl OpenRisk {
    /// Reads its keys.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            per_symbol: section.optional("max_open_risk_per_symbol_percent", PERCENT),
            per_currency: section.optional("max_open_risk_per_currency_percent", PERCENT),
            total: section.optional("max_open_risk_percent", PERCENT),
        }
    }

    pub(super) fn check(
        &self,
        entry: &Entry<'_>,
        lots: Lots,
        facts: &Facts<'_>,
        sizing: &Sizing,
    ) -> Result<(), RiskRefused> {
        if *self == Self::default() {
            return Ok(());
        }
        let equity = facts.equity()?;
        let points = entry.at_risk().ok_or(RiskRefused::StopMissing)?;
        let own = sizing.loss_per_lot(worth(entry.spec, points as f64)?) * lots.to_f64();
        let held = facts.open.iter().map(|open| at_risk(open, facts, sizing));
        let held: Vec<AtRisk<'_>> = held.collect::<Result<_, _>>()?;
        let within = |limit: Option<Percent>, counts: &dyn Fn(&SymbolSpec) -> bool, refused| {
            let same = held.iter().filter(|held| counts(held.spec));
            let sum = own + same.map(|held| held.amount).sum::<f64>();
            match limit {
                Some(share) if sum > equity * share.get() / 100.0 => Err(refused),
                _ => Ok(()),
            }
        };
        let symbol = &entry.spec.symbol;
        within(
            self.per_symbol,
            &|spec| spec.symbol == *symbol,
            RiskRefused::OpenRiskPerSymbol,
        )?;
        for currency in [&entry.spec.base_currency, &entry.spec.quote_currency] {
            within(
                self.per_currency,
                &|spec| spec.base_currency == *currency || spec.quote_currency == *currency,
                RiskRefused::OpenRiskPerCurrency,
            )?;
        }
        within(self.total, &|_| true, RiskRefused::OpenRisk)
    }
}

/// What all that is open may lose, as a share of equity.
pub(super) fn share(facts: &Facts<'_>, sizing: &Sizing) -> Result<f64, RiskRefused> {
    let held = facts.open.iter().map(|open| at_risk(open, facts, sizing));
    let amounts = held.map(|held| held.map(|held| held.amount));
    let sum: f64 = amounts.sum::<Result<f64, RiskRefused>>()?;
    Ok(sum / facts.equity()?)
}

fn at_risk<'a>(open: &Open, facts: &Facts<'a>, sizing: &Sizing) -> Result<AtRisk<'a>, RiskRefused> {
    let spec = facts.specs.get(&open.symbol);
    let known = spec.zip(open.price).zip(open.stop);
    let ((spec, price), stop) = known.ok_or(RiskRefused::OpenRiskUnknown)?;
    let points = (price.points() - stop.points()) * open.side.sign();
    let of_move = worth(spec, points.max(0) as f64)?;
    Ok(AtRisk {
        spec,
        amount: sizing.loss_per_lot(of_move) * open.lots.to_f64(),
    })
}
