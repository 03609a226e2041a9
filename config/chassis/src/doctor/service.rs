//! Whether the running process serves, apart from the other of the pair, and has room on its disks.

use super::Finding;
use crate::operations::ServingStatus;
use std::{net::SocketAddr, path::PathBuf};

/// The check of health.
pub(super) const HEALTH: &str = "health";
/// The check of the disks.
pub(super) const DISK: &str = "disk";
/// The check of the pair's users.
pub(super) const TWO_USERS: &str = "two-users";

const MIB: u64 = 1 << 20;

/// What the operations port said; none: it does not answer.
pub(super) fn health(answer: Option<ServingStatus>, port: SocketAddr, runs: bool) -> Finding {
    match answer {
        Some(ServingStatus::Serving) => Finding::pass(HEALTH, format!("{port} says SERVING")),
        Some(status) => Finding::fail(
            HEALTH,
            format!("{port} says {}", status.as_str_name()),
            "look at its `status` and at its log",
        ),
        None if runs => Finding::fail(
            HEALTH,
            format!("the process runs, and {port} does not answer"),
            "restart it if operations.listen was changed, else look at its log",
        ),
        None => Finding::without_process(HEALTH),
    }
}

/// The room in each folder, bytes, as far as it is known.
pub(super) fn disk(rooms: &[(PathBuf, u64)], alarm_bytes: u64) -> Finding {
    let Some((folder, free)) = rooms.iter().min_by_key(|(_, free)| *free) else {
        return Finding::cannot_see(
            DISK,
            "the system does not tell the room on the disks",
            "look at df",
        );
    };
    let seen = format!("{} MiB free for {}", free / MIB, folder.display());
    if *free < alarm_bytes {
        let least = alarm_bytes / MIB;
        return Finding::fail(
            DISK,
            format!("{seen}, fewer than {least}"),
            "make room on that disk, or move the folder to another",
        );
    }
    Finding::pass(DISK, seen)
}

/// Whether the other process of the pair has a user of its own: `same` is a folder of it that belongs to
/// this one's user.
pub(super) fn two_users(same: Option<PathBuf>) -> Finding {
    match same {
        Some(folder) => Finding::fail(
            TWO_USERS,
            format!("{} belongs to the same user", folder.display()),
            "give each process its own user by useradd --system, and chown its folders and keys",
        ),
        None => Finding::pass(
            TWO_USERS,
            "the other process shares no user with this one here",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_running_process_must_answer() {
        let port = SocketAddr::from(([127, 0, 0, 1], 9101));
        let verdict = |answer, runs| health(answer, port, runs).verdict;
        assert_eq!(verdict(Some(ServingStatus::Serving), true), Verdict::Pass);
        assert_eq!(
            verdict(Some(ServingStatus::NotServing), true),
            Verdict::Fail
        );
        assert_eq!(verdict(None, true), Verdict::Fail);
        assert_eq!(verdict(None, false), Verdict::CannotSee);
    }

    #[test]
    fn the_fullest_disk_counts() {
        let rooms = [("data".into(), 9 * MIB), ("logs".into(), 3 * MIB)];
        let finding = disk(&rooms, 4 * MIB);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.seen.starts_with("3 MiB free for logs"), "{finding}");
        assert_eq!(disk(&rooms, 3 * MIB).verdict, Verdict::Pass);
        assert_eq!(disk(&[], 0).verdict, Verdict::CannotSee);
    }

    #[test]
    fn a_shared_user_fails() {
        assert_eq!(two_users(Some("data/engine".into())).verdict, Verdict::Fail);
        assert_eq!(two_users(None).verdict, Verdict::Pass);
    }
}
