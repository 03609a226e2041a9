//! Why a session ended.

use super::gateway::ConnectError;
use crate::intents::IntentError;
use mymt5_proto::reason_of;
use std::fmt;
use tonic::Status;

/// Why a session ended.
#[derive(Debug)]
pub(crate) enum SessionEnd {
    NotConnected(ConnectError),
    Call(&'static str, Status),
    StreamEnded(&'static str),
    /// Nothing of what is traded is listed.
    Symbol(String),
    /// A symbol that was missing is listed.
    Listed(String),
    Shared(String),
    Intents(IntentError),
    /// The process ends.
    Stopping,
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(error) => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::Call(what, status) => {
                let message = status.message();
                match reason_of(status) {
                    Some(reason) => {
                        write!(
                            f,
                            "the gateway refused {what} ({}): {message}",
                            reason.name()
                        )
                    }
                    None => write!(
                        f,
                        "the connection to the gateway broke during {what} ({:?}: {message}); check that it runs",
                        status.code()
                    ),
                }
            }
            Self::StreamEnded(what) => {
                write!(f, "the stream of {what} ended; check that the gateway runs")
            }
            Self::Symbol(symbol) => write!(
                f,
                "the gateway does not list {symbol} for this client; add it to clients.NAME.symbols there, or mend what mymt5-gateway status says of it"
            ),
            Self::Listed(symbol) => write!(
                f,
                "the gateway lists {symbol} now, and the next session trades it; wait for its begin"
            ),
            Self::Shared(symbol) => write!(
                f,
                "several strategies trade {symbol} on an account that nets; give each symbol to one strategy"
            ),
            Self::Intents(error) => write!(f, "{error}"),
            Self::Stopping => f.write_str("the engine is stopping"),
        }
    }
}

impl From<IntentError> for SessionEnd {
    fn from(error: IntentError) -> Self {
        Self::Intents(error)
    }
}
