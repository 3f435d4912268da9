//! `sandbox: strict`: a table of ways out, each tried by a real step. Every one of them fails inside, leaves nothing behind
//! outside, and is seen to lead out where there is no sandbox, as far as that is harmless and this user may do it.

use crate::program::{Place, text};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, linkat, open, openat},
    process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal},
};
use seccompiler::{SeccompAction, SeccompFilter, apply_filter};
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsRawFd as _,
        linux::net::SocketAddrExt as _,
        unix::{
            fs::PermissionsExt as _,
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use tempfile::TempDir;

/// The method of an escape attempt: exit code 0 means that it led out.
#[derive(Clone, Copy)]
enum By {
    /// A command line for bash.
    Shell(&'static str),
    /// In [`probe`], by this name.
    Probe(&'static str),
    /// A bare system call, which has led out unless it answers EPERM.
    Call(i64),
    /// The same with arguments, for perl; `$v` is the number of the victim.
    With(i64, &'static str),
    /// The same, which has led out unless it is unknown.
    Unknown(i64),
}

/// The users who can escape without a sandbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Free {
    Everybody,
    Root,
    /// It depends on the machine, or would do harm.
    Untried,
}

use By::{Call, Probe, Shell, Unknown, With};
use Free::{Everybody, Root, Untried};

/// `$OUT` lies elsewhere and holds a secret, `$ROOT` is the workspace, `$VICTIM` a process of the same user, `$PPID` the guard.
const WAYS: &[(&str, By, Free)] = &[
    ("read a file elsewhere", Shell("cat $OUT/secret"), Everybody),
    ("read the keys of ssh", Shell("cat $OUT/.ssh/id_rsa"), Everybody),
    ("list a directory elsewhere", Shell("ls $OUT"), Everybody),
    ("read the passwords", Shell("cat /etc/shadow"), Root),
    ("list the home of root", Shell("ls /root"), Root),
    ("make a file elsewhere", Shell("echo x > $OUT/new"), Everybody),
    ("append to a file elsewhere", Shell("echo x >> $OUT/keep"), Everybody),
    ("empty a file elsewhere", Shell(": > $OUT/keep"), Everybody),
    ("remove a file elsewhere", Shell("rm $OUT/keep"), Everybody),
    ("take a file from elsewhere", Shell("mv $OUT/secret stolen"), Everybody),
    ("put a file over one elsewhere", Shell("echo x > mine; mv mine $OUT/keep; ! [ -e mine ]"), Everybody),
    ("make a directory elsewhere", Shell("mkdir $OUT/dir"), Everybody),
    ("remove a directory elsewhere", Shell("rmdir $OUT/empty"), Everybody),
    ("make a symbolic link elsewhere", Shell("ln -s /bin/sh $OUT/link"), Everybody),
    ("make a pipe elsewhere", Shell("mkfifo $OUT/pipe"), Everybody),
    ("read through a symbolic link", Shell("ln -s $OUT/secret link; cat link"), Everybody),
    ("write through a symbolic link", Shell("ln -s $OUT/keep link; echo x > link"), Everybody),
    ("read through a hard link", Shell("ln $OUT/secret link && cat link"), Everybody),
    ("put a hard link elsewhere", Shell("echo x > mine; ln mine $OUT/link"), Everybody),
    ("read by way of /proc/self/root", Shell("cat /proc/self/root$OUT/secret"), Everybody),
    ("read by way of /proc/self/cwd", Shell("cat /proc/self/cwd/../../../../../../..$OUT/secret"), Everybody),
    ("read by dots", Shell("cat ../../../../../../../..$OUT/secret"), Everybody),
    ("go there and read", Shell("cd $OUT; cat secret"), Everybody),
    ("read by the descriptor of a directory", Shell("exec 3< $OUT; cat /proc/self/fd/3/secret"), Everybody),
    ("run a program from elsewhere", Shell("$OUT/tool"), Everybody),
    ("have a program from elsewhere read", Shell("source $OUT/tool"), Everybody),
    ("copy a program there", Shell("cp /bin/true $OUT/true"), Everybody),
    (
        "use the common scratch directory",
        Shell("echo x > /tmp/escaped-$CUELIGHT_ATTEMPT; rm /tmp/escaped-$CUELIGHT_ATTEMPT"),
        Everybody,
    ),
    (
        "use shared memory by name",
        Shell("echo x > /dev/shm/escaped-$CUELIGHT_ATTEMPT; rm /dev/shm/escaped-$CUELIGHT_ATTEMPT"),
        Everybody,
    ),
    ("make a file at the top of the workspace", Shell("echo x > $ROOT/new; rm $ROOT/new"), Everybody),
    ("change a workflow", Shell("echo '# x' >> $ROOT/other.yaml"), Everybody),
    ("write beside its working directory", Shell("echo x > ../beside; rm ../beside"), Everybody),
    ("move its working directory", Shell("mv $PWD ../elsewhere-$CUELIGHT_ATTEMPT"), Everybody),
    ("read the log", Shell("cat $ROOT/.cuelight/*.db > /dev/null"), Everybody),
    ("write to the log", Shell(": >> $ROOT/.cuelight/*.db"), Everybody),
    ("list what is cuelight's own", Shell("ls $ROOT/.cuelight/"), Everybody),
    ("say who is who", Shell(": >> $ROOT/.cuelight/people.toml"), Everybody),
    ("change a tool", Shell("mkdir -p $ROOT/.cuelight/tools"), Everybody),
    ("read what the guard writes down", Shell("cat $ROOT/.cuelight/guard/*.log"), Everybody),
    ("write an end for the guard", Shell(": >> $ROOT/.cuelight/guard/owner"), Everybody),
    ("read the lock of the engine", Shell("cat $ROOT/.cuelight/lock"), Everybody),
    ("read the variables of a process", Shell("cat /proc/$VICTIM/environ"), Everybody),
    ("open the memory of a process", Shell("exec 3< /proc/$VICTIM/mem"), Everybody),
    ("list the descriptors of a process", Shell("ls /proc/$VICTIM/fd/"), Everybody),
    ("read by the root of a process", Shell("cat /proc/$VICTIM/root$OUT/secret"), Everybody),
    ("read the words of a process", Shell("cat /proc/$VICTIM/cmdline"), Everybody),
    ("have a process die first", Shell("echo 900 > /proc/$VICTIM/oom_score_adj"), Everybody),
    ("read the variables of the guard", Shell("cat /proc/$PPID/environ"), Everybody),
    ("list the descriptors of the guard", Shell("ls /proc/$PPID/fd/"), Everybody),
    ("open the memory of the guard", Shell("exec 3< /proc/$PPID/mem"), Everybody),
    ("signal a process", Shell("kill -CONT $VICTIM"), Everybody),
    ("signal the guard", Shell("kill -0 $PPID"), Everybody),
    ("open the memory of the kernel", Shell("exec 3< /proc/kcore"), Untried),
    ("connect by TCP", Shell("exec 3<> /dev/tcp/127.0.0.1/$PORT"), Everybody),
    ("make a device", Shell("mknod disk b 8 0"), Root),
    ("mount over something", Shell("mkdir a b; mount --bind a b; umount b"), Root),
    ("have a user namespace of its own", Shell("unshare -r true"), Untried),
    ("connect to a socket of another program", Probe("unix"), Everybody),
    ("connect to a socket without a path", Probe("abstract"), Everybody),
    ("connect to the guard", Probe("guard"), Everybody),
    ("wait for connections by TCP", Probe("bind"), Everybody),
    ("send a datagram", Probe("udp"), Everybody),
    ("make a socket that others may come to", Probe("listen"), Everybody),
    ("give a file without a name a name elsewhere", Probe("tmpfile"), Everybody),
    ("read below a descriptor", Probe("openat"), Everybody),
    ("truncate by name", Probe("truncate"), Everybody),
    ("signal by descriptor", Probe("pidfd"), Everybody),
    ("watch another process by ptrace", Call(libc::SYS_ptrace), Everybody),
    ("read the memory of another process", Call(libc::SYS_process_vm_readv), Everybody),
    ("write the memory of another process", Call(libc::SYS_process_vm_writev), Everybody),
    ("have the kernel do it (io_uring)", Call(libc::SYS_io_uring_setup), Untried),
    ("hold faults up", Call(libc::SYS_userfaultfd), Untried),
    ("look into the kernel's counters", Call(libc::SYS_perf_event_open), Untried),
    ("load a program into the kernel", Call(libc::SYS_bpf), Untried),
    ("put a key into a ring", Call(libc::SYS_add_key), Everybody),
    ("ask for a key", Call(libc::SYS_request_key), Everybody),
    ("read a ring of keys", Call(libc::SYS_keyctl), Everybody),
    ("leave a namespace", Call(libc::SYS_setns), Everybody),
    ("open by handle", Call(libc::SYS_open_by_handle_at), Root),
    ("change the root", Call(libc::SYS_chroot), Root),
    ("mount by the newer calls", Call(libc::SYS_fsopen), Root),
    ("move a mount", Call(libc::SYS_move_mount), Root),
    ("limit a process, which can end it", With(libc::SYS_prlimit64, "$v, 0, 0, 0"), Everybody),
    ("put a process last", With(libc::SYS_setpriority, "0, $v, 0"), Everybody),
    ("put a group last", With(libc::SYS_setpriority, "1, 0, 0"), Everybody),
    ("put the disk of a process last", With(libc::SYS_ioprio_set, "1, $v, 16391"), Everybody),
    ("put the disk of a group last", With(libc::SYS_ioprio_set, "2, 0, 16391"), Everybody),
    ("bind a process to a processor", With(libc::SYS_sched_setaffinity, "$v, 0, 0"), Everybody),
    ("schedule a process", With(libc::SYS_sched_setscheduler, "$v, 0, 0"), Everybody),
    ("schedule a process by its parameters", With(libc::SYS_sched_setparam, "$v, 0"), Everybody),
    ("schedule a process by its attributes", With(libc::SYS_sched_setattr, "$v, 0, 0"), Everybody),
    // CLONE_FS, or for the last CLONE_SIGHAND alone, is refused by any kernel beside it: nothing is made.
    ("have a user namespace by a new process", With(libc::SYS_clone, "0x10000200, 0, 0, 0, 0"), Everybody),
    ("have a mount namespace by a new process", With(libc::SYS_clone, "0x00020200, 0, 0, 0, 0"), Everybody),
    ("have a network by a new process", With(libc::SYS_clone, "0x40000800, 0, 0, 0, 0"), Everybody),
    ("have a namespace by the newer call", Unknown(libc::SYS_clone3), Everybody),
    ("find shared memory", With(libc::SYS_shmget, "1, 0, 0"), Everybody),
    ("use shared memory of others", With(libc::SYS_shmat, "-1, 0, 0"), Everybody),
    ("look at shared memory of others", With(libc::SYS_shmctl, "-1, 2, 0"), Everybody),
    ("find semaphores", With(libc::SYS_semget, "1, 0, 0"), Everybody),
    ("wait for semaphores", With(libc::SYS_semop, "-1, 0, 0"), Everybody),
    ("wait for semaphores for a time", With(libc::SYS_semtimedop, "-1, 0, 0, 0"), Everybody),
    ("look at semaphores", With(libc::SYS_semctl, "-1, 0, 2, 0"), Everybody),
    ("find a queue of messages", With(libc::SYS_msgget, "1, 0"), Everybody),
    ("send a message", With(libc::SYS_msgsnd, "-1, 0, 0, 0"), Everybody),
    ("take a message", With(libc::SYS_msgrcv, "-1, 0, 0, 0, 0"), Everybody),
    ("look at a queue of messages", With(libc::SYS_msgctl, "-1, 2, 0"), Everybody),
    ("open a queue by name", Call(libc::SYS_mq_open), Untried),
    ("remove a queue by name", Call(libc::SYS_mq_unlink), Untried),
    ("watch a directory", Call(libc::SYS_inotify_add_watch), Everybody),
    ("watch a file system", Call(libc::SYS_fanotify_init), Untried),
    ("set an attribute", Call(libc::SYS_setxattr), Everybody),
    ("set an attribute of a link", Call(libc::SYS_lsetxattr), Everybody),
    ("set an attribute of what is open", Call(libc::SYS_fsetxattr), Everybody),
    ("remove an attribute", Call(libc::SYS_removexattr), Everybody),
    ("remove an attribute of a link", Call(libc::SYS_lremovexattr), Everybody),
    ("remove an attribute of what is open", Call(libc::SYS_fremovexattr), Everybody),
    ("call by the numbers of another system", Call(0x4000_0000 + 39), Untried),
    ("call by a number that only it has", Call(0x4000_0000 + 520), Untried),
];

/// The surroundings of the steps, as targets of escapes.
struct Around {
    out: TempDir,
    victim: Child,
    tcp: TcpListener,
    _unix: Vec<UnixListener>,
    _abstract: UnixListener,
}

impl Around {
    fn new() -> Self {
        let out = TempDir::new().expect("a directory");
        let mut listening = Vec::new();
        for at in 0..WAYS.len() {
            let dir = out.path().join(at.to_string());
            fs::create_dir_all(dir.join(".ssh")).expect("made");
            fs::create_dir(dir.join("empty")).expect("made");
            for (name, mode) in [("secret", 0o600), (".ssh/id_rsa", 0o600), ("keep", 0o644), ("tool", 0o755)]
            {
                fs::write(dir.join(name), if name == "tool" { "#!/bin/sh\n" } else { "kept\n" })
                    .expect("written");
                fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode))
                    .expect("as it should be");
            }
            listening.push(UnixListener::bind(dir.join("socket")).expect("a socket"));
        }
        let name = format!("cuelight-sandbox-{}", out.path().display());
        let free = SocketAddr::from_abstract_name(name).expect("an address");
        let victim = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("it starts");
        Self {
            victim,
            tcp: TcpListener::bind("127.0.0.1:0").expect("a port"),
            _unix: listening,
            _abstract: UnixListener::bind_addr(&free).expect("a socket"),
            out,
        }
    }

    /// Everything that lies elsewhere, by name and content.
    fn seen(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        let mut open = vec![self.out.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).expect("readable").flatten() {
                let about = entry.metadata().expect("there");
                if about.is_dir() {
                    open.push(entry.path());
                }
                let content = if about.is_file() {
                    fs::read_to_string(entry.path()).expect("text")
                } else {
                    String::new()
                };
                seen.insert(entry.path(), format!("{:o} {content}", about.permissions().mode()));
            }
        }
        seen
    }

    /// A step for each way out.
    fn workflow(&self, place: &Place, sandbox: &str) -> String {
        let json = |root: &str| serde_json::Value::from(root).to_string();
        let (root, out) = (place.path().canonicalize().expect("it is there"), self.out.path());
        let mut text = format!(
            "name: w\nmax-parallel: 8\nenv: {{ROOT: {}, VICTIM: '{}', PORT: '{}'}}\nsteps:\n",
            json(&root.display().to_string()),
            self.victim.id(),
            self.tcp.local_addr().expect("an address").port()
        );
        let us = env::current_exe().expect("this test").display().to_string();
        for (at, (_, by, _)) in WAYS.iter().enumerate() {
            let work = format!("work/{at}");
            fs::create_dir_all(place.file(&work)).expect("made");
            let (run, attempt) = match by {
                Shell(script) => (json(script), ""),
                Probe(name) => (
                    serde_json::json!([us, "--exact", "sandbox::probe", "--ignored", "--nocapture"])
                        .to_string(),
                    *name,
                ),
                Call(number) => (json(&by_perl(*number, "0, 0, 0, 0, 0, 0", "EPERM")), ""),
                With(number, arguments) => (json(&by_perl(*number, arguments, "EPERM")), ""),
                Unknown(number) => (json(&by_perl(*number, "0, 0, 0, 0, 0, 0", "ENOSYS")), ""),
            };
            text += &format!(
                "  - {{id: s{at}, on-error: continue, timeout: 1m, sandbox: {sandbox}, working-directory: {work}, \
                 env: {{OUT: {}, TRIED: '{attempt}'}}, run: {run}}}\n",
                json(&out.join(at.to_string()).display().to_string())
            );
        }
        text
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        drop(self.victim.kill());
        drop(self.victim.wait());
    }
}

