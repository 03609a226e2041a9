//! Whether another process is confined: a sandbox holds its process for life, and `/proc` tells of
//! it.

use std::{fs, sync::OnceLock};

/// The filters of system calls that this process was started under, as by its container. None:
/// `/proc` does not tell, or hides other processes.
static OWN: OnceLock<Option<u32>> = OnceLock::new();

/// To be called before the sandbox.
pub(super) fn remember_own() {
    own();
}

fn own() -> Option<u32> {
    *OWN.get_or_init(|| filters("1").and_then(|_| filters("self")))
}

/// True for a process under more filters of system calls than this one was started under, as those
/// of a sandbox are. One that cannot be seen, such as a peer of another PID namespace (0), is not: who
/// may halt must be able to, and the sandbox itself leaves no socket to reach the peer's end.
#[must_use]
pub fn is_confined(pid: i32) -> bool {
    let is_more = |own: u32| filters(&pid.to_string()).is_some_and(|count| count > own);
    own().is_some_and(is_more)
}

fn filters(process: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    filters_in(&status)
}

/// Since Linux 5.9.
fn filters_in(status: &str) -> Option<u32> {
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("Seccomp_filters:"))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_counted_from_the_status() {
        let status = |line: &str| format!("Name:\tx\nSeccomp:\t2\n{line}Speculation:\tnone\n");
        assert_eq!(filters_in(&status("Seccomp_filters:\t3\n")), Some(3));
        assert_eq!(filters_in(&status("")), None);
    }

    #[test]
    fn this_process_is_free_and_one_that_cannot_be_seen() {
        let own_pid = std::process::id().cast_signed();
        assert!(
            [own_pid, 0, i32::MAX]
                .into_iter()
                .all(|pid| !is_confined(pid))
        );
    }
}
