//! What a backtest came to: plain figures for people and programs, and the record of a report.

use super::{Ledger, desk::Book, equity::Equity};
use crate::report::{Drawdowns, Record};
use mymt5_model::{BrokerTime, Money};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a reader must know of an account without limits.
pub const UNLIMITED: &str =
    "The gateway's limits were not applied: [backtest.limits] of the configuration sets none.";

/// What a backtest came to. Money is in the account's currency.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Time of the first tick, broker time; none without a tick.
    #[serde(serialize_with = "time")]
    pub from: Option<BrokerTime>,
    /// Time of the last tick.
    #[serde(serialize_with = "time")]
    pub to: Option<BrokerTime>,
    /// Ticks that were traded on.
    pub ticks: u64,
    /// Orders that the core took, the last closes and those of a limit's own included.
    pub orders: u64,
    /// Orders that were filled whole.
    pub fills: u64,
    /// Entries that risk refused (`news`), and intents that the core refused
    /// (`LIMIT_LOTS_PER_ORDER`), by reason.
    pub refused: BTreeMap<String, u64>,
    /// The gateway's limits were applied: `[backtest.limits]` sets some.
    pub limited: bool,
    /// How often each limit of losses was reached (`LIMIT_DAILY_LOSS`).
    pub reached: BTreeMap<String, u64>,
    /// Orders that ended without being filled, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Closed trades.
    pub trades: u64,
    /// Those that gained.
    pub won: u64,
    /// What the balance gained.
    #[serde(serialize_with = "money")]
    pub net_profit: Money,
    /// Sum of the trades that gained, commission and swap included.
    #[serde(serialize_with = "money")]
    pub gross_profit: Money,
    /// Sum of those that lost, below 0.
    #[serde(serialize_with = "money")]
    pub gross_loss: Money,
    /// Commission of all deals, negative when paid.
    #[serde(serialize_with = "money")]
    pub commission: Money,
    /// Swap of all deals.
    #[serde(serialize_with = "money")]
    pub swap: Money,
    /// Greatest fall of the equity from a peak.
    #[serde(serialize_with = "money")]
    pub max_drawdown: Money,
    /// Balance before the first tick.
    #[serde(serialize_with = "money")]
    pub initial_balance: Money,
    /// Balance after the last close.
    #[serde(serialize_with = "money")]
    pub balance: Money,
    /// Equity after the last close.
    #[serde(serialize_with = "money")]
    pub equity: Money,
    /// Each order and deal; none: they were not asked for.
    #[serde(skip)]
    pub ledger: Option<Ledger>,
}

impl Outcome {
    pub(super) fn of(
        book: &Book,
        curve: &Equity,
        ticks: u64,
        span: Option<(BrokerTime, BrokerTime)>,
    ) -> Self {
        let trades = &book.trades;
        Self {
            from: span.map(|(from, _)| from),
            to: span.map(|(_, to)| to),
            ticks,
            orders: book.orders,
            fills: book.fills,
            trades: trades.count,
            won: trades.won,
            net_profit: book.balance - book.initial,
            gross_profit: trades.gross_profit,
            gross_loss: trades.gross_loss,
            commission: trades.commission,
            swap: trades.swap,
            max_drawdown: curve.drawdown(),
            initial_balance: book.initial,
            balance: book.balance,
            equity: book.equity,
            refused: book.refused.clone(),
            failed: book.failed.clone(),
            limited: book.limited,
            reached: book.reached.clone(),
            ledger: None,
        }
    }

    /// The figures for people, a line each: name and value.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let time =
            |time: Option<BrokerTime>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let counts = |counts: &BTreeMap<String, u64>| {
            let counts: Vec<String> = counts
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            if counts.is_empty() {
                "none".to_owned()
            } else {
                counts.join(", ")
            }
        };
        let reached = if self.limited {
            counts(&self.reached)
        } else {
            "no limits".to_owned()
        };
        vec![
            ("from", time(self.from)),
            ("to", time(self.to)),
            ("ticks", self.ticks.to_string()),
            ("orders", self.orders.to_string()),
            ("filled", self.fills.to_string()),
            ("refused", counts(&self.refused)),
            ("failed", counts(&self.failed)),
            ("limits reached", reached),
            ("trades", format!("{}, {} won", self.trades, self.won)),
            ("net profit", self.net_profit.to_string()),
            ("gross profit", self.gross_profit.to_string()),
            ("gross loss", self.gross_loss.to_string()),
            ("commission", self.commission.to_string()),
            ("swap", self.swap.to_string()),
            ("max drawdown", self.max_drawdown.to_string()),
            ("balance", self.balance.to_string()),
            ("equity", self.equity.to_string()),
        ]
    }
}

