//! The page: one file of HTML, with its style and its charts in it.

use super::{
    Percentiles, Report,
    calendar::{clock, day},
    charts::{self, Figure},
    columns::Span,
    excursions,
    figures::{self, Group},
    record::{Trade, name_of},
    text::{duration, escape, number, price},
};
use mymt5_model::BrokerTime;
use std::fmt::Write;

/// The style: light, dark and print.
const STYLE: &str = include_str!("style.css");
/// Most trades in the table; the CSV file has all.
const TRADES: usize = 1_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// What the page begins with.
pub(crate) const BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\
     <meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"MyMT5 report\">\n";

/// Draws a report.
pub(super) fn of(report: &Report) -> String {
    let span = charts::span(&report.record);
    let mut body = header(report, span);
    body.push_str(&tiles(report));
    body.push_str(&notes(report));
    match span {
        Some(span) => body.push_str(&course(report, span)),
        None => body.push_str("<p class=\"empty\">There are no trades yet.</p>\n"),
    }
    body.push_str(&statistics(report));
    body.push_str(&refusals(report));
    body.push_str(&settings(&report.record.settings));
    body.push_str(&trades(report));
    document(&report.record.title, &body)
}

/// A whole page of that title, which is not escaped, around a body of HTML.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{BEGIN}<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\
         </main>\n<footer>MyMT5 {version}. Times are the broker's. Past results promise nothing.</footer>\n</body>\n</html>\n"
    )
}

fn header(report: &Report, span: Option<Span>) -> String {
    let record = &report.record;
    let mut facts = Vec::new();
    if let Some(span) = span {
        let (from, to) = (day(BrokerTime(span.from)), day(BrokerTime(span.to)));
        facts.push(format!("{from} to {to}"));
    }
    if let Some(account) = &record.account {
        facts.push(format!("Account {account}"));
    }
    if !record.currency.is_empty() {
        facts.push(format!("Money in {}", record.currency));
    }
    let facts: Vec<String> = facts
        .iter()
        .map(|fact| format!("<li>{}</li>", escape(fact)))
        .collect();
    format!(
        "<header>\n<h1>{}</h1>\n<ul class=\"facts\">{}</ul>\n</header>\n",
        escape(&record.title),
        facts.join("")
    )
}

/// The figures that a reader looks for first.
fn tiles(report: &Report) -> String {
    let statistics = &report.statistics;
    let digits = usize::from(report.record.currency_digits);
    let net = statistics.total_net_profit;
    let gained = (statistics.initial_deposit > 0.0)
        .then(|| format!("{} %", number(net / statistics.initial_deposit * 100.0, 2)));
    let drawdown = statistics
        .equity_drawdown
        .unwrap_or(statistics.balance_drawdown);
    let two = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| number(value, 2));
    let won = statistics.profit_trades.percent;
    let won = won.map(|percent| format!("{} % won", number(percent, 1)));
    let tiles = [
        (
            "Net profit",
            number(net, digits),
            gained.unwrap_or_default(),
            tone(net),
        ),
        (
            "Maximal drawdown",
            format!("{} %", number(drawdown.relative_percent, 2)),
            number(drawdown.maximal, digits),
            "",
        ),
        (
            "Profit factor",
            two(statistics.profit_factor),
            format!("payoff {}", two(statistics.expected_payoff)),
            "",
        ),
        (
            "Sharpe ratio",
            two(statistics.sharpe_ratio),
            format!("recovery {}", two(statistics.recovery_factor)),
            "",
        ),
        (
            "Trades",
            number(statistics.total_trades as f64, 0),
            won.unwrap_or_default(),
            "",
        ),
    ];
    let tiles = tiles.map(|(name, figure, more, tone)| {
        format!("<div><dt>{name}</dt><dd class=\"{tone}\">{figure}<small>{more}</small></dd></div>")
    });
    format!("<dl class=\"tiles\">\n{}\n</dl>\n", tiles.join("\n"))
}

/// The class of a gain or a loss.
pub(crate) fn tone(value: f64) -> &'static str {
    if value > 0.0 {
        "gain"
    } else if value < 0.0 {
        "loss"
    } else {
        ""
    }
}

fn notes(report: &Report) -> String {
    let note = |note: &String| format!("<p class=\"note\">{}</p>\n", escape(note));
    report.record.notes.iter().map(note).collect()
}

/// How it went: the charts and the months.
fn course(report: &Report, span: Span) -> String {
    let record = &report.record;
    let mut text = figure(&charts::equity(record, span));
    text.push_str(&figure(&charts::drawdown(record, span)));
    text.push_str(&months(report));
    for chart in charts::trades(record, span) {
        text.push_str(&figure(&chart));
    }
    if let Some(chart) = charts::histogram(record) {
        text.push_str(&figure(&chart));
    }
    for chart in excursions::excursions(record) {
        text.push_str(&figure(&chart));
    }
    text.push_str(&figure(&charts::exposure(record, span)));
    text
}

fn figure(figure: &Figure) -> String {
    let keys = figure.legend.iter();
    let keys: String = keys
        .map(|(class, words)| format!("<li class=\"{class}\">{words}</li>"))
        .collect();
    let legend = if keys.is_empty() {
        String::new()
    } else {
        format!("<ul class=\"legend\">{keys}</ul>")
    };
    format!(
        "<section id=\"{}\">\n<div class=\"head\"><h2>{}</h2>{legend}</div>\n{}</section>\n",
        figure.id,
        escape(&figure.title),
        figure.svg
    )
}

