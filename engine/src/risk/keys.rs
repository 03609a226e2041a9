//! How the rules read what several of them have: volumes, amounts, counts.

use mymt5_chassis::loader::Section;
use mymt5_model::{Lots, Money};

pub(super) const PERCENT: &str = "a percentage above 0 and at most 100";
pub(super) const COUNT: &str = "a count above 0";
pub(super) const POINTS: &str = "points";

pub(super) fn lots(section: &mut Section<'_>, part: &str) -> Option<Lots> {
    let lots: f64 = section.optional(part, "lots")?;
    let lots = Lots::from_f64(lots).ok().filter(|lots| !lots.is_zero());
    if lots.is_none() {
        section.reject(
            part,
            "is not a volume above 0",
            "set it to lots above 0, or remove it",
        );
    }
    lots
}

pub(super) fn amount(section: &mut Section<'_>, part: &str) -> Option<Money> {
    let amount: f64 = section.optional(part, "an amount in the account currency")?;
    let amount = Money::from_f64(amount).ok();
    let amount = amount.filter(|amount| *amount > Money::ZERO);
    if amount.is_none() {
        section.reject(
            part,
            "is not an amount above 0",
            "set it to an amount above 0, or remove it",
        );
    }
    amount
}

pub(super) fn count(section: &mut Section<'_>, part: &str) -> Option<u32> {
    let count: u32 = section.optional(part, COUNT)?;
    if count == 0 {
        section.reject(part, "is 0", format!("set it to {COUNT}, or remove it"));
    }
    Some(count)
}
