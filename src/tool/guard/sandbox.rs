//! What a step with `sandbox: strict` can reach, and how it is shut in: Landlock for files, connections and signals, a filter
//! of system calls (seccomp) for what Landlock does not know of. Both are for this process and all that it starts, for ever.
//!
//! It is done in the child, by `stage`, a moment before it becomes the program of the step. What cannot be enforced is an error
//! with what to do, and then nothing runs. Why it is so: docs/decisions/0017-sandbox.md.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open},
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
};
use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    error::Error,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// The directory of a workspace that is cuelight's own.
const OWN: &str = ".cuelight";

/// What must be enforced for all of files to hold: truncating as well (Linux 6.2).
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
pub(in crate::tool) const VARIABLES: &[&str] =
    &["PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL"];

/// System calls that answer EPERM: whatever leads to another program by a socket, of any kind; to files by other ways than their
/// names; into the kernel; and to the clock, the mounts and the names of the machine.
const CALLS: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
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
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];
/// The same calls by their other numbers on x86-64 (x32).
const OTHER_NUMBERS: libc::c_long = 0x4000_0000;

/// What one call may reach beside the system: all paths absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::tool) struct Reach {
    /// The workspace: read, but for what is cuelight's own.
    root: PathBuf,
    /// Its working directory, where that is one below the workspace: written.
    dir: Option<PathBuf>,
    /// A directory of its own, removed when it has ended: written.
    home: PathBuf,
    /// The file for its outputs: written.
    output: PathBuf,
}

impl Reach {
    /// What a call in this directory may reach.
    ///
    /// # Errors
    /// Why it cannot be shut in there, with what to do.
    pub(in crate::tool) fn of(root: &Path, dir: &Path, home: &Path, output: &Path) -> Result<Self, String> {
        let real = |path: &Path| fs::canonicalize(path).map_err(|it| format!("{}: {it}", path.display()));
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
        let dir = (dir != root).then_some(dir);
        Ok(Self { root, dir, home: home.to_owned(), output: output.to_owned() })
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
        let is_file = !fs::read_link(program).is_ok_and(|it| it.to_string_lossy().starts_with("/memfd:"));
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
        for path in [Some(&self.home), self.dir.as_ref(), Some(&self.output)].into_iter().flatten() {
            let opened = plain(path).ok_or_else(|| format!("{} cannot be opened", path.display()))?;
            rules = allow(rules, Some(opened), write)?;
        }
        Ok(rules)
    }
}

/// Opens what stands here itself.
fn plain(path: &Path) -> Option<OwnedFd> {
    open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// What is opened, with as much of the access as makes sense for it. What is not there needs no rule.
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

/// What is held back where no rule allows it: everything the kernel knows of, and no less than all of files.
fn handled() -> Result<Ruleset, Box<dyn Error>> {
    let least = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let least = least.handle_access(AccessFs::from_all(ABI_LEAST))?;
    let all =
        least.set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(ABI_KNOWN))?;
    Ok(all.handle_access(AccessNet::from_all(ABI_KNOWN))?.scope(Scope::from_all(ABI_KNOWN))?)
}

fn shut_calls() -> Result<(), Box<dyn Error>> {
    let is_x86 = cfg!(target_arch = "x86_64");
    let numbers = CALLS.iter().flat_map(|it| [Some(*it), is_x86.then_some(it | OTHER_NUMBERS)]).flatten();
    let rules: BTreeMap<i64, Vec<_>> = numbers.map(|it| (it, Vec::new())).collect();
    let refused = SeccompAction::Errno(u32::try_from(Errno::PERM.raw_os_error())?);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture()?)?;
    let program: seccompiler::BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

/// Whose numbers the filter speaks of.
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

/// What of a sandbox does not hold on this machine, each as a sentence; an error when none can be made at all, and steps with
/// `sandbox: strict` are refused.
///
/// # Errors
/// Why.
pub fn sandbox_weaknesses() -> Result<Vec<String>, String> {
    handled().and_then(|it| Ok(it.create()?)).map_err(|it| unenforced(it).to_string())?;
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let signals = hard.scope(Scope::from_all(ABI_SIGNALS)).and_then(|it| it.create());
    let mut weak = Vec::new();
    if signals.is_err() {
        weak.push(
            "a sandboxed step can send signals to other processes of its user (before Linux 6.12)".to_owned(),
        );
    }
    Ok(weak)
}
