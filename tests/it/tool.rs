//! Local programs, at the door of `tool`: a launch in, an answer and files out. The processes are real; a test never
//! sleeps, at most a child does, and it is ended.

use cuelight_base::{Digest, FailureMode, Launch, Span, TextPart, Timestamp, ValueMap};
use cuelight_store::SpoolReader;
use cuelight_tool::{
    Answer, Call, Ended, Host, Masker, Now, Progress, Secret, SecretStore, are_we_of_a_step,
    collect_artifacts, hash_files, run_process,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A workspace with one call in it.
struct Desk {
    dir: TempDir,
    secrets: BTreeMap<String, Secret>,
    cancel: CancellationToken,
    cancel_after: Option<Vec<u8>>,
    kill_grace: Span,
}

/// The outcome of a call: the answer, and the spool as a reader finds it.
struct Seen {
    answer: Answer,
    spool: SpoolReader,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a directory for the test"),
            secrets: BTreeMap::new(),
            cancel: CancellationToken::new(),
            cancel_after: None,
            kill_grace: Span(300),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn attempt_dir(&self) -> PathBuf {
        self.path().join(".cuelight/spool/r-1.0.1")
    }

    fn with_secret(mut self, name: &str, value: &[u8]) -> Self {
        self.secrets.insert(name.to_owned(), Secret::new(value));
        self
    }

    fn run(&self, launch: &Launch) -> Seen {
        let answer = self.run_all(std::slice::from_ref(launch)).pop().expect("one answer for one launch");
        Seen { answer, spool: SpoolReader::new(&self.attempt_dir()) }
    }

    /// One after the other, by one host.
    fn run_all(&self, launches: &[Launch]) -> Vec<Answer> {
        let base_env = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
        let secrets = SecretStore::new(self.secrets.clone(), self.path());
        let host =
            Host::new(self.path().to_owned(), base_env, secrets, self.kill_grace).with_clock(ticking());
        let call = Call {
            tree: None,
            attempt_dir: self.attempt_dir(),
            run: "r-1".to_owned(),
            step: "build".to_owned(),
            attempt: "r-1.0.1".to_owned(),
            effect_key: "key-7".to_owned(),
            traceparent: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let run = |launch| {
            let (mut heard, mut total) = (Vec::new(), 0);
            let progress = |progress: Progress<'_>| {
                total = progress.total;
                if let Some(word) = &self.cancel_after {
                    heard.extend_from_slice(progress.bytes);
                    if heard.windows(word.len()).any(|window| window == word) {
                        self.cancel.cancel();
                    }
                }
            };
            let answer = runtime.block_on(run_process(&host, launch, None, &call, &self.cancel, progress));
            assert_eq!(total, answer.output_bytes, "progress tells of every byte");
            answer
        };
        launches.iter().map(run).collect()
    }

    fn bash(&self, script: &str) -> Seen {
        self.run(&bash(script))
    }

    /// The answer to a launch that must fail.
    #[track_caller]
    fn check_failure(&self, launch: &Launch, mode: FailureMode, message: &str) {
        let seen = self.run(launch);
        let failure = seen.answer.failure().expect("a failure");
        let said = failure.message.replace(self.path().to_str().expect("UTF-8"), "~");
        assert_eq!((failure.mode, said.as_str()), (mode, message), "{:?}", seen.answer);
    }
}

impl Seen {
    fn log(&self) -> Vec<u8> {
        self.spool.read(0, u64::MAX).expect("the spool can be read").bytes
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.answer.ended, Ended::Exit(0), "{:?}", self.answer);
        self
    }
}

/// A clock that is a second later whenever it is looked at.
fn ticking() -> Now {
    let seconds = AtomicI64::new(1_750_000_000);
    Arc::new(move || Timestamp(1_000 * seconds.fetch_add(1, Ordering::Relaxed)))
}

fn bash(script: &str) -> Launch {
    Launch::of(["bash", "-euo", "pipefail", "-c", script])
}

fn with_env(launch: Launch, name: &str, parts: Vec<TextPart>) -> Launch {
    let mut env = launch.env.clone();
    env.push((name.to_owned(), parts));
    Launch { env, ..launch }
}

fn text(text: &str) -> Vec<TextPart> {
    vec![TextPart::Text(text.to_owned())]
}

