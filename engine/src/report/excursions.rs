//! How far trades went before they ended: what each made, by its best and by its worst moment.

use super::{
    charts::{Figure, range},
    record::Record,
    svg::{Chart, Plane, plain, ticks},
    text::number,
};
use std::{collections::BTreeSet, fmt::Write};

/// Side of the squares of which each has one mark at most.
const SQUARE: f64 = 4.0;

/// What trades made by their MFE and by their MAE. Empty: they are not known.
pub(super) fn excursions(record: &Record) -> Vec<Figure> {
    let known = || {
        let trades = record.trades.iter();
        trades.filter_map(|trade| Some((trade.excursion?, trade.net())))
    };
    let favorable: Vec<(f64, f64)> = known()
        .map(|(excursion, net)| (excursion.favorable, net))
        .collect();
    let adverse: Vec<(f64, f64)> = known()
        .map(|(excursion, net)| (excursion.adverse, net))
        .collect();
    let charts = [
        scatter("mfe", "Results by maximum favorable excursion", &favorable),
        scatter("mae", "Results by maximum adverse excursion", &adverse),
    ];
    charts.into_iter().flatten().collect()
}

/// Marks at pairs of an excursion and a result. None: there are none.
fn scatter(id: &str, title: &str, pairs: &[(f64, f64)]) -> Option<Figure> {
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let pairs: Vec<(f64, f64)> = pairs.iter().filter(finite).copied().collect();
    let (low, high) = range(pairs.iter().map(|(_, net)| *net));
    let (left, right) = range(pairs.iter().map(|(excursion, _)| *excursion));
    if pairs.is_empty() {
        return None;
    }
    let left = left.min(0.0);
    let right = right.max(0.0);
    let right = if right > left { right } else { 1.0 };
    let plane = Plane::new(260.0, low.min(0.0), high.max(0.0));
    let mut chart = Chart::new(plane, plain);
    let x = |excursion: f64| Plane::x_share((excursion - left) / (right - left));
    let (names, decimals) = ticks(left, right, 10.0);
    for name in names {
        chart.name_below(x(name), &number(name, decimals));
    }
    for (class, gains) in [("bar loss", false), ("bar gain", true)] {
        let of_kind = pairs.iter().filter(|(_, net)| (*net > 0.0) == gains);
        let places = of_kind.map(|(excursion, net)| (x(*excursion), plane.y(*net)));
        chart.path(class, &marks(places));
    }
    let description = format!(
        "{} trades that made between {} and {}, at excursions between {} and {}.",
        pairs.len(),
        number(low, 2),
        number(high, 2),
        number(left, 2),
        number(right, 2)
    );
    Some(Figure {
        svg: chart.finish(id, title, &description),
        id: id.to_owned(),
        title: title.to_owned(),
        legend: vec![("loss", "Loss"), ("gain", "Profit")],
    })
}

/// A mark at each place, one at most in a square.
fn marks(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    let mut drawn = BTreeSet::new();
    for (x, y) in places {
        if drawn.insert(((x / SQUARE) as i64, (y / SQUARE) as i64)) {
            let _ = write!(path, "M{x:.0} {y:.0}m-1.5-1.5h3v3h-3z");
        }
    }
    path
}
