//! The statistics of MetaTrader 5's testing report, by its names and definitions
//! (<https://www.metatrader5.com/en/terminal/help/algotrading/testing_report>).
//!
//! A trade's result is its net profit: with commission and swap. A trade with a result above 0 is
//! a profit trade, one below 0 a loss trade; one of exactly 0 counts in the totals only, where
//! MetaTrader 5 is reported to count it as a profit trade. What has no value, such as a profit
//! factor without losses, is absent.

use super::{
    drawdown::{Drawdown, Drawdowns},
    mathematics::{Regression, deviation, mean, ratio, within},
    record::{Excursion, Record, Trade},
    series::{daily_gains, has_equity},
};
use mymt5_model::Side;
use serde::Serialize;

/// Weekdays of a year on which markets are open, by custom.
const DAYS_A_YEAR: f64 = 252.0;

/// The statistics of a record. Money is in the account's currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Initial deposit: the balance before the first trade.
    pub initial_deposit: f64,
    /// Total net profit: the result of all trades.
    pub total_net_profit: f64,
    /// Gross profit: the sum of all profit trades, at least 0.
    pub gross_profit: f64,
    /// Gross loss: the sum of all loss trades, at most 0.
    pub gross_loss: f64,
    /// Profit factor: gross profit / gross loss, without its sign. None: there is no loss.
    pub profit_factor: Option<f64>,
    /// Expected payoff: the mean result of a trade. None: no trades.
    pub expected_payoff: Option<f64>,
    /// Recovery factor: total net profit / maximal drawdown, that of equity where it is known,
    /// else that of the balance. None: there is no drawdown.
    pub recovery_factor: Option<f64>,
    /// Sharpe ratio: the mean of the weekdays' gains / their standard deviation, times the root of
    /// 252 to make it a year's; the rate without risk is 0. A day's gain is that of equity, where it
    /// is known, from the end of the day before to its own; idle days gain 0. MetaTrader 5's figure is
    /// another: logarithmic gains from bar to bar, those alone in which equity changed, over the
    /// deviation of a whole population (<https://www.mql5.com/en/articles/9171>). It depends on the
    /// timeframe, and idle time does not lower it. None: fewer than two days, or no deviation.
    pub sharpe_ratio: Option<f64>,
    /// Sharpe ratio per trade, not a year's: (AHPR - 1) / the standard deviation of the trades'
    /// relative results, as a sample. MetaTrader 5 told this one before its build 3210, with the
    /// deviation of a whole population.
    pub sharpe_ratio_per_trade: Option<f64>,
    /// AHPR: the arithmetic mean of balance after a trade / balance before it. None: no trades, or
    /// a balance that is not above 0.
    pub ahpr: Option<f64>,
    /// GHPR: the geometric mean of the same.
    pub ghpr: Option<f64>,
    /// LR correlation: of the balance with the line that fits it best over the trades' numbers,
    /// -1 to 1; negative where the line falls. None: the balance never changes.
    pub lr_correlation: Option<f64>,
    /// LR standard error: how far the balance is from that line, in money. None: fewer than two
    /// trades.
    pub lr_standard_error: Option<f64>,
    /// Z-score. None: not both profit and loss trades.
    pub z_score: Option<ZScore>,
    /// Drawdown of the balance.
    pub balance_drawdown: Drawdown,
    /// Drawdown of equity. None: equity is not known.
    pub equity_drawdown: Option<Drawdown>,
    /// Total trades: deals that fixed a profit or a loss.
    pub total_trades: u64,
    /// Total deals.
    pub total_deals: u64,
    /// Short trades, and how many of them were profit trades (won %).
    pub short_trades: Won,
    /// Long trades, and how many of them were profit trades (won %).
    pub long_trades: Won,
    /// Profit trades.
    pub profit_trades: Kind,
    /// Loss trades; their money is at most 0.
    pub loss_trades: Kind,
    /// How results go with the extremes of the open positions.
    pub excursions: Excursions,
    /// How long positions were held. None: none was closed whole.
    pub holding: Option<Holding>,
}

/// Trades of a side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Won {
    /// All of them.
    pub count: u64,
    /// Profit trades among them.
    pub won: u64,
    /// The same in percent. None: no trades.
    pub won_percent: Option<f64>,
}

/// Profit trades, or loss trades.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Kind {
    /// How many.
    pub count: u64,
    /// In percent of total trades. None: no trades.
    pub percent: Option<f64>,
    /// Largest profit (loss) trade. None: none of the kind.
    pub largest: Option<f64>,
    /// Average profit (loss) trade. None: none of the kind.
    pub average: Option<f64>,
    /// Maximum consecutive wins (losses): the longest series, and its money. Of equally long ones
    /// the first.
    pub maximum_consecutive: Streak,
    /// Maximal consecutive profit (loss): the series of the most money, and its length.
    pub maximal_consecutive: Streak,
    /// Average consecutive wins (losses): the mean length of a series. None: there is none.
    pub average_consecutive: Option<f64>,
}

