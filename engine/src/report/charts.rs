//! The charts of a report. Each is bounded in size, however long its data.

use super::{
    calendar::day,
    columns::{Span, columns, peaks},
    drawdown::Peak,
    record::{PriceRange, Record, Trade},
    series::{curve, has_equity},
    svg::{COLUMNS, Chart, Plane, plain, ticks},
    text::{escape, number, price},
};
use mymt5_model::{BrokerTime, Side};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Most symbols whose trades are drawn: those with the most trades.
const SYMBOLS: usize = 6;
/// Most bars of a histogram.
const BARS: usize = 40;
/// Most reasons of refusal that have a line of their own.
const REASONS: usize = 20;
/// Up to so many trades, each is drawn as a line from its entry to its exit.
const LINES: usize = 400;
/// Side of the squares within which marks of one kind are drawn once.
const SQUARE: f64 = 3.0;

/// A chart and its heading.
pub(super) struct Figure {
    /// Names it in the page: letters and digits.
    pub(super) id: String,
    /// The heading, not escaped.
    pub(super) title: String,
    /// What its colours mean: the class of the colour, and the words.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    /// The SVG.
    pub(super) svg: String,
}

/// From the first to the last thing that a record knows a time of. None: there is none.
pub(super) fn span(record: &Record) -> Option<Span> {
    let series = &record.series;
    let ends = [series.first(), series.last()];
    let points = ends.into_iter().flatten().map(|point| point.time.0);
    let opened = record.trades.iter().map(|trade| trade.opened.0);
    let closed = record.trades.iter().map(|trade| trade.closed.0);
    let times: Vec<i64> = points.chain(opened).chain(closed).collect();
    Some(Span {
        from: *times.iter().min()?,
        to: *times.iter().max()?,
    })
}

/// The lowest and the highest of some values.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
}

fn dates(span: Span) -> String {
    let (from, to) = (day(BrokerTime(span.from)), day(BrokerTime(span.to)));
    format!("From {from} to {to}")
}

/// Balance and, where it is known, equity.
pub(super) fn equity(record: &Record, span: Span) -> Figure {
    let series = &record.series;
    let begin = [(span.from, record.initial)];
    let balance = series.iter().map(|point| (point.time.0, point.balance));
    let balance = columns(begin.into_iter().chain(balance), span, COLUMNS);
    let equity: Vec<_> = if has_equity(series) {
        let equity = series
            .iter()
            .filter_map(|point| Some((point.time.0, point.equity?)));
        columns(equity, span, COLUMNS)
    } else {
        Vec::new()
    };
    let all = balance.iter().chain(&equity);
    let (low, high) = range(all.flat_map(|column| [column.low, column.high]));
    let mut chart = Chart::new(Plane::new(300.0, low, high), plain);
    chart.times(span);
    chart.line("equity", &equity);
    chart.line("balance", &balance);
    let last = balance.last().map_or(record.initial, |column| column.last);
    let description = format!(
        "{}: the balance begins at {}, ends at {}, and with equity lies between {} and {} {}.",
        dates(span),
        number(record.initial, 2),
        number(last, 2),
        number(low, 2),
        number(high, 2),
        record.currency
    );
    let mut legend = vec![("balance", "Balance")];
    if !equity.is_empty() {
        legend.push(("equity", "Equity"));
    }
    let title = if equity.is_empty() {
        "Balance"
    } else {
        "Balance and equity"
    };
    Figure {
        id: "equity".to_owned(),
        title: title.to_owned(),
        legend,
        svg: chart.finish("equity", title, &description),
    }
}