fn hash(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// True if a process lives and is no zombie.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Waits for the kernel to bury a process that was sent KILL; there is nothing else to wait for.
#[track_caller]
fn assert_dead(pid: &str) {
    let gone = (0..20_000_000).any(|_| {
        std::thread::yield_now();
        !is_alive(pid)
    });
    assert!(gone, "{pid} lives");
}

#[test]
fn both_outputs_go_to_one_log_in_their_order() {
    let desk = Desk::new();
    let seen = desk.bash("echo one; echo two >&2; echo three").ok();
    assert_eq!(seen.log(), b"one\ntwo\nthree\n");
    assert_eq!(seen.answer.tail, "one\ntwo\nthree\n");
    assert_eq!((seen.answer.output_bytes, seen.answer.output_lines), (14, 3));
    assert_eq!(seen.answer.output_digest, hash(b"one\ntwo\nthree\n"));
    assert!(!seen.answer.left_behind);
}

#[test]
fn a_step_that_says_nothing_leaves_no_log() {
    let desk = Desk::new();
    let seen = desk.run(&Launch::of(["true"])).ok();
    assert_eq!(seen.spool.total().expect("readable"), 0);
    assert_eq!(seen.answer.output_digest, hash(b""));
    assert_eq!(seen.answer.failure(), None);
}

#[test]
fn when_memory_runs_out_a_step_goes_before_us() {
    let desk = Desk::new();
    // Its shell may have begun before it was marked; what it starts a moment later was not.
    let ours = fs::read_to_string("/proc/self/oom_score_adj").expect("Linux").trim().to_owned();
    let script = "until [ \"$(cat /proc/self/oom_score_adj)\" != \"$OURS\" ]; do :; done; cat /proc/self/oom_score_adj";
    let seen = desk.run(&with_env(bash(script), "OURS", text(&ours)));
    let ours: i32 = ours.parse().expect("a number");
    let theirs: i32 = String::from_utf8(seen.ok().log()).expect("text").trim().parse().expect("a number");
    assert_eq!(theirs, (ours.max(0) + 500).min(1000));
}

#[test]
fn a_process_gets_our_words_and_nothing_else() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("sub")).expect("made");
    let launch = Launch { dir: Some("sub".to_owned()), ..bash("env | sort; pwd; cat") };
    let seen = desk.run(&with_env(launch, "GREETING", text("hello"))).ok();
    let root = desk.path().to_str().expect("UTF-8");
    let log = String::from_utf8(seen.log()).expect("UTF-8");
    let output = log.lines().find_map(|line| line.strip_prefix("CUELIGHT_OUTPUT=")).expect("is told");
    assert!(output.starts_with(&format!("{root}/.cuelight/scratch/")), "{output}");
    let lines: Vec<&str> =
        log.lines().filter(|line| !line.starts_with("SHLVL=") && !line.starts_with("_=")).collect();
    let sub = format!("{root}/sub");
    let expected = [
        "CUELIGHT_ATTEMPT=r-1.0.1".to_owned(),
        "CUELIGHT_KEY=key-7".to_owned(),
        format!("CUELIGHT_OUTPUT={output}"),
        "CUELIGHT_RUN=r-1".to_owned(),
        "CUELIGHT_STEP=build".to_owned(),
        format!("DAGU_OUTPUT_FILE={output}"),
        format!("GITHUB_OUTPUT={output}"),
        "GREETING=hello".to_owned(),
        "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
        format!("PWD={sub}"),
        sub,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn hostile_values_stay_data() {
    for value in [
        "\"; touch pwned; \"",
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned #",
        "a\nb",
        "-n",
        "*",
        "\u{1b}[2J",
    ] {
        let desk = Desk::new();
        let seen = desk.run(&with_env(bash("printf %s \"$VALUE\""), "VALUE", text(value))).ok();
        assert_eq!(seen.log(), value.as_bytes());
        assert!(!desk.path().join("pwned").exists(), "{value}");
    }
}

#[test]
fn odd_bytes_are_kept_exactly() {
    let odd = b"\0a\xff\xfe\x1b[2J\r\n\x80\xc3(";
    let desk = Desk::new();
    fs::write(desk.path().join("odd"), odd).expect("written");
    let seen = desk.bash("cat odd").ok();
    assert_eq!(seen.log(), odd);
    assert!(seen.answer.tail.contains("⟨FF⟩⟨FE⟩"), "{:?}", seen.answer.tail);
}

#[test]
fn a_tail_begins_with_a_whole_character() {
    let desk = Desk::new();
    let seen = desk.bash("for ((i = 0; i < 3000; i++)); do printf é; done; printf x").ok();
    assert_eq!(seen.answer.tail, "é".repeat(2047) + "x");
}

#[test]
fn files_are_for_us_alone() {
    let desk = Desk::new();
    let launch = bash("echo hi; stat -c %a $CUELIGHT_OUTPUT $(dirname $CUELIGHT_OUTPUT)");
    assert_eq!(desk.run(&launch).ok().log(), b"hi\n600\n700\n");
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(desk.attempt_dir()), 0o700);
    assert_eq!(mode(desk.attempt_dir().join("log")), 0o600);
}

#[test]
fn up_to_the_limit_all_is_kept_and_beyond_it_head_and_tail() {
    let limit = 4000_usize;
    for length in [limit - 1, limit, limit + 1, limit * 3 + 7] {
        let whole: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).expect("small")).collect();
        let desk = Desk::new();
        fs::write(desk.path().join("whole"), &whole).expect("written");
        let seen = desk.run(&Launch { output_limit: limit as u64, ..bash("cat whole") }).ok();
        assert_eq!(seen.answer.output_digest, hash(&whole));
        assert_eq!(seen.answer.output_bytes, length as u64);
        assert_eq!(seen.spool.total().expect("readable"), length as u64);
        let head = seen.spool.read(0, u64::MAX).expect("readable");
        assert_eq!(head.bytes, whole[..head.bytes.len()]);
        let tail = seen.spool.tail(limit as u64).expect("readable");
        assert_eq!(tail.bytes, whole[usize::try_from(tail.offset).expect("small")..]);
        assert_eq!(tail.end(), length as u64);
        if length <= limit {
            assert_eq!(head.bytes.len(), length);
            assert_eq!(seen.spool.gap().expect("readable"), None);
        } else {
            assert_eq!(seen.spool.gap().expect("readable"), Some((limit as u64 / 2, tail.offset)));
            assert!(tail.bytes.len() >= limit / 4);
        }
    }
}

