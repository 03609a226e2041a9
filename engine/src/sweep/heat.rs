//! The heat map: how good the points of two keys are. Where there are more keys, a cell is the best of
//! its points.

use super::{Axis, Row, Swept, criterion::Score, document::chosen_by};
use crate::report::{escape, tone};
use std::{collections::BTreeMap, fmt::Write};

/// Width of the map, in its own units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 44.0;
/// Most cells in a row or a column: neighbouring values share one beyond that.
const MOST: usize = 48;
/// Most values that are named along an edge.
const NAMED: usize = 16;
/// A cell of that width has its figure in it.
const ROOM: f64 = 64.0;

/// One edge of the map.
struct Edge<'a> {
    /// Which key. None: there is but one row.
    axis: Option<(usize, &'a Axis)>,
    cells: usize,
}

impl<'a> Edge<'a> {
    fn of(axis: Option<(usize, &'a Axis)>) -> Self {
        let values = axis.map_or(1, |(_, axis)| axis.values.len());
        Self {
            axis,
            cells: values.min(MOST),
        }
    }

    /// The cell of a point.
    fn cell(&self, swept: &Swept, row: &Row) -> usize {
        let at = |(axis, of): (usize, &Axis)| {
            let value = swept.sweep().vary.at(row.point, axis);
            value * self.cells / of.values.len()
        };
        self.axis.map_or(0, at)
    }

    /// The cells that are named, with the first of their values.
    fn names(&self) -> Vec<(usize, &'a str)> {
        let Some((_, axis)) = self.axis else {
            return Vec::new();
        };
        let values = axis.values.len();
        let cells = (0..self.cells).step_by(self.cells.div_ceil(NAMED));
        // The first value whose cell it is.
        let first = |cell: usize| (cell * values).div_ceil(self.cells);
        let names = cells.map(|cell| (cell, axis.values[first(cell)].as_str()));
        names.collect()
    }
}

/// The best score of a cell, and its point.
type Best<'a> = (Score, &'a Row);

/// How large a cell is.
#[derive(Clone, Copy)]
struct Size {
    width: f64,
    height: f64,
}

/// The map of the first two keys that have several values. None: there is none, or no point has the
/// figure to choose by.
pub(super) fn map(swept: &Swept) -> Option<String> {
    let axes = swept.sweep().vary.axes().iter().enumerate();
    let mut several = axes.filter(|(_, axis)| axis.values.len() > 1);
    let across = Edge::of(Some(several.next()?));
    let down = Edge::of(several.next());
    let cells = best_of_cells(swept, &across, &down);
    let best = swept.best()?.point;
    let neutral = swept.sweep().by.neutral();
    let spreads = cells
        .values()
        .map(|(score, _)| (score.value - neutral).abs());
    let most = spreads
        .filter(|spread| spread.is_finite())
        .fold(0.0, f64::max);
    let size = Size {
        width: (WIDTH - LEFT - RIGHT) / across.cells as f64,
        height: (420.0 / down.cells as f64).clamp(9.0, 36.0),
    };
    let mut body = String::new();
    for ((y, x), (score, row)) in &cells {
        let left = LEFT + *x as f64 * size.width;
        let top = TOP + *y as f64 * size.height;
        let gain = score.value - neutral;
        let strength = if gain.is_infinite() {
            1.0
        } else if most > 0.0 {
            gain.abs() / most
        } else {
            0.0
        };
        let mark = if row.point == best { " best" } else { "" };
        let tone = tone(gain);
        let percent = strength * 90.0;
        let look = format!("class=\"heat {tone}{mark}\" style=\"--s:{percent:.0}%\"");
        body.push_str(&cell(swept, row, &look, (left, top), size));
    }
    let bottom = TOP + down.cells as f64 * size.height;
    body.push_str(&names(&across, &down, size, bottom));
    Some(format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.1}\" role=\"img\" aria-labelledby=\"heat-t\">\n\
         <title id=\"heat-t\">{}</title>\n{body}</svg>\n",
        bottom + BOTTOM,
        escape(&format!("The best {} of each cell", swept.sweep().by))
    ))
}

/// The best point of each cell, by row and column.
fn best_of_cells<'a>(
    swept: &'a Swept,
    across: &Edge<'_>,
    down: &Edge<'_>,
) -> BTreeMap<(usize, usize), Best<'a>> {
    let mut cells: BTreeMap<(usize, usize), Best<'a>> = BTreeMap::new();
    for row in swept.rows() {
        let Some(score) = swept.score(row) else {
            continue;
        };
        let at = (down.cell(swept, row), across.cell(swept, row));
        let best = cells.entry(at).or_insert((score, row));
        if score > best.0 {
            *best = (score, row);
        }
    }
    cells
}