/// How far the account is below its peak, in percent.
pub(super) fn drawdown(record: &Record, span: Span) -> Figure {
    let mut peak = Peak::new(record.initial);
    let depths = curve(&record.series).map(|(point, value)| {
        let fall = peak.fall(value, point.paid_in);
        (point.time.0, -peak.percent(fall).unwrap_or_default())
    });
    let columns = columns(depths, span, COLUMNS);
    let (low, _) = range(columns.iter().map(|column| column.low));
    let values: Vec<_> = columns
        .iter()
        .map(|column| (column.at, column.low))
        .collect();
    let plane = Plane::from_zero(160.0, low.min(0.0), 0.0);
    let mut chart = Chart::new(plane, |value, decimals| {
        format!("{} %", number(value, decimals))
    });
    chart.times(span);
    chart.area("depth", &values);
    let description = format!(
        "{}: the deepest point is {} percent below the peak before it.",
        dates(span),
        number(low.min(0.0).abs(), 2)
    );
    Figure {
        id: "drawdown".to_owned(),
        title: "Drawdown".to_owned(),
        legend: Vec::new(),
        svg: chart.finish("drawdown", "Drawdown in percent of the peak", &description),
    }
}

/// The trades of each symbol where the price was.
pub(super) fn trades(record: &Record, span: Span) -> Vec<Figure> {
    let mut by_symbol: BTreeMap<&str, Vec<&Trade>> = BTreeMap::new();
    for trade in &record.trades {
        by_symbol.entry(&trade.symbol).or_default().push(trade);
    }
    let mut symbols: Vec<_> = by_symbol.into_iter().collect();
    symbols.sort_by_key(|(_, trades)| std::cmp::Reverse(trades.len()));
    let drawn = symbols.iter().take(SYMBOLS).enumerate();
    drawn
        .map(|(at, (symbol, trades))| {
            let prices = record.prices.get(*symbol).map_or(&[][..], Vec::as_slice);
            of_symbol(at, symbol, trades, prices, span)
        })
        .collect()
}

fn of_symbol(
    at: usize,
    symbol: &str,
    trades: &[&Trade],
    prices: &[PriceRange],
    span: Span,
) -> Figure {
    let samples = prices
        .iter()
        .flat_map(|range| [range.low, range.high, range.close].map(|value| (range.time.0, value)));
    let band = columns(samples, span, COLUMNS);
    let own = trades
        .iter()
        .flat_map(|trade| [trade.open_price, trade.close_price]);
    let of_band = band.iter().flat_map(|column| [column.low, column.high]);
    let (low, high) = range(of_band.chain(own).filter(|price| price.is_finite()));
    let plane = Plane::new(260.0, low, high);
    let mut chart = Chart::new(plane, |value, decimals| {
        format!("{value:.0$}", decimals.max(2))
    });
    chart.times(span);
    chart.band("price", &band);
    if trades.len() <= LINES {
        for (class, won) in [("way loss", false), ("way gain", true)] {
            let of_kind = trades.iter().filter(|trade| (trade.net() > 0.0) == won);
            chart.path(class, &ways(of_kind.copied(), plane, span));
        }
    }
    chart.path("mark exit", &exits(trades, plane, span));
    for (class, side) in [("mark short", Side::Sell), ("mark long", Side::Buy)] {
        let of_side = trades.iter().filter(|trade| trade.side == side);
        chart.path(class, &entries(of_side.copied(), plane, span));
    }
    let description = format!(
        "{}: {} trades in {symbol} at prices between {} and {}.",
        dates(span),
        trades.len(),
        price(low),
        price(high)
    );
    let id = format!("trades{at}");
    let title = format!("Trades in {symbol}");
    Figure {
        svg: chart.finish(&id, &title, &description),
        id,
        title,
        legend: vec![
            ("long", "Entry long"),
            ("short", "Entry short"),
            ("exit", "Exit"),
        ],
    }
}

/// Where a time and a price are. None: outside.
fn place(time: BrokerTime, price: f64, plane: Plane, span: Span) -> Option<(f64, f64)> {
    let column = span.column(time.0, COLUMNS)?;
    Some((Plane::x(column), plane.y(price))).filter(|(_, y)| y.is_finite())
}

