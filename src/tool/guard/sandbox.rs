//! The sandbox of a step with `sandbox: strict`, and the rules for what it can reach. Landlock covers files,
//! connections and signals; a filter of system calls (seccomp) covers the rest. Both apply to this process
//! and all that it starts, forever.
//!
//! The child does it (`stage`), right before it becomes the program of the step. If a rule cannot be
//! enforced, nothing runs, and the error says what to do. Reasons: docs/decisions/0017-sandbox.md.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2},
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, sock_filter,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    error::Error,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
};

/// The directory of a workspace that is cuelight's own.
const OWN: &str = ".cuelight";

/// The oldest Landlock version that covers all file access, including truncation (Linux 6.2).
const ABI_LEAST: ABI = ABI::V3;
/// From here on signals to processes outside are held back (Linux 6.12).
const ABI_SIGNALS: ABI = ABI::V6;
/// The newest we know: what the kernel has of it is used.
const ABI_KNOWN: ABI = ABI::V10;

/// Programs and what they need: read and executed, never written.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
    "/sys/devices/system/cpu",
    "/sys/kernel/mm/transparent_hugepage",
];

/// Settings that programs ask for and that hold no secrets: read. All else of `/etc` stays shut.
const SETTINGS: &[&str] = &[
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/static",
    "/etc/terminfo",
    "/etc/timezone",
    // Of /proc nothing that tells of a process, not even of its own: rules of Landlock hold for files, not for names.
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/version",
    "/proc/sys/kernel/cap_last_cap",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/random",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
];

/// Devices that lead nowhere.
const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Variables that a step has from its console; it has all that its `env` says beside them.
pub(crate) const VARIABLES: &[&str] = &["PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL"];

/// System calls that answer EPERM: whatever leads to another program by a socket, of any kind; to files by other ways than their
/// names; to memory and messages that all of a user's programs share; to what happens to files elsewhere; to attributes of files; into
/// the kernel; and to the clock, the mounts and the names of the machine.
const CALLS: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // By numbers, which are the same on every processor: setxattrat, removexattrat.
    463,
    466,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    // The same; musl has no name for it there.
    #[cfg(target_arch = "aarch64")]
    294,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// System calls that answer EPERM unless an argument, by its number, is this one: a process may do so to itself alone, since
/// to any other process of the same user it could do as much.
const CALLS_UNLESS: &[(libc::c_long, u8, u64)] = &[
    (libc::SYS_prlimit64, 0, ITSELF),
    (libc::SYS_sched_setaffinity, 0, ITSELF),
    (libc::SYS_sched_setscheduler, 0, ITSELF),
    (libc::SYS_sched_setparam, 0, ITSELF),
    (libc::SYS_sched_setattr, 0, ITSELF),
    // Not a group, which others may be in, nor all that a user has.
    (libc::SYS_setpriority, 0, PRIO_PROCESS),
    (libc::SYS_setpriority, 1, ITSELF),
    (libc::SYS_ioprio_set, 0, IOPRIO_WHO_PROCESS),
    (libc::SYS_ioprio_set, 1, ITSELF),
];
const ITSELF: u64 = 0;
const PRIO_PROCESS: u64 = 0;
const IOPRIO_WHO_PROCESS: u64 = 1;

/// With one of these a new process would have a namespace of its own: another way to be root in one, and to mount.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// From here on are the calls of another way to use x86-64 (x32), some of which have numbers of their own.
const OTHER_NUMBERS: u32 = 0x4000_0000;

/// Paths that one call may reach besides the system; all are absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// The workspace: read, but for what is cuelight's own.
    root: PathBuf,
    /// The path of the workspace as other processes name it.
    named: PathBuf,
    /// True if the step may write in its working directory. False where that is the workspace itself, unless
    /// it is a copy for this call alone.
    works: bool,
    /// A directory of its own, removed when it has ended: written.
    home: PathBuf,
    /// The file for its outputs: written.
    output: PathBuf,
}