/// A bare system call, in a shell: it ends with 1 when the answer is this one.
fn by_perl(number: i64, arguments: &str, answer: &str) -> String {
    format!(
        "perl -MErrno={answer} -e 'my ($n, $v) = ({number}, $ENV{{VICTIM}} + 0); $! = 0; syscall($n, {arguments}); \
         exit($! == {answer} ? 1 : 0)'"
    )
}

/// Says that a test tries nothing here; where `tests/all` has seen that all it needs is here, that is a failure.
fn skipped(why: &str) {
    let is_needed = env::var_os("CUELIGHT_TESTS_NEED_SANDBOX").is_some_and(|value| !value.is_empty());
    assert!(!is_needed, "this was to be tried here, and {why}");
    println!("skipped: {why}");
}

/// Runs all escape attempts. Returns per number if it led out.
fn tried(place: &Place, around: &Around, sandbox: &str) -> Vec<bool> {
    place.write("w.yaml", &around.workflow(place, sandbox));
    place.write("other.yaml", "name: other\nsteps:\n  - {id: s, run: 'true'}\n");
    let run = place.cue(&["run", "w.yaml", "--headless"]).run();
    let show = place.show(&run);
    let steps = show["steps"].as_array().expect("steps");
    let led = |at: usize| {
        let step = steps.iter().find(|step| step["id"] == format!("s{at}")).expect("its step");
        let state = text(&step["state"]);
        assert!(matches!(state.as_str(), "completed" | "failed"), "{}: {step:#}", WAYS[at].0);
        let why = text(&step["error"]["message"]);
        assert!(!why.starts_with("could not start"), "{}: it has to be tried: {why}", WAYS[at].0);
        state == "completed"
    };
    (0..WAYS.len()).map(led).collect()
}

