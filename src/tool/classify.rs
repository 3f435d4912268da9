//! From how a call ended to one failure mode and one sentence. Structured causes come first (exit code, signal, errno);
//! the text a program left is looked at last, and only its last lines. `cause` picks the line that says why.

use super::{Ended, Failure, cause::cause_line};
use cuelight_base::{FailureMode, ProcessLimits, size_word};
use rustix::io::Errno;

/// Returns the failure that an ending means, or `None` when the call succeeded.
pub(super) fn classify(ended: &Ended, tail: &str, limits: &ProcessLimits) -> Option<Failure> {
    if let Some((mode, message)) = by_limit(ended, tail, limits) {
        return Some(Failure { mode, message });
    }
    let (mode, message) = match ended {
        Ended::Exit(0) => return None,
        Ended::Exit(code) => by_exit_code(*code, tail),
        Ended::Signal { number, core, out_of_memory } => by_signal(*number, *core, *out_of_memory, tail),
        Ended::TimedOut { after } => (
            FailureMode::SystemTimeout,
            format!("ran longer than {after}; raise `timeout` or see where it waits"),
        ),
        Ended::Silent { after, heartbeat } => (
            FailureMode::AgentTimeout,
            format!(
                "gave no sign of life for {after} and counts as lost; it should say something every {heartbeat}, or `heartbeat` be longer"
            ),
        ),
        Ended::Cancelled => (FailureMode::UserCancelled, "was cancelled".to_owned()),
        Ended::NotStarted { errno, message } => (by_errno(*errno), message.clone()),
        Ended::Lost => (
            FailureMode::SystemCrash,
            "could not learn how it ended; start cuelight where SIGCHLD is not ignored".to_owned(),
        ),
        Ended::Failed { mode, message } => (*mode, message.clone()),
        Ended::BadOutputs { message } => (FailureMode::AgentContract, message.clone()),
    };
    Some(Failure { mode, message })
}

/// Words that systems and languages print when there is no more memory for a process.
const MEMORY_TEXTS: [&str; 8] = [
    "Cannot allocate memory",
    "cannot allocate",
    "MemoryError",
    "memory allocation of",
    "memory exhausted",
    "ut of memory",
    "OutOfMemory",
    "bad_alloc",
];

/// Returns the failure if a limit of the step explains it: by the signal that only this limit sends, or by
/// the last output.
fn by_limit(ended: &Ended, tail: &str, limits: &ProcessLimits) -> Option<(FailureMode, String)> {
    let (signal, how) = match ended {
        Ended::Signal { number, .. } => (Some(*number), format!("killed by {}", spell(*number))),
        Ended::Exit(code) if *code != 0 => {
            (Some(code - 128).filter(|number| signal_name(*number).is_some()), format!("exit code {code}"))
        }
        _ => return None,
    };
    let says = |words: &[&str]| last_lines(tail).any(|line| words.iter().any(|word| line.contains(word)));
    let quota = FailureMode::ResourceQuota;
    if let Some(cpu) = limits.cpu.filter(|_| signal == Some(24)) {
        let said = format!("ran out of processor time: limit {cpu} ({how}); raise `cpu` under `limits`");
        return Some((quota, said));
    }
    if let Some(bytes) = limits.file_bytes.filter(|_| signal == Some(25) || says(&["File too large"])) {
        let most = size_word(bytes);
        let said =
            format!("wrote too much to one file: limit {most} ({how}); raise `file-size` under `limits`");
        return Some((quota, said));
    }
    if let Some(files) = limits.files.filter(|_| says(&["Too many open files"])) {
        let said = format!("opened too many files: limit {files} ({how}); raise `files` under `limits`");
        return Some((quota, said));
    }
    if let Some(bytes) = limits.memory_bytes {
        let most = size_word(bytes);
        if says(&MEMORY_TEXTS) {
            let said = format!("ran out of memory: limit {most} ({how}); raise `memory` under `limits`");
            return Some((FailureMode::ResourceMemory, said));
        }
        // Whoever does not look whether it got memory dies of it.
        if signal.is_some_and(|signal| matches!(signal, 6 | 7 | 11)) {
            let said = format!("{how}, perhaps for want of memory: limit {most}; {}", last_words(tail));
            return Some((FailureMode::SystemCrash, said));
        }
    }
    // The kernel says no more when a program goes on after it was asked to end, but it says when memory was the reason.
    let is_oom = matches!(ended, Ended::Signal { out_of_memory: true, .. });
    limits.cpu.filter(|_| signal == Some(9) && !is_oom).map(|cpu| {
        let said = format!("{how}, perhaps for want of processor time: limit {cpu}; {}", last_words(tail));
        (FailureMode::SystemCrash, said)
    })
}

