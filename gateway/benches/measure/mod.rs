//! What is compared takes turns in five rounds of one run. Absolute times are those of one machine;
//! ratios are taken within a round, and their median is told.
#![allow(dead_code)]

use std::time::{Duration, Instant};

/// Rounds in which what is compared takes turns.
pub(crate) const ROUNDS: usize = 5;

/// Times of one thing in one round.
pub(crate) struct Times {
    sorted: Vec<f64>,
    total: f64,
}

impl Times {
    /// Single times, and how long all took together.
    pub(crate) fn of(times: Vec<Duration>, total: Duration) -> Self {
        let mut sorted: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        sorted.sort_by(f64::total_cmp);
        let total = total.as_secs_f64();
        Self { sorted, total }
    }

    /// Times each of so many calls.
    pub(crate) fn each(calls: usize, mut call: impl FnMut(usize)) -> Self {
        let begun = Instant::now();
        let timed = (0..calls).map(|number| {
            let begun = Instant::now();
            call(number);
            begun.elapsed()
        });
        let times = timed.collect();
        Self::of(times, begun.elapsed())
    }

    /// Those of several parts of a round.
    pub(crate) fn together(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = Self {
            sorted: Vec::new(),
            total: 0.0,
        };
        for part in parts {
            all.sorted.extend(part.sorted);
            all.total += part.total;
        }
        all.sorted.sort_by(f64::total_cmp);
        all
    }

    fn at(&self, percent: usize) -> f64 {
        self.sorted[(self.sorted.len() - 1) * percent / 100]
    }
}

/// What is told of a thing's times.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    P50,
    P99,
    /// Calls a second.
    Rate,
}

impl Figure {
    fn of(self, times: &Times) -> f64 {
        match self {
            Self::P50 => times.at(50),
            Self::P99 => times.at(99),
            Self::Rate => times.sorted.len() as f64 / times.total,
        }
    }
}

/// What is compared, each with its times by round.
#[derive(Default)]
pub(crate) struct Table(Vec<(&'static str, Vec<Times>)>);

impl Table {
    pub(crate) fn note(&mut self, name: &'static str, times: Times) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rounds)) => rounds.push(times),
            None => self.0.push((name, vec![times])),
        }
    }

    fn rounds(&self, name: &str, figure: Figure) -> impl Iterator<Item = f64> {
        let (_, rounds) = self.0.iter().find(|(known, _)| *known == name).unwrap();
        rounds.iter().map(move |times| figure.of(times))
    }

    /// The figure of the one in the figures of the others together: the median of the rounds.
    pub(crate) fn ratio(&self, figure: Figure, one: &str, others: &[&str]) -> f64 {
        let one = self.rounds(one, figure);
        let ratios = one.enumerate().map(|(round, one)| {
            let others = others.iter();
            let others = others.map(|name| self.rounds(name, figure).nth(round).unwrap());
            one / others.sum::<f64>()
        });
        median(ratios.collect())
    }

    /// All of it, as medians of the rounds.
    pub(crate) fn print(&self) {
        println!(
            "{:<40}{:>12}{:>12}{:>12}",
            "", "per second", "p50 us", "p99 us"
        );
        for (name, _) in &self.0 {
            let of = |figure| median(self.rounds(name, figure).collect());
            println!(
                "{name:<40}{:>12.0}{:>12.1}{:>12.1}",
                of(Figure::Rate),
                of(Figure::P50) * 1e6,
                of(Figure::P99) * 1e6
            );
        }
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