#[expect(clippy::disallowed_methods, reason = "it asks whether a program is here")]
fn is_there(program: &str) -> bool {
    Command::new(program).arg("-v").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn of_all_ways_out_of_a_sandbox_none_leads_out_and_each_does_where_there_is_none() {
    assert!(WAYS.len() >= 118);
    if cuelight_tool::sandbox_weaknesses() != Ok(Vec::new()) || !is_there("perl") {
        skipped("this kernel has not all of Landlock, or perl is not here");
        return;
    }
    let (place, around) = (Place::new(), Around::new());
    let before = around.seen();
    let inside = tried(&place, &around, "strict");
    let out: Vec<&str> = (0..WAYS.len()).filter(|at| inside[*at]).map(|at| WAYS[at].0).collect();
    assert!(out.is_empty(), "these lead out of the sandbox: {out:#?}");
    assert_eq!(around.seen(), before, "nothing outside has changed");

    let is_root = geteuid().is_root();
    let outside = tried(&Place::new(), &around, "off");
    let leads = |free: Free| free == Everybody || free == Root && is_root;
    let shut: Vec<&str> =
        (0..WAYS.len()).filter(|at| leads(WAYS[*at].2) && !outside[*at]).map(|at| WAYS[at].0).collect();
    assert!(shut.is_empty(), "these lead nowhere without a sandbox, so they prove nothing: {shut:#?}");
}

/// A way out that no shell can try; started by a step of the test above.
#[test]
#[ignore = "a part of of_all_ways_out_of_a_sandbox_none_leads_out_and_each_does_where_there_is_none"]
fn probe() {
    let value = |name: &str| env::var(name).expect("a variable of the step");
    let out = PathBuf::from(value("OUT"));
    match value("TRIED").as_str() {
        "unix" => drop(UnixStream::connect(out.join("socket")).expect("connected")),
        "abstract" => {
            let name = format!("cuelight-sandbox-{}", out.parent().expect("the directory of all").display());
            let address = SocketAddr::from_abstract_name(name).expect("an address");
            drop(UnixStream::connect_addr(&address).expect("connected"));
        }
        "guard" => {
            let dir = Path::new(&value("ROOT")).join(".cuelight/guard");
            let sockets = fs::read_dir(dir).expect("listed").flatten().map(|entry| entry.path());
            let socket = sockets
                .into_iter()
                .find(|socket| socket.extension().is_some_and(|extension| extension == "sock"));
            drop(UnixStream::connect(socket.expect("a guard")).expect("connected"));
        }
        "bind" => drop(TcpListener::bind("127.0.0.1:0").expect("bound")),
        "udp" => {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
            socket.send_to(b"x", ("127.0.0.1", 9)).expect("sent");
        }
        "listen" => drop(UnixListener::bind("socket").expect("bound")),
        "tmpfile" => {
            let file = open(".", OFlags::TMPFILE | OFlags::WRONLY, Mode::RUSR).expect("opened");
            let from = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, from, CWD, out.join("named"), AtFlags::SYMLINK_FOLLOW).expect("linked");
        }
        "openat" => {
            let root = open("/", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("opened");
            let below = out.strip_prefix("/").expect("absolute").join("secret");
            drop(openat(root, below, OFlags::RDONLY, Mode::empty()).expect("opened"));
        }
        "truncate" => {
            File::options().write(true).open(out.join("keep")).expect("opened").set_len(0).expect("cut")
        }
        "pidfd" => {
            let victim = value("VICTIM").parse().ok().and_then(Pid::from_raw).expect("its number");
            let victim = pidfd_open(victim, PidfdFlags::empty()).expect("opened");
            pidfd_send_signal(victim, Signal::CONT).expect("signalled");
        }
        // It runs in a thread, which is all there is to try.
        "thread" => return,
        other => panic!("there is no {other:?}"),
    }
    drop(TcpStream::connect(("127.0.0.1", 1)));
}

#[test]
fn a_step_in_a_sandbox_does_its_work() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    let place = Place::new().with("TOKEN_OF_SOMEBODY", "s3cret").with("LANG", "C.UTF-8");
    fs::create_dir_all(place.file("work")).expect("made");
    place.write("data", "one\ntwo\n");
    place.write("ship.sh", "#!/bin/sh\necho \"shipped $1\"\n");
    fs::set_permissions(place.file("ship.sh"), fs::Permissions::from_mode(0o755)).expect("executable");
    let us = env::current_exe().expect("this test").display().to_string();
    let probe = serde_json::json!([us, "--exact", "sandbox::probe", "--ignored", "--nocapture"]);
    place.write(
        "w.yaml",
        &"name: w\nsteps:\n  \
         - id: work\n    sandbox: strict\n    working-directory: work\n    limits: {files: 99}\n    outputs: {lines: integer, token: string, home: string}\n    \
           env: {GIVEN: here}\n    artifacts: kept\n    run: |\n      \
             echo lines=$(wc -l < ../data) >> \"$CUELIGHT_OUTPUT\"\n      \
             echo kept > kept; mkdir -p a/b; mv kept a/b/c; cp a/b/c kept; ln kept again; rm again\n      \
             echo x > \"$HOME/x\"; cat <<< words > \"$TMPDIR/y\"; mktemp > /dev/null\n      \
             diff <(sort ../data) <(sort -r ../data | sort) > /dev/stderr\n      \
             (sleep 100 & kill $!); [ \"$(ulimit -n)\" = 99 ]; [ \"$GIVEN\" = here ]\n      \
             getent passwd root; nice -n 1 true; date; head -c 4 /dev/urandom | od; ../ship.sh by-path\n      \
             echo token=${TOKEN_OF_SOMEBODY:-none} >> \"$CUELIGHT_OUTPUT\"\n      \
             echo home=$HOME >> \"$CUELIGHT_OUTPUT\"\n  \
         - {id: threads, sandbox: strict, env: {OUT: none, TRIED: thread}, run: PROBE}\n  \
         - {id: tool, sandbox: strict, uses: json.query@1, with: {data: {n: 42}, query: .n}}\n  \
         - {id: dying, sandbox: strict, on-console-death: kill, run: [./ship.sh, words]}\n  \
         - {id: ok, gate: {prompt: Go on?}}\n  \
         - {id: approved, needs: ok, sandbox: strict, run: [./ship.sh, approved]}\n  \
         - {id: script, needs: ok, sandbox: strict, run: ./ship.sh scripted}\n"
            .replace("PROBE", &probe.to_string()),
    );
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let ask = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(ask.contains("  limits    sandbox: strict"), "{ask}");
    place.cue(&["approve", "g-1"]).ok();
    let code = console.end().code;
    for step in ["work", "threads", "tool", "dying", "approved", "script"] {
        let value = place.step("r-1", step);
        let log = place.cue(&["logs", "r-1", step]).out;
        assert_eq!(value["state"], "completed", "{value:#} {log}");
    }
    assert_eq!(code, 0);
    let outputs = place.step("r-1", "work")["outputs"].clone();
    assert_eq!(outputs["lines"], 2);
    assert_eq!(outputs["token"], "none", "of its console it has no more than it needs");
    assert!(!Path::new(&text(&outputs["home"])).exists(), "its own place goes with it: {outputs}");
    assert_eq!(place.text("work/kept"), "kept\n");
    assert!(place.cue(&["logs", "r-1", "approved"]).out.contains("shipped approved"));
}

