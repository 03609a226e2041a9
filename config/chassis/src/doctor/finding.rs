//! What one check came to.

use serde::Serialize;
use std::fmt;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it must be.
    Pass,
    /// Better otherwise.
    Warn,
    /// Not as it must be.
    Fail,
    /// Nothing tells from here, or from here now.
    CannotSee,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::CannotSee => "cannot see",
        })
    }
}

/// One line of the report. `Display` gives it as a sentence: `check: what was seen; the fix`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check, such as `key-files`: one line each.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do; empty where it passed.
    pub fix: String,
}

impl Finding {
    /// As it must be.
    pub fn pass(check: &'static str, seen: impl Into<String>) -> Self {
        Self::of(check, Verdict::Pass, seen.into(), String::new())
    }

    /// Better otherwise.
    pub fn warn(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(check, Verdict::Warn, seen.into(), fix.into())
    }

    /// Not as it must be.
    pub fn fail(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(check, Verdict::Fail, seen.into(), fix.into())
    }

    /// Nothing tells.
    pub fn cannot_see(
        check: &'static str,
        seen: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::of(check, Verdict::CannotSee, seen.into(), fix.into())
    }

    /// The check needs settings that are not there.
    #[must_use]
    pub fn without_settings(check: &'static str) -> Self {
        Self::cannot_see(
            check,
            "the configuration has faults",
            "correct what `configuration` and `secrets` tell first",
        )
    }

    /// The check needs a process that does not run.
    #[must_use]
    pub fn without_process(check: &'static str) -> Self {
        Self::cannot_see(
            check,
            "the process does not run",
            "start it, then repeat this",
        )
    }

    fn of(check: &'static str, verdict: Verdict, seen: String, fix: String) -> Self {
        Self {
            check,
            verdict,
            seen,
            fix,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.seen)?;
        if self.fix.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.fix)
    }
}