impl Reach {
    /// Returns the reach of a call in this directory, and the opened directory. The call must be started in
    /// the opened directory, since its name may mean another one by then.
    ///
    /// # Errors
    /// The reason why no sandbox is possible there, with the next step.
    pub(crate) fn of(
        root: &Path,
        is_copy: bool,
        dir: &Path,
        home: &Path,
        output: &Path,
    ) -> Result<(Self, OwnedFd), String> {
        let real =
            |path: &Path| fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()));
        let (named, place) = (root, dir);
        let (root, dir) = (real(root)?, real(dir)?);
        let own = root.join(OWN);
        if dir.starts_with(&own) || own.starts_with(&dir) && dir != root {
            return Err(format!(
                "its working directory {} holds what is cuelight's own, which no sandbox may write; name another",
                dir.display()
            ));
        }
        if !dir.starts_with(&root) {
            return Err(format!(
                "its working directory {} lies outside of the workspace, which a sandbox may not write; name one below",
                dir.display()
            ));
        }
        let below = place.strip_prefix(named).or_else(|_| place.strip_prefix(&root));
        let opened = below.map_err(|_| Errno::LOOP).and_then(|rest| open_below(&root, rest));
        let opened = opened.map_err(|errno| match errno {
            Errno::LOOP | Errno::XDEV => format!(
                "its working directory {} goes by a symbolic link, which another step could turn; name {} itself",
                place.display(),
                dir.display()
            ),
            _ => format!("its working directory {}: {errno}; see its permissions", place.display()),
        })?;
        let works = is_copy || dir != root;
        let (named, home, output) = (named.to_owned(), home.to_owned(), output.to_owned());
        Ok((Self { root, named, works, home, output }, opened))
    }

    /// Shuts this process in, which is about to execute `program`. There is no way back.
    ///
    /// # Errors
    /// When the kernel cannot enforce all of it: then nothing may run.
    pub(super) fn enter(&self, program: &Path) -> io::Result<()> {
        // Before Landlock, since it has to open what is listed.
        let rules = self.rules(program).map_err(unenforced)?;
        // Its memory may hold what it was given.
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        let status = rules.restrict_self().map_err(unenforced)?;
        if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
            return Err(unenforced("it is not enforced"));
        }
        shut_calls().map_err(unenforced)
    }

    fn rules(&self, program: &Path) -> Result<RulesetCreated, Box<dyn Error>> {
        let mut rules = handled()?.create()?.set_compatibility(CompatLevel::BestEffort);
        let read = AccessFs::from_read(ABI_KNOWN);
        let write = AccessFs::from_all(ABI_KNOWN) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
        // What is held in memory has no place that could be shut.
        let is_file = !fs::read_link(program).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:"));
        // Nor does one of the workspace need any: it is read there, and by a link it would be what another step has chosen.
        let is_ours = |root: &Path| program.starts_with(root) && !program.starts_with(root.join(OWN));
        let is_file = is_file && !is_ours(&self.root) && !is_ours(&self.named);
        for path in SYSTEM.iter().chain(SETTINGS).map(Path::new).chain(is_file.then_some(program)) {
            rules = allow(rules, open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok(), read)?;
        }
        for path in DEVICES {
            let device = open(*path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
            rules = allow(rules, device, AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev)?;
        }
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name() != OWN {
                // Never what a link leads to: that is elsewhere, or has an entry of its own.
                rules = allow(rules, plain(&entry.path()), read)?;
            }
        }
        let here = self.works.then_some(Path::new("."));
        for path in [Some(self.home.as_path()), here, Some(&self.output)].into_iter().flatten() {
            let opened = plain(path).ok_or_else(|| format!("{} cannot be opened", path.display()))?;
            rules = allow(rules, Some(opened), write)?;
        }
        Ok(rules)
    }
}