#[test]
fn where_a_working_directory_would_let_it_write_what_it_must_not_it_does_not_start() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    let place = Place::new();
    let elsewhere = TempDir::new().expect("a directory");
    std::os::unix::fs::symlink(elsewhere.path(), place.file("link")).expect("a link");
    // As another step may have made it, which writes in `build`.
    fs::create_dir_all(place.file("build")).expect("made");
    fs::create_dir_all(place.file("kept/below")).expect("made");
    std::os::unix::fs::symlink("../kept", place.file("build/out")).expect("a link");
    for (dir, why) in [
        (".cuelight", "holds what is cuelight's own"),
        ("..", "holds what is cuelight's own"),
        ("/", "holds what is cuelight's own"),
        ("/usr", "lies outside of the workspace"),
        ("link", "lies outside of the workspace"),
        ("build/out", "goes by a symbolic link, which another step could turn"),
        ("build/out/below", "goes by a symbolic link, which another step could turn"),
    ] {
        place.write(
            "w.yaml",
            &format!(
                "name: w\nsteps:\n  - {{id: s, sandbox: strict, working-directory: {dir}, run: touch ran}}\n"
            ),
        );
        let run = place.cue(&["run", "w.yaml", "--headless"]).run();
        let said = text(&place.step(&run, "s")["error"]["message"]);
        assert!(
            said.starts_with("could not start: its working directory") && said.contains(why),
            "{dir}: {said}"
        );
    }
}