/// In a process of its own, so that no other test adds to its memory.
#[test]
#[expect(clippy::disallowed_methods, reason = "the process under test is this one, started again")]
fn a_hundred_million_bytes_in_one_line_take_no_memory() {
    let this = std::env::current_exe().expect("we run");
    let arguments = ["--exact", "--ignored", "--nocapture", "tool::probe_of_memory"];
    let output = std::process::Command::new(this).args(arguments).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let figure = said.lines().find_map(|line| line.split_once("grew by ")).expect("a figure").1;
    let grew: u64 = figure.trim_end_matches(" KiB").parse().expect("a number");
    assert!(output.status.success() && grew < 4096, "{said}");
}

#[test]
#[ignore = "a part of a_hundred_million_bytes_in_one_line_take_no_memory"]
fn probe_of_memory() {
    let peak = || -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let desk = Desk::new();
    let launch = |bytes: u32| Launch { output_limit: 1 << 20, ..bash(&format!("head -c {bytes} /dev/zero")) };
    desk.run(&launch(1_000_000)).ok();
    let before = peak();
    let seen = desk.run(&launch(100_000_000)).ok();
    assert_eq!((seen.answer.output_bytes, seen.answer.output_lines), (100_000_000, 0));
    println!("grew by {} KiB", peak() - before);
    assert_eq!(seen.spool.read(0, u64::MAX).expect("readable").bytes.len(), 1 << 19);
}

#[test]
fn a_disk_that_refuses_does_not_end_the_step() {
    let desk = Desk::new();
    let seen = desk.bash("mkdir -p .cuelight/spool; touch .cuelight/spool/r-1.0.1; echo hello").ok();
    let lost = seen.answer.output_lost.expect("it could not be kept");
    assert!(lost.starts_with("could not keep its output from byte 0 on: Not a directory"), "{lost}");
    assert_eq!((seen.answer.tail.as_str(), seen.answer.output_digest), ("hello\n", hash(b"hello\n")));
}

#[test]
fn endless_output_is_cut_and_ended_by_its_time_limit() {
    let launch = Launch { output_limit: 4096, timeout: Some(Span(300)), ..Launch::of(["yes"]) };
    let desk = Desk::new();
    let seen = desk.run(&launch);
    assert_eq!(seen.answer.ended, Ended::TimedOut { after: Span(300) });
    let sizes = fs::read_dir(desk.attempt_dir()).expect("there").map(|entry| {
        let entry = entry.expect("there");
        let is_index = entry.file_name().to_str().is_some_and(|text| text.starts_with("times"));
        (is_index, entry.metadata().expect("there").len())
    });
    let (index, output): (Vec<_>, Vec<_>) = sizes.partition(|size| size.0);
    let [index, kept] = [index, output].map(|index| index.iter().map(|entry| entry.1).sum::<u64>());
    assert!(index <= 4096, "an index of {index} bytes");
    assert!(kept <= 4096 && seen.answer.output_bytes > 4096, "{kept} of {}", seen.answer.output_bytes);
    let failure = seen.answer.failure().expect("a failure");
    assert_eq!(failure.mode, FailureMode::SystemTimeout);
    assert_eq!(failure.message, "ran longer than 300ms; raise `timeout` or see where it waits");
}

#[test]
fn a_cancelled_step_takes_its_grandchildren_along() {
    let desk = Desk { cancel_after: Some(b"ready".to_vec()), ..Desk::new() };
    let script = "trap '' TERM; (trap '' TERM; sleep 600) & echo $! > child; bash -c 'sleep 600' & echo $! > other; \
                  echo $$ > leader; echo ready; while true; do sleep 600; done";
    let seen = desk.bash(script);
    assert_eq!(seen.answer.ended, Ended::Cancelled);
    assert_eq!(seen.answer.failure().map(|failure| failure.mode), Some(FailureMode::UserCancelled));
    for name in ["child", "other", "leader"] {
        assert_dead(&fs::read_to_string(desk.path().join(name)).expect("written"));
    }
}

#[test]
fn a_step_asked_to_end_may_clean_up_first() {
    let desk = Desk { cancel_after: Some(b"ready".to_vec()), kill_grace: Span::seconds(60), ..Desk::new() };
    let seen = desk.bash("trap 'echo cleaned; exit 0' TERM; echo ready; sleep 600 & wait");
    assert_eq!(seen.answer.ended, Ended::Cancelled);
    assert_eq!(seen.log(), b"ready\ncleaned\n");
}

#[test]
fn a_stopped_step_can_be_cancelled() {
    let desk = Desk { cancel_after: Some(b"ready".to_vec()), kill_grace: Span::seconds(60), ..Desk::new() };
    let seen = desk.bash("(echo ready; kill -STOP $$) & wait");
    assert_eq!(seen.answer.ended, Ended::Cancelled);
}