/// The same failure of a step in a sandbox, where what it said last is what a sandbox makes programs say. Only where the program
/// itself gave up and nothing better is known: who was ended, or ran into a limit, did not fail of its sandbox.
pub(super) fn in_sandbox(failure: Failure, ended: &Ended, tail: &str) -> Failure {
    const TEXTS: [&str; 4] =
        ["Permission denied", "Operation not permitted", "PermissionError", "failure in name resolution"];
    let is_open = matches!(ended, Ended::Exit(_))
        && matches!(
            failure.mode,
            FailureMode::AgentLogic | FailureMode::SystemNetwork | FailureMode::UserPermission
        );
    if !is_open || !last_lines(tail).any(|line| TEXTS.iter().any(|text| line.contains(text))) {
        return failure;
    }
    Failure {
        mode: FailureMode::UserPermission,
        message: format!(
            "{}; its sandbox may have kept it from something: `sandbox: strict` reads the workspace and the system, writes below \
             its `working-directory`, in $HOME and $TMPDIR, and has no network",
            failure.message
        ),
    }
}

fn by_exit_code(code: i32, tail: &str) -> (FailureMode, String) {
    let said = reason(code, tail);
    match code {
        126 => (
            FailureMode::UserPermission,
            format!("{said}; a command in it may not be executed; make it executable (chmod +x)"),
        ),
        127 => (
            FailureMode::UserInvalidInput,
            match last_lines(tail).find(|line| line.contains("not found")) {
                Some(line) => format!("{}; install it or put it on PATH", reason(code, line)),
                None => format!("{said}; a command in it was not found; install it or put it on PATH"),
            },
        ),
        129..=192 if signal_name(code - 128).is_some() => {
            let number = code - 128;
            let mode = match by_text(tail) {
                Some((mode, _)) => mode,
                None if is_crash(number) => FailureMode::SystemCrash,
                None => FailureMode::AgentLogic,
            };
            let (spelled, last) = (spell(number), last_words(tail));
            (mode, format!("exit code {code}: a command in it was killed by {spelled}; {last}"))
        }
        _ => match by_text(tail) {
            Some((mode, advice)) => (mode, format!("{said}; {advice}")),
            None => (FailureMode::AgentLogic, said),
        },
    }
}

/// The reason that a program gave, with its exit code: `no such table (exit code 1)`. The reason stands first, because
/// a narrow screen cuts the end.
fn reason(code: i32, tail: &str) -> String {
    cause_line(tail).map_or_else(
        || format!("exit code {code}; it wrote nothing"),
        |line| format!("{line} (exit code {code})"),
    )
}

/// The last output of a program that was ended, which seldom says why.
fn last_words(tail: &str) -> String {
    cause_line(tail).map_or_else(|| "it wrote nothing".to_owned(), |line| format!("last line: {line}"))
}

fn by_signal(number: i32, core: bool, out_of_memory: bool, tail: &str) -> (FailureMode, String) {
    let core = if core { ", core dumped" } else { "" };
    let said = format!("killed by {}{core}", spell(number));
    match number {
        9 if out_of_memory => (
            FailureMode::SystemOom,
            format!("{said} because memory ran out; give it more, or run fewer steps at once"),
        ),
        1 | 2 | 3 | 15 => (
            FailureMode::UserCancelled,
            format!("{said}, sent from outside; run it again if that was not meant"),
        ),
        24 | 25 => (FailureMode::ResourceQuota, format!("{said}; raise the limit it ran into")),
        9 => (FailureMode::SystemCrash, format!("{said}, not by cuelight; see the system's log (dmesg)")),
        _ => (FailureMode::SystemCrash, format!("{said}; {}", last_words(tail))),
    }
}

/// The failure mode of a call that never began, by its error number.
fn by_errno(errno: Option<i32>) -> FailureMode {
    match errno.map(Errno::from_raw_os_error) {
        Some(Errno::ACCESS | Errno::PERM) => FailureMode::UserPermission,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::ROFS | Errno::IO) => FailureMode::SystemDisk,
        Some(Errno::NOMEM) => FailureMode::ResourceMemory,
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE) => FailureMode::ResourceQuota,
        Some(Errno::TXTBSY) => FailureMode::ResourceTool,
        _ => FailureMode::UserInvalidInput,
    }
}

