//! The mark of a step: a finite hard limit of file locks (`RLIMIT_LOCKS`), set by the guard before it starts anything.
//!
//! Every process inherits it. No process can raise a hard limit again without `CAP_SYS_RESOURCE` (`setrlimit(2)`), so
//! neither a cleared environment, nor a new session, nor a killed guard takes the mark off. Linux has enforced nothing by
//! this limit since 2.4.25, so no program notices. The kernel is asked for it (`prlimit(2)`): a file of `/proc` can be covered by
//! a mount in a user namespace, which needs no rights. Only limits of another user's process are read from there, since the
//! kernel does not tell them.

use rlimit::{INFINITY, prlimit};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{fs, io};

/// A limit that no program reaches; any finite one is the mark.
const MARK: u64 = 1 << 40;

/// Marks this process and everything it starts from now on. The limit becomes lower than that of the process that started
/// this one, so a guard inside of a step tells its own steps from its engine.
///
/// # Errors
/// When the limit cannot become lower; nothing may be started then.
pub(super) fn put_on() -> io::Result<()> {
    let lower = match getrlimit(Resource::Locks).maximum {
        None => MARK,
        Some(now) => now.checked_sub(1).ok_or_else(|| io::Error::other("the limit of file locks is 0"))?,
    };
    Ok(setrlimit(Resource::Locks, Rlimit { current: Some(lower), maximum: Some(lower) })?)
}

/// Reports if this process carries the mark: a step has started it. An engine that carries it may stand in namespaces of that
/// step, where nothing that it reads about other processes is sure.
pub(super) fn is_on_us() -> bool {
    getrlimit(Resource::Locks).maximum.is_some()
}

/// Reports if a process carries the mark; `None` when the process cannot be read.
pub(super) fn is_on(pid: i32) -> Option<bool> {
    limit_of(pid).map(|limit| limit.is_some())
}

/// Reports if a process carries this guard's mark: its limit is no higher than our own. `None` when it cannot be read.
pub(super) fn is_ours(pid: i32) -> Option<bool> {
    let own = getrlimit(Resource::Locks).maximum;
    limit_of(pid).map(|limit| limit.is_some_and(|limit| own.is_none_or(|own| limit <= own)))
}

/// The hard limit of a process; `Some(None)` is no limit.
fn limit_of(pid: i32) -> Option<Option<u64>> {
    let (mut soft, mut hard) = (0, 0);
    match prlimit(pid, rlimit::Resource::LOCKS, None, Some((&mut soft, &mut hard))) {
        Ok(()) => Some((hard != INFINITY).then_some(hard)),
        // The process of another user.
        Err(why) if Errno::from_io_error(&why) == Some(Errno::PERM) => {
            hard_limit_of_locks(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
        }
        Err(_) => None,
    }
}

/// The hard limit stands behind the soft one.
fn hard_limit_of_locks(limits: &str) -> Option<Option<u64>> {
    let row = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    match row.split_ascii_whitespace().nth(1)? {
        "unlimited" => Some(None),
        limit => limit.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_and_proc_tell_the_same_limit() {
        let own = i32::try_from(std::process::id()).expect("a number");
        let text = fs::read_to_string("/proc/self/limits").expect("limits");
        assert_eq!(limit_of(own), hard_limit_of_locks(&text));
        assert_eq!(limit_of(own), Some(getrlimit(Resource::Locks).maximum));
        // Above the highest number that Linux gives to a process.
        assert_eq!(limit_of(i32::MAX), None);
    }

    #[test]
    fn the_hard_limit_is_read_and_not_the_soft_one() {
        let row = |soft: &str, hard: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax file locks            {soft:<20} {hard:<20} locks\n"
            )
        };
        assert_eq!(hard_limit_of_locks(&row("12", "unlimited")), Some(None));
        assert_eq!(hard_limit_of_locks(&row("unlimited", "1099511627776")), Some(Some(MARK)));
        assert_eq!(hard_limit_of_locks("Max open files 1 2 files\n"), None);
    }
}
