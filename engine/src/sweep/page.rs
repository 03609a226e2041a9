//! The page of a sweep: one file of HTML, with its style and its map in it.

use super::{
    Fold, Period, Row, Swept,
    document::{HEADS, cells, chosen_by, summary},
    heat,
};
use crate::report::{document, escape, number, settings_table, tone};
use mymt5_model::Money;

/// Most points in the table; the CSV file has all.
const ROWS: usize = 1_000;

/// Draws a sweep.
pub(super) fn of(swept: &Swept) -> String {
    let keys: Vec<&str> = keys(swept).collect();
    let sweep = swept.sweep();
    let title = format!(
        "Sweep of {} on {}",
        keys.join(", "),
        sweep.symbols.join(", ")
    );
    let mut body = header(swept, &title);
    if let Some(map) = heat::map(swept) {
        let heading = format!("Best {} of each pair of values", sweep.by);
        body.push_str(&section("heat", &heading, &map));
    }
    body.push_str(&walk_forward(&swept.folds(), swept));
    body.push_str(&points(swept));
    let settings: Vec<(String, String)> = sweep.settings.clone().into_iter().collect();
    body.push_str(&settings_table(&settings));
    document(&title, &body)
}

fn keys(swept: &Swept) -> impl Iterator<Item = &str> {
    let axes = swept.sweep().vary.axes().iter();
    axes.map(|axis| axis.key.as_str())
}

fn section(id: &str, heading: &str, content: &str) -> String {
    let heading = escape(heading);
    format!(
        "<section id=\"{id}\">\n<div class=\"head\"><h2>{heading}</h2></div>\n{content}</section>\n"
    )
}

fn header(swept: &Swept, title: &str) -> String {
    let sweep = swept.sweep();
    let files: Vec<&str> = sweep.files.iter().map(|file| file.name.as_str()).collect();
    let facts = [
        summary(swept),
        format!(
            "{} ticks of {}",
            number(sweep.ticks as f64, 0),
            files.join(", ")
        ),
        format!("Money in {}", sweep.currency),
    ];
    let facts = facts.map(|fact| format!("<li>{}</li>", escape(&fact)));
    let best = match swept.best() {
        Some(row) => best(swept, row),
        None => "<p class=\"empty\">No point has the figure to choose by.</p>\n".to_owned(),
    };
    let luck = "The best of many points is partly luck: trust it as far as the walk forward does.";
    let notes = [luck]
        .into_iter()
        .chain(sweep.notes.iter().map(String::as_str));
    let notes: String = notes
        .map(|note| format!("<p class=\"note\">{}</p>\n", escape(note)))
        .collect();
    format!(
        "<header>\n<h1>{}</h1>\n<ul class=\"facts\">{}</ul>\n</header>\n{best}{notes}",
        escape(title),
        facts.join("")
    )
}

/// The settings of the best point, and its figures.
fn best(swept: &Swept, row: &Row) -> String {
    let settings = swept.sweep().vary.settings(row.point);
    let tiles = settings.map(|(key, value)| tile(key, value, ""));
    let figures = row.figures.iter().flat_map(|figures| {
        let of_net = tone(figures.net_profit.to_f64());
        let tones = [of_net, "", "", "", "", "", ""];
        let figures = HEADS.into_iter().zip(cells(figures)).zip(tones);
        figures.map(|((name, figure), tone)| tile(name, &figure, tone))
    });
    let tiles: Vec<String> = tiles.chain(figures).collect();
    format!("<dl class=\"tiles\">\n{}\n</dl>\n", tiles.join("\n"))
}

fn tile(name: &str, figure: &str, tone: &str) -> String {
    let (name, figure) = (escape(name), escape(figure));
    format!("<div><dt>{name}</dt><dd class=\"{tone}\">{figure}</dd></div>")
}