#[test]
fn what_a_step_says_to_the_loader_of_programs_is_obeyed_by_its_own_program_alone() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    for held in ["sandbox: strict", "limits: {files: 99}", "on-console-death: kill"] {
        let place = Place::new();
        fs::create_dir_all(place.file("build")).expect("made");
        let elsewhere = TempDir::new().expect("a directory");
        // The loader of whatever is started writes there what it does, and the first of them is not yet shut in.
        let told = serde_json::Value::from(elsewhere.path().join("told").display().to_string()).to_string();
        place.write(
            "w.yaml",
            &format!(
                "name: w\nsteps:\n  \
                 - {{id: a, sandbox: strict, working-directory: build, run: mkdir lib; echo none > lib/libgcc_s.so.1}}\n  \
                 - {{id: b, needs: a, {held}, working-directory: build, env: {{LD_LIBRARY_PATH: lib, X: 'a=b'}}, run: '[ $X = a=b ]'}}\n  \
                 - {{id: c, {held}, working-directory: build, env: {{LD_DEBUG: libs, LD_DEBUG_OUTPUT: {told}}}, run: [/bin/true]}}\n"
            ),
        );
        let run = place.cue(&["run", "w.yaml", "--headless"]).run();
        for step in ["a", "b", "c"] {
            let step = place.step(&run, step);
            assert_eq!(step["state"], "completed", "{held}: {step:#}");
        }
        let told = fs::read_dir(elsewhere.path()).expect("listed").count();
        assert_eq!(told, usize::from(held != "sandbox: strict"), "{held}: that of the program, where it may");
    }
}