#[test]
fn an_outcome_does_not_wait_for_a_pipe_that_somebody_holds_open() {
    let desk = Desk::new();
    let seen = desk.bash("sleep 600 & echo $! > child; echo done").ok();
    assert_eq!(seen.log(), b"done\n");
    assert!(seen.answer.left_behind);
    assert_dead(&fs::read_to_string(desk.path().join("child")).expect("written"));
}

#[test]
fn what_is_silent_in_the_background_ends_with_its_step() {
    let desk = Desk::new();
    let seen = desk.bash("sleep 600 >/dev/null 2>&1 & echo $! > child").ok();
    assert!(!seen.answer.left_behind);
    assert_dead(&fs::read_to_string(desk.path().join("child")).expect("written"));
}

#[test]
fn a_cancelled_call_never_begins() {
    let desk = Desk::new();
    desk.cancel.cancel();
    let seen = desk.bash("touch ran");
    assert_eq!(seen.answer.ended, Ended::Cancelled);
    assert!(!desk.path().join("ran").exists());
}

#[test]
fn a_call_that_is_dropped_ends_its_process() {
    let desk = Desk::new();
    let secrets = SecretStore::new(BTreeMap::new(), desk.path());
    let host = Host::new(desk.path().to_owned(), vec![], secrets, Span(300));
    let call = Call {
        tree: None,
        attempt_dir: desk.attempt_dir(),
        run: String::new(),
        step: String::new(),
        attempt: String::new(),
        effect_key: String::new(),
        traceparent: None,
    };
    let (launch, cancel) = (bash("echo $$ > leader; echo ready; sleep 600"), CancellationToken::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ready = CancellationToken::new();
        let call = run_process(&host, &launch, None, &call, &cancel, |_| ready.cancel());
        tokio::select! {
            biased;
            () = ready.cancelled() => {}
            _ = call => unreachable!("it sleeps"),
        }
    });
    assert_dead(&fs::read_to_string(desk.path().join("leader")).expect("written"));
}

#[test]
fn an_exit_code_and_a_signal_are_told_apart() {
    let desk = Desk::new();
    desk.check_failure(&bash("exit 3"), FailureMode::AgentLogic, "exit code 3; it wrote nothing");
    desk.check_failure(
        &bash("kill -9 $$"),
        FailureMode::SystemCrash,
        "killed by signal 9 (SIGKILL), not by cuelight; see the system's log (dmesg)",
    );
    desk.check_failure(
        &bash("kill -TERM $$"),
        FailureMode::UserCancelled,
        "killed by signal 15 (SIGTERM), sent from outside; run it again if that was not meant",
    );
    desk.check_failure(
        &bash("exec 2>/dev/null; bash -c 'kill -SEGV $$'; echo never"),
        FailureMode::SystemCrash,
        "exit code 139: a command in it was killed by signal 11 (SIGSEGV); it wrote nothing",
    );
    desk.check_failure(
        &bash("nonesuch-command"),
        FailureMode::UserInvalidInput,
        "bash: line 1: nonesuch-command: command not found (exit code 127); install it or put it on PATH",
    );
}

#[test]
fn what_keeps_a_call_from_beginning_is_named() {
    let desk = Desk::new();
    fs::write(desk.path().join("plain"), "#!/bin/sh\n").expect("written");
    fs::write(desk.path().join("orphan"), "#!/no/such/interpreter\n").expect("written");
    fs::write(desk.path().join("noise"), "\u{1}\u{2}").expect("written");
    for name in ["orphan", "noise"] {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(desk.path().join(name), mode).expect("changed");
    }
    let input = FailureMode::UserInvalidInput;
    let of = |argv: &[&str]| Launch::of(argv.iter().copied());
    for (launch, mode, message) in [
        (
            of(&["nonesuch"]),
            input,
            "could not start: command not found: nonesuch; install it or put it on PATH (/usr/local/bin:/usr/bin:/bin)",
        ),
        (
            of(&["./nonesuch"]),
            input,
            "could not start: ./nonesuch: No such file or directory (os error 2); see the path, it counts from ~",
        ),
        (
            of(&["./plain"]),
            FailureMode::UserPermission,
            "could not start: ~/./plain is not executable; run chmod +x ~/./plain",
        ),
        (
            of(&["./orphan"]),
            input,
            "could not start: ./orphan: No such file or directory (os error 2); the interpreter in its first line is \
             missing; install it or change the line",
        ),
        (
            of(&["./noise"]),
            input,
            "could not start: ./noise: Exec format error (os error 8); it is no program; begin a script with a line such \
             as #!/bin/sh",
        ),
        (
            Launch { dir: Some("nowhere".to_owned()), ..of(&["true"]) },
            input,
            "could not start: the working directory ~/nowhere: No such file or directory (os error 2); create it or \
             change `working-directory`",
        ),
        (
            Launch { dir: Some("plain".to_owned()), ..of(&["true"]) },
            input,
            "could not start: the working directory ~/plain is a file; name a directory",
        ),
        (of(&[]), input, "could not start: no command is given; write one"),
        (
            of(&["echo", "a\0b"]),
            input,
            "could not start: its command holds a NUL byte, which no command can; remove it",
        ),
        (
            with_env(of(&["true"]), "A=B", text("x")),
            input,
            "could not start: \"A=B\" is no name of a variable; change it under `env`",
        ),
        (
            with_env(of(&["true"]), "A", text("x\0")),
            input,
            "could not start: the value of A holds a NUL byte, which no environment can; encode it",
        ),
        (
            of(&["echo", &"x".repeat(200_000)]),
            input,
            "could not start: echo (/usr/bin/echo): Argument list too long (os error 7); command and environment are too \
             long; put the script or the value into a file",
        ),
    ] {
        desk.check_failure(&launch, mode, message);
    }
}