/// A share as percent in a cell, the stronger coloured the larger it is.
fn gain_cell(gain: Option<f64>) -> String {
    let Some(gain) = gain else {
        return "<td></td>".to_owned();
    };
    let strength = (gain.abs() / 0.1).min(1.0) * 45.0;
    let (tone, percent) = (tone(gain), number(gain * 100.0, 2));
    format!("<td class=\"{tone}\" style=\"--s:{strength:.0}%\">{percent}</td>")
}

fn months(report: &Report) -> String {
    if report.years.is_empty() {
        return String::new();
    }
    let heads: String = MONTHS
        .iter()
        .map(|month| format!("<th scope=\"col\">{month}</th>"))
        .collect();
    let mut rows = String::new();
    for (year, gains) in &report.years {
        let cells: String = gains.months.iter().map(|gain| gain_cell(*gain)).collect();
        let total = gain_cell(Some(gains.total));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{year}</th>{cells}{}</tr>",
            total.replacen("class=\"", "class=\"total ", 1)
        );
    }
    format!(
        "<section id=\"months\">\n<div class=\"head\"><h2>Monthly returns in percent</h2></div>\n\
         <div class=\"wide\"><table class=\"months\">\n<thead><tr><th scope=\"col\">Year</th>{heads}\
         <th scope=\"col\">Total</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )
}

fn statistics(report: &Report) -> String {
    let digits = report.record.currency_digits;
    let mut groups: String = figures::groups(&report.statistics, digits)
        .iter()
        .map(group)
        .collect();
    if let Some(bootstrap) = report.bootstrap {
        let percent = |value: f64| format!("{} %", number(value, 2));
        let money = |value: f64| number(value, usize::from(digits));
        let (most, relative) = (bootstrap.maximal, bootstrap.relative_percent);
        let row = |name: &str, of: fn(&Percentiles) -> f64| {
            let figure = format!("{} ({})", percent(of(&relative)), money(of(&most)));
            format!("<tr><th scope=\"row\">{name}</th><td class=\"n\">{figure}</td></tr>\n")
        };
        let _ = write!(
            groups,
            "<table>\n<caption>Drawdown in {} other orders of the trades</caption>\n<tbody>\n{}{}{}</tbody>\n</table>\n",
            number(bootstrap.orders as f64, 0),
            row("Median", |percentiles| percentiles.p50),
            row("Exceeded in 5 of 100", |percentiles| percentiles.p95),
            row("Exceeded in 1 of 100", |percentiles| percentiles.p99),
        );
    }
    format!(
        "<section id=\"statistics\">\n<div class=\"head\"><h2>Statistics</h2></div>\n\
         <div class=\"groups\">\n{groups}</div>\n</section>\n"
    )
}

fn group(group: &Group) -> String {
    let mut rows = String::new();
    for row in &group.rows {
        let figure = row.figure.as_deref().unwrap_or("–");
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\" title=\"{}\">{}</th><td class=\"n\">{}</td></tr>",
            escape(row.meaning),
            escape(row.name),
            escape(figure)
        );
    }
    format!(
        "<table>\n<caption>{}</caption>\n<tbody>\n{rows}</tbody>\n</table>\n",
        group.name
    )
}

fn refusals(report: &Report) -> String {
    let Some(rows) = charts::refusals(&report.record) else {
        return String::new();
    };
    format!(
        "<section id=\"refusals\">\n<div class=\"head\"><h2>What was refused, by reason</h2></div>\n\
         <table class=\"bars\">\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"
    )
}

/// A table of settings, name and value.
pub(crate) fn settings(settings: &[(String, String)]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for (name, value) in settings {
        let (name, value) = (escape(name), escape(value));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"
        );
    }
    format!(
        "<section id=\"settings\">\n<div class=\"head\"><h2>Settings</h2></div>\n\
         <table class=\"settings\">\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"
    )
}

/// The newest trades, folded in.
fn trades(report: &Report) -> String {
    let all = &report.record.trades;
    if all.is_empty() {
        return String::new();
    }
    let digits = usize::from(report.record.currency_digits);
    let shown = all.iter().rev().take(TRADES);
    let rows: String = shown.map(|trade| trade_row(trade, digits)).collect();
    let which = if all.len() > TRADES {
        let all = number(all.len() as f64, 0);
        let shown = number(TRADES as f64, 0);
        format!("The newest {shown} of {all} trades; the CSV file has all")
    } else {
        format!("All {} trades", all.len())
    };
    let heads = [
        "Closed", "Held", "Symbol", "Strategy", "Side", "Lots", "Open", "Close", "Net", "R",
    ];
    let heads = heads.map(|head| format!("<th scope=\"col\">{head}</th>"));
    format!(
        "<section id=\"list\">\n<details>\n<summary>{which}</summary>\n<div class=\"wide\"><table class=\"list\">\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</details>\n</section>\n",
        heads.join("")
    )
}

fn trade_row(trade: &Trade, digits: usize) -> String {
    let net = trade.net();
    let held = (trade.closed.0 - trade.opened.0) as f64 / 1000.0;
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n {}\">{}</td><td class=\"n\">{}</td></tr>\n",
        clock(trade.closed),
        duration(held),
        escape(&trade.symbol),
        escape(&trade.strategy),
        name_of(trade.side),
        price(trade.lots),
        price(trade.open_price),
        price(trade.close_price),
        tone(net),
        number(net, digits),
        trade.r().map_or_else(String::new, |r| number(r, 2)),
    )
}
