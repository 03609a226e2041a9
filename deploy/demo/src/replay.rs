//! The export to replay, read once before anything starts: its faults are told as its own, and how
//! many ticks it has tells how far the replay is.

use anyhow::{Context, ensure};
use mymt5_simulator::{
    catalogue,
    feed::{TickFile, symbol_of},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

pub(crate) struct Replay {
    pub(crate) file: PathBuf,
    pub(crate) symbol: String,
    /// It never pauses by itself, and waits for the engine.
    pub(crate) at_full_speed: bool,
    ticks: u64,
}

impl Replay {
    pub(crate) fn of(file: &Path, speed: &str) -> anyhow::Result<Self> {
        let symbol = symbol_of(file).with_context(|| {
            format!(
                "invalid file name {}: expected it to begin with the symbol, such as EURUSD_ticks.csv",
                file.display()
            )
        })?;
        let mut ticks = 0;
        for tick in TickFile::open(file, &catalogue::spec(&symbol))? {
            tick?;
            ticks += 1;
        }
        ensure!(
            ticks > 0,
            "{} has no tick; name an export with ticks",
            file.display()
        );
        Ok(Self {
            file: file.to_owned(),
            symbol: symbol.to_string(),
            at_full_speed: speed == "max",
            ticks,
        })
    }
}

/// How far a replay is.
pub(crate) struct Progress {
    ticks: u64,
    /// When the first were seen to have come, and how many.
    begun: Option<(Instant, u64)>,
}

impl Progress {
    pub(crate) const fn of(replay: &Replay) -> Self {
        Self {
            ticks: replay.ticks,
            begun: None,
        }
    }

    /// What is left after so many ticks, at the rate so far.
    pub(crate) fn after(&mut self, received: u64, now: Instant) -> String {
        let total = self.ticks;
        let share = 100 * received.min(total) / total;
        let (begun, first) = *self.begun.get_or_insert((now, received));
        let done = received.saturating_sub(first);
        if done == 0 {
            return format!("{share} % of {total}");
        }
        let left = total.saturating_sub(received) as f64 / done as f64;
        let left = (now - begun).mul_f64(left);
        format!("{share} % of {total}, {} left", minutes(left))
    }
}

/// `1:05` of 65 seconds.
fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
    const ROW: &str = "2026.07.01\t10:00:00.000\t0.65000\t0.65010\t\t\t6\r\n";

    fn replay(name: &str, text: &str) -> anyhow::Result<Replay> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        Replay::of(&file, "max")
    }

    #[test]
    fn the_whole_file_is_read() {
        let good = replay("AUDUSD_ticks.csv", &format!("{HEADER}{ROW}{ROW}")).unwrap();
        assert_eq!((good.symbol.as_str(), good.ticks), ("AUDUSD", 2));
        for (name, text, told) in [
            ("ticks.csv", format!("{HEADER}{ROW}"), "invalid file name"),
            ("AUDUSD.csv", HEADER.to_owned(), "has no tick"),
            ("AUDUSD.csv", String::new(), "empty"),
            ("AUDUSD.csv", format!("{HEADER}{ROW}rubbish"), "line 3"),
        ] {
            let said = replay(name, &text).err().unwrap().to_string();
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn what_is_left_follows_from_the_rate() {
        let mut progress = Progress {
            ticks: 1_000,
            begun: None,
        };
        let begun = Instant::now();
        assert_eq!(progress.after(100, begun), "10 % of 1000");
        let now = begun + Duration::from_secs(20);
        assert_eq!(progress.after(300, now), "30 % of 1000, 1:10 left");
        assert_eq!(progress.after(1_000, now), "100 % of 1000, 0:00 left");
    }
}