#[test]
fn outputs_come_from_the_file_and_from_nowhere_else() {
    let seen =
        Desk::new().bash("echo a=printed; printf 'b=1\\nc<<END\\nx\\ny\\nEND\\n' >> $GITHUB_OUTPUT").ok();
    let outputs: Vec<(&str, Option<&str>)> =
        seen.answer.outputs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(outputs, [("b", Some("1")), ("c", Some("x\ny"))]);
}

#[test]
fn a_file_for_outputs_is_lent_again_only_when_nobody_wrote_to_it() {
    let desk = Desk::new();
    let scratch = desk.path().join(".cuelight/scratch");
    fs::create_dir_all(scratch.join("999999999-0")).expect("made");
    let launches =
        [bash("echo $CUELIGHT_OUTPUT"), bash("echo a=1 >> $CUELIGHT_OUTPUT"), bash("cat $CUELIGHT_OUTPUT")];
    let seen = desk.run_all(&launches);
    assert_eq!(seen[1].outputs["a"], "1");
    assert_eq!((seen[2].output_bytes, seen[2].outputs.len()), (0, 0));
    assert_eq!(fs::read_dir(&scratch).expect("there").count(), 0, "leftovers and our own are removed");
}

#[test]
fn who_knows_the_file_of_an_earlier_step_writes_no_outputs_of_a_later_one() {
    let desk = Desk::new();
    let launches = [bash("echo $CUELIGHT_OUTPUT > told"), bash("echo evil=1 >> \"$(cat told)\"")];
    let seen = desk.run_all(&launches);
    assert_eq!(seen.iter().map(|answer| answer.outputs.len()).sum::<usize>(), 0);
}

/// Runs a check that could otherwise wait forever: after a minute it fails. Its thread ends with the tests.
fn within_a_minute(check: impl FnOnce() + Send + 'static) {
    let (done, over) = std::sync::mpsc::sync_channel(1);
    let work = move || {
        check();
        // Who does not wait any more has said so.
        let _ = done.send(());
    };
    let thread = std::thread::Builder::new().name("bounded".to_owned()).spawn(work).expect("a thread");
    match over.recv_timeout(std::time::Duration::from_mins(1)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it waits for ever"),
        // What it has to say it says as a panic.
        Ok(()) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => thread.join().expect("it holds"),
    }
}

#[test]
fn outputs_that_cannot_be_taken_fail_the_step_by_name() {
    let desk = Desk::new();
    let contract = FailureMode::AgentContract;
    let started = "could not take $CUELIGHT_OUTPUT: line 1: \"oops\" is neither key=value nor key<<END";
    desk.check_failure(&bash("echo oops >> $CUELIGHT_OUTPUT"), contract, started);
    desk.check_failure(
        &bash("(printf a=; head -c 1048575 /dev/zero | tr '\\0' x) >> $CUELIGHT_OUTPUT"),
        contract,
        "could not take $CUELIGHT_OUTPUT: it holds more than 1048576 bytes; put large results into a file and list it \
         under `artifacts`",
    );
    within_a_minute(|| {
        Desk::new().check_failure(
            &bash("rm $CUELIGHT_OUTPUT; mkfifo $CUELIGHT_OUTPUT"),
            FailureMode::AgentContract,
            "could not read $CUELIGHT_OUTPUT: it is no file any more; write to it, do not replace it",
        );
    });
    desk.check_failure(
        &bash("rm $CUELIGHT_OUTPUT; ln -s /etc/hostname $CUELIGHT_OUTPUT"),
        contract,
        "could not read $CUELIGHT_OUTPUT: Too many levels of symbolic links (os error 40); write to it, do not replace it",
    );
    let largest = "(printf a=; head -c 1048574 /dev/zero | tr '\\0' x) >> $CUELIGHT_OUTPUT";
    assert_eq!(desk.bash(largest).ok().answer.outputs.len(), 1);
    desk.check_failure(
        &bash("echo oops >> $CUELIGHT_OUTPUT; exit 2"),
        FailureMode::AgentLogic,
        "exit code 2; it wrote nothing",
    );
    assert_eq!(desk.bash("rm $CUELIGHT_OUTPUT").ok().answer.outputs, ValueMap::new());
}

fn with_token(script: &str) -> Launch {
    with_env(
        bash(script),
        "TOKEN",
        vec![TextPart::Text("v:".to_owned()), TextPart::Secret("TOKEN".to_owned())],
    )
}