/// Trades of one kind in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Streak {
    /// How many.
    pub count: u64,
    /// The sum of their results.
    pub money: f64,
}

/// The test for dependence between trades.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ZScore {
    /// Deviation of the number of series of wins and losses from what chance gives, in standard
    /// deviations: (N (R - 0.5) - P) / sqrt(P (P - N) / (N - 1)), with N trades in R series and
    /// P = 2 * wins * losses. Below 0: wins follow wins; above 0: losses follow wins.
    pub value: f64,
    /// Probability that trades depend on each other, in percent.
    pub probability: f64,
}

/// Correlations, -1 to 1, over the trades whose extremes are known. None: those are fewer than two,
/// or one of the two never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Excursions {
    /// Correlation (Profits, MFE).
    pub profits_mfe: Option<f64>,
    /// Correlation (Profits, MAE).
    pub profits_mae: Option<f64>,
    /// Correlation (MFE, MAE).
    pub mfe_mae: Option<f64>,
}

/// Position holding times, seconds: from the opening of a position until nothing of it is left.
/// Closing a part does not count. A position that is turned ends, and another one begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Holding {
    /// Minimal.
    pub minimal: f64,
    /// Maximal.
    pub maximal: f64,
    /// Average.
    pub average: f64,
}

impl Statistics {
    /// Of a record whose trades are in the order of their closing.
    #[must_use]
    pub(super) fn of(record: &Record) -> Self {
        let nets: Vec<f64> = record.trades.iter().map(Trade::net).collect();
        let sum = |least: f64, most: f64| -> f64 {
            let within = nets.iter().filter(|net| **net >= least && **net <= most);
            within.fold(0.0, |sum, net| sum + net)
        };
        let total_net_profit = sum(f64::MIN, f64::MAX);
        let gross_profit = sum(0.0, f64::MAX);
        let gross_loss = sum(f64::MIN, 0.0);
        let curve = BalanceCurve::of(record);
        let drawdowns = drawdowns(record);
        let deepest = drawdowns.1.unwrap_or(drawdowns.0);
        Self {
            initial_deposit: record.initial,
            total_net_profit,
            gross_profit,
            gross_loss,
            profit_factor: ratio(gross_profit, -gross_loss),
            expected_payoff: mean(&nets),
            recovery_factor: ratio(total_net_profit, deepest.maximal),
            sharpe_ratio: sharpe(&daily_gains(record)).map(|ratio| ratio * DAYS_A_YEAR.sqrt()),
            sharpe_ratio_per_trade: curve.gains.as_deref().and_then(sharpe),
            ahpr: curve.ahpr(),
            ghpr: curve.ghpr(),
            lr_correlation: curve.regression.and_then(|line| line.correlation),
            lr_standard_error: curve.regression.and_then(|line| line.standard_error),
            z_score: z_score(&nets),
            balance_drawdown: drawdowns.0,
            equity_drawdown: drawdowns.1,
            total_trades: nets.len() as u64,
            total_deals: record.deals,
            short_trades: won(&record.trades, Side::Sell),
            long_trades: won(&record.trades, Side::Buy),
            profit_trades: kind(&nets, |net| net > 0.0),
            loss_trades: kind(&nets, |net| net < 0.0),
            excursions: excursions(&record.trades),
            holding: holding(&record.trades),
        }
    }
}

/// Drawdown of the balance, and of equity where it is known.
fn drawdowns(record: &Record) -> (Drawdown, Option<Drawdown>) {
    if let Some(Drawdowns { balance, equity }) = record.drawdowns {
        return (balance, Some(equity));
    }
    let series = &record.series;
    let balance = series.iter().map(|point| (point.balance, point.paid_in));
    let equity = has_equity(series).then(|| {
        let equity = series
            .iter()
            .map(|point| (point.equity.unwrap_or(point.balance), point.paid_in));
        Drawdown::of(record.initial, equity)
    });
    (Drawdown::of(record.initial, balance), equity)
}

/// The mean over the standard deviation. None: fewer than two values, or no deviation.
fn sharpe(gains: &[f64]) -> Option<f64> {
    ratio(mean(gains)?, deviation(gains)?)
}

/// The balance from trade to trade.
struct BalanceCurve {
    /// Each trade's result as a share of the balance before it. None: no trades, or a balance that
    /// is not above 0.
    gains: Option<Vec<f64>>,
    regression: Option<Regression>,
}

impl BalanceCurve {
    fn of(record: &Record) -> Self {
        let mut paid_in = record.series.iter().filter(|point| point.paid_in != 0.0);
        let mut next = paid_in.next();
        let mut balance = record.initial;
        let mut balances = vec![(0.0, balance)];
        let mut gains = Vec::new();
        for (number, trade) in record.trades.iter().enumerate() {
            while let Some(point) = next.filter(|point| point.time <= trade.closed) {
                balance += point.paid_in;
                next = paid_in.next();
            }
            let net = trade.net();
            let lasting = balance > 0.0 && balance + net > 0.0;
            gains.push(lasting.then(|| net / balance));
            balance += net;
            balances.push((number as f64 + 1.0, balance));
        }
        let gains: Option<Vec<f64>> = gains.into_iter().collect();
        Self {
            gains: gains.filter(|gains| !gains.is_empty()),
            regression: Regression::of(&balances),
        }
    }

