//! The space on the journal's disk, watched so that an alarm comes well before it is gone: a
//! journal that cannot be written closes trading until a restart.

use mymt5_chassis::process;
use std::{io, path::PathBuf, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Between two checks.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
const MIB: u64 = 1 << 20;

/// The disk that a folder is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    folder: PathBuf,
    alarm_bytes: u64,
}

impl Disk {
    /// Where the alarm is on below so many MiB; 0: never.
    #[must_use]
    pub fn of(folder: PathBuf, alarm_mib: u32) -> Self {
        let alarm_bytes = u64::from(alarm_mib) * MIB;
        Self {
            folder,
            alarm_bytes,
        }
    }

    /// Below so many free bytes the alarm is on.
    #[must_use]
    pub const fn alarm_bytes(&self) -> u64 {
        self.alarm_bytes
    }

    /// Bytes that this process may still write.
    ///
    /// # Errors
    /// The folder is gone, or the system does not know.
    pub fn free(&self) -> io::Result<u64> {
        process::free_bytes(&self.folder)
    }

    /// True where the alarm is on.
    #[must_use]
    pub const fn is_low(&self, free: u64) -> bool {
        free < self.alarm_bytes
    }

    /// Checks for ever: the metric follows, and the log says when the alarm goes on and off.
    pub async fn watch(self) {
        let mut polls = interval(POLL_INTERVAL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut low = false;
        metrics::gauge!("mymt5_disk_alarm_bytes").set(self.alarm_bytes as f64);
        loop {
            polls.tick().await;
            // The next write reports what cannot be read now.
            let Ok(free) = self.free() else { continue };
            metrics::gauge!("mymt5_disk_free_bytes").set(free as f64);
            if std::mem::replace(&mut low, self.is_low(free)) != low {
                self.log_alarm(free, low);
            }
        }
    }

    fn log_alarm(&self, free: u64, low: bool) {
        let free_mib = free / MIB;
        let folder = self.folder.display();
        if low {
            tracing::error!(
                free_mib,
                %folder,
                "the journal's disk is almost full: make room, or trading closes"
            );
        } else {
            tracing::info!(free_mib, %folder, "the journal's disk has room again");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_alarm_is_on_below_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path().to_path_buf(), 2);
        assert!(disk.is_low(2 * MIB - 1) && !disk.is_low(2 * MIB));
        assert!(disk.free().unwrap() > 0);
        assert!(!Disk::of(folder.path().to_path_buf(), 0).is_low(0));
        assert!(Disk::of(folder.path().join("gone"), 2).free().is_err());
    }
}