fn ways<'a>(trades: impl Iterator<Item = &'a Trade>, plane: Plane, span: Span) -> String {
    let mut path = String::new();
    for trade in trades {
        let from = place(trade.opened, trade.open_price, plane, span);
        let to = place(trade.closed, trade.close_price, plane, span);
        if let (Some((x, y)), Some((to_x, to_y))) = (from, to) {
            let _ = write!(path, "M{x:.0} {y:.1}L{to_x:.0} {to_y:.1}");
        }
    }
    path
}

/// Triangles: up for long, down for short.
fn entries<'a>(trades: impl Iterator<Item = &'a Trade>, plane: Plane, span: Span) -> String {
    let mut path = String::new();
    let mut drawn = BTreeSet::new();
    for trade in trades {
        let Some((x, y)) = place(trade.opened, trade.open_price, plane, span) else {
            continue;
        };
        if drawn.insert(square(x, y)) {
            let tip = -5 * trade.side.sign();
            let _ = write!(path, "M{x:.0} {y:.1}m-4 {}l4 {tip}l4 {}z", -tip / 2, -tip);
        }
    }
    path
}

/// Crosses.
fn exits(trades: &[&Trade], plane: Plane, span: Span) -> String {
    let mut path = String::new();
    let mut drawn = BTreeSet::new();
    for trade in trades {
        let Some((x, y)) = place(trade.closed, trade.close_price, plane, span) else {
            continue;
        };
        if drawn.insert(square(x, y)) {
            let _ = write!(path, "M{x:.0} {y:.1}m-2.5-2.5l5 5m-5 0l5-5");
        }
    }
    path
}

/// Which square a place lies in.
fn square(x: f64, y: f64) -> (i64, i64) {
    ((x / SQUARE) as i64, (y / SQUARE) as i64)
}

/// How often a trade ended at so many R, or, where the risk is not known of every trade, with so
/// much money. None: no trades.
pub(super) fn histogram(record: &Record) -> Option<Figure> {
    let in_r: Option<Vec<f64>> = record.trades.iter().map(Trade::r).collect();
    let of_money = || record.trades.iter().map(Trade::net).collect();
    let (unit, values): (&str, Vec<f64>) = match in_r {
        Some(values) => ("R", values),
        None => (&record.currency, of_money()),
    };
    let (first, width, counts) = bins(&values)?;
    let most = counts.iter().copied().max().unwrap_or_default();
    let plane = Plane::from_zero(220.0, 0.0, most as f64);
    let mut chart = Chart::new(plane, |value, _| number(value, 0));
    let share = 1.0 / counts.len() as f64;
    let mut bars = [String::new(), String::new()];
    for (at, count) in counts.iter().enumerate() {
        let left = Plane::x_share(at as f64 * share) + 1.0;
        let right = Plane::x_share((at + 1) as f64 * share) - 1.0;
        let (top, zero) = (plane.y(*count as f64), plane.y(0.0));
        let gains = usize::from(first + at as i64 >= 0);
        if *count > 0 {
            let bar = format!("M{left:.1} {zero:.1}V{top:.1}H{right:.1}V{zero:.1}z");
            bars[gains].push_str(&bar);
        }
    }
    chart.path("bar loss", &bars[0]);
    chart.path("bar gain", &bars[1]);
    let begin = first as f64 * width;
    let whole = counts.len() as f64 * width;
    let (names, decimals) = ticks(begin, begin + whole, 10.0);
    for value in names {
        let x = Plane::x_share((value - begin) / whole);
        chart.name_below(x, &number(value, decimals));
    }
    let title = format!("Results of the trades in {unit}");
    let (low, high) = range(values.iter().copied());
    let description = format!(
        "{} trades between {} and {} {unit}.",
        values.len(),
        number(low, 2),
        number(high, 2)
    );
    Some(Figure {
        id: "results".to_owned(),
        svg: chart.finish("results", &title, &description),
        title,
        legend: vec![("loss", "Loss"), ("gain", "Profit")],
    })
}