/// Words that system libraries print for an errno, and what to do.
const TEXTS: &[(&str, FailureMode, &str)] = &[
    ("No space left on device", FailureMode::SystemDisk, "the disk is full; free some space"),
    ("Disk quota exceeded", FailureMode::SystemDisk, "the disk quota is used up; free some space"),
    ("Cannot allocate memory", FailureMode::ResourceMemory, "memory ran out; run fewer steps at once"),
    (
        "Could not resolve host",
        FailureMode::SystemNetwork,
        "a host name could not be resolved; see the network",
    ),
    (
        "Temporary failure in name resolution",
        FailureMode::SystemNetwork,
        "a host name could not be resolved; see the network",
    ),
    (
        "Connection refused",
        FailureMode::SystemNetwork,
        "a connection was refused; see whether the other side runs",
    ),
    ("Connection timed out", FailureMode::SystemNetwork, "a connection got no answer; see the network"),
    ("Network is unreachable", FailureMode::SystemNetwork, "the network is unreachable; see the network"),
];

fn by_text(tail: &str) -> Option<(FailureMode, &'static str)> {
    last_lines(tail).find_map(|line| {
        let found = TEXTS.iter().find(|(text, ..)| line.contains(text));
        found.map(|(_, mode, advice)| (*mode, *advice))
    })
}

/// The last three lines that say something; what stands earlier is seldom the cause.
fn last_lines(tail: &str) -> impl Iterator<Item = &str> {
    tail.lines().rev().map(str::trim).filter(|line| !line.is_empty()).take(3)
}

/// `signal 9 (SIGKILL)`
fn spell(number: i32) -> String {
    signal_name(number).map_or_else(|| format!("signal {number}"), |name| format!("signal {number} ({name})"))
}

fn is_crash(number: i32) -> bool {
    matches!(number, 4 | 6 | 7 | 8 | 9 | 11 | 31)
}

