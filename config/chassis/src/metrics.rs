//! The metrics of a process: what describes them, and the recorder that holds them. It only records;
//! the operations port renders what it holds.

use metrics::Label;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of the log lost, whether the queue was full or the write failed.
pub const LOG_LINES_DROPPED: &str = "mymt5_log_lines_dropped_total";
/// Crash reports that this start found, which no start before it had told of, and those written since.
pub const CRASH_REPORTS: &str = "mymt5_crash_reports";

/// Series that a family has no room for.
const SERIES_LEFT_OUT: &str = "mymt5_metric_series_left_out";
/// Spans that were given up, since the collector was away, slow or refused them.
pub(crate) const SPANS_DROPPED: &str = "mymt5_trace_spans_dropped_total";
/// Spans that the collector took.
pub(crate) const SPANS_EXPORTED: &str = "mymt5_trace_spans_exported_total";

/// What every process exports.
pub const COMMON: [Metric; 6] = [
    Metric::gauge("mymt5_build_info", "1, with the version that runs").by(&["version"]),
    Metric::counter(
        LOG_LINES_DROPPED,
        "Lines of the log lost because the queue was full or the write failed",
    ),
    Metric::gauge(
        CRASH_REPORTS,
        "Crash reports that this start found and told of, and those written since",
    ),
    Metric::counter(SPANS_EXPORTED, "Spans that the collector of traces took"),
    Metric::counter(
        SPANS_DROPPED,
        "Spans given up because the collector of traces was away, slow or refused them",
    ),
    Metric::gauge(
        SERIES_LEFT_OUT,
        "What a metric would tell now and has no room for, such as the 1025th frozen symbol",
    )
    .by(&["metric"]),
];

/// Upper bounds of the buckets of every histogram, seconds: from a commit on a fast disk to an answer
/// that is given up.
const BUCKETS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start.
    Counter,
    /// Stands at some value.
    Gauge,
    /// Counts of how long something took, in seconds, by buckets.
    Histogram,
}

impl MetricKind {
    /// Its name in Prometheus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric that a process exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// The labels of its series; none: it has one.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

impl Metric {
    /// One that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, MetricKind::Counter, help)
    }

    /// One that stands at some value.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, MetricKind::Gauge, help)
    }

    /// How long something takes, seconds.
    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, MetricKind::Histogram, help)
    }

    const fn new(name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            labels: &[],
            help,
        }
    }

    /// The same, with a series for each value of these labels.
    #[must_use]
    pub const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }
}

/// A gauge whose series come and go with what they tell of, such as symbols that are frozen. It makes
/// no more of them than [`Family::MOST`]: nothing from outside grows what is exported without end.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    labels: &'static [&'static str],
    gone: f64,
    known: BTreeSet<Vec<String>>,
}

impl Family {
    /// Most series of one.
    pub const MOST: usize = 1_024;
    /// What stands as if it were gone takes no more of them: the others are for what does not.
    const MOST_IDLE: usize = Self::MOST / 2;