#[test]
fn a_word_that_looks_like_a_descriptor_of_the_guard_is_a_word() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    let place = Place::new();
    let elsewhere = TempDir::new().expect("a directory");
    fs::write(elsewhere.path().join("secret"), "kept\n").expect("written");
    let secret = elsewhere.path().join("secret").display().to_string();
    fs::create_dir_all(place.file(".cuelight/tools")).expect("made");
    place.write(
        ".cuelight/tools/show.yaml",
        // It need not open anything: whatever was opened for it, it has.
        "name: show\nversion: 1.0.0\ndescription: Shows a file\neffect: pure\nreliability: high\n\
         input: {type: object, required: [path], properties: {path: {type: string}}}\noutput: {type: object}\n\
         command: [bash, -c, 'for n in {3..99}; do cat <&$n; done 2> /dev/null | grep kept', tool, '${{ input.path }}']\n",
    );
    place.write(
        "w.yaml",
        &format!(
            "name: w\nsteps:\n  \
             - {{id: a, sandbox: strict, outputs: {{path: string}}, run: 'echo path=/proc/$PPID/fd/../../..{secret} >> \"$CUELIGHT_OUTPUT\"'}}\n  \
             - {{id: b, needs: a, sandbox: strict, uses: show@1, with: {{path: '${{{{ steps.a.outputs.path }}}}'}}}}\n"
        ),
    );
    let run = place.cue(&["run", "w.yaml", "--headless"]).run();
    assert_eq!(place.step(&run, "a")["state"], "completed");
    let said = place.cue(&["logs", &run, "b"]).out;
    assert_eq!(place.step(&run, "b")["state"], "failed", "{said}");
    assert!(!said.contains("kept"), "{said}");
}

