//! What systemd, or a supervisor that speaks as it does (`sd_notify`), is told: that the process
//! serves, that it still turns over, and that it stops. Without one nothing is told.

use crate::loader::Environment;
use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::Arc,
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// A patience below this is warned of.
const HASTY: Duration = Duration::from_secs(20);

/// The way to the supervisor; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    socket: Option<Arc<UnixDatagram>>,
    /// The longest silence that it bears.
    patience: Option<Duration>,
}

impl Supervisor {
    /// Connects to the socket that the environment names, which the sandbox bars later.
    ///
    /// # Errors
    /// There is nothing to connect to.
    pub(crate) fn connect(environment: &Environment) -> io::Result<Self> {
        let Some(name) = environment.of_process_only("NOTIFY_SOCKET") else {
            return Ok(Self::default());
        };
        let socket = UnixDatagram::unbound()?;
        match name.strip_prefix('@') {
            Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
            None => socket.connect(OsStr::new(name))?,
        }
        // A supervisor that does not read holds nothing up.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some(Arc::new(socket)),
            patience: patience(environment, std::process::id()),
        })
    }

    /// The process serves from now on. What it cannot do meanwhile is for [`Supervisor::status`].
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// How it is, in a few words.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    /// It was asked to stop.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Warns of a patience that a slow disk or a busy machine would end.
    pub(crate) fn warn_of_haste(&self) {
        if self.patience.is_some_and(|patience| patience < HASTY) {
            tracing::warn!(
                "the supervisor's patience is below 20 s, and a slow disk would end this process: set WatchdogSec=30 or more"
            );
        }
    }

    /// Says three times within the supervisor's patience that the process turns over, as long as
    /// `turns_over` comes back with true: what is stuck neither comes back nor is told alive. Never
    /// ends; it belongs beside what it watches, in the same task.
    pub async fn watch(&self, turns_over: impl AsyncFn() -> bool) {
        let Some(patience) = self.patience else {
            return std::future::pending().await;
        };
        let mut beat = interval(patience / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if turns_over().await {
                self.tell("WATCHDOG=1");
            }
        }
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::debug!(%error, "the supervisor was not told");
        }
    }
}

/// The watchdog's, where it is meant for this process.
fn patience(environment: &Environment, own: u32) -> Option<Duration> {
    /// Below that a supervisor would watch the machine's load.
    const SHORTEST: Duration = Duration::from_millis(20);
    let number = |name: &str| environment.of_process_only(name)?.parse::<u64>().ok();
    let of_another = |pid: &str| pid.parse() != Ok(own);
    let pid = environment.of_process_only("WATCHDOG_PID");
    if pid.is_some_and(of_another) {
        return None;
    }
    let patience = Duration::from_micros(number("WATCHDOG_USEC")?);
    (patience >= SHORTEST).then_some(patience)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn both_kinds_of_sockets_hear_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("mymt5-test-{}", std::process::id());
        let by_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, variable) in [
            (
                UnixDatagram::bind(&path).unwrap(),
                path.display().to_string(),
            ),
            (
                UnixDatagram::bind_addr(&by_name).unwrap(),
                format!("@{name}"),
            ),
        ] {
            let environment = Environment::from_pairs([("NOTIFY_SOCKET", variable)]);
            let supervisor = Supervisor::connect(&environment).unwrap();
            supervisor.ready();
            assert_eq!(heard(&socket), "READY=1\nSTATUS=serving");
            supervisor.stopping();
            assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=stopping");
        }
        let nowhere = Environment::from_pairs([("NOTIFY_SOCKET", "/nowhere/notify")]);
        assert!(Supervisor::connect(&nowhere).is_err());
        let without = Environment::from_pairs([("", ""); 0]);
        Supervisor::connect(&without).unwrap().ready();
    }

    #[test]
    fn the_watchdog_is_this_processs_own() {
        let patience = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().copied();
            patience(&Environment::from_pairs(pairs), 42)
        };
        let usec = ("WATCHDOG_USEC", "30000000");
        let half_a_minute = Some(Duration::from_secs(30));
        assert_eq!(patience(&[usec]), half_a_minute);
        assert_eq!(patience(&[usec, ("WATCHDOG_PID", "42")]), half_a_minute);
        assert_eq!(patience(&[usec, ("WATCHDOG_PID", "43")]), None);
        for wrong in ["0", "-1", "soon", ""] {
            assert_eq!(patience(&[("WATCHDOG_USEC", wrong)]), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_three_times_within_the_patience() {
        let (socket, systemd) = UnixDatagram::pair().unwrap();
        systemd.set_nonblocking(true).unwrap();
        let supervisor = Supervisor {
            socket: Some(Arc::new(socket)),
            patience: Some(Duration::from_secs(30)),
        };
        let almost = Duration::from_secs(29);
        let watched = tokio::time::timeout(almost, supervisor.watch(async || true));
        assert!(watched.await.is_err());
        let mut bytes = [0; 64];
        let beats = std::iter::from_fn(|| systemd.recv(&mut bytes).ok()).count();
        assert_eq!(beats, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stuck_is_not_told_alive() {
        let (socket, systemd) = UnixDatagram::pair().unwrap();
        systemd.set_nonblocking(true).unwrap();
        let supervisor = Supervisor {
            socket: Some(Arc::new(socket)),
            patience: Some(Duration::from_secs(10)),
        };
        let beats = || {
            let mut bytes = [0; 64];
            std::iter::from_fn(|| systemd.recv(&mut bytes).ok()).count()
        };
        let asked = Cell::new(0);
        let turns_over = async || {
            asked.set(asked.get() + 1);
            match asked.get() {
                ..=3 => true,
                4 => false,
                _ => std::future::pending().await,
            }
        };
        let minute = Duration::from_secs(60);
        let watched = tokio::time::timeout(minute, supervisor.watch(turns_over));
        assert!(watched.await.is_err());
        assert_eq!((asked.get(), beats()), (5, 3));
    }
}
