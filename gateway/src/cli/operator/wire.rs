//! The way to a running gateway, and what a refusal says to the operator.

use crate::cli::CONTROL_SOCKET;
use clap::Args;
use hyper_util::rt::TokioIo;
use mymt5_chassis::cli::block_on;
use mymt5_proto::{Reason, reason_of};
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

/// How long reading may take.
pub(in crate::cli) const READING: Duration = Duration::from_secs(3);
/// How long something that reaches the broker or the disk may take.
pub(super) const ACTING: Duration = Duration::from_secs(30);

/// A fresh request id.
pub(super) fn request_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// Which gateway, and how to show its answer.
#[derive(Debug, Args)]
pub(in crate::cli) struct Target {
    /// The gateway's data folder.
    #[arg(long, value_name = "DIR", default_value = "data/gateway")]
    pub(in crate::cli) data_folder: PathBuf,
    /// JSON instead of a table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// No gateway answers at the control socket.
#[derive(Debug, thiserror::Error)]
#[error("the gateway does not run: nothing answers at {}; start it with `mymt5-gateway run`, or name its folder with --data-folder", .0.display())]
pub(in crate::cli) struct NotRunning(PathBuf);

/// The control socket bars this process, or is none.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(in crate::cli) struct Barred(tonic::transport::Error);

/// The gateway's no, in one line.
#[derive(Debug, thiserror::Error)]
#[error("refused: {reason}: {message}; {fix}")]
pub(in crate::cli) struct Refused {
    reason: String,
    message: String,
    fix: &'static str,
}

impl Target {
    /// Has a conversation with the gateway, of bounded time for each answer.
    ///
    /// # Errors
    /// [`NotRunning`], [`Refused`], [`Barred`], or the conversation's own.
    pub(in crate::cli) fn talk<T>(
        &self,
        timeout: Duration,
        conversation: impl AsyncFnOnce(Channel) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let socket = self.data_folder.join(CONTROL_SOCKET);
        block_on(async {
            let channel = connect(&socket, timeout).await?;
            conversation(channel)
                .await
                .map_err(|error| match error.downcast::<Status>() {
                    Ok(status) => Refused::from(status).into(),
                    Err(error) => error,
                })
        })
    }
}

async fn connect(socket: &Path, timeout: Duration) -> anyhow::Result<Channel> {
    let path = socket.to_path_buf();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is a formality: the connector knows the way.
    let endpoint = Endpoint::from_static("http://control.socket").timeout(timeout);
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| match cause(&error) {
            Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                NotRunning(socket.to_path_buf()).into()
            }
            _ => anyhow::Error::new(Barred(error)).context(format!(
                "cannot ask the gateway by {}; run this as the gateway's own user",
                socket.display()
            )),
        })
}

fn cause(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let reason = reason_of(&status);
        Self {
            reason: reason.map_or_else(
                || format!("{:?}", status.code()).to_uppercase(),
                |reason| reason.name().to_owned(),
            ),
            message: one_line(said(&status, reason)),
            fix: reason.map_or_else(|| unexplained(status.code()), fix),
        }
    }
}

/// What the gateway says, without what it proposes to programs.
fn said(status: &Status, reason: Option<Reason>) -> &str {
    let message = status.message();
    let said = reason.and_then(|reason| message.strip_suffix(reason.fix())?.strip_suffix("; "));
    said.unwrap_or(message)
}

/// The lines of a report, such as the faults of a configuration, in one.
fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().collect();
    super::show::plain(&lines.join(" | "))
}

