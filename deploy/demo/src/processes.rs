//! The two processes: started under their users, watched, stopped.

use crate::stage::{Part, Stage};
use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long a process may take to stop.
const STOP: Duration = Duration::from_secs(8);

/// How often a process that has gone silent is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Pair(Vec<Process>);

struct Process {
    name: &'static str,
    child: Child,
    stderr: PathBuf,
}

impl Pair {
    pub(crate) fn start(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self(vec![start(&stage.gateway)?, start(&stage.engine)?]))
    }

    /// Fails when one of them has ended, with the end of its output.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for process in &mut self.0 {
            if let Some(status) = process.child.try_wait()? {
                bail!(
                    "the {} ended ({status}); read what it said:\n{}",
                    process.name,
                    process.said()
                );
            }
        }
        Ok(())
    }

    /// Fails as soon as one of them is seen to have ended, which is a little later than its silence.
    pub(crate) async fn ended_within(&mut self, time: Duration) -> anyhow::Result<()> {
        let watch = async {
            while self.check().is_ok() {
                sleep(POLL_INTERVAL).await;
            }
        };
        let _ = timeout(time, watch).await;
        self.check()
    }

    /// The end of both processes' output.
    pub(crate) fn said(&self) -> String {
        let said = self
            .0
            .iter()
            .map(|process| format!("the {} said:\n{}", process.name, process.said()));
        said.collect::<Vec<_>>().join("\n")
    }

    /// Stops both, the engine first; one that fails to stop does not keep the other running.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for process in self.0.iter_mut().rev() {
            result = result.and(process.stop().await);
        }
        result
    }
}

impl Process {
    /// Lines shown of its output.
    const TAIL: usize = 12;

    fn said(&self) -> String {
        let said = fs::read_to_string(&self.stderr).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(Self::TAIL)..].join("\n")
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        let id = self.child.id().map(u32::cast_signed);
        let Some(pid) = id.and_then(Pid::from_raw) else {
            return Ok(());
        };
        kill_process(pid, Signal::TERM)?;
        let Ok(status) = timeout(STOP, self.child.wait()).await else {
            self.child.kill().await?;
            bail!(
                "the {} did not stop within {STOP:?} and was killed; run the demo again",
                self.name
            );
        };
        let status = status?;
        ensure!(
            status.success(),
            "the {} stopped with {status}; run the demo again",
            self.name
        );
        Ok(())
    }
}

fn start(part: &Part) -> anyhow::Result<Process> {
    let stderr = part.stderr();
    let mut command = Command::new(&part.binary);
    command
        .args(["run", "--config"])
        .arg(part.config())
        .current_dir(&part.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&stderr)?)
        // Ctrl-C is for the demo, which stops both in order.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(uid) = part.uid {
        command.uid(uid).gid(uid);
    }
    let child = command.spawn().with_context(|| {
        format!(
            "cannot start the {}; check that this user may run it",
            part.name
        )
    })?;
    Ok(Process {
        name: part.name,
        child,
        stderr,
    })
}