#[test]
fn a_secret_reaches_the_process_and_nothing_we_keep() {
    let value = "s3cr3t/'va lue\"+é".as_bytes();
    let desk = Desk::new().with_secret("TOKEN", value);
    let script = "set -x; echo \"$TOKEN\"; printf %s \"$TOKEN\" | base64; { set +x; } 2>/dev/null; printf %s \"${TOKEN:0:6}\"; printf %s \"${TOKEN:6}\"; \
                  printf '\\na=%s\\n' \"$TOKEN\" >> $CUELIGHT_OUTPUT; echo end";
    let seen = desk.run(&with_token(script)).ok();
    let kept = fs::read(desk.attempt_dir().join("log")).expect("a log");
    let said = String::from_utf8_lossy(&kept).into_owned()
        + &seen.answer.tail
        + &format!("{:?}", seen.answer.outputs);
    assert!(said.contains("v:***") && said.contains("end"), "{said}");
    for part in ["s3cr3t", "lue\"+", "czNjcjN0"] {
        assert!(!said.contains(part), "{part} in {said}");
    }
    assert_eq!(seen.answer.outputs["a"], "v:***");
    assert_eq!(seen.answer.output_digest, hash(&kept));
}

#[test]
fn a_secret_that_cannot_be_had_keeps_the_call_from_beginning() {
    let desk = Desk::new();
    let input = FailureMode::UserInvalidInput;
    let missing =
        "could not start: secret TOKEN is not set; export it or write it to .cuelight/secrets/TOKEN";
    desk.check_failure(&with_token("touch ran"), input, missing);
    let both = with_env(with_token("true"), "B", vec![TextPart::Secret("B".to_owned())]);
    let missing =
        "could not start: secrets B, TOKEN are not set; export them or write each to .cuelight/secrets/NAME";
    desk.check_failure(&both, input, missing);
    let outside = with_env(bash("true"), "B", vec![TextPart::Secret("../x".to_owned())]);
    desk.check_failure(
        &outside,
        input,
        "could not start: \"../x\" is no name of a secret; use letters, digits, _ and -",
    );

    let file = desk.path().join(".cuelight/secrets/TOKEN");
    fs::create_dir_all(file.parent().expect("a directory")).expect("made");
    fs::write(&file, "from-a-file\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("changed");
    let open = "could not start: secret TOKEN: others can read .cuelight/secrets/TOKEN; run chmod 600 .cuelight/secrets/TOKEN";
    desk.check_failure(&with_token("true"), input, open);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(desk.run(&with_token("echo \"${#TOKEN}\"; echo $TOKEN")).ok().log(), b"13\nv:***\n");
    assert!(!desk.path().join("ran").exists());

    let short = Desk::new().with_secret("TOKEN", b"abc");
    let said =
        "could not start: secret TOKEN has fewer than 4 bytes and could not be masked; use a longer value";
    short.check_failure(&with_token("true"), input, said);
}

/// Written in another style than the masker: straight from what each encoding is.
fn encodings(value: &str) -> Vec<String> {
    let base64 = |bytes: &[u8]| -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let groups =
            (0..bits.len()).step_by(6).map(|at| format!("{:0<6}", &bits[at..bits.len().min(at + 6)]));
        groups.map(|group| char::from(letters[usize::from_str_radix(&group, 2).expect("bits")])).collect()
    };
    let plain = base64(value.as_bytes());
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = value.bytes().map(|byte| match char::from(byte) {
        c if c.is_ascii_alphanumeric() || "-._~".contains(c) => c.to_string(),
        _ => format!("%{byte:02X}"),
    });
    vec![
        value.to_owned(),
        plain.clone(),
        plain.replace('+', "-").replace('/', "_"),
        hex.clone(),
        hex.to_uppercase(),
        percent.collect(),
        serde_json::to_string(value).expect("JSON").trim_matches('"').to_owned(),
        format!("'{}'", value.replace('\'', "'\\''")),
    ]
}

/// Checks that no stretch of an encoding is visible that reveals six letters or more. Its ends are left out,
/// since base64 shares them with the text beside it.
#[track_caller]
fn assert_masked(masked: &str, encoded: &str, about: &str) {
    let chars: Vec<char> = encoded.chars().collect();
    for part in chars.windows(6).skip(2) {
        let part: String = part.iter().collect();
        assert!(!masked.contains(&part), "{part:?} of {encoded:?} in {masked:?} ({about})");
    }
}

#[test]
fn a_secret_is_masked_and_what_stands_beside_it_stays() {
    for value in ["hunter2-hunter2", "a\"b\\c'd /é+&?%", "line one\nline two\nline three", "x~Zq"] {
        let masker = Masker::new([&Secret::new(value)]).expect("small");
        for encoded in encodings(value) {
            let masked = masker.mask(&format!("before {encoded} after"));
            assert_masked(&masked, &encoded, value);
            assert!(
                masked.starts_with("before ") && masked.ends_with(" after") && masked.contains("***"),
                "{masked}"
            );
        }
        for before in ["", "x", "xy"] {
            let encoded = encodings(&format!("{before}{value}yz")).swap_remove(1);
            assert!(masker.mask(&encoded).contains("***"), "{encoded}");
        }
    }
    let lines = Masker::new([&Secret::new("BEGIN KEY\nabcdefgh\n\nend")]).expect("small");
    assert_eq!(lines.mask("1: abcdefgh\n2: en d"), "1: ***\n2: en d");
    assert_eq!(lines.mask("nothing here"), "nothing here");
}

