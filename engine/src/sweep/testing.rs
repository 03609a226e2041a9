//! Samples for the tests of this room.
#![allow(clippy::unwrap_used)]

use super::{Criterion, Figures, Grid, PastFile, Row, Sweep};
use mymt5_model::{BrokerTime, Money};
use std::collections::BTreeMap;

/// The grid of some `--vary`.
pub(super) fn grid(axes: &[&str]) -> Grid {
    Grid::new(axes.iter().map(|axis| axis.parse().unwrap()).collect()).unwrap()
}

/// Figures of one trade with that result.
pub(super) fn figures(net: f64) -> Figures {
    let money = Money::from_f64(net).unwrap();
    let lost = if net < 0.0 { money } else { Money::ZERO };
    Figures {
        orders: 2,
        trades: 1,
        won: u64::from(net > 0.0),
        net_profit: money,
        gross_profit: money - lost,
        gross_loss: lost,
        max_drawdown: -lost,
        profit_factor: (net < 0.0).then_some(0.0),
        ..Figures::default()
    }
}

/// A point that made so much in each part, and their sum in the whole past.
pub(super) fn row(point: usize, nets: &[f64]) -> Row {
    Row {
        point,
        values: vec![point.to_string()],
        figures: Some(figures(nets.iter().sum())),
        parts: nets.iter().map(|net| figures(*net)).collect(),
        misfit: None,
    }
}

/// A sweep of that grid over a past of two parts.
pub(super) fn sweep(grid: Grid) -> Sweep {
    Sweep {
        engine: "0.0.0".to_owned(),
        vary: grid,
        by: Criterion::NetProfit,
        walk_forward: 1,
        files: vec![PastFile {
            name: "EURUSD.csv".to_owned(),
            bytes: 9,
            ends: "abc".to_owned(),
        }],
        symbols: vec!["EURUSD".to_owned()],
        first: BrokerTime(0),
        last: BrokerTime(199),
        ticks: 200,
        notes: vec!["Made of <bars>.".to_owned()],
        currency: "USD".to_owned(),
        settings: BTreeMap::new(),
    }
}
