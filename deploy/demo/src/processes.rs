//! The two processes: started under their users, watched, stopped.

use crate::stage::{Part, Stage};
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How long a process may take to stop.
const STOP: Duration = Duration::from_secs(8);

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

    /// Fails when one of them has ended, with the end of what it said.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for process in &mut self.0 {
            if let Some(status) = process.child.try_wait()? {
                let said = fs::read_to_string(&process.stderr).unwrap_or_default();
                let lines: Vec<_> = said.lines().collect();
                let tail = lines[lines.len().saturating_sub(12)..].join("\n");
                bail!("the {} ended ({status}):\n{tail}", process.name);
            }
        }
        Ok(())
    }

    /// Asks both to stop, the engine first.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for process in self.0.iter_mut().rev() {
            let Some(pid) = process
                .child
                .id()
                .and_then(|id| Pid::from_raw(id.cast_signed()))
            else {
                continue;
            };
            kill_process(pid, Signal::TERM)?;
            let stopped = timeout(STOP, process.child.wait()).await;
            let status = stopped
                .with_context(|| format!("the {} did not stop within {STOP:?}", process.name))??;
            if !status.success() {
                bail!("the {} stopped with {status}", process.name);
            }
        }
        Ok(())
    }
}

fn start(part: &Part) -> anyhow::Result<Process> {
    let stderr = part.folder.join("stderr");
    let mut command = Command::new(&part.binary);
    command
        .args(["run", "--config"])
        .arg(part.config())
        .current_dir(&part.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&stderr)?)
        .kill_on_drop(true);
    if let Some(uid) = part.uid {
        command.uid(uid).gid(uid);
    }
    let child = command
        .spawn()
        .with_context(|| format!("the {} cannot be started", part.name))?;
    Ok(Process {
        name: part.name,
        child,
        stderr,
    })
}