/// A table with its heads.
fn table<'a>(heads: impl IntoIterator<Item = &'a str>, rows: &str) -> String {
    let heads: String = heads
        .into_iter()
        .map(|head| format!("<th scope=\"col\">{}</th>", escape(head)))
        .collect();
    format!(
        "<div class=\"wide\"><table class=\"list\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn figure_cell(figure: &str, tone: &str) -> String {
    format!("<td class=\"n {tone}\">{}</td>", escape(figure))
}

fn text_cell(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

/// What was chosen in sample, and beside it what that made out of sample.
fn walk_forward(folds: &[Fold<'_>], swept: &Swept) -> String {
    if folds.is_empty() {
        return String::new();
    }
    let rows: String = folds.iter().map(|fold| fold_row(fold, swept)).collect();
    let nets = folds.iter().filter_map(|fold| {
        let chosen = fold.chosen.as_ref()?;
        Some(chosen.out_of_sample.net_profit)
    });
    let total: Money = nets.sum();
    let heads = ["In sample", "Out of sample"].into_iter();
    let heads = heads.chain(keys(swept)).chain([
        "In sample: figure",
        "net profit",
        "drawdown",
        "Out of sample: figure",
        "net profit",
        "drawdown",
    ]);
    let heading = format!("Walk forward by {}", swept.sweep().by);
    let sum = format!(
        "<p>Out of sample in all: {}</p>\n",
        escape(&total.to_string())
    );
    let content = table(heads, &rows) + &sum;
    section("walk-forward", &heading, &content)
}

fn fold_row(fold: &Fold<'_>, swept: &Swept) -> String {
    let by = swept.sweep().by;
    let period = |period: Period| format!("{} to {}", period.from, period.to);
    let mut cells = text_cell(&period(fold.in_sample)) + &text_cell(&period(fold.out_of_sample));
    match &fold.chosen {
        Some(chosen) => {
            let values = chosen.values.iter().map(|value| text_cell(value));
            cells.extend(values);
            for figures in [chosen.in_sample, chosen.out_of_sample] {
                let net = figures.net_profit;
                cells.push_str(&figure_cell(&chosen_by(by, figures), ""));
                cells.push_str(&figure_cell(&net.to_string(), tone(net.to_f64())));
                cells.push_str(&figure_cell(&figures.max_drawdown.to_string(), ""));
            }
        }
        None => cells.push_str(&text_cell("no point has the figure to choose by")),
    }
    format!("<tr>{cells}</tr>\n")
}

/// The best points.
fn points(swept: &Swept) -> String {
    let ranked = swept.ranked();
    if ranked.is_empty() {
        return String::new();
    }
    let rows: String = ranked.iter().take(ROWS).map(|row| point_row(row)).collect();
    let heading = if ranked.len() > ROWS {
        let all = number(ranked.len() as f64, 0);
        let shown = number(ROWS as f64, 0);
        format!("The best {shown} of {all} points; the CSV file has all")
    } else {
        format!("{} points, the best first", ranked.len())
    };
    let heads = keys(swept).chain(HEADS);
    section("points", &heading, &table(heads, &rows))
}

fn point_row(row: &Row) -> String {
    let mut texts: String = row.values.iter().map(|value| text_cell(value)).collect();
    if let Some(figures) = &row.figures {
        for (at, figure) in cells(figures).iter().enumerate() {
            let of_net = tone(figures.net_profit.to_f64());
            let tone = if at == 0 { of_net } else { "" };
            texts.push_str(&figure_cell(figure, tone));
        }
    }
    format!("<tr>{texts}</tr>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::testing::{grid, row, sweep};

    #[test]
    fn a_page_shows_map_choices_and_points_and_escapes_what_it_shows() {
        let rows = (0..4).map(|point| row(point, &[point as f64, -1.0]));
        let swept = Swept::new(sweep(grid(&["a=<b>,2", "c=1,2"])), rows.collect());
        let page = swept.html();
        for part in [
            "<svg ",
            "id=\"heat\"",
            "id=\"walk-forward\"",
            "id=\"points\"",
            "Sweep of a, c on EURUSD",
            "Out of sample in all: -1.00",
            "Made of &lt;bars&gt;.",
        ] {
            assert!(page.contains(part), "{part} is missing");
        }
        assert!(!page.contains("<b>"), "markup of a value");
        assert!(!page.contains("<script") && !page.contains("http://"));
        let nothing = Swept::new(sweep(grid(&["a=1"])), Vec::new()).html();
        assert!(nothing.contains("No point has the figure"));
    }
}