/// Counts of values in bins of one round width, of which 0 is an edge: the number of the first bin,
/// the width, and the counts. None: no values.
fn bins(values: &[f64]) -> Option<(i64, f64, Vec<u64>)> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = range(finite());
    if low > high {
        return None;
    }
    let size = high.abs().max(low.abs());
    let least = ((high - low) / (BARS as f64 - 2.0)).max(size * 1e-3);
    let least = if least > 0.0 { least } else { 1.0 };
    let power = 10f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = factors.iter().find(|factor| *factor * power >= least);
    let width = factor.unwrap_or(&10.0) * power;
    let bin = |value: f64| (value / width).floor() as i64;
    let first = bin(low);
    let mut counts = vec![0; (bin(high) - first + 1) as usize];
    for value in finite() {
        counts[(bin(value) - first) as usize] += 1;
    }
    Some((first, width, counts))
}

/// How many lots were open at a time: long above 0, short below.
pub(super) fn exposure(record: &Record, span: Span) -> Figure {
    let lots_of = |side: Side| {
        let of_side = record.trades.iter().filter(|trade| trade.side == side);
        let mut changes: Vec<(i64, f64)> = of_side
            .flat_map(|trade| [(trade.opened.0, trade.lots), (trade.closed.0, -trade.lots)])
            .collect();
        changes.sort_by_key(|(time, _)| *time);
        peaks(&changes, span, COLUMNS)
    };
    let (long, short) = (lots_of(Side::Buy), lots_of(Side::Sell));
    let (_, most_long) = range(long.iter().copied());
    let (_, most_short) = range(short.iter().copied());
    let plane = Plane::from_zero(170.0, -most_short.max(0.0), most_long.max(0.0));
    let mut chart = Chart::new(plane, |value, decimals| number(value.abs(), decimals));
    chart.times(span);
    let areas = [("area long", long, 1.0), ("area short", short, -1.0)];
    for (class, lots, sign) in areas {
        let values = lots.iter().map(|lots| lots.max(0.0) * sign).enumerate();
        chart.area(class, &values.collect::<Vec<_>>());
    }
    let description = format!(
        "{}: at most {} lots long and {} lots short.",
        dates(span),
        number(most_long.max(0.0), 2),
        number(most_short.max(0.0), 2)
    );
    Figure {
        id: "exposure".to_owned(),
        title: "Exposure in lots".to_owned(),
        legend: vec![("long", "Long"), ("short", "Short")],
        svg: chart.finish("exposure", "Exposure in lots", &description),
    }
}

/// How often each reason refused something, as rows of bars. None: nothing was refused.
pub(super) fn refusals(record: &Record) -> Option<String> {
    let mut reasons: Vec<(&str, u64)> = record
        .refusals
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: u64 = reasons.iter().skip(REASONS).map(|(_, count)| count).sum();
    reasons.truncate(REASONS);
    if rest > 0 {
        reasons.push(("all others", rest));
    }
    let most = reasons.iter().map(|(_, count)| *count).max()?;
    let mut rows = String::new();
    for (reason, count) in reasons {
        let share = count as f64 / most.max(1) as f64 * 100.0;
        let (reason, count) = (escape(reason), number(count as f64, 0));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{reason}</th><td class=\"n\">{count}</td>\
             <td class=\"share\"><span style=\"width:{share:.1}%\"></span></td></tr>"
        );
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_bin_holds_both_gains_and_losses() {
        let (first, width, counts) = bins(&[-1.0, -0.2, 0.0, 0.2, 3.9]).unwrap();
        assert_eq!(width, 0.2);
        assert_eq!(first, -5);
        assert_eq!((counts[0], counts[4], counts[5]), (1, 1, 1));
        assert_eq!(counts.iter().sum::<u64>(), 5);
        assert_eq!(bins(&[]), None);
        assert_eq!(bins(&[2.0]).unwrap().2, [1]);
    }

    proptest! {
        #[test]
        fn every_value_is_in_a_bin(values in prop::collection::vec(-1e7f64..1e7, 1..200)) {
            let (_, _, counts) = bins(&values).unwrap();
            prop_assert_eq!(counts.iter().sum::<u64>(), values.len() as u64);
            prop_assert!(counts.len() <= BARS);
        }
    }
}