    fn ahpr(&self) -> Option<f64> {
        Some(1.0 + mean(self.gains.as_deref()?)?)
    }

    fn ghpr(&self) -> Option<f64> {
        let gains = self.gains.as_deref()?;
        let logarithms: Vec<f64> = gains.iter().map(|gain| gain.ln_1p()).collect();
        Some(mean(&logarithms)?.exp())
    }
}

fn percent(part: u64, whole: usize) -> Option<f64> {
    ratio(part as f64 * 100.0, whole as f64)
}

fn won(trades: &[Trade], side: Side) -> Won {
    let of_side: Vec<&Trade> = trades.iter().filter(|trade| trade.side == side).collect();
    let won = of_side.iter().filter(|trade| trade.net() > 0.0).count() as u64;
    Won {
        count: of_side.len() as u64,
        won,
        won_percent: percent(won, of_side.len()),
    }
}

fn kind(nets: &[f64], is_of_it: fn(f64) -> bool) -> Kind {
    let of_it: Vec<f64> = nets.iter().copied().filter(|net| is_of_it(*net)).collect();
    let streaks = streaks(nets, is_of_it);
    let lengths: Vec<f64> = streaks.iter().map(|streak| streak.count as f64).collect();
    let greatest = |measure: fn(&Streak) -> f64| {
        let greater = |best: Streak, next: &Streak| {
            if measure(next) > measure(&best) {
                *next
            } else {
                best
            }
        };
        streaks.iter().fold(Streak::default(), greater)
    };
    Kind {
        count: of_it.len() as u64,
        percent: percent(of_it.len() as u64, nets.len()),
        largest: of_it
            .iter()
            .copied()
            .max_by(|one, other| one.abs().total_cmp(&other.abs())),
        average: mean(&of_it),
        maximum_consecutive: greatest(|streak| streak.count as f64),
        maximal_consecutive: greatest(|streak| streak.money.abs()),
        average_consecutive: mean(&lengths),
    }
}

/// The series of trades of a kind. A trade of exactly 0 neither belongs to a series nor ends one.
fn streaks(nets: &[f64], is_of_it: fn(f64) -> bool) -> Vec<Streak> {
    let mut streaks: Vec<Streak> = Vec::new();
    let mut open = false;
    for net in nets.iter().filter(|net| **net != 0.0) {
        if !is_of_it(*net) {
            open = false;
            continue;
        }
        if !open {
            streaks.push(Streak::default());
            open = true;
        }
        if let Some(streak) = streaks.last_mut() {
            streak.count += 1;
            streak.money += net;
        }
    }
    streaks
}

fn z_score(nets: &[f64]) -> Option<ZScore> {
    let wins: Vec<bool> = nets
        .iter()
        .filter(|net| **net != 0.0)
        .map(|net| *net > 0.0)
        .collect();
    let trades = wins.len() as f64;
    let won = wins.iter().filter(|win| **win).count() as f64;
    let series = 1.0 + wins.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64;
    let product = 2.0 * won * (trades - won);
    let variance = product * (product - trades) / (trades - 1.0);
    if variance.is_nan() || variance <= 0.0 {
        return None;
    }
    let value = (trades * (series - 0.5) - product) / variance.sqrt();
    Some(ZScore {
        value,
        probability: within(value) * 100.0,
    })
}

fn excursions(trades: &[Trade]) -> Excursions {
    let known: Vec<_> = trades
        .iter()
        .filter_map(|trade| Some((trade.net(), trade.excursion?)))
        .collect();
    let correlation = |points: Vec<(f64, f64)>| Regression::of(&points)?.correlation;
    let mfe = |(net, excursion): &(f64, Excursion)| (excursion.favorable, *net);
    let mae = |(net, excursion): &(f64, Excursion)| (excursion.adverse, *net);
    let both = known
        .iter()
        .map(|(_, excursion)| (excursion.favorable, excursion.adverse));
    Excursions {
        profits_mfe: correlation(known.iter().map(mfe).collect()),
        profits_mae: correlation(known.iter().map(mae).collect()),
        mfe_mae: correlation(both.collect()),
    }
}

fn holding(trades: &[Trade]) -> Option<Holding> {
    let ends = trades.iter().filter(|trade| trade.ends_position);
    let seconds: Vec<f64> = ends
        .map(|trade| (trade.closed.0 - trade.opened.0).max(0) as f64 / 1000.0)
        .collect();
    Some(Holding {
        minimal: seconds.iter().copied().reduce(f64::min)?,
        maximal: seconds.iter().copied().reduce(f64::max)?,
        average: mean(&seconds)?,
    })
}
