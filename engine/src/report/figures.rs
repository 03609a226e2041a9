//! The statistics as a reader finds them: groups of names and figures, with their definitions.

use super::{
    drawdown::Drawdown,
    statistics::{Kind, Statistics, Streak, Won},
    text::{duration, number},
};

/// One statistic.
pub(super) struct Row {
    /// Its name in MetaTrader 5.
    pub(super) name: &'static str,
    /// The figure. None: it has no value.
    pub(super) figure: Option<String>,
    /// What it is, in a sentence.
    pub(super) meaning: &'static str,
}

/// Statistics that belong together.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) rows: Vec<Row>,
}

fn row(name: &'static str, figure: Option<String>, meaning: &'static str) -> Row {
    Row {
        name,
        figure,
        meaning,
    }
}

/// All statistics; money with that many decimals.
pub(super) fn groups(statistics: &Statistics, digits: u8) -> Vec<Group> {
    let form = Form {
        digits: usize::from(digits),
    };
    let group = |name, rows| Group { name, rows };
    let mut drawdowns = drawdown(
        &form,
        [
            "Balance drawdown absolute",
            "Balance drawdown maximal",
            "Balance drawdown relative",
        ],
        &statistics.balance_drawdown,
    );
    if let Some(equity) = &statistics.equity_drawdown {
        let names = [
            "Equity drawdown absolute",
            "Equity drawdown maximal",
            "Equity drawdown relative",
        ];
        drawdowns.extend(drawdown(&form, names, equity));
    }
    let [wins, losses] = [&statistics.profit_trades, &statistics.loss_trades];
    vec![
        group("Result", result(&form, statistics)),
        group("Drawdown", drawdowns),
        group("Ratios", ratios(&form, statistics)),
        group("Trades", trades(statistics)),
        group("Profit trades", kind(&form, WINS, wins)),
        group("Loss trades", kind(&form, LOSSES, losses)),
        group("Course of the trades", course(statistics)),
    ]
}

/// How figures are written.
struct Form {
    digits: usize,
}

impl Form {
    fn money(&self, value: f64) -> String {
        number(value, self.digits)
    }

    fn streak(&self, streak: Streak) -> Option<String> {
        (streak.count > 0).then(|| format!("{} ({})", streak.count, self.money(streak.money)))
    }
}

fn decimals(value: Option<f64>, decimals: usize) -> Option<String> {
    value.map(|value| number(value, decimals))
}

fn with_percent(text: String, percent: Option<f64>) -> String {
    match percent {
        Some(percent) => format!("{text} ({} %)", number(percent, 2)),
        None => text,
    }
}

fn result(form: &Form, statistics: &Statistics) -> Vec<Row> {
    let money = |value: f64| Some(form.money(value));
    vec![
        row(
            "Initial deposit",
            money(statistics.initial_deposit),
            "The balance before the first trade.",
        ),
        row(
            "Total net profit",
            money(statistics.total_net_profit),
            "The result of all trades, with commission and swap.",
        ),
        row(
            "Gross profit",
            money(statistics.gross_profit),
            "The sum of all profit trades.",
        ),
        row(
            "Gross loss",
            money(statistics.gross_loss),
            "The sum of all loss trades.",
        ),
        row(
            "Profit factor",
            decimals(statistics.profit_factor, 2),
            "Gross profit / gross loss.",
        ),
        row(
            "Expected payoff",
            statistics.expected_payoff.map(|value| form.money(value)),
            "The mean result of a trade.",
        ),
    ]
}