    /// One with these labels; `gone` is what a series stands at once nothing is told of it.
    #[must_use]
    pub const fn new(name: &'static str, labels: &'static [&'static str], gone: f64) -> Self {
        Self {
            name,
            labels,
            gone,
            known: BTreeSet::new(),
        }
    }

    /// Takes all there is to tell now: the values of the labels, and what stands there.
    pub fn set(&mut self, now: BTreeMap<Vec<String>, f64>) {
        for gone in self.known.iter().filter(|it| !now.contains_key(*it)) {
            self.gauge(gone).set(self.gone);
        }
        let is_idle = |value: f64| value.total_cmp(&self.gone).is_eq();
        let (idle, told): (Vec<_>, Vec<_>) = now.into_iter().partition(|(_, it)| is_idle(*it));
        let left_out = self.put(told, Self::MOST);
        self.put(idle, Self::MOST_IDLE);
        metrics::gauge!(SERIES_LEFT_OUT, "metric" => self.name).set(left_out as f64);
    }

    /// Sets those that there is room for; how many there is none for.
    fn put(&mut self, all: Vec<(Vec<String>, f64)>, most: usize) -> usize {
        let mut left_out = 0;
        for (values, value) in all {
            if self.known.contains(&values) || self.known.len() < most {
                self.gauge(&values).set(value);
                self.known.insert(values);
            } else {
                left_out += 1;
            }
        }
        left_out
    }

    fn gauge(&self, values: &[String]) -> metrics::Gauge {
        let labels = self.labels.iter().zip(values);
        let labels: Vec<Label> = labels
            .map(|(label, value)| Label::new(*label, value.clone()))
            .collect();
        metrics::gauge!(self.name, labels)
    }
}

/// Why no recorder could be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot install the recorder of metrics: this process has one already")]
pub struct MetricsError {
    #[source]
    source: BuildError,
}

/// Installs the process's recorder; the handle renders the text of `/metrics`.
///
/// # Errors
/// Another recorder is installed already.
pub fn install() -> Result<PrometheusHandle, MetricsError> {
    let handle = builder()
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|source| MetricsError { source })?;
    describe(&COMMON);
    metrics::gauge!("mymt5_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&BUCKETS)
}

/// Describes metrics. Those counters and histograms that have no label begin at 0: what was never
/// counted must not look like what nobody counts.
pub fn describe(all: &[Metric]) {
    for metric in all {
        let (name, help) = (metric.name, metric.help);
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(name, help),
            MetricKind::Gauge => metrics::describe_gauge!(name, help),
            MetricKind::Histogram => metrics::describe_histogram!(name, help),
        }
        if !metric.labels.is_empty() {
            continue;
        }
        match metric.kind {
            MetricKind::Counter => metrics::counter!(name).increment(0),
            MetricKind::Histogram => metrics::histogram!(name).record_many(0.0, 0),
            MetricKind::Gauge => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_family_says_what_is_gone_and_is_bounded() {
        let recorder = builder().unwrap().build_recorder();
        let value = |name: &str| vec![name.to_owned()];
        let text = metrics::with_local_recorder(&recorder, || {
            let mut frozen = Family::new("frozen", &["symbol"], 0.0);
            frozen.set([(value("EURUSD"), 1.0), (value("AUDUSD"), 1.0)].into());
            let many = (0..2 * Family::MOST).map(|n| (value(&format!("S{n:03}")), 1.0));
            frozen.set(many.chain([(value("EURUSD"), 1.0)]).collect());
            recorder.handle().render()
        });
        for line in ["frozen{symbol=\"EURUSD\"} 1", "frozen{symbol=\"AUDUSD\"} 0"] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
        assert_eq!(text.matches("symbol=").count(), Family::MOST);
        // Two are of the first call, and EURUSD is told again.
        let left_out = format!(
            "mymt5_metric_series_left_out{{metric=\"frozen\"}} {}",
            Family::MOST + 2
        );
        assert!(text.lines().any(|told| told == left_out), "{text}");
    }

    #[test]
    fn what_stands_as_if_it_were_gone_leaves_room_for_what_does_not() {
        let recorder = builder().unwrap().build_recorder();
        let text = metrics::with_local_recorder(&recorder, || {
            let mut frozen = Family::new("frozen", &["symbol"], 0.0);
            let thawed = (0..2 * Family::MOST).map(|n| (vec![format!("S{n:04}")], 0.0));
            let thawed: BTreeMap<Vec<String>, f64> = thawed.collect();
            frozen.set(thawed.clone());
            let last = (vec!["XAUUSD".to_owned()], 1.0);
            frozen.set(thawed.into_iter().chain([last]).collect());
            recorder.handle().render()
        });
        for line in [
            "frozen{symbol=\"S0000\"} 0",
            "frozen{symbol=\"XAUUSD\"} 1",
            "mymt5_metric_series_left_out{metric=\"frozen\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
    }

    #[test]
    fn what_was_never_counted_stands_at_zero() {
        let recorder = builder().unwrap().build_recorder();
        let text = metrics::with_local_recorder(&recorder, || {
            describe(&[
                Metric::counter("a_total", "A."),
                Metric::counter("b_total", "B.").by(&["why"]),
                Metric::histogram("c_seconds", "C."),
                Metric::gauge("d", "D."),
            ]);
            recorder.handle().render()
        });
        for line in [
            "# HELP a_total A.",
            "a_total 0",
            "# TYPE c_seconds histogram",
            "c_seconds_bucket{le=\"0.0001\"} 0",
            "c_seconds_count 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
        for absent in ["b_total", "# TYPE d "] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }
}
