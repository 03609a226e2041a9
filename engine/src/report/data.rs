//! A report as programs read it.

use super::{
    Bootstrap, Report, Statistics, Trade, Year,
    calendar::clock,
    record::name_of,
    text::{cell, price},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

/// What the trades' file begins with.
pub(super) const HEADER: &str = "symbol,strategy,side,lots,opened,closed,open_price,close_price,profit,\
                      commission,swap,net,risk,r,mfe,mae\n";
const KIND: &str = "mymt5_report";
/// What the other file begins with.
pub(super) const BEGIN: &str = "{\n  \"kind\": \"mymt5_report\"";

/// The trades, one a line (RFC 4180), times in broker time. What is not known is empty.
pub(super) fn csv(trades: &[Trade]) -> String {
    let mut text = HEADER.to_owned();
    for trade in trades {
        let known = |value: Option<f64>| value.filter(|value| value.is_finite());
        let shown = |value: Option<f64>| known(value).map(price).unwrap_or_default();
        let excursion = trade.excursion;
        let figures = [
            Some(trade.open_price),
            Some(trade.close_price),
            Some(trade.profit),
            Some(trade.commission),
            Some(trade.swap),
            Some(trade.net()),
            trade.risk,
            trade.r(),
            excursion.map(|excursion| excursion.favorable),
            excursion.map(|excursion| excursion.adverse),
        ];
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{}",
            cell(&trade.symbol),
            cell(&trade.strategy),
            name_of(trade.side),
            price(trade.lots),
            clock(trade.opened),
            clock(trade.closed),
            figures.map(shown).join(",")
        );
    }
    text
}

#[derive(Serialize)]
struct Document<'a> {
    /// What the file is, for who finds it.
    kind: &'static str,
    title: &'a str,
    /// Masked. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    currency: &'a str,
    statistics: &'a Statistics,
    /// Absent: fewer than two trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawdown_bootstrap: Option<Bootstrap>,
    /// Gains by year, 0.01 for one percent.
    gains: &'a BTreeMap<i16, Year>,
    refusals: &'a BTreeMap<String, u64>,
    settings: BTreeMap<&'a str, &'a str>,
    notes: &'a [String],
    /// Times are milliseconds of the broker's wall clock, encoded as if it were UTC.
    trades: &'a [Trade],
}

/// All but the series. A figure without a value is `null`.
pub(super) fn json(report: &Report) -> Result<String, serde_json::Error> {
    let record = &report.record;
    let settings = record.settings.iter();
    serde_json::to_string_pretty(&Document {
        kind: KIND,
        title: &record.title,
        account: record.account.as_ref().map(ToString::to_string),
        currency: &record.currency,
        statistics: &report.statistics,
        drawdown_bootstrap: report.bootstrap,
        gains: &report.years,
        refusals: &record.refusals,
        settings: settings
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        notes: &record.notes,
        trades: &record.trades,
    })
}
