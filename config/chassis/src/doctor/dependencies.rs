//! How old the dependencies are that the program was built of.

use super::Finding;
use crate::loader::Environment;

/// The check of their age.
pub(super) const DEPENDENCIES: &str = "dependencies";

/// Days after which an update is due, and after which the program is not to be trusted.
const DUE: i64 = 60;
const OVERDUE: i64 = 180;
const DAY_MS: i64 = 86_400_000;

/// When they were locked, Unix milliseconds, as the build has it; in a build for tests as a variable
/// says. None: not known.
pub(super) fn locked_at(environment: &Environment) -> Option<i64> {
    #[cfg(debug_assertions)]
    let told = environment.for_test("MYMT5_TEST_LOCKED_AT");
    #[cfg(not(debug_assertions))]
    let told: Option<&str> = {
        let _ = environment;
        None
    };
    let seconds: i64 = told.unwrap_or(env!("MYMT5_LOCKED_AT")).parse().ok()?;
    seconds.checked_mul(1_000)
}

/// Whether an update is due.
pub(super) fn age(locked_ms: Option<i64>, now_ms: i64) -> Finding {
    let fix = "update Cargo.lock by `cargo update`, run the tests, build and replace the program";
    let Some(locked_ms) = locked_ms else {
        return Finding::cannot_see(
            DEPENDENCIES,
            "the build could not tell when Cargo.lock was changed",
            "look at its last commit, and build with that in MYMT5_LOCKED_AT",
        );
    };
    let days = (now_ms - locked_ms).div_euclid(DAY_MS).max(0);
    let seen = format!("locked {days} days ago");
    if days >= OVERDUE {
        Finding::fail(DEPENDENCIES, seen, fix)
    } else if days >= DUE {
        Finding::warn(DEPENDENCIES, seen, fix)
    } else {
        Finding::pass(DEPENDENCIES, seen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::print_stderr)]
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn an_update_is_due_after_two_months_and_overdue_after_six() {
        let verdict = |days: i64| age(Some(0), days * DAY_MS).verdict;
        assert_eq!(verdict(59), Verdict::Pass);
        assert_eq!(verdict(60), Verdict::Warn);
        assert_eq!(verdict(179), Verdict::Warn);
        assert_eq!(verdict(180), Verdict::Fail);
        assert_eq!(verdict(-1), Verdict::Pass);
        assert_eq!(age(None, 0).verdict, Verdict::CannotSee);
    }

    #[test]
    fn this_build_knows_its_lock() {
        let none = Environment::from_pairs([("", ""); 0]);
        let Some(locked_ms) = locked_at(&none) else {
            assert_eq!(env!("MYMT5_LOCKED_AT"), "");
            eprintln!("skipped: built of a copy, or of a clone without its history");
            return;
        };
        assert!(locked_ms > 1_700_000_000_000, "{locked_ms}");
    }
}
