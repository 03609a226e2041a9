//! The rules of the traders: limits, and what the silence of one of them leads to.

use super::{TRADERS, story::Stories};
use crate::{
    ledger::Line,
    scene::Scene,
    verdict::{Finding, Limits, judge_limits},
};
use mymt5_model::Lots;

/// The trader that must not fall silent.
pub(super) const HEARTED: usize = 0;
/// Low enough to be reached all the time.
const LIMITS: [Limits; TRADERS] = [
    Limits {
        lots: Some(Lots::from_units(4 * Lots::SCALE / 100)),
        open: Some(8),
        per_minute: None,
    },
    Limits {
        lots: None,
        open: None,
        per_minute: Some(60),
    },
];

/// The lines of the gateway's configuration in the table of that trader.
pub(super) fn configuration(trader: usize, scene: &Scene) -> String {
    let Some(limits) = LIMITS.get(trader) else {
        return String::new();
    };
    let lots = limits.lots.map(|lots| format!("lots_per_order = {lots}"));
    let open = limits.open.map(|most| format!("open_positions = {most}"));
    let rate = limits
        .per_minute
        .map(|most| format!("orders_per_minute = {most}"));
    let limits = [lots, open, rate].into_iter().flatten();
    let mut text: String = limits
        .map(|limit| format!("limits.max_{limit}\n"))
        .collect();
    if trader == HEARTED {
        text += &format!("dead_man.after_ms = {}\n", scene.silence().as_millis());
    }
    text
}

/// Judges the limits by all that the broker did.
pub(super) fn judge(ledger: &[Line], stories: &Stories) -> Vec<Finding> {
    let decided = stories.decided();
    let traders = LIMITS.iter().enumerate();
    let findings = traders.flat_map(|(trader, limits)| {
        let entries = stories.entries(Some(trader));
        judge_limits(ledger, limits, &entries, &decided)
    });
    findings.collect()
}