/// What an operator can do about a refusal.
const fn fix(reason: Reason) -> &'static str {
    match reason {
        Reason::NotServed => "use a version of the gateway that serves this command",
        Reason::DealNotFound => "list what waits with `mymt5-gateway status`",
        Reason::OrderNotUnknown => "list its state with `mymt5-gateway orders`",
        Reason::TradeNotAllowed | Reason::NothingToAccept => {
            "look at what `mymt5-gateway status` shows"
        }
        Reason::OrphansFound => "give them a client with `mymt5-gateway adopt`",
        Reason::HistoryIncomplete | Reason::UnreadableRows => {
            "try again later, or accept that with `mymt5-gateway accept`"
        }
        Reason::OrderNotFound => "list them with `mymt5-gateway orders`",
        Reason::PositionNotFound => "list them with `mymt5-gateway positions`",
        Reason::PermissionDenied | Reason::Unauthenticated => {
            "run it as the gateway's own user, on its machine"
        }
        Reason::SequencePurged | Reason::JournalChanged => "repeat it without --after",
        Reason::JournalDown | Reason::JournalLost => {
            "make room on the disk of the gateway's data folder, then restart the gateway"
        }
        Reason::AuditUnwritable => "make room on the disk of the gateway's log folder",
        Reason::LinkDown => "try again once `mymt5-gateway status` shows the link as READY",
        Reason::Draining => "try again once the gateway runs again",
        Reason::ReloadRefused => "correct that, then repeat `mymt5-gateway reload`",
        Reason::Internal => "look for the incident in the gateway's log",
        reason => reason.fix(),
    }
}

/// For what no gateway said: the connection's own failures.
const fn unexplained(code: Code) -> &'static str {
    match code {
        Code::Cancelled | Code::DeadlineExceeded => {
            "look at what was done before you repeat it: there was no answer in time, and it may have been done all the same"
        }
        _ => {
            "check that you are the gateway's user and that it runs: the connection broke, and it may have been done all the same"
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::testing::messages::is_fix;
    use mymt5_proto::Refusal;

    #[test]
    fn a_refusal_is_one_line_with_reason_and_fix() {
        for reason in Reason::ALL {
            let line = Refused::from(Status::from(Refusal::new(*reason))).to_string();
            assert!(line.starts_with(&format!("refused: {}: ", reason.name())));
            assert!(!line.contains('\n') && !line.ends_with("; "), "{line}");
        }
        let line = Refused::from(Status::from(Refusal::new(Reason::NotServed))).to_string();
        assert_eq!(
            line,
            "refused: NOT_SERVED: this gateway does not serve the call yet; use a version of the gateway that serves this command"
        );
        let hostile = Refusal::because(Reason::Internal, "two\nlines\u{1b}[2J");
        let line = Refused::from(Status::from(hostile)).to_string();
        assert!(!line.contains(['\n', '\u{1b}']), "{line:?}");
    }

    #[test]
    fn what_to_do_about_a_refusal_is_said_in_the_imperative() {
        for reason in Reason::ALL {
            assert!(is_fix(fix(*reason)), "{}", fix(*reason));
        }
        for code in [Code::Cancelled, Code::DeadlineExceeded, Code::Unavailable] {
            assert!(is_fix(unexplained(code)), "{}", unexplained(code));
        }
    }

    #[test]
    fn each_fault_of_a_refused_reload_stays_a_part_of_its_own() {
        let report =
            "2 faults in the configuration\na.b: is empty; fix: set it\nc: is missing; fix: set it";
        let refusal = Refusal::because(Reason::ReloadRefused, report);
        let line = Refused::from(Status::from(refusal)).to_string();
        assert!(
            line.contains("configuration | a.b: is empty; fix: set it | c: is missing"),
            "{line}"
        );
    }

    #[test]
    fn a_broken_connection_does_not_claim_that_nothing_was_done() {
        for status in [
            Status::cancelled("Timeout expired"),
            Status::unknown("broken pipe"),
        ] {
            let line = Refused::from(status).to_string();
            assert!(line.contains("may have been done"), "{line}");
        }
    }

    #[test]
    fn a_missing_and_a_dead_socket_mean_that_it_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target {
            data_folder: folder.path().to_path_buf(),
            json: false,
        };
        let ask = || target.talk(READING, async |_| Ok(())).unwrap_err();
        assert!(ask().is::<NotRunning>());
        drop(std::os::unix::net::UnixListener::bind(folder.path().join(CONTROL_SOCKET)).unwrap());
        assert!(ask().is::<NotRunning>());
    }

    #[test]
    fn a_folder_that_is_none_bars_whoever_asks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let target = Target {
            data_folder: file.path().to_path_buf(),
            json: false,
        };
        let error = target.talk(READING, async |_| Ok(())).unwrap_err();
        assert!(error.is::<Barred>(), "{error:#}");
    }
}