/// Opens a directory below this one, by nothing that leads elsewhere.
fn open_below(root: &Path, dir: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, flags, Mode::empty())?;
    if dir.as_os_str().is_empty() {
        return Ok(root);
    }
    openat2(root, dir, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// Opens what stands here itself.
fn plain(path: &Path) -> Option<OwnedFd> {
    open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Adds a rule for an opened file, with as much of the access as makes sense for it. A missing file needs no
/// rule.
fn allow(
    rules: RulesetCreated,
    opened: Option<OwnedFd>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn Error>> {
    let Some(opened) = opened else { return Ok(rules) };
    let access = match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
        FileType::Directory => access,
        FileType::Symlink => return Ok(rules),
        _ => access & AccessFs::from_file(ABI_KNOWN),
    };
    Ok(rules.add_rule(PathBeneath::new(opened, access))?)
}

/// All access that is refused unless a rule allows it: everything that the kernel can restrict, and at least
/// all file access.
fn handled() -> Result<Ruleset, Box<dyn Error>> {
    let least = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let least = least.handle_access(AccessFs::from_all(ABI_LEAST))?;
    let all =
        least.set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(ABI_KNOWN))?;
    Ok(all.handle_access(AccessNet::from_all(ABI_KNOWN))?.scope(Scope::from_all(ABI_KNOWN))?)
}

fn shut_calls() -> Result<(), Box<dyn Error>> {
    // A call with no rules is refused whatever its arguments are.
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let when = |argument, how, value| {
        SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?])
    };
    for (call, argument, value) in CALLS_UNLESS {
        rules.entry(*call).or_default().push(when(*argument, SeccompCmpOp::Ne, *value)?);
    }
    for flag in NAMESPACES {
        let flag = u64::from(flag.cast_unsigned());
        rules.entry(libc::SYS_clone).or_default().push(when(0, SeccompCmpOp::MaskedEq(flag), flag)?);
    }
    let refused = SeccompAction::Errno(u32::try_from(Errno::PERM.raw_os_error())?);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)?;
    Ok(apply_filter(&by_number()?)?)
}

/// Rules that the other filter cannot express: all numbers from one limit on are refused, and `clone3` is
/// reported as unknown. The arguments of `clone3` lie in memory, where no filter sees them; a program then
/// falls back to `clone`.
fn by_number() -> Result<[sock_filter; 6], Box<dyn Error>> {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const JUMP_IF_GREATER_OR_EQUAL: u16 = 0x35;
    const RETURN: u16 = 0x06;
    /// Offset of the call's number.
    const NUMBER: u32 = 0;
    let line = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    let error = |nosys: Errno| {
        Ok::<_, Box<dyn Error>>(libc::SECCOMP_RET_ERRNO | u32::try_from(nosys.raw_os_error())?)
    };
    Ok([
        line(LOAD_WORD, 0, NUMBER),
        line(JUMP_IF_EQUAL, 2, u32::try_from(libc::SYS_clone3)?),
        line(JUMP_IF_GREATER_OR_EQUAL, 2, OTHER_NUMBERS),
        line(RETURN, 0, libc::SECCOMP_RET_ALLOW),
        line(RETURN, 0, error(Errno::NOSYS)?),
        line(RETURN, 0, error(Errno::PERM)?),
    ])
}

/// The architecture whose call numbers the filter uses.
fn architecture() -> Result<TargetArch, &'static str> {
    if cfg!(target_arch = "x86_64") {
        Ok(TargetArch::x86_64)
    } else if cfg!(target_arch = "aarch64") {
        Ok(TargetArch::aarch64)
    } else {
        Err("there is no filter of system calls for this processor")
    }
}

fn unenforced(why: impl std::fmt::Display) -> io::Error {
    let said = format!(
        "this system cannot enforce `sandbox: strict` ({why}); it takes Linux 6.2 or later with `landlock` among its security \
         modules, see `cuelight doctor`, or take that key out"
    );
    io::Error::other(said)
}

/// Limits of a sandbox on this machine, each as a sentence. An error means that none can be made at all, and
/// steps with `sandbox: strict` are refused.
///
/// # Errors
/// The reason why the sandbox cannot be made.
pub fn sandbox_weaknesses() -> Result<Vec<String>, String> {
    handled().and_then(|handled| Ok(handled.create()?)).map_err(|error| unenforced(error).to_string())?;
    // Whoever asks can install filters only in earnest: a thread does, and ends.
    let filtered =
        thread::scope(|scope| scope.spawn(|| shut_calls().map_err(|error| error.to_string())).join());
    filtered
        .unwrap_or_else(|_| Err("a fault of cuelight".to_owned()))
        .map_err(|error| unenforced(error).to_string())?;
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let signals = hard.scope(Scope::from_all(ABI_SIGNALS)).and_then(|scope| scope.create());
    let mut weak = Vec::new();
    if signals.is_err() {
        weak.push(
            "a sandboxed step can send signals to other processes of its user (before Linux 6.12)".to_owned(),
        );
    }
    Ok(weak)
}
