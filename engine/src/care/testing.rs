//! Facts and settings for the tests of care.
#![allow(clippy::unwrap_used)]

use super::{CareSettings, Facts};
use mymt5_chassis::loader::{Environment, Reader};
use mymt5_model::{BrokerTime, Levels, Lots, Price, Side, SymbolSpec};

pub(crate) fn price(points: i64) -> Price {
    Price::from_points(points, 5)
}

/// A position of 0.49 lots that opened at 1.00000 with a stop loss 200 points away, and would be
/// closed at so many points.
pub(crate) fn facts(spec: &SymbolSpec, side: Side, closing: i64) -> Facts<'_> {
    let open = price(100_000);
    Facts {
        spec,
        now: BrokerTime(0),
        side,
        lots: Lots::from_f64(0.49).unwrap(),
        open: Some(open),
        levels: Levels {
            stop_loss: Some(open.moved(-200 * side.sign())),
            take_profit: None,
        },
        closing: price(closing),
        best: price(closing),
        since: Some(BrokerTime(0)),
        risk: Some(200),
        atr: None,
        may_close: true,
        may_move: true,
        may_reduce: true,
    }
}

/// The settings of a strategy with these keys, such as `trailing.points = 150`.
pub(crate) fn settings(keys: &str) -> CareSettings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("engine.toml");
    std::fs::write(&file, format!("[care]\n{keys}\n")).unwrap();
    let environment = Environment::from_pairs([("", ""); 0]);
    let mut reader = Reader::open(&crate::settings::TABLE, &file, environment).unwrap();
    let settings = CareSettings::read(&mut reader.section("care"));
    reader.finish().unwrap();
    settings
}
