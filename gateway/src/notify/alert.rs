//! What an operator is told: how urgent it is, what it is about, and the words.

use mymt5_chassis::clock::rfc3339;
use mymt5_model::UtcTime;
use serde::{Deserialize, Serialize};

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look soon.
    Warning,
    /// Look now.
    Critical,
}

impl Severity {
    /// Its name, such as `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What an alert is about. Repeats are folded within a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The gateway started.
    Start,
    /// A run of the gateway before this one crashed.
    Crash,
    /// The link to the broker.
    Link,
    /// The account's or another secret.
    Credentials,
    /// Who may take new risk.
    TradingState,
    /// A limit of losses.
    Limit,
    /// Margin and permission at the broker.
    Account,
    /// An order of unknown outcome.
    Order,
    /// Books and broker differ.
    Reconciliation,
    /// Somebody else traded in a symbol of ours.
    ForeignTrade,
    /// A client that is silent.
    Client,
    /// The gateway itself: its certificate, its disk, its journal.
    Gateway,
    /// A client's own alert.
    Raised,
    /// An operator's trial.
    Test,
}

impl Kind {
    /// Its name, as a message's head has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Crash => "crash",
            Self::Link => "link",
            Self::Credentials => "credentials",
            Self::TradingState => "trading state",
            Self::Limit => "limit",
            Self::Account => "account",
            Self::Order => "order",
            Self::Reconciliation => "reconciliation",
            Self::ForeignTrade => "foreign trade",
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Raised => "alert of",
            Self::Test => "test",
        }
    }
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// Who raised it, for [`Kind::Raised`]; empty for what the gateway itself found.
    pub client: String,
    /// How urgent.
    pub severity: Severity,
    /// It tells that what was told before is over.
    pub is_end: bool,
    /// What happened.
    pub text: String,
}

impl Alert {
    /// What the gateway itself found.
    #[must_use]
    pub fn new(kind: Kind, severity: Severity, text: impl Into<String>) -> Self {
        Self {
            kind,
            client: String::new(),
            severity,
            is_end: false,
            text: text.into(),
        }
    }

    /// Word that what was told before is over.
    #[must_use]
    pub(super) fn end(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            is_end: true,
            ..Self::new(kind, Severity::Info, text)
        }
    }
}

/// An alert on its way out, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When it was made.
    pub(super) at: UtcTime,
    /// What it tells.
    pub(super) alert: Alert,
}

impl Message {
    /// Its one line of summary; `name` is the gateway's.
    #[must_use]
    pub(super) fn head(&self, name: &str) -> String {
        let Alert {
            kind,
            client,
            severity,
            ..
        } = &self.alert;
        let severity = severity.name().to_uppercase();
        let head = format!("[{name}] {severity}: {} {client}", kind.name());
        head.trim_end().to_owned()
    }

    /// What follows the summary.
    #[must_use]
    pub(super) fn body(&self) -> String {
        format!("{}\n{}", self.alert.text, rfc3339(self.at.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_whose_it_is_how_urgent_and_when() {
        let mut message = Message {
            at: UtcTime(1_769_903_999_999),
            alert: Alert::new(Kind::Link, Severity::Critical, "the link is lost"),
        };
        assert_eq!(message.head("one"), "[one] CRITICAL: link");
        assert_eq!(message.body(), "the link is lost\n2026-01-31T23:59:59.999Z");
        message.alert.kind = Kind::Raised;
        message.alert.client = "alpha".into();
        assert_eq!(message.head("one"), "[one] CRITICAL: alert of alpha");
    }
}
