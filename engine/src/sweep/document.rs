//! A sweep as programs and people read it, without a page.

use super::{Criterion, Figures, Fold, Row, Sweep, Swept};
use crate::report::cell;
use serde::Serialize;

const KIND: &str = "mymt5_sweep";
/// What a file of all begins with.
pub(super) const JSON_BEGIN: &str = "{\n  \"kind\": \"mymt5_sweep\"";
/// What a file of points begins with.
pub(super) const CSV_BEGIN: &str = "point,";
/// Most points that are printed: the best.
const PRINTED: usize = 20;

/// The figures that a table of points has.
pub(super) const HEADS: [&str; 7] = [
    "Net profit",
    "Profit factor",
    "Sharpe",
    "Recovery",
    "Drawdown",
    "Trades",
    "Won",
];

/// The figures of a point as its table has them; what has no value is a dash.
pub(super) fn cells(figures: &Figures) -> [String; 7] {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(dash, |ratio| format!("{ratio:.2}"));
    [
        figures.net_profit.to_string(),
        ratio(figures.profit_factor),
        ratio(figures.sharpe_ratio),
        ratio(figures.recovery_factor),
        figures.max_drawdown.to_string(),
        figures.trades.to_string(),
        figures.won.to_string(),
    ]
}

/// The figure that is chosen by.
pub(super) fn chosen_by(by: Criterion, figures: &Figures) -> String {
    let figure = by.figure(figures);
    figure.map_or_else(dash, |figure| format!("{figure:.2}"))
}

fn dash() -> String {
    "-".to_owned()
}

#[derive(Serialize)]
struct Document<'a> {
    /// What the file is, for who finds it.
    kind: &'static str,
    sweep: &'a Sweep,
    /// The best point. Null: no point has the figure to choose by.
    best: Option<usize>,
    walk_forward: Vec<Fold<'a>>,
    points: &'a [Row],
}

pub(super) fn json(swept: &Swept) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Document {
        kind: KIND,
        sweep: swept.sweep(),
        best: swept.best().map(|row| row.point),
        walk_forward: swept.folds(),
        points: swept.rows(),
    })
}