fn drawdown(form: &Form, names: [&'static str; 3], drawdown: &Drawdown) -> Vec<Row> {
    let relative = format!(
        "{} % ({})",
        number(drawdown.relative_percent, 2),
        form.money(drawdown.relative)
    );
    let maximal = with_percent(form.money(drawdown.maximal), drawdown.maximal_percent);
    vec![
        row(
            names[0],
            Some(form.money(drawdown.absolute)),
            "The initial deposit less the lowest value below it.",
        ),
        row(
            names[1],
            Some(maximal),
            "The largest fall from a local high to the next local low, in money.",
        ),
        row(
            names[2],
            Some(relative),
            "The largest such fall in percent of its high.",
        ),
    ]
}

fn ratios(form: &Form, statistics: &Statistics) -> Vec<Row> {
    let mean_result = |value: Option<f64>| {
        let percent = |value: f64| number((value - 1.0) * 100.0, 2);
        value.map(|value| format!("{value:.4} ({} %)", percent(value)))
    };
    let z_score = statistics.z_score.map(|score| {
        let value = number(score.value, 2);
        with_percent(value, Some(score.probability))
    });
    let line_error = statistics.lr_standard_error;
    vec![
        row(
            "Recovery factor",
            decimals(statistics.recovery_factor, 2),
            "Total net profit / maximal drawdown, of equity where it is known.",
        ),
        row(
            "Sharpe ratio",
            decimals(statistics.sharpe_ratio, 2),
            "The weekdays' mean gain / its standard deviation, made a year's by the root of 252. MetaTrader 5 takes bars on which equity moved, not days.",
        ),
        row(
            "Sharpe ratio per trade",
            decimals(statistics.sharpe_ratio_per_trade, 2),
            "The trades' mean relative result / its standard deviation, not made a year's.",
        ),
        row(
            "AHPR",
            mean_result(statistics.ahpr),
            "The arithmetic mean of the balance after a trade / before it.",
        ),
        row(
            "GHPR",
            mean_result(statistics.ghpr),
            "The geometric mean of the balance after a trade / before it.",
        ),
        row(
            "LR correlation",
            decimals(statistics.lr_correlation, 2),
            "How close the balance keeps to a straight line: 1 and -1 are on it, 0 is chance.",
        ),
        row(
            "LR standard error",
            line_error.map(|value| form.money(value)),
            "How far the balance is from that line, in money.",
        ),
        row(
            "Z-score (probability)",
            z_score,
            "Below 0 wins follow wins, above 0 losses follow wins; with the probability of it.",
        ),
    ]
}

fn trades(statistics: &Statistics) -> Vec<Row> {
    let count = |count: u64| Some(number(count as f64, 0));
    let won = |won: Won| {
        let count = number(won.count as f64, 0);
        Some(with_percent(count, won.won_percent))
    };
    let share = |kind: &Kind| {
        let count = number(kind.count as f64, 0);
        Some(with_percent(count, kind.percent))
    };
    vec![
        row(
            "Total trades",
            count(statistics.total_trades),
            "Deals that fixed a profit or a loss.",
        ),
        row(
            "Total deals",
            count(statistics.total_deals),
            "Deals of any kind.",
        ),
        row(
            "Short trades (won %)",
            won(statistics.short_trades),
            "Sold first; and how many of them won.",
        ),
        row(
            "Long trades (won %)",
            won(statistics.long_trades),
            "Bought first; and how many of them won.",
        ),
        row(
            "Profit trades (% of total)",
            share(&statistics.profit_trades),
            "Trades with a result above 0.",
        ),
        row(
            "Loss trades (% of total)",
            share(&statistics.loss_trades),
            "Trades with a result below 0.",
        ),
    ]
}

/// The names of the figures of a kind of trades.
type Names = [&'static str; 5];

const WINS: Names = [
    "Largest profit trade",
    "Average profit trade",
    "Maximum consecutive wins ($)",
    "Maximal consecutive profit (count)",
    "Average consecutive wins",
];

const LOSSES: Names = [
    "Largest loss trade",
    "Average loss trade",
    "Maximum consecutive losses ($)",
    "Maximal consecutive loss (count)",
    "Average consecutive losses",
];

fn kind(form: &Form, names: Names, kind: &Kind) -> Vec<Row> {
    let [largest, average, longest, richest, length] = names;
    let money = |value: Option<f64>| value.map(|value| form.money(value));
    let most = kind.maximal_consecutive;
    let by_money = (most.count > 0).then(|| format!("{} ({})", form.money(most.money), most.count));
    vec![
        row(largest, money(kind.largest), "The one of the most money."),
        row(
            average,
            money(kind.average),
            "The sum of them / their number.",
        ),
        row(
            longest,
            form.streak(kind.maximum_consecutive),
            "The longest series in a row, and its money.",
        ),
        row(
            richest,
            by_money,
            "The series in a row of the most money, and its length.",
        ),
        row(
            length,
            decimals(kind.average_consecutive, 1),
            "The mean length of such a series.",
        ),
    ]
}

fn course(statistics: &Statistics) -> Vec<Row> {
    let excursions = statistics.excursions;
    let holding = statistics.holding;
    vec![
        row(
            "Correlation (Profits, MFE)",
            decimals(excursions.profits_mfe, 2),
            "How results go with the highest profit while open: near 1 the profit was kept.",
        ),
        row(
            "Correlation (Profits, MAE)",
            decimals(excursions.profits_mae, 2),
            "How results go with the deepest loss while open: near 1 the stop was well used.",
        ),
        row(
            "Correlation (MFE, MAE)",
            decimals(excursions.mfe_mae, 2),
            "How the two extremes go with each other.",
        ),
        row(
            "Minimal position holding time",
            holding.map(|holding| duration(holding.minimal)),
            "From opening a position to closing the last of it.",
        ),
        row(
            "Maximal position holding time",
            holding.map(|holding| duration(holding.maximal)),
            "From opening a position to closing the last of it.",
        ),
        row(
            "Average position holding time",
            holding.map(|holding| duration(holding.average)),
            "From opening a position to closing the last of it.",
        ),
    ]
}