#[test]
fn secrets_that_overlap_are_masked_as_one() {
    let masker =
        Masker::new([&Secret::new("abcdef"), &Secret::new("defghi"), &Secret::new("abc")]).expect("small");
    assert_eq!(masker.mask("-abcdefghi-abcabc-abcde-"), "-***-******-***de-");
}

#[test]
fn artifacts_are_copied_and_links_do_not_lead_out() {
    let desk = Desk::new();
    let root = desk.path().join("work");
    fs::create_dir_all(root.join("dist/deep")).expect("made");
    fs::create_dir_all(root.join(".cuelight")).expect("made");
    fs::write(root.join(".cuelight/journal.db"), "ours").expect("written");
    fs::write(root.join("dist/a.txt"), "alpha").expect("written");
    fs::write(root.join("dist/deep/b.txt"), "beta").expect("written");
    fs::write(root.join("dist/deep/c.map"), "map").expect("written");
    fs::write(desk.path().join("outside.txt"), "outside").expect("written");
    std::os::unix::fs::symlink(desk.path().join("outside.txt"), root.join("dist/link.txt")).expect("linked");
    std::os::unix::fs::symlink(desk.path(), root.join("dist/up")).expect("linked");
    std::os::unix::fs::symlink("a.txt", root.join("dist/inside.txt")).expect("linked");
    let collect = |patterns: &[&str], limit: u64| {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        collect_artifacts(&root, &patterns, &desk.attempt_dir(), limit)
    };
    let kept = collect(&["**/*.txt", ".cuelight/**"], 5).expect("kept");
    let paths: Vec<&str> = kept.iter().map(|artifact| artifact.path.to_str().expect("UTF-8")).collect();
    assert_eq!(paths, ["dist/a.txt", "dist/deep/b.txt", "dist/inside.txt"]);
    assert_eq!((kept[0].bytes, kept[0].digest), (5, hash(b"alpha")));
    let copy = desk.attempt_dir().join("artifacts/dist/deep/b.txt");
    assert_eq!(fs::read(copy).expect("a copy"), b"beta");
    let error = collect(&["dist", "!**/*.map"], 4).expect_err("one byte too many");
    assert!(error.starts_with("could not keep dist/a.txt: it has more than 4 bytes;"), "{error}");
    assert!(collect(&["../outside.txt"], 100).is_err());
}

#[test]
fn hash_files_is_githubs() {
    let desk = Desk::new();
    fs::write(desk.path().join("b.lock"), "two").expect("written");
    fs::write(desk.path().join("a.lock"), "one").expect("written");
    let hash_of = |key: &str| hash_files(desk.path(), &[key.to_owned()], 6, &desk.cancel);
    let expected = hash(&[hash(b"one").0, hash(b"two").0].concat()).to_string();
    assert_eq!(hash_of("**/*.lock"), Ok(expected));
    assert_eq!(hash_of("*.nothing"), Ok(String::new()));
}

#[test]
fn hash_files_ends_at_its_limit_and_with_the_engine() {
    let desk = Desk::new();
    fs::write(desk.path().join("a.lock"), "one").expect("written");
    fs::File::create(desk.path().join("b.lock"))
        .and_then(|file| file.set_len(200 << 30))
        .expect("a sparse file");
    let hash_of = |bytes_max| hash_files(desk.path(), &["*.lock".to_owned()], bytes_max, &desk.cancel);
    let too_large = hash_of(1 << 30).expect_err("too large");
    assert!(
        too_large.starts_with("could not hash b.lock: the files that match have more than"),
        "{too_large}"
    );
    desk.cancel.cancel();
    let ended = hash_of(u64::MAX - 1).expect_err("the engine ends");
    assert!(ended.contains("the engine is ending"), "{ended}");
}

#[test]
fn lines_are_found_from_both_ends() {
    let desk = Desk::new();
    let seen = desk.bash("seq 1 9; printf ten").ok();
    let at = |offset: u64, lines: usize| {
        String::from_utf8(seen.spool.lines_from(offset, lines, 1000).expect("readable").bytes).expect("UTF-8")
    };
    assert_eq!(at(0, 2), "1\n2\n");
    assert_eq!(at(16, 5), "9\nten");
    assert_eq!(at(0, 0), "");
    assert_eq!(seen.spool.lines_from(0, 100, 5).expect("readable").bytes, b"1\n2\n");
    assert_eq!(seen.spool.line_count().expect("readable"), 9);
    let total = seen.spool.total().expect("readable");
    assert_eq!(seen.spool.lines_back(total, 0).expect("readable"), 18);
    assert_eq!(seen.spool.lines_back(18, 2).expect("readable"), 14);
    assert_eq!(seen.spool.lines_back(18, 100).expect("readable"), 0);
}