/// The points, one a line (RFC 4180). What has no value is empty.
pub(super) fn csv(swept: &Swept) -> String {
    let axes = swept.sweep().vary.axes();
    let keys: Vec<String> = axes.iter().map(|axis| cell(&axis.key)).collect();
    let mut text = format!(
        "{CSV_BEGIN}{},orders,trades,won,net_profit,gross_profit,gross_loss,max_drawdown,\
         profit_factor,recovery_factor,sharpe_ratio,misfit\n",
        keys.join(",")
    );
    for row in swept.rows() {
        let mut cells = vec![row.point.to_string()];
        cells.extend(row.values.iter().map(|value| value_cell(value)));
        cells.extend(row.figures.as_ref().map_or_else(no_figures, all_figures));
        cells.push(cell(row.misfit.as_deref().unwrap_or_default()));
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A value is a number as it stands, also below 0; any other text is made harmless.
fn value_cell(value: &str) -> String {
    if value.parse::<f64>().is_ok() {
        value.to_owned()
    } else {
        cell(value)
    }
}

fn all_figures(figures: &Figures) -> [String; 10] {
    let ratio = |ratio: Option<f64>| ratio.map(|ratio| ratio.to_string()).unwrap_or_default();
    [
        figures.orders.to_string(),
        figures.trades.to_string(),
        figures.won.to_string(),
        figures.net_profit.to_string(),
        figures.gross_profit.to_string(),
        figures.gross_loss.to_string(),
        figures.max_drawdown.to_string(),
        ratio(figures.profit_factor),
        ratio(figures.recovery_factor),
        ratio(figures.sharpe_ratio),
    ]
}

fn no_figures() -> [String; 10] {
    std::array::from_fn(|_| String::new())
}

/// The best points and the walk forward, in columns.
pub(super) fn lines(swept: &Swept) -> Vec<String> {
    let mut lines = vec![summary(swept), String::new()];
    lines.extend(aligned(&points(swept)));
    let folds = swept.folds();
    if !folds.is_empty() {
        lines.push(String::new());
        lines.extend(aligned(&walk(swept, &folds)));
    }
    lines
}

/// How many points there are, and how they were judged.
pub(super) fn summary(swept: &Swept) -> String {
    let sweep = swept.sweep();
    let left_out = swept.rows().iter().filter(|row| row.figures.is_none());
    format!(
        "{} points from {} to {}, the best by {} first; {} of values that do not fit together",
        sweep.vary.count(),
        sweep.first,
        sweep.last,
        sweep.by,
        left_out.count()
    )
}

fn keys(swept: &Swept) -> impl Iterator<Item = String> {
    let axes = swept.sweep().vary.axes().iter();
    axes.map(|axis| axis.key.clone())
}

fn points(swept: &Swept) -> Vec<Vec<String>> {
    let mut table = vec![Vec::from_iter(keys(swept).chain(HEADS.map(str::to_owned)))];
    for row in swept.ranked().into_iter().take(PRINTED) {
        let figures = row.figures.iter().flat_map(cells);
        table.push(row.values.iter().cloned().chain(figures).collect());
    }
    table
}

fn walk(swept: &Swept, folds: &[Fold<'_>]) -> Vec<Vec<String>> {
    let heads = ["in sample from", "out of sample from", "to"].map(str::to_owned);
    let results = ["in sample", "out of sample", "net profit"].map(str::to_owned);
    let mut table = vec![Vec::from_iter(
        heads.into_iter().chain(keys(swept)).chain(results),
    )];
    for fold in folds {
        let mut line = vec![
            fold.in_sample.from.to_string(),
            fold.out_of_sample.from.to_string(),
            fold.out_of_sample.to.to_string(),
        ];
        match &fold.chosen {
            Some(chosen) => {
                let by = swept.sweep().by;
                line.extend(chosen.values.iter().cloned());
                line.push(chosen_by(by, chosen.in_sample));
                line.push(chosen_by(by, chosen.out_of_sample));
                line.push(chosen.out_of_sample.net_profit.to_string());
            }
            None => line.resize_with(table[0].len(), dash),
        }
        table.push(line);
    }
    table
}

/// Lines of columns, each as wide as its widest cell, flush right.
fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = table.iter().filter_map(|line| line.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        cells.join("  ")
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{grid, row, sweep};

    fn swept() -> Swept {
        let misfit = Row {
            figures: None,
            parts: Vec::new(),
            misfit: Some("a: does not fit, \"b\"".to_owned()),
            ..row(2, &[])
        };
        let rows = vec![row(1, &[4.0, 3.0]), misfit, row(0, &[5.0, -9.0])];
        Swept::new(sweep(grid(&["a=0..2"])), rows)
    }

    #[test]
    fn the_best_come_first_for_people_and_points_in_order_for_programs() {
        let lines = swept().lines();
        assert_eq!(
            lines[0],
            "3 points from 1970-01-01T00:00:00.000 to 1970-01-01T00:00:00.199, the best by net profit first; 1 of values that do not fit together"
        );
        let begins = |line: &str, value: &str| line.split_whitespace().next() == Some(value);
        assert!(
            begins(&lines[3], "1") && begins(&lines[4], "0"),
            "{lines:?}"
        );
        assert_eq!(lines[2].len(), lines[3].len());
        let walk = lines.last().unwrap();
        assert!(walk.ends_with(" -9.00"), "{walk}");
        let json: serde_json::Value = serde_json::from_str(&swept().json().unwrap()).unwrap();
        assert_eq!(json["best"], 1);
        assert_eq!(json["points"][0]["figures"]["net_profit"], -4.0);
        assert_eq!(json["points"][2]["figures"], serde_json::Value::Null);
        let chosen = &json["walk_forward"][0]["chosen"];
        assert_eq!(chosen["point"], 0);
        assert_eq!(chosen["out_of_sample"]["net_profit"], -9.0);
    }

    #[test]
    fn the_csv_has_every_point_and_why_it_was_left_out() {
        let csv = swept().csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].starts_with("point,a,orders,"), "{csv}");
        assert_eq!(lines[1], "0,0,2,1,0,-4.00,0.00,-4.00,4.00,0,,,");
        assert_eq!(lines[3], "2,2,,,,,,,,,,,\"a: does not fit, \"\"b\"\"\"");
        assert_eq!(value_cell("-0.5"), "-0.5");
        assert_eq!(value_cell("=1+1"), "'=1+1");
    }

    #[test]
    fn files_begin_as_they_are_known_by() {
        assert!(swept().json().unwrap().starts_with(JSON_BEGIN));
        assert!(swept().csv().starts_with(CSV_BEGIN));
    }
}
