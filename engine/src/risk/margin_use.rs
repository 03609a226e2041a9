//! How much margin may be used. What an entry takes is estimated by the account's leverage, as
//! brokers count it for currencies; the gateway's own limit asks the broker.

use super::{Entry, Facts, Open, RiskRefused, facts::worth, keys::PERCENT};
use mymt5_chassis::loader::Section;
use mymt5_guard::Percent;
use mymt5_model::{Lots, Price, SymbolSpec};

/// The most margin in use after the entry, of equity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginUse(pub Percent);

impl MarginUse {
    /// Reads its key.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let most = section.optional("max_margin_use_percent", PERCENT);
        most.map(Self)
    }

    pub(super) fn check(
        self,
        entry: &Entry<'_>,
        lots: Lots,
        facts: &Facts<'_>,
    ) -> Result<(), RiskRefused> {
        let equity = facts.equity()?;
        let account = facts.account.ok_or(RiskRefused::AccountUnknown)?;
        if account.leverage == 0 {
            return Err(RiskRefused::MarginUnknown);
        }
        let mut sum = value(entry.spec, entry.price, lots)?;
        // Of a position that grew, the account's margin has a part: that one counts twice for a moment.
        let takes_more = |open: &&Open| open.in_flight || open.unmeasured;
        for open in facts.open.iter().filter(takes_more) {
            let spec = facts.specs.get(&open.symbol);
            let known = spec.zip(open.price);
            let (spec, price) = known.ok_or(RiskRefused::MarginUnknown)?;
            sum += value(spec, price, open.lots)?;
        }
        let after = account.margin.to_f64() + sum / f64::from(account.leverage);
        if after > equity * self.0.get() / 100.0 {
            return Err(RiskRefused::Margin);
        }
        Ok(())
    }
}

/// What so many lots are worth, in the account's currency.
fn value(spec: &SymbolSpec, price: Price, lots: Lots) -> Result<f64, RiskRefused> {
    Ok(worth(spec, price.points() as f64)? * lots.to_f64())
}