#[test]
fn what_outlives_a_step_with_its_output_file_open_cannot_write_into_the_next_ones_outputs() {
    let desk = Desk::new();
    let first = bash(
        "setsid sh -c 'exec 3>>\"$CUELIGHT_OUTPUT\"; : > ready; while [ ! -e go ]; do sleep 0.01; done; echo late=1 >&3; : > done' \
           </dev/null >/dev/null 2>&1 &
         while [ ! -e ready ]; do sleep 0.01; done",
    );
    let second =
        bash("echo mine=1 >> \"$CUELIGHT_OUTPUT\"; : > go; while [ ! -e done ]; do sleep 0.01; done");
    let untouched = bash("true");
    let answers = desk.run_all(&[first, second, untouched.clone(), untouched]);
    assert!(answers.iter().all(Answer::is_ok), "{answers:?}");
    assert!(!answers[0].left_behind);
    let outputs: Vec<String> = answers.iter().map(|answer| format!("{:?}", answer.outputs)).collect();
    assert_eq!(outputs, ["{}", "{\"mine\": String(\"1\")}", "{}", "{}"]);
}

#[test]
fn a_file_that_nobody_opened_is_lent_again() {
    let desk = Desk::new();
    let look = bash("stat -c %i \"$CUELIGHT_OUTPUT\" >> inodes");
    let many = vec![look; 3];
    assert!(desk.run_all(&many).iter().all(Answer::is_ok));
    let text = fs::read_to_string(desk.path().join("inodes")).expect("written");
    let inodes: Vec<&str> = text.lines().collect();
    assert_eq!(inodes, [inodes[0]; 3]);
}

#[test]
fn when_output_came_is_kept_beside_it_and_lost_without_harm() {
    let desk = Desk::new();
    let limit = 1 << 20;
    let launch = Launch { output_limit: limit, ..bash("head -c 5000000 /dev/zero") };
    let seen = desk.run(&launch).ok();
    let files = |prefix: &str| {
        let names = fs::read_dir(desk.attempt_dir()).expect("it wrote something");
        let names = names.map(|name| name.expect("readable").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name == prefix || name.starts_with(&format!("{prefix}."))).count()
    };
    assert_eq!((files("log"), files("times")), (3, 3), "an index goes with its stretch");
    let times = seen.spool.arrivals(0, u64::MAX).expect("readable");
    let came = |byte: u64| times.at(byte).map(|moment| moment.0);
    let (gone, back) = seen.spool.gap().expect("readable").expect("the middle is gone");
    let bytes = [0, 1, 70_000, gone - 1, back, back + 100_000, 4_999_999];
    let known: Vec<i64> = bytes.iter().map(|byte| came(*byte).expect("it was kept")).collect();
    assert!(known.is_sorted() && known[0] < known[3] && known[4] < known[6], "{known:?}");
    // Damaged, short, missing: what was written is read as ever, and no time is told that is not its own.
    let index = desk.attempt_dir().join("times");
    let whole = fs::read(&index).expect("it is there");
    for damaged in [&whole[..whole.len() - 1], &whole[..2], b"no index at all", b""] {
        fs::write(&index, damaged).expect("writable");
        let read = seen.spool.arrivals(0, u64::MAX).expect("readable");
        for byte in (0..gone).step_by(4_096) {
            let (was, is) = (came(byte), read.at(byte).map(|moment| moment.0));
            assert!(is.is_none() || is == was, "byte {byte}: {is:?}, and was {was:?}");
        }
        assert_eq!(read.at(back).map(|moment| moment.0), came(back), "the stretches after it have their own");
    }
    fs::remove_file(&index).expect("removable");
    assert_eq!(seen.spool.arrivals(0, 10).expect("readable").at(5), None);
    assert_eq!(seen.spool.read(0, 3).expect("readable").bytes, [0, 0, 0]);
}

#[test]
fn a_closed_connection_of_this_host_is_nobodys() {
    use cuelight_runtime::TcpPeer;
    use std::net::{Shutdown, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = listener.local_addr().expect("its address");
    let there = TcpStream::connect(here).expect("connected");
    let (stream, address) = listener.accept().expect("accepted");
    let peer = TcpPeer::new(here, address);
    assert!(peer.is_of_a_step(), "an engine asks itself only for a step");
    drop(there);
    assert!(peer.is_of_a_step(), "closed, with our end open");
    drop(stream);
    assert!(peer.is_of_a_step(), "gone");
    // Whoever was not started by us is a person, unless all of this runs in a step. It ends with its connection.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; cat <&3; exec 3>&-; sleep 0.1", here.port());
    let quiet = || std::process::Stdio::null();
    let mut starts = std::process::Command::new("setsid");
    starts.args(["-f", "bash", "-c", &script]).stdin(quiet()).stdout(quiet()).stderr(quiet());
    assert!(starts.status().expect("started").success());
    let (stream, address) = listener.accept().expect("accepted");
    let peer = TcpPeer::new(here, address);
    assert_eq!(peer.is_of_a_step(), are_we_of_a_step(), "a person");
    stream.shutdown(Shutdown::Both).expect("shut down");
    drop(stream);
}