/// What a report tells of it, without title, currency and settings. It lists at most a million
/// trades.
pub(super) fn record(book: Book, curve: Equity) -> Record {
    let mut notes = Vec::new();
    if curve.every() > 1 {
        notes.push(format!(
            "The curves have one of {} ticks each; the drawdowns among the statistics are measured at every tick, that of the balance at every deal, and the gains of days and months at their ends.",
            curve.every()
        ));
    }
    if curve.unkept_days() > 0 {
        notes.push(format!(
            "The last {} days are neither in the Sharpe ratio nor in the monthly returns.",
            curve.unkept_days()
        ));
    }
    let unlisted = book.trades.count - book.trades.list.len() as u64;
    if unlisted > 0 {
        notes.push(format!(
            "The last {unlisted} trades are neither listed nor among the statistics of the trades."
        ));
    }
    if !book.limited {
        notes.push(UNLIMITED.to_owned());
    }
    notes.extend(book.reached.iter().map(|(limit, count)| match count {
        1 => format!("{limit} was reached once."),
        _ => format!("{limit} was reached {count} times."),
    }));
    let mut refusals = book.refused;
    for (reason, count) in book.failed {
        *refusals.entry(reason).or_default() += count;
    }
    let drawdowns = Drawdowns {
        balance: book.trades.drawdown(),
        equity: curve.fall(),
    };
    let (series, days) = curve.into_points();
    Record {
        initial: book.initial.to_f64(),
        trades: book.trades.list,
        deals: book.trades.deals,
        drawdowns: Some(drawdowns),
        series,
        days,
        refusals,
        notes,
        ..Record::default()
    }
}

/// An amount with its decimals, two at least: no double that hides them.
fn money<S: Serializer>(amount: &Money, to: S) -> Result<S::Ok, S::Error> {
    let number = RawValue::from_string(amount.to_string()).map_err(S::Error::custom)?;
    number.serialize(to)
}

fn time<S: Serializer>(time: &Option<BrokerTime>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{Point, Report};
    use serde_json::Value;

    const HOUR: i64 = 3_600_000;

    /// What a report makes of the ends of days and months.
    fn gains(record: Record) -> (f64, Value) {
        let report = Report::of(record);
        let document: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        let sharpe_ratio = report.statistics().sharpe_ratio.unwrap();
        (sharpe_ratio, document["gains"].clone())
    }

    #[test]
    fn what_a_report_leaves_out_is_told() {
        let mut curve = Equity::new(Money::ZERO);
        for day in 0..36_603 {
            let time = BrokerTime(day * 24 * HOUR);
            curve.take(time, Money::ZERO, Money::ZERO);
        }
        curve.end(BrokerTime(36_602 * 24 * HOUR), Money::ZERO, Money::ZERO);
        let mut book = Book {
            limited: true,
            ..Book::default()
        };
        book.trades.count = 7;
        let notes = record(book, curve).notes.join("\n");
        for told in [
            "The last 3 days are neither in the Sharpe ratio",
            "The last 7 trades are neither listed",
        ] {
            assert!(notes.contains(told), "{notes}");
        }
    }

    #[test]
    fn a_long_past_has_the_gains_of_all_its_ticks() {
        // Every other day falls deep and comes back before it ends.
        let values = (0..20_000).map(|hour: i64| {
            let within = if hour % 48 == 16 { 2_000.0 } else { 0.0 };
            let value = 10_000.0 + 500.0 * (hour as f64 / 700.0).sin() - within;
            (BrokerTime(hour * HOUR), Money::from_f64(value).unwrap())
        });
        let values: Vec<(BrokerTime, Money)> = values.collect();
        let initial = Money::from_f64(10_000.0).unwrap();
        let mut curve = Equity::new(initial);
        let (last, others) = values.split_last().unwrap();
        for (time, value) in others {
            curve.take(*time, *value, *value);
        }
        curve.end(last.0, last.1, last.1);
        let book = Book {
            initial,
            ..Book::default()
        };
        let record = record(book, curve);
        assert!(record.series.len() < values.len() / 4);
        let every_tick = Record {
            initial: record.initial,
            series: values
                .iter()
                .map(|(time, value)| Point {
                    time: *time,
                    balance: value.to_f64(),
                    equity: Some(value.to_f64()),
                    paid_in: 0.0,
                })
                .collect(),
            ..Record::default()
        };
        let thinned = Record {
            days: Vec::new(),
            ..record.clone()
        };
        let expected = gains(every_tick);
        assert_eq!(gains(record), expected);
        assert_ne!(
            gains(thinned),
            expected,
            "the curve alone does not tell them"
        );
    }
}