#[test]
fn a_program_of_the_workspace_that_is_a_link_to_elsewhere_is_not_read_for_that() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    let (place, elsewhere) = (Place::new(), TempDir::new().expect("a directory"));
    let tool = elsewhere.path().join("tool");
    fs::write(&tool, "#!/bin/sh\necho kept\n").expect("written");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::create_dir_all(place.file("build")).expect("made");
    std::os::unix::fs::symlink(&tool, place.file("build/tool")).expect("a link");
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: s, sandbox: strict, working-directory: build, run: [./tool]}\n",
    );
    let run = place.cue(&["run", "w.yaml", "--headless"]).run();
    let step = place.step(&run, "s");
    assert!(
        step["state"] == "failed" && text(&step["error"]["message"]).contains("Permission denied"),
        "{step:#}"
    );
}

#[test]
fn a_step_that_its_sandbox_has_kept_from_something_says_so() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        skipped("this kernel has no Landlock");
        return;
    }
    let place = Place::new();
    place.write("w.yaml", "name: w\nsteps:\n  - {id: s, sandbox: strict, run: echo x > here}\n");
    place.cue(&["run", "w.yaml", "--headless"]);
    let error = place.step("r-1", "s")["error"].clone();
    assert_eq!(error["mode"], "user_permission", "{error:#}");
    assert!(text(&error["message"]).contains("its sandbox may have kept it from something"), "{error:#}");
}