/// A cell with the settings of its best point, and with its figure where there is room.
fn cell(swept: &Swept, row: &Row, look: &str, (left, top): (f64, f64), size: Size) -> String {
    let Size { width, height } = size;
    let figures = row.figures.as_ref();
    let figure = figures.map(|figures| chosen_by(swept.sweep().by, figures));
    let figure = escape(&figure.unwrap_or_default());
    let settings = swept.sweep().vary.settings(row.point);
    let settings: Vec<String> = settings
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let settings = escape(&settings.join(", "));
    let mut cell = format!(
        "<rect {look} x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
         <title>{settings}: {figure}</title></rect>\n"
    );
    if width >= ROOM && height >= 16.0 {
        let (x, y) = (left + width / 2.0, top + height / 2.0 + 4.0);
        let _ = writeln!(
            cell,
            "<text class=\"cell\" x=\"{x:.1}\" y=\"{y:.1}\">{figure}</text>"
        );
    }
    cell
}

/// The values along both edges, and the keys.
fn names(across: &Edge<'_>, down: &Edge<'_>, size: Size, bottom: f64) -> String {
    let mut names = String::new();
    let mut add = |class: &str, x: f64, y: f64, name: &str| {
        let name = escape(name);
        let _ = writeln!(
            names,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>"
        );
    };
    for (cell, name) in across.names() {
        let x = LEFT + (cell as f64 + 0.5) * size.width;
        add("x", x, bottom + 16.0, name);
    }
    for (cell, name) in down.names() {
        let y = TOP + (cell as f64 + 0.5) * size.height + 4.0;
        add("y", LEFT - 8.0, y, name);
    }
    let key = |edge: &Edge<'_>| edge.axis.map(|(_, axis)| axis.key.clone());
    let keys = [key(across), key(down)].into_iter().flatten();
    let keys: Vec<String> = keys.collect();
    let keys = keys.join(" across, ");
    let keys = if down.axis.is_some() {
        format!("{keys} down")
    } else {
        keys
    };
    add(
        "x",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        bottom + 36.0,
        &keys,
    );
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::{
        Criterion, Figures, Sweep,
        testing::{figures, grid, row, sweep},
    };

    fn swept(axes: &[&str], net: fn(usize) -> f64) -> Swept {
        let grid = grid(axes);
        let rows = (0..grid.count()).map(|point| row(point, &[net(point)]));
        let rows = rows.collect();
        Swept::new(sweep(grid), rows)
    }

    #[test]
    fn each_pair_of_values_has_a_cell_with_the_best_of_its_points() {
        let three = swept(&["a=1,2", "b=<x>", "c=1..3", "d=1,2"], |point| {
            point as f64 - 4.0
        });
        let map = map(&three).unwrap();
        assert_eq!(map.matches("<rect").count(), 6);
        assert_eq!(map.matches("best\"").count(), 1);
        // Of the points 0 and 1 the second is the better one.
        assert!(
            map.contains("a = 1, b = &lt;x&gt;, c = 1, d = 2: -3.00"),
            "{map}"
        );
        assert!(map.contains("a across, c down"), "{map}");
        assert!(map.contains("heat loss") && map.contains("heat gain best"));
    }

    #[test]
    fn a_factor_without_a_loss_is_the_strongest_and_leaves_the_others_theirs() {
        let grid = grid(&["a=1..3"]);
        let half = Figures {
            profit_factor: Some(0.5),
            ..figures(-4.0)
        };
        let rows = [figures(4.0), half, figures(-8.0)];
        let rows = rows.into_iter().enumerate().map(|(point, figures)| Row {
            figures: Some(figures),
            ..row(point, &[])
        });
        let by_factor = Sweep {
            by: Criterion::ProfitFactor,
            ..sweep(grid)
        };
        let map = map(&Swept::new(by_factor, rows.collect())).unwrap();
        assert!(map.contains("heat gain best\" style=\"--s:90%\""), "{map}");
        assert!(map.contains("heat loss\" style=\"--s:45%\""), "{map}");
        assert!(map.contains("heat loss\" style=\"--s:90%\""), "{map}");
        assert!(map.contains("a = 1: inf"), "{map}");
    }

    #[test]
    fn a_map_has_a_bound_however_many_values_there_are() {
        let many = swept(&["a=1..300", "b=1..100"], |point| point as f64);
        let map = map(&many).unwrap();
        assert_eq!(map.matches("<rect").count(), MOST * MOST);
        assert!(map.len() < 1_000_000, "{}", map.len());
    }

    #[test]
    fn one_key_is_one_row_and_none_is_no_map() {
        let one = map(&swept(&["a=1..4"], |point| point as f64)).unwrap();
        assert_eq!(one.matches("<rect").count(), 4);
        assert_eq!(map(&swept(&["a=1"], |_| 1.0)), None);
    }
}