/// The names as Linux numbers them.
fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    usize::try_from(number).ok()?.checked_sub(1).and_then(|index| NAMES.get(index)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::Span;

    #[track_caller]
    fn check(ended: &Ended, tail: &str, mode: FailureMode, begin: &str) {
        let failure = classify(ended, tail, &ProcessLimits::default()).expect("a failure");
        assert_eq!(failure.mode, mode, "{failure:?}");
        assert!(failure.message.starts_with(begin), "{failure:?}");
    }

    fn signal(number: i32, out_of_memory: bool) -> Ended {
        Ended::Signal { number, core: false, out_of_memory }
    }

    #[test]
    fn an_exit_code_says_what_it_can() {
        assert_eq!(classify(&Ended::Exit(0), "No space left on device", &ProcessLimits::default()), None);
        check(&Ended::Exit(1), "assertion failed", FailureMode::AgentLogic, "assertion failed (exit code 1)");
        check(
            &Ended::Exit(1),
            "cp: x: No space left on device\n",
            FailureMode::SystemDisk,
            "cp: x: No space left on device (exit code 1); the disk is full",
        );
        check(&Ended::Exit(1), "Connection refused\na\nb\nc\n", FailureMode::AgentLogic, "c (exit code 1)");
        check(&Ended::Exit(126), "", FailureMode::UserPermission, "exit code 126");
        let said = "bash: line 1: nope: command not found";
        check(
            &Ended::Exit(127),
            said,
            FailureMode::UserInvalidInput,
            "bash: line 1: nope: command not found (exit code 127); install",
        );
        let odd = "\u{1b}[2Jx: not found";
        check(&Ended::Exit(127), odd, FailureMode::UserInvalidInput, "␛[2Jx: not found (exit code 127);");
        check(
            &Ended::Exit(139),
            "",
            FailureMode::SystemCrash,
            "exit code 139: a command in it was killed by signal 11 (SIGSEGV)",
        );
        check(
            &Ended::Exit(141),
            "",
            FailureMode::AgentLogic,
            "exit code 141: a command in it was killed by signal 13 (SIGPIPE)",
        );
        check(&Ended::Exit(255), "", FailureMode::AgentLogic, "exit code 255");
    }

    #[test]
    fn a_limit_is_blamed_where_it_was_set_and_nowhere_else() {
        let limits = ProcessLimits {
            memory_bytes: Some(512 << 20),
            files: Some(64),
            cpu: Some(Span::seconds(2)),
            file_bytes: Some(1 << 20),
            processes: None,
        };
        let exit = |code| Ended::Exit(code);
        for (ended, tail, mode, begin) in [
            (
                signal(24, false),
                "",
                FailureMode::ResourceQuota,
                "ran out of processor time: limit 2s (killed",
            ),
            (
                exit(152),
                "",
                FailureMode::ResourceQuota,
                "ran out of processor time: limit 2s (exit code 152)",
            ),
            (signal(25, false), "", FailureMode::ResourceQuota, "wrote too much to one file: limit 1 MiB"),
            (exit(1), "OSError: File too large", FailureMode::ResourceQuota, "wrote too much to one file"),
            (
                exit(1),
                "x: Too many open files",
                FailureMode::ResourceQuota,
                "opened too many files: limit 64",
            ),
            (exit(1), "MemoryError", FailureMode::ResourceMemory, "ran out of memory: limit 512 MiB (exit"),
            (exit(139), "", FailureMode::SystemCrash, "exit code 139, perhaps for want of memory"),
            (
                signal(9, false),
                "",
                FailureMode::SystemCrash,
                "killed by signal 9 (SIGKILL), perhaps for want of p",
            ),
        ] {
            let with = classify(&ended, tail, &limits).expect("a failure");
            assert!(with.mode == mode && with.message.starts_with(begin), "{with:?}");
            let without = classify(&ended, tail, &ProcessLimits::default()).expect("a failure");
            assert_ne!(without.message, with.message, "{without:?}");
        }
        assert_eq!(classify(&exit(0), "MemoryError", &limits), None, "it has coped");
        let out_of_memory = classify(&signal(9, true), "", &limits).expect("a failure");
        assert_eq!(out_of_memory.mode, FailureMode::SystemOom, "{out_of_memory:?}");
        check(&exit(3), "", FailureMode::AgentLogic, "exit code 3; it wrote nothing");
    }

    #[test]
    fn a_sandbox_is_blamed_only_where_the_program_gave_up_and_nothing_better_is_known() {
        let tail = "cp: x: Permission denied\n";
        let limits = ProcessLimits { files: Some(64), ..ProcessLimits::default() };
        let quota = "x: Too many open files\nx: Permission denied\n";
        for (ended, tail, mode, blamed) in [
            (Ended::Exit(1), tail, FailureMode::UserPermission, true),
            (Ended::Exit(126), tail, FailureMode::UserPermission, true),
            (Ended::Exit(6), "curl: Temporary failure in name resolution", FailureMode::UserPermission, true),
            (Ended::Exit(1), "assertion failed", FailureMode::AgentLogic, false),
            (Ended::Exit(1), quota, FailureMode::ResourceQuota, false),
            (Ended::TimedOut { after: Span::seconds(1) }, tail, FailureMode::SystemTimeout, false),
            (Ended::Cancelled, tail, FailureMode::UserCancelled, false),
            (signal(11, false), tail, FailureMode::SystemCrash, false),
        ] {
            let failure = classify(&ended, tail, &limits).expect("a failure");
            let failure = in_sandbox(failure, &ended, tail);
            assert_eq!(failure.mode, mode, "{failure:?}");
            assert_eq!(failure.message.contains("its sandbox may have"), blamed, "{failure:?}");
        }
    }

    #[test]
    fn a_signal_is_named_and_memory_is_blamed_only_on_evidence() {
        check(
            &signal(9, false),
            "",
            FailureMode::SystemCrash,
            "killed by signal 9 (SIGKILL), not by cuelight",
        );
        check(
            &signal(9, true),
            "",
            FailureMode::SystemOom,
            "killed by signal 9 (SIGKILL) because memory ran out",
        );
        check(
            &signal(15, false),
            "",
            FailureMode::UserCancelled,
            "killed by signal 15 (SIGTERM), sent from outside",
        );
        check(&signal(11, false), "", FailureMode::SystemCrash, "killed by signal 11 (SIGSEGV)");
        check(&signal(25, false), "", FailureMode::ResourceQuota, "killed by signal 25 (SIGXFSZ)");
        check(&signal(64, false), "", FailureMode::SystemCrash, "killed by signal 64;");
    }

    #[test]
    fn an_errno_decides_before_any_text() {
        let said = |errno| Ended::NotStarted { errno, message: "could not start".to_owned() };
        for (errno, mode) in [
            (Some(2), FailureMode::UserInvalidInput),
            (Some(13), FailureMode::UserPermission),
            (Some(28), FailureMode::SystemDisk),
            (Some(11), FailureMode::ResourceQuota),
            (Some(12), FailureMode::ResourceMemory),
            (Some(26), FailureMode::ResourceTool),
            (None, FailureMode::UserInvalidInput),
        ] {
            check(&said(errno), "Connection refused", mode, "could not start");
        }
    }
}