#[test]
fn where_the_kernel_cannot_enforce_a_sandbox_nothing_runs_and_the_doctor_says_so() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: s, sandbox: strict, run: touch \"$TMPDIR/ran\" || touch ran}\n",
    );
    for call in [libc::SYS_landlock_create_ruleset, libc::SYS_seccomp] {
        nothing_runs_without(&place, call);
    }
}

/// Nor does the doctor say that it would.
fn nothing_runs_without(place: &Place, call: i64) {
    thread::scope(|scope| {
        let without = scope.spawn(move || {
            // This thread, and all that it starts, has a kernel that has never heard of it.
            let calls = BTreeMap::from([(call, Vec::new())]);
            let missing = SeccompAction::Errno(38);
            let arch = env::consts::ARCH.try_into().expect("an architecture with filters");
            let filter = SeccompFilter::new(calls, SeccompAction::Allow, missing, arch).expect("a filter");
            let filter: seccompiler::BpfProgram = filter.try_into().expect("a program");
            apply_filter(&filter).expect("it is in force");
            (place.cue(&["run", "w.yaml", "--headless"]), place.cue(&["doctor"]))
        });
        let (run, doctor) = without.join().expect("it has told");
        assert_eq!(run.code, 1, "{run:?}");
        let why = text(&place.step(&run.run(), "s")["error"]["message"]);
        assert!(why.starts_with("could not start: this system cannot enforce `sandbox: strict`"), "{why}");
        assert!(why.contains("it takes Linux 6.2 or later") && !place.file("ran").exists(), "{why}");
        assert!(doctor.out.contains("steps with `sandbox: strict` are refused"), "{}", doctor.out);
    });
}
